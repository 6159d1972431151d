//! Moves one after the other: an instance is made where it is to be before the old one goes.
//!
//! A move has a *free target* if an instance of its profile can be made at a place that the plan gives to that
//! profile, beside all that is on that GPU at the time. Instances of one profile are interchangeable, so a move may
//! take any such place. Moves to free targets only ever free more, but the last free place of a profile should go to
//! an instance that is in the way of another. Where no move has a free target, some instance that is in the way waits
//! elsewhere, where it is in nobody's way: a *hop*, a second move. Without hops the order is the best there is.

use anyhow::{Context, bail};
use migsaw::fleet::Pool;
use migsaw::geometry::{Layout, Model, Placement, ProfileId};
use migsaw::plan::{GpuTarget, Plan, PlannedNodes};
use migsaw::problem::Problem;

/// How all moves went.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sequence {
    /// Instances that changed their place.
    pub(super) moves: usize,
    /// How often one waited elsewhere.
    pub(super) hops: usize,
    /// How often one had nowhere to wait, and was gone until it had its place.
    pub(super) gone: usize,
}

/// An order of a plan's evictions, for units that hold one instance each.
pub(super) fn sequence(problem: &Problem, plan: &Plan) -> anyhow::Result<Sequence> {
    let mut board = Board::default();
    for group in &plan.nodes {
        let pool = &problem.fleet.pools[group.pool];
        for node in group.nodes.clone() {
            board.add_node(pool, node, group)?;
        }
    }
    board.go()
}

/// A GPU on the way.
struct Gpu<'a> {
    model: &'a Model,
    now: Vec<Placement>,
}

impl Gpu<'_> {
    fn has_room(&self, placement: Placement) -> bool {
        Layout::new(self.model, self.now.iter().copied().chain([placement])).is_ok()
    }
}

/// A place on a GPU.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    gpu: usize,
    at: Placement,
}

#[derive(Default)]
struct Board<'a> {
    gpus: Vec<Gpu<'a>>,
    /// Where the instances are that have yet to move; `None` for one that is gone.
    movers: Vec<(ProfileId, Option<Place>)>,
    /// Places of the plan that are not taken yet.
    targets: Vec<Place>,
}

impl<'a> Board<'a> {
    fn add_node(&mut self, pool: &'a Pool, node: u32, planned: &PlannedNodes) -> anyhow::Result<()> {
        let first = self.gpus.len();
        let group = pool.node_ranges().find(|(range, _)| range.contains(&node)).context("a node of the pool")?.1;
        for (model, target) in pool.gpu_models().zip(&planned.gpus) {
            let wanted = match target {
                GpuTarget::Mig(layout) | GpuTarget::Left(layout) => layout.placements(),
                GpuTarget::MigOff => &[],
            };
            let gpu = self.gpus.len();
            self.targets.extend(wanted.iter().map(|&at| Place { gpu, at }));
            self.gpus.push(Gpu { model, now: Vec::new() });
        }
        for (unit, running) in group.present.iter().flat_map(|present| present.running.iter().enumerate()) {
            let [held] = running.holds.as_slice() else { bail!("a unit that holds several instances") };
            let place = Place { gpu: first + usize::from(held.gpu), at: held.instance.context("a whole GPU")? };
            self.gpus[place.gpu].now.push(place.at);
            if planned.evicts.contains(&unit) {
                self.movers.push((place.at.profile, Some(place)));
            } else {
                let target = self.targets.iter().position(|target| *target == place);
                self.targets.swap_remove(target.context("what stays is not in the plan")?);
            }
        }
        Ok(())
    }

    fn go(mut self) -> anyhow::Result<Sequence> {
        let mut sequence = Sequence { moves: self.movers.len(), ..Sequence::default() };
        while !self.movers.is_empty() {
            if let Some((mover, target)) = self.next() {
                let (_, from) = self.movers.remove(mover);
                let target = self.targets.remove(target);
                self.leave(from);
                self.gpus[target.gpu].now.push(target.at);
            } else {
                let mover = (0..self.movers.len()).max_by_key(|&mover| (self.blocked_by(mover), mover));
                let mover = mover.filter(|&mover| self.blocked_by(mover) > 0).context("no place for a mover")?;
                let (profile, from) = self.movers[mover];
                let waits = self.waiting_place(profile);
                sequence.hops += usize::from(waits.is_some());
                sequence.gone += usize::from(waits.is_none());
                self.leave(from);
                self.gpus.iter_mut().enumerate().for_each(|(gpu, state)| {
                    state.now.extend(waits.filter(|waits| waits.gpu == gpu).map(|waits| waits.at));
                });
                self.movers[mover].1 = waits;
            }
        }
        Ok(sequence)
    }

    /// A move to a free target, and of those one that is in the way of many.
    fn next(&self) -> Option<(usize, usize)> {
        let free: Vec<usize> = (0..self.targets.len())
            .filter(|&target| self.gpus[self.targets[target].gpu].has_room(self.targets[target].at))
            .collect();
        let target = |mover: usize| {
            let fits = |target: &&usize| self.targets[**target].at.profile == self.movers[mover].0;
            free.iter().find(fits).map(|&target| (mover, target))
        };
        let movers = (0..self.movers.len()).filter_map(target);
        movers.max_by_key(|&(mover, _)| (self.blocked_by(mover), std::cmp::Reverse(mover)))
    }

    /// How many targets an instance is in the way of.
    fn blocked_by(&self, mover: usize) -> usize {
        let Some(place) = self.movers[mover].1 else { return 0 };
        self.targets.iter().filter(|target| self.overlap(place, **target)).count()
    }

    fn overlap(&self, a: Place, b: Place) -> bool {
        let mask = |place: Place| self.gpus[place.gpu].model.get(place.at.profile).mask(place.at.start);
        a.gpu == b.gpu && mask(a) & mask(b) != 0
    }

    /// A free place that no target needs.
    fn waiting_place(&self, profile: ProfileId) -> Option<Place> {
        self.gpus.iter().enumerate().find_map(|(gpu, state)| {
            let starts = state.model.profiles.get(profile.index())?.starts.iter();
            let places = starts.map(|&start| Place { gpu, at: Placement { start, profile } });
            let is_free = |place: &Place| {
                state.has_room(place.at) && !self.targets.iter().any(|target| self.overlap(*place, *target))
            };
            places.into_iter().find(is_free)
        })
    }

    fn leave(&mut self, from: Option<Place>) {
        let Some(from) = from else { return };
        let now = &mut self.gpus[from.gpu].now;
        if let Some(index) = now.iter().position(|&at| at == from.at) {
            now.swap_remove(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use migsaw::demand::Demand;
    use migsaw::fleet::{Fleet, NodeGroup, NodeNames};
    use migsaw::geometry::Catalog;
    use migsaw::plan::Status;
    use migsaw::present::{Held, Present, RecutUnit, Running};

    use super::*;

    /// GPUs of one node each: what is there now, what is to be there, and which of the instances must move.
    fn check(gpus: &[(&str, &str, &[usize])], hops: usize, gone: usize) {
        let model = Catalog::builtin().model("A100-80GB").unwrap();
        let mut problem = Problem { fleet: Fleet { pools: vec![] }, ..Problem::default() };
        let mut pool = Pool::new("p", model.clone(), 0, 1);
        pool.nodes.clear();
        let mut plan = Plan { status: Status::Feasible, tiers: vec![], nodes: vec![], unserved: vec![] };
        problem.demands.push(Demand::of_profile("any", "1g.10gb".parse().unwrap(), 9));
        let mut moves = 0;
        for (node, (now, target, evicts)) in (0..).zip(gpus) {
            let [now, target] = [now, target].map(|text| Layout::parse(&model, text).unwrap());
            let running = now.placements().iter().map(|&at| Running {
                name: None,
                demand: 0,
                holds: vec![Held { gpu: 0, instance: Some(at) }],
                stays: false,
            });
            let running = running.collect();
            let present = Present { unit: RecutUnit::Instance, gpus: vec![Some(now)], in_any_order: false, running };
            let names = NodeNames::Numbered { prefix: "n".into(), first: node, count: 1 };
            pool.nodes.push(NodeGroup { names, pinned: vec![], present: Some(present) });
            let gpus = vec![GpuTarget::Mig(target)];
            let evicts = evicts.to_vec();
            moves += evicts.len();
            plan.nodes.push(PlannedNodes { pool: 0, nodes: node..node + 1, gpus, serves: vec![], evicts });
        }
        problem.fleet.pools.push(pool);
        assert_eq!(sequence(&problem, &plan).unwrap(), Sequence { moves, hops, gone }, "{gpus:?}");
    }

    #[test]
    fn moves_to_free_places_need_no_hop() {
        check(&[("1g.10gb@0", "empty", &[0]), ("2g.20gb@0", "2g.20gb@0,1g.10gb@2", &[])], 0, 0);
        // The one that is in the way goes first, to the only free place.
        let both: [(&str, &str, &[usize]); 3] = [
            ("1g.10gb@0", "empty", &[0]),
            ("1g.10gb@2", "2g.20gb@2", &[0]),
            ("2g.20gb@0", "2g.20gb@0,1g.10gb@2,1g.10gb@3", &[]),
        ];
        check(&[both[0], both[1], both[2], ("2g.20gb@0", "empty", &[0])], 0, 0);
    }

    #[test]
    fn an_instance_that_is_in_its_own_way_waits_elsewhere() {
        check(&[("3g.40gb@0,1g.10gb@4", "3g.40gb@4,1g.10gb@0", &[0, 1]), ("empty", "empty", &[])], 1, 0);
        check(&[("3g.40gb@0,1g.10gb@4", "3g.40gb@4,1g.10gb@0", &[0, 1])], 0, 1);
    }
}
