//! The document of what more evictions gain.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::plan::{TierForm, tier_form};
use crate::document::API_VERSION;
use crate::plan::CurvePoint;

/// What `kind` says in a curve.
pub const KIND: &str = "EvictionCurve";

/// What more evictions gain: the output of `migsaw plan --curve`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "EvictionCurve")]
pub struct CurveDocument {
    /// Version of this form: `migsaw.io/v1alpha1`.
    #[schemars(extend("const" = API_VERSION))]
    pub api_version: String,
    /// `EvictionCurve`.
    #[schemars(extend("const" = KIND))]
    pub kind: String,
    /// The best plans with so many evictions, ascending; more than the last allows gain nothing.
    pub points: Vec<PointForm>,
}

/// The best that can be reached with at most so many evictions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Point")]
pub struct PointForm {
    /// Most evictions allowed.
    pub max_evictions: u64,
    /// Units served.
    pub served: u64,
    /// Units evicted.
    pub evicted: u64,
    /// Value and bound of each tier up to the cost, most important first.
    pub tiers: Vec<TierForm>,
}

impl CurveDocument {
    /// The document of some points.
    pub fn new(points: &[CurvePoint]) -> CurveDocument {
        let point = |point: &CurvePoint| PointForm {
            max_evictions: point.max_evictions,
            served: point.served(),
            evicted: point.evicted(),
            tiers: point.tiers.iter().map(tier_form).collect(),
        };
        CurveDocument {
            api_version: API_VERSION.to_owned(),
            kind: KIND.to_owned(),
            points: points.iter().map(point).collect(),
        }
    }
}
