//! What is collected gives the same problem, and the same plan but for the names.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::{BTreeMap, BTreeSet};

use migsaw::chargeback::{Held, Span};
use migsaw::document::plan::PlanDocument;
use migsaw::document::quota::QuotasDocument;
use migsaw::geometry::Catalog;
use migsaw::plan::{Options, plan};
use migsaw::quota::quotas;
use migsaw::whatif::BasisPoints;
use migsaw_kube::collect::{Collected, Collector, Names};
use migsaw_kube::dump::{Dump, DumpError, DumpOptions, Reader, Source, TenureOptions, read_dump};

const EXAMPLE: &str = include_str!("../../../examples/dump.json");
const CLUSTER: &str = include_str!("data/cluster.json");
const MANIFESTS: &str = include_str!("data/manifests.yaml");

fn collected(texts: &[&str], names: Names<'_>) -> Collected {
    let mut collector = Collector::default();
    for text in texts {
        collector.add(&Source { name: "f", bytes: text.as_bytes(), optional: false });
    }
    collector.finish(names).unwrap()
}

fn read(texts: &[&str], running: bool) -> Dump {
    let sources: Vec<Source<'_>> =
        texts.iter().map(|text| Source { name: "f", bytes: text.as_bytes(), optional: false }).collect();
    read_dump(&sources, &Catalog::builtin(), &DumpOptions { running, ..DumpOptions::default() }).unwrap()
}

/// A text with the old names again. No old name looks like a new one.
fn with_old_names(text: &str, names: &BTreeMap<String, String>) -> String {
    let mut text = text.to_owned();
    for (old, new) in names {
        text = text.replace(new.as_str(), old);
    }
    text
}

fn planned(dump: &Dump) -> String {
    let plan = plan(&dump.problem, &Options::default()).unwrap();
    serde_json::to_string(&PlanDocument::new(&dump.problem, &plan)).unwrap()
}

const SETS: [&[&str]; 3] = [&[EXAMPLE], &[CLUSTER], &[CLUSTER, MANIFESTS]];

#[test]
fn what_is_collected_is_the_same_problem() {
    for texts in SETS {
        let less = collected(texts, Names::Kept);
        assert!(less.names.is_empty());
        for running in [false, true] {
            let (all, few) = (read(texts, running), read(&[&less.text], running));
            assert_eq!(few.problem, all.problem);
            let of_objects = |dump: &Dump| {
                let warnings = dump.warnings.iter().map(ToString::to_string);
                warnings.filter(|warning| !warning.contains("not read")).collect::<Vec<String>>()
            };
            assert_eq!(of_objects(&few), of_objects(&all));
        }
        assert_eq!(collected(&[&less.text], Names::Kept).text, less.text, "nothing more can be left out");
    }
}

#[test]
fn with_other_names_the_plan_is_the_same() {
    for texts in SETS {
        for names in [Names::Numbered, Names::Hashed("a key")] {
            let hidden = collected(texts, names);
            let (all, few) = (read(texts, true), read(&[&hidden.text], true));
            assert_eq!(with_old_names(&planned(&few), &hidden.names), planned(&all));
            for name in hidden.names.keys().filter(|name| name.len() > 3) {
                let quoted = format!("\"{name}\"");
                assert!(!hidden.text.contains(&quoted), "{name} can still be read");
            }
            assert_eq!(collected(texts, names), hidden);
        }
    }
    let with = |key| collected(&[EXAMPLE], Names::Hashed(key)).text;
    assert_ne!(with("one"), with("other"));
}

#[test]
fn a_workload_of_the_cluster_is_not_taken_for_a_manifest() {
    let deployment = |metadata: &str| {
        format!(
            r#"{{"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {{"name": "web", "namespace": "a"{metadata}}},
                "spec": {{"replicas": 2, "template": {{"spec": {{"containers": [
                    {{"resources": {{"limits": {{"nvidia.com/mig-1g.10gb": 1}}}}}}]}}}}}}}}"#
        )
    };
    for metadata in
        ["", r#", "uid": "u""#, r#", "resourceVersion": "7""#, r#", "creationTimestamp": "2026-01-01T00:00:00Z""#]
    {
        let text = deployment(metadata);
        let (all, few) =
            (read(&[&text, CLUSTER], false), read(&[&collected(&[&text, CLUSTER], Names::Kept).text], false));
        assert_eq!(few.problem, all.problem, "{metadata}");
        let less = collected(&[&text], Names::Kept).text;
        assert_eq!(less.contains("\"uid\":\"stored\""), !metadata.is_empty());
        assert!(!less.contains("2026"), "{less}");
    }
}

/// A namespace with pods that ask for CPU and memory in all ways, and quotas of best effort and not.
fn best_effort_and_not() -> String {
    let containers = |resources: &str| {
        format!(r#""containers": [{{"resources": {{{resources}, "limits": {{"nvidia.com/mig-1g.10gb": "1"}}}}}}]"#)
    };
    let asks = |requests: &str| containers(&format!(r#""requests": {{{requests}}}"#));
    let pods = [
        asks(""),
        asks(r#""cpu": "0""#),
        asks(r#""cpu": 0, "memory": "0Mi", "ephemeral-storage": "77Mi""#),
        asks(r#""cpu": "777m""#),
        asks(r#""memory": "some""#),
        asks(r#""cpu": null"#),
        format!(r#"{}, "initContainers": [{{"resources": {{"limits": {{"memory": "777Mi"}}}}}}]"#, asks("")),
        format!(r#"{}, "resources": {{"requests": {{"cpu": "777m"}}}}"#, asks("")),
    ];
    let pods = pods.iter().enumerate().map(|(index, spec)| {
        format!(r#"{{"kind": "Pod", "metadata": {{"name": "p{index}", "namespace": "team", "uid": "u{index}"}}, "spec": {{{spec}}}}}"#)
    });
    let deployment = format!(
        r#"{{"kind": "Deployment", "apiVersion": "apps/v1", "metadata": {{"name": "web", "namespace": "team"}},
            "spec": {{"replicas": 2, "template": {{"spec": {{{}}}}}}}}}"#,
        asks(r#""memory": "777Mi""#)
    );
    let idle = r#"{"kind": "Pod", "metadata": {"name": "idle", "namespace": "team"},
        "spec": {"containers": [{"resources": {"requests": {"cpu": "777m"}}}]}}"#;
    let quotas = [
        ("all", r#""hard": {"requests.nvidia.com/mig-1g.10gb": "7", "limits.nvidia.com/gpu": "1", "cpu": "777"}"#),
        ("best-effort", r#""hard": {"requests.nvidia.com/mig-1g.10gb": "3"}, "scopes": ["BestEffort"]"#),
        (
            "other",
            r#""hard": {"requests.nvidia.com/mig-1g.10gb": "4"},
               "scopeSelector": {"matchExpressions": [{"scopeName": "NotBestEffort", "operator": "Exists"}]}"#,
        ),
        ("by-class", r#""hard": {"gpu.nvidia.com.deviceclass.resource.k8s.io/devices": "1"}"#),
    ];
    let quotas = quotas.map(|(name, spec)| {
        format!(
            r#"{{"kind": "ResourceQuota", "metadata": {{"name": "{name}", "namespace": "team"}}, "spec": {{{spec}}}}}"#
        )
    });
    let node = r#"{"kind": "Node", "metadata": {"name": "a", "labels": {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3",
        "nvidia.com/gpu.count": "1", "nvidia.com/mig.strategy": "mixed"}}}"#;
    let items: Vec<String> = pods.chain(quotas).chain([deployment, idle.to_owned(), node.to_owned()]).collect();
    format!(r#"{{"apiVersion": "v1", "kind": "List", "items": [{}]}}"#, items.join(","))
}

#[test]
fn quotas_of_best_effort_judge_what_is_collected_alike() {
    let text = best_effort_and_not();
    let less = collected(&[&text], Names::Kept);
    assert!(!less.text.contains("777"), "how much CPU and memory is nobody's business: {}", less.text);
    assert!(!less.text.contains("idle"), "CPU alone is nothing that is read");
    assert_eq!(collected(&[&less.text], Names::Kept).text, less.text, "nothing more can be left out");
    let answer = |dump: &Dump| {
        let answer = quotas(&dump.problem, &Options::default()).unwrap();
        serde_json::to_string(&QuotasDocument::new(&dump.problem, &answer, BasisPoints::default(), &[])).unwrap()
    };
    let told = |dump: &Dump| dump.warnings.iter().map(ToString::to_string).collect::<Vec<String>>();
    for running in [false, true] {
        let (all, few) = (read(&[&text], running), read(&[&less.text], running));
        assert_eq!(few.problem, all.problem);
        assert_eq!(told(&few), told(&all));
        assert_eq!(answer(&few), answer(&all));
        // Pods 0, 1, 2 and 5 are of best effort: the others are 3, 4, 6, 7 and the Deployment's two.
        let asked = |name: &str| {
            let quota = all.problem.quotas.iter().find(|quota| quota.name == name).unwrap();
            let counted = all.problem.demands.iter().enumerate().filter(|(index, demand)| quota.counts(*index, demand));
            counted.map(|(_, demand)| demand.count).sum::<u64>()
        };
        assert_eq!(["all", "best-effort", "other"].map(asked), [10, 4, 6]);
    }
    let hidden = collected(&[&text], Names::Hashed("a key"));
    assert_eq!(with_old_names(&answer(&read(&[&hidden.text], false)), &hidden.names), answer(&read(&[&text], false)));
}

/// A node and pods on it, each with when it held what.
fn past() -> String {
    let node = r#"{"kind": "Node", "metadata": {"name": "n", "labels": {"nvidia.com/gpu.product": "NVIDIA-A30",
        "nvidia.com/gpu.count": "1", "nvidia.com/mig.strategy": "mixed"}},
        "status": {"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2001-01-01T00:00:00Z",
            "lastHeartbeatTime": "2023-11-14T23:30:00Z"}]}}"#;
    let scheduled = |minute: u32| {
        format!(
            r#""conditions": [{{"type": "Ready", "status": "False", "lastTransitionTime": "2002-01-01T00:00:00Z"}},
                {{"type": "PodScheduled", "status": "True", "lastTransitionTime": "2023-11-14T22:{minute:02}:00Z"}}]"#
        )
    };
    let finished = |minute: u32| {
        format!(
            r#""containerStatuses": [{{"name": "SECRET", "restartCount": 777, "lastState": {{"terminated": {{"finishedAt": "2003-01-01T00:00:00Z"}}}},
                "state": {{"terminated": {{"exitCode": 777, "startedAt": "2004-01-01T00:00:00Z", "finishedAt": "2023-11-14T22:{minute:02}:00Z"}}}}}}]"#
        )
    };
    let pod = |name: &str, more: &str, resource: &str, status: &str| {
        format!(
            r#"{{"kind": "Pod", "metadata": {{"name": "{name}", "namespace": "team", "uid": "u"{more}}}, "status": {{{status}}},
                "spec": {{"nodeName": "n", "containers": [{{"resources": {{"limits": {{"{resource}": "1"}}}}}}]}}}}"#
        )
    };
    let (small, large) = ("nvidia.com/mig-1g.6gb", "nvidia.com/mig-2g.12gb");
    let started = r#""startTime": "2023-11-14T22:20:00Z""#;
    let pods = [
        pod("ended", "", small, &format!(r#""phase": "Succeeded", {}, {}"#, scheduled(15), finished(30))),
        pod("failed", "", small, &format!(r#""phase": "Failed", {started}, {}"#, finished(25))),
        pod("refused", "", small, r#""phase": "Failed", "startTime": "2005-01-01T00:00:00Z""#),
        pod(
            "running",
            "",
            large,
            &format!(r#""phase": "Running", "startTime": "2006-01-01T00:00:00Z", {}"#, scheduled(35)),
        ),
        pod(
            "leaving",
            r#", "deletionTimestamp": "2023-11-14T23:00:00Z""#,
            small,
            &format!(r#""phase": "Running", {started}"#),
        ),
        pod("cpu", "", "cpu", r#""phase": "Running", "startTime": "2007-01-01T00:00:00Z""#),
    ];
    format!(r#"{{"apiVersion": "v1", "kind": "List", "items": [{node}, {}]}}"#, pods.join(","))
}

#[test]
fn what_pods_held_is_billed_alike() {
    let tenures = |text: &str| {
        let mut reader = Reader::default();
        reader.add(&Source { name: "dump", bytes: text.as_bytes(), optional: false });
        let (catalog, period) = (Catalog::builtin(), Span::new(1_699_999_200, 1_700_006_400));
        reader.tenures(&TenureOptions { catalog: &catalog, period, except: &BTreeSet::new(), label: None }).unwrap()
    };
    let (text, less) = (past(), collected(&[&past()], Names::Kept).text);
    let (all, few) = (tenures(&text), tenures(&less));
    assert_eq!(all.gpus[0].holdings.iter().filter(|holding| matches!(holding.held, Held::By(_))).count(), 4);
    assert_eq!((few.gpus, few.warnings, few.as_of), (all.gpus, all.warnings, all.as_of));
    for year in 2001..=2007 {
        assert!(!less.contains(&format!("{year}-01-01")), "no other time is kept: {less}");
    }
    assert!(!less.contains("SECRET") && !less.contains("777") && !less.contains("refused"), "{less}");
    assert_eq!(collected(&[&less], Names::Kept).text, less, "nothing more can be left out");
    let dump = |text: &str| read(&[text], true).problem;
    assert_eq!(dump(&less), dump(&text));
}

#[test]
fn what_is_nobodys_business_is_gone() {
    let pod = r#"{"apiVersion": "v1", "kind": "PodList", "items": [
        {"metadata": {"name": "p", "namespace": "a", "uid": "u", "managedFields": [{"manager": "SECRET"}],
            "annotations": {"x": "SECRET", "migsaw.io/together": "gpu"}, "labels": {"note": "SECRET"}},
         "spec": {"containers": [{"name": "SECRET", "image": "SECRET", "command": ["SECRET"],
            "env": [{"name": "A", "value": "SECRET"}], "resources": {"limits": {"nvidia.com/mig-1g.10gb": "1", "cpu": "77"}}}],
            "volumes": [{"name": "SECRET"}], "serviceAccountName": "SECRET"}},
        {"metadata": {"name": "cpu-only", "namespace": "a"}, "spec": {"containers": [{}]}},
        {"metadata": {"name": "ended", "namespace": "a"}, "status": {"phase": "Succeeded"},
         "spec": {"containers": [{"resources": {"limits": {"nvidia.com/mig-1g.10gb": "1"}}}]}}]}
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "SECRET"}}
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other"}, "data": {"config.yaml": "SECRET: 1"}}"#;
    let found = collected(&[pod], Names::Kept);
    assert!(!found.text.contains("SECRET") && !found.text.contains("77"), "{}", found.text);
    assert!(found.text.contains("migsaw.io/together"));
    assert_eq!(found.kinds, BTreeMap::from([("Pod".to_owned(), 1)]));
    let left_out = [("ConfigMap", 1), ("Pod", 2), ("Secret", 1)];
    assert_eq!(found.left_out, left_out.map(|(kind, n)| (kind.to_owned(), n)).into());
}

#[test]
fn what_cannot_be_read_is_said_as_for_a_dump() {
    for text in ["{\"kind\": ", "", "just text", "{\"no\": 1}", "a: [", "{\"kind\":\"List\",\"items\":[5]}"] {
        let source = Source { name: "f", bytes: text.as_bytes(), optional: false };
        let mut collector = Collector::default();
        collector.add(&source);
        let codes = collector.finish(Names::Kept).unwrap_err().0.iter().map(DumpError::code).collect::<Vec<_>>();
        assert_eq!(codes.len(), 1, "{text}: {codes:?}");
        let of_dump = read_dump(&[source], &Catalog::builtin(), &DumpOptions::default());
        assert!(of_dump.is_err() || codes == ["no-kubernetes-object"], "{text}");
    }
}
