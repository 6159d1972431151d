//! The plan's form.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::document::{API_VERSION, Decimal};
use crate::plan::{Status, UnservedCode};

/// What every node becomes, what is served where, and how good that is: the output of `migsaw plan`.
///
/// A plan written by hand needs `apiVersion`, `kind` and `nodes` only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Plan")]
pub struct PlanDocument<N = Vec<NodeForm>> {
    /// Version of this form: `migsaw.io/v1alpha1`.
    #[schemars(extend("const" = API_VERSION))]
    pub api_version: String,
    /// `Plan`.
    #[schemars(extend("const" = super::KIND))]
    pub kind: String,
    /// What is known about the plan's quality.
    #[serde(default)]
    pub status: StatusForm,
    /// Value and bound of each tier of the objective, most important first.
    #[serde(default)]
    pub tiers: Vec<TierForm>,
    /// GPUs that are cut or serve as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpus_used: Option<u64>,
    /// Every node of the fleet.
    pub nodes: N,
    /// What the nodes' configurations say, by name: the content of the mig-parted file.
    #[serde(default)]
    pub configs: BTreeMap<String, Vec<DevicesForm>>,
    /// What is served of each demand.
    #[serde(default)]
    pub served: Vec<ServedForm>,
    /// What is not served and why.
    #[serde(default)]
    pub unserved: Vec<UnservedForm>,
}

/// What is known about a plan's quality.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Status")]
pub enum StatusForm {
    /// Every tier meets its bound: no plan is better.
    Optimal,
    /// The plan is right; the bounds of its tiers say how far from the best it can be at most.
    #[default]
    Feasible,
    /// Nothing of what is asked for can be served.
    Infeasible,
    /// The time was up before anything was found; the plan serves nothing.
    Unknown,
}

/// One tier of the objective. Each tier counts only among plans equal in all tiers before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Tier")]
pub struct TierForm {
    /// What is counted.
    pub name: TierNameForm,
    /// What the plan reaches.
    pub value: Decimal,
    /// What no plan can pass, given the tiers before it.
    pub bound: Decimal,
    /// With `served` and `evicted`: the priority of the demands counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i32>,
}

/// What a tier counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "TierName")]
pub enum TierNameForm {
    /// Units served of the demands of one priority; more is better.
    Served,
    /// Running units evicted of the demands of one priority; less is better.
    Evicted,
    /// Nodes, or GPUs, that are cut anew; less is better.
    Recut,
    /// GPUs in use; less is better.
    Gpus,
    /// Cost of the GPUs in use, in the scenario's currency; less is better.
    Cost,
    /// Distinct node configurations among nodes in use; less is better.
    Configurations,
    /// Compute and memory slices of spare instances that some demand could use; more is better.
    Leftover,
}

/// What one node becomes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Node")]
pub struct NodeForm {
    /// The node's name.
    pub name: String,
    /// Its pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// The name of its configuration, for the label `nvidia.com/mig.config`; a key of `configs`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// What each GPU becomes. GPUs left out are MIG off.
    pub gpus: Vec<PlannedGpuForm>,
    /// What the node serves, running units that stay included.
    #[serde(default)]
    pub serves: Vec<ServingForm>,
    /// Which of the units that run there are evicted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evicts: Vec<EvictionForm>,
}

/// A running unit that is evicted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Eviction")]
pub struct EvictionForm {
    /// Its place among the `pods` of the node's entry in the scenario's `state`, from 0.
    pub index: usize,
    /// The pod's name, where the scenario gives one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// The demand it is a unit of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub demand: Option<String>,
    /// The demand's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// What one GPU becomes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Gpu")]
pub struct PlannedGpuForm {
    /// Index of the GPU in its node, from 0.
    pub index: u16,
    /// The GPU model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Whether MIG is on; if left out, it is on where there are instances.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mig_enabled: Option<bool>,
    /// Whether it is left cut as it is today, with nothing serving on it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub left: bool,
    /// The instances with one legal place for each, pinned ones included.
    #[serde(default)]
    pub layout: Vec<PlacementForm>,
}

/// An instance and where it starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Placement")]
pub struct PlacementForm {
    /// The profile's name on this model.
    pub profile: String,
    /// The first placement unit, from 0.
    pub start: u8,
}

/// Units of one demand that a node serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Serving")]
pub struct ServingForm {
    /// The demand's name.
    pub demand: String,
    /// The demand's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// How many units.
    pub count: u32,
    /// The instances these units use.
    #[serde(default)]
    pub gpus: Vec<ShareForm>,
}

/// Instances of one profile on one GPU, or the GPU as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Share")]
pub struct ShareForm {
    /// Index of the GPU in its node, from 0.
    pub index: u16,
    /// The profile; left out for the GPU as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// How many instances; 1 if left out.
    #[serde(default = "one")]
    pub instances: u32,
}

/// What some GPUs of a configuration become: one entry of a mig-parted file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Devices")]
pub struct DevicesForm {
    /// Indices of the GPUs.
    pub devices: Vec<u16>,
    /// Their model.
    pub model: String,
    /// Whether MIG is on.
    pub mig_enabled: bool,
    /// How many instances of each profile.
    #[serde(default)]
    pub counts: BTreeMap<String, u32>,
}

/// What is served of a demand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Served")]
pub struct ServedForm {
    /// The demand's name.
    pub demand: String,
    /// The demand's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Units asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested: Option<u64>,
    /// Units served.
    pub count: u64,
    /// Where.
    #[serde(default)]
    pub pools: Vec<ServedPoolForm>,
}

/// What a pool serves of a demand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ServedPool")]
pub struct ServedPoolForm {
    /// The pool's name.
    pub pool: String,
    /// Units served there.
    pub count: u64,
    /// Instances used, by profile.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub instances: BTreeMap<String, u64>,
    /// Whole GPUs used.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub whole_gpus: u64,
}

/// Part of a demand that is not served, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Unserved")]
pub struct UnservedForm {
    /// The demand's name.
    pub demand: String,
    /// The demand's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Units not served.
    pub count: u64,
    /// The binding limit, for programs.
    pub code: UnservedCodeForm,
    /// The binding limit, for people.
    #[serde(default)]
    pub reason: String,
    /// The smallest change that would serve them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// The limit that keeps a demand from being served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "UnservedCode")]
pub enum UnservedCodeForm {
    /// No pool the demand may use has a model that gives what it asks for.
    NoSuchProfile,
    /// Labels, pools or taints leave no pool.
    NoEligiblePool,
    /// Only nodes of the other MIG strategy would do.
    WrongStrategy,
    /// One unit needs more than a whole node has.
    TooLargeForNode,
    /// One unit needs more than a whole GPU has.
    TooLargeForGpu,
    /// `maxPerNode` times the nodes is reached.
    MaxPerNode,
    /// The eligible GPUs are full.
    Capacity,
    /// The time limit came first.
    NotDecided,
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// `From` both ways between enums with the same variants.
macro_rules! same_variants {
    ($form:ty, $domain:ty: $($variant:ident),*) => {
        impl From<$form> for $domain {
            fn from(form: $form) -> $domain {
                match form { $(<$form>::$variant => <$domain>::$variant),* }
            }
        }
        impl From<$domain> for $form {
            fn from(domain: $domain) -> $form {
                match domain { $(<$domain>::$variant => <$form>::$variant),* }
            }
        }
    };
}

same_variants!(StatusForm, Status: Optimal, Feasible, Infeasible, Unknown);
same_variants!(UnservedCodeForm, UnservedCode:
    NoSuchProfile, NoEligiblePool, WrongStrategy, TooLargeForNode, TooLargeForGpu, MaxPerNode, Capacity, NotDecided);
