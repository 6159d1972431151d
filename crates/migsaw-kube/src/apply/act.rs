//! What is done to nodes and pods: each act one request, and one that may be repeated.

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::pods::PodName;
use super::record::StepRecord;
use super::{MANAGER, MARK};
use crate::cluster::{is_absent, is_conflict};
use crate::gpu_operator::{LABEL, STATE};

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
    pub(super) async fn cordon(&self, step: &StepRecord, id: &str) -> kube::Result<()> {
        let patch = json!({"metadata": {"annotations": {MARK: id}}, "spec": {"unschedulable": true}});
        self.patch(step, patch).await
    }

    /// Takes mark and cordon away together.
    pub(super) async fn uncordon(&self, step: &StepRecord) -> kube::Result<()> {
        let patch = json!({"metadata": {"annotations": {MARK: null}}, "spec": {"unschedulable": null}});
        self.patch(step, patch).await
    }

    /// Tells MIG Manager what to make of a node. The state goes with it: that of the last change would be taken
    /// for this one's.
    pub(super) async fn label(&self, step: &StepRecord, config: &str) -> kube::Result<()> {
        self.patch(step, json!({"metadata": {"labels": {LABEL: config, STATE: null}}})).await
    }

    /// The uid makes the API server refuse if the node is another one by now.
    async fn patch(&self, step: &StepRecord, mut patch: Value) -> kube::Result<()> {
        patch["metadata"]["uid"] = json!(step.uid);
        let params = PatchParams {
            dry_run: self.is_rehearsal,
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let nodes: Api<Node> = Api::all(self.client.clone());
        match nodes.patch(&step.node, &params, &Patch::Merge(&patch)).await {
            // A node that is gone, or another by now, is seen at the next look.
            Err(error) if !self.is_rehearsal && (is_absent(&error) || is_conflict(&error)) => Ok(()),
            result => result.map(|_| ()),
        }
    }

    fn dry_run(&self) -> &'static [&'static str] {
        if self.is_rehearsal { &["All"] } else { &[] }
    }

    /// Evicts a pod, if it is still that one.
    ///
    /// Not with `Api::evict`: in kube 5.0 it misspells `deleteOptions`, so that neither the precondition nor the dry
    /// run gets there.
    pub(super) async fn evict(&self, pod: &PodName) -> kube::Result<Evicted> {
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
