//! Of many nodes that can take a pod only the best are passed on.

use std::time::{Duration, Instant};

use migsaw_extender::service::{Answers as _, Verb};
use migsaw_extender::{SHORTLIST, Settings};
use migsaw_kube::scheduling::Change;
use serde_json::{Value, json};

use super::common::objects::{H100, merge, node, of_set, on, pod};
use super::common::{World, ignored, names};

const NODES: usize = 150;

/// 150 nodes: on every third a pod already, on every tenth no place any more.
fn cluster(settings: Settings) -> (World, Vec<String>) {
    let names: Vec<String> = (0..NODES).map(|n| format!("n{n:03}")).collect();
    let nodes: Vec<Value> = names.iter().map(|name| node(name, H100, 1, "1g.10gb=7")).collect();
    let held = |n: usize| if n.is_multiple_of(10) { 7 } else { usize::from(n.is_multiple_of(3)) };
    let pods = names
        .iter()
        .enumerate()
        .flat_map(|(n, name)| (0..held(n)).map(move |i| on(name, pod(&format!("{name}-{i}"), "1g.10gb=1"))));
    (World::new(settings, &nodes, &pods.collect::<Vec<Value>>()), names)
}

/// How many nodes an answer passes on, and how many it turns away.
fn counts(answer: &Value) -> (usize, usize) {
    let failed = ["FailedNodes", "FailedAndUnresolvableNodes"].map(|map| answer[map].as_object().unwrap().len());
    (answer["NodeNames"].as_array().unwrap().len(), failed.iter().sum())
}

fn filtered(world: &World, pod: &Value, nodes: &[String]) -> Value {
    let nodes: Vec<&str> = nodes.iter().map(String::as_str).collect();
    serde_json::from_slice(&world.extender.answer(Verb::Filter, names(pod, &nodes).as_bytes()).body).unwrap()
}

#[test]
fn the_best_are_passed_on_and_nothing_is_said_of_the_others() {
    let (world, nodes) = cluster(Settings::default());
    let asking = pod("p", "1g.10gb=1");
    let all: Vec<&str> = nodes.iter().map(String::as_str).collect();
    let answer = world.ask(Verb::Filter, &names(&asking, &all));
    assert_eq!(counts(&answer), (SHORTLIST, NODES / 10));
    let kept: Vec<&str> = answer["NodeNames"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    // Those that are broken up already, and of the others some from all over the cluster, in the order of the request.
    let can = |n: &usize| !n.is_multiple_of(10);
    let (broken, idle): (Vec<usize>, Vec<usize>) = (0..NODES).filter(can).partition(|n| n.is_multiple_of(3));
    assert!(kept.is_sorted());
    assert!(broken.iter().all(|&n| kept.contains(&all[n])));
    for third in idle.chunks(idle.len().div_ceil(3)) {
        let kept = third.iter().filter(|&&n| kept.contains(&all[n])).count();
        assert!(kept > third.len() / 3 && kept < third.len(), "{kept} of {}", third.len());
    }
    let mut turned = nodes.clone();
    turned.reverse();
    let mut again: Vec<Value> = filtered(&world, &asking, &turned)["NodeNames"].as_array().unwrap().clone();
    again.reverse();
    assert_eq!(again, kept, "whatever the order of the request");
    // The best of all is the best of these.
    let best = |nodes: &[&str]| {
        let scores = world.prioritize(&asking, nodes);
        scores.into_iter().find(|(_, score)| *score == 10).unwrap().0
    };
    assert_eq!(best(&kept), best(&all));
    let page = serde_json::to_value(world.extender.explain_pod("team", "p").unwrap()).unwrap();
    assert_eq!(page["filtered"]["leftOut"], json!(NODES - NODES / 10 - SHORTLIST), "{page}");
}

#[test]
fn all_are_passed_on_where_some_would_rather_not_have_pods() {
    let (mut world, nodes) = cluster(Settings::default());
    let all = NODES - NODES / 10;
    let kept = |world: &World| counts(&filtered(world, &pod("p", "1g.10gb=1"), &nodes)).0;
    let taint = |world: &mut World, n: usize| {
        let taint = json!({"spec": {"taints": [{"key": "spot", "effect": "PreferNoSchedule"}]}});
        world.put_node(&merge(node(&nodes[n], H100, 1, "1g.10gb=7"), taint));
    };
    taint(&mut world, 0);
    assert_eq!(kept(&world), SHORTLIST, "it can take none anyway");
    taint(&mut world, 1);
    assert_eq!(kept(&world), all);
    (2..NODES).for_each(|n| taint(&mut world, n));
    assert_eq!(kept(&world), SHORTLIST, "then none is better");
}

#[test]
fn a_rollout_lets_no_more_be_passed_on() {
    let (mut world, nodes) = cluster(Settings::default());
    let reserved = json!({"spec": {"taints": [{"key": "migsaw.io/rollout", "effect": "PreferNoSchedule"}]}});
    world.put_node(&merge(node(&nodes[1], H100, 1, "1g.10gb=7"), reserved));
    let answer = filtered(&world, &pod("p", "1g.10gb=1"), &nodes);
    assert_eq!(counts(&answer), (SHORTLIST, NODES / 10));
    assert!(!answer["NodeNames"].as_array().unwrap().contains(&json!(nodes[1])), "it is among the last");
}

#[test]
fn whole_nodes_are_left_out_too() {
    let (world, nodes) = cluster(Settings::default());
    let items: Vec<Value> = nodes.iter().map(|name| json!({"metadata": {"name": name}})).collect();
    let body = json!({"Pod": pod("p", "1g.10gb=1"), "Nodes": {"items": items}, "NodeNames": null}).to_string();
    let answer = world.ask(Verb::Filter, &body);
    assert_eq!(answer["Nodes"]["items"].as_array().unwrap().len(), SHORTLIST);
}

#[test]
fn a_planned_node_is_on_it_whatever_its_name() {
    let (mut world, nodes) = cluster(Settings::default());
    let kept = |world: &World| {
        let answer = filtered(world, &of_set("llm", pod("p", "1g.10gb=1")), &nodes);
        serde_json::from_value::<Vec<String>>(answer["NodeNames"].clone()).unwrap()
    };
    let by_itself = kept(&world);
    let can = |(n, name): &(usize, &String)| !n.is_multiple_of(10) && !by_itself.contains(*name);
    let (_, left_out) = nodes.iter().enumerate().find(can).unwrap();
    let planned = json!({"apiVersion": "migsaw.io/v1alpha1", "kind": "Plan", "nodes": [{"name": left_out, "gpus": [],
        "serves": [{"namespace": "team", "demand": "llm", "count": 1,
                    "gpus": [{"index": 0, "profile": "1g.10gb", "instances": 1}]}]}]});
    world.change(Change::Plan(Some(planned.to_string())));
    world.keeper.refresh(Instant::now());
    assert!(kept(&world).contains(left_out), "{left_out}");
}

#[test]
fn all_are_passed_on_where_the_scheduler_has_more_to_choose_by() {
    let preferred = "preferredDuringSchedulingIgnoredDuringExecution";
    let with = |spec: Value| merge(pod("p", "1g.10gb=1"), json!({"spec": spec}));
    let affinity = |kind: &str| with(json!({"affinity": {kind: {preferred: [{"weight": 1}]}}}));
    let spread = |when: &str| with(json!({"topologySpreadConstraints": [{"whenUnsatisfiable": when}]}));
    let all = (NODES - NODES / 10, NODES / 10);
    let some = (SHORTLIST, NODES / 10);
    let plain = pod("p", "1g.10gb=1");
    let check = |name: &str, settings: Settings, pod: &Value, expected: (usize, usize)| {
        let (world, nodes) = cluster(settings);
        assert_eq!(counts(&filtered(&world, pod, &nodes)), expected, "{name}");
    };
    for kind in ["nodeAffinity", "podAffinity", "podAntiAffinity"] {
        check(kind, Settings::default(), &affinity(kind), all);
    }
    check("spread if possible", Settings::default(), &spread("ScheduleAnyway"), all);
    check("spread in any case: the scheduler has seen to it", Settings::default(), &spread("DoNotSchedule"), some);
    check("switched off", Settings { shortlist: 0, ..Settings::default() }, &plain, all);
    check("one", Settings { shortlist: 1, ..Settings::default() }, &plain, (1, NODES / 10));
    check("claims", ignored(Duration::from_secs(30)), &plain, all);
    check("no slices", Settings::default(), &pod("p", ""), (NODES, 0));
}
