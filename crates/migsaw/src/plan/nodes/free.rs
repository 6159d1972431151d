//! Which nodes have no role yet.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::plan::compile::Compiled;

/// Nodes not yet given a role, by pool and class.
pub(in crate::plan) struct FreeNodes(BTreeMap<(usize, usize), Vec<Range<u32>>>);

impl FreeNodes {
    pub(in crate::plan) fn new(compiled: &Compiled<'_>) -> FreeNodes {
        let classes = compiled.pools.iter().enumerate().flat_map(|(pool, shape)| {
            shape.classes.iter().enumerate().map(move |(i, class)| {
                let mut ranges = class.ranges.clone();
                ranges.reverse();
                ((pool, i), ranges)
            })
        });
        FreeNodes(classes.collect())
    }

    /// The next `count` nodes of a class.
    pub(in crate::plan) fn take(&mut self, pool: usize, class: usize, count: i64) -> Option<Vec<Range<u32>>> {
        let ranges = self.0.get_mut(&(pool, class))?;
        let mut left = u32::try_from(count).ok()?;
        let mut taken = Vec::new();
        while left > 0 {
            let range = ranges.pop()?;
            let n = left.min(range.end - range.start);
            taken.push(range.start..range.start + n);
            if range.start + n < range.end {
                ranges.push(range.start + n..range.end);
            }
            left -= n;
        }
        Some(taken)
    }

    /// How many of a class are left.
    pub(super) fn count(&self, pool: usize, class: usize) -> i64 {
        self.0.get(&(pool, class)).into_iter().flatten().map(|range| i64::from(range.end - range.start)).sum()
    }

    /// All that are left, with pool and class.
    pub(in crate::plan) fn rest(self) -> impl Iterator<Item = (usize, usize, Vec<Range<u32>>)> {
        self.0.into_iter().map(|((pool, class), mut ranges)| {
            ranges.reverse();
            (pool, class, ranges)
        })
    }
}
