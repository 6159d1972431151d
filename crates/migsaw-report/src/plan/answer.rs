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
    for tier in plan.tiers.iter().filter(|tier| tier.value != tier.bound) {
        page.wrapped(&format!("not proven: {}", gap(tier)), 2, 4);
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
    match tiers.iter().find(|tier| tier.value != tier.bound) {
        None => "not proven optimal".to_owned(),
        Some(Tier { name: TierName::Configurations | TierName::Leftover, .. }) => {
            let counted = tiers.iter().any(|tier| tier.name == TierName::Cost);
            format!("served and {} proven optimal", if counted { "cost" } else { "GPUs" })
        }
        Some(tier) => {
            let best = u128::from(tier.value.unsigned_abs().max(tier.bound.unsigned_abs())).max(1);
            let gap = u128::from(tier.value.abs_diff(tier.bound));
            // Rounded up, so that the gap is never understated.
            let hundredths = (gap * 10_000).div_ceil(best);
            let what = match tier.name {
                TierName::Served { .. } => "served",
                TierName::Gpus => "GPUs",
                _ => "cost",
            };
            format!("within {}.{:02}% of the best ({what})", hundredths / 100, hundredths % 100)
        }
    }
}

fn gap(tier: &Tier) -> String {
    let number = |n: i64| grouped(n.unsigned_abs());
    let (value, bound) = (number(tier.value), number(tier.bound));
    match tier.name {
        TierName::Served { priority } => {
            format!("{value} served at priority {priority}; no plan serves more than {bound}")
        }
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
fn footing(problem: &Problem, plan: &Plan) -> String {
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
fn totals(problem: &Problem, plan: &Plan) -> (u64, u64) {
    let served = plan.served(problem.demands.len()).iter().sum();
    (served, problem.demands.iter().map(|demand| demand.count).sum())
}

/// Whether the group's nodes have a GPU in use.
fn in_use(group: &PlannedNodes) -> bool {
    group.gpus.iter().any(|gpu| matches!(gpu, GpuTarget::Mig(_))) || !group.serves.is_empty()
}
