//! Which of the nodes that can take a pod it should go to.

use std::time::{Duration, Instant};

use migsaw_extender::Settings;
use serde_json::Value;

use super::common::objects::{A100, H100, bare, in_later_wave, node, on, pod};
use super::common::{World, ignored};

/// So many pods that hold `asks` on a node.
fn holders(node: &str, n: usize, asks: &str) -> Vec<Value> {
    (0..n).map(|i| on(node, pod(&format!("{node}-{i}"), asks))).collect()
}

/// The nodes in the order of their scores, equal ones joined by `=`.
fn order(world: &World, pod: &Value, nodes: &[&str]) -> String {
    let scores = world.prioritize(pod, nodes);
    assert_eq!(scores.values().filter(|score| **score == 10).count(), 1, "one is the best: {scores:?}");
    let mut ranked: Vec<(i64, &String)> = scores.iter().map(|(node, score)| (-score, node)).collect();
    ranked.sort_unstable();
    let as_good = ranked[1..].iter().filter(|(score, _)| *score == -9);
    assert!(as_good.clone().all(|(_, node)| *node > ranked[0].1), "the first by name: {scores:?}");
    // The best is one of those that are as good, and these have 9.
    ranked[0].0 = ranked[0].0.max(-9);
    let mut text = String::new();
    for (i, (score, node)) in ranked.iter().enumerate() {
        let joint = match i.checked_sub(1).map(|before| ranked[before].0 == *score) {
            None => "",
            Some(true) => "=",
            Some(false) => " ",
        };
        text = text + joint + node;
    }
    text
}

fn check(name: &str, nodes: &[Value], pods: &[Value], asks: &str, expected: &str) {
    let world = World::new(Settings::default(), nodes, pods);
    let names: Vec<&str> = nodes.iter().map(|node| node["metadata"]["name"].as_str().unwrap()).collect();
    assert_eq!(order(&world, &pod("p", asks), &names), expected, "{name}");
}

#[test]
fn fuller_nodes_go_first_and_idle_ones_stay_whole() {
    let nodes = ["a", "b", "c", "d"].map(|name| node(name, H100, 1, "1g.10gb=7"));
    let pods = [holders("a", 1, "1g.10gb=1"), holders("b", 5, "1g.10gb=1"), holders("c", 3, "1g.10gb=1")].concat();
    check("by pods", &nodes, &pods, "1g.10gb=1", "b c a d");
    check("all alike", &nodes, &[], "1g.10gb=1", "a=b=c=d");
    let mixed = [node("broken", H100, 2, "1g.10gb=7,3g.40gb=2"), node("idle", H100, 2, "1g.10gb=7,3g.40gb=2")];
    check("for larger slices too", &mixed, &holders("broken", 1, "1g.10gb=1"), "3g.40gb=1", "broken idle");
}

#[test]
fn the_smaller_of_idle_nodes_is_broken_up() {
    let nodes = [node("large", H100, 8, "1g.10gb=56"), node("small", H100, 1, "1g.10gb=7")];
    check("by GPUs", &nodes, &holders("elsewhere", 1, "1g.10gb=1"), "1g.10gb=1", "small large");
}

#[test]
fn what_others_need_together_is_left_alone() {
    let nodes = [node("a", H100, 8, "1g.10gb=12"), node("b", H100, 8, "1g.10gb=13")];
    // So many pods are on both that being idle counts for nothing; what is left are 2 on `a`, a pair, and 3 on `b`.
    let pods = [holders("a", 10, "1g.10gb=1"), holders("b", 10, "1g.10gb=1"), holders("c", 100, "1g.10gb=2")].concat();
    check("pairs", &nodes, &pods, "1g.10gb=1", "b a");
}

#[test]
fn nodes_of_which_nothing_is_known_come_last_and_later_waves_before_them() {
    let nodes = [
        node("idle", H100, 1, "1g.10gb=7"),
        in_later_wave(node("later", H100, 1, "1g.10gb=7")),
        in_later_wave(node("later-full", H100, 1, "1g.10gb=7")),
    ];
    let world = World::new(Settings::default(), &nodes, &holders("later-full", 6, "1g.10gb=1"));
    let said = order(&world, &pod("p", "1g.10gb=1"), &["ghost", "later", "idle", "later-full"]);
    assert_eq!(said, "idle later-full later ghost");
}

#[test]
fn nodes_that_cannot_take_the_pod_are_never_better_than_those_that_can() {
    // They are not asked about, unless filter failed and the scheduler was told to do without.
    let nodes = [
        node("can", H100, 8, "1g.10gb=56"),
        node("full", H100, 1, "1g.10gb=1"),
        node("other", H100, 1, "3g.40gb=1"),
        node("a100", A100, 1, "3g.40gb=1"),
        bare("cpu"),
    ];
    let world = World::new(Settings::default(), &nodes, &holders("full", 1, "1g.10gb=1"));
    let scores = world.prioritize(&pod("p", "1g.10gb=1"), &["can", "full", "other", "a100", "cpu"]);
    let best_of_others = scores.iter().filter(|(name, _)| *name != "can").map(|(_, score)| *score).max();
    assert!(best_of_others < Some(scores["can"]), "{scores:?}");
}

#[test]
fn nodes_that_offer_what_is_not_in_the_tables_can_be_chosen() {
    let nodes = [node("strange", "NVIDIA-Z9000", 2, "1g.10gb=7")];
    check("alone", &nodes, &[], "1g.10gb=1", "strange");
    let world = World::new(Settings::default(), &nodes, &[]);
    assert_eq!(world.prioritize(&pod("p", "1g.10gb=1"), &["strange", "ghost"])["strange"], 10);
    let nodes = [
        node("strange", "NVIDIA-Z9000", 1, "1g.10gb=7"),
        node("idle", H100, 8, "1g.10gb=56"),
        in_later_wave(node("later", H100, 1, "1g.10gb=7")),
        node("busy", H100, 1, "1g.10gb=7"),
    ];
    check(
        "after all that can be measured",
        &nodes,
        &holders("busy", 5, "1g.10gb=1"),
        "1g.10gb=1",
        "busy idle strange later",
    );
}

#[test]
fn pods_on_their_way_count_as_if_they_were_there() {
    let nodes = ["a", "b"].map(|name| node(name, H100, 1, "1g.10gb=7"));
    let world = World::new(ignored(Duration::from_secs(3600)), &nodes, &[]);
    world.filter(&pod("first", "1g.10gb=1"), &["b"]);
    assert_eq!(order(&world, &pod("first", "1g.10gb=1"), &["a", "b"]), "a=b", "its own claims do not");
    world.filter(&pod("first", "1g.10gb=1"), &["b"]);
    assert_eq!(order(&world, &pod("p", "1g.10gb=1"), &["a", "b"]), "b a");
}

#[test]
fn pods_that_come_together_go_to_one_node_until_it_is_full() {
    for settings in [Settings::default(), ignored(Duration::from_secs(3600))] {
        let nodes = ["a", "b"].map(|name| node(name, H100, 1, "1g.10gb=7"));
        let world = World::new(settings, &nodes, &[]);
        let place = |i: usize| {
            let asks = pod(&format!("p{i}"), "1g.10gb=1");
            let said = world.filter(&asks, &["a", "b"]);
            let can: Vec<&str> = ["a", "b"].into_iter().filter(|name| said[*name] == "ok").collect();
            let scores = world.prioritize(&asks, &can);
            scores.iter().max_by_key(|(_, score)| **score).unwrap().0.clone()
        };
        // Where the scheduler does not count, each of them claims both nodes: seven are all that can be promised.
        let places: String = (0..7).map(place).collect();
        assert_eq!(places, "aaaaaaa", "{settings:?}");
    }
}

#[test]
fn the_mix_follows_the_pods() {
    // `a` has a small and a large slice left, `b` two small ones.
    let nodes = [node("a", H100, 8, "1g.10gb=11,3g.40gb=1"), node("b", H100, 8, "1g.10gb=12")];
    let on_both = [holders("a", 10, "1g.10gb=1"), holders("b", 10, "1g.10gb=1")].concat();
    let mut world = World::new(Settings::default(), &nodes, &on_both);
    let asks = pod("p", "1g.10gb=1");
    assert_eq!(order(&world, &asks, &["a", "b"]), "a=b");
    // Pods come that need one of each.
    (0..50).for_each(|i| world.put_pod(&pod(&format!("x{i}"), "1g.10gb=1,3g.40gb=1")));
    assert_eq!(order(&world, &asks, &["a", "b"]), "a=b", "not before the next refresh");
    world.keeper.refresh(Instant::now());
    assert_eq!(order(&world, &asks, &["a", "b"]), "b a");
}

#[test]
fn the_same_question_has_the_same_answer_whatever_the_order() {
    let nodes: Vec<Value> = (0..20).map(|i| node(&format!("n{i}"), H100, 1 + i % 4, "1g.10gb=7")).collect();
    let pods: Vec<Value> = (0..20).flat_map(|i| holders(&format!("n{i}"), i % 6, "1g.10gb=1")).collect();
    let world = World::new(Settings::default(), &nodes, &pods);
    let mut names: Vec<String> = (0..20).map(|i| format!("n{i}")).collect();
    let said = |names: &[String]| {
        world.prioritize(&pod("p", "1g.10gb=1"), &names.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let forward = said(&names);
    names.reverse();
    assert_eq!(said(&names), forward);
    assert_eq!((forward.values().max(), forward.values().min()), (Some(&10), Some(&0)));
}
