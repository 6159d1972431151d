//! What Prometheus' HTTP API answers to a query, as JSON.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, Visitor};

use super::MetricsError;
use super::sighting::{self, LabelProblem, Sighting};

/// An answer, a good one or a bad one.
#[derive(Debug, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "an answer of Prometheus' HTTP API")]
struct Answer<S> {
    status: String,
    error_type: String,
    error: String,
    data: Option<Data<S>>,
    warnings: Vec<String>,
    /// `VictoriaMetrics` says so where a part of it did not answer.
    is_partial: bool,
}

impl<S> Default for Answer<S> {
    fn default() -> Answer<S> {
        Answer {
            status: String::new(),
            error_type: String::new(),
            error: String::new(),
            data: None,
            warnings: Vec::new(),
            is_partial: false,
        }
    }
}

/// What an answer has, series being read as `S`.
#[derive(Debug, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "the data of a query")]
pub(super) struct Data<S> {
    result_type: String,
    pub(super) result: Vec<S>,
    /// What the server says of it that makes one doubt it is all.
    #[serde(skip)]
    pub(super) doubts: Vec<String>,
}

impl<S> Default for Data<S> {
    fn default() -> Data<S> {
        Data { result_type: String::new(), result: Vec::new(), doubts: Vec::new() }
    }
}

/// The data of a good answer of one of the expected types.
pub(super) fn read<S: for<'de> Deserialize<'de>>(text: &str, expected: &[&str]) -> Result<Data<S>, MetricsError> {
    let answer: Answer<S> = serde_json::from_str(text).map_err(|error| {
        let (line, column) = (error.line(), error.column());
        let place = format!(" at line {line} column {column}");
        let reason = error.to_string();
        MetricsError::Syntax { line, column, reason: reason.strip_suffix(&place).unwrap_or(&reason).to_owned() }
    })?;
    let shortened = |text: &str| text.chars().take(200).collect::<String>();
    if answer.status == "error" || (answer.status != "success" && !answer.error.is_empty()) {
        let (error_type, error) = (shortened(&answer.error_type), shortened(&answer.error));
        return Err(MetricsError::Answer { error_type, error });
    }
    let mut data = answer.data.unwrap_or_default();
    data.doubts = answer.warnings.iter().map(|text| format!("the server warns: {}", shortened(text))).collect();
    if answer.is_partial {
        data.doubts.push("the server says that this is a part of the answer only (isPartial)".to_owned());
    }
    if !expected.contains(&data.result_type.as_str()) {
        let found = shortened(&data.result_type);
        return Err(match expected {
            ["vector"] => MetricsError::ResultType { found },
            _ => MetricsError::NoSamples { found },
        });
    }
    Ok(data)
}

/// A series of a query over a range, or of an instant query, with its labels.
#[derive(Debug, Deserialize)]
#[serde(expecting = "a series of a query, like {\"metric\": {…}, \"values\": […]}")]
pub(super) struct RangeSeries {
    #[serde(default)]
    pub(super) metric: BTreeMap<String, String>,
    /// Times, in seconds since 1970, and values.
    #[serde(default)]
    pub(super) values: Vec<(f64, Quoted)>,
    #[serde(default)]
    pub(super) value: Option<(f64, Quoted)>,
}

/// A number in quotes; what is in quotes and is none is not a number. Of the many there are no text is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quoted(pub(super) f64);

impl<'de> Deserialize<'de> for Quoted {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Quoted, D::Error> {
        deserializer.deserialize_str(QuotedVisitor)
    }
}

struct QuotedVisitor;

impl Visitor<'_> for QuotedVisitor {
    type Value = Quoted;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E>(self, text: &str) -> Result<Quoted, E> {
        Ok(Quoted(text.parse().unwrap_or(f64::NAN)))
    }
}

/// A series, judged as soon as it is read so that no label is kept longer than that.
#[derive(Debug, Deserialize)]
#[serde(from = "WireSeries")]
pub(super) struct Series {
    pub(super) sighting: Result<Option<Sighting>, LabelProblem>,
    /// The value; `None` if it is no number.
    pub(super) value: Option<f64>,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "a series of an instant query, like {\"metric\": {…}, \"value\": […]}")]
struct WireSeries {
    #[serde(default)]
    metric: BTreeMap<String, String>,
    /// Time and value; a range has `values`, and a histogram none.
    value: Option<(IgnoredAny, String)>,
}

impl From<WireSeries> for Series {
    fn from(wire: WireSeries) -> Series {
        let value = wire.value.map_or(Some(0.0), |(_, value)| value.parse().ok());
        Series { sighting: sighting::of(&wire.metric), value }
    }
}
