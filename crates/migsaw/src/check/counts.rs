//! At most so many units on a node and no more than asked for, and what is missing is reported.

use std::collections::BTreeMap;

use super::facts::{Facts, Piece};
use super::violation::Violation;
use crate::plan::Plan;

pub(super) fn judge_node(facts: &Facts<'_>, piece: &Piece<'_>, found: &mut Vec<Violation>) {
    let mut units: BTreeMap<usize, u64> = BTreeMap::new();
    for serving in &piece.planned.serves {
        let sum = units.entry(serving.demand).or_insert(0);
        *sum = sum.saturating_add(u64::from(serving.units));
    }
    for (index, units) in units {
        let Some(demand) = facts.demand(index) else { continue };
        if let Some(most) = demand.max_per_node.filter(|&most| units > u64::from(most)) {
            let node = piece.place();
            found.push(Violation::TooManyOnNode { demand: demand.full_name(), node, found: units, most });
        }
    }
}

/// Units served of each demand.
pub(super) fn served(facts: &Facts<'_>, pieces: &[Piece<'_>]) -> Vec<u64> {
    let mut served = vec![0u64; facts.problem.demands.len()];
    for piece in pieces {
        for serving in &piece.planned.serves {
            if let Some(sum) = served.get_mut(serving.demand) {
                *sum = sum.saturating_add(u64::from(serving.units).saturating_mul(piece.count));
            }
        }
    }
    served
}

pub(super) fn judge(facts: &Facts<'_>, plan: &Plan, served: &[u64], found: &mut Vec<Violation>) {
    let demands = &facts.problem.demands;
    let mut reported: Vec<Option<u64>> = vec![None; demands.len()];
    for unserved in &plan.unserved {
        let Some(entry) = reported.get_mut(unserved.demand) else {
            found.push(Violation::UnknownDemand { demand: unserved.demand, demands: demands.len() });
            continue;
        };
        if entry.is_some() {
            found.push(Violation::UnservedTwice { demand: demands[unserved.demand].full_name() });
        }
        entry.get_or_insert(unserved.count);
    }
    for ((demand, &served), reported) in demands.iter().zip(served).zip(reported) {
        if served > demand.count {
            found.push(Violation::OverServed { demand: demand.full_name(), asked: demand.count, served });
        }
        let expected = demand.count.saturating_sub(served);
        let reported = reported.unwrap_or(0);
        if reported != expected {
            found.push(Violation::UnservedCount {
                demand: demand.full_name(),
                found: reported,
                expected,
                asked: demand.count,
            });
        }
    }
}
