//! One cut of the fleet for several demands, of which one at a time comes: a program of two stages.
//!
//! The first stage is what all of them share: `cut` and `y` (instances) of every pooled cell, as
//! [`super::fleet_program`] has them. The second stage is there once for each scenario `s`: its own `z[s]`, `x[s]` and
//! `served[s, f, l]`, within the same `y` and with the same GPUs left whole. With `w[s]` the weights, `best[s, l]` what
//! the scenario's own best plan serves, and `K[l] = max_s best[s, l]`, there is for each level, besides,
//!
//! - the average, times the sum of the weights: `Σ_s w[s] · Σ_f served[s, f, l]`, the more the better;
//! - `t[l]` with `t[l] ≤ Σ_f served[s, f, l] + K[l] - best[s, l]` for each `s`: the greatest regret is
//!   `K[l] - max t[l]`.
//!
//! Level by level both are settled, the one that is aimed at first. Given a cut, the average alone makes each scenario
//! be served as well as it can be, because scenarios share nothing but the cut: so what the program serves at a level
//! is what a plan for that scenario on that cut would, and no lower level takes from a higher one. The fewest GPUs (or
//! the least cost of those) that are cut come last.
//!
//! What acts within a node is relaxed, as for any pooled cell, and instances that must share a GPU need share a node
//! only. Without either the totals split into layouts, and the program's optimum is the best cut's. Otherwise it bounds
//! it.

use super::cell::{Capabilities, Cell};
use super::compile::Compiled;
use super::decision::Decisions;
use super::finish::finish;
use super::fleet_program::FleetProgram;
use super::nodes::{FreeNodes, build_pooled};
use super::optimise::{Reached, step};
use super::order::ByName;
use super::outcome::{Plan, Status};
use super::program::{Role, Sum, Var};
use super::solver::Solver;
use super::{Options, PlanError};
use crate::demand::{Request, Together};
use crate::problem::Problem;

/// Most branch and bound nodes for each tier.
const NODES: u64 = 20_000;

/// One of the demands.
pub(crate) struct Stage<'a> {
    /// The fleet, the same for all, and the demand.
    pub(crate) problem: &'a Problem,
    pub(crate) weight: i64,
    /// What the best plan for it serves, by level.
    pub(crate) best: &'a [i64],
}

/// The cut, and what the program knows of it.
pub(crate) struct TwoStage {
    /// The cut as a plan that serves nothing.
    pub(crate) plan: Plan,
    /// By level.
    pub(crate) levels: Vec<Level>,
}

/// A value and the bound on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) value: i64,
    pub(crate) bound: i64,
}

/// What is known of one level.
pub(crate) struct Level {
    /// The average, times the sum of the weights.
    pub(crate) average: Known,
    /// The greatest regret.
    pub(crate) regret: Known,
}

/// The best cut for all of the demands. `fleet` is the problem without any, `levels` are the priorities, highest
/// first. `None` if the budget was spent before anything was known.
pub(crate) fn two_stage(
    fleet: &Problem,
    stages: &[Stage<'_>],
    levels: &[i32],
    regret_first: bool,
    options: &Options<'_>,
) -> Result<Option<TwoStage>, PlanError> {
    let relaxed: Vec<Problem> = stages.iter().map(|stage| on_any_gpu(stage.problem)).collect();
    let sorted: Vec<ByName<'_>> = relaxed.iter().map(ByName::new).collect();
    let bare = ByName::new(fleet);
    let decisions = Decisions::default();
    let compiled: Vec<Compiled<'_>> = sorted.iter().map(|sorted| Compiled::new(&sorted.problem, &decisions)).collect();
    let mut shared = Compiled::new(&bare.problem, &decisions);
    for pools in compiled.iter().map(|compiled| &compiled.pools) {
        for (all, one) in shared.pools.iter_mut().zip(pools) {
            for (all, one) in all.boards.iter_mut().zip(&one.boards) {
                all.wanted.iter_mut().zip(&one.wanted).for_each(|(all, one)| *all |= one);
            }
        }
    }
    let mut capabilities = Capabilities::default();
    let cells = Cell::pooled(&shared, &mut capabilities, &[]);
    let mut program = FleetProgram::new(&shared, &cells, options.formulation, &[]);
    let served: Vec<Vec<Sum>> =
        compiled.iter().map(|compiled| served(&mut program, compiled, &cells, levels)).collect();
    let regrets: Vec<(Var, i64)> = (0..levels.len()).map(|l| regret(&mut program, stages, &served, l)).collect();
    let solver = Solver { backend: options.backend, budget: options.budget, nodes: NODES };
    let mut values = None;
    let mut reached = Vec::new();
    for (l, &(least, most)) in regrets.iter().enumerate() {
        let mut average = Sum::new();
        stages.iter().zip(&served).for_each(|(stage, served)| average += &served[l].times(stage.weight));
        let least = Sum::of([(least, 1)]);
        let order = if regret_first { [&least, &average] } else { [&average, &least] };
        let mut found = Vec::new();
        for objective in order {
            let Some(reached) = step(&mut program, objective, &mut values, &solver) else { return Ok(None) };
            found.push(reached);
        }
        if !regret_first {
            found.reverse();
        }
        let known = |Reached { value, bound }: Reached| Known { value, bound };
        let regret = Known { value: most - found[0].value, bound: most - found[0].bound };
        reached.push(Level { average: known(found[1]), regret });
    }
    let cost = program.cost.negated();
    let Some(_) = step(&mut program, &cost, &mut values, &solver) else { return Ok(None) };
    let values = values.unwrap_or_default();
    let mut free = FreeNodes::new(&shared);
    let mut built = Vec::new();
    let split = || PlanError::Internal("totals could not be split into layouts".to_owned());
    for (cell, vars) in cells.iter().zip(&program.cells) {
        let nodes = build_pooled(&shared, cell, vars, &values, &mut free, &mut capabilities);
        built.extend(nodes.ok_or_else(split)?);
    }
    let nodes = finish(&shared, built, free, &[]).ok_or_else(split)?.into_iter().map(|finished| finished.nodes);
    let plan = Plan { status: Status::Feasible, tiers: Vec::new(), nodes: nodes.collect(), unserved: Vec::new() };
    Ok(Some(TwoStage { plan: bare.restore(plan), levels: reached }))
}

/// The problem without the rule that instances share one GPU.
fn on_any_gpu(problem: &Problem) -> Problem {
    let mut problem = problem.clone();
    for demand in &mut problem.demands {
        if let Request::Profiles { together, .. } | Request::AtLeast { together, .. } = &mut demand.request {
            *together = Together::Node;
        }
    }
    problem
}

/// The second stage of one scenario: units served, by level.
fn served(program: &mut FleetProgram, compiled: &Compiled<'_>, cells: &[Cell], levels: &[i32]) -> Vec<Sum> {
    let vars = program.serve_also(compiled, cells);
    let at = |priority: &i32| match compiled.levels.iter().position(|level| level == priority) {
        Some(level) => Sum::of(vars.iter().filter_map(|flow| Some((flow[level]?, 1)))),
        None => Sum::new(),
    };
    levels.iter().map(at).collect()
}

/// A variable that is larger the smaller the greatest regret of a level is, and what it is without any.
fn regret(program: &mut FleetProgram, stages: &[Stage<'_>], served: &[Vec<Sum>], level: usize) -> (Var, i64) {
    let most = stages.iter().map(|stage| stage.best[level]).max().unwrap_or(0);
    let upper = |served: &[Sum]| served[level].terms().iter().map(|(var, _)| program.program.uppers()[var.0]).sum();
    let upper = served.iter().map(|served| upper(served)).max().unwrap_or(0i64);
    let least = program.program.add(most.saturating_add(upper), Role::Flow);
    for (stage, served) in stages.iter().zip(served) {
        let row = served[level].negated() + &Sum::of([(least, 1)]);
        program.program.at_most(row, most - stage.best[level]);
    }
    (least, most)
}
