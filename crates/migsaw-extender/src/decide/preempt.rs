//! Which pods have to go so that another can have their slices.
//!
//! The scheduler proposes victims for each node. What it cannot know is taken away: nodes where room made would not
//! help. What it need not evict is spared: a pod stays if, without its eviction, enough slices are free and the
//! victims that are left free as much of everything else as the pod that is to come requests. That is certain to be
//! enough, since the node had room for all of them. Where it is not known what a pod requests, or where something else
//! counts for it, like a port, nobody is spared.

use std::collections::BTreeMap;
use std::sync::Arc;

use migsaw_kube::scheduling::{Asks, Pod};

use super::Reason;
use super::filter::judge;
use crate::fleet::View;

/// How many sets of victims are looked at; beyond that the set found so far stands, or the scheduler's.
const MOST_SETS: usize = 50_000;

/// A pod that the scheduler would evict.
#[derive(Debug, Clone)]
pub(crate) struct Victim {
    pub(crate) uid: String,
    /// What it holds of GPUs and of everything else, if that is known.
    pub(crate) holds: Option<Held>,
}

/// What a pod holds.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) asks: Arc<Asks>,
    pub(crate) others: Option<BTreeMap<String, u64>>,
    pub(crate) priority: i32,
}

/// The fewest of the victims that have to go, by UID in the order given, and the ones of the lowest priorities among
/// as few; `None` if the pod could not come to the node even if all of them went.
pub(crate) fn preempt(view: &View, pod: &Pod, claimed: &[Arc<Asks>], victims: &[Victim]) -> Option<Vec<String>> {
    match judge(view, pod, claimed) {
        // What is taken is what victims can free; what is free already may lack something else.
        Ok(()) | Err(Reason::Taken) => {}
        Err(_) => return None,
    }
    // Whose devices come by claims is not known here: the scheduler's victims stand.
    if view.by_claims || pod.asks.by_claims {
        return Some(victims.iter().map(|victim| victim.uid.clone()).collect());
    }
    let search = Search::of(view, pod, claimed, victims);
    let all: Vec<usize> = (0..victims.len()).collect();
    if !search.has_slices(&all) {
        return None;
    }
    let kept = search.run().unwrap_or(all);
    Some(kept.into_iter().map(|index| victims[index].uid.clone()).collect())
}

/// A search for the smallest set that is enough.
struct Search<'a> {
    pod: &'a Pod,
    victims: &'a [Victim],
    /// What has to be freed of each resource asked for.
    missing: Vec<(&'a Arc<str>, u64)>,
    /// Victims of which it is known what they hold: the only ones that may be spared, lowest priority first.
    known: Vec<usize>,
    /// The others, all of whom have to go.
    unknown: Vec<usize>,
}

impl<'a> Search<'a> {
    fn of(view: &'a View, pod: &'a Pod, claimed: &[Arc<Asks>], victims: &'a [Victim]) -> Search<'a> {
        let free = |resource: &Arc<str>| {
            let taken: u64 = claimed.iter().filter_map(|asks| asks.resources.get(resource)).sum();
            view.free.get(resource).copied().unwrap_or(0).saturating_sub(taken)
        };
        let missing = pod.asks.resources.iter().map(|(resource, n)| (resource, n.saturating_sub(free(resource))));
        let (mut known, unknown): (Vec<usize>, Vec<usize>) = (0..victims.len())
            .partition(|&index| victims[index].holds.as_ref().is_some_and(|held| held.others.is_some()));
        known.sort_by_key(|&index| victims[index].holds.as_ref().map(|held| held.priority));
        Search { pod, victims, missing: missing.collect(), known, unknown }
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

    /// The smallest set that is certainly enough, ascending; `None` if only all of them are.
    fn run(&self) -> Option<Vec<usize>> {
        self.pod.others.as_ref()?;
        let mut left = MOST_SETS;
        // Somebody has to go: the scheduler saw no room for the pod beside all of them.
        let least = usize::from(self.unknown.is_empty());
        (least..self.known.len()).find_map(|size| {
            let mut best: Option<(Vec<i32>, Vec<usize>)> = None;
            self.sets(size, 0, &mut self.unknown.clone(), &mut left, &mut best);
            let (_, mut gone) = best?;
            gone.sort_unstable();
            Some(gone)
        })
    }

    /// Goes through all sets with so many more of the known victims from `from` on.
    fn sets(
        &self,
        size: usize,
        from: usize,
        gone: &mut Vec<usize>,
        left: &mut usize,
        best: &mut Option<(Vec<i32>, Vec<usize>)>,
    ) {
        if *left == 0 {
            return;
        }
        if size == 0 {
            *left -= 1;
            if self.has_slices(gone) && self.has_others(gone) {
                let mut priorities: Vec<i32> =
                    gone.iter().filter_map(|&index| Some(self.victims[index].holds.as_ref()?.priority)).collect();
                priorities.sort_unstable_by(|a, b| b.cmp(a));
                if best.as_ref().is_none_or(|(known, _)| priorities < *known) {
                    *best = Some((priorities, gone.clone()));
                }
            }
            return;
        }
        for at in from..=self.known.len().saturating_sub(size) {
            gone.push(self.known[at]);
            self.sets(size - 1, at + 1, gone, left, best);
            gone.pop();
        }
    }
}
