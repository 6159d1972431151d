//! What kube-scheduler would not start with.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Finding;
use super::config::Config;

const API_VERSION: &str = "kubescheduler.config.k8s.io/v1";

/// The members of an extender's entry, by kube-scheduler's `Extender`, `ExtenderTLSConfig` and
/// `ExtenderManagedResource` (`k8s.io/kube-scheduler/config/v1/types.go`, v1.36).
const OF_EXTENDER: [&str; 12] = [
    "urlPrefix",
    "filterVerb",
    "preemptVerb",
    "prioritizeVerb",
    "weight",
    "bindVerb",
    "enableHTTPS",
    "tlsConfig",
    "httpTimeout",
    "nodeCacheCapable",
    "managedResources",
    "ignorable",
];
const OF_TLS: [&str; 8] = ["insecure", "serverName", "certFile", "keyFile", "caFile", "certData", "keyData", "caData"];
const OF_MANAGED: [&str; 2] = ["name", "ignoredByScheduler"];

/// The units of Go's durations.
const UNITS: [&str; 8] = ["ns", "us", "µs", "μs", "ms", "s", "m", "h"];

/// Looks at a configuration, and at the same as it is written.
pub(super) fn check(config: &Config, written: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    if config.api_version != API_VERSION {
        let found = format!("`{}`: kube-scheduler does not read it", config.api_version);
        findings.push(Finding::problem("apiVersion", found, format!("apiVersion: {API_VERSION}")));
    }
    let unknown = unknown(written);
    if !unknown.is_empty() {
        let found = format!("kube-scheduler refuses a file with {}", unknown.join(", "));
        findings.push(Finding::problem("members", found, "docs/scheduler.md has all that an entry needs"));
    }
    for extender in &config.extenders {
        let timeout = &extender.http_timeout;
        if !timeout.is_null() && !timeout.as_str().is_some_and(is_duration) {
            let found = format!("{timeout} is no duration with a unit");
            findings.push(Finding::problem("httpTimeout", found, "httpTimeout: 2s"));
        }
    }
    findings.extend(managed_twice(config));
    findings
}

/// Members that no extender has.
fn unknown(written: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for (at, extender) in list(&written["extenders"]).iter().enumerate() {
        let place = format!("extenders[{at}]");
        note(extender, &OF_EXTENDER, &place, &mut found);
        note(&extender["tlsConfig"], &OF_TLS, &format!("{place}.tlsConfig"), &mut found);
        for (at, managed) in list(&extender["managedResources"]).iter().enumerate() {
            note(managed, &OF_MANAGED, &format!("{place}.managedResources[{at}]"), &mut found);
        }
    }
    found
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn note(object: &Value, known: &[&str], place: &str, found: &mut Vec<String>) {
    let members = object.as_object().into_iter().flat_map(|members| members.keys());
    found.extend(members.filter(|name| !known.contains(&name.as_str())).map(|name| format!("`{place}.{name}`")));
}

/// A resource may be managed by one extender only, and once.
fn managed_twice(config: &Config) -> Option<Finding> {
    let mut by: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for extender in &config.extenders {
        for managed in &extender.managed_resources {
            by.entry(&managed.name).or_default().push(&extender.url_prefix);
        }
    }
    by.retain(|_, by| by.len() > 1);
    let (name, first) = by.first_key_value()?;
    let first: BTreeSet<&str> = first.iter().copied().collect();
    let first: Vec<&str> = first.into_iter().collect();
    let more = if by.len() > 1 { format!(" and {} more", by.len() - 1) } else { String::new() };
    let found = format!("kube-scheduler refuses {name}{more}: there more than once, by {}", first.join(", "));
    Some(Finding::problem("managedResources", found, "each resource once, in one extender's entry"))
}

/// Whether Go reads it as a duration (`time.ParseDuration`).
fn is_duration(text: &str) -> bool {
    let mut rest = text.trim_start_matches(['+', '-']);
    if text.len() - rest.len() > 1 || rest.is_empty() {
        return false;
    }
    if rest == "0" {
        return true;
    }
    while !rest.is_empty() {
        let unit = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let number = &rest[..rest.len() - unit.len()];
        let next = unit.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(unit.len());
        let is_number = number.matches('.').count() <= 1 && number.contains(|c: char| c.is_ascii_digit());
        if !is_number || !UNITS.contains(&&unit[..next]) {
            return false;
        }
        rest = &unit[next..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_as_go_reads_them() {
        for text in ["2s", "500ms", "1m30s", "1.5s", ".5h", "0", "-1s", "3µs"] {
            assert!(is_duration(text), "{text}");
        }
        for text in ["", "2", "s", "2 s", "2d", "1.2.3s", "--1s", "1s2", "."] {
            assert!(!is_duration(text), "{text}");
        }
    }
}
