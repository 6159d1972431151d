//! Which boards there are.

use std::sync::Arc;

use migsaw::geometry::{Catalog, Model};
use serde::Serialize;

use super::API_VERSION;
use crate::clean::clean;
use crate::page::Page;
use crate::style::{Style, Tone};
use crate::table::Table;

/// Every board by name, the refused ones with their reason.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelList {
    /// [`API_VERSION`].
    pub api_version: &'static str,
    /// `ModelList`.
    pub kind: &'static str,
    /// The boards that can be planned.
    pub models: Vec<ModelSummary>,
    /// The boards known by name only.
    pub refused: Vec<RefusedModel>,
}

/// A board in one line.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelSummary {
    /// The catalogue's name.
    pub id: String,
    /// Other names.
    pub aliases: Vec<String>,
    /// Architecture.
    pub architecture: String,
    /// Memory in GB, as the board's name says.
    pub memory_gb: Option<u32>,
    /// Compute slices of the whole GPU.
    pub compute_slices: u8,
    /// Placement units of the whole GPU.
    pub units: u8,
    /// Profiles by name.
    pub profiles: Vec<String>,
}

/// A board whose geometry nobody publishes.
#[derive(Debug, Clone, Serialize)]
pub struct RefusedModel {
    /// The catalogue's name.
    pub id: String,
    /// What is missing.
    pub reason: String,
}

/// The list as a document.
pub fn document(catalog: &Catalog) -> ModelList {
    let summary = |model: &Model| ModelSummary {
        id: model.id.clone(),
        aliases: model.aliases.clone(),
        architecture: model.architecture.clone(),
        memory_gb: model.memory_gb,
        compute_slices: model.compute_slices,
        units: model.units,
        profiles: model.profiles.iter().map(|p| p.name.to_string()).collect(),
    };
    let refused = |(id, reason): (&str, &str)| RefusedModel { id: id.to_owned(), reason: reason.to_owned() };
    ModelList {
        api_version: API_VERSION,
        kind: "ModelList",
        models: catalog.models().map(Arc::as_ref).map(summary).collect(),
        refused: catalog.refused().map(refused).collect(),
    }
}

/// The list as text.
pub fn text(catalog: &Catalog, style: Style) -> String {
    let mut table = Table::new(&["Model", "architecture", ">GB", ">slices", ">units", "profiles"]);
    for model in catalog.models() {
        let profiles: Vec<String> = model.profiles.iter().map(|p| p.name.to_string()).collect();
        table.row(vec![
            clean(&model.id).into_owned(),
            clean(&model.architecture).into_owned(),
            model.memory_gb.map_or("?".to_owned(), |gb| gb.to_string()),
            model.compute_slices.to_string(),
            model.units.to_string(),
            profiles.join(" "),
        ]);
    }
    let mut page = Page::new(style);
    page.push(&table.print(style));
    let refused: Vec<(&str, &str)> = catalog.refused().collect();
    if !refused.is_empty() {
        page.line("");
        page.line(style.paint(Tone::Strong, "Known by name only, so refused"));
        for (id, reason) in refused {
            page.wrapped(&format!("{}: {}", clean(id), clean(reason)), 2, 4);
        }
    }
    page.finish()
}
