//! The entries the GPU Operator ships, made from the catalogue.

use std::collections::{BTreeMap, BTreeSet};

use migsaw::geometry::{Catalog, Counts, Layout, Model, ProfileId, ProfileName};
use migsaw::plan::ALL_DISABLED;

use super::config::{filters, rule};
use crate::mig_parted::{Devices, Entry, Rule};

/// `all-disabled`, `all-enabled`, `all-balanced`, and `all-<profile>` for every profile under every
/// driver's name: what nodes may be labelled with already (the operator's
/// `assets/state-mig-manager/0400_configmap.yaml`).
///
/// `all-<profile>` fills a GPU with as many as there can be. Where that differs between the models
/// that have the name, each number gets the PCI ids of its models.
pub fn standard_entries(catalog: &Catalog) -> Vec<Entry> {
    let models: Vec<&Model> = catalog.models().map(AsRef::as_ref).collect();
    let mut entries = vec![
        entry(ALL_DISABLED, vec![rule(Vec::new(), Devices::All, None)]),
        entry("all-enabled", vec![rule(Vec::new(), Devices::All, Some(BTreeMap::new()))]),
    ];
    let balanced = by_target(models.iter().filter_map(|model| Some((*model, balanced(model)?))));
    if !balanced.is_empty() {
        entries.push(entry("all-balanced", filtered(balanced)));
    }
    let names: BTreeSet<&ProfileName> = models
        .iter()
        .flat_map(|model| &model.profiles)
        .flat_map(|profile| std::iter::once(&profile.name).chain(&profile.aliases))
        .collect();
    for name in names {
        let full = models.iter().filter_map(|model| {
            let most = most(model, model.profile(name)?);
            (most > 0).then(|| (*model, BTreeMap::from([(name.clone(), u32::from(most))])))
        });
        let by_target = by_target(full);
        let rules = match by_target.len() {
            0 => continue,
            1 => by_target.into_keys().map(|target| rule(Vec::new(), Devices::All, Some(target))).collect(),
            _ => filtered(by_target),
        };
        entries.push(entry(&format!("all-{}", name.label_form()), rules));
    }
    entries.retain(|entry| !entry.rules.is_empty());
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    entries
}

fn entry(name: &str, rules: Vec<Rule>) -> Entry {
    Entry { name: name.to_owned(), rules, line: 0 }
}

type Target = BTreeMap<ProfileName, u32>;

fn by_target<'a>(targets: impl Iterator<Item = (&'a Model, Target)>) -> BTreeMap<Target, Vec<&'a Model>> {
    let mut found: BTreeMap<Target, Vec<&Model>> = BTreeMap::new();
    for (model, target) in targets {
        found.entry(target).or_default().push(model);
    }
    found
}

fn filtered(by_target: BTreeMap<Target, Vec<&Model>>) -> Vec<Rule> {
    let with_filter = |(target, models): (Target, Vec<&Model>)| {
        let filter = filters(models);
        (!filter.is_empty()).then(|| rule(filter, Devices::All, Some(target)))
    };
    by_target.into_iter().filter_map(with_filter).collect()
}

/// Two 1g, a 2g and a 3g; on boards without 3g, two 1g and a 2g.
fn balanced(model: &Model) -> Option<Target> {
    let of_class = |class: &str| model.profile_ids().find(|(_, profile)| profile.class == class).map(|(id, _)| id);
    let mut counts: Counts = [(of_class("1g")?, 2), (of_class("2g")?, 1)].into_iter().collect();
    if let Some(three) = of_class("3g") {
        counts[three] = 1;
    }
    let fits = model.place(&counts, &Layout::empty()).ok()?.is_some();
    fits.then(|| counts.iter().map(|(id, n)| (model.get(id).name.clone(), u32::from(n))).collect())
}

/// Most instances of a profile on one GPU.
fn most(model: &Model, profile: ProfileId) -> u8 {
    let fits = |n: &u8| {
        let counts: Counts = [(profile, *n)].into_iter().collect();
        matches!(model.place(&counts, &Layout::empty()), Ok(Some(_)))
    };
    (1..=model.get(profile).max_instances).rev().find(fits).unwrap_or(0)
}
