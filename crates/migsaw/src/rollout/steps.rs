//! What is to be done, and what each step frees and takes.

use std::collections::BTreeMap;

use crate::geometry::{Layout, ProfileId};
use crate::plan::{GpuShare, GpuTarget, Plan, PlannedNodes};
use crate::present::Present;
use crate::problem::Problem;

/// Units by demand.
pub(super) type Units = BTreeMap<usize, u64>;

/// All steps, and what there is before the first.
#[derive(Debug, Default)]
pub(super) struct Work {
    pub(super) steps: Vec<NodeWork>,
    /// Slots that are there from the beginning.
    pub(super) slots: Units,
    /// Units that wait for a slot and will get one.
    pub(super) waiting: Units,
    /// Running units that the plan does not serve any more.
    pub(super) lost: Units,
    /// The priority of each demand.
    pub(super) priorities: Vec<i32>,
}

/// What is to be done to one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NodeWork {
    pub(super) pool: usize,
    pub(super) node: u32,
    pub(super) recut: bool,
    /// The running units that are evicted, with their demands.
    pub(super) evicted: Vec<(usize, usize)>,
    pub(super) evicts: Units,
    /// Slots that are there only once it is done.
    pub(super) brings: Units,
}

impl Work {
    pub(super) fn of(problem: &Problem, plan: &Plan) -> Work {
        let priorities = problem.demands.iter().map(|demand| demand.priority).collect();
        let mut work = Work { priorities, ..Work::default() };
        let mut served = Units::new();
        let mut running = Units::new();
        for planned in &plan.nodes {
            for (range, group) in problem.fleet.pools[planned.pool].node_ranges() {
                let nothing = Present::default();
                let present = group.present.as_ref().unwrap_or(&nothing);
                let nodes = range.start.max(planned.nodes.start)..range.end.min(planned.nodes.end);
                if nodes.is_empty() {
                    continue;
                }
                let count = u64::from(nodes.end - nodes.start);
                for serving in &planned.serves {
                    *served.entry(serving.demand).or_insert(0) += u64::from(serving.units) * count;
                }
                for unit in &present.running {
                    *running.entry(unit.demand).or_insert(0) += count;
                }
                let pinned = |gpu: usize| Some(group.pinned.get(gpu)).flatten();
                let is_recut = (0..planned.gpus.len()).any(|gpu| changes(planned, present, pinned(gpu), gpu));
                let (now, later) = slots(planned, present);
                let is_touched = is_recut || !planned.evicts.is_empty();
                for node in nodes {
                    add(&mut work.slots, &now);
                    if is_touched {
                        work.steps.push(NodeWork::new(planned, present, node, is_recut, later.clone()));
                    } else {
                        add(&mut work.slots, &later);
                    }
                }
            }
        }
        for demand in 0..problem.demands.len() {
            let [served, running] = [&served, &running].map(|units| units.get(&demand).copied().unwrap_or(0));
            work.waiting.insert(demand, served.saturating_sub(running));
            work.lost.insert(demand, running.saturating_sub(served));
        }
        work.steps.sort_by_key(|step| (step.pool, step.node));
        work
    }
}

impl NodeWork {
    fn new(planned: &PlannedNodes, present: &Present, node: u32, recut: bool, brings: Units) -> NodeWork {
        let evicted: Vec<(usize, usize)> =
            planned.evicts.iter().map(|&unit| (unit, present.running[unit].demand)).collect();
        let mut evicts = Units::new();
        for (_, demand) in &evicted {
            *evicts.entry(*demand).or_insert(0) += 1;
        }
        NodeWork { pool: planned.pool, node, recut, evicted, evicts, brings }
    }
}

pub(super) fn add(units: &mut Units, more: &Units) {
    for (&demand, n) in more {
        *units.entry(demand).or_insert(0) += n;
    }
}

/// Whether a GPU gets other instances than it has.
fn changes(planned: &PlannedNodes, present: &Present, pinned: Option<&crate::fleet::GpuState>, gpu: usize) -> bool {
    let today = match (present.layout(gpu), pinned) {
        (None, Some(crate::fleet::GpuState::Pinned(layout))) => Some(layout),
        (today, _) => today,
    };
    planned.gpus[gpu].counts() != today.filter(|layout| !layout.is_empty()).map(Layout::counts)
}

/// The slots of a node: those that are there and free today, and those that come with its step.
fn slots(planned: &PlannedNodes, present: &Present) -> (Units, Units) {
    let free = |gpu: usize, profile: Option<ProfileId>| -> u64 {
        let held = present.running.iter().flat_map(|unit| &unit.holds);
        let here = held.filter(|held| usize::from(held.gpu) == gpu);
        let held = here.filter(|held| held.instance.map(|instance| instance.profile) == profile).count() as u64;
        match (profile, present.layout(gpu), &planned.gpus[gpu]) {
            (Some(id), Some(today), GpuTarget::Mig(target)) if today.counts() == target.counts() => {
                u64::from(today.counts()[id]).saturating_sub(held)
            }
            (None, None, GpuTarget::MigOff) => 1u64.saturating_sub(held),
            _ => 0,
        }
    };
    let mut left: BTreeMap<(u16, Option<ProfileId>), u64> = BTreeMap::new();
    let (mut now, mut later) = (Units::new(), Units::new());
    // A plan from elsewhere may name a demand more than once.
    let mut serves: BTreeMap<usize, (u64, Vec<GpuShare>)> = BTreeMap::new();
    for serving in &planned.serves {
        let (units, shares) = serves.entry(serving.demand).or_default();
        *units += u64::from(serving.units);
        shares.extend(&serving.shares);
    }
    for (demand, (units, shares)) in serves {
        let stays = present
            .running
            .iter()
            .enumerate()
            .filter(|(index, unit)| unit.demand == demand && planned.evicts.binary_search(index).is_err());
        let stays: Vec<_> = stays.map(|(_, unit)| unit).collect();
        let takes = units - stays.len() as u64;
        if takes == 0 {
            continue;
        }
        // What the units that are new here use, and how much of it is free today.
        let mut needed: BTreeMap<(u16, Option<ProfileId>), u64> = BTreeMap::new();
        for share in shares {
            *needed.entry((share.gpu, share.profile)).or_insert(0) += u64::from(share.instances);
        }
        for held in stays.iter().flat_map(|unit| &unit.holds) {
            let profile = held.instance.map(|instance| instance.profile);
            if let Some(n) = needed.get_mut(&(held.gpu, profile)) {
                *n -= 1;
            }
        }
        let per_unit = needed.values().sum::<u64>() / takes;
        let mut there = 0;
        for (&key, &n) in &needed {
            let left = left.entry(key).or_insert_with(|| free(usize::from(key.0), key.1));
            let used = n.min(*left);
            *left -= used;
            there += used;
        }
        // Units of several instances are there once all of them are.
        let whole = if per_unit == 1 {
            there
        } else if there == per_unit * takes {
            takes
        } else {
            0
        };
        now.insert(demand, whole);
        later.insert(demand, takes - whole);
    }
    (now, later)
}
