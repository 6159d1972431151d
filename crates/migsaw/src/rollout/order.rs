//! In which order the steps are taken.

use super::Rollout;
use super::exact::every_order;
use super::greedy::{Among, kindly};
use super::harm::Harm;
use super::report::report;
use super::state::State;
use super::steps::Work;

/// Most steps of which every order is tried.
const MOST_TRIED: usize = 8;

/// Waves of steps, by their indices.
pub(super) type Order = Vec<Vec<usize>>;

pub(super) fn order(work: &Work, most: usize) -> Rollout {
    let candidates = [kindly(work, most, Among::Circles), kindly(work, most, Among::All), one_by_one(work)];
    let judged = candidates.into_iter().map(|waves| (harm_of(work, &waves), waves));
    let (harm, waves) = judged.min_by(|(a, x), (b, y)| (a, x.len()).cmp(&(b, y.len()))).expect("there are candidates");
    if work.steps.len() <= MOST_TRIED {
        let waves = every_order(work, most, &harm).expect("an order that does no more harm is known");
        let fewest_waves = waves.len();
        return report(work, &waves, fewest_waves, true);
    }
    report(work, &waves, work.steps.len().div_ceil(most), harm.leaves_nobody_homeless())
}

/// The obvious order: one node after the other.
fn one_by_one(work: &Work) -> Order {
    (0..work.steps.len()).map(|step| vec![step]).collect()
}

fn harm_of(work: &Work, waves: &Order) -> Harm {
    let mut state = State::first(work);
    let mut harm = Harm::none(work.priorities);
    for wave in waves {
        let effects = state.effects(work, wave);
        harm = harm.plus(&effects.harm(work));
        state = state.after(work, wave, &effects).0;
    }
    harm
}
