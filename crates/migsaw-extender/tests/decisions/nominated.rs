//! Pods for which others were evicted: told to ask again while the room is not there, not turned away.

use std::time::Duration;

use migsaw_extender::Settings;
use migsaw_extender::service::{Answers, Outcome, Verb};
use serde_json::{Value, json};

use super::common::objects::{H100, in_rollout, labelled, merge, node, nominated, on, pod};
use super::common::{World, expected, ignored, names};

const WAITING: &str = "pods evicted for this one are not seen to be gone from its nominated node yet";

fn world(settings: Settings, pods: &[Value]) -> World {
    let nodes = [node("a", H100, 1, "1g.10gb=1"), node("b", H100, 1, "1g.10gb=1"), node("c", H100, 1, "3g.40gb=1")];
    World::new(settings, &nodes, pods)
}

fn victim() -> Value {
    merge(on("a", pod("victim", "1g.10gb=1")), json!({"metadata": {"deletionTimestamp": "2026-11-23T04:15:33Z"}}))
}

#[test]
fn it_waits_while_a_victim_is_still_there() {
    let mut world = world(Settings::default(), &[victim()]);
    let asks = nominated("a", pod("p", "1g.10gb=1"));
    for nodes in [&["a"][..], &["a", "b", "c"], &["c", "b", "a"]] {
        assert_eq!(world.filter_or_wait(&asks, nodes), Err(WAITING.to_owned()), "{nodes:?}");
    }
    let reply = world.extender.answer(Verb::Filter, names(&asks, &["a"]).as_bytes());
    assert_eq!((reply.outcome, reply.nodes.offered, reply.nodes.kept), (Outcome::Error, 1, 0));
    world.remove_pod(&victim());
    assert_eq!(world.filter(&asks, &["a", "b", "c"]), expected("a=ok b=ok c=cut_otherwise"));
}

#[test]
fn it_is_turned_away_where_waiting_would_not_help() {
    let holder = on("a", pod("x", "1g.10gb=1"));
    let check = |name: &str, world: World, asks: Value, nodes: &[&str], said: &str| {
        assert_eq!(world.filter(&asks, nodes), expected(said), "{name}");
    };
    let asks = |on: &str| nominated(on, pod("p", "1g.10gb=1"));
    let full = || world(Settings::default(), std::slice::from_ref(&holder));
    check("nominated elsewhere", full(), asks("b"), &["a", "b"], "a=taken b=ok");
    check("its node is not offered", full(), asks("a"), &["b", "c"], "b=ok c=cut_otherwise");
    check("its node is cut otherwise by now", full(), asks("c"), &["a", "c"], "a=taken c=cut_otherwise");
    check("its node is gone", full(), asks("gone"), &["a", "gone"], "a=taken gone=unknown");
    check("not nominated", full(), pod("p", "1g.10gb=1"), &["a"], "a=taken");
    for (name, change, said) in [
        ("a rollout is at it", in_rollout as fn(Value) -> Value, "a=rollout"),
        ("MIG Manager is at it", |node| labelled(node, "nvidia.com/mig.config.state", "pending"), "a=recut"),
    ] {
        let mut world = full();
        world.put_node(&change(node("a", H100, 1, "1g.10gb=1")));
        check(name, world, asks("a"), &["a"], said);
    }
}

#[test]
fn it_waits_for_pods_on_their_way_too() {
    let world = world(ignored(Duration::from_secs(3600)), &[]);
    assert_eq!(world.filter(&pod("first", "1g.10gb=1"), &["a"]), expected("a=ok"));
    assert_eq!(world.filter_or_wait(&nominated("a", pod("p", "1g.10gb=1")), &["a"]), Err(WAITING.to_owned()));
}

#[test]
fn who_waits_claims_nothing() {
    let world = world(ignored(Duration::from_secs(3600)), &[victim()]);
    // No node was promised, not even those that could take it.
    assert_eq!(world.filter_or_wait(&nominated("a", pod("p", "1g.10gb=1")), &["a", "b"]), Err(WAITING.to_owned()));
    assert_eq!(world.filter(&pod("other", "1g.10gb=1"), &["b"]), expected("b=ok"));
    assert_eq!(world.keeper.fleet().claims.len(), 1);
}
