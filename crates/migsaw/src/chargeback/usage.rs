//! What slices were seen to do.

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
pub struct Distribution(
    /// Values ascending, each with how often; again if that is more than one number says.
    Vec<(u32, u32)>,
);

impl Distribution {
    /// One more sample.
    pub fn add(&mut self, value: u32) {
        self.add_all(value, 1);
    }

    fn add_all(&mut self, value: u32, times: u32) {
        match self.0.binary_search_by_key(&value, |(known, _)| *known) {
            Ok(at) => match self.0[at].1.checked_add(times) {
                Some(all) => self.0[at].1 = all,
                None => self.0.insert(at, (value, times)),
            },
            Err(at) => self.0.insert(at, (value, times)),
        }
    }

    /// The samples of another.
    pub fn absorb(&mut self, other: &Distribution) {
        // A few values among many find their places one by one.
        if other.0.len() * 16 < self.0.len() {
            other.0.iter().for_each(|&(value, times)| self.add_all(value, times));
            return;
        }
        let mut all = std::mem::take(&mut self.0);
        all.extend(&other.0);
        all.sort_by_key(|(value, _)| *value);
        self.0 = together(all);
    }

    /// How many samples.
    pub fn count(&self) -> u64 {
        self.0.iter().map(|(_, times)| u64::from(*times)).sum()
    }

    /// The largest value; `None` without samples.
    pub fn max(&self) -> Option<u32> {
        self.0.last().map(|(value, _)| *value)
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
        let reached = |(value, count): &(u32, u32)| {
            met += u128::from(*count);
            (met >= wanted).then_some(*value)
        };
        self.0.iter().find_map(reached)
    }
}

impl FromIterator<u32> for Distribution {
    fn from_iter<I: IntoIterator<Item = u32>>(values: I) -> Distribution {
        let mut values: Vec<(u32, u32)> = values.into_iter().map(|value| (value, 1)).collect();
        values.sort_unstable();
        Distribution(together(values))
    }
}

/// Values that are sorted, each once if that can be.
fn together(mut values: Vec<(u32, u32)>) -> Vec<(u32, u32)> {
    values.dedup_by(|next, last| {
        let all = if next.0 == last.0 { last.1.checked_add(next.1) } else { None };
        all.map(|all| last.1 = all).is_some()
    });
    values.shrink_to_fit();
    values
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

    #[test]
    fn however_samples_come_together_they_are_the_same() {
        let all: Vec<u32> = (0..3000).map(|n: u32| n * n % 613).collect();
        let whole: Distribution = all.iter().copied().collect();
        let mut each = Distribution::default();
        for &value in &all {
            each.add(value);
        }
        assert_eq!(each, whole);
        for size in [1, 7, 1000] {
            let mut parts = Distribution::default();
            all.chunks(size).for_each(|part| parts.absorb(&part.iter().copied().collect()));
            assert_eq!(parts, whole, "{size}");
        }
        assert_eq!((whole.count(), whole.max()), (3000, all.iter().max().copied()));
    }

    #[test]
    fn more_than_a_number_says_are_counted_all_the_same() {
        let mut most = Distribution(vec![(7, u32::MAX)]);
        for _ in 0..3 {
            most.absorb(&most.clone());
        }
        most.add(7);
        most.add(9);
        assert_eq!(most.count(), 8 * u64::from(u32::MAX) + 2);
        assert_eq!((most.max(), most.mean(), most.percentile(99)), (Some(9), Some(7), Some(7)));
    }
}
