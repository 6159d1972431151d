//! The planner, with every plan it gives judged by the checker.

use migsaw::check::check;
use migsaw::plan::{Options, Plan, TierName, plan};
use migsaw::problem::Problem;

/// Plans and checks.
///
/// # Panics
/// If the planner refuses the problem, or the checker its plan.
pub fn solve(problem: &Problem) -> Plan {
    solve_with(problem, &Options::default())
}

/// Plans with these options and checks.
///
/// # Panics
/// If the planner refuses the problem, or the checker its plan.
pub fn solve_with(problem: &Problem, options: &Options<'_>) -> Plan {
    match try_solve(problem, options) {
        Ok(plan) => plan,
        Err(error) => panic!("{error}"),
    }
}

/// Plans with these options and checks.
///
/// # Errors
/// What the planner says if it refuses the problem, or what the checker says of its plan.
pub fn try_solve(problem: &Problem, options: &Options<'_>) -> Result<Plan, String> {
    let plan = plan(problem, options).map_err(|error| error.to_string())?;
    let violations = check(problem, &plan);
    if violations.is_empty() {
        return Ok(plan);
    }
    let shown: Vec<String> = violations.iter().map(|v| format!("[{}] {v}", v.code())).collect();
    Err(format!("the checker refuses the plan:\n{}\n{plan:#?}", shown.join("\n")))
}

/// The values of a plan's tiers.
pub fn values(plan: &Plan) -> Vec<(TierName, i64)> {
    plan.tiers.iter().map(|tier| (tier.name, tier.value)).collect()
}
