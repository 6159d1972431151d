//! Initial deployment on an empty fleet: ten nodes of eight A100-80GB, profiles drawn until the memory load
//! is reached; GPUs used, mean of a hundred cases.
//!
//! The published means come from other random numbers, so ours must agree within sampling error. Whatever
//! the numbers, the planner must use exactly as few GPUs as the formula says, and first-fit no fewer.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use migsaw::demand::Demand;
use migsaw::fleet::{Fleet, Pool};
use migsaw::geometry::{Catalog, Layout, Model, Placement, ProfileId};
use migsaw::plan::TierName;
use migsaw::problem::Problem;
use migsaw_sim::Rng;
use migsaw_tests::closed_form::Mix;
use migsaw_tests::solve::{solve, values};

const CLASSES: [&str; 6] = ["1g", "1gx2", "2g", "3g", "4g", "7g"];
/// Memory slices of each.
const SLICES: [u64; 6] = [1, 2, 2, 4, 4, 8];
const GPUS: u64 = 80;
const CASES: u64 = 100;

/// A mix in hundredths, its load in hundredths, and the published means.
struct Row {
    name: &'static str,
    mix: [u64; 6],
    load: u64,
    optimum: f64,
    first_fit: f64,
}

const UNIFORM: [u64; 6] = [1; 6];
const SKEW_SMALL: [u64; 6] = [30, 25, 20, 10, 10, 5];

const TABLE: [Row; 6] = [
    Row { name: "uniform", mix: UNIFORM, load: 35, optimum: 28.08, first_fit: 29.11 },
    Row { name: "uniform", mix: UNIFORM, load: 50, optimum: 40.02, first_fit: 41.29 },
    Row { name: "uniform", mix: UNIFORM, load: 70, optimum: 56.00, first_fit: 57.66 },
    Row { name: "uniform", mix: UNIFORM, load: 90, optimum: 72.00, first_fit: 73.99 },
    Row { name: "skew-small", mix: SKEW_SMALL, load: 35, optimum: 28.00, first_fit: 29.43 },
    Row { name: "skew-small", mix: SKEW_SMALL, load: 70, optimum: 56.00, first_fit: 58.37 },
];

/// Draws profiles in proportion to the mix; the one that would pass the load is the last tried.
fn draw(rng: &mut Rng, row: &Row) -> Vec<usize> {
    let most = GPUS * 8 * row.load / 100;
    let (mut drawn, mut slices) = (Vec::new(), 0);
    loop {
        let mut at = rng.below(row.mix.iter().sum());
        let profile = row.mix.iter().position(|&weight| {
            let here = at < weight;
            at = at.wrapping_sub(if here { 0 } else { weight });
            here
        });
        let profile = profile.expect("a number below the sum of the weights");
        if slices + SLICES[profile] > most {
            return drawn;
        }
        slices += SLICES[profile];
        drawn.push(profile);
    }
}

/// GPUs used if each instance goes to the first GPU with room, at the first start that is free.
fn first_fit(model: &Model, drawn: &[usize]) -> u64 {
    let ids: Vec<ProfileId> = CLASSES.iter().map(|class| id_of(model, class)).collect();
    let mut gpus: Vec<Layout> = Vec::new();
    for &profile in drawn {
        let added = |layout: &Layout| {
            let starts = model.get(ids[profile]).starts.iter();
            let at = |&start: &u8| {
                let more = layout.placements().iter().copied().chain([Placement { start, profile: ids[profile] }]);
                Layout::new(model, more).ok()
            };
            starts.clone().find_map(at)
        };
        let found = gpus.iter().enumerate().find_map(|(i, layout)| Some((i, added(layout)?)));
        match found {
            Some((i, layout)) => gpus[i] = layout,
            None => gpus.push(added(&Layout::empty()).expect("every profile fits an empty GPU")),
        }
    }
    gpus.len() as u64
}

fn id_of(model: &Model, class: &str) -> ProfileId {
    model.profile_ids().find(|(_, p)| p.class == class).expect("a class of the board").0
}

fn mix_of(drawn: &[usize]) -> Mix {
    let mut counts = [0; 6];
    for &profile in drawn {
        counts[profile] += 1;
    }
    Mix::from(counts)
}

/// Mean and its standard error.
fn mean(values: &[u64]) -> (f64, f64) {
    let numbers: Vec<f64> = values.iter().map(|&v| f64::from(u32::try_from(v).unwrap())).collect();
    let n = f64::from(u32::try_from(numbers.len()).unwrap());
    let mean = numbers.iter().sum::<f64>() / n;
    let variance = numbers.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

#[test]
fn the_table_comes_out() {
    let model = Catalog::builtin().model("A100-80GB").unwrap();
    for (number, row) in (0u64..).zip(&TABLE) {
        let mut rng = Rng::new(number);
        let cases: Vec<Vec<usize>> = (0..CASES).map(|_| draw(&mut rng, row)).collect();
        let optimum: Vec<u64> = cases.iter().map(|drawn| mix_of(drawn).fewest_gpus()).collect();
        let greedy: Vec<u64> = cases.iter().map(|drawn| first_fit(&model, drawn)).collect();
        assert!(optimum.iter().zip(&greedy).all(|(best, other)| best <= other));
        for (what, values, published) in [("optimum", optimum, row.optimum), ("first-fit", greedy, row.first_fit)] {
            let (mean, error) = mean(&values);
            eprintln!("{} .{} {what}: {mean:.2} (published {published:.2})", row.name, row.load);
            // Both means are samples, and the published one is rounded.
            let tolerance = 3.0 * error * 2f64.sqrt() + 0.01;
            assert!(
                (mean - published).abs() <= tolerance,
                "{} .{} {what}: {mean:.3}, not {published}",
                row.name,
                row.load
            );
        }
    }
}

#[test]
fn the_planner_uses_as_few_gpus() {
    let cases = if cfg!(debug_assertions) { 3 } else { CASES };
    let model = Catalog::builtin().model("A100-80GB").unwrap();
    for (number, row) in (0u64..).zip(&TABLE) {
        let mut rng = Rng::new(number);
        for case in 0..cases {
            let drawn = draw(&mut rng, row);
            let mix = mix_of(&drawn);
            let demands = CLASSES
                .iter()
                .zip(mix.counts())
                .map(|(class, n)| Demand::of_profile(*class, model.get(id_of(&model, class)).name.clone(), n));
            let fleet = Fleet { pools: vec![Pool::new("p", model.clone(), 10, 8)] };
            let tiers = values(&solve(&Problem { demands: demands.collect(), fleet, ..Problem::default() }));
            let whole = |n: u64| i64::try_from(n).unwrap();
            let expected = [
                (TierName::Served { priority: 0 }, whole(drawn.len() as u64)),
                (TierName::Gpus, whole(mix.fewest_gpus())),
            ];
            assert_eq!(tiers[..2], expected, "{} .{} case {case}: {mix:?}", row.name, row.load);
        }
    }
}
