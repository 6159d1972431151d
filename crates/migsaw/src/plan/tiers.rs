//! The plan's tiers and status, read off what was found.

use super::cell::Capabilities;
use super::compile::Compiled;
use super::decision::{Decisions, Gpu};
use super::finish::Finished;
use super::keep::{Fate, Groups, Kept, decide};
use super::merge::merge;
use super::optimise::Reached;
use super::outcome::{GpuTarget, Plan, PlannedNodes, Status, Tier, TierName};
use super::search::{Assembled, Search};
use super::{Depth, Moving, Options, PlanError, disturbance, explain};
use crate::problem::Problem;

pub(super) fn plan(problem: &Problem, options: &Options<'_>) -> Result<Plan, PlanError> {
    if !problem.is_running_known() {
        return Ok(plan_around(problem, options, &Decisions::default(), None)?.0);
    }
    let nothing = Decisions::default();
    let compiled = Compiled::new(problem, &nothing);
    let groups = Groups::of(&compiled, options.moving);
    let decided =
        |least_recut, spare| decide(&compiled, &groups, options, &mut Capabilities::default(), (least_recut, spare));
    let kept = decided(0, Fate::Unused).unwrap_or_else(|| groups.untouched(&compiled));
    let around = |decisions: &Decisions| plan_around(problem, options, decisions, Some(&kept));
    let wanted: Vec<i64> = kept.served.iter().map(|served| served.value).collect();
    let (mut plan, mut serves) = around(&kept.decisions)?;
    // What was decided may have no place, by a rule within a node or since time is up. More may have one where what is
    // of no use otherwise serves too, and where more is cut anew; what runs has one where nothing moves.
    let keeps_all = |serves: &[i64]| serves.iter().zip(&kept.running).all(|(serves, running)| serves >= running);
    let short = (wanted.iter().sum::<i64>() - serves.iter().sum::<i64>()).max(1);
    let more_recut = [0, 1 + short / 4, 1 + short / 2, 1 + short, 1 + 2 * short].map(Some);
    for more in more_recut.into_iter().chain([None]) {
        if serves == wanted {
            break;
        }
        let other = match more {
            Some(more) => decided(kept.recut.value.saturating_add(more), Fate::Stays),
            None => Some(Groups::of(&compiled, Moving::default()).untouched(&compiled)),
        };
        let Some(Kept { decisions, .. }) = other else { continue };
        let found = around(&decisions)?;
        if (keeps_all(&found.1), &found.1) > (keeps_all(&serves), &serves) {
            (plan, serves) = found;
        }
    }
    Ok(plan)
}

/// The best plan around what is decided, with the units it serves by level.
fn plan_around(
    problem: &Problem,
    options: &Options<'_>,
    decisions: &Decisions,
    kept: Option<&Kept>,
) -> Result<(Plan, Vec<i64>), PlanError> {
    let compiled = Compiled::new(problem, decisions);
    let mut search = Search { compiled: &compiled, options, capabilities: Capabilities::default() };
    let found = search.run()?;
    let is_decided = found.is_some();
    let mut assembled = match found {
        Some(assembled) => assembled,
        None => nothing_served(&compiled)?,
    };
    if let Some(kept) = kept {
        assembled.nodes = merge(&compiled, assembled.nodes);
        disturbance::add_kept(&compiled, kept, &mut assembled);
    }
    let mut tiers = tiers(problem, &compiled, &assembled);
    if let Some(kept) = kept {
        disturbance::judge(&compiled, kept, options.moving.prefer, &assembled, &mut tiers);
    }
    match options.depth {
        Depth::All => {}
        Depth::ServedAndCost => {
            tiers.retain(|tier| !matches!(tier.name, TierName::Configurations | TierName::Leftover));
        }
        Depth::Served => tiers.retain(|tier| matches!(tier.name, TierName::Served { .. })),
    }
    let status = status(&assembled, &tiers, is_decided);
    let mut plan = Plan {
        status,
        tiers,
        nodes: assembled.nodes.into_iter().map(|finished| finished.nodes).collect(),
        unserved: Vec::new(),
    };
    plan.unserved = explain::unserved(&compiled, &plan, options);
    let serves = assembled.served.iter().map(|served| served.value).collect();
    Ok((plan, serves))
}

/// The plan that serves nothing, when nothing is known.
fn nothing_served(compiled: &Compiled<'_>) -> Result<Assembled, PlanError> {
    let free = super::nodes::FreeNodes::new(compiled);
    let served = vec![vec![0; compiled.levels.len()]; compiled.flows.len()];
    let nodes = super::finish::finish(compiled, Vec::new(), free, &served);
    let most = |level: usize| compiled.flows.iter().map(|flow| flow.counts[level]).sum();
    Ok(Assembled {
        nodes: nodes.ok_or_else(|| PlanError::Internal("idle nodes could not be listed".to_owned()))?,
        served: (0..compiled.levels.len()).map(|level| Reached { value: 0, bound: most(level) }).collect(),
        cost: Reached { value: 0, bound: 0 },
        configurations_bound: 0,
        spare_bound: i64::MAX,
    })
}

fn tiers(problem: &Problem, compiled: &Compiled<'_>, assembled: &Assembled) -> Vec<Tier> {
    let levels = compiled.levels.iter().zip(&assembled.served);
    let mut tiers: Vec<Tier> = levels
        .map(|(&priority, reached)| Tier {
            name: TierName::Served { priority },
            value: reached.value,
            bound: reached.bound,
        })
        .collect();
    let cost = cost(compiled, &assembled.nodes);
    tiers.push(Tier {
        name: if compiled.priced { TierName::Cost } else { TierName::Gpus },
        value: cost,
        bound: (assembled.cost.bound + pinned_cost(compiled)).min(cost),
    });
    let configurations = configurations(problem, &assembled.nodes);
    tiers.push(Tier {
        name: TierName::Configurations,
        value: configurations,
        bound: assembled.configurations_bound.min(configurations),
    });
    let leftover = leftover(compiled, &assembled.nodes);
    tiers.push(Tier { name: TierName::Leftover, value: leftover, bound: assembled.spare_bound.max(leftover) });
    tiers
}

/// What the GPUs in use cost.
fn cost(compiled: &Compiled<'_>, nodes: &[Finished]) -> i64 {
    let of_group = |Finished { nodes: group, .. }: &Finished| {
        let gpus = group.gpus_used() * u64::from(group.node_count());
        i64::try_from(gpus).expect("nodes are limited") * compiled.pools[group.pool].cost
    };
    nodes.iter().map(of_group).sum()
}

/// What the GPUs with pinned instances cost, which are in use whatever is planned.
fn pinned_cost(compiled: &Compiled<'_>) -> i64 {
    let pools = compiled.pools.iter().flat_map(|pool| pool.classes.iter().map(move |class| (pool, class)));
    pools
        .map(|(pool, class)| {
            let pinned = class.state.iter().filter(|state| matches!(state, Gpu::Pinned(_))).count();
            i64::try_from(pinned).expect("few GPUs per node") * class.count * pool.cost
        })
        .sum()
}

/// Distinct configurations among nodes with a GPU in use.
pub(super) fn configurations(problem: &Problem, nodes: &[Finished]) -> i64 {
    let in_use: Vec<PlannedNodes> =
        nodes.iter().map(|f| &f.nodes).filter(|group| group.gpus_used() > 0).cloned().collect();
    let plan = Plan { status: Status::Unknown, tiers: Vec::new(), nodes: in_use, unserved: Vec::new() };
    i64::try_from(plan.configurations(problem).distinct.len()).expect("fewer configurations than nodes")
}

/// Slices of spare instances that some demand could use.
fn leftover(compiled: &Compiled<'_>, nodes: &[Finished]) -> i64 {
    let mut total = 0;
    for Finished { class, nodes: group } in nodes {
        let shape = &compiled.pools[group.pool];
        let decision = compiled.decisions.nodes.get(&(group.pool, group.nodes.start));
        let state = decision.map_or(&shape.classes[*class].state, |decision| &decision.pinned);
        let mut here = 0;
        for (gpu, target) in group.gpus.iter().enumerate() {
            let GpuTarget::Mig(layout) = target else { continue };
            let board = &shape.boards[shape.board_of[gpu]];
            let pinned = match &state[gpu] {
                Gpu::Pinned(layout) => layout.counts(),
                _ => crate::geometry::Counts::EMPTY,
            };
            for (id, n) in layout.counts().iter().filter(|(id, _)| board.wanted[id.index()]) {
                let profile = board.model.get(id);
                let shares = group.serves.iter().flat_map(|serving| &serving.shares);
                let here_used = shares.filter(|share| usize::from(share.gpu) == gpu && share.profile == Some(id));
                let used: i64 = here_used.map(|share| i64::from(share.instances)).sum();
                let spare = i64::from(n) - i64::from(pinned[id]) - used;
                here += spare * (i64::from(profile.compute_slices) + i64::from(profile.memory_slices));
            }
        }
        total += here * i64::from(group.node_count());
    }
    total
}

fn status(assembled: &Assembled, tiers: &[Tier], is_decided: bool) -> Status {
    let asked: bool = !assembled.served.is_empty();
    let nothing = assembled.served.iter().all(|reached| reached.value == 0);
    let hopeless = assembled.served.iter().all(|reached| reached.bound == 0);
    if !is_decided || (asked && nothing && !hopeless) {
        Status::Unknown
    } else if asked && nothing && hopeless {
        Status::Infeasible
    } else if tiers.iter().all(|tier| tier.value == tier.bound) {
        Status::Optimal
    } else {
        Status::Feasible
    }
}
