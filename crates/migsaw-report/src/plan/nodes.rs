//! The fleet's nodes behind a plan's groups of nodes.

use std::ops::Range;

use migsaw::fleet::{NodeGroup, NodeNames};
use migsaw::plan::PlannedNodes;
use migsaw::problem::Problem;

use crate::names::Folds;
use crate::number::grouped;

/// Most nodes listed by name whose names are looked at; the rest is only counted.
const MOST_NAMES: u64 = 4096;

/// Finds the groups of the fleet's nodes that a planned group consists of.
pub(super) struct NodeIndex<'a> {
    /// By pool, ascending.
    groups: Vec<Vec<(Range<u32>, &'a NodeGroup)>>,
}

impl<'a> NodeIndex<'a> {
    pub(super) fn of(problem: &'a Problem) -> NodeIndex<'a> {
        NodeIndex { groups: problem.fleet.pools.iter().map(|pool| pool.node_ranges().collect()).collect() }
    }

    /// The parts of a planned group that lie in one group of the fleet, with the range of node indices
    /// within that group.
    pub(super) fn parts(&self, planned: &PlannedNodes) -> impl Iterator<Item = (Range<u32>, &'a NodeGroup)> + '_ {
        let groups = &self.groups[planned.pool];
        let nodes = planned.nodes.clone();
        let first = groups.partition_point(|(range, _)| range.end <= nodes.start);
        let reached = groups[first..].iter().take_while({
            let end = nodes.end;
            move |(range, _)| range.start < end
        });
        reached.map(move |(range, group)| {
            let within = range.start.max(nodes.start) - range.start..range.end.min(nodes.end) - range.start;
            (within, *group)
        })
    }

    /// The names of all nodes of some groups, folded, cut to `width` characters.
    pub(super) fn names(&self, planned: &[&PlannedNodes], width: usize) -> String {
        let mut folds = Folds::default();
        let (mut all, mut spelled) = (0, 0);
        for (within, group) in planned.iter().flat_map(|planned| self.parts(planned)) {
            let count = u64::from(within.end - within.start);
            all += count;
            match &group.names {
                NodeNames::Numbered { prefix, first, .. } => {
                    let number = |index: u32| u64::from(*first) + u64::from(index);
                    folds.add_numbered(prefix, number(within.start), number(within.end - 1));
                }
                NodeNames::Listed(_) if spelled < MOST_NAMES => {
                    within.for_each(|index| folds.add(&group.names.get(index)));
                    spelled += count;
                }
                NodeNames::Listed(_) => {}
            }
        }
        let mut text = String::new();
        let mut told = 0;
        for (name, count) in folds.print() {
            // Room for `and … more` unless this is the end.
            let room = if told + count < all { " and 9,999,999 more".len() } else { 0 };
            if told > 0 && text.chars().count() + 2 + name.chars().count() + room > width {
                break;
            }
            text = if told == 0 { name } else { format!("{text}, {name}") };
            told += count;
        }
        if told < all { format!("{text} and {} more", grouped(all - told)) } else { text }
    }
}

/// The names of all nodes of some parts of the fleet, folded.
pub(super) fn folded(parts: &[(Range<u32>, &NodeGroup)]) -> String {
    let mut folds = Folds::default();
    for (within, group) in parts {
        match &group.names {
            NodeNames::Numbered { prefix, first, .. } => {
                let number = |index: u32| u64::from(*first) + u64::from(index);
                folds.add_numbered(prefix, number(within.start), number(within.end - 1));
            }
            NodeNames::Listed(_) => within.clone().for_each(|index| folds.add(&group.names.get(index))),
        }
    }
    folds.print().into_iter().map(|(text, _)| text).collect::<Vec<_>>().join(", ")
}
