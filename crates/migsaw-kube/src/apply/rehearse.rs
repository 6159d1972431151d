//! What the API server would refuse of a rollout, without any of it being done.

use jiff::Timestamp;

use super::act::{Evicted, Hands};
use super::config_map::{Draft, Published};
use super::error::ApplyError;
use super::lease::Lease;
use super::observe::facts_of;
use super::record::Record;
use super::settings::{Job, Patience};
use super::step::NodeSeen;
use super::target::Target;
use crate::cluster::{Cluster, ClusterError, patiently, refused};

/// A write that would be refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The node it is about.
    pub node: String,
    /// What would be tried, and what the API server says of it.
    pub message: String,
    /// Whether it may well succeed when its time comes: a budget that is used up now.
    pub is_for_now: bool,
}

/// Has the API server check every write of a rollout as a dry run.
///
/// # Errors
/// If the `ConfigMap` would be refused, or the API server is away.
///
/// # Panics
/// If plan and rollout are not ones for the problem.
pub async fn rehearse(
    cluster: &Cluster,
    namespace: &str,
    patience: Patience,
    job: Job<'_>,
) -> Result<(Published, Vec<Refusal>), ApplyError> {
    let hands = Hands { client: cluster.client.clone(), is_rehearsal: true };
    let draft = Draft::new(cluster, job, namespace, patience.api).await?;
    let published = patiently(patience.api, || draft.write(&hands)).await.map_err(refused(draft.action()))??;
    let target = Target::new(job.problem, job.plan, job.rollout);
    let facts = facts_of(&cluster.client, target.nodes(), patience.api).await?;
    let record = Record::new(&target, &facts, "rehearsal", Timestamp::now());
    record.check(&facts)?;
    let manifest = record.manifest()?;
    let written = || hands.apply_config_map(namespace, Record::NAME, &manifest, true);
    patiently(patience.api, written).await.map_err(refused(Record::action(namespace)))?;
    Lease::rehearse(cluster.client.clone(), namespace).await?;
    let mut refusals = Vec::new();
    for step in record.steps() {
        let node = NodeSeen::default();
        let mut tried = vec![("cordon", patiently(patience.api, || hands.cordon(step, &node, &record.id)).await)];
        if let Some(to) = &step.to {
            tried.push(("label", patiently(patience.api, || hands.label(step, &node, &record.id, to)).await));
        }
        for (what, result) in tried {
            note(&mut refusals, &step.node, refused(format!("{what} node {}", step.node)), result)?;
        }
        for pod in &step.evicts {
            let refusal = match patiently(patience.api, || hands.evict(pod)).await {
                Ok(Evicted::NotNow(message)) => {
                    let message = format!("cannot evict pod {pod}: {message}");
                    refusals.push(Refusal { node: step.node.clone(), message, is_for_now: true });
                    Ok(true)
                }
                Ok(Evicted::Yes) => Ok(true),
                Err(error) => Err(error),
            };
            note(&mut refusals, &step.node, refused(format!("evict pod {pod}")), refusal)?;
        }
    }
    Ok((published, refusals))
}

/// Keeps what the API server refuses; that it is away is an error.
fn note(
    refusals: &mut Vec<Refusal>,
    node: &str,
    failed: impl FnOnce(kube::Error) -> ClusterError,
    result: kube::Result<bool>,
) -> Result<(), ClusterError> {
    match result.map_err(failed) {
        Ok(_) => Ok(()),
        Err(error) if error.is_refusal() => {
            refusals.push(Refusal { node: node.to_owned(), message: error.to_string(), is_for_now: false });
            Ok(())
        }
        Err(error) => Err(error),
    }
}
