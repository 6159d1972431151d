//! Nodes and pods as the API server would send them.

use serde_json::{Map, Value, json};

pub(crate) const H100: &str = "NVIDIA-H100-80GB-HBM3";
pub(crate) const A100: &str = "NVIDIA-A100-SXM4-80GB";
pub(crate) const H200: &str = "NVIDIA-H200";

/// A node of strategy `mixed` with so many GPUs that offers `1g.10gb=7,gpu=1`.
pub(crate) fn node(name: &str, product: &str, gpus: u32, offers: &str) -> Value {
    let offers = amounts(offers);
    json!({
        "metadata": {"name": name, "labels": {
            "nvidia.com/gpu.product": product,
            "nvidia.com/gpu.count": gpus.to_string(),
            "nvidia.com/mig.capable": "true",
            "nvidia.com/mig.strategy": "mixed",
        }},
        "status": {"capacity": offers, "allocatable": offers, "conditions": [{"type": "Ready", "status": "True"}]},
    })
}

/// The same, cut by an entry that comes with MIG Manager, so that it is known which GPU is cut how.
pub(crate) fn configured(config: &str, node: Value) -> Value {
    labelled(labelled(node, "nvidia.com/mig.config", config), "nvidia.com/mig.config.state", "success")
}

/// A node of strategy `single` with its GPUs cut into so many of this profile in all.
pub(crate) fn single(name: &str, product: &str, profile: &str, slices: u32) -> Value {
    let node = node(name, &format!("{product}-MIG-{profile}"), slices, &format!("gpu={slices}"));
    configured(&format!("all-{profile}"), labelled(node, "nvidia.com/mig.strategy", "single"))
}

/// A node without GPUs.
pub(crate) fn bare(name: &str) -> Value {
    json!({"metadata": {"name": name}, "status": {"allocatable": {"cpu": "128"}}})
}

pub(crate) fn labelled(node: Value, key: &str, value: &str) -> Value {
    merge(node, json!({"metadata": {"labels": {key: value}}}))
}

/// A node that a rollout is at.
pub(crate) fn in_rollout(node: Value) -> Value {
    merge(node, json!({"metadata": {"annotations": {"migsaw.io/rollout": "r1"}}}))
}

/// A node that a rollout will come to.
pub(crate) fn in_later_wave(node: Value) -> Value {
    merge(node, json!({"spec": {"taints": [{"key": "migsaw.io/rollout", "value": "r1", "effect": "NoSchedule"}]}}))
}

/// A pod of one container that asks for `1g.10gb=2,gpu=1`. Its UID is its name.
pub(crate) fn pod(name: &str, asks: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "team", "uid": name},
        "spec": {"containers": [container(asks)]},
    })
}

pub(crate) fn container(asks: &str) -> Value {
    json!({"resources": {"limits": amounts(asks), "requests": amounts(asks)}})
}

/// The pod, bound to a node.
pub(crate) fn on(node: &str, pod: Value) -> Value {
    merge(pod, json!({"spec": {"nodeName": node}}))
}

/// The pod, all of whose slices have to be on one GPU.
pub(crate) fn together(pod: Value) -> Value {
    merge(pod, json!({"metadata": {"annotations": {"migsaw.io/together": "gpu"}}}))
}

/// The pod, for which others were evicted on this node.
pub(crate) fn nominated(node: &str, pod: Value) -> Value {
    merge(pod, json!({"status": {"nominatedNodeName": node}}))
}

/// The pod as one of a StatefulSet, whose name is that of its demand.
pub(crate) fn of_set(set: &str, pod: Value) -> Value {
    let owner = json!({"kind": "StatefulSet", "name": set, "controller": true});
    merge(pod, json!({"metadata": {"ownerReferences": [owner]}}))
}

/// The object with these members added or replaced, maps merged.
pub(crate) fn merge(mut object: Value, change: Value) -> Value {
    let (Value::Object(members), true) = (change.clone(), object.is_object()) else { return change };
    for (key, value) in members {
        let before = object[&key].take();
        object[key] = merge(before, value);
    }
    object
}

/// Quantities by resource, of `1g.10gb=7,gpu=1,cpu=100m`.
pub(crate) fn amounts(text: &str) -> Value {
    let amount = |item: &str| {
        let (name, n) = item.split_once('=').unwrap();
        let resource = match name {
            "cpu" | "memory" => name.to_owned(),
            "gpu" => "nvidia.com/gpu".to_owned(),
            profile => format!("nvidia.com/mig-{profile}"),
        };
        (resource, Value::from(n))
    };
    Value::Object(text.split(',').filter(|item| !item.is_empty()).map(amount).collect::<Map<_, _>>())
}
