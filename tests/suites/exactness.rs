//! The planner reaches the optimum of every tier, by exhaustion where that is possible.
//!
//! `MIGSAW_CASES` sets the number of random problems, `MIGSAW_SEED` the first seed. The full run is
//! `MIGSAW_CASES=10000 cargo test --release -p migsaw-tests --test exactness`.

use std::collections::BTreeMap;

use migsaw::plan::{Options, Status, TierName};
use migsaw::problem::Problem;
use migsaw_tests::minimal::{describe, minimise};
use migsaw_tests::oracle::{Additions, optimum_of};
use migsaw_tests::solve::{try_solve, values};
use migsaw_tests::strategies::{Size, seeded};

fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// What is wrong with the planner's answer, if anything: in a word, and at length.
///
/// The planner adds no instance that no demand could use, so the oracle does not either.
fn disagreement(problem: &Problem) -> Option<(String, String)> {
    let plan = match std::panic::catch_unwind(|| try_solve(problem, &Options::default())) {
        Ok(Ok(plan)) => plan,
        Ok(Err(error)) => return Some((error.chars().take(60).collect(), error)),
        Err(_) => return Some(("panic".to_owned(), "the planner or the checker panics".to_owned())),
    };
    let expected = optimum_of(problem, Additions::Wanted);
    let found = values(&plan);
    if found != expected {
        let differs = found.iter().zip(&expected).find(|(found, expected)| found != expected);
        let word = differs.map_or_else(
            || "tiers".to_owned(),
            |((name, found), (_, expected))| {
                let name =
                    if matches!(name, TierName::Served { .. }) { "Served".to_owned() } else { format!("{name:?}") };
                format!("{name} {} than the oracle, {:?}", if found > expected { "more" } else { "less" }, plan.status)
            },
        );
        return Some((word, format!("expected {expected:?}\n   found {found:?} ({:?})", plan.status)));
    }
    let asked: u64 = problem.demands.iter().map(|demand| demand.count).sum();
    let served: u64 = plan.served(problem.demands.len()).iter().sum();
    let right = if asked > 0 && served == 0 { Status::Infeasible } else { Status::Optimal };
    let missed = plan.tiers.iter().find(|tier| tier.value != tier.bound).map(|tier| format!("{:?}", tier.name));
    let word = format!("{:?} for {right:?}, bound of {}", plan.status, missed.unwrap_or_default());
    (plan.status != right).then(|| (word, format!("{:?}: {:?}", plan.status, plan.tiers)))
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
