//! The textbook program agrees with the oracle, and the planner with the textbook program on fleets that are
//! too large for the oracle.

use migsaw::plan::{Options, TierName};
use migsaw::problem::Problem;
use migsaw_tests::minimal::{describe, minimise};
use migsaw_tests::naive::{self, Microlp, NoOptimum, Optimiser};
use migsaw_tests::oracle;
use migsaw_tests::solve::{try_solve, values};
use migsaw_tests::strategies::{Size, seeded};

fn cases(default: u64) -> u64 {
    std::env::var("MIGSAW_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn first_tiers(tiers: Vec<(TierName, i64)>) -> Vec<(TierName, i64)> {
    let first = |name: &TierName| matches!(name, TierName::Served { .. } | TierName::Gpus | TierName::Cost);
    tiers.into_iter().filter(|(name, _)| first(name)).collect()
}

/// Compares on random problems; those the solver gives up are counted and must stay few.
fn compare(size: Size, cases: u64, solver: impl Optimiser, right: impl Fn(&Problem) -> Vec<(TierName, i64)>) {
    let mut given_up = 0;
    for seed in 1_000_000..1_000_000 + cases {
        let problem = seeded(seed, size);
        match naive::optimum(&problem, solver) {
            Ok(tiers) if first_tiers(right(&problem)) == tiers => {}
            Ok(_) => {
                let differs = |p: &Problem| naive::optimum(p, solver).is_ok_and(|tiers| first_tiers(right(p)) != tiers);
                let smallest = minimise(&problem, differs);
                let naive = naive::optimum(&smallest, solver);
                panic!("seed {seed}:\n{}found {:?}\nnaive {naive:?}", describe(&smallest), right(&smallest));
            }
            Err(NoOptimum::Limit) => given_up += 1,
            Err(NoOptimum::Failed(error)) => panic!("seed {seed}: {error}:\n{}", describe(&problem)),
        }
    }
    assert!(given_up * 5 <= cases, "{given_up} of {cases} given up");
}

/// The planner's tiers; none if it fails, which no optimum equals.
fn planned(problem: &Problem) -> Vec<(TierName, i64)> {
    try_solve(problem, &Options::default()).map_or_else(|_| Vec::new(), |plan| values(&plan))
}

const MICROLP: Microlp = Microlp { nodes: 5_000 };

#[test]
fn agrees_with_the_oracle() {
    compare(Size::TINY, cases(60), MICROLP, oracle::optimum);
}

#[test]
fn the_planner_agrees() {
    compare(Size::SMALL, cases(30), MICROLP, planned);
}

#[test]
fn the_planner_agrees_without_node_rules() {
    compare(Size::FLAT, cases(30), MICROLP, planned);
}

#[cfg(feature = "highs")]
mod highs {
    use super::*;

    /// Without presolve: that of HiGHS 1.16 reduces some of these programs to nothing, and what it undoes it to
    /// then violates a row, which it reports as an error.
    fn highs(problem: good_lp::variable::UnsolvedProblem) -> impl good_lp::SolverModel {
        let model = good_lp::highs(problem).set_threads(1);
        let model = model.set_option("presolve", "off").set_option("mip_max_nodes", 100_000);
        model.set_mip_rel_gap(0.0).and_then(|model| model.set_mip_abs_gap(0.0)).expect("a gap of zero is allowed")
    }

    #[test]
    fn agrees_with_the_oracle() {
        compare(Size::TINY, cases(200), highs, oracle::optimum);
    }

    #[test]
    fn the_planner_agrees() {
        let larger = Size { gpus: 16, gpus_per_node: 8, demands: 6, units: 20, node_rules: true };
        compare(larger, cases(200), highs, planned);
    }
}
