//! The tiers' values are those the plan reaches, and on the right side of their bounds.

use std::collections::{BTreeMap, BTreeSet};

use super::commitment::used_by_gpu;
use super::eligibility;
use super::facts::{Facts, Piece, profile};
use super::kinds::{accepts, resolve};
use super::running;
use super::violation::Violation;
use crate::demand::{Demand, Request};
use crate::fleet::{GpuState, Pool, Strategy};
use crate::geometry::{Model, ProfileId};
use crate::plan::{Plan, TierName};
use crate::present::RecutUnit;
use crate::problem::Problem;

/// The problem's tiers, most important first, with what the plan reaches in each.
pub(super) fn reached(facts: &Facts<'_>, plan: &Plan, pieces: &[Piece<'_>], served: &[u64]) -> Vec<(TierName, i64)> {
    let mut by_priority: BTreeMap<i32, u64> = BTreeMap::new();
    for (demand, &served) in facts.problem.demands.iter().zip(served).filter(|(demand, _)| demand.count > 0) {
        let sum = by_priority.entry(demand.priority).or_insert(0);
        *sum = sum.saturating_add(served);
    }
    let served = by_priority.into_iter().rev();
    let mut tiers: Vec<(TierName, i64)> =
        served.map(|(priority, units)| (TierName::Served { priority }, narrow(i128::from(units)))).collect();
    let in_use = fleet_in_use(facts, pieces);
    if facts.problem.is_running_known() {
        // Which comes first is for the user to say.
        let after = plan.tiers.get(tiers.len()).is_some_and(|tier| tier.name == in_use.0);
        tiers.extend(after.then_some(in_use));
        let evicted = evicted(facts, pieces);
        let levels: Vec<TierName> = tiers.iter().map(|(name, _)| *name).collect();
        for name in levels {
            if let TierName::Served { priority } = name {
                let units = evicted.get(&priority).copied().unwrap_or(0);
                tiers.push((TierName::Evicted { priority }, narrow(i128::from(units))));
            }
        }
        tiers.push((TierName::Recut, recut(pieces)));
        tiers.extend((!after).then_some(in_use));
    } else {
        tiers.push(in_use);
    }
    tiers.push((TierName::Configurations, configurations(pieces)));
    tiers.push((TierName::Leftover, leftover(facts, pieces)));
    tiers
}

pub(super) fn judge(plan: &Plan, reached: &[(TierName, i64)], found: &mut Vec<Violation>) {
    if plan.tiers.is_empty() {
        return;
    }
    let names: Vec<TierName> = plan.tiers.iter().map(|tier| tier.name).collect();
    let expected: Vec<TierName> = reached.iter().map(|(name, _)| *name).collect();
    if names != expected {
        found.push(Violation::TierList { found: names, expected });
        return;
    }
    for (tier, &(name, expected)) in plan.tiers.iter().zip(reached) {
        if tier.value != expected {
            found.push(Violation::TierValue { name, found: tier.value, expected });
        }
        let beyond = match name {
            TierName::Served { .. } | TierName::Leftover => tier.value > tier.bound,
            TierName::Evicted { .. } | TierName::Recut | TierName::Gpus | TierName::Cost | TierName::Configurations => {
                tier.value < tier.bound
            }
        };
        if beyond {
            found.push(Violation::TierBound { name, value: tier.value, bound: tier.bound });
        }
    }
}

/// Running units that are evicted, by priority.
fn evicted(facts: &Facts<'_>, pieces: &[Piece<'_>]) -> BTreeMap<i32, u64> {
    let mut evicted = BTreeMap::new();
    for piece in pieces {
        let Some(present) = &piece.group.present else { continue };
        for unit in piece.planned.evicts.iter().filter_map(|&index| present.running.get(index)) {
            let Some(demand) = facts.demand(unit.demand) else { continue };
            *evicted.entry(demand.priority).or_insert(0u64) += piece.count;
        }
    }
    evicted
}

/// Nodes and GPUs that are cut anew.
fn recut(pieces: &[Piece<'_>]) -> i64 {
    let mut sum = 0i128;
    for piece in pieces {
        let gpus = 0..piece.models.len();
        let is_single = piece.pool.strategy == Strategy::Single;
        let count = match &piece.group.present {
            None => {
                let is_pinned = gpus.clone().any(|gpu| !piece.pinned(gpu).is_empty());
                let cut = gpus.filter(|&gpu| *piece.state(gpu) == GpuState::Idle && piece.is_cut(gpu)).count();
                if is_single { usize::from(cut > 0 && !is_pinned) } else { cut }
            }
            Some(present) => {
                let changes = |&gpu: &usize| running::changes(piece, present, gpu);
                match present.unit {
                    _ if is_single => gpus.filter(changes).count().min(1),
                    RecutUnit::Node => gpus.filter(changes).count().min(1),
                    RecutUnit::Gpu => gpus.filter(changes).count(),
                    RecutUnit::Instance => {
                        let holds = |gpu: usize| {
                            let mut held = running::kept(piece, present).flat_map(|unit| &unit.holds);
                            held.any(|held| usize::from(held.gpu) == gpu)
                        };
                        let is_new = |gpu: &usize| changes(gpu) || piece.is_cut_for_use(*gpu);
                        let new = gpus.filter(is_new);
                        new.filter(|&gpu| !holds(gpu) && *piece.state(gpu) == GpuState::Idle).count()
                    }
                }
            }
        };
        sum = sum.saturating_add(i128::try_from(count).unwrap_or(i128::MAX).saturating_mul(i128::from(piece.count)));
    }
    narrow(sum)
}

/// GPUs that are cut or serve as a whole, or what they cost.
fn fleet_in_use(facts: &Facts<'_>, pieces: &[Piece<'_>]) -> (TierName, i64) {
    let priced = facts.problem.fleet.pools.iter().any(|pool| pool.cost_per_gpu.is_some());
    let mut sum = 0i128;
    for piece in pieces {
        let price = if priced { piece.pool.cost_per_gpu.map_or(0, |cost| cost.micros) } else { 1 };
        let gpus = i128::try_from(gpus_in_use(piece)).unwrap_or(i128::MAX);
        let cost = i128::from(price).saturating_mul(gpus).saturating_mul(i128::from(piece.count));
        sum = sum.saturating_add(cost);
    }
    (if priced { TierName::Cost } else { TierName::Gpus }, narrow(sum))
}

fn gpus_in_use(piece: &Piece<'_>) -> usize {
    let mut used: BTreeSet<usize> = (0..piece.models.len()).filter(|&gpu| piece.is_cut_for_use(gpu)).collect();
    let shares = piece.planned.serves.iter().flat_map(|serving| &serving.shares);
    let whole = shares.filter(|share| share.profile.is_none() && share.instances > 0);
    used.extend(whole.map(|share| usize::from(share.gpu)).filter(|&gpu| gpu < piece.models.len()));
    used.len()
}

/// Instances by profile.
type Content = Vec<(ProfileId, u64)>;

/// Distinct configurations of nodes in use. MIG off on all GPUs is one, whatever the GPUs are.
fn configurations(pieces: &[Piece<'_>]) -> i64 {
    let mut distinct: BTreeSet<Vec<(&str, Option<Content>)>> = BTreeSet::new();
    for piece in pieces.iter().filter(|piece| gpus_in_use(piece) > 0) {
        let gpus = 0..piece.models.len();
        let off = gpus.clone().all(|gpu| !piece.is_cut(gpu));
        let content = |gpu: usize| (piece.models[gpu].id.as_str(), piece.is_cut(gpu).then(|| content(piece, gpu)));
        distinct.insert(if off { Vec::new() } else { gpus.map(content).collect() });
    }
    narrow(i128::try_from(distinct.len()).unwrap_or(i128::MAX))
}

fn content(piece: &Piece<'_>, gpu: usize) -> Content {
    let mut counts: BTreeMap<ProfileId, u64> = BTreeMap::new();
    for placement in piece.instances(gpu) {
        *counts.entry(placement.profile).or_insert(0) += 1;
    }
    counts.into_iter().collect()
}

/// Compute and memory slices of instances that are neither pinned nor serve, of the kinds some demand
/// could use where they are.
fn leftover(facts: &Facts<'_>, pieces: &[Piece<'_>]) -> i64 {
    let mut wanted: Vec<Option<BTreeMap<&str, Vec<bool>>>> = vec![None; facts.pools.len()];
    let mut sum = 0i128;
    for piece in pieces {
        let wanted = wanted[piece.pool_index].get_or_insert_with(|| wanted_kinds(facts.problem, piece.pool));
        let used = used_by_gpu(piece);
        let mut slices = 0u64;
        for (gpu, &model) in piece.models.iter().enumerate().filter(|(gpu, _)| piece.is_cut_for_use(*gpu)) {
            let Some(wanted) = wanted.get(model.id.as_str()) else { continue };
            for (id, added) in piece.added(gpu) {
                let serving = used.get(&gpu).and_then(|used| used.get(&Some(id))).copied().unwrap_or(0);
                let is_wanted = wanted.get(usize::from(id.0)).copied().unwrap_or(false);
                let Some(profile) = profile(model, id).filter(|_| is_wanted) else { continue };
                let size = u64::from(profile.compute_slices) + u64::from(profile.memory_slices);
                slices = slices.saturating_add(added.saturating_sub(serving).saturating_mul(size));
            }
        }
        sum = sum.saturating_add(i128::from(slices).saturating_mul(i128::from(piece.count)));
    }
    narrow(sum)
}

/// For each model of the pool, which of its profiles some demand could use there.
fn wanted_kinds<'a>(problem: &Problem, pool: &'a Pool) -> BTreeMap<&'a str, Vec<bool>> {
    let mut wanted: BTreeMap<&str, (&Model, Vec<bool>)> = BTreeMap::new();
    for group in pool.gpus.iter().filter(|group| group.count > 0) {
        wanted.insert(&group.model.id, (&*group.model, vec![false; group.model.profiles.len()]));
    }
    for demand in problem.demands.iter().filter(|demand| demand.count > 0) {
        let models: Vec<&Model> = wanted.values().map(|(model, _)| *model).collect();
        if eligibility::barrier(demand, pool).is_some() || !names_are_there(demand, &models) {
            continue;
        }
        for (model, wanted) in wanted.values_mut() {
            for (index, wanted) in (0u8..).zip(wanted.iter_mut()) {
                *wanted = *wanted || accepts(&demand.request, model, ProfileId(index));
            }
        }
    }
    wanted.into_iter().map(|(id, (_, wanted))| (id, wanted)).collect()
}

/// Whether every profile that the demand names is on some GPU of such a node.
fn names_are_there(demand: &Demand, models: &[&Model]) -> bool {
    match &demand.request {
        Request::Profiles { instances, .. } => {
            instances.keys().all(|name| models.iter().any(|model| resolve(model, name).is_some()))
        }
        Request::AtLeast { .. } | Request::WholeGpus { .. } => true,
    }
}

fn narrow(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}
