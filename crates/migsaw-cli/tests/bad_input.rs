//! Every kind of bad input: exit code 2, a stable code, the place where there is one, nothing on stdout,
//! and no panic.

#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{Ran, binary, example, file, migsaw, migsaw_with, scenario};

/// The run failed with these codes, in this order, and says all of `said`.
fn check(ran: &Ran, codes: &[&str], said: &[&str]) {
    let found: Vec<&str> = ran.err.lines().filter_map(|line| line.strip_prefix("error[")?.split(']').next()).collect();
    assert_eq!(found, codes, "{}", ran.err);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.err);
    for words in said {
        assert!(ran.err.contains(words), "`{words}` is not said in\n{}", ran.err);
    }
    assert!(!ran.err.contains("panicked"), "{}", ran.err);
}

/// The scenario is refused with these codes.
fn check_scenario(text: &str, codes: &[&str], said: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "scenario.yaml", text);
    check(&migsaw(&["plan", &path]), codes, said);
}

#[test]
fn unknown_names_come_with_the_nearest() {
    let good = scenario("- {name: x, profile: 1g.6gb, count: 1}");
    check_scenario(&good.replace("A30", "A300"), &["unknown-model"], &["A30-24GB", "scenario.yaml:4:20", "^^^^"]);
    check_scenario(&good.replace("1g.6gb", "1g.6bg"), &["invalid-profile-name"], &["did you mean 1g.6gb"]);
    check_scenario(&good.replace("1g.6gb", "1g.7gb"), &["unknown-profile"], &["1g.6gb"]);
    check_scenario(&good.replace("A30", "RTX-PRO-5000"), &["model-without-geometry"], &["nobody publishes"]);
    check_scenario(
        &good.replace("count: 1", "cuont: 1"),
        &["missing-field", "unknown-field"],
        &["did you mean `count`"],
    );
}

#[test]
fn numbers_have_limits() {
    let good = scenario("- {name: x, profile: 1g.6gb, count: 1}");
    for bad in ["-1", "1e99", "99999999999999999999", "1.5"] {
        let text = good.replace("count: 1", &format!("count: {bad}"));
        let folder = tempfile::tempdir().unwrap();
        let ran = migsaw(&["plan", &file(&folder, "s.yaml", text)]);
        assert_eq!(ran.code, 2, "{bad}: {}", ran.err);
        assert!(ran.err.starts_with("error["), "{bad}: {}", ran.err);
    }
    check_scenario(&good.replace("nodes: 2", "nodes: 4000000000"), &["out-of-range"], &["4000000000"]);
    check_scenario(&good.replace("gpusPerNode: 2", "gpusPerNode: -2"), &["out-of-range"], &["-2"]);
}

#[test]
fn fleets_and_names_must_make_sense() {
    let good = scenario("- {name: x, profile: 1g.6gb, count: 1}\n- {name: y, profile: 1g.6gb, count: 1}");
    check_scenario(&good.replace("nodes: 2", "nodes: 0"), &["empty-fleet"], &[]);
    check_scenario(&good.replace("name: y", "name: x"), &["duplicate-demand"], &["there twice", ":7:"]);
    let pool = "- {pool: a, model: A30, nodes: 2, gpusPerNode: 2}\n";
    check_scenario(&good.replace(pool, &pool.repeat(2)), &["duplicate-pool"], &["`a` is there twice"]);
}

#[test]
fn all_problems_are_told_at_once() {
    let text = scenario(
        "- {name: x, profile: 1g.6bg, count: 1}\n- {name: y, profile: 1g.6gb, count: -1}\n- {name: x, profil: 1g.6gb, count: 1}",
    );
    check_scenario(
        &text,
        &["invalid-profile-name", "out-of-range", "duplicate-demand", "unknown-field"],
        &["scenario.yaml:6:", "scenario.yaml:7:", "scenario.yaml:8:"],
    );
}

#[test]
fn broken_files_are_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let truncated = file(&folder, "cut.json", r#"{"apiVersion": "v1", "kind": "List", "items": [{"ki"#);
    let latin1 = file(&folder, "latin1.yaml", b"version: v1\nkind: \xe9\n");
    let empty = file(&folder, "empty.yaml", "");
    let binary = file(&folder, "binary", [0u8, 1, 2, 255, 254]);
    for option in ["-f", "--from"] {
        check(&migsaw(&["plan", option, &latin1]), &["not-utf8"], &["latin1.yaml"]);
        check(&migsaw(&["plan", option, &binary]), &["not-utf8"], &["binary"]);
    }
    check(&migsaw(&["plan", "--from", &truncated]), &["truncated"], &["cut.json:1:", "cut off"]);
    check(&migsaw(&["plan", "-f", &empty]), &["empty-document"], &["empty.yaml"]);
    check(&migsaw(&["plan", "--from", &empty]), &["empty-file"], &["kubectl get nodes,pods"]);
    check(&migsaw(&["validate", &empty]), &["empty-file"], &["mig-configs"]);
    check(&migsaw(&["validate", &latin1]), &["not-utf8"], &[]);
    check(&migsaw(&["plan", "-f", &example("inference.yaml"), "--geometry", &latin1]), &["not-utf8"], &[]);
    check(&migsaw(&["check", "-f", &example("inference.yaml"), &truncated]), &["syntax"], &["cut.json"]);
    let ran = migsaw(&["plan", "-f", &truncated]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.err);
}

#[test]
fn files_that_are_not_there_are_named_with_the_cause() {
    for args in [["plan", "nope.yaml", "-ojson"], ["validate", "nope.yaml", "-ojson"], ["plan", "--from", "nope.yaml"]]
    {
        check(&migsaw(&args), &["unreadable"], &["`nope.yaml`", "because No such file"]);
    }
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().to_str().unwrap();
    check(&migsaw(&["plan", folder]), &["is-a-folder"], &["expected a file"]);
    check(&migsaw(&["plan", "--from", folder]), &["empty-folder"], &["no JSON or YAML file"]);
}

#[test]
fn metrics_that_are_none_are_refused() {
    let dump = example("dump.json");
    let folder = tempfile::tempdir().unwrap();
    let plan = |path: &str| migsaw(&["plan", "--from", &dump, "--running", "--dcgm", path]);
    for (name, text, code, part) in [
        ("empty.txt", "", "no-gpu-series", "gpu, UUID and Hostname"),
        ("dump.yaml", "kind: Node\n", "no-gpu-series", "line 1: `Node` is no value"),
        ("cut.json", "{\"status\":\n", "metrics-syntax", "cut.json:2"),
        (
            "error.json",
            r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#,
            "prometheus-error",
            "parse error",
        ),
        ("range.json", r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#, "not-instant", "vector"),
    ] {
        check(&plan(&file(&folder, name, text)), &[code], &[part, name]);
    }
    check(&plan("nope.txt"), &["unreadable"], &["`nope.txt`"]);
    let empty = tempfile::tempdir().unwrap();
    check(&plan(empty.path().to_str().unwrap()), &["empty-folder"], &[".prom"]);
    check(&migsaw(&["plan", "--from", "-", "--running", "--dcgm", "-"]), &["stdin-twice"], &[]);
    check(&migsaw(&["plan", "--from", &dump, "--dcgm", "x"]), &["flag-without-running"], &["--running"]);
}

#[test]
fn a_huge_file_is_refused_without_being_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("huge.yaml");
    std::fs::File::create(&path).unwrap().set_len(100 << 20).unwrap();
    let path = path.to_str().unwrap();
    let start = std::time::Instant::now();
    let most = migsaw::document::MAX_TEXT;
    check(&migsaw(&["plan", path]), &["file-too-large"], &[&format!("{} MiB", most >> 20)]);
    check(&migsaw(&["validate", path]), &["file-too-large"], &["16 MiB"]);
    check(&migsaw(&["geometry", "list", "--geometry", path]), &["file-too-large"], &[]);
    assert!(start.elapsed().as_secs() < 5, "{:?}", start.elapsed());
    // A dump may be that large, but this is none.
    assert_eq!(migsaw(&["plan", "--from", path]).code, 2);
    // What comes through a pipe has no size in advance.
    let zeros = vec![b' '; most + 1];
    check(&migsaw_with(&["plan", "-f", "-"], &zeros), &["file-too-large"], &["<stdin>"]);
}

#[test]
fn an_unwritable_folder_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let in_the_way = file(&folder, "taken", "mine");
    let below = format!("{in_the_way}/deeper");
    for out in [&in_the_way, &below] {
        check(&migsaw(&["plan", &example("inference.yaml"), "--out", out]), &["unwritable"], &["nothing was written"]);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    assert_eq!(std::fs::read_to_string(in_the_way).unwrap(), "mine");
}

#[test]
fn contradicting_arguments_are_refused() {
    let inference = example("inference.yaml");
    check(&migsaw(&["plan", "-f", &inference, "--from", "x"]), &["scenario-and-dump"], &["help:"]);
    check(&migsaw(&["plan"]), &["no-input"], &["kubectl get nodes,pods"]);
    check(&migsaw(&["plan", &inference, "-f", &inference]), &["usage"], &[]);
    check(&migsaw(&["plan", &inference, "--time-limit", "30"]), &["usage"], &["has no unit"]);
    check(&migsaw(&["check", "-f", &inference]), &["no-input"], &[]);
    check(&migsaw(&["check", "-f", "-", "-"]), &["stdin-twice"], &[]);
    check(&migsaw(&["plan", "--from", "-", "-"]), &["stdin-twice"], &[]);
    check(&migsaw(&["plan", &inference, "-n", "team-a"]), &["usage"], &["--from"]);
    check(&migsaw(&["plan", &inference, "--running"]), &["flag-without-dump"], &["--from or --live"]);
    check(&migsaw(&["plan", &inference, "--live"]), &["scenario-and-dump"], &["only one of them"]);
    check(&migsaw(&["apply", &inference]), &["apply-scenario"], &["acts on the live cluster"]);
    check(&migsaw(&["plam"]), &["usage"], &["'plan'"]);
    check(&migsaw(&["plan", &example("dump.json")]), &["looks-like-a-dump"], &["--from"]);
}

#[test]
fn a_dump_without_nodes_says_what_to_dump() {
    let pods = br#"{"kind": "Pod", "metadata": {"name": "a"}}"#;
    check(&migsaw_with(&["plan", "--from", "-"], pods), &["empty-fleet"], &["kubectl get nodes,pods -A -o json"]);
}

#[test]
fn a_folder_of_other_files_is_no_dump() {
    let folder = tempfile::tempdir().unwrap();
    let values = file(&folder, "values.yaml", "image: {tag: x}");
    check(&migsaw(&["plan", "--from", folder.path().to_str().unwrap()]), &["no-kubernetes-object"], &["values.yaml"]);
    let dump = example("dump.json");
    check(&migsaw(&["plan", "--from", &dump, &values]), &["no-kubernetes-object"], &["values.yaml"]);
}

#[test]
fn hostile_text_does_not_reach_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let text =
        scenario("- {name: \"a\\e[2Jb\", profile: \"1g.\\e]0;x\\a6gb\", count: 1}\n- {name: x, \u{202e}profil: 1}");
    let ran = migsaw(&["plan", &file(&folder, "evil.yaml", text)]);
    assert_eq!(ran.code, 2);
    assert!(!ran.err.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{:?}", ran.err);
}

#[test]
fn the_process_fails_with_the_same_code() {
    binary()
        .args(["plan", "nope.yaml"])
        .assert()
        .code(2)
        .stdout("")
        .stderr(predicates::str::starts_with("error[unreadable]"));
    binary().args(["plan", "-f", "-"]).write_stdin("{").assert().code(2).stdout("");
}

#[test]
fn a_cluster_that_is_not_there_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing").display().to_string();
    check(
        &migsaw(&["diff", "--kubeconfig", &missing]),
        &["cluster-config"],
        &["missing", "kubectl config get-contexts"],
    );
    let kubeconfig = common::file(
        &folder,
        "config",
        "apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
current-context: c
",
    );
    let other = ["abort", "--kubeconfig", &kubeconfig, "--context", "nowhere"];
    check(&migsaw(&other), &["cluster-config"], &["nowhere"]);
    let away = ["abort", "--kubeconfig", &kubeconfig];
    check(&migsaw(&away), &["cluster-unreachable"], &["Lease gpu-operator/migsaw-apply", "kubectl get nodes"]);
}
