//! Whether a mix fits on identical seven-slice boards, by formula.
//!
//! Without `+me`, nodes and pinned instances. A board has two halves of four memory slices; the left one
//! is two pairs, the right one a pair and a single slice behind a pair's compute (its tail), so 7g, 4g and
//! 3g decide how many halves are left, and what is left is pairs and tails. Agrees with the integer
//! program on every random mix.

use std::sync::Arc;

use migsaw::demand::Demand;
use migsaw::fleet::{Fleet, Pool};
use migsaw::geometry::Model;
use migsaw::problem::Problem;

use migsaw_sim::Rng;

/// The classes of a mix, as models name them, smallest first.
pub const CLASSES: [&str; 6] = ["1g", "1gx2", "2g", "3g", "4g", "7g"];

/// Instances asked for, by class.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mix {
    /// `1g`.
    pub one: u64,
    /// `1g` with double memory.
    pub double: u64,
    /// `2g`.
    pub two: u64,
    /// `3g`.
    pub three: u64,
    /// `4g`.
    pub four: u64,
    /// `7g`.
    pub seven: u64,
}

impl Mix {
    /// Up to `scale` of each class, and of every third or so none.
    pub fn random(rng: &mut Rng, scale: u64) -> Mix {
        Mix::from(std::array::from_fn(|_| if rng.chance(7, 10) { rng.below(scale + 1) } else { 0 }))
    }

    /// The mix as demands on so many nodes of one empty GPU.
    ///
    /// # Panics
    /// If the model is not a seven-slice board.
    pub fn problem(&self, model: &Arc<Model>, nodes: u32) -> Problem {
        let name = |class: &str| model.profiles.iter().find(|p| p.class == class).map(|p| p.name.clone());
        let demand = |(&class, n): (&&str, u64)| {
            Demand::of_profile(class, name(class).expect("a seven-slice board has every class"), n)
        };
        let demands = CLASSES.iter().zip(self.counts()).map(demand).collect();
        let fleet = Fleet { pools: vec![Pool::new("p", Arc::clone(model), nodes, 1)] };
        Problem { fleet, demands, ..Problem::default() }
    }

    /// Whether so many empty GPUs are enough.
    pub fn fits(&self, gpus: u64) -> bool {
        // GPUs that are not one 7g, and 3g in right halves.
        let Some(cut) = gpus.checked_sub(self.seven) else { return false };
        let right_three = self.three.min(cut);
        let Some(left) = cut.checked_sub(self.four).and_then(|l| l.checked_sub(self.three - right_three)) else {
            return false;
        };
        let right = cut - right_three;
        // A left half has two pair slots; a right half has one pair slot and one tail slot.
        let (pairs, tails) = (2 * left + right, right);
        let Some(pairs) = pairs.checked_sub(self.two) else { return false };
        let in_tails = self.double.min(tails);
        let tails = tails - in_tails;
        let Some(pairs) = pairs.checked_sub(self.double - in_tails) else { return false };
        self.one <= 2 * pairs + tails
    }

    /// The fewest GPUs that are enough.
    pub fn fewest_gpus(&self) -> u64 {
        let most = self.one + self.double + self.two + self.three + self.four + self.seven;
        let (mut low, mut high) = (0, most);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.fits(middle) {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low
    }

    /// The smallest number the slices alone allow: eight memory and seven compute slices on a GPU.
    pub fn volume_bound(&self) -> u64 {
        let memory = self.one + 2 * (self.double + self.two) + 4 * (self.three + self.four) + 8 * self.seven;
        let compute = self.one + self.double + 2 * self.two + 3 * self.three + 4 * self.four + 7 * self.seven;
        memory.div_ceil(8).max(compute.div_ceil(7))
    }

    /// The counts, smallest profile first.
    pub fn counts(&self) -> [u64; 6] {
        [self.one, self.double, self.two, self.three, self.four, self.seven]
    }
}

impl From<[u64; 6]> for Mix {
    fn from([one, double, two, three, four, seven]: [u64; 6]) -> Mix {
        Mix { one, double, two, three, four, seven }
    }
}
