//! Which nodes can be planned, and what they have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use migsaw::fleet::{Strategy, Taint};
use migsaw::geometry::{Catalog, Model, ProfileName, product_of};
use migsaw::problem::MAX_GPUS_PER_NODE;

use super::collect::Node;
use super::constraints::NODE_NAME;
use super::dra::{self, Published};
use super::gpus::{self, Count};
use super::warning::{WarningCode, Warnings};
use super::{DumpOptions, Skipped};
use crate::names::{CONFIG_LABEL, GPU, STATE_LABEL};

/// The label with the GPU's model, by GPU feature discovery.
pub(super) const PRODUCT: &str = "nvidia.com/gpu.product";
/// The label with the number of GPUs, or of MIG devices under strategy `single`.
pub(super) const COUNT: &str = "nvidia.com/gpu.count";
/// The label with the MIG strategy.
pub(super) const STRATEGY: &str = "nvidia.com/mig.strategy";
/// The key under which a node's DRA driver stands among its labels, if nothing else gives its GPUs out.
pub(super) const DRA_DRIVER: &str = "resource.k8s.io/driver";

/// A node whose GPUs can be planned.
#[derive(Debug, Clone)]
pub(super) struct FleetNode {
    pub(super) name: String,
    pub(super) model: Arc<Model>,
    pub(super) gpus: u32,
    pub(super) strategy: Strategy,
    pub(super) taints: Vec<Taint>,
    /// Labels as they stay whatever is planned, and the name under `metadata.name`.
    pub(super) labels: BTreeMap<String, String>,
    /// The profile the node is cut to now, under strategy `single`.
    pub(super) cut: Option<ProfileName>,
    /// Whether its GPUs are given out through claims only.
    pub(super) by_claims: bool,
}

/// A node with GPUs that are not planned.
#[derive(Debug, Clone)]
pub(super) struct OutsideNode {
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) taints: Vec<Taint>,
}

/// All nodes with GPUs.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    /// Ascending by name.
    pub(super) fleet: Vec<FleetNode>,
    /// Cordoned or not ready: known, but not planned.
    pub(super) unavailable: Vec<FleetNode>,
    pub(super) outside: Vec<OutsideNode>,
}

/// A node with all that is known but its GPU count.
struct Candidate<'a> {
    node: &'a Node,
    model: Arc<Model>,
    strategy: Strategy,
    cut: Option<ProfileName>,
    /// Whether its labels describe slices, not GPUs.
    speaks_of_slices: bool,
    by_claims: bool,
    count: Count,
}

/// Judges every node.
pub(super) fn judge(
    nodes: &[Node],
    (catalog, published): (&Catalog, &Published),
    options: DumpOptions<'_>,
    warnings: &mut Warnings,
    skipped: &mut Skipped,
) -> Nodes {
    let mut found = Nodes::default();
    let mut candidates = Vec::new();
    for node in nodes {
        match candidate(node, (catalog, published), options, warnings, skipped) {
            Verdict::NoGpu => skipped.nodes_without_gpu += 1,
            Verdict::Outside => found.outside.push(OutsideNode {
                name: node.name.clone(),
                labels: lasting_labels(node, None),
                taints: node.taints.clone(),
            }),
            Verdict::Candidate(candidate) => candidates.push(candidate),
        }
    }
    let alike = counts_by_machine(&candidates);
    for candidate in &candidates {
        let node = candidate.node;
        let Some(gpus) = settle(candidate, &alike, warnings) else {
            found.outside.push(OutsideNode {
                name: node.name.clone(),
                labels: lasting_labels(node, None),
                taints: node.taints.clone(),
            });
            continue;
        };
        let mut labels = lasting_labels(node, candidate.speaks_of_slices.then_some(gpus));
        if candidate.by_claims {
            labels.insert(DRA_DRIVER.to_owned(), dra::DRIVER.to_owned());
        }
        let fleet_node = FleetNode {
            name: node.name.clone(),
            model: Arc::clone(&candidate.model),
            gpus,
            strategy: candidate.strategy,
            taints: node.taints.clone(),
            labels,
            cut: candidate.cut.clone(),
            by_claims: candidate.by_claims,
        };
        match unavailable(node, options) {
            Some((code, message)) if !options.include_unavailable => {
                warnings.add(code, object(node), message);
                found.unavailable.push(fleet_node);
            }
            _ => {
                remarks(candidate, warnings);
                found.fleet.push(fleet_node);
            }
        }
    }
    found
}

enum Verdict<'a> {
    NoGpu,
    Outside,
    Candidate(Candidate<'a>),
}

fn object(node: &Node) -> String {
    format!("node {}", node.name)
}

fn candidate<'a>(
    node: &'a Node,
    (catalog, published): (&Catalog, &Published),
    options: DumpOptions<'_>,
    warnings: &mut Warnings,
    skipped: &mut Skipped,
) -> Verdict<'a> {
    let label = |key: &str| node.labels.get(key).map(String::as_str);
    let sliced = node.capacity.iter().any(|(name, &n)| name.starts_with(ProfileName::RESOURCE_PREFIX) && n > 0);
    let has_plugin = sliced || node.capacity.get(GPU).is_some_and(|&n| n > 0);
    // Where the DRA driver gives GPUs out, the strategy of the device plugin does not matter.
    let by_claims = published.has(&node.name) && !has_plugin;
    let has_gpu = has_plugin || by_claims;
    let by_driver = published.product(&node.name).filter(|_| by_claims);
    let Some(product) = label(PRODUCT).or(by_driver.as_deref()) else {
        if !has_gpu {
            return Verdict::NoGpu;
        }
        let message = format!("has GPUs but no label {PRODUCT}, so its model is not known: it was left out");
        warnings.add(WarningCode::NoProductLabel, object(node), message);
        return Verdict::Outside;
    };
    if label("nvidia.com/mig.capable") == Some("false") {
        skipped.nodes_without_mig += 1;
        return Verdict::Outside;
    }
    let known = catalog.by_product_label(product).unwrap_or_else(|| catalog.model(product_of(product)));
    let model = match known {
        Ok(model) => model,
        Err(error) => {
            let code = match error {
                migsaw::geometry::ModelError::Refused { .. } => WarningCode::ModelWithoutGeometry,
                _ => WarningCode::UnknownProduct,
            };
            warnings.add(code, object(node), format!("was left out: {error}"));
            return Verdict::Outside;
        }
    };
    let suffix = product.strip_suffix("-SHARED").unwrap_or(product).split_once("-MIG-").map(|(_, suffix)| suffix);
    let invalid = suffix == Some("INVALID");
    let cut = suffix.and_then(ProfileName::from_label_form).filter(|_| !by_claims);
    let strategy = match label(STRATEGY) {
        _ if by_claims => Strategy::Mixed,
        Some("mixed") => Strategy::Mixed,
        Some("single") => Strategy::Single,
        Some("none") => {
            let message = "was left out: its MIG strategy is `none`, which advertises no slices (label nvidia.com/mig.strategy; plan it with `mixed` or `single`)";
            warnings.add(WarningCode::StrategyNone, object(node), message);
            return Verdict::Outside;
        }
        _ if suffix.is_some() => Strategy::Single,
        _ if sliced => Strategy::Mixed,
        _ => {
            let assumed = options.default_strategy;
            let message = format!("has no label nvidia.com/mig.strategy: `{assumed}` was assumed");
            warnings.add(WarningCode::StrategyAssumed, object(node), message);
            assumed
        }
    };
    let count = match u32::try_from(published.gpus(&node.name).len()) {
        // The label counts instances where it speaks of them.
        Ok(gpus) if by_claims && (suffix.is_some() || label(COUNT).is_none()) => gpus::within_reason(gpus),
        _ if invalid => Count::Unknown,
        _ => gpus::count(node, &model, cut.as_ref(), sliced),
    };
    let speaks_of_slices = suffix.is_some() && !invalid;
    Verdict::Candidate(Candidate { node, model, strategy, cut, speaks_of_slices, by_claims, count })
}

fn unavailable(node: &Node, options: DumpOptions<'_>) -> Option<(WarningCode, &'static str)> {
    if node.cordoned {
        return Some((WarningCode::NodeCordoned, "is cordoned and was left out; pods on it count all the same"));
    }
    let state = node.labels.get(STATE_LABEL).filter(|_| options.running).map(String::as_str);
    if let Some("pending" | "rebooting" | "failed") = state {
        let message = "is being cut anew, or that failed (label nvidia.com/mig.config.state), and was left out; pods on it count all the same";
        return Some((WarningCode::NodeChanging, message));
    }
    (!node.ready).then_some((WarningCode::NodeNotReady, "is not ready and was left out; pods on it count all the same"))
}

/// What to know about a node that is planned.
fn remarks(candidate: &Candidate<'_>, warnings: &mut Warnings) {
    let node = candidate.node;
    let label = |key: &str| node.labels.get(key).map(String::as_str);
    if gpus::are_shared(node) {
        let message = "shares its GPUs by time-slicing: each `nvidia.com/gpu` asked for was counted as a whole GPU";
        warnings.add(WarningCode::GpusShared, object(node), message);
    }
    for (key, replicas) in &node.labels {
        if let Some(resource) = key.strip_suffix(".replicas")
            && resource.starts_with(ProfileName::RESOURCE_PREFIX)
            && replicas.parse::<u32>().is_ok_and(|n| n > 1)
        {
            let message =
                format!("shares its {resource} by time-slicing: each one asked for was counted as a slice of its own");
            warnings.add(WarningCode::GpusShared, object(node), message);
        }
    }
    for (resource, &capacity) in &node.capacity {
        let allocatable = node.allocatable.get(resource).copied().unwrap_or(capacity);
        if allocatable < capacity {
            let message =
                format!("only {allocatable} of {capacity} {resource} are allocatable; all of its GPUs were planned");
            warnings.add(WarningCode::DevicesUnhealthy, object(node), message);
        }
    }
    let memory = label("nvidia.com/gpu.memory")
        .and_then(|text| text.parse::<u64>().ok())
        .filter(|_| !candidate.speaks_of_slices);
    if let (Some(mib), Some(gigabytes)) = (memory, candidate.model.memory_gb) {
        let expected = u64::from(gigabytes) * 1024;
        if mib.abs_diff(expected) * 100 > expected * 15 {
            let message = format!("has {mib} MiB per GPU, but is planned as {}", candidate.model.id);
            warnings.add(WarningCode::MemoryMismatch, object(node), message);
        }
    }
}

/// Labels that say which machines are built alike.
const MACHINE: [&str; 2] = ["node.kubernetes.io/instance-type", "nvidia.com/gpu.machine"];

type Machine = (String, &'static str, String);

/// The GPU counts seen on nodes of each machine type.
fn counts_by_machine(candidates: &[Candidate<'_>]) -> BTreeMap<Machine, BTreeSet<u32>> {
    let mut counts: BTreeMap<Machine, BTreeSet<u32>> = BTreeMap::new();
    for candidate in candidates {
        if let Count::Exact(count) = candidate.count {
            for machine in machines(candidate) {
                counts.entry(machine).or_default().insert(count);
            }
        }
    }
    counts
}

fn machines<'a>(candidate: &'a Candidate<'_>) -> impl Iterator<Item = Machine> + 'a {
    MACHINE.iter().filter_map(|&key| Some((candidate.model.id.clone(), key, candidate.node.labels.get(key)?.clone())))
}

/// How many GPUs the node has; where its own labels leave that open, other nodes of the same machine
/// type decide.
fn settle(candidate: &Candidate<'_>, alike: &BTreeMap<Machine, BTreeSet<u32>>, warnings: &mut Warnings) -> Option<u32> {
    if let Count::Exact(count) = candidate.count {
        return Some(count);
    }
    let by_machine = machines(candidate).find_map(|machine| {
        let counts = alike.get(&machine)?;
        let only = counts.first().copied().filter(|_| counts.len() == 1)?;
        candidate.count.allows(only).then_some((only, machine))
    });
    if let Some((count, (_, key, value))) = by_machine {
        let message = format!(
            "its labels do not tell how many GPUs it has: {count} was assumed, as on other nodes with {key}={value}"
        );
        warnings.add(WarningCode::GpuCountAssumed, object(candidate.node), message);
        return Some(count);
    }
    if let Count::AtLeast { if_full: Some(count), .. } = candidate.count {
        let message = format!("its labels count MIG devices: {count} GPUs were assumed, each cut as far as it goes");
        warnings.add(WarningCode::GpuCountAssumed, object(candidate.node), message);
        return Some(count);
    }
    let message = match candidate.node.labels.get(COUNT) {
        Some(said) if candidate.cut.is_none() => {
            format!("{COUNT} is `{said}` (expected a whole number from 1 to {MAX_GPUS_PER_NODE}): it was left out")
        }
        _ => format!("its labels do not tell how many GPUs it has ({COUNT}): it was left out"),
    };
    warnings.add(WarningCode::GpuCountUnknown, object(candidate.node), message);
    None
}

/// The labels that stay as they are when the node is cut anew. Those of a node cut under strategy
/// `single` describe its slices: the product and the count are set to what the board has.
fn lasting_labels(node: &Node, cut_gpus: Option<u32>) -> BTreeMap<String, String> {
    let mut labels = node.labels.clone();
    if let Some(product) = labels.get_mut(PRODUCT) {
        *product = product_of(product).to_owned();
    }
    if let Some(gpus) = cut_gpus {
        labels.insert(COUNT.to_owned(), gpus.to_string());
        labels.remove("nvidia.com/gpu.memory");
    }
    labels.insert(NODE_NAME.to_owned(), node.name.clone());
    labels
}

/// Whether a label changes when its node is cut anew, so that no plan can keep to it.
pub(super) fn changes(key: &str) -> bool {
    const CHANGING: [&str; 5] = [
        "nvidia.com/mig-",
        CONFIG_LABEL,
        "nvidia.com/gpu.slices.",
        "nvidia.com/gpu.engines.",
        "nvidia.com/gpu.multiprocessors",
    ];
    CHANGING.iter().any(|prefix| key.starts_with(prefix)) || key == "nvidia.com/gpu.replicas"
}
