//! Every GPU's instances can be there together: legal starts, no overlap, at most so many of a
//! profile, enough engines.

use std::collections::BTreeMap;

use super::facts::{Piece, profile, shown};
use super::place::GpuPlace;
use super::violation::Violation;
use crate::geometry::{Engines, Model, Placement, Profile};

pub(super) fn judge(piece: &Piece<'_>, found: &mut Vec<Violation>) {
    for (gpu, &model) in piece.models.iter().enumerate() {
        if !piece.is_cut(gpu) {
            continue;
        }
        judge_gpu(&|| piece.place().gpu(gpu), model, piece.instances(gpu), found);
    }
}

/// Names the GPU, once that is needed.
type Place<'a> = &'a dyn Fn() -> GpuPlace;

fn judge_gpu(place: Place<'_>, model: &Model, instances: &[Placement], found: &mut Vec<Violation>) {
    if instances.is_empty() {
        found.push(Violation::EmptyLayout { place: place() });
    }
    let mut known: Vec<(Placement, &Profile)> = Vec::with_capacity(instances.len());
    for &placement in instances {
        match profile(model, placement.profile) {
            Some(profile) => known.push((placement, profile)),
            None => found.push(Violation::UnknownProfile {
                place: place(),
                model: model.id.clone(),
                profile: placement.profile.0,
            }),
        }
    }
    for &(placement, profile) in &known {
        if !profile.starts.contains(&placement.start) {
            found.push(Violation::IllegalStart {
                place: place(),
                model: model.id.clone(),
                profile: profile.name.to_string(),
                start: placement.start,
                legal: profile.starts.clone(),
            });
        }
    }
    judge_intervals(place, model, &known, found);
    judge_maxima(place, model, &known, found);
    judge_engines(place, model, &known, found);
}

/// Half-open intervals of placement units, in order of their starts, must not meet.
fn judge_intervals(place: Place<'_>, model: &Model, known: &[(Placement, &Profile)], found: &mut Vec<Violation>) {
    let mut intervals: Vec<(u32, u32, Placement)> = known
        .iter()
        .map(|&(placement, profile)| {
            let start = u32::from(placement.start);
            (start, start + u32::from(profile.size), placement)
        })
        .collect();
    intervals.sort_unstable();
    let Some(&(_, end, placement)) = intervals.first() else { return };
    let mut furthest = (end, placement);
    for &(start, end, placement) in &intervals[1..] {
        if start < furthest.0 {
            found.push(Violation::Overlap {
                place: place(),
                first: shown(model, furthest.1),
                second: shown(model, placement),
            });
        }
        if end > furthest.0 {
            furthest = (end, placement);
        }
    }
}

fn judge_maxima(place: Place<'_>, model: &Model, known: &[(Placement, &Profile)], found: &mut Vec<Violation>) {
    let mut counts = BTreeMap::new();
    for (placement, profile) in known {
        counts.entry(placement.profile).or_insert((0u64, *profile)).0 += 1;
    }
    for (count, profile) in counts.into_values() {
        if count > u64::from(profile.max_instances) {
            found.push(Violation::TooManyInstances {
                place: place(),
                model: model.id.clone(),
                profile: profile.name.to_string(),
                found: count,
                most: profile.max_instances,
            });
        }
    }
}

fn judge_engines(place: Place<'_>, model: &Model, known: &[(Placement, &Profile)], found: &mut Vec<Violation>) {
    type Engine = (&'static str, fn(&Engines) -> u16);
    let engines: [Engine; 4] = [
        ("decoders", |e| e.decoders),
        ("encoders", |e| e.encoders),
        ("JPEG decoders", |e| e.jpeg),
        ("optical flow accelerators", |e| e.ofa),
    ];
    for (engine, of) in engines {
        let most = of(&model.engine_budget);
        let held: u64 = known.iter().map(|(_, profile)| u64::from(of(&profile.engines))).sum();
        // The largest number stands for a budget nobody publishes.
        if most != u16::MAX && held > u64::from(most) {
            found.push(Violation::TooManyEngines {
                place: place(),
                model: model.id.clone(),
                engine,
                found: held,
                most,
            });
        }
    }
}
