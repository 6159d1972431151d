//! What a strategy costs is what exhaustion finds.
//!
//! `MIGSAW_CASES` sets the number of random problems, `MIGSAW_SEED` the first seed.

use std::collections::BTreeMap;

use migsaw::advice::advise;
use migsaw::capacity::Bounded;
use migsaw::demand::{Demand, Request};
use migsaw::fleet::{Fleet, Strategy};
use migsaw::geometry::ProfileName;
use migsaw::plan::{Options, TierName};
use migsaw::problem::Problem;
use migsaw_tests::minimal::describe;
use migsaw_tests::oracle::optimum;
use migsaw_tests::seeds::seeds;
use migsaw_tests::strategies::{Size, seeded};

const SIZE: Size = Size { gpus: 3, gpus_per_node: 2, demands: 3, units: 4, node_rules: false };

/// The problem with one strategy everywhere, without prices.
fn with(problem: &Problem, strategy: Strategy) -> Problem {
    let mut with = problem.clone();
    for pool in &mut with.fleet.pools {
        pool.strategy = strategy;
        pool.cost_per_gpu = None;
    }
    with.demands.iter_mut().for_each(|demand| demand.eligible.strategy = None);
    with
}

/// Units served, of all priorities together, and GPUs, by exhaustion.
fn exact(problem: &Problem) -> (u64, u64) {
    let tiers = optimum(problem);
    let sum = |is: fn(&TierName) -> bool| -> u64 {
        tiers.iter().filter(|(name, _)| is(name)).map(|(_, value)| value.unsigned_abs()).sum()
    };
    (sum(|name| matches!(name, TierName::Served { .. })), sum(|name| *name == TierName::Gpus))
}

/// Whether a pod of the demand can run on one profile, if its pool has a single model.
fn on_profile(demand: &Demand, problem: &Problem, name: &ProfileName) -> Option<Demand> {
    let model = problem.fleet.pools[0].gpu_models().next().expect("a GPU");
    let profile = model.get(model.profile(name)?);
    match &demand.request {
        Request::Profiles { instances, .. } => instances.keys().all(|asked| asked == name).then(|| demand.clone()),
        Request::AtLeast { memory_mib, compute_slices, instances, together } => {
            let has = u64::from(profile.memory_mib.value.unwrap_or(0));
            let request =
                Request::Profiles { instances: BTreeMap::from([(name.clone(), *instances)]), together: *together };
            let is_enough = has >= *memory_mib && profile.compute_slices >= *compute_slices;
            is_enough.then(|| Demand { request, ..demand.clone() })
        }
        Request::WholeGpus { .. } => None,
    }
}

#[test]
fn strategies_cost_what_exhaustion_finds() {
    let (mut costs, mut uniform) = (0, 0);
    for seed in seeds(50) {
        let problem = seeded(seed, SIZE);
        let advice = advise(&problem, &Options::default()).unwrap_or_else(|error| panic!("{error}"));
        let (mixed, single) = (with(&problem, Strategy::Mixed), with(&problem, Strategy::Single));
        for (side, problem) in [(&advice.mixed, &mixed), (&advice.single, &single)] {
            let (served, gpus) = exact(problem);
            assert_eq!(side.served, Bounded::exactly(served), "seed {seed}\n{}", describe(problem));
            assert_eq!(side.gpus, Bounded::exactly(gpus), "seed {seed}\n{}", describe(problem));
            assert_eq!(side.more_nodes == Some(Bounded::exactly(0)), served == advice.asked, "seed {seed}");
        }
        costs += u64::from((advice.mixed.served, advice.mixed.gpus) != (advice.single.served, advice.single.gpus));
        for of in &advice.pools {
            let pool = &single.fleet.pools[of.pool];
            if pool.gpus.len() > 1 {
                continue;
            }
            let mut alone = Problem { fleet: Fleet { pools: vec![pool.clone()] }, ..Problem::default() };
            let may = |demand: &&Demand| demand.count > 0 && demand.eligible.admits(pool).is_ok();
            let demands: Vec<Demand> = single.demands.iter().filter(may).cloned().collect();
            assert_eq!(of.asked, demands.iter().map(|demand| demand.count).sum::<u64>(), "seed {seed}");
            for found in &of.uniform {
                alone.demands = match &found.profile {
                    None => {
                        let is_whole = |demand: &&Demand| matches!(demand.request, Request::WholeGpus { .. });
                        demands.iter().filter(is_whole).cloned().collect()
                    }
                    Some(name) => demands.iter().filter_map(|demand| on_profile(demand, &alone, name)).collect(),
                };
                let (served, gpus) = if alone.demands.is_empty() { (0, 0) } else { exact(&alone) };
                let what = format!("seed {seed}, {found:?}\n{}", describe(&alone));
                assert_eq!((found.served, found.gpus), (Bounded::exactly(served), Bounded::exactly(gpus)), "{what}");
                uniform += 1;
            }
        }
    }
    assert!(costs > 5 && uniform > 50, "{costs} problems on which it matters, {uniform} pools of one profile");
}

#[test]
fn as_many_nodes_more_as_it_takes_serve_all() {
    for seed in seeds(12) {
        let problem = seeded(seed, Size { gpus: 2, units: 2, ..SIZE });
        let advice = advise(&problem, &Options::default()).unwrap_or_else(|error| panic!("{error}"));
        for (side, strategy) in [(&advice.mixed, Strategy::Mixed), (&advice.single, Strategy::Single)] {
            let mut nodes = 0;
            // Exhaustion cannot look far.
            let enough = loop {
                let mut larger = with(&problem, strategy);
                for (index, pool) in larger.fleet.pools.iter_mut().enumerate() {
                    let names = (0..nodes).map(|node| format!("new-{index}-{node}")).collect();
                    let names = migsaw::fleet::NodeNames::Listed(names);
                    pool.nodes.push(migsaw::fleet::NodeGroup::idle(names));
                }
                if exact(&larger).0 == advice.asked {
                    break Some(nodes);
                }
                if nodes == 1 {
                    break None;
                }
                nodes += 1;
            };
            match enough {
                Some(nodes) => assert_eq!(side.more_nodes, Some(Bounded::exactly(nodes)), "seed {seed}"),
                None => assert!(side.more_nodes.is_none_or(|more| more.least > 1), "seed {seed}"),
            }
        }
    }
}
