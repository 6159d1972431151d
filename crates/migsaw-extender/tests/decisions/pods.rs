//! Pods of every build: what they ask for, and those that ask for nothing.

use std::time::Duration;

use migsaw_extender::Settings;
use serde_json::{Value, json};

use super::common::objects::{H100, bare, container, in_rollout, merge, node, on, pod};
use super::common::{World, ignored};

fn built(containers: &[Value], init: &[Value], more: Value) -> Value {
    let spec = json!({"containers": containers, "initContainers": init});
    let metadata = json!({"name": "p", "namespace": "team", "uid": "p"});
    merge(json!({"metadata": metadata, "spec": spec}), more)
}

fn sidecar(asks: &str) -> Value {
    merge(container(asks), json!({"restartPolicy": "Always"}))
}

#[test]
fn a_pod_asks_for_what_its_containers_need_at_once() {
    let built = |containers: &[&str], init: &[Value]| {
        built(&containers.iter().map(|asks| container(asks)).collect::<Vec<_>>(), init, json!({}))
    };
    let plain = container;
    let requests = json!({"resources": {"requests": {"nvidia.com/mig-1g.10gb": 2}}});
    let overhead = json!({"spec": {"overhead": {"nvidia.com/mig-1g.10gb": "1"}}});
    for (name, pod, small, large) in [
        ("one container", built(&["1g.10gb=2"], &[]), 2, 0),
        ("containers add up", built(&["1g.10gb=1", "1g.10gb=2", "3g.40gb=1"], &[]), 3, 1),
        ("an init container is there before", built(&["1g.10gb=1"], &[plain("1g.10gb=3")]), 3, 0),
        ("the larger counts", built(&["1g.10gb=3"], &[plain("1g.10gb=2")]), 3, 0),
        ("in each profile", built(&["1g.10gb=3"], &[plain("3g.40gb=1")]), 3, 1),
        ("init containers run in turn", built(&[], &[plain("1g.10gb=2"), plain("1g.10gb=2")]), 2, 0),
        ("a sidecar stays", built(&["1g.10gb=2"], &[sidecar("1g.10gb=1")]), 3, 0),
        ("also beside what comes later", built(&[], &[sidecar("1g.10gb=1"), plain("1g.10gb=2")]), 3, 0),
        ("but not beside what was before", built(&[], &[plain("1g.10gb=2"), sidecar("1g.10gb=1")]), 2, 0),
        ("overhead comes on top", merge(built(&["1g.10gb=1"], &[]), overhead), 2, 0),
        ("requests alone count", built(&[], &[requests]), 2, 0),
        ("null lists are none", merge(built(&["1g.10gb=1"], &[]), json!({"spec": {"initContainers": null}})), 1, 0),
    ] {
        let world = World::new(Settings::default(), &[node("a", H100, 2, "1g.10gb=5,3g.40gb=1")], &[on("a", pod)]);
        let free = &world.keeper.fleet().view("a").unwrap().free;
        let held = (5 - free["nvidia.com/mig-1g.10gb"], 1 - free["nvidia.com/mig-3g.40gb"]);
        assert_eq!(held, (small, large), "{name}");
    }
}

#[test]
fn pods_that_ask_for_no_slices_pass_everywhere_and_get_no_score() {
    let nodes = [node("a", H100, 1, "1g.10gb=1"), in_rollout(node("b", H100, 1, "1g.10gb=7")), bare("c")];
    let mut world = World::new(ignored(Duration::from_secs(30)), &nodes, &[on("a", pod("x", "1g.10gb=1"))]);
    let claim = json!({"spec": {"resourceClaims": [{"name": "gpu", "resourceClaimTemplateName": "one-slice"}]}});
    for (name, pod) in [
        ("nothing at all", json!({"metadata": {"name": "p", "namespace": "team", "uid": "p"}, "spec": {}})),
        ("null", json!({"metadata": {"name": "p", "uid": "p"}, "spec": null, "status": null})),
        ("an empty one", json!({})),
        ("CPU", pod("p", "cpu=100m")),
        ("none of a slice", pod("p", "1g.10gb=0")),
        ("another vendor's GPU", built(&[json!({"resources": {"limits": {"amd.com/gpu": "1"}}})], &[], json!({}))),
        ("claims only", merge(pod("p", "cpu=100m"), claim)),
        (
            "a selector, which is the scheduler's matter",
            merge(pod("p", ""), json!({"spec": {"nodeSelector": {"x": "y"}}})),
        ),
    ] {
        let all = ["a", "b", "c", "ghost"];
        let said = world.filter(&pod, &all);
        assert!(said.values().all(|word| word == "ok"), "{name}: {said:?}");
        let scores = world.prioritize(&pod, &all);
        assert!(scores.values().all(|score| *score == 0), "{name}: {scores:?}");
        world.put_pod(&on("a", merge(pod, json!({"metadata": {"uid": "p"}}))));
        assert_eq!(world.keeper.known().pods, 1, "{name} is not worth knowing");
    }
    assert!(world.keeper.fleet().claims.is_empty());
}

#[test]
fn pods_that_have_ended_hold_nothing_and_those_that_are_ending_do() {
    let phase = |phase: &str| json!({"status": {"phase": phase}});
    let deleted = json!({"metadata": {"deletionTimestamp": "2026-11-23T04:15:33Z"}});
    for (name, change, said) in [
        ("pending", phase("Pending"), "taken"),
        ("running", phase("Running"), "taken"),
        ("unknown", phase("Unknown"), "taken"),
        ("succeeded", phase("Succeeded"), "ok"),
        ("failed", phase("Failed"), "ok"),
        ("being deleted", deleted.clone(), "taken"),
        ("being deleted and ended", merge(deleted, phase("Failed")), "ok"),
    ] {
        let nodes = [node("a", H100, 1, "1g.10gb=1")];
        let holder = on("a", pod("x", "1g.10gb=1"));
        let mut world = World::new(Settings::default(), &nodes, std::slice::from_ref(&holder));
        world.put_pod(&merge(holder, change));
        assert_eq!(world.filter(&pod("p", "1g.10gb=1"), &["a"])["a"], said, "{name}");
    }
}

#[test]
fn a_pod_of_the_same_name_is_another_pod() {
    let holder = on("a", pod("x", "1g.10gb=1"));
    let mut world = World::new(Settings::default(), &[node("a", H100, 1, "1g.10gb=2")], std::slice::from_ref(&holder));
    let again = merge(holder.clone(), json!({"metadata": {"uid": "another"}}));
    let free = |world: &World| world.keeper.fleet().view("a").unwrap().free["nvidia.com/mig-1g.10gb"];
    // The new one is seen before the old one is gone.
    world.put_pod(&again);
    assert_eq!(free(&world), 0);
    world.remove_pod(&holder);
    assert_eq!(free(&world), 1);
    // It is seen twice, and gone twice.
    world.put_pod(&again);
    world.remove_pod(&again);
    world.remove_pod(&again);
    assert_eq!(free(&world), 2);
}
