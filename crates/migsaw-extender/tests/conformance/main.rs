//! Recorded requests of kube-scheduler, answered as it expects.

#![expect(clippy::unwrap_used, reason = "tests")]

mod answers;
#[path = "../common/mod.rs"]
mod common;
mod forms;
mod verdicts;
mod watched;

use std::path::Path;

use common::World;
use migsaw_extender::Settings;
use migsaw_extender::service::Verb;
use serde_json::Value;

/// Everything that kube-scheduler asked, with the verbs it asked it for.
const REQUESTS: [(&str, &[Verb]); 12] = [
    ("node-cache/filter-simple.request.json", &[Verb::Filter, Verb::Prioritize]),
    ("node-cache/filter-simple.raw.json", &[Verb::Filter, Verb::Prioritize]),
    ("node-cache/filter-rich.request.json", &[Verb::Filter, Verb::Prioritize]),
    ("node-cache/filter-rejected.request.json", &[Verb::Filter]),
    ("node-cache/filter-rejected-second-try.request.json", &[Verb::Filter]),
    ("node-cache/filter-nominated.request.json", &[Verb::Filter]),
    ("full-nodes/filter-simple.request.json", &[Verb::Filter, Verb::Prioritize]),
    ("full-nodes/filter-simple.raw.json", &[Verb::Filter, Verb::Prioritize]),
    ("full-nodes/filter-rich.request.json", &[Verb::Filter, Verb::Prioritize]),
    ("full-nodes/filter-rejected.request.json", &[Verb::Filter]),
    ("full-nodes/filter-nominated.request.json", &[Verb::Filter]),
    ("node-cache/preempt.request.json", &[Verb::Preempt]),
];
const PREEMPT_WHOLE: &str = "full-nodes/preempt.request.json";

fn recorded(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)).unwrap()
}

fn json(name: &str) -> Value {
    serde_json::from_str(&recorded(name)).unwrap()
}

/// All requests, each once for each verb it was sent for.
fn requests() -> impl Iterator<Item = (&'static str, Verb, String)> {
    let all = REQUESTS.into_iter().chain([(PREEMPT_WHOLE, &[Verb::Preempt][..])]);
    all.flat_map(|(name, verbs)| verbs.iter().map(move |verb| (name, *verb, recorded(name))))
}

/// The items of a list.
fn items(name: &str) -> Vec<Value> {
    json(name)["items"].as_array().unwrap().clone()
}

/// The cluster as the API server listed it.
fn cluster(settings: Settings) -> World {
    World::new(settings, &items("api/nodes.list.json"), &items("api/pods.list.json"))
}

/// The events of a watch.
fn events(name: &str) -> Vec<Value> {
    recorded(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
