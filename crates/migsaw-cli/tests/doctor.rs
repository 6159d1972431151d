//! What `migsaw doctor` says of a scheduler's configuration.

#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use std::path::Path;

use common::{file, migsaw};
use serde_json::Value;

const URL: &str = "http://127.0.0.1:1";

fn shipped() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/scheduler/kubeadm.yaml");
    std::fs::read_to_string(path).unwrap()
}

/// The verdicts on a configuration by what they are about, those that are `ok` left out.
fn findings(config: &str, more: &[&str]) -> Vec<(String, String)> {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "scheduler.yaml", config);
    let ran = migsaw(&[&["doctor", "-o", "json", "--scheduler-config", &path], more].concat());
    let report: Value = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    let text = |finding: &Value, member: &str| finding[member].as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    let findings = findings.map(|finding| (text(finding, "about"), text(finding, "verdict")));
    findings.filter(|(_, verdict)| verdict != "ok").collect()
}

#[test]
fn the_configuration_that_is_shipped_is_as_it_should_be() {
    assert_eq!(findings(&shipped(), &[]), []);
}

#[test]
fn each_setting_that_hurts_is_named() {
    let check = |from: &str, to: &str, about: &str, verdict: &str| {
        let config = shipped();
        assert!(config.contains(from), "{from}");
        assert_eq!(findings(&config.replace(from, to), &[]), [(about.to_owned(), verdict.to_owned())], "{to}");
    };
    check("filterVerb: filter", "filterVerb: Filter", "verbs", "problem");
    check("preemptVerb: preempt", "# none", "verbs", "problem");
    check("weight: 5", "weight: 0", "verbs", "problem");
    check("https://SERVICE_IP:443", "http://10.96.0.20:80", "tlsConfig", "problem");
    check("caData: CA_DATA", "insecure: true", "tlsConfig", "problem");
    check("caData: CA_DATA", "# no CA", "tlsConfig", "problem");
    check("{name: nvidia.com/mig-1g.10gb, ", "{name: example.com/x, ", "managedResources", "warning");
    check(
        "mig-1g.10gb, ignoredByScheduler: false",
        "mig-1g.10gb, ignoredByScheduler: true",
        "ignoredByScheduler",
        "problem",
    );
    check("nodeCacheCapable: true", "nodeCacheCapable: false", "nodeCacheCapable", "warning");
    check("percentageOfNodesToScore: 100", "# default", "percentageOfNodesToScore", "warning");
    check("ignorable: false", "ignorable: true", "ignorable", "warning");
}

#[test]
fn an_extender_that_sees_only_the_shortlist_is_named() {
    let ours = shipped().replace("https://SERVICE_IP:443", URL).replace("  enableHTTPS: true\n", "");
    let other = |filters: &str, more: &str| format!("- urlPrefix: http://127.0.0.1:2\n{filters}{more}");
    let with = |before: &str, after: &str| {
        let config = ours.replace("extenders:\n", &format!("extenders:\n{before}")) + after;
        let found = findings(&config, &["--url", URL]);
        found.iter().any(|(about, verdict)| about == "extenders" && verdict == "warning")
    };
    let filters = "  filterVerb: filter\n";
    assert!(!with("", ""));
    assert!(with("", &other(filters, "")), "after it");
    assert!(!with("", &other("  prioritizeVerb: prioritize\n  weight: 1\n", "")), "it only scores");
    assert!(!with(&other(filters, ""), ""), "before it");
    assert!(with(&other(filters, "  ignorable: true\n"), ""), "ignorable ones come last");
}
