//! GPUs that are drained for pods that need a whole one.

use migsaw::geometry::StateId;
use migsaw::score::Mix;

use super::backfill::Backfill;
use super::whole::{Whole, is_one};
use super::{Discipline, Line, Stays, Turn};
use crate::cluster::Cluster;
use crate::site::Site;
use crate::workload::Pod;

/// [`Backfill`], and a GPU is held for each pod that needs a whole one and starves, up to so many.
///
/// On a held GPU only pods of the profile that it is held for start; once it is empty, the first of them does, and the
/// hold stays until none of them waits. Nobody has to know how long pods stay: what a hold costs is estimated as if stays
/// were memoryless, see [`Drain::cost`].
#[derive(Debug)]
pub(super) struct Drain {
    whole: Whole,
    gpus: usize,
    after: u32,
    /// What each GPU is held for.
    held: Vec<Option<u16>>,
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

    /// Looks at the holds for a profile; says who starts on one of them.
    fn look(&mut self, profile: u16, line: &Line<'_>, cluster: &mut Cluster) -> Option<(usize, u32)> {
        let waiting: Vec<(usize, &Pod)> = line.waiting().filter(|(_, pod)| is_one(pod, profile)).collect();
        let Some(&(first, _)) = waiting.first() else {
            self.release(profile, cluster);
            return None;
        };
        let starving = waiting.iter().filter(|(_, pod)| self.left.passed(line.wait(pod), self.after)).count();
        self.hand_over(profile, cluster);
        let mut held = self.whole.gpus(profile).filter(|gpu| self.is_held(*gpu, profile)).count();
        loop {
            let is_short = held < starving.min(self.gpus);
            let more = self.cheapest(profile, cluster).filter(|_| is_short);
            if let Some((_, gpu)) = more {
                self.hold(gpu, profile, cluster);
                held += 1;
            }
            let is_ready = |gpu: &u32| {
                self.is_held(*gpu, profile) && cluster.state(*gpu) == StateId::EMPTY && !cluster.gpus().is_shut(*gpu)
            };
            if let Some(gpu) = self.whole.gpus(profile).find(is_ready) {
                return Some((first, gpu));
            }
            more?;
        }
    }

    fn is_held(&self, gpu: u32, profile: u16) -> bool {
        self.held[gpu as usize] == Some(profile)
    }

    /// Of the GPUs that are not held, the one that costs least to drain, and what.
    fn cheapest(&self, profile: u16, cluster: &Cluster) -> Option<(u64, u32)> {
        let free = self.whole.gpus(profile).filter(|gpu| self.held[*gpu as usize].is_none());
        free.map(|gpu| (Drain::cost(gpu, cluster), gpu)).min()
    }

    /// A hold goes to another GPU that costs less than the held one still does.
    fn hand_over(&mut self, profile: u16, cluster: &mut Cluster) {
        let held: Vec<u32> = self.whole.gpus(profile).filter(|gpu| self.is_held(*gpu, profile)).collect();
        for gpu in held {
            let cost = Drain::cost(gpu, cluster);
            if let Some((_, other)) = self.cheapest(profile, cluster).filter(|(less, _)| *less < cost) {
                self.let_go(gpu, cluster);
                self.hold(other, profile, cluster);
            }
        }
    }

    fn release(&mut self, profile: u16, cluster: &mut Cluster) {
        let held: Vec<u32> = self.whole.gpus(profile).filter(|gpu| self.is_held(*gpu, profile)).collect();
        for gpu in held {
            self.let_go(gpu, cluster);
        }
    }

    fn hold(&mut self, gpu: u32, profile: u16, cluster: &mut Cluster) {
        self.held[gpu as usize] = Some(profile);
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
            for profile in self.whole.profiles() {
                if let Some((at, gpu)) = self.look(profile, line, cluster) {
                    self.rest.passed_over(at);
                    return Turn::Put(at, self.whole.on(profile, gpu));
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
            if self.held[gpu as usize].is_some_and(|profile| !takes(profile)) {
                self.let_go(gpu, cluster);
            }
        }
    }

    fn refused(&mut self, pod: &Pod) {
        self.rest.refused(pod);
    }
}
