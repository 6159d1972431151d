//! What slices are at, and what waits in vain.

use std::collections::BTreeSet;

use migsaw::capacity::{Slices, slices, waiting};
use migsaw::fleet::{GpuState, NodeGroup, Strategy};
use migsaw::geometry::{Layout, Model, Placement, ProfileId};
use migsaw::plan::Options;
use migsaw::present::{Held, RecutUnit};
use migsaw_tests::minimal::describe;
use migsaw_tests::running::running;
use migsaw_tests::seeds::seeds;

use super::exhaustion::{counts, served};
use super::{FLAT, RULES};

/// What one GPU's placement units are at, each looked at for itself.
fn unit_by_unit(group: &NodeGroup, gpu: usize, model: &Model, strategy: Strategy) -> Slices {
    let covers = |instance: &Placement, unit: u8| {
        (instance.start..instance.start + model.get(instance.profile).size).contains(&unit)
    };
    let mut found = Slices::default();
    for unit in 0..model.units {
        let holds = |held: &Held| held.instance.is_none_or(|instance| covers(&instance, unit));
        let here = |held: &&Held| usize::from(held.gpu) == gpu;
        let running: Vec<Held> = match &group.present {
            Some(present) => present.running.iter().flat_map(|unit| unit.holds.clone()).collect(),
            None => Vec::new(),
        };
        let pinned: Vec<Placement> = match group.state(gpu) {
            GpuState::Pinned(layout) => layout.placements().to_vec(),
            _ => Vec::new(),
        };
        let is_held = *group.state(gpu) == GpuState::Taken
            || running.iter().filter(here).any(holds)
            || pinned.iter().any(|instance| covers(instance, unit));
        let is_busy = group.present.as_ref().is_some_and(|present| match present.unit {
            _ if strategy == Strategy::Single => !running.is_empty(),
            RecutUnit::Node => !running.is_empty(),
            RecutUnit::Gpu => running.iter().any(|held| usize::from(held.gpu) == gpu),
            RecutUnit::Instance => false,
        });
        let kept: Vec<Placement> = running.iter().filter(here).filter_map(|h| h.instance).chain(pinned).collect();
        let field = if is_held {
            &mut found.held
        } else if group.present.is_none() && kept.is_empty() {
            &mut found.unknown
        } else if is_busy {
            let layout =
                group.present.as_ref().and_then(|present| present.layout(gpu)).filter(|layout| !layout.is_empty());
            let is_offered = layout.is_none_or(|layout| layout.placements().iter().any(|i| covers(i, unit)));
            if is_offered { &mut found.offered } else { &mut found.stranded }
        } else {
            // Which units are lost is the geometry's own question; here only their number counts.
            &mut found.idle
        };
        *field += 1;
    }
    let kept: Vec<Placement> = match group.state(gpu) {
        GpuState::Pinned(layout) => layout.placements().to_vec(),
        _ => Vec::new(),
    };
    let holds = group.present.iter().flat_map(|p| &p.running).flat_map(|unit| &unit.holds);
    let on_it = holds.filter(|held| usize::from(held.gpu) == gpu).filter_map(|held| held.instance);
    if found.idle > 0 {
        let layout = Layout::claimed(kept.into_iter().chain(on_it).collect::<BTreeSet<_>>());
        let usable = most_added(model, &layout, 0);
        (found.idle, found.stranded) = (usable, found.idle - usable);
    }
    found
}

/// The most placement units that instances beside these can take, by trying all that start at `from` or behind.
fn most_added(model: &Model, layout: &Layout, from: u8) -> u64 {
    let mut most = 0;
    for id in 0..model.profiles.len() {
        let id = ProfileId(u8::try_from(id).expect("few profiles"));
        let size = model.get(id).size;
        for &start in model.get(id).starts.iter().filter(|&&start| start >= from) {
            let more = layout.placements().iter().copied().chain([Placement { start, profile: id }]);
            if let Ok(with) = Layout::new(model, more) {
                most = most.max(u64::from(size) + most_added(model, &with, start + size));
            }
        }
    }
    most
}

#[test]
fn slices_are_what_counting_unit_by_unit_finds() {
    let mut all = Slices::default();
    for seed in seeds(300) {
        let problem = running(seed, RULES, 3);
        let found = slices(&problem);
        for (pool, found) in problem.fleet.pools.iter().zip(&found) {
            let mut counted = Slices::default();
            for group in &pool.nodes {
                for (gpu, model) in pool.gpu_models().enumerate() {
                    for _ in 0..group.names.count() {
                        counted += unit_by_unit(group, gpu, model, pool.strategy);
                    }
                }
            }
            assert_eq!(*found, counted, "seed {seed}\n{}", describe(&problem));
            let units: u64 = pool.gpu_models().map(|model| u64::from(model.units)).sum();
            assert_eq!(found.all(), units * u64::from(pool.node_count()), "seed {seed}");
            all += *found;
        }
    }
    let Slices { held, offered, idle, stranded, unknown } = all;
    assert!([held, offered, idle, stranded, unknown].iter().all(|n| *n > 0), "one kind never came up: {all:?}");
}

#[test]
fn what_waits_and_cannot_be_served_is_what_exhaustion_leaves() {
    let (mut unserved, mut proven) = (0, 0);
    for seed in seeds(150) {
        let mut problem = running(seed, FLAT, 3);
        problem.budgets.clear();
        let found = waiting(&problem, &Options::default()).expect("it makes sense");
        let asked: u64 = problem.demands.iter().map(|demand| demand.count).sum();
        let there: u64 = counts(&problem).iter().sum();
        assert_eq!(found.iter().map(|waiting| waiting.units).sum::<u64>(), asked - there, "seed {seed}");
        let exact = asked - served(&problem, Some(0)).iter().sum::<i64>().unsigned_abs();
        let least: u64 = found.iter().map(|waiting| waiting.unserved.least).sum();
        let most: u64 = found.iter().map(|waiting| waiting.unserved.most).sum();
        assert!(least <= exact && exact <= most, "seed {seed}: {least} to {most}, {exact} is right");
        assert!(found.iter().all(|waiting| waiting.unserved.most <= waiting.units), "what runs is served");
        unserved += exact;
        proven += u64::from(least == most);
    }
    assert!(unserved > 0 && proven > 140, "{unserved} unserved, {proven} proven");
}
