//! From a geometry file's model to a checked [`Model`].

use std::collections::BTreeSet;

use super::{FileEngines, FileFacets, FileLabel, FileModel, FilePci, FileProfile, FileVariantNames, GeometryProblem};
use crate::geometry::layout::Counts;
use crate::geometry::model::{
    ComputeInstanceProfile, Confidence, Disputed, Engines, MAX_PROFILES, MAX_UNITS, Model, NamedBy, OtherName,
    PciDevice, Profile, ProfileId, PublishedEngines, Sourced,
};
use crate::geometry::name::{InvalidProfileName, ProfileName};

/// A model known by name only.
pub(in crate::geometry) struct RefusedModel {
    pub(in crate::geometry) aliases: Vec<String>,
    pub(in crate::geometry) labels: Vec<String>,
    pub(in crate::geometry) filters: Vec<String>,
    pub(in crate::geometry) reason: String,
}

/// Far above every board there is (2,318); enumeration of more would take seconds.
const MOST_LAYOUTS: usize = 1_000_000;

pub(in crate::geometry) type Built = Result<Model, RefusedModel>;

/// Collects what is wrong with one model.
pub(super) struct Problems<'a> {
    at: &'a str,
    all: &'a mut Vec<GeometryProblem>,
    /// How many there are with this model.
    found: usize,
}

impl<'a> Problems<'a> {
    pub(super) fn of(at: &'a str, all: &'a mut Vec<GeometryProblem>) -> Problems<'a> {
        Problems { at, all, found: 0 }
    }

    fn add(&mut self, what: String) {
        self.found += 1;
        self.all.push(GeometryProblem::Model { at: self.at.to_owned(), what });
    }

    pub(super) fn check(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.add(what());
        }
    }

    fn name(&mut self, text: &str) -> ProfileName {
        text.parse().unwrap_or_else(|error: InvalidProfileName| {
            self.add(error.to_string());
            "0g.0gb".parse().expect("a valid name")
        })
    }
}

impl FileModel {
    /// What must mean this model alone.
    pub(super) fn own_names(&self) -> impl Iterator<Item = (&'static str, String)> {
        let names = std::iter::once(&self.id).chain(&self.aliases).map(|name| ("name", name.clone()));
        let labels = self.gpu_product_labels.iter().map(|label| ("product label", label.value.clone()));
        names.chain(labels).chain(self.pci_devices.iter().map(|pci| ("PCI device", pci.filter())))
    }

    pub(super) fn refused(&self) -> RefusedModel {
        let without: Vec<&str> =
            self.profiles().iter().filter(|p| p.placements.is_none()).map(|p| p.name.as_str()).collect();
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

    pub(super) fn build(&self, facets: Option<&FileFacets>, at: &mut Problems<'_>) -> Model {
        let units = self.units();
        at.check((1..=MAX_UNITS).contains(&units), || format!("placement_units must lie in 1..={MAX_UNITS}"));
        at.check(!self.profiles().is_empty(), || "a model needs at least one profile".to_owned());
        at.check(self.profiles().len() <= MAX_PROFILES, || format!("a model may have at most {MAX_PROFILES} profiles"));
        let profiles: Vec<Profile> =
            self.profiles().iter().take(MAX_PROFILES).map(|p| Self::profile(p, units, at)).collect();
        for (i, profile) in profiles.iter().enumerate() {
            let earlier = profiles[..i].iter().any(|p| p.name == profile.name);
            at.check(!earlier, || format!("profile {} is there twice", profile.name));
        }
        let largest = |f: &dyn Fn(&Profile) -> u8| profiles.iter().map(f).max().unwrap_or(0);
        let budget = self.engine_budget.as_ref().map(|budget| Sourced {
            value: budget.values.published(),
            confidence: budget.confidence,
            source: budget.source.clone(),
        });
        let mut model = Model {
            id: self.id.clone(),
            aliases: self.aliases.clone(),
            architecture: self.architecture.clone(),
            family: self.layout.clone(),
            compute_slices: self.compute_slices.unwrap_or_else(|| largest(&|p| p.compute_slices)),
            memory_slices: self.memory_slices.unwrap_or_else(|| largest(&|p| p.memory_slices)),
            units,
            memory_gb: self.memory_total_gb,
            other_names: Vec::new(),
            engine_budget: budget.as_ref().map_or(Engines::UNLIMITED, |budget| budget.value.or(u16::MAX)),
            published_engine_budget: budget,
            compute_instances: Vec::new(),
            product_labels: self.gpu_product_labels.iter().map(FileLabel::sourced).collect(),
            pci_devices: self.pci_devices.iter().map(FilePci::device).collect(),
            disputed: Vec::new(),
            notes: self.notes(),
            facets: None,
            profiles,
            idle: std::sync::OnceLock::new(),
        };
        model.facets = facets.and_then(|f| f.for_model(&model));
        model.compute_instances = self.compute_instances(&model, at);
        model.disputed = self.disputed(&model, at);
        self.name_otherwise(&mut model, at);
        check_names(&model, at);
        check_engines(&model, at);
        if at.found == 0 {
            at.check(!model.has_more_layouts_than(MOST_LAYOUTS), || {
                format!("the model has more than {MOST_LAYOUTS} layouts, which is more than migsaw plans with")
            });
        }
        if at.found == 0 {
            self.check_compute_slices(&model, at);
        }
        model
    }

    fn units(&self) -> u8 {
        let ends =
            self.profiles().iter().flat_map(|p| p.placements.iter().flatten().map(|q| q.start.saturating_add(q.size)));
        self.placement_units.unwrap_or_else(|| ends.max().unwrap_or(0))
    }

    fn profile(p: &FileProfile, units: u8, at: &mut Problems<'_>) -> Profile {
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
        let engines = p.engines.as_ref().map(FileEngines::published).unwrap_or_default();
        let engines_known = engines != PublishedEngines::default();
        Profile {
            aliases: Vec::new(),
            class: p.class.clone().unwrap_or_else(|| p.name.clone()),
            driver_id: p.profile_id,
            compute_slices: p.compute_slices.unwrap_or(name.slices()),
            memory_slices: p.memory_slices.unwrap_or(size),
            size,
            driver_starts: Sourced {
                value: order,
                confidence: confidence.driver_start_order.unwrap_or(Confidence::Derived),
                source: confidence.driver_start_source.clone(),
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
            engines: engines.or(0),
            published_engines: Sourced {
                value: engines,
                confidence: confidence.engines.filter(|_| engines_known).unwrap_or(Confidence::Unsourced),
                source: p.source.clone(),
            },
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

    fn notes(&self) -> Vec<String> {
        let of_budget = self.engine_budget.iter().filter_map(|budget| budget.note.as_ref());
        self.notes.iter().cloned().chain(of_budget.map(|note| format!("media engines: {note}"))).collect()
    }

    /// Adds the names that other driver releases and tools have for the profiles.
    fn name_otherwise(&self, model: &mut Model, at: &mut Problems<'_>) {
        let mut add = |profile: ProfileId,
                       name: &str,
                       by: NamedBy,
                       confidence,
                       source: &Option<String>,
                       note: &Option<String>| {
            model.other_names.push(OtherName {
                profile,
                name: at.name(name),
                by,
                confidence,
                source: source.iter().cloned().collect(),
                note: note.clone(),
            });
        };
        let profiles: Vec<(ProfileId, &FileProfile)> = (0..).map(ProfileId).zip(self.profiles()).collect();
        for &(id, p) in profiles.iter().take(MAX_PROFILES) {
            for legacy in self.legacy_profile_names.iter().filter(|legacy| legacy.means == p.name) {
                let by = NamedBy::Driver(legacy.driver.clone());
                add(id, &legacy.name, by, Confidence::Source, &legacy.source, &None);
            }
            for mismatch in self.profile_name_mismatch.iter().filter(|m| m.device_plugin_reports == p.name) {
                let by = NamedBy::Tool("DCGM".to_owned());
                add(id, &mismatch.dcgm_reports, by, Confidence::Source, &mismatch.source, &None);
            }
            let class = p.class.as_deref().unwrap_or_default();
            for variant in &self.driver_variant_names {
                if let Some((name, confidence)) = variant.name_of(class) {
                    let by = NamedBy::Driver(variant.driver.clone());
                    add(id, &name, by, confidence, &variant.source, &variant.note);
                }
            }
        }
        for other in model.other_names.iter().filter(|other| matches!(other.by, NamedBy::Driver(_))) {
            model.profiles[other.profile.index()].aliases.push(other.name.clone());
        }
    }

    /// Declared compute slices must do for whatever the placements let on one GPU.
    fn check_compute_slices(&self, model: &Model, at: &mut Problems<'_>) {
        let Some(declared) = self.compute_slices else { return };
        let needed = |counts: &Counts| -> u32 {
            counts.iter().map(|(id, n)| u32::from(n) * u32::from(model.get(id).compute_slices)).sum()
        };
        let most = model.idle_capability().maximal().iter().max_by_key(|counts| needed(counts));
        if let Some(most) = most.filter(|most| needed(most) > u32::from(declared)) {
            at.add(format!(
                "compute_slices is {declared}, but by the placements {} fits, which has {}",
                most.display(model),
                needed(most)
            ));
        }
    }

    fn compute_instances(&self, model: &Model, at: &mut Problems<'_>) -> Vec<ComputeInstanceProfile> {
        let mut found = Vec::new();
        for ci in &self.compute_instance_profiles {
            let name = at.name(&ci.gi_profile);
            match model.profile(&name) {
                Some(gpu_instance) => {
                    let all = model.get(gpu_instance).compute_slices;
                    at.check((1..=all).contains(&ci.compute_slices) && ci.max_per_gi > 0, || {
                        format!(
                            "compute instances of {name} need 1..={all} compute slices and max_per_gi of at least 1"
                        )
                    });
                    found.push(ComputeInstanceProfile {
                        gpu_instance,
                        compute_slices: ci.compute_slices,
                        max_per_instance: ci.max_per_gi,
                    });
                }
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

/// Each name must mean one profile.
fn check_names(model: &Model, at: &mut Problems<'_>) {
    for (i, profile) in model.profiles.iter().enumerate() {
        at.check(profile.name.compute_instance().is_none(), || {
            format!(
                "{} is a compute instance; a profile is a GPU instance, like {}",
                profile.name,
                profile.name.gpu_instance()
            )
        });
        for name in std::iter::once(&profile.name).chain(&profile.aliases) {
            let other = model.profiles[..i].iter().find(|p| p.is_called(name));
            at.check(other.is_none(), || match other {
                Some(other) if other.name != *name => {
                    format!("{name} would mean both {} and {}", other.name, profile.name)
                }
                _ => format!("profile {name} is there twice"),
            });
        }
    }
}

/// No instance holds more engines than its GPU has.
fn check_engines(model: &Model, at: &mut Problems<'_>) {
    let budget = model.engine_budget;
    for p in &model.profiles {
        let kinds = [
            ("decoders", p.engines.decoders, budget.decoders),
            ("encoders", p.engines.encoders, budget.encoders),
            ("JPEG decoders", p.engines.jpeg, budget.jpeg),
            ("OFA units", p.engines.ofa, budget.ofa),
        ];
        for (kind, held, most) in kinds {
            at.check(held <= most, || format!("{} holds {held} {kind}, and engine_budget has {most}", p.name));
        }
    }
}

impl FileVariantNames {
    /// A class's name with this driver. `1g+me` has the memory of `1g` and so its number.
    fn name_of(&self, class: &str) -> Option<(String, Confidence)> {
        if let Some(name) = self.names.get(class) {
            return Some((name.clone(), Confidence::Source));
        }
        let attributes = class.find(['+', '-'])?;
        let name = self.names.get(&class[..attributes])?;
        Some((format!("{name}{}", &class[attributes..]), Confidence::Derived))
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

impl FileFacets {
    /// The normals in the order of the model's profiles, if they were found for just such profiles: on a
    /// board that differs in a start or a maximum they would prove wrong bounds.
    fn for_model(&self, model: &Model) -> Option<Vec<Vec<u8>>> {
        if model.units != self.placement_units || model.engine_budget != Engines::UNLIMITED {
            return None;
        }
        let columns: Vec<usize> = model.profiles.iter().map(|p| self.column(p)).collect::<Option<_>>()?;
        let distinct: BTreeSet<&usize> = columns.iter().collect();
        if distinct.len() < columns.len() {
            return None;
        }
        self.normals.iter().map(|row| columns.iter().map(|&c| row.get(c).copied()).collect()).collect()
    }

    fn column(&self, profile: &Profile) -> Option<usize> {
        self.profiles.iter().position(|column| {
            column.class == profile.class
                && column.size_units == profile.size
                && column.starts == profile.starts
                && column.max_instances == profile.max_instances
        })
    }
}
