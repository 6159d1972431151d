//! The catalogue's file form, which users write too (`--geometry FILE`).

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::layout::Counts;
use super::model::{
    ComputeInstanceProfile, Confidence, Disputed, Engines, MAX_PROFILES, MAX_UNITS, Model, PciDevice, Profile, Sourced,
};
use super::name::ProfileName;

/// A geometry file (`schema: mig-geometry/1`), as written. JSON is YAML, so either will do.
///
/// A model needs `id` and `profiles`; a profile needs `name`, `size_units` and `placements`.
/// Everything else has a default or is optional, and unknown fields of a model are refused.
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
struct FileFacets {
    classes: Vec<String>,
    normals: Vec<Vec<u8>>,
    #[serde(default, rename = "confidence")]
    _confidence: IgnoredAny,
    #[serde(default, rename = "source")]
    _source: IgnoredAny,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileModel {
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
    profiles: Vec<FileProfile>,
    #[serde(default)]
    engine_budget: Option<FileBudget>,
    #[serde(default)]
    compute_instance_profiles: Vec<FileComputeInstance>,
    #[serde(default)]
    notes: Vec<String>,
    #[serde(default)]
    legacy_profile_names: Vec<FileLegacyName>,
    #[serde(default)]
    driver_variant_names: Vec<BTreeMap<String, String>>,
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
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileBudget {
    values: FileEngines,
    #[serde(default, rename = "confidence")]
    _confidence: IgnoredAny,
    #[serde(default, rename = "source")]
    _source: IgnoredAny,
    #[serde(default, rename = "note")]
    _note: IgnoredAny,
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
    #[serde(default, rename = "source")]
    _source: IgnoredAny,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileMismatch {
    dcgm_reports: String,
    device_plugin_reports: String,
    #[serde(default, rename = "source")]
    _source: IgnoredAny,
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

/// A model known by name only.
pub(super) struct RefusedModel {
    pub(super) aliases: Vec<String>,
    pub(super) labels: Vec<String>,
    pub(super) filters: Vec<String>,
    pub(super) reason: String,
}

type Built = Result<Model, RefusedModel>;

impl GeometryFile {
    /// Reads a file's text, JSON or YAML.
    ///
    /// # Errors
    /// [`GeometryFileError`] with line and column if the text is not of this form.
    pub fn parse(text: &str) -> Result<GeometryFile, GeometryFileError> {
        let syntax = |message: String| GeometryFileError { problems: vec![GeometryProblem::Syntax(message)] };
        let file: GeometryFile = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|e| syntax(e.to_string()))?
        } else {
            serde_saphyr::from_str(text).map_err(|e| syntax(e.to_string()))?
        };
        match &file.schema {
            Some(schema) if schema != "mig-geometry/1" => {
                Err(GeometryFileError { problems: vec![GeometryProblem::Schema(schema.clone())] })
            }
            _ => Ok(file),
        }
    }

    /// The models, checked, each known or refused.
    pub(super) fn models(&self) -> Result<Vec<(String, Built)>, GeometryFileError> {
        let mut problems = Vec::new();
        let mut seen = BTreeSet::new();
        let mut built = Vec::new();
        for model in &self.models {
            let mut at = Problems { at: &model.id, problems: &mut problems };
            at.check(!model.id.trim().is_empty(), || "a model needs an id".to_owned());
            at.check(seen.insert(&model.id), || "the id is there twice".to_owned());
            let result = if model.profiles.iter().any(|p| p.placements.is_none()) {
                Err(model.refused())
            } else {
                Ok(model.build(self.facets.get(&model.layout), &mut at))
            };
            built.push((model.id.clone(), result));
        }
        if problems.is_empty() { Ok(built) } else { Err(GeometryFileError { problems }) }
    }
}

struct Problems<'a> {
    at: &'a str,
    problems: &'a mut Vec<GeometryProblem>,
}

impl Problems<'_> {
    fn add(&mut self, what: String) {
        self.problems.push(GeometryProblem::Model { at: self.at.to_owned(), what });
    }

    fn check(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.add(what());
        }
    }

    fn name(&mut self, text: &str) -> ProfileName {
        text.parse().unwrap_or_else(|error: super::name::InvalidProfileName| {
            self.add(error.to_string());
            "0g.0gb".parse().expect("a valid name")
        })
    }
}

impl FileModel {
    fn refused(&self) -> RefusedModel {
        let without: Vec<&str> =
            self.profiles.iter().filter(|p| p.placements.is_none()).map(|p| p.name.as_str()).collect();
        RefusedModel {
            aliases: self.aliases.clone(),
            labels: self.gpu_product_labels.iter().map(|l| l.value.clone()).collect(),
            filters: self.pci_devices.iter().map(FilePci::filter).collect(),
            reason: format!(
                "nobody publishes where {} may start{}; read them with `nvidia-smi mig -lgipp` and give them in a \
                 geometry file",
                without.join(", "),
                self.notes.first().map(|note| format!(" ({note})")).unwrap_or_default(),
            ),
        }
    }

    fn build(&self, facets: Option<&FileFacets>, at: &mut Problems<'_>) -> Model {
        let units = self.units();
        at.check((1..=MAX_UNITS).contains(&units), || format!("placement_units must lie in 1..={MAX_UNITS}"));
        at.check(!self.profiles.is_empty(), || "a model needs at least one profile".to_owned());
        at.check(self.profiles.len() <= MAX_PROFILES, || format!("a model may have at most {MAX_PROFILES} profiles"));
        let profiles: Vec<Profile> =
            self.profiles.iter().take(MAX_PROFILES).map(|p| self.profile(p, units, at)).collect();
        for (i, profile) in profiles.iter().enumerate() {
            let earlier = profiles[..i].iter().any(|p| p.name == profile.name);
            at.check(!earlier, || format!("profile {} is there twice", profile.name));
        }
        let largest = |f: &dyn Fn(&Profile) -> u8| profiles.iter().map(f).max().unwrap_or(0);
        let mut model = Model {
            id: self.id.clone(),
            aliases: self.aliases.clone(),
            architecture: self.architecture.clone(),
            family: self.layout.clone(),
            compute_slices: self.compute_slices.unwrap_or_else(|| largest(&|p| p.compute_slices)),
            memory_slices: self.memory_slices.unwrap_or_else(|| largest(&|p| p.memory_slices)),
            units,
            memory_gb: self.memory_total_gb,
            engine_budget: self.engine_budget.as_ref().map_or(Engines::UNLIMITED, |b| b.values.budget()),
            compute_instances: Vec::new(),
            product_labels: self.gpu_product_labels.iter().map(FileLabel::sourced).collect(),
            pci_devices: self.pci_devices.iter().map(FilePci::device).collect(),
            disputed: Vec::new(),
            notes: self.notes.clone(),
            facets: facets.and_then(|f| f.for_profiles(&profiles)),
            profiles,
            idle: std::sync::OnceLock::new(),
        };
        model.compute_instances = self.compute_instances(&model, at);
        model.disputed = self.disputed(&model, at);
        model
    }

    fn units(&self) -> u8 {
        let ends =
            self.profiles.iter().flat_map(|p| p.placements.iter().flatten().map(|q| q.start.saturating_add(q.size)));
        self.placement_units.unwrap_or_else(|| ends.max().unwrap_or(0))
    }

    fn profile(&self, p: &FileProfile, units: u8, at: &mut Problems<'_>) -> Profile {
        let placements = p.placements.as_deref().unwrap_or_default();
        let size = p.size_units.or_else(|| placements.first().map(|q| q.size)).unwrap_or(0);
        at.check(!placements.is_empty(), || format!("{} has no placement", p.name));
        at.check(placements.iter().all(|q| q.size == size), || {
            format!("the placements of {} must all have its size, {size} units", p.name)
        });
        at.check((1..=units).contains(&size), || format!("the size of {} must lie in 1..={units}", p.name));
        let inside = placements.iter().all(|q| q.start.checked_add(q.size).is_some_and(|end| end <= units));
        at.check(inside, || format!("a placement of {} ends behind the last of {units} units", p.name));
        let mut starts: Vec<u8> = placements.iter().map(|q| q.start).collect();
        starts.sort_unstable();
        starts.dedup();
        at.check(starts.len() == placements.len(), || format!("{} has the same start twice", p.name));
        let order = p.driver_start_order.clone().unwrap_or_else(|| starts.clone());
        let mut sorted = order.clone();
        sorted.sort_unstable();
        at.check(sorted == starts, || format!("driver_start_order of {} must name each of its starts once", p.name));
        let room = starts.len().try_into().unwrap_or(u8::MAX);
        let max_instances = p.max_instances.unwrap_or(room);
        at.check(max_instances > 0, || format!("max_instances of {} must be at least 1", p.name));

        let name = at.name(&p.name);
        let confidence = &p.field_confidence;
        let engines_known = p.engines.as_ref().is_some_and(FileEngines::all_known);
        let engines = p.engines.clone().unwrap_or_default();
        Profile {
            aliases: self.other_names(p, at),
            class: p.class.clone().unwrap_or_else(|| p.name.clone()),
            driver_id: p.profile_id,
            compute_slices: p.compute_slices.unwrap_or(name.slices()),
            memory_slices: p.memory_slices.unwrap_or(size),
            size,
            driver_starts: Sourced {
                value: order,
                confidence: confidence.driver_start_order.unwrap_or(Confidence::Derived),
                source: vec!["docs-start".to_owned()],
            },
            starts,
            max_instances,
            memory_mib: Sourced {
                value: p.memory_mib,
                confidence: confidence.memory_mib.unwrap_or(Confidence::Unsourced),
                source: confidence.memory_source.iter().cloned().chain(p.source.clone()).collect(),
            },
            sm_count: Sourced {
                value: p.sm_count,
                confidence: confidence.sm_count.unwrap_or(Confidence::Unsourced),
                source: p.source.clone(),
            },
            copy_engines: engines.copy_engines,
            engines: engines.held(),
            engines_confidence: if engines_known { confidence.engines } else { None }.unwrap_or(Confidence::Unsourced),
            starts_confidence: Sourced {
                value: (),
                confidence: confidence.placements.unwrap_or(Confidence::Unsourced),
                source: confidence.placements_source.clone(),
            },
            confidence: p.confidence,
            source: p.source.clone(),
            note: p.note.clone(),
            name,
        }
    }

    fn other_names(&self, p: &FileProfile, at: &mut Problems<'_>) -> Vec<ProfileName> {
        let legacy = self.legacy_profile_names.iter().filter(|l| l.means == p.name).map(|l| l.name.as_str());
        let by_class = self.driver_variant_names.iter().filter_map(|v| v.get(p.class.as_deref()?).map(String::as_str));
        let mismatch = self.profile_name_mismatch.iter().filter(|m| m.device_plugin_reports == p.name);
        let names: Vec<&str> = legacy.chain(by_class).chain(mismatch.map(|m| m.dcgm_reports.as_str())).collect();
        names.into_iter().map(|text| at.name(text)).collect()
    }

    fn compute_instances(&self, model: &Model, at: &mut Problems<'_>) -> Vec<ComputeInstanceProfile> {
        let mut found = Vec::new();
        for ci in &self.compute_instance_profiles {
            let name = at.name(&ci.gi_profile);
            match model.profile(&name) {
                Some(gpu_instance) => found.push(ComputeInstanceProfile {
                    gpu_instance,
                    compute_slices: ci.compute_slices,
                    max_per_instance: ci.max_per_gi,
                }),
                None => at.add(format!(
                    "compute_instance_profiles names {}, which is no profile of the model",
                    ci.gi_profile
                )),
            }
        }
        found
    }

    fn disputed(&self, model: &Model, at: &mut Problems<'_>) -> Vec<Disputed> {
        let mut found = Vec::new();
        for disputed in &self.disputed {
            let by_class = |class: &str| model.profile_ids().find(|(_, p)| p.class == class).map(|(id, _)| id);
            let counts: Option<Counts> =
                disputed.layout.iter().map(|(class, n)| Some((by_class(class)?, *n))).collect();
            match counts {
                Some(counts) => found.push(Disputed {
                    counts,
                    evidence: disputed.counter_evidence.clone(),
                    source: disputed.source.clone(),
                }),
                None => at.add("disputed names a class the model does not have".to_owned()),
            }
        }
        found
    }
}

impl FileLabel {
    fn sourced(&self) -> Sourced<String> {
        Sourced { value: self.value.clone(), confidence: self.confidence, source: self.source.clone() }
    }
}

impl FilePci {
    fn filter(&self) -> String {
        self.mig_parted_filter.clone().unwrap_or_else(|| format!("{}10DE", self.device_id))
    }

    fn device(&self) -> PciDevice {
        PciDevice {
            device_id: self.device_id.clone(),
            filter: self.filter(),
            board: self.board.clone(),
            source: self.source.clone(),
        }
    }
}

impl FileEngines {
    fn all_known(&self) -> bool {
        [self.decoders, self.encoders, self.jpeg, self.ofa].iter().all(Option::is_some)
    }

    fn held(&self) -> Engines {
        self.or(0)
    }

    fn budget(&self) -> Engines {
        self.or(u16::MAX)
    }

    fn or(&self, default: u16) -> Engines {
        Engines {
            decoders: self.decoders.unwrap_or(default),
            encoders: self.encoders.unwrap_or(default),
            jpeg: self.jpeg.unwrap_or(default),
            ofa: self.ofa.unwrap_or(default),
        }
    }
}

impl FileFacets {
    /// The normals in the order of the profiles, if they cover each profile's class.
    fn for_profiles(&self, profiles: &[Profile]) -> Option<Vec<Vec<u8>>> {
        let columns: Option<Vec<usize>> =
            profiles.iter().map(|p| self.classes.iter().position(|class| *class == p.class)).collect();
        let columns = columns?;
        self.normals.iter().map(|row| columns.iter().map(|&c| row.get(c).copied()).collect()).collect()
    }
}
