//! Everything about one board.

use std::collections::{BTreeMap, BTreeSet};

use migsaw::geometry::{
    ComputeInstanceProfile, Model, NamedBy, OtherName, Profile, ProfileId, PublishedEngines, Sourced,
};
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
    /// Media engines of the whole GPU, each `null` if it never binds; `null` if none ever does.
    pub engine_budget: Option<Fact<PublishedEngines>>,
    /// The profiles.
    pub profiles: Vec<ProfileDocument>,
    /// Compute-instance forms, `1c.3g.40gb`, and how many fit in one GPU instance; the form that fills its
    /// GPU instance has that one's name, `3g.40gb`.
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
    /// Names with other driver releases and in tools.
    pub other_names: Vec<OtherNameDocument>,
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
    /// Engines it holds, each `null` if nobody publishes it.
    pub engines: Fact<PublishedEngines>,
    /// How well name, size and maximum are known.
    pub confidence: &'static str,
    /// What supports them.
    pub source: Vec<String>,
    /// A remark.
    pub note: Option<String>,
}

/// A profile's name with another driver release or in a tool.
#[derive(Debug, Clone, Serialize)]
pub struct OtherNameDocument {
    /// The name.
    pub name: String,
    /// The driver release, `earlier` if it is not known which.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// The tool. Neither a driver nor mig-parted knows the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<String>,
    /// `source`, `derived` or `unsourced`.
    pub confidence: &'static str,
    /// Keys of the catalogue's sources.
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
    let compute_instances = model.compute_instances.iter().map(|ci| (form(model, ci), ci.max_per_instance));
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
        engine_budget: model.published_engine_budget.as_ref().map(fact),
        profiles: model.profile_ids().map(|(id, p)| profile(model, id, p)).collect(),
        compute_instances: compute_instances.collect(),
        product_labels: model.product_labels.iter().map(fact).collect(),
        pci_devices: model.pci_devices.clone(),
        disputed: model.disputed.iter().map(disputed).collect(),
        notes: model.notes.clone(),
    }
}

/// A compute instance's name with the driver.
fn form(model: &Model, ci: &ComputeInstanceProfile) -> String {
    let whole = model.get(ci.gpu_instance);
    if ci.compute_slices == whole.compute_slices {
        whole.name.to_string()
    } else {
        format!("{}c.{}", ci.compute_slices, whole.name)
    }
}

fn other_name(other: &OtherName) -> OtherNameDocument {
    let (driver, tool) = match &other.by {
        NamedBy::Driver(release) => (Some(release.clone()), None),
        NamedBy::Tool(tool) => (None, Some(tool.clone())),
    };
    OtherNameDocument {
        name: other.name.to_string(),
        driver,
        tool,
        confidence: confidence(other.confidence),
        source: other.source.clone(),
        note: other.note.clone(),
    }
}

fn profile(model: &Model, id: ProfileId, p: &Profile) -> ProfileDocument {
    let starts = &p.starts_confidence;
    ProfileDocument {
        name: p.name.to_string(),
        other_names: model.other_names.iter().filter(|other| other.profile == id).map(other_name).collect(),
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
        engines: fact(&p.published_engines),
        confidence: confidence(p.confidence),
        source: p.source.clone(),
        note: p.note.clone(),
    }
}

/// The board as text. Values marked `~` are derived, those marked `?` nobody publishes.
pub fn text(model: &Model, style: Style) -> String {
    let memory = model.memory_gb.map_or(String::new(), |gb| format!(", {gb} GB"));
    let about = format!("{}{memory}", clean(&model.architecture));
    let about = about.trim_start_matches(", ");
    let title =
        if about.is_empty() { clean(&model.id).into_owned() } else { format!("{} ({about})", clean(&model.id)) };
    let mut page = Page::titled(&title, style);
    page.line(format!(
        "{} compute slices, {} memory slices, {} placement units",
        model.compute_slices, model.memory_slices, model.units
    ));
    if !model.aliases.is_empty() {
        page.line(format!("also called {}", clean(&model.aliases.join(", "))));
    }
    if let Some(budget) = &model.published_engine_budget {
        let known = media(&budget.value).into_iter().filter_map(|(n, what)| Some(format!("{} {what}", n?)));
        let source = if budget.source.is_empty() { String::new() } else { format!(" ({})", budget.source.join(", ")) };
        let line = format!("media engines: {}{}{source}", known.collect::<Vec<_>>().join(", "), mark(budget));
        page.wrapped(&clean(&line), 0, 2);
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
    let renamed = model.other_names.iter().map(|other| {
        let by = match &other.by {
            NamedBy::Driver(release) => format!("driver: {release}"),
            NamedBy::Tool(tool) => format!("in {tool} only"),
        };
        let about = std::iter::once(&by).chain(&other.source).chain(&other.note);
        let about = about.map(String::as_str).collect::<Vec<_>>().join("; ");
        let name = format!("{}{}", other.name, sign(other.confidence));
        format!("{}: {name} ({})", model.get(other.profile).name, clean(&about))
    });
    let divided = model.compute_instances.iter();
    let divided = divided.filter(|ci| ci.compute_slices < model.get(ci.gpu_instance).compute_slices);
    let compute = divided.map(|ci| form(model, ci)).collect::<Vec<_>>().join(", ");
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
        ("Names with other drivers and tools", renamed.collect()),
        ("Compute instances", one(compute)),
        ("Disputed layouts", disputed.collect()),
        ("Notes", notes.collect()),
        ("Sources", one(sources)),
    ]
}

fn profiles(model: &Model, style: Style) -> String {
    let columns = ["Profile", ">id", ">compute", ">units", "starts", ">max", ">MiB", ">SMs", ">copy", "media engines"];
    let mut table = Table::new(&columns);
    for p in &model.profiles {
        let unknown = || style.paint(Tone::Faint, "?");
        table.row(vec![
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
            p.published_engines.value.copy_engines.map_or_else(unknown, |n| n.to_string()),
            engines(&p.published_engines),
        ]);
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

/// `1 dec, 2 enc`; `none`; `? dec, 1 ofa` where only some are published.
fn engines(held: &Sourced<PublishedEngines>) -> String {
    let kinds = media(&held.value);
    if kinds.iter().all(|(n, _)| n.is_none()) {
        return "?".to_owned();
    }
    let shown = kinds.into_iter().filter(|(n, _)| *n != Some(0));
    let shown = shown.map(|(n, what)| format!("{} {what}", n.map_or("?".to_owned(), |n| n.to_string())));
    let shown = shown.collect::<Vec<_>>().join(", ");
    format!("{}{}", if shown.is_empty() { "none" } else { &shown }, mark(held))
}

fn media(engines: &PublishedEngines) -> [(Option<u16>, &'static str); 4] {
    [(engines.decoders, "dec"), (engines.encoders, "enc"), (engines.jpeg, "jpeg"), (engines.ofa, "ofa")]
}
