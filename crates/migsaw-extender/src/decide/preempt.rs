//! Which pods have to go so that another can have their slices.
//!
//! The scheduler proposes victims for each node. What it cannot know is taken away: nodes where room made would not
//! help. What it need not evict is spared: a pod stays if, without its eviction, enough slices are free and the
//! victims that go free as much of everything else as the pod that is to come requests. That is enough where the node
//! has room for all that is on it; of slices, of which it may offer fewer by now, as many more go. Where it is not known
//! what a pod requests, or where something else counts for it, like a port or a volume, nobody is spared. Nor is anybody
//! while a victim is ending already, or while a pod that is at least as important is nominated for the node: then the
//! node is being emptied for somebody else as well, whom the scheduler knows and leaves room for.
//!
//! Of the sets that are enough the smallest is best, if it breaks no more disruption budgets than need be; and of
//! several that one by which the scheduler will compare nodes (`pickOneNodeForPreemption` in
//! `pkg/scheduler/framework/preemption/preemption.go`): the least important of its most important pods, then the least
//! sum of priorities, then those that came last, which the scheduler names last.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use migsaw_kube::scheduling::{Asks, Pod};

use super::Reason;
use super::filter::judge;
use crate::fleet::View;

/// How many sets of victims a request looks at; beyond that the best found so far stands, or the scheduler's.
pub(crate) const MOST_SETS: usize = 50_000;

/// A pod that the scheduler would evict.
#[derive(Debug, Clone)]
pub(crate) struct Victim {
    pub(crate) uid: String,
    /// What it holds of GPUs and of everything else, if that is known.
    pub(crate) holds: Option<Held>,
    /// The budgets against which its eviction counts, as places in [`Limits`]; `None` if that is not known.
    pub(crate) counts: Option<Vec<usize>>,
}

/// What a pod holds.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) asks: Arc<Asks>,
    pub(crate) others: Option<BTreeMap<String, u64>>,
    pub(crate) priority: i32,
    /// Whether it is ending anyway.
    pub(crate) is_terminating: bool,
}

/// How many more evictions each budget allows.
pub(crate) type Limits = [i64];

/// Who has to go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Gone {
    /// By UID, in the order given.
    pub(crate) uids: Vec<String>,
    /// How many of them break a budget; `None` if that cannot be told of all.
    pub(crate) violations: Option<usize>,
}

/// Those of the victims that have to go; `None` if the pod could not come to the node even if all of them went. Looks at
/// so many sets, or fewer, and takes them off.
pub(crate) fn preempt(
    view: &View,
    pod: &Pod,
    claimed: &[Arc<Asks>],
    (victims, limits): (&[Victim], &Limits),
    sets: &mut usize,
) -> Option<Gone> {
    match judge(view, pod, claimed) {
        // What is taken is what victims can free; what is free already may lack something else.
        Ok(()) | Err(Reason::Taken) => {}
        Err(_) => return None,
    }
    let all: Vec<usize> = (0..victims.len()).collect();
    let is_ending = |victim: &Victim| victim.holds.as_ref().is_some_and(|held| held.is_terminating);
    // Whose devices come by claims is not known here: the scheduler's victims stand.
    let gone = if view.by_claims || pod.asks.by_claims {
        all
    } else {
        let search = Search::of(view, pod, claimed, (victims, limits));
        if !search.has_slices(&all) {
            return None;
        }
        if victims.iter().any(is_ending) || view.awaits_before(&pod.uid, pod.priority) {
            all
        } else {
            search.run(sets).unwrap_or(all)
        }
    };
    let is_told = gone.iter().all(|&index| victims[index].counts.is_some());
    Some(Gone {
        violations: is_told.then(|| violations(victims, limits, &gone)),
        uids: gone.into_iter().map(|index| victims[index].uid.clone()).collect(),
    })
}

/// How many of these break a budget, one after the other, as the scheduler counts (`filterPodsWithPDBViolation`).
fn violations(victims: &[Victim], limits: &Limits, gone: &[usize]) -> usize {
    let mut left = limits.to_vec();
    let counted = |&&index: &&usize| {
        let mut breaks = false;
        for &budget in victims[index].counts.iter().flatten() {
            left[budget] -= 1;
            breaks |= left[budget] < 0;
        }
        breaks
    };
    gone.iter().filter(counted).count()
}

/// How bad it is that a set goes; a set with one more is never better.
type Badness = (usize, usize, Option<i32>, i64);

/// A search for the best set that is enough.
struct Search<'a> {
    pod: &'a Pod,
    victims: &'a [Victim],
    limits: &'a Limits,
    /// What has to be freed of each resource asked for.
    missing: Vec<(&'a Arc<str>, u64)>,
    /// Victims of which it is known what they hold: the only ones that may be spared. Those that are alike but for when
    /// they came are together, and of them those that came last come first; the least important ones come first.
    known: Vec<Vec<usize>>,
    /// The others, all of whom have to go.
    unknown: Vec<usize>,
}

impl<'a> Search<'a> {
    fn of(
        view: &'a View,
        pod: &'a Pod,
        claimed: &[Arc<Asks>],
        (victims, limits): (&'a [Victim], &'a Limits),
    ) -> Search<'a> {
        let missing = |(resource, n): (&'a Arc<str>, &u64)| (resource, view.missing(resource, *n, claimed));
        let (mut known, mut unknown) = (BTreeMap::<_, Vec<usize>>::new(), Vec::new());
        for (index, victim) in victims.iter().enumerate().rev() {
            match victim.holds.as_ref().and_then(|held| Some((held, held.others.as_ref()?))) {
                Some((held, others)) => {
                    let kind = (held.priority, &victim.counts, &held.asks.resources, others);
                    known.entry(kind).or_default().push(index);
                }
                None => unknown.push(index),
            }
        }
        unknown.reverse();
        let mut known: Vec<((i32, _), Vec<usize>)> =
            known.into_iter().map(|((priority, ..), alike)| ((priority, Reverse(alike[0])), alike)).collect();
        known.sort_unstable();
        let known = known.into_iter().map(|(_, alike)| alike).collect();
        Search { pod, victims, limits, missing: pod.asks.resources.iter().map(missing).collect(), known, unknown }
    }

    /// Whether enough slices are free once these are gone.
    fn has_slices(&self, gone: &[usize]) -> bool {
        self.missing.iter().all(|(resource, n)| {
            let freed =
                gone.iter().filter_map(|&index| self.victims[index].holds.as_ref()?.asks.resources.get(*resource));
            freed.sum::<u64>() >= *n
        })
    }

    /// Whether those that go free as much of everything else as the pod requests.
    fn has_others(&self, gone: &[usize]) -> bool {
        let Some(wanted) = &self.pod.others else { return false };
        wanted.iter().all(|(resource, n)| {
            let others =
                gone.iter().filter_map(|&index| self.victims[index].holds.as_ref()?.others.as_ref()?.get(resource));
            others.fold(0_u64, |sum, n| sum.saturating_add(*n)) >= *n
        })
    }

    /// Whether a set is enough. Somebody has to go: the scheduler saw no room for the pod beside all of them.
    fn is_enough(&self, gone: &[usize]) -> bool {
        !gone.is_empty() && self.has_slices(gone) && self.has_others(gone)
    }

    fn badness(&self, gone: &[usize]) -> Badness {
        let mut in_order = gone.to_vec();
        in_order.sort_unstable();
        let priorities = || gone.iter().filter_map(|&index| Some(self.victims[index].holds.as_ref()?.priority));
        let sum = priorities().map(i64::from).sum();
        (violations(self.victims, self.limits, &in_order), gone.len(), priorities().max(), sum)
    }

    /// No smaller set is enough: it would lack one of the resources even with the victims that hold most of it.
    fn least(&self) -> usize {
        let least = |&(resource, n): &(&Arc<str>, u64)| {
            let held = self.victims.iter().filter_map(|victim| victim.holds.as_ref()?.asks.resources.get(resource));
            let mut held: Vec<u64> = held.copied().collect();
            held.sort_unstable_by(|a, b| b.cmp(a));
            let sums = held.into_iter().scan(0_u64, |sum, n| Some(std::mem::replace(sum, sum.saturating_add(n))));
            sums.take_while(|sum| *sum < n).count()
        };
        self.missing.iter().map(least).max().unwrap_or(0).max(self.unknown.len())
    }

    /// The best set that is certainly enough, ascending; `None` if none was found. Smaller ones are looked at first.
    fn run(&self, sets: &mut usize) -> Option<Vec<usize>> {
        self.pod.others.as_ref()?;
        let mut found = Found { best: None, left: *sets };
        for size in self.least()..=self.victims.len() {
            self.extend((0, 0), &mut self.unknown.clone(), size, &mut found);
            if found.best.as_ref().is_some_and(|((violations, ..), _)| *violations == 0) {
                break;
            }
        }
        *sets = found.left;
        let (_, mut gone) = found.best?;
        gone.sort_unstable();
        Some(gone)
    }

    /// Goes through all sets of a size that have these and some of the known victims from this kind on, of which so many
    /// are taken already, but for those that are worse than the best one.
    fn extend(&self, (kind, taken): (usize, usize), gone: &mut Vec<usize>, size: usize, found: &mut Found) {
        if found.left == 0 {
            return;
        }
        found.left -= 1;
        let badness = self.badness(gone);
        if found.best.as_ref().is_some_and(|(best, _)| badness >= *best) {
            return;
        }
        if gone.len() == size {
            if self.is_enough(gone) {
                found.best = Some((badness, gone.clone()));
            }
            return;
        }
        let more = self.known.get(kind).map_or(&[][..], |alike| &alike[taken..]);
        let others = self.known.get(kind + 1..).unwrap_or_default();
        let all: Vec<usize> = gone.iter().chain(more).chain(others.iter().flatten()).copied().collect();
        if !self.is_enough(&all) {
            return;
        }
        if let Some(&next) = more.first() {
            gone.push(next);
            self.extend((kind, taken + 1), gone, size, found);
            gone.pop();
        }
        for (kind, alike) in self.known.iter().enumerate().skip(kind + 1) {
            gone.push(alike[0]);
            self.extend((kind, 1), gone, size, found);
            gone.pop();
        }
    }
}

/// What a search has found.
struct Found {
    best: Option<(Badness, Vec<usize>)>,
    /// How many sets may still be looked at.
    left: usize,
}
