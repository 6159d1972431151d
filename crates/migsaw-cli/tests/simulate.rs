//! What `migsaw simulate` answers, and what it says of bad input.

mod common;

use common::{example, file, migsaw, scenario};
use serde_json::Value;

const TRACE: &str = "arrival,duration,profile,count,priority,namespace\n0,100,7g.80gb,1,0,a\n10,50,3g.40gb,2,5,b\n";

#[test]
fn the_comparison_begins_with_the_answer_and_is_the_same_each_time() {
    let asked = &["simulate", &example("inference.yaml"), "--runs", "2", "--pods", "600"];
    let ran = migsaw(asked);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.lines().next().unwrap().contains(" of what is asked for, "), "{}", ran.out);
    assert!(ran.err.contains("finetune"), "{}", ran.err);
    assert_eq!(migsaw(asked).out, ran.out);
}

#[test]
fn every_format_tells_of_every_policy() {
    let inference = example("inference.yaml");
    for format in ["text", "json", "yaml", "csv", "markdown", "html"] {
        let ran = migsaw(&[
            "simulate",
            &inference,
            "--runs",
            "1",
            "--pods",
            "300",
            "--policy",
            "room,first-fit",
            "-o",
            format,
        ]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(ran.out.contains("room") && ran.out.contains("first-fit"), "{format}: {}", ran.out);
    }
}

#[test]
fn pods_of_a_trace_are_placed_with_all_they_take() {
    let folder = tempfile::tempdir().unwrap();
    let trace = file(&folder, "pods.csv", TRACE);
    let ran = migsaw(&["simulate", &example("inference.yaml"), "--trace", &trace, "-o", "json", "--policy", "room"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let document: Value = serde_json::from_str(&ran.out).unwrap();
    let policy = &document["policies"][0];
    assert_eq!((&document["kind"], &document["pods"]), (&"Simulation".into(), &2.into()));
    assert_eq!(policy["placedPods"]["mean"], 1.0);
    assert_eq!(policy["byNamespace"][1]["name"], "b");
    assert_eq!(policy["byPriority"][1]["name"], "5");
}

#[test]
fn nodes_that_are_cut_as_planned_serve_what_they_are_cut_for() {
    let ran = migsaw(&[
        "simulate",
        &example("inference.yaml"),
        "--cut",
        "planned",
        "--load",
        "0.2",
        "--runs",
        "1",
        "-o",
        "json",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let document: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&document["cut"], &document["policies"][0]["name"]), (&"planned".into(), &"extender".into()));
    assert!(document["policies"][0]["placedPods"]["mean"].as_f64().unwrap() > 0.5, "{}", ran.out);
}

#[test]
fn what_is_not_simulated_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let bound = file(&folder, "bound.yaml", scenario("- {name: x, profile: 1g.6gb, count: 2, pools: [a]}"));
    let few = ["--runs", "1", "--pods", "30"];
    let ran = migsaw(&[&["simulate", &bound][..], &few].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("not simulated: which pools"), "{}", ran.err);
    let anywhere = file(&folder, "anywhere.yaml", scenario("- {name: x, profile: 1g.6gb, count: 2}"));
    assert_eq!(migsaw(&[&["simulate", &anywhere][..], &few].concat()).err, "");
}

#[test]
fn what_is_wrong_is_said() {
    let inference = example("inference.yaml");
    let folder = tempfile::tempdir().unwrap();
    let bad = file(&folder, "bad.csv", TRACE.replace("3g.40gb", "3g.41gb"));
    let foreign = file(&folder, "foreign.csv", TRACE.replace("3g.40gb", "1g.5gb"));
    let whole = file(&folder, "whole.yaml", scenario("- {name: x, wholeGpus: 1, count: 2}"));
    let fleet = |nodes: &str| scenario("- {name: x, profile: 1g.6gb, count: 2}").replace("nodes: 2", nodes);
    let vast = file(&folder, "vast.yaml", fleet("nodes: 600000"));
    let many = file(&folder, "many.yaml", fleet("nodes: 50000"));
    for (arguments, says) in [
        (&["simulate", &inference, "--policy", "best"][..], "there are first-fit, round-robin"),
        (&["simulate", &inference, "--load", "0"], "above 0"),
        (&["simulate", &inference, "--runs", "0"], "1..=1000"),
        (&["simulate", &inference, "--moves", "-1"], "from 0 to 100"),
        (&["simulate", &inference, "--trace", &bad], "line 3 of the trace: `3g.41gb` is no MIG profile"),
        (
            &["simulate", &inference, "--trace", &foreign],
            "no GPU of the fleet has a profile `1g.5gb` (nearest: 1g.10gb",
        ),
        (&["simulate", &inference, "--trace", "missing.csv"], "missing.csv"),
        (&["simulate", &inference, "--cut", "planned", "--policy", "repacked"], "leave `repacked` out"),
        (&["simulate", &vast], "are too many to simulate one by one (at most 1,000,000)"),
        (&["simulate", &many, "--load", "100"], "(at most 50,000,000 a run)"),
        (&["simulate", &whole], "no demand asks for slices"),
        (&["simulate"], "neither a scenario nor a dump"),
    ] {
        let ran = migsaw(arguments);
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{arguments:?}");
        assert!(ran.err.contains(says), "{arguments:?}: {}", ran.err);
    }
}
