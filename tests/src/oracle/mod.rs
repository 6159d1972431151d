//! The exact optimum of every tier, by exhaustion, for a handful of GPUs.
//!
//! Written from the definitions alone: the catalogue's facts, the meaning of each request, the order of
//! the tiers. It shares nothing with the planner or the library's geometry.
//!
//! Per node every way to cut its GPUs is listed, and for each of them every vector of units it can
//! serve (`serve`), with what is left over. Nodes are then combined (`table`). What decides between
//! equal cuts of different nodes is only that they are equal, so for the tier of configurations every
//! set of allowed configurations is tried, small ones first (`optimum`).

mod capability;
mod node;
mod present;
mod robust;
mod serve;
mod table;

use std::collections::BTreeMap;

use migsaw::plan::TierName;
use migsaw::problem::Problem;

use crate::facts::Facts;
use node::{Key, NodeChoices};
use table::{Goal, Table};

/// Most GPUs the oracle should be asked about; more than a few take long.
pub const MAX_GPUS: u64 = 4;

pub use present::optimum_beside_present;
pub use robust::{Scenarios, Values};

/// Which instances a plan may add to a GPU of a node with strategy `mixed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Additions {
    /// Those some demand could use there, or on a node with the same GPUs in another pool.
    Wanted,
    /// Any: cutting what nobody asked for can make a node's configuration equal to another's, where
    /// something is pinned.
    Any,
}

/// The best value of every tier, most important first, of plans that add any instances.
///
/// # Panics
/// If the problem has more than eight demands, or one of more than 60 units.
pub fn optimum(problem: &Problem) -> Vec<(TierName, i64)> {
    optimum_of(problem, Additions::Any)
}

/// The best value of every tier, most important first, of plans that add only such instances.
///
/// # Panics
/// If the problem has more than eight demands, or one of more than 60 units.
pub fn optimum_of(problem: &Problem, additions: Additions) -> Vec<(TierName, i64)> {
    let facts = Facts::of(problem);
    let is_small = facts.demands.len() <= 8 && facts.demands.iter().all(|demand| demand.count <= 60);
    assert!(is_small, "too large for the oracle");
    let nodes = node::choices(&facts, additions);
    let free: Vec<Table> = nodes.iter().map(NodeChoices::all).collect();
    let goal = table::goal(&facts, &free).expect("nodes can stay as they are");
    let (configurations, leftover) = fewest_configurations(&facts, &nodes, &free, &goal);
    let served =
        facts.levels.iter().zip(&goal.served).map(|(&priority, &units)| (TierName::Served { priority }, units));
    let mut tiers: Vec<(TierName, i64)> = served.collect();
    tiers.push((if facts.priced { TierName::Cost } else { TierName::Gpus }, goal.cost));
    tiers.push((TierName::Configurations, configurations));
    tiers.push((TierName::Leftover, leftover));
    tiers
}

/// The fewest configurations with which the goal is reached, and the most that is left over then.
fn fewest_configurations(facts: &Facts<'_>, nodes: &[NodeChoices], free: &[Table], goal: &Goal) -> (i64, i64) {
    let keys = useful_keys(facts, nodes, free, goal);
    let mut configurations = 0;
    for count in 0..nodes.len() {
        let mut best = None;
        each_subset(&keys, count, &mut Vec::new(), &mut |chosen| {
            let tables: Vec<Table> = nodes.iter().map(|node| node.only(chosen)).collect();
            if table::goal(facts, &tables).as_ref() == Some(goal) {
                best = best.max(table::most_left(facts, &tables, goal));
            }
        });
        if let Some(leftover) = best {
            return (configurations, leftover);
        }
        configurations += 1;
    }
    let leftover = table::most_left(facts, free, goal).expect("the goal was reached with these tables");
    (configurations, leftover)
}

/// The configurations that can be part of reaching the goal.
fn useful_keys<'a>(facts: &Facts<'_>, nodes: &'a [NodeChoices], free: &[Table], goal: &Goal) -> Vec<&'a Key> {
    let mut useful: BTreeMap<&Key, bool> = BTreeMap::new();
    for (at, node) in nodes.iter().enumerate() {
        let others: Vec<Table> = free.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, t)| t.reduced()).collect();
        let others = table::joined(facts, &others);
        for (key, table) in &node.by_key {
            let known = useful.entry(key).or_insert(false);
            *known = *known || table::goal(facts, &[table.reduced(), others.clone()]).as_ref() == Some(goal);
        }
    }
    useful.into_iter().filter(|(_, useful)| *useful).map(|(key, _)| key).collect()
}

fn each_subset<'a>(keys: &[&'a Key], count: usize, chosen: &mut Vec<&'a Key>, visit: &mut impl FnMut(&[&Key])) {
    if count == 0 {
        return visit(chosen);
    }
    for (at, key) in keys.iter().enumerate() {
        chosen.push(key);
        each_subset(&keys[at + 1..], count - 1, chosen, visit);
        chosen.pop();
    }
}
