//! Planning as it is measured: to the proven optimum of the tiers that are compared.

use std::time::{Duration, Instant};

use good_lp::variable::UnsolvedProblem;
use good_lp::{SolverModel, WithTimeLimit};
use migsaw::plan::{Budget, Depth, Formulation, Options, Plan, TierName, plan};
use migsaw::problem::Problem;

/// The formulations, by name.
pub const FORMULATIONS: [(&str, Formulation); 3] =
    [("patterns", Formulation::Patterns), ("facets", Formulation::Facets), ("polytope", Formulation::Polytope)];

/// How long the naive program may take.
pub const NAIVE_LIMIT: Duration = Duration::from_secs(60);

/// The moment at which planning stops with the best it has.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    /// So far from now.
    pub fn after(limit: Duration) -> Deadline {
        Deadline(Instant::now() + limit)
    }
}

impl Budget for Deadline {
    fn remaining(&self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }
}

/// The plan's tiers of units served and GPUs used; as an error, how far they are from being proven, in
/// parts of a million.
///
/// # Errors
/// If a bound is not met.
///
/// # Panics
/// If there is no plan at all.
pub fn proven(problem: &Problem, formulation: Formulation) -> Result<Vec<(TierName, i64)>, u64> {
    let plan = plan(problem, &options(formulation, Depth::ServedAndCost)).expect("the problem makes sense");
    let compared = || plan.tiers.iter().filter(|tier| is_compared(tier.name));
    let met = compared().all(|tier| tier.value == tier.bound);
    if met { Ok(compared().map(|tier| (tier.name, tier.value)).collect()) } else { Err(gap(&plan)) }
}

/// How far the tiers of units served and GPUs used can be from the best, at most: the largest gap, in
/// parts of a million of the bound.
pub fn gap(plan: &Plan) -> u64 {
    let gaps = plan.tiers.iter().filter(|tier| is_compared(tier.name));
    gaps.map(|tier| tier.value.abs_diff(tier.bound) * 1_000_000 / tier.bound.unsigned_abs().max(1)).max().unwrap_or(0)
}

/// What the benches plan with.
pub fn options(formulation: Formulation, depth: Depth) -> Options<'static> {
    Options { formulation, depth, ..Options::default() }
}

/// Whether the tier is one that the naive program has too.
fn is_compared(name: TierName) -> bool {
    matches!(name, TierName::Served { .. } | TierName::Gpus | TierName::Cost)
}

/// The default solver with a time limit, for the naive program.
pub fn microlp(problem: UnsolvedProblem) -> impl SolverModel {
    good_lp::microlp(problem).with_time_limit(NAIVE_LIMIT.as_secs_f64())
}

/// HiGHS on one thread, without tolerance for gaps, for the naive program.
///
/// # Panics
/// If HiGHS refuses a gap of zero.
#[cfg(feature = "highs")]
pub fn highs(problem: UnsolvedProblem) -> impl SolverModel {
    use good_lp::WithMipGap;
    let model = good_lp::highs(problem).set_time_limit(NAIVE_LIMIT.as_secs_f64()).set_threads(1);
    model.with_mip_gap(0.0).expect("a gap of zero is allowed")
}
