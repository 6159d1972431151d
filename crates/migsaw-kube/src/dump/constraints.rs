//! Where a pod may run: node selector, required node affinity, tolerations, and required
//! anti-affinity against its own kind.

use std::collections::BTreeMap;

use migsaw::demand::{LabelRequirement, Operator, Toleration};
use migsaw::fleet::{Effect, Taint};

use super::wire::{LabelSelector, PodAffinityTerm, PodSpec, WireRequirement, WireTaint, WireTerm, WireToleration};

/// The key under which a node's name stands among its labels.
pub(super) const NODE_NAME: &str = "metadata.name";
/// The label with the host name, usually the node's name.
pub(super) const HOSTNAME: &str = "kubernetes.io/hostname";

/// Conditions, all of which must hold.
pub(super) type Term = Vec<LabelRequirement>;

/// Where a pod may run.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Constraints {
    /// Alternatives; none accepts every node.
    pub(super) terms: Vec<Term>,
    pub(super) tolerations: Vec<Toleration>,
    /// Required anti-affinity of the pod against its own kind, by host.
    pub(super) one_per_node: bool,
    /// Whether there are rules that planning does not look at.
    pub(super) more: bool,
}

/// The constraints of a pod with these labels.
pub(super) fn of_pod(pod: &PodSpec, namespace: &str, labels: &BTreeMap<String, String>) -> Constraints {
    let anti = &pod.affinity.pod_anti.required;
    let one_per_node = anti.iter().any(|term| term.topology_key == HOSTNAME && selects(term, namespace, labels));
    let mut tolerations: Vec<Toleration> = pod.tolerations.iter().filter_map(toleration).collect();
    tolerations.sort();
    tolerations.dedup();
    let spread = pod.topology_spread_constraints.iter().any(|spread| !spread.is_preferred());
    let more = !pod.affinity.pod.required.is_empty() || anti.len() > usize::from(one_per_node) || spread;
    Constraints { terms: terms(pod), tolerations, one_per_node, more }
}

/// Node selector and required node affinity as one list of alternatives.
fn terms(pod: &PodSpec) -> Vec<Term> {
    let is = |(key, value): (&String, &String)| requirement(key, Operator::In, std::slice::from_ref(value));
    let selector: Term = pod.node_selector.iter().map(is).collect();
    let mut terms: Vec<Term> = match &pod.affinity.node.required {
        None if selector.is_empty() => Vec::new(),
        None => vec![selector],
        Some(affinity) => {
            // An empty term accepts no node, and neither does an empty list of terms.
            let usable =
                affinity.node_selector_terms.iter().filter(|t| t.match_expressions.len() + t.match_fields.len() > 0);
            let found: Vec<Term> =
                usable.map(|t| term(t).into_iter().chain(selector.iter().cloned()).collect()).collect();
            if found.is_empty() { vec![vec![never()]] } else { found }
        }
    };
    for term in &mut terms {
        term.sort();
        term.dedup();
    }
    terms.sort();
    terms.dedup();
    terms
}

fn term(wire: &WireTerm) -> Term {
    let fields = wire.match_fields.iter().map(|field| if field.key == NODE_NAME { translated(field) } else { never() });
    wire.match_expressions.iter().map(translated).chain(fields).collect()
}

fn translated(wire: &WireRequirement) -> LabelRequirement {
    let operator = match wire.operator.as_str() {
        "In" => Operator::In,
        "NotIn" => Operator::NotIn,
        "Exists" => Operator::Exists,
        "DoesNotExist" => Operator::DoesNotExist,
        "Gt" => Operator::Gt,
        "Lt" => Operator::Lt,
        _ => return never(),
    };
    requirement(&wire.key, operator, &wire.values)
}

pub(super) fn requirement(key: &str, operator: Operator, values: &[String]) -> LabelRequirement {
    let mut values = values.to_vec();
    values.sort();
    values.dedup();
    LabelRequirement { key: key.to_owned(), operator, values }
}

/// A condition no node meets.
fn never() -> LabelRequirement {
    requirement(HOSTNAME, Operator::In, &[])
}

fn toleration(wire: &WireToleration) -> Option<Toleration> {
    let effect = match wire.effect.as_deref().filter(|effect| !effect.is_empty()) {
        None => None,
        Some(effect) => Some(self::effect(effect)?),
    };
    let key = wire.key.clone().filter(|key| !key.is_empty());
    match wire.operator.as_deref().unwrap_or("Equal") {
        "Exists" => Some(Toleration { key, value: None, effect }),
        // Without a key only `Exists` is allowed.
        "Equal" | "" => {
            Some(Toleration { key: Some(key?), value: Some(wire.value.clone().unwrap_or_default()), effect })
        }
        _ => None,
    }
}

fn effect(text: &str) -> Option<Effect> {
    match text {
        "NoSchedule" => Some(Effect::NoSchedule),
        "PreferNoSchedule" => Some(Effect::PreferNoSchedule),
        "NoExecute" => Some(Effect::NoExecute),
        _ => None,
    }
}

/// The taints that keep pods away for good. What Kubernetes itself sets under `node.kubernetes.io/`
/// comes and goes with the node's condition, which is judged apart.
pub(super) fn lasting_taints(taints: &[WireTaint]) -> Vec<Taint> {
    let mut lasting: Vec<Taint> = taints
        .iter()
        .filter(|taint| !taint.key.starts_with("node.kubernetes.io/"))
        .filter_map(|t| Some(Taint { key: t.key.clone(), value: t.value.clone(), effect: effect(&t.effect)? }))
        .filter(Taint::repels)
        .collect();
    lasting.sort();
    lasting.dedup();
    lasting
}

/// Whether a term of pod (anti-)affinity selects the pod that has it.
fn selects(term: &PodAffinityTerm, namespace: &str, labels: &BTreeMap<String, String>) -> bool {
    let any_namespace =
        term.namespace_selector.as_ref().is_some_and(|s| s.match_labels.is_empty() && s.match_expressions.is_empty());
    let own_namespace = match (&term.namespace_selector, term.namespaces.is_empty()) {
        (None, true) => true,
        _ => any_namespace || term.namespaces.iter().any(|n| n == namespace),
    };
    let elsewhere = term.mismatch_label_keys.iter().any(|key| labels.contains_key(key));
    own_namespace && !elsewhere && term.label_selector.as_ref().is_some_and(|selector| matches(selector, labels))
}

fn matches(selector: &LabelSelector, labels: &BTreeMap<String, String>) -> bool {
    of_selector(selector).iter().all(|requirement| requirement.matches(labels))
}

/// A selector of pods as conditions on their labels; none for one that selects all.
pub(super) fn of_selector(selector: &LabelSelector) -> Term {
    let is = |(key, value): (&String, &String)| requirement(key, Operator::In, std::slice::from_ref(value));
    selector.match_labels.iter().map(is).chain(selector.match_expressions.iter().map(translated)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn constraints(pod: &str) -> Constraints {
        let labels = BTreeMap::from([("app".to_owned(), "llm".to_owned())]);
        of_pod(&serde_json::from_str(pod).unwrap(), "team-a", &labels)
    }

    fn accepts(constraints: &Constraints, labels: &[(&str, &str)]) -> bool {
        let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let terms = &constraints.terms;
        terms.is_empty() || terms.iter().any(|term| term.iter().all(|r| r.matches(&labels)))
    }

    #[test]
    fn selector_and_affinity_must_both_hold() {
        let found = constraints(
            r#"{"nodeSelector":{"zone":"a"},"affinity":{"nodeAffinity":{"requiredDuringSchedulingIgnoredDuringExecution":
            {"nodeSelectorTerms":[
              {"matchExpressions":[{"key":"disk","operator":"In","values":["ssd"]}]},
              {"matchFields":[{"key":"metadata.name","operator":"In","values":["n7"]}]},
              {}]}}}}"#,
        );
        assert_eq!(found.terms.len(), 2);
        for (name, labels, accepted) in [
            ("first term", &[("zone", "a"), ("disk", "ssd")][..], true),
            ("second term", &[("zone", "a"), (NODE_NAME, "n7")], true),
            ("selector alone", &[("zone", "a")], false),
            ("affinity alone", &[("disk", "ssd"), ("zone", "b")], false),
        ] {
            assert_eq!(accepts(&found, labels), accepted, "{name}");
        }
    }

    #[test]
    fn empty_and_unknown_affinity_accepts_nothing() {
        for terms in ["[]", "[{}]", r#"[{"matchExpressions":[{"key":"a","operator":"Near","values":["b"]}]}]"#] {
            let pod = format!(
                r#"{{"affinity":{{"nodeAffinity":{{"requiredDuringSchedulingIgnoredDuringExecution":{{"nodeSelectorTerms":{terms}}}}}}}}}"#
            );
            assert!(!accepts(&constraints(&pod), &[("a", "b"), (HOSTNAME, "n")]), "{terms}");
        }
        assert!(accepts(&constraints("{}"), &[]));
    }

    #[test]
    fn tolerations() {
        let taint = |key: &str, value: &str| Taint { key: key.into(), value: value.into(), effect: Effect::NoSchedule };
        for (wire, tolerated) in [
            (r#"{"operator":"Exists"}"#, true),
            (r#"{"key":"nvidia.com/gpu","operator":"Exists","effect":"NoSchedule"}"#, true),
            (r#"{"key":"nvidia.com/gpu","value":"present"}"#, true),
            (r#"{"key":"nvidia.com/gpu","operator":"Equal","value":"other"}"#, false),
            (r#"{"key":"nvidia.com/gpu","operator":"Exists","effect":"NoExecute"}"#, false),
            (r#"{"value":"present"}"#, false),
            (r#"{"key":"nvidia.com/gpu","operator":"Gt","value":"1"}"#, false),
        ] {
            let found = constraints(&format!(r#"{{"tolerations":[{wire}]}}"#));
            let tolerates = found.tolerations.iter().any(|t| t.tolerates(&taint("nvidia.com/gpu", "present")));
            assert_eq!(tolerates, tolerated, "{wire}");
        }
    }

    #[test]
    fn anti_affinity_against_its_own_kind() {
        let term = |key: &str, more: &str| {
            format!(
                r#"{{"affinity":{{"podAntiAffinity":{{"requiredDuringSchedulingIgnoredDuringExecution":[{{"topologyKey":"{key}"{more}}}]}}}}}}"#
            )
        };
        for (name, pod, expected) in [
            ("own labels", term(HOSTNAME, r#","labelSelector":{"matchLabels":{"app":"llm"}}"#), true),
            (
                "expression",
                term(
                    HOSTNAME,
                    r#","labelSelector":{"matchExpressions":[{"key":"app","operator":"In","values":["llm"]}]}"#,
                ),
                true,
            ),
            ("others", term(HOSTNAME, r#","labelSelector":{"matchLabels":{"app":"db"}}"#), false),
            ("no selector", term(HOSTNAME, ""), false),
            ("zone", term("topology.kubernetes.io/zone", r#","labelSelector":{"matchLabels":{"app":"llm"}}"#), false),
            (
                "other namespace",
                term(HOSTNAME, r#","namespaces":["x"],"labelSelector":{"matchLabels":{"app":"llm"}}"#),
                false,
            ),
            (
                "every namespace",
                term(HOSTNAME, r#","namespaceSelector":{},"labelSelector":{"matchLabels":{"app":"llm"}}"#),
                true,
            ),
        ] {
            let found = constraints(&pod);
            assert_eq!(found.one_per_node, expected, "{name}");
            assert_eq!(found.more, !expected, "{name}");
        }
    }
}
