//! The devices that NVIDIA's driver publishes, by node.

use std::collections::BTreeMap;

use migsaw::geometry::ProfileName;

use super::super::quantity::Scalar;
use super::DRIVER;
use super::wire::{SliceSpec, Traits};

/// One `ResourceSlice` of the driver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Slice {
    pool: String,
    /// Slices of an older generation do not count.
    generation: i64,
    /// How many slices the pool has in this generation.
    of: u64,
    node: String,
    devices: BTreeMap<String, Device>,
}

/// A device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Device {
    pub(in super::super) kind: Kind,
    /// The minor number of its GPU, which begins its name; `None` if it does not.
    pub(in super::super) gpu: Option<u16>,
    /// The PCI address of its GPU.
    pub(in super::super) bus: Option<String>,
    /// The board's name as the driver writes it.
    pub(in super::super) product: Option<String>,
}

/// What a device is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Kind {
    /// A GPU, MIG off.
    Whole,
    Mig {
        /// `None` if there is none, or none that reads.
        profile: Option<ProfileName>,
        /// First memory slice; `None` if it does not say.
        start: Option<u8>,
        /// Whether it exists whether or not it is allocated.
        exists: bool,
    },
    /// A GPU for passing through, or something newer.
    Other,
}

impl Slice {
    /// The slice, if it is the driver's.
    pub(in super::super) fn of(spec: SliceSpec) -> Option<Slice> {
        if spec.driver != DRIVER {
            return None;
        }
        let number = |scalar: &Option<Scalar>| scalar.as_ref().and_then(Scalar::integer::<i64>);
        let devices = spec.devices.into_iter().map(|device| {
            let (name, traits) = device.into_parts();
            let device = Device::of(&name, &traits);
            (name, device)
        });
        Some(Slice {
            generation: number(&spec.pool.generation).unwrap_or(0),
            of: number(&spec.pool.resource_slice_count).and_then(|n| u64::try_from(n).ok()).unwrap_or(1),
            pool: spec.pool.name,
            node: spec.node_name,
            devices: devices.collect(),
        })
    }
}

impl Device {
    fn of(name: &str, traits: &Traits) -> Device {
        let text = |key: &str| {
            let qualified = format!("{DRIVER}/{key}");
            traits.attributes.get(key).or_else(|| traits.attributes.get(&qualified))?.string.clone()
        };
        let counted = traits.consumes_counters.iter().flat_map(|consumption| &consumption.counters.0);
        let counted = counted.filter_map(|counter| counter.strip_prefix("memory-slice-")?.parse().ok()).min();
        let local = |key: &'static str| move |name: &String| name.rsplit('/').next()?.strip_prefix(key)?.parse().ok();
        let held: Option<u8> = traits.capacity.0.iter().filter_map(local("memorySlice")).min();
        let kind = match text("type").as_deref() {
            Some("gpu") => Kind::Whole,
            Some("mig") => Kind::Mig {
                profile: text("profile").and_then(|profile| ProfileName::from_label_form(&profile)),
                start: held.or(counted),
                exists: traits.consumes_counters.is_empty(),
            },
            _ => Kind::Other,
        };
        let gpu = name.strip_prefix("gpu-").and_then(|rest| rest.split('-').next()?.parse().ok());
        let bus = traits.attributes.get("resource.kubernetes.io/pciBusID").and_then(|bus| bus.string.clone());
        Device { kind, gpu, bus: bus.or_else(|| text("pcieBusID")), product: text("productName") }
    }
}

/// All slices of the driver, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in super::super) struct Slices(pub(in super::super) BTreeMap<String, Slice>);

/// What the driver publishes, as of the newest generation of each pool.
#[derive(Debug, Default)]
pub(in super::super) struct Published {
    /// By pool and name.
    devices: BTreeMap<String, BTreeMap<String, Device>>,
    /// The pools of each node.
    nodes: BTreeMap<String, Vec<String>>,
    /// Pools of which slices are missing: how many there are, and how many there should be.
    incomplete: BTreeMap<String, (u64, u64)>,
}

impl Slices {
    /// Makes pools of the slices.
    pub(in super::super) fn published(&self) -> Published {
        let mut published = Published::default();
        let mut pools: BTreeMap<&str, Vec<&Slice>> = BTreeMap::new();
        for slice in self.0.values() {
            pools.entry(&slice.pool).or_default().push(slice);
        }
        for (pool, slices) in pools {
            let newest = slices.iter().map(|slice| slice.generation).max().unwrap_or(0);
            let slices: Vec<&Slice> = slices.into_iter().filter(|slice| slice.generation == newest).collect();
            let (found, of) = (slices.len() as u64, slices.iter().map(|slice| slice.of).max().unwrap_or(0));
            if found < of {
                published.incomplete.insert(pool.to_owned(), (found, of));
            }
            let devices = published.devices.entry(pool.to_owned()).or_default();
            devices.extend(slices.iter().flat_map(|slice| slice.devices.clone()));
            if let Some(node) = slices.iter().map(|slice| &slice.node).find(|node| !node.is_empty()) {
                published.nodes.entry(node.clone()).or_default().push(pool.to_owned());
            }
        }
        published
    }
}

impl Published {
    /// A device by pool and name.
    pub(in super::super) fn device(&self, pool: &str, name: &str) -> Option<&Device> {
        self.devices.get(pool)?.get(name)
    }

    /// Whether the driver publishes devices of a node.
    pub(in super::super) fn has(&self, node: &str) -> bool {
        self.devices(node).next().is_some()
    }

    /// The devices of a node, with pool and name.
    pub(in super::super) fn devices(&self, node: &str) -> impl Iterator<Item = (&str, &str, &Device)> {
        let pools = self.nodes.get(node).into_iter().flatten();
        let devices = pools.filter_map(|pool| Some((pool, self.devices.get(pool)?)));
        devices.flat_map(|(pool, devices)| devices.iter().map(|(name, device)| (pool.as_str(), name.as_str(), device)))
    }

    /// How many slices of a node's pool there are and should be, if some are missing.
    pub(in super::super) fn missing(&self, node: &str) -> Option<(u64, u64)> {
        self.nodes.get(node)?.iter().find_map(|pool| self.incomplete.get(pool)).copied()
    }

    /// The GPUs of a node that are seen, ascending by minor number, with their PCI addresses.
    pub(in super::super) fn gpus(&self, node: &str) -> BTreeMap<u16, Option<&str>> {
        self.devices(node).filter_map(|(_, _, device)| Some((device.gpu?, device.bus.as_deref()))).collect()
    }

    /// The board of a node, as GPU feature discovery would label it, if its GPUs are all of one.
    pub(in super::super) fn product(&self, node: &str) -> Option<String> {
        let mut products = self.devices(node).map(|(_, _, device)| device.product.as_deref());
        let first = products.next()??;
        products.all(|product| product == Some(first)).then(|| first.replace(' ', "-"))
    }
}
