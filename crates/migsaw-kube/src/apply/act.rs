//! What is done to nodes and pods: each act one request, and one that may be repeated.

use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod, Taint};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::MANAGER;
use super::pods::PodRef;
use super::record::StepRecord;
use super::step::{Mark, NodeSeen};
use crate::cluster::{is_absent, is_conflict};
use crate::names::{CONFIG_LABEL, ROLLOUT_MARK, STATE_LABEL};

/// Writes to the cluster, or has it only checked what a write would do.
#[derive(Clone)]
pub(super) struct Hands {
    pub(super) client: Client,
    pub(super) is_rehearsal: bool,
}

/// What became of an eviction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Evicted {
    /// The pod ends, or is gone already.
    Yes,
    /// Not now: a budget forbids it, or the API server has too much to do.
    NotNow(String),
}

impl Hands {
    /// Marks and cordons a node.
    pub(super) async fn cordon(&self, step: &StepRecord, node: &NodeSeen, id: &str) -> kube::Result<bool> {
        // One that was cordoned already, and uncordoned by somebody else, keeps what its mark says.
        let mark = node.mark.as_ref().filter(|mark| mark.is_labelled);
        let mark = mark.map_or_else(|| id.to_owned(), |mark| Mark::labelled(&mark.id));
        self.patch(
            step,
            node,
            json!({"metadata": {"annotations": {ROLLOUT_MARK: mark}}, "spec": {"unschedulable": true}}),
        )
        .await
    }

    /// Takes mark, cordon and reservation away together.
    pub(super) async fn uncordon(&self, step: &StepRecord, node: &NodeSeen) -> kube::Result<bool> {
        let mut patch = json!({"metadata": {"annotations": {ROLLOUT_MARK: null}}, "spec": {"unschedulable": null}});
        if node.is_reserved {
            patch["spec"]["taints"] = taints(node, None);
        }
        self.patch(step, node, patch).await
    }

    /// Makes pods prefer other nodes.
    pub(super) async fn reserve(&self, step: &StepRecord, node: &NodeSeen, id: &str) -> kube::Result<bool> {
        let taint = Taint {
            key: ROLLOUT_MARK.to_owned(),
            value: Some(id.to_owned()),
            effect: "PreferNoSchedule".to_owned(),
            time_added: None,
        };
        self.patch(step, node, json!({"metadata": {}, "spec": {"taints": taints(node, Some(taint))}})).await
    }

    /// Takes the reservation away.
    pub(super) async fn release(&self, step: &StepRecord, node: &NodeSeen) -> kube::Result<bool> {
        self.patch(step, node, json!({"metadata": {}, "spec": {"taints": taints(node, None)}})).await
    }

    /// Tells MIG Manager what to make of a node. The state goes with it: that of the last change would be taken
    /// for this one's.
    pub(super) async fn label(&self, step: &StepRecord, node: &NodeSeen, id: &str, config: &str) -> kube::Result<bool> {
        let annotations = json!({ROLLOUT_MARK: Mark::labelled(id)});
        let labels = json!({CONFIG_LABEL: config, STATE_LABEL: null});
        self.patch(step, node, json!({"metadata": {"annotations": annotations, "labels": labels}})).await
    }

    /// Whether the node is still as it was seen; if not, the next look at it tells. The uid makes the API server refuse
    /// a node that is another one by now, the version one that somebody has changed since: what is decided by what
    /// was seen is done to that only.
    async fn patch(&self, step: &StepRecord, node: &NodeSeen, mut patch: Value) -> kube::Result<bool> {
        patch["metadata"]["uid"] = json!(step.uid);
        if !self.is_rehearsal {
            patch["metadata"]["resourceVersion"] = json!(node.version);
        }
        let params = PatchParams {
            dry_run: self.is_rehearsal,
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let nodes: Api<Node> = Api::all(self.client.clone());
        match nodes.patch(&step.node, &params, &Patch::Merge(&patch)).await {
            Err(error) if !self.is_rehearsal && (is_absent(&error) || is_conflict(&error)) => Ok(false),
            result => result.map(|_| true),
        }
    }

    /// Writes a `ConfigMap`, by server-side apply.
    pub(super) async fn apply_config_map(
        &self,
        namespace: &str,
        name: &str,
        manifest: &Value,
        force: bool,
    ) -> kube::Result<ConfigMap> {
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), namespace);
        let params = PatchParams { dry_run: self.is_rehearsal, force, ..PatchParams::apply(MANAGER) };
        maps.patch(name, &params, &Patch::Apply(manifest)).await
    }

    fn dry_run(&self) -> &'static [&'static str] {
        if self.is_rehearsal { &["All"] } else { &[] }
    }

    /// Evicts a pod, if it is still that one.
    ///
    /// Not with `Api::evict`: in kube 5.0 it misspells `deleteOptions`, so that neither the precondition nor the dry
    /// run gets there.
    pub(super) async fn evict(&self, pod: &PodRef) -> kube::Result<Evicted> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &pod.namespace);
        let eviction = json!({
            "apiVersion": "policy/v1", "kind": "Eviction",
            "metadata": {"name": pod.name, "namespace": pod.namespace},
            "deleteOptions": {"preconditions": {"uid": pod.uid}, "dryRun": self.dry_run()},
        });
        let params = PostParams { dry_run: self.is_rehearsal, field_manager: Some(MANAGER.to_owned()) };
        match pods.create_subresource::<Value, Value>("eviction", &pod.name, &params, &eviction).await {
            Ok(_) => Ok(Evicted::Yes),
            Err(error) if is_absent(&error) || is_conflict(&error) => Ok(Evicted::Yes),
            Err(kube::Error::Api(status)) if matches!(status.code, 429 | 500) => {
                // 500 is what it says of a pod under several budgets.
                let causes = status.details.iter().flat_map(|details| &details.causes);
                let cause = causes.map(|cause| cause.message.clone()).find(|message| !message.is_empty());
                Ok(Evicted::NotNow(cause.unwrap_or(status.message)))
            }
            Err(error) => Err(error),
        }
    }
}

/// The node's taints, with another reservation or none: they go as a whole.
fn taints(node: &NodeSeen, reservation: Option<Taint>) -> Value {
    let others = node.taints.iter().filter(|taint| taint.key != ROLLOUT_MARK);
    json!(others.cloned().chain(reservation).collect::<Vec<Taint>>())
}
