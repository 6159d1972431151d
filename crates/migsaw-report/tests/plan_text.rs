//! Reports of plans built by hand, compared with what lies in `snapshots/`.
//! `INSTA_UPDATE=always cargo test -p migsaw-report` accepts new ones; read the diff.

#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::sync::Arc;

use migsaw::demand::{Demand, Request, Together};
use migsaw::fleet::{Cost, Fleet, GpuGroup, GpuState, NodeGroup, NodeNames, Pool};
use migsaw::geometry::{Catalog, Layout, Model};
use migsaw::plan::{GpuShare, GpuTarget, Plan, PlannedNodes, Serving, Status, Tier, TierName, Unserved, UnservedCode};
use migsaw::problem::Problem;
use migsaw_report::{Style, plan};

fn model(name: &str) -> Arc<Model> {
    Catalog::builtin().model(name).unwrap()
}

fn cut(model: &Model, layout: &str) -> GpuTarget {
    GpuTarget::Mig(Layout::parse(model, layout).unwrap())
}

/// Units of a demand on one node: `(GPU, profile, instances)`, no profile for whole GPUs.
fn serving(model: &Model, demand: usize, units: u32, shares: &[(u16, Option<&str>, u32)]) -> Serving {
    let share = |&(gpu, profile, instances): &(u16, Option<&str>, u32)| GpuShare {
        gpu,
        profile: profile.map(|name| model.profile(&name.parse().unwrap()).unwrap()),
        instances,
    };
    Serving { demand, units, shares: shares.iter().map(share).collect() }
}

fn tier(name: TierName, value: i64, bound: i64) -> Tier {
    Tier { name, value, bound }
}

fn of_profile(name: &str, profile: &str, count: u64) -> Demand {
    Demand::of_profile(name, profile.parse().unwrap(), count)
}

const ONES: &str = "1g.10gb@0,1g.10gb@1,1g.10gb@2,1g.10gb@3,1g.10gb@4,1g.10gb@5,1g.10gb@6";

/// Two nodes of two GPUs; everything is served.
fn small() -> (Problem, Plan) {
    let h100 = model("H100-80GB");
    let fleet = Fleet { pools: vec![Pool::new("inference", Arc::clone(&h100), 2, 2)] };
    let demands = vec![of_profile("llm-7b", "1g.10gb", 7), of_profile("embeddings", "3g.40gb", 1)];
    let plan = Plan {
        status: Status::Optimal,
        tiers: vec![
            tier(TierName::Served { priority: 0 }, 8, 8),
            tier(TierName::Gpus, 2, 2),
            tier(TierName::Configurations, 1, 1),
            tier(TierName::Leftover, 8, 8),
        ],
        nodes: vec![
            PlannedNodes {
                pool: 0,
                nodes: 0..1,
                gpus: vec![cut(&h100, ONES), cut(&h100, "4g.40gb@0,3g.40gb@4")],
                serves: vec![
                    serving(&h100, 0, 7, &[(0, Some("1g.10gb"), 7)]),
                    serving(&h100, 1, 1, &[(1, Some("3g.40gb"), 1)]),
                ],
                evicts: vec![],
            },
            PlannedNodes { pool: 0, nodes: 1..2, gpus: vec![GpuTarget::MigOff; 2], serves: vec![], evicts: vec![] },
        ],
        unserved: vec![],
    };
    (Problem { fleet, demands, ..Problem::default() }, plan)
}

/// Pinned instances, whole GPUs, flexible and unserved demands, priorities, prices, mixed models, names
/// that are up to no good.
fn mixed() -> (Problem, Plan) {
    let (h100, a30) = (model("H100-80GB"), model("A30-24GB"));
    let pinned = GpuState::Pinned(Layout::parse(&h100, "3g.40gb@0").unwrap());
    let research = Pool {
        gpus: vec![GpuGroup { model: Arc::clone(&h100), count: 2 }, GpuGroup { model: Arc::clone(&a30), count: 1 }],
        nodes: vec![
            NodeGroup {
                names: NodeNames::Listed(vec!["rack1-a".into(), "evil\u{1b}[2J".into()]),
                pinned: vec![pinned],
                present: None,
            },
            NodeGroup {
                names: NodeNames::Listed(vec!["rack2-a".into()]),
                pinned: vec![GpuState::Taken, GpuState::Taken],
                present: None,
            },
        ],
        cost_per_gpu: Some(Cost { micros: 2_500_000 }),
        ..Pool::new("research", Arc::clone(&h100), 0, 0)
    };
    let training =
        Pool { cost_per_gpu: Some(Cost { micros: 4_000_000 }), ..Pool::new("training", Arc::clone(&h100), 3, 4) };
    let flexible = Request::AtLeast { memory_mib: 16384, compute_slices: 2, instances: 1, together: Together::Node };
    let pairs = Request::Profiles {
        instances: BTreeMap::from([("1g.10gb".parse().unwrap(), 2), ("2g.20gb".parse().unwrap(), 1)]),
        together: Together::Gpu,
    };
    let demands = vec![
        Demand { priority: 100, namespace: Some("ml".into()), ..Demand::new("serve", flexible, 4) },
        Demand { priority: 100, ..Demand::new("train", Request::WholeGpus { gpus: 4 }, 3) },
        Demand { max_per_node: Some(1), ..Demand::new("pairs", pairs, 2) },
        of_profile("no\u{202e}tebooks", "7g.80gb", 900),
    ];
    let beside = cut(&h100, "3g.40gb@0,2g.20gb@4,1g.10gb@6");
    let plan = Plan {
        status: Status::Feasible,
        tiers: vec![
            tier(TierName::Served { priority: 100 }, 6, 6),
            tier(TierName::Served { priority: 0 }, 1, 2),
            tier(TierName::Cost, 49_500_000, 47_000_000),
        ],
        nodes: vec![
            PlannedNodes {
                pool: 0,
                nodes: 0..2,
                gpus: vec![beside, cut(&h100, "4g.40gb@0,3g.40gb@4"), cut(&a30, "2g.12gb@0,1g.6gb@2")],
                serves: vec![serving(&h100, 0, 2, &[(0, Some("2g.20gb"), 1), (1, Some("3g.40gb"), 1)])],
                evicts: vec![],
            },
            PlannedNodes { pool: 0, nodes: 2..3, gpus: vec![GpuTarget::MigOff; 3], serves: vec![], evicts: vec![] },
            PlannedNodes {
                pool: 1,
                nodes: 0..2,
                gpus: vec![GpuTarget::MigOff; 4],
                serves: vec![serving(&h100, 1, 1, &[(0, None, 1), (1, None, 1), (2, None, 1), (3, None, 1)])],
                evicts: vec![],
            },
            PlannedNodes {
                pool: 1,
                nodes: 2..3,
                gpus: vec![
                    cut(&h100, "2g.20gb@0,1g.10gb@2,1g.10gb@3"),
                    GpuTarget::MigOff,
                    GpuTarget::MigOff,
                    GpuTarget::MigOff,
                ],
                serves: vec![serving(&h100, 2, 1, &[(0, Some("1g.10gb"), 2), (0, Some("2g.20gb"), 1)])],
                evicts: vec![],
            },
        ],
        unserved: vec![
            Unserved {
                demand: 1,
                count: 1,
                code: UnservedCode::Capacity,
                reason: "one unit needs 4 GPUs with MIG off on one node, and no node has so many left".into(),
                remedy: Some("1 more node of pool `training`".into()),
            },
            Unserved {
                demand: 2,
                count: 1,
                code: UnservedCode::NotDecided,
                reason: "the time limit came first".into(),
                remedy: None,
            },
            Unserved {
                demand: 3,
                count: 900,
                code: UnservedCode::WrongStrategy,
                reason: "bad\u{7} news".into(),
                remedy: None,
            },
        ],
    };
    (Problem { fleet: Fleet { pools: vec![research, training] }, demands, ..Problem::default() }, plan)
}

/// Forty pools of 250 nodes, eighty demands, two of them short.
fn large() -> (Problem, Plan) {
    let h200 = model("H200-141GB");
    let mut fleet = Fleet::default();
    let mut demands = Vec::new();
    let mut nodes = Vec::new();
    let full = "1g.18gb@0,1g.18gb@1,1g.18gb@2,1g.18gb@3,1g.18gb@4,1g.18gb@5,1g.18gb@6";
    for i in 0..40usize {
        fleet.pools.push(Pool::new(format!("zone-{i:02}"), Arc::clone(&h200), 250, 8));
        let (a, b) = (demands.len(), demands.len() + 1);
        let used = 10 + 6 * u32::try_from(i).unwrap();
        demands.push(of_profile(&format!("team-{i:02}-chat"), "1g.18gb", 56 * u64::from(used)));
        demands.push(of_profile(&format!("team-{i:02}-batch"), "7g.141gb", if i % 20 == 7 { 9 } else { 8 }));
        let shares: Vec<(u16, Option<&str>, u32)> = (0..8).map(|gpu| (gpu, Some("1g.18gb"), 7)).collect();
        let wholes: Vec<(u16, Option<&str>, u32)> = (0..8).map(|gpu| (gpu, Some("7g.141gb"), 1)).collect();
        let group = |nodes, layout: &str, serves| PlannedNodes {
            pool: i,
            nodes,
            gpus: vec![cut(&h200, layout); 8],
            serves,
            evicts: vec![],
        };
        nodes.push(group(0..used, full, vec![serving(&h200, a, 56, &shares)]));
        nodes.push(group(used..used + 1, "7g.141gb@0", vec![serving(&h200, b, 8, &wholes)]));
        let idle = PlannedNodes {
            pool: i,
            nodes: used + 1..250,
            gpus: vec![GpuTarget::MigOff; 8],
            serves: vec![],
            evicts: vec![],
        };
        nodes.extend((used + 1 < 250).then_some(idle));
    }
    let short = |demand| {
        Unserved {
        demand,
        count: 1,
        code: UnservedCode::NoEligiblePool,
        reason: "its node selector leaves no pool".into(),
        remedy: Some("a selector that admits one of the pools zone-00, zone-01, zone-02, zone-03, zone-04, zone-05, zone-06 or zone-07".into()),
    }
    };
    let served: u64 = demands.iter().map(|d| d.count).sum::<u64>() - 2;
    let served = i64::try_from(served).unwrap();
    let plan = Plan {
        status: Status::Optimal,
        tiers: vec![tier(TierName::Served { priority: 0 }, served, served)],
        nodes,
        unserved: vec![short(15), short(55)],
    };
    (Problem { fleet, demands, ..Problem::default() }, plan)
}

fn report((problem, plan): (Problem, Plan), width: u16, unicode: bool) -> String {
    let next = vec!["migsaw plan scenario.yaml --out DIR".to_owned()];
    let style = Style { width, color: false, unicode };
    let text = plan::text(&problem, &plan, &next, style);
    for line in text.lines() {
        assert!(!line.chars().any(char::is_control), "{line:?}");
        assert!(unicode || line.is_ascii(), "{line:?}");
        assert!(line.chars().count() <= usize::from(width), "{} columns: {line}", line.chars().count());
        assert_eq!(line, line.trim_end());
    }
    text
}

#[test]
fn a_small_plan() {
    insta::assert_snapshot!("small-80", report(small(), 80, true));
    insta::assert_snapshot!("small-120", report(small(), 120, true));
    insta::assert_snapshot!("small-ascii", report(small(), 80, false));
}

#[test]
fn a_plan_with_everything() {
    insta::assert_snapshot!("mixed-80", report(mixed(), 80, true));
    insta::assert_snapshot!("mixed-120", report(mixed(), 120, true));
    insta::assert_snapshot!("mixed-ascii", report(mixed(), 100, false));
}

#[test]
fn ten_thousand_nodes_fit_on_a_few_screens() {
    let text = report(large(), 100, true);
    assert!(text.lines().count() < 150, "{} lines", text.lines().count());
    insta::assert_snapshot!("large-100", text);
}

#[test]
fn colour_changes_no_word() {
    let (problem, plan) = mixed();
    let bare = plan::text(&problem, &plan, &[], Style::plain());
    let colored = plan::text(&problem, &plan, &[], Style { color: true, ..Style::plain() });
    let mut stripped = String::new();
    let mut rest = colored.as_str();
    while let Some((before, after)) = rest.split_once('\u{1b}') {
        stripped.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    stripped.push_str(rest);
    assert!(colored.len() > bare.len());
    assert_eq!(stripped, bare);
}

#[test]
fn outcomes_have_their_own_first_line() {
    let (problem, plan) = small();
    for (status, tiers, expected) in [
        (Status::Optimal, vec![], "8 of 8 served on 2 of 4 GPUs, proven optimal"),
        (Status::Infeasible, vec![], "8 of 8: nothing of what is asked for fits this fleet, proven"),
        (Status::Unknown, vec![], "8 of 8: the time limit came before any plan was found"),
        (
            Status::Feasible,
            vec![tier(TierName::Gpus, 3, 2)],
            "8 of 8 served on 2 of 4 GPUs, not proven: 2 GPUs might do",
        ),
        (
            Status::Feasible,
            vec![tier(TierName::Served { priority: 0 }, 99_999, 100_000)],
            "8 of 8 served on 2 of 4 GPUs, not proven: at most 1 more could be",
        ),
        (
            Status::Feasible,
            vec![tier(TierName::Gpus, 2, 2), tier(TierName::Configurations, 5, 2)],
            "8 of 8 served on 2 of 4 GPUs, served and GPUs proven optimal",
        ),
    ] {
        let found = plan::answer(&problem, &Plan { status, tiers, ..plan.clone() });
        assert_eq!(found.replace(" served:", ":"), expected);
    }
}
