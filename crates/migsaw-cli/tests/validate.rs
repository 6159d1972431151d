//! `migsaw validate`: what a mig-parted file will do, and what is wrong with it.

#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fmt::Write as _;

use common::{Ran, file, migsaw};

/// A file with one entry of these rules: devices, further fields, MIG devices.
fn config(rules: &[(&str, &str, &str)]) -> String {
    let mut text = "version: v1\nmig-configs:\n  x:\n".to_owned();
    for (devices, fields, mig_devices) in rules {
        let _ = writeln!(text, "  - {{devices: {devices}, {fields}mig-enabled: true, mig-devices: {{{mig_devices}}}}}");
    }
    text
}

fn validate(text: &str, models: &[&str]) -> Ran {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "config.yaml", text);
    let models = if models.is_empty() { Vec::new() } else { [&["--model"], models].concat() };
    migsaw(&[&["validate", &path], &models[..]].concat())
}

const TWO_HALVES: &str = "3g.40gb: 2";
const TOO_MUCH: &str = "3g.40gb: 2, 1g.10gb: 1";

#[test]
fn entries_are_judged_as_mig_parted_applies_them() {
    let h100: &[&str] = &["H100-80GB"];
    let filter = "device-filter: '0x233010DE', ";
    let subsystem = "device-filter: '0x233010DE:0x16C110DE', ";
    for (name, rules, models, code, said) in [
        ("fits", &[("all", "", TWO_HALVES)][..], h100, 0, "the configuration can be created"),
        ("does not fit", &[("all", "", TOO_MUCH)], h100, 1, "error[memory-exceeded]"),
        (
            "an impossible rule first",
            &[("all", "", TOO_MUCH), ("all", "", TWO_HALVES)],
            h100,
            1,
            "error[memory-exceeded]",
        ),
        ("for one GPU", &[("[0]", "", TOO_MUCH), ("all", "", TWO_HALVES)], h100, 1, "error[memory-exceeded]"),
        (
            "behind a wider filter",
            &[("all", filter, TOO_MUCH), ("all", subsystem, TWO_HALVES)],
            &[],
            1,
            "line 4: on H100-80GB",
        ),
        ("a malformed filter", &[("all", "device-filter: '0x2330', ", TWO_HALVES)], &[], 1, "(expected 0x233010DE)"),
        (
            "for other models",
            &[("all", filter, TWO_HALVES)],
            &["A100-80GB"],
            1,
            "the configuration could not be judged",
        ),
        (
            "a mixed node",
            &[("[0]", "", "1g.10gb: 7"), ("[1]", "", "1g.6gb: 4")],
            &["H100-80GB", "A30"],
            0,
            "on H100-80GB, A30-24GB",
        ),
        ("names of two drivers", &[("all", "", "1g.23gb: 2, 3g.95gb: 1")], &["GB200"], 1, "error[mixed-driver-names]"),
        ("a tool's name", &[("all", "", "1g.11gb: 7")], &["H100-94GB"], 1, "error[unknown-profile]"),
        ("fails on some models", &[("all", "", "1g.10gb: 7")], &[], 0, "warning[not-on-every-model]"),
        ("a name nobody has", &[("all", "", "1g.11gb: 7")], &[], 1, "no known model has 1g.11gb (nearest: 1g."),
    ] {
        let ran = validate(&config(rules), models);
        assert_eq!(ran.code, code, "{name}: {}{}", ran.out, ran.err);
        let flat = ran.out.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(flat.contains(said), "{name}: {}", ran.out);
    }
}

#[test]
fn what_could_not_be_judged_is_said_first() {
    let text = config(&[("all", "device-filter: '0x233010DE', ", TWO_HALVES)])
        + "  y:\n  - {devices: all, mig-enabled: true, mig-devices: {3g.40gb: 1}}\n";
    let ran = validate(&text, &["A100-80GB"]);
    assert_eq!(ran.code, 0, "{}", ran.out);
    assert!(ran.out.starts_with("1 of 2 configurations can be created, 1 could not be judged\n"), "{}", ran.out);
}

#[test]
fn names_that_are_no_label_values_are_doubtful() {
    for name in ["''", "a b", &"a".repeat(64)] {
        let ran = validate(&config(&[("all", "", TWO_HALVES)]).replace("  x:", &format!("  {name}:")), &[]);
        assert_eq!(ran.code, 0, "{name}: {}{}", ran.out, ran.err);
        assert!(ran.out.contains("warning[no-label-value]"), "{name}: {}", ran.out);
    }
}

#[test]
fn files_that_say_nothing_or_something_else_are_refused() {
    for (text, code, said) in [
        ("", "empty-file", "the file is empty"),
        ("# nothing\n", "empty-file", "the file is empty"),
        ("---\n", "empty-file", "the file is empty"),
        ("kind: List\nitems: []\n", "other-kind", "this is a List"),
        ("version: v1\nmig-configs:\n  a: *zz\n", "syntax", "unknown anchor"),
        ("version: v1\nmig-configs:\n  ~: []\n", "syntax", "a string is expected"),
    ] {
        let ran = validate(text, &[]);
        assert_eq!(ran.code, 2, "{text}: {}", ran.out);
        assert!(ran.err.starts_with(&format!("error[{code}]")) && ran.err.contains(said), "{text}: {}", ran.err);
    }
}

/// Long lines break at the width of the page.
#[test]
fn findings_are_wrapped() {
    let long = config(&[("all", "", TWO_HALVES), ("[0]", "", TOO_MUCH)])
        .replace("mig-enabled: true, mig-devices: {3g.40gb: 2}", "mig-enabled: false");
    let out = validate(&long, &["H100-80GB"]).out;
    assert!(out.contains("mode-conflict") && out.lines().all(|line| line.chars().count() <= 100), "{out}");
}

/// Errors and rules by the thousand: no step may look at all of them for each.
#[test]
fn large_files_are_judged_too() {
    let mut text = "version: v1\nmig-configs:\n".to_owned();
    for i in 0..3_000 {
        let _ = writeln!(text, "  c{i}:\n  - {{devices: all, mig-enabled: true, mig-devices: {{1g.10gb: -1}}}}");
    }
    let ran = validate(&text, &[]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.trim_end().ends_with("and 2,950 more problems"), "{}", &ran.err[ran.err.len() - 200..]);

    let indices = |from: u32| (from..from + 100).map(|i| i.to_string()).collect::<Vec<_>>().join(", ");
    let lists: Vec<String> = (0..1_000).map(|i| format!("[{}]", indices(i * 100))).collect();
    let rules: Vec<(&str, &str, &str)> = lists.iter().map(|list| (list.as_str(), "", TWO_HALVES)).collect();
    assert_eq!(validate(&config(&rules), &[]).code, 0);
}
