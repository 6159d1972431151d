//! What a rollout is to reach, and how.

use std::collections::{BTreeMap, BTreeSet};

use migsaw::plan::{Configurations, Plan};
use migsaw::present::{Present, RecutUnit};
use migsaw::problem::Problem;
use migsaw::rollout::{Rollout, Step};

use super::observe::NodeFacts;
use super::pods::PodRef;
use super::record::StepRecord;
use crate::gpu_operator::advertised;

/// What a rollout is to reach, and how.
pub(super) struct Target<'a> {
    problem: &'a Problem,
    plan: &'a Plan,
    rollout: &'a Rollout,
    configurations: Configurations,
}

impl<'a> Target<'a> {
    pub(super) fn new(problem: &'a Problem, plan: &'a Plan, rollout: &'a Rollout) -> Target<'a> {
        Target { problem, plan, rollout, configurations: plan.configurations(problem) }
    }

    /// The names of the nodes to which something happens.
    pub(super) fn nodes(&self) -> Vec<String> {
        let steps = self.rollout.waves.iter().flat_map(|wave| &wave.steps);
        steps.map(|step| self.problem.fleet.pools[step.pool].node_name(step.node)).collect()
    }

    /// The steps of each wave, on nodes of which that is known.
    ///
    /// # Panics
    /// If plan and rollout are not ones for the problem.
    pub(super) fn waves(&self, facts: &BTreeMap<String, NodeFacts>) -> Vec<Vec<StepRecord>> {
        let waves = self.rollout.waves.iter();
        waves.map(|wave| wave.steps.iter().map(|step| self.step(step, facts)).collect()).collect()
    }

    fn step(&self, step: &Step, facts: &BTreeMap<String, NodeFacts>) -> StepRecord {
        let pool = &self.problem.fleet.pools[step.pool];
        let node = pool.node_name(step.node);
        let nothing = (NodeFacts::default(), Present::default());
        let facts = facts.get(&node).unwrap_or(&nothing.0);
        let group = pool.node_ranges().find(|(range, _)| range.contains(&step.node));
        let present = group.and_then(|(_, group)| group.present.as_ref()).unwrap_or(&nothing.1);
        let entry = self.plan.nodes.iter().position(|p| p.pool == step.pool && p.nodes.contains(&step.node));
        let entry = entry.expect("every node is planned");
        // A pod's namespace is that of its demand.
        let name = |unit: usize| {
            let running = &present.running[unit];
            let namespace = self.problem.demands[running.demand].namespace.as_deref().unwrap_or("default");
            Some((namespace, running.name.as_deref()?))
        };
        let evicted: BTreeSet<(&str, &str)> = step.evicts.iter().filter_map(|&unit| name(unit)).collect();
        let left: BTreeSet<(&str, &str)> = (0..present.running.len()).filter_map(name).collect();
        let left: BTreeSet<(&str, &str)> = left.difference(&evicted).copied().collect();
        let of = |names: &BTreeSet<(&str, &str)>| {
            let is_one = |pod: &&PodRef| names.contains(&(pod.namespace.as_str(), pod.name.as_str()));
            facts.holders.iter().filter(is_one).cloned().collect::<Vec<PodRef>>()
        };
        let is_cut = step.recut && !present.is_cut_by_driver();
        let config = &self.configurations.distinct[self.configurations.of_nodes[entry]].name;
        StepRecord {
            node,
            uid: facts.uid.clone(),
            from: facts.config.clone(),
            offers: facts.offers.clone(),
            to: is_cut.then(|| config.clone()),
            becomes: if is_cut { advertised(pool, &self.plan.nodes[entry]) } else { BTreeMap::new() },
            evicts: of(&evicted),
            clears: !step.again.is_empty(),
            // Where it is not known on which GPU a pod is, nobody can stay on a node that is cut.
            stays: if is_cut && present.unit == RecutUnit::Node { Vec::new() } else { of(&left) },
        }
    }
}
