//! The scenario's form: what may be written, and what it means.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::document::{API_VERSION, Decimal, Quantity};
use crate::{demand, fleet};

/// A fleet and what is asked of it: the input of `migsaw plan`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Scenario")]
pub struct ScenarioDocument {
    /// Version of this form: `migsaw.io/v1alpha1`.
    #[schemars(extend("const" = API_VERSION))]
    pub api_version: String,
    /// `Scenario`.
    #[schemars(extend("const" = super::KIND))]
    pub kind: String,
    /// The nodes, as pools of interchangeable ones.
    pub fleet: Vec<PoolForm>,
    /// What is asked for. The order does not matter.
    pub demand: Vec<DemandForm>,
    /// What runs today, by node. A plan then disturbs as little of it as it can; without, every node counts
    /// as empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub state: Vec<StateForm>,
    /// How many pods may be down at one time, as `PodDisruptionBudget`s say it. Pods that none may be down of are
    /// not moved; the steps of a rollout keep to the rest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub disruption_budgets: Vec<BudgetForm>,
    /// What may be asked for instead of `demand` as it stands: `migsaw robust` looks for the one layout that serves
    /// all of these best. Nothing else looks at them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scenarios: Vec<ScenarioForm>,
    /// How much namespaces may ask for, as `ResourceQuota`s say it. Plans do not look at them, `migsaw quota` does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quotas: Vec<QuotaForm>,
}

/// Demand as it may be: that of the file, with other counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "DemandScenario")]
pub struct ScenarioForm {
    /// The name, unique among the scenarios.
    pub name: String,
    /// How much it counts beside the others, above 0; 1 if left out. Where all scenarios are called after percentiles
    /// (`p50`, `p90`, `p99`) and none has a weight, each counts for what is nearer to it than to the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<Decimal>,
    /// Counts that differ, by the demand's name, with `NAMESPACE/` before it where the name alone leaves a doubt;
    /// `all`, for all demands, comes first.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub counts: BTreeMap<String, CountForm>,
}

/// How many units, or how many more or fewer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Count")]
pub enum CountForm {
    /// So many units.
    Units(#[schemars(range(min = 0, max = 1_000_000_000))] u64),
    /// A change of the demand's count: `+20%` or `-12.5%`, rounded up; or, in quotes, `+5` or `-5`.
    Change(String),
}

/// How much the pods of a namespace may ask for together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Quota")]
pub struct QuotaForm {
    /// The name, unique within its namespace.
    pub name: String,
    /// Kubernetes namespace or tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Most instances of each profile, and most GPUs (`gpu`: what pods ask for as `nvidia.com/gpu`).
    #[schemars(extend("minProperties" = 1), transform = count_from_none, example = &quota_example())]
    pub hard: BTreeMap<String, u64>,
    /// Only these demands of the namespace count, by name; all if left out. So it is with quotas that have a scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub demands: Option<Vec<String>>,
    /// What is counted against it already, as the API server says; what runs, if left out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(transform = count_from_none)]
    pub used: BTreeMap<String, u64>,
}

fn quota_example() -> BTreeMap<String, u64> {
    BTreeMap::from([("1g.10gb".to_owned(), 14), ("gpu".to_owned(), 2)])
}

/// How many pods of some demands together may be down at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "DisruptionBudget")]
pub struct BudgetForm {
    /// The name, unique within its namespace.
    pub name: String,
    /// Kubernetes namespace or tenant; `demands` are looked for in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The demands it is for, by name; with `NAMESPACE/` before it where the name alone leaves a doubt.
    #[schemars(length(min = 1))]
    pub demands: Vec<String>,
    /// How many of their pods may be down at one time, besides those that are down today. With 0 none is moved.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub allowed: u64,
}

/// What runs on a node today.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "State")]
pub struct StateForm {
    /// The node's name.
    pub node: String,
    /// What must be idle together to be cut anew.
    #[serde(default, skip_serializing_if = "is_default")]
    pub recut: RecutForm,
    /// How each GPU is cut, by index: instances with their starts (`1g.10gb@3,2g.20gb@4`) or their numbers
    /// (`1g.10gb=2,3g.40gb=1`), or `off`. GPUs behind the end of the list have MIG off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(example = &STATE_EXAMPLE)]
    pub gpus: Vec<String>,
    /// What runs there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pods: Vec<PodForm>,
}

/// How three GPUs may be cut.
const STATE_EXAMPLE: [&str; 3] = ["1g.10gb@3,2g.20gb@4", "1g.10gb=7", "off"];

/// What must be idle together to be cut anew.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Recut")]
pub enum RecutForm {
    /// The node: MIG Manager cuts it, and nobody knows which GPU a pod is on.
    #[default]
    Node,
    /// The GPU: MIG Manager cuts it, and it is known which GPU each pod is on.
    Gpu,
    /// The instance: a dynamic DRA driver makes and removes them one by one.
    Instance,
}

/// Units of a demand that run. They count among the demand's `count`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Pod")]
pub struct PodForm {
    /// The demand's name.
    pub demand: String,
    /// The demand's namespace, where the name alone leaves a doubt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The pod's name, for reports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How many such pods, where `on` is left out.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    #[schemars(range(min = 1, max = 1_000))]
    pub count: u32,
    /// What the pod holds. Where nodes are what is cut anew it may be left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub on: Vec<HeldForm>,
    /// Whether the pod must not be moved.
    #[serde(default, skip_serializing_if = "is_default")]
    pub stays: bool,
}

/// An instance or a GPU that a pod holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Held")]
pub struct HeldForm {
    /// Index of the GPU in its node, from 0.
    pub gpu: u16,
    /// The instance's profile; left out for the GPU as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Where the instance starts; if left out, any of the profile that no other pod holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<u8>,
}

fn one() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_one(count: &u32) -> bool {
    *count == 1
}

/// Nodes with the same GPUs, labels and taints. Give either `model` and `gpusPerNode`, or `gpus`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Pool")]
pub struct PoolForm {
    /// The pool's name, unique in the fleet. Nodes given by number are called `NAME-0`, `NAME-1`, and so on.
    pub pool: String,
    /// The GPU model of every GPU: a name as `migsaw geometry list` shows it, an alias, or a value of
    /// the label `nvidia.com/gpu.product`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = "H100-80GB")]
    pub model: Option<String>,
    /// How many GPUs each node has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 64), example = 8)]
    pub gpus_per_node: Option<u32>,
    /// The GPUs of a node in the order of their indices, where models mix within a node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub gpus: Option<Vec<GpuForm>>,
    /// How many nodes there are, or their names.
    pub nodes: NodesForm,
    /// Node labels, for the demand's selectors.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Node taints, which demand must tolerate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taints: Vec<TaintForm>,
    /// How the device plugin advertises slices on these nodes: `mixed` (default) or `single`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub strategy: StrategyForm,
    /// Price of one GPU, in any currency and period, the same for all pools; all pools have one or none.
    /// With prices a plan's cost is kept low, without them the number of GPUs in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_per_gpu: Option<Decimal>,
    /// Instances that stay as they are, whatever is planned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pinned: Vec<PinnedForm>,
}

/// Neighbouring GPUs of one model within a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Gpus")]
pub struct GpuForm {
    /// The GPU model.
    pub model: String,
    /// How many there are in each node.
    #[schemars(range(min = 1, max = 64))]
    pub count: u32,
}

/// Some nodes: how many, or which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "Nodes")]
pub enum NodesForm {
    /// So many nodes.
    Count(#[schemars(range(min = 0, max = 10_000_000))] u32),
    /// These nodes, by name.
    Names(Vec<String>),
}

/// A node taint, as Kubernetes has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Taint")]
pub struct TaintForm {
    /// The key, `nvidia.com/gpu`.
    pub key: String,
    /// The value.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub value: String,
    /// What it does to pods that do not tolerate it.
    pub effect: EffectForm,
}

/// What a taint does to pods that do not tolerate it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Effect")]
pub enum EffectForm {
    /// Keeps new pods away.
    NoSchedule,
    /// A wish, which planning ignores.
    PreferNoSchedule,
    /// Keeps new pods away and evicts running ones.
    NoExecute,
}

/// How the device plugin advertises slices.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "Strategy")]
pub enum StrategyForm {
    /// Each profile under its own name, `nvidia.com/mig-1g.10gb`.
    #[default]
    Mixed,
    /// The whole node one profile, advertised as `nvidia.com/gpu`; or MIG off on every GPU.
    Single,
}

/// What stays on some nodes of a pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Pinned")]
pub struct PinnedForm {
    /// Which nodes: by name, or so many of the pool's nodes, in order, that are not mentioned otherwise.
    pub nodes: NodesForm,
    /// What stays on each GPU, by index: instances with their starts (`1g.10gb@3,2g.20gb@4`), `empty`,
    /// or `taken` for a GPU in use as a whole. GPUs behind the end of the list are empty.
    #[schemars(example = &PINNED_EXAMPLE)]
    pub gpus: Vec<String>,
}

/// What may stay on three GPUs.
const PINNED_EXAMPLE: [&str; 3] = ["1g.10gb@3,2g.20gb@4", "empty", "taken"];

/// `count` times the same request. Give exactly one of `profile`, `profiles`, `atLeast`, `wholeGpus`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Demand")]
pub struct DemandForm {
    /// The name, unique within its namespace.
    pub name: String,
    /// Kubernetes namespace or tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// How many units are asked for: usually the number of pods.
    #[schemars(range(min = 0, max = 1_000_000_000))]
    pub count: u64,
    /// Higher goes first, as with Kubernetes priorities.
    #[serde(default, skip_serializing_if = "is_default")]
    pub priority: i32,
    /// One MIG profile by name, per unit `instances` of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = "1g.10gb")]
    pub profile: Option<String>,
    /// Several profiles together, with how many of each per unit, all on one node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("minProperties" = 1), transform = count_from_one)]
    pub profiles: Option<BTreeMap<String, u32>>,
    /// Any profile of any model that gives this much, per unit `instances` of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least: Option<AtLeastForm>,
    /// Whole GPUs with MIG off (`nvidia.com/gpu`) per unit, all on one node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub whole_gpus: Option<u32>,
    /// Instances per unit, with `profile` and `atLeast`; 1 if left out. All are on one node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub instances: Option<u32>,
    /// Whether the instances of a unit must share one GPU.
    #[serde(default, skip_serializing_if = "is_default")]
    pub same_gpu: bool,
    /// Only these pools, by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1))]
    pub pools: Option<Vec<String>>,
    /// Node labels the demand needs, all of them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    /// Conditions on node labels: one of these terms must hold, besides `nodeSelector`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub node_affinity: Vec<TermForm>,
    /// Taints the demand tolerates.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<TolerationForm>,
    /// Most units on one node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub max_per_node: Option<u32>,
    /// Only nodes with this strategy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<StrategyForm>,
    /// Kind of the Kubernetes object that makes its pods. Plans do not look at it, `migsaw advise` does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(example = &"Deployment")]
    pub workload: Option<String>,
}

/// What an instance must give at least.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "AtLeast")]
pub struct AtLeastForm {
    /// Usable memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Quantity>,
    /// Compute slices: the number before the `g`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 7))]
    pub compute: Option<u8>,
}

/// Conditions that must hold together, as in Kubernetes node affinity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Term")]
pub struct TermForm {
    /// The conditions.
    #[schemars(length(min = 1))]
    pub match_expressions: Vec<RequirementForm>,
}

/// One condition on one node label, as in Kubernetes node affinity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Requirement")]
pub struct RequirementForm {
    /// The label.
    pub key: String,
    /// How it is compared.
    pub operator: OperatorForm,
    /// At least one value for `In` and `NotIn`, one whole number for `Gt` and `Lt`, else none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// How a node label is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Operator")]
pub enum OperatorForm {
    /// The label has one of the values.
    In,
    /// The label is missing or has none of the values.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is missing.
    DoesNotExist,
    /// The label is a whole number above the value.
    Gt,
    /// The label is a whole number below the value.
    Lt,
}

/// A toleration, as Kubernetes has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Toleration")]
pub struct TolerationForm {
    /// The taint's key; any if left out, which needs `operator: Exists`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// `Equal` (default) compares the value, `Exists` takes any.
    #[serde(default, skip_serializing_if = "is_default")]
    pub operator: TolerationOperatorForm,
    /// The taint's value, with `Equal`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// The taint's effect; any if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<EffectForm>,
}

/// How a toleration compares the taint's value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "TolerationOperator")]
pub enum TolerationOperatorForm {
    /// The taint has the given value.
    #[default]
    Equal,
    /// The taint may have any value.
    Exists,
}

/// `schemars` has no attribute for the values of a map.
fn count_from_one(schema: &mut schemars::Schema) {
    if let Some(values) = schema.get_mut("additionalProperties").and_then(serde_json::Value::as_object_mut) {
        values.insert("minimum".to_owned(), 1.into());
        values.insert("maximum".to_owned(), 1_000_000_000.into());
    }
}

/// The same for numbers that may be 0.
fn count_from_none(schema: &mut schemars::Schema) {
    if let Some(values) = schema.get_mut("additionalProperties").and_then(serde_json::Value::as_object_mut) {
        values.insert("minimum".to_owned(), 0.into());
        values.insert("maximum".to_owned(), 1_000_000_000.into());
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl From<StrategyForm> for fleet::Strategy {
    fn from(form: StrategyForm) -> fleet::Strategy {
        match form {
            StrategyForm::Mixed => fleet::Strategy::Mixed,
            StrategyForm::Single => fleet::Strategy::Single,
        }
    }
}

impl From<fleet::Strategy> for StrategyForm {
    fn from(strategy: fleet::Strategy) -> StrategyForm {
        match strategy {
            fleet::Strategy::Mixed => StrategyForm::Mixed,
            fleet::Strategy::Single => StrategyForm::Single,
        }
    }
}

impl From<EffectForm> for fleet::Effect {
    fn from(form: EffectForm) -> fleet::Effect {
        match form {
            EffectForm::NoSchedule => fleet::Effect::NoSchedule,
            EffectForm::PreferNoSchedule => fleet::Effect::PreferNoSchedule,
            EffectForm::NoExecute => fleet::Effect::NoExecute,
        }
    }
}

impl From<fleet::Effect> for EffectForm {
    fn from(effect: fleet::Effect) -> EffectForm {
        match effect {
            fleet::Effect::NoSchedule => EffectForm::NoSchedule,
            fleet::Effect::PreferNoSchedule => EffectForm::PreferNoSchedule,
            fleet::Effect::NoExecute => EffectForm::NoExecute,
        }
    }
}

impl From<OperatorForm> for demand::Operator {
    fn from(form: OperatorForm) -> demand::Operator {
        match form {
            OperatorForm::In => demand::Operator::In,
            OperatorForm::NotIn => demand::Operator::NotIn,
            OperatorForm::Exists => demand::Operator::Exists,
            OperatorForm::DoesNotExist => demand::Operator::DoesNotExist,
            OperatorForm::Gt => demand::Operator::Gt,
            OperatorForm::Lt => demand::Operator::Lt,
        }
    }
}

impl From<demand::Operator> for OperatorForm {
    fn from(operator: demand::Operator) -> OperatorForm {
        match operator {
            demand::Operator::In => OperatorForm::In,
            demand::Operator::NotIn => OperatorForm::NotIn,
            demand::Operator::Exists => OperatorForm::Exists,
            demand::Operator::DoesNotExist => OperatorForm::DoesNotExist,
            demand::Operator::Gt => OperatorForm::Gt,
            demand::Operator::Lt => OperatorForm::Lt,
        }
    }
}
