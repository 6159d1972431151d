//! In which order the steps are taken.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::steps::{NodeWork, Units, Work, add};
use super::{Rollout, Step, Wave};

/// Most steps of which every order is tried.
const MOST_TRIED: usize = 8;

/// Homeless units by priority, the highest first; what is smaller is kinder.
type Homeless = BTreeMap<Reverse<i32>, u64>;

/// What is so after some steps.
#[derive(Debug, Clone, Default)]
struct State {
    /// Slots there have been, those that waiting units took not counted.
    slots: Units,
    evicted: Units,
}

impl State {
    fn first(work: &Work) -> State {
        State { slots: work.slots.clone(), evicted: Units::new() }
    }

    fn after<'s>(&self, steps: impl IntoIterator<Item = &'s NodeWork>) -> State {
        let mut next = self.clone();
        for step in steps {
            add(&mut next.slots, &step.brings);
            add(&mut next.evicted, &step.evicts);
        }
        next
    }

    /// How many units of a demand can be evicted now without being homeless.
    fn room(&self, work: &Work, demand: usize) -> u64 {
        let of = |units: &Units| units.get(&demand).copied().unwrap_or(0);
        let (evicted, lost) = (of(&self.evicted), of(&work.lost));
        let slots = of(&self.slots).saturating_sub(of(&work.waiting));
        slots.saturating_sub(evicted.saturating_sub(lost)) + lost.saturating_sub(evicted)
    }

    /// The units that some steps together leave homeless, by demand.
    fn homeless<'s>(&self, work: &Work, steps: impl IntoIterator<Item = &'s NodeWork>) -> Units {
        let mut evicts = Units::new();
        steps.into_iter().for_each(|step| add(&mut evicts, &step.evicts));
        let short = |(demand, n): (usize, u64)| (demand, n.saturating_sub(self.room(work, demand)));
        evicts.into_iter().map(short).filter(|(_, n)| *n > 0).collect()
    }
}

fn by_priority(work: &Work, homeless: &Units) -> Homeless {
    let mut by_priority = Homeless::new();
    for (&demand, n) in homeless {
        *by_priority.entry(Reverse(work.priorities[demand])).or_insert(0) += n;
    }
    by_priority
}

fn plus(mut a: Homeless, b: Homeless) -> Homeless {
    for (priority, n) in b {
        *a.entry(priority).or_insert(0) += n;
    }
    a
}

/// The same for all priorities of the problem, so that two can be compared.
fn rank(work: &Work, homeless: &Homeless) -> Vec<u64> {
    let mut priorities: Vec<Reverse<i32>> = work.priorities.iter().map(|&priority| Reverse(priority)).collect();
    priorities.sort_unstable();
    priorities.dedup();
    priorities.iter().map(|priority| homeless.get(priority).copied().unwrap_or(0)).collect()
}

/// Waves of steps, by their indices.
type Order = Vec<Vec<usize>>;

pub(super) fn order(work: &Work, most: usize) -> Rollout {
    if work.steps.len() <= MOST_TRIED {
        let (_, waves) = every_order(work, most);
        let fewest_waves = waves.len();
        return finish(work, &waves, fewest_waves, true);
    }
    let (kind, one_by_one) = (kindly(work, most), one_by_one(work));
    let judged = |waves: &Order| (rank(work, &homeless_of(work, waves)), waves.len());
    let waves = if judged(&one_by_one) < judged(&kind) { one_by_one } else { kind };
    let is_kindest = homeless_of(work, &waves).values().all(|&n| n == 0);
    finish(work, &waves, work.steps.len().div_ceil(most), is_kindest)
}

/// The obvious order: one node after the other.
fn one_by_one(work: &Work) -> Order {
    (0..work.steps.len()).map(|step| vec![step]).collect()
}

fn homeless_of(work: &Work, waves: &Order) -> Homeless {
    let mut state = State::first(work);
    let mut homeless = Homeless::new();
    for wave in waves {
        let steps = || wave.iter().map(|&step| &work.steps[step]);
        homeless = plus(homeless, by_priority(work, &state.homeless(work, steps())));
        state = state.after(steps());
    }
    homeless
}

/// The best of all orders: fewest homeless, then fewest waves, then the first steps first.
fn every_order(work: &Work, most: usize) -> (Vec<u64>, Order) {
    let all = (1usize << work.steps.len()) - 1;
    // By what is done: the best way to it.
    let mut best: BTreeMap<usize, (Vec<u64>, usize, Order)> = BTreeMap::new();
    best.insert(0, (rank(work, &Homeless::new()), 0, Vec::new()));
    for done in 0..=all {
        let Some((rank_so_far, waves, order)) = best.get(&done).cloned() else { continue };
        let state = State::first(work).after(chosen(work, done));
        let rest = all & !done;
        // Every part of what is left, by counting down within its bits.
        let mut wave = rest;
        while wave > 0 {
            if wave.count_ones() as usize <= most {
                let homeless = by_priority(work, &state.homeless(work, chosen(work, wave)));
                let more = rank(work, &homeless);
                let total: Vec<u64> = rank_so_far.iter().zip(more).map(|(a, b)| a + b).collect();
                let next = done | wave;
                let is_better = best.get(&next).is_none_or(|(r, n, _)| (&total, waves + 1) < (r, *n));
                if is_better {
                    let mut order = order.clone();
                    order.push((0..work.steps.len()).filter(|step| wave >> step & 1 == 1).collect());
                    best.insert(next, (total, waves + 1, order));
                }
            }
            wave = (wave - 1) & rest;
        }
    }
    let (rank, _, order) = best.remove(&all).expect("one step after the other is an order");
    (rank, order)
}

fn chosen(work: &Work, set: usize) -> impl Iterator<Item = &NodeWork> {
    work.steps.iter().enumerate().filter(move |(step, _)| set >> step & 1 == 1).map(|(_, step)| step)
}

/// Each wave takes steps that leave nobody homeless, those that free most first; where there is none, the one
/// step that leaves fewest homeless.
fn kindly(work: &Work, most: usize) -> Order {
    let mut state = State::first(work);
    let mut left: Vec<usize> = (0..work.steps.len()).collect();
    let gain = |step: &NodeWork| {
        let sum = |units: &Units| units.values().sum::<u64>();
        Reverse(sum(&step.brings).saturating_sub(sum(&step.evicts)))
    };
    left.sort_by_key(|&step| (gain(&work.steps[step]), step));
    let mut waves = Order::new();
    while !left.is_empty() {
        let mut wave: Vec<usize> = Vec::new();
        for &step in &left {
            if wave.len() == most {
                break;
            }
            let with = wave.iter().chain([&step]).map(|&step| &work.steps[step]);
            if state.homeless(work, with).is_empty() {
                wave.push(step);
            }
        }
        if wave.is_empty() {
            let harm = |step: &&usize| rank(work, &by_priority(work, &state.homeless(work, [&work.steps[**step]])));
            wave.extend(left.iter().min_by_key(harm));
        }
        wave.sort_unstable();
        left.retain(|step| !wave.contains(step));
        state = state.after(wave.iter().map(|&step| &work.steps[step]));
        waves.push(wave);
    }
    waves
}

/// The waves by node, with the units that are homeless: of each demand the last evicted.
fn finish(work: &Work, order: &Order, fewest_waves: usize, is_kindest: bool) -> Rollout {
    let mut state = State::first(work);
    let mut waves = Vec::new();
    for wave in order {
        let steps = || wave.iter().map(|&step| &work.steps[step]);
        let mut short = state.homeless(work, steps());
        state = state.after(steps());
        let mut built: Vec<Step> = Vec::new();
        for step in steps().collect::<Vec<_>>().into_iter().rev() {
            let mut homeless = Vec::new();
            for &(unit, demand) in step.evicted.iter().rev() {
                if let Some(n) = short.get_mut(&demand).filter(|n| **n > 0) {
                    *n -= 1;
                    homeless.push(unit);
                }
            }
            homeless.reverse();
            let evicts = step.evicted.iter().map(|(unit, _)| *unit).collect();
            built.push(Step { pool: step.pool, node: step.node, recut: step.recut, evicts, homeless });
        }
        built.reverse();
        waves.push(Wave { steps: built });
    }
    Rollout { waves, fewest_waves, is_kindest }
}
