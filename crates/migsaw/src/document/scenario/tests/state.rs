//! What runs today.

use super::{HEAD, check, read};
use crate::present::RecutUnit;

/// A scenario with two A30 nodes of two GPUs, a demand and a state in flow form.
fn with_state(state: &str) -> String {
    let fleet = "fleet:\n- {pool: a, model: A30, nodes: 2, gpusPerNode: 2}\n";
    let demand =
        "demand:\n- {name: x, profile: 1g.6gb, count: 2, maxPerNode: 2}\n- {name: w, wholeGpus: 1, count: 1}\n";
    format!("{HEAD}{fleet}{demand}state:\n- {state}\n")
}

#[test]
fn states_that_make_no_sense() {
    let x = "{demand: x, on: [{gpu: 0, profile: 1g.6gb, start: 0}]}";
    for (name, state, expected) in [
        ("unknown node", "{node: b-0}".to_owned(), &["9 unknown-node state[0].node"][..]),
        ("a node twice", "{node: a-0}\n- {node: a-0}".to_owned(), &["10 duplicate-node state[1].node"]),
        ("no recut", "{node: a-0, recut: pod}".to_owned(), &["9 unknown-value state[0].recut"]),
        ("too many GPUs", "{node: a-0, gpus: [off, off, off]}".to_owned(), &["9 state-too-many state[0].gpus"]),
        ("no layout", "{node: a-0, gpus: [3g.40gb=1]}".to_owned(), &["9 unknown-profile state[0].gpus[0]"]),
        ("does not fit", "{node: a-0, gpus: [1g.6gb=5]}".to_owned(), &["9 unknown-value state[0].gpus[0]"]),
        ("overlap", "{node: a-0, gpus: ['2g.12gb@0,1g.6gb@1']}".to_owned(), &["9 overlap state[0].gpus[0]"]),
        (
            "unknown demand",
            "{node: a-0, gpus: [1g.6gb=4], pods: [{demand: y}]}".to_owned(),
            &["9 unknown-demand state[0].pods[0].demand"],
        ),
        (
            "nothing left",
            "{node: a-0, gpus: [1g.6gb=1], pods: [{demand: x, count: 2}]}".to_owned(),
            &["9 running-not-there state[0].pods[0]"],
        ),
        (
            "no GPU said",
            "{node: a-0, recut: gpu, gpus: [1g.6gb=1], pods: [{demand: x}]}".to_owned(),
            &["9 missing-field state[0].pods[0]"],
        ),
        (
            "held twice",
            format!("{{node: a-0, gpus: [1g.6gb=4], pods: [{x}, {x}]}}"),
            &["9 running-not-there state[0].pods[1].on[0]"],
        ),
        (
            "no such GPU",
            "{node: a-0, gpus: [1g.6gb=4], pods: [{demand: x, on: [{gpu: 2, profile: 1g.6gb}]}]}".to_owned(),
            &["9 unknown-gpu state[0].pods[0].on[0].gpu"],
        ),
        (
            "no such profile",
            "{node: a-0, gpus: [1g.6gb=4], pods: [{demand: x, on: [{gpu: 0, profile: 1g.5gb}]}]}".to_owned(),
            &["9 unknown-profile state[0].pods[0].on[0].profile"],
        ),
        (
            "not what is asked for",
            "{node: a-0, gpus: [1g.6gb=4], pods: [{demand: w, on: [{gpu: 0, profile: 1g.6gb}]}]}".to_owned(),
            &["9 running-mismatch state[0]"],
        ),
        (
            "more than asked for, and than may be on a node",
            "{node: a-0, gpus: [1g.6gb=4], pods: [{demand: x, count: 3}]}".to_owned(),
            &["6 running-too-many demand[0].count", "9 running-per-node state[0]"],
        ),
        (
            "a count beside what one pod holds",
            "{node: a-0, gpus: [1g.6gb=4], pods: [{demand: x, count: 2, on: [{gpu: 0, profile: 1g.6gb}]}]}".to_owned(),
            &["9 exclusive-fields state[0].pods[0].count"],
        ),
    ] {
        check(name, &with_state(&state), expected);
    }
    let single = with_state("{node: a-0, gpus: [1g.6gb=4, off]}")
        .replace("gpusPerNode: 2}", "gpusPerNode: 2, strategy: single}");
    check("cut in part", &single, &["9 state-not-single state[0]"]);
    let pinned = with_state("{node: a-0, gpus: [1g.6gb@0]}");
    let pinned = pinned.replace("gpusPerNode: 2}", "gpusPerNode: 2, pinned: [{nodes: [a-0], gpus: ['1g.6gb@1']}]}");
    check("without what is pinned", &pinned, &["9 state-without-pinned state[0]"]);
}

#[test]
fn pods_of_which_nobody_knows_where_they_are_take_what_the_others_leave() {
    let state = "{node: a-1, gpus: ['1g.6gb@0,1g.6gb@1'], pods: [{demand: x}, {demand: x, on: [{gpu: 0, profile: 1g.6gb, start: 0}]}, {demand: w}]}";
    let problem = read(&with_state(state)).unwrap();
    let [first, second] = &problem.fleet.pools[0].nodes[..] else { panic!("two groups") };
    assert_eq!((first.present.is_none(), second.names.get(0)), (true, "a-1".to_owned()));
    let today = second.present.as_ref().unwrap();
    assert_eq!(today.unit, RecutUnit::Node);
    let starts = |unit: usize| today.running[unit].holds[0].instance.map(|instance| instance.start);
    assert_eq!([starts(0), starts(1), starts(2)], [Some(1), Some(0), None]);
    assert_eq!(today.running[2].holds[0].gpu, 1);
}
