//! The document of what a plan changes.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::document::API_VERSION;
use crate::geometry::{Counts, Model};
use crate::plan::{NodeChange, Plan};
use crate::problem::Problem;

/// What `kind` says in a diff.
pub const KIND: &str = "Diff";

/// What a plan changes: the output of `migsaw diff`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Diff")]
pub struct DiffDocument {
    /// Version of this form: `migsaw.io/v1alpha1`.
    #[schemars(extend("const" = API_VERSION))]
    pub api_version: String,
    /// `Diff`.
    #[schemars(extend("const" = KIND))]
    pub kind: String,
    /// The nodes to which something happens.
    pub nodes: Vec<NodeChangeForm>,
}

/// What happens to a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "NodeChange")]
pub struct NodeChangeForm {
    /// The node's name.
    pub name: String,
    /// Its pool.
    pub pool: String,
    /// Whether it is known what runs there; if not, it counts as empty but for what is pinned.
    pub known: bool,
    /// The GPUs that get other instances.
    pub gpus: Vec<GpuChangeForm>,
    /// Units evicted, by demand.
    pub evicts: BTreeMap<String, u64>,
    /// Units served that do not run there today, by demand.
    pub takes: BTreeMap<String, u64>,
}

/// A GPU that gets other instances.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "GpuChange")]
pub struct GpuChangeForm {
    /// Index of the GPU in its node, from 0.
    pub index: usize,
    /// The instances it has, `1g.10gb=2,3g.40gb=1`, or `off`.
    pub from: String,
    /// The instances it gets, or `off`.
    pub to: String,
}

impl DiffDocument {
    /// What a plan for a problem changes, every node by name.
    ///
    /// # Panics
    /// If the plan is not one for the problem, as [`crate::check::check`] judges.
    pub fn new(problem: &Problem, plan: &Plan) -> DiffDocument {
        let changes = plan.changes(problem);
        DiffDocument {
            api_version: API_VERSION.to_owned(),
            kind: KIND.to_owned(),
            nodes: changes.iter().filter(|change| !change.is_none()).flat_map(|c| forms(problem, c)).collect(),
        }
    }
}

fn forms(problem: &Problem, change: &NodeChange) -> Vec<NodeChangeForm> {
    let pool = &problem.fleet.pools[change.pool];
    let models: Vec<&Model> = pool.gpu_models().map(AsRef::as_ref).collect();
    let shown = |counts: Option<Counts>, gpu: usize| {
        counts.map_or_else(|| "off".to_owned(), |counts| counts.display(models[gpu]).to_string())
    };
    let gpu = |gpu: &crate::plan::GpuChange| GpuChangeForm {
        index: gpu.gpu,
        from: shown(gpu.from, gpu.gpu),
        to: shown(gpu.to, gpu.gpu),
    };
    let by_name = |units: &BTreeMap<usize, u64>| {
        units.iter().map(|(&demand, &n)| (problem.demands[demand].full_name(), n)).collect::<BTreeMap<String, u64>>()
    };
    let form = NodeChangeForm {
        name: String::new(),
        pool: pool.name.clone(),
        known: change.is_known,
        gpus: change.gpus.iter().map(gpu).collect(),
        evicts: by_name(&change.evicts),
        takes: by_name(&change.takes),
    };
    change.nodes.clone().map(|node| NodeChangeForm { name: pool.node_name(node), ..form.clone() }).collect()
}
