//! An order by node and unit.

use std::collections::BTreeMap;

use super::order::Order;
use super::state::State;
use super::steps::Work;
use super::{OverBudget, Rollout, Step, Wave};

/// The waves by node, with the units that are homeless: of each demand the last evicted.
pub(super) fn report(work: &Work, order: &Order, fewest_waves: usize, is_kindest: bool) -> Rollout {
    let mut state = State::first(work);
    let mut waves = Vec::new();
    for wave in order {
        let effects = state.effects(work, wave);
        state = state.after(work, wave, &effects);
        let mut homeless: BTreeMap<usize, u64> =
            effects.of_demands.iter().map(|(&demand, fates)| (demand, fates.homeless())).collect();
        let mut steps: Vec<Step> = Vec::new();
        for &step in wave.iter().rev() {
            let step = &work.steps[step];
            let mut is_homeless = |&&(_, demand): &&(usize, usize)| {
                let left = homeless.get_mut(&demand).filter(|n| **n > 0);
                left.map(|n| *n -= 1).is_some()
            };
            let units = step.evicted.iter().rev().filter(&mut is_homeless).map(|(unit, _)| *unit);
            let mut homeless: Vec<usize> = units.collect();
            homeless.reverse();
            let over = |(&budget, &units): (&usize, &u64)| OverBudget { budget: work.budgets[budget].index, units };
            steps.push(Step {
                pool: step.pool,
                node: step.node,
                recut: step.recut,
                evicts: step.evicted.iter().map(|(unit, _)| *unit).collect(),
                homeless,
                // Only a wave of one step may break a budget.
                over_budget: effects.over_budget.iter().map(over).collect(),
            });
        }
        steps.reverse();
        waves.push(Wave { steps });
    }
    Rollout { waves, fewest_waves, is_kindest }
}
