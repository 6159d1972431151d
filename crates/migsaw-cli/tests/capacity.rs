//! What `migsaw capacity` answers, and with which exit code.

#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{example, file, migsaw, scenario};
use migsaw::document::capacity::CapacityDocument;

fn read(args: &[&str]) -> CapacityDocument {
    let ran = migsaw(&[&["capacity"], args, &["-o", "json"]].concat());
    assert!(ran.code < 2, "{}", ran.err);
    serde_json::from_str(&ran.out).unwrap()
}

/// So many of a profile fit, by freedom.
fn fits(document: &CapacityDocument, profile: &str) -> Vec<u64> {
    let row = document.profiles.iter().find(|row| row.profile.as_deref() == Some(profile)).unwrap();
    assert!(row.fits.iter().all(|fit| fit.least == fit.most), "{row:?}");
    row.fits.iter().map(|fit| fit.least).collect()
}

#[test]
fn the_answer_is_in_line_one() {
    let ran = migsaw(&["capacity", &example("running.yaml")]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(ran.out.starts_with("0 more copies of (12 chat + 4 embed + 2 llm) fit as the GPUs are cut, 1 if all"));
    assert!(ran.out.contains("beside 11 units that run, on 8 GPUs of 4 nodes"), "{}", ran.out);
    let ran = migsaw(&["capacity", &example("running.yaml"), "--profile", "3g.40gb", "--mix", "3g.40gb=2"]);
    assert!(ran.out.starts_with("1 more copy of (2 3g.40gb) fits as the GPUs are cut, 6 if all"), "{}", ran.out);
}

#[test]
fn numbers_follow_what_may_be_done() {
    let running = example("running.yaml");
    let document = read(&[&running, "--max-evictions", "2"]);
    assert_eq!(fits(&document, "3g.40gb"), [2, 2, 6, 12]);
    assert_eq!(fits(&document, "1g.10gb"), [27, 27, 41, 43]);
    assert_eq!(document.profiles.last().unwrap().profile, None, "whole GPUs come last");
    let from_scratch = read(&[&running, "--ignore-running"]);
    assert_eq!(fits(&from_scratch, "1g.10gb"), [56]);
    let with_demand = read(&[&example("inference.yaml"), "--with-demand", "--profile", "1g.10gb"]);
    assert_eq!(fits(&with_demand, "1g.10gb"), [176]);
    // What must not be moved is in the way.
    let kept = read(&[&running, "--keep-priority", "0", "--profile", "3g.40gb"]);
    assert_eq!(fits(&kept, "3g.40gb"), [2, 2, 2]);
}

#[test]
fn a_dump_counts_what_runs() {
    let dump = example("dump.json");
    let now = read(&["--from", &dump, "--dcgm", &example("metrics.txt")]);
    assert_eq!((now.units, now.profiles[0].fits.len()), (1, 3));
    let empty = read(&["--from", &dump, "--ignore-running"]);
    assert_eq!((empty.units, empty.profiles[0].fits.len()), (0, 1));
}

#[test]
fn the_code_says_whether_anything_fits() {
    let folder = tempfile::tempdir().unwrap();
    let full = file(
        &folder,
        "s.yaml",
        "apiVersion: migsaw.io/v1alpha1\nkind: Scenario\n\
         fleet: [{pool: a, model: A30, nodes: 1, gpusPerNode: 1}]\n\
         demand: [{name: x, profile: 4g.24gb, count: 1}]\n\
         state: [{node: a-0, gpus: ['4g.24gb=1'], pods: [{demand: x, count: 1}]}]\n",
    );
    let ran = migsaw(&["capacity", &full]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.out.starts_with("0 more copies of (1 x) fit as the GPUs are cut\n"), "{}", ran.out);
    let some = file(&folder, "t.yaml", scenario("- {name: x, profile: 4g.24gb, count: 1}"));
    assert_eq!(migsaw(&["capacity", &some]).code, 0);
    assert_eq!(migsaw(&["capacity", &some, "--mix", "4g.24gb=5"]).code, 1);
    let none = file(&folder, "u.yaml", scenario("[]").replace("\n[]", " []"));
    let ran = migsaw(&["capacity", &none, "--profile", "1g.6gb"]);
    assert!(ran.out.starts_with("16 of 1g.6gb fit\n"), "{} {}", ran.out, ran.err);
}

#[test]
fn bad_questions_are_refused_with_the_nearest_names() {
    let running = example("running.yaml");
    for (args, code, said) in [
        (&["--profile", "3g.20gb"][..], "unknown-profile", "3g.40gb"),
        (&["--mix", "3g.20gb=1"], "unknown-profile", "nearest: 3g.40gb"),
        (&["--profile", "3g40gb"], "invalid-profile-name", "did you mean 3g.40gb"),
        (&["--mix", "1g.10gb=x"], "layout-count", "1g.10gb=4,3g.40gb=1"),
        (&["--mix", "1g.10gb=99999999999999999999"], "layout-count", "at most"),
        (&["--mix", "1g.10gb=0"], "empty-mix", "nothing in it"),
        (&["--mix", ""], "invalid-profile-name", "did you mean"),
        (&["-o", "xlsx"], "usage", "markdown"),
    ] {
        let ran = migsaw(&[&["capacity", &running], args].concat());
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}");
        assert!(ran.err.starts_with(&format!("error[{code}]")) && ran.err.contains(said), "{args:?} {}", ran.err);
    }
}

#[test]
fn tables_are_for_spreadsheets_and_pages() {
    let running = example("running.yaml");
    let csv = migsaw(&["capacity", &running, "--profile", "3g.40gb", "-o", "csv"]).out;
    let mut lines = csv.lines();
    assert_eq!(lines.next(), Some("pool,tainted,profile,freedom,max_evictions,least,most,if_empty,limits"));
    assert_eq!(lines.next(), Some("*,,3g.40gb,as-cut,,2,2,16,cut=8"));
    let page = migsaw(&["capacity", &running, "--profile", "3g.40gb", "-o", "md"]).out;
    assert!(page.contains("| all | 3g.40gb | 2 (13%) | 2 (13%) | 12 (75%) | 16 |"), "{page}");
    let yaml = migsaw(&["capacity", &running, "--profile", "3g.40gb", "-o", "yaml"]).out;
    assert!(yaml.starts_with("apiVersion: migsaw.io/v1alpha1\nkind: Capacity\n"), "{yaml}");
}

#[test]
fn without_time_there_are_bounds() {
    let ran = migsaw(&["capacity", &example("mixed-fleet.yaml"), "--profile", "1g.10gb", "--time-limit", "0s"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.out.contains("not proven") && ran.out.contains("0 to "), "{}", ran.out);
}

#[test]
fn several_pools_are_shown_one_by_one_and_taints_are_marked() {
    let ran = migsaw(&["capacity", &example("mixed-fleet.yaml"), "--profile", "1g.18gb", "--profile", "1g.6gb"]);
    assert!(ran.out.contains("Pool h200  2 nodes with H200-141GB, tainted team=research:NoSchedule"), "{}", ran.out);
    assert!(ran.out.contains("Pool a30  4 nodes with A30-24GB, strategy single"), "{}", ran.out);
    assert!(ran.out.contains("none of these profiles can be on its GPUs"), "{}", ran.out);
}

#[test]
fn as_cut_means_nothing_on_a_node_of_unknown_cut_whatever_is_pinned_there() {
    let text = "apiVersion: migsaw.io/v1alpha1\nkind: Scenario\nfleet:\n- {pool: p, model: H100-80GB, nodes: [n0, n1], \
                gpusPerNode: 1, pinned: [{nodes: [n0], gpus: [\"2g.20gb@4\"]}]}\ndemand: []\nstate:\n- {node: n1, gpus: \
                [\"3g.40gb@0\"]}\n";
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "pinned.yaml", text);
    let document = read(&[&path, "--profile", "3g.40gb", "--profile", "1g.10gb"]);
    assert_eq!(fits(&document, "3g.40gb")[..2], [1, 3]);
    assert_eq!(fits(&document, "1g.10gb")[0], 0);
}
