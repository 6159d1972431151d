//! Pods by workload, and what workloads lack of their pods.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::collect::{Asking, Collection, Origin, Owner, Workload};
use super::release;
use super::shared::Labels;
use super::warning::Warnings;

/// Pods that ask for the same.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) members: Vec<Member>,
    /// Pods that should be there and are not yet.
    pub(super) missing: u64,
}

#[derive(Debug)]
pub(super) struct Member {
    /// The pod's name, often empty in manifests.
    pub(super) name: Arc<str>,
    pub(super) stays: bool,
    pub(super) labels: Labels,
    pub(super) node: Option<Arc<str>>,
    pub(super) pinned: Option<Arc<str>>,
}

/// Pods by what they ask for.
pub(super) type Groups = BTreeMap<Asking, Group>;

/// Pods by what they ask for, as the manifests will have them, with what their workloads miss.
pub(super) fn group(found: &Collection, warnings: &mut Warnings) -> Groups {
    let mut groups = running(found);
    let (manifests, others): (Vec<&Workload>, Vec<&Workload>) =
        found.workloads.iter().partition(|workload| matches!(workload.origin, Origin::Manifest { .. }));
    let (nameless, live): (Vec<&Workload>, Vec<&Workload>) =
        others.into_iter().partition(|workload| workload.origin == Origin::Nameless);
    let counts = |workload: &Workload| {
        let key = |above: &Owner| (workload.asking.namespace.clone(), above.kind.clone(), above.name.clone());
        workload.above.as_ref().is_none_or(|above| !found.met.contains(&key(above)))
    };
    release::apply(manifests.into_iter().filter(|workload| counts(workload)), &mut groups, warnings);
    add_missing(live.into_iter().filter(|workload| counts(workload)), &mut groups);
    for workload in nameless {
        let group = groups.entry(Asking::clone(&workload.asking)).or_default();
        group.missing = group.missing.saturating_add(workload.replicas.unwrap_or(1));
    }
    groups
}

fn running(found: &Collection) -> Groups {
    let cron_jobs: BTreeSet<(&str, &str)> = found
        .met
        .iter()
        .filter(|(_, kind, _)| kind == "CronJob")
        .map(|(namespace, _, name)| (namespace.as_str(), name.as_str()))
        .collect();
    let mut resolved: BTreeMap<*const Asking, Asking> = BTreeMap::new();
    let mut groups = Groups::new();
    for pod in &found.pods {
        let asking = resolved.entry(Arc::as_ptr(&pod.asking)).or_insert_with(|| {
            let owner = top_owner(&pod.asking, &found.owners, &cron_jobs);
            Asking { owner, ..Asking::clone(&pod.asking) }
        });
        let member = Member {
            name: pod.name.clone(),
            stays: pod.stays,
            labels: pod.labels.clone(),
            node: pod.node.clone(),
            pinned: pod.pinned.clone(),
        };
        match groups.get_mut(asking) {
            Some(group) => group.members.push(member),
            None => groups.entry(asking.clone()).or_default().members.push(member),
        }
    }
    groups
}

/// The workload at the top: of a pod of a ReplicaSet of a Deployment, the Deployment.
fn top_owner(
    asking: &Asking,
    owners: &BTreeMap<(String, String, String), Owner>,
    cron_jobs: &BTreeSet<(&str, &str)>,
) -> Owner {
    let own = &asking.owner;
    if let Some(above) = owners.get(&(asking.namespace.clone(), own.kind.clone(), own.name.clone())) {
        return above.clone();
    }
    if own.kind == "Job"
        && let Some((cron_job, run)) = own.name.rsplit_once('-')
        && run.len() >= 8
        && run.bytes().all(|b| b.is_ascii_digit())
        && cron_jobs.contains(&(asking.namespace.as_str(), cron_job))
    {
        return Owner { name: cron_job.to_owned(), kind: "CronJob".to_owned(), part: String::new() };
    }
    own.clone()
}

/// Adds what workloads of the cluster lack of their declared number of pods. Their pods in the dump
/// carry what admission added, so the missing ones are taken to be like them.
///
/// Where a Deployment is not in the dump but its `ReplicaSet`s are, these share its pods.
fn add_missing<'a>(live: impl Iterator<Item = &'a Workload>, groups: &mut Groups) {
    let mut unclaimed: BTreeMap<(String, Owner), u64> = BTreeMap::new();
    for (asking, group) in &*groups {
        *unclaimed.entry((asking.namespace.clone(), asking.owner.clone())).or_default() += group.members.len() as u64;
    }
    for workload in live {
        let owner = workload.above.clone().unwrap_or_else(|| workload.asking.owner.clone());
        let asking = Asking { owner, ..Asking::clone(&workload.asking) };
        let unclaimed = unclaimed.entry((asking.namespace.clone(), asking.owner.clone())).or_default();
        let declared = workload.replicas.unwrap_or(1);
        let there = declared.min(*unclaimed);
        *unclaimed -= there;
        if there == declared {
            continue;
        }
        let alike = groups.iter_mut().filter(|(other, _)| {
            other.namespace == asking.namespace && other.owner == asking.owner && other.resources == asking.resources
        });
        let group = match alike.max_by_key(|(_, group)| group.members.len()).filter(|(_, g)| !g.members.is_empty()) {
            Some((_, group)) => group,
            None => groups.entry(asking).or_default(),
        };
        group.missing = group.missing.saturating_add(declared - there);
    }
}
