//! Objects that are there several times: which of them counts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::collect::{Asking, Collection, Origin, Owner, Pod, Workload, described};
use super::warning::{WarningCode, Warnings};

pub(super) const DUPLICATE: &str = "is in the dump several times with different contents: the last one counts";

impl Collection {
    /// Puts what says no namespace into this one.
    pub(super) fn settle_namespaces(&mut self, namespace: &str) {
        let said = |asking: &mut Arc<Asking>| {
            if asking.namespace.is_empty() {
                *asking = Arc::new(Asking { namespace: namespace.to_owned(), ..Asking::clone(asking) });
            }
        };
        self.pods.iter_mut().for_each(|pod| said(&mut pod.asking));
        self.workloads.iter_mut().for_each(|workload| said(&mut workload.asking));
        let settled = |(own, kind, name): (String, String, String)| {
            (if own.is_empty() { namespace.to_owned() } else { own }, kind, name)
        };
        let own = |(own, name): (String, String)| (if own.is_empty() { namespace.to_owned() } else { own }, name);
        for claims in [&mut self.claims, &mut self.claim_templates] {
            *claims = std::mem::take(claims).into_iter().map(|(key, claim)| (own(key), claim)).collect();
        }
        self.budgets.iter_mut().filter(|budget| budget.namespace.is_empty()).for_each(|budget| {
            namespace.clone_into(&mut budget.namespace);
        });
        self.quotas.iter_mut().filter(|quota| quota.namespace.is_empty()).for_each(|quota| {
            namespace.clone_into(&mut quota.namespace);
        });
        let shared: Arc<str> = namespace.into();
        self.passers.iter_mut().filter(|passer| passer.namespace.is_empty()).for_each(|passer| {
            passer.namespace = Arc::clone(&shared);
        });
        self.met = std::mem::take(&mut self.met).into_iter().map(settled).collect();
        let owners = std::mem::take(&mut self.owners).into_iter();
        self.owners = owners.map(|(key, owner)| (settled(key), owner)).collect();
    }

    /// Orders the objects by name and keeps of each the last one, but a manifest rather than what is in
    /// the cluster. What has no name is another object each time.
    pub(super) fn keep_one_of_each(&mut self) {
        self.keep_one_of_each_node();
        self.keep_one_of_each_pod();
        self.keep_one_of_each_passer();
        self.keep_one_of_each_workload();
        let budgets = std::mem::take(&mut self.budgets);
        self.budgets = one_of_each("PodDisruptionBudget", budgets, &mut self.warnings, |budget| {
            (budget.is_live, (budget.namespace.clone(), budget.name.clone()))
        });
        let quotas = std::mem::take(&mut self.quotas);
        self.quotas = one_of_each("ResourceQuota", quotas, &mut self.warnings, |quota| {
            (quota.is_live, (quota.namespace.clone(), quota.name.clone()))
        });
    }

    fn keep_one_of_each_node(&mut self) {
        let mut nodes = BTreeMap::new();
        for node in std::mem::take(&mut self.nodes) {
            if let Some(known) = nodes.insert(node.name.clone(), node)
                && nodes[&known.name] != known
            {
                self.warnings.add(WarningCode::DuplicateObject, format!("node {}", known.name), DUPLICATE);
            }
        }
        self.nodes = nodes.into_values().collect();
    }

    fn keep_one_of_each_pod(&mut self) {
        fn key(pod: &Pod) -> (&str, &str) {
            (&pod.asking.namespace, &pod.name)
        }
        let (nameless, mut named): (Vec<Pod>, Vec<Pod>) =
            std::mem::take(&mut self.pods).into_iter().partition(|pod| pod.name.is_empty());
        // Those of one name stay in the order in which they were met.
        named.sort_by(|a, b| key(a).cmp(&key(b)));
        for pod in named {
            match self.pods.last_mut().filter(|known| key(known) == key(&pod)) {
                Some(known) => {
                    if known.node != pod.node || known.asking != pod.asking || known.claims != pod.claims {
                        let object = described("Pod", &pod.asking.namespace, &pod.name);
                        self.warnings.add(WarningCode::DuplicateObject, object, DUPLICATE);
                    }
                    *known = pod;
                }
                None => self.pods.push(pod),
            }
        }
        self.pods.extend(nameless);
    }

    fn keep_one_of_each_passer(&mut self) {
        // The last one met is the first of its name, which is the one that stays.
        self.passers.reverse();
        self.passers.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        self.passers.dedup_by(|next, kept| {
            !next.name.is_empty() && (&next.namespace, &next.name) == (&kept.namespace, &kept.name)
        });
    }

    fn keep_one_of_each_workload(&mut self) {
        let (nameless, named): (Vec<Workload>, Vec<Workload>) =
            std::mem::take(&mut self.workloads).into_iter().partition(|workload| workload.origin == Origin::Nameless);
        let (live, manifests): (Vec<Workload>, Vec<Workload>) =
            named.into_iter().partition(|workload| workload.origin == Origin::Live);
        let key = |workload: &Workload| {
            let Asking { namespace, owner, .. } = &*workload.asking;
            (namespace.clone(), owner.kind.clone(), owner.name.clone())
        };
        let declared: BTreeSet<_> = manifests.iter().map(key).collect();
        let live = live.into_iter().filter(|workload| !declared.contains(&key(workload)));
        let mut workloads: BTreeMap<(String, Owner), Workload> = BTreeMap::new();
        for workload in live.chain(manifests) {
            let asking = &workload.asking;
            let key = (asking.namespace.clone(), asking.owner.clone());
            if workloads.get(&key).is_some_and(|known| *known != workload) {
                let object = described(&asking.owner.kind, &key.0, &key.1.name);
                self.warnings.add(WarningCode::DuplicateObject, object, DUPLICATE);
            }
            workloads.insert(key, workload);
        }
        self.workloads = workloads.into_values().chain(nameless).collect();
    }
}

/// The last of each, by namespace and name; a manifest rather than what is in the cluster.
fn one_of_each<T: PartialEq>(
    kind: &str,
    items: Vec<T>,
    warnings: &mut Warnings,
    identity: impl Fn(&T) -> (bool, (String, String)),
) -> Vec<T> {
    let (live, manifests): (Vec<T>, Vec<T>) = items.into_iter().partition(|item| identity(item).0);
    let mut kept: BTreeMap<(String, String), T> = BTreeMap::new();
    for item in live.into_iter().chain(manifests) {
        let (is_live, key) = identity(&item);
        if kept.get(&key).is_some_and(|known| identity(known).0 == is_live && *known != item) {
            warnings.add(WarningCode::DuplicateObject, described(kind, &key.0, &key.1), DUPLICATE);
        }
        kept.insert(key, item);
    }
    kept.into_values().collect()
}
