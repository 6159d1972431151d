//! The answer: line one, and how good it is.

use std::collections::BTreeSet;

use migsaw::fleet::{Cost, Pool};
use migsaw::plan::{GpuTarget, Plan, PlannedNodes, Status, Tier, TierName};
use migsaw::problem::Problem;

use crate::number::{counted, grouped};
use crate::page::Page;
use crate::style::{Style, Tone};

/// Line one, the line below it, and the bounds of what is not proven.
pub(super) fn text(problem: &Problem, plan: &Plan, style: Style) -> String {
    let (served, asked) = totals(problem, plan);
    let tone = match (plan.status, served == asked) {
        (Status::Optimal, true) => Tone::Good,
        (Status::Infeasible | Status::Unknown, _) => Tone::Bad,
        _ => Tone::Warn,
    };
    let mut page = Page::new(style);
    page.line(style.paint(tone, sentence(problem, plan)));
    page.line(style.paint(Tone::Faint, footing(problem, plan)));
    for tier in open_tiers(&plan.tiers) {
        page.wrapped(&format!("{} (gap {})", gap(tier), percent(tier)), 2, 4);
    }
    page.finish()
}

/// `162 of 162 served on 31 of 64 GPUs, proven optimal`.
pub(super) fn sentence(problem: &Problem, plan: &Plan) -> String {
    let (served, asked) = totals(problem, plan);
    let gpus: u64 = problem.fleet.pools.iter().map(Pool::gpu_count).sum();
    let on = format!("on {} of {}", grouped(plan.gpus_used()), counted(gpus, "GPU"));
    let of = format!("{} of {} served", grouped(served), grouped(asked));
    match plan.status {
        Status::Optimal => format!("{of} {on}, proven optimal"),
        Status::Infeasible => format!("{of}: nothing of what is asked for fits this fleet, proven"),
        Status::Unknown => format!("{of}: the time limit came before any plan was found"),
        _ => format!("{of} {on}, {}", quality(&plan.tiers)),
    }
}

/// How far a plan that is not proven may be from the best.
fn quality(tiers: &[Tier]) -> String {
    let open = |tier: &&Tier| tier.value != tier.bound;
    let Some(first) = tiers.iter().find(open) else { return "not proven optimal".to_owned() };
    let number = |n: i64| grouped(n.unsigned_abs());
    match first.name {
        TierName::Served { .. } => {
            let served = tiers.iter().filter(|tier| matches!(tier.name, TierName::Served { .. }));
            let more = served.map(|tier| tier.bound.saturating_sub(tier.value).max(0)).sum();
            format!("not proven: at most {} more could be", number(more))
        }
        TierName::Evicted { .. } => format!("not proven: {} evictions might do", number(first.bound)),
        TierName::Recut => format!("not proven: it might do with {} cut anew", number(first.bound)),
        TierName::Gpus => format!("not proven: {} GPUs might do", number(first.bound)),
        TierName::Cost => format!("not proven: it might cost {}", Cost { micros: first.bound }),
        TierName::Configurations | TierName::Leftover => {
            let priced = tiers.iter().any(|tier| tier.name == TierName::Cost);
            let cost = if priced { "cost" } else { "GPUs" };
            let disturbed = tiers.iter().any(|tier| tier.name == TierName::Recut);
            format!("served{} and {cost} proven optimal", if disturbed { ", evictions" } else { "" })
        }
    }
}

/// The tiers that are not proven and worth a line: what follows an open tier that matters more says
/// little.
pub(super) fn open_tiers(tiers: &[Tier]) -> impl Iterator<Item = &Tier> {
    let minor = |tier: &Tier| matches!(tier.name, TierName::Configurations | TierName::Leftover);
    let open = move |tier: &&Tier| tier.value != tier.bound;
    let major_open = tiers.iter().filter(open).any(|tier| !minor(tier));
    tiers.iter().filter(open).filter(move |tier| !(major_open && minor(tier)))
}

/// The gap in percent of the better value, rounded up so that it is never understated.
pub(super) fn percent(tier: &Tier) -> String {
    let best = u128::from(tier.value.unsigned_abs().max(tier.bound.unsigned_abs())).max(1);
    let hundredths = (u128::from(tier.value.abs_diff(tier.bound)) * 10_000).div_ceil(best);
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}

/// Value and bound of a tier, in words.
pub(super) fn gap(tier: &Tier) -> String {
    let number = |n: i64| grouped(n.unsigned_abs());
    let (value, bound) = (number(tier.value), number(tier.bound));
    match tier.name {
        TierName::Served { priority } => {
            format!("{value} served at priority {priority}; no plan serves more than {bound}")
        }
        TierName::Evicted { priority } => {
            format!("{value} evicted at priority {priority}; no plan evicts fewer than {bound}")
        }
        TierName::Recut => format!("{value} cut anew; no plan cuts fewer than {bound}"),
        TierName::Gpus => format!("{value} GPUs used; no plan uses fewer than {bound}"),
        TierName::Cost => {
            let cost = |micros| Cost { micros };
            format!("cost {}; no plan costs less than {}", cost(tier.value), cost(tier.bound))
        }
        TierName::Configurations => format!("{value} configurations; no plan needs fewer than {bound}"),
        TierName::Leftover => format!("{value} slices left over in spare instances; no plan leaves more than {bound}"),
    }
}

/// Nodes in use, configurations, cost.
pub(super) fn footing(problem: &Problem, plan: &Plan) -> String {
    let nodes: u64 = problem.fleet.pools.iter().map(|pool| u64::from(pool.node_count())).sum();
    let used: u64 = plan.nodes.iter().filter(|group| in_use(group)).map(|group| u64::from(group.node_count())).sum();
    let of_nodes = plan.configurations(problem).of_nodes;
    let in_use = plan.nodes.iter().zip(of_nodes).filter(|(group, _)| in_use(group));
    let configurations: BTreeSet<usize> = in_use.map(|(_, configuration)| configuration).collect();
    let mut parts = vec![
        format!("{} of {} in use", grouped(used), counted(nodes, "node")),
        counted(configurations.len() as u64, "node configuration"),
    ];
    if let Some(tier) = plan.tiers.iter().find(|tier| tier.name == TierName::Cost) {
        parts.push(format!("cost {}", Cost { micros: tier.value }));
    }
    parts.join(", ")
}

/// Units served and asked for.
pub(super) fn totals(problem: &Problem, plan: &Plan) -> (u64, u64) {
    let served = plan.served(problem.demands.len()).iter().sum();
    (served, problem.demands.iter().map(|demand| demand.count).sum())
}

/// Whether the group's nodes have a GPU in use.
fn in_use(group: &PlannedNodes) -> bool {
    group.gpus.iter().any(|gpu| matches!(gpu, GpuTarget::Mig(_))) || !group.serves.is_empty()
}
