//! Plans, each judged by the checker.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use migsaw::check::{Violation, check};
use migsaw::plan::{Depth, Options, Plan, Tier, TierName, plan};
use migsaw::problem::Problem;

/// What all demands of these problems have, if they have no other.
pub(super) const SERVED: TierName = TierName::Served { priority: 0 };
/// The same of what is evicted.
pub(super) const EVICTED: TierName = TierName::Evicted { priority: 0 };

/// A plan that the checker has nothing against, and how long planning took, without the checker.
pub(super) fn planned(problem: &Problem, options: &Options<'_>) -> anyhow::Result<(Plan, Duration)> {
    let began = Instant::now();
    let plan = plan(problem, options)?;
    let took = began.elapsed();
    let violations = violations(problem, &plan, options.depth);
    if let Some(first) = violations.first() {
        bail!("the checker finds {} violations, the first of them: {first}", violations.len());
    }
    Ok((plan, took))
}

/// What the checker says. With tiers that were not sought the plan is given them, and only they are not judged.
fn violations(problem: &Problem, plan: &Plan, depth: Depth) -> Vec<Violation> {
    let not_sought = match depth {
        Depth::ServedAndCost => &[TierName::Configurations, TierName::Leftover][..],
        Depth::All => &[],
        Depth::Served => unreachable!("every published problem asks for the cost"),
    };
    let mut plan = plan.clone();
    plan.tiers.extend(not_sought.iter().map(|&name| Tier { name, value: 0, bound: 0 }));
    let mut violations = check(problem, &plan);
    violations.retain(|violation| match violation {
        Violation::TierValue { name, .. } | Violation::TierBound { name, .. } => !not_sought.contains(name),
        _ => true,
    });
    violations
}

/// A tier's value, and whether it is proven.
pub(super) fn reached(plan: &Plan, name: TierName) -> anyhow::Result<(i64, bool)> {
    let tier = plan.tiers.iter().find(|tier| tier.name == name);
    let tier = tier.with_context(|| format!("the plan has no tier {name:?}"))?;
    Ok((tier.value, tier.value == tier.bound))
}

#[cfg(test)]
mod tests {
    use migsaw::geometry::Catalog;
    use migsaw_tests::closed_form::Mix;

    use super::*;

    #[test]
    fn tiers_that_were_not_sought_hide_nothing_else() {
        let model = Catalog::builtin().model("A100-80GB").unwrap();
        let problem = Mix { one: 3, three: 2, ..Mix::default() }.problem(&model, 4);
        let options = Options { depth: Depth::ServedAndCost, ..Options::default() };
        let (plan, _) = planned(&problem, &options).unwrap();
        assert_eq!((reached(&plan, SERVED).unwrap(), reached(&plan, TierName::Gpus).unwrap()), ((5, true), (2, true)));
        let mut wrong = plan.clone();
        wrong.tiers[1].value -= 1;
        assert_eq!(
            violations(&problem, &wrong, options.depth).len(),
            3,
            "{:?}",
            violations(&problem, &wrong, options.depth)
        );
        let mut wrong = plan;
        wrong.nodes.pop();
        assert!(!violations(&problem, &wrong, options.depth).is_empty());
    }
}
