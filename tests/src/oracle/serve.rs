//! Everything that instances on one node can serve.

use std::collections::{BTreeMap, BTreeSet};

use migsaw::demand::Together;

use super::table::at;
use crate::facts::{Facts, Kind, Offer, PoolFacts, Vector};

/// What is there to serve with: the added instances of each cut GPU, and GPUs with MIG off.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stock {
    /// `(model, instances by profile)`, ordered.
    pub(super) cut: Vec<(usize, Vec<u8>)>,
    pub(super) off: u32,
}

/// Instances still free: by GPU first, of the whole node once nothing must share a GPU any more.
type Free = Vec<(usize, Vec<u8>)>;

/// Each vector of units that can be served, with the whole GPUs it takes and the most slices left over.
pub(super) fn outcomes(facts: &Facts<'_>, pool: &PoolFacts, held: &[u64], stock: &Stock) -> Vec<(Vector, u32, i64)> {
    let mut states: BTreeSet<(Vector, u32, Free)> = [(0, stock.off, stock.cut.clone())].into();
    for tight in [true, false] {
        if !tight {
            states = states.into_iter().map(|(vector, off, free)| (vector, off, merged(facts, free))).collect();
        }
        for (demand, offer) in pool.offers.iter().enumerate() {
            let Some(offer) = offer else { continue };
            if is_tight(offer) == tight {
                let held = held.get(demand).copied().unwrap_or(0);
                states = with_units(facts, demand, held, offer, states);
            }
        }
    }
    let mut best: BTreeMap<(Vector, u32), i64> = BTreeMap::new();
    for (vector, off, free) in states {
        let left = leftover(facts, pool, &free);
        let known = best.entry((vector, stock.off - off)).or_insert(left);
        *known = left.max(*known);
    }
    best.into_iter().map(|((vector, whole), left)| (vector, whole, left)).collect()
}

/// Whether it matters which GPU an instance is on.
pub(super) fn has_tight_offers(pool: &PoolFacts) -> bool {
    pool.offers.iter().flatten().any(is_tight)
}

fn is_tight(offer: &Offer) -> bool {
    matches!(offer, Offer::Slices { together: Together::Gpu, .. })
}

/// The instances of the node, whatever GPU they are on.
pub(super) fn merged(facts: &Facts<'_>, free: Free) -> Free {
    let mut by_model: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
    for (model, counts) in free {
        let all = by_model.entry(model).or_insert_with(|| vec![0; facts.models[model].profiles.len()]);
        for (sum, n) in all.iter_mut().zip(counts) {
            *sum += n;
        }
    }
    by_model.into_iter().collect()
}

/// The states with any number of units of one more demand.
fn with_units(
    facts: &Facts<'_>,
    demand: usize,
    held: u64,
    offer: &Offer,
    states: BTreeSet<(Vector, u32, Free)>,
) -> BTreeSet<(Vector, u32, Free)> {
    let asked = facts.asked[demand];
    let on_node = |most: u32| u64::from(most).saturating_sub(held);
    let most = facts.demands[demand].max_per_node.map_or(asked, |most| asked.min(on_node(most)));
    let mut all = states.clone();
    let mut round = states;
    for _ in 0..most {
        let mut next = BTreeSet::new();
        for (vector, off, free) in &round {
            for (off, free) in with_one(offer, *off, free) {
                next.insert((vector + at(demand, 1), off, free));
            }
        }
        round = undominated(next);
        if round.is_empty() {
            break;
        }
        all.extend(round.iter().cloned());
    }
    all
}

/// Every way to serve one more unit.
fn with_one(offer: &Offer, off: u32, free: &Free) -> Vec<(u32, Free)> {
    match offer {
        Offer::Whole(gpus) => off.checked_sub(*gpus).map(|rest| (rest, free.clone())).into_iter().collect(),
        Offer::Slices { together: Together::Node, ways } => {
            let mut found = Vec::new();
            for way in ways {
                take(way, free.clone(), 0..free.len(), &mut found);
            }
            found.into_iter().map(|free| (off, free)).collect()
        }
        Offer::Slices { together: Together::Gpu, ways } => {
            let mut found = Vec::new();
            for gpu in 0..free.len() {
                for way in ways {
                    take(way, free.clone(), gpu..gpu + 1, &mut found);
                }
            }
            found
                .into_iter()
                .map(|mut free| {
                    free.sort_unstable();
                    (off, free)
                })
                .collect()
        }
    }
}

/// Takes every line of a way from these GPUs, in every possible split over kinds.
fn take(lines: &[(u32, Vec<Kind>)], free: Free, gpus: std::ops::Range<usize>, found: &mut Vec<Free>) {
    let Some(((needed, kinds), rest)) = lines.split_first() else {
        found.push(free);
        return;
    };
    take_line(*needed, kinds, free, &gpus, &mut |free| take(rest, free, gpus.clone(), found));
}

fn take_line(needed: u32, kinds: &[Kind], free: Free, gpus: &std::ops::Range<usize>, then: &mut dyn FnMut(Free)) {
    if needed == 0 {
        return then(free);
    }
    let Some((&(model, profile), other)) = kinds.split_first() else { return };
    // After the GPUs are merged there is one entry for each model; a tight unit looks at one GPU.
    let Some(gpu) = gpus.clone().find(|&gpu| free[gpu].0 == model) else {
        return take_line(needed, other, free, gpus, then);
    };
    for n in 0..=u32::from(free[gpu].1[profile]).min(needed) {
        let mut less = free.clone();
        less[gpu].1[profile] -= u8::try_from(n).expect("at most what is there");
        take_line(needed - n, other, less, gpus, then);
    }
}

/// Of states that serve the same, those without another one that has as much of everything free.
fn undominated(states: BTreeSet<(Vector, u32, Free)>) -> BTreeSet<(Vector, u32, Free)> {
    let covers = |a: &Free, b: &Free| {
        a.iter().zip(b).all(|((m, a), (n, b))| m == n && a.iter().zip(b).all(|(a, b)| a >= b)) && a.len() == b.len()
    };
    let mut by_vector: BTreeMap<(Vector, u32), Vec<Free>> = BTreeMap::new();
    for (vector, off, free) in states {
        by_vector.entry((vector, off)).or_default().push(free);
    }
    let mut kept = BTreeSet::new();
    for ((vector, off), frees) in by_vector {
        for (i, free) in frees.iter().enumerate() {
            if !frees.iter().enumerate().any(|(j, other)| j != i && covers(other, free)) {
                kept.insert((vector, off, free.clone()));
            }
        }
    }
    kept
}

fn leftover(facts: &Facts<'_>, pool: &PoolFacts, free: &Free) -> i64 {
    let mut slices = 0;
    for (model, counts) in free {
        for (profile, &n) in counts.iter().enumerate().filter(|(profile, _)| pool.wanted.contains(&(*model, *profile)))
        {
            let p = &facts.models[*model].profiles[profile];
            slices += i64::from(n) * (i64::from(p.compute_slices) + i64::from(p.memory_slices));
        }
    }
    slices
}
