//! On identical empty seven-slice boards the fewest GPUs follow from a formula.
//!
//! `MIGSAW_CASES` sets the number of random mixes.

use migsaw::geometry::Catalog;
use migsaw::plan::{Status, TierName};
use migsaw_sim::Rng;
use migsaw_tests::closed_form::Mix;
use migsaw_tests::seeds::from_env;
use migsaw_tests::solve::{solve, values};

#[test]
fn the_planner_needs_as_few_gpus_as_the_formula() {
    let default = if cfg!(debug_assertions) { 20 } else { 200 };
    let cases = from_env("MIGSAW_CASES", default);
    let catalog = Catalog::builtin();
    let boards: Vec<_> = catalog.models().filter(|model| model.family == "seven-compute-eight-memory").collect();
    let mut rng = Rng::new(3);
    for case in 0..cases {
        let scale = [2, 4, 8, 25, 100][usize::try_from(rng.below(5)).unwrap()];
        let mix = Mix::random(&mut rng, scale);
        let total: u64 = mix.counts().iter().sum();
        let fewest = mix.fewest_gpus();
        assert!(fewest >= mix.volume_bound() && mix.fits(fewest) && (fewest == 0 || !mix.fits(fewest - 1)));
        if total == 0 {
            continue;
        }
        let model = boards[usize::try_from(case).unwrap() % boards.len()];
        let spare = u32::try_from(rng.below(3)).unwrap();
        let plan = solve(&mix.problem(model, u32::try_from(fewest).unwrap() + spare));
        let tiers = values(&plan);
        let expected = [(TierName::Served { priority: 0 }, total), (TierName::Gpus, fewest)];
        let expected = expected.map(|(name, value)| (name, i64::try_from(value).unwrap()));
        assert_eq!(tiers[..2], expected, "case {case}: {mix:?} on {}", model.id);
        assert!(plan.tiers[..2].iter().all(|tier| tier.value == tier.bound), "case {case}: {mix:?} {:?}", plan.tiers);
        if fewest > 1 {
            let short = solve(&mix.problem(model, u32::try_from(fewest - 1).unwrap()));
            assert!(values(&short)[0].1 < expected[0].1, "case {case}: {mix:?} on one GPU less");
        }
    }
}

#[test]
fn known_mixes() {
    let check = |counts: [u64; 6], fewest: u64| assert_eq!(Mix::from(counts).fewest_gpus(), fewest, "{counts:?}");
    check([0; 6], 0);
    check([7, 0, 0, 0, 0, 0], 1);
    check([8, 0, 0, 0, 0, 0], 2);
    // Two 3g take all memory: the seventh compute slice is lost.
    check([1, 0, 0, 2, 0, 0], 2);
    check([0, 0, 0, 1, 1, 0], 1);
    check([0, 0, 3, 0, 0, 0], 1);
    check([1, 0, 3, 0, 0, 0], 1);
    check([0, 4, 0, 0, 0, 0], 1);
    check([0, 1, 3, 0, 0, 0], 1);
    check([0, 0, 0, 0, 2, 0], 2);
    check([0, 0, 0, 0, 0, 3], 3);
}

#[test]
fn an_optimal_plan_says_so() {
    let model = Catalog::builtin().model("A100-80GB").unwrap();
    let plan = solve(&Mix { one: 7, three: 2, ..Mix::default() }.problem(&model, 4));
    assert_eq!(plan.status, Status::Optimal);
}
