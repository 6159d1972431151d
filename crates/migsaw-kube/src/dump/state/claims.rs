//! Nodes as the DRA driver publishes them.

use std::collections::{BTreeMap, BTreeSet};

use migsaw::geometry::{Layout, Model, Placement};
use migsaw::present::{Held, RecutUnit};

use super::super::collect::{Collection, Node};
use super::super::dra::{Claim, Device, Kind, Published};
use super::super::nodes::FleetNode;
use super::super::warning::{WarningCode, Warnings};
use super::cuts::{Cuts, Gpus};
use super::sight::Sight;

const BY: &str = "the DRA driver";

/// What claims hold of what the driver publishes.
pub(super) struct Claimed<'a> {
    published: &'a Published,
    /// Devices that some claim holds, by pool and name.
    allocated: BTreeSet<(&'a str, &'a str)>,
    /// Pods that hold devices, by node.
    pods: BTreeMap<&'a str, Vec<PodDevices<'a>>>,
    /// Nodes with pods of which it cannot be told what they hold.
    unclear: &'a BTreeSet<String>,
}

/// A pod with the devices it holds.
struct PodDevices<'a> {
    namespace: &'a str,
    name: &'a str,
    held: &'a [(String, String)],
}

/// What is seen of a node.
pub(super) enum Seen {
    /// The driver does not speak of it.
    Nothing,
    /// It does, but not so that it can be told how the GPUs are cut.
    Unclear,
    /// Everything.
    All(Sight),
}

impl<'a> Claimed<'a> {
    pub(super) fn new(found: &'a Collection, published: &'a Published) -> Claimed<'a> {
        let held = found.claims.values().flat_map(Claim::held);
        let mut pods: BTreeMap<&str, Vec<PodDevices<'_>>> = BTreeMap::new();
        for pod in found.pods.iter().filter(|pod| !pod.held.is_empty()) {
            let Some(node) = &pod.node else { continue };
            let devices = PodDevices { namespace: &pod.asking.namespace, name: &pod.name, held: &pod.held };
            pods.entry(node).or_default().push(devices);
        }
        Claimed {
            published,
            allocated: held.map(|(pool, name)| (pool.as_str(), name.as_str())).collect(),
            pods,
            unclear: &found.unclear_nodes,
        }
    }

    /// What the driver says of a node, with a warning if that is not enough.
    pub(super) fn of(&self, node: &Node, fleet_node: &FleetNode, cuts: &mut Cuts, warnings: &mut Warnings) -> Seen {
        if !self.published.has(&node.name) {
            return Seen::Nothing;
        }
        let seen = self.sight(fleet_node).and_then(|sight| {
            // Without a device plugin a node offers nothing to compare with.
            if !fleet_node.by_claims {
                cuts.seen(&sight.gpus, BY, node, fleet_node, warnings)?;
            }
            Ok(sight)
        });
        match seen {
            Ok(sight) => Seen::All(sight),
            Err(why) => {
                let end = if fleet_node.by_claims { "it counts as empty" } else { "its ResourceSlices were not used" };
                let code = if fleet_node.by_claims { WarningCode::StateUnknown } else { WarningCode::SlicesDisagree };
                warnings.add(code, format!("node {}", node.name), format!("{why}: {end}"));
                Seen::Unclear
            }
        }
    }

    /// A node by its devices and the claims that hold them; a sentence if they do not tell how it is cut.
    fn sight(&self, node: &FleetNode) -> Result<Sight, String> {
        if let Some((found, of)) = self.published.missing(&node.name) {
            return Err(format!("{found} of {of} ResourceSlices of its pool are in the dump"));
        }
        if self.unclear.contains(&node.name) {
            return Err("runs pods of which it cannot be told what their claims hold".to_owned());
        }
        let order = self.order(node)?;
        let model = &*node.model;
        let mut placements: Vec<BTreeSet<Placement>> = vec![BTreeSet::new(); node.gpus as usize];
        let mut held: BTreeMap<(&str, &str), Held> = BTreeMap::new();
        let mut is_dynamic = false;
        for (pool, name, device) in self.published.devices(&node.name) {
            let is_allocated = self.allocated.contains(&(pool, name));
            let Some(&gpu) = device.gpu.as_ref().and_then(|minor| order.index.get(minor)) else {
                return Err(format!("{BY} has a device {name} (expected a name like gpu-0 or gpu-0-mig-1g10gb-19-0)"));
            };
            match device.kind {
                Kind::Mig { exists, .. } => {
                    is_dynamic |= !exists;
                    if exists || is_allocated {
                        let placement = placement(name, device, model)?;
                        placements[usize::from(gpu)].insert(placement);
                        held.insert((pool, name), Held { gpu, instance: Some(placement) });
                    }
                }
                Kind::Whole => drop(held.insert((pool, name), Held { gpu, instance: None })),
                Kind::Other if is_allocated => {
                    return Err(format!(
                        "device {name}, which is allocated, is neither a GPU with MIG off nor an instance"
                    ));
                }
                Kind::Other => {}
            }
        }
        if is_dynamic && order.index.len() < node.gpus as usize {
            return Err(format!("{BY} publishes {} of {} GPUs", order.index.len(), node.gpus));
        }
        let layout = |(gpu, placements): (usize, BTreeSet<Placement>)| {
            let layout = Layout::new(model, placements).map_err(|error| format!("{BY}, GPU {gpu}: {error}"))?;
            Ok(Some(layout).filter(|layout| !layout.is_empty()))
        };
        let gpus: Gpus = placements.into_iter().enumerate().map(layout).collect::<Result<_, String>>()?;
        let mut holds = BTreeMap::new();
        for pod in self.pods.get(node.name.as_str()).into_iter().flatten() {
            let devices = pod.held.iter().map(|(pool, name)| held.get(&(pool.as_str(), name.as_str())).copied());
            // A device of another node is none that can be told here.
            if let Some(devices) = devices.collect::<Option<Vec<Held>>>() {
                holds.insert((pod.namespace.to_owned(), pod.name.to_owned()), devices);
            }
        }
        let in_any_order = !order.is_certain && gpus.windows(2).any(|pair| pair[0] != pair[1]);
        let unit = if is_dynamic { RecutUnit::Instance } else { RecutUnit::Gpu };
        Ok(Sight { gpus, in_any_order, unit, by: BY, holds })
    }

    /// Which index each GPU has.
    fn order(&self, node: &FleetNode) -> Result<Order, String> {
        let gpus = self.published.gpus(&node.name);
        let (found, expected) = (gpus.len(), node.gpus as usize);
        if found > expected {
            return Err(format!("{BY} publishes {found} GPUs (expected {expected}, as its labels say)"));
        }
        let buses: Option<BTreeMap<&str, u16>> = gpus.iter().map(|(minor, bus)| Some(((*bus)?, *minor))).collect();
        // Indices, by which mig-parted calls GPUs, follow the PCI address; minor numbers mostly do. A GPU in MIG mode
        // without an instance is not published, so any place may be its.
        let (minors, is_by_bus) = match buses.filter(|buses| buses.len() == found) {
            Some(buses) => (buses.into_values().collect::<Vec<u16>>(), true),
            None => (gpus.into_keys().collect(), false),
        };
        Ok(Order { index: minors.into_iter().zip(0..).collect(), is_certain: is_by_bus && found == expected })
    }
}

/// The indices of GPUs by their minor numbers.
struct Order {
    index: BTreeMap<u16, u16>,
    is_certain: bool,
}

/// Where an instance is.
fn placement(name: &str, device: &Device, model: &Model) -> Result<Placement, String> {
    let Kind::Mig { profile, start, .. } = &device.kind else { return Err(format!("device {name} is no instance")) };
    let Some(named) = profile else {
        return Err(format!("device {name} does not say its profile (expected an attribute like 1g.10gb)"));
    };
    let profile =
        model.profile(named).ok_or_else(|| format!("device {name} is {named}, which {} does not have", model.id))?;
    let start = start.ok_or_else(|| format!("device {name} does not say its memory slices"))?;
    Ok(Placement { start, profile })
}
