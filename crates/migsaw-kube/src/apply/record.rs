//! What a rollout is to do, as it lies in the cluster.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use migsaw::document::API_VERSION;
use migsaw::plan::{Configurations, Plan};
use migsaw::present::{Present, RecutUnit};
use migsaw::problem::Problem;
use migsaw::rollout::{Rollout, Step};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::MANAGER;
use super::observe::NodeFacts;
use super::pods::PodRef;
use crate::gpu_operator::{ConfigMap, advertised};

const KIND: &str = "AppliedRollout";

/// A rollout with everything that is needed to go on with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
    api_version: String,
    kind: String,
    /// Names this rollout; nodes are marked with it.
    pub id: String,
    /// Who began it.
    pub by: String,
    /// When.
    pub begun: Timestamp,
    /// How far it is.
    pub phase: Phase,
    /// When the configurations were changed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_changed: Option<Timestamp>,
    /// What goes on at the same time, one after the other.
    pub waves: Vec<Vec<StepRecord>>,
}

/// How far a rollout is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// Begun, and not at its end.
    Running,
    /// Everything has become as it was to be.
    Finished,
    /// Taken back as far as it was half-done.
    Aborted,
}

/// What is to become of one node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StepRecord {
    /// The node's name.
    pub node: String,
    /// Which of the nodes that have had this name.
    pub uid: String,
    /// Its label `nvidia.com/mig.config` before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What it offers before, by resource.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub offers: BTreeMap<String, u64>,
    /// Its label afterwards; left out if the node is not cut anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// What it offers then, by resource.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub becomes: BTreeMap<String, u64>,
    /// The pods that are evicted. Where the node is cut anew, all others that hold slices are evicted too, but for
    /// those that stay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evicts: Vec<PodRef>,
    /// Whether pods of other nodes wait here for a place of their own, and have to leave too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub clears: bool,
    /// The pods that stay while the others leave.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stays: Vec<PodRef>,
}

/// A record that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// It is not one of this version.
    #[error("the rollout's record in ConfigMap {name} cannot be read: {reason} (delete it to forget that rollout)")]
    Unreadable {
        /// The `ConfigMap`.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It is larger than Kubernetes stores.
    #[error(
        "the rollout's record would have {bytes} bytes, but Kubernetes stores at most {most} (cordon nodes that are not to be changed now, so that they are not planned)"
    )]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// Most there may be.
        most: usize,
    },
}

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

impl Record {
    /// The `ConfigMap` it lies in, in the operator's namespace.
    pub const NAME: &'static str = "migsaw-rollout";
    /// Its key in there.
    pub(super) const KEY: &'static str = "rollout.json";

    /// The record of a rollout that begins now.
    ///
    /// # Panics
    /// If plan and rollout are not ones for the problem.
    pub(super) fn new(target: &Target<'_>, facts: &BTreeMap<String, NodeFacts>, by: &str, begun: Timestamp) -> Record {
        let waves: Vec<Vec<StepRecord>> = target
            .rollout
            .waves
            .iter()
            .map(|wave| wave.steps.iter().map(|step| target.step(step, facts)).collect())
            .collect();
        let content = serde_json::to_string(&waves).unwrap_or_default();
        let digest = Sha256::digest(format!("{by} {begun} {content}").as_bytes());
        let hash = digest.iter().take(4).fold(String::new(), |hash, byte| format!("{hash}{byte:02x}"));
        Record {
            api_version: API_VERSION.to_owned(),
            kind: KIND.to_owned(),
            id: format!("{}-{hash}", begun.strftime("%Y%m%d-%H%M%S")),
            by: by.to_owned(),
            begun,
            phase: Phase::Running,
            config_changed: None,
            waves,
        }
    }

    /// All steps in their order.
    pub fn steps(&self) -> impl Iterator<Item = &StepRecord> {
        self.waves.iter().flatten()
    }

    /// The pods on nodes that are to be cut of which the plan knows nothing, with their nodes: because it could not be
    /// told how the node is cut, or because they could not be placed again where they are, or because they have only
    /// just come.
    pub(super) fn unplanned(&self, facts: &BTreeMap<String, NodeFacts>) -> Vec<(String, PodRef)> {
        let of_step = |step: &StepRecord| {
            let holders = facts.get(&step.node).filter(|_| step.to.is_some()).map(|facts| facts.holders.clone());
            let is_known = |pod: &PodRef| step.evicts.contains(pod) || step.stays.contains(pod);
            let unknown = holders.unwrap_or_default().into_iter().filter(move |pod| !is_known(pod));
            unknown.map(|pod| (step.node.clone(), pod)).collect::<Vec<(String, PodRef)>>()
        };
        self.steps().flat_map(of_step).collect()
    }

    /// The same rollout, so far.
    pub(super) fn in_phase(self, phase: Phase) -> Record {
        Record { phase, ..self }
    }

    /// The `ConfigMap`, for server-side apply.
    pub(super) fn manifest(&self) -> Result<Value, RecordError> {
        let text = serde_json::to_string(self).expect("a record has no keys but strings");
        let (bytes, most) = (text.len(), ConfigMap::MAX_BYTES);
        if bytes > most {
            return Err(RecordError::TooLarge { bytes, most });
        }
        Ok(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": Record::NAME, "labels": {"app.kubernetes.io/managed-by": MANAGER}},
            "data": {Record::KEY: text},
        }))
    }

    /// Reads what lies in the `ConfigMap`.
    pub(super) fn read(text: &str) -> Result<Record, RecordError> {
        let unreadable = |reason: String| RecordError::Unreadable { name: Record::NAME.to_owned(), reason };
        let record: Record = serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
        if record.api_version != API_VERSION || record.kind != KIND {
            let found = format!("{} {}", record.api_version, record.kind);
            return Err(unreadable(format!("it is a {found}, expected {API_VERSION} {KIND}")));
        }
        Ok(record)
    }
}
