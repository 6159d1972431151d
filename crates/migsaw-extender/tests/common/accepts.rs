//! Which answers kube-scheduler accepts: what it treats as an error, or would misunderstand, is refused here.

use std::collections::BTreeSet;

use migsaw_extender::SHORTLIST;
use migsaw_extender::service::Verb;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Whether an answer to a request is one that the scheduler takes for what it means, or why not.
pub(crate) fn check(verb: Verb, request: &str, answer: &str) -> Result<(), String> {
    let asked: Value = serde_json::from_str(request).map_err(|error| error.to_string())?;
    let said: Value = serde_json::from_str(answer).map_err(|error| format!("no JSON: {error}"))?;
    match verb {
        Verb::Filter => filter(&asked, &said).and_then(|()| nodes_as_they_came(request, answer)),
        Verb::Prioritize => prioritize(&asked, &said),
        Verb::Preempt => preempt(&asked, &said),
        Verb::Bind => members(&said, &["Error"]).and_then(|said| text(said, "Error").map(drop)),
    }
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise()) }
}

/// Every node kept, failed or left out, once; in the form in which the nodes came; nothing beside an error.
fn filter(asked: &Value, said: &Value) -> Result<(), String> {
    let said = members(said, &["Nodes", "NodeNames", "FailedNodes", "FailedAndUnresolvableNodes", "Error"])?;
    let (offered, is_whole) = offered(asked);
    let kept: Vec<String> = match (said.get("NodeNames"), said.get("Nodes")) {
        (Some(names), None) if !is_whole => strings(names)?,
        (None, Some(nodes)) if is_whole => {
            let items = nodes["items"].as_array().ok_or("Nodes without items")?;
            items
                .iter()
                .map(|node| Ok(node["metadata"]["name"].as_str().ok_or("a node without name")?.to_owned()))
                .collect::<Result<_, String>>()?
        }
        (None, None) if !text(said, "Error")?.is_empty() => Vec::new(),
        _ => return Err("the nodes are not in the form of the request, or in both forms".to_owned()),
    };
    let mut seen = BTreeSet::new();
    let mut failed = 0;
    for map in ["FailedNodes", "FailedAndUnresolvableNodes"] {
        for (name, sentence) in said.get(map).and_then(Value::as_object).into_iter().flatten() {
            ensure(sentence.as_str().is_some_and(|text| !text.is_empty()), || format!("{name} fails without a word"))?;
            ensure(offered.contains(name), || format!("{name} fails and was not offered"))?;
            ensure(seen.insert(name.clone()), || format!("{name} fails twice"))?;
            failed += 1;
        }
    }
    if !text(said, "Error")?.is_empty() {
        return ensure(kept.is_empty() && failed == 0, || "an error beside an answer".to_owned());
    }
    for name in &kept {
        ensure(offered.contains(name), || format!("{name} is kept and was not offered"))?;
        ensure(seen.insert(name.clone()), || format!("{name} is kept twice, or has failed"))?;
    }
    // With a full shortlist others may have been left out.
    let all = kept.len() + failed == offered.len() || kept.len() == SHORTLIST;
    ensure(all, || format!("{offered:?} are not all accounted for"))?;
    let order: Vec<&String> = offered.iter().filter(|name| kept.contains(name)).collect();
    ensure(order.iter().copied().eq(&kept), || "kept nodes are in another order".to_owned())
}

/// Whole nodes have the bytes they came with.
fn nodes_as_they_came(request: &str, answer: &str) -> Result<(), String> {
    let (came, went) = (raw(request)?, raw(answer)?);
    let known: BTreeSet<&str> = came.iter().map(|node| node.get()).collect();
    went.iter().try_for_each(|node| ensure(known.contains(node.get()), || format!("another node: {node}")))
}

fn raw(body: &str) -> Result<Vec<&RawValue>, String> {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow, default, rename = "Nodes", alias = "nodes")]
        nodes: Option<List<'a>>,
    }
    #[derive(Deserialize)]
    struct List<'a> {
        #[serde(borrow)]
        items: Option<Vec<&'a RawValue>>,
    }
    let body: Body<'_> = serde_json::from_str(body).map_err(|error| error.to_string())?;
    Ok(body.nodes.and_then(|nodes| nodes.items).unwrap_or_default())
}

/// A bare list with every node offered once, each with a whole number from 0 to 10.
fn prioritize(asked: &Value, said: &Value) -> Result<(), String> {
    let scores = said.as_array().ok_or("no bare list")?;
    let mut hosts = Vec::new();
    for score in scores {
        let score = members(score, &["Host", "Score"])?;
        hosts.push(text(score, "Host")?.to_owned());
        let number = score.get("Score").and_then(Value::as_i64).ok_or("a score that is no integer")?;
        ensure((0..=10).contains(&number), || format!("a score of {number}"))?;
    }
    let has_pod = member(asked, "Pod").is_some();
    ensure(hosts == offered(asked).0 || !has_pod && hosts.is_empty(), || format!("other hosts: {hosts:?}"))
}

/// Victims by UID, of those proposed for that node and at least one, with no more violations than victims.
fn preempt(asked: &Value, said: &Value) -> Result<(), String> {
    let said = members(said, &["NodeNameToMetaVictims"])?;
    let said = said.get("NodeNameToMetaVictims").and_then(Value::as_object).ok_or("no map of victims")?;
    for (node, victims) in said {
        let proposed = proposed(asked, node).ok_or_else(|| format!("{node} was not proposed"))?;
        let victims = members(victims, &["Pods", "NumPDBViolations"])?;
        let pods = victims.get("Pods").and_then(Value::as_array).ok_or("no list of pods")?;
        let uids: Vec<String> = pods
            .iter()
            .map(|pod| members(pod, &["UID"]).and_then(|pod| Ok(text(pod, "UID")?.to_owned())))
            .collect::<Result<_, _>>()?;
        ensure(!uids.is_empty(), || format!("{node} has no victim"))?;
        ensure(uids.iter().all(|uid| !uid.is_empty()), || format!("{node} has a victim without UID"))?;
        let in_order = proposed.iter().filter(|uid| uids.contains(uid));
        ensure(in_order.eq(&uids), || format!("{uids:?} on {node} are not a part of {proposed:?}"))?;
        let violations = victims.get("NumPDBViolations").and_then(Value::as_u64).ok_or("odd NumPDBViolations")?;
        ensure(violations <= uids.len() as u64, || format!("{violations} violations on {node}"))?;
    }
    Ok(())
}

/// The UIDs proposed for a node.
fn proposed(asked: &Value, node: &str) -> Option<Vec<String>> {
    let (whole, meta) = (member(asked, "NodeNameToVictims"), member(asked, "NodeNameToMetaVictims"));
    let uid_of_meta = |pod: &Value| member(pod, "UID").and_then(Value::as_str).map(str::to_owned);
    let uid_of_pod = |pod: &Value| pod["metadata"]["uid"].as_str().map(str::to_owned);
    let of = |victims: &Value, uid: &dyn Fn(&Value) -> Option<String>| {
        let pods = member(victims, "Pods").and_then(Value::as_array).cloned().unwrap_or_default();
        pods.iter().map(|pod| uid(pod).unwrap_or_default()).collect()
    };
    let in_meta = meta.and_then(|nodes| nodes.get(node)).map(|victims| of(victims, &uid_of_meta));
    in_meta.or_else(|| whole.and_then(|nodes| nodes.get(node)).map(|victims| of(victims, &uid_of_pod)))
}

/// The nodes offered, and whether they came whole.
pub(crate) fn offered(asked: &Value) -> (Vec<String>, bool) {
    if let Some(names) = member(asked, "NodeNames") {
        return (strings(names).unwrap_or_default(), false);
    }
    let Some(items) = member(asked, "Nodes").and_then(|nodes| nodes["items"].as_array()) else {
        return (Vec::new(), false);
    };
    (items.iter().map(|node| node["metadata"]["name"].as_str().unwrap_or_default().to_owned()).collect(), true)
}

/// A member under its Go name or that in lower case, if it is not null.
fn member<'v>(value: &'v Value, name: &str) -> Option<&'v Value> {
    let members = value.as_object()?;
    members.iter().find(|(key, value)| key.eq_ignore_ascii_case(name) && !value.is_null()).map(|(_, value)| value)
}

/// The members of an object that has no others than these.
fn members<'v>(value: &'v Value, known: &[&str]) -> Result<&'v Map<String, Value>, String> {
    let members = value.as_object().ok_or_else(|| format!("no object: {value}"))?;
    let other = members.keys().find(|key| !known.contains(&key.as_str()));
    other.map_or(Ok(members), |key| Err(format!("an unknown member {key}")))
}

fn text<'v>(members: &'v Map<String, Value>, name: &str) -> Result<&'v str, String> {
    members.get(name).map_or(Ok(""), |value| value.as_str().ok_or_else(|| format!("{name} is no text")))
}

fn strings(value: &Value) -> Result<Vec<String>, String> {
    serde_json::from_value(value.clone()).map_err(|error| error.to_string())
}
