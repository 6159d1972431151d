//! How much more fits is what exhaustion finds, and more hardware never fits less.
//!
//! `MIGSAW_CASES` sets the number of random problems, `MIGSAW_SEED` the first seed.

use migsaw::buy::{Candidate, Need, Order, Survive, buy};
use migsaw::capacity::{
    Beside, Bounded, Capacity, Freedom, LimitCode, Mix, Query, Slices, Wanted, capacity, slices, waiting,
};
use migsaw::demand::{Demand, Eligibility, Request, Toleration};
use migsaw::fleet::{GpuState, NodeGroup, NodeNames, Pool, Strategy};
use migsaw::geometry::{Layout, Model, Placement, ProfileName};
use migsaw::plan::{Budget, Moving, Options, TierName};
use migsaw::present::{Held, RecutUnit};
use migsaw::problem::Problem;
use migsaw::whatif::{Change, what_if};
use migsaw_sim::Rng;
use migsaw_tests::minimal::describe;
use migsaw_tests::oracle::{optimum, optimum_beside_present};
use migsaw_tests::running::running;
use migsaw_tests::strategies::Size;

const FLAT: Size = Size { gpus: 3, gpus_per_node: 2, demands: 3, units: 4, node_rules: false };
const RULES: Size = Size { node_rules: true, ..FLAT };

fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn seeds(cases: u64) -> std::ops::Range<u64> {
    let first = from_env("MIGSAW_SEED", 0);
    first..first + from_env("MIGSAW_CASES", cases)
}

fn ask(problem: &Problem, query: &Query) -> Capacity {
    match capacity(problem, query, &Options::default()) {
        Ok(answer) => answer,
        Err(error) => panic!("{error}\n{}", describe(problem)),
    }
}

/// The units that run of each demand.
fn counts(problem: &Problem) -> Vec<u64> {
    let mut counts = vec![0; problem.demands.len()];
    for group in problem.fleet.pools.iter().flat_map(|pool| &pool.nodes) {
        for unit in group.present.iter().flat_map(|present| &present.running) {
            counts[unit.demand] += u64::from(group.names.count());
        }
    }
    counts
}

/// Served at each priority, the highest first, by exhaustion.
fn served(problem: &Problem, max_evictions: Option<u64>) -> Vec<i64> {
    let moving = Moving { max_evictions, ..Moving::default() };
    let tiers = if problem.is_running_known() { optimum_beside_present(problem, moving) } else { optimum(problem) };
    tiers.iter().filter(|(name, _)| matches!(name, TierName::Served { .. })).map(|(_, value)| *value).collect()
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

fn anywhere() -> Eligibility {
    Eligibility { tolerations: vec![Toleration { key: None, value: None, effect: None }], ..Eligibility::default() }
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
                    check(fit.room, exact, &problem, &format!("seed {seed}, {name} in {}", pool.pool));
                }
            }
        }
    }
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
            check(row.total[0].room, exact, &problem, &format!("seed {seed}, {}", row.wanted));
        }
    }
}

/// What one GPU's placement units are at, each looked at for itself.
fn unit_by_unit(group: &NodeGroup, gpu: usize, model: &Model) -> Slices {
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
        let layout = Layout::claimed(kept.into_iter().chain(on_it).collect::<std::collections::BTreeSet<_>>());
        let usable = most_added(model, &layout, 0);
        (found.idle, found.stranded) = (usable, found.idle - usable);
    }
    found
}

/// The most placement units that instances beside these can take, by trying all that start at `from` or behind.
fn most_added(model: &Model, layout: &Layout, from: u8) -> u64 {
    let mut most = 0;
    for id in 0..model.profiles.len() {
        let id = migsaw::geometry::ProfileId(u8::try_from(id).expect("few profiles"));
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
                    let one = unit_by_unit(group, gpu, model);
                    let nodes = u64::from(group.names.count());
                    counted.held += nodes * one.held;
                    counted.offered += nodes * one.offered;
                    counted.idle += nodes * one.idle;
                    counted.stranded += nodes * one.stranded;
                    counted.unknown += nodes * one.unknown;
                }
            }
            assert_eq!(*found, counted, "seed {seed}\n{}", describe(&problem));
            let units: u64 = pool.gpu_models().map(|model| u64::from(model.units)).sum();
            assert_eq!(found.all(), units * u64::from(pool.node_count()), "seed {seed}");
            all.held += found.held;
            all.offered += found.offered;
            all.idle += found.idle;
            all.stranded += found.stranded;
            all.unknown += found.unknown;
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

#[test]
fn a_mix_of_profiles_is_counted_in_copies() {
    for seed in seeds(25) {
        let problem = running(seed, FLAT, 3);
        let model = problem.fleet.pools[0].gpu_models().next().expect("a GPU");
        let names = [&model.profiles[0].name, &model.profiles[model.profiles.len() - 1].name];
        let mix: std::collections::BTreeMap<ProfileName, u64> = names.iter().map(|name| ((*name).clone(), 1)).collect();
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
            check(copies.room, exact.expect("few GPUs"), &problem, &format!("seed {seed}, {:?}", copies.freedom));
        }
    }
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
        }
        let (Some(hurried), Some(right)) = (hurried.mix, right.mix) else { continue };
        for (hurried, right) in hurried.total.iter().zip(&right.total) {
            let holds = hurried.room.least <= right.room.most && hurried.room.most >= right.room.least;
            assert!(holds, "seed {seed}: {hurried:?} {right:?}");
        }
    }
}

#[test]
fn what_changes_come_to_is_what_exhaustion_finds() {
    for seed in seeds(25) {
        let problem = running(seed, FLAT, 3);
        let first = &problem.fleet.pools[0];
        let (pool, node) = (first.name.clone(), first.node_name(0));
        let gpus: u64 = problem.fleet.pools.iter().map(migsaw::fleet::Pool::gpu_count).sum();
        let change = match seed % 3 {
            0 if gpus > u64::from(first.gpus_per_node()) => Change::RemoveNode { node },
            1 if gpus + u64::from(first.gpus_per_node()) <= 4 => Change::AddNodes { pool, count: 1 },
            _ => Change::Scale { demand: None, by: "+50%".parse().expect("a scaling") },
        };
        let answer = match what_if(&problem, std::slice::from_ref(&change), &Options::default()) {
            Ok(answer) => answer,
            Err(error) => panic!("seed {seed} {change:?}: {error}\n{}", describe(&problem)),
        };
        for side in [&answer.before, &answer.after] {
            let exact = served(&side.problem, None);
            let tiers = side.plan.tiers.iter().filter(|tier| matches!(tier.name, TierName::Served { .. }));
            for (tier, exact) in tiers.zip(exact) {
                assert!(tier.value <= exact && exact <= tier.bound, "seed {seed} {change:?} {:?}", side.plan.tiers);
                assert_eq!(tier.value, tier.bound, "seed {seed} {change:?}: proven without node rules");
            }
        }
    }
}

/// Whether exhaustion serves all of the target with so many new nodes of a model, these lost.
fn serves_all(problem: &Problem, model: &std::sync::Arc<Model>, per_node: u32, new: u32, lost: Option<&str>) -> bool {
    let mut problem = problem.clone();
    problem.forget_running();
    problem.budgets.clear();
    for demand in &mut problem.demands {
        demand.priority = 0;
        demand.eligible = anywhere();
    }
    problem.fleet.pools.push(Pool::new("brand-new", model.clone(), new, per_node));
    let all: Vec<String> = problem
        .fleet
        .pools
        .iter()
        .flat_map(|pool| (0..pool.node_count()).map(|index| pool.node_name(index)).collect::<Vec<_>>())
        .collect();
    if let Some(lost) = lost.filter(|lost| all.iter().any(|name| name == lost)) {
        problem = migsaw::whatif::changed(&problem, &[Change::RemoveNode { node: lost.to_owned() }]).expect("a node");
    }
    let asked: u64 = problem.demands.iter().map(|demand| demand.count).sum();
    if problem.fleet.pools.iter().all(|pool| pool.gpu_count() == 0) {
        return asked == 0;
    }
    served(&problem, None).iter().sum::<i64>().unsigned_abs() == asked
}

/// The fewest new nodes by trying each number, up to so many GPUs.
fn fewest_by_exhaustion(
    problem: &Problem,
    model: &std::sync::Arc<Model>,
    per_node: u32,
    any_node: bool,
) -> Result<u64, u64> {
    let there: u64 = problem.fleet.pools.iter().map(Pool::gpu_count).sum();
    let mut new = 0;
    while there + u64::from(new * per_node) <= 5 {
        let mut names: Vec<Option<String>> = vec![None];
        if any_node {
            let pools = problem.fleet.pools.iter();
            names.extend(pools.flat_map(|pool| (0..pool.node_count()).map(|i| Some(pool.node_name(i)))));
            names.extend((0..new.min(1)).map(|i| Some(format!("brand-new-{i}"))));
        }
        if names.iter().all(|lost| serves_all(problem, model, per_node, new, lost.as_deref())) {
            return Ok(u64::from(new));
        }
        new += 1;
    }
    Err(u64::from(new))
}

#[test]
fn what_is_to_be_bought_is_what_exhaustion_finds() {
    let (mut exact, mut proven) = (0, 0);
    for seed in seeds(60) {
        let size = Size { gpus: 2, gpus_per_node: 2, demands: 2, units: 5, node_rules: seed % 2 == 0 };
        let mut problem = running(seed, size, 1);
        problem.demands.iter_mut().for_each(|demand| demand.eligible = anywhere());
        problem.fleet.pools.iter_mut().for_each(|pool| pool.taints.clear());
        // New nodes are like none of these: of strategy mixed, whatever those are.
        let model = problem.fleet.pools[0].gpu_models().next().expect("a GPU").clone();
        problem.fleet.pools.iter_mut().for_each(|pool| pool.strategy = Strategy::Mixed);
        let per_node = 1 + u32::from(seed % 3 == 0);
        for survive in [Survive::Nothing, Survive::Node] {
            let any_node = survive == Survive::Node;
            let candidates = vec![Candidate { model: model.clone(), gpus_per_node: Some(per_node), price: None }];
            let order = Order { candidates, survive, ..Order::default() };
            let answer = match buy(&problem, &order, &Options::default()) {
                Ok(answer) => answer,
                Err(error) => panic!("seed {seed}: {error}\n{}", describe(&problem)),
            };
            let need = answer.offers[0].need;
            let what = || format!("seed {seed}, any node {any_node}: {need:?}\n{}", describe(&problem));
            match (fewest_by_exhaustion(&problem, &model, per_node, any_node), need) {
                (Ok(right), Need::Nodes(found)) => {
                    assert!(found.least <= right && right <= found.most, "{right} is right; {}", what());
                    exact += 1;
                    proven += u64::from(found.is_proven());
                }
                (Ok(right), _) => panic!("{right} is right; {}", what()),
                // Exhaustion went only so far.
                (Err(more), Need::Nodes(found)) => assert!(found.most >= more, "at least {more}; {}", what()),
                (Err(_), Need::Impossible | Need::Unknown { .. }) => {}
            }
        }
    }
    eprintln!("{proven} of {exact} proven");
    assert!(exact >= 30 && proven * 10 >= exact * 9, "{proven} of {exact}");
}

#[test]
fn a_zone_may_be_lost_however_new_nodes_are_spread_over_them() {
    let mut compared = 0;
    for seed in seeds(40) {
        let size = Size { gpus: 2, gpus_per_node: 1, demands: 2, units: 6, node_rules: false };
        let mut problem = running(seed, size, 0);
        problem.forget_running();
        problem.demands.iter_mut().for_each(|demand| demand.eligible = anywhere());
        problem.fleet.pools.iter_mut().for_each(|pool| pool.taints.clear());
        let model = problem.fleet.pools[0].gpu_models().next().expect("a GPU").clone();
        let zones = ["a", "b"];
        let candidates = vec![Candidate { model: model.clone(), gpus_per_node: Some(1), price: None }];
        let values = zones.iter().map(|&zone| zone.to_owned()).collect();
        let survive = Survive::Label { key: "zone".to_owned(), values };
        let order = Order { candidates, survive, ..Order::default() };
        let Ok(answer) = buy(&problem, &order, &Options::default()) else { panic!("seed {seed}") };
        // Every way to spread them, and every zone lost.
        let left = |zone: &str, new: u32| {
            let mut left = problem.clone();
            left.fleet.pools.retain(|pool| pool.labels["zone"] != zone);
            serves_all(&left, &model, 1, new, None)
        };
        let right = (0..=4u32).find(|&new| (0..=new).any(|in_a| left("a", new - in_a) && left("b", in_a)));
        let need = answer.offers[0].need;
        match (right, need) {
            (Some(right), Need::Nodes(found)) => {
                let right = u64::from(right);
                assert!(found.least <= right && right <= found.most, "seed {seed}: {right} {found:?}");
                compared += 1;
            }
            (Some(right), _) => panic!("seed {seed}: {right} is right, not {need:?}\n{}", describe(&problem)),
            (None, Need::Nodes(found)) => assert!(found.most > 4, "seed {seed}: {found:?}\n{}", describe(&problem)),
            (None, _) => {}
        }
    }
    assert!(compared >= 8, "{compared}");
}
