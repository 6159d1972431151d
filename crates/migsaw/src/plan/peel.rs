//! Splits totals of instances into counts per GPU.
//!
//! The hulls of capabilities and all their sums have the integer decomposition property, so integer
//! totals inside the sum of the remaining GPUs' hulls always leave a choice for the next GPU after which
//! they are inside the sum of the others. Peeling takes such a choice as often as it stays right, GPU
//! class by GPU class; the invariant `a·y ≤ Σ n_c·max{a·q : q ∈ C_c}` is checked for every normal `a`.

use std::collections::BTreeSet;

use super::cell::{BoardStock, Part};
use super::formulation::restrict;
use crate::geometry::{Capability, Counts};

/// The same choice for some GPUs of one class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) part: Part,
    /// Instances added.
    pub(super) added: Counts,
    /// How many of each bundle are among them.
    pub(super) bundles: Vec<u8>,
    pub(super) gpus: i64,
}

/// Splits `total` (by profile) over `cut` idle GPUs, all pinned ones and those that stay cut as they are;
/// `None` if that is not possible.
pub(super) fn peel(stock: &BoardStock, cut: i64, mut total: Vec<i64>) -> Option<Vec<Piece>> {
    let mut pieces = Vec::new();
    for (index, (free, gpus)) in stock.fixed.iter().enumerate() {
        for (id, n) in free.iter() {
            let left = &mut total[id.index()];
            *left -= (i64::from(n) * gpus).min(*left);
        }
        pieces.push(Piece { part: Part::Fixed(index), added: *free, bundles: Vec::new(), gpus: *gpus });
    }
    let wanted: Vec<bool> = total.iter().map(|&n| n > 0).collect();
    let normals = restrict(stock.model.facets.as_ref()?, &wanted);
    let pinned = stock.pinned.iter().enumerate().map(|(i, (c, n))| (Part::Pinned(i), &**c, *n));
    let classes: Vec<(Part, &Capability, i64)> =
        pinned.chain([(Part::Idle, &**stock.model.idle_capability(), cut)]).filter(|(_, _, n)| *n > 0).collect();
    let slack = |normal: &Vec<u8>| {
        let room: i64 = classes.iter().map(|(_, capability, n)| n * capability.support(normal)).sum();
        room - normal.iter().zip(&total).map(|(&a, y)| i64::from(a) * y).sum::<i64>()
    };
    let mut slacks: Vec<i64> = normals.iter().map(slack).collect();
    for (part, capability, gpus) in classes {
        let choices: BTreeSet<Counts> =
            capability.all().iter().map(|q| q.iter().filter(|(id, _)| wanted[id.index()]).collect()).collect();
        let losses = |q: &Counts| -> Vec<i64> {
            let value = |a: &Vec<u8>| q.iter().map(|(id, n)| i64::from(a[id.index()]) * i64::from(n)).sum::<i64>();
            normals.iter().map(|a| capability.support(a) - value(a)).collect()
        };
        let choices: Vec<(Counts, Vec<i64>)> = choices.into_iter().map(|q| (q, losses(&q))).collect();
        let mut left = gpus;
        while left > 0 {
            let times = |(q, losses): &&(Counts, Vec<i64>)| {
                let by_total = q.iter().map(|(id, n)| total[id.index()] / i64::from(n)).min().unwrap_or(left);
                let by_slack =
                    losses.iter().zip(&slacks).filter(|(loss, _)| **loss > 0).map(|(loss, s)| s / loss).min();
                left.min(by_total).min(by_slack.unwrap_or(left)).max(0)
            };
            // The choice that settles most at once keeps the number of different layouts small.
            let units =
                |q: &Counts| q.iter().map(|(id, n)| i64::from(stock.model.get(id).size) * i64::from(n)).sum::<i64>();
            let best = choices.iter().max_by_key(|c| (times(c) * units(&c.0), times(c)))?;
            let n = times(&best);
            if n == 0 {
                return None;
            }
            for (id, each) in best.0.iter() {
                total[id.index()] -= n * i64::from(each);
            }
            for (slack, loss) in slacks.iter_mut().zip(&best.1) {
                *slack -= n * loss;
            }
            pieces.push(Piece { part, added: best.0, bundles: Vec::new(), gpus: n });
            left -= n;
        }
    }
    total.iter().all(|&n| n == 0).then_some(pieces)
}
