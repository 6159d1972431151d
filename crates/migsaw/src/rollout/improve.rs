//! An order made better by moving one step at a time.

use super::harm::Harm;
use super::order::Order;
use super::state::State;
use super::steps::Work;

/// Most steps of an order that is worth the time: it is tried to move each to each place, and each try walks
/// through the order.
const MOST_MOVED: usize = 40;

/// What an order does to pods and how many waves it has; `None` if budgets do not allow it.
pub(super) fn judged(work: &Work, order: &Order) -> Option<(Harm, usize)> {
    judged_below(work, order, None)
}

/// The same, given up once it does more harm than this.
fn judged_below(work: &Work, order: &Order, most: Option<&Harm>) -> Option<(Harm, usize)> {
    let mut state = State::first(work);
    let mut harm = Harm::none(work.priorities);
    for wave in order {
        let effects = state.effects(work, wave);
        if !effects.allow(wave.len()) {
            return None;
        }
        harm = harm.plus(&effects.harm(work));
        if most.is_some_and(|most| harm > *most) {
            return None;
        }
        state = state.after(work, wave, &effects).0;
    }
    Some((harm, order.len()))
}

/// The order with steps moved, to waves of their own and to others, until no single move makes it better. Each round
/// but the last makes it better, so there is a last one; two or three are usual.
pub(super) fn improved(work: &Work, most: usize, mut order: Order, mut best: (Harm, usize)) -> (Order, (Harm, usize)) {
    if work.steps.len() > MOST_MOVED {
        return (order, best);
    }
    let fewest = work.steps.len().div_ceil(most);
    loop {
        if best.0.is_none() && best.1 == fewest {
            return (order, best);
        }
        let before = best.clone();
        for step in 0..work.steps.len() {
            for next in moved(&order, step, most) {
                if let Some(found) = judged_below(work, &next, Some(&best.0)).filter(|found| *found < best) {
                    (order, best) = (next, found);
                }
            }
        }
        if best == before {
            return (order, best);
        }
    }
}

/// Every order in which one step is elsewhere.
fn moved(order: &Order, step: usize, most: usize) -> Vec<Order> {
    let mut without = order.clone();
    for wave in &mut without {
        wave.retain(|other| *other != step);
    }
    without.retain(|wave| !wave.is_empty());
    let mut found = Vec::new();
    for at in 0..=without.len() {
        let mut alone = without.clone();
        alone.insert(at, vec![step]);
        found.push(alone);
        if without.get(at).is_some_and(|wave| wave.len() < most) {
            let mut joined = without.clone();
            joined[at].push(step);
            joined[at].sort_unstable();
            found.push(joined);
        }
    }
    found
}
