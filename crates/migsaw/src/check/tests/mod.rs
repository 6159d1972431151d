//! Right plans, and each rule broken once.

mod eligible;
mod layouts;
mod running;
mod served;
mod tiers;

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
