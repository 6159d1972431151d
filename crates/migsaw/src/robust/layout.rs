//! A cut of the fleet, and what it serves.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::capacity::base::anywhere;
use crate::capacity::judged;
use crate::demand::Demand;
use crate::fleet::{GpuState, NodeGroup, NodeNames, Pool, Strategy};
use crate::geometry::Counts;
use crate::plan::{Depth, GpuTarget, Moving, Options, Plan, PlanError, PlannedNodes};
use crate::present::{Present, RecutUnit};
use crate::problem::Problem;

/// How the fleet is cut: what a plan makes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// What the plan is for.
    pub problem: Problem,
    /// The plan. What it serves is of no account.
    pub plan: Plan,
}

impl Layout {
    /// Units served of each demand of a problem with the same fleet, by a plan that leaves all GPUs cut as they are.
    pub(super) fn serves(&self, problem: &Problem, options: &Options<'_>) -> Result<Vec<u64>, PlanError> {
        let mut problem = problem.clone();
        for (index, pool) in problem.fleet.pools.iter_mut().enumerate() {
            pool.nodes = self.nodes(index, pool);
        }
        let moving = Moving { max_evictions: Some(0), leave_cut: true, ..Moving::default() };
        let plan = judged(&problem, &Options { depth: Depth::Served, moving, ..*options })?;
        Ok(plan.served(problem.demands.len()))
    }

    /// The nodes of a pool as they are cut.
    fn nodes(&self, index: usize, pool: &Pool) -> Vec<NodeGroup> {
        let mut groups = Vec::new();
        for planned in self.plan.nodes.iter().filter(|planned| planned.pool == index) {
            for (range, group) in parts(planned, pool) {
                let names = part(&group.names, range);
                groups.push(if pool.strategy == Strategy::Single && !is_uniform(planned, pool) {
                    // Where something else is pinned nothing can be served.
                    let pinned = vec![GpuState::Taken; planned.gpus.len()];
                    NodeGroup { names, pinned, present: None }
                } else {
                    NodeGroup { names, pinned: group.pinned.clone(), present: Some(present(planned)) }
                });
            }
        }
        groups
    }

    /// The instances that are added to what is pinned, by pool and profile, as a demand for each.
    pub(super) fn stock(&self) -> Vec<Demand> {
        let mut stock: Vec<Demand> = Vec::new();
        for planned in &self.plan.nodes {
            let pool = &self.problem.fleet.pools[planned.pool];
            for (range, group) in parts(planned, pool) {
                for (gpu, (target, model)) in planned.gpus.iter().zip(pool.gpu_models()).enumerate() {
                    let pinned = match group.state(gpu) {
                        GpuState::Pinned(layout) => layout.counts(),
                        GpuState::Idle | GpuState::Taken => Counts::EMPTY,
                    };
                    let added = target.counts().and_then(|counts| counts.minus(&pinned)).unwrap_or(Counts::EMPTY);
                    for (profile, n) in added.iter() {
                        let (name, nodes) = (&model.get(profile).name, range.end - range.start);
                        let count = u64::from(n) * u64::from(nodes);
                        let full = (Some(pool.name.clone()), name.to_string());
                        match stock.iter_mut().find(|demand| (&demand.namespace, &demand.name) == (&full.0, &full.1)) {
                            Some(demand) => demand.count += count,
                            None => stock.push(Demand {
                                namespace: full.0,
                                eligible: anywhere(Some(pool)),
                                ..Demand::of_profile(full.1, name.clone(), count)
                            }),
                        }
                    }
                }
            }
        }
        stock
    }
}

/// The groups of nodes that planned nodes belong to, with their indices in the group.
fn parts<'p>(planned: &PlannedNodes, pool: &'p Pool) -> impl Iterator<Item = (Range<u32>, &'p NodeGroup)> {
    let Range { start, end } = planned.nodes;
    pool.node_ranges().filter_map(move |(range, group)| {
        let common = start.max(range.start)..end.min(range.end);
        (!common.is_empty()).then(|| (common.start - range.start..common.end - range.start, group))
    })
}

/// Whether a node has one profile throughout, or MIG off.
fn is_uniform(planned: &PlannedNodes, pool: &Pool) -> bool {
    let mut names = BTreeSet::new();
    for (target, model) in planned.gpus.iter().zip(pool.gpu_models()) {
        match target.counts().filter(|counts| !counts.is_empty()) {
            Some(counts) => names.extend(counts.iter().map(|(profile, _)| Some(&model.get(profile).name))),
            None => drop(names.insert(None)),
        }
    }
    names.len() <= 1
}

fn present(planned: &PlannedNodes) -> Present {
    let layout = |target: &GpuTarget| match target {
        GpuTarget::MigOff => None,
        GpuTarget::Mig(layout) | GpuTarget::Left(layout) => Some(layout.clone()),
    };
    Present { unit: RecutUnit::Gpu, gpus: planned.gpus.iter().map(layout).collect(), ..Present::default() }
}

/// Some of the names, by index.
fn part(names: &NodeNames, range: Range<u32>) -> NodeNames {
    match names {
        NodeNames::Numbered { prefix, first, .. } => NodeNames::Numbered {
            prefix: prefix.clone(),
            first: first.saturating_add(range.start),
            count: range.end - range.start,
        },
        NodeNames::Listed(names) => NodeNames::Listed(names[range.start as usize..range.end as usize].to_vec()),
    }
}
