//! What is served by trying all there is.

use migsaw::demand::{Eligibility, Toleration};
use migsaw::plan::{Moving, TierName};
use migsaw::problem::Problem;
use migsaw_tests::oracle::{optimum, optimum_beside_present};

/// The units that run of each demand.
pub(crate) fn counts(problem: &Problem) -> Vec<u64> {
    let mut counts = vec![0; problem.demands.len()];
    for group in problem.fleet.pools.iter().flat_map(|pool| &pool.nodes) {
        for unit in group.present.iter().flat_map(|present| &present.running) {
            counts[unit.demand] += u64::from(group.names.count());
        }
    }
    counts
}

/// Served at each priority, the highest first, by exhaustion.
pub(crate) fn served(problem: &Problem, max_evictions: Option<u64>) -> Vec<i64> {
    let moving = Moving { max_evictions, ..Moving::default() };
    let tiers = if problem.is_running_known() { optimum_beside_present(problem, moving) } else { optimum(problem) };
    tiers.iter().filter(|(name, _)| matches!(name, TierName::Served { .. })).map(|(_, value)| *value).collect()
}

pub(crate) fn anywhere() -> Eligibility {
    Eligibility { tolerations: vec![Toleration { key: None, value: None, effect: None }], ..Eligibility::default() }
}
