//! What is remembered of nodes never changes an answer.

use std::collections::BTreeMap;
use std::time::Instant;

use migsaw_extender::Settings;
use migsaw_kube::scheduling::Change;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::common::World;
use super::common::objects::{A100, H100, node, on, pod};

const NODES: [&str; 5] = ["a", "b", "c", "d", "e"];
const OFFERS: [(&str, u32, &str); 4] =
    [(H100, 1, "1g.10gb=7"), (H100, 2, "1g.10gb=7,3g.40gb=2"), (A100, 2, "3g.40gb=4"), (H100, 2, "gpu=2")];
const ASKS: [&str; 4] = ["1g.10gb=1", "1g.10gb=2", "3g.40gb=1", "gpu=1"];

#[derive(Debug, Clone, Copy)]
enum Event {
    /// A node comes or is another.
    Node {
        name: usize,
        offers: usize,
    },
    NodeGone {
        name: usize,
    },
    /// A pod comes, or is elsewhere.
    Pod {
        uid: usize,
        asks: usize,
        node: usize,
    },
    PodGone {
        uid: usize,
    },
    Nothing,
}

fn event() -> impl Strategy<Value = Event> {
    let (names, uids) = (0..NODES.len(), 0..6_usize);
    prop_oneof![
        2 => (names.clone(), 0..OFFERS.len()).prop_map(|(name, offers)| Event::Node { name, offers }),
        1 => names.clone().prop_map(|name| Event::NodeGone { name }),
        4 => (uids.clone(), 0..ASKS.len(), names).prop_map(|(uid, asks, node)| Event::Pod { uid, asks, node }),
        2 => uids.prop_map(|uid| Event::PodGone { uid }),
        2 => Just(Event::Nothing),
    ]
}

fn made(name: usize, offers: usize) -> Value {
    let (product, gpus, amounts) = OFFERS[offers];
    node(NODES[name], product, gpus, amounts)
}

/// A pod that is asked about. It has no UID, so nobody expects it anywhere.
fn nobody(asks: &str) -> Value {
    let mut pod = pod("asked", asks);
    pod["metadata"]["uid"] = json!("");
    pod
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn answers_are_those_of_an_extender_that_was_never_asked(events in vec((event(), 0..ASKS.len()), 1..40)) {
        let mut nodes = BTreeMap::from([(0, 0), (1, 1), (2, 2)]);
        let mut pods: BTreeMap<usize, Value> = BTreeMap::new();
        let listed = |nodes: &BTreeMap<usize, usize>| nodes.iter().map(|(name, offers)| made(*name, *offers)).collect();
        let first: Vec<Value> = listed(&nodes);
        let mut asked = World::new(Settings::default(), &first, &[]);
        for (event, asks) in events {
            match event {
                Event::Node { name, offers } => {
                    nodes.insert(name, offers);
                    asked.put_node(&made(name, offers));
                }
                Event::NodeGone { name } => {
                    nodes.remove(&name);
                    asked.change(Change::NodeGone(NODES[name].to_owned()));
                }
                Event::Pod { uid, asks, node } => {
                    let pod = on(NODES[node], pod(&format!("p{uid}"), ASKS[asks]));
                    asked.put_pod(&pod);
                    pods.insert(uid, pod);
                }
                Event::PodGone { uid } => {
                    if let Some(pod) = pods.remove(&uid) {
                        asked.remove_pod(&pod);
                    }
                }
                Event::Nothing => {}
            }
            asked.keeper.refresh(Instant::now());
            let (nodes, pods): (Vec<Value>, Vec<Value>) = (listed(&nodes), pods.values().cloned().collect());
            let fresh = World::new(Settings::default(), &nodes, &pods);
            let pod = nobody(ASKS[asks]);
            prop_assert_eq!(asked.filter(&pod, &NODES), fresh.filter(&pod, &NODES));
            prop_assert_eq!(asked.prioritize(&pod, &NODES), fresh.prioritize(&pod, &NODES));
        }
    }
}
