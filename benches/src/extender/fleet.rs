//! Nodes of eight GPUs, most of them cut, and pods that hold part of the slices: as the API server sends them.
//!
//! Everything follows from a [`Shape`] and is made anew when it is asked for, so that whoever serves and whoever asks
//! agree without telling each other.

use std::collections::{BTreeMap, HashSet};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use migsaw::geometry::Catalog;
use migsaw_extender::fleet::Keeper;
use migsaw_kube::scheduling::{Change, NodeObject, Pod};
use migsaw_sim::Rng;
use serde_json::{Value, json};

/// GPUs of a node.
const GPUS: usize = 8;
/// Of a hundred slices, those that are held where nothing else is said.
const HELD_PERCENT: u64 = 60;
/// Pods of one workload.
const REPLICAS: u32 = 50;

/// A GPU model and its five profiles that are in use.
#[derive(Debug)]
pub struct Kind {
    product: &'static str,
    family: &'static str,
    mebibytes: u32,
    /// From small to large, in the order of `CUTS`.
    pub profiles: [&'static str; 5],
}

/// The models of the fleet.
pub const KINDS: [Kind; 3] = [
    Kind {
        product: "NVIDIA-H100-80GB-HBM3",
        family: "hopper",
        mebibytes: 81_559,
        profiles: ["1g.10gb", "1g.20gb", "2g.20gb", "3g.40gb", "7g.80gb"],
    },
    Kind {
        product: "NVIDIA-A100-SXM4-80GB",
        family: "ampere",
        mebibytes: 81_920,
        profiles: ["1g.10gb", "1g.20gb", "2g.20gb", "3g.40gb", "7g.80gb"],
    },
    Kind {
        product: "NVIDIA-A100-SXM4-40GB",
        family: "ampere",
        mebibytes: 40_960,
        profiles: ["1g.5gb", "1g.10gb", "2g.10gb", "3g.20gb", "7g.40gb"],
    },
];

/// How a GPU may be cut: instances of each of its model's profiles.
const CUTS: [[u64; 5]; 6] =
    [[7, 0, 0, 0, 0], [2, 0, 1, 1, 0], [1, 0, 3, 0, 0], [0, 0, 0, 2, 0], [0, 4, 0, 0, 0], [0, 0, 0, 0, 1]];

/// How large a fleet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Nodes.
    pub nodes: u32,
    /// Pods on them that hold slices; `None` for as many as hold three slices of five.
    pub slice_pods: Option<u32>,
    /// Pods on them that hold none.
    pub other_pods: u32,
    /// In how many ways nodes of a model are cut.
    pub ways: u64,
    /// From what it is drawn.
    pub seed: u64,
}

impl Shape {
    /// A fleet of so many nodes, three of five slices held, cut in the few ways a real one is.
    pub fn of(nodes: u32) -> Shape {
        Shape { nodes, slice_pods: None, other_pods: 0, ways: 12, seed: 1 }
    }
}

/// A node.
#[derive(Debug)]
pub struct Made {
    /// Its name.
    pub name: String,
    /// Its model.
    pub kind: &'static Kind,
    /// Slices of each profile.
    slices: [u64; 5],
    whole: u64,
    way: u64,
}

/// The name of a node.
pub fn name(node: u32) -> String {
    format!("gpu-node-{node:05}")
}

/// The node with this number.
pub fn node(shape: &Shape, number: u32) -> Made {
    let mut rng = Rng::new(shape.seed ^ (u64::from(number) << 16));
    let kind = match rng.below(10) {
        0..=4 => 0,
        5..=7 => 1,
        _ => 2,
    };
    let way = rng.below(shape.ways.max(1));
    // The way decides, not the node: MIG Manager cuts nodes by the name of a configuration.
    let mut rng = Rng::new(shape.seed.wrapping_mul(0x1000_0001) ^ way);
    let uncut = rng.below(3);
    let mut slices = [0; 5];
    for _ in uncut..GPUS as u64 {
        let cut = CUTS[usize::try_from(rng.below(CUTS.len() as u64)).unwrap_or(0)];
        slices.iter_mut().zip(cut).for_each(|(slices, more)| *slices += more);
    }
    Made { name: name(number), kind: &KINDS[kind], slices, whole: uncut, way }
}

impl Made {
    /// The slices it offers, by profile.
    pub fn offers(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.kind.profiles.into_iter().zip(self.slices).filter(|(_, n)| *n > 0)
    }

    /// The node as JSON, with the labels that GPU feature discovery sets and with `managedFields`.
    pub fn json(&self) -> String {
        let Made { name, kind, slices, whole, way } = self;
        let mut labels = BTreeMap::from([
            ("kubernetes.io/arch".to_owned(), "amd64".to_owned()),
            ("kubernetes.io/hostname".to_owned(), name.clone()),
            ("kubernetes.io/os".to_owned(), "linux".to_owned()),
            ("node.kubernetes.io/instance-type".to_owned(), "gpu-8x".to_owned()),
            ("topology.kubernetes.io/zone".to_owned(), format!("zone-{}", way % 3)),
            ("nvidia.com/cuda.driver-version.full".to_owned(), "580.95.05".to_owned()),
            ("nvidia.com/cuda.driver-version.major".to_owned(), "580".to_owned()),
            ("nvidia.com/cuda.runtime-version.full".to_owned(), "13.0".to_owned()),
            ("nvidia.com/gfd.timestamp".to_owned(), "1760000000".to_owned()),
            ("nvidia.com/gpu.count".to_owned(), GPUS.to_string()),
            ("nvidia.com/gpu.family".to_owned(), kind.family.to_owned()),
            ("nvidia.com/gpu.memory".to_owned(), kind.mebibytes.to_string()),
            ("nvidia.com/gpu.present".to_owned(), "true".to_owned()),
            ("nvidia.com/gpu.product".to_owned(), kind.product.to_owned()),
            ("nvidia.com/gpu.replicas".to_owned(), "1".to_owned()),
            ("nvidia.com/gpu.sharing-strategy".to_owned(), "none".to_owned()),
            ("nvidia.com/mig.capable".to_owned(), "true".to_owned()),
            ("nvidia.com/mig.config".to_owned(), format!("custom-{way}")),
            ("nvidia.com/mig.config.state".to_owned(), "success".to_owned()),
            ("nvidia.com/mig.strategy".to_owned(), "mixed".to_owned()),
        ]);
        let mut resources = json!({"cpu": "128", "ephemeral-storage": "1000Gi", "hugepages-2Mi": "0",
            "memory": "1Ti", "nvidia.com/gpu": whole.to_string(), "pods": "110"});
        for (profile, n) in kind.profiles.iter().zip(slices).filter(|(_, n)| **n > 0) {
            resources[format!("nvidia.com/mig-{profile}")] = json!(n.to_string());
            for (label, value) in [
                ("count", n.to_string()),
                ("engines.copy", "1".to_owned()),
                ("engines.decoder", "1".to_owned()),
                ("engines.encoder", "0".to_owned()),
                ("engines.jpeg", "1".to_owned()),
                ("engines.ofa", "0".to_owned()),
                ("memory", "9984".to_owned()),
                ("multiprocessors", "16".to_owned()),
                ("product", format!("{}-MIG-{profile}", kind.product)),
                ("replicas", "1".to_owned()),
                ("sharing-strategy", "none".to_owned()),
                ("slices.ci", "1".to_owned()),
                ("slices.gi", "1".to_owned()),
            ] {
                labels.insert(format!("nvidia.com/mig-{profile}.{label}"), value);
            }
        }
        let fields: Value = labels.keys().map(|key| (format!("f:{key}"), json!({}))).collect();
        let condition = |kind: &str, status: &str, reason: &str| {
            json!({"type": kind, "status": status, "lastHeartbeatTime": "2026-11-23T04:14:57Z",
                "lastTransitionTime": "2026-11-23T04:14:57Z", "reason": reason, "message": reason})
        };
        json!({
            "metadata": {"name": name, "uid": format!("node-{name}"), "resourceVersion": "212",
                "creationTimestamp": "2026-11-23T04:14:57Z", "labels": labels,
                "managedFields": [{"manager": "gpu-feature-discovery", "operation": "Update", "apiVersion": "v1",
                    "time": "2026-11-23T04:14:57Z", "fieldsType": "FieldsV1",
                    "fieldsV1": {"f:metadata": {"f:labels": fields}}}]},
            "spec": {},
            "status": {"capacity": resources, "allocatable": resources,
                "conditions": [
                    condition("MemoryPressure", "False", "KubeletHasSufficientMemory"),
                    condition("DiskPressure", "False", "KubeletHasNoDiskPressure"),
                    condition("PIDPressure", "False", "KubeletHasSufficientPID"),
                    condition("Ready", "True", "KubeletReady")],
                "nodeInfo": {"architecture": "amd64", "kernelVersion": "6.8.0-79-generic", "kubeletVersion": "v1.36.2",
                    "containerRuntimeVersion": "containerd://2.1.4", "operatingSystem": "linux",
                    "osImage": "Ubuntu 24.04.3 LTS"}},
        })
        .to_string()
    }
}

/// What a pod is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct PodText<'a> {
    pub(super) number: u32,
    /// A profile and how many of it.
    pub(super) slices: Option<(&'a str, u64)>,
    /// The node it is bound to.
    pub(super) on: Option<&'a str>,
    /// Whether it selects nodes by a label.
    pub(super) is_particular: bool,
}

/// A pod as JSON: without `managedFields` if it is pending, as the scheduler has it.
pub(super) fn pod(made: PodText<'_>) -> String {
    static BOUND: LazyLock<String> = LazyLock::new(|| template(true, false));
    static PENDING: LazyLock<[String; 2]> = LazyLock::new(|| [false, true].map(|is| template(false, is)));
    let template = if made.on.is_some() { &BOUND } else { &PENDING[usize::from(made.is_particular)] };
    let slices = |(profile, n): (&str, u64)| format!(r#","nvidia.com/mig-{profile}":"{n}""#);
    let workload = made.number / REPLICAS;
    template
        .replace("@number", &format!("{:08}", made.number))
        .replace("@workload", &format!("{workload:05}"))
        .replace("@team", &(workload % 40).to_string())
        .replace("@node", made.on.unwrap_or_default())
        .replace(r#","nvidia.com/@slices":"""#, &made.slices.map(slices).unwrap_or_default())
}

fn template(is_bound: bool, is_particular: bool) -> String {
    let mut pod = json!({
        "metadata": {"name": "llm-@workload-@number", "namespace": "team-@team", "generation": 1,
            "uid": "a52aa5d7-8b78-40dc-8d58-0000@number", "resourceVersion": "1@number",
            "creationTimestamp": "2026-11-23T04:14:58Z", "labels": {"app": "llm-@workload", "team": "@team"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "llm-@workload",
                "uid": "b52aa5d7-8b78-40dc-8d58-0000000@workload", "controller": true, "blockOwnerDeletion": true}]},
        "spec": {
            "volumes": [{"name": "kube-api-access-t964z", "projected": {"defaultMode": 420, "sources": [
                {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
                {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
                {"downwardAPI": {"items": [{"path": "namespace",
                    "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}]}}]}}],
            "containers": [{"name": "main", "image": "registry.example/app:1",
                "resources": {"limits": {"memory": "16Gi", "nvidia.com/@slices": ""},
                    "requests": {"cpu": "4", "memory": "16Gi", "nvidia.com/@slices": ""}},
                "volumeMounts": [{"name": "kube-api-access-t964z", "readOnly": true,
                    "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}],
                "terminationMessagePath": "/dev/termination-log", "terminationMessagePolicy": "File",
                "imagePullPolicy": "IfNotPresent"}],
            "restartPolicy": "Always", "terminationGracePeriodSeconds": 30, "dnsPolicy": "ClusterFirst",
            "serviceAccountName": "default", "serviceAccount": "default", "securityContext": {},
            "schedulerName": "default-scheduler",
            "tolerations": [
                {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"},
                {"key": "node.kubernetes.io/not-ready", "operator": "Exists", "effect": "NoExecute",
                    "tolerationSeconds": 300},
                {"key": "node.kubernetes.io/unreachable", "operator": "Exists", "effect": "NoExecute",
                    "tolerationSeconds": 300}],
            "priority": 0, "enableServiceLinks": true, "preemptionPolicy": "PreemptLowerPriority"},
        "status": {"phase": "Pending", "qosClass": "Burstable"},
    });
    if is_particular {
        pod["spec"]["affinity"] = json!({"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
            {"nodeSelectorTerms": [{"matchExpressions": [
                {"key": "nvidia.com/mig.capable", "operator": "In", "values": ["true"]},
                {"key": "nvidia.com/gpu.memory", "operator": "Gt", "values": ["40000"]}]}]}}});
    }
    if is_bound {
        pod["spec"]["nodeName"] = json!("@node");
        pod["metadata"]["managedFields"] = json!([{"manager": "kube-controller-manager", "operation": "Update",
            "apiVersion": "v1", "time": "2026-11-23T04:15:09Z", "fieldsType": "FieldsV1", "fieldsV1": {
                "f:metadata": {"f:labels": {".": {}, "f:app": {}, "f:team": {}}, "f:ownerReferences": {}},
                "f:spec": {"f:containers": {"k:{\"name\":\"main\"}": {".": {}, "f:image": {},
                    "f:imagePullPolicy": {}, "f:name": {}, "f:resources": {".": {}, "f:limits": {}, "f:requests": {}},
                    "f:terminationMessagePath": {}, "f:terminationMessagePolicy": {}}},
                    "f:dnsPolicy": {}, "f:enableServiceLinks": {}, "f:restartPolicy": {}, "f:schedulerName": {},
                    "f:securityContext": {}, "f:terminationGracePeriodSeconds": {}, "f:tolerations": {}}}}]);
        pod["status"] = json!({"phase": "Running", "qosClass": "Burstable", "podIP": "10.1.2.3",
            "startTime": "2026-11-23T04:15:09Z",
            "conditions": [
                {"type": "Ready", "status": "True", "lastProbeTime": null,
                    "lastTransitionTime": "2026-11-23T04:15:09Z"},
                {"type": "PodScheduled", "status": "True", "lastProbeTime": null,
                    "lastTransitionTime": "2026-11-23T04:15:09Z"}]});
    }
    pod.to_string()
}

/// The pods that are on nodes, as JSON: those with slices, then the others.
pub fn pods(shape: &Shape) -> impl Iterator<Item = String> {
    let shape = *shape;
    let mut made = 0;
    let with_slices = (0..shape.nodes).flat_map(move |number| {
        let node = node(&shape, number);
        let most = shape.slice_pods.map(|pods| {
            let due = u64::from(pods) * u64::from(number + 1) / u64::from(shape.nodes);
            u32::try_from(due).unwrap_or(pods) - made
        });
        let on_it = held(&node, shape.seed ^ u64::from(number), most.unwrap_or(u32::MAX));
        let first = made;
        made += u32::try_from(on_it.len()).unwrap_or(u32::MAX);
        on_it.into_iter().zip(first..).map(move |(slices, number)| {
            pod(PodText { number, slices: Some(slices), on: Some(&node.name), is_particular: false })
        })
    });
    let others = (0..shape.other_pods).map(move |i| {
        let on = name(i % shape.nodes.max(1));
        pod(PodText { number: 50_000_000 + i, slices: None, on: Some(&on), is_particular: false })
    });
    with_slices.chain(others)
}

/// What each of at most so many pods on a node holds.
fn held(node: &Made, seed: u64, most: u32) -> Vec<(&'static str, u64)> {
    let mut rng = Rng::new(seed);
    let mut pods = Vec::new();
    for (profile, slices) in node.kind.profiles.into_iter().zip(node.slices) {
        let mut left = slices * HELD_PERCENT / 100;
        while left > 0 {
            let takes = if left > 1 && rng.chance(1, 8) { 2 } else { 1 };
            left -= takes;
            pods.push((profile, takes));
        }
    }
    while pods.len() > most as usize {
        pods.swap_remove(usize::try_from(rng.below(pods.len() as u64)).expect("an index"));
    }
    pods
}

/// How long it took to keep a fleet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Took {
    /// Nodes and pods together.
    pub objects: u32,
    /// To read them from JSON.
    pub read: Duration,
    /// To keep them, from the first to the moment at which requests see all of them.
    pub keep: Duration,
}

/// A keeper who was told of all of a fleet, as after the first list.
///
/// # Panics
/// If what is made up cannot be read.
pub fn keeper(shape: &Shape) -> (Keeper, Took) {
    let mut keeper = Keeper::new(&Catalog::builtin());
    let mut took = Took::default();
    let mut told = |keeper: &mut Keeper, change: Change| {
        let begun = Instant::now();
        keeper.apply(change).expect("no plan is told of");
        took.keep += begun.elapsed();
    };
    let (mut names, mut uids, mut read) = (HashSet::new(), HashSet::new(), Duration::ZERO);
    for number in 0..shape.nodes {
        let text = node(shape, number).json();
        let begun = Instant::now();
        let object: NodeObject = serde_json::from_str(&text).expect("a node");
        read += begun.elapsed();
        names.insert(object.name().to_owned());
        told(&mut keeper, Change::Node(object));
    }
    told(&mut keeper, Change::NodesAre(names));
    for text in pods(shape) {
        let begun = Instant::now();
        let pod: Pod = serde_json::from_str(&text).expect("a pod");
        read += begun.elapsed();
        uids.insert(pod.uid.clone());
        told(&mut keeper, Change::Pod(Box::new(pod)));
    }
    let objects = shape.nodes + u32::try_from(uids.len()).expect("few million pods");
    told(&mut keeper, Change::PodsAre(uids));
    let begun = Instant::now();
    keeper.refresh(begun);
    took.keep += begun.elapsed();
    (keeper, Took { objects, read, ..took })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fleet_is_kept_as_it_was_made() {
        let shape = Shape { other_pods: 70, ..Shape::of(60) };
        let (keeper, took) = keeper(&shape);
        let known = keeper.known();
        assert_eq!((known.nodes, known.is_all), (60, true));
        assert_eq!(took.objects as usize, 60 + 70 + known.pods, "pods without slices are not kept");
        let fleet = keeper.fleet();
        let views: Vec<_> = fleet.names().iter().map(|name| fleet.view(name).unwrap()).collect();
        assert!(views.iter().all(|view| view.node.gpus.as_ref().is_some_and(|gpus| gpus.cut.is_some())));
        let slices = |amounts: &BTreeMap<std::sync::Arc<str>, u64>| -> u64 {
            amounts.iter().filter(|(resource, _)| resource.contains("mig-")).map(|(_, n)| n).sum()
        };
        let offered: u64 = views.iter().map(|view| slices(&view.node.offers)).sum();
        let free: u64 = views.iter().map(|view| slices(&view.free)).sum();
        assert!((35..=50).contains(&(free * 100 / offered)), "{free} of {offered} slices are free");
    }

    #[test]
    fn as_many_pods_as_were_asked_for() {
        let shape = Shape { slice_pods: Some(400), ..Shape::of(60) };
        assert_eq!(pods(&shape).count(), 400);
        assert!(pods(&shape).eq(pods(&shape)));
    }
}
