//! What holds for every plan, whatever the problem.

use migsaw::plan::{Options, Plan, TierName, UnservedCode};
use migsaw::problem::Problem;
use migsaw_tests::solve::{try_solve, values};
use migsaw_tests::strategies::{Size, problems};
use proptest::prelude::*;

/// A plan that the checker accepts.
fn solve(problem: &Problem) -> Result<Plan, TestCaseError> {
    try_solve(problem, &Options::default()).map_err(TestCaseError::fail)
}

/// Units served by priority, highest first, for comparison.
fn served(problem: &Problem, plan: &Plan) -> Vec<u64> {
    let mut levels: Vec<i32> = problem.demands.iter().map(|demand| demand.priority).collect();
    levels.sort_unstable_by(|a, b| b.cmp(a));
    levels.dedup();
    let units = plan.served(problem.demands.len());
    let of_level = |level: i32| {
        problem.demands.iter().zip(&units).filter(|(demand, _)| demand.priority == level).map(|(_, n)| n).sum()
    };
    levels.into_iter().map(of_level).collect()
}

fn config() -> ProptestConfig {
    let cases = std::env::var("MIGSAW_CASES").ok().and_then(|text| text.parse().ok());
    let default = if cfg!(debug_assertions) { 24 } else { 200 };
    ProptestConfig { cases: cases.unwrap_or(default), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_plan_passes_the_checker(problem in problems(Size::SMALL)) {
        prop_assert!(problem.validate().is_empty());
        solve(&problem)?;
    }

    #[test]
    fn the_same_input_gives_the_same_plan(problem in problems(Size::SMALL)) {
        prop_assert_eq!(solve(&problem)?, solve(&problem.clone())?);
    }

    #[test]
    fn one_more_gpu_never_serves_less(problem in problems(Size::TINY)) {
        let before = solve(&problem)?;
        for pool in 0..problem.fleet.pools.len() {
            let mut larger = problem.clone();
            let model = larger.fleet.pools[pool].gpus[0].model.clone();
            let old = larger.fleet.pools[pool].clone();
            let mut extra = migsaw::fleet::Pool::new("extra", model, 1, 1);
            extra.labels = old.labels;
            extra.cost_per_gpu = old.cost_per_gpu;
            larger.fleet.pools.push(extra);
            let after = solve(&larger)?;
            prop_assert!(served(&larger, &after) >= served(&problem, &before));
        }
    }

    #[test]
    fn fewer_demands_never_break_a_plan(problem in problems(Size::TINY)) {
        let all = solve(&problem)?;
        for gone in 0..problem.demands.len() {
            let mut fewer = problem.clone();
            let demand = fewer.demands.remove(gone);
            let rest = solve(&fewer)?;
            // What was served of the others can still be served.
            let mut before = all.served(problem.demands.len());
            before.remove(gone);
            let units_before: u64 = fewer.demands.iter().zip(&before)
                .filter(|(d, _)| d.priority >= demand.priority).map(|(_, n)| n).sum();
            let units_after: u64 = fewer.demands.iter().zip(rest.served(fewer.demands.len()))
                .filter(|(d, _)| d.priority >= demand.priority).map(|(_, n)| n).sum();
            let single_level = fewer.demands.iter().all(|d| d.priority == demand.priority);
            prop_assert!(!single_level || units_after >= units_before);
        }
    }

    #[test]
    fn the_order_of_the_input_does_not_matter(problem in problems(Size::TINY)) {
        let mut turned = problem.clone();
        turned.fleet.pools.reverse();
        turned.demands.reverse();
        for pool in &mut turned.fleet.pools {
            pool.nodes.reverse();
        }
        prop_assert_eq!(values(&solve(&problem)?), values(&solve(&turned)?));
    }

    #[test]
    fn every_reason_names_a_limit_that_binds(problem in problems(Size::TINY)) {
        let plan = solve(&problem)?;
        for unserved in &plan.unserved {
            prop_assert!(!unserved.reason.is_empty());
            let demand = &problem.demands[unserved.demand];
            // Alone with all the fleet to itself, the demand is served as far as its own limits allow.
            let alone = Problem { fleet: problem.fleet.clone(), demands: vec![demand.clone()], ..Problem::default() };
            let most = solve(&alone)?.served(1)[0];
            let impossible = matches!(
                unserved.code,
                UnservedCode::NoSuchProfile
                    | UnservedCode::NoEligiblePool
                    | UnservedCode::WrongStrategy
                    | UnservedCode::TooLargeForNode
                    | UnservedCode::TooLargeForGpu
            );
            prop_assert!(!impossible || most == 0, "{:?}, but {} could be served", unserved, most);
            prop_assert!(most > 0 || unserved.code != UnservedCode::MaxPerNode, "{:?}", unserved);
            if unserved.code == UnservedCode::MaxPerNode {
                let mut free = alone.clone();
                free.demands[0].max_per_node = None;
                prop_assert!(demand.max_per_node.is_some());
                prop_assert!(solve(&free)?.served(1)[0] >= most);
            }
        }
    }

    #[test]
    fn the_tiers_are_in_order(problem in problems(Size::SMALL)) {
        let plan = solve(&problem)?;
        let names: Vec<TierName> = plan.tiers.iter().map(|tier| tier.name).collect();
        let priorities: Vec<i32> = names.iter().filter_map(|name| match name {
            TierName::Served { priority } => Some(*priority),
            _ => None,
        }).collect();
        prop_assert!(priorities.windows(2).all(|pair| pair[0] > pair[1]));
        prop_assert_eq!(names.len(), priorities.len() + 3);
    }
}
