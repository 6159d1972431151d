//! What pods are expected to ask for, learnt from those that came.

use std::collections::{HashMap, VecDeque};

use migsaw::geometry::ProfileName;
use migsaw::score::Mix;
use smallvec::SmallVec;

type Asks = SmallVec<[(u16, u8); 2]>;

/// The pods that came last, up to so many. As long as fewer have come, the others are expected to ask for each profile
/// alike, with the first limits.
#[derive(Debug)]
pub(crate) struct Learning {
    window: u64,
    profiles: Vec<ProfileName>,
    lately: VecDeque<usize>,
    /// What pods ask for, and with which limits.
    asks: Vec<(Asks, u16)>,
    numbers: HashMap<(Asks, u16), usize>,
    /// How many of the last pods asked for each of these; in the beginning one instance of each profile.
    counts: Vec<u64>,
    /// The weights of the mix that was told last.
    told: Vec<u64>,
    /// Pods that came since it was compared with what is now.
    unseen: u64,
}

/// One in so many pods has to ask for something else before a mix is told anew.
const MOVED: u64 = 20;

impl Learning {
    pub(crate) fn new(window: u32, profiles: &[ProfileName]) -> Learning {
        let asks: Vec<(Asks, u16)> = (0..).zip(profiles).map(|(at, _)| (Asks::from_elem((at, 1), 1), 0)).collect();
        let mut learning = Learning {
            window: u64::from(window.max(1)),
            profiles: profiles.to_vec(),
            lately: VecDeque::new(),
            numbers: (0..).zip(&asks).map(|(number, asks)| (asks.clone(), number)).collect(),
            counts: vec![0; asks.len()],
            asks,
            told: Vec::new(),
            unseen: 0,
        };
        learning.told = learning.weights();
        learning
    }

    /// A pod has come; says what is expected if that has changed by more than one in twenty.
    pub(crate) fn came(&mut self, asks: &Asks, limits: u16) -> Option<Mix> {
        let number = *self.numbers.entry((asks.clone(), limits)).or_insert_with(|| {
            self.asks.push((asks.clone(), limits));
            self.counts.push(0);
            self.asks.len() - 1
        });
        self.counts[number] += 1;
        self.lately.push_back(number);
        if self.lately.len() as u64 > self.window
            && let Some(first) = self.lately.pop_front()
        {
            self.counts[first] -= 1;
        }
        self.unseen += 1;
        // Fewer pods cannot make that much of a difference.
        if self.unseen < self.window.div_ceil(MOVED) {
            return None;
        }
        self.unseen = 0;
        let now = self.weights();
        self.told.resize(now.len(), 0);
        let moved: u64 = now.iter().zip(&self.told).map(|(a, b)| a.abs_diff(*b)).sum();
        // The distance is half of what is summed, of all weights together.
        (moved * MOVED > 2 * now.iter().sum::<u64>()).then(|| {
            self.told = now;
            self.mix()
        })
    }

    /// What is expected.
    pub(crate) fn mix(&self) -> Mix {
        let mut mix = Mix::default();
        for ((asks, _), weight) in self.asks.iter().zip(self.weights()) {
            mix.add(asks.iter().map(|&(at, n)| (self.profiles[usize::from(at)].clone(), u32::from(n))), weight);
        }
        mix
    }

    /// The same with the limits, each with its weight.
    pub(crate) fn asked(&self) -> impl Iterator<Item = (&Asks, u16, u64)> {
        self.asks.iter().zip(self.weights()).map(|((asks, limits), weight)| (asks, *limits, weight))
    }

    /// Every pod weighs as much as there are profiles, so that those that have not come can be shared out.
    fn weights(&self) -> Vec<u64> {
        let profiles = self.profiles.len();
        let others = self.window - self.lately.len() as u64;
        let weight =
            |(number, count): (usize, &u64)| count * profiles as u64 + if number < profiles { others } else { 0 };
        self.counts.iter().enumerate().map(weight).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asks(at: u16, n: u8) -> Asks {
        [(at, n)].into_iter().collect()
    }

    fn weights(mix: &Mix) -> Vec<(String, u64)> {
        let name = |(asks, pods): (&std::collections::BTreeMap<ProfileName, u32>, u64)| {
            let parts: Vec<String> = asks.iter().map(|(name, n)| format!("{n} {name}")).collect();
            (parts.join(", "), pods)
        };
        mix.requests().map(name).collect()
    }

    #[test]
    fn what_is_expected_is_uniform_until_pods_come_and_then_what_the_last_ones_asked_for() {
        let profiles = ["1g.10gb".parse().unwrap(), "3g.40gb".parse().unwrap()];
        let mut learning = Learning::new(4, &profiles);
        let named = |of: &[(&str, u64)]| of.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect::<Vec<_>>();
        assert_eq!(weights(&learning.mix()), named(&[("1 1g.10gb", 4), ("1 3g.40gb", 4)]));
        // One of four pods, of weight two, and three that may ask for either.
        let mix = learning.came(&asks(0, 1), 0).unwrap();
        assert_eq!(weights(&mix), named(&[("1 1g.10gb", 5), ("1 3g.40gb", 3)]));
        (0..3).for_each(|_| assert!(learning.came(&asks(0, 1), 0).is_some()));
        assert_eq!(weights(&learning.mix()), named(&[("1 1g.10gb", 8)]));
        assert_eq!(learning.came(&asks(0, 1), 0), None, "nothing has changed");
        let mix = learning.came(&asks(1, 2), 0).unwrap();
        assert_eq!(weights(&mix), named(&[("1 1g.10gb", 6), ("2 3g.40gb", 2)]));
    }

    #[test]
    fn a_mix_is_told_when_more_than_one_in_twenty_has_changed() {
        let profiles = ["1g.10gb".parse().unwrap(), "3g.40gb".parse().unwrap()];
        let mut learning = Learning::new(100, &profiles);
        // Each pod moves half of a hundredth from the one profile to the other: ten make one in twenty, and it is
        // compared after each five.
        let told: Vec<usize> = (1..=30).filter(|_| learning.came(&asks(0, 1), 0).is_some()).collect();
        assert_eq!(told, [15, 30]);
    }
}
