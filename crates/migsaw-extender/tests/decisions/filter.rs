//! Which nodes can take a pod that is alone on its way.

use std::collections::BTreeSet;

use migsaw_extender::Settings;
use migsaw_kube::scheduling::Change;
use serde_json::{Value, json};

use super::common::objects::{H100, H200, bare, in_later_wave, in_rollout, labelled, merge, node, on, pod, single};
use super::common::{World, expected};

const STATE: &str = "nvidia.com/mig.config.state";

/// One node of each kind.
fn kinds() -> World {
    let cut = |name: &str| node(name, H100, 2, "1g.10gb=7,3g.40gb=2,gpu=0");
    let nodes = [
        cut("cut"),
        in_rollout(cut("now")),
        in_later_wave(cut("later")),
        labelled(cut("pending"), STATE, "pending"),
        labelled(cut("rebooting"), STATE, "rebooting"),
        labelled(cut("failed"), STATE, "failed"),
        node("other", H100, 1, "7g.80gb=1"),
        node("off", H100, 8, "gpu=8"),
        single("single", H200, "1g.18gb", 7),
        bare("cpu"),
        node("strange", "NVIDIA-Z9000", 2, "1g.10gb=7"),
        node("strange-off", "NVIDIA-Z9000", 2, "gpu=2"),
        node("claims", H100, 8, ""),
        in_rollout(node("claims-now", H100, 8, "")),
    ];
    let mut world = World::new(Settings::default(), &nodes, &[]);
    world.change(Change::GivenByClaims(BTreeSet::from(["claims".to_owned(), "claims-now".to_owned()])));
    world
}

fn check(name: &str, world: &World, pod: &Value, said: &str) {
    let expected = expected(said);
    let nodes: Vec<&str> = expected.keys().map(String::as_str).collect();
    assert_eq!(world.filter(pod, &nodes), expected, "{name}");
}

#[test]
fn each_kind_of_node_has_its_verdict() {
    let world = kinds();
    let check = |name: &str, asks: &str, said: &str| check(name, &world, &pod("p", asks), said);
    check(
        "a slice that some offer",
        "1g.10gb=1",
        "cut=ok now=rollout later=ok pending=recut rebooting=recut failed=ok other=cut_otherwise off=cut_otherwise \
         single=strategy cpu=no_gpus strange=ok strange-off=no_gpus claims=ok claims-now=rollout ghost=unknown",
    );
    check(
        "a slice that none offers",
        "2g.20gb=1",
        "cut=cut_otherwise now=rollout later=cut_otherwise pending=recut failed=cut_otherwise other=cut_otherwise \
         off=cut_otherwise single=strategy cpu=no_gpus strange=no_gpus claims=ok ghost=unknown",
    );
    check(
        "a slice that there is not on this model",
        "1g.5gb=1",
        "cut=no_such_profile now=no_such_profile pending=no_such_profile other=no_such_profile off=no_such_profile \
         single=strategy cpu=no_gpus strange=no_gpus",
    );
    check(
        "whole GPUs, or slices where all are alike",
        "gpu=1",
        "cut=cut_otherwise now=rollout other=cut_otherwise off=ok single=ok cpu=no_gpus strange=no_gpus strange-off=ok",
    );
    check("all slices of one kind", "1g.10gb=7", "cut=ok strange=ok other=cut_otherwise");
    check("more slices than offered", "1g.10gb=8", "cut=cut_otherwise off=cut_otherwise strange=cut_otherwise");
    check(
        "more slices than can be",
        "1g.10gb=15",
        "cut=more_than_it_holds other=more_than_it_holds off=cut_otherwise single=strategy now=more_than_it_holds",
    );
    check("slices of two kinds", "1g.10gb=7,3g.40gb=2", "cut=ok other=more_than_it_holds off=cut_otherwise");
    check("slices and a whole GPU", "1g.10gb=1,gpu=1", "cut=cut_otherwise off=cut_otherwise single=strategy");
    check("what fits one GPU only by count", "3g.40gb=2,1g.10gb=1", "other=more_than_it_holds off=cut_otherwise");
    check("what fits one GPU", "3g.40gb=1,4g.40gb=1", "other=cut_otherwise");
    check("a part of an instance", "1c.3g.40gb=1", "cut=cut_otherwise");
    check("an instance with media extensions", "1g.10gb.me=1", "cut=cut_otherwise off=cut_otherwise");
}

#[test]
fn no_node_has_more_whole_gpus_than_it_has() {
    let world = kinds();
    check("as many", &world, &pod("p", "gpu=8"), "off=ok cut=more_than_it_holds single=more_than_it_holds");
    check("more", &world, &pod("p", "gpu=9"), "off=more_than_it_holds cut=more_than_it_holds");
}

#[test]
fn what_others_hold_is_taken() {
    let world = |pods: &[Value]| World::new(Settings::default(), &[node("a", H100, 1, "1g.10gb=4,3g.40gb=1")], pods);
    let held = |name: &str, asks: &str| on("a", pod(name, asks));
    for (name, pods, asks, said) in [
        ("nothing is held", vec![], "1g.10gb=4", "a=ok"),
        ("enough is left", vec![held("x", "1g.10gb=3")], "1g.10gb=1", "a=ok"),
        ("too little is left", vec![held("x", "1g.10gb=3")], "1g.10gb=2", "a=taken"),
        ("another kind is held", vec![held("x", "3g.40gb=1")], "1g.10gb=4", "a=ok"),
        ("one of two kinds is held", vec![held("x", "3g.40gb=1")], "1g.10gb=1,3g.40gb=1", "a=taken"),
        ("more is held than there is", vec![held("x", "1g.10gb=9")], "1g.10gb=1", "a=taken"),
        ("it is held elsewhere", vec![on("b", pod("x", "1g.10gb=4"))], "1g.10gb=4", "a=ok"),
        ("it is asked for only", vec![pod("x", "1g.10gb=4")], "1g.10gb=4", "a=ok"),
        ("more than it offers, and all is held", vec![held("x", "1g.10gb=4")], "1g.10gb=5", "a=cut_otherwise"),
    ] {
        check(name, &world(&pods), &pod("p", asks), said);
    }
}

#[test]
fn a_pod_that_is_on_a_node_already_counts_there() {
    // The scheduler would not ask; whoever asks for an explanation does.
    let world = World::new(Settings::default(), &[node("a", H100, 1, "1g.10gb=1")], &[on("a", pod("p", "1g.10gb=1"))]);
    check("itself", &world, &pod("p", "1g.10gb=1"), "a=taken");
}

#[test]
fn selectors_go_before_everything_else() {
    let nodes = [labelled(node("a", H100, 1, "1g.10gb=7"), "zone", "a"), node("b", H100, 1, "3g.40gb=1"), bare("c")];
    let world = World::new(Settings::default(), &nodes, &[]);
    let selecting = |spec: Value| merge(pod("p", "1g.10gb=1"), json!({"spec": spec}));
    let required = |term: Value| {
        selecting(json!({"affinity": {"nodeAffinity":
            {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}}))
    };
    let expression = |operator: &str, values: &[&str]| {
        required(json!({"matchExpressions": [{"key": "zone", "operator": operator, "values": values}]}))
    };
    for (name, pod, said) in [
        ("selector", selecting(json!({"nodeSelector": {"zone": "a"}})), "a=ok b=not_selected c=not_selected"),
        ("another", selecting(json!({"nodeSelector": {"zone": "b"}})), "a=not_selected b=not_selected"),
        ("In", expression("In", &["a", "b"]), "a=ok b=not_selected"),
        ("NotIn", expression("NotIn", &["a"]), "a=not_selected b=cut_otherwise c=no_gpus"),
        ("Exists", expression("Exists", &[]), "a=ok b=not_selected"),
        ("Gt of a word", expression("Gt", &["1"]), "a=not_selected b=not_selected"),
        (
            "a name",
            required(json!({"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["a"]}]})),
            "a=ok b=not_selected",
        ),
        ("an empty term", required(json!({})), "a=not_selected b=not_selected"),
    ] {
        check(name, &world, &pod, said);
    }
}

#[test]
fn odd_quantities_are_told_as_such_and_zero_is_none() {
    let world = kinds();
    for (quantity, said) in [
        (json!("-1"), "cut=odd_quantity cpu=odd_quantity now=odd_quantity ghost=unknown"),
        (json!("0.5"), "cut=odd_quantity claims=odd_quantity"),
        (json!("two"), "cut=odd_quantity"),
        (json!("2000000000"), "cut=odd_quantity"),
        (json!(2.5), "cut=odd_quantity"),
        (json!("2000m"), "cut=ok"),
        (json!(1), "cut=ok"),
        (json!("1k"), "cut=more_than_it_holds"),
        (json!("0"), "cut=ok cpu=ok now=ok ghost=ok"),
        (Value::Null, "cut=ok cpu=ok"),
    ] {
        let pod = json!({"metadata": {"name": "p", "namespace": "team", "uid": "p"},
            "spec": {"containers": [{"resources": {"limits": {"nvidia.com/mig-1g.10gb": quantity}}}]}});
        check(&quantity.to_string(), &world, &pod, said);
    }
}

#[test]
fn nothing_is_promised_before_nodes_and_pods_have_been_listed() {
    let asks = pod("p", "1g.10gb=1");
    let listed = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    // In either order.
    for pods_first in [true, false] {
        let mut world = World::new(Settings::default(), &[], &[]);
        world.keeper = migsaw_extender::fleet::Keeper::new(&migsaw::geometry::Catalog::builtin());
        world.extender = migsaw_extender::Extender::new(world.keeper.fleet().clone(), Settings::default());
        let said = |world: &World| world.filter_or_wait(&asks, &["a"]);
        let waits = Err("the cluster's nodes and pods are not all known yet".to_owned());
        assert_eq!(said(&world), waits);
        let steps: [&dyn Fn(&mut World); 2] = [
            &|world| {
                world.put_pod(&on("a", pod("x", "1g.10gb=1")));
                world.change(Change::PodsAre(listed(&["x"])));
            },
            &|world| {
                world.put_node(&node("a", H100, 1, "1g.10gb=1"));
                world.change(Change::NodesAre(listed(&["a"])));
            },
        ];
        steps[usize::from(!pods_first)](&mut world);
        assert_eq!(said(&world), waits, "half of it is known, pods first: {pods_first}");
        steps[usize::from(pods_first)](&mut world);
        assert_eq!(said(&world), Ok(expected("a=taken")));
    }
}

#[test]
fn what_a_watch_says_of_nodes_counts_at_once() {
    let mut world = World::new(Settings::default(), &[node("a", H100, 1, "1g.10gb=7")], &[]);
    let asks = pod("p", "1g.10gb=1");
    let mut said = vec![world.filter(&asks, &["a"])["a"].clone()];
    let changes = [
        Change::Node(serde_json::from_value(in_rollout(node("a", H100, 1, "1g.10gb=7"))).unwrap()),
        Change::Node(serde_json::from_value(node("a", H100, 1, "")).unwrap()),
        Change::Node(serde_json::from_value(node("a", H100, 1, "1g.10gb=7")).unwrap()),
        Change::GivenByClaims(BTreeSet::from(["a".to_owned()])),
        Change::GivenByClaims(BTreeSet::new()),
        Change::NodeGone("a".to_owned()),
        Change::Node(serde_json::from_value(node("a", H100, 1, "1g.10gb=7")).unwrap()),
        Change::NodesAre(["b".to_owned()].into()),
    ];
    for change in changes {
        world.change(change);
        said.push(world.filter(&asks, &["a"])["a"].clone());
    }
    assert_eq!(said, ["ok", "rollout", "cut_otherwise", "ok", "ok", "ok", "unknown", "ok", "unknown"]);
}
