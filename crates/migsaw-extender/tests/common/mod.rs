//! An extender of a made-up or recorded cluster, asked with bodies like those of kube-scheduler.

#![allow(dead_code, clippy::unwrap_used, reason = "shared by tests that each need a part")]

pub(crate) mod accepts;
pub(crate) mod objects;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use migsaw::geometry::Catalog;
use migsaw_extender::fleet::Keeper;
use migsaw_extender::service::{Answers, Outcome, Verb};
use migsaw_extender::{Extender, Reason, Settings};
use migsaw_kube::scheduling::Change;
use serde_json::{Value, json};

/// A cluster and its extender.
pub(crate) struct World {
    pub(crate) keeper: Keeper,
    pub(crate) extender: Extender,
}

/// The settings for a scheduler that does not count slices itself.
pub(crate) fn ignored(claim_ttl: Duration) -> Settings {
    Settings { ignored_by_scheduler: true, claim_ttl, ..Settings::default() }
}

impl World {
    /// A cluster that has been listed.
    pub(crate) fn new(settings: Settings, nodes: &[Value], pods: &[Value]) -> World {
        let keeper = Keeper::new(&Catalog::builtin());
        let extender = Extender::new(keeper.fleet().clone(), settings);
        let mut world = World { keeper, extender };
        world.put_nodes(nodes);
        world.put_pods(pods);
        let text = |object: &Value, key: &str| object["metadata"][key].as_str().unwrap().to_owned();
        world.change(Change::PodsAre(pods.iter().map(|pod| text(pod, "uid")).collect()));
        world.change(Change::NodesAre(nodes.iter().map(|node| text(node, "name")).collect()));
        world.keeper.refresh(Instant::now());
        world
    }

    pub(crate) fn change(&mut self, change: Change) {
        self.keeper.apply(change).unwrap();
    }

    pub(crate) fn put_nodes<'v>(&mut self, nodes: impl IntoIterator<Item = &'v Value>) {
        for node in nodes {
            self.put_node(node);
        }
    }

    pub(crate) fn put_pods<'v>(&mut self, pods: impl IntoIterator<Item = &'v Value>) {
        for pod in pods {
            self.put_pod(pod);
        }
    }

    pub(crate) fn put_node(&mut self, node: &Value) {
        self.change(Change::Node(serde_json::from_value(node.clone()).unwrap()));
    }

    pub(crate) fn put_pod(&mut self, pod: &Value) {
        self.change(Change::Pod(Box::new(serde_json::from_value(pod.clone()).unwrap())));
    }

    pub(crate) fn remove_pod(&mut self, pod: &Value) {
        self.change(Change::PodGone(pod["metadata"]["uid"].as_str().unwrap().to_owned()));
    }

    /// The answer to a body, which has to be one that the scheduler accepts.
    pub(crate) fn ask(&self, verb: Verb, body: &str) -> Value {
        let reply = self.extender.answer(verb, body.as_bytes());
        let text = String::from_utf8(reply.body).unwrap();
        assert_ne!(reply.outcome, Outcome::BadRequest, "{text}");
        if let Err(why) = accepts::check(verb, body, &text) {
            panic!("kube-scheduler does not accept this answer to {}: {why}\n{text}", verb.as_str());
        }
        serde_json::from_str(&text).unwrap()
    }

    /// What becomes of each node: `ok` or the reason's word.
    pub(crate) fn filter(&self, pod: &Value, nodes: &[&str]) -> BTreeMap<String, String> {
        self.filter_or_wait(pod, nodes).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The same, or the sentence with which the scheduler is told to ask again.
    pub(crate) fn filter_or_wait(&self, pod: &Value, nodes: &[&str]) -> Result<BTreeMap<String, String>, String> {
        let answer = self.ask(Verb::Filter, &names(pod, nodes));
        match answer["Error"].as_str() {
            None | Some("") => Ok(verdicts(&answer)),
            Some(error) => Err(error.to_owned()),
        }
    }

    /// The score of each node.
    pub(crate) fn prioritize(&self, pod: &Value, nodes: &[&str]) -> BTreeMap<String, i64> {
        let answer = self.ask(Verb::Prioritize, &names(pod, nodes));
        let scores = answer.as_array().unwrap().iter();
        scores.map(|score| (score["Host"].as_str().unwrap().to_owned(), score["Score"].as_i64().unwrap())).collect()
    }
}

/// A body of `filter` or `prioritize` with nodes by name.
pub(crate) fn names(pod: &Value, nodes: &[&str]) -> String {
    json!({"Pod": pod, "Nodes": null, "NodeNames": nodes}).to_string()
}

/// What an answer to `filter` says of each node: `ok` or the reason's word.
pub(crate) fn verdicts(answer: &Value) -> BTreeMap<String, String> {
    let kept = answer["NodeNames"].as_array().unwrap().iter();
    let kept = kept.map(|name| (name.as_str().unwrap().to_owned(), "ok".to_owned()));
    let failed =
        [("FailedNodes", false), ("FailedAndUnresolvableNodes", true)].into_iter().flat_map(|(map, is_final)| {
            answer[map].as_object().unwrap().iter().map(move |(name, sentence)| {
                let reason =
                    Reason::ALL.into_iter().find(|reason| Some(reason.sentence()) == sentence.as_str()).unwrap();
                assert_eq!(reason.is_final(), is_final, "{reason:?} in {map}");
                (name.clone(), reason.label().to_owned())
            })
        });
    kept.chain(failed).collect()
}

/// What is expected of each node, written as `a=ok b=taken`.
pub(crate) fn expected(text: &str) -> BTreeMap<String, String> {
    let pair = |item: &str| item.split_once('=').map(|(name, word)| (name.to_owned(), word.to_owned())).unwrap();
    text.split_whitespace().map(pair).collect()
}
