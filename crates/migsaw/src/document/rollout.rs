//! The document of a rollout: which nodes are changed when.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::plan::{EvictionForm, eviction};
use crate::document::API_VERSION;
use crate::plan::Plan;
use crate::present::Present;
use crate::problem::Problem;
use crate::rollout::{Again, Hop, Next, OverBudget, Rollout, Step, Times};

/// What `kind` says in a rollout.
pub const KIND: &str = "Rollout";

/// The way from what runs today to a plan: the output of `migsaw rollout`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Rollout")]
pub struct RolloutDocument {
    /// Version of this form: `migsaw.io/v1alpha1`.
    #[schemars(extend("const" = API_VERSION))]
    pub api_version: String,
    /// `Rollout`.
    #[schemars(extend("const" = KIND))]
    pub kind: String,
    /// What goes on at the same time, one after the other.
    pub waves: Vec<WaveForm>,
    /// No order that leaves as few pods without a place, goes as little beyond disruption budgets, and lets as few
    /// pods wait on slices that are not theirs, has fewer waves.
    pub fewest_waves: usize,
    /// Whether no order leaves fewer pods without a place, those of the highest priority first.
    pub kindest: bool,
    /// About how long it takes.
    pub seconds: u64,
}

/// Nodes that may be changed at the same time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Wave")]
pub struct WaveForm {
    /// The nodes.
    pub steps: Vec<StepForm>,
}

/// What happens to one node: it is cordoned, pods are evicted, its GPUs are cut, it is uncordoned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Step")]
pub struct StepForm {
    /// The node's name.
    pub node: String,
    /// What its label `nvidia.com/mig.config` becomes; left out if no GPU gets other instances, or if a DRA driver
    /// makes them itself when pods come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<String>,
    /// The pods that are evicted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evicts: Vec<EvictionForm>,
    /// Those of them that have nowhere to go when they are evicted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub homeless: Vec<EvictionForm>,
    /// Those of them that wait for their slice on another one, which the plan does not use, or not yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hops: Vec<HopForm>,
    /// Pods that wait on this node for their slice since an earlier wave, and are evicted again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub again: Vec<AgainForm>,
    /// The disruption budgets that the step goes beyond. The Eviction API refuses evictions until pods that replace
    /// those gone before are ready.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub over_budget: Vec<OverBudgetForm>,
}

/// A pod that waits for its slice on another node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Hop")]
pub struct HopForm {
    /// The pod.
    pub pod: EvictionForm,
    /// The node that has a free slice for it. Which one it takes is the scheduler's choice.
    pub waits_on: String,
}

/// A pod that is evicted once more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Again")]
pub struct AgainForm {
    /// The pod as it is called in the scenario; the one that replaced it may have another name.
    pub pod: EvictionForm,
    /// The node on which it runs in the scenario.
    pub from: String,
    /// The node on which it waits next; left out if its slice is there, or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waits_on: Option<String>,
    /// Whether it has nowhere to go.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub homeless: bool,
}

/// A disruption budget that a step goes beyond.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "OverBudget")]
pub struct OverBudgetForm {
    /// The budget's name.
    pub name: String,
    /// The budget's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// How many pods may be down at one time, besides those that are down today.
    pub allowed: u64,
    /// Pods evicted beyond that.
    pub pods: u64,
}

impl RolloutDocument {
    /// A rollout with every node and pod by name.
    ///
    /// # Panics
    /// If plan and rollout are not ones for the problem.
    pub fn new(problem: &Problem, plan: &Plan, rollout: &Rollout, times: Times) -> RolloutDocument {
        let configurations = plan.configurations(problem);
        let config = |step: &Step| {
            let of_node = plan.nodes.iter().position(|p| p.pool == step.pool && p.nodes.contains(&step.node));
            let group = of_node.expect("every node is planned");
            configurations.distinct[configurations.of_nodes[group]].name.clone()
        };
        let present = |pool: usize, node: u32| -> Option<&Present> {
            let mut groups = problem.fleet.pools[pool].node_ranges();
            groups.find(|(range, _)| range.contains(&node)).and_then(|(_, group)| group.present.as_ref())
        };
        let again = |again: &Again| AgainForm {
            pod: eviction(problem, present(again.pool, again.node), again.unit),
            from: problem.fleet.pools[again.pool].node_name(again.node),
            waits_on: match again.next {
                Next::Waits { pool, node } => Some(problem.fleet.pools[pool].node_name(node)),
                Next::Slot | Next::Homeless => None,
            },
            homeless: again.next == Next::Homeless,
        };
        let over_budget = |over: &OverBudget| {
            let budget = &problem.budgets[over.budget];
            let (name, namespace) = (budget.name.clone(), budget.namespace.clone());
            OverBudgetForm { name, namespace, allowed: budget.allowed, pods: over.units }
        };
        let step = |step: &Step| {
            let present = present(step.pool, step.node);
            let named = |units: &[usize]| units.iter().map(|&unit| eviction(problem, present, unit)).collect();
            let hop = |hop: &Hop| HopForm {
                pod: eviction(problem, present, hop.unit),
                waits_on: problem.fleet.pools[hop.pool].node_name(hop.node),
            };
            StepForm {
                node: problem.fleet.pools[step.pool].node_name(step.node),
                config: (step.recut && !present.is_some_and(Present::is_cut_by_driver)).then(|| config(step)),
                evicts: named(&step.evicts),
                homeless: named(&step.homeless),
                hops: step.hops.iter().map(hop).collect(),
                again: step.again.iter().map(again).collect(),
                over_budget: step.over_budget.iter().map(over_budget).collect(),
            }
        };
        RolloutDocument {
            api_version: API_VERSION.to_owned(),
            kind: KIND.to_owned(),
            waves: rollout.waves.iter().map(|w| WaveForm { steps: w.steps.iter().map(step).collect() }).collect(),
            fewest_waves: rollout.fewest_waves,
            kindest: rollout.is_kindest,
            seconds: rollout.seconds(times),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::scenario;
    use crate::geometry::Catalog;
    use crate::plan::{Options, plan};
    use crate::rollout::Limits;

    /// A node of which one instance is in use, and a demand for which the rest has to be cut anew.
    fn steps(recut: &str) -> Vec<StepForm> {
        let text = format!(
            "apiVersion: migsaw.io/v1alpha1
kind: Scenario
fleet: [{{pool: p, model: A30, nodes: 1, gpusPerNode: 1}}]
demand:
- {{name: small, profile: 1g.6gb, count: 1}}
- {{name: large, profile: 2g.12gb, count: 1}}
state:
- {{node: p-0, recut: {recut}, gpus: ['1g.6gb@0,1g.6gb@1,1g.6gb@2,1g.6gb@3'], pods: [{{demand: small, on: [{{gpu: 0, profile: 1g.6gb, start: 0}}]}}]}}
"
        );
        let problem = scenario::parse(&text, &Catalog::builtin()).map_err(|found| format!("{found:?}")).unwrap();
        let plan = plan(&problem, &Options::default()).unwrap();
        let rollout = Rollout::new(&problem, &plan, Limits::default());
        let document = RolloutDocument::new(&problem, &plan, &rollout, Times::default());
        document.waves.into_iter().flat_map(|wave| wave.steps).collect()
    }

    #[test]
    fn what_a_driver_cuts_gets_no_label() {
        let by_manager = steps("gpu");
        assert!(by_manager.iter().all(|step| step.config.is_some()) && by_manager.len() == 1, "{by_manager:?}");
        let by_driver = steps("instance");
        assert!(by_driver.iter().all(|step| step.config.is_none()) && by_driver.len() == 1, "{by_driver:?}");
    }
}
