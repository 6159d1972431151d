//! Decimal numbers, kept exact on the way through JSON and YAML.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::fleet::{Cost, InvalidCost};

/// A decimal number as it was written. Written as a number wherever a double holds it exactly, else as
/// a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal(String);

impl Decimal {
    /// The number as a text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As a price.
    ///
    /// # Errors
    /// [`InvalidCost`] if it is negative, too large, or finer than a millionth.
    pub fn to_cost(&self) -> Result<Cost, InvalidCost> {
        self.0.parse()
    }

    /// As millionths, of any sign and size; `None` if it is no number or finer than a millionth.
    pub fn to_micros(&self) -> Option<i64> {
        let (negative, digits) = match self.0.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, self.0.as_str()),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty()
            || fraction.len() > 6
            || !(whole.bytes().chain(fraction.bytes())).all(|b| b.is_ascii_digit())
        {
            return None;
        }
        let micros: i128 = format!("{whole}{fraction:0<6}").parse().ok()?;
        i64::try_from(if negative { -micros } else { micros }).ok()
    }

    /// A number of millionths.
    pub fn of_micros(micros: i64) -> Decimal {
        let sign = if micros < 0 { "-" } else { "" };
        let (whole, fraction) = (micros.unsigned_abs() / 1_000_000, micros.unsigned_abs() % 1_000_000);
        let text = format!("{sign}{whole}.{fraction:06}");
        Decimal(text.trim_end_matches('0').trim_end_matches('.').to_owned())
    }

    /// As a whole number.
    pub fn to_whole(&self) -> Option<i64> {
        self.0.parse().ok()
    }
}

impl From<i64> for Decimal {
    fn from(value: i64) -> Decimal {
        Decimal(value.to_string())
    }
}

impl From<Cost> for Decimal {
    fn from(cost: Cost) -> Decimal {
        Decimal::of_micros(cost.micros)
    }
}

impl Serialize for Decimal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if let Some(whole) = self.to_whole() {
            return serializer.serialize_i64(whole);
        }
        match self.0.parse::<f64>() {
            Ok(number) if number.to_string() == self.0 => serializer.serialize_f64(number),
            _ => serializer.serialize_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Decimal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Decimal, D::Error> {
        deserializer.deserialize_any(AnyNumber)
    }
}

struct AnyNumber;

impl Visitor<'_> for AnyNumber {
    type Value = Decimal;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, or a text with one")
    }

    fn visit_i64<E>(self, value: i64) -> Result<Decimal, E> {
        Ok(Decimal(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Decimal, E> {
        Ok(Decimal(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Decimal, E> {
        Ok(Decimal(value.to_string()))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Decimal, E> {
        Ok(Decimal(text.to_owned()))
    }
}

impl JsonSchema for Decimal {
    fn schema_name() -> Cow<'static, str> {
        "Decimal".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A decimal number, also as a text; at most six decimals.",
            "type": ["number", "string"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_a_number_where_that_is_exact() {
        for (micros, json) in [
            (0, "0"),
            (12_500_000, "12.5"),
            (-12_500_000, "-12.5"),
            (3_000_000, "3"),
            (999_999_999_999_999, "999999999.999999"),
            (1_234_567_890_123_456_789, "\"1234567890123.456789\""),
        ] {
            let decimal = Decimal::of_micros(micros);
            assert_eq!(serde_json::to_string(&decimal).unwrap(), json);
            let back: Decimal = serde_json::from_str(json).unwrap();
            assert_eq!(back.to_micros(), Some(micros), "{json}");
        }
        let tiny = serde_json::to_string(&Decimal::of_micros(1)).unwrap();
        assert_eq!(serde_json::from_str::<Decimal>(&tiny).unwrap().to_micros(), Some(1));
    }

    #[test]
    fn refuses_what_is_no_price() {
        for text in ["NaN", "inf", "1e3", "-1", "0.0000001", ""] {
            assert!(Decimal(text.to_owned()).to_cost().is_err(), "{text}");
        }
    }
}
