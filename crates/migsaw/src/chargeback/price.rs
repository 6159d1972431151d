//! What slices cost.

use std::collections::BTreeMap;

use super::Slice;
use crate::fleet::Cost;
use crate::geometry::{Model, ProfileName};

/// Prices, in any currency. A slice with a price of its own costs that; others cost their share of the GPU, by the
/// placement units they take.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prices {
    /// Of an hour of a GPU, by the model's name.
    pub gpu_hour: BTreeMap<String, Cost>,
    /// Of an hour of an instance, by the model's name (`None` for any model) and the profile.
    pub slice_hour: BTreeMap<(Option<String>, ProfileName), Cost>,
}

impl Prices {
    /// Whether nothing has a price.
    pub fn is_empty(&self) -> bool {
        self.gpu_hour.is_empty() && self.slice_hour.is_empty()
    }

    /// The price of an hour of `units` placement units, in millionths divided by the model's units.
    pub(super) fn units(&self, model: &str, units: u64) -> Option<u128> {
        Some(micros(*self.gpu_hour.get(model)?) * u128::from(units))
    }

    /// The price of an hour of a slice, in millionths divided by the model's units.
    pub(super) fn slice(&self, model: &str, slice: &Slice, size: u64, units: u64) -> Option<u128> {
        let Slice::Profile(profile) = slice else { return self.units(model, size) };
        let key = |model: Option<&str>| (model.map(str::to_owned), profile.clone());
        let own = self.slice_hour.get(&key(Some(model))).or_else(|| self.slice_hour.get(&key(None)));
        own.map(|price| micros(*price) * u128::from(units)).or_else(|| self.units(model, size))
    }
}

fn micros(cost: Cost) -> u128 {
    u128::from(cost.micros.unsigned_abs())
}

/// Divides a whole into parts as `weights` are to each other, in whole numbers that add up to it: each is rounded
/// down, and those that lose most by it, of those the first, get one more. All weights zero give zeros.
pub(super) fn apportion(whole: u128, weights: &[u128]) -> Vec<u128> {
    let sum: u128 = weights.iter().sum();
    if sum == 0 {
        return vec![0; weights.len()];
    }
    let mut parts = Vec::with_capacity(weights.len());
    let mut losses = Vec::with_capacity(weights.len());
    for (index, weight) in weights.iter().enumerate() {
        let (part, loss) = product_by(whole, *weight, sum);
        parts.push(part);
        losses.push((std::cmp::Reverse(loss), index));
    }
    losses.sort_unstable();
    let left = whole - parts.iter().sum::<u128>();
    for (_, index) in losses.into_iter().take(usize::try_from(left).unwrap_or(usize::MAX)) {
        parts[index] += 1;
    }
    parts
}

/// `a * b / c` with what remains, `b` being at most `c`, also where the product is larger than 128 bits.
fn product_by(a: u128, b: u128, c: u128) -> (u128, u128) {
    if let Some(product) = a.checked_mul(b) {
        return (product / c, product % c);
    }
    // Digit by digit, to the base 2: what remains is below `c`, which is far below 2^127 for any time there is.
    let (mut quotient, mut rest) = (0_u128, 0_u128);
    for bit in (0..128).rev() {
        quotient <<= 1;
        rest <<= 1;
        if a >> bit & 1 == 1 {
            rest += b;
        }
        quotient += rest / c;
        rest %= c;
    }
    (quotient, rest)
}

/// The number of a size of a slice, and of the units of its model: `None` if the model lacks the profile.
pub(super) fn size(model: Option<&Model>, slice: &Slice) -> Option<u64> {
    match (slice, model) {
        (Slice::WholeGpu, model) => Some(model.map_or(1, |model| u64::from(model.units))),
        (Slice::Profile(name), Some(model)) => Some(u64::from(model.get(model.profile(name)?).size)),
        (Slice::Profile(_), None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_add_up() {
        for (whole, weights, expected) in [
            (10, vec![1, 1, 1], vec![4, 3, 3]),
            (0, vec![3, 2], vec![0, 0]),
            (5, vec![0, 0], vec![0, 0]),
            (7, vec![2, 0, 1], vec![5, 0, 2]),
            (1, vec![1, 2], vec![0, 1]),
        ] {
            assert_eq!(apportion(whole, &weights), expected, "{whole} by {weights:?}");
        }
    }

    #[test]
    fn large_products_are_exact() {
        let large = 1 << 100;
        assert_eq!(product_by(large, large / 3, large), (large / 3, 0));
        assert_eq!(product_by(large + 1, 1 << 99, 1 << 100), (large / 2, 1 << 99));
        let (quotient, rest) = product_by(u128::MAX, 10, 11);
        assert_eq!((quotient, rest), (u128::MAX / 11 * 10 + u128::MAX % 11 * 10 / 11, u128::MAX % 11 * 10 % 11));
    }
}
