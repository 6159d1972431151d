//! What the API server would refuse of a rollout, without any of it being done.

use k8s_openapi::api::core::v1::ConfigMap as ConfigMapObject;
use kube::Api;
use kube::api::{Patch, PatchParams};
use migsaw::geometry::Catalog;

use super::MANAGER;
use super::act::{Evicted, Hands};
use super::config_map::{Published, Publishing, publish};
use super::lease::Lease;
use super::observe::facts_of;
use super::record::{Record, Target};
use super::run::ApplyError;
use super::settings::{Job, Patience};
use super::step::NodeSeen;
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
    let published = publish(cluster, config, publishing).await?;
    let target = Target::new(job.problem, job.plan, job.rollout);
    let facts = facts_of(&client, target.nodes(), patience.api).await?;
    let record = Record::new(&target, &facts, "rehearsal", jiff::Timestamp::now());
    ApplyError::of_unplanned(record.unplanned(&facts))?;
    let maps: Api<ConfigMapObject> = Api::namespaced(client.clone(), namespace);
    let (manifest, params) =
        (Patch::Apply(record.manifest()?), PatchParams { dry_run: true, ..PatchParams::apply(MANAGER).force() });
    let written = patiently(patience.api, || maps.patch(Record::NAME, &params, &manifest)).await;
    written.map_err(refused(format!("write ConfigMap {namespace}/{}", Record::NAME)))?;
    Lease::rehearse(client.clone(), namespace).await?;
    let hands = Hands { client, is_rehearsal: true };
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
