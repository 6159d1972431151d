//! Looks at a node and at who holds slices on it.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::stream::{StreamExt as _, TryStreamExt as _, iter};
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt as _};

use super::pods::{Holder, PodRef, holders};
use super::step::{Mark, NodeSeen, Seen};
use crate::cluster::{ClusterError, patiently, refused};
use crate::names::{CONFIG_LABEL, ROLLOUT_MARK, STATE_LABEL, is_gpu};

/// Nodes that are looked at together where their number has no other limit.
pub(super) const TOGETHER: usize = 16;

/// What is known of a node when a rollout begins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct NodeFacts {
    pub(super) uid: String,
    pub(super) config: Option<String>,
    pub(super) offers: BTreeMap<String, u64>,
    /// The pods on it that hold slices and are not told to end.
    pub(super) holders: Vec<PodRef>,
}

/// What is known of some nodes; those that are not there are left out.
pub(super) async fn facts_of(
    client: &Client,
    nodes: Vec<String>,
    patience: Duration,
) -> Result<BTreeMap<String, NodeFacts>, ClusterError> {
    let facts = iter(nodes).map(|name| async move {
        let seen = look(client, &name, patience).await.map_err(refused(format!("look at node {name}")))?;
        let staying = seen.holders.into_iter().filter(|holder| !holder.is_ending);
        let holders = staying.map(|holder| holder.name).collect();
        let facts = seen.node.map(|NodeSeen { uid, config, offers, .. }| NodeFacts { uid, config, offers, holders });
        Ok(facts.map(|facts| (name, facts)))
    });
    let found: Vec<Option<(String, NodeFacts)>> = facts.buffer_unordered(TOGETHER).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}

/// A node as it is now, asked for until the API server answers, at most so long.
pub(super) async fn look(client: &Client, node: &str, patience: Duration) -> kube::Result<Seen> {
    let nodes: Api<Node> = Api::all(client.clone());
    let found = patiently(patience, || nodes.get_opt(node)).await?;
    let Some(found) = found else { return Ok(Seen::default()) };
    Ok(Seen { node: Some(NodeSeen::of(&found)), holders: holders_on(client, node, patience).await? })
}

/// The pods that hold slices of a node.
pub(super) async fn holders_on(client: &Client, node: &str, patience: Duration) -> kube::Result<Vec<Holder>> {
    let pods: Api<Pod> = Api::all(client.clone());
    let here = ListParams::default().fields(&format!("spec.nodeName={node}"));
    Ok(holders(&patiently(patience, || pods.list(&here)).await?.items))
}

impl NodeSeen {
    pub(super) fn of(node: &Node) -> NodeSeen {
        let label = |key: &str| node.labels().get(key).cloned();
        let taints = node.spec.as_ref().and_then(|spec| spec.taints.clone()).unwrap_or_default();
        NodeSeen {
            uid: node.uid().unwrap_or_default(),
            config: label(CONFIG_LABEL),
            state: label(STATE_LABEL),
            is_cordoned: node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or(false),
            mark: node.annotations().get(ROLLOUT_MARK).map(|mark| Mark::parse(mark)),
            is_reserved: taints.iter().any(|taint| taint.key == ROLLOUT_MARK),
            offers: offers(node),
            taints,
            version: node.resource_version(),
        }
    }
}

/// What a node has allocatable of MIG devices and GPUs; these are whole numbers without a unit.
fn offers(node: &Node) -> BTreeMap<String, u64> {
    let allocatable = node.status.as_ref().and_then(|status| status.allocatable.as_ref());
    let of_gpus = allocatable.into_iter().flatten().filter(|(name, _)| is_gpu(name));
    of_gpus.filter_map(|(name, quantity)| Some((name.clone(), quantity.0.parse().ok()?))).collect()
}
