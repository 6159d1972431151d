//! Which fields matter, and what stands in them. What is not here is left out; the other list of the same fields is
//! what is read of a dump, and tests hold the two together.

use serde_json::{Map, Value};

use crate::mig_parted::Config;
use crate::names::is_gpu;

/// What stands in a field.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// Something that is kept as it is.
    Any,
    /// The name of an object.
    Name,
    /// A name that may end in the hash of the pod template of the object it is in.
    Made,
    /// A map with these members.
    Members(&'static [(&'static str, Shape)]),
    /// A list.
    List(&'static Shape),
    /// The labels of an object.
    Labels,
    /// Conditions on labels, each a value by its key.
    Values,
    /// A condition on a label or a taint: members `key`, and `value` or `values`.
    Condition,
    /// Quantities of resources, of which those of GPUs are kept.
    Gpus,
    /// What a container or pod asks for: GPUs, and whether it asks for CPU or memory, which decides whether quotas count
    /// the pod as one of best effort. How much is nobody's business.
    Asked,
    /// Amounts of a quota, of which all that name NVIDIA's resources are kept.
    Limited,
    /// Attributes of devices, of which those that are text are kept.
    Attributes,
    /// A map of which only the keys matter.
    Keys,
}

use Shape::{Any, Asked, Attributes, Condition, Gpus, Keys, Labels, Limited, List, Made, Members, Name, Values};

/// A text that may be renamed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Leaf<'k> {
    /// The name of an object.
    Name,
    /// One that may end in the hash of the pod template of the object it is in.
    Made,
    /// The value of a label with this key.
    Label(&'k str),
    /// What a label or taint with this key is compared with.
    Condition(&'k str),
}

const METADATA: Shape = Members(&[
    ("name", Made),
    ("generateName", Made),
    ("namespace", Name),
    ("labels", Labels),
    ("ownerReferences", List(&Members(&[("kind", Any), ("name", Made), ("controller", Any)]))),
    (
        "annotations",
        Members(&[
            ("cluster-autoscaler.kubernetes.io/safe-to-evict", Any),
            ("migsaw.io/rollout", Any),
            ("migsaw.io/together", Any),
        ]),
    ),
    ("deletionTimestamp", Any),
]);
const CLASS_METADATA: Shape = Members(&[("name", Any), ("namespace", Any)]);
const CONDITIONS: Shape = List(&Members(&[("type", Any), ("status", Any)]));
const NODE: Shape = Members(&[
    ("metadata", METADATA),
    ("spec", Members(&[("unschedulable", Any), ("taints", List(&Condition))])),
    ("status", Members(&[("capacity", Gpus), ("allocatable", Gpus), ("conditions", CONDITIONS)])),
]);
const SELECTOR: Shape = Members(&[("matchLabels", Values), ("matchExpressions", List(&Condition))]);
const POD_AFFINITY: Shape = Members(&[(
    "requiredDuringSchedulingIgnoredDuringExecution",
    List(&Members(&[
        ("topologyKey", Any),
        ("labelSelector", SELECTOR),
        ("namespaceSelector", SELECTOR),
        ("namespaces", List(&Name)),
        ("mismatchLabelKeys", Any),
    ])),
)]);
const AFFINITY: Shape = Members(&[
    (
        "nodeAffinity",
        Members(&[(
            "requiredDuringSchedulingIgnoredDuringExecution",
            Members(&[(
                "nodeSelectorTerms",
                List(&Members(&[("matchExpressions", List(&Condition)), ("matchFields", List(&Condition))])),
            )]),
        )]),
    ),
    ("podAffinity", POD_AFFINITY),
    ("podAntiAffinity", POD_AFFINITY),
]);
const RESOURCES: Shape = Members(&[("requests", Asked), ("limits", Asked)]);
const CONTAINERS: Shape = List(&Members(&[("resources", RESOURCES), ("restartPolicy", Any)]));
const POD_SPEC: Shape = Members(&[
    ("containers", CONTAINERS),
    ("initContainers", CONTAINERS),
    ("resources", RESOURCES),
    ("overhead", Gpus),
    ("nodeName", Name),
    ("nodeSelector", Values),
    ("affinity", AFFINITY),
    ("tolerations", List(&Condition)),
    ("priority", Any),
    ("priorityClassName", Any),
    ("activeDeadlineSeconds", Any),
    (
        "resourceClaims",
        List(&Members(&[("name", Any), ("resourceClaimName", Name), ("resourceClaimTemplateName", Name)])),
    ),
    ("topologySpreadConstraints", List(&Members(&[("whenUnsatisfiable", Any)]))),
]);
const POD: Shape = Members(&[
    ("metadata", METADATA),
    ("spec", POD_SPEC),
    (
        "status",
        Members(&[
            ("phase", Any),
            ("startTime", Any),
            ("conditions", List(&Members(&[("type", Any), ("status", Any), ("lastTransitionTime", Any)]))),
            (
                "containerStatuses",
                List(&Members(&[("state", Members(&[("terminated", Members(&[("finishedAt", Any)]))]))])),
            ),
            ("resourceClaimStatuses", List(&Members(&[("name", Any), ("resourceClaimName", Name)]))),
            ("extendedResourceClaimStatus", Members(&[("resourceClaimName", Name)])),
        ]),
    ),
]);
const TEMPLATE: Shape = Members(&[("metadata", METADATA), ("spec", POD_SPEC)]);
const JOB: Shape = Members(&[(
    "spec",
    Members(&[("parallelism", Any), ("completions", Any), ("suspend", Any), ("template", TEMPLATE)]),
)]);
const WORKLOAD: Shape = Members(&[
    ("metadata", METADATA),
    (
        "spec",
        Members(&[
            ("replicas", Any),
            ("parallelism", Any),
            ("completions", Any),
            ("suspend", Any),
            ("template", TEMPLATE),
            ("jobTemplate", JOB),
            ("replicatedJobs", List(&Members(&[("name", Name), ("replicas", Any), ("template", JOB)]))),
        ]),
    ),
    (
        "status",
        Members(&[
            ("conditions", CONDITIONS),
            ("succeeded", Any),
            ("terminalState", Any),
            ("replicatedJobsStatus", List(&Members(&[("name", Name), ("succeeded", Any)]))),
            ("observedGeneration", Any),
        ]),
    ),
]);
const BUDGET: Shape = Members(&[
    ("metadata", METADATA),
    ("spec", Members(&[("selector", SELECTOR), ("minAvailable", Any), ("maxUnavailable", Any)])),
    ("status", Members(&[("disruptionsAllowed", Any), ("expectedPods", Any), ("observedGeneration", Any)])),
]);
const QUOTA: Shape = Members(&[
    ("metadata", METADATA),
    (
        "spec",
        Members(&[
            ("hard", Limited),
            ("scopes", Any),
            (
                "scopeSelector",
                Members(&[(
                    "matchExpressions",
                    List(&Members(&[("scopeName", Any), ("operator", Any), ("values", Any)])),
                )]),
            ),
        ]),
    ),
    ("status", Members(&[("used", Limited)])),
]);
const PRIORITY_CLASS: Shape = Members(&[("metadata", CLASS_METADATA), ("value", Any), ("globalDefault", Any)]);
const CONFIG_MAP: Shape = Members(&[("metadata", CLASS_METADATA), ("data", Members(&[("config.yaml", Any)]))]);
const COUNTERS: Shape = List(&Members(&[("counters", Keys)]));
const SLICE: Shape = Members(&[
    ("metadata", METADATA),
    (
        "spec",
        Members(&[
            ("driver", Any),
            ("nodeName", Name),
            ("pool", Members(&[("name", Name), ("generation", Any), ("resourceSliceCount", Any)])),
            (
                "devices",
                List(&Members(&[
                    ("name", Any),
                    (
                        "basic",
                        Members(&[("attributes", Attributes), ("capacity", Keys), ("consumesCounters", COUNTERS)]),
                    ),
                    ("attributes", Attributes),
                    ("capacity", Keys),
                    ("consumesCounters", COUNTERS),
                ])),
            ),
        ]),
    ),
]);
const SELECTORS: Shape = List(&Members(&[("cel", Members(&[("expression", Any)]))]));
const DEVICES: Shape = Members(&[
    (
        "requests",
        List(&Members(&[
            ("name", Any),
            ("exactly", Members(EXACT)),
            ("firstAvailable", List(&Members(&[]))),
            ("deviceClassName", Any),
            ("selectors", SELECTORS),
            ("allocationMode", Any),
            ("count", Any),
            ("adminAccess", Any),
        ])),
    ),
    ("constraints", List(&Members(&[("requests", Any), ("matchAttribute", Any)]))),
]);
const EXACT: &[(&str, Shape)] = &[
    ("deviceClassName", Any),
    ("selectors", SELECTORS),
    ("allocationMode", Any),
    ("count", Any),
    ("adminAccess", Any),
];
const CLAIM: Shape = Members(&[
    ("metadata", METADATA),
    ("spec", Members(&[("devices", DEVICES), ("spec", Members(&[("devices", DEVICES)]))])),
    (
        "status",
        Members(&[
            (
                "allocation",
                Members(&[(
                    "devices",
                    Members(&[(
                        "results",
                        List(&Members(&[("driver", Any), ("pool", Name), ("device", Any), ("adminAccess", Any)])),
                    )]),
                )]),
            ),
            ("reservedFor", List(&Members(&[("resource", Any), ("name", Name)]))),
        ]),
    ),
]);
const DEVICE_CLASS: Shape = Members(&[
    ("metadata", CLASS_METADATA),
    ("spec", Members(&[("selectors", SELECTORS), ("extendedResourceName", Any)])),
]);

/// What matters of an object of a kind; `None` if nothing does.
pub(super) fn of(kind: &str, version: &str) -> Option<Shape> {
    if !crate::dump::is_read(kind, version) {
        return None;
    }
    Some(match kind {
        "Node" => NODE,
        "Pod" => POD,
        "PodDisruptionBudget" => BUDGET,
        "ResourceQuota" => QUOTA,
        "PriorityClass" => PRIORITY_CLASS,
        "ConfigMap" => CONFIG_MAP,
        "ResourceSlice" => SLICE,
        "ResourceClaim" | "ResourceClaimTemplate" => CLAIM,
        "DeviceClass" => DEVICE_CLASS,
        _ => WORKLOAD,
    })
}

/// Whether an object of a kind that is read matters, by what is in it.
pub(super) fn matters(kind: &str, object: &Value) -> bool {
    let metadata = &object["metadata"];
    match kind {
        "Pod" => {
            let status = &object["status"];
            if has_ended(status) {
                // It counts for nothing but what it is billed for.
                has_members(&status["containerStatuses"][0])
            } else {
                metadata.get("deletionTimestamp").is_none() || has_held(object)
            }
        }
        "ConfigMap" => {
            let config = object["data"]["config.yaml"].as_str();
            config.is_some_and(|text| Config::read(text.as_bytes()).is_ok_and(|config| !config.entries.is_empty()))
        }
        "ResourceQuota" => has_members(&object["spec"]["hard"]),
        "ResourceSlice" => object["spec"]["driver"].as_str() == Some(crate::names::CLAIMS_DRIVER),
        "Node"
        | "PodDisruptionBudget"
        | "PriorityClass"
        | "ResourceClaim"
        | "ResourceClaimTemplate"
        | "DeviceClass" => true,
        _ => {
            let spec = &object["spec"];
            let jobs = spec["replicatedJobs"].as_array().into_iter().flatten();
            let templates = jobs.map(|job| &job["template"]["spec"]["template"]["spec"]);
            let own = [&spec["template"]["spec"], &spec["jobTemplate"]["spec"]["template"]["spec"]];
            own.into_iter().chain(templates).any(asks)
        }
    }
}

/// Drops the times of a pod but those from when to when it held GPUs or instances: when it was scheduled or, where that
/// is not said, seen by the kubelet, and when the containers of one that has ended finished.
pub(super) fn drop_times(pod: &mut Value) {
    let has_held = has_held(pod);
    let Some(status) = pod.get_mut("status") else { return };
    let has_ended = has_ended(status);
    let mut is_start_known = false;
    for condition in status.get_mut("conditions").and_then(Value::as_array_mut).into_iter().flatten() {
        let is_scheduled = condition["type"] == "PodScheduled" && condition["status"] == "True";
        let Some(condition) = condition.as_object_mut() else { continue };
        if has_held && is_scheduled {
            is_start_known |= condition.contains_key("lastTransitionTime");
        } else {
            condition.remove("lastTransitionTime");
        }
    }
    let Some(status) = status.as_object_mut() else { return };
    if !has_held || is_start_known {
        status.remove("startTime");
    }
    let finished = |container: &Value| container["state"]["terminated"]["finishedAt"].is_string();
    match status.get_mut("containerStatuses").and_then(Value::as_array_mut) {
        Some(containers) if has_held && has_ended && containers.iter().any(finished) => containers.retain(finished),
        _ => drop(status.remove("containerStatuses")),
    }
}

fn has_ended(status: &Value) -> bool {
    matches!(status["phase"].as_str(), Some("Succeeded" | "Failed"))
}

/// Whether a pod holds or held GPUs or instances that it asks for by name.
fn has_held(pod: &Value) -> bool {
    let spec = &pod["spec"];
    let is_on_node = spec["nodeName"].as_str().is_some_and(|node| !node.is_empty());
    is_on_node && !pod["status"]["phase"].is_null() && asks_by_name(spec)
}

/// Whether a pod's spec asks for GPUs, by name or through claims.
pub(super) fn asks(spec: &Value) -> bool {
    asks_by_name(spec) || spec["resourceClaims"].as_array().is_some_and(|c| !c.is_empty())
}

fn asks_by_name(spec: &Value) -> bool {
    let lists = [&spec["containers"], &spec["initContainers"]];
    let containers = lists.into_iter().filter_map(Value::as_array).flatten();
    let resources =
        containers.flat_map(|container| [&container["resources"]["requests"], &container["resources"]["limits"]]);
    let mut names = resources.chain([&spec["overhead"]]).filter_map(Value::as_object).flat_map(Map::keys);
    names.any(|name| is_of_gpus(name))
}

/// Whether a node has labels or resources of GPUs.
pub(super) fn speaks_of_gpus(node: &Value) -> bool {
    let labels = node["metadata"]["labels"].as_object();
    labels.is_some_and(|labels| labels.keys().any(|key| key.starts_with("nvidia.com/")))
        || [&node["status"]["capacity"], &node["status"]["allocatable"]].into_iter().any(has_members)
}

fn is_of_gpus(resource: &str) -> bool {
    is_gpu(resource) || resource.starts_with("nvidia.com/gpu")
}

fn has_members(value: &Value) -> bool {
    value.as_object().is_some_and(|map| !map.is_empty())
}

/// What is kept of a value: what has the wrong form is, so that reading it says what is wrong. `None` for `null`.
pub(super) fn pruned(value: Value, shape: &Shape) -> Option<Value> {
    let members = |map: Map<String, Value>, keep: &dyn Fn(&str) -> Option<Shape>| {
        let kept = map.into_iter().filter_map(|(key, value)| {
            let value = pruned(value, &keep(&key)?)?;
            Some((key, value))
        });
        Value::Object(kept.collect())
    };
    Some(match (value, shape) {
        (Value::Null, _) => return None,
        (Value::Object(map), Shape::Members(known)) => {
            let is_object = known.iter().any(|(name, _)| *name == "metadata");
            members(map, &|key| {
                let of_object = (is_object && ["apiVersion", "kind"].contains(&key)).then_some(Any);
                known.iter().find(|(name, _)| *name == key).map(|(_, shape)| *shape).or(of_object)
            })
        }
        (Value::Object(map), Gpus) => members(map, &|key| is_of_gpus(key).then_some(Any)),
        (Value::Object(map), Asked) => {
            let kept = map.into_iter().filter_map(|(key, value)| match key.as_str() {
                name if is_of_gpus(name) => Some((key, pruned(value, &Any)?)),
                "cpu" | "memory" => Some((key, in_short(value)?)),
                _ => None,
            });
            Value::Object(kept.collect())
        }
        (Value::Object(map), Limited) => members(map, &|key| key.contains("nvidia.com").then_some(Any)),
        (Value::Object(map), Attributes) => {
            let text = |value: &Value| value.get("string").is_some();
            Value::Object(map.into_iter().filter(|(_, value)| text(value)).collect())
        }
        (Value::Object(map), Keys) => Value::Object(map.into_iter().map(|(key, _)| (key, Value::from(0))).collect()),
        (Value::Object(map), Condition) => {
            members(map, &|key| ["key", "operator", "value", "values", "effect"].contains(&key).then_some(Any))
        }
        (Value::Array(items), Shape::List(of)) => {
            Value::Array(items.into_iter().map(|item| pruned(item, of).unwrap_or(Value::Null)).collect())
        }
        (value, _) => value,
    })
}

/// 1 for any amount, nothing for zero. What is no quantity stays.
fn in_short(amount: Value) -> Option<Value> {
    match crate::dump::is_zero(&amount) {
        Some(zero) => (!zero).then(|| Value::from(1)),
        None => pruned(amount, &Any),
    }
}

/// Goes through the texts that may be renamed.
pub(super) fn visit(value: &mut Value, shape: &Shape, each: &mut dyn FnMut(Leaf<'_>, &mut String)) {
    match (value, shape) {
        (Value::String(text), Name) if !text.is_empty() => each(Leaf::Name, text),
        (Value::String(text), Made) if !text.is_empty() => each(Leaf::Made, text),
        (Value::Object(map), Shape::Members(known)) => {
            for (name, shape) in *known {
                if let Some(member) = map.get_mut(*name) {
                    visit(member, shape, each);
                }
            }
        }
        (Value::Array(items), Shape::List(of)) => items.iter_mut().for_each(|item| visit(item, of, each)),
        (Value::Object(map), Labels | Values) => {
            for (key, value) in map.iter_mut() {
                let leaf = if matches!(shape, Labels) { Leaf::Label(key) } else { Leaf::Condition(key) };
                match value {
                    Value::String(text) => each(leaf, text),
                    // The key is mentioned all the same.
                    _ => each(leaf, &mut String::new()),
                }
            }
        }
        (Value::Object(map), Condition) => condition(map, each),
        _ => {}
    }
}

fn condition(map: &mut Map<String, Value>, each: &mut dyn FnMut(Leaf<'_>, &mut String)) {
    let Some(key) = map.get("key").and_then(Value::as_str).map(str::to_owned) else { return };
    each(Leaf::Condition(&key), &mut String::new());
    let values = map.get_mut("values").and_then(Value::as_array_mut).map(std::mem::take);
    let texts = |value: &mut Value, each: &mut dyn FnMut(Leaf<'_>, &mut String)| {
        if let Value::String(text) = value {
            each(Leaf::Condition(&key), text);
        }
    };
    if let Some(mut values) = values {
        for value in &mut values {
            texts(value, each);
        }
        map["values"] = Value::Array(values);
    }
    if let Some(value) = map.get_mut("value") {
        texts(value, each);
    }
}

/// Keeps labels with some keys only.
pub(super) fn retain_labels(value: &mut Value, shape: &Shape, keeps: &dyn Fn(&str) -> bool) {
    match (value, shape) {
        (Value::Object(map), Labels) => map.retain(|key, _| keeps(key)),
        (Value::Object(map), Shape::Members(known)) => {
            for (name, shape) in *known {
                if let Some(member) = map.get_mut(*name) {
                    retain_labels(member, shape, keeps);
                }
            }
        }
        (Value::Array(items), Shape::List(of)) => items.iter_mut().for_each(|item| retain_labels(item, of, keeps)),
        _ => {}
    }
}
