//! Quotas: what is counted is counted again by plain code, and what the fleet has is what exhaustion finds.
//!
//! `MIGSAW_CASES` sets the number of random problems, `MIGSAW_SEED` the first seed.

use std::collections::{BTreeMap, BTreeSet};

use migsaw::capacity::Bounded;
use migsaw::demand::{Demand, Eligibility, Request, Toleration};
use migsaw::fleet::{Fleet, Pool, Strategy};
use migsaw::geometry::Catalog;
use migsaw::plan::{Options, TierName};
use migsaw::problem::Problem;
use migsaw::quota::{Honoured, Quota, Quotas, Refusal, RefusalCode, Resource, proposals, quotas};
use migsaw_sim::Rng;
use migsaw_tests::minimal::describe;
use migsaw_tests::oracle::optimum;
use migsaw_tests::seeds::seeds;
use migsaw_tests::strategies::{Size, seeded};

const SIZE: Size = Size { gpus: 3, gpus_per_node: 2, demands: 4, units: 4, node_rules: false };

/// A random problem with two tenants and random quotas.
fn problem(seed: u64) -> Problem {
    let mut problem = seeded(seed, SIZE);
    let mut rng = Rng::new(seed ^ 0x51);
    for demand in &mut problem.demands {
        demand.namespace = Some(if rng.below(2) == 0 { "a" } else { "b" }.to_owned());
    }
    let models = problem.fleet.pools.iter().flat_map(migsaw::fleet::Pool::gpu_models);
    let mut resources: Vec<Resource> =
        models.flat_map(|model| &model.profiles).map(|profile| Resource::Profile(profile.name.clone())).collect();
    resources.push(Resource::Gpu);
    for demand in &problem.demands {
        resources.extend(asked(demand).into_keys());
    }
    for index in 0..=rng.below(3) {
        let namespace = Some(if rng.below(2) == 0 { "a" } else { "b" }.to_owned());
        let mut hard = BTreeMap::new();
        for _ in 0..=rng.below(2) {
            let resource = &resources[usize::try_from(rng.below(resources.len() as u64)).expect("an index")];
            hard.insert(resource.clone(), rng.below(6));
        }
        let own = |(_, demand): &(usize, &Demand)| demand.namespace == namespace;
        let some: BTreeSet<usize> =
            problem.demands.iter().enumerate().filter(own).map(|(i, _)| i).filter(|_| rng.below(2) == 0).collect();
        let demands = (rng.below(3) == 0).then_some(some);
        problem.quotas.push(Quota { name: format!("q{index}"), namespace, demands, hard, used: BTreeMap::new() });
    }
    problem
}

/// What one unit asks for, by the words of the demand.
fn asked(demand: &Demand) -> BTreeMap<Resource, u64> {
    let single = demand.eligible.strategy == Some(Strategy::Single);
    let mut sum = BTreeMap::new();
    match &demand.request {
        Request::Profiles { instances, .. } => {
            for (name, n) in instances {
                let resource = if single { Resource::Gpu } else { Resource::Profile(name.clone()) };
                *sum.entry(resource).or_insert(0) += u64::from(*n);
            }
        }
        Request::AtLeast { instances, .. } if single => drop(sum.insert(Resource::Gpu, u64::from(*instances))),
        Request::AtLeast { .. } => {}
        Request::WholeGpus { gpus } => drop(sum.insert(Resource::Gpu, u64::from(*gpus))),
    }
    sum
}

/// The most units that a quota lets in, by trying every number of each demand.
fn most_let_in(units: &[(u64, u64)], left: u64) -> u64 {
    let Some(((each, count), rest)) = units.split_first() else { return 0 };
    let tries = (0..=*count).take_while(|n| n * each <= left);
    tries.map(|n| n + most_let_in(rest, left - n * each)).max().unwrap_or(0)
}

/// The most instances and GPUs of these that the empty fleet has, by exhaustion.
fn held(problem: &Problem, hard: &BTreeMap<Resource, u64>) -> u64 {
    let single = problem.fleet.pools.iter().all(|pool| pool.strategy == Strategy::Single);
    let mut empty = Problem { fleet: problem.fleet.clone(), ..Problem::default() };
    for (resource, n) in hard.iter().filter(|(_, n)| **n > 0) {
        let mut demand = match resource {
            Resource::Profile(name) => {
                let mut demand = Demand::of_profile(name.to_string(), name.clone(), *n);
                demand.eligible.strategy = Some(Strategy::Mixed);
                demand
            }
            // On a fleet of strategy `single` a slice will do, so it is the same as any profile.
            Resource::Gpu if single => return u64::MAX,
            Resource::Gpu => Demand::new("gpu", Request::WholeGpus { gpus: 1 }, *n),
        };
        let tolerations = vec![Toleration { key: None, value: None, effect: None }];
        demand.eligible = Eligibility { tolerations, ..demand.eligible };
        empty.demands.push(demand);
    }
    if empty.demands.is_empty() {
        return 0;
    }
    let served =
        |(name, value): &(TierName, i64)| matches!(name, TierName::Served { .. }).then_some(value.unsigned_abs());
    optimum(&empty).iter().find_map(served).unwrap_or(0)
}

fn total(hard: &BTreeMap<Resource, u64>) -> u64 {
    hard.values().sum()
}

/// Counts every line again.
fn check_lines(problem: &Problem, answer: &Quotas, seed: u64) {
    let mut lines = answer.lines.iter();
    let served = answer.plan.served(problem.demands.len());
    for (index, quota) in problem.quotas.iter().enumerate() {
        for (resource, &hard) in &quota.hard {
            let line = lines.next().expect("a line for each resource");
            assert_eq!((line.quota, &line.resource, line.hard), (index, resource, hard));
            let counted = |i: usize| match &quota.demands {
                Some(these) => these.contains(&i),
                None => problem.demands[i].namespace == quota.namespace,
            };
            let units: Vec<(u64, u64, u64)> = (0..problem.demands.len())
                .filter(|&i| counted(i))
                .filter_map(|i| Some((*asked(&problem.demands[i]).get(resource)?, problem.demands[i].count, served[i])))
                .collect();
            let all: u64 = units.iter().map(|(_, count, _)| count).sum();
            let plain: Vec<(u64, u64)> = units.iter().map(|&(each, count, _)| (each, count)).collect();
            let what = format!("seed {seed}, {line:?}\n{}", describe(problem));
            assert_eq!(line.asked, units.iter().map(|(each, count, _)| each * count).sum::<u64>(), "{what}");
            assert_eq!(line.refused, all - most_let_in(&plain, hard), "{what}");
            let named: u64 = units.iter().map(|(each, _, served)| each * served).sum();
            assert!(line.planned >= named && (line.open > 0 || line.planned == named), "{what}");
        }
    }
    assert_eq!(lines.next(), None);
    for Refusal { demand, quota, resource, admitted, code, .. } in &answer.refusals {
        let each = asked(&problem.demands[*demand])[resource];
        let (hard, count) = (problem.quotas[*quota].hard[resource], problem.demands[*demand].count);
        let alone = (0..=count).filter(|n| n * each <= hard).max().expect("none fits always");
        assert_eq!(*admitted, alone);
        assert_eq!(*code == RefusalCode::Unit, alone == 0);
        assert_eq!(*code == RefusalCode::Sum, alone == count);
    }
}

/// How many quotas are more than the fleet has.
fn check_fleet(problem: &Problem, answer: &Quotas, seed: u64) -> u64 {
    let mut never = 0;
    for grant in &answer.grants {
        let exact = held(problem, &grant.hard);
        let fits = exact >= total(&grant.hard);
        let what = format!("seed {seed}, {grant:?}\n{}", describe(problem));
        assert_eq!(matches!(grant.honoured, Honoured::Yes), fits, "{what}");
        assert_eq!(matches!(grant.honoured, Honoured::Never(_)), !fits, "{what}");
        never += u64::from(!fits);
    }
    let part = |percent: u64| {
        let mut sum: BTreeMap<Resource, u64> = BTreeMap::new();
        for (resource, hard) in answer.grants.iter().flat_map(|grant| &grant.hard) {
            *sum.entry(resource.clone()).or_insert(0) += (hard * percent).div_ceil(100);
        }
        sum
    };
    let all = part(100);
    assert_eq!(answer.together.granted, total(&all));
    let exact = held(problem, &all);
    if exact == u64::MAX {
        return never;
    }
    assert_eq!(answer.together.at_once, Bounded::exactly(exact), "seed {seed}\n{}", describe(problem));
    // Only a few parts differ, so few have to be looked at.
    let mut known: BTreeMap<BTreeMap<Resource, u64>, bool> = BTreeMap::new();
    let mut fits = |percent: u64| {
        let these = part(percent);
        *known.entry(these.clone()).or_insert_with(|| held(problem, &these) >= total(&these))
    };
    let most = (0..=100).take_while(|&percent| fits(percent)).last().unwrap_or(0);
    assert_eq!(answer.together.percent, Bounded::exactly(most), "seed {seed}\n{}", describe(problem));
    never
}

#[test]
fn quotas_are_what_counting_and_exhaustion_find() {
    let (mut never, mut refused) = (0, 0);
    for seed in seeds(60) {
        let problem = problem(seed);
        let answer = quotas(&problem, &Options::default()).unwrap_or_else(|error| panic!("{error}"));
        check_lines(&problem, &answer, seed);
        never += check_fleet(&problem, &answer, seed);
        refused += answer.refused(&problem);
    }
    assert!(never > 5 && refused > 5, "{never} more than the fleet has, {refused} pods refused");
}

#[test]
fn nobody_has_part_of_a_quota_of_one_who_has_none_of_it() {
    let catalog = Catalog::builtin();
    let whole = Resource::Profile("7g.80gb".parse().expect("a name"));
    for (hard, nodes, expected) in [(1, 1, 0), (1, 2, 0), (1, 3, 100), (2, 3, 50), (10, 3, 10), (10, 2, 0)] {
        let quota = |namespace: &str| Quota {
            name: "gpus".to_owned(),
            namespace: Some(namespace.to_owned()),
            demands: None,
            hard: BTreeMap::from([(whole.clone(), hard)]),
            used: BTreeMap::new(),
        };
        let pool = Pool::new("p", catalog.model("H100-80GB").expect("a model"), nodes, 1);
        let problem = Problem {
            fleet: Fleet { pools: vec![pool] },
            quotas: ["a", "b", "c"].map(quota).to_vec(),
            ..Problem::default()
        };
        let together = quotas(&problem, &Options::default()).unwrap_or_else(|error| panic!("{error}")).together;
        assert_eq!(together.percent, Bounded::exactly(expected), "three times {hard} on {nodes}");
        assert_eq!((together.granted, together.at_once), (3 * hard, Bounded::exactly(nodes.into())));
    }
}

#[test]
fn what_is_proposed_refuses_nothing_that_is_served() {
    for seed in seeds(40) {
        let mut problem = problem(seed);
        let answer = quotas(&problem, &Options::default()).unwrap_or_else(|error| panic!("{error}"));
        let points = "0%".parse().expect("a percentage");
        for closed in [false, true] {
            let proposed = proposals(&problem, &answer.plan, points, closed);
            // What is served asks for just what is proposed.
            problem.quotas = proposed
                .into_iter()
                .map(|of| Quota {
                    name: "new".to_owned(),
                    namespace: of.namespace,
                    demands: None,
                    hard: of.hard,
                    used: BTreeMap::new(),
                })
                .collect();
            for line in quotas(&problem, &Options::default()).unwrap_or_else(|error| panic!("{error}")).lines {
                assert_eq!(line.planned, line.hard, "seed {seed}, {line:?}\n{}", describe(&problem));
            }
        }
    }
}
