//! What `kubectl get … -o json` (or `-o yaml`) says, as a planning problem.
//!
//! The nodes become the fleet: GPU feature discovery's labels say what GPUs they have, and nodes that
//! no pod can tell apart form a pool. The pods become the demand, those of one workload together:
//! running and pending ones, not completed or terminating ones. Planning is from scratch, so a running
//! pod may move; what it selects, tolerates and asks for holds all the same. With
//! [`DumpOptions::running`] it is also said how the nodes are cut and which pods run where; on which GPU, if
//! claims or [`DumpOptions::metrics`] tell.
//!
//! # What counts
//!
//! - A pod asks for what the scheduler would count (init containers, sidecars, overhead). Its MIG
//!   resources are one unit, all on one node of strategy `mixed`. `nvidia.com/gpu` means whole GPUs,
//!   unless the pod runs on, or selects, nodes cut under strategy `single`: then it means their
//!   profile, and the demand stays on strategy `single`.
//! - Devices of NVIDIA's DRA driver count like resources, as far as `ResourceClaim`s and their templates in
//!   the dump tell: by the devices that were given, else by a selector that compares the profile with one
//!   name. `ResourceSlice`s tell which instances there are, and stand in for labels of GPUs that a node
//!   does not have. Pods with claims go to nodes of that driver, others to those of the device plugin.
//! - A Deployment, `StatefulSet`, `ReplicaSet`, Job or `JobSet` of the cluster counts by its pods. Where
//!   the dump has fewer of them than declared (`replicas`, `parallelism`), the missing ones are added, so
//!   nothing counts twice. A Job counts what runs at once and is not done; a `CronJob` one run; a
//!   `DaemonSet` its pods only. Finished and suspended workloads do not count.
//! - A manifest of one of these, which the API server has not had in hands yet, counts instead of the
//!   pods that its workload has now: a release is planned as it will be. Without `replicas`, as an
//!   autoscaler wants it, their number stays; tolerations of the pods that run stay, as admission adds
//!   them. What differs gives a warning.
//! - Node selector, required node affinity, tolerations, priority (also by class, if the classes are in
//!   the dump) and required anti-affinity of a pod against its own kind by host hold. Other pod
//!   affinity and topology spread are not looked at, and a warning says so.
//! - A `PodDisruptionBudget` holds for the demands of the running pods that it selects, with
//!   [`DumpOptions::running`] only. As many pods may be down as its status says or, where no controller has
//!   reported one, as its spec leaves of the pods in the dump. Pods that several budgets select stay where
//!   they are, since the Eviction API refuses them.
//! - A `ResourceQuota` says how much its namespace may ask for, by `requests.nvidia.com/…`. Plans do not look at it.
//!   With scopes it counts the pods that these mean: by priority class, deadline, and whether they ask for CPU or
//!   memory. Pods with claims count for none.
//! - Conditions on labels that change when a node is cut anew, like `nvidia.com/mig.config`, are
//!   dropped with a warning.
//!
//! Nothing is left out in silence: what a demand cannot say, or a node whose GPUs are not known, gives
//! a [`Warning`]; what has nothing to do with GPUs is counted in [`Skipped`].

mod budgets;
mod collect;
mod constraints;
mod demands;
mod dra;
mod error;
mod gpus;
mod groups;
mod identity;
mod json;
mod labels;
mod mentions;
mod naming;
mod nodes;
mod object;
mod pools;
mod quantity;
mod quotas;
mod read;
mod release;
mod requests;
pub mod scheduling;
mod shared;
mod state;
mod tenures;
mod text;
mod warning;
mod wire;
mod workload;

use std::collections::BTreeMap;
use std::io;

use jiff::Timestamp;
use migsaw::fleet::{Fleet, Strategy};
use migsaw::geometry::Catalog;
use migsaw::problem::Problem;

use crate::dcgm::Metrics;
use collect::Collection;
pub use error::{DumpError, DumpErrors, Excerpt};
pub use tenures::{TenureOptions, Tenures};
use text::Stop;
pub use warning::{Warning, WarningCode};

/// A file of a dump.
#[derive(Debug, Clone, Copy, Default)]
pub struct Source<'a> {
    /// What it is called in errors.
    pub name: &'a str,
    /// What is in it: JSON or YAML, perhaps packed with gzip.
    pub bytes: &'a [u8],
    /// Whether it may be something else: a file without a Kubernetes object is then counted, not refused.
    pub optional: bool,
}

/// How to read a dump.
#[derive(Debug, Clone, Copy, Default)]
pub struct DumpOptions<'a> {
    /// Whether cordoned nodes and nodes that are not ready are planned too.
    pub include_unavailable: bool,
    /// The MIG strategy of nodes that do not say theirs.
    pub default_strategy: Strategy,
    /// The namespace of manifests that do not say theirs; `default` if there is none.
    pub namespace: Option<&'a str>,
    /// Whether to say what runs today, so that a plan can leave it where it is.
    pub running: bool,
    /// What DCGM exporter says of the GPUs, read at about the same time as the dump; it counts with
    /// [`running`](DumpOptions::running) only.
    pub metrics: Option<&'a Metrics>,
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
    /// The newest time that a node or pod tells: heartbeats, conditions, when pods started and ended. The dump was
    /// taken then or a little later. `None` if there is no such time, as in manifests.
    pub as_of: Option<Timestamp>,
}

/// Objects that do not matter for planning, by number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Skipped {
    /// Optional files without a Kubernetes object.
    pub files: u64,
    /// Objects of kinds that are not read, by kind and API group.
    pub kinds: BTreeMap<String, u64>,
    /// Those of them that ask for GPUs.
    pub kinds_with_gpu: BTreeMap<String, u64>,
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
        self.files += other.files;
        for (known, more) in [(&mut self.kinds, other.kinds), (&mut self.kinds_with_gpu, other.kinds_with_gpu)] {
            for (kind, count) in more {
                *known.entry(kind).or_default() += count;
            }
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
/// times counts once, as it was met last; a manifest goes before what is in the cluster.
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
/// let sources = [
///     Source { name: "nodes.json", bytes: nodes, optional: false },
///     Source { name: "pods.yaml", bytes: pods, optional: false },
/// ];
/// let dump = read_dump(&sources, &Catalog::builtin(), &DumpOptions::default())?;
/// assert_eq!(dump.problem.fleet.pools[0].name, "H100-80GB");
/// assert_eq!(dump.problem.demands[0].full_name(), "team-a/llm");
/// let cut = Source { name: "cut.json", bytes: b"{", optional: false };
/// assert!(read_dump(&[cut], &Catalog::builtin(), &DumpOptions::default()).is_err());
/// # Ok::<(), migsaw_kube::dump::DumpErrors>(())
/// ```
pub fn read_dump(sources: &[Source<'_>], catalog: &Catalog, options: &DumpOptions<'_>) -> Result<Dump, DumpErrors> {
    let mut reader = Reader::default();
    for source in sources {
        reader.add(source);
    }
    reader.finish(catalog, options)
}

/// Hands over the objects of a file one by one, whole, those in lists too. What is wrong with them is an answer.
pub(crate) fn objects(
    file: &str,
    from: &mut dyn io::Read,
    each: &mut dyn FnMut(serde_json::Value),
) -> io::Result<Result<(), DumpError>> {
    readable(read::objects(file, from, each))
}

fn readable<T>(read: Result<T, Stop>) -> io::Result<Result<T, DumpError>> {
    match read {
        Ok(found) => Ok(Ok(found)),
        Err(Stop::Wrong(error)) => Ok(Err(error)),
        Err(Stop::Unreadable(error)) => Err(error),
    }
}

/// Whether a quantity is zero; `None` if it is no text and no number.
pub(crate) fn is_zero(quantity: &serde_json::Value) -> Option<bool> {
    serde_json::from_value(quantity.clone()).ok().map(|scalar: quantity::Scalar| scalar.is_zero())
}

/// The newest time that a node or pod tells.
pub(crate) fn newest_time(object: &serde_json::Value) -> Option<jiff::Timestamp> {
    use serde::Deserialize as _;
    wire::Status::deserialize(object.get("status")?).ok()?.newest_time()
}

/// Whether objects of a kind are read. Without a version it is taken to be of the group that is.
pub(crate) fn is_read(kind: &str, api_version: &str) -> bool {
    object::is_known(kind, Some(api_version).filter(|version| !version.is_empty()))
}

/// Reads a dump file by file, each of them while it comes.
#[derive(Debug, Default)]
pub struct Reader {
    found: Collection,
    errors: Vec<DumpError>,
    /// Errors of optional files, which are none while another file has objects.
    foreign: Vec<DumpError>,
    files: usize,
}

impl Reader {
    /// Takes what is in a file. What is wrong with it [`Reader::finish`] says.
    pub fn add(&mut self, source: &Source<'_>) {
        let Source { name, mut bytes, optional } = *source;
        // What is in memory can always be read.
        let _ = self.read(name, &mut bytes, optional);
    }

    /// Takes what is in a file while it is read: of JSON only so much is in memory as one object needs. The arguments
    /// are what a [`Source`] has.
    ///
    /// # Errors
    /// If it cannot be read to its end. What is wrong with what is in it [`Reader::finish`] says.
    pub fn read(&mut self, name: &str, from: &mut dyn io::Read, optional: bool) -> io::Result<()> {
        self.files += 1;
        match readable(read::read(name, from))? {
            Ok(mut collection) => {
                let problems = std::mem::take(&mut collection.problems);
                self.errors.extend(problems.into_iter().map(|problem| problem.in_file(name)));
                self.found.absorb(collection);
            }
            Err(error @ (DumpError::Empty { .. } | DumpError::NoObject { .. })) if optional => {
                self.foreign.push(error);
            }
            Err(error) => self.errors.push(error),
        }
        Ok(())
    }

    /// What the files say together, as [`read_dump`] does.
    ///
    /// # Errors
    /// [`DumpErrors`], as [`read_dump`] does.
    pub fn finish(mut self, catalog: &Catalog, options: &DumpOptions<'_>) -> Result<Dump, DumpErrors> {
        self.settle_errors();
        if self.errors.is_empty() { Ok(translate(self.found, catalog, options)) } else { Err(DumpErrors(self.errors)) }
    }
}

impl Reader {
    /// Optional files without an object are an error only if no other file has one.
    fn settle_errors(&mut self) {
        self.found.skipped.files = self.foreign.len() as u64;
        if self.foreign.len() == self.files {
            self.errors.append(&mut self.foreign);
        }
    }
}

/// The objects as a problem.
fn translate(mut found: Collection, catalog: &Catalog, options: &DumpOptions<'_>) -> Dump {
    found.settle_namespaces(options.namespace.unwrap_or("default"));
    found.keep_one_of_each();
    let published = found.slices.published();
    found.settle_claims(&published);
    let mut warnings = std::mem::take(&mut found.warnings);
    let mut skipped = std::mem::take(&mut found.skipped);
    if !skipped.kinds_with_gpu.is_empty() {
        let kinds: Vec<String> = skipped.kinds_with_gpu.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        let message = format!("left out, though they ask for GPUs: {} (these kinds are not read)", kinds.join(", "));
        warnings.add_general(WarningCode::KindNotRead, message);
    }
    let nodes = nodes::judge(&found.nodes, (catalog, &published), *options, &mut warnings, &mut skipped);
    let (mut demands, mut running, mut scoped) = (Vec::new(), Vec::new(), Vec::new());
    for (demand, units) in demands::build(&found, &nodes, catalog, &mut warnings) {
        demands.push(demand);
        running.push(units.running);
        scoped.push(units.scoped);
    }
    let pools = pools::group(&nodes.fleet, &demands);
    if pools.is_empty() {
        let message =
            "no node with MIG-capable GPUs is in the dump (it takes the output of `kubectl get nodes,pods -A -o json`)";
        warnings.add_general(WarningCode::NoGpuNode, message);
    }
    let mut problem = Problem { fleet: Fleet { pools }, demands, ..Problem::default() };
    problem.quotas = quotas::of_demands(&found, &scoped, &problem.demands, &mut warnings);
    if options.running {
        budgets::keep_overlapping(&found, &mut running, &problem.demands, &mut warnings);
        let known = state::Known { catalog, metrics: options.metrics, published: &published };
        state::add(&found, &nodes.fleet, &mut running, &known, &mut problem, &mut warnings);
        problem.budgets = budgets::of_demands(&found, &running, &problem.demands, &mut warnings);
    }
    Dump { problem, warnings: warnings.into_sorted(), skipped, as_of: found.as_of }
}
