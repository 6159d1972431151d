//! The plan, and how the best one is found.

mod cell;
mod changes;
mod compile;
mod configuration;
mod curve;
mod decision;
mod distinct;
mod disturbance;
mod explain;
mod extension;
mod finish;
mod fleet_program;
mod formulation;
mod keep;
mod merge;
mod nodes;
mod optimise;
mod order;
mod outcome;
mod peel;
mod program;
mod replacement;
mod rounding;
mod search;
mod solver;
mod templates;
mod tiers;
mod two_stage;

use std::time::Duration;

pub use changes::{GpuChange, NodeChange};
pub use configuration::{ALL_DISABLED, Configuration, Configurations};
pub use curve::{CurvePoint, curve};
pub use formulation::Formulation;
pub use outcome::{GpuShare, GpuTarget, Plan, PlannedNodes, Serving, Status, Tier, TierName, Unserved, UnservedCode};
pub use solver::Backend;
pub(crate) use two_stage::{Known, Stage, two_stage};

use crate::problem::{InputProblem, Problem, Subject};

/// How much time planning may still take. The library has no clock: the caller brings one.
pub trait Budget {
    /// Time left; zero to stop as soon as possible with the best plan found.
    fn remaining(&self) -> Duration;
}

/// A budget that never runs out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unlimited;

impl Budget for Unlimited {
    fn remaining(&self) -> Duration {
        Duration::MAX
    }
}

/// How far to go down the tiers of the objective.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Depth {
    /// Units served only: evictions keep to their limit, but are no fewer than they happen to be.
    Served,
    /// Units served and cost; the rest of the plan is right but not sought.
    ServedAndCost,
    /// All tiers.
    #[default]
    All,
}

/// What may be done to what runs today, where that is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moving {
    /// What counts more.
    pub prefer: Prefer,
    /// Most units that may be evicted; `None` for any number.
    pub max_evictions: Option<u64>,
    /// Whether every GPU of which it is known how it is cut stays cut that way. Where a driver makes instances when
    /// pods come, nobody has to cut anything, and what is free there may become any of them.
    pub leave_cut: bool,
}

/// What counts more, once most is served.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Prefer {
    /// Few evictions, then few units of reconfiguration cut anew, then low cost.
    #[default]
    FewEvictions,
    /// Low cost, then few evictions, then few units of reconfiguration cut anew.
    LowCost,
}

/// How to plan.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Time limit and cancel hook in one.
    pub budget: &'a dyn Budget,
    /// How capacity is described to the solver.
    pub formulation: Formulation,
    /// Which solver is used.
    pub backend: Backend,
    /// How far to go down the tiers.
    pub depth: Depth,
    /// What may be done to what runs today.
    pub moving: Moving,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Options {
            budget: &Unlimited,
            formulation: Formulation::default(),
            backend: Backend::default(),
            depth: Depth::default(),
            moving: Moving::default(),
        }
    }
}

/// Why there is no plan at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlanError {
    /// The problem makes no sense.
    #[error("{}", .0.iter().map(|(_, problem)| problem.to_string()).collect::<Vec<_>>().join("; "))]
    Invalid(Vec<(Subject, InputProblem)>),
    /// A plan failed its own exact verification. This is a defect of migsaw: please report it.
    #[error("internal error, please report it: {0}")]
    Internal(String),
}

/// The best plan for a problem.
///
/// # Errors
/// [`PlanError::Invalid`] if [`Problem::validate`] finds something. "It doesn't fit" is no error.
pub fn plan(problem: &Problem, options: &Options<'_>) -> Result<Plan, PlanError> {
    let problems = problem.validate();
    if !problems.is_empty() {
        return Err(PlanError::Invalid(problems));
    }
    let by_name = order::ByName::new(problem);
    Ok(by_name.restore(tiers::plan(&by_name.problem, options)?))
}
