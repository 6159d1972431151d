//! The best of all orders, for a few steps.

use std::collections::BTreeMap;

use super::harm::Harm;
use super::order::Order;
use super::state::State;
use super::steps::Work;

/// The best way to a state.
type Best = (Harm, usize, Order);

/// The best of all orders that do no more harm than this: the least harm, then the fewest waves, then the first
/// steps first. What is still to come depends on the state alone, so of the ways to a state the best one is enough.
pub(super) fn every_order(work: &Work, most: usize, harm: &Harm) -> Option<Order> {
    let all = (1usize << work.steps.len()) - 1;
    // By what is done.
    let mut best: Vec<BTreeMap<State, Best>> = vec![BTreeMap::new(); all + 1];
    best[0].insert(State::first(work), (Harm::none(work.priorities), 0, Order::new()));
    for done in 0..all {
        let rest = all & !done;
        for (state, (so_far, waves, order)) in std::mem::take(&mut best[done]) {
            // Every part of what is left, by counting down within its bits.
            let mut set = rest;
            while set > 0 {
                if set.count_ones() as usize <= most {
                    let wave: Vec<usize> = (0..work.steps.len()).filter(|step| set >> step & 1 == 1).collect();
                    let effects = state.effects(work, &wave);
                    let total = so_far.plus(&effects.harm(work));
                    if effects.allow(wave.len()) && total <= *harm {
                        let known = best[done | set].entry(state.after(work, &wave, &effects).0);
                        let is_better = |best: &Best| (&total, waves + 1) < (&best.0, best.1);
                        let found = || (total.clone(), waves + 1, order.iter().cloned().chain([wave]).collect());
                        match known {
                            std::collections::btree_map::Entry::Vacant(entry) => drop(entry.insert(found())),
                            std::collections::btree_map::Entry::Occupied(mut entry) if is_better(entry.get()) => {
                                entry.insert(found());
                            }
                            std::collections::btree_map::Entry::Occupied(_) => {}
                        }
                    }
                }
                set = (set - 1) & rest;
            }
        }
    }
    let ends = std::mem::take(&mut best[all]).into_values();
    ends.min_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1))).map(|(_, _, order)| order)
}
