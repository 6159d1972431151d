//! What Prometheus' HTTP API answers to an instant query, as JSON.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::sighting::{self, LabelProblem, Sighting};

/// An answer, a good one or a bad one.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "an answer of Prometheus' HTTP API")]
pub(super) struct Answer {
    pub(super) status: String,
    pub(super) error_type: String,
    pub(super) error: String,
    pub(super) data: Option<Data>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "the data of an instant query")]
pub(super) struct Data {
    pub(super) result_type: String,
    pub(super) result: Vec<Series>,
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
