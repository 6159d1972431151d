//! What a plan changes, node by node.

use std::collections::BTreeMap;
use std::ops::Range;

use super::outcome::{Plan, PlannedNodes};
use crate::fleet::{GpuState, NodeGroup};
use crate::geometry::{Counts, Layout};
use crate::problem::Problem;

/// What becomes of neighbouring nodes of one pool in the same state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeChange {
    /// Index of the pool in the fleet.
    pub pool: usize,
    /// Indices of the nodes in the pool.
    pub nodes: Range<u32>,
    /// Whether it is known what runs there; if not, each node counts as empty but for what is pinned.
    pub is_known: bool,
    /// The GPUs of each node that get other instances, by index.
    pub gpus: Vec<GpuChange>,
    /// The units that are evicted from each node, by demand.
    pub evicts: BTreeMap<usize, u64>,
    /// The units that each node serves and that do not run there today, by demand.
    pub takes: BTreeMap<usize, u64>,
}

/// A GPU that gets other instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuChange {
    /// Its index in the node.
    pub gpu: usize,
    /// The instances it has; `None` for MIG off.
    pub from: Option<Counts>,
    /// The instances it gets; `None` for MIG off.
    pub to: Option<Counts>,
}

impl NodeChange {
    /// Whether nothing happens to the nodes.
    pub fn is_none(&self) -> bool {
        self.gpus.is_empty() && self.evicts.is_empty() && self.takes.is_empty()
    }
}

impl Plan {
    /// What becomes of every node, equal neighbours together.
    ///
    /// # Panics
    /// If the plan is not one for the problem, as [`crate::check::check`] judges.
    pub fn changes(&self, problem: &Problem) -> Vec<NodeChange> {
        let mut changes = Vec::new();
        for planned in &self.nodes {
            for (range, group) in problem.fleet.pools[planned.pool].node_ranges() {
                let nodes = range.start.max(planned.nodes.start)..range.end.min(planned.nodes.end);
                if !nodes.is_empty() {
                    changes.push(change(planned, group, nodes));
                }
            }
        }
        changes
    }
}

fn change(planned: &PlannedNodes, group: &NodeGroup, nodes: Range<u32>) -> NodeChange {
    let today = |gpu: usize| match (&group.present, group.state(gpu)) {
        (Some(present), _) => present.layout(gpu).filter(|layout| !layout.is_empty()).map(Layout::counts),
        (None, GpuState::Pinned(layout)) => Some(layout.counts()).filter(|counts| !counts.is_empty()),
        (None, GpuState::Idle | GpuState::Taken) => None,
    };
    let gpus = planned.gpus.iter().enumerate().map(|(gpu, target)| (gpu, today(gpu), target.counts()));
    let changed = gpus.filter(|(_, from, to)| from != to).map(|(gpu, from, to)| GpuChange { gpu, from, to });
    let mut evicts = BTreeMap::new();
    let mut takes: BTreeMap<usize, u64> =
        planned.serves.iter().map(|serving| (serving.demand, u64::from(serving.units))).collect();
    let running = group.present.iter().flat_map(|present| present.running.iter().enumerate());
    for (index, unit) in running {
        if planned.evicts.binary_search(&index).is_ok() {
            *evicts.entry(unit.demand).or_insert(0) += 1;
        } else if let Some(units) = takes.get_mut(&unit.demand) {
            *units -= 1;
        }
    }
    takes.retain(|_, units| *units > 0);
    let is_known = group.present.is_some();
    NodeChange { pool: planned.pool, nodes, is_known, gpus: changed.collect(), evicts, takes }
}
