//! What runs today stays where it is or is evicted, and what must stay does, also where a disruption budget
//! says so; nothing is cut anew under a unit that stays; GPUs that are said to be left alone are.

use std::collections::BTreeMap;

use super::facts::{Facts, Piece};
use super::violation::Violation;
use crate::demand::Demand;
use crate::fleet::Strategy;
use crate::geometry::{Placement, ProfileId};
use crate::plan::GpuTarget;
use crate::present::{Present, RecutUnit, Running};

pub(super) fn judge(facts: &Facts<'_>, piece: &Piece<'_>, found: &mut Vec<Violation>) {
    let nothing = Present::default();
    let present = piece.group.present.as_ref().unwrap_or(&nothing);
    let by_node = present.unit == RecutUnit::Node || piece.pool.strategy == Strategy::Single;
    judge_left(piece, present, by_node, found);
    judge_evictions(facts, piece, present, found);
    let kept: Vec<&Running> = kept(piece, present).collect();
    for unit in &kept {
        judge_held(piece, unit, found);
    }
    judge_served(facts, piece, &kept, found);
    for gpu in 0..piece.models.len() {
        let is_held = kept.iter().any(|unit| by_node || unit.holds.iter().any(|held| usize::from(held.gpu) == gpu));
        let is_free_to_change = present.unit == RecutUnit::Instance && !by_node;
        if is_held && !is_free_to_change && changes(piece, present, gpu) {
            found.push(Violation::RecutUnderRunning { place: piece.place().gpu(gpu) });
        }
    }
}

/// The running units that the plan does not evict.
pub(super) fn kept<'a>(piece: &'a Piece<'_>, present: &'a Present) -> impl Iterator<Item = &'a Running> {
    let units = present.running.iter().enumerate();
    units.filter(|(index, _)| !piece.planned.evicts.contains(index)).map(|(_, unit)| unit)
}

/// Instances of each profile on a GPU today; none for MIG off.
pub(super) fn counts_today(present: &Present, gpu: usize) -> BTreeMap<ProfileId, u64> {
    let placements = present.gpus.get(gpu).and_then(Option::as_ref).map_or(&[][..], |layout| layout.placements());
    counts(placements)
}

fn counts(placements: &[Placement]) -> BTreeMap<ProfileId, u64> {
    let mut counts = BTreeMap::new();
    for placement in placements {
        *counts.entry(placement.profile).or_insert(0) += 1;
    }
    counts
}

/// Whether a GPU gets other instances than it has.
pub(super) fn changes(piece: &Piece<'_>, present: &Present, gpu: usize) -> bool {
    counts(piece.instances(gpu)) != counts_today(present, gpu)
}

/// Where nodes are what is cut, all of one that serves and does not change is in use.
fn judge_left(piece: &Piece<'_>, present: &Present, by_node: bool, found: &mut Vec<Violation>) {
    let serves = piece.planned.serves.iter().any(|serving| serving.units > 0);
    let is_one = by_node && serves && !(0..piece.models.len()).any(|gpu| changes(piece, present, gpu));
    for (gpu, target) in piece.planned.gpus.iter().enumerate() {
        let GpuTarget::Left(layout) = target else { continue };
        let today = present.layout(gpu);
        let serves = piece.planned.serves.iter().flat_map(|serving| &serving.shares);
        let is_used = serves.into_iter().any(|share| usize::from(share.gpu) == gpu);
        if today != Some(layout) || is_used || is_one {
            found.push(Violation::NotLeft { place: piece.place().gpu(gpu) });
        }
    }
}

fn judge_evictions(facts: &Facts<'_>, piece: &Piece<'_>, present: &Present, found: &mut Vec<Violation>) {
    let evicts = &piece.planned.evicts;
    for (i, &index) in evicts.iter().enumerate() {
        match present.running.get(index) {
            Some(_) if evicts[..i].contains(&index) => {
                found.push(Violation::EvictedTwice { node: piece.place(), unit: index });
            }
            Some(unit) => {
                let name = || unit.name.clone().unwrap_or_else(|| format!("number {index}"));
                if unit.stays {
                    found.push(Violation::EvictsStaying { node: piece.place(), unit: name() });
                }
                let budgets = facts.problem.budgets.iter();
                let refuses = budgets.filter(|budget| budget.allowed == 0 && budget.demands.contains(&unit.demand));
                for budget in refuses {
                    let budget = budget.full_name();
                    found.push(Violation::EvictsBudgeted { node: piece.place(), unit: name(), budget });
                }
            }
            None => {
                let running = present.running.len();
                found.push(Violation::UnknownRunning { node: piece.place(), unit: index, running });
            }
        }
    }
}

/// What a unit holds is there.
fn judge_held(piece: &Piece<'_>, unit: &Running, found: &mut Vec<Violation>) {
    for held in &unit.holds {
        let gpu = usize::from(held.gpu);
        let is_there = match held.instance {
            Some(instance) => piece.instances(gpu).contains(&instance),
            None => !piece.is_cut(gpu),
        };
        if !is_there {
            found.push(Violation::RunningLost { place: piece.place().gpu(gpu) });
        }
    }
}

/// Units of one demand, and the instances and whole GPUs that they hold, by GPU and profile.
#[derive(Default)]
struct Holdings {
    units: u64,
    holds: BTreeMap<(u16, Option<ProfileId>), u64>,
}

/// Units that stay are among those served, with what they hold.
fn judge_served(facts: &Facts<'_>, piece: &Piece<'_>, kept: &[&Running], found: &mut Vec<Violation>) {
    let mut held: BTreeMap<usize, Holdings> = BTreeMap::new();
    for unit in kept {
        let entry = held.entry(unit.demand).or_default();
        entry.units += 1;
        for held in &unit.holds {
            *entry.holds.entry((held.gpu, held.instance.map(|instance| instance.profile))).or_insert(0) += 1;
        }
    }
    for (demand, Holdings { units, holds }) in held {
        let of_demand = || piece.planned.serves.iter().filter(|serving| serving.demand == demand);
        let served: u64 = of_demand().map(|serving| u64::from(serving.units)).sum();
        let shares = |gpu: u16, profile: Option<ProfileId>| {
            let shares = of_demand().flat_map(|serving| &serving.shares);
            let here = shares.filter(|share| share.gpu == gpu && share.profile == profile);
            here.map(|share| u64::from(share.instances)).sum::<u64>()
        };
        if served < units || holds.iter().any(|(&(gpu, profile), &n)| shares(gpu, profile) < n) {
            let name = facts.demand(demand).map_or_else(|| format!("number {demand}"), Demand::full_name);
            found.push(Violation::RunningNotServed { node: piece.place(), demand: name, units });
        }
    }
}
