//! The scheduler's configuration: what would go wrong with it.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Result;
use migsaw::geometry::{Catalog, ProfileName};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::tls::{Tls, Trouble};
use super::verbs::is_local;
use super::{Finding, refused};
use crate::failure::{Failure, Problem};
use crate::input;
use crate::io::Io;

/// Of a `KubeSchedulerConfiguration` what matters for extenders.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Config {
    #[serde(deserialize_with = "nullable")]
    pub(super) api_version: String,
    #[serde(deserialize_with = "nullable")]
    kind: String,
    percentage_of_nodes_to_score: Option<u32>,
    #[serde(deserialize_with = "nullable")]
    profiles: Vec<Profile>,
    #[serde(deserialize_with = "nullable")]
    pub(super) extenders: Vec<Extender>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Profile {
    scheduler_name: Option<String>,
    percentage_of_nodes_to_score: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Extender {
    #[serde(deserialize_with = "nullable")]
    pub(super) url_prefix: String,
    #[serde(deserialize_with = "nullable")]
    filter_verb: String,
    #[serde(deserialize_with = "nullable")]
    prioritize_verb: String,
    #[serde(deserialize_with = "nullable")]
    preempt_verb: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) bind_verb: String,
    #[serde(deserialize_with = "nullable")]
    weight: i64,
    pub(super) http_timeout: Value,
    #[serde(deserialize_with = "nullable")]
    node_cache_capable: bool,
    #[serde(deserialize_with = "nullable")]
    ignorable: bool,
    #[serde(rename = "enableHTTPS", deserialize_with = "nullable")]
    enable_https: bool,
    pub(super) tls_config: Option<Tls>,
    #[serde(deserialize_with = "nullable")]
    pub(super) managed_resources: Vec<Managed>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Managed {
    #[serde(deserialize_with = "nullable")]
    pub(super) name: String,
    #[serde(deserialize_with = "nullable")]
    ignored_by_scheduler: bool,
}

/// What is `null` counts as not given, as in Go.
pub(super) fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

/// How many profiles are named of those that are missing.
const MOST_NAMED: usize = 6;
/// Far more than any has.
const MOST_BYTES: u64 = 4 << 20;

/// Looks at the entry for this address, or for the one extender there is, and gives it back.
pub(super) fn check(path: &Path, url: Option<&str>, io: &mut Io<'_>) -> Result<(Vec<Finding>, Option<Extender>)> {
    let read = input::read(path, "a KubeSchedulerConfiguration", MOST_BYTES, io)?;
    let file = path.to_string_lossy();
    let wrong = |error: serde_saphyr::Error| Problem::new("scheduler-config", error.to_string()).in_file(&file);
    let mut config: Config = serde_saphyr::from_slice(&read.bytes).map_err(|error| Failure::from(wrong(error)))?;
    let written: Value = serde_saphyr::from_slice(&read.bytes).map_err(|error| Failure::from(wrong(error)))?;
    if config.kind != "KubeSchedulerConfiguration" {
        let message = format!("it is a `{}` (expected a KubeSchedulerConfiguration)", config.kind);
        return Err(Failure::from(Problem::new("scheduler-config", message).in_file(&file)).into());
    }
    let mut findings = refused::check(&config, &written);
    let asks_for = |extender: &Extender| {
        url.is_none_or(|url| extender.url_prefix.trim_end_matches('/') == url.trim_end_matches('/'))
    };
    let places: Vec<usize> = (0..config.extenders.len()).filter(|&at| asks_for(&config.extenders[at])).collect();
    let [place] = places[..] else {
        let found = format!("{} of its {} extenders could be meant", places.len(), config.extenders.len());
        findings.push(Finding::problem("extenders", found, "--url has to be its urlPrefix"));
        return Ok((findings, None));
    };
    let entry = &config.extenders[place];
    findings.extend([verbs(entry), transport(entry)]);
    findings.extend(certificate(entry));
    findings.extend([names(entry), counted(entry), cached(entry), sampled(&config)]);
    findings.extend(asked_after(&config.extenders, place));
    if entry.ignorable {
        let found = "an extender that is away is passed over: pods go anywhere meanwhile";
        findings.push(Finding::warning("ignorable", found, "ignorable: false, and two replicas"));
    }
    if !entry.bind_verb.is_empty() && entry.ignorable {
        let found = "with bindVerb a pod is bound all the same where binding was refused";
        findings.push(Finding::problem("bindVerb", found, "ignorable: false"));
    }
    Ok((findings, Some(config.extenders.swap_remove(place))))
}

/// The extender that would turn nodes of the shortlist away, if there is one. Those that are ignorable are asked last.
fn asked_after(extenders: &[Extender], place: usize) -> Option<Finding> {
    let entry = &extenders[place];
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
    let mut wrong: Vec<String> = wanted
        .iter()
        .filter(|(_, found, verb)| found.as_str() != *verb)
        .map(|(member, found, verb)| format!("{member} is `{found}`, expected `{verb}`"))
        .collect();
    if !["", "bind"].contains(&entry.bind_verb.as_str()) {
        wrong.push(format!("bindVerb is `{}`, expected `bind` or none", entry.bind_verb));
    }
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
        Some(tls) => match tls.ca() {
            Some(Ok(_)) => Finding::ok("tlsConfig", "the extender's certificate is checked against its CA"),
            Some(Err(trouble)) => trouble.finding("the CA of the extender's certificate: caData, base64 of PEM"),
            None => unchecked(entry),
        },
        None => unchecked(entry),
    }
}

fn unchecked(entry: &Extender) -> Finding {
    if entry.enable_https {
        Finding::problem("tlsConfig", "enableHTTPS without a CA checks nothing", "tlsConfig.caData: the CA, base64")
    } else {
        Finding::problem("tlsConfig", "there is no CA", "enableHTTPS: true and tlsConfig.caData: the CA, base64")
    }
}

/// What is wrong with the scheduler's own certificate, if it has one.
fn certificate(entry: &Extender) -> Option<Finding> {
    let trouble: Trouble = entry.tls_config.as_ref()?.identity()?.err()?;
    Some(trouble.finding("certFile and keyFile, PEM"))
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

/// A profile's own percentage goes before the one for all.
fn sampled(config: &Config) -> Finding {
    let shown = |percent: Option<u32>| percent.map_or("not set".to_owned(), |percent| percent.to_string());
    let for_all = config.percentage_of_nodes_to_score;
    let each: Vec<(&str, Option<u32>)> = config
        .profiles
        .iter()
        .map(|profile| {
            let name = profile.scheduler_name.as_deref().unwrap_or("default-scheduler");
            (name, profile.percentage_of_nodes_to_score.or(for_all))
        })
        .collect();
    let of_all: Vec<&str> = each.iter().filter(|(_, percent)| *percent == Some(100)).map(|(name, _)| *name).collect();
    let is_whole = if each.is_empty() { for_all == Some(100) } else { of_all.len() == each.len() };
    if is_whole {
        return Finding::ok("percentageOfNodesToScore", "100: the best of all nodes is found");
    }
    if !of_all.is_empty() {
        let found = format!("100 for pods of {}: of those the best of all nodes is found", of_all.join(", "));
        return Finding::ok("percentageOfNodesToScore", found);
    }
    let found = match &each[..] {
        [] => shown(for_all),
        each => {
            let each: Vec<String> =
                each.iter().map(|(name, percent)| format!("{} for {name}", shown(*percent))).collect();
            each.join(", ")
        }
    };
    let found = format!("{found}: in clusters of more than 100 nodes only a sample is offered");
    Finding::warning("percentageOfNodesToScore", found, "percentageOfNodesToScore: 100")
}
