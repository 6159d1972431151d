//! Whether the entries of a configuration file can be created.
//!
//! mig-parted's own check of a file looks at its form and at the names. Whether the instances fit on a
//! GPU shows only when MIG Manager applies them, on nodes that are drained by then.
//!
//! mig-parted goes through the rules of an entry twice, and in each rule through the GPUs it is about:
//! first it sets the mode, then it creates the instances. It stops at the first failure. So every rule
//! about a GPU must be creatable there, also one that a later rule overrides; and rules that disagree
//! about the mode of a GPU fail always, for the mode of the last is set by then.

mod boards;
mod finding;
mod judge;
mod modes;
mod remarks;
mod verdict;

use std::sync::Arc;

use migsaw::geometry::{Catalog, Model};

use super::config::Config;
pub use finding::{Finding, FindingKind};

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
    /// Whether it asks for no instances, or was judged on some model at least.
    pub is_judged: bool,
    /// What is wrong or doubtful.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether every entry that could be judged can be created wherever it applies, and some could be.
    pub fn is_valid(&self) -> bool {
        let nothing_judged = !self.entries.is_empty() && self.entries.iter().all(|entry| !entry.is_judged);
        !nothing_judged && self.entries.iter().all(EntryReport::is_valid)
    }
}

impl EntryReport {
    /// Whether nothing is known to be wrong with it. Without [`EntryReport::is_judged`] that says little.
    pub fn is_valid(&self) -> bool {
        !self.findings.iter().any(|finding| finding.kind.is_error())
    }
}

/// Judges every entry on every model it applies to.
///
/// A rule with a device filter must be creatable on the models with those PCI ids. About a rule without
/// one nothing says what the GPU is:
/// - If `models` are given, `devices: all` must be creatable on each of them, and a GPU given by its index
///   is one of them.
/// - If not, the GPU is any model of the catalogue that has all the profiles; on one at least they must be
///   creatable, and the others are named in findings that are no errors.
///
/// If `models` are given, nothing is judged on others.
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
    Report { entries: config.entries.iter().map(|entry| judge::judge(entry, catalog, models)).collect() }
}
