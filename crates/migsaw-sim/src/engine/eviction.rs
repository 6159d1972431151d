//! Pods that have to go before they are done.

use std::collections::{BTreeMap, HashMap};

use super::{Simulation, SmallVec};
use crate::queue::Discipline;
use crate::workload::Pod;

/// What it costs a pod to be evicted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Eviction {
    /// How much longer it stays once it runs again, in seconds.
    pub cost: u64,
    /// Whether it begins anew; else it goes on where it was.
    pub loses_work: bool,
}

/// The pods that run, or have run and wait to do so again.
#[derive(Debug, Default)]
pub(super) struct Runs {
    of: HashMap<u32, Run>,
    /// How many run of each priority.
    by_priority: BTreeMap<i32, u32>,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    /// When it began to run, or to wait.
    since: u64,
    /// How long it has waited in all.
    waited: u64,
    /// How long it stays from when it began to run.
    stays: u64,
}

impl Runs {
    /// A pod starts; says how long it stays.
    pub(super) fn starts(&mut self, pod: u32, this: &Pod, now: u64) -> u64 {
        *self.by_priority.entry(this.priority).or_default() += 1;
        let run = self.of.entry(pod).or_insert(Run { since: this.arrives, waited: 0, stays: this.stays });
        run.waited += now - run.since;
        run.since = now;
        run.stays
    }

    /// A pod is done; says how long it has waited.
    pub(super) fn left(&mut self, pod: u32, this: &Pod) -> u64 {
        self.stops(this);
        self.of.remove(&pod).map_or(0, |run| run.waited)
    }

    /// When a pod that runs has started.
    pub(super) fn since(&self, pod: u32) -> u64 {
        self.of.get(&pod).map_or(0, |run| run.since)
    }

    /// Whether any runs of lower priority.
    pub(super) fn is_any_below(&self, priority: i32) -> bool {
        self.by_priority.first_key_value().is_some_and(|(lowest, _)| *lowest < priority)
    }

    fn stops(&mut self, this: &Pod) {
        if let Some(left) = self.by_priority.get_mut(&this.priority) {
            *left -= 1;
            if *left == 0 {
                self.by_priority.remove(&this.priority);
            }
        }
    }

    fn is_evicted(&mut self, pod: u32, this: &Pod, now: u64, eviction: Eviction) {
        self.stops(this);
        if let Some(run) = self.of.get_mut(&pod) {
            let left = if eviction.loses_work { this.stays } else { run.stays.saturating_sub(now - run.since) };
            run.stays = left.saturating_add(eviction.cost);
            run.since = now;
        }
    }
}

impl Simulation<'_> {
    /// Whose instance is at a GPU's start; nobody's if it is pinned, or free.
    pub(super) fn owner(&self, gpu: u32, start: u8) -> Option<u32> {
        self.owners.as_ref()?.get(&(gpu, start)).copied()
    }

    /// The pods on a GPU, each once.
    pub(super) fn on_gpu(&self, gpu: u32) -> SmallVec<[u32; 8]> {
        let kind = self.cluster.site().kind(gpu);
        let there = kind.states.layout(self.cluster.state(gpu)).placements();
        let mut pods: SmallVec<[u32; 8]> =
            there.iter().filter_map(|placement| self.owner(gpu, placement.start)).collect();
        pods.sort_unstable();
        pods.dedup();
        pods
    }

    /// Stops a pod before it is done. It is lost unless it lines up again.
    pub(super) fn evict(&mut self, pod: u32) {
        let this = self.pod(pod);
        self.leaving.retain(|std::cmp::Reverse((_, other))| *other != pod);
        for place in self.places[pod as usize].clone() {
            self.take(pod, place);
        }
        if let Some(runs) = &mut self.runs {
            runs.is_evicted(pod, this, self.now, self.options.eviction);
        }
        self.counting.was_evicted(this);
    }

    /// Pods that were evicted wait again, ahead of others of their priority.
    pub(super) fn line_up(&mut self, evicted: Vec<u32>, queue: &mut dyn Discipline) {
        let pods = &self.workload.pods;
        // Of several, the first stays first.
        for pod in evicted.into_iter().rev() {
            let this = &pods[pod as usize];
            let at = self.waiting.partition_point(|other| pods[*other as usize].priority > this.priority);
            self.waiting.insert(at, pod);
            queue.came(at, this);
        }
        queue.has_room();
    }
}
