//! A disruption budget, as the scheduler counts by it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Deserializer};

use super::super::constraints::{Term, of_selector};
use super::super::quantity::Scalar;
use super::super::wire::{BudgetSpec, Member, Metadata, nullable};

/// A `PodDisruptionBudget`: which pods it protects, and how many more of them may go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// Its version, by which a watch goes on.
    pub version: Option<String>,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// How many more pods may go before it is broken.
    pub allowed: i64,
    /// Conditions on a pod's labels; none protects nobody.
    selector: Term,
    /// Pods that are on their way out and counted already, by name.
    disrupted: BTreeSet<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a disruption budget")]
struct Parts {
    #[serde(deserialize_with = "nullable")]
    metadata: Metadata,
    #[serde(deserialize_with = "nullable")]
    spec: BudgetSpec,
    #[serde(deserialize_with = "nullable")]
    status: CountStatus,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "the status of a disruption budget")]
struct CountStatus {
    disruptions_allowed: Option<Scalar>,
    #[serde(deserialize_with = "nullable")]
    disrupted_pods: BTreeMap<String, Option<Scalar>>,
}

impl<'de> Deserialize<'de> for Budget {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Budget, D::Error> {
        let Parts { mut metadata, spec, status } = Member::<Parts>::deserialize(deserializer)?.0;
        Ok(Budget {
            version: metadata.resource_version.take().map(|version| version.0),
            namespace: metadata.namespace.take().unwrap_or_default(),
            name: std::mem::take(&mut metadata.name),
            allowed: status.disruptions_allowed.as_ref().and_then(Scalar::integer).unwrap_or(0),
            selector: spec.selector.as_ref().map(of_selector).unwrap_or_default(),
            disrupted: status.disrupted_pods.into_keys().collect(),
        })
    }
}

impl Budget {
    /// What tells it from others.
    pub fn key(&self) -> String {
        format!("{}/{}", self.namespace, self.name)
    }

    /// Whether the eviction of a pod of its namespace counts against it: as kube-scheduler has it
    /// (`filterPodsWithPDBViolation` in `pkg/scheduler/framework/plugins/defaultpreemption`), for which a selector
    /// without conditions selects nobody, nor anything a pod without labels.
    pub fn counts(&self, pod: &str, labels: &BTreeMap<String, String>) -> bool {
        !labels.is_empty()
            && !self.selector.is_empty()
            && self.selector.iter().all(|condition| condition.matches(labels))
            && !self.disrupted.contains(pod)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_counts_the_pods_that_it_selects_and_that_are_not_counted_already() {
        let budget = |spec: &str| -> Budget {
            let status = r#"{"disruptionsAllowed": 2, "disruptedPods": {"gone": "2026-11-23T04:14:57Z"}}"#;
            let metadata = r#"{"name": "b", "namespace": "team", "resourceVersion": "7"}"#;
            serde_json::from_str(&format!(r#"{{"metadata": {metadata}, "spec": {spec}, "status": {status}}}"#)).unwrap()
        };
        let labels = |text: &str| -> BTreeMap<String, String> {
            text.split_whitespace().filter_map(|pair| pair.split_once('=')).map(|(k, v)| (k.into(), v.into())).collect()
        };
        let app = r#"{"selector": {"matchLabels": {"app": "llm"}}}"#;
        let tiers = r#"{"selector": {"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["dev"]}]}}"#;
        for (spec, pod, of_pod, expected) in [
            (app, "p", "app=llm x=y", true),
            (app, "p", "app=db", false),
            (app, "gone", "app=llm", false),
            (tiers, "p", "app=llm", true),
            (tiers, "p", "tier=dev", false),
            (tiers, "p", "", false),
            (r#"{"selector": {}}"#, "p", "app=llm", false),
            ("{}", "p", "app=llm", false),
        ] {
            assert_eq!(budget(spec).counts(pod, &labels(of_pod)), expected, "{spec} {pod} {of_pod}");
        }
        let read = budget(app);
        assert_eq!((read.key().as_str(), read.allowed, read.version.as_deref()), ("team/b", 2, Some("7")));
        let new: Budget = serde_json::from_str(r#"{"metadata": {"name": "b"}, "spec": null}"#).unwrap();
        assert_eq!(new.allowed, 0, "until the controller has counted");
    }
}
