//! The same plan whatever the order of the input.
//!
//! Names are unique, so planning goes by them: pools and demands are put in the order of their names
//! before, and the plan back into the problem's order after. Ties between equally good plans then do not
//! depend on how a file happens to be sorted.

use std::borrow::Cow;

use super::outcome::Plan;
use crate::budget::Budget;
use crate::problem::Problem;

/// A problem in the order of its names, and where its parts were.
pub(super) struct ByName<'a> {
    pub(super) problem: Cow<'a, Problem>,
    /// The original index of each pool.
    pools: Vec<usize>,
    /// The original index of each demand.
    demands: Vec<usize>,
}

impl ByName<'_> {
    pub(super) fn new(problem: &Problem) -> ByName<'_> {
        let (pools, demands) = (&problem.fleet.pools, &problem.demands);
        let mut pool_order: Vec<usize> = (0..pools.len()).collect();
        pool_order.sort_by_key(|&pool| &pools[pool].name);
        let mut demand_order: Vec<usize> = (0..demands.len()).collect();
        demand_order.sort_by_key(|&demand| (&demands[demand].namespace, &demands[demand].name));
        let problem = if pool_order.is_sorted() && demand_order.is_sorted() {
            Cow::Borrowed(problem)
        } else {
            let mut sorted = Problem::default();
            sorted.fleet.pools = pool_order.iter().map(|&pool| pools[pool].clone()).collect();
            sorted.demands = demand_order.iter().map(|&demand| demands[demand].clone()).collect();
            let mut sorted_index = vec![0; demands.len()];
            demand_order.iter().enumerate().for_each(|(index, &demand)| sorted_index[demand] = index);
            let groups = sorted.fleet.pools.iter_mut().flat_map(|pool| &mut pool.nodes);
            for running in groups.filter_map(|group| group.present.as_mut()).flat_map(|present| &mut present.running) {
                running.demand = sorted_index[running.demand];
            }
            let moved = |budget: &Budget| Budget {
                demands: budget.demands.iter().map(|&demand| sorted_index[demand]).collect(),
                ..budget.clone()
            };
            sorted.budgets = problem.budgets.iter().map(moved).collect();
            Cow::Owned(sorted)
        };
        ByName { problem, pools: pool_order, demands: demand_order }
    }

    /// The plan in the order of the original problem.
    pub(super) fn restore(&self, mut plan: Plan) -> Plan {
        for group in &mut plan.nodes {
            group.pool = self.pools[group.pool];
            for serving in &mut group.serves {
                serving.demand = self.demands[serving.demand];
            }
            group.serves.sort_by_key(|serving| serving.demand);
        }
        plan.nodes.sort_by_key(|group| (group.pool, group.nodes.start));
        for unserved in &mut plan.unserved {
            unserved.demand = self.demands[unserved.demand];
        }
        plan.unserved.sort_by_key(|unserved| unserved.demand);
        plan
    }
}
