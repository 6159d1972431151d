//! The oracle is held against simpler truths before anything is held against the oracle.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::cmp::Reverse;

use migsaw::demand::Demand;
use migsaw::fleet::{Fleet, GpuState, Pool};
use migsaw::geometry::{Catalog, Layout, Model, ProfileId};
use migsaw::plan::TierName;
use migsaw::problem::Problem;
use migsaw_sim::Rng;
use migsaw_tests::closed_form::Mix;
use migsaw_tests::oracle::optimum;
use migsaw_tests::strategies::{Size, seeded};

/// One or two GPUs of one model with something pinned, demands of single profiles by name.
fn plain(rng: &mut Rng, gpus: u32) -> Problem {
    let catalog = Catalog::builtin();
    let models: Vec<_> = catalog.models().cloned().collect();
    let model = models[usize::try_from(rng.below(models.len() as u64)).unwrap()].clone();
    let mut pool = Pool::new("p", model.clone(), 1, gpus);
    pool.nodes[0].pinned = (0..gpus)
        .map(|_| {
            let layouts = model.layouts();
            let few: Vec<&Layout> = layouts.iter().filter(|layout| layout.placements().len() <= 2).collect();
            match rng.below(3) {
                0 => GpuState::Pinned(few[usize::try_from(rng.below(few.len() as u64)).unwrap()].clone()),
                _ => GpuState::Idle,
            }
        })
        .collect();
    let demands = (0..=rng.below(3)).map(|i| {
        let profile = &model.profiles[usize::try_from(rng.below(model.profiles.len() as u64)).unwrap()];
        let mut demand = Demand::of_profile(format!("d{i}"), profile.name.clone(), 1 + rng.below(5));
        demand.priority = i32::try_from(rng.below(2)).unwrap();
        demand
    });
    Problem { demands: demands.collect(), fleet: Fleet { pools: vec![pool] }, ..Problem::default() }
}

/// Every layout of every GPU, and of each demand as many units as there are instances left for it.
fn by_layouts(problem: &Problem) -> Vec<i64> {
    let pool = &problem.fleet.pools[0];
    let model: &Model = &pool.gpus[0].model;
    let mut targets: Vec<Vec<(Option<Layout>, Layout)>> = Vec::new();
    for gpu in 0..pool.gpus[0].count as usize {
        let mut of_gpu: Vec<(Option<Layout>, Layout)> = Vec::new();
        match pool.nodes[0].state(gpu) {
            GpuState::Pinned(pinned) if !pinned.is_empty() => {
                let completions = model.completions(&pinned.occupancy(model).unwrap());
                of_gpu.extend(completions.into_iter().map(|added| (Some(pinned.clone()), added)));
            }
            _ => of_gpu.extend(model.layouts().into_iter().map(|added| (None, added))),
        }
        targets.push(of_gpu);
    }
    let mut levels: Vec<i32> = problem.demands.iter().map(|demand| demand.priority).collect();
    levels.sort_unstable_by_key(|&level| Reverse(level));
    levels.dedup();
    let mut choices: Vec<(i64, [i64; 16])> = vec![(0, [0; 16])];
    for of_gpu in &targets {
        let mut next = Vec::new();
        for (used, counts) in &choices {
            for (pinned, added) in of_gpu {
                let mut counts = *counts;
                for placement in added.placements() {
                    counts[placement.profile.index()] += 1;
                }
                let cut = pinned.is_some() || !added.is_empty();
                next.push((used + i64::from(cut), counts));
            }
        }
        next.sort_unstable();
        next.dedup();
        choices = next;
    }
    let value = |&(used, counts): &(i64, [i64; 16])| {
        let mut free = counts;
        let mut served = vec![0; levels.len()];
        let mut by_urgency: Vec<&Demand> = problem.demands.iter().collect();
        by_urgency.sort_by_key(|demand| Reverse(demand.priority));
        let mut wanted = [false; 16];
        for demand in by_urgency {
            let migsaw::demand::Request::Profiles { instances, .. } = &demand.request else { unreachable!() };
            let profile = model.profile(instances.keys().next().unwrap()).unwrap().index();
            let units = free[profile].min(i64::try_from(demand.count).unwrap());
            free[profile] -= units;
            wanted[profile] = true;
            served[levels.iter().position(|&level| level == demand.priority).unwrap()] += units;
        }
        let left: i64 = model
            .profile_ids()
            .filter(|(ProfileId(id), _)| wanted[usize::from(*id)])
            .map(|(id, p)| free[id.index()] * i64::from(p.compute_slices + p.memory_slices))
            .sum();
        (served, Reverse(used), Reverse(i64::from(used > 0)), left)
    };
    let (served, used, configurations, left) = choices.iter().map(value).max().unwrap();
    served.into_iter().chain([used.0, configurations.0, left]).collect()
}

#[test]
fn agrees_with_the_enumeration_of_placed_layouts() {
    let mut rng = Rng::new(1);
    for case in 0..200 {
        let problem = plain(&mut rng, if case % 4 == 0 { 2 } else { 1 });
        // Two GPUs of the RTX have half a million pairs of layouts.
        if problem.fleet.pools[0].gpus[0].model.profiles.len() > 7 && problem.fleet.pools[0].gpus[0].count > 1 {
            continue;
        }
        let found: Vec<i64> = optimum(&problem).into_iter().map(|(_, value)| value).collect();
        assert_eq!(found, by_layouts(&problem), "case {case}: {problem:#?}");
    }
}

#[test]
fn agrees_with_the_closed_form() {
    let model = Catalog::builtin().model("H100-80GB").unwrap();
    let classes = ["1g", "1gx2", "2g", "3g", "4g", "7g"];
    let mut rng = Rng::new(2);
    for case in 0..300 {
        let counts: [u64; 6] =
            std::array::from_fn(|i| if rng.chance(1, 2) { rng.below([9, 5, 4, 3, 2, 2][i]) } else { 0 });
        let mix = Mix::from(counts);
        let gpus = 1 + u32::try_from(rng.below(3)).unwrap();
        let name = |class: &str| model.profiles.iter().find(|p| p.class == class).unwrap().name.clone();
        let demands = classes.iter().zip(counts).map(|(class, n)| Demand::of_profile(*class, name(class), n)).collect();
        let fleet = Fleet { pools: vec![Pool::new("p", model.clone(), gpus, 1)] };
        let total: u64 = counts.iter().sum();
        if total == 0 {
            continue;
        }
        let tiers = optimum(&Problem { fleet, demands, ..Problem::default() });
        let all = tiers[0].1 == i64::try_from(total).unwrap();
        assert_eq!(all, mix.fits(u64::from(gpus)), "case {case}: {mix:?} on {gpus}");
        if all {
            assert_eq!(tiers[1], (TierName::Gpus, i64::try_from(mix.fewest_gpus()).unwrap()), "case {case}: {mix:?}");
        }
    }
}

/// More can be served with one more node, and never less; a unit less is served at most.
#[test]
fn grows_with_the_fleet_and_the_demand() {
    for seed in 0..150 {
        let problem = seeded(seed, Size { gpus: 3, ..Size::TINY });
        let served = |problem: &Problem| -> Vec<i64> {
            optimum(problem)
                .iter()
                .filter(|(name, _)| matches!(name, TierName::Served { .. }))
                .map(|(_, v)| *v)
                .collect()
        };
        let before = served(&problem);
        let mut larger = problem.clone();
        let extra = Pool { name: "extra".into(), ..Pool::new("e", problem.fleet.pools[0].gpus[0].model.clone(), 1, 1) };
        larger.fleet.pools.push(Pool { cost_per_gpu: problem.fleet.pools[0].cost_per_gpu, ..extra });
        assert!(served(&larger) >= before, "seed {seed}");
    }
}
