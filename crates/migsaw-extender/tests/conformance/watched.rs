//! Recorded watches: what is said of a node follows its events and those of its pods.

use migsaw_extender::Settings;
use migsaw_kube::scheduling::Change;
use serde_json::{Value, json};

use super::common::World;
use super::common::objects::{merge, pod};
use super::{cluster, events, items, json as recorded_json};

/// Takes an event as a watcher does; bookmarks only say how far the watch is.
fn take(world: &mut World, event: &Value) {
    let object = &event["object"];
    let name = object["metadata"]["name"].as_str().map(str::to_owned);
    match (event["type"].as_str().unwrap(), object["kind"].as_str().unwrap()) {
        ("BOOKMARK", _) => {}
        ("DELETED", "Node") => world.change(Change::NodeGone(name.unwrap())),
        ("DELETED", _) => world.remove_pod(object),
        (_, "Node") => world.put_node(object),
        _ => world.put_pod(object),
    }
}

#[test]
fn a_node_that_mig_manager_cuts_is_taken_when_it_is_done() {
    let mut world = cluster(Settings::default());
    let asks = pod("p", "1g.10gb=1");
    let mut said = Vec::new();
    let all = ["h100-blank", "late"];
    said.push(world.filter(&asks, &all));
    for event in events("api/nodes.watch.jsonl") {
        take(&mut world, &event);
        said.push(world.filter(&asks, &all));
    }
    let words: Vec<String> = said.iter().map(|said| format!("{} {}", said["h100-blank"], said["late"])).collect();
    assert_eq!(
        words,
        [
            "cut_otherwise unknown",
            "recut unknown",    // pending
            "recut unknown",    // rebooting
            "recut unknown",    // rebooting, and it offers slices already
            "ok unknown",       // success
            "ok cut_otherwise", // another node is there
            "ok unknown",       // and gone again
            "ok unknown",       // bookmark
        ]
    );
    // Three pods were bound to it all the time.
    assert_eq!(world.keeper.fleet().view("h100-blank").unwrap().free["nvidia.com/mig-1g.10gb"], 53);
}

#[test]
fn a_pod_holds_its_slices_from_being_bound_to_having_ended() {
    let mut world = cluster(Settings::default());
    // So that there is something to hold.
    for event in events("api/nodes.watch.jsonl") {
        take(&mut world, &event);
    }
    let free = |world: &World| world.keeper.fleet().view("h100-blank").unwrap().free["nvidia.com/mig-1g.10gb"];
    let held: Vec<u64> = events("api/pods.watch.jsonl")
        .iter()
        .map(|event| {
            take(&mut world, event);
            53 - free(&world)
        })
        .collect();
    // Added, bound, running; succeeded, being deleted, deleted; then one that is never bound, and a bookmark.
    assert_eq!(held, [0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(world.keeper.known().pods, 3);
}

#[test]
fn a_streamed_list_says_the_same_as_a_list() {
    let listed = cluster(Settings::default());
    let mut streamed = World::new(Settings::default(), &[], &items("api/pods.list.json"));
    let events = events("api/nodes.streaming-list.jsonl");
    assert_eq!(events.last().unwrap()["object"]["metadata"]["annotations"]["k8s.io/initial-events-end"], "true");
    for event in &events {
        take(&mut streamed, event);
    }
    let nodes = ["a100-mixed", "cpu-only", "h100-blank", "h100-mixed", "h100-tainted", "h200-single"];
    for asks in ["1g.10gb=1", "1g.10gb=3", "2g.20gb=1", "3g.40gb=2", "7g.80gb=1", "gpu=1", "1g.18gb=1"] {
        let asks = pod("p", asks);
        assert_eq!(streamed.filter(&asks, &nodes), listed.filter(&asks, &nodes));
    }
}

#[test]
fn pods_that_kubelet_refused_hold_nothing_and_those_about_to_go_do() {
    let mut world = cluster(Settings::default());
    let asks = pod("p", "3g.40gb=1");
    world.put_pod(&recorded_json("objects/pod-device-admission-failed.json"));
    assert_eq!(world.filter(&asks, &["a100-mixed"])["a100-mixed"], "ok");
    let leaving = recorded_json("objects/pod-victim-terminating.json");
    assert!(leaving["metadata"]["deletionTimestamp"].is_string());
    world.put_pod(&leaving);
    assert_eq!(world.filter(&pod("p", "1g.10gb=1"), &["a100-mixed"])["a100-mixed"], "taken");
    // Kubelet says that it has ended before it is gone.
    world.put_pod(&merge(leaving, json!({"status": {"phase": "Succeeded"}})));
    assert_eq!(world.filter(&pod("p", "1g.10gb=1"), &["a100-mixed"])["a100-mixed"], "ok");
}
