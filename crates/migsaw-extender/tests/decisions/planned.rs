//! Where the plan puts pods: honoured up to the number it names.

use std::time::Instant;

use migsaw::demand::Demand;
use migsaw::document::plan::PlanDocument;
use migsaw::fleet::{Fleet, Pool};
use migsaw::geometry::Catalog;
use migsaw::plan::{Options, plan};
use migsaw::problem::Problem;
use migsaw_extender::Settings;
use migsaw_kube::scheduling::Change;
use serde_json::{Value, json};

use super::common::World;
use super::common::objects::{H100, in_later_wave, in_rollout, node, of_set, on, pod};

const ALL: [&str; 3] = ["a", "b", "c"];

/// A plan in which nodes serve pods of demands.
fn document(serves: &[(&str, &str, &str, u32)]) -> String {
    let node = |name: &str| {
        let of_node = serves.iter().filter(|(node, ..)| *node == name);
        let serves: Vec<Value> = of_node
            .map(|(_, namespace, demand, count)| {
                let share = json!({"index": 0, "profile": "1g.10gb", "instances": count});
                json!({"namespace": namespace, "demand": demand, "count": count, "gpus": [share]})
            })
            .collect();
        json!({"name": name, "gpus": [], "serves": serves})
    };
    json!({"apiVersion": "migsaw.io/v1alpha1", "kind": "Plan", "nodes": ALL.map(node)}).to_string()
}

/// Three nodes with room, the second fuller than the others.
fn world(plan: &str) -> World {
    let nodes = ALL.map(|name| node(name, H100, 1, "1g.10gb=7"));
    let mut world = World::new(Settings::default(), &nodes, &[on("b", pod("x", "1g.10gb=1"))]);
    world.change(Change::Plan(Some(plan.to_owned())));
    world.keeper.refresh(Instant::now());
    world
}

fn llm(name: &str) -> Value {
    of_set("llm", pod(name, "1g.10gb=1"))
}

/// The node that is named best; of equally good ones the first by name.
fn best(world: &World, pod: &Value) -> String {
    let scores = world.prioritize(pod, &ALL);
    let best: Vec<&str> = scores.iter().filter(|(_, score)| **score == 10).map(|(name, _)| name.as_str()).collect();
    best.join("=")
}

#[test]
fn the_plan_goes_before_what_places_are_worth() {
    let world = world(&document(&[("c", "team", "llm", 1)]));
    assert_eq!(best(&world, &llm("p")), "c");
    assert_eq!(best(&world, &pod("other", "1g.10gb=1")), "b", "of another demand");
    let elsewhere = super::common::objects::merge(llm("p"), json!({"metadata": {"namespace": "other"}}));
    assert_eq!(best(&world, &elsewhere), "b", "of another namespace");
}

#[test]
fn it_counts_the_pods_that_are_there() {
    let mut world = world(&document(&[("c", "team", "llm", 2), ("a", "team", "llm", 1)]));
    assert_eq!(best(&world, &llm("p0")), "a");
    world.put_pod(&on("a", llm("p0")));
    assert_eq!(best(&world, &llm("p1")), "c");
    world.put_pod(&on("c", llm("p1")));
    assert_eq!(best(&world, &llm("p2")), "c");
    world.put_pod(&on("c", llm("p2")));
    // All are where they should be: one more goes where least is lost.
    assert_eq!(best(&world, &llm("p3")), "c", "c is the fullest by now");
    world.remove_pod(&llm("p0"));
    assert_eq!(best(&world, &llm("p4")), "a", "its place is free again");
}

#[test]
fn it_counts_the_pods_that_are_on_their_way() {
    let world = world(&document(&[("c", "team", "llm", 2), ("a", "team", "llm", 1)]));
    let places: Vec<String> = (0..3).map(|i| best(&world, &llm(&format!("p{i}")))).collect();
    assert_eq!(places, ["a", "c", "c"], "none was seen on its node in the meantime");
}

#[test]
fn a_pod_without_workload_is_its_own_demand() {
    let world = world(&document(&[("c", "team", "solo", 1)]));
    assert_eq!(best(&world, &pod("solo", "1g.10gb=1")), "c");
    assert_eq!(best(&world, &pod("solo-2", "1g.10gb=1")), "b");
}

#[test]
fn a_node_that_a_rollout_will_empty_is_no_place_even_if_planned() {
    for change in [in_later_wave, in_rollout] {
        let mut world = world(&document(&[("c", "team", "llm", 1)]));
        world.put_node(&change(node("c", H100, 1, "1g.10gb=7")));
        assert_eq!(best(&world, &llm("p")), "b");
    }
}

#[test]
fn a_plan_that_is_gone_or_replaced_is_forgotten() {
    let mut world = world(&document(&[("c", "team", "llm", 1)]));
    world.change(Change::Plan(Some(document(&[("a", "team", "llm", 1)]))));
    world.keeper.refresh(Instant::now());
    assert_eq!(best(&world, &llm("p")), "a");
    world.change(Change::Plan(None));
    world.keeper.refresh(Instant::now());
    assert_eq!(best(&world, &llm("p")), "b");
}

#[test]
fn a_plan_that_cannot_be_read_leaves_the_one_before() {
    let mut world = world(&document(&[("c", "team", "llm", 1)]));
    for text in ["", "{", "[]", r#"{"apiVersion": "v1", "kind": "Plan", "nodes": []}"#, "kind: Plan\nnodes: 7"] {
        let error = world.keeper.apply(Change::Plan(Some(text.to_owned()))).unwrap_err();
        assert!(error.to_string().starts_with("the plan cannot be read: "), "{error}");
        world.keeper.refresh(Instant::now());
        assert_eq!(best(&world, &llm("p")), "c", "{text}");
    }
}

#[test]
fn a_plan_of_the_planner_is_followed() {
    let catalog = Catalog::builtin();
    let problem = Problem {
        fleet: Fleet { pools: vec![Pool::new("pool", catalog.model("H100-80GB").unwrap(), 2, 1)] },
        demands: vec![
            Demand { namespace: Some("team".to_owned()), ..Demand::of_profile("llm", "1g.10gb".parse().unwrap(), 7) },
            Demand { namespace: Some("team".to_owned()), ..Demand::of_profile("big", "3g.40gb".parse().unwrap(), 2) },
        ],
        ..Problem::default()
    };
    let found = plan(&problem, &Options::default()).unwrap();
    let document = serde_json::to_value(PlanDocument::new(&problem, &found)).unwrap();
    let nodes: Vec<Value> =
        ["pool-0", "pool-1"].iter().map(|name| node(name, H100, 1, "1g.10gb=7,3g.40gb=2")).collect();
    let mut world = World::new(Settings::default(), &nodes, &[]);
    world.change(Change::Plan(Some(document.to_string())));
    world.keeper.refresh(Instant::now());
    // Pods that come one after the other end up just where the plan says, whichever node is fuller.
    for (set, asks, pods) in [("big", "3g.40gb=1", 2), ("llm", "1g.10gb=1", 7)] {
        for i in 0..pods {
            let pod = of_set(set, pod(&format!("{set}-{i}"), asks));
            let scores = world.prioritize(&pod, &["pool-0", "pool-1"]);
            let best = scores.iter().max_by_key(|(_, score)| **score).unwrap().0.clone();
            world.put_pod(&on(&best, pod));
        }
    }
    for planned in document["nodes"].as_array().unwrap() {
        let view = world.keeper.fleet().view(planned["name"].as_str().unwrap()).unwrap();
        for serving in planned["serves"].as_array().unwrap() {
            let demand = format!("team/{}", serving["demand"].as_str().unwrap());
            let there = view.holders.iter().filter(|holder| *holder.demand == *demand).count();
            assert_eq!(Some(there as u64), serving["count"].as_u64(), "{demand} on {}", planned["name"]);
        }
    }
}
