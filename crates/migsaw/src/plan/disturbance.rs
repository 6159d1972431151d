//! The tiers of plans that start from what runs today.

use super::Prefer;
use super::compile::Compiled;
use super::decision::Gpu;
use super::finish::Finished;
use super::keep::Kept;
use super::optimise::Reached;
use super::outcome::{GpuTarget, PlannedNodes, Tier, TierName};
use super::search::Assembled;
use crate::fleet::{NodeGroup, Strategy};
use crate::geometry::Layout;
use crate::present::{Present, RecutUnit};

/// Adds the units that stay to those served. What rests on the choice of what stays bounds no other plan.
pub(super) fn add_kept(compiled: &Compiled<'_>, kept: &Kept, assembled: &mut Assembled) {
    for (level, served) in assembled.served.iter_mut().enumerate() {
        served.value += staying(compiled, level);
        served.bound = kept.served[level].bound;
    }
    assembled.configurations_bound = i64::from(assembled.served.iter().any(|served| served.value > 0));
    assembled.spare_bound = kept.spare;
}

/// Units of a level that stay.
fn staying(compiled: &Compiled<'_>, level: usize) -> i64 {
    let demands = compiled.problem.demands.iter().zip(&compiled.decisions.kept);
    let at_level = demands.filter(|(demand, _)| demand.priority == compiled.levels[level]);
    at_level.map(|(_, &units)| i64::try_from(units).expect("counts are limited")).sum()
}

/// Puts the tiers of what is disturbed among the others. A bound holds for plans that are equal in the tiers
/// before it, so once the plan falls behind what was found possible, the bounds that follow say nothing.
pub(super) fn judge(
    compiled: &Compiled<'_>,
    kept: &Kept,
    prefer: Prefer,
    assembled: &Assembled,
    tiers: &mut Vec<Tier>,
) {
    let levels = compiled.levels.len();
    let rest = tiers.split_off(levels);
    let [mut cost, others @ ..] = <[Tier; 3]>::try_from(rest).expect("cost, configurations and leftover");
    let beside = pinned_cost(compiled);
    cost.bound = kept.cost.bound + beside;
    let evicted = evicted(compiled, &assembled.nodes);
    let disturbed = compiled.levels.iter().zip(evicted).zip(&kept.evicted).map(|((&priority, value), reached)| {
        (Tier { name: TierName::Evicted { priority }, value, bound: reached.bound }, *reached)
    });
    let recut = Tier { name: TierName::Recut, value: recut(compiled, &assembled.nodes), bound: kept.recut.bound };
    let disturbed = disturbed.chain([(recut, kept.recut)]);
    let reached = Reached { value: kept.cost.value + beside, bound: kept.cost.bound + beside };
    let cost = std::iter::once((cost, reached));
    let next: Vec<(Tier, Reached)> = match prefer {
        Prefer::FewEvictions => disturbed.chain(cost).collect(),
        Prefer::LowCost => cost.chain(disturbed).collect(),
    };
    let mut is_as_found = true;
    for (level, tier) in tiers.iter_mut().enumerate() {
        if !is_as_found {
            let demands = compiled.problem.demands.iter().filter(|d| d.priority == compiled.levels[level]);
            tier.bound = demands.map(|d| i64::try_from(d.count).expect("counts are limited")).sum();
        }
        tier.bound = tier.bound.max(tier.value);
        is_as_found &= tier.value == kept.served[level].value;
    }
    for (mut tier, reached) in next {
        tier.bound = if is_as_found { tier.bound.min(tier.value) } else { 0 };
        is_as_found &= tier.value == reached.value;
        tiers.push(tier);
    }
    tiers.extend(others);
}

/// What GPUs with pinned instances cost on the nodes of which nothing else is known.
fn pinned_cost(compiled: &Compiled<'_>) -> i64 {
    let pools = compiled.problem.fleet.pools.iter().zip(&compiled.pools);
    let groups = pools.flat_map(|(pool, shape)| pool.nodes.iter().map(move |group| (group, shape.cost)));
    let cost = |(group, price): (&NodeGroup, i64)| {
        let pinned = (0..group.pinned.len()).filter(|&gpu| matches!(Gpu::of(group, gpu), Gpu::Pinned(_))).count();
        i64::try_from(pinned).expect("few GPUs per node") * i64::from(group.names.count()) * price
    };
    groups.filter(|(group, _)| group.present.is_none()).map(cost).sum()
}

/// Units evicted, by level.
fn evicted(compiled: &Compiled<'_>, nodes: &[Finished]) -> Vec<i64> {
    let mut evicted = vec![0; compiled.levels.len()];
    for Finished { nodes, .. } in nodes.iter().filter(|finished| !finished.nodes.evicts.is_empty()) {
        let Some(present) = present_of(compiled, nodes) else { continue };
        for &unit in &nodes.evicts {
            let priority = compiled.problem.demands[present.running[unit].demand].priority;
            let level = compiled.levels.binary_search_by(|l| priority.cmp(l)).expect("every priority is a level");
            evicted[level] += i64::from(nodes.node_count());
        }
    }
    evicted
}

/// Nodes and GPUs that are cut anew.
fn recut(compiled: &Compiled<'_>, nodes: &[Finished]) -> i64 {
    let each = |Finished { class, nodes }: &Finished| {
        let shape = &compiled.pools[nodes.pool];
        let is_single = shape.strategy == Strategy::Single;
        let Some(present) = present_of(compiled, nodes) else {
            let class = &shape.classes[*class];
            let idle = nodes.gpus.iter().zip(&class.state).filter(|(_, state)| **state == Gpu::Idle);
            let cut = idle.filter(|(target, _)| matches!(target, GpuTarget::Mig(_))).count();
            return if is_single { usize::from(cut > 0 && !class.is_pinned()) } else { cut };
        };
        let before = |gpu: usize| present.layout(gpu).filter(|l| !l.is_empty()).map(Layout::counts);
        let changes = |gpu: &usize| nodes.gpus[*gpu].counts() != before(*gpu);
        let kept = present.running.iter().enumerate().filter(|(unit, _)| nodes.evicts.binary_search(unit).is_err());
        let kept: Vec<u16> = kept.flat_map(|(_, unit)| &unit.holds).map(|held| held.gpu).collect();
        let pinned = &compiled.decisions.nodes[&(nodes.pool, nodes.nodes.start)].pinned;
        let has_something = |gpu: usize| pinned[gpu] != Gpu::Idle || kept.iter().any(|&held| usize::from(held) == gpu);
        let gpus = 0..nodes.gpus.len();
        match present.unit {
            _ if is_single => usize::from(gpus.clone().any(|gpu| changes(&gpu))),
            RecutUnit::Node => usize::from(gpus.clone().any(|gpu| changes(&gpu))),
            RecutUnit::Gpu => gpus.filter(changes).count(),
            RecutUnit::Instance => {
                let is_new = |gpu: &usize| changes(gpu) || matches!(nodes.gpus[*gpu], GpuTarget::Mig(_));
                gpus.filter(|gpu| is_new(gpu) && !has_something(*gpu)).count()
            }
        }
    };
    let units = |finished: &Finished| i64::try_from(each(finished)).expect("few GPUs per node");
    nodes.iter().map(|finished| units(finished) * i64::from(finished.nodes.node_count())).sum()
}

/// What runs on nodes of the plan today.
fn present_of<'c>(compiled: &'c Compiled<'_>, nodes: &PlannedNodes) -> Option<&'c Present> {
    compiled.decisions.nodes.get(&(nodes.pool, nodes.nodes.start))?;
    let mut ranges = compiled.problem.fleet.pools[nodes.pool].node_ranges();
    ranges.find(|(range, _)| range.contains(&nodes.nodes.start))?.1.present.as_ref()
}
