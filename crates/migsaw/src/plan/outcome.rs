//! What planning gives back.

use std::ops::Range;

use crate::geometry::{Layout, ProfileId};
use crate::present::Present;

/// A complete answer: what every node becomes, where everything is served, and how good that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What is known about the plan's quality.
    pub status: Status,
    /// Value and bound of each tier of the objective, most important first.
    pub tiers: Vec<Tier>,
    /// Every node of the fleet exactly once, identical neighbours together, ordered by pool and node.
    pub nodes: Vec<PlannedNodes>,
    /// What is not served and why, at most one entry per demand, in the order of the demands.
    pub unserved: Vec<Unserved>,
}

/// What is known about a plan's quality.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Status {
    /// Every tier meets its bound: no plan is better.
    Optimal,
    /// The plan is right, and the tiers' bounds say how far from the best it can be at most.
    Feasible,
    /// Nothing of what is asked for can be served.
    Infeasible,
    /// The budget was spent before anything was found; the plan serves nothing.
    Unknown,
}

/// One tier of the objective.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// What is counted.
    pub name: TierName,
    /// What the plan reaches.
    pub value: i64,
    /// What no plan can pass, given the tiers before it.
    pub bound: i64,
}

/// What a tier of the objective counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TierName {
    /// Units served of the demands with this priority; more is better.
    Served {
        /// The demands' priority.
        priority: i32,
    },
    /// Running units of the demands with this priority that are evicted; less is better.
    Evicted {
        /// The demands' priority.
        priority: i32,
    },
    /// Units of reconfiguration that are cut anew: nodes, where nodes are what is cut, else GPUs. An instance
    /// made beside ones that stay counts none; less is better.
    Recut,
    /// GPUs in use, where no pool has a price; less is better.
    Gpus,
    /// Cost of the GPUs in use, in millionths; less is better.
    Cost,
    /// Distinct node configurations among nodes in use; less is better.
    Configurations,
    /// Compute and memory slices of the spare instances on GPUs in use, of profiles that some demand
    /// could use; more is better.
    Leftover,
}

/// Neighbouring nodes of one pool that become the same and serve the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedNodes {
    /// Index of the pool in the fleet.
    pub pool: usize,
    /// Indices of the nodes in the pool.
    pub nodes: Range<u32>,
    /// What each GPU becomes, by index.
    pub gpus: Vec<GpuTarget>,
    /// What each of these nodes serves, running units that stay included.
    pub serves: Vec<Serving>,
    /// Which of the units that run on each of these nodes are evicted: indices into
    /// [`Present::running`](crate::present::Present::running), ascending. The others stay where they are.
    pub evicts: Vec<usize>,
}

/// What a GPU becomes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GpuTarget {
    /// MIG off: idle, or serving as a whole GPU.
    MigOff,
    /// Cut into these instances, pinned ones included; at least one.
    Mig(Layout),
    /// Left cut as it is today; nothing serves on it.
    Left(Layout),
}

/// Units of one demand on one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serving {
    /// Index of the demand in the problem.
    pub demand: usize,
    /// How many units each of the nodes serves.
    pub units: u32,
    /// The instances these units use, by GPU and profile. For units that must be together on one GPU,
    /// each GPU's share is a whole number of units.
    pub shares: Vec<GpuShare>,
}

/// Instances of one profile on one GPU, or the GPU as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GpuShare {
    /// Index of the GPU in its node.
    pub gpu: u16,
    /// The profile, or `None` for the whole GPU.
    pub profile: Option<ProfileId>,
    /// How many instances; 1 for a whole GPU.
    pub instances: u32,
}

/// Part of a demand that is not served, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unserved {
    /// Index of the demand in the problem.
    pub demand: usize,
    /// How many units are not served.
    pub count: u64,
    /// The binding limit, for programs.
    pub code: UnservedCode,
    /// The binding limit, for people: a sentence.
    pub reason: String,
    /// The smallest change that would serve them, a sentence; `None` if none was found.
    pub remedy: Option<String>,
}

/// The limit that keeps a demand from being served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum UnservedCode {
    /// No pool the demand may use has a model that gives what it asks for.
    NoSuchProfile,
    /// Labels, pools or taints leave no pool.
    NoEligiblePool,
    /// Only nodes of the other MIG strategy would do.
    WrongStrategy,
    /// One unit needs more than a whole node has.
    TooLargeForNode,
    /// One unit needs more than a whole GPU has.
    TooLargeForGpu,
    /// `maxPerNode` times the nodes is reached.
    MaxPerNode,
    /// The eligible GPUs are full.
    Capacity,
    /// The time limit came first.
    NotDecided,
}

impl UnservedCode {
    /// Whether no unit could be served on the fleet even if nothing else were there.
    pub fn is_forever(self) -> bool {
        match self {
            UnservedCode::NoSuchProfile
            | UnservedCode::NoEligiblePool
            | UnservedCode::WrongStrategy
            | UnservedCode::TooLargeForNode
            | UnservedCode::TooLargeForGpu => true,
            UnservedCode::MaxPerNode | UnservedCode::Capacity | UnservedCode::NotDecided => false,
        }
    }

    /// The code as programs read it.
    pub fn as_str(self) -> &'static str {
        match self {
            UnservedCode::NoSuchProfile => "no-such-profile",
            UnservedCode::NoEligiblePool => "no-eligible-pool",
            UnservedCode::WrongStrategy => "wrong-strategy",
            UnservedCode::TooLargeForNode => "too-large-for-node",
            UnservedCode::TooLargeForGpu => "too-large-for-gpu",
            UnservedCode::MaxPerNode => "max-per-node",
            UnservedCode::Capacity => "capacity",
            UnservedCode::NotDecided => "not-decided",
        }
    }
}

impl Plan {
    /// Units served of each demand, by its index in the problem.
    pub fn served(&self, demands: usize) -> Vec<u64> {
        let mut served = vec![0; demands];
        for group in &self.nodes {
            for serving in &group.serves {
                served[serving.demand] += u64::from(serving.units) * u64::from(group.node_count());
            }
        }
        served
    }

    /// GPUs that are cut or serve as a whole.
    pub fn gpus_used(&self) -> u64 {
        self.nodes.iter().map(|group| group.gpus_used() * u64::from(group.node_count())).sum()
    }
}

impl PlannedNodes {
    /// How many nodes.
    pub fn node_count(&self) -> u32 {
        self.nodes.end - self.nodes.start
    }

    /// Whether every GPU has the instances already that the plan gives it, so that MIG Manager leaves the
    /// nodes alone and nobody need drain them.
    pub fn is_cut_already(&self, present: &Present) -> bool {
        let today = |gpu: usize| present.layout(gpu).filter(|layout| !layout.is_empty()).map(Layout::counts);
        self.gpus.iter().enumerate().all(|(gpu, target)| target.counts() == today(gpu))
    }

    /// Whether something serves on a GPU.
    pub(super) fn serves_on(&self, gpu: usize) -> bool {
        self.serves.iter().flat_map(|serving| &serving.shares).any(|share| usize::from(share.gpu) == gpu)
    }

    /// Whether `next` are the nodes behind these, and become and serve the same.
    pub(crate) fn is_continued_by(&self, next: &PlannedNodes) -> bool {
        self.pool == next.pool
            && self.nodes.end == next.nodes.start
            && self.gpus == next.gpus
            && self.serves == next.serves
            && self.evicts == next.evicts
    }

    /// GPUs of one node that are cut or serve as a whole, those left alone not counted.
    pub fn gpus_used(&self) -> u64 {
        let whole = |gpu: usize| {
            let mut shares = self.serves.iter().flat_map(|serving| &serving.shares);
            shares.any(|share| share.profile.is_none() && usize::from(share.gpu) == gpu)
        };
        let used = |(i, gpu): &(usize, &GpuTarget)| matches!(gpu, GpuTarget::Mig(_)) || whole(*i);
        self.gpus.iter().enumerate().filter(used).count() as u64
    }
}
