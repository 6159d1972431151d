//! What can be wrong with a plan.

use super::place::{GpuPlace, NodePlace};
use crate::fleet::{Strategy, Taint};
use crate::plan::{Status, TierName};

/// One thing that is wrong with a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// The plan speaks of a pool that is not there.
    #[error("the plan names pool number {pool}, but the fleet has {pools} (expected an index below that)")]
    UnknownPool {
        /// The index.
        pool: usize,
        /// How many pools there are.
        pools: usize,
    },
    /// A range of nodes is empty, reversed, or goes past the pool's last node.
    #[error("pool `{pool}`: nodes {start}..{end} are no range of its {nodes} nodes")]
    NodeRange {
        /// The pool.
        pool: String,
        /// The first node's index.
        start: u32,
        /// The index behind the last node.
        end: u32,
        /// How many nodes the pool has.
        nodes: u64,
    },
    /// Nodes are planned more than once.
    #[error("{node} is planned twice (expected once)")]
    NodeTwice {
        /// The nodes.
        node: NodePlace,
    },
    /// Nodes are not planned at all.
    #[error("{node} is missing from the plan (expected every node once)")]
    NodeMissing {
        /// The nodes.
        node: NodePlace,
    },
    /// The plan gives a node more or fewer GPUs than it has.
    #[error("{node} has {expected} GPUs, but the plan gives it {found}")]
    GpuCount {
        /// The nodes.
        node: NodePlace,
        /// GPUs in the plan.
        found: usize,
        /// GPUs there are.
        expected: u64,
    },
    /// A profile's index is none of the model's.
    #[error("{place}: {model} has no profile number {profile}")]
    UnknownProfile {
        /// The GPU.
        place: GpuPlace,
        /// Its model.
        model: String,
        /// The index.
        profile: u8,
    },
    /// A GPU is in MIG mode without an instance.
    #[error("{place} is cut into no instance (expected at least one, or MIG off)")]
    EmptyLayout {
        /// The GPU.
        place: GpuPlace,
    },
    /// An instance starts where it cannot.
    #[error("{place}: {profile} cannot start at {start} on {model} (legal starts: {})", list(legal))]
    IllegalStart {
        /// The GPU.
        place: GpuPlace,
        /// Its model.
        model: String,
        /// The profile.
        profile: String,
        /// The start, in placement units.
        start: u8,
        /// Where it may start.
        legal: Vec<u8>,
    },
    /// Two instances take the same placement unit.
    #[error("{place}: {second} overlaps {first}")]
    Overlap {
        /// The GPU.
        place: GpuPlace,
        /// One of them, `3g.40gb@4`.
        first: String,
        /// The other.
        second: String,
    },
    /// More instances of a profile than the driver allows.
    #[error("{place}: {found} instances of {profile}, but {model} allows {most}")]
    TooManyInstances {
        /// The GPU.
        place: GpuPlace,
        /// Its model.
        model: String,
        /// The profile.
        profile: String,
        /// How many there are.
        found: u64,
        /// How many are allowed.
        most: u8,
    },
    /// The instances hold more media engines than there are.
    #[error("{place}: the instances hold {found} {engine}, but {model} has {most}")]
    TooManyEngines {
        /// The GPU.
        place: GpuPlace,
        /// Its model.
        model: String,
        /// Which engine.
        engine: &'static str,
        /// How many the instances hold.
        found: u64,
        /// How many there are.
        most: u16,
    },
    /// An instance that must stay is gone.
    #[error("{place}: {instance} is pinned there, but the plan does not keep it")]
    PinnedLost {
        /// The GPU.
        place: GpuPlace,
        /// The instance, `3g.40gb@4`.
        instance: String,
    },
    /// A GPU in use as a whole is cut.
    #[error("{place} is in use as a whole, but the plan cuts it (expected MIG off)")]
    TakenCut {
        /// The GPU.
        place: GpuPlace,
    },
    /// A node of strategy `single` carries two profiles.
    #[error("{node} has strategy single, but carries {first} and {second} (expected one profile)")]
    SingleTwoProfiles {
        /// The nodes.
        node: NodePlace,
        /// One profile.
        first: String,
        /// Another.
        second: String,
    },
    /// A node of strategy `single` has GPUs with MIG on and others with MIG off.
    #[error("{place} has MIG off while others of its node are cut (strategy single expects all or none)")]
    SinglePartlyCut {
        /// The first GPU with MIG off.
        place: GpuPlace,
    },
    /// The plan speaks of a demand that is not there.
    #[error("the plan names demand number {demand}, but there are {demands} (expected an index below that)")]
    UnknownDemand {
        /// The index.
        demand: usize,
        /// How many demands there are.
        demands: usize,
    },
    /// A demand is served where it may not go.
    #[error("demand `{demand}` may not use {node}: {barrier}")]
    Ineligible {
        /// The demand.
        demand: String,
        /// The nodes.
        node: NodePlace,
        /// Why.
        barrier: Barrier,
    },
    /// A demand is served by a GPU that the node does not have.
    #[error("demand `{demand}` is served by {place}, but the node has {gpus} GPUs")]
    UnknownGpu {
        /// The demand.
        demand: String,
        /// The GPU that is not there.
        place: GpuPlace,
        /// How many there are.
        gpus: usize,
    },
    /// A demand is served by instances of a profile that do not give what it asks for.
    #[error("demand `{demand}` is served by {profile} of {place}, which is not what it asks for ({asked})")]
    WrongKind {
        /// The demand.
        demand: String,
        /// The GPU.
        place: GpuPlace,
        /// The profile, or `the whole`.
        profile: String,
        /// What is asked for.
        asked: String,
    },
    /// The instances are not those of so many units.
    #[error(
        "demand `{demand}` on {node}: {units} units need {expected} instances ({asked} each), but {found} serve them"
    )]
    WrongInstances {
        /// The demand.
        demand: String,
        /// The nodes.
        node: NodePlace,
        /// Units served.
        units: u32,
        /// What one unit asks for.
        asked: String,
        /// Instances these units need.
        expected: u64,
        /// Instances that can serve them.
        found: u64,
    },
    /// A unit that must be on one GPU is on several, or only in part.
    #[error("demand `{demand}`: the instances of {place} are no whole number of units ({asked} on one GPU)")]
    NotTogether {
        /// The demand.
        demand: String,
        /// The GPU.
        place: GpuPlace,
        /// What one unit asks for.
        asked: String,
    },
    /// A unit is made of instances of different profiles.
    #[error("demand `{demand}` on {node}: {found} instances of {profile} are no whole number of units of {per_unit}")]
    MixedUnit {
        /// The demand.
        demand: String,
        /// The nodes.
        node: NodePlace,
        /// The profile.
        profile: String,
        /// Instances of it.
        found: u64,
        /// Instances of one unit, all of one profile.
        per_unit: u32,
    },
    /// A GPU that is cut serves as a whole.
    #[error("demand `{demand}` is served by {place} as a whole, but it is cut (expected MIG off)")]
    WholeCut {
        /// The demand.
        demand: String,
        /// The GPU.
        place: GpuPlace,
    },
    /// A GPU that is already taken as a whole serves.
    #[error("demand `{demand}` is served by {place} as a whole, but it is taken already")]
    WholeTaken {
        /// The demand.
        demand: String,
        /// The GPU.
        place: GpuPlace,
    },
    /// One GPU serves as a whole more than once.
    #[error("{place} serves {times} times as a whole (expected once)")]
    WholeTwice {
        /// The GPU.
        place: GpuPlace,
        /// How often.
        times: u64,
    },
    /// More instances serve than there are, beside the pinned ones.
    #[error("{place}: {used} instances of {profile} serve, but {free} are there that are not pinned")]
    Overcommitted {
        /// The GPU.
        place: GpuPlace,
        /// The profile.
        profile: String,
        /// Instances that serve.
        used: u64,
        /// Instances there are, without the pinned ones.
        free: u64,
    },
    /// The plan evicts a unit that is not there.
    #[error("{node}: the plan evicts running unit number {unit}, but {running} run there (counted from 0)")]
    UnknownRunning {
        /// The nodes.
        node: NodePlace,
        /// The index.
        unit: usize,
        /// Units that run there.
        running: usize,
    },
    /// The plan evicts a unit twice.
    #[error("{node}: the plan evicts running unit number {unit} twice (expected once)")]
    EvictedTwice {
        /// The nodes.
        node: NodePlace,
        /// The index.
        unit: usize,
    },
    /// The plan evicts a unit that must stay.
    #[error("{node}: the plan evicts running unit {unit}, which must stay")]
    EvictsStaying {
        /// The nodes.
        node: NodePlace,
        /// The unit.
        unit: String,
    },
    /// The plan evicts a unit although a disruption budget lets none of its demand go.
    #[error("{node}: the plan evicts running unit {unit}, but disruption budget `{budget}` allows none")]
    EvictsBudgeted {
        /// The nodes.
        node: NodePlace,
        /// The unit.
        unit: String,
        /// The budget.
        budget: String,
    },
    /// A running unit that stays loses what it holds.
    #[error("{place}: a running unit stays, but what it holds is not there any more (evict it, or leave that)")]
    RunningLost {
        /// The GPU.
        place: GpuPlace,
    },
    /// A GPU is cut anew although a running unit keeps it, or its node, from being idle.
    #[error("{place} is cut anew under a running unit that stays (evict it, or leave the GPU as it is)")]
    RecutUnderRunning {
        /// The GPU.
        place: GpuPlace,
    },
    /// Running units that stay are not among those served.
    #[error("{node}: {units} running units of demand `{demand}` stay, but are not all served where they are")]
    RunningNotServed {
        /// The nodes.
        node: NodePlace,
        /// The demand.
        demand: String,
        /// Units that stay.
        units: u64,
    },
    /// A GPU is said to be left as it is, but is not.
    #[error("{place} is said to be left alone, but that is not how it is cut today, or something serves on it")]
    NotLeft {
        /// The GPU.
        place: GpuPlace,
    },
    /// Too many units of a demand on one node.
    #[error("{node} serves {found} units of demand `{demand}`, which allows {most} on one node")]
    TooManyOnNode {
        /// The demand.
        demand: String,
        /// The nodes.
        node: NodePlace,
        /// Units on each of them.
        found: u64,
        /// Most there may be.
        most: u32,
    },
    /// More is served than was asked for.
    #[error("demand `{demand}` asks for {asked} units, but {served} are served")]
    OverServed {
        /// The demand.
        demand: String,
        /// Units asked for.
        asked: u64,
        /// Units served.
        served: u64,
    },
    /// What is reported as unserved is not what is missing.
    #[error("demand `{demand}`: {found} units are reported as unserved, but {expected} of {asked} are")]
    UnservedCount {
        /// The demand.
        demand: String,
        /// Units reported.
        found: u64,
        /// Units missing.
        expected: u64,
        /// Units asked for.
        asked: u64,
    },
    /// A demand is reported as unserved more than once.
    #[error("demand `{demand}` is reported as unserved twice (expected one entry)")]
    UnservedTwice {
        /// The demand.
        demand: String,
    },
    /// The tiers are not those of the problem.
    #[error("the tiers are [{}], but the problem's are [{}]", tiers(found), tiers(expected))]
    TierList {
        /// The plan's tiers.
        found: Vec<TierName>,
        /// The problem's.
        expected: Vec<TierName>,
    },
    /// A tier's value is not what the plan reaches.
    #[error("tier {} claims {found}, but the plan reaches {expected}", tier(*name))]
    TierValue {
        /// The tier.
        name: TierName,
        /// The plan's claim.
        found: i64,
        /// What it reaches.
        expected: i64,
    },
    /// A tier's value is better than its bound, so one of them is wrong.
    #[error("tier {} has value {value}, which is better than its bound {bound}", tier(*name))]
    TierBound {
        /// The tier.
        name: TierName,
        /// Its value.
        value: i64,
        /// Its bound.
        bound: i64,
    },
    /// The status is not what the tiers and the service say.
    #[error("the status is {status:?}, but {because}")]
    Status {
        /// The status.
        status: Status,
        /// What speaks against it.
        because: StatusReason,
    },
}

/// Why a demand may not use a node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Barrier {
    /// It lists other pools.
    #[error("pool `{pool}` is none of those it lists")]
    Pool {
        /// The node's pool.
        pool: String,
    },
    /// It needs the other strategy.
    #[error("it needs strategy {needed}")]
    Strategy {
        /// The strategy it needs.
        needed: Strategy,
    },
    /// Its node selector fails.
    #[error("its node selector does not match the labels")]
    Selector,
    /// A taint keeps it away.
    #[error("it does not tolerate taint `{0}`")]
    Taint(Taint),
}

/// What speaks against a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StatusReason {
    /// Optimal needs tiers.
    #[error("the plan has no tiers to prove it")]
    NoTiers,
    /// A tier misses its bound.
    #[error("tier {} misses its bound", tier(*.0))]
    BoundMissed(TierName),
    /// Every tier meets its bound.
    #[error("every tier meets its bound (expected Optimal)")]
    AllBoundsMet,
    /// Something is served.
    #[error("the plan serves something")]
    SomethingServed,
    /// Nothing is asked for, so nothing can be missing.
    #[error("nothing is asked for (expected Optimal)")]
    NothingAsked,
}

impl Violation {
    /// A stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Violation::UnknownPool { .. } => "plan-unknown-pool",
            Violation::NodeRange { .. } => "node-range",
            Violation::NodeTwice { .. } => "node-twice",
            Violation::NodeMissing { .. } => "node-missing",
            Violation::GpuCount { .. } => "gpu-count",
            Violation::UnknownProfile { .. } => "plan-unknown-profile",
            Violation::EmptyLayout { .. } => "empty-layout",
            Violation::IllegalStart { .. } => "illegal-start",
            Violation::Overlap { .. } => "overlap",
            Violation::TooManyInstances { .. } => "too-many-instances",
            Violation::TooManyEngines { .. } => "engines-exceeded",
            Violation::PinnedLost { .. } => "pinned-lost",
            Violation::TakenCut { .. } => "taken-cut",
            Violation::SingleTwoProfiles { .. } => "single-two-profiles",
            Violation::SinglePartlyCut { .. } => "single-partly-cut",
            Violation::UnknownDemand { .. } => "plan-unknown-demand",
            Violation::Ineligible { .. } => "ineligible",
            Violation::UnknownGpu { .. } => "plan-unknown-gpu",
            Violation::WrongKind { .. } => "wrong-kind",
            Violation::WrongInstances { .. } => "wrong-instances",
            Violation::NotTogether { .. } => "not-together",
            Violation::MixedUnit { .. } => "mixed-unit",
            Violation::WholeCut { .. } => "whole-cut",
            Violation::WholeTaken { .. } => "whole-taken",
            Violation::WholeTwice { .. } => "whole-twice",
            Violation::Overcommitted { .. } => "overcommitted",
            Violation::UnknownRunning { .. } => "plan-unknown-running",
            Violation::EvictedTwice { .. } => "evicted-twice",
            Violation::EvictsStaying { .. } => "evicts-staying",
            Violation::EvictsBudgeted { .. } => "evicts-budgeted",
            Violation::RunningLost { .. } => "running-lost",
            Violation::RecutUnderRunning { .. } => "recut-under-running",
            Violation::RunningNotServed { .. } => "running-not-served",
            Violation::NotLeft { .. } => "not-left",
            Violation::TooManyOnNode { .. } => "too-many-on-node",
            Violation::OverServed { .. } => "over-served",
            Violation::UnservedCount { .. } => "unserved-count",
            Violation::UnservedTwice { .. } => "unserved-twice",
            Violation::TierList { .. } => "tier-list",
            Violation::TierValue { .. } => "tier-value",
            Violation::TierBound { .. } => "tier-bound",
            Violation::Status { .. } => "status",
        }
    }
}

fn list(numbers: &[u8]) -> String {
    numbers.iter().map(u8::to_string).collect::<Vec<_>>().join(", ")
}

fn tier(name: TierName) -> String {
    match name {
        TierName::Served { priority } => format!("served at priority {priority}"),
        TierName::Evicted { priority } => format!("evicted at priority {priority}"),
        TierName::Recut => "recut".to_owned(),
        TierName::Gpus => "GPUs".to_owned(),
        TierName::Cost => "cost".to_owned(),
        TierName::Configurations => "configurations".to_owned(),
        TierName::Leftover => "leftover".to_owned(),
    }
}

fn tiers(names: &[TierName]) -> String {
    names.iter().map(|&name| tier(name)).collect::<Vec<_>>().join(", ")
}
