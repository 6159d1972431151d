//! What a configuration file says.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use migsaw::geometry::{Model, ProfileName};

use super::device_filter::{BoardId, DeviceFilter};

/// A mig-parted configuration file, version `v1`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Config {
    /// The entries of `mig-configs`, as they follow each other.
    pub entries: Vec<Entry>,
}

/// A named configuration: what to make of the GPUs of a node.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The name that nodes are labelled with.
    pub name: String,
    /// Rules in order; where several are about a GPU, the last one holds in the end.
    pub rules: Vec<Rule>,
    /// The line it was read from, from 1; 0 if it was not read.
    pub line: u64,
}

/// What to make of some GPUs.
#[derive(Debug, Clone)]
pub struct Rule {
    /// Only GPUs with one of these PCI ids; empty for all.
    pub device_filter: Vec<DeviceFilter>,
    /// Which GPUs, by index.
    pub devices: Devices,
    /// Whether MIG is on.
    pub mig_enabled: bool,
    /// The MIG devices, by name; none if MIG is off.
    pub mig_devices: BTreeMap<ProfileName, u32>,
    /// The line it was read from, from 1; 0 if it was not read.
    pub line: u64,
}

/// The GPUs of a node a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Devices {
    /// All that can do MIG.
    All,
    /// These, by index.
    Indices(BTreeSet<u32>),
}

/// Where it was read is no part of what it says.
impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.name == other.name && self.rules == other.rules
    }
}

impl Eq for Entry {}

/// Where it was read is no part of what it says.
impl PartialEq for Rule {
    fn eq(&self, other: &Rule) -> bool {
        self.device_filter == other.device_filter
            && self.devices == other.devices
            && self.mig_enabled == other.mig_enabled
            && self.mig_devices == other.mig_devices
    }
}

impl Eq for Rule {}

impl Config {
    /// The entry with this name.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }
}

impl Entry {
    /// The rule that holds in the end for each GPU of a node with these models; `None` for a GPU that
    /// no rule is about.
    pub fn on_node<'a>(&'a self, models: &[Arc<Model>]) -> Vec<Option<&'a Rule>> {
        let last = |(index, model): (u32, &Arc<Model>)| {
            self.rules.iter().rev().find(|rule| rule.devices.contains(index) && rule.admits(model))
        };
        (0..).zip(models).map(last).collect()
    }
}

impl Rule {
    /// Whether the filter lets GPUs of this model through (of some board of this model, where a model
    /// has several).
    pub fn admits(&self, model: &Model) -> bool {
        let asked: Vec<BoardId> = self.device_filter.iter().filter_map(DeviceFilter::id).collect();
        let boards = model.pci_devices.iter().filter_map(|device| DeviceFilter(device.filter.clone()).id());
        let is_asked = |board: BoardId| asked.iter().any(|id| id.any_subsystem().admits(board));
        self.device_filter.is_empty() || boards.into_iter().any(is_asked)
    }
}

impl Devices {
    /// Whether the GPU with this index is among them.
    pub fn contains(&self, index: u32) -> bool {
        match self {
            Devices::All => true,
            Devices::Indices(indices) => indices.contains(&index),
        }
    }
}
