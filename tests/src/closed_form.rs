//! Whether a mix fits on identical seven-slice boards, by formula.
//!
//! Without `+me`, nodes and pinned instances. A board has two halves of four memory slices; the left one
//! is two pairs, the right one a pair and a single slice behind a pair's compute (its tail), so 7g, 4g and
//! 3g decide how many halves are left, and what is left is pairs and tails. Agrees with the integer
//! program on every random mix.

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
