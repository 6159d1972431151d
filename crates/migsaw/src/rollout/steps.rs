//! What is to be done, and what each step frees and takes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::places::{FoundSpare, Place, Places};
use crate::fleet::GpuState;
use crate::geometry::{Layout, Model, ProfileId};
use crate::plan::{GpuShare, GpuTarget, Plan, PlannedNodes};
use crate::present::Present;
use crate::problem::Problem;

/// Units by demand of the problem.
type Units = BTreeMap<usize, u64>;

/// All steps, and what there is before the first.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) steps: Vec<NodeWork>,
    /// The demands of which some unit is evicted, those of the highest priority first. Others need no care.
    pub(super) demands: Vec<DemandWork>,
    /// How many priorities they have.
    pub(super) priorities: usize,
    /// The budgets that cover one of them.
    pub(super) budgets: Vec<BudgetWork>,
    /// Slices that the plan does not use, at least until a node's step.
    pub(super) places: Vec<Place>,
    /// Places for the same units, those that last first; then by node.
    pub(super) choices: Vec<Vec<usize>>,
}

/// A demand of which some unit is evicted.
#[derive(Debug)]
pub(super) struct DemandWork {
    /// Its priority, as an index: 0 for the highest.
    pub(super) level: usize,
    /// Slots that are there from the beginning.
    pub(super) slots: u64,
    /// Units that wait for a slot and will get one.
    pub(super) waiting: u64,
    /// Running units that the plan does not serve any more.
    pub(super) to_lose: u64,
    /// The budgets of the work that cover it.
    pub(super) budgets: Vec<usize>,
    /// Which of the work's choices of places its units have; `None` for none.
    pub(super) choice: Option<usize>,
}

/// A budget, with demands of the work.
#[derive(Debug)]
pub(super) struct BudgetWork {
    /// Index in the problem.
    pub(super) index: usize,
    pub(super) allowed: u64,
    pub(super) demands: Vec<usize>,
}

/// What is to be done to one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NodeWork {
    pub(super) pool: usize,
    pub(super) node: u32,
    pub(super) recut: bool,
    /// The running units that are evicted, with their demands of the work.
    pub(super) evicted: Vec<(usize, usize)>,
    /// The same by demand.
    pub(super) evicts: Vec<(usize, u64)>,
    /// Slots that are there only once it is done, by demand.
    pub(super) brings: Vec<(usize, u64)>,
}

/// The same with demands of the problem, and all of them.
#[derive(Debug, Default)]
struct Found {
    steps: Vec<FoundStep>,
    slots: Units,
    waiting: Units,
    lost: Units,
    spare: Vec<FoundSpare>,
}

#[derive(Debug)]
struct FoundStep {
    pool: usize,
    node: u32,
    recut: bool,
    evicted: Vec<(usize, usize)>,
    brings: Units,
}

impl Work {
    pub(super) fn of(problem: &Problem, plan: &Plan) -> Work {
        let found = Found::of(problem, plan);
        let evicted: BTreeSet<usize> =
            found.steps.iter().flat_map(|step| &step.evicted).map(|(_, demand)| *demand).collect();
        let mut order: Vec<usize> = evicted.into_iter().collect();
        order.sort_by_key(|&demand| Reverse(problem.demands[demand].priority));
        let levels: BTreeSet<Reverse<i32>> = order.iter().map(|&d| Reverse(problem.demands[d].priority)).collect();
        let levels: Vec<Reverse<i32>> = levels.into_iter().collect();
        let index_of: BTreeMap<usize, usize> = order.iter().enumerate().map(|(i, &demand)| (demand, i)).collect();
        let of = |units: &Units, demand: usize| units.get(&demand).copied().unwrap_or(0);
        let budgets = problem.budgets.iter().enumerate().map(|(index, budget)| BudgetWork {
            index,
            allowed: budget.allowed,
            demands: budget.demands.iter().filter_map(|demand| index_of.get(demand).copied()).collect(),
        });
        let budgets: Vec<BudgetWork> = budgets.filter(|budget| !budget.demands.is_empty()).collect();
        let covering = |demand: usize| {
            let covers = |(_, budget): &(usize, &BudgetWork)| budget.demands.contains(&demand);
            budgets.iter().enumerate().filter(covers).map(|(index, _)| index).collect()
        };
        let touched: Vec<(usize, u32)> = found.steps.iter().map(|step| (step.pool, step.node)).collect();
        let Places { all: places, choices, choice_of } = Places::of(problem, &found.spare, &order, &touched);
        let demand = |&demand: &usize| DemandWork {
            level: levels.binary_search(&Reverse(problem.demands[demand].priority)).expect("every priority is there"),
            slots: of(&found.slots, demand),
            waiting: of(&found.waiting, demand),
            to_lose: of(&found.lost, demand),
            budgets: covering(index_of[&demand]),
            choice: choice_of[index_of[&demand]],
        };
        Work {
            demands: order.iter().map(demand).collect(),
            priorities: levels.len(),
            budgets,
            places,
            choices,
            steps: found.steps.iter().map(|step| NodeWork::of(step, &index_of)).collect(),
        }
    }
}

impl NodeWork {
    fn of(step: &FoundStep, index_of: &BTreeMap<usize, usize>) -> NodeWork {
        let evicted: Vec<(usize, usize)> =
            step.evicted.iter().map(|(unit, demand)| (*unit, index_of[demand])).collect();
        let mut evicts: BTreeMap<usize, u64> = BTreeMap::new();
        for (_, demand) in &evicted {
            *evicts.entry(*demand).or_insert(0) += 1;
        }
        let brings = step.brings.iter().filter(|(_, n)| **n > 0);
        NodeWork {
            pool: step.pool,
            node: step.node,
            recut: step.recut,
            evicted,
            evicts: evicts.into_iter().collect(),
            brings: brings.filter_map(|(demand, &n)| Some((*index_of.get(demand)?, n))).collect(),
        }
    }
}

impl Found {
    fn of(problem: &Problem, plan: &Plan) -> Found {
        let mut found = Found::default();
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
                let Slots { now, later, used } = slots(planned, present, &group.pinned);
                let is_touched = is_recut || !planned.evicts.is_empty();
                let models: Vec<&Model> = problem.fleet.pools[planned.pool].gpu_models().map(AsRef::as_ref).collect();
                found.spare.push(FoundSpare::of(planned, group, &models, &used, nodes.clone()));
                for node in nodes {
                    add(&mut found.slots, &now);
                    if is_touched {
                        let evicted = planned.evicts.iter().map(|&unit| (unit, present.running[unit].demand));
                        found.steps.push(FoundStep {
                            pool: planned.pool,
                            node,
                            recut: is_recut,
                            evicted: evicted.collect(),
                            brings: later.clone(),
                        });
                    } else {
                        add(&mut found.slots, &later);
                    }
                }
            }
        }
        for demand in 0..problem.demands.len() {
            let [served, running] = [&served, &running].map(|units| units.get(&demand).copied().unwrap_or(0));
            found.waiting.insert(demand, served.saturating_sub(running));
            found.lost.insert(demand, running.saturating_sub(served));
        }
        found.steps.sort_by_key(|step| (step.pool, step.node));
        found
    }
}

fn add(units: &mut Units, more: &Units) {
    for (&demand, n) in more {
        *units.entry(demand).or_insert(0) += n;
    }
}

/// Whether a GPU gets other instances than it has.
fn changes(planned: &PlannedNodes, present: &Present, pinned: Option<&GpuState>, gpu: usize) -> bool {
    let today = match (present.layout(gpu), pinned) {
        (None, Some(GpuState::Pinned(layout))) => Some(layout),
        (today, _) => today,
    };
    planned.gpus[gpu].counts() != today.filter(|layout| !layout.is_empty()).map(Layout::counts)
}

/// Instances by GPU and profile; whole GPUs where there is none.
pub(super) type Instances = BTreeMap<(u16, Option<ProfileId>), u64>;

/// The slots of a node.
struct Slots {
    /// Those that are there and free today.
    now: Units,
    /// Those that come with its step.
    later: Units,
    /// What is free today and used by a slot.
    used: Instances,
}

fn slots(planned: &PlannedNodes, present: &Present, pinned: &[GpuState]) -> Slots {
    let free = |gpu: usize, profile: Option<ProfileId>| -> u64 {
        let held = present.running.iter().flat_map(|unit| &unit.holds);
        let here = held.filter(|held| usize::from(held.gpu) == gpu);
        let held = here.filter(|held| held.instance.map(|instance| instance.profile) == profile).count() as u64;
        match (profile, present.layout(gpu), &planned.gpus[gpu]) {
            (Some(id), Some(today), GpuTarget::Mig(target)) if today.counts() == target.counts() => {
                let pinned = match pinned.get(gpu) {
                    Some(GpuState::Pinned(layout)) => u64::from(layout.counts()[id]),
                    _ => 0,
                };
                u64::from(today.counts()[id]).saturating_sub(held + pinned)
            }
            (None, None, GpuTarget::MigOff) => 1u64.saturating_sub(held),
            _ => 0,
        }
    };
    let (mut left, mut all_used) = (Instances::new(), Instances::new());
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
        let mut needed = Instances::new();
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
            *all_used.entry(key).or_insert(0) += used;
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
    Slots { now, later, used: all_used }
}
