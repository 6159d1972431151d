//! Whether the entries of a configuration file can be created.
//!
//! mig-parted's own check of a file looks at its form and at the names. Whether the instances fit on a
//! GPU shows only when MIG Manager applies them, on nodes that are drained by then.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use migsaw::geometry::{Catalog, Creation, DeviceProblem, Layout, Misfit, Model, ProfileName};

use super::config::{Config, Devices, Entry, Rule};

/// What was found out about a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Every entry, in the file's order.
    pub entries: Vec<EntryReport>,
}

/// What was found out about one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryReport {
    /// The entry's name.
    pub name: String,
    /// Its line, from 1; 0 if it was not read from a file.
    pub line: u64,
    /// The models it was judged on, by id.
    pub models: Vec<String>,
    /// Whether nothing says which models it is for, so that all were taken that have its profiles.
    pub models_assumed: bool,
    /// What is wrong or doubtful.
    pub findings: Vec<Finding>,
}

/// Something wrong or doubtful.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The line of the rule, from 1; 0 if it was not read from a file.
    pub line: u64,
    /// The model it shows on, by id; `None` if on any.
    pub model: Option<String>,
    /// What it is.
    pub kind: FindingKind,
}

/// What is wrong or doubtful about a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FindingKind {
    /// The model does not have what is asked for.
    Device(DeviceProblem),
    /// The instances do not fit on one GPU.
    DoesNotFit(Misfit),
    /// They fit, but no order of creation makes the driver place them so.
    NoOrder {
        /// The proof, a sentence.
        proof: String,
    },
    /// No model of the catalogue has all the profiles.
    NoModel {
        /// The profiles.
        profiles: Vec<ProfileName>,
    },
    /// Sources disagree whether it can be created.
    Disputed {
        /// What speaks against it.
        evidence: String,
    },
    /// No known model has that PCI id, so the rule was not judged for it.
    UnknownDevice {
        /// The filter.
        filter: String,
    },
    /// The geometry of the model with that PCI id is not known.
    ModelWithoutGeometry {
        /// The filter.
        filter: String,
        /// What is missing.
        reason: String,
    },
    /// The filter is malformed and matches nothing.
    MalformedFilter {
        /// The filter.
        filter: String,
    },
    /// Later rules override this one, but mig-parted applies it first, and it cannot be created.
    Overridden {
        /// What is wrong with it.
        reason: String,
    },
    /// A count of zero, which keeps mig-parted from ever seeing the configuration as applied.
    ZeroCount {
        /// The profile.
        profile: ProfileName,
    },
}

impl Report {
    /// Whether every entry can be created wherever it applies, as far as is known.
    pub fn is_valid(&self) -> bool {
        self.entries.iter().all(EntryReport::is_valid)
    }
}

impl EntryReport {
    /// Whether it can be created wherever it applies, as far as is known.
    pub fn is_valid(&self) -> bool {
        !self.findings.iter().any(|finding| finding.kind.is_error())
    }
}

impl FindingKind {
    /// Whether the entry is wrong, and not just doubtful.
    pub fn is_error(&self) -> bool {
        matches!(
            self,
            FindingKind::Device(_)
                | FindingKind::DoesNotFit(_)
                | FindingKind::NoOrder { .. }
                | FindingKind::NoModel { .. }
        )
    }

    /// A stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            FindingKind::Device(problem) => problem.code(),
            FindingKind::DoesNotFit(misfit) => misfit.code(),
            FindingKind::NoOrder { .. } => "no-creation-order",
            FindingKind::NoModel { .. } => "no-such-model",
            FindingKind::Disputed { .. } => "disputed",
            FindingKind::UnknownDevice { .. } => "unknown-device",
            FindingKind::ModelWithoutGeometry { .. } => "model-without-geometry",
            FindingKind::MalformedFilter { .. } => "malformed-filter",
            FindingKind::Overridden { .. } => "overridden-rule",
            FindingKind::ZeroCount { .. } => "zero-count",
        }
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FindingKind::Device(problem) => problem.fmt(f),
            FindingKind::DoesNotFit(misfit) => misfit.fmt(f),
            FindingKind::NoOrder { proof } => write!(f, "it fits, but cannot be created: {proof}"),
            FindingKind::NoModel { profiles } => {
                let names: Vec<String> = profiles.iter().map(ToString::to_string).collect();
                write!(f, "no known model has {}", and(&names))
            }
            FindingKind::Disputed { evidence } => write!(f, "sources disagree whether this can be created: {evidence}"),
            FindingKind::UnknownDevice { filter } => {
                write!(f, "no known model has the PCI id {filter}: not judged there")
            }
            FindingKind::ModelWithoutGeometry { filter, reason } => {
                write!(f, "not judged for the PCI id {filter}: {reason}")
            }
            FindingKind::MalformedFilter { filter } => {
                write!(f, "the device filter `{filter}` is malformed and matches no GPU (expected like 0x233010DE)")
            }
            FindingKind::Overridden { reason } => {
                write!(f, "later rules override this one, but mig-parted applies it first and fails: {reason}")
            }
            FindingKind::ZeroCount { profile } => {
                write!(
                    f,
                    "the count of {profile} is 0, so mig-parted never sees the configuration as applied (leave it out)"
                )
            }
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(model) = &self.model {
            write!(f, "on {model}: ")?;
        }
        self.kind.fmt(f)
    }
}

/// Judges every entry on every model it applies to.
///
/// Rules with a device filter apply to the models with those PCI ids; rules without one to `models`,
/// or, if those are not given, to every model of the catalogue that has all the profiles they name.
/// If `models` is given, nothing is judged on others. An entry is judged by what holds in the end for
/// each GPU of a node, where later rules win.
///
/// ```
/// use migsaw::geometry::Catalog;
/// use migsaw_kube::mig_parted::{Config, validate};
/// let read = |devices: &str| Config::read(format!(
///     "version: v1\nmig-configs: {{mine: [{{devices: all, mig-enabled: true, mig-devices: {devices}}}]}}").as_bytes());
/// let catalog = Catalog::builtin();
/// assert!(validate(&read("{3g.40gb: 1, 4g.40gb: 1}")?, &catalog, None).is_valid());
/// let report = validate(&read("{3g.40gb: 2, 1g.10gb: 1}")?, &catalog, Some(&[catalog.model("H100-80GB")?]));
/// assert_eq!(
///     report.entries[0].findings[0].to_string(),
///     "on H100-80GB: 9 placement units of memory are needed, 8 of 8 are free",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn validate(config: &Config, catalog: &Catalog, models: Option<&[Arc<Model>]>) -> Report {
    Report { entries: config.entries.iter().map(|entry| judge(entry, catalog, models)).collect() }
}

fn judge(entry: &Entry, catalog: &Catalog, asked: Option<&[Arc<Model>]>) -> EntryReport {
    let mut findings = Vec::new();
    for rule in &entry.rules {
        findings.extend(remarks(rule, catalog).into_iter().map(|kind| Finding { line: rule.line, model: None, kind }));
    }
    let (models, models_assumed) = match asked {
        Some(asked) => (asked.iter().filter(|model| applies(entry, model)).cloned().collect(), false),
        None => of_catalog(entry, catalog, &mut findings),
    };
    let mut seen: BTreeSet<(usize, String)> = BTreeSet::new();
    for model in &models {
        for (rule, effective) in rules_on(entry, model) {
            let judged = &entry.rules[rule];
            for kind in creatable(judged, model) {
                let kind = if effective || !kind.is_error() {
                    kind
                } else {
                    FindingKind::Overridden { reason: kind.to_string() }
                };
                if seen.insert((rule, format!("{}: {kind}", model.id))) {
                    findings.push(Finding { line: judged.line, model: Some(model.id.clone()), kind });
                }
            }
        }
    }
    findings.sort_by_key(|finding| !finding.kind.is_error());
    EntryReport {
        name: entry.name.clone(),
        line: entry.line,
        models: models.iter().map(|model| model.id.clone()).collect(),
        models_assumed,
        findings,
    }
}

/// The models an entry is for if nobody says so: those its filters name, and those that have what its
/// other rules name. Also whether there are such other rules.
fn of_catalog(entry: &Entry, catalog: &Catalog, findings: &mut Vec<Finding>) -> (Vec<Arc<Model>>, bool) {
    let unfiltered = || entry.rules.iter().filter(|rule| rule.device_filter.is_empty());
    let profiles: BTreeSet<&ProfileName> = unfiltered().flat_map(names).collect();
    let assumed = !profiles.is_empty();
    let has_all = |model: &Model| profiles.iter().all(|name| model.profile(&name.gpu_instance()).is_some());
    if assumed && !catalog.models().any(|model| has_all(model)) {
        let line = unfiltered().find(|rule| !rule.mig_devices.is_empty()).map_or(entry.line, |rule| rule.line);
        let profiles = profiles.into_iter().cloned().collect();
        findings.push(Finding { line, model: None, kind: FindingKind::NoModel { profiles } });
        return (Vec::new(), assumed);
    }
    let filtered = |model: &Model| entry.rules.iter().any(|rule| !rule.device_filter.is_empty() && rule.admits(model));
    let chosen = catalog.models().filter(|model| filtered(model) || (assumed && has_all(model)));
    (chosen.cloned().collect(), assumed)
}

fn applies(entry: &Entry, model: &Model) -> bool {
    entry.rules.iter().any(|rule| rule.admits(model))
}

fn names(rule: &Rule) -> impl Iterator<Item = &ProfileName> {
    rule.mig_devices.iter().filter(|&(_, &n)| n > 0).map(|(name, _)| name)
}

/// What can be said about a rule whatever the model.
fn remarks(rule: &Rule, catalog: &Catalog) -> Vec<FindingKind> {
    let mut found = Vec::new();
    for filter in &rule.device_filter {
        let text = || filter.0.chars().take(80).collect::<String>();
        if !filter.is_well_formed() {
            found.push(FindingKind::MalformedFilter { filter: text() });
            continue;
        }
        match catalog.by_device_filter(filter.device()) {
            None => found.push(FindingKind::UnknownDevice { filter: text() }),
            Some(Err(error)) => {
                found.push(FindingKind::ModelWithoutGeometry { filter: text(), reason: error.to_string() });
            }
            Some(Ok(_)) => {}
        }
    }
    let zero = rule.mig_devices.iter().filter(|&(_, &n)| n == 0);
    found.extend(zero.map(|(profile, _)| FindingKind::ZeroCount { profile: profile.clone() }));
    found
}

/// The rules that are about GPUs of this model, by index, with whether they hold in the end on any.
///
/// A filter may let only some boards of a model through, so boards are told apart by their PCI ids.
fn rules_on(entry: &Entry, model: &Model) -> BTreeMap<usize, bool> {
    let boards: BTreeSet<Vec<usize>> = if model.pci_devices.is_empty() {
        BTreeSet::from([entry
            .rules
            .iter()
            .enumerate()
            .filter(|(_, r)| r.device_filter.is_empty())
            .map(|(i, _)| i)
            .collect()])
    } else {
        let of_board = |device: &str| {
            let admitted = entry.rules.iter().enumerate().filter(|(_, rule)| rule.admits_device(device));
            admitted.map(|(i, _)| i).collect()
        };
        model.pci_devices.iter().map(|device| of_board(&device.filter)).collect()
    };
    let mut found = BTreeMap::new();
    for rules in boards {
        // Every index that is mentioned, and one that is not.
        let mut indices: BTreeSet<u32> = BTreeSet::new();
        for &i in &rules {
            if let Devices::Indices(of_rule) = &entry.rules[i].devices {
                indices.extend(of_rule);
            }
        }
        indices.extend((0..=u32::MAX).find(|index| !indices.contains(index)));
        for &i in &rules {
            found.entry(i).or_insert(false);
        }
        for index in indices {
            let last = rules.iter().rev().find(|&&i| entry.rules[i].devices.contains(index));
            if let Some(&last) = last {
                found.insert(last, true);
            }
        }
    }
    found
}

/// What keeps a rule from being created on a GPU of this model, or makes it doubtful.
fn creatable(rule: &Rule, model: &Model) -> Vec<FindingKind> {
    let counts = match model.resolve_devices(&rule.mig_devices) {
        Ok(devices) => devices.counts,
        Err(error) => return error.problems.into_iter().map(FindingKind::Device).collect(),
    };
    if let Some(misfit) = model.why_not(&counts, &Layout::empty()) {
        return vec![FindingKind::DoesNotFit(misfit)];
    }
    if let Ok(Creation::Impossible(proof)) = model.creation_order(&counts) {
        return vec![FindingKind::NoOrder { proof: proof.display(model).to_string() }];
    }
    let disputed = model.disputed.iter().filter(|disputed| disputed.counts.is_within(&counts));
    disputed.map(|disputed| FindingKind::Disputed { evidence: disputed.evidence.clone() }).collect()
}

fn and(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
