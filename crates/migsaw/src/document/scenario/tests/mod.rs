mod budget;
mod demands;
mod fleet;
mod quota;
mod state;

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
            "22:10 out-of-range demand[2].count",
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

#[test]
fn numbers_that_are_too_large_or_none_are_told_the_limit() {
    let of_fleet = |fields: &str| {
        let text = format!(
            "apiVersion: migsaw.io/v1alpha1\nkind: Scenario\nfleet:\n- {{pool: p, model: A30, {fields}}}\ndemand:\n- {{name: x, profile: 1g.6gb, count: 1}}\n"
        );
        let problems = read(&text).expect_err(&text);
        problems.iter().map(|d| format!("{} {}", d.message, d.help.as_deref().unwrap_or("-"))).collect::<Vec<_>>()
    };
    let found = of_fleet("nodes: 99999999999999999999, gpusPerNode: 1");
    assert!(found[0].starts_with("1e20 is out of range, expected 0 to "), "{found:?}");
    let found = of_fleet("nodes: 1, gpusPerNode: 1, costPerGpu: .nan");
    assert!(found.len() == 1 && found[0].ends_with(" -"), "a number that is none is none in quotes: {found:?}");
}
