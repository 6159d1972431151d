//! Pods that take the place of running ones of lower priority.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::ops::Range;

use migsaw::geometry::{StateId, Step};

use super::Simulation;
use crate::gpus::Places;
use crate::workload::Pod;

/// Who makes way, and for what.
struct Way {
    victims: Vec<u32>,
    places: Places,
}

/// What is least bad, as kube-scheduler has it (`pickOneNodeForPreemption` of
/// `pkg/scheduler/framework/preemption/preemption.go`): the lowest priority of the most important victim; the smallest
/// sum of priorities, counted from the lowest there can be, so that fewer victims come first but for very low
/// ones; and the victims of the highest priority that have run for the shortest time.
type Harm = (i32, i64, Reverse<u64>);

impl Simulation<'_> {
    /// Lets a pod that fits nowhere take the place of others of lower priority; says whose. Nobody makes way if that
    /// would not help.
    ///
    /// A pod whose instances share a GPU takes the place of those on one GPU, another of several that of those on one
    /// node. There all of lower priority would go, and are then spared one by one, the most important and those that
    /// have run longest first, as long as the pod still fits.
    ///
    /// # Complexity
    /// Linear in the GPUs.
    pub(super) fn preempt(&mut self, pod: u32) -> Option<Vec<u32>> {
        let this = self.pod(pod);
        let runs = self.runs.as_ref().filter(|_| self.options.preempts && self.together.is_none())?;
        if !runs.is_any_below(this.priority) {
            return None;
        }
        let allowed = self.cluster.allowed(this.limits);
        let Way { victims, places } = if let [(profile, 1)] = this.asks[..] {
            let gpus =
                self.cluster.gpus().all().filter(|gpu| self.cluster.gpus().is_open(*gpu) && allowed.may_use(*gpu));
            let on = gpus.flat_map(|gpu| self.ways_on_gpu(gpu, profile, this.priority));
            on.min_by_key(|way| self.harm(way))
        } else {
            let each = self.cluster.gpus().one_by_one(&this.asks);
            let groups: Vec<Range<u32>> = if allowed.is_on_one_gpu {
                self.cluster.gpus().all().map(|gpu| gpu..gpu + 1).collect()
            } else {
                self.cluster.site().nodes.iter().map(|node| node.gpus.clone()).collect()
            };
            let fits = |first: u32, here: &[StateId]| {
                self.cluster.gpus().first_places(first, here.to_vec(), &each, allowed.is_on_one_gpu)
            };
            let groups = groups.into_iter().filter(|gpus| allowed.may_use(gpus.start));
            let on = groups.filter_map(|gpus| self.way(gpus, this.priority, fits));
            on.min_by_key(|way| self.harm(way))
        }?;
        for victim in &victims {
            self.evict(*victim);
        }
        self.put(pod, &places);
        self.was_placed(pod);
        Some(victims)
    }

    /// The first of those that wait who can take the place of others does; says whose.
    pub(super) fn first_to_preempt(&mut self) -> Option<Vec<u32>> {
        if !self.options.preempts {
            return None;
        }
        // Who asks for the same with no higher priority fares no better.
        let mut tried = HashSet::new();
        for at in 0..self.waiting.len() {
            let pod = self.waiting[at];
            let Pod { asks, limits, .. } = self.pod(pod);
            if !tried.insert((asks, limits)) {
                continue;
            }
            if let Some(victims) = self.preempt(pod) {
                self.waiting.remove(at);
                return Some(victims);
            }
        }
        None
    }

    /// Each way to put one instance on a GPU, by start.
    fn ways_on_gpu(&self, gpu: u32, profile: u16, priority: i32) -> Vec<Way> {
        let kind = self.cluster.site().kind(gpu);
        let Some(id) = kind.profiles[usize::from(profile)] else { return Vec::new() };
        let way = |&start: &u8| {
            let is_this = |step: &&Step| step.placement.profile == id && step.placement.start == start;
            let fits = |_: u32, here: &[StateId]| {
                let step = kind.states.additions(here[0]).iter().find(is_this)?;
                Some(Places::from_elem((gpu, *step), 1))
            };
            self.way(gpu..gpu + 1, priority, fits)
        };
        kind.model.get(id).starts.iter().filter_map(way).collect()
    }

    /// Who has to go from some GPUs so that a pod of this priority fits there; `None` if it does not whoever goes.
    fn way(&self, gpus: Range<u32>, priority: i32, fits: impl Fn(u32, &[StateId]) -> Option<Places>) -> Option<Way> {
        let open = gpus.clone().filter(|gpu| self.cluster.gpus().is_open(*gpu));
        let mut lower: Vec<u32> = open.flat_map(|gpu| self.on_gpu(gpu)).collect();
        lower.retain(|pod| self.pod(*pod).priority < priority);
        lower.sort_unstable();
        lower.dedup();
        let mut here: Vec<StateId> = gpus.clone().map(|gpu| self.cluster.state(gpu)).collect();
        let states = |gpu: u32| &self.cluster.site().kind(gpu).states;
        // Other instances of the same pod on GPUs that may not be chosen make no difference.
        let places = |pod: u32| self.places[pod as usize].iter().filter(|(gpu, _)| gpus.contains(gpu));
        for (gpu, placement) in lower.iter().flat_map(|pod| places(*pod)) {
            let state = &mut here[(gpu - gpus.start) as usize];
            *state = states(*gpu).without(*state, *placement).expect("the instance is there");
        }
        let mut found = fits(gpus.start, &here)?;
        let since = |pod: u32| self.runs.as_ref().map_or(0, |runs| runs.since(pod));
        lower.sort_by_key(|pod| (Reverse(self.pod(*pod).priority), since(*pod), *pod));
        let mut victims = Vec::new();
        for pod in lower {
            let spared = places(pod).try_fold(here.clone(), |mut here, (gpu, placement)| {
                let state = &mut here[(gpu - gpus.start) as usize];
                let additions = states(*gpu).additions(*state);
                *state = additions.iter().find(|step| step.placement == *placement)?.to;
                Some(here)
            });
            match spared.and_then(|spared| Some((fits(gpus.start, &spared)?, spared))) {
                Some((places, spared)) => (found, here) = (places, spared),
                None => victims.push(pod),
            }
        }
        // Where nobody has to go the policy did not want to place it.
        (!victims.is_empty()).then_some(Way { victims, places: found })
    }

    /// How bad it is.
    fn harm(&self, way: &Way) -> Harm {
        let priority = |pod: &u32| self.pod(*pod).priority;
        let most = way.victims.iter().map(priority).max().unwrap_or(i32::MIN);
        let sum = way.victims.iter().map(|pod| i64::from(priority(pod)) - i64::from(i32::MIN)).sum();
        let important = way.victims.iter().filter(|pod| priority(pod) == most);
        let longest = important.filter_map(|pod| Some(self.runs.as_ref()?.since(*pod))).min();
        (most, sum, Reverse(longest.unwrap_or(0)))
    }
}
