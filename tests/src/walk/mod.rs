//! Walks through a rollout pod by pod, and counts who has nowhere to go, whom a disruption budget would keep, and who
//! has to wait on a slice that is not theirs.
//!
//! Written from what a rollout means, instance by instance; it shares nothing with how orders are found.

mod judge;
mod node;

use std::collections::{BTreeMap, BTreeSet};

use migsaw::budget::Budget;
use migsaw::plan::{Plan, PlannedNodes};
use migsaw::present::Present;
use migsaw::problem::Problem;

pub use judge::judge;
use node::{Slot, Spot};

/// A node, by pool and index.
pub type At = (usize, u32);

/// A fleet on its way from what runs to a plan.
pub struct Walk<'a> {
    problem: &'a Problem,
    slots: Vec<Slot>,
    /// Spots that the plan does not use, at least for some time.
    free: Vec<Spot>,
    waiting: BTreeMap<usize, u64>,
    /// Units to evict that the plan serves nowhere.
    lost: BTreeMap<usize, u64>,
    /// Evicted units without a place yet.
    outside: BTreeMap<usize, u64>,
    /// Evicted units that never get one.
    gone: BTreeMap<usize, u64>,
    done: BTreeSet<At>,
    /// The nodes to which something is to be done, with the demands of the units to evict.
    touched: BTreeMap<At, Vec<usize>>,
}

/// What waves do to pods.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Woes {
    /// Units that have nowhere to go, by priority, highest first.
    pub homeless: Vec<u64>,
    /// Units evicted beyond each budget.
    pub over: Vec<u64>,
    /// Units that wait on a slice that is not theirs: their demands, and the nodes where they wait.
    pub hops: Vec<(usize, At)>,
    /// Units that wait there and are evicted again: their demands, and the nodes.
    pub again: Vec<(usize, At)>,
}

impl Woes {
    /// Adds those of another wave.
    pub fn add(&mut self, more: &Woes) {
        for (all, more) in [(&mut self.homeless, &more.homeless), (&mut self.over, &more.over)] {
            all.resize(more.len(), 0);
            all.iter_mut().zip(more).for_each(|(all, n)| *all += n);
        }
        self.hops.extend(&more.hops);
        self.again.extend(&more.again);
    }

    /// What an order makes as small as it can be, in this order.
    pub fn rank(&self) -> (Vec<u64>, u64, usize) {
        (self.homeless.clone(), self.over.iter().sum(), self.hops.len())
    }

    /// Whether a wave of so many nodes may do that.
    pub fn is_allowed(&self, nodes: usize) -> bool {
        nodes == 1 || self.over.iter().all(|&n| n == 0)
    }
}

impl<'a> Walk<'a> {
    /// Before the first step.
    ///
    /// # Panics
    /// If the plan is not one for the problem.
    pub fn new(problem: &'a Problem, plan: &Plan) -> Walk<'a> {
        let mut slots = Vec::new();
        let mut free = Vec::new();
        let mut touched = BTreeMap::new();
        let mut running: BTreeMap<usize, u64> = BTreeMap::new();
        let mut served: BTreeMap<usize, u64> = BTreeMap::new();
        for (pool, p) in problem.fleet.pools.iter().enumerate() {
            for (range, group) in p.node_ranges() {
                for node in range {
                    let of_node = |planned: &&PlannedNodes| planned.pool == pool && planned.nodes.contains(&node);
                    let planned = plan.nodes.iter().find(of_node).expect("every node is planned");
                    let nothing = Present::default();
                    let present = group.present.as_ref().unwrap_or(&nothing);
                    let here = (pool, node);
                    let evicted: Vec<usize> = planned.evicts.iter().map(|&u| present.running[u].demand).collect();
                    let recut =
                        (0..planned.gpus.len()).any(|gpu| node::today(group, gpu) != planned.gpus[gpu].counts());
                    let is_touched = recut || !evicted.is_empty();
                    if is_touched {
                        touched.insert(here, evicted);
                    }
                    for unit in &present.running {
                        *running.entry(unit.demand).or_default() += 1;
                    }
                    for serving in &planned.serves {
                        *served.entry(serving.demand).or_default() += u64::from(serving.units);
                    }
                    let found = node::of(planned, group, present, p, here, is_touched);
                    slots.extend(found.0);
                    free.extend(found.1);
                }
            }
        }
        // Those that last are taken first, then by node.
        free.sort_by_key(|spot: &Spot| (spot.ends, spot.node));
        let more = |a: &BTreeMap<usize, u64>, b: &BTreeMap<usize, u64>| {
            let over = |(&demand, n): (&usize, &u64)| (demand, n.saturating_sub(*b.get(&demand).unwrap_or(&0)));
            a.iter().map(over).collect()
        };
        let (waiting, lost) = (more(&served, &running), more(&running, &served));
        let (outside, gone, done) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Walk { problem, slots, free, waiting, lost, outside, gone, done, touched }
    }

    /// The nodes to which something is to be done.
    pub fn touched(&self) -> Vec<At> {
        self.touched.keys().copied().collect()
    }

    /// Goes through a wave of nodes. Gives what that does to pods.
    ///
    /// # Panics
    /// If nothing is to be done to a node, or it is done.
    pub fn wave(&mut self, nodes: &[At]) -> Woes {
        self.settle();
        let mut evicted: Vec<usize> = Vec::new();
        for node in nodes {
            evicted.extend(self.touched.remove(node).expect("something is to be done, once"));
        }
        let mut woes = Woes::default();
        for spot in self.free.iter_mut().filter(|spot| spot.ends && nodes.contains(&spot.node)) {
            woes.again.extend(spot.taken_by.take().map(|demand| (demand, spot.node)));
            spot.is_over = true;
        }
        evicted.extend(woes.again.iter().map(|(demand, _)| demand));
        evicted.sort_by_key(|&demand| (-i64::from(self.problem.demands[demand].priority), demand));
        let mut homeless: BTreeMap<i64, u64> =
            self.problem.demands.iter().map(|demand| (-i64::from(demand.priority), 0)).collect();
        let mut left: Vec<u64> = self.problem.budgets.iter().map(|budget| self.left_of(budget)).collect();
        woes.over = vec![0; left.len()];
        let mut outside = Vec::new();
        for demand in evicted {
            for (index, budget) in self.problem.budgets.iter().enumerate() {
                match (budget.demands.contains(&demand), &mut left[index]) {
                    (true, 0) => woes.over[index] += 1,
                    (true, left) => *left -= 1,
                    (false, _) => {}
                }
            }
            let lost = self.lost.entry(demand).or_default();
            if *lost > 0 {
                *lost -= 1;
                *self.gone.entry(demand).or_default() += 1;
            } else if self.take(demand) {
            } else if let Some(node) = self.hop(demand) {
                woes.hops.push((demand, node));
            } else {
                *homeless.entry(-i64::from(self.problem.demands[demand].priority)).or_default() += 1;
                outside.push(demand);
            }
        }
        for demand in outside {
            *self.outside.entry(demand).or_default() += 1;
        }
        self.done.extend(nodes);
        woes.homeless = homeless.into_values().collect();
        woes
    }

    /// How many units may go under a budget before the next wave ends.
    fn left_of(&self, budget: &Budget) -> u64 {
        let down = |demand: &usize| {
            [&self.outside, &self.gone].map(|queue| queue.get(demand).copied().unwrap_or(0)).iter().sum::<u64>()
        };
        budget.allowed.saturating_sub(budget.demands.iter().map(down).sum())
    }

    /// Those that wait go first, then those that are outside; of these, the ones that find no slot look for a spot.
    fn settle(&mut self) {
        let mut demands: Vec<usize> = (0..self.problem.demands.len()).collect();
        demands.sort_by_key(|&demand| (-i64::from(self.problem.demands[demand].priority), demand));
        for demand in demands {
            while self.waiting.get(&demand).is_some_and(|&n| n > 0) && self.take(demand) {
                *self.waiting.get_mut(&demand).expect("somebody waits") -= 1;
            }
            while self.outside.get(&demand).is_some_and(|&n| n > 0) && (self.take(demand) || self.hop(demand).is_some())
            {
                *self.outside.get_mut(&demand).expect("somebody is outside") -= 1;
            }
        }
    }

    /// Takes a slot that is there. While somebody waits, none is left for others.
    fn take(&mut self, demand: usize) -> bool {
        let done = &self.done;
        let is_free =
            |slot: &&mut Slot| slot.demand == demand && !slot.is_taken && (slot.is_there || done.contains(&slot.node));
        let slot = self.slots.iter_mut().find(is_free);
        slot.map(|slot| slot.is_taken = true).is_some()
    }

    /// Takes the first free spot of the one profile that a unit needs, and gives the node.
    fn hop(&mut self, demand: usize) -> Option<At> {
        let wanted = node::needs_one(&self.problem.demands[demand])?;
        let eligible = &self.problem.demands[demand].eligible;
        let spot = self.free.iter_mut().find(|spot| {
            let is_there = !spot.is_over && (!spot.begins || self.done.contains(&spot.node));
            is_there
                && spot.taken_by.is_none()
                && spot.profile == *wanted
                && eligible.admits(&self.problem.fleet.pools[spot.node.0]).is_ok()
        })?;
        spot.taken_by = Some(demand);
        Some(spot.node)
    }

    /// Whether everything that is to be done is, and everybody has a place: each unit that waits on a spot that lasts
    /// has a slot that is kept for it.
    ///
    /// # Errors
    /// What is missing.
    pub fn finish(mut self) -> Result<(), String> {
        self.settle();
        if let Some(left) = self.touched.keys().next() {
            return Err(format!("node {left:?} is not done"));
        }
        let without = |queue: &BTreeMap<usize, u64>| queue.values().sum::<u64>();
        let left = without(&self.waiting) + without(&self.outside) + without(&self.lost);
        if left > 0 {
            return Err(format!("{left} units have no place in the end"));
        }
        for demand in 0..self.problem.demands.len() {
            let on_spots = self.free.iter().filter(|spot| spot.taken_by == Some(demand)).count();
            let kept = self.slots.iter().filter(|slot| slot.demand == demand && !slot.is_taken).count();
            if on_spots != kept {
                return Err(format!("{on_spots} units of demand {demand} wait for {kept} slots in the end"));
            }
        }
        Ok(())
    }
}
