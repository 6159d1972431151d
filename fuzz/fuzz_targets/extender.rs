//! Whatever comes as a body, the extender answers it, and what it answers is what kube-scheduler can take.
//!
//! The first byte chooses the verb, whether pods claim nodes, and whether the pod is explained as well; the rest is
//! the body.
#![no_main]

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use libfuzzer_sys::fuzz_target;
use migsaw::geometry::Catalog;
use migsaw_extender::fleet::Keeper;
use migsaw_extender::service::{Answers, Outcome, Reply, Verb};
use migsaw_extender::wire::{Args, MAX_SCORE, PreemptArgs, Text};
use migsaw_extender::{Extender, Reason, Settings};
use migsaw_kube::scheduling::{Change, Pod};
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;
use serde_json::value::RawValue;

/// A small cluster with one node of each sort, and the pods that the recorded requests would evict.
struct World {
    keeper: Mutex<Keeper>,
    counted: Extender,
    claiming: Extender,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let mut keeper = Keeper::new(&Catalog::builtin());
    let mut tell = |change| keeper.apply(change).expect("no plan is told of");
    let h100 = "NVIDIA-H100-80GB-HBM3";
    let mixed = json!({"nvidia.com/mig-1g.10gb": 3, "nvidia.com/mig-2g.20gb": 1, "nvidia.com/mig-3g.40gb": 1});
    let fewer = json!({"nvidia.com/mig-1g.10gb": 2, "nvidia.com/mig-2g.20gb": 1, "nvidia.com/mig-3g.40gb": 1});
    let one = json!({"nvidia.com/mig-1g.10gb": 7});
    let nodes = [
        node("h100-mixed", h100, "2", "mixed", mixed.clone(), json!({})),
        node("h100-tainted", h100, "2", "mixed", mixed.clone(), json!({"taints": [{"key": "migsaw.io/rollout"}]})),
        node("h100-recut", h100, "2", "mixed", mixed.clone(), json!({"state": "pending"})),
        node("h100-claims", h100, "2", "mixed", mixed, json!({})),
        node("h100-one", h100, "1", "mixed", one, json!({})),
        node("h100-blank", h100, "8", "mixed", json!({"nvidia.com/gpu": 8}), json!({})),
        node("a100-mixed", "NVIDIA-A100-SXM4-80GB", "1", "mixed", fewer, json!({})),
        node("h200-single", "NVIDIA-H200", "1", "single", json!({"nvidia.com/gpu": 7}), json!({})),
        node("cpu-only", "", "0", "none", json!({}), json!({})),
    ];
    for node in &nodes {
        tell(Change::Node(serde_json::from_value(node.clone()).expect("a node")));
    }
    let names = nodes.iter().filter_map(|node| Some(node["metadata"]["name"].as_str()?.to_owned()));
    tell(Change::NodesAre(names.collect()));
    let uids = ["83ee1310-7465-41b3-9598-b192f7f81397", "19a8e9d1-3a98-4a33-befe-349a78b67579"];
    for uid in uids {
        tell(Change::Pod(Box::new(pod(uid, "h100-mixed", "1g.10gb"))));
    }
    let others = ["1358ee34-feb6-42a4-a226-5d70c7b5a0dc", "61030b7a-0093-4ee2-9521-1045787bd22e"];
    for uid in others {
        tell(Change::Pod(Box::new(pod(uid, "a100-mixed", "1g.10gb"))));
    }
    tell(Change::PodsAre(uids.into_iter().chain(others).map(str::to_owned).collect()));
    tell(Change::GivenByClaims(["h100-claims".to_owned()].into()));
    keeper.refresh(Instant::now());
    let fleet = || Arc::clone(keeper.fleet());
    let claiming = Settings { ignored_by_scheduler: true, claim_ttl: Duration::from_secs(1), ..Settings::default() };
    let (counted, claiming) = (Extender::new(fleet(), Settings::default()), Extender::new(fleet(), claiming));
    World { keeper: Mutex::new(keeper), counted, claiming }
});

fn node(
    name: &str,
    product: &str,
    gpus: &str,
    strategy: &str,
    offers: serde_json::Value,
    more: serde_json::Value,
) -> serde_json::Value {
    let state = more["state"].as_str().unwrap_or("success");
    json!({
        "metadata": {"name": name, "labels": {"nvidia.com/gpu.product": product, "nvidia.com/gpu.count": gpus,
            "nvidia.com/mig.strategy": strategy, "nvidia.com/mig.config.state": state,
            "nvidia.com/mig.capable": "true", "nvidia.com/gpu.memory": "81559"}},
        "spec": {"taints": more["taints"]},
        "status": {"capacity": offers, "allocatable": offers, "conditions": [{"type": "Ready", "status": "True"}]},
    })
}

fn pod(uid: &str, node: &str, profile: &str) -> Pod {
    let slices = json!({"cpu": "100m", format!("nvidia.com/mig-{profile}"): "1"});
    let pod = json!({
        "metadata": {"name": &uid[..8], "namespace": "default", "uid": uid},
        "spec": {"nodeName": node, "containers": [{"resources": {"limits": slices, "requests": slices}}]},
        "status": {"phase": "Running"},
    });
    serde_json::from_value(pod).expect("a pod")
}

fuzz_target!(|input: &[u8]| {
    let Some((&first, body)) = input.split_first() else { return };
    let verb = Verb::ALL[usize::from(first & 3)];
    let (claims, explains) = (first & 4 != 0, first & 8 != 0);
    let world = &*WORLD;
    let extender = if claims { &world.claiming } else { &world.counted };
    let reply = extender.answer(verb, body);
    assert_eq!(extender.answer(verb, body), reply, "asked again, it says the same");
    match (reply.outcome, verb) {
        (Outcome::BadRequest, _) => {
            let sentence = std::str::from_utf8(&reply.body).expect("a sentence");
            assert!(sentence.starts_with(verb.as_str()), "{sentence}");
        }
        (_, Verb::Filter) => filtered(body, &reply),
        (_, Verb::Prioritize) => prioritized(body, &reply),
        (_, Verb::Preempt) => preempted(body, &reply),
        (_, Verb::Bind) => panic!("bind is not answered here"),
    }
    if explains && let Ok(Args { pod: Some(pod), .. }) = serde_json::from_slice(body) {
        explain(extender, &pod);
    }
    // So that every input finds the same cluster.
    let mut keeper = world.keeper.lock().expect("nobody panics with it");
    keeper.refresh(Instant::now() + Duration::from_secs(60));
    assert!(keeper.fleet().claims.is_empty(), "claims run out");
});

/// The arguments of filter and prioritize, read once more.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked<'a> {
    #[serde(rename = "Pod", alias = "pod")]
    pod: Option<IgnoredAny>,
    #[serde(borrow, rename = "Nodes", alias = "nodes")]
    nodes: Option<Whole<'a>>,
    #[serde(rename = "NodeNames", alias = "nodenames", alias = "nodeNames")]
    names: Option<Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Whole<'a> {
    #[serde(borrow, alias = "Items")]
    items: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct Named {
    metadata: NameOnly,
}

#[derive(Deserialize)]
struct NameOnly {
    name: String,
}

impl Asked<'_> {
    fn is_whole(&self) -> bool {
        self.names.is_none() && self.nodes.as_ref().is_some_and(|nodes| nodes.items.is_some())
    }

    fn names(&self) -> Vec<String> {
        let name = |node: &&RawValue| of::<Named>(node.get().as_bytes()).metadata.name;
        let whole = || self.nodes.as_ref().and_then(|nodes| nodes.items.as_ref()).into_iter().flatten().map(name);
        self.names.clone().unwrap_or_else(|| whole().collect())
    }
}

/// The answer to filter.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Filtered {
    nodes: Option<Kept>,
    node_names: Option<Vec<String>>,
    failed_nodes: Pairs,
    failed_and_unresolvable_nodes: Pairs,
    error: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    items: Vec<Box<RawValue>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Scored {
    host: String,
    score: i64,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct Preempted {
    node_name_to_meta_victims: BTreeMap<String, Victims>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Victims {
    #[serde(rename = "Pods")]
    pods: Vec<Uid>,
    #[serde(rename = "NumPDBViolations")]
    violations: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Uid {
    #[serde(rename = "UID")]
    uid: String,
}

/// The members of an object, the same name as often as it is there.
struct Pairs(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Pairs, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("nodes with sentences")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(All)
    }
}

fn of<T: DeserializeOwned>(bytes: &[u8]) -> T {
    serde_json::from_slice(bytes).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(bytes)))
}

fn asked(body: &[u8]) -> Asked<'_> {
    serde_json::from_slice(body).expect("what was answered can be read")
}

/// Each node is kept, in the order and form of the request, or turned away with a sentence that fits.
fn filtered(body: &[u8], reply: &Reply) {
    let (asked, answer) = (asked(body), of::<Filtered>(&reply.body));
    let names = asked.names();
    assert_eq!(reply.outcome == Outcome::Error, !answer.error.is_empty());
    let (failed, unresolvable) = (answer.failed_nodes.0, answer.failed_and_unresolvable_nodes.0);
    if !answer.error.is_empty() {
        assert!(answer.nodes.is_none() && answer.node_names.is_none() && failed.is_empty() && unresolvable.is_empty());
        return;
    }
    let items = asked.nodes.as_ref().and_then(|nodes| nodes.items.as_ref());
    let kept: Vec<String> = match (answer.nodes, answer.node_names) {
        (Some(Kept { items: kept }), None) if asked.is_whole() => {
            let offered: Vec<&str> = items.into_iter().flatten().map(|item| item.get()).collect();
            assert!(kept.iter().all(|item| offered.contains(&item.get())), "nodes come back as they were");
            kept.iter().map(|item| of::<Named>(item.get().as_bytes()).metadata.name).collect()
        }
        (None, Some(kept)) if !asked.is_whole() => kept,
        _ => panic!("the answer has the form of the request"),
    };
    let mut offered = names.iter();
    assert!(kept.iter().all(|name| offered.any(|offered| offered == name)), "what is kept was offered, in its order");
    for (sentences, is_final) in [(&failed, false), (&unresolvable, true)] {
        for (_, sentence) in sentences {
            let reason = Reason::ALL.into_iter().find(|reason| reason.sentence() == sentence);
            assert_eq!(reason.map(Reason::is_final), Some(is_final), "{sentence}");
        }
    }
    assert_eq!((reply.nodes.offered, reply.nodes.kept), (names.len(), kept.len()));
    assert_eq!(reply.outcome, if kept.is_empty() { Outcome::Rejected } else { Outcome::Ok });
    let mut all: Vec<String> =
        kept.into_iter().chain([failed, unresolvable].concat().into_iter().map(|of| of.0)).collect();
    let mut names = names;
    (all.sort_unstable(), names.sort_unstable());
    assert_eq!(all, names, "each node is in one of the three");
}

/// A score for each node, in the order of the request.
fn prioritized(body: &[u8], reply: &Reply) {
    let (asked, answer) = (asked(body), of::<Vec<Scored>>(&reply.body));
    if asked.pod.is_none() {
        assert!(answer.is_empty());
        return;
    }
    assert!(answer.iter().all(|scored| (0..=MAX_SCORE).contains(&scored.score)));
    let hosts: Vec<String> = answer.into_iter().map(|scored| scored.host).collect();
    assert_eq!(hosts, asked.names());
}

/// On nodes that were proposed, at least one and no others than the pods that were proposed there.
fn preempted(body: &[u8], reply: &Reply) {
    let args: PreemptArgs<'_> = serde_json::from_slice(body).expect("what was answered can be read");
    let mut proposed: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (Text(node), victims) in args.victims.into_iter().flatten() {
        let pods = victims.into_iter().flat_map(|victims| victims.pods).flatten();
        proposed.entry(node.into_owned()).or_default().extend(pods.map(|pod| pod.uid));
    }
    for (Text(node), victims) in args.meta_victims.into_iter().flatten() {
        let pods = victims.into_iter().flat_map(|victims| victims.pods).flatten();
        proposed.entry(node.into_owned()).or_default().extend(pods.map(|pod| pod.uid));
    }
    for (node, victims) in of::<Preempted>(&reply.body).node_name_to_meta_victims {
        let mut proposed = proposed.get(&node).expect("the node was proposed").clone();
        assert!(proposed.is_empty() || !victims.pods.is_empty(), "somebody has to go");
        assert!(victims.violations <= i64::try_from(victims.pods.len()).expect("few pods"));
        for Uid { uid } in victims.pods {
            let at = proposed.iter().position(|proposed| *proposed == uid).expect("the pod was proposed");
            proposed.swap_remove(at);
        }
    }
}

/// What is remembered can be said.
fn explain(extender: &Extender, pod: &Pod) {
    let explained = extender.explain_pod(&pod.namespace, &pod.name);
    let _: IgnoredAny = of(&serde_json::to_vec(&explained).expect("an explanation is JSON"));
    for node in ["h100-mixed", "h200-single", "cpu-only", "h100-claims"] {
        let explained = extender.explain_node(node);
        assert!(serde_json::to_vec(&explained).is_ok_and(|text| text != b"null"), "{node} is known");
    }
}
