//! Manifests beside a dump: what is about to be applied counts instead of what runs.

use std::collections::{BTreeMap, BTreeSet};

use migsaw::demand::Toleration;

use super::collect::{Asking, Origin, Owner, Workload, described};
use super::constraints::Constraints;
use super::groups::{Group, Groups};
use super::warning::{WarningCode, Warnings};

/// Puts the pods that manifests make in the place of those their workloads have now.
pub(super) fn apply<'a>(manifests: impl Iterator<Item = &'a Workload>, groups: &mut Groups, warnings: &mut Warnings) {
    let mut by_workload: BTreeMap<(&str, &str, &str), Vec<&Workload>> = BTreeMap::new();
    for manifest in manifests {
        let Asking { namespace, owner, .. } = &*manifest.asking;
        by_workload.entry((namespace, &owner.kind, &owner.name)).or_default().push(manifest);
    }
    let mut running: BTreeMap<(String, String, String), Groups> = BTreeMap::new();
    for (asking, group) in std::mem::take(groups) {
        let Asking { namespace, owner, .. } = &asking;
        if by_workload.contains_key(&(namespace.as_str(), owner.kind.as_str(), owner.name.as_str())) {
            let key = (namespace.clone(), owner.kind.clone(), owner.name.clone());
            running.entry(key).or_default().insert(asking, group);
        } else {
            groups.insert(asking, group);
        }
    }
    for ((namespace, kind, name), parts) in by_workload {
        let running = running.remove(&(namespace.to_owned(), kind.to_owned(), name.to_owned()));
        if running.is_none() {
            warn_of_namesakes(parts[0], groups, warnings);
        }
        let mut running = running.unwrap_or_default();
        let mut changes = BTreeSet::new();
        for part in parts {
            changes.extend(release(part, &mut running, groups));
        }
        changes.extend(running.keys().map(|gone| format!("no {} any more", gone.owner.part)));
        if !changes.is_empty() {
            let changes: Vec<String> = changes.into_iter().collect();
            let message = format!("is planned as its manifest says, not as it runs: {}", changes.join(", "));
            warnings.add(WarningCode::ManifestDiffers, described(kind, namespace, name), message);
        }
    }
}

/// The pods a manifest will have, and in what they differ from those that run.
fn release(manifest: &Workload, running: &mut Groups, groups: &mut Groups) -> Vec<String> {
    let asking = &*manifest.asking;
    let (of_part, others): (Groups, Groups) =
        std::mem::take(running).into_iter().partition(|(other, _)| other.owner == asking.owner);
    *running = others;
    let there: u64 = of_part.values().map(|group| group.members.len() as u64).sum();
    // Without a number, as an autoscaler wants it, the one there is stays.
    let wanted = manifest.replicas.unwrap_or(if there > 0 { there } else { 1 });
    let mut changes = Vec::new();
    if there > 0 && wanted != there {
        let pods = if wanted == 1 { "pod" } else { "pods" };
        changes.push(format!("{wanted} {pods} instead of {there}"));
    }
    let largest = of_part.iter().max_by_key(|(_, group)| group.members.len()).map(|(other, _)| other.clone());
    let (released, mut group) = of_part.into_iter().find(|(other, _)| stays(other, asking)).unwrap_or_else(|| {
        changes.extend(largest.as_ref().filter(|_| wanted > 0).map(|running| change(running, asking)));
        (admitted(asking, largest.as_ref()), Group::default())
    });
    group.members.truncate(usize::try_from(wanted).unwrap_or(usize::MAX));
    group.missing = wanted - group.members.len() as u64;
    if wanted > 0 {
        let known = groups.entry(released).or_default();
        known.members.append(&mut group.members);
        known.missing = known.missing.saturating_add(group.missing);
    }
    changes
}

/// Whether pods that run are as the manifest wants them.
fn stays(running: &Asking, manifest: &Asking) -> bool {
    let (is, will) = (&running.constraints, &manifest.constraints);
    running.resources == manifest.resources
        && running.same_gpu == manifest.same_gpu
        && (&is.terms, is.one_per_node, is.more) == (&will.terms, will.one_per_node, will.more)
        && will.tolerations.iter().all(|toleration| is.tolerations.contains(toleration))
        && running.priority_class == manifest.priority_class
}

fn change(running: &Asking, manifest: &Asking) -> String {
    if running.resources != manifest.resources {
        format!("{} instead of {}", listed(&manifest.resources), listed(&running.resources))
    } else if running.priority_class == manifest.priority_class {
        "other rules where it may run".to_owned()
    } else {
        "another priority class".to_owned()
    }
}

fn listed(resources: &BTreeMap<String, u64>) -> String {
    let resources: Vec<String> = resources.iter().map(|(name, amount)| format!("{amount} {name}")).collect();
    resources.join(" and ")
}

/// What the manifest's pods ask for once they are admitted. Admission adds tolerations, for the
/// resources asked for among others, so those of the pods that run are kept.
fn admitted(manifest: &Asking, running: Option<&Asking>) -> Asking {
    let mut tolerations: Vec<Toleration> = manifest.constraints.tolerations.clone();
    tolerations.extend(running.into_iter().flat_map(|running| running.constraints.tolerations.iter().cloned()));
    tolerations.sort();
    tolerations.dedup();
    let constraints = Constraints { tolerations, ..Constraints::clone(&manifest.constraints) };
    Asking { constraints: constraints.into(), ..manifest.clone() }
}

/// A manifest without a namespace may mean a workload that runs in another one than was taken.
fn warn_of_namesakes(manifest: &Workload, groups: &Groups, warnings: &mut Warnings) {
    if manifest.origin != (Origin::Manifest { namespace_given: false }) {
        return;
    }
    let Asking { namespace, owner, .. } = &*manifest.asking;
    let Owner { kind, name, .. } = owner;
    let elsewhere: BTreeSet<&str> = groups
        .keys()
        .filter(|other| other.owner.kind == *kind && other.owner.name == *name && other.namespace != *namespace)
        .map(|other| other.namespace.as_str())
        .collect();
    if !elsewhere.is_empty() {
        let others: Vec<&str> = elsewhere.into_iter().collect();
        let message = format!(
            "says no namespace and was planned in {namespace}, beside the one that runs in {}",
            others.join(", ")
        );
        warnings.add(WarningCode::NamespaceAssumed, described(kind, namespace, name), message);
    }
}
