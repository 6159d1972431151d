//! The planning problem: a fleet and what is asked of it.

mod budget;
mod quota;
mod running;

use std::collections::BTreeSet;

use crate::budget::Budget;
use crate::demand::{Demand, Request};
use crate::fleet::{Fleet, GpuState, NodeNames, Pool};
use crate::present::Running;
use crate::quota::Quota;
use crate::robust::Scenario;

/// Most nodes a pool may have.
pub const MAX_NODES: u32 = 10_000_000;
/// Most GPUs one node may have.
pub const MAX_GPUS_PER_NODE: u32 = 64;
/// Most units one demand may ask for, and most instances one unit may have.
pub const MAX_COUNT: u64 = 1_000_000_000;
/// Most that all GPUs of a fleet may cost together, in millionths: room for sums of it remains.
pub const MAX_COST: u64 = 1 << 60;

/// A fleet and what is asked of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problem {
    /// The nodes.
    pub fleet: Fleet,
    /// What is asked for.
    pub demands: Vec<Demand>,
    /// How many units may be down at one time.
    pub budgets: Vec<Budget>,
    /// What may be asked for instead, of which one layout is to serve any.
    pub scenarios: Vec<Scenario>,
    /// How much namespaces may ask for. Plans do not look at them; [`quota`](crate::quota) does.
    pub quotas: Vec<Quota>,
}

/// Which part of a problem an [`InputProblem`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// The fleet as a whole.
    Fleet,
    /// A pool, by index.
    Pool(usize),
    /// A demand, by index.
    Demand(usize),
    /// A disruption budget, by index.
    Budget(usize),
    /// A quota, by index.
    Quota(usize),
}

/// Something in a problem that makes no sense. "It doesn't fit" is not one of these.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InputProblem {
    /// There is no node.
    #[error("the fleet has no node with a GPU (give at least one pool with `nodes` above 0)")]
    EmptyFleet,
    /// Two pools share a name.
    #[error("pool `{name}` is there twice (pool names must differ)")]
    DuplicatePool {
        /// The name.
        name: String,
    },
    /// Two nodes share a name.
    #[error("node `{name}` is there twice (node names must differ across all pools)")]
    DuplicateNode {
        /// The name.
        name: String,
    },
    /// Two demands share a name and a namespace.
    #[error("demand `{name}` is there twice (names must differ within a namespace)")]
    DuplicateDemand {
        /// The name.
        name: String,
    },
    /// Two disruption budgets share a name and a namespace.
    #[error("disruption budget `{name}` is there twice (names must differ within a namespace)")]
    DuplicateBudget {
        /// The name.
        name: String,
    },
    /// A disruption budget of a demand that is not there.
    #[error("disruption budget `{name}` covers demand number {demand}, which does not exist")]
    BudgetUnknown {
        /// The budget.
        name: String,
        /// The index.
        demand: usize,
    },
    /// A disruption budget of one namespace for a demand of another.
    #[error("disruption budget `{name}` covers demand `{demand}` (a budget is for demands of its own namespace only)")]
    BudgetElsewhere {
        /// The budget.
        name: String,
        /// The demand.
        demand: String,
    },
    /// Two quotas share a name and a namespace.
    #[error("quota `{name}` is there twice (names must differ within a namespace)")]
    DuplicateQuota {
        /// The name.
        name: String,
    },
    /// A quota counts a demand that is not there.
    #[error("quota `{name}` counts demand number {demand}, which does not exist")]
    QuotaUnknown {
        /// The quota.
        name: String,
        /// The index.
        demand: usize,
    },
    /// A quota of one namespace counts a demand of another.
    #[error("quota `{name}` counts demand `{demand}` (a quota is for demands of its own namespace only)")]
    QuotaElsewhere {
        /// The quota.
        name: String,
        /// The demand.
        demand: String,
    },
    /// A name is empty.
    #[error("a {what} needs a name")]
    EmptyName {
        /// Pool, node, demand, disruption budget or quota.
        what: &'static str,
    },
    /// A number is outside what makes sense.
    #[error("{what} of `{name}` is {found}, but must lie in {least}..={most}")]
    OutOfRange {
        /// Pool, demand, disruption budget or quota.
        name: String,
        /// Which number.
        what: &'static str,
        /// Its value.
        found: u64,
        /// Smallest value allowed.
        least: u64,
        /// Largest value allowed.
        most: u64,
    },
    /// Some pools have a price and some do not.
    #[error("pool `{name}` has no price although others do (give `costPerGpu` to every pool or to none)")]
    CostMissing {
        /// The pool.
        name: String,
    },
    /// The fleet's GPUs cost more than can be added up.
    #[error("the fleet's GPUs cost {found} together, more than {} (give prices in a larger unit)", MAX_COST / 1_000_000)]
    CostTooLarge {
        /// What they cost.
        found: u128,
    },
    /// The pinned instances of a GPU are no layout of its model.
    #[error("pool `{pool}`, GPU {gpu}: {error}")]
    Pinned {
        /// The pool.
        pool: String,
        /// Index of the GPU in its node.
        gpu: usize,
        /// What is wrong with the layout.
        error: crate::geometry::LayoutError,
    },
    /// More pinned GPUs than the node has.
    #[error("pool `{pool}` pins {found} GPUs on a node of {most}")]
    PinnedTooMany {
        /// The pool.
        pool: String,
        /// GPUs pinned.
        found: usize,
        /// GPUs there are.
        most: u32,
    },
    /// What runs today is given for more GPUs than the node has.
    #[error("the state of node `{node}` gives {found} GPUs, but the node has {most}")]
    StateTooMany {
        /// The node.
        node: String,
        /// GPUs given.
        found: usize,
        /// GPUs there are.
        most: usize,
    },
    /// How a GPU is said to be cut is no layout of its model.
    #[error("the state of node `{node}`, GPU {gpu}: {error}")]
    StateLayout {
        /// The node.
        node: String,
        /// Index of the GPU in its node.
        gpu: usize,
        /// What is wrong with the layout.
        error: crate::geometry::LayoutError,
    },
    /// What is pinned is not part of how the GPU is cut today.
    #[error("the state of node `{node}`, GPU {gpu} lacks what is pinned there")]
    StateWithoutPinned {
        /// The node.
        node: String,
        /// Index of the GPU in its node.
        gpu: usize,
    },
    /// A node of strategy `single` is cut into several profiles, or in part.
    #[error(
        "the state of node `{node}` has several profiles, or MIG on some GPUs only, which strategy single does not allow"
    )]
    StateNotSingle {
        /// The node.
        node: String,
    },
    /// An instance or GPU is held twice.
    #[error("node `{node}`: what a unit holds of GPU {gpu} is pinned, or held by another")]
    RunningTwice {
        /// The node.
        node: String,
        /// Index of the GPU in its node.
        gpu: u16,
    },
    /// A unit of a demand that is not there.
    #[error("node `{node}`: a unit runs there of demand number {demand}, which does not exist")]
    RunningUnknown {
        /// The node.
        node: String,
        /// The index.
        demand: usize,
    },
    /// What a unit holds is not there.
    #[error("node `{node}`: a unit of demand `{demand}` holds part of GPU {gpu} that it is not cut into")]
    RunningNotThere {
        /// The node.
        node: String,
        /// The demand.
        demand: String,
        /// Index of the GPU in its node.
        gpu: u16,
    },
    /// A unit runs where, or on what, its demand could not be served.
    #[error(
        "node `{node}`: a unit of demand `{demand}` runs there, but holds other than the demand asks for, or may not be there"
    )]
    RunningMismatch {
        /// The node.
        node: String,
        /// The demand.
        demand: String,
    },
    /// More units run on a node than the demand allows.
    #[error("node `{node}`: {running} units of demand `{demand}` run there, more than its {most} per node")]
    RunningPerNode {
        /// The node.
        node: String,
        /// The demand.
        demand: String,
        /// Units that run there.
        running: u32,
        /// Most there may be.
        most: u32,
    },
    /// More units run than the demand asks for.
    #[error("{running} units of demand `{demand}` run, but it asks for {count} (running units count among them)")]
    RunningTooMany {
        /// The demand.
        demand: String,
        /// Units that run.
        running: u64,
        /// Units asked for.
        count: u64,
    },
    /// A demand names a pool that is not there.
    #[error("demand `{demand}` names pool `{pool}`, which is not in the fleet (nearest: {})", nearest.join(", "))]
    UnknownPool {
        /// The demand.
        demand: String,
        /// The unknown name.
        pool: String,
        /// Pools that may have been meant.
        nearest: Vec<String>,
    },
    /// A demand asks for a profile that no model of the catalogue has.
    #[error("demand `{demand}` asks for profile `{profile}`, which no model of the fleet has (nearest: {})", nearest.join(", "))]
    UnknownProfile {
        /// The demand.
        demand: String,
        /// The unknown name.
        profile: String,
        /// Profiles that may have been meant.
        nearest: Vec<String>,
    },
}

impl InputProblem {
    /// A stable code for programs; `docs/errors.md` lists them.
    pub fn code(&self) -> &'static str {
        match self {
            InputProblem::EmptyFleet => "empty-fleet",
            InputProblem::DuplicatePool { .. } => "duplicate-pool",
            InputProblem::DuplicateNode { .. } => "duplicate-node",
            InputProblem::DuplicateDemand { .. } => "duplicate-demand",
            InputProblem::DuplicateBudget { .. } => "duplicate-budget",
            InputProblem::BudgetUnknown { .. } => "budget-unknown",
            InputProblem::BudgetElsewhere { .. } => "budget-elsewhere",
            InputProblem::DuplicateQuota { .. } => "duplicate-quota",
            InputProblem::QuotaUnknown { .. } => "quota-unknown",
            InputProblem::QuotaElsewhere { .. } => "quota-elsewhere",
            InputProblem::EmptyName { .. } => "empty-name",
            InputProblem::OutOfRange { .. } => "out-of-range",
            InputProblem::CostMissing { .. } => "cost-missing",
            InputProblem::CostTooLarge { .. } => "cost-too-large",
            InputProblem::Pinned { error, .. } | InputProblem::StateLayout { error, .. } => error.code(),
            InputProblem::PinnedTooMany { .. } => "pinned-too-many",
            InputProblem::StateTooMany { .. } => "state-too-many",
            InputProblem::StateWithoutPinned { .. } => "state-without-pinned",
            InputProblem::StateNotSingle { .. } => "state-not-single",
            InputProblem::RunningTwice { .. } => "running-twice",
            InputProblem::RunningUnknown { .. } => "running-unknown",
            InputProblem::RunningNotThere { .. } => "running-not-there",
            InputProblem::RunningMismatch { .. } => "running-mismatch",
            InputProblem::RunningPerNode { .. } => "running-per-node",
            InputProblem::RunningTooMany { .. } => "running-too-many",
            InputProblem::UnknownPool { .. } => "unknown-pool",
            InputProblem::UnknownProfile { .. } => "unknown-profile",
        }
    }
}

impl Problem {
    /// Whether it is known of some nodes what runs there.
    pub fn is_running_known(&self) -> bool {
        self.fleet.pools.iter().flat_map(|pool| &pool.nodes).any(|group| group.present.is_some())
    }

    /// The demands under a full name or, if none has that, a name, by index.
    pub(crate) fn demands_named(&self, name: &str) -> Vec<usize> {
        let with = |is_meant: &dyn Fn(&Demand) -> bool| -> Vec<usize> {
            (0..self.demands.len()).filter(|&index| is_meant(&self.demands[index])).collect()
        };
        let full = with(&|demand| demand.full_name() == name);
        if full.is_empty() { with(&|demand| demand.name == name) } else { full }
    }

    /// Whether a running unit must not be moved: for its own sake, or because a disruption budget lets none of
    /// its demand go.
    pub fn must_stay(&self, unit: &Running) -> bool {
        unit.stays || self.budgets.iter().any(|budget| budget.forbids(unit.demand))
    }

    /// Lets running units of demands with this priority or a higher one stay whatever is planned.
    pub fn keep_running(&mut self, priority: i32) {
        let demands = &self.demands;
        let groups = self.fleet.pools.iter_mut().flat_map(|pool| &mut pool.nodes);
        for unit in groups.filter_map(|group| group.present.as_mut()).flat_map(|present| &mut present.running) {
            unit.stays |= demands[unit.demand].priority >= priority;
        }
    }

    /// Takes out what is known to run, so that every node counts as empty up to what is pinned.
    pub fn forget_running(&mut self) {
        let groups = self.fleet.pools.iter_mut().flat_map(|pool| &mut pool.nodes);
        groups.for_each(|group| group.present = None);
    }

    /// Everything in the problem that makes no sense, with what it is about; empty if all is well.
    ///
    /// A profile that some model of the fleet has, but no pool the demand may use, is not reported
    /// here: planning answers that with a reason.
    pub fn validate(&self) -> Vec<(Subject, InputProblem)> {
        let mut found = Vec::new();
        self.validate_pools(&mut found);
        self.validate_demands(&mut found);
        running::validate(self, &mut found);
        budget::validate(self, &mut found);
        quota::validate(self, &mut found);
        found
    }

    fn validate_pools(&self, found: &mut Vec<(Subject, InputProblem)>) {
        let pools = &self.fleet.pools;
        if pools.iter().all(|pool| pool.gpu_count() == 0) {
            found.push((Subject::Fleet, InputProblem::EmptyFleet));
        }
        let price = |pool: &Pool| pool.cost_per_gpu.map_or(0, |cost| u128::try_from(cost.micros).unwrap_or(0));
        let cost: u128 = pools.iter().map(|pool| price(pool) * u128::from(pool.gpu_count())).sum();
        if cost > u128::from(MAX_COST) {
            found.push((Subject::Fleet, InputProblem::CostTooLarge { found: cost / 1_000_000 }));
        }
        let priced = pools.iter().any(|pool| pool.cost_per_gpu.is_some());
        let mut names = BTreeSet::new();
        let mut nodes = BTreeSet::new();
        for (index, pool) in pools.iter().enumerate() {
            let mut add = |problem| found.push((Subject::Pool(index), problem));
            if pool.name.is_empty() {
                add(InputProblem::EmptyName { what: "pool" });
            } else if !names.insert(&pool.name) {
                add(InputProblem::DuplicatePool { name: pool.name.clone() });
            }
            if priced && pool.cost_per_gpu.is_none() {
                add(InputProblem::CostMissing { name: pool.name.clone() });
            }
            let range = |what, value: u64, least, most| {
                let outside = value < least || value > most;
                outside.then(|| InputProblem::OutOfRange { name: pool.name.clone(), what, found: value, least, most })
            };
            let node_count = pool.nodes.iter().map(|group| u64::from(group.names.count())).sum();
            range("the number of nodes", node_count, 0, u64::from(MAX_NODES)).into_iter().for_each(&mut add);
            let gpus = pool.gpus.iter().map(|group| u64::from(group.count)).sum();
            range("the number of GPUs per node", gpus, 1, u64::from(MAX_GPUS_PER_NODE)).into_iter().for_each(&mut add);
            let models: Vec<_> =
                if gpus <= u64::from(MAX_GPUS_PER_NODE) { pool.gpu_models().collect() } else { Vec::new() };
            for group in &pool.nodes {
                if let NodeNames::Listed(listed) = &group.names {
                    for name in listed {
                        if name.is_empty() {
                            add(InputProblem::EmptyName { what: "node" });
                        } else if !nodes.insert(name.clone()) {
                            add(InputProblem::DuplicateNode { name: name.clone() });
                        }
                    }
                }
                if !models.is_empty() && group.pinned.len() > models.len() {
                    let most = pool.gpus_per_node();
                    add(InputProblem::PinnedTooMany { pool: pool.name.clone(), found: group.pinned.len(), most });
                }
                for (gpu, (state, model)) in group.pinned.iter().zip(&models).enumerate() {
                    if let GpuState::Pinned(layout) = state
                        && let Err(error) = layout.occupancy(model)
                    {
                        add(InputProblem::Pinned { pool: pool.name.clone(), gpu, error });
                    }
                }
            }
        }
        // Numbered names can meet listed ones and each other (pool `a` node 1-0, pool `a-1` node 0).
        for (index, pool) in pools.iter().enumerate() {
            for (_, group) in pool.node_ranges() {
                let NodeNames::Numbered { prefix, first, count } = &group.names else { continue };
                let clash = nodes.range(prefix.clone()..).take_while(|n| n.starts_with(prefix)).find(|name| {
                    let number = name[prefix.len()..].parse::<u32>();
                    number.is_ok_and(|n| n >= *first && n - first < *count && n.to_string() == name[prefix.len()..])
                });
                if let Some(name) = clash {
                    found.push((Subject::Pool(index), InputProblem::DuplicateNode { name: name.clone() }));
                }
            }
        }
    }

    fn validate_demands(&self, found: &mut Vec<(Subject, InputProblem)>) {
        let mut names = BTreeSet::new();
        for (index, demand) in self.demands.iter().enumerate() {
            let mut add = |problem| found.push((Subject::Demand(index), problem));
            if demand.name.is_empty() {
                add(InputProblem::EmptyName { what: "demand" });
            } else if !names.insert((&demand.namespace, &demand.name)) {
                add(InputProblem::DuplicateDemand { name: demand.full_name() });
            }
            let range = |what, value: u64, least, most| {
                let outside = value < least || value > most;
                outside.then(|| InputProblem::OutOfRange { name: demand.full_name(), what, found: value, least, most })
            };
            range("the count", demand.count, 0, MAX_COUNT).into_iter().for_each(&mut add);
            if let Some(most) = demand.max_per_node {
                range("maxPerNode", u64::from(most), 1, MAX_COUNT).into_iter().for_each(&mut add);
            }
            match &demand.request {
                Request::Profiles { instances, .. } => {
                    let total: u64 = instances.values().map(|&n| u64::from(n)).sum();
                    let least = instances.values().min().copied().unwrap_or(0);
                    range("the number of instances", u64::from(least), 1, MAX_COUNT).into_iter().for_each(&mut add);
                    range("the number of instances", total.max(1), 1, MAX_COUNT).into_iter().for_each(&mut add);
                }
                Request::AtLeast { memory_mib, compute_slices, instances, .. } => {
                    range("the number of instances", u64::from(*instances), 1, MAX_COUNT)
                        .into_iter()
                        .for_each(&mut add);
                    range("compute", u64::from(*compute_slices), 0, 7).into_iter().for_each(&mut add);
                    range("memory in MiB", *memory_mib, 0, 1 << 30).into_iter().for_each(&mut add);
                }
                Request::WholeGpus { gpus } => {
                    range("wholeGpus", u64::from(*gpus), 1, MAX_COUNT).into_iter().for_each(&mut add);
                }
            }
            for pool in demand.eligible.pools.iter().flatten() {
                if !self.fleet.pools.iter().any(|p| p.name == *pool) {
                    let nearest = crate::geometry::nearest(pool, self.fleet.pools.iter().map(|p| p.name.clone()));
                    add(InputProblem::UnknownPool { demand: demand.full_name(), pool: pool.clone(), nearest });
                }
            }
        }
    }
}
