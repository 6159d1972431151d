//! What the API server would refuse of a rollout, without any of it being done.

use migsaw::geometry::Catalog;

use super::act::{Evicted, Hands};
use super::config_map::{Published, Publishing, publish};
use super::observe::facts_of;
use super::record::{Record, Target};
use super::run::ApplyError;
use super::settings::{Job, Patience};
use crate::cluster::{Cluster, ClusterError, patiently, refused};
use crate::gpu_operator::plan_config;

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
    let client = cluster.client.clone();
    let config = plan_config(job.problem, job.plan, Some::<&Catalog>(job.catalog));
    let publishing =
        Publishing { name: job.config_map, namespace, force: job.force, is_rehearsal: true, patience: patience.api };
    let published = publish(&client, config, publishing).await?;
    let target = Target::new(job.problem, job.plan, job.rollout);
    let facts = facts_of(&client, target.nodes(), patience.api).await?;
    let record = Record::new(&target, &facts, "rehearsal", jiff::Timestamp::now());
    record.write()?;
    ApplyError::of_unplanned(record.unplanned(&facts))?;
    let hands = Hands { client, is_rehearsal: true };
    let mut refusals = Vec::new();
    for step in record.steps() {
        let mut tried = vec![("cordon", patiently(patience.api, || hands.cordon(step, &record.id)).await)];
        if let Some(to) = &step.to {
            tried.push(("label", patiently(patience.api, || hands.label(step, to)).await));
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
        Err(error @ (ClusterError::Forbidden { .. } | ClusterError::Refused { .. })) => {
            refusals.push(Refusal { node: node.to_owned(), message: error.to_string(), is_for_now: false });
            Ok(())
        }
        Err(error) => Err(error),
    }
}
