//! In which order the steps are taken.

use super::Rollout;
use super::exact::every_order;
use super::greedy::{Among, kindly};
use super::improve::{improved, judged};
use super::report::report;
use super::steps::Work;

/// Most steps of which every order is tried.
const MOST_TRIED: usize = 8;

/// Waves of steps, by their indices.
pub(super) type Order = Vec<Vec<usize>>;

pub(super) fn order(work: &Work, most: usize) -> Rollout {
    let candidates = [kindly(work, most, Among::Circles), kindly(work, most, Among::All), one_by_one(work)];
    let allowed = candidates.into_iter().map(|order| (judged(work, &order).expect("waves keep to budgets"), order));
    let (found, order) = allowed.min_by(|(a, _), (b, _)| a.cmp(b)).expect("there are candidates");
    if work.steps.len() <= MOST_TRIED {
        let order = every_order(work, most, &found.0).expect("an order that does no more harm is known");
        let fewest_waves = order.len();
        return report(work, &order, fewest_waves, true);
    }
    let (order, (harm, _)) = improved(work, most, order, found);
    report(work, &order, work.steps.len().div_ceil(most), harm.leaves_nobody_homeless())
}

/// The obvious order: one node after the other.
fn one_by_one(work: &Work) -> Order {
    (0..work.steps.len()).map(|step| vec![step]).collect()
}
