//! The scheduler's configuration: what would go wrong with it.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use migsaw::geometry::{Catalog, ProfileName};
use serde::Deserialize;

use super::Finding;
use super::verbs::is_local;
use crate::failure::{Failure, Problem};
use crate::input;
use crate::io::Io;

/// Of a `KubeSchedulerConfiguration` what matters for extenders. The scheduler itself refuses unknown members.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Config {
    kind: String,
    percentage_of_nodes_to_score: Option<u32>,
    extenders: Vec<Extender>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Extender {
    url_prefix: String,
    filter_verb: String,
    prioritize_verb: String,
    preempt_verb: String,
    bind_verb: String,
    weight: i64,
    node_cache_capable: bool,
    ignorable: bool,
    #[serde(rename = "enableHTTPS")]
    enable_https: bool,
    tls_config: Option<Tls>,
    managed_resources: Vec<Managed>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Tls {
    insecure: bool,
    ca_file: String,
    ca_data: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Managed {
    name: String,
    ignored_by_scheduler: bool,
}

/// How many profiles are named of those that are missing.
const MOST_NAMED: usize = 6;
/// Far more than any has.
const MOST_BYTES: u64 = 4 << 20;

/// Looks at the entry for this address, or for the one extender there is.
pub(super) fn check(path: &Path, url: Option<&str>, io: &mut Io<'_>) -> Result<Vec<Finding>> {
    let read = input::read(path, "a KubeSchedulerConfiguration", MOST_BYTES, io)?;
    let file = path.to_string_lossy();
    let config: Config = serde_saphyr::from_slice(&read.bytes)
        .map_err(|error| Failure::from(Problem::new("scheduler-config", error.to_string()).in_file(&file)))?;
    if config.kind != "KubeSchedulerConfiguration" {
        let message = format!("it is a `{}` (expected a KubeSchedulerConfiguration)", config.kind);
        return Err(Failure::from(Problem::new("scheduler-config", message).in_file(&file)).into());
    }
    let asks_for = |extender: &&Extender| {
        url.is_none_or(|url| extender.url_prefix.trim_end_matches('/') == url.trim_end_matches('/'))
    };
    let entries: Vec<&Extender> = config.extenders.iter().filter(asks_for).collect();
    let [entry] = entries[..] else {
        let found = format!("{} of its {} extenders could be meant", entries.len(), config.extenders.len());
        return Ok(vec![Finding::problem("extenders", found, "--url has to be its urlPrefix")]);
    };
    let mut findings =
        vec![verbs(entry), transport(entry), names(entry), counted(entry), cached(entry), sampled(&config)];
    findings.extend(asked_after(&config.extenders, entry));
    if entry.ignorable {
        let found = "an extender that is away is passed over: pods go anywhere meanwhile";
        findings.push(Finding::warning("ignorable", found, "ignorable: false, and two replicas"));
    }
    if !entry.bind_verb.is_empty() && entry.ignorable {
        let found = "with bindVerb a pod is bound all the same where binding was refused";
        findings.push(Finding::problem("bindVerb", found, "ignorable: false"));
    }
    Ok(findings)
}

/// The extender that would turn nodes of the shortlist away, if there is one. Those that are ignorable are asked last.
fn asked_after(extenders: &[Extender], entry: &Extender) -> Option<Finding> {
    let place = extenders.iter().position(|extender| std::ptr::eq(extender, entry))?;
    let mut others = extenders.iter().enumerate().filter(|(_, other)| !other.filter_verb.is_empty());
    let (_, other) = others.find(|(at, other)| (other.ignorable, *at) > (entry.ignorable, place))?;
    let found = format!("{} filters after it, of its shortlist only", other.url_prefix);
    Some(Finding::warning("extenders", found, "migsaw's entry last, or serve with --shortlist 0"))
}

fn verbs(entry: &Extender) -> Finding {
    let wanted = [
        ("filterVerb", &entry.filter_verb, "filter"),
        ("prioritizeVerb", &entry.prioritize_verb, "prioritize"),
        ("preemptVerb", &entry.preempt_verb, "preempt"),
    ];
    let wrong: Vec<String> = wanted
        .iter()
        .filter(|(_, found, verb)| found.as_str() != *verb)
        .map(|(member, found, verb)| format!("{member} is `{found}`, expected `{verb}`"))
        .collect();
    match wrong.is_empty() {
        true if entry.weight >= 1 => {
            Finding::ok("verbs", format!("filter, prioritize and preempt, weight {}", entry.weight))
        }
        true => Finding::problem("verbs", "prioritizeVerb without a weight", "weight: 5"),
        false => Finding::problem("verbs", wrong.join("; "), "docs/scheduler.md has the whole entry"),
    }
}

fn transport(entry: &Extender) -> Finding {
    if !entry.url_prefix.starts_with("https://") {
        return if is_local(&entry.url_prefix) {
            Finding::ok("tlsConfig", "plain HTTP on this machine")
        } else {
            let help = "urlPrefix: https://…, enableHTTPS and caData";
            Finding::problem("tlsConfig", "plain HTTP to another machine", help)
        };
    }
    match &entry.tls_config {
        Some(tls) if tls.insecure => {
            Finding::problem("tlsConfig", "insecure: nothing is checked", "take it out, give caData")
        }
        Some(tls) if !tls.ca_data.is_empty() || !tls.ca_file.is_empty() => {
            Finding::ok("tlsConfig", "the extender's certificate is checked")
        }
        _ if entry.enable_https => {
            Finding::problem("tlsConfig", "enableHTTPS without a CA checks nothing", "tlsConfig.caData: the CA, base64")
        }
        _ => Finding::problem("tlsConfig", "there is no CA", "enableHTTPS: true and tlsConfig.caData: the CA, base64"),
    }
}

/// Whether every profile that a GPU may have is managed.
fn names(entry: &Extender) -> Finding {
    let managed: BTreeSet<&str> = entry.managed_resources.iter().map(|managed| managed.name.as_str()).collect();
    if managed.is_empty() {
        let found = "there are none: the extender is asked about every pod, its own too, so that none of its replicas comes back when all are away";
        return Finding::problem("managedResources", found, "deploy/scheduler/kubeadm.yaml has the list");
    }
    let catalog = Catalog::builtin();
    let profiles: BTreeSet<ProfileName> =
        catalog.models().flat_map(|model| model.profiles.iter().map(|profile| profile.name.clone())).collect();
    let resources = profiles.iter().map(ProfileName::resource);
    let missing: Vec<String> = resources.filter(|resource| !managed.contains(resource.as_str())).collect();
    if missing.is_empty() {
        return Finding::ok("managedResources", format!("all {} profiles that are known", profiles.len()));
    }
    let some = missing.iter().take(MOST_NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    let more = if missing.len() > MOST_NAMED { ", …" } else { "" };
    let found = format!("{} of {} profiles are missing: {some}{more}", missing.len(), profiles.len());
    Finding::warning("managedResources", found, "pods that ask for these are placed without it")
}

fn counted(entry: &Extender) -> Finding {
    let ignored = entry.managed_resources.iter().filter(|managed| managed.ignored_by_scheduler).count();
    match ignored {
        0 => Finding::ok("ignoredByScheduler", "the scheduler counts slices itself, and can preempt for them"),
        n => Finding::problem(
            "ignoredByScheduler",
            format!("true for {n}: the scheduler does not count these, and never preempts for them"),
            "ignoredByScheduler: false; else serve needs --ignored-by-scheduler",
        ),
    }
}

fn cached(entry: &Extender) -> Finding {
    if entry.node_cache_capable {
        return Finding::ok("nodeCacheCapable", "nodes are named, not sent");
    }
    let found = "whole nodes are sent: slow, and the scheduler's own scores then take all nodes for empty";
    Finding::warning("nodeCacheCapable", found, "nodeCacheCapable: true")
}

fn sampled(config: &Config) -> Finding {
    match config.percentage_of_nodes_to_score {
        Some(100) => Finding::ok("percentageOfNodesToScore", "100: the best of all nodes is found"),
        other => {
            let found = other.map_or("not set".to_owned(), |percent| percent.to_string());
            let found = format!("{found}: in clusters of more than 100 nodes only a sample is offered");
            Finding::warning("percentageOfNodesToScore", found, "percentageOfNodesToScore: 100")
        }
    }
}
