//! GPUs that are drained for pods that need a whole one.

use std::collections::BTreeSet;

use migsaw::geometry::StateId;
use migsaw::score::Mix;

use super::backfill::Backfill;
use super::whole::{Alike, Whole};
use super::{Discipline, Line, Stays, Turn};
use crate::cluster::Cluster;
use crate::site::Site;
use crate::workload::Pod;

/// [`Backfill`], and a GPU is held for each pod that needs a whole one and starves, up to so many.
///
/// On a held GPU only pods of the profile and the limits that it is held for start; once it is empty, the first of them
/// does, and the hold stays until none of them waits, or they may not use it any more. Nobody has to know how long pods
/// stay: what a hold costs is estimated as if stays were memoryless, see [`Drain::cost`].
#[derive(Debug)]
pub(super) struct Drain {
    whole: Whole,
    gpus: usize,
    after: u32,
    /// What each GPU is held for.
    held: Vec<Option<Alike>>,
    left: Stays,
    /// Whether something has come or left since the holds were looked at.
    is_due: bool,
    rest: Backfill,
}

/// Costs are in parts of a placement unit that all numbers up to 32 divide, the most instances that a GPU can have.
const PARTS: u64 = 144_403_552_893_600;

impl Drain {
    pub(super) fn new(site: &Site, gpus: u32, after: u32) -> Drain {
        Drain {
            whole: Whole::new(site),
            gpus: gpus as usize,
            after,
            held: vec![None; site.gpus.len()],
            left: Stays::default(),
            is_due: true,
            rest: Backfill::default(),
        }
    }

    /// The placement units that are free until a GPU is empty, summed over time, in mean stays: all its units until the
    /// last of its n instances has gone, after 1 + 1/2 + … + 1/n if stays are exponential, less what each takes until
    /// it goes. Nothing for an empty GPU, and for one that a single instance fills.
    fn cost(gpu: u32, cluster: &Cluster) -> u64 {
        let kind = cluster.site().kind(gpu);
        let state = cluster.state(gpu);
        let there = kind.states.layout(state).placements().len() as u64;
        let until_empty: u64 = (1..=there).map(|n| PARTS / n).sum();
        u64::from(kind.model.units) * until_empty - u64::from(kind.states.units(state).count_ones()) * PARTS
    }

    /// Those for whom GPUs are held, or could be.
    fn alike(&self, line: &Line<'_>) -> BTreeSet<Alike> {
        let waiting = line.waiting().filter_map(|(_, pod)| Alike::of(pod));
        waiting.filter(|alike| self.whole.has(alike.profile)).chain(self.held.iter().flatten().copied()).collect()
    }

    /// Looks at the holds for such pods; says who starts on one of them.
    fn look(&mut self, alike: Alike, line: &Line<'_>, cluster: &mut Cluster) -> Option<(usize, u32)> {
        let waiting: Vec<(usize, &Pod)> = line.waiting().filter(|(_, pod)| Alike::of(pod) == Some(alike)).collect();
        self.release(alike, waiting.is_empty(), cluster);
        let &(first, _) = waiting.first()?;
        let starving = waiting.iter().filter(|(_, pod)| self.left.passed(line.wait(pod), self.after)).count();
        self.hand_over(alike, cluster);
        let mut held = self.whole.gpus(alike.profile).filter(|gpu| self.is_held(*gpu, alike)).count();
        loop {
            let is_short = held < starving.min(self.gpus);
            let more = self.cheapest(alike, cluster).filter(|_| is_short);
            if let Some((_, gpu)) = more {
                self.hold(gpu, alike, cluster);
                held += 1;
            }
            let is_ready = |gpu: &u32| {
                self.is_held(*gpu, alike) && cluster.state(*gpu) == StateId::EMPTY && !cluster.gpus().is_shut(*gpu)
            };
            if let Some(gpu) = self.whole.gpus(alike.profile).find(is_ready) {
                return Some((first, gpu));
            }
            more?;
        }
    }

    fn is_held(&self, gpu: u32, alike: Alike) -> bool {
        self.held[gpu as usize] == Some(alike)
    }

    /// Of the GPUs that they may use and that are not held, the one that costs least to drain, and what.
    fn cheapest(&self, alike: Alike, cluster: &Cluster) -> Option<(u64, u32)> {
        let allowed = cluster.allowed(alike.limits);
        let is_free = |gpu: &u32| self.held[*gpu as usize].is_none() && allowed.may_use(*gpu);
        let free = self.whole.gpus(alike.profile).filter(is_free);
        free.map(|gpu| (Drain::cost(gpu, cluster), gpu)).min()
    }

    /// A hold goes to another GPU that costs less than the held one still does.
    fn hand_over(&mut self, alike: Alike, cluster: &mut Cluster) {
        let held: Vec<u32> = self.whole.gpus(alike.profile).filter(|gpu| self.is_held(*gpu, alike)).collect();
        for gpu in held {
            let cost = Drain::cost(gpu, cluster);
            if let Some((_, other)) = self.cheapest(alike, cluster).filter(|(less, _)| *less < cost) {
                self.let_go(gpu, cluster);
                self.hold(other, alike, cluster);
            }
        }
    }

    /// Lets all of their GPUs go, or those that they may not use any more.
    fn release(&mut self, alike: Alike, are_all: bool, cluster: &mut Cluster) {
        let held: Vec<u32> = self.whole.gpus(alike.profile).filter(|gpu| self.is_held(*gpu, alike)).collect();
        for gpu in held {
            if are_all || !cluster.allowed(alike.limits).may_use(gpu) {
                self.let_go(gpu, cluster);
            }
        }
    }

    fn hold(&mut self, gpu: u32, alike: Alike, cluster: &mut Cluster) {
        self.held[gpu as usize] = Some(alike);
        cluster.close(gpu);
    }

    fn let_go(&mut self, gpu: u32, cluster: &mut Cluster) {
        self.held[gpu as usize] = None;
        cluster.open(gpu);
        self.rest.forget();
    }
}

impl Discipline for Drain {
    fn came(&mut self, at: usize, pod: &Pod) {
        self.is_due = true;
        self.rest.came(at, pod);
    }

    fn left(&mut self, pod: &Pod) {
        self.is_due = true;
        self.left.add(pod);
        self.rest.left(pod);
    }

    fn next(&mut self, line: &Line<'_>, cluster: &mut Cluster) -> Turn {
        if self.is_due {
            for alike in self.alike(line) {
                if let Some((at, gpu)) = self.look(alike, line, cluster) {
                    self.rest.passed_over(at);
                    return Turn::Put(at, self.whole.on(alike.profile, gpu));
                }
            }
            self.is_due = false;
        }
        self.rest.next(line, cluster)
    }

    fn has_room(&mut self) {
        self.is_due = true;
        self.rest.has_room();
    }

    fn learn(&mut self, cluster: &mut Cluster, mix: &Mix) {
        self.is_due = true;
        self.rest.learn(cluster, mix);
        self.whole = Whole::new(cluster.site());
        for gpu in cluster.gpus().all() {
            let takes = |profile| self.whole.gpus(profile).any(|other| other == gpu);
            // A GPU that has been cut otherwise is no use to whom it was held for.
            if self.held[gpu as usize].is_some_and(|alike| !takes(alike.profile)) {
                self.let_go(gpu, cluster);
            }
        }
    }

    fn refused(&mut self, pod: &Pod) {
        self.rest.refused(pod);
    }
}
