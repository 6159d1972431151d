//! The problem beside which more is asked for.

use std::collections::BTreeMap;

use super::{Beside, Freedom};
use crate::demand::{Demand, Eligibility, Toleration};
use crate::fleet::{GpuState, Pool};
use crate::geometry::Model;
use crate::problem::{MAX_COUNT, Problem};

/// Priority of what is added; everything else comes first.
const ADDED: i32 = 0;

/// What comes first, and what else is the same for all questions.
pub(super) struct Base {
    /// With just the units that come first, at priorities from 1 on.
    pub(super) problem: Problem,
    /// The same where GPUs stay as they are cut: those of which nothing is known offer nothing.
    as_cut: Problem,
    /// Whether all that comes first runs, so that all of it can be served.
    pub(super) is_running: bool,
}

impl Base {
    pub(super) fn new(problem: &Problem, beside: Beside) -> Base {
        let running = running(problem);
        let mut base = problem.clone();
        let mut ranks: Vec<i32> = problem.demands.iter().map(|demand| demand.priority).collect();
        ranks.sort_unstable();
        ranks.dedup();
        for (index, demand) in base.demands.iter_mut().enumerate() {
            match beside {
                Beside::Running => {
                    demand.count = running.get(&index).copied().unwrap_or(0);
                    demand.priority = ADDED + 1;
                }
                Beside::Demand => {
                    let rank = ranks.binary_search(&demand.priority).expect("every priority has a rank");
                    demand.priority = i32::try_from(rank).unwrap_or(i32::MAX - 1) + 1;
                }
            }
        }
        let mut as_cut = base.clone();
        for pool in &mut as_cut.fleet.pools {
            let gpus = pool.gpus_per_node() as usize;
            for group in pool.nodes.iter_mut().filter(|group| group.present.is_none()) {
                group.pinned = vec![GpuState::Taken; gpus];
            }
        }
        let is_running = base.demands.iter().enumerate().all(|(i, d)| d.count == running.get(&i).copied().unwrap_or(0));
        Base { problem: base, as_cut, is_running }
    }

    /// The freedoms that can make a difference.
    pub(super) fn freedoms(&self, max_evictions: Option<u64>) -> Vec<Freedom> {
        let mut freedoms = Vec::new();
        if self.problem.is_running_known() {
            freedoms.push(Freedom::AsCut);
        }
        freedoms.push(Freedom::CutIdle);
        if !running(&self.problem).is_empty() {
            freedoms.extend(max_evictions.map(Freedom::Evict));
            freedoms.push(Freedom::MoveAll);
        }
        freedoms
    }

    /// The problem under a freedom, with further demands.
    pub(super) fn with(&self, freedom: Freedom, added: impl IntoIterator<Item = Demand>) -> Problem {
        let mut problem = if freedom == Freedom::AsCut { self.as_cut.clone() } else { self.problem.clone() };
        for mut demand in added {
            while problem.demands.iter().any(|d| (&d.namespace, &d.name) == (&demand.namespace, &demand.name)) {
                demand.name.insert(0, '+');
            }
            problem.demands.push(demand);
        }
        problem
    }

    /// Nodes of which it is not known how they are cut.
    pub(super) fn unknown_nodes(&self) -> u64 {
        let groups = self.problem.fleet.pools.iter().flat_map(|pool| &pool.nodes);
        groups.filter(|group| group.present.is_none()).map(|group| u64::from(group.names.count())).sum()
    }
}

/// Units that run, by demand.
pub(crate) fn running(problem: &Problem) -> BTreeMap<usize, u64> {
    let mut running = BTreeMap::new();
    for group in problem.fleet.pools.iter().flat_map(|pool| &pool.nodes) {
        for unit in group.present.iter().flat_map(|present| &present.running) {
            *running.entry(unit.demand).or_insert(0) += u64::from(group.names.count());
        }
    }
    running.retain(|_, units| *units > 0);
    running
}

/// Anywhere, whatever taints there are: reports mark the pools that have some.
pub(crate) fn anywhere(pool: Option<&Pool>) -> Eligibility {
    let tolerations = vec![Toleration { key: None, value: None, effect: None }];
    Eligibility { pools: pool.map(|pool| vec![pool.name.clone()]), tolerations, ..Eligibility::default() }
}

/// How many instances the pool's GPUs hold if they hold nothing else, by what one GPU holds.
pub(super) fn held_by(pool: &Pool, of_gpu: impl Fn(&Model) -> u64) -> u64 {
    let of_node: u64 = pool.gpus.iter().map(|group| u64::from(group.count) * of_gpu(&group.model)).sum();
    of_node * u64::from(pool.node_count())
}

/// A count of units that a demand may have.
pub(super) fn count(units: u64) -> u64 {
    units.min(MAX_COUNT)
}
