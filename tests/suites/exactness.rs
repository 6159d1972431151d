//! The planner reaches the optimum of every tier, by exhaustion where that is possible.
//!
//! `MIGSAW_CASES` sets the number of random problems, `MIGSAW_SEED` the first seed. The full run is
//! `MIGSAW_CASES=10000 cargo test --release -p migsaw-tests --test exactness`.

use std::collections::BTreeMap;

use migsaw::plan::{Options, Status, TierName};
use migsaw::problem::Problem;
use migsaw_tests::minimal::{describe, minimise};
use migsaw_tests::oracle::{Additions, optimum_of};
use migsaw_tests::seeds::from_env;
use migsaw_tests::solve::try_solve;
use migsaw_tests::strategies::{Size, seeded};

/// What is wrong with the planner's answer, if anything: in a word, and at length.
///
/// Units served and cost must be the optimum. Of configurations and what is left over the planner may say
/// that it did not find or prove the best; then its bound must hold. The planner adds no instance that no
/// demand could use, so the oracle does not either.
fn disagreement(problem: &Problem) -> Option<(String, String)> {
    let plan = match std::panic::catch_unwind(|| try_solve(problem, &Options::default())) {
        Ok(Ok(plan)) => plan,
        Ok(Err(error)) => return Some((error.chars().take(60).collect(), error)),
        Err(_) => return Some(("panic".to_owned(), "the planner or the checker panics".to_owned())),
    };
    let expected = optimum_of(problem, Additions::Wanted);
    let wrong = |name: &TierName, what: &str| {
        let name = if matches!(name, TierName::Served { .. }) { "Served".to_owned() } else { format!("{name:?}") };
        let long = format!("expected {expected:?}\n   found {:?} ({:?})", plan.tiers, plan.status);
        Some((format!("{name} {what}, {:?}", plan.status), long))
    };
    for (tier, (name, best)) in plan.tiers.iter().zip(&expected) {
        let more_is_better = matches!(name, TierName::Served { .. } | TierName::Leftover);
        let holds = if more_is_better { tier.bound >= *best } else { tier.bound <= *best };
        if tier.name != *name || !holds {
            return wrong(name, "has a bound that does not hold");
        }
        if tier.value != *best {
            let may_be_missed = matches!(name, TierName::Configurations | TierName::Leftover);
            let is_admitted = plan.status != Status::Optimal && tier.bound != tier.value;
            return if may_be_missed && is_admitted { None } else { wrong(name, "is not the optimum") };
        }
        let must_be_proven = !matches!(name, TierName::Configurations | TierName::Leftover);
        if must_be_proven && tier.bound != tier.value {
            return wrong(name, "is not proven");
        }
    }
    None
}

/// Whether every tier of the planner's answer is proven.
fn is_proven(problem: &Problem) -> bool {
    let plan = try_solve(problem, &Options::default());
    plan.is_ok_and(|plan| matches!(plan.status, Status::Optimal | Status::Infeasible))
}

fn agree(size: Size, cases: u64) {
    let first = from_env("MIGSAW_SEED", 0);
    let shown = from_env("MIGSAW_SHOW", 1);
    let mut wrong: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for seed in first..first + cases {
        let problem = seeded(seed, size);
        assert_eq!(problem.validate(), [], "seed {seed}");
        let Some((word, _)) = disagreement(&problem) else { continue };
        let seeds = wrong.entry(word.clone()).or_default();
        if (seeds.len() as u64) < shown {
            // Only disagreements of the same kind are followed, so that the reason stays the same.
            let smallest = minimise(&problem, |p| disagreement(p).is_some_and(|(other, _)| other == word));
            let what = disagreement(&smallest).map(|(_, what)| what).unwrap_or_default();
            eprintln!("seed {seed}: {word}\n{}{what}\n", describe(&smallest));
        }
        seeds.push(seed);
    }
    let proven = (first..first + cases).filter(|&seed| is_proven(&seeded(seed, size))).count();
    eprintln!("{proven} of {cases} proven in every tier");
    assert!(proven * 10 >= usize::try_from(cases).unwrap_or(0) * 8, "{proven} of {cases} proven in every tier");
    assert!(wrong.is_empty(), "{} of {cases} problems: {wrong:#?}", wrong.values().map(Vec::len).sum::<usize>());
}

/// Of all cases, so many of a kind.
fn share(part: u64) -> u64 {
    let default = if cfg!(debug_assertions) { 60 } else { 600 };
    from_env("MIGSAW_CASES", default) * part / 6
}

#[test]
fn the_oracle_agrees() {
    agree(Size::TINY, share(3));
}

#[test]
fn the_oracle_agrees_on_nodes_of_three() {
    agree(Size::DEEP, share(2));
}

#[test]
fn the_oracle_agrees_without_node_rules() {
    agree(Size { node_rules: false, ..Size::TINY }, share(1));
}
