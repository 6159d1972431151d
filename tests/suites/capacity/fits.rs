//! How much more of a profile fits, and how many copies of a mix.

use std::collections::BTreeMap;

use migsaw::capacity::{Beside, Bounded, Capacity, Freedom, LimitCode, Mix, Query, Row, Wanted, capacity};
use migsaw::demand::{Demand, Eligibility, Request};
use migsaw::fleet::{GpuState, NodeGroup, NodeNames};
use migsaw::geometry::{Layout, ProfileName};
use migsaw::plan::{Budget, Options};
use migsaw::present::RecutUnit;
use migsaw::problem::Problem;
use migsaw_sim::Rng;
use migsaw_tests::minimal::describe;
use migsaw_tests::running::running;
use migsaw_tests::seeds::seeds;
use migsaw_tests::strategies::Size;

use super::exhaustion::{anywhere, counts, served};
use super::{FLAT, RULES};

fn ask(problem: &Problem, query: &Query) -> Capacity {
    match capacity(problem, query, &Options::default()) {
        Ok(answer) => answer,
        Err(error) => panic!("{error}\n{}", describe(problem)),
    }
}

/// Where nodes are left as they are cut: what is free of them by counting, and the problem of those that a driver
/// cuts when pods come.
fn as_cut(problem: &Problem, profile: &ProfileName) -> (u64, Problem) {
    let mut by_driver = problem.clone();
    let mut free = 0;
    for (pool, original) in by_driver.fleet.pools.iter_mut().zip(&problem.fleet.pools) {
        let models: Vec<_> = original.gpu_models().collect();
        for (group, of) in pool.nodes.iter_mut().zip(&original.nodes) {
            let nodes = u64::from(of.names.count());
            if of.present.as_ref().is_some_and(|present| present.unit == RecutUnit::Instance) {
                continue;
            }
            for (gpu, model) in models.iter().enumerate() {
                let Some(present) = &of.present else { continue };
                let Some(layout) = present.layout(gpu) else { continue };
                let pinned = match of.state(gpu) {
                    GpuState::Pinned(layout) => layout.clone(),
                    _ => Layout::empty(),
                };
                for instance in layout.placements() {
                    let held = present.running.iter().flat_map(|unit| &unit.holds);
                    let mut here = held.filter(|held| usize::from(held.gpu) == gpu);
                    let is_held = here.any(|held| held.instance == Some(*instance));
                    let is_it = model.profile(profile) == Some(instance.profile);
                    free += u64::from(is_it && !is_held && !pinned.placements().contains(instance)) * nodes;
                }
            }
            // It offers nothing more.
            let taken = vec![GpuState::Taken; models.len()];
            *group = NodeGroup { names: of.names.clone(), pinned: taken, present: None };
        }
    }
    (free, by_driver)
}

/// The most of a profile by exhaustion.
fn expected(problem: &Problem, profile: &ProfileName, count: u64, freedom: Freedom) -> u64 {
    let mut problem = problem.clone();
    problem.budgets.retain(|budget| budget.allowed == 0);
    let (free, mut problem) = if freedom == Freedom::AsCut { as_cut(&problem, profile) } else { (0, problem) };
    let max_evictions = match freedom {
        Freedom::AsCut | Freedom::CutIdle => Some(0),
        Freedom::Evict(most) => Some(most),
        Freedom::MoveAll => None,
    };
    let running = counts(&problem);
    for (demand, running) in problem.demands.iter_mut().zip(running) {
        (demand.count, demand.priority) = (running, 1);
    }
    let mut added = Demand::of_profile("added", profile.clone(), count);
    added.eligible = anywhere();
    problem.demands.push(added);
    free + served(&problem, max_evictions).last().copied().unwrap_or(0).unsigned_abs()
}

/// Whether a number holds what exhaustion finds; how many are proven.
fn check(room: Bounded, exact: u64, problem: &Problem, what: &str) -> u64 {
    let holds = room.least <= exact && exact <= room.most;
    assert!(holds, "{what}: {room} found, {exact} is right\n{}", describe(problem));
    u64::from(room.is_proven())
}

/// Compares profiles and copies of the demands with exhaustion; how many numbers there are, and are proven.
fn agree(size: Size, cases: u64) -> (u64, u64) {
    let (mut all, mut proven) = (0, 0);
    for seed in seeds(cases) {
        let problem = running(seed, size, 3);
        let mut rng = Rng::new(seed);
        let models = problem.fleet.pools.iter().flat_map(|pool| pool.gpu_models().cloned());
        let names: Vec<ProfileName> =
            models.flat_map(|model| model.profiles.iter().map(|p| p.name.clone()).collect::<Vec<_>>()).collect();
        let mut pick = || names[usize::try_from(rng.below(names.len() as u64)).expect("an index")].clone();
        let profiles = vec![pick(), pick()];
        let query = Query { profiles: Some(profiles), max_evictions: Some(1), ..Query::default() };
        let answer = ask(&problem, &query);
        for row in &answer.rows {
            let Wanted::Profile(name) = &row.wanted else { unreachable!("only profiles are asked about") };
            for fit in &row.total {
                let exact = expected(&problem, name, row.empty, fit.freedom);
                proven += check(fit.room, exact, &problem, &format!("seed {seed}, {name}, {:?}", fit.freedom));
                all += 1;
                if fit.room.is_proven() {
                    assert!(
                        !fit.limits.contains_key(&LimitCode::Undecided),
                        "seed {seed}, {name}, {fit:?}\n{}",
                        describe(&problem)
                    );
                }
                let gpus: u64 = fit.limits.values().sum();
                let having = problem.fleet.pools.iter().map(|pool| {
                    let of_node = pool.gpu_models().filter(|model| model.profile(name).is_some()).count() as u64;
                    of_node * u64::from(pool.node_count())
                });
                assert_eq!(gpus, having.sum::<u64>(), "seed {seed}, {name}: every GPU has one limit");
            }
        }
        let Some(mix) = answer.mix else { continue };
        for copies in mix.total.iter().filter(|copies| copies.freedom != Freedom::AsCut) {
            let exact = copies_by_exhaustion(&problem, copies.freedom);
            proven += check(copies.room, exact, &problem, &format!("seed {seed}, copies, {:?}", copies.freedom));
            all += 1;
            assert!(!copies.lacks.is_empty(), "seed {seed}: {copies:?}");
        }
    }
    (all, proven)
}

/// Copies of the demands, one after the other.
fn copies_by_exhaustion(problem: &Problem, freedom: Freedom) -> u64 {
    let max_evictions = match freedom {
        Freedom::AsCut | Freedom::CutIdle => Some(0),
        Freedom::Evict(most) => Some(most),
        Freedom::MoveAll => None,
    };
    let running = counts(problem);
    for copies in 1.. {
        let mut more = problem.clone();
        for (demand, running) in more.demands.iter_mut().zip(&running) {
            (demand.count, demand.priority) = (running + copies * demand.count, 0);
        }
        let asked: u64 = more.demands.iter().map(|demand| demand.count).sum();
        if served(&more, max_evictions).iter().sum::<i64>().unsigned_abs() < asked {
            return copies - 1;
        }
    }
    unreachable!("no fleet is endless")
}

#[test]
fn exhaustion_agrees_without_node_rules() {
    let (all, proven) = agree(FLAT, 40);
    eprintln!("{proven} of {all} proven");
    assert!(proven * 100 >= all * 99, "{proven} of {all}");
}

#[test]
fn exhaustion_agrees() {
    let (all, proven) = agree(RULES, 40);
    eprintln!("{proven} of {all} proven");
    assert!(proven * 100 >= all * 85, "{proven} of {all}");
}

#[test]
fn a_pool_alone_holds_what_it_holds_without_the_others() {
    let (mut all, mut proven) = (0, 0);
    for seed in seeds(25) {
        let problem = running(seed, FLAT, 3);
        let answer = ask(&problem, &Query { max_evictions: Some(1), ..Query::default() });
        for row in &answer.rows {
            let Wanted::Profile(name) = &row.wanted else { continue };
            for pool in &row.pools {
                for fit in pool.fits.iter().filter(|fit| fit.freedom != Freedom::AsCut) {
                    let mut only = problem.clone();
                    let running = counts(&problem);
                    for (demand, running) in only.demands.iter_mut().zip(running) {
                        (demand.count, demand.priority) = (running, 1);
                    }
                    let mut added = Demand::of_profile("added", name.clone(), pool.empty);
                    added.eligible =
                        Eligibility { pools: Some(vec![problem.fleet.pools[pool.pool].name.clone()]), ..anywhere() };
                    only.demands.push(added);
                    let max_evictions = match fit.freedom {
                        Freedom::Evict(most) => Some(most),
                        Freedom::MoveAll => None,
                        _ => Some(0),
                    };
                    let exact = served(&only, max_evictions).last().copied().unwrap_or(0).unsigned_abs();
                    proven += check(fit.room, exact, &problem, &format!("seed {seed}, {name} in {}", pool.pool));
                    all += 1;
                }
            }
        }
    }
    assert!(all > 0 && proven * 100 >= all * 95, "{proven} of {all} proven");
}

#[test]
fn more_freedom_and_one_more_node_never_fit_less() {
    for seed in seeds(12) {
        let size = Size { gpus: 8, gpus_per_node: 4, demands: 5, units: 8, node_rules: seed % 2 == 0 };
        let problem = running(seed, size, 8);
        let query = Query { max_evictions: Some(2), ..Query::default() };
        let before = ask(&problem, &query);
        let mut larger = problem.clone();
        let names = NodeNames::Listed(vec!["one-more".to_owned()]);
        larger.fleet.pools[0].nodes.push(NodeGroup::idle(names));
        let after = ask(&larger, &query);
        for (before, after) in before.rows.iter().zip(&after.rows) {
            for (before, after) in before.total.iter().zip(&after.total) {
                assert!(after.room.most >= before.room.least, "seed {seed}: {before:?} {after:?}");
                let is_proven = before.room.is_proven() && after.room.is_proven();
                assert!(!is_proven || after.room.least >= before.room.least, "seed {seed}: {before:?} {after:?}");
            }
            for pair in before.total.windows(2) {
                assert!(pair[0].room.least <= pair[1].room.least, "seed {seed}: {pair:?}");
                assert!(pair[0].room.most <= pair[1].room.most, "seed {seed}: {pair:?}");
            }
        }
        let (Some(before), Some(after)) = (before.mix, after.mix) else { continue };
        for (before, after) in before.total.iter().zip(&after.total) {
            assert!(after.room.most >= before.room.least, "seed {seed}: {before:?} {after:?}");
        }
    }
}

#[test]
fn beside_all_that_is_asked_for_there_is_what_it_leaves() {
    let (mut all, mut proven) = (0, 0);
    for seed in seeds(25) {
        let mut problem = running(seed, FLAT, 3);
        problem.forget_running();
        let answer = ask(&problem, &Query { beside: Beside::Demand, ..Query::default() });
        assert_eq!(answer.freedoms, [Freedom::CutIdle]);
        for row in &answer.rows {
            let mut with = problem.clone();
            let request = match &row.wanted {
                Wanted::Profile(name) => Demand::of_profile("added", name.clone(), 1).request,
                Wanted::WholeGpu => Request::WholeGpus { gpus: 1 },
            };
            let mut added = Demand::new("added", request, row.empty);
            (added.eligible, added.priority) = (anywhere(), -100);
            with.demands.push(added);
            let exact = served(&with, None).last().copied().unwrap_or(0).unsigned_abs();
            proven += check(row.total[0].room, exact, &problem, &format!("seed {seed}, {}", row.wanted));
            all += 1;
        }
    }
    assert!(all > 0 && proven * 100 >= all * 95, "{proven} of {all} proven");
}

#[test]
fn a_mix_of_profiles_is_counted_in_copies() {
    let (mut all, mut proven) = (0, 0);
    for seed in seeds(25) {
        let problem = running(seed, FLAT, 3);
        let model = problem.fleet.pools[0].gpu_models().next().expect("a GPU");
        let names = [&model.profiles[0].name, &model.profiles[model.profiles.len() - 1].name];
        let mix: BTreeMap<ProfileName, u64> = names.iter().map(|name| ((*name).clone(), 1)).collect();
        let query = Query { mix: Mix::Profiles(mix.clone()), ..Query::default() };
        let answer = ask(&problem, &query).mix.expect("a mix was given");
        for copies in answer.total.iter().filter(|copies| copies.freedom != Freedom::AsCut) {
            let mut exact = None;
            for n in 1..40 {
                let mut more = problem.clone();
                let running = counts(&problem);
                for (demand, running) in more.demands.iter_mut().zip(running) {
                    (demand.count, demand.priority) = (running, 0);
                }
                for (name, each) in &mix {
                    let mut added = Demand::of_profile(format!("mix {name}"), name.clone(), n * each);
                    added.eligible = anywhere();
                    more.demands.push(added);
                }
                let asked: u64 = more.demands.iter().map(|demand| demand.count).sum();
                let max = if copies.freedom == Freedom::CutIdle { Some(0) } else { None };
                if served(&more, max).iter().sum::<i64>().unsigned_abs() < asked {
                    exact = Some(n - 1);
                    break;
                }
            }
            let what = format!("seed {seed}, {:?}", copies.freedom);
            proven += check(copies.room, exact.expect("few GPUs"), &problem, &what);
            all += 1;
        }
    }
    assert!(all > 0 && proven * 100 >= all * 95, "{proven} of {all} proven");
}

/// No time at all.
struct Never;

impl Budget for Never {
    fn remaining(&self) -> std::time::Duration {
        std::time::Duration::ZERO
    }
}

#[test]
fn without_time_nothing_is_claimed() {
    let mut open = 0;
    for seed in seeds(20) {
        let problem = running(seed, RULES, 3);
        let query = Query { max_evictions: Some(1), ..Query::default() };
        let hurried = capacity(&problem, &query, &Options { budget: &Never, ..Options::default() }).expect("valid");
        let right = ask(&problem, &query);
        for (hurried, right) in hurried.rows.iter().zip(&right.rows) {
            for (hurried, right) in hurried.total.iter().zip(&right.total) {
                let holds = hurried.room.least <= right.room.most && hurried.room.most >= right.room.least;
                assert!(holds, "seed {seed}: {hurried:?} {right:?}");
            }
            // Of several pools each keeps a line of its own, however little is known of it.
            let pools = |row: &Row| row.pools.iter().map(|of| (of.pool, of.empty, of.fits.len())).collect::<Vec<_>>();
            assert_eq!(pools(hurried), pools(right), "seed {seed}");
            for (hurried, right) in hurried.pools.iter().zip(&right.pools) {
                for (hurried, right) in hurried.fits.iter().zip(&right.fits) {
                    let holds = hurried.room.least <= right.room.most && hurried.room.most >= right.room.least;
                    assert!(holds, "seed {seed}: {hurried:?} {right:?}");
                    open += usize::from(hurried.room.least < hurried.room.most);
                }
            }
        }
        let (Some(hurried), Some(right)) = (hurried.mix, right.mix) else { continue };
        for (hurried, right) in hurried.total.iter().zip(&right.total) {
            let holds = hurried.room.least <= right.room.most && hurried.room.most >= right.room.least;
            assert!(holds, "seed {seed}: {hurried:?} {right:?}");
        }
    }
    assert!(open > 0, "some number of a pool is not proven");
}
