//! Pods on their way: what one was promised nobody else is, until it is seen on a node or will not come.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use migsaw_extender::Settings;
use migsaw_kube::scheduling::Change;
use serde_json::{Value, json};

use super::common::objects::{H100, merge, node, on, pod, together};
use super::common::{World, expected, ignored};

/// What happens to a cluster and the pod that is on its way.
type Way<'a> = &'a dyn Fn(&mut World, &Value);
/// What a pod becomes.
type Becomes = fn(Value) -> Value;

const LONG: Duration = Duration::from_secs(3600);

/// Two nodes with one slice each, and a pod that was told that it may go to both.
fn promised(claim_ttl: Duration) -> (World, Value) {
    let nodes = ["a", "b"].map(|name| node(name, H100, 1, "1g.10gb=1"));
    let world = World::new(ignored(claim_ttl), &nodes, &[]);
    let first = pod("first", "1g.10gb=1");
    assert_eq!(world.filter(&first, &["a", "b"]), expected("a=ok b=ok"));
    (world, first)
}

fn second() -> Value {
    pod("second", "1g.10gb=1")
}

fn claims_on(world: &World, node: &str) -> Value {
    serde_json::to_value(world.extender.explain_node(node)).unwrap()["claims"].clone()
}

/// What is said of both nodes; nothing where a second pod has to wait, since both are claimed.
fn check(name: &str, world: &World, said: &str) {
    let claims = format!("{} {}", claims_on(world, "a"), claims_on(world, "b"));
    assert_eq!(told(world, &second(), &["a", "b"]), expected(said), "{name}: {claims}");
}

fn told(world: &World, pod: &Value, nodes: &[&str]) -> BTreeMap<String, String> {
    world.filter_or_wait(pod, nodes).unwrap_or_else(|error| {
        assert_eq!(error, "pods that are on their way have claimed every node this one could go to");
        BTreeMap::new()
    })
}

#[test]
fn a_scheduler_that_counts_itself_is_kept_from_nothing() {
    let world = World::new(Settings::default(), &[node("a", H100, 1, "1g.10gb=1")], &[]);
    for name in ["first", "second"] {
        assert_eq!(world.filter(&pod(name, "1g.10gb=1"), &["a"]), expected("a=ok"));
        assert_eq!(world.prioritize(&pod(name, "1g.10gb=1"), &["a"])["a"], 10);
    }
}

#[test]
fn where_a_pod_is_expected_is_forgotten_like_a_claim() {
    let mut world =
        World::new(Settings::default(), &[node("a", H100, 1, "1g.10gb=7"), node("b", H100, 1, "1g.10gb=7")], &[]);
    let first = pod("first", "1g.10gb=1");
    for end in 0..3 {
        world.filter(&first, &["a", "b"]);
        world.prioritize(&first, &["a", "b"]);
        assert_eq!(world.keeper.fleet().claims.len(), 1);
        match end {
            0 => world.put_pod(&on("b", first.clone())),
            1 => world.remove_pod(&first),
            _ => world.keeper.refresh(Instant::now() + 2 * Settings::default().claim_ttl),
        }
        assert!(world.keeper.fleet().claims.is_empty(), "{end}");
    }
}

#[test]
fn a_second_pod_waits_while_the_first_is_on_its_way() {
    let (world, first) = promised(LONG);
    check("on its way", &world, "");
    assert_eq!(world.keeper.fleet().claims.len(), 1, "who waits claims nothing");
    assert_eq!(world.filter(&first, &["a", "b"]), expected("a=ok b=ok"), "its own claims are no obstacle");
    assert_eq!(world.prioritize(&first, &["a", "b"]), [("a".to_owned(), 10), ("b".to_owned(), 9)].into());
}

#[test]
fn claims_add_up_to_what_is_free() {
    let world =
        World::new(ignored(LONG), &[node("a", H100, 1, "1g.10gb=7,3g.40gb=1")], &[on("a", pod("x", "1g.10gb=1"))]);
    for (name, asks, said) in [
        ("p", "1g.10gb=4", "a=ok"),
        ("q", "1g.10gb=3", ""),
        ("r", "1g.10gb=2,3g.40gb=1", "a=ok"),
        ("s", "1g.10gb=1", ""),
        ("t", "3g.40gb=1", ""),
    ] {
        assert_eq!(told(&world, &pod(name, asks), &["a"]), expected(said), "{name}");
    }
    assert_eq!(world.keeper.fleet().claims.len(), 2);
    // What would not fit without them either is turned away.
    assert_eq!(world.filter(&pod("u", "1g.10gb=7"), &["a"]), expected("a=taken"));
}

#[test]
fn a_claim_ends_when_its_pod_is_seen_on_a_node() {
    let (mut world, first) = promised(LONG);
    world.put_pod(&on("b", first.clone()));
    assert!(world.keeper.fleet().claims.is_empty());
    check("bound to b", &world, "a=ok b=taken");
    let (mut world, first) = promised(LONG);
    world.put_pod(&on("elsewhere", first));
    check("bound to a node that was not offered", &world, "a=ok b=ok");
}

#[test]
fn a_claim_ends_when_its_pod_will_not_come() {
    let ended = |phase: &str| json!({"status": {"phase": phase}});
    let ways: [(&str, Way<'_>); 4] = [
        ("deleted, though never seen", &|world, first| world.remove_pod(first)),
        ("deleted", &|world, first| {
            world.put_pod(first);
            world.remove_pod(first);
        }),
        ("failed before it was bound", &|world, first| world.put_pod(&merge(first.clone(), ended("Failed")))),
        ("gone when pods were listed anew", &|world, first| {
            world.put_pod(first);
            world.change(Change::PodsAre([].into()));
        }),
    ];
    for (name, way) in ways {
        let (mut world, first) = promised(LONG);
        way(&mut world, &first);
        assert!(world.keeper.fleet().claims.is_empty(), "{name}");
        check(name, &world, "a=ok b=ok");
    }
}

#[test]
fn a_claim_ends_when_the_same_pod_is_asked_anew() {
    let (world, first) = promised(LONG);
    assert_eq!(world.filter(&first, &["b"]), expected("b=ok"));
    check("asked for b only", &world, "a=ok b=taken");
    let (mut world, first) = promised(LONG);
    world.put_pod(&on("a", pod("x", "1g.10gb=1")));
    world.put_pod(&on("b", pod("y", "1g.10gb=1")));
    assert_eq!(world.filter(&first, &["a", "b"]), expected("a=taken b=taken"));
    assert!(world.keeper.fleet().claims.is_empty(), "turned away, it claims nothing any more");
}

#[test]
fn a_claim_outlasts_news_of_a_pod_that_is_not_bound() {
    let news: [(&str, Becomes); 4] = [
        ("it is seen for the first time", |first| first),
        ("its status changes", |first| {
            merge(first, json!({"status": {"conditions": [{"type": "PodScheduled", "status": "False"}]}}))
        }),
        ("it is annotated", together),
        ("it is nominated", |first| merge(first, json!({"status": {"nominatedNodeName": "a"}}))),
    ];
    for (name, change) in news {
        let (mut world, first) = promised(LONG);
        world.put_pod(&change(first.clone()));
        check(name, &world, "");
        // And when it was known before.
        let (mut world, first) = promised(LONG);
        world.put_pod(&first);
        world.filter(&first, &["a", "b"]);
        world.put_pod(&change(first));
        check(&format!("{name}, and it was known"), &world, "");
    }
}

#[test]
fn a_claim_outlasts_lists_of_nodes_and_pods_that_have_both() {
    let (mut world, first) = promised(LONG);
    world.put_node(&node("a", H100, 1, "1g.10gb=1"));
    world.change(Change::NodesAre(["a".to_owned(), "b".to_owned()].into()));
    world.change(Change::PodsAre([first["metadata"]["uid"].as_str().unwrap().to_owned()].into()));
    world.keeper.refresh(Instant::now());
    check("listed anew", &world, "");
}

#[test]
fn a_claim_ends_by_itself() {
    let (mut world, _) = promised(LONG);
    world.keeper.refresh(Instant::now() + LONG / 2);
    check("half its time", &world, "");
    world.keeper.refresh(Instant::now() + LONG);
    assert!(world.keeper.fleet().claims.is_empty());
    check("all of it", &world, "a=ok b=ok");
    // Nobody has to look after it for that, nor to ask for the node.
    let is_over = |holds: &dyn Fn(&World) -> bool| {
        let (world, _) = promised(Duration::from_millis(1));
        let begun = Instant::now();
        while !holds(&world) {
            assert!(begun.elapsed() < Duration::from_secs(60), "the claim lasts");
        }
    };
    is_over(&|world| told(world, &second(), &["a"]) == expected("a=ok"));
    is_over(&|world| claims_on(world, "a") == json!([]));
}

#[test]
fn a_node_counts_its_pods_and_its_claims_but_no_pod_twice() {
    let (mut world, first) = promised(LONG);
    // Bound, and asked about again by a scheduler that has not heard of it: it holds a, and claims nothing there.
    world.put_pod(&on("a", first.clone()));
    assert_eq!(world.filter(&first, &["a", "b"]), expected("a=taken b=ok"));
    check("the claim on b is for nothing, but nobody knows", &world, "");
    world.put_pod(&merge(on("a", first), json!({"status": {"phase": "Running"}})));
    check("news of the pod end it", &world, "a=taken b=ok");
}

#[test]
fn pods_without_uid_claim_nothing() {
    let world = World::new(ignored(LONG), &[node("a", H100, 1, "1g.10gb=1")], &[]);
    let nameless = merge(pod("p", "1g.10gb=1"), json!({"metadata": {"uid": null}}));
    assert_eq!(world.filter(&nameless, &["a"]), expected("a=ok"));
    assert!(world.keeper.fleet().claims.is_empty());
}

/// There the scheduler sees what is free, but for what it was told not to look at.
#[test]
fn a_node_that_gives_gpus_by_claims_is_not_taken_for_one_with_slices() {
    let by_claims = |settings: Settings| {
        let mut world = World::new(settings, &[node("a", H100, 1, "gpu=0"), node("b", H100, 1, "1g.10gb=7")], &[]);
        world.change(Change::GivenByClaims(["a".to_owned(), "b".to_owned()].into()));
        world.filter(&pod("p", "1g.10gb=1"), &["a", "b"])
    };
    assert_eq!(by_claims(Settings::default()), expected("a=ok b=ok"));
    assert_eq!(by_claims(ignored(LONG)), expected("a=cut_otherwise b=ok"));
}

/// Whoever binds asks whether there is room beside what others were promised.
#[test]
fn a_promise_counts_until_its_pod_is_seen_or_gone() {
    let ends: [(&str, Way<'_>); 2] = [
        ("on a node", &|world, first| world.put_pod(&on("elsewhere", first.clone()))),
        ("deleted before it came to one", &|world, first| {
            world.put_pod(first);
            world.remove_pod(first);
        }),
    ];
    for (name, end) in ends {
        let (mut world, first) = promised(LONG);
        let promise: migsaw_kube::scheduling::Pod = serde_json::from_value(first.clone()).unwrap();
        let (uid, asks) = (promise.uid, Arc::new(promise.asks));
        let has_room = |world: &World| world.keeper.fleet().has_room("a", &asks, [(uid.as_str(), &asks)].into_iter());
        assert!(!has_room(&world), "{name}: the one slice was promised");
        end(&mut world, &first);
        assert!(has_room(&world), "{name}");
    }
}
