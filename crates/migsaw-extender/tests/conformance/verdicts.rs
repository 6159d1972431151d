//! What is said of each node, for each recorded request, worked out by hand.
//!
//! The cluster as listed: `a100-mixed` (one GPU) offers 2 x 1g.10gb, 1 x 2g.20gb and 1 x 3g.40gb; `h100-mixed` (two)
//! 3, 1 and 1 of the same; `h100-blank` has eight GPUs with MIG off, and three pods that are bound there all the same;
//! `h100-tainted` offers 56 x 1g.10gb; `h200-single` is cut into 1g.18gb under strategy `single`; `cpu-only` has
//! nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use migsaw_extender::Settings;
use migsaw_extender::service::Verb;
use serde_json::{Value, json};

use super::common::{World, ignored};
use super::{PREEMPT_WHOLE, cluster, json as recorded_json, recorded};

const OTHERWISE: &str = "GPUs are not cut into enough of these slices";
const NO_GPUS: &str = "no GPUs of the kind asked for";
const STRATEGY: &str = "MIG strategy single offers slices as nvidia.com/gpu only";
const WAITING: &str = "pods evicted for this one are not seen to be gone from its nominated node yet";

/// The answer to a filter, in one form: nodes kept, nodes failed for now, nodes failed for good.
type Answer = (Vec<String>, BTreeMap<String, String>, BTreeMap<String, String>);

fn answer(world: &World, body: &str) -> Answer {
    let said = world.ask(Verb::Filter, body);
    assert_eq!(said["Error"], "");
    let name = |node: &Value| node.as_str().or(node["metadata"]["name"].as_str()).unwrap().to_owned();
    let kept = said["NodeNames"].as_array().or(said["Nodes"]["items"].as_array()).unwrap();
    let map = |key: &str| serde_json::from_value(said[key].clone()).unwrap();
    (kept.iter().map(name).collect(), map("FailedNodes"), map("FailedAndUnresolvableNodes"))
}

fn check(file: &str, kept: &[&str], not_now: &[(&str, &str)], never: &[(&str, &str)]) {
    let map = |nodes: &[(&str, &str)]| nodes.iter().map(|(node, why)| ((*node).into(), (*why).into())).collect();
    let expected: Answer = (kept.iter().map(ToString::to_string).collect(), map(not_now), map(never));
    // Whether the scheduler counts makes no difference to a pod that is the only one on its way.
    for settings in [Settings::default(), ignored(Duration::from_secs(30))] {
        for folder in ["node-cache", "full-nodes"] {
            let world = cluster(settings);
            let mut found = answer(&world, &recorded(&format!("{folder}/{file}")));
            found.0.sort_unstable();
            assert_eq!(found, expected, "{folder}/{file}");
        }
    }
}

#[test]
fn one_small_slice() {
    for file in ["filter-simple.request.json", "filter-simple.raw.json"] {
        check(
            file,
            &["a100-mixed", "h100-mixed"],
            &[("h100-blank", OTHERWISE)],
            &[("cpu-only", NO_GPUS), ("h200-single", STRATEGY)],
        );
    }
}

#[test]
fn one_larger_slice() {
    check(
        "filter-rejected.request.json",
        &["a100-mixed", "h100-mixed"],
        &[("h100-blank", OTHERWISE)],
        &[("cpu-only", NO_GPUS), ("h200-single", STRATEGY)],
    );
}

#[test]
fn init_container_sidecar_and_two_containers_ask_for_the_larger_of_both_in_each_profile() {
    // 1 x 2g.20gb for the init container, 1 + 2 x 1g.10gb for the containers.
    check(
        "filter-rich.request.json",
        &["h100-mixed"],
        &[("a100-mixed", OTHERWISE), ("h100-blank", OTHERWISE), ("h100-tainted", OTHERWISE)],
        &[],
    );
}

#[test]
fn the_nominated_node_once_it_is_free() {
    check("filter-nominated.request.json", &["h100-mixed"], &[], &[]);
}

#[test]
fn a_second_try_of_a_pod_gets_the_same_answer() {
    let world = cluster(ignored(Duration::from_secs(30)));
    let [first, second] =
        ["", "-second-try"].map(|try_| recorded(&format!("node-cache/filter-rejected{try_}.request.json")));
    let (kept, not_now, never) = answer(&world, &first);
    let mut again = answer(&world, &second);
    again.0.sort_unstable();
    assert_eq!(again, (kept, not_now, never));
}

#[test]
fn the_nominated_node_while_its_victims_are_still_there() {
    let mut world = cluster(Settings::default());
    let preempt = recorded_json(PREEMPT_WHOLE);
    let victims = preempt["NodeNameToVictims"]["h100-mixed"]["Pods"].as_array().unwrap();
    world.put_pods(victims);
    for folder in ["node-cache", "full-nodes"] {
        let said = world.ask(Verb::Filter, &recorded(&format!("{folder}/filter-nominated.request.json")));
        assert_eq!(said["Error"], WAITING);
    }
    // One of three slices was free, so one victim less is enough.
    world.remove_pod(&victims[0]);
    let (kept, _, _) = answer(&world, &recorded("node-cache/filter-nominated.request.json"));
    assert_eq!(kept, ["h100-mixed"]);
}

#[test]
fn nodes_that_can_take_the_pod_are_ranked_and_the_others_come_last() {
    // Of the mix, 1g.10gb alone, a100-mixed loses one of 2 free and half of 7 that it could become; h100-mixed one of
    // 3 and half of 14.
    let expected = json!({"a100-mixed": 10, "h100-mixed": 4, "cpu-only": 0, "h100-blank": 0, "h200-single": 0});
    for folder in ["node-cache", "full-nodes"] {
        let said = cluster(Settings::default())
            .ask(Verb::Prioritize, &recorded(&format!("{folder}/filter-simple.request.json")));
        let scores: serde_json::Map<String, Value> = said
            .as_array()
            .unwrap()
            .iter()
            .map(|score| (score["Host"].as_str().unwrap().to_owned(), score["Score"].clone()))
            .collect();
        assert_eq!(Value::Object(scores), expected, "{folder}");
    }
}

#[test]
fn victims_that_nothing_is_known_of_are_all_kept() {
    let body = recorded("node-cache/preempt.request.json");
    let said = cluster(Settings::default()).ask(Verb::Preempt, &body);
    let asked: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(said["NodeNameToMetaVictims"], asked["NodeNameToMetaVictims"]);
}

#[test]
fn no_victim_is_spared_where_all_are_needed() {
    let mut world = cluster(Settings::default());
    let asked = recorded_json(PREEMPT_WHOLE);
    let on = |node: &str| asked["NodeNameToVictims"][node]["Pods"].as_array().unwrap().clone();
    world.put_pods(&on("a100-mixed"));
    // The third pod of h100-mixed is nobody's victim, like one of priority 1000.
    let third = json!({"metadata": {"name": "third", "uid": "third"}, "spec": {"nodeName": "h100-mixed"}});
    let third = super::common::objects::merge(on("h100-mixed")[0].clone(), third);
    world.put_pods(on("h100-mixed").iter().chain([&third]));
    let said = world.ask(Verb::Preempt, &recorded(PREEMPT_WHOLE));
    for node in ["a100-mixed", "h100-mixed"] {
        let uids: Vec<Value> = on(node).iter().map(|pod| json!({"UID": pod["metadata"]["uid"]})).collect();
        let expected = json!({"Pods": uids, "NumPDBViolations": 0});
        assert_eq!(said["NodeNameToMetaVictims"][node], expected);
    }
}
