//! Which pods have to go where disruption budgets protect some of them.

use std::collections::{BTreeMap, HashSet};
use std::time::Instant;

use migsaw_extender::Settings;
use migsaw_extender::service::Verb;
use migsaw_kube::scheduling::Change;
use serde_json::{Value, json};

use super::common::World;
use super::common::objects::{H100, merge, node, on, pod};

/// A pod on the node that asks for slices, of a priority, with a label for each budget that protects it.
fn victim(name: &str, asks: &str, priority: i32, budgets: &str) -> Value {
    let mut labels: BTreeMap<String, &str> = budgets.split_whitespace().map(|b| (format!("by-{b}"), "yes")).collect();
    labels.insert("app".to_owned(), "any");
    let change = json!({"metadata": {"labels": labels}, "spec": {"priority": priority}});
    merge(on("a", pod(name, asks)), change)
}

fn budget(name: &str, allowed: i64) -> Value {
    let selector = json!({"matchLabels": {format!("by-{name}"): "yes"}});
    json!({"metadata": {"name": name, "namespace": "team"}, "spec": {"selector": selector},
        "status": {"disruptionsAllowed": allowed}})
}

/// A cluster of one node that is full, with these budgets.
fn world(offers: &str, victims: &[Value], budgets: &[(&str, i64)]) -> World {
    let mut world = World::new(Settings::default(), &[node("a", H100, 8, offers)], victims);
    for (name, allowed) in budgets {
        put(&mut world, &budget(name, *allowed));
    }
    let all: HashSet<String> = budgets.iter().map(|(name, _)| format!("team/{name}")).collect();
    hear(&mut world, Change::BudgetsAre(all));
    world
}

fn hear(world: &mut World, change: Change) {
    world.change(change);
    world.keeper.refresh(Instant::now());
}

fn put(world: &mut World, budget: &Value) {
    hear(world, Change::Budget(Box::new(serde_json::from_value(budget.clone()).unwrap())));
}

/// Who goes, and how many of them break a budget, if the scheduler has proposed all with so many violations.
fn gone(world: &World, asks: &str, victims: &[Value], proposed: usize) -> (String, i64) {
    let uids: Vec<Value> = victims.iter().map(|victim| json!({"UID": victim["metadata"]["uid"]})).collect();
    let by_uid = json!({"NodeNameToMetaVictims": {"a": {"Pods": uids, "NumPDBViolations": proposed}}});
    let whole = json!({"NodeNameToVictims": {"a": {"Pods": victims, "NumPDBViolations": proposed}}});
    let [by_uid, whole] = [by_uid, whole].map(|victims| {
        let body = merge(json!({"Pod": pod("p", asks)}), victims).to_string();
        let answer = world.ask(Verb::Preempt, &body);
        let found = &answer["NodeNameToMetaVictims"]["a"];
        let pods = found["Pods"].as_array().unwrap().iter().map(|pod| pod["UID"].as_str().unwrap());
        (pods.collect::<Vec<_>>().join(" "), found["NumPDBViolations"].as_i64().unwrap())
    });
    assert_eq!(by_uid, whole, "whether the request has whole pods does not matter");
    by_uid
}

#[test]
fn the_fewest_budgets_are_broken_before_anything_else_counts() {
    let check = |name: &str, asks: &str, victims: &[Value], budgets: &[(&str, i64)], expected: (&str, i64)| {
        let (uids, violations) = gone(&world("1g.10gb=8", victims, budgets), asks, victims, victims.len());
        assert_eq!((uids.as_str(), violations), expected, "{name}");
    };
    let v = victim;
    let one = "1g.10gb=1";
    check(
        "an important pod goes before a protected one",
        one,
        &[v("u", one, 99, ""), v("w", one, 0, "b"), v("x", "1g.10gb=6", 99, "b")],
        &[("b", 0)],
        ("u", 0),
    );
    check(
        "what the budget allows may go",
        one,
        &[v("u", one, 99, ""), v("w", one, 0, "b"), v("x", "1g.10gb=6", 99, "b")],
        &[("b", 1)],
        ("w", 0),
    );
    check(
        "more than one allows breaks it once",
        "1g.10gb=2",
        &[v("u", "1g.10gb=6", 9, "b"), v("w", one, 0, "b"), v("x", one, 0, "b")],
        &[("b", 1)],
        ("u", 0),
    );
    check(
        "all are protected",
        "1g.10gb=8",
        &[v("u", "1g.10gb=6", 9, "b"), v("w", one, 0, "b"), v("x", one, 0, "b")],
        &[("b", 1)],
        ("u w x", 2),
    );
    check(
        "two budgets",
        "1g.10gb=6",
        &[v("u", one, 5, "b"), v("w", one, 4, "c"), v("x", one, 3, "b"), v("y", one, 0, "b c")],
        &[("b", 1), ("c", 1)],
        ("w x", 0),
    );
    check(
        "a pod that two budgets protect breaks as one",
        "1g.10gb=8",
        &[v("u", "1g.10gb=8", 5, "b c")],
        &[("b", 0), ("c", 0)],
        ("u", 1),
    );
}

#[test]
fn what_is_heard_of_budgets_counts_from_then_on() {
    let victims = [victim("u", "1g.10gb=1", 0, "b"), victim("w", "1g.10gb=1", 5, "")];
    let mut world = World::new(Settings::default(), &[node("a", H100, 8, "1g.10gb=2")], &victims);
    let asks = |world: &World, proposed| gone(world, "1g.10gb=1", &victims, proposed);
    put(&mut world, &budget("b", 0));
    assert_eq!((asks(&world, 0), asks(&world, 2)), (("u".into(), 0), ("u".into(), 1)), "not all of them are known yet");
    hear(&mut world, Change::BudgetsAre(HashSet::from(["team/b".to_owned()])));
    assert_eq!((asks(&world, 0), asks(&world, 2)), (("w".into(), 0), ("w".into(), 0)));
    put(&mut world, &budget("b", 1));
    assert_eq!(asks(&world, 2), ("u".into(), 0), "it allows one now");
    put(&mut world, &budget("b", 0));
    let other = merge(budget("b", 0), json!({"metadata": {"namespace": "others"}}));
    put(&mut world, &other);
    hear(&mut world, Change::BudgetGone("team/b".to_owned()));
    assert_eq!(asks(&world, 2), ("u".into(), 0), "the one that is left is another namespace's");
    assert_eq!(world.keeper.known().budgets, Some(1));
}

#[test]
fn of_whom_nothing_is_known_nothing_is_counted() {
    let victims = [victim("u", "1g.10gb=1", 0, "b")];
    let world = world("1g.10gb=1", &victims, &[("b", 0)]);
    for (proposed, told) in [(0, 0), (1, 1), (5, 2)] {
        let uids = json!([{"UID": "u"}, {"UID": "stranger"}]);
        let body = json!({"Pod": pod("p", "1g.10gb=1"),
            "NodeNameToMetaVictims": {"a": {"Pods": uids, "NumPDBViolations": proposed}}});
        let answer = world.ask(Verb::Preempt, &body.to_string());
        let found = &answer["NodeNameToMetaVictims"]["a"];
        assert_eq!((found["Pods"].as_array().unwrap().len(), &found["NumPDBViolations"]), (2, &told.into()));
    }
}
