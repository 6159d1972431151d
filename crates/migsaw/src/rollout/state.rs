//! What is so after some waves, and what the next one does.

use std::collections::{BTreeMap, BTreeSet};

use super::harm::Harm;
use super::steps::Work;

/// What is so after some waves, by demand of the [`Work`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct State {
    /// Slots that are there and free.
    slots: Vec<u64>,
    /// Units that wait for a slot since before the first wave.
    waiting: Vec<u64>,
    /// Units that were evicted and have no slot yet.
    outside: Vec<u64>,
    /// Units still to be evicted that the plan serves nowhere.
    to_lose: Vec<u64>,
    /// Units that were evicted and will have no slot.
    lost: Vec<u64>,
}

/// What a wave does to the units that it evicts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Effects {
    /// By demand of the work, those only of which a unit is evicted.
    pub(super) of_demands: BTreeMap<usize, Fates>,
    /// Units evicted beyond a budget, by budget of the work.
    pub(super) over_budget: BTreeMap<usize, u64>,
}

/// What becomes of the units of one demand that a wave evicts: so many are lost, then so many have a slot, and the
/// others are homeless.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fates {
    pub(super) evicted: u64,
    pub(super) lost: u64,
    pub(super) slots: u64,
}

impl Fates {
    pub(super) fn homeless(&self) -> u64 {
        self.evicted - self.lost - self.slots
    }
}

impl State {
    /// Before the first wave.
    pub(super) fn first(work: &Work) -> State {
        let of = |count: fn(&super::steps::DemandWork) -> u64| work.demands.iter().map(count).collect();
        let none = vec![0; work.demands.len()];
        let mut state = State {
            slots: of(|demand| demand.slots),
            waiting: of(|demand| demand.waiting),
            outside: none.clone(),
            to_lose: of(|demand| demand.to_lose),
            lost: none,
        };
        state.settle();
        state
    }

    /// What a wave of these steps does.
    pub(super) fn effects(&self, work: &Work, steps: &[usize]) -> Effects {
        let mut effects = Effects::default();
        for (demand, n) in steps.iter().flat_map(|&step| &work.steps[step].evicts) {
            effects.of_demands.entry(*demand).or_default().evicted += n;
        }
        for (&demand, fates) in &mut effects.of_demands {
            fates.lost = fates.evicted.min(self.to_lose[demand]);
            fates.slots = (fates.evicted - fates.lost).min(self.slots[demand]);
        }
        let covering = effects.of_demands.keys().flat_map(|&demand| &work.demands[demand].budgets);
        for index in covering.copied().collect::<BTreeSet<usize>>() {
            let budget = &work.budgets[index];
            let evicted = |demand: &usize| effects.of_demands.get(demand).map_or(0, |fates| fates.evicted);
            let evicted: u64 = budget.demands.iter().map(evicted).sum();
            let down: u64 = budget.demands.iter().map(|&demand| self.outside[demand] + self.lost[demand]).sum();
            let over = (evicted + down).saturating_sub(budget.allowed).min(evicted);
            if over > 0 {
                effects.over_budget.insert(index, over);
            }
        }
        effects
    }

    /// What is so after a wave of these steps, which does this.
    pub(super) fn after(&self, work: &Work, steps: &[usize], effects: &Effects) -> State {
        let mut next = self.clone();
        for (&demand, fates) in &effects.of_demands {
            next.to_lose[demand] -= fates.lost;
            next.lost[demand] += fates.lost;
            next.slots[demand] -= fates.slots;
            next.outside[demand] += fates.homeless();
        }
        for &(demand, n) in steps.iter().flat_map(|&step| &work.steps[step].brings) {
            next.slots[demand] += n;
        }
        next.settle();
        next
    }

    /// Those that wait take free slots first, then those that are outside.
    fn settle(&mut self) {
        for (demand, slots) in self.slots.iter_mut().enumerate() {
            for queue in [&mut self.waiting[demand], &mut self.outside[demand]] {
                let settled = (*queue).min(*slots);
                *queue -= settled;
                *slots -= settled;
            }
        }
    }
}

impl Effects {
    pub(super) fn harm(&self, work: &Work) -> Harm {
        let mut harm = Harm::none(work.priorities);
        for (&demand, fates) in &self.of_demands {
            harm.homeless[work.demands[demand].level] += fates.homeless();
        }
        harm.over_budget = self.over_budget.values().sum();
        harm
    }

    /// Whether so many steps may go on at the same time: budgets hold, up to steps that break them all alone.
    pub(super) fn allow(&self, steps: usize) -> bool {
        steps == 1 || self.over_budget.is_empty()
    }
}
