//! Amounts of memory as Kubernetes writes them.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserialize, Deserializer, Visitor};
use serde::ser::{Serialize, Serializer};

/// An amount of memory as it was written: `16Gi`, `20G`, or plain bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quantity(String);

/// Why a text is no amount of memory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no amount of memory (expected like `16Gi`, `512Mi` or `20G`)")]
pub struct InvalidQuantity {
    /// The refused text.
    pub text: String,
}

/// Suffixes and what they stand for, in bytes.
const SUFFIXES: &[(&str, u128)] = &[
    ("Ki", 1 << 10),
    ("Mi", 1 << 20),
    ("Gi", 1 << 30),
    ("Ti", 1 << 40),
    ("Pi", 1 << 50),
    ("k", 1_000),
    ("M", 1_000_000),
    ("G", 1_000_000_000),
    ("T", 1_000_000_000_000),
    ("P", 1_000_000_000_000_000),
    ("", 1),
];

impl Quantity {
    /// The amount as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// So many MiB, written in the largest binary unit that divides them.
    pub fn of_mib(mib: u64) -> Quantity {
        match mib {
            0 => Quantity("0".to_owned()),
            _ if mib.is_multiple_of(1024) => Quantity(format!("{}Gi", mib / 1024)),
            _ => Quantity(format!("{mib}Mi")),
        }
    }

    /// The amount in MiB, rounded up.
    ///
    /// # Errors
    /// [`InvalidQuantity`] if the text is not a decimal number, optionally followed by one of Ki, Mi,
    /// Gi, Ti, Pi, k, M, G, T and P; or if it is more than 2^63 MiB.
    pub fn to_mib(&self) -> Result<u64, InvalidQuantity> {
        mib_of(&self.0).ok_or_else(|| InvalidQuantity { text: self.0.chars().take(80).collect() })
    }

    /// What was probably meant, for people who write `16GB`.
    pub(super) fn suggestion(&self) -> String {
        let digits: String = self.0.trim().chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        let rest = self.0.trim()[digits.len()..].trim().to_ascii_lowercase();
        let meant = match rest.as_str() {
            "gb" | "g" => Some(("G", "Gi")),
            "mb" | "m" => Some(("M", "Mi")),
            "tb" | "t" => Some(("T", "Ti")),
            "kb" | "k" => Some(("k", "Ki")),
            "gib" | "gi" => Some(("Gi", "Gi")),
            "mib" | "mi" => Some(("Mi", "Mi")),
            "tib" | "ti" => Some(("Ti", "Ti")),
            "kib" | "ki" => Some(("Ki", "Ki")),
            _ => None,
        };
        match meant.filter(|_| !digits.is_empty()) {
            Some((a, b)) if a == b => format!("write `{digits}{a}`"),
            Some((a, b)) => format!("write `{digits}{a}` for powers of 1000 or `{digits}{b}` for powers of 1024"),
            None => "write a number with Ki, Mi, Gi or Ti (powers of 1024) or k, M, G or T (powers of 1000)".to_owned(),
        }
    }
}

fn mib_of(text: &str) -> Option<u64> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (_, factor) = SUFFIXES.iter().find(|(name, _)| *name == suffix)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.len() + fraction.len() == 0 || whole.len() > 18 || fraction.len() > 18 || fraction.contains('.') {
        return None;
    }
    let value: u128 = format!("0{whole}{fraction}").parse().ok()?;
    let bytes = value.checked_mul(*factor)?.div_ceil(10u128.pow(u32::try_from(fraction.len()).ok()?));
    u64::try_from(bytes.div_ceil(1 << 20)).ok().filter(|&mib| mib < 1 << 63)
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Quantity, D::Error> {
        deserializer.deserialize_any(TextOrBytes)
    }
}

struct TextOrBytes;

impl Visitor<'_> for TextOrBytes {
    type Value = Quantity;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an amount of memory like 16Gi")
    }

    fn visit_i64<E>(self, value: i64) -> Result<Quantity, E> {
        Ok(Quantity(value.to_string()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Quantity, E> {
        Ok(Quantity(value.to_string()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Quantity, E> {
        Ok(Quantity(value.to_string()))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Quantity, E> {
        Ok(Quantity(text.to_owned()))
    }
}

impl JsonSchema for Quantity {
    fn schema_name() -> Cow<'static, str> {
        "Quantity".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "An amount of memory as Kubernetes writes it: `16Gi`, `512Mi`, `20G`, or plain bytes. Rounded up to whole MiB.",
            "type": ["string", "number"],
            "examples": ["16Gi", "20G"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_up_to_mib() {
        for (text, mib) in [
            ("16Gi", 16_384),
            ("1.5Gi", 1_536),
            ("16G", 15_259),
            ("1", 1),
            ("0", 0),
            ("1048576", 1),
            ("1048577", 2),
            ("1Ti", 1 << 20),
            ("1025Ki", 2),
            ("500M", 477),
            (".5Gi", 512),
        ] {
            assert_eq!(Quantity(text.to_owned()).to_mib(), Ok(mib), "{text}");
        }
    }

    #[test]
    fn refuses_other_spellings() {
        for text in
            ["", "16GB", "16 Gi", "-1Gi", "Gi", "1e3", "NaN", "1.2.3Gi", "16gi", ".", "9999999999999999999999Gi"]
        {
            assert!(Quantity(text.to_owned()).to_mib().is_err(), "{text}");
        }
        assert_eq!(
            Quantity("16GB".to_owned()).suggestion(),
            "write `16G` for powers of 1000 or `16Gi` for powers of 1024"
        );
    }

    #[test]
    fn prints_what_it_reads() {
        for mib in [0, 1, 1023, 1024, 9_728, 1 << 30] {
            assert_eq!(Quantity::of_mib(mib).to_mib(), Ok(mib));
        }
    }
}
