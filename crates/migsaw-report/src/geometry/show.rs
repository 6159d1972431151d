//! Everything about one board.

use std::collections::{BTreeMap, BTreeSet};

use migsaw::geometry::{Engines, Model, Profile, Sourced};
use serde::Serialize;

use super::{API_VERSION, confidence, counts, numbers};
use crate::clean::clean;
use crate::number::grouped;
use crate::page::Page;
use crate::style::{Style, Tone};
use crate::table::Table;

/// A board.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelDocument {
    /// [`API_VERSION`].
    pub api_version: &'static str,
    /// `Model`.
    pub kind: &'static str,
    /// The catalogue's name.
    pub id: String,
    /// Other names.
    pub aliases: Vec<String>,
    /// Architecture.
    pub architecture: String,
    /// Boards of one family share starts.
    pub family: String,
    /// Memory in GB, as the board's name says.
    pub memory_gb: Option<u32>,
    /// Compute slices of the whole GPU.
    pub compute_slices: u8,
    /// Memory slices of the whole GPU.
    pub memory_slices: u8,
    /// Placement units of the whole GPU.
    pub units: u8,
    /// Media engines of the whole GPU; `None` if they never bind.
    pub engine_budget: Option<Engines>,
    /// The profiles.
    pub profiles: Vec<ProfileDocument>,
    /// Compute-instance forms, `1c.3g.40gb`, and how many fit in one GPU instance.
    pub compute_instances: BTreeMap<String, u8>,
    /// Values of `nvidia.com/gpu.product`.
    pub product_labels: Vec<Fact<String>>,
    /// PCI devices.
    pub pci_devices: Vec<migsaw::geometry::PciDevice>,
    /// Layouts about which sources disagree.
    pub disputed: Vec<DisputedDocument>,
    /// Remarks.
    pub notes: Vec<String>,
}

/// A profile.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProfileDocument {
    /// The name with the current driver.
    pub name: String,
    /// Names with other driver releases or tools.
    pub aliases: Vec<String>,
    /// The Kubernetes resource under strategy mixed.
    pub resource: String,
    /// The number `nvidia-smi mig -lgip` shows.
    pub driver_id: Option<u16>,
    /// Compute slices.
    pub compute_slices: u8,
    /// Memory slices.
    pub memory_slices: u8,
    /// Placement units.
    pub size: u8,
    /// Legal starts.
    pub starts: Fact<Vec<u8>>,
    /// The order in which the driver tries the starts.
    pub driver_starts: Fact<Vec<u8>>,
    /// Most instances on one GPU.
    pub max_instances: u8,
    /// Usable memory in MiB.
    pub memory_mib: Fact<Option<u32>>,
    /// Streaming multiprocessors.
    pub sm_count: Fact<Option<u16>>,
    /// Media engines it holds.
    pub engines: Fact<Engines>,
    /// How well name, size and maximum are known.
    pub confidence: &'static str,
    /// What supports them.
    pub source: Vec<String>,
    /// A remark.
    pub note: Option<String>,
}

/// A value with what supports it.
#[derive(Debug, Clone, Serialize)]
pub struct Fact<T> {
    /// The value.
    pub value: T,
    /// `source`, `derived` or `unsourced`.
    pub confidence: &'static str,
    /// Keys of the catalogue's sources.
    pub source: Vec<String>,
}

/// A layout that may not be creatable.
#[derive(Debug, Clone, Serialize)]
pub struct DisputedDocument {
    /// The instances by profile.
    pub counts: BTreeMap<String, u8>,
    /// What speaks against it.
    pub evidence: String,
    /// Where that was read.
    pub source: String,
}

fn fact<T: Clone>(sourced: &Sourced<T>) -> Fact<T> {
    Fact { value: sourced.value.clone(), confidence: confidence(sourced.confidence), source: sourced.source.clone() }
}

/// The board as a document.
pub fn document(model: &Model) -> ModelDocument {
    let compute_instances = model
        .compute_instances
        .iter()
        .map(|ci| (format!("{}c.{}", ci.compute_slices, model.get(ci.gpu_instance).name), ci.max_per_instance));
    let disputed = |d: &migsaw::geometry::Disputed| DisputedDocument {
        counts: counts(model, &d.counts),
        evidence: d.evidence.clone(),
        source: d.source.clone(),
    };
    ModelDocument {
        api_version: API_VERSION,
        kind: "Model",
        id: model.id.clone(),
        aliases: model.aliases.clone(),
        architecture: model.architecture.clone(),
        family: model.family.clone(),
        memory_gb: model.memory_gb,
        compute_slices: model.compute_slices,
        memory_slices: model.memory_slices,
        units: model.units,
        engine_budget: (model.engine_budget != Engines::UNLIMITED).then_some(model.engine_budget),
        profiles: model.profiles.iter().map(profile).collect(),
        compute_instances: compute_instances.collect(),
        product_labels: model.product_labels.iter().map(fact).collect(),
        pci_devices: model.pci_devices.clone(),
        disputed: model.disputed.iter().map(disputed).collect(),
        notes: model.notes.clone(),
    }
}

fn profile(p: &Profile) -> ProfileDocument {
    let starts = &p.starts_confidence;
    ProfileDocument {
        name: p.name.to_string(),
        aliases: p.aliases.iter().map(ToString::to_string).collect(),
        resource: p.name.resource(),
        driver_id: p.driver_id,
        compute_slices: p.compute_slices,
        memory_slices: p.memory_slices,
        size: p.size,
        starts: Fact {
            value: p.starts.clone(),
            confidence: confidence(starts.confidence),
            source: starts.source.clone(),
        },
        driver_starts: fact(&p.driver_starts),
        max_instances: p.max_instances,
        memory_mib: fact(&p.memory_mib),
        sm_count: fact(&p.sm_count),
        engines: Fact { value: p.engines, confidence: confidence(p.engines_confidence), source: p.source.clone() },
        confidence: confidence(p.confidence),
        source: p.source.clone(),
        note: p.note.clone(),
    }
}

/// The board as text. Values marked `~` are derived, those marked `?` nobody publishes.
pub fn text(model: &Model, style: Style) -> String {
    let memory = model.memory_gb.map_or(String::new(), |gb| format!(", {gb} GB"));
    let title = format!("{} ({}{memory})", clean(&model.id), clean(&model.architecture));
    let mut page = Page::titled(&title, style);
    page.line(format!(
        "{} compute slices, {} memory slices, {} placement units",
        model.compute_slices, model.memory_slices, model.units
    ));
    if !model.aliases.is_empty() {
        page.line(format!("also called {}", clean(&model.aliases.join(", "))));
    }
    if model.engine_budget != Engines::UNLIMITED {
        page.line(format!("media engines: {}", engines(model.engine_budget)));
    }
    page.line("");
    page.push(&profiles(model, style));
    page.line(style.paint(Tone::Faint, "~ derived from a sibling or computed  ? not published"));
    for (title, items) in lists(model) {
        if items.is_empty() {
            continue;
        }
        page.line("");
        page.line(style.paint(Tone::Strong, title));
        for item in items {
            page.wrapped(&item, 2, 4);
        }
    }
    page.finish()
}

/// What is said about a board besides its profiles.
fn lists(model: &Model) -> [(&'static str, Vec<String>); 7] {
    let joined =
        |names: &[migsaw::geometry::ProfileName]| names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let renamed = model.profiles.iter().filter(|p| !p.aliases.is_empty());
    let compute = model.compute_instances.iter();
    let compute = compute.map(|ci| format!("{}c.{}", ci.compute_slices, model.get(ci.gpu_instance).name));
    let compute = compute.collect::<Vec<_>>().join(", ");
    let labels = model.product_labels.iter().map(|l| format!("{}{}", clean(&l.value), mark(l)));
    let devices = model.pci_devices.iter().map(|d| format!("{} {}", clean(&d.filter), clean(&d.board)));
    let disputed = model.disputed.iter();
    let disputed =
        disputed.map(|d| format!("{}: {} ({})", d.counts.display(model), clean(&d.evidence), clean(&d.source)));
    let notes = model.profiles.iter().filter_map(|p| Some(format!("{}: {}", p.name, clean(p.note.as_ref()?))));
    let notes = notes.chain(model.notes.iter().map(|note| clean(note).into_owned()));
    let sources: BTreeSet<&String> =
        model.profiles.iter().flat_map(|p| p.source.iter().chain(&p.starts_confidence.source)).collect();
    let sources = sources.into_iter().map(|source| clean(source)).collect::<Vec<_>>().join(", ");
    let one = |text: String| if text.is_empty() { Vec::new() } else { vec![text] };
    [
        ("Product labels", labels.collect()),
        ("PCI devices", devices.collect()),
        ("Names with other drivers", renamed.map(|p| format!("{}: {}", p.name, joined(&p.aliases))).collect()),
        ("Compute instances", one(compute)),
        ("Disputed layouts", disputed.collect()),
        ("Notes", notes.collect()),
        ("Sources", one(sources)),
    ]
}

fn profiles(model: &Model, style: Style) -> String {
    let engines_matter = model.profiles.iter().any(|p| p.engines != Engines::default());
    let mut columns = vec!["Profile", ">id", ">compute", ">units", "starts", ">max", ">MiB", ">SMs"];
    columns.extend(engines_matter.then_some("engines"));
    let mut table = Table::new(&columns);
    for p in &model.profiles {
        let unknown = || style.paint(Tone::Faint, "?");
        let mut row = vec![
            format!("{}{}", p.name, sign(p.confidence)),
            p.driver_id.map_or_else(unknown, |id| id.to_string()),
            p.compute_slices.to_string(),
            p.size.to_string(),
            format!("{}{}", numbers(&p.starts), sign(p.starts_confidence.confidence)),
            p.max_instances.to_string(),
            p.memory_mib
                .value
                .map_or_else(unknown, |mib| format!("{}{}", grouped(u64::from(mib)), mark(&p.memory_mib))),
            p.sm_count.value.map_or_else(unknown, |sms| format!("{sms}{}", mark(&p.sm_count))),
        ];
        if engines_matter {
            row.push(format!("{}{}", engines(p.engines), sign(p.engines_confidence)));
        }
        table.row(row);
    }
    table.print(style)
}

fn mark<T>(fact: &Sourced<T>) -> &'static str {
    sign(fact.confidence)
}

fn sign(confidence: migsaw::geometry::Confidence) -> &'static str {
    match confidence {
        migsaw::geometry::Confidence::Source => "",
        migsaw::geometry::Confidence::Derived => "~",
        migsaw::geometry::Confidence::Unsourced => "?",
    }
}

/// `1 dec, 2 enc`; `none`.
fn engines(engines: Engines) -> String {
    let kinds = [(engines.decoders, "dec"), (engines.encoders, "enc"), (engines.jpeg, "jpeg"), (engines.ofa, "ofa")];
    let held: Vec<String> =
        kinds.iter().filter(|(n, _)| *n > 0 && *n < u16::MAX).map(|(n, what)| format!("{n} {what}")).collect();
    if held.is_empty() { "none".to_owned() } else { held.join(", ") }
}
