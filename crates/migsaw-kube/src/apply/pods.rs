//! Which pods of a node hold slices, and which of them may be evicted.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::api::core::v1::{Container, Pod};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::ResourceExt as _;
use serde::{Deserialize, Serialize};

use crate::names::is_gpu;
use crate::stays::why_it_stays;

const SAFE_TO_EVICT: &str = "cluster-autoscaler.kubernetes.io/safe-to-evict";

/// A pod, and which of those that have had its name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodRef {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

impl fmt::Display for PodRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// A pod that holds slices of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Holder {
    pub(super) name: PodRef,
    pub(super) is_ending: bool,
    /// Why it must not be evicted, if so.
    pub(super) stays: Option<&'static str>,
}

/// The pods that hold slices, or may hold some by a claim: not those that have ended.
pub(super) fn holders(pods: &[Pod]) -> Vec<Holder> {
    pods.iter().filter(|pod| holds_slices(pod) && !has_ended(pod)).map(Holder::of).collect()
}

impl Holder {
    fn of(pod: &Pod) -> Holder {
        let name = PodRef {
            namespace: pod.namespace().unwrap_or_default(),
            name: pod.name_any(),
            uid: pod.uid().unwrap_or_default(),
        };
        Holder { name, is_ending: pod.metadata.deletion_timestamp.is_some(), stays: stays(pod) }
    }
}

fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

fn holds_slices(pod: &Pod) -> bool {
    let Some(spec) = &pod.spec else { return false };
    let containers = spec.containers.iter().chain(spec.init_containers.iter().flatten());
    spec.resource_claims.as_ref().is_some_and(|claims| !claims.is_empty()) || containers.into_iter().any(asks)
}

fn asks(container: &Container) -> bool {
    let named = |resources: &Option<BTreeMap<String, Quantity>>| {
        resources.iter().flat_map(BTreeMap::keys).any(|name| is_gpu(name))
    };
    container.resources.as_ref().is_some_and(|resources| named(&resources.limits) || named(&resources.requests))
}

fn stays(pod: &Pod) -> Option<&'static str> {
    let controller = pod.owner_references().iter().find(|owner| owner.controller == Some(true));
    let safe_to_evict = pod.annotations().get(SAFE_TO_EVICT).map(String::as_str);
    why_it_stays(controller.map(|owner| owner.kind.as_str()), safe_to_evict)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(more: Value) -> Pod {
        let mut pod = json!({"metadata": {"name": "a", "namespace": "n", "uid": "1", "ownerReferences": [
            {"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "r", "uid": "2", "controller": true}]},
            "spec": {"containers": [{"name": "c", "resources": {"limits": {"nvidia.com/mig-1g.10gb": "1"}}}]}});
        merge(&mut pod, more);
        serde_json::from_value(pod).unwrap()
    }

    fn merge(into: &mut Value, more: Value) {
        match (into, more) {
            (Value::Object(into), Value::Object(more)) => {
                for (key, value) in more {
                    merge(into.entry(key).or_insert(Value::Null), value);
                }
            }
            (into, more) => *into = more,
        }
    }

    #[test]
    fn who_holds_slices_and_may_go() {
        let owned_by = |kind: &str| {
            json!({"metadata": {"ownerReferences": [
                {"apiVersion": "v1", "kind": kind, "name": "r", "uid": "2", "controller": true}]}})
        };
        let containers = |resource: &str| json!([{"name": "c", "resources": {"requests": {resource: "1"}}}]);
        for (what, more, expected) in [
            ("plain", json!({}), Some(None)),
            ("whole GPU", json!({"spec": {"containers": containers("nvidia.com/gpu")}}), Some(None)),
            ("no GPU", json!({"spec": {"containers": containers("cpu")}}), None),
            ("another's", json!({"spec": {"containers": containers("nvidia.com/gpuclique")}}), None),
            (
                "init container",
                json!({"spec": {"containers": containers("cpu"), "initContainers": containers("nvidia.com/mig-2g.20gb")}}),
                Some(None),
            ),
            (
                "claim",
                json!({"spec": {"containers": containers("cpu"), "resourceClaims": [{"name": "gpu"}]}}),
                Some(None),
            ),
            ("ended", json!({"status": {"phase": "Succeeded"}}), None),
            ("bare", json!({"metadata": {"ownerReferences": null}}), Some(Some("no controller would make it anew"))),
            ("daemon", owned_by("DaemonSet"), Some(Some("its DaemonSet would put it there again"))),
            ("static", owned_by("Node"), Some(Some("it is a static pod"))),
            (
                "annotated",
                json!({"metadata": {"annotations": {SAFE_TO_EVICT: "false"}}}),
                Some(Some("its annotation safe-to-evict says so")),
            ),
        ] {
            let found = holders(&[pod(more)]);
            assert_eq!(found.first().map(|holder| holder.stays), expected, "{what}");
        }
    }
}
