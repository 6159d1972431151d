//! The JSON schemas (draft 2020-12) of the documents, as published in `schema/`.

use std::sync::OnceLock;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value as Json;

use super::advice::AdviceDocument;
use super::applied::AppliedDocument;
use super::buy::BuyDocument;
use super::capacity::CapacityDocument;
use super::chargeback::ChargebackDocument;
use super::curve::CurveDocument;
use super::diff::DiffDocument;
use super::plan::PlanDocument;
use super::quota::QuotasDocument;
use super::right_size::RightSizeDocument;
use super::robust::RobustDocument;
use super::rollout::RolloutDocument;
use super::scenario::ScenarioDocument;
use super::simulation::SimulationDocument;
use super::whatif::WhatIfDocument;

/// A function for each document.
macro_rules! schemas {
    ($($(#[$doc:meta])* $name:ident: $document:ty;)*) => {
        $($(#[$doc])*
        pub fn $name() -> &'static Json {
            static SCHEMA: OnceLock<Json> = OnceLock::new();
            SCHEMA.get_or_init(|| generate::<$document>(stringify!($name)))
        })*
    };
}

schemas! {
    /// The JSON schema of a scenario.
    scenario: ScenarioDocument;
    /// The JSON schema of a plan.
    plan: PlanDocument;
    /// The JSON schema of what more evictions gain.
    curve: CurveDocument;
    /// The JSON schema of what a plan changes.
    diff: DiffDocument;
    /// The JSON schema of a rollout.
    rollout: RolloutDocument;
    /// The JSON schema of what became of a rollout.
    applied: AppliedDocument;
    /// The JSON schema of what came of a simulation.
    simulation: SimulationDocument;
    /// The JSON schema of how much more fits.
    capacity: CapacityDocument;
    /// The JSON schema of what changes would come to.
    whatif: WhatIfDocument;
    /// The JSON schema of what is to be bought.
    buy: BuyDocument;
    /// The JSON schema of one layout for several scenarios.
    robust: RobustDocument;
    /// The JSON schema of who is billed for what.
    chargeback: ChargebackDocument;
    /// The JSON schema of what could be smaller.
    rightsize: RightSizeDocument;
    /// The JSON schema of what quotas let in.
    quotas: QuotasDocument;
    /// The JSON schema of advice.
    advice: AdviceDocument;
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
