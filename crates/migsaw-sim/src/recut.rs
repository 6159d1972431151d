//! GPUs that are cut anew while a simulation goes on, as a planner says.
//!
//! The simulator knows how long that takes and what it may cost; how GPUs are to be cut is somebody else's to say.

use std::collections::BTreeSet;
use std::fmt::Debug;

use migsaw::geometry::{Layout, Placement, ProfileName};
use migsaw::present::RecutUnit;

use crate::limits::Limits;

/// Who says how GPUs are to be cut.
pub trait Recut: Debug + Send + Sync {
    /// How they are to be cut from now on.
    ///
    /// What cannot be done is left undone: where other pods run than those that may be evicted, where something is
    /// pinned, and where GPUs are being cut already.
    fn recut(&self, now: &Standing<'_>) -> NewCuts;
}

/// When GPUs are cut anew, and what that costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recutting {
    /// The planner is asked when a pod fits nowhere, but not again before so many seconds.
    pub every: u64,
    /// How long what is cut anew is closed, in seconds.
    pub time: u64,
    /// What must be idle together to be cut anew, and is closed for that time; `None` for what the fleet says of each
    /// node. The GPU also stands for the instance.
    pub unit: Option<RecutUnit>,
    /// Pods that may be evicted for it each time, at most.
    pub max_evictions: u32,
}

/// What there is when the planner is asked.
#[derive(Debug)]
pub struct Standing<'a> {
    /// The profiles that pods ask for.
    pub profiles: &'a [ProfileName],
    /// The placement units of each.
    pub sizes: Vec<u64>,
    /// The placement units of all GPUs.
    pub units: u64,
    /// Where pods may go.
    pub limits: &'a [Limits],
    /// What pods asked for that came lately.
    pub asked: Vec<AskedStanding<'a>>,
    /// The nodes, in the order of the fleet's.
    pub nodes: Vec<NodeStanding>,
    /// The pods that run.
    pub running: Vec<PodStanding<'a>>,
    /// Pods that may be evicted, at most.
    pub max_evictions: u32,
}

/// Pods that came lately and are alike.
#[derive(Debug)]
pub struct AskedStanding<'a> {
    /// What they asked for: index of the profile, and how many.
    pub asks: &'a [(u16, u8)],
    /// Index of their limits among [`Standing::limits`].
    pub limits: u16,
    /// Their weight among all.
    pub weight: u64,
}

/// A node.
#[derive(Debug)]
pub struct NodeStanding {
    /// Index of its pool in the fleet.
    pub pool: usize,
    /// Its index in the pool.
    pub number: u32,
    /// What must be idle together to be cut anew.
    pub unit: RecutUnit,
    /// Index of each GPU that is simulated, and how it is cut.
    pub gpus: Vec<(u16, Layout)>,
}

/// A pod that runs.
#[derive(Debug)]
pub struct PodStanding<'a> {
    /// Its number.
    pub pod: u32,
    /// What it asked for: index of the profile, and how many.
    pub asks: &'a [(u16, u8)],
    /// Index of its limits among [`Standing::limits`].
    pub limits: u16,
    /// Its priority.
    pub priority: i32,
    /// Index of its node among [`Standing::nodes`].
    pub node: usize,
    /// What it holds: index of the GPU in the node, and the instance.
    pub holds: Vec<(u16, Placement)>,
}

/// What a planner answers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewCuts {
    /// Index of the node, of the GPU in the node, and how it is to be cut. GPUs that are not named stay as they are, and
    /// so do those that have the same instances at other starts.
    pub cuts: Vec<(usize, u16, Layout)>,
    /// Numbers of the pods that may be evicted for it.
    pub evicts: BTreeSet<u32>,
}
