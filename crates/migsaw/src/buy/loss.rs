//! What may be lost, and what that takes.

use std::collections::BTreeSet;

use super::{BuyError, Case, Need, Survive};
use crate::capacity::Bounded;
use crate::fleet::{GpuState, NodeNames};
use crate::problem::Problem;
use crate::whatif::remove;

/// What is lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lost {
    /// Nothing.
    Nothing,
    /// A node like this one; those of a pool with the same pinned are alike.
    Node {
        /// Index of the pool.
        pool: usize,
        /// Index of the group of nodes in it.
        group: usize,
        /// The node's name.
        name: String,
    },
    /// All nodes with this value of the label.
    Value {
        /// The label.
        key: String,
        /// The value.
        value: String,
    },
}

impl Lost {
    /// The problem without it.
    pub(super) fn taken_from(&self, base: &Problem) -> Problem {
        let mut left = base.clone();
        match self {
            Lost::Nothing => {}
            Lost::Node { pool, group, .. } => remove(&mut left.fleet.pools[*pool], *group, 0),
            Lost::Value { key, value } => {
                for pool in left.fleet.pools.iter_mut().filter(|pool| pool.labels.get(key) == Some(value)) {
                    for group in &mut pool.nodes {
                        group.names = NodeNames::Listed(Vec::new());
                    }
                }
            }
        }
        left
    }
}

/// Everything that may be lost, nothing first.
pub(super) fn losses(base: &Problem, survive: &Survive) -> Result<Vec<Lost>, BuyError> {
    let mut losses = vec![Lost::Nothing];
    match survive {
        Survive::Nothing => {}
        Survive::Node => {
            for (index, pool) in base.fleet.pools.iter().enumerate() {
                let mut seen = BTreeSet::new();
                for (group, of) in pool.nodes.iter().enumerate().filter(|(_, of)| of.names.count() > 0) {
                    let mut pinned = of.pinned.clone();
                    while pinned.last() == Some(&GpuState::Idle) {
                        pinned.pop();
                    }
                    if seen.insert(pinned) {
                        losses.push(Lost::Node { pool: index, group, name: of.names.get(0) });
                    }
                }
            }
        }
        Survive::Label { key, values } => {
            let terms = |demand: &&crate::demand::Demand| {
                demand.eligible.selector.terms.iter().flatten().any(|requirement| requirement.key == *key)
            };
            if let Some(demand) = base.demands.iter().filter(|demand| demand.count > 0).find(terms) {
                return Err(BuyError::SelectsByLost { demand: demand.full_name(), key: key.clone() });
            }
            let of_fleet = base.fleet.pools.iter().filter_map(|pool| pool.labels.get(key).cloned());
            let values: BTreeSet<String> = of_fleet.chain(values.iter().cloned()).collect();
            if values.len() < 2 {
                return Err(BuyError::TooFewValues { key: key.clone(), found: values.len() });
            }
            losses.extend(values.into_iter().map(|value| Lost::Value { key: key.clone(), value }));
        }
    }
    Ok(losses)
}

/// What it takes in all, from what each loss takes.
pub(super) fn combined(survive: &Survive, cases: &[Case]) -> Need {
    if cases.iter().any(|case| case.need == Need::Impossible) {
        return Need::Impossible;
    }
    let least: Vec<u64> = cases.iter().map(|case| case.need.least()).collect();
    let most: Option<Vec<u64>> = cases.iter().map(|case| case.need.enough()).collect();
    let least = in_all(survive, &least);
    match most {
        Some(most) => Need::Nodes(Bounded { least, most: in_all(survive, &most) }),
        None => Need::Unknown { least },
    }
}

/// The fewest nodes, from those that must be left after each loss, of nothing first.
fn in_all(survive: &Survive, left: &[u64]) -> u64 {
    let largest = left.iter().copied().max().unwrap_or(0);
    let (nothing, others) = left.split_first().map_or((0, &[][..]), |(first, others)| (*first, others));
    match survive {
        Survive::Nothing => largest,
        // A new node may be the one, if there is any.
        Survive::Node => largest.max(if nothing > 0 { nothing + 1 } else { 0 }),
        Survive::Label { .. } => {
            let values = (others.len() as u64).max(2);
            largest.max(others.iter().sum::<u64>().div_ceil(values - 1))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether so many nodes can be spread over the values so that enough is left whichever is lost.
    fn can_be_spread(nodes: u64, left: &[u64]) -> bool {
        fn spread(nodes: u64, all: u64, left: &[u64]) -> bool {
            match left {
                [] => nodes == 0,
                [first, rest @ ..] => (0..=nodes).any(|n| all - n >= *first && spread(nodes - n, all, rest)),
            }
        }
        spread(nodes, nodes, left)
    }

    #[test]
    fn nodes_are_spread_over_the_values_of_a_label() {
        let survive = Survive::Label { key: "zone".to_owned(), values: BTreeSet::new() };
        for a in 0..5 {
            for b in 0..5 {
                for c in 0..5 {
                    for left in [&[a, b][..], &[a, b, c]] {
                        let all: Vec<u64> = std::iter::once(0).chain(left.iter().copied()).collect();
                        let fewest = (0..100).find(|&nodes| can_be_spread(nodes, left));
                        assert_eq!(Some(in_all(&survive, &all)), fewest, "{left:?}");
                    }
                }
            }
        }
    }
}
