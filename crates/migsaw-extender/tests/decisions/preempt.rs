//! Which pods have to go, case by case.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use migsaw_extender::Settings;
use migsaw_extender::service::Verb;
use migsaw_kube::scheduling::Change;
use serde_json::{Value, json};

use super::common::objects::{H100, in_later_wave, in_rollout, labelled, merge, node, nominated, on, pod};
use super::common::{World, ignored};

/// What goes on each node that is left.
type Gone = BTreeMap<String, String>;

fn gone(answer: &Value) -> Gone {
    let nodes = answer["NodeNameToMetaVictims"].as_object().unwrap().iter();
    let uids = |victims: &Value| {
        let pods = victims["Pods"].as_array().unwrap().iter();
        pods.map(|pod| pod["UID"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
    };
    nodes.map(|(node, victims)| (node.clone(), uids(victims))).collect()
}

/// What goes if victims are proposed by UID.
fn by_uid(world: &World, pod: &Value, victims: &[(&str, &str)]) -> Gone {
    let pods = |uids: &str| uids.split(' ').map(|uid| json!({"UID": uid})).collect::<Vec<_>>();
    let nodes: serde_json::Map<String, Value> = victims
        .iter()
        .map(|(node, uids)| ((*node).to_owned(), json!({"Pods": pods(uids), "NumPDBViolations": 0})))
        .collect();
    gone(&world.ask(Verb::Preempt, &json!({"Pod": pod, "NodeNameToMetaVictims": nodes}).to_string()))
}

fn victim(name: &str, asks: &str, priority: i32) -> Value {
    merge(on("a", pod(name, asks)), json!({"spec": {"priority": priority}}))
}

fn with_port(pod: Value) -> Value {
    let mut container = pod["spec"]["containers"][0].clone();
    container["ports"] = json!([{"hostPort": 80}]);
    merge(pod, json!({"spec": {"containers": [container]}}))
}

fn with_volume(pod: Value, volume: &Value) -> Value {
    merge(pod, json!({"spec": {"volumes": [{"name": "tmp", "emptyDir": {}}, volume]}}))
}

fn is(nodes: &[(&str, &str)]) -> Gone {
    nodes.iter().map(|(node, uids)| ((*node).to_owned(), (*uids).to_owned())).collect()
}

/// As when the device plugin calls slices unhealthy that pods have.
#[test]
fn what_is_held_beyond_what_is_offered_goes_too() {
    let holders = ["u", "w", "x"].map(|name| victim(name, "1g.10gb=1", 0));
    for (offers, expected) in [("1g.10gb=3", "x"), ("1g.10gb=2", "w x"), ("1g.10gb=1", "u w x")] {
        let world = World::new(Settings::default(), &[node("a", H100, 2, offers)], &holders);
        assert_eq!(by_uid(&world, &pod("p", "1g.10gb=1"), &[("a", "u w x")]), is(&[("a", expected)]), "{offers}");
    }
}

#[test]
fn the_fewest_go_and_of_these_the_least_important() {
    let check = |name: &str, offers: &str, asks: &str, holders: &[Value], expected: &str| {
        let world = World::new(Settings::default(), &[node("a", H100, 2, offers)], holders);
        let uids: Vec<&str> = holders.iter().map(|pod| pod["metadata"]["uid"].as_str().unwrap()).collect();
        let expected: &[_] = if expected.is_empty() { &[] } else { &[("a", expected)] };
        assert_eq!(by_uid(&world, &pod("p", asks), &[("a", &uids.join(" "))]), is(expected), "{name}");
    };
    let v = victim;
    check("all are needed", "1g.10gb=2", "1g.10gb=2", &[v("u", "1g.10gb=1", 0), v("w", "1g.10gb=1", 0)], "u w");
    check("one is enough", "1g.10gb=2", "1g.10gb=1", &[v("u", "1g.10gb=1", 7), v("w", "1g.10gb=1", 3)], "w");
    check(
        "one important one rather than two others",
        "1g.10gb=4",
        "1g.10gb=2",
        &[v("u", "1g.10gb=1", 0), v("w", "1g.10gb=1", 0), v("x", "1g.10gb=2", 50)],
        "x",
    );
    check(
        "one rather than two even if it is of a negative priority",
        "1g.10gb=4",
        "1g.10gb=2",
        &[v("u", "1g.10gb=1", -9), v("w", "1g.10gb=1", -9), v("x", "1g.10gb=2", -9)],
        "x",
    );
    check(
        "of those that are alike the one that came last",
        "1g.10gb=3",
        "1g.10gb=1",
        &[v("u", "1g.10gb=1", 0), v("w", "1g.10gb=1", 0), v("x", "1g.10gb=1", 0)],
        "x",
    );
    check(
        "the most important of as few counts first",
        "1g.10gb=6",
        "1g.10gb=3",
        &[v("u", "1g.10gb=1", 0), v("w", "1g.10gb=2", 9), v("x", "1g.10gb=1", 5), v("y", "1g.10gb=2", 5)],
        "u y",
    );
    check(
        "also if another is the least important of all",
        "1g.10gb=4,3g.40gb=2",
        "1g.10gb=2,3g.40gb=1",
        &[v("u", "1g.10gb=1", 0), v("w", "1g.10gb=1,3g.40gb=1", 9), v("x", "1g.10gb=2", 5), v("y", "3g.40gb=1", 5)],
        "x y",
    );
    check(
        "who holds something else is spared",
        "1g.10gb=1,3g.40gb=1",
        "1g.10gb=1",
        &[v("u", "3g.40gb=1", 0), v("w", "1g.10gb=1", 90)],
        "w",
    );
    check(
        "of two kinds",
        "1g.10gb=2,3g.40gb=2",
        "1g.10gb=1,3g.40gb=1",
        &[v("u", "1g.10gb=1", 0), v("w", "3g.40gb=1", 0), v("x", "1g.10gb=1,3g.40gb=1", 80)],
        "x",
    );
    check(
        "what is free already helps",
        "1g.10gb=3",
        "1g.10gb=2",
        &[v("u", "1g.10gb=1", 1), v("w", "1g.10gb=1", 0)],
        "w",
    );
    check("not even all are enough", "1g.10gb=2", "3g.40gb=1", &[v("u", "1g.10gb=1", 0)], "");
    check("more than it offers", "1g.10gb=2", "1g.10gb=3", &[v("u", "1g.10gb=2", 0)], "");
    check(
        "what else it needs has to be freed as well",
        "1g.10gb=2",
        "1g.10gb=1,cpu=300m",
        &[v("u", "1g.10gb=1,cpu=100m", 0), v("w", "1g.10gb=1,cpu=300m", 9)],
        "w",
    );
    check(
        "by several together",
        "1g.10gb=3",
        "1g.10gb=1,cpu=300m",
        &[v("u", "1g.10gb=1,cpu=100m", 0), v("w", "1g.10gb=1,cpu=200m", 0), v("x", "1g.10gb=1,cpu=100m", 0)],
        "w x",
    );
    check(
        "or all the scheduler named go, as it knows what is free",
        "1g.10gb=2",
        "1g.10gb=1,cpu=900m",
        &[v("u", "1g.10gb=1,cpu=100m", 0), v("w", "1g.10gb=1,cpu=100m", 0)],
        "u w",
    );
    check(
        "who has a port of the host may have to go for that",
        "1g.10gb=2,3g.40gb=1",
        "1g.10gb=1",
        &[with_port(v("u", "3g.40gb=1", 0)), v("w", "1g.10gb=1", 0), v("x", "1g.10gb=1", 1)],
        "u w",
    );
}

#[test]
fn volumes_that_are_claimed_may_be_what_it_is_about() {
    let claim = |name: &str| json!({"name": "d", "persistentVolumeClaim": {"claimName": name}});
    let ephemeral = json!({"name": "d", "ephemeral": {"volumeClaimTemplate": {}}});
    let secret = json!({"name": "d", "secret": {"secretName": "s"}, "persistentVolumeClaim": null});
    let gone = |of_pod: &Value, of_victim: &Value| {
        let holders = [with_volume(victim("u", "3g.40gb=1", 0), of_victim), victim("w", "1g.10gb=1", 0)];
        let world = World::new(Settings::default(), &[node("a", H100, 1, "1g.10gb=1,3g.40gb=1")], &holders);
        by_uid(&world, &with_volume(pod("p", "1g.10gb=1"), of_pod), &[("a", "u w")])
    };
    for (of_pod, of_victim, expected) in [
        (&secret, &secret, "w"),
        (&secret, &claim("x"), "u w"),
        (&secret, &ephemeral, "u w"),
        (&claim("x"), &secret, "u w"),
        (&ephemeral, &secret, "u w"),
    ] {
        assert_eq!(gone(of_pod, of_victim), is(&[("a", expected)]), "{of_pod} {of_victim}");
    }
}

#[test]
fn nobody_is_spared_for_a_pod_with_a_port_of_the_host() {
    let holders = [victim("u", "1g.10gb=1", 0), victim("w", "1g.10gb=1", 0)];
    let world = World::new(Settings::default(), &[node("a", H100, 1, "1g.10gb=2")], &holders);
    assert_eq!(by_uid(&world, &with_port(pod("p", "1g.10gb=1")), &[("a", "u w")]), is(&[("a", "u w")]));
}

#[test]
fn victims_that_nothing_is_known_of_always_go() {
    let holders = [victim("u", "1g.10gb=1", 0), victim("w", "1g.10gb=1", 5)];
    let world = World::new(Settings::default(), &[node("a", H100, 1, "1g.10gb=2")], &holders);
    let asks = pod("p", "1g.10gb=1");
    assert_eq!(by_uid(&world, &asks, &[("a", "w x u")]), is(&[("a", "x u")]));
    assert_eq!(by_uid(&world, &pod("p", "1g.10gb=2"), &[("a", "w x u y")]), is(&[("a", "w x u y")]));
    let idle = World::new(Settings::default(), &[node("a", H100, 1, "1g.10gb=2")], &[]);
    assert_eq!(by_uid(&idle, &asks, &[("a", "x y")]), is(&[("a", "x y")]), "it lacks something else, then");
}

#[test]
fn nodes_where_evictions_would_not_help_are_left_out() {
    let full = |name: &str| node(name, H100, 1, "1g.10gb=1");
    let nodes = [
        full("a"),
        in_rollout(full("now")),
        in_later_wave(full("later")),
        labelled(full("pending"), "nvidia.com/mig.config.state", "pending"),
        node("other", H100, 1, "3g.40gb=1"),
        node("a100", super::common::objects::A100, 1, "1g.10gb=1"),
    ];
    let names = ["a", "now", "later", "pending", "other", "a100"];
    let holders: Vec<Value> = names.iter().map(|name| on(name, pod(&format!("on-{name}"), "1g.10gb=1"))).collect();
    let world = World::new(Settings::default(), &nodes, &holders);
    let uids: Vec<String> = names.iter().map(|name| format!("on-{name}")).collect();
    let mut victims: Vec<(&str, &str)> = names.iter().copied().zip(uids.iter().map(String::as_str)).collect();
    victims.push(("ghost", "x"));
    let asks = pod("p", "1g.10gb=1");
    assert_eq!(by_uid(&world, &asks, &victims), is(&[("a", "on-a"), ("a100", "on-a100"), ("later", "on-later")]));
    let odd = merge(asks, json!({"spec": {"nodeSelector": {"zone": "z"}}}));
    assert_eq!(by_uid(&world, &odd, &victims), is(&[]), "none is selected");
}

#[test]
fn what_is_on_its_way_is_not_free_either() {
    let holders = [victim("u", "1g.10gb=1", 0), victim("w", "1g.10gb=1", 1)];
    let world = World::new(ignored(Duration::from_secs(3600)), &[node("a", H100, 1, "1g.10gb=3")], &holders);
    let asks = pod("p", "1g.10gb=2");
    assert_eq!(by_uid(&world, &asks, &[("a", "u w")]), is(&[("a", "u")]));
    world.filter(&pod("first", "1g.10gb=1"), &["a"]);
    assert_eq!(by_uid(&world, &asks, &[("a", "u w")]), is(&[("a", "u w")]));
    assert_eq!(by_uid(&world, &pod("p", "1g.10gb=3"), &[("a", "u w")]), is(&[]));
}

#[test]
fn nobody_is_spared_while_a_victim_is_ending() {
    let leaving =
        merge(victim("u", "1g.10gb=1", 0), json!({"metadata": {"deletionTimestamp": "2026-11-26T00:00:00Z"}}));
    for (name, first, expected) in [("ending", leaving, "u w"), ("staying", victim("u", "1g.10gb=1", 0), "u")] {
        let world =
            World::new(Settings::default(), &[node("a", H100, 1, "1g.10gb=2")], &[first, victim("w", "1g.10gb=1", 5)]);
        // Another pod was nominated there before, and waits for what `u` leaves.
        assert_eq!(by_uid(&world, &pod("p", "1g.10gb=1"), &[("a", "u w")]), is(&[("a", expected)]), "{name}");
    }
}

#[test]
fn nobody_is_spared_where_another_is_nominated_that_goes_first() {
    let holders = [victim("u", "1g.10gb=1", 0), victim("w", "3g.40gb=1", 5)];
    let asks = |name: &str, asks: &str, priority: i32| merge(pod(name, asks), json!({"spec": {"priority": priority}}));
    let pod = asks("p", "1g.10gb=1", 50);
    let check = |name: &str, other: Value, expected: &str| {
        let mut world = World::new(Settings::default(), &[node("a", H100, 1, "1g.10gb=2,3g.40gb=1")], &holders);
        world.put_pod(&on("a", asks("stays", "1g.10gb=1", 99)));
        world.put_pod(&other);
        assert_eq!(by_uid(&world, &pod, &[("a", "u w")]), is(&[("a", expected)]), "{name}");
        world.remove_pod(&other);
        assert_eq!(by_uid(&world, &pod, &[("a", "u w")]), is(&[("a", "u")]), "{name}, but it is gone");
    };
    check("more important", nominated("a", asks("n", "1g.10gb=1", 100)), "u w");
    check("as important, and without slices", nominated("a", asks("n", "cpu=4", 50)), "u w");
    check("less important", nominated("a", asks("n", "1g.10gb=1", 49)), "u");
    check("elsewhere", nominated("b", asks("n", "1g.10gb=1", 100)), "u");
    check("itself", nominated("a", pod.clone()), "u");
    check("on another node by now", on("b", nominated("a", asks("n", "1g.10gb=1", 100))), "u");
}

#[test]
fn where_claims_give_gpus_out_the_schedulers_victims_stand() {
    let holders = [victim("u", "1g.10gb=1", 0), victim("w", "1g.10gb=1", 0)];
    let claim = json!({"spec": {"resourceClaims": [{"name": "gpu", "resourceClaimName": "mine"}]}});
    let mut world = World::new(Settings::default(), &[node("a", H100, 1, "1g.10gb=2")], &holders);
    let all = is(&[("a", "u w")]);
    assert_eq!(by_uid(&world, &merge(pod("p", ""), claim.clone()), &[("a", "u w")]), all, "a pod with claims only");
    assert_eq!(by_uid(&world, &merge(pod("p", "1g.10gb=1"), claim), &[("a", "u w")]), all, "a pod with both");
    world.change(Change::GivenByClaims(BTreeSet::from(["a".to_owned()])));
    assert_eq!(by_uid(&world, &pod("p", "1g.10gb=1"), &[("a", "u w")]), all, "a node with claims");
    assert_eq!(by_uid(&world, &pod("p", "3g.40gb=1"), &[("a", "u w")]), all, "of which its resources say nothing");
}

#[test]
fn violations_are_as_many_as_proposed_and_no_more_than_victims() {
    let holders = [victim("u", "1g.10gb=1", 0), victim("w", "1g.10gb=1", 5)];
    let world = World::new(Settings::default(), &[node("a", H100, 1, "1g.10gb=2")], &holders);
    for (asks, proposed, told) in [("1g.10gb=2", 0, 0), ("1g.10gb=2", 1, 1), ("1g.10gb=2", 2, 2), ("1g.10gb=1", 2, 1)] {
        let victims = json!({"a": {"Pods": [{"UID": "u"}, {"UID": "w"}], "NumPDBViolations": proposed}});
        let body = json!({"Pod": pod("p", asks), "NodeNameToMetaVictims": victims}).to_string();
        let said = world.ask(Verb::Preempt, &body);
        assert_eq!(said["NodeNameToMetaVictims"]["a"]["NumPDBViolations"], told, "{asks} {proposed}");
    }
}

#[test]
fn a_node_without_victims_is_left_out() {
    // The scheduler takes one in the answer for an error, and does not preempt at all.
    let world = World::new(Settings::default(), &[node("a", H100, 1, "1g.10gb=2")], &[]);
    for victims in [json!({"Pods": []}), json!({"Pods": null}), json!({})] {
        for form in ["NodeNameToMetaVictims", "NodeNameToVictims"] {
            let body = json!({"Pod": pod("p", "1g.10gb=1"), form: {"a": victims}}).to_string();
            assert_eq!(gone(&world.ask(Verb::Preempt, &body)), is(&[]), "{body}");
        }
    }
}
