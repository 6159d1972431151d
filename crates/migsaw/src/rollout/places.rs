//! Slices that a plan does not use, or not yet: where evicted units can wait for their slot.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::steps::Instances;
use crate::demand::{Demand, Request};
use crate::fleet::{GpuState, NodeGroup};
use crate::geometry::{Model, ProfileId, ProfileName};
use crate::plan::PlannedNodes;
use crate::present::Present;
use crate::problem::Problem;

/// Free instances of one profile on one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) pool: usize,
    pub(super) node: u32,
    pub(super) when: When,
    pub(super) count: u64,
}

/// When a place is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum When {
    /// From the beginning to the end.
    Always,
    /// From this step on.
    After(usize),
    /// Until this step, which evicts who waits there.
    Before(usize),
}

/// The places of a rollout.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) all: Vec<Place>,
    /// Places for the same units, those that last first; then by node.
    pub(super) choices: Vec<Vec<usize>>,
    /// Of each demand.
    pub(super) choice_of: Vec<Option<usize>>,
}

/// The free instances of some nodes that are alike.
#[derive(Debug)]
pub(super) struct FoundSpare {
    pool: usize,
    nodes: Range<u32>,
    /// By profile: those that are free until the node's step, and those from then on.
    free: BTreeMap<ProfileName, (u64, u64)>,
}

impl FoundSpare {
    /// What is free on nodes beside what slots use that are there today.
    pub(super) fn of(
        planned: &PlannedNodes,
        group: &NodeGroup,
        models: &[&Model],
        used: &Instances,
        nodes: Range<u32>,
    ) -> FoundSpare {
        let mut free: BTreeMap<ProfileName, (u64, u64)> = BTreeMap::new();
        for ((gpu, target), model) in (0u16..).zip(&planned.gpus).zip(models) {
            let pinned = match group.pinned.get(usize::from(gpu)) {
                Some(GpuState::Pinned(layout)) => Some(layout.counts()),
                _ => None,
            };
            let today = group.present.as_ref().and_then(|present| present.layout(usize::from(gpu)));
            let (today, target) = (today.map(crate::geometry::Layout::counts), target.counts());
            for id in (0..).map(ProfileId).take(model.profiles.len()) {
                let of = |counts: &Option<crate::geometry::Counts>| counts.as_ref().map_or(0, |n| u64::from(n[id]));
                let used = used.get(&(gpu, Some(id))).copied().unwrap_or(0);
                let before = of(&today).saturating_sub(of(&pinned) + held(group.present.as_ref(), gpu, id) + used);
                let after = of(&target).saturating_sub(of(&pinned) + serving(planned, gpu, id));
                if before + after > 0 {
                    let (befores, afters) = free.entry(model.get(id).name.clone()).or_insert((0, 0));
                    *befores += before;
                    *afters += after;
                }
            }
        }
        FoundSpare { pool: planned.pool, nodes, free }
    }
}

/// How many instances running units hold.
fn held(present: Option<&Present>, gpu: u16, id: ProfileId) -> u64 {
    let held = present.into_iter().flat_map(|present| &present.running).flat_map(|unit| &unit.holds);
    held.filter(|held| held.gpu == gpu && held.instance.is_some_and(|instance| instance.profile == id)).count() as u64
}

/// How many instances the plan uses.
fn serving(planned: &PlannedNodes, gpu: u16, id: ProfileId) -> u64 {
    let shares = planned.serves.iter().flat_map(|serving| &serving.shares);
    shares.filter(|share| share.gpu == gpu && share.profile == Some(id)).map(|share| u64::from(share.instances)).sum()
}

/// The profile of whose instances one is all that a unit needs, wherever it is.
fn alone(demand: &Demand) -> Option<&ProfileName> {
    let Request::Profiles { instances, .. } = &demand.request else { return None };
    let one = instances.iter().next().filter(|(_, n)| instances.len() == 1 && **n == 1);
    // What else is on a node counts for those that limit it, which is not followed here.
    one.map(|(name, _)| name).filter(|_| demand.max_per_node.is_none())
}

impl Places {
    /// The places for units of these demands, where these nodes have steps.
    pub(super) fn of(problem: &Problem, spare: &[FoundSpare], demands: &[usize], touched: &[(usize, u32)]) -> Places {
        let mut keys: BTreeMap<(ProfileName, BTreeSet<usize>), usize> = BTreeMap::new();
        let mut choice_of = Vec::new();
        for demand in demands.iter().map(|&demand| &problem.demands[demand]) {
            let pools = problem.fleet.pools.iter().enumerate();
            let pools: BTreeSet<usize> =
                pools.filter(|(_, pool)| demand.eligible.admits(pool).is_ok()).map(|(index, _)| index).collect();
            choice_of.push(alone(demand).map(|name| {
                let next = keys.len();
                *keys.entry((name.clone(), pools)).or_insert(next)
            }));
        }
        let wanted: BTreeSet<&ProfileName> = keys.keys().map(|(name, _)| name).collect();
        let mut found: Vec<(&ProfileName, Place)> = Vec::new();
        for FoundSpare { pool, nodes, free } in spare {
            for (name, &(before, after)) in free.iter().filter(|(name, _)| wanted.contains(name)) {
                for node in nodes.clone() {
                    let place = |when, count| (name, Place { pool: *pool, node, when, count });
                    match touched.binary_search(&(*pool, node)) {
                        Ok(step) => found.extend([place(When::After(step), after), place(When::Before(step), before)]),
                        Err(_) => found.push(place(When::Always, after)),
                    }
                }
            }
        }
        found.retain(|(_, place)| place.count > 0);
        found.sort_by_key(|(name, place)| {
            (matches!(place.when, When::Before(_)), place.pool, place.node, (*name).clone())
        });
        let mut choices = vec![Vec::new(); keys.len()];
        for ((name, pools), choice) in &keys {
            let fits =
                |(_, (other, place)): &(usize, &(&ProfileName, Place))| *other == name && pools.contains(&place.pool);
            choices[*choice] = found.iter().enumerate().filter(fits).map(|(index, _)| index).collect();
        }
        Places { all: found.into_iter().map(|(_, place)| place).collect(), choices, choice_of }
    }
}
