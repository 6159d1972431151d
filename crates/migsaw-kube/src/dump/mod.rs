//! What `kubectl get … -o json` (or `-o yaml`) says, as a planning problem.
//!
//! The nodes become the fleet: GPU feature discovery's labels say what GPUs they have, and nodes that
//! no pod can tell apart form a pool. The pods become the demand, those of one workload together:
//! running and pending ones, not completed or terminating ones. Planning is from scratch, so a running
//! pod may move; what it selects, tolerates and asks for holds all the same.
//!
//! # What counts
//!
//! - A pod asks for what the scheduler would count (init containers, sidecars, overhead). Its MIG
//!   resources are one unit, all on one node of strategy `mixed`. `nvidia.com/gpu` means whole GPUs,
//!   unless the pod runs on, or selects, nodes cut under strategy `single`: then it means their
//!   profile, and the demand stays on strategy `single`.
//! - A Deployment, `StatefulSet`, `ReplicaSet`, Job or `JobSet` counts by its pods. Where the dump has
//!   fewer of them than declared (`replicas`, `parallelism`), the missing ones are added, so a manifest
//!   alone counts in full and nothing counts twice. A Job counts what runs at once and is not done; a
//!   `CronJob` one run; a `DaemonSet` its pods only. Finished and suspended workloads do not count.
//! - Node selector, required node affinity, tolerations, priority (also by class, if the classes are in
//!   the dump) and required anti-affinity of a pod against its own kind by host hold. Other pod
//!   affinity and topology spread are not looked at, and a warning says so.
//! - Conditions on labels that change when a node is cut anew, like `nvidia.com/mig.config`, are
//!   dropped with a warning.
//!
//! Nothing is left out in silence: what a demand cannot say, or a node whose GPUs are not known, gives
//! a [`Warning`]; what has nothing to do with GPUs is counted in [`Skipped`].

mod collect;
mod constraints;
mod demands;
mod error;
mod gpus;
mod groups;
mod labels;
mod naming;
mod nodes;
mod object;
mod pools;
mod quantity;
mod read;
mod requests;
mod warning;
mod wire;
mod workload;

use std::collections::BTreeMap;

use migsaw::fleet::{Fleet, Strategy};
use migsaw::geometry::Catalog;
use migsaw::problem::Problem;

use collect::Collection;
pub use error::{DumpError, DumpErrors};
pub use warning::{Warning, WarningCode};

/// A file of a dump.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// What it is called in errors.
    pub name: &'a str,
    /// What is in it: JSON or YAML, perhaps packed with gzip.
    pub bytes: &'a [u8],
}

/// How to read a dump.
#[derive(Debug, Clone, Copy, Default)]
pub struct DumpOptions {
    /// Whether cordoned nodes and nodes that are not ready are planned too.
    pub include_unavailable: bool,
    /// The MIG strategy of nodes that do not say theirs.
    pub default_strategy: Strategy,
}

/// What a dump says.
#[derive(Debug, Clone)]
pub struct Dump {
    /// The fleet and the demand.
    pub problem: Problem,
    /// What was left out or assumed, sorted.
    pub warnings: Vec<Warning>,
    /// What does not matter here.
    pub skipped: Skipped,
}

/// Objects that do not matter for planning, by number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Objects of other kinds, by kind.
    pub kinds: BTreeMap<String, u64>,
    /// Nodes without GPUs.
    pub nodes_without_gpu: u64,
    /// Nodes with GPUs that cannot do MIG.
    pub nodes_without_mig: u64,
    /// Pods that ask for no GPU.
    pub pods_without_gpu: u64,
    /// Pods that succeeded or failed.
    pub pods_finished: u64,
    /// Pods that are being deleted.
    pub pods_terminating: u64,
    /// Workloads whose pods ask for no GPU.
    pub workloads_without_gpu: u64,
    /// Jobs and job sets that are done, and workloads being deleted.
    pub workloads_finished: u64,
}

impl Skipped {
    fn absorb(&mut self, other: Skipped) {
        for (kind, count) in other.kinds {
            *self.kinds.entry(kind).or_default() += count;
        }
        self.nodes_without_gpu += other.nodes_without_gpu;
        self.nodes_without_mig += other.nodes_without_mig;
        self.pods_without_gpu += other.pods_without_gpu;
        self.pods_finished += other.pods_finished;
        self.pods_terminating += other.pods_terminating;
        self.workloads_without_gpu += other.workloads_without_gpu;
        self.workloads_finished += other.workloads_finished;
    }
}

/// Reads a dump of one or several files.
///
/// The order of files and of objects in them makes no difference. An object that is there several
/// times counts once, as it was met last.
///
/// # Errors
/// [`DumpErrors`] lists what is wrong with the files, every file's first syntax error and all odd
/// numbers; see [`DumpError`].
///
/// ```
/// use migsaw::geometry::Catalog;
/// use migsaw_kube::dump::{DumpOptions, Source, read_dump};
/// let nodes = br#"{"kind": "Node", "metadata": {"name": "gpu-1", "labels": {
///     "nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3", "nvidia.com/gpu.count": "8",
///     "nvidia.com/mig.strategy": "mixed"}}}"#;
/// let pods = b"kind: Pod
/// metadata: {name: llm, namespace: team-a}
/// spec: {containers: [{resources: {limits: {nvidia.com/mig-1g.10gb: 2}}}]}";
/// let sources = [Source { name: "nodes.json", bytes: nodes }, Source { name: "pods.yaml", bytes: pods }];
/// let dump = read_dump(&sources, &Catalog::builtin(), &DumpOptions::default())?;
/// assert_eq!(dump.problem.fleet.pools[0].name, "H100-80GB");
/// assert_eq!(dump.problem.demands[0].full_name(), "team-a/llm");
/// assert!(read_dump(&[Source { name: "cut.json", bytes: b"{" }], &Catalog::builtin(), &DumpOptions::default()).is_err());
/// # Ok::<(), migsaw_kube::dump::DumpErrors>(())
/// ```
pub fn read_dump(sources: &[Source<'_>], catalog: &Catalog, options: &DumpOptions) -> Result<Dump, DumpErrors> {
    let mut found = Collection::default();
    let mut errors = Vec::new();
    for source in sources {
        match read::read(source) {
            Ok(mut collection) => {
                let problems = std::mem::take(&mut collection.problems);
                errors.extend(problems.into_iter().map(|problem| problem.in_file(source.name)));
                found.absorb(collection);
            }
            Err(error) => errors.push(error),
        }
    }
    if !errors.is_empty() {
        return Err(DumpErrors(errors));
    }
    found.keep_last_of_each();
    let mut warnings = std::mem::take(&mut found.warnings);
    let mut skipped = std::mem::take(&mut found.skipped);
    let nodes = nodes::judge(&found.nodes, catalog, *options, &mut warnings, &mut skipped);
    let demands = demands::build(&found, &nodes, catalog, &mut warnings);
    let pools = pools::group(&nodes.fleet, &demands);
    if pools.is_empty() {
        let message =
            "no node with MIG-capable GPUs is in the dump (it takes the output of `kubectl get nodes,pods -A -o json`)";
        warnings.add_general(WarningCode::NoGpuNode, message);
    }
    Ok(Dump { problem: Problem { fleet: Fleet { pools }, demands }, warnings: warnings.into_sorted(), skipped })
}
