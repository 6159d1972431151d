//! Scalars and quantities as people and the API server write them.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};

/// A scalar of any type, kept as text and judged later, so that one odd value does not hide the
/// rest of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Scalar(pub(super) String);

impl Scalar {
    /// The scalar as an integer of this range.
    pub(super) fn integer<T: std::str::FromStr>(&self) -> Option<T> {
        self.0.trim().parse().ok()
    }

    /// Whether it is a quantity of nothing.
    pub(super) fn is_zero(&self) -> bool {
        thousandths(&self.0) == Some(0)
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Scalar, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

struct ScalarVisitor;

impl Visitor<'_> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a number")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar(text.to_owned()))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar(value.to_string()))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Scalar, E> {
        Ok(Scalar(value.to_string()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Scalar, E> {
        Ok(Scalar(value.to_string()))
    }

    fn visit_i128<E: Error>(self, value: i128) -> Result<Scalar, E> {
        Ok(Scalar(value.to_string()))
    }

    fn visit_u128<E: Error>(self, value: u128) -> Result<Scalar, E> {
        Ok(Scalar(value.to_string()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Scalar, E> {
        Ok(Scalar(value.to_string()))
    }
}

/// Most of one resource a pod may ask for or a node may have; far beyond what exists.
pub(super) const MOST: u64 = 1_000_000_000;

/// A Kubernetes quantity as a whole number from 0 to a billion: `2`, `"2"`, `2k`, `2000m`, `2e0`.
/// Extended resources must be whole, so `500m` is none.
pub(super) fn whole(text: &str) -> Option<u64> {
    u64::try_from(scaled(text, 0)?).ok().filter(|&value| value <= MOST)
}

/// A Kubernetes quantity in thousandths: 250 for `250m`, 1,048,576,000 for `1Mi`.
pub(super) fn thousandths(text: &str) -> Option<u64> {
    u64::try_from(scaled(text, 3)?).ok()
}

/// A quantity times ten to the power of `by`, if that is a whole number.
fn scaled(text: &str, by: i32) -> Option<u128> {
    let text = text.trim();
    let text = text.strip_prefix('+').unwrap_or(text);
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let (integer, fraction) = number.split_once('.').unwrap_or((number, ""));
    if integer.len() + fraction.len() == 0 || fraction.contains('.') || number.len() > 40 {
        return None;
    }
    let mantissa: u128 = format!("{integer}{fraction}").parse().ok()?;
    let scale = i32::try_from(fraction.len()).ok()? - by;
    let times = |mantissa: u128, power: i32| {
        let factor = 10_u128.checked_pow(power.unsigned_abs())?;
        if power >= 0 { mantissa.checked_mul(factor) } else { divided(mantissa, factor) }
    };
    let decimal = |power: i32| times(mantissa, power - scale);
    let binary = |power: u32| times(mantissa.checked_mul(1024_u128.pow(power))?, -scale);
    match suffix {
        "" => decimal(0),
        "n" => decimal(-9),
        "u" => decimal(-6),
        "m" => decimal(-3),
        "k" => decimal(3),
        "M" => decimal(6),
        "G" => decimal(9),
        "T" => decimal(12),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        _ => decimal(suffix.strip_prefix(['e', 'E'])?.parse::<i32>().ok().filter(|e| e.abs() <= 40)?),
    }
}

fn divided(number: u128, divisor: u128) -> Option<u128> {
    number.is_multiple_of(divisor).then_some(number / divisor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_quantities() {
        for (text, value) in [
            ("0", 0),
            ("8", 8),
            ("+8", 8),
            ("2k", 2000),
            ("2000m", 2),
            ("1.5k", 1500),
            ("2e3", 2000),
            ("20e-1", 2),
            ("1.0", 1),
            ("1Ki", 1024),
            ("0.5Ki", 512),
            ("1000000000", 1_000_000_000),
        ] {
            assert_eq!(whole(text), Some(value), "{text}");
        }
    }

    #[test]
    fn what_is_no_whole_quantity() {
        let long = "9".repeat(1000);
        for text in [
            "",
            "-1",
            "500m",
            "1.5",
            "one",
            ".",
            "1.2.3",
            "1e999999999",
            "99999999999999999999",
            "1000000001",
            "1T",
            "0x10",
            &long,
        ] {
            assert_eq!(whole(text), None, "{text}");
        }
    }
}
