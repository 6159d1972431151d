//! Quotas, as a dump says them.

use super::running::{OPTIONS, list, node};
use super::*;

/// A pod in namespace `team` that holds a slice.
fn pod(name: &str, class: &str, more: &str, requests: &str) -> String {
    format!(
        "- kind: Pod
  metadata: {{name: {name}, namespace: team}}
  spec: {{nodeName: a, priorityClassName: \"{class}\", {more} containers: [{{resources: {{requests: {{{requests}}}, limits: {{nvidia.com/mig-1g.6gb: 1}}}}}}]}}
  status: {{phase: Running}}
"
    )
}

fn quota(name: &str, spec: &str, status: &str) -> String {
    format!(
        "- kind: ResourceQuota\n  metadata: {{name: {name}, namespace: team}}\n  spec: {{{spec}}}\n  status: {{{status}}}\n"
    )
}

/// A pod of a class, one with a deadline, and one that asks for CPU.
fn cluster() -> Vec<String> {
    vec![
        node("a", "", "nvidia.com/mig-1g.6gb: 8"),
        pod("batch", "low", "", ""),
        pod("once", "", "activeDeadlineSeconds: 60,", ""),
        pod("web", "high", "", "cpu: 100m"),
    ]
}

/// The quotas as `NAME DEMANDS HARD USED`, and what is warned of.
fn found(items: &[String]) -> (Vec<String>, Vec<String>) {
    let dump = read_with(&[("dump", list(items).as_bytes())], OPTIONS);
    assert_eq!(dump.problem.validate(), []);
    let name = |&demand: &usize| dump.problem.demands[demand].name.as_str();
    let amounts = |of: &std::collections::BTreeMap<migsaw::quota::Resource, u64>| {
        of.iter().map(|(resource, n)| format!("{resource}={n}")).collect::<Vec<_>>().join(",")
    };
    let quotas = dump.problem.quotas.iter().map(|quota| {
        let demands =
            quota.demands.as_ref().map_or("all".to_owned(), |d| d.iter().map(name).collect::<Vec<_>>().join("+"));
        format!("{} {demands} {} {}", quota.full_name(), amounts(&quota.hard), amounts(&quota.used))
    });
    let warnings = dump.warnings.iter().map(|w| format!("{} {w}", w.code.as_str()));
    (quotas.collect(), warnings.collect())
}

#[test]
fn scopes_choose_among_the_pods_of_the_namespace() {
    let hard = "hard: {requests.nvidia.com/mig-1g.6gb: 4}";
    let class = |operator: &str, values: &str| {
        format!(
            "scopeSelector: {{matchExpressions: [{{scopeName: PriorityClass, operator: {operator}, values: {values}}}]}}"
        )
    };
    for (scope, expected) in [
        (String::new(), "all"),
        ("scopes: [Terminating]".to_owned(), "once"),
        ("scopes: [NotTerminating]".to_owned(), "batch+web"),
        ("scopes: [BestEffort]".to_owned(), "batch+once"),
        ("scopes: [NotBestEffort, NotTerminating]".to_owned(), "web"),
        ("scopes: [PriorityClass]".to_owned(), "batch+web"),
        (class("In", "[low, mid]"), "batch"),
        (class("NotIn", "[low]"), "once+web"),
        (class("Exists", "null"), "batch+web"),
        (class("DoesNotExist", "[]"), "once"),
        (class("In", "[other]"), ""),
    ] {
        let mut items = cluster();
        items.push(quota("q", &format!("{hard}, {scope}"), ""));
        let (quotas, warnings) = found(&items);
        assert_eq!(quotas, [format!("team/q {expected} 1g.6gb=4 ")], "{scope}");
        let of_classes = |warning: &&String| !warning.starts_with("priority-class-unknown");
        assert_eq!(warnings.iter().filter(of_classes).count(), 0, "{scope}: {warnings:?}");
    }
}

#[test]
fn only_what_kubernetes_counts_is_taken() {
    let mut items = vec![node("a", "", "nvidia.com/mig-1g.6gb: 8")];
    let hard = "requests.nvidia.com/gpu: \"2\", nvidia.com/gpu: 3, limits.nvidia.com/mig-1g.6gb: 1, requests.cpu: 4, \
                requests.nvidia.com/mig-1g.6gb: 1T, requests.nvidia.com/mig-2g.12gb: 500m, \
                gpu.nvidia.com.deviceclass.resource.k8s.io/devices: 2, slices.deviceclass.resource.k8s.io/devices: 2";
    let used = "used: {requests.nvidia.com/gpu: 1, requests.cpu: 1}";
    items.push(quota("q", &format!("hard: {{{hard}}}"), used));
    items.push(quota("cpu", "hard: {requests.cpu: 4}", ""));
    items.push(quota("scoped", "hard: {requests.nvidia.com/gpu: 1}, scopes: [CrossNamespacePodAffinity]", ""));
    let (quotas, warnings) = found(&items);
    assert_eq!(quotas, ["team/q all 1g.6gb=1000000000,gpu=2 gpu=1"]);
    let object = "resourcequota team/q";
    assert_eq!(
        warnings,
        [
            format!("quota-not-enforced {object}: limits limits.nvidia.com/mig-1g.6gb, which Kubernetes never counts (only requests.nvidia.com/mig-1g.6gb): left out"),
            format!("quota-not-enforced {object}: limits nvidia.com/gpu, which Kubernetes never counts (only requests.nvidia.com/gpu): left out"),
            format!("quota-not-read {object}: has `500m` of requests.nvidia.com/mig-2g.12gb, which is no whole number"),
            "quota-not-read resourcequota team/scoped: has the scope CrossNamespacePodAffinity, which is not looked at: the quota was left out".to_owned(),
            format!("quota-not-read {object}: limits gpu.nvidia.com.deviceclass.resource.k8s.io/devices, which is not looked at"),
            format!("quota-not-read {object}: limits slices.deviceclass.resource.k8s.io/devices, which is not looked at"),
        ]
    );
}

#[test]
fn pods_with_claims_are_not_counted_and_that_is_said() {
    let asks = "[{name: gpu, exactly: {deviceClassName: mig.nvidia.com, selectors: [{cel: {expression: \"device.attributes['gpu.nvidia.com'].profile == '1g.6gb'\"}}]}}]";
    let by_claim = format!(
        "- apiVersion: resource.k8s.io/v1\n  kind: ResourceClaimTemplate\n  metadata: {{name: mig, namespace: team}}\n  spec: {{spec: {{devices: {{requests: {asks}}}}}}}\n\
         - kind: Pod\n  metadata: {{name: claims, namespace: team}}\n  spec: {{resourceClaims: [{{name: gpu, resourceClaimTemplateName: mig}}], containers: [{{resources: {{claims: [{{name: gpu}}]}}}}]}}\n"
    );
    let mut items = vec![node("a", "", "nvidia.com/mig-1g.6gb: 8"), pod("web", "", "", "")];
    items.push(quota("q", "hard: {requests.nvidia.com/mig-1g.6gb: 4}", ""));
    let (quotas, warnings) = found(&items);
    assert_eq!(quotas, ["team/q all 1g.6gb=4 "]);
    assert_eq!(warnings.iter().filter(|w| w.contains("claims")).count(), 0, "{warnings:?}");
    items.push(by_claim);
    let (quotas, warnings) = found(&items);
    assert_eq!(quotas, ["team/q web 1g.6gb=4 "]);
    let said = "quota-without-claims resourcequota team/q: does not count pods of team/claims, which ask for GPUs through claims: for these Kubernetes has CLASS.deviceclass.resource.k8s.io/devices";
    assert!(warnings.iter().any(|warning| warning == said), "{warnings:?}");
}

#[test]
fn the_last_of_a_name_counts_and_a_manifest_goes_first() {
    let mut items = vec![node("a", "", "nvidia.com/mig-1g.6gb: 8")];
    let hard = |n: u32| format!("hard: {{requests.nvidia.com/gpu: {n}}}");
    items.push(quota("q", &hard(1), ""));
    items.push(quota("q", &hard(2), "used: {requests.nvidia.com/gpu: 0}"));
    let (quotas, warnings) = found(&items);
    assert_eq!((quotas, warnings.len()), (vec!["team/q all gpu=1 ".to_owned()], 0));
    items.push(quota("q", &hard(3), ""));
    let (quotas, warnings) = found(&items);
    assert_eq!(quotas, ["team/q all gpu=3 "]);
    assert!(warnings[0].starts_with("duplicate-object resourcequota team/q"), "{warnings:?}");
}

#[test]
fn priorities_are_the_same_in_any_order() {
    let class = |name: &str, value: i32, is_default: bool| {
        format!(
            "- kind: PriorityClass\n  metadata: {{name: {name}}}\n  value: {value}\n  globalDefault: {is_default}\n"
        )
    };
    let priorities = |items: &[String]| {
        let dump = read_with(&[("dump", list(items).as_bytes())], OPTIONS);
        dump.problem.demands.iter().map(|demand| (demand.name.clone(), demand.priority)).collect::<Vec<_>>()
    };
    // Of several defaults admission takes the lowest; of a class that is not there the greatest value that pods tell.
    let (first, second) = (pod("a", "gone", "priority: 5,", ""), pod("b", "gone", "priority: 9,", ""));
    let mut items = vec![
        node("a", "", "nvidia.com/mig-1g.6gb: 8"),
        class("high", 100, true),
        class("low", 7, true),
        first,
        second,
        pod("c", "gone", "", ""),
        pod("d", "", "", ""),
    ];
    let expected = [("a", 5), ("b", 9), ("c", 9), ("d", 7)].map(|(name, priority)| (name.to_owned(), priority));
    assert_eq!(priorities(&items), expected);
    items.reverse();
    assert_eq!(priorities(&items), expected);
}
