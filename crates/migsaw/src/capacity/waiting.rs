//! What is asked for and does not run, and how much of that cannot be served.

use super::base::running;
use super::{Bounded, Freedom, judged};
use crate::plan::{Depth, Options, PlanError, TierName};
use crate::problem::Problem;

/// The units of a demand that do not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waiting {
    /// Index of the demand.
    pub demand: usize,
    /// Units that do not run.
    pub units: u64,
    /// How many of them cannot be served even if all that is idle is cut for them, while all that runs stays: at
    /// least, and at most. Which of several demands of one priority goes without is the planner's choice.
    pub unserved: Bounded,
}

/// The demands of which not all units run. Of `options`, what may be moved and how deep to plan are not looked at.
///
/// # Errors
/// What [`plan`](crate::plan::plan) refuses. That nothing can be served is an answer.
pub fn waiting(problem: &Problem, options: &Options<'_>) -> Result<Vec<Waiting>, PlanError> {
    let options = Options { depth: Depth::Served, moving: Freedom::CutIdle.moving(), ..*options };
    let plan = judged(problem, &options)?;
    let running = running(problem);
    let served = plan.served(problem.demands.len());
    // What is served at a priority may be less than the most there can be, or what is served above it.
    let is_proven =
        plan.tiers.iter().all(|tier| !matches!(tier.name, TierName::Served { .. }) || tier.value == tier.bound);
    let of_demand = |(demand, of): (usize, &crate::demand::Demand)| {
        let units = of.count.saturating_sub(running.get(&demand).copied().unwrap_or(0));
        let most = of.count - served[demand];
        let unserved = Bounded { least: if is_proven { most } else { 0 }, most };
        Waiting { demand, units, unserved }
    };
    Ok(problem.demands.iter().enumerate().map(of_demand).filter(|waiting| waiting.units > 0).collect())
}
