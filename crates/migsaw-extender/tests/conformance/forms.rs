//! The forms a body may have: Go names or lower case, `null` or missing, members that are not known.

use migsaw_extender::Settings;
use migsaw_extender::service::{Answers, Outcome, Verb};
use migsaw_extender::wire::BindArgs;
use serde_json::{Map, Value, json};

use super::{cluster, json as recorded_json, recorded, requests};

/// What names the members of bodies bear, outside pods and nodes.
const OUTER: [&str; 9] = [
    "Pod",
    "Nodes",
    "NodeNames",
    "NodeNameToVictims",
    "NodeNameToMetaVictims",
    "Pods",
    "UID",
    "NumPDBViolations",
    "Node",
];

/// A body with other names for its members, on all levels but those of Kubernetes objects.
fn renamed(value: &Value, name: &dyn Fn(&str) -> String) -> Value {
    let Value::Object(members) = value else {
        return match value {
            Value::Array(items) => items.iter().map(|item| renamed(item, name)).collect(),
            other => other.clone(),
        };
    };
    if members.contains_key("metadata") {
        return value.clone();
    }
    let rename = |key: &String| if OUTER.contains(&key.as_str()) { name(key) } else { key.clone() };
    Value::Object(members.iter().map(|(key, value)| (rename(key), renamed(value, name))).collect())
}

fn lower_camel(name: &str) -> String {
    match name {
        "UID" => "uid".to_owned(),
        "NumPDBViolations" => "numPDBViolations".to_owned(),
        name => name[..1].to_lowercase() + &name[1..],
    }
}

fn without_nulls(mut body: Value) -> Value {
    body.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    body
}

fn with_unknown_members(mut body: Value) -> Value {
    let more = json!({"apiVersion": "v1", "kind": "ExtenderArgs", "Future": {"a": [1, null]}, "zone": null});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[test]
fn casing_nulls_and_unknown_members_make_no_difference() {
    for (name, verb, body) in requests() {
        let world = cluster(Settings::default());
        let as_recorded = world.ask(verb, &body);
        let parsed: Value = serde_json::from_str(&body).unwrap();
        for (form, other) in [
            ("compact", parsed.clone()),
            ("in lower case", renamed(&parsed, &str::to_lowercase)),
            ("in lower camel case", renamed(&parsed, &lower_camel)),
            ("without nulls", without_nulls(parsed.clone())),
            ("with unknown members", with_unknown_members(parsed.clone())),
            ("all at once", with_unknown_members(without_nulls(renamed(&parsed, &str::to_lowercase)))),
        ] {
            assert_eq!(world.ask(verb, &other.to_string()), as_recorded, "{name} {form}");
        }
    }
}

#[test]
fn whole_nodes_come_back_byte_for_byte_in_compact_bodies_too() {
    // The checks behind `ask` compare the bytes of each node with those of the request.
    for raw in ["full-nodes/filter-simple.raw.json", "full-nodes/filter-simple.request.json"] {
        let said = cluster(Settings::default()).ask(Verb::Filter, &recorded(raw));
        let items = said["Nodes"]["items"].as_array().unwrap();
        assert_eq!(items.len(), 2);
        assert!(items.iter().all(|node| node["metadata"]["managedFields"].is_array()));
    }
}

#[test]
fn members_that_are_null_count_as_missing() {
    let pod = recorded_json("node-cache/filter-simple.request.json")["Pod"].clone();
    let victim = json!({"UID": "u"});
    let world = cluster(Settings::default());
    let no_nodes = json!({"NodeNames": [], "FailedNodes": {}, "FailedAndUnresolvableNodes": {}, "Error": ""});
    for (verb, body, expected) in [
        (Verb::Filter, json!({"Pod": pod, "Nodes": null, "NodeNames": null}), no_nodes.clone()),
        (Verb::Filter, json!({"Pod": pod}), no_nodes.clone()),
        (Verb::Filter, json!({"Pod": pod, "Nodes": {"metadata": {}, "items": null}}), no_nodes),
        (Verb::Prioritize, json!({"Pod": pod, "Nodes": null, "NodeNames": null}), json!([])),
        (Verb::Preempt, json!({"Pod": pod}), json!({"NodeNameToMetaVictims": {}})),
        (
            Verb::Preempt,
            json!({"Pod": pod, "NodeNameToMetaVictims": {"a100-mixed": null, "h100-mixed": {"Pods": null}}}),
            json!({"NodeNameToMetaVictims": {}}),
        ),
        (
            Verb::Preempt,
            json!({"Pod": pod, "NodeNameToMetaVictims": {"a100-mixed": {"Pods": [victim], "NumPDBViolations": null}}}),
            json!({"NodeNameToMetaVictims": {"a100-mixed": {"Pods": [victim], "NumPDBViolations": 0}}}),
        ),
    ] {
        assert_eq!(world.ask(verb, &body.to_string()), expected, "{} {body}", verb.as_str());
    }
}

#[test]
fn a_request_without_a_pod_is_an_error_and_no_rejection() {
    let world = cluster(Settings::default());
    for body in [json!({"Pod": null, "NodeNames": ["h100-mixed"]}), json!({"NodeNames": ["h100-mixed"]})] {
        let said = world.ask(Verb::Filter, &body.to_string());
        assert_eq!(said["Error"], "the request names no pod");
        assert_eq!(world.ask(Verb::Prioritize, &body.to_string()), json!([]));
    }
}

#[test]
fn bodies_of_another_kind_are_refused_with_a_sentence() {
    let world = cluster(Settings::default());
    let cut_off = recorded("node-cache/filter-simple.raw.json");
    for body in ["", "{", "7", "\"text\"", r#"{"Pod": 7}"#, r#"{"Pod": []}"#, &cut_off[..cut_off.len() / 2]] {
        for verb in [Verb::Filter, Verb::Prioritize, Verb::Preempt] {
            let reply = world.extender.answer(verb, body.as_bytes());
            assert_eq!(reply.outcome, Outcome::BadRequest, "{} {body}", verb.as_str());
            let sentence = String::from_utf8(reply.body).unwrap();
            assert!(sentence.starts_with(verb.as_str()), "{sentence}");
        }
    }
    for body in [r#"{"NodeNames": "a"}"#, r#"{"NodeNames": [1]}"#, r#"{"Nodes": {"items": [{}]}}"#] {
        assert_eq!(world.extender.answer(Verb::Filter, body.as_bytes()).outcome, Outcome::BadRequest, "{body}");
    }
}

#[test]
fn arguments_of_bind_are_read_in_every_form() {
    let recorded = recorded_json("node-cache/bind-simple.request.json");
    let expected = BindArgs {
        name: "simple-node-cache".to_owned(),
        namespace: "default".to_owned(),
        uid: "81029a81-76a8-4ba9-8c1e-354a860abf37".to_owned(),
        node: "h100-blank".to_owned(),
    };
    let keys = |name: &dyn Fn(&str) -> String| -> Value {
        let members = recorded.as_object().unwrap();
        Value::Object(members.iter().map(|(key, value)| (name(key), value.clone())).collect::<Map<_, _>>())
    };
    let camel = |name: &str| lower_camel(name);
    for body in [recorded.clone(), keys(&str::to_lowercase), keys(&camel), with_unknown_members(recorded.clone())] {
        assert_eq!(serde_json::from_value::<BindArgs>(body.clone()).unwrap(), expected, "{body}");
    }
    for body in [json!({}), json!({"PodName": null, "PodNamespace": null, "PodUID": null, "Node": null})] {
        assert_eq!(serde_json::from_value::<BindArgs>(body.clone()).unwrap(), BindArgs::default(), "{body}");
    }
}
