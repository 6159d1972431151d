//! A plan's node configurations as mig-parted writes them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use migsaw::geometry::{Catalog, Counts, Model, ProfileName};
use migsaw::plan::{Configuration, Plan};
use migsaw::problem::Problem;

use super::standard::standard_entries;
use crate::mig_parted::{Config, DeviceFilter, Devices, Entry, Rule};

/// The configurations a plan needs, each once, ordered by name, each under the name
/// [`Plan::configurations`] gives it.
///
/// With a catalogue the operator's standard entries follow, since a `ConfigMap` of one's own replaces the
/// one that has them.
///
/// A node of one model gets `devices: all` if its GPUs become the same, else lists of indices. Where
/// models mix in a node, each rule has the PCI ids of its model, so that a name that means different
/// profiles on different boards cannot go wrong, even if the GPUs are numbered in another order.
pub fn plan_config(problem: &Problem, plan: &Plan, standard: Option<&Catalog>) -> Config {
    let mut entries: Vec<Entry> = plan.configurations(problem).distinct.iter().map(entry).collect();
    let known: BTreeSet<String> = entries.iter().map(|entry| entry.name.clone()).collect();
    let more = standard.map(standard_entries).unwrap_or_default();
    entries.extend(more.into_iter().filter(|entry| !known.contains(&entry.name)));
    Config { entries }
}

fn entry(configuration: &Configuration) -> Entry {
    let gpus = &configuration.gpus;
    let mut models: Vec<&Arc<Model>> = Vec::new();
    for (model, _) in gpus {
        if !models.contains(&model) {
            models.push(model);
        }
    }
    let all_off = gpus.iter().all(|(_, counts)| counts.is_none());
    let rules = if all_off {
        vec![rule(Vec::new(), Devices::All, None)]
    } else if models.len() > 1 && models.iter().all(|model| !model.pci_devices.is_empty()) {
        models.iter().flat_map(|model| rules(gpus, &filters([model.as_ref()]), |m| m == *model)).collect()
    } else {
        rules(gpus, &[], |_| true)
    };
    Entry { name: configuration.name.clone(), rules, line: 0 }
}

/// What a rule makes of a GPU: its MIG devices, or `None` for MIG off.
type Target = Option<BTreeMap<ProfileName, u32>>;

/// Rules for the GPUs of a node that are of these models.
fn rules(
    gpus: &[(Arc<Model>, Option<Counts>)],
    filter: &[DeviceFilter],
    of: impl Fn(&Arc<Model>) -> bool,
) -> Vec<Rule> {
    let mut by_target: Vec<(Target, BTreeSet<u32>)> = Vec::new();
    for (index, (model, counts)) in (0..).zip(gpus) {
        if !of(model) {
            continue;
        }
        let target = counts.as_ref().map(|counts| named(model, counts));
        match by_target.iter_mut().find(|(known, _)| *known == target) {
            Some((_, indices)) => {
                indices.insert(index);
            }
            None => by_target.push((target, BTreeSet::from([index]))),
        }
    }
    let uniform = by_target.len() == 1;
    let devices = |indices| if uniform { Devices::All } else { Devices::Indices(indices) };
    by_target.into_iter().map(|(target, indices)| rule(filter.to_vec(), devices(indices), target)).collect()
}

fn named(model: &Model, counts: &Counts) -> BTreeMap<ProfileName, u32> {
    counts.iter().map(|(id, n)| (model.get(id).name.clone(), u32::from(n))).collect()
}

pub(super) fn rule(device_filter: Vec<DeviceFilter>, devices: Devices, target: Target) -> Rule {
    let mig_enabled = target.is_some();
    Rule { device_filter, devices, mig_enabled, mig_devices: target.unwrap_or_default(), line: 0 }
}

/// The PCI ids of some models, in the catalogue's order.
pub(super) fn filters<'a>(models: impl IntoIterator<Item = &'a Model>) -> Vec<DeviceFilter> {
    let devices = models.into_iter().flat_map(|model| &model.pci_devices);
    devices.map(|device| DeviceFilter(device.filter.clone())).collect()
}
