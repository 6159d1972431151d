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
    let first = &document["policies"][0];
    assert_eq!((&first["cut"], &first["name"]), (&"planned".into(), &"extender".into()));
    assert!(document["policies"][0]["placedPods"]["mean"].as_f64().unwrap() > 0.5, "{}", ran.out);
}

/// The plan is for small pods, and no other comes than whole ones.
#[test]
fn what_is_idle_is_cut_anew_for_what_comes() {
    let folder = tempfile::tempdir().unwrap();
    let fleet = scenario("- {name: x, profile: 1g.6gb, count: 8}");
    let small = file(&folder, "small.yaml", &fleet);
    let rows: Vec<String> = (0..40).map(|at| format!("{},3600,4g.24gb", at * 600)).collect();
    let trace = file(&folder, "pods.csv", format!("arrival,duration,profile\n{}\n", rows.join("\n")));
    let asked = |more: &[&str]| {
        let first = ["simulate", &small, "--trace", &trace, "--policy", "extender", "-o", "json"];
        let ran = migsaw(&[&first[..], more].concat());
        assert_eq!(ran.code, 0, "{}", ran.err);
        serde_json::from_str::<Value>(&ran.out).unwrap()
    };
    let document = asked(&["--cut", "planned,recut,at-will", "--recut-unit", "gpu", "--recut-every", "10m"]);
    let of = |at: usize, what: &str| document["policies"][at][what]["mean"].as_f64().unwrap();
    let names: Vec<&str> = (0..3).map(|at| document["policies"][at]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["extender/planned", "extender/recut", "extender/at-will"]);
    assert_eq!(document["policies"][0]["placedPods"]["mean"], 0.0, "{document}");
    assert!(of(1, "placedPods") > 0.5 && of(1, "placedPods") < 1.0, "{document}");
    assert!(of(2, "placedPods") > of(1, "placedPods"), "{document}");
    let (recuts, closed) = (of(1, "recuts"), of(1, "closedGpuHours"));
    assert!(recuts >= 1.0 && (closed - recuts / 60.0).abs() < 1e-5, "a minute for each GPU: {document}");
    assert_eq!(document["policies"][0]["recuts"]["mean"], 0.0);
    assert_eq!(document["policies"][1]["evictions"]["mean"], 0.0);
    assert_eq!(document["recut"]["every"], 600);
    assert_eq!(document["policies"][1]["cut"], "recut");
}

#[test]
fn pods_take_the_place_of_others_and_the_mix_is_learnt() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = file(&folder, "one.yaml", scenario("- {name: x, profile: 1g.6gb, count: 8}"));
    let rows: Vec<String> = (0..40).map(|at| format!("{at},1000,4g.24gb,{}", at % 4)).collect();
    let trace = file(&folder, "pods.csv", format!("arrival,duration,profile,priority\n{}\n", rows.join("\n")));
    let asked =
        |more: &[&str]| migsaw(&[&["simulate", &scenario, "--trace", &trace, "--policy", "room"][..], more].concat());
    let ran = asked(&["--preempt", "--wait", "--mix", "learnt:10", "-o", "json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let document: Value = serde_json::from_str(&ran.out).unwrap();
    let policy = &document["policies"][0];
    assert_eq!((&policy["placedPods"]["mean"], &document["learnt"]), (&1.0.into(), &10.into()));
    assert!(policy["byPriority"][0]["evictions"]["mean"].as_f64().unwrap() > 0.0, "{document}");
    assert_eq!(policy["byPriority"][3]["evictions"]["mean"], 0.0, "nobody is above the highest");
    assert_eq!(document["eviction"]["cost"], 30);
    for format in ["text", "html"] {
        let out = asked(&["--preempt", "-o", format]).out;
        assert!(out.contains("Pods placed, by priority, and evictions per hundred"), "{out}");
        assert!(out.contains("evictions/100"), "{out}");
    }
}

/// Three GPUs on one node and one behind a taint on another, four slices each. Pods of a third of a run fill all there is
/// for them, and stay: so many of 16 slices are in use then.
#[test]
fn pods_go_where_their_demand_may() {
    let folder = tempfile::tempdir().unwrap();
    let used = |demand: &str, more: &[&str]| -> f64 {
        let scenario = format!(
            "apiVersion: migsaw.io/v1alpha1\nkind: Scenario\nfleet:\n\
             - {{pool: a, model: A30, nodes: 1, gpusPerNode: 3, labels: {{zone: x}}}}\n\
             - {{pool: b, model: A30, nodes: 1, gpusPerNode: 1, taints: [{{key: k, effect: NoSchedule}}]}}\n\
             demand:\n- {{name: x, count: 4, {demand}}}\n"
        );
        let scenario = file(&folder, "fleet.yaml", scenario);
        let few = ["--runs", "1", "--pods", "90", "--load", "100", "--lifetimes", "fixed", "-o", "json"];
        let ran = migsaw(&[&["simulate", &scenario][..], &few, more].concat());
        assert_eq!((ran.code, ran.err.as_str()), (0, ""));
        let document: Value = serde_json::from_str(&ran.out).unwrap();
        let all = document["policies"].as_array().unwrap().iter();
        let used: Vec<f64> = all.map(|policy| policy["used"]["mean"].as_f64().unwrap() * 16.0).collect();
        assert!(used.iter().all(|other| (other - used[0]).abs() < 1e-6), "{demand}: {used:?}");
        used[0]
    };
    let cuts = ["--cut", "at-will,planned,recut", "--policy", "first-fit,extender", "--recut-every", "5s"];
    for (demand, expected) in [
        ("profile: 1g.6gb", 12.0),
        ("profile: 1g.6gb, tolerations: [{operator: Exists}]", 16.0),
        ("profile: 1g.6gb, tolerations: [{operator: Exists}], pools: [b]", 4.0),
        ("profile: 1g.6gb, tolerations: [{operator: Exists}], maxPerNode: 2", 4.0),
        ("profile: 1g.6gb, instances: 3", 12.0),
        ("profile: 1g.6gb, instances: 3, sameGpu: true", 9.0),
        ("profile: 1g.6gb, instances: 3, sameGpu: true, maxPerNode: 2", 6.0),
        ("atLeast: {memory: 5Gi}, nodeSelector: {zone: x}, maxPerNode: 5", 5.0),
    ] {
        let used = used(demand, &["--policy", "room,mfi,best-fit,most-allocated,extender,dra"]);
        assert!((used - expected).abs() < 1e-6, "{demand}: {used}");
    }
    let whole = "profile: 4g.24gb, tolerations: [{operator: Exists}], maxPerNode: 1";
    assert!((used(whole, &cuts) - 8.0).abs() < 1e-6);
}

#[test]
fn what_is_not_simulated_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let few = ["--runs", "1", "--pods", "30"];
    let anywhere = file(&folder, "anywhere.yaml", scenario("- {name: x, profile: 1g.6gb, count: 2}"));
    assert_eq!(migsaw(&[&["simulate", &anywhere][..], &few].concat()).err, "");
    let most = file(&folder, "most.yaml", scenario("- {name: x, profile: 1g.6gb, count: 2, maxPerNode: 1}"));
    let trace = file(&folder, "pods.csv", "arrival,duration,profile\n0,1,1g.6gb\n");
    let ran = migsaw(&["simulate", &most, "--trace", &trace]);
    assert!(ran.code == 0 && ran.err.contains("the pods of a trace may go anywhere"), "{}", ran.err);
    let selector =
        "- {name: x, profile: 1g.6gb, count: 2}\n- {name: y, profile: 1g.6gb, count: 2, nodeSelector: {z: q}}";
    let nowhere = file(&folder, "nowhere.yaml", scenario(selector));
    let ran = migsaw(&[&["simulate", &nowhere][..], &few].concat());
    let says = "left out, since no slice that it may use serves it (whole GPUs are not shared): y";
    assert!(ran.code == 0 && ran.err.contains(says), "{}", ran.err);
}

#[test]
fn help_says_which_policy_a_cluster_has() {
    let help = migsaw(&["simulate", "--help"]).out;
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for says in ["scores nodes by cpu and memory alone", "Without, dra comes closest", "times in whole seconds"] {
        assert!(words.contains(says), "{help}");
    }
}

#[test]
fn columns_are_as_the_environment_says_where_no_terminal_does() {
    let print = |columns: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_migsaw"));
        command.args(["simulate", &example("inference.yaml"), "--runs", "1", "--pods", "200", "--cut=planned,recut"]);
        command.args(["--policy", "extender", "--recut-unit", "gpu", "--wait"]).env("COLUMNS", columns);
        let ran = command.stdin(std::process::Stdio::null()).output().unwrap();
        String::from_utf8(ran.stdout).unwrap()
    };
    let widest = |text: &str| text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    let (narrow, wide) = (print("70"), print("120"));
    assert!(widest(&narrow) <= 70 && (101..=120).contains(&widest(&wide)), "{narrow}\n{wide}");
    assert_eq!(print("many"), print("0"));
    for text in [narrow, wide] {
        assert!(text.contains("extender/planned  ") && text.contains("extender/recut"), "{text}");
    }
}

#[test]
fn what_is_wrong_is_said() {
    let inference = example("inference.yaml");
    let folder = tempfile::tempdir().unwrap();
    let bad = file(&folder, "bad.csv", TRACE.replace("3g.40gb", "3g.41gb"));
    let parts = file(&folder, "parts.csv", TRACE.replace("10,50", "10,1.5"));
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
            &["simulate", &inference, "--trace", &parts],
            "error[trace-time]: line 3 of the trace: duration `1.5` is no whole",
        ),
        (
            &["simulate", &inference, "--trace", &foreign],
            "no GPU of the fleet has a profile `1g.5gb` (nearest: 1g.10gb",
        ),
        (&["simulate", &inference, "--trace", "missing.csv"], "missing.csv"),
        (&["simulate", &inference, "--cut", "planned", "--policy", "repacked"], "leave `repacked` out"),
        (&["simulate", &inference, "--recut-time", "1m"], "--recut-time is about GPUs that are cut anew, and none is"),
        (&["simulate", &inference, "--lose-work"], "--preempt"),
        (&["simulate", &inference, "--mix", "learnt:0"], "from 1 to 1000000"),
        (&["simulate", &inference, "--mix", "guessed"], "like learnt:500"),
        (
            &["simulate", &inference, "--preempt", "--policy", "repacked"],
            "leave `repacked` out where pods are preempted",
        ),
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
