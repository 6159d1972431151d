//! The JSON schemas of the documents, as published in `schema/`.

use std::sync::OnceLock;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value as Json;

use super::curve::CurveDocument;
use super::diff::DiffDocument;
use super::plan::PlanDocument;
use super::rollout::RolloutDocument;
use super::scenario::ScenarioDocument;

/// The JSON schema (draft 2020-12) of a scenario, as in `schema/scenario.json`.
pub fn scenario() -> &'static Json {
    static SCHEMA: OnceLock<Json> = OnceLock::new();
    SCHEMA.get_or_init(|| generate::<ScenarioDocument>("scenario"))
}

/// The JSON schema (draft 2020-12) of a plan, as in `schema/plan.json`.
pub fn plan() -> &'static Json {
    static SCHEMA: OnceLock<Json> = OnceLock::new();
    SCHEMA.get_or_init(|| generate::<PlanDocument>("plan"))
}

/// The JSON schema (draft 2020-12) of what more evictions gain, as in `schema/curve.json`.
pub fn curve() -> &'static Json {
    static SCHEMA: OnceLock<Json> = OnceLock::new();
    SCHEMA.get_or_init(|| generate::<CurveDocument>("curve"))
}

/// The JSON schema (draft 2020-12) of what a plan changes, as in `schema/diff.json`.
pub fn diff() -> &'static Json {
    static SCHEMA: OnceLock<Json> = OnceLock::new();
    SCHEMA.get_or_init(|| generate::<DiffDocument>("diff"))
}

/// The JSON schema (draft 2020-12) of a rollout, as in `schema/rollout.json`.
pub fn rollout() -> &'static Json {
    static SCHEMA: OnceLock<Json> = OnceLock::new();
    SCHEMA.get_or_init(|| generate::<RolloutDocument>("rollout"))
}

fn generate<T: JsonSchema>(name: &str) -> Json {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    let mut schema = schema.to_value();
    if let Some(fields) = schema.as_object_mut() {
        let id = format!("https://migsaw.io/schema/v1alpha1/{name}.json");
        fields.insert("$id".to_owned(), Json::String(id));
    }
    schema
}
