//! The layout engine against numbers and rules found independently of it.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod catalogue;
mod counts;
mod creation;
mod devices;
mod facets;
mod file;
mod names;
mod notation;
mod oracle;
mod rules;

use std::sync::Arc;

use migsaw::geometry::{Catalog, Counts, Layout, Model, Profile};

fn model(name: &str) -> Arc<Model> {
    Catalog::builtin().model(name).unwrap()
}

fn counts(model: &Model, text: &str) -> Counts {
    Counts::parse(model, text).unwrap()
}

fn layout(model: &Model, text: &str) -> Layout {
    Layout::parse(model, text).unwrap()
}

/// The model with some of its profiles only.
fn reduced(model: &Model, keep: impl Fn(&Profile) -> bool) -> Model {
    let mut reduced = model.clone();
    reduced.profiles.retain(keep);
    reduced.compute_instances.clear();
    reduced.disputed.clear();
    reduced
}

/// `1g`, `2g`, … without attributes and double memory.
fn is_base(profile: &Profile) -> bool {
    profile.class.ends_with('g')
}

/// One model of each geometry; every other model is like one of them.
const GEOMETRIES: [&str; 3] = ["A30-24GB", "A100-80GB", "RTX-PRO-6000-96GB"];

#[test]
fn every_model_is_like_one_of_three() {
    type Shape = (u8, Vec<(String, u8, Vec<u8>, Vec<u8>, u8)>);
    let shape = |model: &Model| -> Shape {
        let profile =
            |p: &Profile| (p.class.clone(), p.size, p.starts.clone(), p.driver_starts.value.clone(), p.max_instances);
        (model.units, model.profiles.iter().map(profile).collect())
    };
    let three: Vec<Shape> = GEOMETRIES.iter().map(|name| shape(&model(name))).collect();
    for model in Catalog::builtin().models() {
        assert!(three.contains(&shape(model)), "{} is of a new kind: add it to GEOMETRIES", model.id);
    }
}
