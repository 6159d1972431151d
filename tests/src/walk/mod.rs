//! Walks through a rollout pod by pod, and counts who has nowhere to go and whom a disruption budget would keep.
//!
//! Written from what a rollout means, instance by instance; it shares nothing with how orders are found.

use std::collections::{BTreeMap, BTreeSet};

use migsaw::budget::Budget;
use migsaw::fleet::NodeGroup;
use migsaw::geometry::{Counts, ProfileId};
use migsaw::plan::{GpuTarget, Plan, PlannedNodes};
use migsaw::present::Present;
use migsaw::problem::Problem;
use migsaw::rollout::{OverBudget, Rollout, Wave};

/// A place on a node where a unit of a demand is to run that does not run there today.
struct Slot {
    demand: usize,
    node: (usize, u32),
    /// Whether it is there and free before anything happens.
    is_there: bool,
    is_taken: bool,
}

/// What waves do to pods.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Woes {
    /// Units that have nowhere to go, by priority, highest first.
    pub homeless: Vec<u64>,
    /// Units evicted beyond each budget.
    pub over: Vec<u64>,
}

impl Woes {
    /// Adds those of another wave.
    pub fn add(&mut self, more: &Woes) {
        for (all, more) in [(&mut self.homeless, &more.homeless), (&mut self.over, &more.over)] {
            all.resize(more.len(), 0);
            all.iter_mut().zip(more).for_each(|(all, n)| *all += n);
        }
    }

    /// What an order makes as small as it can be, in this order.
    pub fn rank(&self) -> (Vec<u64>, u64) {
        (self.homeless.clone(), self.over.iter().sum())
    }

    /// Whether a wave of so many nodes may do that.
    pub fn is_allowed(&self, nodes: usize) -> bool {
        nodes == 1 || self.over.iter().all(|&n| n == 0)
    }
}

/// A fleet on its way from what runs to a plan.
pub struct Walk<'a> {
    problem: &'a Problem,
    slots: Vec<Slot>,
    waiting: BTreeMap<usize, u64>,
    /// Units to evict that the plan serves nowhere.
    lost: BTreeMap<usize, u64>,
    /// Evicted units without a place yet.
    outside: BTreeMap<usize, u64>,
    /// Evicted units that never get one.
    gone: BTreeMap<usize, u64>,
    done: BTreeSet<(usize, u32)>,
    /// The nodes to which something is to be done, with the demands of the units to evict.
    touched: BTreeMap<(usize, u32), Vec<usize>>,
}

impl<'a> Walk<'a> {
    /// Before the first step.
    ///
    /// # Panics
    /// If the plan is not one for the problem.
    pub fn new(problem: &'a Problem, plan: &Plan) -> Walk<'a> {
        let mut slots = Vec::new();
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
                    let recut = (0..planned.gpus.len()).any(|gpu| today(group, gpu) != planned.gpus[gpu].counts());
                    if recut || !evicted.is_empty() {
                        touched.insert(here, evicted);
                    }
                    for unit in &present.running {
                        *running.entry(unit.demand).or_default() += 1;
                    }
                    for serving in &planned.serves {
                        *served.entry(serving.demand).or_default() += u64::from(serving.units);
                    }
                    slots.extend(slots_of(planned, group, present, here));
                }
            }
        }
        let more = |a: &BTreeMap<usize, u64>, b: &BTreeMap<usize, u64>| {
            let over = |(&demand, n): (&usize, &u64)| (demand, n.saturating_sub(*b.get(&demand).unwrap_or(&0)));
            a.iter().map(over).collect()
        };
        let (waiting, lost) = (more(&served, &running), more(&running, &served));
        Walk {
            problem,
            slots,
            waiting,
            lost,
            outside: BTreeMap::new(),
            gone: BTreeMap::new(),
            done: BTreeSet::new(),
            touched,
        }
    }

    /// The nodes to which something is to be done.
    pub fn touched(&self) -> Vec<(usize, u32)> {
        self.touched.keys().copied().collect()
    }

    /// Goes through a wave of nodes. Gives what that does to pods.
    ///
    /// # Panics
    /// If nothing is to be done to a node, or it is done.
    pub fn wave(&mut self, nodes: &[(usize, u32)]) -> Woes {
        self.settle();
        let mut homeless: BTreeMap<i32, u64> = self.problem.demands.iter().map(|d| (-d.priority, 0)).collect();
        let mut left: Vec<u64> = self.problem.budgets.iter().map(|budget| self.left_of(budget)).collect();
        let mut over = vec![0; left.len()];
        for node in nodes {
            for demand in self.touched.remove(node).expect("something is to be done, once") {
                for (index, budget) in self.problem.budgets.iter().enumerate() {
                    match (budget.demands.contains(&demand), &mut left[index]) {
                        (true, 0) => over[index] += 1,
                        (true, left) => *left -= 1,
                        (false, _) => {}
                    }
                }
                let lost = self.lost.entry(demand).or_default();
                if *lost > 0 {
                    *lost -= 1;
                    *self.gone.entry(demand).or_default() += 1;
                } else if !self.take(demand) {
                    *homeless.entry(-self.problem.demands[demand].priority).or_default() += 1;
                    *self.outside.entry(demand).or_default() += 1;
                }
            }
        }
        self.done.extend(nodes);
        Woes { homeless: homeless.into_values().collect(), over }
    }

    /// How many units may go under a budget before the next wave ends.
    fn left_of(&self, budget: &Budget) -> u64 {
        let down = |demand: &usize| {
            [&self.outside, &self.gone].map(|queue| queue.get(demand).copied().unwrap_or(0)).iter().sum::<u64>()
        };
        budget.allowed.saturating_sub(budget.demands.iter().map(down).sum())
    }

    /// Those that wait go first, then those that are outside.
    fn settle(&mut self) {
        for demand in 0..self.problem.demands.len() {
            for queue in [true, false] {
                let waits = |walk: &mut Walk<'a>| {
                    let queue = if queue { &mut walk.waiting } else { &mut walk.outside };
                    *queue.entry(demand).or_default() > 0
                };
                while waits(self) && self.take(demand) {
                    let queue = if queue { &mut self.waiting } else { &mut self.outside };
                    *queue.get_mut(&demand).expect("somebody waits") -= 1;
                }
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

    /// Whether everything that is to be done is, and everybody has a place.
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
        if left > 0 { Err(format!("{left} units have no place in the end")) } else { Ok(()) }
    }
}

/// Walks through a rollout: what it does to pods.
///
/// # Errors
/// What is wrong with it.
///
/// # Panics
/// If the plan is not one for the problem.
pub fn judge(problem: &Problem, plan: &Plan, rollout: &Rollout, most: usize) -> Result<Woes, String> {
    let mut walk = Walk::new(problem, plan);
    let mut total = Woes::default();
    for wave in &rollout.waves {
        let nodes: Vec<(usize, u32)> = wave.steps.iter().map(|step| (step.pool, step.node)).collect();
        if nodes.is_empty() || nodes.len() > most {
            return Err(format!("a wave of {} nodes", nodes.len()));
        }
        for step in &wave.steps {
            let planned = plan.nodes.iter().find(|p| p.pool == step.pool && p.nodes.contains(&step.node));
            if planned.is_none_or(|planned| planned.evicts != step.evicts) {
                return Err("a step evicts others than the plan".to_owned());
            }
            if !walk.touched.contains_key(&(step.pool, step.node)) {
                return Err("a node that is done, or to which nothing is to be done".to_owned());
            }
        }
        let woes = walk.wave(&nodes);
        compare(wave, &woes)?;
        if !woes.is_allowed(nodes.len()) {
            return Err(format!("a wave of {} nodes goes beyond a budget: {:?}", nodes.len(), woes.over));
        }
        total.add(&woes);
    }
    walk.finish()?;
    Ok(total)
}

/// Whether a rollout says of a wave what happens in it.
fn compare(wave: &Wave, woes: &Woes) -> Result<(), String> {
    let claimed: usize = wave.steps.iter().map(|step| step.homeless.len()).sum();
    if claimed as u64 != woes.homeless.iter().sum::<u64>() {
        return Err(format!("{claimed} are said to be homeless, but {:?} are", woes.homeless));
    }
    let mut over = vec![0; woes.over.len()];
    for OverBudget { budget, units } in wave.steps.iter().flat_map(|step| &step.over_budget) {
        over[*budget] += units;
    }
    if over != woes.over {
        return Err(format!("{over:?} are said to be beyond budgets, but {:?} are", woes.over));
    }
    Ok(())
}

fn today(group: &NodeGroup, gpu: usize) -> Option<Counts> {
    let layout = match (&group.present, group.state(gpu)) {
        (Some(present), _) => present.layout(gpu).cloned(),
        (None, migsaw::fleet::GpuState::Pinned(layout)) => Some(layout.clone()),
        _ => None,
    };
    layout.filter(|layout| !layout.is_empty()).map(|layout| layout.counts())
}

/// The slots of a node, one for each unit that does not run there today.
fn slots_of(planned: &PlannedNodes, group: &NodeGroup, present: &Present, node: (usize, u32)) -> Vec<Slot> {
    // What is there and stays there, and nobody holds: one entry for each instance and whole GPU.
    let mut free: Vec<(u16, Option<ProfileId>)> = Vec::new();
    for (gpu, target) in (0u16..).zip(&planned.gpus) {
        let index = usize::from(gpu);
        if group.present.is_none() || today(group, index) != target.counts() || matches!(target, GpuTarget::Left(_)) {
            // A GPU with MIG off that stays so is there even where nothing is known.
            if !(group.present.is_none() && *target == GpuTarget::MigOff && today(group, index).is_none()) {
                continue;
            }
        }
        match present.layout(index) {
            Some(layout) => free.extend(layout.placements().iter().map(|p| (gpu, Some(p.profile)))),
            None => free.push((gpu, None)),
        }
    }
    let mut remove = |key: (u16, Option<ProfileId>)| {
        let at = free.iter().position(|other| *other == key);
        at.map(|at| free.swap_remove(at)).is_some()
    };
    for held in present.running.iter().flat_map(|unit| &unit.holds) {
        remove((held.gpu, held.instance.map(|instance| instance.profile)));
    }
    let mut slots = Vec::new();
    for serving in &planned.serves {
        let stay: Vec<_> = (present.running.iter().enumerate())
            .filter(|(index, unit)| unit.demand == serving.demand && !planned.evicts.contains(index))
            .map(|(_, unit)| unit)
            .collect();
        let new = u64::from(serving.units) - stay.len() as u64;
        let mut uses: Vec<(u16, Option<ProfileId>)> = Vec::new();
        for share in &serving.shares {
            uses.extend((0..share.instances).map(|_| (share.gpu, share.profile)));
        }
        for held in stay.iter().flat_map(|unit| &unit.holds) {
            let key = (held.gpu, held.instance.map(|instance| instance.profile));
            let at = uses.iter().position(|other| *other == key).expect("what stays is served where it is");
            uses.swap_remove(at);
        }
        let all = uses.len();
        let there = uses.into_iter().filter(|key| remove(*key)).count();
        let each = if new == 0 { 1 } else { all / usize::try_from(new).expect("few units") };
        // Units of several instances count only together.
        let ready = if each == 1 {
            there as u64
        } else if there == all {
            new
        } else {
            0
        };
        slots.extend((0..new).map(|n| Slot { demand: serving.demand, node, is_there: n < ready, is_taken: false }));
    }
    slots
}
