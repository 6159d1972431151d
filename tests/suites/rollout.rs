//! The order of a rollout: nobody is homeless who need not be, in as few waves as that allows.
//!
//! `MIGSAW_CASES` sets the number of random problems, `MIGSAW_SEED` the first seed.

use migsaw::plan::{Moving, Options, Plan, Prefer};
use migsaw::problem::Problem;
use migsaw::rollout::{Limits, Rollout};
use migsaw_tests::minimal::describe;
use migsaw_tests::running::running;
use migsaw_tests::solve::solve_with;
use migsaw_tests::strategies::Size;
use migsaw_tests::walk::{Walk, judge};
use migsaw_tests::wpm::cases;

fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn planned(problem: &Problem, prefer: Prefer) -> Plan {
    solve_with(problem, &Options { moving: Moving { prefer, max_evictions: None }, ..Options::default() })
}

/// A node, by pool and index.
type At = (usize, u32);

/// The best of all orders: homeless units by priority, and waves.
fn best(problem: &Problem, plan: &Plan, most: usize) -> (Vec<u64>, usize) {
    fn each(left: &[At], most: usize, waves: &mut Vec<Vec<At>>, visit: &mut dyn FnMut(&[Vec<At>])) {
        if left.is_empty() {
            return visit(waves);
        }
        for set in 1usize..1 << left.len() {
            if set.count_ones() as usize <= most {
                let (wave, rest): (Vec<_>, Vec<_>) = left.iter().enumerate().partition(|(i, _)| set >> i & 1 == 1);
                waves.push(wave.into_iter().map(|(_, node)| *node).collect());
                let rest: Vec<At> = rest.into_iter().map(|(_, node)| *node).collect();
                each(&rest, most, waves, visit);
                waves.pop();
            }
        }
    }
    let mut best: Option<(Vec<u64>, usize)> = None;
    each(&Walk::new(problem, plan).touched(), most, &mut Vec::new(), &mut |waves| {
        let mut walk = Walk::new(problem, plan);
        let mut total: Vec<u64> = Vec::new();
        for wave in waves {
            let homeless = walk.wave(wave);
            total.resize(homeless.len(), 0);
            total.iter_mut().zip(homeless).for_each(|(all, n)| *all += n);
        }
        let found = (total, waves.len());
        if best.as_ref().is_none_or(|known| found < *known) {
            best = Some(found);
        }
    });
    best.unwrap_or_default()
}

#[test]
fn no_order_of_a_few_nodes_is_better() {
    let size = Size { gpus: 5, gpus_per_node: 2, demands: 3, units: 6, node_rules: true };
    let (mut steps, mut homeless) = (0, 0);
    for seed in from_env("MIGSAW_SEED", 0)..from_env("MIGSAW_SEED", 0) + from_env("MIGSAW_CASES", 150) {
        let problem = running(seed, size, 8);
        let prefer = if seed % 2 == 0 { Prefer::FewEvictions } else { Prefer::LowCost };
        let plan = planned(&problem, prefer);
        for most in [1, 2] {
            let limits = Limits { max_unavailable: u32::try_from(most).expect("a small number") };
            let rollout = Rollout::new(&problem, &plan, limits);
            let judged = judge(&problem, &plan, &rollout, most);
            let found =
                judged.unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}\n{}{rollout:#?}", describe(&problem)));
            let expected = best(&problem, &plan, most);
            assert_eq!((found, rollout.waves.len()), expected, "seed {seed}, {most}\n{}", describe(&problem));
            assert_eq!((rollout.fewest_waves, rollout.is_kindest), (rollout.waves.len(), true), "seed {seed}");
            steps += rollout.waves.iter().map(|wave| wave.steps.len()).sum::<usize>();
            homeless += rollout.homeless();
        }
    }
    assert!(steps > 100 && homeless > 0, "{steps} steps, {homeless} homeless: the cases say something");
}

#[test]
fn many_nodes_go_at_least_as_well_as_one_after_the_other() {
    for case in cases() {
        let problem = case.problem(true, 2);
        let plan = planned(&problem, Prefer::LowCost);
        let walk = Walk::new(&problem, &plan);
        let touched = walk.touched();
        let mut obvious = (Vec::new(), touched.len());
        let mut walk = walk;
        for node in touched {
            let homeless = walk.wave(&[node]);
            obvious.0.resize(homeless.len(), 0);
            obvious.0.iter_mut().zip(homeless).for_each(|(all, n): (&mut u64, u64)| *all += n);
        }
        for most in [1, 3, 20] {
            let limits = Limits { max_unavailable: u32::try_from(most).expect("a small number") };
            let rollout = Rollout::new(&problem, &plan, limits);
            let judged = judge(&problem, &plan, &rollout, most);
            let found = judged.unwrap_or_else(|wrong| panic!("{} with {most}: {wrong}", case.name));
            assert!((found.clone(), rollout.waves.len()) <= obvious, "{} with {most}: {found:?}", case.name);
            assert!(rollout.fewest_waves <= rollout.waves.len(), "{}", case.name);
        }
    }
}

/// Takes the first unit of each demand that has all its units on one GPU into an entry of its own.
fn split(plan: &Plan) -> Option<Plan> {
    let mut plan = plan.clone();
    let mut is_split = false;
    for nodes in &mut plan.nodes {
        let mut first_units = Vec::new();
        for serving in &mut nodes.serves {
            if serving.units > 1 && serving.shares.len() == 1 {
                let mut first = serving.clone();
                first.units = 1;
                first.shares[0].instances /= serving.units;
                serving.shares[0].instances -= first.shares[0].instances;
                serving.units -= 1;
                first_units.push(first);
            }
        }
        is_split |= !first_units.is_empty();
        nodes.serves.extend(first_units);
    }
    is_split.then_some(plan)
}

#[test]
fn a_demand_named_twice_on_a_node_counts_once() {
    let size = Size { gpus: 5, gpus_per_node: 2, demands: 2, units: 12, node_rules: false };
    let mut steps = 0;
    for seed in 0..100 {
        let problem = running(seed, size, 8);
        let plan = planned(&problem, Prefer::LowCost);
        let Some(split) = split(&plan) else { continue };
        let rollout = Rollout::new(&problem, &plan, Limits::default());
        assert_eq!(rollout, Rollout::new(&problem, &split, Limits::default()), "seed {seed}: {}", describe(&problem));
        steps += rollout.waves.len();
    }
    assert!(steps > 20, "the problems must have something to order: {steps}");
}
