//! What the commands answer, and with which exit code.

#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;

use common::{binary, example, file, migsaw, migsaw_with, scenario};
use serde_json::Value;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[test]
fn plan_answers_in_line_one_and_says_yes() {
    let ran = migsaw(&["plan", &example("inference.yaml")]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.starts_with("162 of 162 served on "), "{}", ran.out);
    assert!(ran.out.lines().next().unwrap().ends_with("of 64 GPUs, proven optimal"), "{}", ran.out);
    assert!(ran.out.contains("--out plan"), "{}", ran.out);
    assert_eq!(ran.err, "");
}

#[test]
fn plan_says_no_if_something_is_not_served() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "s.yaml", scenario("- {name: x, profile: 4g.24gb, count: 7}"));
    let ran = migsaw(&["plan", "-f", &path, "--format", "json"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let plan = json(&ran.out);
    assert_eq!((plan["kind"].as_str(), plan["status"].as_str()), (Some("Plan"), Some("optimal")));
    assert_eq!(plan["served"][0]["count"], 4);
    assert_eq!((&plan["unserved"][0]["demand"], &plan["unserved"][0]["count"]), (&"x".into(), &3.into()));
    assert!(plan["unserved"][0]["code"].is_string() && plan["unserved"][0]["reason"].is_string());
    let text = migsaw(&["plan", "-f", &path]).out;
    assert!(text.starts_with("4 of 7 served on 4 of 4 GPUs"), "{text}");
    assert!(text.contains("3 short") && text.contains("Not served"), "{text}");
}

#[test]
fn plan_disturbs_as_little_as_it_is_told() {
    let running = example("running.yaml");
    let tier = |plan: &Value, name: &str| -> i64 {
        let tiers = plan["tiers"].as_array().unwrap().iter().filter(|tier| tier["name"] == name);
        tiers.map(|tier| tier["value"].as_i64().unwrap()).sum()
    };
    for (flags, code, served, evicted, gpus) in [
        (&[][..], 0, 18, 1, 8),
        (&["--keep-running"], 1, 16, 0, 8),
        (&["--keep-priority", "0"], 1, 16, 0, 8),
        (&["--keep-priority", "1"], 0, 18, 1, 8),
        (&["--compact"], 0, 18, 8, 5),
        (&["--compact", "--max-evictions", "2"], 0, 18, 2, 7),
    ] {
        let ran = migsaw(&[&["plan", &running, "-o", "json"], flags].concat());
        assert_eq!(ran.code, code, "{flags:?} {}", ran.err);
        let plan = json(&ran.out);
        let found = ["served", "evicted", "gpus"].map(|name| tier(&plan, name));
        assert_eq!(found, [served, evicted, gpus], "{flags:?}");
        let named = plan["nodes"].as_array().unwrap().iter().filter_map(|node| node["evicts"].as_array());
        assert_eq!(named.map(Vec::len).sum::<usize>(), usize::try_from(evicted).unwrap(), "{flags:?}");
    }
    let scratch = json(&migsaw(&["plan", &running, "-o", "json", "--ignore-running"]).out);
    assert!(scratch["tiers"].as_array().unwrap().iter().all(|tier| tier["name"] != "evicted"));
    let kept = migsaw(&["plan", &running, "--keep-running"]).out;
    assert!(kept.contains("all 11 units stay where they are"), "{kept}");
    assert!(kept.contains("--max-evictions 1   # serves 2 units more"), "{kept}");
    let none = migsaw(&["plan", &example("inference.yaml"), "--keep-running"]);
    assert!(none.err.contains("nothing is known to run"), "{}", none.err);
}

#[test]
fn metrics_beside_a_dump_say_which_gpu_a_pod_is_on() {
    let (dump, metrics) = (example("dump.json"), example("metrics.txt"));
    let ran = migsaw(&["plan", "--from", &dump, "--running", "--dcgm", &metrics]);
    assert_eq!((ran.code, ran.err.contains("warning[metrics")), (0, false), "{}", ran.err);
    assert!(ran.out.contains("the one unit that runs stays where it is; 3 GPUs cut anew"), "{}", ran.out);
    assert!(ran.out.contains(&format!("--running --dcgm {metrics} --out plan")), "{}", ran.out);
    let plan = migsaw(&["plan", "--from", &dump, "--running", "--dcgm", &metrics, "-o", "json"]).out;
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "plan.json", &plan);
    for args in [
        ["--from", &dump, "--running", "--dcgm", &metrics, &path],
        [&path, "--from", &dump, "--running", "--dcgm", &metrics],
    ] {
        assert_eq!(migsaw(&[&["check"], &args[..]].concat()).code, 0, "{args:?}");
    }
    // From stdin, and from a folder beside other files.
    let scrape = fs::read(&metrics).unwrap();
    let piped = migsaw_with(&["plan", "--from", &dump, "--running", "--dcgm", "-", "-o", "json"], &scrape);
    assert_eq!(piped.out, plan);
    let folder = tempfile::tempdir().unwrap();
    file(&folder, "a.prom", &scrape);
    file(&folder, "notes.txt", "go_threads 9\n");
    let scrapes = folder.path().to_str().unwrap();
    let from_folder = migsaw(&["plan", "--from", &dump, "--running", "--dcgm", scrapes, "-o", "json"]);
    assert_eq!(from_folder.out, plan);
    assert!(from_folder.err.contains("skipped 1 file without a series of a GPU"), "{}", from_folder.err);
}

#[test]
fn a_dump_says_what_runs_where_that_is_asked_for() {
    let dump = example("dump.json");
    let from_scratch = migsaw(&["plan", "--from", &dump, "--keep-running"]);
    assert!(from_scratch.err.contains("read it from the dump with --running"), "{}", from_scratch.err);
    let ran = migsaw(&["plan", "--from", &dump, "--running"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.starts_with("12 of 12 served on 7 of 8 GPUs"), "{}", ran.out);
    assert!(ran.out.contains("the one unit that runs stays where it is; 1 node cut anew"), "{}", ran.out);
    assert!(ran.out.contains(&format!("--from {dump} --running --out plan")), "{}", ran.out);
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("plan").display().to_string();
    assert_eq!(migsaw(&["plan", "--from", &dump, "--running", "--out", &out]).code, 0);
    let script = fs::read_to_string(format!("{out}/node-labels.sh")).unwrap();
    assert!(script.contains("#   gpu-a-1\n") && script.contains("node gpu-a-2"), "{script}");
    let plan = format!("{out}/plan.json");
    assert_eq!(migsaw(&["check", &plan, "--from", &dump, "--running"]).code, 0);
    // From scratch the tiers are others.
    assert_eq!(migsaw(&["check", &plan, "--from", &dump]).code, 1);
}

#[test]
fn diff_says_what_happens_to_each_node() {
    let running = example("running.yaml");
    let ran = migsaw(&["diff", &running, "--compact"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.out.starts_with("4 of 4 nodes change: 3 GPUs cut anew on 2 nodes, 8 units evicted"), "{}", ran.out);
    assert!(ran.out.contains("~ gpu-2\n    GPU 0     1g.10gb=1,2g.20gb=3 → 7g.80gb=1\n"), "{}", ran.out);

    let folder = tempfile::tempdir().unwrap();
    let plan = file(&folder, "plan.json", migsaw(&["plan", &running, "--compact", "-o", "json"]).out);
    let diff = json(&migsaw(&["diff", "-f", &running, "--plan", &plan, "-o", "json"]).out);
    assert_eq!(diff["kind"], "Diff");
    let nodes = diff["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 4);
    assert_eq!((&nodes[0]["evicts"]["chat"], &nodes[2]["gpus"][1]["to"]), (&3.into(), &"7g.80gb=1".into()));

    let mut wrong = json(&fs::read_to_string(&plan).unwrap());
    wrong["nodes"][1]["evicts"] = serde_json::json!([]);
    let wrong = file(&folder, "wrong.json", wrong.to_string());
    let refused = migsaw(&["diff", "-f", &running, "--plan", &wrong]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("running-not-served"), "{}", refused.err);
}

#[test]
fn nothing_changes_where_everything_is_as_it_should_be() {
    let folder = tempfile::tempdir().unwrap();
    let state = "state:\n- {node: a-0, gpus: [1g.6gb=4], pods: [{demand: x, count: 2}]}\n- {node: a-1}\n";
    let text = scenario("- {name: x, profile: 1g.6gb, count: 2}") + state;
    let path = file(&folder, "s.yaml", text);
    let ran = migsaw(&["diff", "-f", &path]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "nothing changes on 2 nodes\n"), "{}", ran.err);
}

#[test]
fn rollout_says_in_which_order() {
    let running = example("running.yaml");
    let ran = migsaw(&["rollout", &running, "--compact"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.starts_with("4 nodes in 4 waves, 8 pods evicted, about 4 min\n"), "{}", ran.out);
    let places =
        "every evicted pod has a free slice to go to before it is evicted, for 1 pod not the one it is\n  planned on;";
    assert!(ran.out.contains(places), "{}", ran.out);
    let first = "Wave 1\n  gpu-0\n    evict  chat-0, chat-1, chat-2\n    can wait  chat-2 on gpu-1\n";
    assert!(ran.out.contains(first), "{}", ran.out);
    let again = "  gpu-1\n    evict  chat-3\n    evict again  chat-2 from gpu-0, which goes where it is planned\n";
    assert!(ran.out.contains(again), "{}", ran.out);
    let waves = &json(&migsaw(&["rollout", &running, "--compact", "-o", "json"]).out)["waves"];
    let pod = serde_json::json!({"index": 2, "pod": "chat-2", "demand": "chat"});
    assert_eq!(waves[0]["steps"][0]["hops"], serde_json::json!([{"pod": &pod, "waitsOn": "gpu-1"}]));
    // The budget of three pods at one time is in the way of fewer.
    let four = migsaw(&["rollout", &running, "--compact", "--max-unavailable", "4"]);
    assert!(four.out.starts_with("4 nodes in 3 waves, 8 pods evicted, about 4 min\n"), "{}", four.out);
    assert_eq!(waves[1]["steps"][0]["again"], serde_json::json!([{"pod": &pod, "from": "gpu-0"}]));
    let together = json(&migsaw(&["rollout", &running, "--max-unavailable", "4", "-o", "json"]).out);
    assert_eq!(together["kind"], "Rollout");
    assert_eq!((&together["waves"][0]["steps"][0]["node"], &together["seconds"]), (&"gpu-3".into(), &90.into()));
    assert_eq!(migsaw(&["rollout", &running]).code, 0);
    assert_eq!(migsaw(&["rollout", &running, "--max-unavailable", "0"]).code, 2);
}

#[test]
fn rollout_says_who_has_nowhere_to_go() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("limited.yaml").display().to_string();
    // Units with a limit per node are not followed to places that are not theirs.
    let text = fs::read_to_string(example("running.yaml")).unwrap();
    fs::write(&file, text.replace("  count: 12\n", "  count: 12\n  maxPerNode: 14\n")).unwrap();
    let ran = migsaw(&["rollout", &file, "--compact"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.out.contains("1 pod has nowhere to go when evicted, and no order leaves fewer"), "{}", ran.out);
    assert!(ran.out.contains("    nowhere to go yet:  chat-2\n"), "{}", ran.out);
    let script = migsaw(&["rollout", &file, "--compact", "--commands"]).out;
    assert!(script.contains("# 1 of the pods evicted here have nowhere to go yet\n"), "{script}");
}

#[test]
fn rollout_prints_commands() {
    let ran = migsaw(&["rollout", &example("running.yaml"), "--compact", "--commands"]);
    let script = &ran.out;
    let steps = [
        "# chat-2 can wait on gpu-1 until its own slice is there\ncordoned='gpu-0'\nkubectl cordon gpu-0",
        "evict default chat-0",
        "evict default chat-2\ngone\n",
        "empty gpu-0",
        "cut gpu-0 migsaw-",
        "is_cut gpu-0",
        "kubectl uncordon gpu-0\ncordoned=\n",
        "kubectl cordon gpu-1",
        "evict default chat-3\ngone\nempty gpu-1\nkubectl taint node gpu-1 migsaw.io/rollout-",
        "by_hand 'a pod of embed on gpu-2'",
    ];
    let places: Vec<Option<usize>> = steps.iter().map(|step| script.find(step)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{places:?}\n{script}");
}

#[test]
fn the_curve_says_what_more_evictions_gain() {
    let running = example("running.yaml");
    let curve = json(&migsaw(&["plan", &running, "--compact", "--curve", "-o", "json"]).out);
    assert_eq!(curve["kind"], "EvictionCurve");
    let points = curve["points"].as_array().unwrap();
    let row = |point: &Value| ["maxEvictions", "served", "evicted"].map(|field| point[field].as_u64().unwrap());
    let rows: Vec<[u64; 3]> = points.iter().map(row).collect();
    assert_eq!(rows, [[0, 16, 0], [1, 18, 1], [2, 18, 2], [4, 18, 2], [8, 18, 8]]);
    let refused = migsaw(&["plan", &running, "--curve", "--out", "x"]);
    assert_eq!(refused.code, 2);
}

#[test]
fn plans_from_what_runs_are_judged_by_what_runs() {
    let folder = tempfile::tempdir().unwrap();
    let running = example("running.yaml");
    let out = folder.path().join("plan").display().to_string();
    assert_eq!(migsaw(&["plan", &running, "--compact", "--out", &out]).code, 0);
    let written = format!("{out}/plan.json");
    assert_eq!(migsaw(&["check", "-f", &running, &written]).code, 0);
    let script = fs::read_to_string(format!("{out}/node-labels.sh")).unwrap();
    let places = ["need no drain", "node gpu-1", "cut anew", "node gpu-0"].map(|text| script.find(text).unwrap());
    assert!(places.is_sorted(), "{script}");
    let mut plan = json(&fs::read_to_string(&written).unwrap());
    plan["nodes"][1]["evicts"] = serde_json::json!([{"index": 2}]);
    let path = file(&folder, "wrong.json", plan.to_string());
    let ran = migsaw(&["check", "-f", &running, &path]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.out.contains("evicts-staying") && ran.out.contains("chat-5"), "{}", ran.out);
}

#[test]
fn nothing_is_drained_where_nothing_is_cut_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(
        &folder,
        "cut.yaml",
        "apiVersion: migsaw.io/v1alpha1\nkind: Scenario\nfleet:\n- {pool: p, model: A30, nodes: 1, gpusPerNode: 1}\n\
         demand:\n- {name: x, profile: 4g.24gb, count: 1}\nstate:\n- {node: p-0, gpus: [4g.24gb=1]}\n",
    );
    let out = folder.path().join("plan").display().to_string();
    let ran = migsaw(&["plan", &path, "--out", &out]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("# 1 node relabelled, none cut anew: no drain"), "{}", ran.err);
    assert!(!ran.err.contains("drain the nodes first"), "{}", ran.err);
    let script = fs::read_to_string(format!("{out}/node-labels.sh")).unwrap();
    assert!(script.contains("need no drain") && script.ends_with("# None is cut anew.\n"), "{script}");
}

#[test]
fn plan_reads_stdin_and_writes_yaml() {
    let text = scenario("- {name: x, profile: 1g.6gb, count: 1}");
    let ran = migsaw_with(&["plan", "-f", "-", "-o", "yaml"], text.as_bytes());
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.starts_with("apiVersion: migsaw.io/v1alpha1\nkind: Plan\n"), "{}", ran.out);
    assert!(migsaw_with(&["plan", "-", "--from", "x"], b"").err.contains("scenario-and-dump"));
}

#[test]
fn plan_reads_dumps_of_several_files_and_folders() {
    let folder = tempfile::tempdir().unwrap();
    let dump = json(&fs::read_to_string(example("dump.json")).unwrap());
    let items = dump["items"].as_array().unwrap();
    fs::create_dir(folder.path().join("nodes")).unwrap();
    for (i, item) in items.iter().enumerate() {
        let kind = item["kind"].as_str().unwrap();
        let place = if kind == "Node" { "nodes/" } else { "" };
        file(&folder, &format!("{place}{i}.json"), item.to_string());
    }
    file(&folder, "README.txt", "not data");
    let whole = migsaw(&["plan", "--from", &example("dump.json")]);
    let parts = migsaw(&["plan", "--from", folder.path().to_str().unwrap()]);
    assert_eq!(whole.code, 0, "{}", whole.err);
    assert!(whole.err.contains("read 2 nodes with 8 GPUs"), "{}", whole.err);
    let answer = |text: &str| text.split("\nNext").next().unwrap().to_owned();
    assert_eq!(answer(&whole.out), answer(&parts.out));
    let stdin = fs::read(example("dump.json")).unwrap();
    assert_eq!(answer(&migsaw_with(&["plan", "--from", "-"], &stdin).out), answer(&whole.out));
}

#[test]
fn plan_says_what_it_skipped_and_where_manifests_went() {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(example("dump.json"), folder.path().join("dump.json")).unwrap();
    file(&folder, "values.yaml", "image: {tag: x}\n");
    file(&folder, "service.yaml", "kind: Service\napiVersion: v1\n---\nkind: Chart\napiVersion: example.com/v1\n");
    file(
        &folder,
        "pod.yaml",
        "kind: Pod\nmetadata: {name: new}\nspec: {containers: [{resources: {limits: {nvidia.com/gpu: 1}}}]}\n",
    );
    let ran = migsaw(&["plan", "--from", folder.path().to_str().unwrap(), "-n", "team-z"]);
    assert!(ran.err.contains("skipped 1 file without a Kubernetes object\n"), "{}", ran.err);
    assert!(ran.err.contains("skipped objects that are not read: 1 Chart.example.com, 1 Service\n"), "{}", ran.err);
    assert!(ran.out.contains("team-z/new") && ran.out.contains("--namespace team-z --out plan"), "{}", ran.out);
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    for format in ["text", "json", "yaml"] {
        let once = || migsaw(&["plan", &example("mixed-fleet.yaml"), "-o", format]).out;
        assert_eq!(once(), once(), "{format}");
    }
}

#[test]
fn out_writes_everything_and_check_agrees() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("plan");
    let out = out.to_str().unwrap();
    for name in ["inference.yaml", "mixed-fleet.yaml"] {
        let ran = migsaw(&["plan", &example(name), "--out", out, "-o", "json"]);
        assert!(ran.code < 2, "{}", ran.err);
        assert!(ran.err.contains("kubectl apply -f"), "{}", ran.err);
        let mut files: Vec<_> =
            fs::read_dir(out).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        assert_eq!(files, ["autoscaler.yaml", "mig-config.yaml", "node-labels.sh", "node-labels.yaml", "plan.json"]);
        let plan = format!("{out}/plan.json");
        assert_eq!(fs::read_to_string(&plan).unwrap(), ran.out);
        let checked = migsaw(&["check", "-f", &example(name), &plan]);
        assert_eq!((checked.code, checked.out.as_str()), (0, "the plan is right\n"), "{}", checked.err);
        let validated = migsaw(&["validate", &format!("{out}/mig-config.yaml")]);
        assert_eq!(validated.code, 0, "{}", validated.out);
    }
}

#[test]
fn check_lists_violations() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "s.yaml", scenario("- {name: x, profile: 1g.6gb, count: 1}"));
    let plan = "apiVersion: migsaw.io/v1alpha1\nkind: Plan\nnodes:\n\
        - {name: a-0, gpus: [{index: 0, layout: [{profile: 2g.12gb, start: 1}]}, {index: 1, layout: []}]}\n\
        - {name: a-1, gpus: [{index: 0, layout: []}, {index: 1, layout: []}]}\n";
    let plan = file(&folder, "plan.yaml", plan);
    let ran = migsaw(&["check", "-f", &path, &plan]);
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(ran.out.starts_with("the plan is wrong: 1 violation\n"), "{}", ran.out);
    assert!(ran.out.contains("illegal-start:"), "{}", ran.out);
    let ran = migsaw(&["check", &plan, "-f", &path, "--format", "json"]);
    assert_eq!(ran.code, 1);
    let verdict = json(&ran.out);
    assert_eq!((&verdict["right"], &verdict["violations"][0]["code"]), (&false.into(), &"illegal-start".into()));
}

#[test]
fn geometry_fits_answers_with_places_or_reasons() {
    for (args, code, said) in [
        (&["H100-80GB", "1g.10gb=2,3g.40gb=1"][..], 0, "yes: 1g.10gb=2,3g.40gb=1 fits on H100-80GB"),
        (&["H100", "1g.10gb=2"], 2, ""),
        (&["A100-80GB", "3g.40gb=2,1g.10gb"], 1, "9 placement units of memory are needed, 8 of 8 are free"),
        (&["A100-80GB", "3g.40gb", "--pinned", "1g.10gb@0,1g.10gb@6"], 1, "no start is left for 3g.40gb"),
        (&["A100-80GB", "3g.40gb", "--pinned", "1g.10gb@3"], 0, "beside 1g.10gb@3"),
        (&["NVIDIA-A30", "4g.24gb:1"], 0, "[4         ]"),
    ] {
        let ran = migsaw(&[&["geometry", "fits"], args].concat());
        assert_eq!(ran.code, code, "{args:?}: {}{}", ran.out, ran.err);
        assert!(ran.out.contains(said), "{args:?}: {}", ran.out);
    }
    let ran = migsaw(&[
        "geometry",
        "fits",
        "H100-80GB",
        "1g.10gb=2,3g.40gb=1",
        "--pinned",
        "1g.10gb@3,2g.20gb@4",
        "--format",
        "json",
    ]);
    let fit = json(&ran.out);
    assert_eq!((ran.code, &fit["fits"]), (1, &false.into()));
    assert!(fit["code"].is_string() && fit["reason"].is_string(), "{fit}");
    let fit = json(&migsaw(&["geometry", "fits", "H100-80GB", "2g.20gb=1,1g.10gb=1", "--format", "json"]).out);
    assert_eq!(fit["layout"]["counts"], serde_json::json!({"1g.10gb": 1, "2g.20gb": 1}));
    assert_eq!(fit["creationOrder"].as_array().unwrap().len(), 2);
}

#[test]
fn geometry_knows_every_model_and_how_many_ways_to_cut_it() {
    let list = json(&migsaw(&["geometry", "list", "-o", "json"]).out);
    assert_eq!(list["kind"], "ModelList");
    let refused: Vec<&str> = list["refused"].as_array().unwrap().iter().map(|r| r["id"].as_str().unwrap()).collect();
    assert_eq!(refused, ["RTX-PRO-4500-32GB", "RTX-PRO-5000-48GB", "THOR-IGPU"]);
    for model in list["models"].as_array().unwrap() {
        let id = model["id"].as_str().unwrap();
        for format in ["text", "json", "yaml"] {
            let ran = migsaw(&["geometry", "show", id, "-o", format]);
            assert_eq!(ran.code, 0, "{id}: {}", ran.err);
            assert!(ran.out.contains(id), "{id}: {}", ran.out);
        }
    }
    for (args, total) in [
        (&["H100-80GB"][..], 2318),
        (&["H100-80GB", "--counts"], 127),
        (&["H100-80GB", "--maximal"], 239),
        (&["H100-80GB", "--maximal", "--counts"], 44),
        (&["A30"], 75),
        (&["RTX-PRO-6000", "--maximal"], 302),
    ] {
        let ran = migsaw(&[&["geometry", "layouts", "-o", "json"], args].concat());
        assert_eq!(json(&ran.out)["total"], total, "{args:?}");
        let text = migsaw(&[&["geometry", "layouts"], args].concat()).out;
        assert_eq!(text.lines().count() - 1, total, "{args:?}");
    }
}

#[test]
fn a_geometry_file_adds_a_model() {
    let folder = tempfile::tempdir().unwrap();
    let model = r#"{"schema": "mig-geometry/1", "models": [{"id": "TEST-1", "profiles": [
        {"name": "1g.4gb", "size_units": 1, "placements": [{"start": 0, "size": 1}, {"start": 1, "size": 1}]}]}]}"#;
    let path = file(&folder, "models.json", model);
    assert_eq!(migsaw(&["geometry", "fits", "TEST-1", "1g.4gb=2", "--geometry", &path]).code, 0);
    assert_eq!(migsaw(&["geometry", "fits", "TEST-1", "1g.4gb=3", "--geometry", &path]).code, 1);
    assert_eq!(migsaw(&["geometry", "fits", "TEST-1", "1g.4gb=2"]).code, 2);
}

#[test]
fn validate_tells_what_mig_parted_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let config = |devices: &str| {
        format!(
            "version: v1\nmig-configs:\n  mine:\n  - devices: all\n    mig-enabled: true\n    mig-devices: {devices}\n"
        )
    };
    let good = file(&folder, "good.yaml", config("{3g.40gb: 2}"));
    let bad = file(&folder, "bad.yaml", config("{3g.40gb: 2, 1g.10gb: 1}"));
    let ran = migsaw(&["validate", &good]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    for args in [
        &["validate", &bad][..],
        &["validate", &bad, "--model", "A100-80GB"],
        &["validate", "--model", "A100-80GB", &bad],
    ] {
        let ran = migsaw(args);
        assert_eq!(ran.code, 1, "{args:?}: {}{}", ran.out, ran.err);
        assert!(ran.out.starts_with("1 of 1 configuration cannot be created"), "{}", ran.out);
    }
    let verdict = json(&migsaw(&["validate", &bad, "-o", "json", "--model", "H100-80GB"]).out);
    assert_eq!(
        (&verdict["valid"], &verdict["configs"][0]["findings"][0]["model"]),
        (&false.into(), &"H100-80GB".into())
    );
    assert_eq!(migsaw(&["validate", &good, "--model", "A300"]).code, 2);
}

#[test]
fn help_teaches_and_says_how_it_was_called() {
    for command in [&[][..], &["plan"], &["check"], &["geometry"], &["validate"], &["completions"]] {
        let ran = migsaw(&[command, &["--help"]].concat());
        assert_eq!(ran.code, 0);
        assert!(ran.out.contains("Examples:\n") && ran.out.contains("Usage: migsaw"), "{}", ran.out);
        assert_eq!(ran.err, "");
    }
    let plugin = assert_cmd::Command::new(assert_cmd::cargo::cargo_bin!("kubectl-migsaw"))
        .args(["plan", "--help"])
        .assert()
        .code(0);
    let text = String::from_utf8(plugin.get_output().stdout.clone()).unwrap();
    assert!(text.contains("Usage: kubectl migsaw plan"), "{text}");
    assert!(text.contains("  kubectl migsaw plan examples/inference.yaml"), "{text}");
    binary().arg("--version").assert().code(0).stdout(format!("migsaw {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn completions_and_schemas_are_printed() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let ran = migsaw(&["completions", shell]);
        assert!(ran.code == 0 && ran.out.contains("geometry"), "{shell}");
    }
    for (name, field) in [("scenario", "fleet"), ("plan", "gpusUsed")] {
        let schema = json(&migsaw(&["schema", name]).out);
        assert!(schema["properties"][field].is_object(), "{name}");
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    use std::io::Read as _;
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("migsaw"))
        .args(["geometry", "layouts", "H100-80GB", "-o", "json"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 10];
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut first).unwrap();
    drop(stdout);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn colour_comes_only_when_asked_for() {
    let plain = migsaw(&["geometry", "fits", "A30", "1g.6gb"]).out;
    let colored = migsaw(&["geometry", "fits", "A30", "1g.6gb", "--color", "always"]).out;
    assert!(!plain.contains('\u{1b}') && colored.contains("\u{1b}["));
    let ascii = migsaw(&["plan", &example("mixed-fleet.yaml"), "--ascii"]).out;
    assert!(ascii.is_ascii(), "{ascii}");
}

/// A scenario in which the node of three pods is cut anew, under a budget of one at a time, or none.
fn under_a_budget(allowed: u32) -> String {
    format!(
        "apiVersion: migsaw.io/v1alpha1
kind: Scenario
fleet:
- {{pool: gpu, model: H100-80GB, nodes: 2, gpusPerNode: 1}}
demand:
- {{name: chat, namespace: team, profile: 1g.10gb, count: 3}}
- {{name: llm, profile: 7g.80gb, count: 1, priority: 5}}
state:
- node: gpu-0
  gpus: [1g.10gb=7]
  pods:
  - {{demand: chat, name: chat-0}}
  - {{demand: chat, name: chat-1}}
- node: gpu-1
  gpus: [1g.10gb=7]
  pods:
  - {{demand: chat, name: chat-2}}
disruptionBudgets:
- {{name: chat, namespace: team, demands: [chat], allowed: {allowed}}}
- {{name: llm, demands: [llm], allowed: 0}}
"
    )
}

#[test]
fn rollout_says_where_a_step_goes_beyond_a_budget() {
    let folder = tempfile::tempdir().unwrap();
    let write = |allowed: u32, stays: &str| {
        let file = folder.path().join(format!("{allowed}.yaml"));
        let text = under_a_budget(allowed).replace("name: chat-2}", &format!("name: chat-2{stays}}}"));
        fs::write(&file, text).unwrap();
        file.display().to_string()
    };
    let tight = write(1, ", stays: true");
    let ran = migsaw(&["rollout", &tight]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let over = "    evict  team/chat-0, team/chat-1\n    over budget:  1 pod more than team/chat allows (1)\n";
    assert!(ran.out.contains(over), "{}", ran.out);
    assert!(ran.out.contains("where a step goes beyond a disruption budget"), "{}", ran.out);
    let step = &json(&migsaw(&["rollout", &tight, "-o", "json"]).out)["waves"][0]["steps"][0];
    let expected = serde_json::json!([{"name": "chat", "namespace": "team", "allowed": 1, "pods": 1}]);
    assert_eq!(step["overBudget"], expected);
    let script = migsaw(&["rollout", &tight, "--commands"]).out;
    assert!(
        script.contains("# 1 of the pods evicted here are more than disruption budget team/chat allows (1)"),
        "{script}"
    );
    let enough = migsaw(&["rollout", &write(2, ", stays: true")]).out;
    assert!(enough.contains("evict  team/chat-0, team/chat-1") && !enough.contains("budget"), "{enough}");
    let none = migsaw(&["plan", &write(0, "")]);
    assert_eq!(none.code, 1, "{}", none.out);
    let nothing = migsaw(&["rollout", &write(0, "")]).out;
    assert_eq!(nothing, "nothing is to be done\n");
}
