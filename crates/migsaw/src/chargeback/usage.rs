//! What slices were seen to do.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Holder, Slice};
use crate::geometry::Model;

/// What a slice was seen to do while somebody held it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// The GPU's model, if that is known.
    pub model: Option<Arc<Model>>,
    /// What was held.
    pub slice: Slice,
    /// By whom.
    pub holder: Holder,
    /// Memory in use, in MiB.
    pub memory: Distribution,
    /// How much of the time anything ran on it, in hundredths of a percent.
    pub engine: Distribution,
    /// How many of its multiprocessors were active, in hundredths of a percent.
    pub multiprocessors: Distribution,
    /// Samples of activity above 1, which were taken for 1.
    pub clamped: u64,
}

/// How often each value was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Distribution(BTreeMap<u32, u64>);

impl Distribution {
    /// One more sample.
    pub fn add(&mut self, value: u32) {
        *self.0.entry(value).or_default() += 1;
    }

    /// The samples of another.
    pub fn absorb(&mut self, other: &Distribution) {
        for (value, count) in &other.0 {
            *self.0.entry(*value).or_default() += count;
        }
    }

    /// How many samples.
    pub fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// The largest value; `None` without samples.
    pub fn max(&self) -> Option<u32> {
        self.0.keys().next_back().copied()
    }

    /// The mean, rounded half up; `None` without samples.
    pub fn mean(&self) -> Option<u32> {
        let count = u128::from(self.count());
        let sum: u128 = self.0.iter().map(|(value, count)| u128::from(*value) * u128::from(*count)).sum();
        (count > 0).then(|| u32::try_from((sum + count / 2) / count).unwrap_or(u32::MAX))
    }

    /// The smallest value that at least `percent` of the samples do not exceed; `None` without samples.
    pub fn percentile(&self, percent: u8) -> Option<u32> {
        let wanted = (u128::from(self.count()) * u128::from(percent)).div_ceil(100);
        let mut met = 0_u128;
        let reached = |(value, count): (&u32, &u64)| {
            met += u128::from(*count);
            (met >= wanted).then_some(*value)
        };
        self.0.iter().find_map(reached)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples() {
        let mut values = Distribution::default();
        assert_eq!((values.max(), values.mean(), values.percentile(99)), (None, None, None));
        (1..=200).for_each(|value| values.add(value));
        assert_eq!((values.max(), values.mean(), values.count()), (Some(200), Some(101), 200));
        assert_eq!(
            (values.percentile(99), values.percentile(100), values.percentile(0)),
            (Some(198), Some(200), Some(1))
        );
        let mut other = Distribution::default();
        other.add(500);
        values.absorb(&other);
        assert_eq!((values.max(), values.percentile(99)), (Some(500), Some(199)));
    }
}
