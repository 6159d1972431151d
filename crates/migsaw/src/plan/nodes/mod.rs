//! From a solved program to nodes: which GPU becomes what, and which units each node serves.
//!
//! [`pieces`] says what GPUs become, [`queue`] hands that out GPU by GPU, [`pending`] gives units to nodes whose
//! instances are there, and [`free`] knows which nodes have no role yet. Nodes of an identical cell all come
//! out the same; those of a pooled one are filled in their order.

mod free;
mod identical;
mod pending;
mod pieces;
mod pooled;
mod queue;

use std::ops::Range;

use super::compile::{Compiled, Kind, Shape};
use crate::geometry::Counts;

pub(super) use free::FreeNodes;
pub(super) use identical::build_identical;
pub(super) use pooled::build_pooled;

/// Some nodes of a pool that become the same and serve the same flows.
#[derive(Debug, Clone)]
pub(super) struct NodeBuild {
    pub(super) pool: usize,
    pub(super) class: usize,
    pub(super) nodes: Vec<Range<u32>>,
    /// By GPU index.
    pub(super) gpus: Vec<GpuBuild>,
    pub(super) loads: Vec<Load>,
}

/// What is added to a GPU.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct GpuBuild {
    pub(super) added: Counts,
    /// Sets of instances that were put together on it.
    pub(super) bundles: Vec<Counts>,
}

/// Units of a flow on one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) flow: usize,
    pub(super) units: i64,
    /// Instances by line and kind, for all units together.
    pub(super) lines: Vec<Vec<(Kind, i64)>>,
    /// What each unit takes of one GPU of a board.
    pub(super) bundle: Option<(usize, Counts)>,
}

impl Load {
    /// The GPUs it takes as a whole.
    pub(super) fn whole(&self, compiled: &Compiled<'_>) -> i64 {
        match compiled.flows[self.flow].shape {
            Shape::Whole { gpus } => gpus * self.units,
            Shape::Slices { .. } => 0,
        }
    }
}
