//! What becomes of the nodes on which something runs: which GPUs stay as they are, and which units stay.
//!
//! [`super::keep`] decides that first. What is left is a problem like any other, with the units that stay
//! taken off what is asked for.

use std::collections::BTreeMap;

use crate::fleet::{GpuState, NodeGroup};
use crate::geometry::{Counts, Layout};
use crate::present::{Present, Running};
use crate::problem::Problem;

/// What a GPU is to the planner.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gpu {
    /// It may be cut in any way.
    Idle,
    /// These instances stay; others may be added beside them.
    Pinned(Layout),
    /// It stays cut as it is; the instances that nothing holds may serve.
    Fixed { layout: Layout, free: Counts },
    /// MIG stays off; it may serve as a whole.
    Off,
    /// Nothing can be added.
    Taken,
}

/// What becomes of all nodes on which something runs.
#[derive(Debug, Clone, Default)]
pub(super) struct Decisions {
    /// By pool and node.
    pub(super) nodes: BTreeMap<(usize, u32), Decision>,
    /// Units that stay, by demand.
    pub(super) kept: Vec<u64>,
    /// Most GPUs, and nodes where nodes are what is cut, that may be cut anew besides those of `nodes`.
    pub(super) most_cut: Option<i64>,
}

/// What becomes of one of them.
#[derive(Debug, Clone)]
pub(super) struct Decision {
    /// By index.
    pub(super) gpus: Vec<Gpu>,
    /// What stays on them whatever is planned.
    pub(super) pinned: Vec<Gpu>,
    /// Indices of the running units that are evicted, ascending.
    pub(super) evicts: Vec<usize>,
    /// Units that stay, by demand.
    pub(super) held: BTreeMap<usize, i64>,
}

impl Gpu {
    /// What a GPU is on a node of which nothing is known but what is pinned.
    pub(super) fn of(group: &NodeGroup, gpu: usize) -> Gpu {
        match group.state(gpu) {
            GpuState::Pinned(layout) if !layout.is_empty() => Gpu::Pinned(layout.clone()),
            GpuState::Pinned(_) | GpuState::Idle => Gpu::Idle,
            GpuState::Taken => Gpu::Taken,
        }
    }
}

impl Decision {
    /// The units that stay, with their indices.
    pub(super) fn kept<'p>(&self, present: &'p Present) -> Vec<(usize, &'p Running)> {
        let units = present.running.iter().enumerate();
        units.filter(|(index, _)| self.evicts.binary_search(index).is_err()).collect()
    }

    /// Takes what the units that stay hold off what is free.
    pub(super) fn hold(&mut self, present: &Present) {
        for (_, unit) in self.kept(present) {
            *self.held.entry(unit.demand).or_insert(0) += 1;
            for held in &unit.holds {
                let gpu = &mut self.gpus[usize::from(held.gpu)];
                match (&mut *gpu, held.instance) {
                    (Gpu::Fixed { free, .. }, Some(instance)) => free[instance.profile] -= 1,
                    (Gpu::Off, None) => *gpu = Gpu::Taken,
                    _ => {}
                }
            }
        }
    }
}

impl Decisions {
    /// Units still asked for of a demand.
    pub(super) fn asked(&self, problem: &Problem, demand: usize) -> u64 {
        problem.demands[demand].count - self.kept.get(demand).copied().unwrap_or(0)
    }
}
