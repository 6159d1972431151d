//! Every node of every pool is planned exactly once, with as many GPUs as it has.

use std::ops::Range;
use std::rc::Rc;

use super::facts::{Facts, Piece, PoolFacts};
use super::violation::Violation;
use crate::plan::Plan;

/// The plan's nodes by the state they are in today; without those that cannot be judged.
pub(super) fn pieces<'a>(facts: &Facts<'a>, plan: &'a Plan, found: &mut Vec<Violation>) -> Vec<Piece<'a>> {
    let mut pieces = Vec::with_capacity(plan.nodes.len());
    let mut models = vec![None; facts.pools.len()];
    let mut ranges: Vec<Vec<Range<u64>>> = vec![Vec::new(); facts.pools.len()];
    for planned in &plan.nodes {
        let Some(pool) = facts.pools.get(planned.pool) else {
            found.push(Violation::UnknownPool { pool: planned.pool, pools: facts.pools.len() });
            continue;
        };
        let range = u64::from(planned.nodes.start)..u64::from(planned.nodes.end);
        if range.is_empty() || range.end > pool.nodes {
            found.push(Violation::NodeRange {
                pool: pool.pool.name.clone(),
                start: planned.nodes.start,
                end: planned.nodes.end,
                nodes: pool.nodes,
            });
            continue;
        }
        ranges[planned.pool].push(range.clone());
        if planned.gpus.len() as u64 == pool.gpus {
            let models = models[planned.pool].get_or_insert_with(|| pool.models());
            pieces.extend(pool.parts(range).map(|part| Piece::new(pool, planned, Rc::clone(models), part)));
        } else {
            let node = pool.place(range);
            found.push(Violation::GpuCount { node, found: planned.gpus.len(), expected: pool.gpus });
        }
    }
    for (pool, ranges) in facts.pools.iter().zip(ranges) {
        judge_pool(pool, ranges, found);
    }
    pieces
}

fn judge_pool(pool: &PoolFacts<'_>, mut ranges: Vec<Range<u64>>, found: &mut Vec<Violation>) {
    ranges.sort_unstable_by_key(|range| (range.start, range.end));
    let mut next = 0;
    for range in ranges {
        if range.start > next {
            found.push(Violation::NodeMissing { node: pool.place(next..range.start) });
        } else if range.start < next {
            found.push(Violation::NodeTwice { node: pool.place(range.start..range.end.min(next)) });
        }
        next = next.max(range.end);
    }
    if next < pool.nodes {
        found.push(Violation::NodeMissing { node: pool.place(next..pool.nodes) });
    }
}
