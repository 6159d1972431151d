//! Disruption budgets, as a dump says them.

use super::running::{OPTIONS, list, node};
use super::*;

/// A pod of a Deployment that is labelled with it, holds a slice or nothing, and is ready or not.
fn pod(deployment: &str, name: &str, labels: &str, slices: u32, is_ready: bool) -> String {
    let limits = if slices > 0 { format!("nvidia.com/mig-1g.6gb: {slices}") } else { String::new() };
    let ready = if is_ready { "True" } else { "False" };
    format!(
        "- kind: Pod
  metadata: {{name: {deployment}-5d9-{name}, namespace: team, labels: {{pod-template-hash: 5d9, app: {deployment}, {labels}}}, ownerReferences: [{{kind: ReplicaSet, name: {deployment}-5d9, controller: true}}]}}
  spec: {{nodeName: a, containers: [{{resources: {{limits: {{{limits}}}}}}}]}}
  status: {{phase: Running, conditions: [{{type: Ready, status: \"{ready}\"}}]}}
"
    )
}

fn budget(name: &str, spec: &str, status: &str) -> String {
    format!(
        "- apiVersion: policy/v1
  kind: PodDisruptionBudget
  metadata: {{name: {name}, namespace: team}}
  spec: {{{spec}}}
  status: {{{status}}}
"
    )
}

/// Three pods of `web`, of which one is not ready, one of `chat`, and one of `log` without a GPU.
fn cluster() -> Vec<String> {
    vec![
        node("a", "", "nvidia.com/mig-1g.6gb: 8"),
        pod("web", "0", "tier: front, canary: \"yes\"", 1, true),
        pod("web", "1", "tier: front", 1, true),
        pod("web", "2", "tier: front", 1, false),
        pod("chat", "0", "tier: front", 1, true),
        pod("log", "0", "tier: front", 0, true),
    ]
}

/// The budgets as `NAME DEMANDS ALLOWED`, and what is warned of.
fn found(items: &[String]) -> (Vec<String>, Vec<String>) {
    let dump = read_with(&[("dump", list(items).as_bytes())], OPTIONS);
    assert_eq!(dump.problem.validate(), []);
    let name = |&demand: &usize| dump.problem.demands[demand].name.as_str();
    let budgets = dump.problem.budgets.iter().map(|budget| {
        let demands: Vec<&str> = budget.demands.iter().map(name).collect();
        format!("{} {} {}", budget.full_name(), demands.join("+"), budget.allowed)
    });
    let warnings = dump.warnings.iter().map(|w| format!("{} {w}", w.code.as_str()));
    (budgets.collect(), warnings.collect())
}

#[test]
fn selectors_choose_among_the_pods_of_their_namespace() {
    for (selector, expected) in [
        ("selector: {matchLabels: {app: web}}, maxUnavailable: 2", &["team/b web 1"][..]),
        ("selector: {matchLabels: {app: web, tier: back}}, maxUnavailable: 2", &[]),
        (
            "selector: {matchExpressions: [{key: app, operator: In, values: [web, chat]}]}, maxUnavailable: 2",
            &["team/b chat+web 1"],
        ),
        (
            "selector: {matchExpressions: [{key: app, operator: NotIn, values: [web]}]}, maxUnavailable: 2",
            &["team/b chat 2"],
        ),
        (
            "selector: {matchExpressions: [{key: team, operator: DoesNotExist}]}, maxUnavailable: 2",
            &["team/b chat+web 1"],
        ),
        (
            "selector: {matchLabels: {app: web}, matchExpressions: [{key: tier, operator: Exists}]}, maxUnavailable: 2",
            &["team/b web 1"],
        ),
        // Empty selects all, and a missing one nothing.
        ("selector: {}, maxUnavailable: 2", &["team/b chat+web 1"]),
        ("maxUnavailable: 2", &[]),
        ("selector: {matchLabels: {app: log}}, maxUnavailable: 2", &[]),
    ] {
        let mut items = cluster();
        items.push(budget("b", selector, ""));
        assert_eq!(found(&items), (expected.iter().map(ToString::to_string).collect(), vec![]), "{selector}");
        let elsewhere = items.pop().unwrap().replace("namespace: team", "namespace: other");
        items.push(elsewhere);
        assert_eq!(found(&items).0, Vec::<String>::new(), "{selector} in another namespace");
    }
}

/// As the controller of Kubernetes counts: ready pods less those that must be up, parts rounded up.
#[test]
fn amounts_are_rounded_as_kubernetes_does() {
    for (spec, status, allowed) in [
        // Of three pods two are ready.
        ("maxUnavailable: 0", "", 0),
        ("maxUnavailable: 1", "", 0),
        ("maxUnavailable: 2", "", 1),
        ("maxUnavailable: 9", "", 2),
        ("maxUnavailable: 0%", "", 0),
        ("maxUnavailable: 33%", "", 0),     // 0.99 are 1
        ("maxUnavailable: 34%", "", 1),     // 1.02 are 2
        ("maxUnavailable: \"67%\"", "", 2), // 2.01 are 3
        ("maxUnavailable: 100%", "", 2),
        ("minAvailable: 0", "", 2),
        ("minAvailable: 1", "", 1),
        ("minAvailable: 2", "", 0),
        ("minAvailable: 9", "", 0),
        ("minAvailable: 0%", "", 2),
        ("minAvailable: 1%", "", 1),  // 0.03 are 1
        ("minAvailable: 33%", "", 1), // 0.99 are 1
        ("minAvailable: 34%", "", 0), // 1.02 are 2
        ("minAvailable: 100%", "", 0),
        ("", "", 0),
        // What the controller says goes before the spec.
        ("maxUnavailable: 2", "disruptionsAllowed: 0", 0),
        ("maxUnavailable: 0", "disruptionsAllowed: 2, expectedPods: 3, observedGeneration: 1", 2),
        ("maxUnavailable: 2", "disruptionsAllowed: 0, expectedPods: 0, observedGeneration: 1", 0),
        // The API server's zeros are not the controller's.
        ("maxUnavailable: 2", "disruptionsAllowed: 0, expectedPods: 0, currentHealthy: 0, desiredHealthy: 0", 1),
        ("maxUnavailable: 2", "disruptionsAllowed: 0, expectedPods: 0, observedGeneration: 0", 1),
    ] {
        let mut items = cluster();
        items.push(budget("b", &format!("selector: {{matchLabels: {{app: web}}}}, {spec}"), status));
        let expected = vec![format!("team/b web {allowed}")];
        assert_eq!(found(&items), (expected, vec![]), "{spec} {status}");
    }
}

#[test]
fn pods_without_a_gpu_count_among_those_selected() {
    let mut items = cluster();
    // Four of five are up, of which three must be.
    items.push(budget("b", "selector: {}, minAvailable: 3", ""));
    assert_eq!(found(&items).0, ["team/b chat+web 1"]);
    items.remove(5);
    assert_eq!(found(&items).0, ["team/b chat+web 0"]);
}

#[test]
fn a_budget_for_some_pods_of_a_demand_is_kept_for_all() {
    let mut items = cluster();
    items.push(budget("b", "selector: {matchLabels: {canary: \"yes\"}}, maxUnavailable: 1", ""));
    let warning = "budget-in-part poddisruptionbudget team/b: selects some of the pods of team/web only: it is kept for all of them";
    assert_eq!(found(&items), (vec!["team/b web 1".to_owned()], vec![warning.to_owned()]));
}

#[test]
fn pods_of_two_budgets_stay() {
    let mut items = cluster();
    items.push(budget("b", "selector: {matchLabels: {app: web}}, maxUnavailable: 2", ""));
    items.push(budget("c", "selector: {matchLabels: {app: chat}}, maxUnavailable: 1", ""));
    items.push(budget("d", "selector: {matchLabels: {app: chat}}, maxUnavailable: 1", ""));
    let (budgets, warnings) = found(&items);
    assert_eq!(budgets, ["team/b web 1", "team/c chat 1", "team/d chat 1"]);
    assert_eq!(
        warnings,
        [
            "budgets-overlap pod team/chat-5d9-0: several PodDisruptionBudgets select it, which the Eviction API refuses: it stays"
        ]
    );
    let dump = read_with(&[("dump", list(&items).as_bytes())], OPTIONS);
    let present = dump.problem.fleet.pools[0].nodes[0].present.as_ref().unwrap();
    let stays: Vec<&str> = present.running.iter().filter(|u| u.stays).filter_map(|u| u.name.as_deref()).collect();
    assert_eq!(stays, ["chat-5d9-0"]);
}

#[test]
fn a_manifest_goes_before_the_cluster() {
    let mut items = cluster();
    let selector = "selector: {matchLabels: {app: web}}";
    items.push(budget("b", &format!("{selector}, maxUnavailable: 2"), ""));
    items.push(budget("b", &format!("{selector}, maxUnavailable: 0"), "disruptionsAllowed: 0, observedGeneration: 3"));
    assert_eq!(found(&items), (vec!["team/b web 1".to_owned()], vec![]));
    items.push(budget("b", &format!("{selector}, maxUnavailable: 3"), ""));
    let warning = "duplicate-object poddisruptionbudget team/b: is in the dump several times with different contents: the last one counts";
    assert_eq!(found(&items), (vec!["team/b web 2".to_owned()], vec![warning.to_owned()]));
}

#[test]
fn budgets_matter_beside_what_runs_only() {
    let mut items = cluster();
    items.push(budget("b", "selector: {}, maxUnavailable: 2", ""));
    let dump = read(&[("dump", list(&items).as_bytes())]);
    assert_eq!((dump.problem.budgets.len(), dump.warnings.len()), (0, 0));
    // Another group's kind of that name is none of ours.
    let foreign = items.pop().unwrap().replace("policy/v1", "example.com/v1");
    items.push(foreign);
    assert_eq!(found(&items).0, Vec::<String>::new());
}

#[test]
fn budgets_that_make_no_sense_are_refused() {
    for (spec, status, expected) in [
        (
            "maxUnavailable: some",
            "",
            (
                "amount",
                "f: maxUnavailable of poddisruptionbudget team/b is `some` (expected a whole number or a percentage, like 2 or 50%)",
            ),
        ),
        (
            "minAvailable: 101%",
            "",
            (
                "amount",
                "f: minAvailable of poddisruptionbudget team/b is `101%` (expected a whole number or a percentage, like 2 or 50%)",
            ),
        ),
        (
            "minAvailable: -1",
            "",
            (
                "amount",
                "f: minAvailable of poddisruptionbudget team/b is `-1` (expected a whole number or a percentage, like 2 or 50%)",
            ),
        ),
        (
            "minAvailable: 1, maxUnavailable: 1",
            "",
            (
                "two-amounts",
                "f: poddisruptionbudget team/b has minAvailable and maxUnavailable (Kubernetes takes one of them)",
            ),
        ),
        (
            "minAvailable: 1",
            "disruptionsAllowed: many",
            (
                "number",
                "f: disruptionsAllowed of poddisruptionbudget team/b is `many` (expected a whole number from 0 to 1000000000)",
            ),
        ),
    ] {
        let (code, message) = error_of(list(&[budget("b", spec, status)]).as_bytes());
        assert_eq!((code, message.as_str()), expected);
    }
}
