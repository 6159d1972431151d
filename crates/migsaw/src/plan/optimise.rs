//! The lexicographic tiers as successive solves, each tier's value a constraint of the next.

use super::cell::Cell;
use super::compile::Compiled;
use super::fleet_program::FleetProgram;
use super::formulation::Formulation;
use super::program::Sum;
use super::solver::Solver;

/// A program solved for the units served and the cost.
pub(super) struct Optimum {
    pub(super) program: FleetProgram,
    pub(super) values: Vec<i64>,
    /// Units served, by level.
    pub(super) served: Vec<Reached>,
    /// Cost of the GPUs in use, those pinned left out.
    pub(super) cost: Reached,
}

/// What a tier reaches, and what it cannot pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reached {
    pub(super) value: i64,
    pub(super) bound: i64,
}

impl Reached {
    pub(super) fn is_proven(self) -> bool {
        self.value == self.bound
    }
}

/// Serves most at each level in turn, then costs least. Serving nothing is always possible, so there is
/// always an answer.
pub(super) fn optimise(
    compiled: &Compiled<'_>,
    cells: &[Cell],
    formulation: Formulation,
    asked: &[Vec<i64>],
    solver: &Solver<'_>,
) -> Option<Optimum> {
    let mut fleet = FleetProgram::new(compiled, cells, formulation, asked);
    let mut values: Option<Vec<i64>> = None;
    let mut served = Vec::new();
    for level in 0..compiled.levels.len() {
        let objective = fleet.served_at(level);
        let reached = step(&mut fleet, &objective, &mut values, solver)?;
        served.push(reached);
    }
    let objective = fleet.cost.negated();
    let reached = step(&mut fleet, &objective, &mut values, solver)?;
    let cost = Reached { value: -reached.value, bound: -reached.bound };
    Some(Optimum { values: values.unwrap_or_default(), program: fleet, served, cost })
}

/// What a plan must reach: units served by level, and the cost it may not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Targets {
    pub(super) served: Vec<i64>,
    pub(super) cost: i64,
}

impl Optimum {
    pub(super) fn targets(&self) -> Targets {
        Targets { served: self.served.iter().map(|reached| reached.value).collect(), cost: self.cost.value }
    }
}

/// Whether some cells reach the targets.
pub(super) enum Attempt {
    /// They do, with these values.
    Reached(Vec<i64>),
    /// They cannot.
    Impossible,
    /// Neither was found within the limits.
    Undecided,
}

/// Makes the targets constraints of the program.
pub(super) fn require(fleet: &mut FleetProgram, targets: &Targets) {
    for (level, &served) in targets.served.iter().enumerate() {
        fleet.program.at_least(fleet.served_at(level), served);
    }
    fleet.program.at_most(fleet.cost.clone(), targets.cost);
}

/// Looks for any values that keep the program's constraints.
pub(super) fn attempt(fleet: &FleetProgram, solver: &Solver<'_>) -> Attempt {
    let outcome = solver.maximise(&fleet.program, &Sum::new(), None);
    match outcome.values {
        Some(values) => Attempt::Reached(values),
        None if outcome.is_infeasible() => Attempt::Impossible,
        None => Attempt::Undecided,
    }
}

/// The most spare slices under the program's constraints, from `start` on.
pub(super) fn most_spare(
    fleet: &FleetProgram,
    start: Option<&[i64]>,
    solver: &Solver<'_>,
) -> Option<(Vec<i64>, Reached)> {
    let outcome = solver.maximise(&fleet.program, &fleet.spare, start);
    let values = outcome.values?;
    let value = i64::try_from(fleet.spare.value(&values)).ok()?;
    Some((values, Reached { value, bound: outcome.bound.unwrap_or(value).max(value) }))
}

/// Solves one tier and holds its value fixed from then on.
pub(super) fn step(
    fleet: &mut FleetProgram,
    objective: &Sum,
    values: &mut Option<Vec<i64>>,
    solver: &Solver<'_>,
) -> Option<Reached> {
    let outcome = solver.maximise(&fleet.program, objective, values.as_deref());
    let best = outcome.values?;
    let value = i64::try_from(objective.value(&best)).ok()?;
    fleet.program.at_least(objective.clone(), value);
    *values = Some(best);
    Some(Reached { value, bound: outcome.bound.unwrap_or(value).max(value) })
}
