//! The order of a rollout: nobody is homeless who need not be, in as few waves as that allows.
//!
//! `MIGSAW_CASES` sets the number of random problems, `MIGSAW_SEED` the first seed.

use std::collections::BTreeSet;

use migsaw::budget::Budget;
use migsaw::check::check;
use migsaw::plan::{Moving, Options, Plan, Prefer};
use migsaw::problem::Problem;
use migsaw::rollout::{Limits, Rollout, Wave};
use migsaw_tests::minimal::describe;
use migsaw_tests::moves::moves;
use migsaw_tests::running::running;
use migsaw_tests::seeds::seeds;
use migsaw_tests::solve::solve_with;
use migsaw_tests::strategies::Size;
use migsaw_tests::walk::{At, Walk, Woes, judge};
use migsaw_tests::wpm::cases;

fn planned(problem: &Problem, prefer: Prefer) -> Plan {
    solve_with(
        problem,
        &Options { moving: Moving { prefer, max_evictions: None, ..Moving::default() }, ..Options::default() },
    )
}

/// What is made as small as it can be: what pods suffer, then the waves.
type Rank = ((Vec<u64>, u64, usize), usize);

/// The best of all orders.
fn best(problem: &Problem, plan: &Plan, most: usize) -> Rank {
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
    let mut best: Option<Rank> = None;
    each(&Walk::new(problem, plan).touched(), most, &mut Vec::new(), &mut |waves| {
        let mut walk = Walk::new(problem, plan);
        let mut total = Woes::default();
        for wave in waves {
            let woes = walk.wave(wave);
            if !woes.is_allowed(wave.len()) {
                return;
            }
            total.add(&woes);
        }
        let found = (total.rank(), waves.len());
        if best.as_ref().is_none_or(|known| found < *known) {
            best = Some(found);
        }
    });
    best.unwrap_or_default()
}

#[test]
fn no_order_of_a_few_nodes_is_better() {
    let size = Size { gpus: 5, gpus_per_node: 2, demands: 3, units: 6, node_rules: true };
    let (mut steps, mut homeless, mut over) = (0, 0, 0);
    for seed in seeds(150) {
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
            assert_eq!((found.rank(), rollout.waves.len()), expected, "seed {seed}, {most}\n{}", describe(&problem));
            assert_eq!((rollout.fewest_waves, rollout.is_kindest), (rollout.waves.len(), true), "seed {seed}");
            steps += rollout.waves.iter().map(|wave| wave.steps.len()).sum::<usize>();
            homeless += rollout.homeless();
            over += found.over.iter().sum::<u64>();
        }
    }
    let seen = format!("{steps} steps, {homeless} homeless, {over} beyond budgets");
    assert!(steps > 100 && homeless > 0 && over > 0, "the cases must say something: {seen}");
}

/// What random plans have had to say.
#[derive(Debug, Default)]
struct Seen {
    steps: usize,
    homeless: usize,
    over: u64,
    hops: usize,
    again: usize,
}

impl Seen {
    fn add(&mut self, rollout: &Rollout, woes: &Woes) {
        self.steps += rollout.waves.iter().map(|wave| wave.steps.len()).sum::<usize>();
        self.homeless += rollout.homeless();
        self.over += woes.over.iter().sum::<u64>();
        self.hops += woes.hops.len();
        self.again += woes.again.len();
    }
}

#[test]
fn no_order_of_a_random_plan_is_better() {
    let mut seen = Seen::default();
    for seed in seeds(2500) {
        let (problem, plan) = moves(seed, 4);
        assert_eq!((problem.validate(), check(&problem, &plan)), (vec![], vec![]), "seed {seed}");
        for most in [1, 2] {
            let limits = Limits { max_unavailable: u32::try_from(most).expect("a small number") };
            let rollout = Rollout::new(&problem, &plan, limits);
            let shown = || format!("seed {seed}, {most}\n{}{:?}\n{rollout:?}", describe(&problem), plan.nodes);
            let found = judge(&problem, &plan, &rollout, most).unwrap_or_else(|wrong| panic!("{wrong}\n{}", shown()));
            let expected = best(&problem, &plan, most);
            assert_eq!((found.rank(), rollout.waves.len()), expected, "{}", shown());
            assert_eq!((rollout.fewest_waves, rollout.is_kindest), (rollout.waves.len(), true), "seed {seed}");
            seen.add(&rollout, &found);
        }
    }
    let is_enough = seen.homeless > 100 && seen.over > 100 && seen.hops > 100 && seen.again > 20;
    assert!(is_enough, "the cases must say something: {seen:?}");
}

#[test]
fn many_steps_of_a_random_plan_go_at_least_as_well_as_one_after_the_other() {
    let (mut seen, mut better) = (Seen::default(), 0);
    for seed in seeds(200) {
        let (problem, plan) = moves(seed, 30);
        assert_eq!((problem.validate(), check(&problem, &plan)), (vec![], vec![]), "seed {seed}");
        let mut walk = Walk::new(&problem, &plan);
        let mut obvious = (Woes::default(), walk.touched().len());
        for node in walk.touched() {
            obvious.0.add(&walk.wave(&[node]));
        }
        let obvious = (obvious.0.rank(), obvious.1);
        for most in [1, 4] {
            let limits = Limits { max_unavailable: u32::try_from(most).expect("a small number") };
            let rollout = Rollout::new(&problem, &plan, limits);
            let shown = || format!("seed {seed}, {most}\n{}{:?}\n{rollout:?}", describe(&problem), plan.nodes);
            let found = judge(&problem, &plan, &rollout, most).unwrap_or_else(|wrong| panic!("{wrong}\n{}", shown()));
            let rank = (found.rank(), rollout.waves.len());
            assert!(rank <= obvious, "seed {seed}, {most}: {rank:?} after {obvious:?}");
            assert_eq!(rollout, Rollout::new(&problem, &plan, limits), "seed {seed}");
            better += usize::from(rank.0 < obvious.0);
            seen.add(&rollout, &found);
        }
    }
    assert!(better > 100 && seen.hops > 100, "the cases must say something: {better} better, {seen:?}");
}

/// Every order in which one node's step is elsewhere: a wave of its own, or part of another.
fn moved(waves: &[Vec<At>], node: At, most: usize) -> Vec<Vec<Vec<At>>> {
    let rest = waves.iter().map(|wave| wave.iter().copied().filter(|other| *other != node).collect::<Vec<At>>());
    let rest: Vec<Vec<At>> = rest.filter(|wave| !wave.is_empty()).collect();
    let alone = (0..=rest.len()).map(|at| [&rest[..at], &[vec![node]], &rest[at..]].concat());
    let joined = (0..rest.len()).filter(|&at| rest[at].len() < most).map(|at| {
        let mut next = rest.clone();
        next[at].push(node);
        next
    });
    alone.chain(joined).collect()
}

#[test]
fn no_move_of_one_step_makes_a_random_order_better() {
    let mut moves_tried = 0;
    for seed in seeds(60) {
        let (problem, plan) = moves(seed, 18);
        for most in [1, 3] {
            let limits = Limits { max_unavailable: u32::try_from(most).expect("a small number") };
            let rollout = Rollout::new(&problem, &plan, limits);
            let nodes = |wave: &Wave| wave.steps.iter().map(|step| (step.pool, step.node)).collect();
            let waves: Vec<Vec<At>> = rollout.waves.iter().map(nodes).collect();
            let rank = |waves: &[Vec<At>]| {
                let (mut walk, mut total) = (Walk::new(&problem, &plan), Woes::default());
                for wave in waves {
                    let woes = walk.wave(wave);
                    if !woes.is_allowed(wave.len()) {
                        return None;
                    }
                    total.add(&woes);
                }
                Some((total.rank(), waves.len()))
            };
            let reached = rank(&waves).expect("budgets allow a rollout");
            for next in waves.iter().flatten().flat_map(|&node| moved(&waves, node, most)) {
                let found = rank(&next);
                assert!(found.as_ref().is_none_or(|found| *found >= reached), "seed {seed}, {most}: {next:?}");
                moves_tried += usize::from(waves.iter().flatten().count() > 8);
            }
        }
    }
    assert!(moves_tried > 1000, "{moves_tried} moves of many steps");
}

/// Budgets for each demand, and one for all of them.
fn budgets(problem: &Problem) -> Vec<Budget> {
    let all = 0..problem.demands.len();
    let budget = |name: String, demands: BTreeSet<usize>, allowed| Budget { name, namespace: None, demands, allowed };
    let each = all.clone().map(|demand| budget(demand.to_string(), [demand].into(), 2));
    each.chain([budget("all".to_owned(), all.collect(), 5)]).collect()
}

#[test]
fn many_nodes_go_at_least_as_well_as_one_after_the_other() {
    for case in cases() {
        let mut problem = case.problem(true, 2);
        let plan = planned(&problem, Prefer::LowCost);
        // Budgets that allow one do not change a plan.
        for budgets in [Vec::new(), budgets(&problem)] {
            problem.budgets = budgets;
            let mut walk = Walk::new(&problem, &plan);
            let mut obvious = (Woes::default(), walk.touched().len());
            for node in walk.touched() {
                obvious.0.add(&walk.wave(&[node]));
            }
            let obvious = (obvious.0.rank(), obvious.1);
            for most in [1, 3, 20] {
                let limits = Limits { max_unavailable: u32::try_from(most).expect("a small number") };
                let rollout = Rollout::new(&problem, &plan, limits);
                let judged = judge(&problem, &plan, &rollout, most);
                let found = judged.unwrap_or_else(|wrong| panic!("{} with {most}: {wrong}", case.name));
                assert!((found.rank(), rollout.waves.len()) <= obvious, "{} with {most}: {found:?}", case.name);
                assert!(rollout.fewest_waves <= rollout.waves.len(), "{}", case.name);
            }
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
