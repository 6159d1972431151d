//! What boards can be cut into: text for people, documents for programs.
//!
//! Each question has its own file: [`list`] (which boards there are), [`show`] (everything about one),
//! [`layouts`] (all its cuts), [`fits`] (does this fit beside that). Each gives `text` and a serde
//! document with `apiVersion` and `kind`.

pub mod fits;
pub mod layouts;
pub mod list;
pub mod show;

use migsaw::geometry::{Confidence, Counts, Layout, Model};
use serde::Serialize;
use std::collections::BTreeMap;

/// Version of the documents in this module.
pub const API_VERSION: &str = "migsaw.io/v1alpha1";

/// An instance at its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlacementDocument {
    /// The profile's name.
    pub profile: String,
    /// First placement unit.
    pub start: u8,
    /// Placement units it takes.
    pub size: u8,
}

/// A layout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LayoutDocument {
    /// The text notation, `1g.10gb@3,2g.20gb@4`.
    pub notation: String,
    /// Its instances, by start.
    pub placements: Vec<PlacementDocument>,
    /// Its instances by profile.
    pub counts: BTreeMap<String, u8>,
}

impl LayoutDocument {
    fn new(model: &Model, layout: &Layout) -> LayoutDocument {
        let placement = |p: &migsaw::geometry::Placement| PlacementDocument {
            profile: model.get(p.profile).name.to_string(),
            start: p.start,
            size: model.get(p.profile).size,
        };
        LayoutDocument {
            notation: layout.display(model).to_string(),
            placements: layout.placements().iter().map(placement).collect(),
            counts: counts(model, &layout.counts()),
        }
    }
}

fn counts(model: &Model, counts: &Counts) -> BTreeMap<String, u8> {
    counts.iter().map(|(id, n)| (model.get(id).name.to_string(), n)).collect()
}

fn confidence(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Source => "source",
        Confidence::Derived => "derived",
        Confidence::Unsourced => "unsourced",
    }
}

fn numbers(numbers: &[u8]) -> String {
    numbers.iter().map(u8::to_string).collect::<Vec<_>>().join(" ")
}
