//! The document of what came of a simulation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::API_VERSION;

/// What `kind` says in it.
pub const KIND: &str = "Simulation";

/// What came of pods under several policies: the output of `migsaw simulate`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Simulation")]
pub struct SimulationDocument {
    /// Version of this form: `migsaw.io/v1alpha1`.
    #[schemars(extend("const" = API_VERSION))]
    pub api_version: String,
    /// `Simulation`.
    #[schemars(extend("const" = KIND))]
    pub kind: String,
    /// GPUs there are.
    pub gpus: u64,
    /// Placement units of all of them; memory slices on boards with seven compute slices.
    pub units: u64,
    /// Pods that count, in each run.
    pub pods: u64,
    /// Where the pods come from.
    pub source: SourceForm,
    /// In which order pods that fit nowhere wait; left out if they go away instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueForm>,
    /// How GPUs are cut anew where they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recut: Option<RecutForm>,
    /// What it costs a pod to be evicted, where any may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eviction: Option<EvictionForm>,
    /// From how many pods that came last policies learn what to expect; left out if they know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learnt: Option<u32>,
    /// Runs with different random numbers; all policies see the same pods.
    pub runs: u32,
    /// Each policy, in the order they were asked for.
    pub policies: Vec<PolicyForm>,
}

/// How the GPUs are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Cut")]
pub enum CutForm {
    /// As each pod asks, one instance at a time.
    AtWill,
    /// As the best plan for the demand cuts them, for good.
    Planned,
    /// The same in the beginning, and anew by the planner when a pod fits nowhere.
    Recut,
}

/// How GPUs are cut anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Recutting")]
pub struct RecutForm {
    /// Seconds from one time the planner is asked to the next, at least.
    pub every: u64,
    /// Seconds that what is cut anew is closed.
    pub time: u64,
    /// What must be idle together, and is closed together; left out where each node says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<UnitForm>,
    /// Pods evicted for it each time, at most.
    pub max_evictions: u32,
}

/// What must be idle together to be cut anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "RecutUnit")]
pub enum UnitForm {
    /// The node.
    Node,
    /// The GPU.
    Gpu,
}

/// What it costs a pod to be evicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Eviction")]
pub struct EvictionForm {
    /// Whether pods that fit nowhere take the place of running ones of lower priority.
    pub preempts: bool,
    /// Seconds that it stays longer.
    pub cost: u64,
    /// Whether it begins anew; else it goes on where it was.
    pub loses_work: bool,
}

/// Where the pods come from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Source")]
pub enum SourceForm {
    /// Read from a trace.
    Trace(String),
    /// Drawn like the demand, at this load: parts of all placement units asked for on average.
    Load(f64),
}

/// In which order pods that wait are started.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Queue")]
pub enum QueueForm {
    /// First come, first served, and later ones where earlier ones do not fit.
    Backfill,
    /// The same, and GPUs are drained for pods that need a whole one and have waited long.
    Drain(DrainingForm),
    /// By how long they are known to stay, and what they take for that time; GPUs are drained as well.
    Known(DrainingForm),
}

/// How GPUs are drained for pods that need a whole one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Draining")]
pub struct DrainingForm {
    /// How many at once, at most.
    pub gpus: u32,
    /// For pods that have waited so many times as long as pods stay on average.
    pub after: u32,
}

/// What came of the pods under one policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "SimulatedPolicy")]
pub struct PolicyForm {
    /// Its name; with a slash and the cut behind it where several are compared.
    pub name: String,
    /// What it does, and where it is from.
    pub about: String,
    /// How the GPUs are cut: `atWill`, `planned` or `recut`.
    pub cut: CutForm,
    /// Placement units placed, of those asked for; pods that were evicted for good were not.
    pub placed_units: EstimateForm,
    /// The same less that of the first policy, run by run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placed_units_more: Option<EstimateForm>,
    /// Pods placed, of those that came.
    pub placed_pods: EstimateForm,
    /// Mean wait of the pods that were placed, in seconds.
    pub mean_wait: EstimateForm,
    /// Wait that 95 of 100 of them do not pass, in seconds.
    pub p95_wait: EstimateForm,
    /// Longest wait of any of them, in seconds.
    pub longest_wait: EstimateForm,
    /// Placement units in use, of all, over time.
    pub used: EstimateForm,
    /// GPUs with something on them, over time.
    pub active_gpus: EstimateForm,
    /// Free placement units that an average pod cannot use where they are, of all, over time.
    pub fragmented: EstimateForm,
    /// Running pods moved, per hundred that came.
    pub moves: EstimateForm,
    /// Pods evicted, per hundred that came.
    pub evictions: EstimateForm,
    /// GPUs cut anew, each time counted.
    pub recuts: EstimateForm,
    /// GPU-hours that GPUs were closed for it.
    pub closed_gpu_hours: EstimateForm,
    /// Placed by profile, smallest first.
    pub by_profile: Vec<ShareForm>,
    /// Placed by priority, lowest first.
    pub by_priority: Vec<ShareForm>,
    /// Placed by namespace.
    pub by_namespace: Vec<ShareForm>,
    /// How the first run went.
    pub series: Vec<MomentForm>,
}

/// A mean over all runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Estimate")]
pub struct EstimateForm {
    /// The mean.
    pub mean: f64,
    /// Half the width of its 95 % interval; left out for a single run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub half_width: Option<f64>,
    /// The least of all runs.
    pub least: f64,
    /// The most of all runs.
    pub most: f64,
}

/// Pods that have something in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "SimulatedShare")]
pub struct ShareForm {
    /// What they have in common.
    pub name: String,
    /// How many came, in all runs.
    pub pods: u64,
    /// Placed, of those that came.
    pub placed_pods: EstimateForm,
    /// Times that one was evicted, per hundred that came.
    pub evictions: EstimateForm,
}

/// A moment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Moment")]
pub struct MomentForm {
    /// Seconds from the beginning.
    pub at: u64,
    /// Placement units in use, of all.
    pub used: f64,
    /// GPUs with something on them.
    pub active_gpus: u64,
    /// Pods that wait.
    pub waiting: u64,
    /// Pods placed, of those that had come.
    pub placed_pods: f64,
}
