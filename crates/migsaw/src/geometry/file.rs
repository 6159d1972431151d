//! The catalogue's file form, which users write too (`--geometry FILE`).

mod amend;
mod build;
mod locate;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::model::{Confidence, PublishedEngines};
pub(super) use build::Built;
use build::Problems;

/// A geometry file (`schema: mig-geometry/1`), as written. JSON is YAML, so either will do.
///
/// A model needs `id` and `profiles`; a profile needs `name`, `size_units` and `placements`.
/// Everything else has a default or is optional, and unknown fields of a model are refused. A model
/// without `profiles` amends the catalogue's model of that id: what it gives replaces what is there.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeometryFile {
    #[serde(default)]
    schema: Option<String>,
    models: Vec<FileModel>,
    #[serde(default)]
    facets: BTreeMap<String, FileFacets>,
    #[serde(default, rename = "units")]
    _units: IgnoredAny,
    #[serde(default, rename = "confidence_values")]
    _confidence_values: IgnoredAny,
    #[serde(default, rename = "name_rule")]
    _name_rule: IgnoredAny,
    #[serde(default, rename = "sources")]
    _sources: IgnoredAny,
    #[serde(default, rename = "rules")]
    _rules: IgnoredAny,
    #[serde(default, rename = "observed_driver_placement_order")]
    _observed: IgnoredAny,
    #[serde(default, rename = "verification")]
    _verification: IgnoredAny,
    #[serde(default, rename = "unmapped_pci_ids")]
    _unmapped_pci_ids: IgnoredAny,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileFacets {
    placement_units: u8,
    /// What the normals were found for, column by column.
    profiles: Vec<FileFacetColumn>,
    normals: Vec<Vec<u8>>,
    #[serde(default, rename = "confidence")]
    _confidence: IgnoredAny,
    #[serde(default, rename = "source")]
    _source: IgnoredAny,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileFacetColumn {
    class: String,
    size_units: u8,
    starts: Vec<u8>,
    max_instances: u8,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileModel {
    id: String,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    layout: String,
    #[serde(default)]
    compute_slices: Option<u8>,
    #[serde(default)]
    memory_slices: Option<u8>,
    #[serde(default)]
    placement_units: Option<u8>,
    #[serde(default)]
    memory_total_gb: Option<u32>,
    #[serde(default, rename = "sibling")]
    _sibling: Option<String>,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default)]
    gpu_product_labels: Vec<FileLabel>,
    #[serde(default)]
    pci_devices: Vec<FilePci>,
    /// Absent in a model that amends another.
    #[serde(default)]
    profiles: Option<Vec<FileProfile>>,
    #[serde(default)]
    engine_budget: Option<FileBudget>,
    #[serde(default)]
    compute_instance_profiles: Vec<FileComputeInstance>,
    #[serde(default)]
    notes: Vec<String>,
    #[serde(default)]
    legacy_profile_names: Vec<FileLegacyName>,
    #[serde(default)]
    driver_variant_names: Vec<FileVariantNames>,
    #[serde(default)]
    profile_name_mismatch: Option<FileMismatch>,
    #[serde(default)]
    disputed: Vec<FileDisputed>,
    #[serde(default, rename = "driver_variants")]
    _driver_variants: IgnoredAny,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileLabel {
    value: String,
    #[serde(default = "unsourced")]
    confidence: Confidence,
    #[serde(default)]
    source: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct FilePci {
    device_id: String,
    #[serde(default)]
    mig_parted_filter: Option<String>,
    #[serde(default)]
    board: String,
    #[serde(default, rename = "in_operator_default_filters")]
    _in_operator_default_filters: IgnoredAny,
    #[serde(default)]
    source: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileProfile {
    name: String,
    #[serde(default)]
    class: Option<String>,
    #[serde(default)]
    profile_id: Option<u16>,
    #[serde(default, rename = "nvml_profile")]
    _nvml_profile: IgnoredAny,
    #[serde(default)]
    compute_slices: Option<u8>,
    #[serde(default)]
    memory_slices: Option<u8>,
    #[serde(default)]
    size_units: Option<u8>,
    #[serde(default)]
    max_instances: Option<u8>,
    #[serde(default)]
    placements: Option<Vec<FilePlacement>>,
    #[serde(default)]
    memory_mib: Option<u32>,
    #[serde(default)]
    sm_count: Option<u16>,
    #[serde(default)]
    engines: Option<FileEngines>,
    #[serde(default)]
    driver_start_order: Option<Vec<u8>>,
    #[serde(default = "unsourced")]
    confidence: Confidence,
    #[serde(default)]
    source: Vec<String>,
    #[serde(default)]
    field_confidence: FileFieldConfidence,
    #[serde(default)]
    note: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct FilePlacement {
    start: u8,
    size: u8,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileEngines {
    #[serde(default)]
    decoders: Option<u16>,
    #[serde(default)]
    encoders: Option<u16>,
    #[serde(default)]
    jpeg: Option<u16>,
    #[serde(default)]
    ofa: Option<u16>,
    #[serde(default)]
    copy_engines: Option<u16>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileFieldConfidence {
    #[serde(default)]
    placements: Option<Confidence>,
    #[serde(default)]
    placements_source: Vec<String>,
    #[serde(default)]
    memory_mib: Option<Confidence>,
    #[serde(default)]
    memory_source: Option<String>,
    #[serde(default)]
    sm_count: Option<Confidence>,
    #[serde(default)]
    engines: Option<Confidence>,
    #[serde(default)]
    driver_start_order: Option<Confidence>,
    #[serde(default)]
    driver_start_source: Vec<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileBudget {
    values: FileEngines,
    #[serde(default = "unsourced")]
    confidence: Confidence,
    #[serde(default)]
    source: Vec<String>,
    #[serde(default)]
    note: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileComputeInstance {
    gi_profile: String,
    #[serde(rename = "ci_profile")]
    _ci_profile: String,
    compute_slices: u8,
    max_per_gi: u8,
    #[serde(default, rename = "confidence")]
    _confidence: IgnoredAny,
    #[serde(default, rename = "source")]
    _source: IgnoredAny,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileLegacyName {
    name: String,
    means: String,
    #[serde(default = "another_release")]
    driver: String,
    #[serde(default)]
    source: Option<String>,
}

/// Names by class with a driver release.
#[derive(Debug, Clone, Deserialize)]
struct FileVariantNames {
    #[serde(default = "another_release")]
    driver: String,
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    note: Option<String>,
    #[serde(flatten)]
    names: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileMismatch {
    dcgm_reports: String,
    device_plugin_reports: String,
    #[serde(default)]
    source: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileDisputed {
    /// Instances by class.
    layout: BTreeMap<String, u8>,
    #[serde(default, rename = "model_says")]
    _model_says: IgnoredAny,
    counter_evidence: String,
    #[serde(default)]
    source: String,
}

impl FileEngines {
    fn published(&self) -> PublishedEngines {
        PublishedEngines {
            decoders: self.decoders,
            encoders: self.encoders,
            jpeg: self.jpeg,
            ofa: self.ofa,
            copy_engines: self.copy_engines,
        }
    }
}

fn another_release() -> String {
    "another release".to_owned()
}

fn unsourced() -> Confidence {
    Confidence::Unsourced
}

/// A remark in brackets may follow: `source (copy engines only)`.
impl<'de> Deserialize<'de> for Confidence {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Confidence, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        match text.split_once(" (").map_or(&*text, |(word, _)| word) {
            "source" => Ok(Confidence::Source),
            "derived" => Ok(Confidence::Derived),
            "unsourced" => Ok(Confidence::Unsourced),
            other => Err(serde::de::Error::unknown_variant(other, &["source", "derived", "unsourced"])),
        }
    }
}

/// Everything that is wrong with a geometry file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct GeometryFileError {
    /// Each problem found.
    pub problems: Vec<GeometryProblem>,
}

/// One thing that is wrong with a geometry file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GeometryProblem {
    /// The text is not a geometry file at all.
    #[error("not a geometry file: {0}")]
    Syntax(String),
    /// Another schema.
    #[error("schema `{0}` is not known (expected `mig-geometry/1`)")]
    Schema(String),
    /// A model or profile is wrong in some respect.
    #[error("{at}: {what}")]
    Model {
        /// The model, and the profile if it is about one.
        at: String,
        /// What is wrong, and what would be right.
        what: String,
    },
}

impl GeometryFile {
    /// Reads a file's text, JSON or YAML.
    ///
    /// # Errors
    /// [`GeometryFileError`] with line and column if the text is not of this form.
    pub fn parse(text: &str) -> Result<GeometryFile, GeometryFileError> {
        let text = text.trim_start_matches('\u{feff}');
        let is_json = text.trim_start().starts_with('{');
        let read: Result<GeometryFile, String> = if is_json {
            serde_json::from_str(text).map_err(|e| e.to_string())
        } else {
            serde_saphyr::from_str(text).map_err(|e| e.to_string())
        };
        let file = read.map_err(|error| GeometryFileError { problems: locate::problems(text, is_json, error) })?;
        match &file.schema {
            Some(schema) if schema != "mig-geometry/1" => {
                Err(GeometryFileError { problems: vec![GeometryProblem::Schema(schema.clone())] })
            }
            _ => Ok(file),
        }
    }

    /// The models, each as it was given or amended, and checked: known or refused.
    pub(super) fn models(&self, known: &Forms) -> Result<Vec<(Arc<FileModel>, Built)>, GeometryFileError> {
        let mut problems = Vec::new();
        let mut seen = BTreeMap::new();
        let mut built = Vec::new();
        for (i, given) in self.models.iter().enumerate() {
            if given.id.trim().is_empty() {
                let what = "a model needs an id".to_owned();
                problems.push(GeometryProblem::Model { at: format!("model {}", i + 1), what });
                continue;
            }
            let mut at = Problems::of(&given.id, &mut problems);
            let Some(model) = given.amended(known) else {
                at.check(false, || "a model that is not in the catalogue needs `profiles`".to_owned());
                continue;
            };
            for (what, name) in model.own_names() {
                let other = seen.insert((what, name.to_lowercase()), given.id.clone());
                at.check(other.is_none(), || match &other {
                    Some(other) if *other != given.id => format!("the {what} `{name}` belongs to {other} already"),
                    _ => format!("the {what} `{name}` is there twice"),
                });
            }
            let result = if model.profiles().iter().any(|p| p.placements.is_none()) {
                Err(model.refused())
            } else {
                let facets = self.facets.get(&model.layout).or_else(|| known.facets.get(&model.layout));
                Ok(model.build(facets, &mut at))
            };
            built.push((Arc::new(model), result));
        }
        if problems.is_empty() { Ok(built) } else { Err(GeometryFileError { problems }) }
    }
}

/// What earlier files gave, as they gave it, for a later one to amend.
#[derive(Debug, Clone, Default)]
pub(super) struct Forms {
    models: BTreeMap<String, Arc<FileModel>>,
    facets: BTreeMap<String, FileFacets>,
}

impl Forms {
    /// Adds a file's models, those of the same id replaced.
    pub(super) fn add(&mut self, file: &GeometryFile, models: impl IntoIterator<Item = Arc<FileModel>>) {
        self.models.extend(models.into_iter().map(|model| (model.id.to_lowercase(), model)));
        self.facets.extend(file.facets.iter().map(|(layout, facets)| (layout.clone(), facets.clone())));
    }

    fn model(&self, id: &str) -> Option<&FileModel> {
        self.models.get(&id.to_lowercase()).map(AsRef::as_ref)
    }
}
