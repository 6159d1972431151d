//! One layout for several scenarios is as good as exhaustion finds any, and serves what is said.
//!
//! `MIGSAW_CASES` sets the number of random problems, `MIGSAW_SEED` the first seed.

use migsaw::plan::{Options, TierName};
use migsaw::problem::Problem;
use migsaw::robust::{Aim, Measure, Robust, Rule, Scenario, Weight, robust, weights};
use migsaw::whatif::Scaling;
use migsaw_sim::Rng;
use migsaw_tests::minimal::describe;
use migsaw_tests::oracle::{Scenarios, optimum};
use migsaw_tests::seeds::seeds;
use migsaw_tests::strategies::{Size, seeded};

const FLAT: Size = Size { gpus: 3, gpus_per_node: 2, demands: 3, units: 6, node_rules: false };
const RULES: Size = Size { gpus: 2, node_rules: true, ..FLAT };

/// A random problem with up to three scenarios.
fn problem(seed: u64, size: Size) -> Problem {
    let mut problem = seeded(seed, size);
    let mut rng = Rng::new(seed ^ 0x5ce7_a210);
    let names: Vec<String> = problem.demands.iter().map(|demand| demand.name.clone()).collect();
    let mut one_of = |many: u64| usize::try_from(rng.below(many)).expect("small");
    for index in 0..2 + one_of(2) {
        let weight = ["5", "2", "0.5", "1"][one_of(4)];
        let mut count = |name: &String| (Some(name.clone()), Scaling::Count([0, 1, 3, 7][one_of(4)]));
        problem.scenarios.push(Scenario {
            name: format!("s{index}"),
            weight: Some(weight.parse().expect("a weight")),
            counts: names.iter().map(&mut count).collect(),
        });
    }
    problem
}

fn ask(problem: &Problem, aim: Aim) -> Robust {
    match robust(problem, aim, &Options::default()) {
        Ok(answer) => answer,
        Err(error) => panic!("{error}\n{}", shown(problem)),
    }
}

fn shown(problem: &Problem) -> String {
    format!("{}{:#?}", describe(problem), problem.scenarios)
}

/// The problem with the largest count of each demand, and the scenarios'.
fn scenarios(problem: &Problem) -> (Problem, Vec<Problem>) {
    let all: Vec<Problem> = problem.scenarios.iter().map(|s| s.of(problem).expect("a scenario")).collect();
    let mut peak = problem.clone();
    for (index, demand) in peak.demands.iter_mut().enumerate() {
        demand.count = all.iter().map(|problem| problem.demands[index].count).max().unwrap_or(0);
    }
    (peak, all)
}

fn whole(problem: &Problem) -> Vec<i64> {
    let micros: Vec<u64> = weights(&problem.scenarios).iter().map(|weight| weight.micros).collect();
    let divisor = (1..=*micros.iter().min().expect("a scenario") / 100_000).rev().map(|n| n * 100_000);
    let divisor = divisor.into_iter().find(|d| micros.iter().all(|m| m % d == 0)).expect("tenths");
    micros.iter().map(|micros| i64::try_from(micros / divisor).expect("small")).collect()
}

/// Units by priority.
fn by_priority(problem: &Problem, served: &[u64], priorities: &[i32]) -> Vec<i64> {
    let at = |priority: &i32| -> u64 {
        let here = problem.demands.iter().zip(served).filter(|(demand, _)| demand.priority == *priority);
        here.map(|(_, units)| units).sum()
    };
    priorities.iter().map(|priority| i64::try_from(at(priority)).expect("small")).collect()
}

/// Holds an answer against exhaustion; whether it is proven.
fn compare(problem: &Problem, aim: Aim) -> bool {
    let (peak, problems) = scenarios(problem);
    if peak.demands.iter().all(|demand| demand.count == 0) {
        return true;
    }
    let exact = Scenarios::new(&peak, &problems);
    let answer = ask(problem, aim);
    let priorities = exact.priorities();
    assert_eq!(answer.priorities, priorities);
    let by_priority = |served: &[Vec<u64>]| -> Vec<Vec<i64>> {
        problems.iter().zip(served).map(|(problem, served)| by_priority(problem, served, &priorities)).collect()
    };
    let best: Vec<Vec<u64>> = answer.situations.iter().map(|situation| situation.best.clone()).collect();
    assert_eq!(by_priority(&best), exact.best(), "what could be served\n{}", shown(problem));
    let served = by_priority(&answer.ours().served);
    assert_eq!(served, exact.served_by(&answer.layout.plan), "what the layout serves\n{}", shown(problem));
    for (best, served) in exact.best().iter().zip(&served) {
        assert!(best >= served, "regret below 0\n{}", shown(problem));
    }
    let optimum = exact.optimum(&whole(problem), aim == Aim::Worst);
    let mut is_exact = true;
    for (tier, (level, measure)) in answer.tiers.iter().zip((0..priorities.len()).flat_map(|level| match aim {
        Aim::Average => [(level, Measure::Average), (level, Measure::Regret)],
        Aim::Worst => [(level, Measure::Regret), (level, Measure::Average)],
    })) {
        assert_eq!((tier.priority, tier.measure), (priorities[level], measure));
        let (right, sign) = match measure {
            Measure::Average => (optimum[level].average, 1),
            Measure::Regret => (optimum[level].regret, -1),
        };
        let (value, bound, right) = (sign * tier.value, sign * tier.bound, sign * right);
        // Below a tier that is not reached another layout is spoken of.
        assert!(!is_exact || value <= right && right <= bound, "{tier:?}, {right} is right\n{}", shown(problem));
        is_exact &= value == right;
        assert!(!answer.is_proven() || is_exact, "{tier:?} is claimed, {right} is right\n{}", shown(problem));
    }
    answer.is_proven()
}

#[test]
fn without_rules_within_a_node_the_best_layout_is_found_and_proven() {
    for seed in seeds(30) {
        let problem = problem(seed, FLAT);
        for aim in [Aim::Average, Aim::Worst] {
            assert!(compare(&problem, aim), "seed {seed} is not proven\n{}", shown(&problem));
        }
    }
}

#[test]
fn with_rules_within_a_node_the_bounds_hold() {
    let mut proven = 0;
    let cases = seeds(40);
    let all = 2 * (cases.end - cases.start);
    for seed in cases {
        let problem = problem(seed, RULES);
        proven += [Aim::Average, Aim::Worst].into_iter().map(|aim| u64::from(compare(&problem, aim))).sum::<u64>();
    }
    assert!(proven * 10 >= all * 9, "{proven} of {all} are proven");
}

#[test]
fn a_scenario_alone_is_planned_as_ever() {
    for seed in seeds(12) {
        let mut problem = problem(seed, RULES);
        problem.scenarios.truncate(1);
        let (peak, _) = scenarios(&problem);
        let answer = ask(&problem, Aim::Average);
        let served = optimum(&peak).into_iter().filter(|(name, _)| matches!(name, TierName::Served { .. }));
        let served: Vec<i64> = served.map(|(_, units)| units).collect();
        let ours: Vec<i64> =
            answer.tiers.iter().filter(|tier| tier.measure == Measure::Average).map(|tier| tier.value).collect();
        assert_eq!(ours, served, "{}", shown(&problem));
        assert!(answer.tiers.iter().all(|tier| tier.measure == Measure::Average || tier.value == 0));
    }
}

#[test]
fn weights_count_in_proportion_only() {
    for seed in seeds(12) {
        let before = problem(seed, FLAT);
        let mut after = before.clone();
        for scenario in &mut after.scenarios {
            let micros = scenario.weight.expect("each has one").micros * 3;
            scenario.weight = Some(Weight { micros });
        }
        let (before, after) = (ask(&before, Aim::Average), ask(&after, Aim::Average));
        assert_eq!((before.weights, &before.tiers, &before.choices), (after.weights, &after.tiers, &after.choices));
        assert_eq!(before.layout, after.layout);
    }
}

#[test]
fn no_choice_is_better_and_the_order_of_scenarios_does_not_matter() {
    for seed in seeds(12) {
        let mut problem = problem(seed, FLAT);
        for aim in [Aim::Average, Aim::Worst] {
            let answer = ask(&problem, aim);
            let (_, problems) = scenarios(&problem);
            let weights = whole(&problem);
            let first = |served: &[Vec<u64>]| -> i64 {
                let level = |(problem, served): (&Problem, &Vec<u64>)| by_priority(problem, served, &answer.priorities);
                let at = problems.iter().zip(served).map(level);
                at.zip(&weights).map(|(units, weight)| units.first().unwrap_or(&0) * weight).sum()
            };
            for choice in &answer.choices {
                match (aim, answer.priorities.first()) {
                    (Aim::Average, _) => assert!(first(&choice.served) <= first(&answer.ours().served)),
                    (Aim::Worst, Some(&priority)) => {
                        let regret = |choice: &migsaw::robust::Choice| choice.regret(&answer.situations, priority);
                        assert!(regret(choice) >= regret(answer.ours()), "{:?}", choice.rule);
                    }
                    (Aim::Worst, None) => {}
                }
            }
            assert_eq!(answer.choices.iter().filter(|choice| choice.rule == Rule::Robust).count(), 1);
            problem.scenarios.reverse();
            assert_eq!(ask(&problem, aim).tiers, answer.tiers, "{}", shown(&problem));
        }
    }
}
