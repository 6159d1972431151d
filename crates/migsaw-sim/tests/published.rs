//! The simulator against figures that others computed, with the same random numbers.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use migsaw::fleet::{Fleet, Pool};
use migsaw::geometry::{Catalog, ProfileName};
use migsaw_sim::{Draw, Estimate, Lifetimes, Limits, Options, Policy, Share, Site, simulate};

const PROFILES: [&str; 6] = ["1g.10gb", "1g.20gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb"];
const MIXES: [(&str, [u32; 6]); 4] = [
    ("uniform", [1; 6]),
    ("skew-small", [30, 25, 20, 10, 10, 5]),
    ("skew-big", [5, 10, 10, 20, 25, 30]),
    ("bimodal", [30, 15, 5, 5, 15, 30]),
];

/// Slot-weighted acceptance of a policy for each seed: 100 A100-80GB, one arrival at a time, uniform lifetimes, warmed
/// up for two of the longest and measured for four.
fn accepted(mix: usize, load: f64, policy: &str, seeds: u64) -> Vec<f64> {
    let profiles: Vec<ProfileName> = PROFILES.iter().map(|name| name.parse().unwrap()).collect();
    let model = Catalog::builtin().model("A100-80GB").unwrap();
    let site = Site::at_will(&Fleet { pools: vec![Pool::new("a", model, 100, 1)] }, &profiles);
    let share = |(name, weight): (&ProfileName, u32)| Share {
        asks: vec![(name.clone(), 1)],
        weight: f64::from(weight),
        priority: 0,
        namespace: String::new(),
        limits: Limits::default(),
    };
    let shares = profiles.iter().zip(MIXES[mix].1).map(share).collect();
    let draw = Draw { shares, load, every: 1, lifetimes: Lifetimes::Uniform };
    let longest = draw.longest(&site);
    let policy = Policy::named(policy).unwrap();
    let one = |seed| {
        let pods = draw.pods(&site, usize::try_from(6 * longest).unwrap(), 1000 + seed);
        let options = Options { measured: 2 * longest..6 * longest, ..Options::default() };
        simulate(&site, &pods, &policy, &pods.mix(), &options).unwrap().all.by_units()
    };
    (0..seeds).map(one).collect()
}

/// Zambianco, Fasol, Doriguzzi-Corin (arXiv 2511.18906): their setting, computed independently.
#[test]
fn baselines_and_the_bound_are_what_others_computed() {
    let policies = ["first-fit", "round-robin", "best-fit", "load-balanced", "mfi", "repacked"];
    let published = [
        (0, 0.85, [0.9695, 0.8691, 0.9890, 0.6794, 0.9906, 0.9997]),
        (0, 1.0, [0.8697, 0.7774, 0.8966, 0.6383, 0.9018, 0.9500]),
        (1, 1.0, [0.8902, 0.7937, 0.9090, 0.7084, 0.8946, 0.9567]),
        (2, 1.0, [0.8618, 0.8149, 0.8881, 0.6504, 0.9133, 0.9499]),
        (3, 1.2, [0.7288, 0.6323, 0.7606, 0.4166, 0.7581, 0.8119]),
    ];
    for (mix, load, figures) in published {
        for (policy, figure) in policies.iter().zip(figures) {
            let ours = Estimate::of(&accepted(mix, load, policy, 30)).mean;
            assert!((ours - figure).abs() < 0.0006, "{} {load} {policy}: {ours:.4}, not {figure}", MIXES[mix].0);
        }
    }
}

/// Without any move, the room that is left is a better guide than what others go by, on all mixes and loads.
#[test]
fn room_beats_the_best_of_the_others() {
    for (mix, (name, _)) in MIXES.iter().enumerate() {
        for load in [0.85, 1.0, 1.2] {
            let ours = accepted(mix, load, "room", 30);
            for other in ["mfi", "best-fit"] {
                let better = Estimate::of_differences(&ours, &accepted(mix, load, other, 30));
                let surely = better.mean - better.half_width.unwrap();
                assert!(surely > 0.0, "{name} {load}: {:.4} better than {other}", better.mean);
            }
        }
    }
}
