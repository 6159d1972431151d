use std::fmt::Write as _;

use super::*;
use crate::demand::{Operator, Request, Together};
use crate::document::{Diagnostics, MAX_DIAGNOSTICS};
use crate::fleet::{GpuState, NodeNames, Strategy};
use crate::geometry::Catalog;
use crate::present::RecutUnit;
use crate::problem::Problem;

const HEAD: &str = "apiVersion: migsaw.io/v1alpha1\nkind: Scenario\n";
const FLEET: &str = "fleet:\n- {pool: a, model: H100-80GB, nodes: 4, gpusPerNode: 8}\n";
const DEMAND: &str = "demand:\n- {name: x, profile: 1g.10gb, count: 1}\n";

fn read(text: &str) -> Result<Problem, Diagnostics> {
    parse(text, &Catalog::builtin())
}

/// Reads a scenario that must be refused, and gives `line:column code path` of each problem.
fn refused(text: &str) -> Vec<String> {
    let problems = read(text).expect_err(text);
    let show = |d: &crate::document::Diagnostic| {
        let place = d.position.as_ref().map_or_else(String::new, |p| format!("{}:{} ", p.line, p.column));
        format!("{place}{} {}", d.code, d.path)
    };
    problems.iter().map(show).collect()
}

/// The same for scenarios of few lines: `line code path`.
fn check(name: &str, text: &str, expected: &[&str]) {
    let problems = read(text).expect_err(text);
    let show = |d: &crate::document::Diagnostic| format!("{} {} {}", d.line().unwrap_or(0), d.code, d.path);
    assert_eq!(problems.iter().map(show).collect::<Vec<_>>(), expected, "{name}\n{text}\n{problems}");
}

/// A scenario of the usual head and fleet with one demand in flow form.
fn with_demand(demand: &str) -> String {
    format!("{HEAD}{FLEET}demand:\n- {demand}\n")
}

/// A scenario of the usual head and demand with one pool in flow form.
fn with_pool(pool: &str) -> String {
    format!("{HEAD}fleet:\n- {pool}\n{DEMAND}")
}

#[test]
fn the_example_reads_as_its_comments_say() {
    let problem = read(EXAMPLE).unwrap();
    let [inference, mixed, whole] = &problem.fleet.pools[..] else { panic!("three pools") };
    assert_eq!((inference.node_count(), inference.gpus_per_node()), (8, 8));
    assert_eq!(inference.node_name(7), "inference-7");
    assert_eq!(inference.cost_per_gpu.unwrap().micros, 2_500_000);
    let states: Vec<usize> = inference.nodes.iter().map(|group| group.pinned.len()).collect();
    assert_eq!(states, [2, 2, 0]);
    let first = &inference.nodes[0];
    assert!(matches!(first.state(0), GpuState::Pinned(layout) if layout.placements().len() == 2));
    assert_eq!(first.state(1), &GpuState::Taken);
    assert_eq!(inference.nodes[1].state(0), &GpuState::Idle);
    assert_eq!(inference.nodes[1].names.count(), 2);

    let names: Vec<String> = (0..2).map(|node| mixed.node_name(node)).collect();
    assert_eq!(names, ["gpu-a", "gpu-b"]);
    let today = mixed.nodes[0].present.as_ref().unwrap();
    assert_eq!(today.unit, RecutUnit::Gpu);
    assert_eq!((today.layout(0).unwrap().placements().len(), today.layout(1)), (3, None));
    assert_eq!(today.layout(2).unwrap().counts().total(), 4);
    let [shard] = &today.running[..] else { panic!("one pod") };
    assert_eq!((shard.name.as_deref(), shard.demand, shard.stays), (Some("shards-0"), 3, true));
    let starts: Vec<u8> = shard.holds.iter().map(|held| held.instance.unwrap().start).collect();
    assert_eq!(starts, [0, 1]);
    assert_eq!(mixed.nodes[1].present, None);
    let finetune_runs = &whole.nodes[0].present.as_ref().unwrap().running;
    assert_eq!(finetune_runs[0].holds.iter().map(|held| held.gpu).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert_eq!(
        mixed.gpus.iter().map(|g| (g.model.id.as_str(), g.count)).collect::<Vec<_>>(),
        [("A100-40GB", 2), ("A30-24GB", 2)]
    );
    assert_eq!(whole.strategy, Strategy::Single);

    let [llm, notebooks, pipeline, shards, finetune] = &problem.demands[..] else { panic!("five demands") };
    assert_eq!((llm.namespace.as_deref(), llm.count, llm.priority), (Some("chat"), 120, 100));
    assert_eq!(llm.eligible.tolerations[0].value, None);
    let expected = Request::AtLeast { memory_mib: 16_384, compute_slices: 2, instances: 1, together: Together::Node };
    assert_eq!(notebooks.request, expected);
    assert!(
        matches!(&pipeline.request, Request::Profiles { together: Together::Gpu, instances } if instances.len() == 2)
    );
    let [term] = &pipeline.eligible.selector.terms[..] else { panic!("one term") };
    assert_eq!(
        term.iter().map(|r| (r.key.as_str(), r.operator)).collect::<Vec<_>>(),
        [("tier", Operator::In), ("zone", Operator::In)]
    );
    assert_eq!(pipeline.eligible.tolerations[0].value.as_deref(), Some(""));
    assert!(matches!(&shards.request, Request::Profiles { instances, .. } if instances.values().eq([&2])));
    assert_eq!(shards.eligible.pools, Some(vec!["mixed-boards".to_owned()]));
    assert_eq!(finetune.request, Request::WholeGpus { gpus: 4 });
    assert_eq!(finetune.eligible.strategy, Some(Strategy::Single));
}

#[test]
fn json_is_read_as_well() {
    let text = r#"{
	"apiVersion": "migsaw.io/v1alpha1", "kind": "Scenario",
	"fleet": [{"pool": "a\u002d1\/x", "model": "A30", "nodes": 2, "gpusPerNode": 4, "costPerGpu": 0.1, "labels": null}],
	"demand": [{"name": "\ud83d\ude00", "atLeast": {"memory": 1000000000}, "count": 1e0}]
}"#;
    assert_eq!(refused(text), ["4:82 wrong-type demand[0].count"]);
    let twice = text.replace("1e0", "1, \"count\": 1");
    assert_eq!(refused(&twice), ["4:85 duplicate-key "]);
    let problem = read(&text.replace("1e0", "1")).unwrap();
    assert_eq!(problem.fleet.pools[0].name, "a-1/x");
    assert_eq!(problem.fleet.pools[0].cost_per_gpu.unwrap().micros, 100_000);
    assert_eq!(problem.demands[0].name, "\u{1f600}");
    let expected = Request::AtLeast { memory_mib: 954, compute_slices: 1, instances: 1, together: Together::Node };
    assert_eq!(problem.demands[0].request, expected);
}

#[test]
fn wrong_documents_are_named_as_such() {
    let good = format!("{HEAD}{FLEET}{DEMAND}");
    read(&good).unwrap();
    for (name, text, expected) in [
        ("empty", String::new(), "empty-document "),
        ("only a comment", "# nothing\n".to_owned(), "empty-document "),
        ("a list", "- a\n".to_owned(), "1:1 wrong-type "),
        ("a text", "hello\n".to_owned(), "1:1 wrong-type "),
        ("a plan", good.replace("Scenario", "Plan"), "2:7 kind kind"),
        ("another version", good.replace("v1alpha1", "v2"), "1:13 api-version apiVersion"),
        ("two documents", format!("{good}---\n{good}"), "8:1 multiple-documents "),
        ("a key twice", format!("{good}kind: Scenario\n"), "7:1 duplicate-key "),
        ("cut short", good[..good.len() - 10].to_owned(), "6:3 syntax "),
        ("no version", good.replace("apiVersion: migsaw.io/v1alpha1\n", ""), "1:1 missing-field "),
        ("version of the wrong type", good.replace("migsaw.io/v1alpha1", "1"), "1:13 wrong-type apiVersion"),
    ] {
        let found = refused(&text);
        assert_eq!(found.len(), 1, "{name}: {found:?}");
        assert!(found[0].ends_with(expected) || found[0] == expected, "{name}: {found:?}");
    }
}

#[test]
fn form_errors_are_all_reported_at_their_lines() {
    let text = format!(
        "{HEAD}fleets: []
fleet:
- pool: a
  model: H100-80GB
  nodes: 4
  gpuPerNode: 8
- pool: 7
  model: A30
  nodes: many
  gpusPerNode: \"4\"
  strategy: mixd
demand:
- name: x
  profile: 1g.10gb
- count: -1
  prioritee: 3
  wholeGpus: 1.5
- name: y
  profile: 9g.10gb
  count: 99999999999999999999
- 5
"
    );
    assert_eq!(
        refused(&text),
        [
            "3:1 unknown-field fleets",
            "8:3 unknown-field fleet[0].gpuPerNode",
            "9:9 wrong-type fleet[1].pool",
            "11:10 wrong-type fleet[1].nodes",
            "12:16 wrong-type fleet[1].gpusPerNode",
            "13:13 unknown-value fleet[1].strategy",
            "15:3 missing-field demand[0]",
            "17:3 missing-field demand[1]",
            "17:10 out-of-range demand[1].count",
            "18:3 unknown-field demand[1].prioritee",
            "19:14 wrong-type demand[1].wholeGpus",
            "21:12 unknown-profile demand[2].profile",
            "22:10 wrong-type demand[2].count",
            "23:3 wrong-type demand[3]",
        ]
    );
}

#[test]
fn an_error_of_form_hides_no_other() {
    for (demand, expected) in [
        (
            "{name: a, profile: 1g.10g, count: -12}",
            &["6 invalid-profile-name demand[0].profile", "6 out-of-range demand[0].count"][..],
        ),
        (
            "{name: a, profile: 1g.7gb, count: x}",
            &["6 unknown-profile demand[0].profile", "6 wrong-type demand[0].count"],
        ),
        (
            "{name: a, atLeast: {memory: 16Gib, compute: 9}, count: 4}",
            &["6 invalid-quantity demand[0].atLeast.memory", "6 out-of-range demand[0].atLeast.compute"],
        ),
        // What follows from a value being gone is not reported.
        ("{name: a, profile: 3, count: 1}", &["6 wrong-type demand[0].profile"]),
        ("{name: a, profiles: {1g.10gb: 0}, count: 1}", &["6 out-of-range demand[0].profiles[\"1g.10gb\"]"]),
        ("{profile: 1g.10gb, count: 1}", &["6 missing-field demand[0]"]),
        (
            "{name: a, profile: 1g.10gb, count: 1, tolerations: [{value: y, effect: Never}]}",
            &["6 unknown-value demand[0].tolerations[0].effect"],
        ),
        ("a", &["6 wrong-type demand[0]"]),
    ] {
        check(demand, &with_demand(demand), expected);
    }
    for (pool, expected) in [
        (
            "{pool: p, model: H100-81GB, nodes: -3, gpusPerNode: 2}",
            &["4 unknown-model fleet[0].model", "4 out-of-range fleet[0].nodes"][..],
        ),
        (
            "{pool: p, model: H100-81GB, nodes: 3, gpusPerNode: 900}",
            &["4 unknown-model fleet[0].model", "4 out-of-range fleet[0].gpusPerNode"],
        ),
        (
            "{pool: p, model: A30, nodes: -3, gpusPerNode: 2, pinned: [{nodes: [p-7], gpus: [1g.6gb@0]}]}",
            &["4 out-of-range fleet[0].nodes"],
        ),
        ("{pool: 3, model: A30, nodes: 3, gpusPerNode: 2}", &["4 wrong-type fleet[0].pool"]),
    ] {
        check(pool, &with_pool(pool), expected);
    }
}

#[test]
fn pools_that_make_no_sense() {
    for (name, pool, expected) in [
        (
            "unknown model",
            "{pool: a, model: H100-80G, nodes: 1, gpusPerNode: 8}",
            &["4 unknown-model fleet[0].model"][..],
        ),
        ("ambiguous model", "{pool: a, model: A100, nodes: 1, gpusPerNode: 8}", &["4 ambiguous-model fleet[0].model"]),
        (
            "unpublished geometry",
            "{pool: a, model: RTX-PRO-5000, nodes: 1, gpusPerNode: 8}",
            &["4 model-without-geometry fleet[0].model"],
        ),
        ("no model", "{pool: a, nodes: 1, gpusPerNode: 8}", &["4 missing-field fleet[0]"]),
        ("no GPUs", "{pool: a, model: A30, nodes: 1}", &["4 missing-field fleet[0]"]),
        (
            "both forms",
            "{pool: a, model: A30, nodes: 1, gpus: [{model: A30, count: 1}]}",
            &["4 exclusive-fields fleet[0].gpus"],
        ),
        ("no GPU in the list", "{pool: a, nodes: 1, gpus: []}", &["4 empty-list fleet[0].gpus"]),
        (
            "too many GPUs",
            "{pool: a, nodes: 1, gpus: [{model: A30, count: 60}, {model: A30, count: 5}]}",
            &["4 out-of-range fleet[0].gpus"],
        ),
        (
            "too many nodes",
            "{pool: a, model: A30, nodes: 10000001, gpusPerNode: 8}",
            &["4 out-of-range fleet[0].nodes"],
        ),
        ("negative nodes", "{pool: a, model: A30, nodes: -1, gpusPerNode: 8}", &["4 out-of-range fleet[0].nodes"]),
        ("no node", "{pool: a, model: A30, nodes: 0, gpusPerNode: 8}", &["4 empty-fleet fleet"]),
        ("NaN nodes", "{pool: a, model: A30, nodes: .nan, gpusPerNode: 8}", &["4 wrong-type fleet[0].nodes"]),
        (
            "negative price",
            "{pool: a, model: A30, nodes: 1, gpusPerNode: 8, costPerGpu: -2}",
            &["4 invalid-price fleet[0].costPerGpu"],
        ),
        (
            "infinite price",
            "{pool: a, model: A30, nodes: 1, gpusPerNode: 8, costPerGpu: .inf}",
            &["4 wrong-type fleet[0].costPerGpu"],
        ),
        (
            "too fine a price",
            "{pool: a, model: A30, nodes: 1, gpusPerNode: 8, costPerGpu: 0.1234567}",
            &["4 invalid-price fleet[0].costPerGpu"],
        ),
        ("empty name", "{pool: '', model: A30, nodes: 1, gpusPerNode: 8}", &["4 empty-name fleet[0].pool"]),
        (
            "space around a name",
            "{pool: ' a', model: A30, nodes: 1, gpusPerNode: 8}",
            &["4 invalid-name fleet[0].pool"],
        ),
        (
            "node twice",
            "{pool: a, model: A30, nodes: [n, m, n], gpusPerNode: 8}",
            &["4 duplicate-node fleet[0].nodes[2]"],
        ),
        (
            "label of the wrong type",
            "{pool: a, model: A30, nodes: 1, gpusPerNode: 8, labels: {n: 1}}",
            &["4 wrong-type fleet[0].labels.n"],
        ),
        (
            "unknown effect",
            "{pool: a, model: A30, nodes: 1, gpusPerNode: 8, taints: [{key: k, effect: Never}]}",
            &["4 unknown-value fleet[0].taints[0].effect"],
        ),
    ] {
        check(name, &with_pool(pool), expected);
    }
}

#[test]
fn pinned_instances_that_make_no_sense() {
    for (name, pool, expected) in [
        (
            "pinned overlap",
            "{pool: a, model: H100-80GB, nodes: 1, gpusPerNode: 8, pinned: [{nodes: 1, gpus: [empty, '3g.40gb@0,1g.10gb@3']}]}",
            &["4 overlap fleet[0].pinned[0].gpus[1]"][..],
        ),
        (
            "pinned at an illegal start",
            "{pool: a, model: H100-80GB, nodes: 1, gpusPerNode: 8, pinned: [{nodes: 1, gpus: ['3g.40gb@5']}]}",
            &["4 illegal-start fleet[0].pinned[0].gpus[0]"],
        ),
        (
            "pinned unknown profile",
            "{pool: a, model: A30, nodes: 1, gpusPerNode: 8, pinned: [{nodes: 1, gpus: ['3g.40gb@0']}]}",
            &["4 unknown-profile fleet[0].pinned[0].gpus[0]"],
        ),
        (
            "more GPUs pinned than there are",
            "{pool: a, model: A30, nodes: 1, gpusPerNode: 1, pinned: [{nodes: 1, gpus: [empty, taken]}]}",
            &["4 pinned-too-many fleet[0].pinned[0].gpus"],
        ),
        (
            "more nodes pinned than there are",
            "{pool: a, model: A30, nodes: 2, gpusPerNode: 1, pinned: [{nodes: 2, gpus: [taken]}, {nodes: 1, gpus: [taken]}]}",
            &["4 pinned-nodes fleet[0].pinned[1].nodes"],
        ),
        (
            "unknown node pinned",
            "{pool: a, model: A30, nodes: 2, gpusPerNode: 1, pinned: [{nodes: [a-2, b], gpus: [taken]}]}",
            &["4 unknown-node fleet[0].pinned[0].nodes[0]", "4 unknown-node fleet[0].pinned[0].nodes[1]"],
        ),
        (
            "node pinned twice",
            "{pool: a, model: A30, nodes: 2, gpusPerNode: 1, pinned: [{nodes: [a-1, a-1], gpus: [taken]}]}",
            &["4 duplicate-node fleet[0].pinned[0].nodes[1]"],
        ),
    ] {
        check(name, &with_pool(pool), expected);
    }
}

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

#[test]
fn fleets_that_make_no_sense() {
    let empty = format!("{HEAD}fleet: []\n{DEMAND}");
    check("empty fleet", &empty, &["3 empty-fleet fleet"]);
    let pool = "- {pool: a, model: A30, nodes: 1, gpusPerNode: 1, costPerGpu: 1}\n";
    let two = format!("{HEAD}fleet:\n{pool}{}{DEMAND}", pool.replace(", costPerGpu: 1", ""));
    check("same name, price missing", &two, &["5 cost-missing fleet[1]", "5 duplicate-pool fleet[1].pool"]);
    let unfit = format!("{HEAD}fleet:\n{}{pool}{DEMAND}", pool.replace("A30", "B30"));
    check("same name as a broken pool", &unfit, &["4 unknown-model fleet[0].model", "5 duplicate-pool fleet[1].pool"]);
}

#[test]
fn demands_that_make_no_sense() {
    for (name, demand, expected) in [
        ("nothing asked", "{name: x, count: 1}", &["6 missing-field demand[0]"][..]),
        (
            "two requests",
            "{name: x, count: 1, wholeGpus: 1, profile: 1g.10gb}",
            &["6 exclusive-fields demand[0].wholeGpus"],
        ),
        (
            "instances of whole GPUs",
            "{name: x, count: 1, wholeGpus: 1, instances: 2}",
            &["6 exclusive-fields demand[0].instances"],
        ),
        (
            "whole GPUs on one GPU",
            "{name: x, count: 1, wholeGpus: 2, sameGpu: true}",
            &["6 exclusive-fields demand[0].sameGpu"],
        ),
        ("no profile name", "{name: x, count: 1, profile: 1g10gb}", &["6 invalid-profile-name demand[0].profile"]),
        ("unknown profile", "{name: x, count: 1, profile: 5g.10gb}", &["6 unknown-profile demand[0].profile"]),
        ("no profile in the map", "{name: x, count: 1, profiles: {}}", &["6 empty-list demand[0].profiles"]),
        (
            "none of a profile",
            "{name: x, count: 1, profiles: {1g.10gb: 0}}",
            &["6 out-of-range demand[0].profiles[\"1g.10gb\"]"],
        ),
        (
            "unknown among profiles",
            "{name: x, count: 1, profiles: {1g.10gb: 1, 8g.1gb: 2}}",
            &["6 unknown-profile demand[0].profiles[\"8g.1gb\"]"],
        ),
        ("no limit given", "{name: x, count: 1, atLeast: {}}", &["6 missing-field demand[0].atLeast"]),
        (
            "memory in GB",
            "{name: x, count: 1, atLeast: {memory: 16GB}}",
            &["6 invalid-quantity demand[0].atLeast.memory"],
        ),
        (
            "negative memory",
            "{name: x, count: 1, atLeast: {memory: -1}}",
            &["6 invalid-quantity demand[0].atLeast.memory"],
        ),
        ("huge memory", "{name: x, count: 1, atLeast: {memory: 9999Pi}}", &["6 out-of-range demand[0].atLeast.memory"]),
        (
            "too much compute",
            "{name: x, count: 1, atLeast: {compute: 8}}",
            &["6 out-of-range demand[0].atLeast.compute"],
        ),
        ("huge count", "{name: x, count: 1000000001, wholeGpus: 1}", &["6 out-of-range demand[0].count"]),
        ("no instance", "{name: x, count: 1, profile: 1g.10gb, instances: 0}", &["6 out-of-range demand[0].instances"]),
        ("unknown pool", "{name: x, count: 1, wholeGpus: 1, pools: [a, b]}", &["6 unknown-pool demand[0].pools[1]"]),
        ("no pool", "{name: x, count: 1, wholeGpus: 1, pools: []}", &["6 empty-list demand[0].pools"]),
        ("none per node", "{name: x, count: 1, wholeGpus: 1, maxPerNode: 0}", &["6 out-of-range demand[0].maxPerNode"]),
        ("no name", "{name: '', count: 1, wholeGpus: 1}", &["6 empty-name demand[0].name"]),
        (
            "flat affinity",
            "{name: x, count: 1, wholeGpus: 1, nodeAffinity: [{key: k, operator: Exists}]}",
            &[
                "6 missing-field demand[0].nodeAffinity[0]",
                "6 unknown-field demand[0].nodeAffinity[0].key",
                "6 unknown-field demand[0].nodeAffinity[0].operator",
            ],
        ),
        (
            "toleration without a key",
            "{name: x, count: 1, wholeGpus: 1, tolerations: [{value: v}]}",
            &["6 invalid-toleration demand[0].tolerations[0]"],
        ),
        (
            "value with Exists",
            "{name: x, count: 1, wholeGpus: 1, tolerations: [{key: k, operator: Exists, value: v}]}",
            &["6 invalid-toleration demand[0].tolerations[0]"],
        ),
    ] {
        check(name, &with_demand(demand), expected);
    }
    let twice =
        format!("{HEAD}{FLEET}{DEMAND}- {{name: x, wholeGpus: 1, count: 2}}\n- {{name: x, wholeGpu: 1, count: 2}}\n");
    check(
        "same name",
        &twice,
        &[
            "7 duplicate-demand demand[1].name",
            "8 duplicate-demand demand[2].name",
            "8 unknown-field demand[2].wholeGpu",
        ],
    );
}

#[test]
fn selectors_that_cannot_hold() {
    let none: &[&str] = &[];
    for (name, selector, terms, expected) in [
        ("plain", "{a: x}", "[{key: b, operator: Exists}]", none),
        ("in and in", "{a: x}", "[{key: a, operator: In, values: [y, z]}]", &["contradictory-selector"]),
        ("in and in that meet", "{a: x}", "[{key: a, operator: In, values: [y, x]}]", none),
        ("in and not in", "{a: x}", "[{key: a, operator: NotIn, values: [y, x]}]", &["contradictory-selector"]),
        (
            "not in leaves one",
            "{}",
            "[{key: a, operator: In, values: [y, x]}, {key: a, operator: NotIn, values: [y]}]",
            none,
        ),
        (
            "there and missing",
            "{}",
            "[{key: a, operator: Exists}, {key: a, operator: DoesNotExist}]",
            &["contradictory-selector"],
        ),
        ("equal and missing", "{a: x}", "[{key: a, operator: DoesNotExist}]", &["contradictory-selector"]),
        (
            "above and below",
            "{}",
            "[{key: a, operator: Gt, values: ['4']}, {key: a, operator: Lt, values: ['5']}]",
            &["contradictory-selector"],
        ),
        (
            "above and below with room",
            "{}",
            "[{key: a, operator: Gt, values: ['4']}, {key: a, operator: Lt, values: ['6']}]",
            none,
        ),
        ("above what it is", "{a: '4'}", "[{key: a, operator: Gt, values: ['4']}]", &["contradictory-selector"]),
        ("a word above a number", "{a: x}", "[{key: a, operator: Gt, values: ['4']}]", &["contradictory-selector"]),
        (
            "smallest number",
            "{}",
            "[{key: a, operator: Lt, values: ['-9223372036854775808']}, {key: a, operator: Gt, values: ['0']}]",
            &["contradictory-selector"],
        ),
        ("no value", "{}", "[{key: a, operator: In}]", &["selector-values"]),
        ("values for Exists", "{}", "[{key: a, operator: Exists, values: [x]}]", &["selector-values"]),
        ("a word as bound", "{}", "[{key: a, operator: Gt, values: [x]}]", &["selector-values"]),
    ] {
        let text = with_demand(&format!(
            "{{name: x, count: 1, wholeGpus: 1, nodeSelector: {selector}, nodeAffinity: [{{matchExpressions: {terms}}}]}}"
        ));
        let codes: Vec<&str> = match read(&text) {
            Ok(_) => Vec::new(),
            Err(found) => found.iter().map(|d| d.code).collect(),
        };
        assert_eq!(codes, expected, "{name}");
    }
}

#[test]
fn a_profile_of_another_model_is_not_an_input_error() {
    read(&with_demand("{name: x, count: 1, profile: 1g.6gb}")).unwrap();
}

#[test]
fn suggestions_name_what_was_meant() {
    for (text, expected) in [
        (with_demand("{name: x, count: 1, profile: 1g.13gb}"), "1g.10gb"),
        (with_demand("{name: x, cuont: 1, wholeGpus: 1}"), "did you mean `count`?"),
        (with_demand("{name: x, count: 1, atLeast: {memory: 16GB}}"), "`16Gi`"),
        (with_pool("{pool: a, model: H100-80, nodes: 1, gpusPerNode: 1, labels: {a: yes, b: true}}"), "\"true\""),
        (with_pool("{pool: a, model: H100-8OGB, nodes: 1, gpusPerNode: 1}"), "H100-80GB"),
    ] {
        let found = read(&text).unwrap_err().to_string();
        assert!(found.contains(expected), "{found}");
    }
}

#[test]
fn pinned_nodes_are_taken_by_name_first_and_then_in_order() {
    let text = with_pool(
        "{pool: a, model: H100-80GB, nodes: 6, gpusPerNode: 2, pinned: [{nodes: 2, gpus: [taken]}, {nodes: [a-1], gpus: [7g.80gb@0]}, {nodes: 1, gpus: [empty]}, {nodes: 1, gpus: [empty, taken]}]}",
    );
    let pool = &read(&text).unwrap().fleet.pools[0];
    let shown: Vec<(u32, u32, usize)> =
        pool.node_ranges().map(|(range, group)| (range.start, range.end, group.pinned.len())).collect();
    assert_eq!(shown, [(0, 1, 1), (1, 2, 1), (2, 3, 1), (3, 4, 0), (4, 5, 2), (5, 6, 0)]);
    assert_eq!(pool.nodes[1].names, NodeNames::Numbered { prefix: "a-".into(), first: 1, count: 1 });
    assert!(matches!(pool.nodes[1].state(0), GpuState::Pinned(_)));
}

#[test]
fn what_is_printed_reads_as_the_same_problem() {
    let odd_texts = "{name: 'yes', namespace: '1e3', count: 0, priority: -5, profile: 1g.10gb, instances: 3, nodeSelector: {'true': 'null', a: '0x1', '~': ': #'}, tolerations: [{key: '*a', value: '&b'}, {operator: Exists, effect: NoExecute}]}";
    for text in [
        EXAMPLE.to_owned(),
        with_demand(odd_texts),
        with_demand(
            "{name: \"a\\u2028b c\", count: 1, atLeast: {compute: 0}, sameGpu: true, instances: 2, strategy: mixed}",
        ),
        with_demand(
            "{name: x, count: 1, profiles: {1g.10gb+me: 2}, nodeAffinity: [{matchExpressions: [{key: a, operator: NotIn, values: [b]}]}, {matchExpressions: [{key: a, operator: Gt, values: ['3']}]}]}",
        ),
        with_pool(
            "{pool: a, model: H100-80GB, nodes: 6, gpusPerNode: 2, pinned: [{nodes: 2, gpus: [taken]}, {nodes: [a-1, a-4], gpus: [7g.80gb@0]}, {nodes: 1, gpus: [empty]}]}",
        ),
        with_pool(
            "{pool: a, model: A30, nodes: [x, '1', 'null', \"'\", '-', '?'], gpusPerNode: 1, costPerGpu: 0.000001, pinned: [{nodes: ['null'], gpus: [taken]}]}",
        ),
        with_pool(
            "{pool: '0', gpus: [{model: A30, count: 1}], nodes: 1, strategy: single, taints: [{key: a, value: 'off', effect: NoExecute}]}",
        ),
    ] {
        let problem = read(&text).unwrap();
        let document = ScenarioDocument::new(&problem);
        let printed = document.to_text();
        let again = read(&printed).unwrap_or_else(|error| panic!("{error}\n{printed}"));
        assert_eq!(again, problem, "{printed}");
        assert_eq!(ScenarioDocument::new(&again).to_text(), printed);
        let json = serde_json::to_string(&document).unwrap();
        assert_eq!(read(&json).unwrap(), problem, "{json}");
        assert_eq!(document.to_problem(&Catalog::builtin()).unwrap(), problem);
    }
}

#[test]
fn hostile_texts_are_refused_in_good_time() {
    let deep = format!("{HEAD}fleet: {}", "[".repeat(100_000));
    let bomb = format!(
        "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [{0}]\nc: &c [{1}]\nd: &d [{2}]\ne: &e [{3}]\nf: &f [{4}]\ng: [{5}]\n",
        ["*a"; 10].join(","),
        ["*b"; 10].join(","),
        ["*c"; 10].join(","),
        ["*d"; 10].join(","),
        ["*e"; 10].join(","),
        ["*f"; 10].join(",")
    );
    let large = "#".repeat(crate::document::MAX_TEXT + 1);
    for (text, codes) in
        [(deep, &["too-complex", "syntax"][..]), (bomb, &["too-complex"]), (large, &["file-too-large"])]
    {
        let found = read(&text).unwrap_err();
        let code = found.iter().next().unwrap().code;
        assert!(codes.contains(&code), "{code}: {found}");
    }
    let mut many = format!("{HEAD}{FLEET}demand:\n");
    for i in 0..1000 {
        writeln!(many, "- {{name: x{i}, profile: 1g.13gb, count: 1}}").unwrap();
    }
    let found = read(&many).unwrap_err();
    assert_eq!(found.len(), MAX_DIAGNOSTICS + 1);
    assert_eq!(found.iter().last().unwrap().message, "and 800 more problems");
}

#[test]
fn spans_cover_the_value() {
    let text = with_pool("{pool: ä, model: H101, nodes: 1, gpusPerNode: 8}");
    let found = read(&text).unwrap_err();
    let span = found.iter().next().unwrap().position.clone().unwrap().span.unwrap();
    assert_eq!(&text[span], "H101");
}
