//! What is so after some waves, and what the next one does.

use std::collections::{BTreeMap, BTreeSet};

use super::harm::Harm;
use super::places::When;
use super::steps::{DemandWork, Work};

/// What is so after some waves, by demand of the [`Work`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct State {
    /// Whether each step is done.
    done: Vec<bool>,
    /// Slots that are there and free.
    slots: Vec<u64>,
    /// Units that wait for a slot since before the first wave.
    waiting: Vec<u64>,
    /// Units that were evicted and have neither a slot nor a place yet.
    outside: Vec<u64>,
    /// Units still to be evicted that the plan serves nowhere.
    to_lose: Vec<u64>,
    /// Units that were evicted and will have no slot.
    lost: Vec<u64>,
    /// Units that wait on a slice that is not theirs, by place and demand.
    hopped: BTreeMap<(usize, usize), u64>,
}

/// What a wave does to the units that it evicts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Effects {
    /// By demand of the work, those only of which a unit is evicted.
    pub(super) of_demands: BTreeMap<usize, Fates>,
    /// Units evicted beyond a budget, by budget of the work.
    pub(super) over_budget: BTreeMap<usize, u64>,
}

/// What becomes of the units of one demand that a wave evicts: so many are lost, then so many have a slot, then so
/// many a place, and the others are homeless.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Fates {
    pub(super) evicted: u64,
    pub(super) lost: u64,
    pub(super) slots: u64,
    pub(super) hops: Vec<(usize, u64)>,
}

impl Fates {
    pub(super) fn hopped(&self) -> u64 {
        self.hops.iter().map(|(_, n)| n).sum()
    }

    pub(super) fn homeless(&self) -> u64 {
        self.evicted - self.lost - self.slots - self.hopped()
    }
}

/// Where units go that were homeless, at the end of a wave: of each demand so many to a slot, then some to places.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Settled {
    pub(super) slots: BTreeMap<usize, u64>,
    pub(super) places: BTreeMap<usize, Vec<(usize, u64)>>,
}

impl State {
    /// Before the first wave.
    pub(super) fn first(work: &Work) -> State {
        let of = |count: fn(&DemandWork) -> u64| work.demands.iter().map(count).collect();
        let none = vec![0; work.demands.len()];
        let mut state = State {
            done: vec![false; work.steps.len()],
            slots: of(|demand| demand.slots),
            waiting: of(|demand| demand.waiting),
            outside: none.clone(),
            to_lose: of(|demand| demand.to_lose),
            lost: none,
            hopped: BTreeMap::new(),
        };
        state.settle(work);
        state
    }

    /// What a wave of these steps does.
    pub(super) fn effects(&self, work: &Work, steps: &[usize]) -> Effects {
        let mut effects = Effects::default();
        for (demand, n) in steps.iter().flat_map(|&step| &work.steps[step].evicts) {
            effects.of_demands.entry(*demand).or_default().evicted += n;
        }
        for (&(_, demand), n) in self.hopped.iter().filter(|((place, _), _)| leaves(work, *place, steps)) {
            effects.of_demands.entry(demand).or_default().evicted += n;
        }
        let mut taken = BTreeMap::new();
        // Those of the highest priority choose first.
        for (&demand, fates) in &mut effects.of_demands {
            fates.lost = fates.evicted.min(self.to_lose[demand]);
            fates.slots = (fates.evicted - fates.lost).min(self.slots[demand]);
            let more = fates.evicted - fates.lost - fates.slots;
            fates.hops = self.places(work, demand, more, steps, &mut taken);
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

    /// The demands of which a step would evict more units than have slots.
    pub(super) fn lacking<'w>(&self, work: &'w Work, step: usize) -> impl Iterator<Item = usize> + use<'_, 'w> {
        let lacks = |&&(demand, n): &&(usize, u64)| n > self.to_lose[demand] + self.slots[demand];
        work.steps[step].evicts.iter().filter(lacks).map(|(demand, _)| *demand)
    }

    /// The first free places for so many units of a demand, while a wave of these steps goes on.
    fn places(
        &self,
        work: &Work,
        demand: usize,
        mut units: u64,
        steps: &[usize],
        taken: &mut BTreeMap<usize, u64>,
    ) -> Vec<(usize, u64)> {
        let mut found = Vec::new();
        for &index in work.demands[demand].choice.iter().flat_map(|&choice| &work.choices[choice]) {
            if units == 0 {
                break;
            }
            let place = &work.places[index];
            let is_there = match place.when {
                When::Always => true,
                When::After(step) => self.done[step],
                When::Before(step) => !self.done[step] && !steps.contains(&step),
            };
            if is_there {
                let waits: u64 = self.hopped.range((index, 0)..(index + 1, 0)).map(|(_, n)| n).sum();
                let taken = taken.entry(index).or_insert(0);
                let n = units.min(place.count - waits - *taken);
                if n > 0 {
                    *taken += n;
                    units -= n;
                    found.push((index, n));
                }
            }
        }
        found
    }

    /// What is so after a wave of these steps, which does this, and where units go that were homeless.
    pub(super) fn after(&self, work: &Work, steps: &[usize], effects: &Effects) -> (State, Settled) {
        let mut next = self.clone();
        next.hopped.retain(|(place, _), _| !leaves(work, *place, steps));
        for (&demand, fates) in &effects.of_demands {
            next.to_lose[demand] -= fates.lost;
            next.lost[demand] += fates.lost;
            next.slots[demand] -= fates.slots;
            next.outside[demand] += fates.homeless();
            for &(place, n) in &fates.hops {
                *next.hopped.entry((place, demand)).or_insert(0) += n;
            }
        }
        for &step in steps {
            next.done[step] = true;
            for &(demand, n) in &work.steps[step].brings {
                next.slots[demand] += n;
            }
        }
        let settled = next.settle(work);
        (next, settled)
    }

    /// Those that wait take free slots first, then those that are outside, which take a place if no slot is left.
    fn settle(&mut self, work: &Work) -> Settled {
        let mut settled = Settled::default();
        let mut taken = BTreeMap::new();
        for demand in 0..work.demands.len() {
            let wait = self.waiting[demand].min(self.slots[demand]);
            self.waiting[demand] -= wait;
            self.slots[demand] -= wait;
            let outside = self.outside[demand].min(self.slots[demand]);
            self.outside[demand] -= outside;
            self.slots[demand] -= outside;
            if outside > 0 {
                settled.slots.insert(demand, outside);
            }
            if self.outside[demand] > 0 {
                let places = self.places(work, demand, self.outside[demand], &[], &mut taken);
                self.outside[demand] -= places.iter().map(|(_, n)| n).sum::<u64>();
                settled.places.insert(demand, places);
            }
        }
        for (&demand, places) in &settled.places {
            for &(place, n) in places {
                *self.hopped.entry((place, demand)).or_insert(0) += n;
            }
        }
        settled
    }
}

/// Whether one of these steps ends a place.
fn leaves(work: &Work, place: usize, steps: &[usize]) -> bool {
    matches!(work.places[place].when, When::Before(step) if steps.contains(&step))
}

impl Effects {
    pub(super) fn harm(&self, work: &Work) -> Harm {
        let mut harm = Harm::none(work.priorities);
        for (&demand, fates) in &self.of_demands {
            harm.homeless[work.demands[demand].level] += fates.homeless();
            harm.hops += fates.hopped();
        }
        harm.over_budget = self.over_budget.values().sum();
        harm
    }

    /// Whether so many steps may go on at the same time: budgets hold, up to steps that break them all alone.
    pub(super) fn allow(&self, steps: usize) -> bool {
        steps == 1 || self.over_budget.is_empty()
    }
}
