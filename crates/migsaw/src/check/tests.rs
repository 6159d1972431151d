//! Right plans, and each rule broken once.

use std::sync::Arc;

use super::check;
use crate::budget::Budget;
use crate::demand::{Demand, LabelRequirement, NodeSelector, Operator, Request, Together, Toleration};
use crate::fleet::{Cost, Effect, Fleet, GpuGroup, GpuState, NodeGroup, NodeNames, Pool, Strategy, Taint};
use crate::geometry::{Catalog, Layout, Model, Placement, ProfileId, ProfileName};
use crate::plan::{GpuShare, GpuTarget, Plan, PlannedNodes, Serving, Status, Tier, TierName, Unserved, UnservedCode};
use crate::present::{Held, Present, Running};
use crate::problem::Problem;

fn model(name: &str) -> Arc<Model> {
    Catalog::builtin().model(name).unwrap()
}

fn a100() -> Arc<Model> {
    model("A100-80GB")
}

fn name(text: &str) -> ProfileName {
    text.parse().unwrap()
}

fn cut(text: &str) -> GpuTarget {
    GpuTarget::Mig(Layout::parse(&a100(), text).unwrap())
}

/// Instances at `(profile, start)`, legal or not.
fn forced(model: &Model, instances: &[(&str, u8)]) -> GpuTarget {
    let mut generous = model.clone();
    generous.profiles.resize(16, model.profiles[0].clone());
    for profile in &mut generous.profiles {
        (profile.starts, profile.max_instances) = ((0..32).collect(), u8::MAX);
        profile.engines = crate::geometry::Engines::default();
    }
    let one = |&(text, start): &(&str, u8)| {
        let profile = model.profile(&name(text)).unwrap_or(ProfileId(15));
        Layout::new(&generous, [Placement { start, profile }]).unwrap()
    };
    GpuTarget::Mig(instances.iter().map(one).fold(Layout::empty(), |all, one| all.merged(&one)))
}

fn share(gpu: u16, profile: &str, instances: u32) -> GpuShare {
    GpuShare { gpu, profile: Some(a100().profile(&name(profile)).unwrap()), instances }
}

fn whole(gpu: u16) -> GpuShare {
    GpuShare { gpu, profile: None, instances: 1 }
}

fn serving(demand: usize, units: u32, shares: &[GpuShare]) -> Serving {
    Serving { demand, units, shares: shares.to_vec() }
}

fn nodes(range: std::ops::Range<u32>, gpus: &[GpuTarget], serves: &[Serving]) -> PlannedNodes {
    PlannedNodes { pool: 0, nodes: range, gpus: gpus.to_vec(), serves: serves.to_vec(), evicts: Vec::new() }
}

/// A bundle of 3g.40gb and two 1g.10gb.
fn bundle(together: Together, count: u64) -> Demand {
    let instances = [(name("3g.40gb"), 1), (name("1g.10gb"), 2)].into();
    Demand::new("bundle", Request::Profiles { instances, together }, count)
}

fn at_least(instances: u32, together: Together, count: u64) -> Demand {
    let request = Request::AtLeast { memory_mib: 9_000, compute_slices: 1, instances, together };
    Demand::new("flexible", request, count)
}

fn pool(nodes: u32, gpus: u32) -> Pool {
    Pool::new("a", a100(), nodes, gpus)
}

fn problem(pool: Pool, demands: Vec<Demand>) -> Problem {
    Problem { fleet: Fleet { pools: vec![pool] }, demands, ..Problem::default() }
}

/// A plan of these nodes, which reports what it does not serve.
fn plan(problem: &Problem, nodes: Vec<PlannedNodes>) -> Plan {
    let mut served = vec![0u64; problem.demands.len()];
    for group in &nodes {
        for serving in &group.serves {
            if let Some(sum) = served.get_mut(serving.demand) {
                *sum += u64::from(serving.units) * u64::from(group.nodes.end.saturating_sub(group.nodes.start));
            }
        }
    }
    let left = problem.demands.iter().zip(served).enumerate();
    let left = left.filter_map(|(demand, (asked, served))| Some((demand, asked.count.checked_sub(served)?)));
    let unserved = left.filter(|(_, count)| *count > 0).map(|(demand, count)| Unserved {
        demand,
        count,
        code: UnservedCode::Capacity,
        reason: String::new(),
        remedy: None,
    });
    Plan { status: Status::Feasible, tiers: Vec::new(), nodes, unserved: unserved.collect() }
}

/// The plan breaks the rules with these codes, and no other.
#[track_caller]
fn breaks(problem: &Problem, plan: &Plan, expected: &[&str]) {
    let found = check(problem, plan);
    let codes: Vec<&str> = found.iter().map(super::Violation::code).collect();
    let shown: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(codes, expected, "{shown:#?}");
    assert!(shown.iter().all(|text| !text.is_empty() && text.starts_with(|c: char| c.is_lowercase())), "{shown:#?}");
}

/// One node with one GPU, cut like this, serving this.
#[track_caller]
fn one_gpu(demands: &[Demand], target: &GpuTarget, serves: &[Serving], expected: &[&str]) {
    let problem = problem(pool(1, 1), demands.to_vec());
    breaks(&problem, &plan(&problem, vec![nodes(0..1, std::slice::from_ref(target), serves)]), expected);
}

#[test]
fn nodes_are_covered_once() {
    let problem = problem(pool(4, 1), vec![]);
    let off = [GpuTarget::MigOff];
    let check = |groups: Vec<PlannedNodes>, expected: &[&str]| breaks(&problem, &plan(&problem, groups), expected);
    check(vec![nodes(0..4, &off, &[])], &[]);
    check(vec![nodes(2..4, &off, &[]), nodes(0..2, &off, &[])], &[]);
    check(vec![nodes(0..3, &off, &[])], &["node-missing"]);
    check(vec![nodes(1..2, &off, &[]), nodes(3..4, &off, &[])], &["node-missing", "node-missing"]);
    check(vec![], &["node-missing"]);
    check(vec![nodes(0..3, &off, &[]), nodes(2..4, &off, &[])], &["node-twice"]);
    check(vec![nodes(0..4, &off, &[]), nodes(4..5, &off, &[])], &["node-range"]);
    check(vec![nodes(0..4, &off, &[]), nodes(2..2, &off, &[])], &["node-range"]);
    check(
        vec![
            nodes(0..4, &off, &[]),
            PlannedNodes { nodes: std::ops::Range { start: 9, end: 0 }, ..nodes(0..1, &off, &[]) },
        ],
        &["node-range"],
    );
    check(vec![nodes(0..4, &[], &[])], &["gpu-count"]);
    check(vec![nodes(0..4, &[GpuTarget::MigOff, GpuTarget::MigOff], &[])], &["gpu-count"]);
    let elsewhere = PlannedNodes { pool: 7, ..nodes(0..1, &off, &[]) };
    check(vec![nodes(0..4, &off, &[]), elsewhere], &["plan-unknown-pool"]);
}

#[test]
fn layouts_are_legal() {
    let check = |target: &GpuTarget, expected: &[&str]| one_gpu(&[], target, &[], expected);
    check(&cut("4g.40gb@0,3g.40gb@4"), &[]);
    check(&cut("1g.10gb@0,1g.10gb@1,2g.20gb@2,3g.40gb@4"), &[]);
    check(&GpuTarget::Mig(Layout::empty()), &["empty-layout"]);
    check(&forced(&a100(), &[("3g.40gb", 2)]), &["illegal-start"]);
    check(&forced(&a100(), &[("3g.40gb", 0), ("1g.10gb", 3)]), &["overlap"]);
    check(&forced(&a100(), &[("1g.10gb", 3), ("1g.10gb", 3)]), &["overlap"]);
    check(&forced(&a100(), &[("1g.10gb+me", 0), ("1g.10gb+me", 1)]), &["too-many-instances"]);
    let eight: Vec<(&str, u8)> = (0..8).map(|start| ("1g.10gb", start)).collect();
    check(&forced(&a100(), &eight), &["illegal-start", "too-many-instances"]);
    check(&forced(&a100(), &[("9g.10gb", 0)]), &["plan-unknown-profile"]);

    let rtx = model("RTX-PRO-6000");
    let problem = problem(Pool::new("r", rtx.clone(), 1, 1), vec![]);
    let with = |instances: &[(&str, u8)]| plan(&problem, vec![nodes(0..1, &[forced(&rtx, instances)], &[])]);
    breaks(&problem, &with(&[("1g.24gb+me.all", 0), ("1g.24gb-me", 3)]), &[]);
    let engines = ["engines-exceeded"; 3];
    breaks(&problem, &with(&[("1g.24gb+me.all", 0), ("1g.24gb", 3)]), &engines);
    breaks(&problem, &with(&[("1g.24gb+me.all", 0), ("1g.24gb+me", 3)]), &["engines-exceeded"; 4]);
}

#[test]
fn what_is_there_stays() {
    let mut state = pool(3, 2);
    let pinned = Layout::parse(&a100(), "1g.10gb@6").unwrap();
    let group = |name: &str, states: Vec<GpuState>| NodeGroup {
        names: NodeNames::Listed(vec![name.into()]),
        pinned: states,
        present: None,
    };
    state.nodes = vec![
        group("idle", vec![]),
        group("pinned", vec![GpuState::Pinned(pinned)]),
        group("taken", vec![GpuState::Idle, GpuState::Taken]),
    ];
    let problem = problem(state, vec![]);
    let both = |first: &GpuTarget, second: &GpuTarget| [first.clone(), second.clone()];
    let off = GpuTarget::MigOff;
    let check = |groups: &[[GpuTarget; 2]; 3], expected: &[&str]| {
        let groups = (0u32..).zip(groups).map(|(i, gpus)| nodes(i..i + 1, gpus, &[])).collect();
        breaks(&problem, &plan(&problem, groups), expected);
    };
    let kept = both(&cut("4g.40gb@0,1g.10gb@6"), &off);
    let idle = both(&off, &off);
    check(&[idle.clone(), kept.clone(), idle.clone()], &[]);
    check(&[idle.clone(), both(&cut("1g.10gb@5"), &off), idle.clone()], &["pinned-lost"]);
    check(&[idle.clone(), idle.clone(), idle.clone()], &["pinned-lost"]);
    check(&[idle.clone(), kept.clone(), both(&cut("1g.10gb@0"), &off)], &[]);
    check(&[idle, kept, both(&off, &cut("1g.10gb@0"))], &["taken-cut"]);
    // One group of planned nodes over three groups of today's.
    let alike = nodes(0..3, &both(&cut("1g.10gb@6"), &cut("1g.10gb@0")), &[]);
    breaks(&problem, &plan(&problem, vec![alike]), &["taken-cut"]);
}

#[test]
fn single_nodes_carry_one_profile() {
    let mut single = pool(1, 2);
    single.strategy = Strategy::Single;
    let mut pinned = single.clone();
    pinned.nodes[0].pinned = vec![GpuState::Pinned(Layout::parse(&a100(), "1g.10gb@6").unwrap())];
    let whole_demand = Demand::new("whole", Request::WholeGpus { gpus: 1 }, 1);
    let check = |pool: &Pool, gpus: [GpuTarget; 2], serves: &[Serving], expected: &[&str]| {
        let problem = problem(pool.clone(), vec![whole_demand.clone()]);
        breaks(&problem, &plan(&problem, vec![nodes(0..1, &gpus, serves)]), expected);
    };
    let off = GpuTarget::MigOff;
    check(&single, [off.clone(), off.clone()], &[], &[]);
    check(&single, [off.clone(), off.clone()], &[serving(0, 1, &[whole(1)])], &[]);
    check(&single, [cut("3g.40gb@0"), cut("3g.40gb@0,3g.40gb@4")], &[], &[]);
    check(&single, [cut("3g.40gb@0"), off.clone()], &[], &["single-partly-cut"]);
    check(&single, [cut("3g.40gb@0"), off.clone()], &[serving(0, 1, &[whole(1)])], &["single-partly-cut"]);
    check(&single, [cut("3g.40gb@0"), cut("4g.40gb@0")], &[], &["single-two-profiles"]);
    check(&single, [cut("3g.40gb@4,4g.40gb@0"), cut("4g.40gb@0")], &[], &["single-two-profiles"]);
    // What is pinned breaks the rule, but the plan has not touched the node.
    check(&pinned, [cut("1g.10gb@6"), off.clone()], &[], &[]);
    check(&pinned, [cut("1g.10gb@5,1g.10gb@6"), off], &[], &["single-partly-cut"]);
    check(&pinned, [cut("1g.10gb@6"), cut("1g.10gb@0")], &[], &[]);
}

#[test]
fn demands_go_where_they_may() {
    let mut pool = pool(1, 1);
    pool.labels = [("zone".to_owned(), "b".to_owned()), ("cores".to_owned(), "48".to_owned())].into();
    let served = |demand: Demand, taints: &[(Effect, &str)], expected: &[&str]| {
        let mut pool = pool.clone();
        let taint =
            |(effect, value): &(Effect, &str)| Taint { key: "gpu".into(), value: (*value).into(), effect: *effect };
        pool.taints = taints.iter().map(taint).collect();
        let problem = problem(pool, vec![demand]);
        let group = nodes(0..1, &[cut("3g.40gb@0")], &[serving(0, 1, &[share(0, "3g.40gb", 1)])]);
        breaks(&problem, &plan(&problem, vec![group]), expected);
    };
    let demand = || Demand::of_profile("llm", name("3g.40gb"), 1);
    let no = ["ineligible"];

    served(demand(), &[], &[]);
    for (pools, expected) in [(vec!["a"], &[][..]), (vec!["b", "a"], &[]), (vec!["b"], &no), (vec![], &no)] {
        let mut demand = demand();
        demand.eligible.pools = Some(pools.into_iter().map(str::to_owned).collect());
        served(demand, &[], expected);
    }
    for (strategy, expected) in [(Strategy::Mixed, &[][..]), (Strategy::Single, &no)] {
        let mut demand = demand();
        demand.eligible.strategy = Some(strategy);
        served(demand, &[], expected);
    }
    let requirement = |(key, operator, values): &(&str, Operator, &[&str])| LabelRequirement {
        key: (*key).to_owned(),
        operator: *operator,
        values: values.iter().map(|&value| value.to_owned()).collect(),
    };
    for (condition, expected) in [
        (("zone", Operator::In, &["a", "b"][..]), &[][..]),
        (("zone", Operator::In, &["a"]), &no),
        (("host", Operator::In, &["a"]), &no),
        (("zone", Operator::NotIn, &["a"]), &[]),
        (("zone", Operator::NotIn, &["b"]), &no),
        (("host", Operator::NotIn, &["b"]), &[]),
        (("zone", Operator::Exists, &[]), &[]),
        (("host", Operator::Exists, &[]), &no),
        (("host", Operator::DoesNotExist, &[]), &[]),
        (("zone", Operator::DoesNotExist, &[]), &no),
        (("cores", Operator::Gt, &["47"]), &[]),
        (("cores", Operator::Gt, &["48"]), &no),
        (("cores", Operator::Lt, &["49"]), &[]),
        (("zone", Operator::Lt, &["49"]), &no),
        (("cores", Operator::Gt, &[]), &no),
        (("host", Operator::Gt, &["1"]), &no),
    ] {
        let mut demand = demand();
        demand.eligible.selector = NodeSelector { terms: vec![vec![requirement(&condition)]] };
        served(demand, &[], expected);
    }
    let mut either = demand();
    let terms = [("zone", Operator::In, &["a"][..]), ("cores", Operator::Exists, &[])];
    either.eligible.selector = NodeSelector { terms: terms.iter().map(|term| vec![requirement(term)]).collect() };
    served(either.clone(), &[], &[]);
    either.eligible.selector = NodeSelector { terms: vec![terms.iter().map(requirement).collect()] };
    served(either, &[], &no);

    served(demand(), &[(Effect::PreferNoSchedule, "")], &[]);
    served(demand(), &[(Effect::NoSchedule, "")], &no);
    served(demand(), &[(Effect::NoExecute, "")], &no);
    for (key, value, effect, expected) in [
        (None, None, None, &[][..]),
        (Some("gpu"), None, None, &[]),
        (Some("cpu"), None, None, &no),
        (Some("gpu"), Some("x"), Some(Effect::NoSchedule), &[]),
        (Some("gpu"), Some("y"), None, &no),
        (None, None, Some(Effect::NoExecute), &no),
    ] {
        let mut demand = demand();
        let text = |text: Option<&str>| text.map(str::to_owned);
        demand.eligible.tolerations = vec![Toleration { key: text(key), value: text(value), effect }];
        served(demand, &[(Effect::NoSchedule, "x")], expected);
    }
}

#[test]
fn instances_are_what_is_asked_for() {
    let demand = [Demand::of_profile("llm", name("3g.40gb"), 2)];
    let gpu = cut("3g.40gb@0,3g.40gb@4");
    let check = |serves: &[Serving], expected: &[&str]| one_gpu(&demand, &gpu, serves, expected);
    check(&[serving(0, 2, &[share(0, "3g.40gb", 2)])], &[]);
    check(&[serving(0, 1, &[share(0, "3g.40gb", 1)]), serving(0, 1, &[share(0, "3g.40gb", 1)])], &[]);
    check(&[serving(0, 1, &[share(0, "3g.40gb", 2)])], &["wrong-instances"]);
    check(&[serving(0, 2, &[share(0, "3g.40gb", 1)])], &["wrong-instances"]);
    check(&[serving(0, 2, &[])], &["wrong-instances"]);
    check(&[serving(0, 0, &[])], &[]);
    check(&[serving(0, 1, &[GpuShare { gpu: 1, ..share(0, "3g.40gb", 1) }])], &["plan-unknown-gpu"]);
    check(&[serving(0, 1, &[whole(0)])], &["wrong-kind"]);
    check(&[serving(3, 1, &[share(0, "3g.40gb", 1)])], &["plan-unknown-demand"]);
    let strange = GpuShare { profile: Some(ProfileId(99)), ..share(0, "3g.40gb", 1) };
    check(&[serving(0, 1, &[strange])], &["wrong-kind"]);
    one_gpu(&demand, &cut("4g.40gb@0"), &[serving(0, 1, &[share(0, "4g.40gb", 1)])], &["wrong-kind"]);
    // An older driver's name.
    let legacy = [Demand::of_profile("llm", name("7g.79gb"), 1)];
    one_gpu(&legacy, &cut("7g.80gb@0"), &[serving(0, 1, &[share(0, "7g.80gb", 1)])], &[]);
}

#[test]
fn bundles_are_whole_and_close_enough() {
    let gpus = [cut("3g.40gb@0,1g.10gb@4"), cut("3g.40gb@4,1g.10gb@0,1g.10gb@1,1g.10gb@2")];
    let check = |demand: Demand, units: u32, shares: &[GpuShare], expected: &[&str]| {
        let problem = problem(pool(1, 2), vec![demand]);
        breaks(&problem, &plan(&problem, vec![nodes(0..1, &gpus, &[serving(0, units, shares)])]), expected);
    };
    let spread = [share(0, "3g.40gb", 1), share(0, "1g.10gb", 1), share(1, "1g.10gb", 1)];
    let tight = [share(1, "3g.40gb", 1), share(1, "1g.10gb", 2)];
    let lopsided = [share(0, "3g.40gb", 1), share(1, "3g.40gb", 1), share(1, "1g.10gb", 1)];
    check(bundle(Together::Node, 1), 1, &spread, &[]);
    check(bundle(Together::Node, 1), 1, &tight, &[]);
    check(bundle(Together::Node, 1), 1, &lopsided, &["wrong-instances"]);
    check(bundle(Together::Node, 2), 2, &[&spread[..], &tight].concat(), &[]);
    check(bundle(Together::Node, 2), 2, &[&spread[..], &tight].concat()[..4], &["wrong-instances"]);
    check(bundle(Together::Gpu, 1), 1, &tight, &[]);
    check(bundle(Together::Gpu, 1), 1, &spread, &["not-together"]);
    check(bundle(Together::Gpu, 2), 2, &tight, &["wrong-instances"]);

    check(at_least(1, Together::Node, 9), 4, &[share(0, "3g.40gb", 1), share(1, "1g.10gb", 3)], &[]);
    check(at_least(2, Together::Node, 9), 2, &[share(0, "1g.10gb", 1), share(1, "1g.10gb", 3)], &[]);
    check(at_least(2, Together::Node, 9), 1, &[share(0, "3g.40gb", 1), share(1, "3g.40gb", 1)], &[]);
    check(at_least(2, Together::Node, 9), 1, &[share(0, "3g.40gb", 1), share(1, "1g.10gb", 1)], &["mixed-unit"]);
    check(at_least(2, Together::Node, 9), 2, &[share(1, "1g.10gb", 2)], &["wrong-instances"]);
    check(at_least(2, Together::Gpu, 9), 1, &[share(1, "1g.10gb", 2)], &[]);
    check(at_least(2, Together::Gpu, 9), 1, &[share(0, "1g.10gb", 1), share(1, "1g.10gb", 1)], &["not-together"]);

    let large = Request::AtLeast { memory_mib: 40_000, compute_slices: 3, instances: 1, together: Together::Node };
    check(Demand::new("large", large.clone(), 1), 1, &[share(0, "3g.40gb", 1)], &[]);
    check(Demand::new("large", large, 1), 1, &[share(0, "1g.10gb", 1)], &["wrong-kind"]);
}

#[test]
fn a_name_means_what_each_board_makes_of_it() {
    // On the A100-40GB `1g.10gb` is the slice with double memory.
    let small = model("A100-40GB");
    let mut pool = pool(1, 1);
    pool.gpus.push(GpuGroup { model: small.clone(), count: 1 });
    let instances = [(name("1g.10gb"), 2), (name("1g.5gb"), 1)].into();
    let demand = Demand::new("pair", Request::Profiles { instances, together: Together::Node }, 1);
    let problem = problem(pool, vec![demand]);
    let gpus = [cut("1g.10gb@0"), GpuTarget::Mig(Layout::parse(&small, "1g.10gb@0,1g.5gb@2").unwrap())];
    let on_small = |text| GpuShare { gpu: 1, profile: small.profile(&name(text)), instances: 1 };
    let shares = [share(0, "1g.10gb", 1), on_small("1g.10gb"), on_small("1g.5gb")];
    breaks(&problem, &plan(&problem, vec![nodes(0..1, &gpus, &[serving(0, 1, &shares)])]), &[]);
    let shares = [share(0, "1g.10gb", 1), on_small("1g.10gb"), on_small("2g.10gb")];
    let wrong = plan(&problem, vec![nodes(0..1, &gpus, &[serving(0, 1, &shares)])]);
    breaks(&problem, &wrong, &["wrong-kind", "overcommitted"]);
}

#[test]
fn instances_serve_once_and_pinned_ones_never() {
    let demand = Demand::of_profile("llm", name("1g.10gb"), 9);
    let mut pool = pool(1, 1);
    pool.nodes[0].pinned = vec![GpuState::Pinned(Layout::parse(&a100(), "1g.10gb@6").unwrap())];
    let pinned = problem(pool, vec![demand.clone()]);
    let gpu = cut("1g.10gb@5,1g.10gb@6");
    let serves = |n| [serving(0, n, &[share(0, "1g.10gb", n)])];
    one_gpu(std::slice::from_ref(&demand), &gpu, &serves(2), &[]);
    one_gpu(std::slice::from_ref(&demand), &gpu, &serves(3), &["overcommitted"]);
    one_gpu(std::slice::from_ref(&demand), &GpuTarget::MigOff, &serves(1), &["overcommitted"]);
    let twice = [serves(1), serves(2)].concat();
    one_gpu(&[demand], &gpu, &twice, &["overcommitted"]);
    breaks(&pinned, &plan(&pinned, vec![nodes(0..1, std::slice::from_ref(&gpu), &serves(1))]), &[]);
    breaks(&pinned, &plan(&pinned, vec![nodes(0..1, &[gpu], &serves(2))]), &["overcommitted"]);
}

#[test]
fn whole_gpus_are_whole() {
    let demand = Demand::new("train", Request::WholeGpus { gpus: 2 }, 2);
    let mut pool = pool(1, 3);
    pool.nodes[0].pinned = vec![GpuState::Idle, GpuState::Idle, GpuState::Taken];
    let problem = problem(pool, vec![demand]);
    let off = GpuTarget::MigOff;
    let check = |first: &GpuTarget, units: u32, shares: &[GpuShare], expected: &[&str]| {
        let gpus = [first.clone(), off.clone(), off.clone()];
        breaks(&problem, &plan(&problem, vec![nodes(0..1, &gpus, &[serving(0, units, shares)])]), expected);
    };
    check(&off, 1, &[whole(0), whole(1)], &[]);
    check(&off, 1, &[whole(0), whole(2)], &["whole-taken"]);
    check(&off, 1, &[whole(1), whole(1)], &["whole-twice"]);
    check(&off, 1, &[whole(1)], &["wrong-instances"]);
    check(&cut("7g.80gb@0"), 1, &[whole(0), whole(1)], &["whole-cut"]);
    check(&cut("7g.80gb@0"), 1, &[share(0, "7g.80gb", 1), whole(1)], &["wrong-kind"]);
}

#[test]
fn counts_add_up() {
    let mut demand = Demand::of_profile("llm", name("1g.10gb"), 3);
    let gpu = [cut("1g.10gb@5,1g.10gb@6")];
    let each = |n| [serving(0, n, &[share(0, "1g.10gb", n)])];
    let two = problem(pool(2, 1), vec![demand.clone()]);
    demand.max_per_node = Some(1);
    let spread = problem(pool(2, 1), vec![demand]);
    breaks(&two, &plan(&two, vec![nodes(0..2, &gpu, &each(1))]), &[]);
    breaks(&two, &plan(&two, vec![nodes(0..2, &gpu, &each(2))]), &["over-served"]);
    breaks(&spread, &plan(&spread, vec![nodes(0..2, &gpu, &each(1))]), &[]);
    breaks(&spread, &plan(&spread, vec![nodes(0..1, &gpu, &each(2)), nodes(1..2, &gpu, &[])]), &["too-many-on-node"]);
    let in_parts = [each(1), each(1)].concat();
    breaks(&spread, &plan(&spread, vec![nodes(0..1, &gpu, &in_parts), nodes(1..2, &gpu, &[])]), &["too-many-on-node"]);

    let report = |counts: &[(usize, u64)]| {
        let mut plan = plan(&two, vec![nodes(0..2, &gpu, &each(1))]);
        let entry = plan.unserved[0].clone();
        plan.unserved = counts.iter().map(|&(demand, count)| Unserved { demand, count, ..entry.clone() }).collect();
        plan
    };
    breaks(&two, &report(&[(0, 1)]), &[]);
    breaks(&two, &report(&[]), &["unserved-count"]);
    breaks(&two, &report(&[(0, 2)]), &["unserved-count"]);
    breaks(&two, &report(&[(0, u64::MAX)]), &["unserved-count"]);
    breaks(&two, &report(&[(0, 1), (0, 1)]), &["unserved-twice"]);
    breaks(&two, &report(&[(0, 1), (4, 1)]), &["plan-unknown-demand"]);
    // A plan that claims nothing is judged by its nodes alone.
    let silent = Plan { unserved: vec![], ..plan(&two, vec![nodes(0..2, &gpu, &[])]) };
    breaks(&two, &silent, &[]);
    breaks(&two, &Plan { status: Status::Infeasible, ..silent }, &["unserved-count"]);
}

/// Two nodes; one serves a 1g.10gb, the other a 3g.40gb at a higher priority, each with a spare.
fn tiered() -> (Problem, Plan) {
    let mut urgent = Demand::of_profile("urgent", name("3g.40gb"), 1);
    urgent.priority = 10;
    let problem = problem(pool(3, 1), vec![Demand::of_profile("llm", name("1g.10gb"), 4), urgent]);
    let tier = |name, value| Tier { name, value, bound: value };
    let groups = vec![
        // Spare: a 1g.10gb (1 compute and 1 memory slice); the 2g.20gb is of no use to anyone.
        nodes(0..1, &[cut("1g.10gb@0,1g.10gb@1,2g.20gb@2")], &[serving(0, 1, &[share(0, "1g.10gb", 1)])]),
        // Spare: a 3g.40gb (3 and 4).
        nodes(1..2, &[cut("3g.40gb@0,3g.40gb@4")], &[serving(1, 1, &[share(0, "3g.40gb", 1)])]),
        nodes(2..3, &[GpuTarget::MigOff], &[]),
    ];
    let mut plan = plan(&problem, groups);
    plan.status = Status::Optimal;
    plan.tiers = vec![
        tier(TierName::Served { priority: 10 }, 1),
        tier(TierName::Served { priority: 0 }, 1),
        tier(TierName::Gpus, 2),
        tier(TierName::Configurations, 2),
        tier(TierName::Leftover, 9),
    ];
    (problem, plan)
}

#[test]
fn tiers_are_what_the_plan_reaches() {
    let (problem, right) = tiered();
    breaks(&problem, &right, &[]);
    for at in 0..right.tiers.len() {
        let mut wrong = right.clone();
        wrong.tiers[at].value += 1;
        wrong.tiers[at].bound += 1;
        breaks(&problem, &wrong, &["tier-value"]);
        // Served and leftover must stay below the bound, the others above it.
        for (step, more_is_better) in [(1, false), (-1, true)] {
            let mut open = right.clone();
            open.status = Status::Feasible;
            open.tiers[at].bound += step;
            let beyond = more_is_better == matches!(at, 0 | 1 | 4);
            breaks(&problem, &open, if beyond { &["tier-bound"] } else { &[] });
        }
    }
    let mut short = right.clone();
    short.tiers.pop();
    breaks(&problem, &short, &["tier-list"]);
    let mut swapped = right.clone();
    swapped.tiers.swap(0, 1);
    breaks(&problem, &swapped, &["tier-list"]);

    let mut priced = problem.clone();
    priced.fleet.pools[0].cost_per_gpu = Some(Cost { micros: 2_500_000 });
    breaks(&priced, &right, &["tier-list"]);
    let mut costly = right.clone();
    costly.tiers[2] = Tier { name: TierName::Cost, value: 5_000_000, bound: 5_000_000 };
    breaks(&priced, &costly, &[]);
}

#[test]
fn configurations_are_told_apart_by_content() {
    let whole_demand = Demand::new("train", Request::WholeGpus { gpus: 1 }, 4);
    let mut problem = problem(pool(4, 2), vec![whole_demand]);
    problem.fleet.pools.push(Pool::new("b", model("A30"), 1, 1));
    let off = GpuTarget::MigOff;
    let groups = vec![
        nodes(0..1, &[cut("1g.10gb@0"), cut("2g.20gb@0")], &[]),
        nodes(1..2, &[cut("1g.10gb@6"), cut("2g.20gb@4")], &[]),
        nodes(2..3, &[cut("2g.20gb@0"), cut("1g.10gb@0")], &[]),
        nodes(3..4, &[off.clone(), off.clone()], &[serving(0, 1, &[whole(0)])]),
        PlannedNodes { pool: 1, ..nodes(0..1, &[off], &[serving(0, 1, &[whole(0)])]) },
    ];
    let mut plan = plan(&problem, groups);
    let tier = |name, value| Tier { name, value, bound: value };
    plan.status = Status::Optimal;
    plan.tiers = vec![
        tier(TierName::Served { priority: 0 }, 2),
        tier(TierName::Gpus, 8),
        tier(TierName::Configurations, 3),
        tier(TierName::Leftover, 0),
    ];
    breaks(&problem, &plan, &[]);
}

#[test]
fn the_status_says_what_the_tiers_say() {
    let (problem, right) = tiered();
    let with = |status, bound| {
        let mut plan = Plan { status, ..right.clone() };
        plan.tiers[1].bound = bound;
        plan
    };
    breaks(&problem, &with(Status::Optimal, 2), &["status"]);
    breaks(&problem, &with(Status::Feasible, 2), &[]);
    breaks(&problem, &with(Status::Feasible, 1), &["status"]);
    breaks(&problem, &with(Status::Infeasible, 1), &["status"]);
    breaks(&problem, &with(Status::Unknown, 1), &["status"]);
    breaks(&problem, &Plan { tiers: vec![], ..right.clone() }, &["status"]);

    let idle = nodes(0..3, &[GpuTarget::MigOff], &[]);
    let mut nothing = plan(&problem, vec![idle]);
    for status in [Status::Infeasible, Status::Unknown, Status::Feasible] {
        nothing.status = status;
        breaks(&problem, &nothing, &[]);
    }
    let asks_nothing = Problem { demands: vec![], ..problem };
    let silent = Plan { unserved: vec![], status: Status::Infeasible, ..nothing };
    breaks(&asks_nothing, &silent, &["status"]);
}

#[test]
fn no_plan_makes_it_panic() {
    let mut huge = pool(1, 1);
    huge.gpus[0].count = u32::MAX;
    huge.nodes[0].names = NodeNames::Numbered { prefix: "n".into(), first: u32::MAX, count: u32::MAX };
    huge.nodes.push(huge.nodes[0].clone());
    huge.cost_per_gpu = Some(Cost { micros: i64::MAX });
    let zero = Request::AtLeast { memory_mib: 0, compute_slices: 0, instances: 0, together: Together::Gpu };
    let none = Request::Profiles { instances: [].into(), together: Together::Gpu };
    let demands = [zero, none, Request::WholeGpus { gpus: u32::MAX }, bundle(Together::Node, 1).request];
    let demands: Vec<Demand> = demands.into_iter().map(|request| Demand::new("d", request, u64::MAX)).collect();
    let shares =
        [whole(0), GpuShare { instances: u32::MAX, ..share(0, "1g.10gb", 1) }, GpuShare { gpu: u16::MAX, ..whole(0) }];
    let serves: Vec<Serving> = (0..5).map(|demand| serving(demand, u32::MAX, &shares[..2])).collect();
    let serves = [serves, (0..5).map(|demand| serving(demand, u32::MAX, &shares)).collect()].concat();
    let groups = vec![nodes(0..u32::MAX, &[cut("1g.10gb@0")], &serves), nodes(5..9, &[cut("1g.10gb@0")], &serves)];
    for pool in [huge.clone(), Pool { gpus: pool(1, 1).gpus, ..huge }] {
        let problem = problem(pool, demands.clone());
        let mut plan = Plan { status: Status::Optimal, tiers: vec![], nodes: groups.clone(), unserved: vec![] };
        plan.tiers = vec![Tier { name: TierName::Cost, value: i64::MIN, bound: i64::MAX }];
        let found = check(&problem, &plan);
        assert!(found.iter().all(|violation| !violation.to_string().is_empty()) && found.len() > 5);
    }
}

/// One GPU cut into halves, on each of which a unit runs, the first of demand 0 and the second of demand 1; both are
/// to be served once, in other halves if need be.
fn two_run() -> Problem {
    let half = |start| a100().profile(&name("3g.40gb")).map(|profile| Placement { start, profile }).unwrap();
    let unit = |demand, start| Running {
        name: Some(format!("pod-{demand}")),
        demand,
        holds: vec![Held { gpu: 0, instance: Some(half(start)) }],
        stays: false,
    };
    let present = Present {
        gpus: vec![Some(Layout::new(&a100(), [half(0), half(4)]).unwrap())],
        running: vec![unit(0, 0), unit(1, 4)],
        ..Present::default()
    };
    let mut pool = pool(1, 1);
    pool.nodes[0].present = Some(present);
    problem(pool, vec![Demand::of_profile("y", name("3g.40gb"), 1), Demand::of_profile("x", name("3g.40gb"), 1)])
}

#[test]
fn a_budget_that_allows_none_keeps_its_units() {
    let budget = |text: &str, demands: &[usize], allowed| Budget {
        name: text.to_owned(),
        namespace: None,
        demands: demands.iter().copied().collect(),
        allowed,
    };
    for (text, budgets, evicts, expected) in [
        ("no budget", vec![], vec![0, 1], &[][..]),
        ("one at a time", vec![budget("b", &[0, 1], 1)], vec![0, 1], &[]),
        ("none of the other", vec![budget("b", &[1], 0)], vec![0], &[]),
        ("none", vec![budget("b", &[0], 0)], vec![0, 1], &["evicts-budgeted"]),
        ("none of both", vec![budget("b", &[0, 1], 0)], vec![0, 1], &["evicts-budgeted", "evicts-budgeted"]),
        ("the stricter of two", vec![budget("b", &[0], 5), budget("c", &[0], 0)], vec![0], &["evicts-budgeted"]),
    ] {
        let mut problem = two_run();
        problem.budgets = budgets;
        assert_eq!(problem.validate(), [], "{text}");
        let gpus = problem.fleet.pools[0].nodes[0].present.clone().unwrap().gpus;
        let gpus: Vec<GpuTarget> = gpus.into_iter().flatten().map(GpuTarget::Mig).collect();
        let serves = [serving(0, 1, &[share(0, "3g.40gb", 1)]), serving(1, 1, &[share(0, "3g.40gb", 1)])];
        let nodes = PlannedNodes { evicts, ..nodes(0..1, &gpus, &serves) };
        breaks(&problem, &plan(&problem, vec![nodes]), expected);
    }
}

#[test]
fn the_planner_evicts_nobody_whom_a_budget_keeps() {
    let mut problem = two_run();
    problem.demands.push(Demand { priority: 5, ..Demand::of_profile("z", name("7g.80gb"), 1) });
    let evicted = |problem: &Problem| {
        let plan = crate::plan::plan(problem, &crate::plan::Options::default()).unwrap();
        assert_eq!(check(problem, &plan), []);
        plan.nodes.iter().map(|nodes| nodes.evicts.len()).sum::<usize>()
    };
    assert_eq!(evicted(&problem), 2, "a demand of higher priority needs the whole GPU");
    let budget = Budget { name: "b".to_owned(), namespace: None, demands: [1].into(), allowed: 1 };
    problem.budgets.push(budget);
    assert_eq!(evicted(&problem), 2);
    problem.budgets[0].allowed = 0;
    assert_eq!(evicted(&problem), 0);
}
