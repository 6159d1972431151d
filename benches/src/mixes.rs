//! One model and four mixes of profiles, drawn until a share of all memory slices is asked for.

use migsaw::demand::Demand;
use migsaw::fleet::{Fleet, Pool};
use migsaw::geometry::Catalog;
use migsaw::problem::Problem;
use migsaw_sim::Rng;

/// The model all mixes are planned on.
pub const MODEL: &str = "H100-80GB";
/// GPUs of one node.
pub const GPUS_PER_NODE: u32 = 8;
/// Memory slices asked for, in percent of those there are.
pub const LOAD: u64 = 85;

const PROFILES: [&str; 6] = ["1g.10gb", "1g.20gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb"];
/// Memory slices of each.
const SLICES: [u64; 6] = [1, 2, 2, 4, 4, 8];

/// How often each of the profiles is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Mix {
    /// What it is called.
    pub name: &'static str,
    /// Weights, by profile from the smallest on.
    pub weights: [u64; 6],
}

/// The four mixes that studies of online placement use.
pub const MIXES: [Mix; 4] = [
    Mix { name: "uniform", weights: [1, 1, 1, 1, 1, 1] },
    Mix { name: "skew-small", weights: [30, 25, 20, 10, 10, 5] },
    Mix { name: "skew-big", weights: [5, 10, 10, 20, 25, 30] },
    Mix { name: "bimodal", weights: [30, 15, 5, 5, 15, 30] },
];

impl Mix {
    /// So many idle GPUs, and instances drawn from the mix until [`LOAD`] is reached.
    ///
    /// # Panics
    /// Never: the model and its profiles are built in.
    pub fn problem(&self, gpus: u32, seed: u64) -> Problem {
        let model = Catalog::builtin().model(MODEL).expect("a model of the catalogue");
        let pool = Pool::new("gpus", model, gpus / GPUS_PER_NODE, GPUS_PER_NODE);
        let demand = |(name, count): (&str, u64)| {
            let profile = name.parse().expect("a profile's name");
            Demand::of_profile(name, profile, count)
        };
        let demands = PROFILES.into_iter().zip(self.counts(gpus, seed)).map(demand).collect();
        Problem { fleet: Fleet { pools: vec![pool] }, demands, ..Problem::default() }
    }

    fn counts(&self, gpus: u32, seed: u64) -> [u64; 6] {
        let mut rng = Rng::new(seed);
        let total = self.weights.iter().sum();
        let mut counts = [0; 6];
        let mut left = u64::from(gpus) * 8 * LOAD / 100;
        loop {
            let mut drawn = rng.below(total);
            let mut profile = 0;
            while drawn >= self.weights[profile] {
                drawn -= self.weights[profile];
                profile += 1;
            }
            if SLICES[profile] > left {
                return counts;
            }
            left -= SLICES[profile];
            counts[profile] += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mix_fills_its_share() {
        for mix in MIXES {
            for gpus in [8, 80, 8_000] {
                let counts = mix.counts(gpus, 1);
                let slices: u64 = counts.iter().zip(SLICES).map(|(n, slices)| n * slices).sum();
                let asked = u64::from(gpus) * 8 * LOAD / 100;
                assert!((asked - 7..=asked).contains(&slices), "{} {gpus}: {slices}", mix.name);
            }
        }
    }

    #[test]
    fn a_mix_has_its_weights() {
        for mix in MIXES {
            let counts = mix.counts(80_000, 7);
            let drawn: u64 = counts.iter().sum();
            let weights: u64 = mix.weights.iter().sum();
            for (count, weight) in counts.iter().zip(mix.weights) {
                assert!((count * weights).abs_diff(drawn * weight) * 20 < drawn * weight, "{}: {counts:?}", mix.name);
            }
        }
    }
}
