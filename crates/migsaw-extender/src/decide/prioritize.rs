//! Which of the nodes that can take a pod should.

use std::sync::Arc;
use std::time::Instant;

use migsaw::geometry::{Counts, Model, ProfileId};
use migsaw::score::Worth;
use migsaw_kube::scheduling::{Asks, Pod, Rollout};
use rustc_hash::{FxHashMap, FxHashSet};

use super::filter::has_room;
use crate::fleet::{Asked, Fleet, Outlook, Prospect, View};
use crate::wire::MAX_SCORE;

/// How good a node is for a pod; less is better. What matters first is written first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// The plan puts the pod there.
    Planned(u64),
    /// What the pod's place is worth to those that are still to come.
    Loses(u64),
    /// What its place is worth cannot be told, as where the model of the GPUs is not known.
    Unmeasured,
    /// A rollout will empty it before long.
    Leaving(u64),
    /// Nothing is known of it, or it cannot take the pod.
    Unknown,
}

/// The rank of each node, in the order of the request.
pub(crate) fn rank<'n>(fleet: &Fleet, pod: &Pod, nodes: impl Iterator<Item = Asked<'n>>, now: Instant) -> Vec<Rank> {
    let outlook = fleet.outlook();
    let demand = format!("{}/{}", pod.namespace, pod.demand);
    let planned = outlook.plan.as_ref().and_then(|plan| plan.on(&demand));
    let mut known = fleet.ranks.recall(&Prospect { asks: pod.asks.clone(), outlook: Arc::clone(&outlook) });
    let mut measures = Measures { asks: &pod.asks, outlook: &outlook, known: Vec::new() };
    let ranked = nodes.map(|Asked { name, cell }| {
        let Some(cell) = cell else { return Rank::Unknown };
        let claimed = cell.claimed.by_others(&pod.uid, now);
        let expected = cell.claimed.expected_beside(&pod.uid, now);
        let planned = planned.and_then(|on| on.get(name)).copied().unwrap_or(0);
        let coming = if planned > 0 { cell.claimed.pods_of(&demand, &pod.uid, now) } else { 0 };
        let rank = if claimed.is_empty() && expected.is_empty() {
            known.of(cell, |view| measures.rank(view, &[], &[]))
        } else {
            measures.rank(&cell.view(), &claimed, &expected)
        };
        match rank {
            Rank::Loses(_) | Rank::Unmeasured if planned > 0 && cell.view().pods_of(&demand) + coming < planned => {
                Rank::Planned(if let Rank::Loses(loss) = rank { loss } else { u64::MAX })
            }
            rank => rank,
        }
    });
    let ranks = ranked.collect();
    known.keep();
    ranks
}

/// Ranks all nodes by an outlook that is not shown yet, for the pods that were asked about under the present one, so
/// that no request has to.
pub(crate) fn foresee(fleet: &Fleet, outlook: &Arc<Outlook>) {
    let present = fleet.outlook();
    for class in fleet.ranks.asked(|class| Arc::ptr_eq(&class.outlook, &present)) {
        let mut known = fleet.ranks.foresee(&Prospect { asks: class.asks.clone(), outlook: Arc::clone(outlook) });
        let mut measures = Measures { asks: &class.asks, outlook, known: Vec::new() };
        for cell in fleet.directory().cells() {
            known.of(cell, |view| measures.rank(view, &[], &[]));
        }
        known.keep();
    }
}

/// What a request comes to on each kind of GPUs, found once for all nodes that have them.
struct Measures<'a> {
    asks: &'a Asks,
    outlook: &'a Outlook,
    known: Vec<(Kind, Option<(&'a Worth, Counts)>)>,
}

/// A model, and the profile that its slices have where they are given as GPUs.
type Kind = (*const Model, Option<ProfileId>);

impl Measures<'_> {
    /// The rank of a node, whatever is planned there.
    fn rank(&mut self, view: &View, claimed: &[Arc<Asks>], expected: &[Arc<Asks>]) -> Rank {
        // Filter keeps no such node; but it may have failed, and the scheduler have been told to do without.
        if !has_room(view, self.asks, claimed) {
            return Rank::Unknown;
        }
        let loss = self.loss(view, expected);
        match view.node.rollout {
            Some(Rollout::Now | Rollout::Later) => Rank::Leaving(loss.unwrap_or(u64::MAX)),
            None => loss.map_or(Rank::Unmeasured, Rank::Loses),
        }
    }

    /// What of a node's worth the pod takes beside those that are expected there, if that can be told.
    fn loss(&mut self, view: &View, expected: &[Arc<Asks>]) -> Option<u64> {
        let ((worth, ask), state) = self.on(view).zip(view.state(expected))?;
        Some(worth.loss(&state, &ask))
    }

    fn on(&mut self, view: &View) -> Option<(&Worth, Counts)> {
        let gpus = view.node.gpus.as_ref()?;
        let kind = (Arc::as_ptr(&gpus.model), view.sliced);
        if let Some((_, measured)) = self.known.iter().find(|(known, _)| *known == kind) {
            return *measured;
        }
        let measured = self.outlook.worth(&gpus.model).zip(view.counts(self.asks));
        self.known.push((kind, measured));
        measured
    }
}

/// The best node, by its place in the request: of equally good ones the first by name, so that every replica names the
/// same.
pub(crate) fn best<'n>(ranks: &[Rank], names: impl Iterator<Item = &'n str>) -> Option<usize> {
    ranks.iter().zip(names).enumerate().min_by_key(|(_, node)| *node).map(|(place, _)| place)
}

/// Scores from 0 to [`MAX_SCORE`], evenly over the different ranks: only the order of the nodes matters, since the
/// scheduler adds scores up with those of its own. The best score is for one node alone; between equal ones the
/// scheduler would draw lots, and pods that come together would be spread.
pub(crate) fn scores(ranks: &[Rank], best: Option<usize>) -> Vec<i64> {
    let different: FxHashSet<Rank> = ranks.iter().copied().collect();
    let mut different: Vec<Rank> = different.into_iter().collect();
    different.sort_unstable();
    let steps = i64::try_from(different.len().saturating_sub(1)).unwrap_or(i64::MAX).max(1);
    let score = |step| (MAX_SCORE - 1) * (steps - step) / steps;
    let score_of: FxHashMap<Rank, i64> = different.into_iter().zip((0..).map(score)).collect();
    let mut scores: Vec<i64> = ranks.iter().map(|rank| score_of[rank]).collect();
    if let Some(best) = best {
        scores[best] = MAX_SCORE;
    }
    scores
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_keep_the_order_and_use_the_whole_range() {
        let names = ["c", "b", "a", "d"];
        let check = |ranks: &[Rank], expected: &[i64]| {
            assert_eq!(scores(ranks, best(ranks, names.into_iter())), expected, "{ranks:?}");
        };
        check(&[], &[]);
        check(&[Rank::Loses(7), Rank::Loses(7)], &[9, 10]);
        check(&[Rank::Loses(9), Rank::Planned(9), Rank::Leaving(0), Rank::Unknown], &[6, 10, 3, 0]);
        check(&[Rank::Loses(1), Rank::Loses(1000), Rank::Loses(2)], &[10, 0, 4]);
        let many: Vec<Rank> = (0..5000).map(Rank::Loses).collect();
        let found = scores(&many, Some(0));
        assert_eq!((found[0], found[1], found[4999]), (10, 8, 0));
        assert!(found.windows(2).all(|pair| pair[0] >= pair[1]));
    }
}
