use super::*;
use crate::document::{Diagnostics, scenario};
use crate::geometry::{Catalog, Layout};
use crate::plan::{GpuShare, GpuTarget, Plan, PlannedNodes, Serving, Status, Tier, TierName, Unserved, UnservedCode};
use crate::problem::Problem;

const SCENARIO: &str = "
apiVersion: migsaw.io/v1alpha1
kind: Scenario
fleet:
- {pool: a, model: H100-80GB, nodes: 3, gpusPerNode: 2, costPerGpu: 2.5}
- pool: b
  gpus: [{model: A30, count: 1}, {model: H100-80GB, count: 1}]
  nodes: [n1, n2]
  costPerGpu: 1
demand:
- {name: x, profile: 1g.10gb, count: 9}
- {name: x, namespace: other, wholeGpus: 1, count: 2}
- {name: y, profile: 1g.6gb, count: 1}
";

fn problem() -> Problem {
    scenario::parse(SCENARIO, &Catalog::builtin()).unwrap()
}

fn plan(problem: &Problem) -> Plan {
    let h100 = &problem.fleet.pools[0].gpus[0].model;
    let cut = |text: &str| GpuTarget::Mig(Layout::parse(h100, text).unwrap());
    let small = h100.profile(&"1g.10gb".parse().unwrap());
    let whole = GpuShare { gpu: 1, profile: None, instances: 1 };
    Plan {
        status: Status::Feasible,
        tiers: vec![
            Tier { name: TierName::Served { priority: 0 }, value: 6, bound: 7 },
            Tier { name: TierName::Cost, value: 12_500_000, bound: 10_000_001 },
        ],
        nodes: vec![
            PlannedNodes {
                pool: 0,
                nodes: 0..2,
                gpus: vec![cut("1g.10gb@0,1g.10gb@1,3g.40gb@4"), GpuTarget::MigOff],
                serves: vec![
                    Serving { demand: 0, units: 2, shares: vec![GpuShare { gpu: 0, profile: small, instances: 2 }] },
                    Serving { demand: 1, units: 1, shares: vec![whole] },
                ],
                evicts: vec![],
            },
            PlannedNodes {
                pool: 0,
                nodes: 2..3,
                gpus: vec![GpuTarget::MigOff; 2],
                serves: Vec::new(),
                evicts: Vec::new(),
            },
            PlannedNodes {
                pool: 1,
                nodes: 0..2,
                gpus: vec![GpuTarget::MigOff, cut("7g.80gb@0")],
                serves: Vec::new(),
                evicts: Vec::new(),
            },
        ],
        unserved: vec![Unserved {
            demand: 0,
            count: 5,
            code: UnservedCode::Capacity,
            reason: "full".to_owned(),
            remedy: Some("1 node more of pool `a`".to_owned()),
        }],
    }
}

#[test]
fn streamed_and_held_documents_are_byte_identical() {
    let problem = problem();
    let plan = plan(&problem);
    let held = serde_json::to_string_pretty(&PlanDocument::new(&problem, &plan)).unwrap();
    let streamed = serde_json::to_string_pretty(&PlanDocument::streamed(&problem, &plan)).unwrap();
    assert_eq!(held, streamed);
    let held = serde_saphyr::to_string(&PlanDocument::new(&problem, &plan)).unwrap();
    assert_eq!(held, serde_saphyr::to_string(&PlanDocument::streamed(&problem, &plan)).unwrap());
}

#[test]
fn documents_read_as_the_plan_they_were_made_from() {
    let problem = problem();
    let plan = plan(&problem);
    let document = PlanDocument::new(&problem, &plan);
    for text in [
        serde_json::to_string(&document).unwrap(),
        serde_json::to_string_pretty(&document).unwrap(),
        serde_saphyr::to_string(&document).unwrap(),
    ] {
        let (again, read_plan) = read(&text, &problem).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(again, document);
        assert_eq!(read_plan, plan);
        assert!(again.contradictions(&problem, &read_plan).is_empty());
    }
}

#[test]
fn the_json_has_the_promised_shape() {
    let problem = problem();
    let json = serde_json::to_value(PlanDocument::new(&problem, &plan(&problem))).unwrap();
    assert_eq!(json["apiVersion"], "migsaw.io/v1alpha1");
    assert_eq!(json["status"], "feasible");
    assert_eq!(json["gpusUsed"], 6);
    assert_eq!(json["tiers"][0], serde_json::json!({"name": "served", "value": 6, "bound": 7, "priority": 0}));
    assert_eq!(json["tiers"][1], serde_json::json!({"name": "cost", "value": 12.5, "bound": 10.000_001}));
    let node = &json["nodes"][1];
    assert_eq!((&node["name"], &node["pool"]), (&"a-1".into(), &"a".into()));
    assert_eq!(node["gpus"][0]["layout"][2], serde_json::json!({"profile": "3g.40gb", "start": 4}));
    assert_eq!(
        node["gpus"][1],
        serde_json::json!({"index": 1, "model": "H100-80GB", "migEnabled": false, "layout": []})
    );
    assert_eq!(node["serves"][1]["gpus"], serde_json::json!([{"index": 1, "instances": 1}]));
    let config = &json["configs"][node["config"].as_str().unwrap()];
    let cut = serde_json::json!({"devices": [0], "model": "H100-80GB", "migEnabled": true, "counts": {"1g.10gb": 2, "3g.40gb": 1}});
    assert_eq!(config[0], cut);
    let names: Vec<_> = json["nodes"].as_array().unwrap().iter().map(|node| node["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["a-0", "a-1", "a-2", "n1", "n2"]);
    let served = serde_json::json!({"demand": "x", "requested": 9, "count": 4,
        "pools": [{"pool": "a", "count": 4, "instances": {"1g.10gb": 4}}]});
    assert_eq!(json["served"][0], served);
    assert_eq!(json["served"][1]["pools"][0], serde_json::json!({"pool": "a", "count": 2, "wholeGpus": 2}));
    assert_eq!(json["served"][2]["count"], 0);
    assert_eq!(json["unserved"][0]["code"], "capacity");
}

fn refused(text: &str) -> Vec<String> {
    let found: Diagnostics = read(text, &problem()).expect_err(text);
    let show = |d: &crate::document::Diagnostic| {
        let place = d.position.as_ref().map_or_else(String::new, |p| format!("{} ", p.line));
        format!("{place}{} {}", d.code, d.path)
    };
    found.iter().map(show).collect()
}

#[test]
fn every_problem_is_reported_at_its_line() {
    let head = "apiVersion: migsaw.io/v1alpha1\nkind: Plan\n";
    let rest = "- {name: a-1, gpus: []}\n- {name: a-2, gpus: []}\n- {name: n1, gpus: []}\n- {name: n2, gpus: []}\n";
    let with_node = |node: &str| format!("{head}nodes:\n- {node}\n{rest}");
    for (name, text, expected) in [
        (
            "form",
            format!("{head}node: []\nstatus: best\ntiers: [{{name: gpus, value: 1}}]\n"),
            &["1 missing-field ", "3 unknown-field node", "4 unknown-value status", "5 missing-field tiers[0]"][..],
        ),
        (
            "form in JSON",
            "{\"apiVersion\": \"migsaw.io/v1alpha1\", \"kind\": \"Plan\",\n \"nodes\": [{\"name\": 1, \"gpu\": []}]}"
                .into(),
            &["2 missing-field nodes[0]", "2 wrong-type nodes[0].name", "2 unknown-field nodes[0].gpu"],
        ),
        ("a scenario", SCENARIO.into(), &["3 kind kind"]),
        (
            "another version",
            with_node("{name: a-0, gpus: []}").replace("v1alpha1", "v3"),
            &["1 api-version apiVersion"],
        ),
        ("nothing", String::new(), &["empty-document "]),
        ("unknown node", with_node("{name: a-3, gpus: []}"), &["4 missing-node nodes", "4 unknown-node nodes[0].name"]),
        (
            "node twice",
            format!("{}- {{name: n2, gpus: []}}", with_node("{name: a-0, gpus: []}")),
            &["9 duplicate-node nodes[5].name"],
        ),
        ("wrong pool", with_node("{name: a-0, pool: b, gpus: []}"), &["4 plan-mismatch nodes[0].pool"]),
        ("unknown GPU", with_node("{name: a-0, gpus: [{index: 2}]}"), &["4 unknown-gpu nodes[0].gpus[0].index"]),
        (
            "GPU twice",
            with_node("{name: a-0, gpus: [{index: 1}, {index: 1}]}"),
            &["4 duplicate-gpu nodes[0].gpus[1].index"],
        ),
        (
            "wrong model",
            with_node("{name: a-0, gpus: [{index: 1, model: A30}]}"),
            &["4 plan-mismatch nodes[0].gpus[0].model"],
        ),
        (
            "unknown profile",
            with_node("{name: a-0, gpus: [{index: 1, layout: [{profile: 1g.6gb, start: 0}]}]}"),
            &["4 unknown-profile nodes[0].gpus[0].layout[0].profile"],
        ),
        (
            "MIG off with instances",
            with_node("{name: a-0, gpus: [{index: 1, migEnabled: false, layout: [{profile: 1g.10gb, start: 0}]}]}"),
            &["4 exclusive-fields nodes[0].gpus[0].migEnabled"],
        ),
        (
            "unknown demand",
            with_node("{name: a-0, gpus: [], serves: [{demand: z, count: 1}]}"),
            &["4 unknown-demand nodes[0].serves[0].demand"],
        ),
        (
            "unknown namespace",
            with_node("{name: a-0, gpus: [], serves: [{demand: x, namespace: q, count: 1}]}"),
            &["4 unknown-demand nodes[0].serves[0].demand"],
        ),
        (
            "share of no GPU",
            with_node("{name: a-0, gpus: [], serves: [{demand: y, count: 1, gpus: [{index: 9}]}]}"),
            &["4 unknown-gpu nodes[0].serves[0].gpus[0].index"],
        ),
        (
            "served without priority",
            format!(
                "{}tiers:\n- {{name: served, value: 1, bound: 1}}\n- {{name: gpus, value: 1.5, bound: 1}}\n",
                with_node("{name: a-0, gpus: []}")
            ),
            &["10 missing-field tiers[0]", "11 out-of-range tiers[1].value"],
        ),
    ] {
        assert_eq!(refused(&text), expected, "{name}\n{text}");
    }
}

#[test]
fn what_the_checker_must_judge_is_read_as_it_stands() {
    let text = "
apiVersion: migsaw.io/v1alpha1
kind: Plan
nodes:
- name: a-0
  gpus:
  - index: 1
    layout: [{profile: 3g.40gb, start: 1}, {profile: 4g.40gb, start: 0}, {profile: 1g.10gb, start: 200}]
  - {index: 0, migEnabled: true}
  serves:
  - {demand: other/x, count: 1000, gpus: [{index: 0}]}
  - {demand: y, count: 1}
- {name: a-2, gpus: []}
- {name: a-1, gpus: []}
- {name: n1, gpus: []}
- {name: n2, gpus: []}
";
    let problem = problem();
    let (document, plan) = read(text, &problem).unwrap();
    let GpuTarget::Mig(layout) = &plan.nodes[0].gpus[1] else { panic!("cut") };
    assert_eq!(layout.placements().iter().map(|p| p.start).collect::<Vec<_>>(), [0, 1, 200]);
    assert_eq!(plan.nodes[0].gpus[0], GpuTarget::Mig(Layout::empty()));
    assert_eq!(
        plan.nodes[0].serves[0],
        Serving { demand: 1, units: 1000, shares: vec![GpuShare { gpu: 0, profile: None, instances: 1 }] }
    );
    assert_eq!(plan.nodes[0].serves[1].demand, 2);
    assert_eq!(
        plan.nodes.iter().map(|n| (n.pool, n.nodes.clone())).collect::<Vec<_>>(),
        [(0, 0..1), (0, 1..3), (1, 0..2)]
    );
    assert!(document.contradictions(&problem, &plan).is_empty());
}

#[test]
fn a_summary_that_contradicts_the_nodes_is_found() {
    let problem = problem();
    let plan = plan(&problem);
    let mut document = PlanDocument::new(&problem, &plan);
    document.gpus_used = Some(1);
    document.served[0].count = 9;
    document.nodes[0].config = document.nodes[2].config.clone();
    document.nodes[1].config = Some("other".to_owned());
    let found: Vec<String> = document.contradictions(&problem, &plan).iter().map(|d| d.path.to_string()).collect();
    assert_eq!(found, ["gpusUsed", "served[0].count", "nodes[0].config", "nodes[1].config"]);
}
