//! The optimum where something runs: every set of units that may be evicted, and for each everything that may
//! become of the nodes and GPUs which are free then, judged as problems in which nothing runs.

use std::cmp::Reverse;

use migsaw::budget::Budget;
use migsaw::fleet::{GpuState, NodeGroup, Strategy};
use migsaw::plan::{Moving, Prefer, TierName};
use migsaw::present::{Present, RecutUnit};
use migsaw::problem::Problem;

use super::Additions;
use super::node::{self, NodeChoices};
use super::table::{self, Table};
use crate::facts::{Facts, Gpu};

/// What may become of some GPUs that are cut together, and what that counts.
#[derive(Clone)]
struct Choice {
    gpus: Vec<Gpu>,
    recut: i64,
}

/// Something that is decided as one: GPUs of a node.
struct Site {
    node: usize,
    gpus: std::ops::Range<usize>,
    options: Vec<Choice>,
}

/// The best values of the tiers up to the cost, in the order of the tiers.
///
/// # Panics
/// If the problem is too large.
pub fn optimum_beside_present(problem: &Problem, moving: Moving) -> Vec<(TierName, i64)> {
    let units = units(problem);
    assert!(units.len() <= 12, "too large for the oracle");
    let mut best = None;
    for set in 0..1u32 << units.len() {
        let is_evicted = |unit: usize| set >> unit & 1 == 1;
        let evicted = u64::from(set.count_ones());
        let is_allowed = (0..units.len()).all(|unit| !(is_evicted(unit) && units[unit].stays));
        if is_allowed && moving.max_evictions.is_none_or(|most| evicted <= most) {
            best = best.max(best_of(problem, &units, &is_evicted, moving.prefer));
        }
    }
    let levels = Facts::of(problem).levels;
    let (served, rest) = best.expect("everything may stay");
    let served = levels.iter().zip(served).map(|(&priority, units)| (TierName::Served { priority }, units));
    let priced = problem.fleet.pools.iter().any(|pool| pool.cost_per_gpu.is_some());
    let cost = if priced { TierName::Cost } else { TierName::Gpus };
    let evicted = levels.iter().map(|&priority| TierName::Evicted { priority });
    let names: Vec<TierName> = match moving.prefer {
        Prefer::FewEvictions => evicted.chain([TierName::Recut, cost]).collect(),
        Prefer::LowCost => std::iter::once(cost).chain(evicted).chain([TierName::Recut]).collect(),
    };
    served.chain(names.into_iter().zip(rest.into_iter().map(|Reverse(value)| value))).collect()
}

/// A running unit: its node among all, its index there, and its demand among those that ask for anything.
struct Unit {
    node: usize,
    index: usize,
    demand: usize,
    stays: bool,
}

fn units(problem: &Problem) -> Vec<Unit> {
    let asking: Vec<usize> =
        problem.demands.iter().enumerate().filter(|(_, demand)| demand.count > 0).map(|(i, _)| i).collect();
    let mut units = Vec::new();
    for (node, (_, group)) in nodes(problem).enumerate() {
        for (index, unit) in group.present.iter().flat_map(|present| &present.running).enumerate() {
            let demand = asking.iter().position(|&demand| demand == unit.demand).expect("what runs is asked for");
            let is_forbidden = |budget: &&Budget| budget.allowed == 0 && budget.demands.contains(&unit.demand);
            let stays = unit.stays || problem.budgets.iter().any(|budget| is_forbidden(&budget));
            units.push(Unit { node, index, demand, stays });
        }
    }
    units
}

/// Every node with its pool.
fn nodes(problem: &Problem) -> impl Iterator<Item = (usize, &NodeGroup)> {
    let groups = problem.fleet.pools.iter().enumerate().flat_map(|(i, pool)| pool.nodes.iter().map(move |g| (i, g)));
    groups.flat_map(|(pool, group)| (0..group.names.count()).map(move |_| (pool, group)))
}

/// Units served by level, then the other tiers.
type Value = (Vec<i64>, Vec<Reverse<i64>>);

fn best_of(problem: &Problem, units: &[Unit], is_evicted: &dyn Fn(usize) -> bool, prefer: Prefer) -> Option<Value> {
    let mut facts = Facts::of(problem);
    let mut kept = vec![0; facts.levels.len()];
    let mut evicted = vec![0; facts.levels.len()];
    for node in &mut facts.nodes {
        node.held = vec![0; facts.demands.len()];
    }
    for (i, unit) in units.iter().enumerate() {
        let level = facts.level_of[unit.demand];
        if is_evicted(i) {
            evicted[level] += 1;
        } else {
            kept[level] += 1;
            facts.asked[unit.demand] -= 1;
            facts.nodes[unit.node].held[unit.demand] += 1;
        }
    }
    let mut sites = Vec::new();
    let mut held_cost = 0;
    for (node, (pool, group)) in nodes(problem).enumerate() {
        let stays = |index: usize| {
            units.iter().enumerate().any(|(i, unit)| unit.node == node && unit.index == index && !is_evicted(i))
        };
        let gpus = &facts.nodes[node].gpus;
        let is_single = facts.pools[pool].strategy == Strategy::Single;
        match &group.present {
            Some(present) => {
                let kept = present.running.iter().enumerate().filter(|(index, _)| stays(*index));
                let whole = kept.flat_map(|(_, unit)| &unit.holds).filter(|held| held.instance.is_none()).count();
                held_cost += facts.pools[pool].price * i64::try_from(whole).expect("few GPUs");
                let by_node = is_single || present.unit == RecutUnit::Node;
                let width = if by_node { gpus.len() } else { 1 };
                for start in (0..gpus.len()).step_by(width) {
                    let range = start..start + width;
                    let options = options(&facts, gpus, range.clone(), group, present, &stays, by_node);
                    sites.push(Site { node, gpus: range, options });
                }
            }
            None if is_single => sites.push(Site { node, gpus: 0..gpus.len(), options: unknown(gpus) }),
            None => sites.extend((0..gpus.len()).map(|gpu| Site {
                node,
                gpus: gpu..gpu + 1,
                options: unknown(&gpus[gpu..=gpu]),
            })),
        }
    }
    let mut best = None;
    each(&sites, &mut facts, 0, 0, &mut |facts, recut| {
        let choices = node::choices(facts, Additions::Wanted);
        let tables: Vec<Table> = choices.iter().map(NodeChoices::all).collect();
        let Some(goal) = table::goal(facts, &tables) else { return };
        let served = goal.served.iter().zip(&kept).map(|(new, kept)| new + kept).collect();
        let cost = goal.cost + held_cost;
        let disturbed = evicted.iter().copied().chain([recut]);
        let rest: Vec<i64> = match prefer {
            Prefer::FewEvictions => disturbed.chain([cost]).collect(),
            Prefer::LowCost => std::iter::once(cost).chain(disturbed).collect(),
        };
        best = best.take().max(Some((served, rest.into_iter().map(Reverse).collect())));
    });
    best
}

/// Every choice of options.
fn each(sites: &[Site], facts: &mut Facts<'_>, from: usize, recut: i64, visit: &mut impl FnMut(&Facts<'_>, i64)) {
    let Some(site) = sites.get(from) else { return visit(facts, recut) };
    for option in &site.options {
        let before = facts.nodes[site.node].gpus[site.gpus.clone()].to_vec();
        facts.nodes[site.node].gpus[site.gpus.clone()].clone_from_slice(&option.gpus);
        each(sites, facts, from + 1, recut + option.recut, visit);
        facts.nodes[site.node].gpus[site.gpus.clone()].clone_from_slice(&before);
    }
}

fn with(gpus: &[Gpu], change: impl Fn(&mut Gpu)) -> Vec<Gpu> {
    let changed = |gpu: &Gpu| {
        let mut gpu = gpu.clone();
        change(&mut gpu);
        gpu
    };
    gpus.iter().map(changed).collect()
}

/// Idle GPUs of which nothing is known may be cut, which counts, or not.
fn unknown(gpus: &[Gpu]) -> Vec<Choice> {
    let as_is = Choice { gpus: gpus.to_vec(), recut: 0 };
    if gpus.iter().any(|gpu| !gpu.pinned.is_empty()) || gpus.iter().all(|gpu| gpu.taken) {
        return vec![as_is];
    }
    vec![Choice { gpus: with(gpus, |gpu| gpu.off = true), recut: 0 }, Choice { recut: 1, ..as_is }]
}

/// What may become of GPUs of a node on which something runs.
fn options(
    facts: &Facts<'_>,
    all: &[Gpu],
    range: std::ops::Range<usize>,
    group: &NodeGroup,
    present: &Present,
    stays: &dyn Fn(usize) -> bool,
    by_node: bool,
) -> Vec<Choice> {
    let holds = |gpu: usize| {
        let kept = present.running.iter().enumerate().filter(move |(index, _)| stays(*index));
        kept.flat_map(|(_, unit)| &unit.holds).filter(move |held| usize::from(held.gpu) == gpu)
    };
    let layout = |gpu: usize| present.layout(gpu).filter(|layout| !layout.is_empty());
    let state = |gpu: usize| group.pinned.get(gpu).unwrap_or(&GpuState::Idle);
    let pinned = |gpu: usize| match state(gpu) {
        GpuState::Pinned(layout) => layout.placements().to_vec(),
        _ => Vec::new(),
    };
    // As it is: what is neither held nor pinned may serve.
    let as_it_is = |gpu: usize| {
        let mut found = Gpu { pinned: Vec::new(), ..all[gpu].clone() };
        let Some(layout) = layout(gpu) else {
            found.taken |= holds(gpu).next().is_some();
            found.off = true;
            return found;
        };
        let mut free = vec![0u8; facts.models[all[gpu].model].profiles.len()];
        let held = holds(gpu).filter_map(|held| held.instance).chain(pinned(gpu));
        let held: Vec<_> = held.collect();
        for instance in layout.placements().iter().filter(|instance| !held.contains(instance)) {
            free[usize::from(instance.profile.0)] += 1;
        }
        found.fixed = Some(free);
        found
    };
    let fixed = Choice { gpus: range.clone().map(as_it_is).collect(), recut: 0 };
    let idle = &all[range.clone()];
    let unused = Choice { gpus: with(idle, |gpu| gpu.taken = true), recut: 0 };
    let open = |recut: i64| Choice { gpus: idle.to_vec(), recut };
    let is_held = range.clone().any(|gpu| holds(gpu).next().is_some());
    let is_pinned = range.clone().any(|gpu| all[gpu].taken || !pinned(gpu).is_empty());
    let gpu = range.start;
    match present.unit {
        _ if by_node && (is_held || is_pinned) => vec![fixed],
        _ if by_node => vec![fixed, open(1), unused],
        _ if all[gpu].taken => vec![unused],
        RecutUnit::Instance if layout(gpu).is_some() && (is_held || is_pinned) => {
            let kept = holds(gpu).filter_map(|held| held.instance).chain(pinned(gpu)).collect();
            vec![Choice { gpus: vec![Gpu { pinned: kept, ..all[gpu].clone() }], recut: 0 }]
        }
        _ if is_held || is_pinned => vec![fixed],
        _ if layout(gpu).is_none() => vec![fixed, open(1)],
        // Instances that nothing holds do not outlast a change.
        RecutUnit::Instance => vec![open(1), unused],
        _ => vec![fixed, open(1), unused],
    }
}
