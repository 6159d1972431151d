//! Making room for a pod that fits nowhere by moving a few that run, under a budget.
//!
//! A move is an instance that changes its GPU or its start. A pod is put where some instances are in the way, all smaller
//! than its own or as large but with more starts, and each of those is put elsewhere; the fewest moves count, then the room
//! that is left.
//!
//! # The budget
//!
//! Moves are saved up, `r` with each pod that comes, and at most so many. Spending them as soon as they are there is not
//! best: where few units are free, a pod that is let in mostly displaces a later one, and where many are free, but
//! not in one place, it does not. So a move has a price in free units: pods are let in only while more than `θ` are free,
//! and the price follows what is spent,
//!
//! ```text
//! θ ← θ + η · units · (moves − r),   0 ≤ θ ≤ units
//! ```
//!
//! which is dual ascent on the budget as a constraint: `θ` settles where `r` moves are wanted with each pod.

use std::cmp::Reverse;

use fixedbitset::FixedBitSet;
use migsaw::geometry::{Placement, Profile, StateId, Step};
use migsaw::score::{Mix, Room};
use smallvec::SmallVec;

use crate::cluster::Cluster;
use crate::limits::may_use;
use crate::site::Site;

/// Where the price begins, and how fast it follows, in parts of all units.
const FIRST_PRICE: f64 = 0.05;
const PACE: f64 = 0.001;

/// How many running pods may be moved.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moves {
    /// For each hundred pods that come.
    pub per_hundred: f64,
    /// Saved up at most.
    pub burst: f64,
    /// For one pod at most.
    pub at_once: u8,
    /// Whether a move has its price; without one, moves are spent as soon as they are there.
    pub is_priced: bool,
}

impl Moves {
    /// So many for each hundred pods, one for each, and a few saved up.
    pub fn few(per_hundred: f64) -> Moves {
        Moves { per_hundred, burst: 10.0, at_once: 1, is_priced: true }
    }
}

/// What is saved up, and what a move costs.
#[derive(Debug)]
pub(crate) struct Purse {
    moves: Moves,
    saved: f64,
    price: f64,
    units: f64,
}

impl Purse {
    #[expect(clippy::cast_precision_loss, reason = "a number of units is small")]
    pub(crate) fn new(moves: Moves, site: &Site) -> Purse {
        let units = site.units() as f64;
        Purse { moves, saved: 0.0, price: FIRST_PRICE * units, units }
    }

    /// How many moves there are for a pod while so many units are taken. Called once for each pod that comes.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small")]
    pub(crate) fn offer(&mut self, taken: u64, fits: bool) -> u8 {
        self.saved = (self.saved + self.moves.per_hundred / 100.0).min(self.moves.burst);
        let is_worth_it = !fits && (!self.moves.is_priced || self.units - taken as f64 >= self.price);
        if is_worth_it { (self.saved as u64).min(u64::from(self.moves.at_once)) as u8 } else { 0 }
    }

    /// So many moves were made for the pod; called once for each that comes.
    #[expect(clippy::cast_precision_loss, reason = "small")]
    pub(crate) fn spend(&mut self, made: usize) {
        self.saved -= made as f64;
        let step = PACE * self.units * (made as f64 - self.moves.per_hundred / 100.0);
        self.price = (self.price + step).clamp(0.0, self.units);
    }
}

/// How room is made: what is put where, and what goes elsewhere for it.
#[derive(Debug, Clone)]
pub(crate) struct Rescue {
    pub(crate) gpu: u32,
    pub(crate) placement: Placement,
    /// From there to the GPU and placement given.
    pub(crate) moved: SmallVec<[(Placement, (u32, Placement)); 4]>,
}

/// The room of every state, by kind.
#[derive(Debug)]
pub(crate) struct Rooms(Vec<Room>);

impl Rooms {
    pub(crate) fn new(site: &Site, mix: &Mix) -> Rooms {
        Rooms(site.rooms(mix))
    }

    fn loss(&self, site: &Site, gpu: u32, from: StateId, to: StateId) -> i64 {
        self.0[site.gpus[gpu as usize].kind as usize].rank(from, to)
    }

    /// The way with the fewest moves, at most so many, that makes room for an instance of the profile on one of some
    /// GPUs; of several the one that leaves most room. What is moved goes to GPUs that its owner may use.
    pub(crate) fn rescue<'a>(
        &self,
        cluster: &'a Cluster,
        profile: u16,
        among: Option<&FixedBitSet>,
        owner_may_use: &impl Fn(u32, &Placement) -> Option<&'a FixedBitSet>,
        most: u8,
    ) -> Option<Rescue> {
        (1..=usize::from(most)).find_map(|moves| {
            let gpus = cluster.one_of_each(among);
            let ways = gpus.flat_map(|gpu| self.ways(cluster, gpu, profile, owner_may_use, moves));
            ways.min_by_key(|(lost, _)| *lost).map(|(_, rescue)| rescue)
        })
    }

    /// All ways to put the instance on one GPU for so many moves, and what each loses.
    fn ways<'a>(
        &self,
        cluster: &'a Cluster,
        gpu: u32,
        profile: u16,
        owner_may_use: &impl Fn(u32, &Placement) -> Option<&'a FixedBitSet>,
        moves: usize,
    ) -> Vec<(i64, Rescue)> {
        let kind = cluster.site().kind(gpu);
        let Some(id) = kind.profiles[usize::from(profile)] else { return Vec::new() };
        let (asked, from) = (kind.model.get(id), cluster.state(gpu));
        let layout = kind.states.layout(from);
        let way = |&start: &u8| {
            let in_the_way =
                |other: &&Placement| kind.model.get(other.profile).mask(other.start) & asked.mask(start) != 0;
            let mut gone: SmallVec<[Placement; 4]> = layout.placements().iter().filter(in_the_way).copied().collect();
            // What is harder to place finds no place either.
            let is_harder = |other: &Placement| hardness(kind.model.get(other.profile)) >= hardness(asked);
            if gone.len() != moves || gone.iter().any(is_harder) {
                return None;
            }
            let cleared = gone.iter().try_fold(from, |state, other| kind.states.without(state, *other))?;
            let placement = Placement { start, profile: id };
            let to = kind.states.additions(cleared).iter().find(|step| step.placement == placement)?.to;
            let mut lost = self.loss(cluster.site(), gpu, from, to);
            gone.sort_by_key(|other| Reverse(hardness(kind.model.get(other.profile))));
            let mut changed: SmallVec<[(u32, StateId); 4]> = [(gpu, to)].into_iter().collect();
            let mut places = SmallVec::new();
            for other in gone {
                let name = kind.profiles.iter().position(|known| *known == Some(other.profile))?;
                let among = owner_may_use(gpu, &other);
                let (target, step, more) = self.elsewhere(cluster, u16::try_from(name).ok()?, among, &changed)?;
                lost += more;
                match changed.iter_mut().find(|(gpu, _)| *gpu == target) {
                    Some((_, state)) => *state = step.to,
                    None => changed.push((target, step.to)),
                }
                places.push((other, (target, step.placement)));
            }
            Some((lost, Rescue { gpu, placement, moved: places }))
        };
        asked.starts.iter().filter_map(way).collect()
    }

    /// Where an instance loses least, on GPUs as they are or as they would be by then.
    fn elsewhere(
        &self,
        cluster: &Cluster,
        profile: u16,
        among: Option<&FixedBitSet>,
        changed: &[(u32, StateId)],
    ) -> Option<(u32, Step, i64)> {
        let except: SmallVec<[u32; 4]> = changed.iter().map(|(gpu, _)| *gpu).collect();
        let unchanged = cluster.best_except(profile, &except, among).map(|(gpu, step)| (gpu, cluster.state(gpu), step));
        let on_changed = changed.iter().filter(|(gpu, _)| may_use(among, *gpu)).flat_map(|&(gpu, state)| {
            let kind = cluster.site().kind(gpu);
            let id = kind.profiles[usize::from(profile)];
            let fitting = kind.states.additions(state).iter().filter(move |step| Some(step.placement.profile) == id);
            fitting.map(move |step| (gpu, state, *step))
        });
        let each = on_changed.chain(unchanged);
        let each = each.map(|(gpu, state, step)| (gpu, step, self.loss(cluster.site(), gpu, state, step.to)));
        each.min_by_key(|(gpu, step, loss)| (*loss, *gpu, step.placement.start))
    }
}

/// Larger ones have fewer places to go to, and so have those with fewer starts.
fn hardness(profile: &Profile) -> (u8, Reverse<usize>) {
    (profile.size, Reverse(profile.starts.len()))
}
