//! Pods by workload, and what workloads lack of their pods.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::collect::{Asking, Collection, Owner};

/// Pods that ask for the same.
#[derive(Debug, Default)]
pub(super) struct Group {
    pub(super) members: Vec<Member>,
    /// Pods that should be there and are not yet.
    pub(super) missing: u64,
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) node: Option<String>,
    pub(super) pinned: Option<String>,
}

/// Pods by what they ask for, with what their workloads miss.
pub(super) fn group(found: &Collection) -> BTreeMap<Asking, Group> {
    let cron_jobs: BTreeSet<(&str, &str)> = found
        .workloads
        .iter()
        .filter(|workload| workload.asking.owner.kind == "CronJob")
        .map(|workload| (workload.asking.namespace.as_str(), workload.asking.owner.name.as_str()))
        .collect();
    let mut resolved: BTreeMap<*const Asking, Asking> = BTreeMap::new();
    let mut groups: BTreeMap<Asking, Group> = BTreeMap::new();
    for pod in &found.pods {
        let asking = resolved.entry(Arc::as_ptr(&pod.asking)).or_insert_with(|| {
            let owner = top_owner(&pod.asking, &found.owners, &cron_jobs);
            Asking { owner, ..Asking::clone(&pod.asking) }
        });
        let member = Member { node: pod.node.clone(), pinned: pod.pinned.clone() };
        match groups.get_mut(asking) {
            Some(group) => group.members.push(member),
            None => groups.entry(asking.clone()).or_default().members.push(member),
        }
    }
    add_missing(found, &mut groups);
    groups
}

/// The workload at the top: of a pod of a ReplicaSet of a Deployment, the Deployment.
fn top_owner(
    asking: &Asking,
    owners: &BTreeMap<(String, String, String), Owner>,
    cron_jobs: &BTreeSet<(&str, &str)>,
) -> Owner {
    let own = &asking.owner;
    let above = owners.get(&(own.kind.clone(), asking.namespace.clone(), own.name.clone()));
    if let Some(above) = above {
        return Owner { part: own.part.clone(), ..above.clone() };
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

/// Adds what a workload lacks of its declared number of pods. Its pods in the dump carry what
/// admission added, so the missing ones are taken to be like them.
fn add_missing(found: &Collection, groups: &mut BTreeMap<Asking, Group>) {
    let mut present: BTreeMap<(String, Owner), u64> = BTreeMap::new();
    for (asking, group) in &*groups {
        *present.entry((asking.namespace.clone(), asking.owner.clone())).or_default() += group.members.len() as u64;
    }
    for workload in &found.workloads {
        let asking = &workload.asking;
        let there = present.get(&(asking.namespace.clone(), asking.owner.clone())).copied().unwrap_or(0);
        let missing = workload.replicas.saturating_sub(there);
        if missing == 0 {
            continue;
        }
        let alike = groups.iter_mut().filter(|(other, _)| {
            other.namespace == asking.namespace && other.owner == asking.owner && other.resources == asking.resources
        });
        let group = match alike.max_by_key(|(_, group)| group.members.len()).filter(|_| there > 0) {
            Some((_, group)) => group,
            None => groups.entry(Asking::clone(asking)).or_default(),
        };
        group.missing = group.missing.saturating_add(missing);
    }
}
