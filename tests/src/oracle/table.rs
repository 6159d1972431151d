//! What nodes can reach: units served, cost, and what is left over; and how nodes are combined.

use std::collections::HashMap;

use crate::facts::{Facts, Vector};

/// For each vector of units and cost the most that can be left over, ordered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Table(Vec<(Vector, i64, i64)>);

/// The best of the first tiers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Goal {
    /// Units by priority, highest first.
    pub(super) served: Vec<i64>,
    pub(super) cost: i64,
}

impl Table {
    pub(super) fn of(entries: impl IntoIterator<Item = (Vector, i64, i64)>) -> Table {
        let mut best: HashMap<(Vector, i64), i64> = HashMap::new();
        for (vector, cost, left) in entries {
            let known = best.entry((vector, cost)).or_insert(left);
            *known = left.max(*known);
        }
        let mut entries: Vec<(Vector, i64, i64)> = best.into_iter().map(|((v, cost), left)| (v, cost, left)).collect();
        entries.sort_unstable();
        Table(entries)
    }

    pub(super) fn entries(&self) -> &[(Vector, i64, i64)] {
        &self.0
    }

    /// Without entries that another one beats in units and cost. What is left over is forgotten.
    pub(super) fn reduced(&self) -> Table {
        let mut entries = self.0.clone();
        let units = |v: Vector| v.to_le_bytes().iter().map(|&b| u32::from(b)).sum::<u32>();
        entries.sort_unstable_by_key(|&(v, cost, _)| (std::cmp::Reverse(units(v)), cost, v));
        let mut kept: Vec<(Vector, i64, i64)> = Vec::new();
        for (vector, cost, _) in entries {
            if !kept.iter().any(|&(v, c, _)| c <= cost && is_within(vector, v)) {
                kept.push((vector, cost, 0));
            }
        }
        kept.sort_unstable();
        Table(kept)
    }
}

/// Whether each byte is at most the other's. Bytes are below 128.
pub(super) fn is_within(a: Vector, b: Vector) -> bool {
    const HIGH: u64 = 0x8080_8080_8080_8080;
    ((b | HIGH) - a) & HIGH == HIGH
}

/// The vector with `units` at a demand's place.
pub(super) fn at(demand: usize, units: u64) -> Vector {
    units << (8 * demand)
}

pub(super) fn counts(facts: &Facts<'_>) -> Vector {
    facts.counts().enumerate().map(|(demand, count)| at(demand, count)).sum()
}

/// Byte by byte the smaller one.
pub(super) fn smaller(a: Vector, b: Vector) -> Vector {
    let (a, b) = (a.to_le_bytes(), b.to_le_bytes());
    let mut both = [0; 8];
    for (i, byte) in both.iter_mut().enumerate() {
        *byte = a[i].min(b[i]);
    }
    Vector::from_le_bytes(both)
}

pub(super) fn by_level(facts: &Facts<'_>, vector: Vector) -> Vec<i64> {
    let mut served = vec![0; facts.levels.len()];
    for (&level, &units) in facts.level_of.iter().zip(&vector.to_le_bytes()) {
        served[level] += i64::from(units);
    }
    served
}

/// All nodes together, reduced. Units beyond what is asked for are cut off, since a node can always
/// serve less.
pub(super) fn joined(facts: &Facts<'_>, tables: &[Table]) -> Table {
    let most = counts(facts);
    let mut all = Table(vec![(0, 0, 0)]);
    for table in tables {
        let table = table.reduced();
        let pairs = all.0.iter().flat_map(|&(v, c, _)| table.0.iter().map(move |&(w, d, _)| (v + w, c + d)));
        all = Table::of(pairs.map(|(vector, cost)| (smaller(vector, most), cost, 0))).reduced();
    }
    all
}

/// The most units by priority, and the least cost for them; `None` if some node has no choice.
pub(super) fn goal(facts: &Facts<'_>, tables: &[Table]) -> Option<Goal> {
    let all = joined(facts, tables);
    let best = all.0.iter().map(|&(vector, cost, _)| (by_level(facts, vector), std::cmp::Reverse(cost))).max();
    best.map(|(served, cost)| Goal { served, cost: cost.0 })
}

/// The most that can be left over when the goal is reached; `None` if it cannot be.
pub(super) fn most_left(facts: &Facts<'_>, tables: &[Table], goal: &Goal) -> Option<i64> {
    let most = counts(facts);
    let mut all = Table(vec![(0, 0, 0)]);
    for (at, table) in tables.iter().enumerate() {
        let rest = joined(facts, &tables[at + 1..]);
        let completes = |vector: Vector, cost: i64| {
            rest.0
                .iter()
                .any(|&(w, d, _)| cost + d <= goal.cost && by_level(facts, smaller(vector + w, most)) == goal.served)
        };
        let mut known: HashMap<(Vector, i64), bool> = HashMap::new();
        let pairs = all.0.iter().flat_map(|&(v, c, l)| table.0.iter().map(move |&(w, d, m)| (v + w, c + d, l + m)));
        let hopeful = pairs.filter(|&(vector, cost, _)| {
            is_within(vector, most) && *known.entry((vector, cost)).or_insert_with(|| completes(vector, cost))
        });
        all = Table::of(hopeful);
    }
    all.0.iter().map(|&(_, _, left)| left).max()
}
