//! No answer is one of those that kube-scheduler treats as an error, or would misunderstand.

use std::time::Duration;

use migsaw_extender::Settings;
use migsaw_extender::service::Verb;
use serde_json::json;

use super::common::{accepts, ignored};
use super::{cluster, recorded, requests};

#[test]
fn every_recorded_request_gets_an_acceptable_answer() {
    for settings in [Settings::default(), ignored(Duration::from_secs(30))] {
        let world = cluster(settings);
        for (_, verb, body) in requests() {
            // Each verb, on each body: kube-scheduler would not do that, but it must not hurt either.
            world.ask(verb, &body);
            for verb in [Verb::Filter, Verb::Prioritize, Verb::Preempt] {
                world.ask(verb, &body);
            }
        }
    }
}

/// The rules are no stricter than the scheduler: it took all of these.
#[test]
fn recorded_answers_of_another_extender_are_acceptable() {
    for folder in ["node-cache", "full-nodes"] {
        for (verb, name, request) in [
            (Verb::Filter, "filter-simple", "filter-simple"),
            (Verb::Filter, "filter-rich", "filter-rich"),
            (Verb::Filter, "filter-rejected", "filter-rejected"),
            (Verb::Filter, "filter-nominated", "filter-nominated"),
            (Verb::Prioritize, "prioritize-simple", "filter-simple"),
            (Verb::Prioritize, "prioritize-rich", "filter-rich"),
            (Verb::Preempt, "preempt", "preempt"),
            (Verb::Bind, "bind-simple", "bind-simple"),
        ] {
            let request = recorded(&format!("{folder}/{request}.request.json"));
            let answer = recorded(&format!("{folder}/{name}.response.json"));
            let verdict = match (verb, name, folder) {
                // It writes nodes anew, as the scheduler allows; ours are to be as they came.
                (Verb::Filter, _, "full-nodes") => continue,
                _ => accepts::check(verb, &request, &answer),
            };
            assert_eq!(verdict, Ok(()), "{folder}/{name}");
        }
    }
}

/// The rules find each answer that the scheduler was seen to treat as an error, to misread or to follow blindly.
#[test]
fn answers_that_hurt_are_told_from_others() {
    let filter = json!({"Pod": {}, "NodeNames": ["a", "b"]}).to_string();
    let whole = json!({"Pod": {}, "Nodes": {"items": [{"metadata": {"name": "a"}}]}}).to_string();
    let preempt =
        json!({"Pod": {}, "NodeNameToMetaVictims": {"a": {"Pods": [{"UID": "u"}, {"UID": "v"}]}}}).to_string();
    let kept = r#"{"NodeNames": ["a", "b"]}"#;
    let victims = r#"{"NodeNameToMetaVictims": {"a": {"Pods": [{"UID": "u"}], "NumPDBViolations": 1}}}"#;
    for (verb, request, answer) in [
        (Verb::Filter, &filter, kept),
        (Verb::Filter, &whole, r#"{"Nodes":{"items":[{"metadata":{"name":"a"}}]}}"#),
        (Verb::Prioritize, &filter, r#"[{"Host": "a", "Score": 0}, {"Host": "b", "Score": 10}]"#),
        (Verb::Preempt, &preempt, victims),
    ] {
        assert_eq!(accepts::check(verb, request, answer), Ok(()), "{answer}");
    }
    for (what, verb, request, answer) in [
        ("nothing", Verb::Filter, &filter, ""),
        ("null", Verb::Filter, &filter, "null"),
        ("a list", Verb::Filter, &filter, "[]"),
        ("no node accounted for", Verb::Filter, &filter, "{}"),
        ("a node dropped", Verb::Filter, &filter, r#"{"NodeNames": ["a"]}"#),
        ("an unknown node", Verb::Filter, &filter, r#"{"NodeNames": ["a", "b", "ghost"]}"#),
        ("a node twice", Verb::Filter, &filter, r#"{"NodeNames": ["a", "a", "b"]}"#),
        ("kept and failed", Verb::Filter, &filter, r#"{"NodeNames": ["a", "b"], "FailedNodes": {"b": "x"}}"#),
        (
            "in both maps",
            Verb::Filter,
            &filter,
            r#"{"NodeNames": ["a"], "FailedNodes": {"b": "x"}, "FailedAndUnresolvableNodes": {"b": "x"}}"#,
        ),
        ("no sentence", Verb::Filter, &filter, r#"{"NodeNames": ["a"], "FailedNodes": {"b": ""}}"#),
        ("names for whole nodes", Verb::Filter, &whole, r#"{"NodeNames": ["a"]}"#),
        ("whole nodes for names", Verb::Filter, &filter, r#"{"Nodes": {"items": [{"metadata": {"name": "a"}}]}}"#),
        ("both forms", Verb::Filter, &filter, r#"{"NodeNames": ["a", "b"], "Nodes": {"items": []}}"#),
        (
            "another node of the name",
            Verb::Filter,
            &whole,
            r#"{"Nodes": {"items": [{"metadata": {"name": "a"},"x":1}]}}"#,
        ),
        ("an error and nodes", Verb::Filter, &filter, r#"{"NodeNames": ["a", "b"], "Error": "x"}"#),
        ("an unknown member", Verb::Filter, &filter, r#"{"NodeNames": ["a", "b"], "Nodenames": []}"#),
        ("scores in an object", Verb::Prioritize, &filter, r#"{"a": 1, "b": 2}"#),
        ("a broken score", Verb::Prioritize, &filter, r#"[{"Host": "a", "Score": 7.5}, {"Host": "b", "Score": 0}]"#),
        ("a float", Verb::Prioritize, &filter, r#"[{"Host": "a", "Score": 7.0}, {"Host": "b", "Score": 0}]"#),
        ("a high score", Verb::Prioritize, &filter, r#"[{"Host": "a", "Score": 11}, {"Host": "b", "Score": 0}]"#),
        ("a negative score", Verb::Prioritize, &filter, r#"[{"Host": "a", "Score": -1}, {"Host": "b", "Score": 0}]"#),
        ("a host twice", Verb::Prioritize, &filter, r#"[{"Host": "a", "Score": 1}, {"Host": "a", "Score": 0}]"#),
        (
            "an unknown node's victims",
            Verb::Preempt,
            &preempt,
            r#"{"NodeNameToMetaVictims": {"b": {"Pods": [{"UID": "u"}]}}}"#,
        ),
        (
            "no victim",
            Verb::Preempt,
            &preempt,
            r#"{"NodeNameToMetaVictims": {"a": {"Pods": [], "NumPDBViolations": 0}}}"#,
        ),
        (
            "an unknown victim",
            Verb::Preempt,
            &preempt,
            r#"{"NodeNameToMetaVictims": {"a": {"Pods": [{"UID": "w"}], "NumPDBViolations": 0}}}"#,
        ),
        ("whole victims", Verb::Preempt, &preempt, r#"{"NodeNameToVictims": {"a": {"Pods": []}}}"#),
        ("no map", Verb::Preempt, &preempt, "{}"),
    ] {
        assert!(accepts::check(verb, request, answer).is_err(), "{what}: {answer}");
    }
}

/// Sentences are shown to people and compared by the scheduler: they are these, and never others.
#[test]
fn sentences_never_change() {
    let sentences: Vec<&str> = migsaw_extender::Reason::ALL.iter().map(|reason| reason.sentence()).collect();
    assert_eq!(
        sentences,
        [
            "GPU model has no such MIG profile",
            "MIG strategy single offers slices as nvidia.com/gpu only",
            "no GPUs of the kind asked for",
            "more slices than its GPUs can hold",
            "node selector or affinity does not match",
            "the pod asks for an odd quantity of slices",
            "a rollout is emptying or cutting it",
            "MIG Manager is cutting it",
            "GPUs are not cut into enough of these slices",
            "too few of these slices are free",
            "slices cannot be promised to be on one GPU",
            "node is not known yet",
        ]
    );
}
