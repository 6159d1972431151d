//! `ResourceQuota`s: what of GPUs they let a namespace ask for, and which pods they count.
//!
//! Of an extended resource Kubernetes counts what is named `requests.NAME`, and takes other names without ever
//! counting anything (`isExtendedResourceNameForQuota` in `pkg/quota/v1/evaluator/core/pods.go`). Which pods a scope
//! means is in `podMatchesScopeFunc` there. What is asked for through claims it counts by the class of the devices
//! (`V1ResourceByDeviceClass` in `resource_claims.go` beside it), which says nothing of profiles: so quotas of that kind
//! are not looked at, and a warning tells whose pods the others do not count.

use std::collections::{BTreeMap, BTreeSet};

use migsaw::demand::Demand;
use migsaw::quota::{self, Resource};

use super::collect::{Collection, described};
use super::quantity::{MOST, Scalar, thousandths, whole};
use super::warning::{WarningCode, Warnings};
use super::wire::{Metadata, PodSpec, QuotaSpec, QuotaStatus, ScopeRequirement};

/// What names in a quota begin with that count.
const REQUESTS: &str = "requests.";
/// What names end with that count the devices of claims, behind the name of a class.
const OF_CLAIMS: &str = ".deviceclass.resource.k8s.io/devices";

/// A quota as it was given, with what it says of GPUs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Quota {
    pub(super) namespace: String,
    pub(super) name: String,
    /// Whether it is from the cluster.
    pub(super) is_live: bool,
    hard: BTreeMap<Resource, u64>,
    used: BTreeMap<Resource, u64>,
    /// Conditions on pods, all of which must hold.
    scopes: Vec<Scope>,
}

/// What a scope looks at in a pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Scoped {
    /// Empty for none.
    pub(super) priority_class: String,
    pub(super) nature: Nature,
    /// Whether claims ask for its GPUs, which quotas on resources do not count.
    pub(super) by_claims: bool,
}

/// What scopes look at in a pod's spec.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Nature {
    /// Whether it has a deadline (`activeDeadlineSeconds`).
    has_deadline: bool,
    /// Whether neither it nor a container asks for CPU or memory, as request or as limit.
    is_best_effort: bool,
}

impl Nature {
    pub(super) fn of(pod: &PodSpec) -> Nature {
        Nature { has_deadline: pod.active_deadline_seconds.is_some(), is_best_effort: is_best_effort(pod) }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Scope {
    Deadline(bool),
    BestEffort(bool),
    ClassIn(Vec<String>, bool),
    HasClass(bool),
}

impl Scope {
    /// `None` if it is one that is not looked at.
    fn of(requirement: &ScopeRequirement) -> Option<Scope> {
        let values = &requirement.values;
        Some(match (requirement.scope_name.as_str(), requirement.operator.as_str()) {
            ("Terminating", "Exists") => Scope::Deadline(true),
            ("NotTerminating", "Exists") => Scope::Deadline(false),
            ("BestEffort", "Exists") => Scope::BestEffort(true),
            ("NotBestEffort", "Exists") => Scope::BestEffort(false),
            ("PriorityClass", "In") => Scope::ClassIn(values.clone(), true),
            ("PriorityClass", "NotIn") => Scope::ClassIn(values.clone(), false),
            ("PriorityClass", "Exists") => Scope::HasClass(true),
            ("PriorityClass", "DoesNotExist") => Scope::HasClass(false),
            _ => return None,
        })
    }

    fn holds(&self, pod: &Scoped) -> bool {
        match self {
            Scope::Deadline(wanted) => pod.nature.has_deadline == *wanted,
            Scope::BestEffort(wanted) => pod.nature.is_best_effort == *wanted,
            Scope::ClassIn(classes, wanted) => classes.contains(&pod.priority_class) == *wanted,
            Scope::HasClass(wanted) => pod.priority_class.is_empty() != *wanted,
        }
    }
}

fn is_best_effort(pod: &PodSpec) -> bool {
    let containers = pod.containers.iter().chain(&pod.init_containers).map(|container| &container.resources);
    let all = containers.chain([&pod.resources]);
    let mut amounts = all.flat_map(|resources| resources.requests.1.iter().chain(&resources.limits.1));
    !amounts.any(|(name, amount)| matches!(name.as_str(), "cpu" | "memory") && !amount.is_zero())
}

impl Collection {
    pub(super) fn add_quota(&mut self, metadata: Metadata, spec: &QuotaSpec, status: &QuotaStatus) {
        let is_live = metadata.is_stored() || !status.used.is_empty();
        let name = metadata.name_or_prefix().to_owned();
        let namespace = metadata.namespace.unwrap_or_default();
        let object = described("ResourceQuota", &namespace, &name);
        let hard = self.amounts(&object, &spec.hard);
        if hard.is_empty() {
            *self.skipped.kinds.entry("ResourceQuota".to_owned()).or_default() += 1;
            return;
        }
        let named = spec.scopes.iter().map(|scope| ScopeRequirement {
            scope_name: scope.clone(),
            operator: "Exists".to_owned(),
            values: Vec::new(),
        });
        let mut scopes = Vec::new();
        for requirement in named.chain(spec.scope_selector.match_expressions.iter().cloned()) {
            let Some(scope) = Scope::of(&requirement) else {
                let message = format!(
                    "has the scope {}, which is not looked at: the quota was left out",
                    requirement.scope_name.chars().take(80).collect::<String>()
                );
                self.warnings.add(WarningCode::QuotaNotRead, object, message);
                return;
            };
            scopes.push(scope);
        }
        let reported = status.used.iter().filter_map(|(name, amount)| {
            Some((Resource::from_name(name.strip_prefix(REQUESTS)?)?, amount_of(amount.as_ref()?)?))
        });
        let used = reported.filter(|(resource, _)| hard.contains_key(resource)).collect();
        self.quotas.push(Quota { namespace, name, is_live, hard, used, scopes });
    }

    /// What a quota says of GPUs. What Kubernetes would not count, or is not understood, is said.
    fn amounts(&mut self, object: &str, hard: &BTreeMap<String, Option<Scalar>>) -> BTreeMap<Resource, u64> {
        let mut amounts = BTreeMap::new();
        for (name, amount) in hard {
            let Some(amount) = amount else { continue };
            let warning = match name.strip_prefix(REQUESTS).map(Resource::from_name) {
                Some(Some(resource)) => {
                    if let Some(amount) = amount_of(amount) {
                        amounts.insert(resource, amount);
                        continue;
                    }
                    let text: String = amount.0.chars().take(80).collect();
                    (WarningCode::QuotaNotRead, format!("has `{text}` of {name}, which is no whole number"))
                }
                _ if is_of_gpu(name.strip_prefix("limits.").unwrap_or(name)) => {
                    let resource = name.strip_prefix("limits.").unwrap_or(name);
                    let message =
                        format!("limits {name}, which Kubernetes never counts (only {REQUESTS}{resource}): left out");
                    (WarningCode::QuotaNotEnforced, message)
                }
                _ if name.contains("nvidia.com") || name.ends_with(OF_CLAIMS) => {
                    (WarningCode::QuotaNotRead, format!("limits {name}, which is not looked at"))
                }
                _ => continue,
            };
            self.warnings.add(warning.0, object, warning.1);
        }
        amounts
    }
}

fn is_of_gpu(name: &str) -> bool {
    Resource::from_name(name).is_some()
}

/// More than there can be stands for no limit.
fn amount_of(amount: &Scalar) -> Option<u64> {
    whole(&amount.0).or_else(|| thousandths(&amount.0).filter(|&n| n / 1000 > MOST).map(|_| MOST))
}

/// The quotas as a problem has them, with the demands that those count which have a scope. `scoped` is what scopes look
/// at in the pods of each demand.
///
/// A quota that counts some of a demand's pods only counts as one for all of them, lest it be broken.
pub(super) fn of_demands(
    found: &Collection,
    scoped: &[BTreeSet<Scoped>],
    demands: &[Demand],
    warnings: &mut Warnings,
) -> Vec<quota::Quota> {
    let mut quotas = Vec::new();
    for quota in &found.quotas {
        let mut counted = BTreeSet::new();
        let mut counts_all = quota.scopes.is_empty();
        for (index, (pods, demand)) in scoped.iter().zip(demands).enumerate() {
            if demand.namespace.as_deref() != Some(&quota.namespace) {
                continue;
            }
            if pods.iter().any(|pod| pod.by_claims) {
                let message = format!(
                    "does not count pods of {}, which ask for GPUs through claims: for these Kubernetes has CLASS{OF_CLAIMS}",
                    demand.full_name()
                );
                let object = described("ResourceQuota", &quota.namespace, &quota.name);
                warnings.add(WarningCode::QuotaWithoutClaims, object, message);
            }
            let counts = |pod: &&Scoped| !pod.by_claims && quota.scopes.iter().all(|scope| scope.holds(pod));
            let n = pods.iter().filter(counts).count();
            if n > 0 {
                counted.insert(index);
            }
            counts_all &= n == pods.len();
            if n > 0 && n < pods.len() {
                let message = format!("counts some of the pods of {} only: taken to count all", demand.full_name());
                let object = described("ResourceQuota", &quota.namespace, &quota.name);
                warnings.add(WarningCode::QuotaInPart, object, message);
            }
        }
        quotas.push(quota::Quota {
            name: quota.name.clone(),
            namespace: Some(quota.namespace.clone()),
            demands: (!counts_all).then_some(counted),
            hard: quota.hard.clone(),
            used: quota.used.clone(),
        });
    }
    quotas
}
