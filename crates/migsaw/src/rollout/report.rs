//! An order by node and unit.

use std::collections::{BTreeMap, VecDeque};

use super::order::Order;
use super::places::When;
use super::state::{Effects, Fates, Settled, State};
use super::steps::Work;
use super::{Again, Hop, Next, OverBudget, Rollout, Step, Wave};

/// The waves by node and unit. Of each demand, units that wait on a slice that is not theirs go before those that run
/// since before the first wave, and these in the order of their nodes: the last ones have nowhere to go, and those
/// before them hop.
pub(super) fn report(work: &Work, order: &Order, fewest_waves: usize, is_kindest: bool) -> Rollout {
    let mut state = State::first(work);
    let mut units = Units { work, outside: BTreeMap::new(), waits: BTreeMap::new() };
    let mut waves = Vec::new();
    for wave in order {
        let effects = state.effects(work, wave);
        let (next, settled) = state.after(work, wave, &effects);
        waves.push(Wave { steps: units.wave(wave, &effects) });
        units.settle(&settled);
        state = next;
    }
    Rollout { waves, fewest_waves, is_kindest }
}

/// A unit by the step that evicts it first, and its index on that node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Unit {
    step: usize,
    index: usize,
}

/// Which units are where, while a rollout goes on.
struct Units<'a> {
    work: &'a Work,
    /// Units that are homeless, by demand.
    outside: BTreeMap<usize, VecDeque<Unit>>,
    /// Units that wait on a slice that is not theirs, by place and demand.
    waits: BTreeMap<(usize, usize), VecDeque<Unit>>,
}

/// Where a unit goes.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Settled,
    Place(usize),
    Homeless,
}

impl Units<'_> {
    fn wave(&mut self, wave: &[usize], effects: &Effects) -> Vec<Step> {
        let mut steps: BTreeMap<usize, Step> = BTreeMap::new();
        for &step in wave {
            let work = &self.work.steps[step];
            let over =
                |(&budget, &units): (&usize, &u64)| OverBudget { budget: self.work.budgets[budget].index, units };
            let blank = Step {
                pool: work.pool,
                node: work.node,
                recut: work.recut,
                evicts: work.evicted.iter().map(|(unit, _)| *unit).collect(),
                homeless: Vec::new(),
                hops: Vec::new(),
                again: Vec::new(),
                // Only a wave of one step may break a budget.
                over_budget: effects.over_budget.iter().map(over).collect(),
            };
            steps.insert(step, blank);
        }
        for (&demand, fates) in &effects.of_demands {
            let evicted = self.evicted(wave, demand);
            for ((by, unit), fate) in evicted.into_iter().zip(fate_of_each(fates)) {
                let step = steps.get_mut(&by).expect("a step of the wave");
                self.note(step, unit.step == by, unit, fate);
                match fate {
                    Fate::Settled => {}
                    Fate::Place(place) => self.waits.entry((place, demand)).or_default().push_back(unit),
                    Fate::Homeless => self.outside.entry(demand).or_default().push_back(unit),
                }
            }
        }
        steps.into_values().collect()
    }

    /// The units of a demand that a wave evicts, each with the step that does.
    fn evicted(&mut self, wave: &[usize], demand: usize) -> Vec<(usize, Unit)> {
        let mut evicted = Vec::new();
        for (&(place, _), units) in self.waits.iter_mut().filter(|((_, of), _)| *of == demand) {
            if let When::Before(step) = self.work.places[place].when
                && wave.contains(&step)
            {
                evicted.extend(units.drain(..).map(|unit| (step, unit)));
            }
        }
        for &step in wave {
            let own = self.work.steps[step].evicted.iter().filter(|(_, of)| *of == demand);
            evicted.extend(own.map(|&(index, _)| (step, Unit { step, index })));
        }
        evicted
    }

    /// Says in a step where a unit goes that it evicts.
    fn note(&self, step: &mut Step, is_own: bool, unit: Unit, fate: Fate) {
        let place = |place: usize| (self.work.places[place].pool, self.work.places[place].node);
        if !is_own {
            let from = &self.work.steps[unit.step];
            let next = match fate {
                Fate::Settled => Next::Slot,
                Fate::Place(index) => Next::Waits { pool: place(index).0, node: place(index).1 },
                Fate::Homeless => Next::Homeless,
            };
            step.again.push(Again { pool: from.pool, node: from.node, unit: unit.index, next });
            return;
        }
        match fate {
            Fate::Settled => {}
            Fate::Place(index) => step.hops.push(Hop { unit: unit.index, pool: place(index).0, node: place(index).1 }),
            Fate::Homeless => step.homeless.push(unit.index),
        }
    }

    /// Moves units that were homeless to their slots, and to places.
    fn settle(&mut self, settled: &Settled) {
        for (demand, outside) in &mut self.outside {
            let slots = settled.slots.get(demand).copied().unwrap_or(0);
            outside.drain(..usize::try_from(slots).expect("units are listed"));
            for &(place, n) in settled.places.get(demand).into_iter().flatten() {
                let moved = outside.drain(..usize::try_from(n).expect("units are listed"));
                self.waits.entry((place, *demand)).or_default().extend(moved);
            }
        }
    }
}

/// The fate of each unit of a demand, one after the other.
fn fate_of_each(fates: &Fates) -> impl Iterator<Item = Fate> + '_ {
    let times = |fate: Fate, n: u64| (0..n).map(move |_| fate);
    let hops = fates.hops.iter().flat_map(move |&(place, n)| times(Fate::Place(place), n));
    times(Fate::Settled, fates.lost + fates.slots).chain(hops).chain(times(Fate::Homeless, fates.homeless()))
}
