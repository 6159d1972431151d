//! `migsaw geometry`: what a board can be cut into.

#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{file, migsaw};
use serde_json::{Value, json};

fn show(model: &str) -> Value {
    serde_json::from_str(&migsaw(&["geometry", "show", model, "-o", "json"]).out).unwrap()
}

fn profile(model: &Value, name: &str) -> Value {
    model["profiles"].as_array().unwrap().iter().find(|p| p["name"] == name).unwrap().clone()
}

/// What nobody publishes is null, and not 0.
#[test]
fn unknown_engines_are_shown_as_unknown() {
    let gb300 = profile(&show("GB300"), "1g.35gb");
    let unknown = json!({"decoders": null, "encoders": null, "jpeg": null, "ofa": null, "copyEngines": null});
    assert_eq!((&gb300["engines"]["value"], &gb300["engines"]["confidence"]), (&unknown, &"unsourced".into()));
    let b200 = &profile(&show("B200"), "3g.90gb")["engines"];
    let partly = json!({"decoders": null, "encoders": 0, "jpeg": null, "ofa": 0, "copyEngines": 6});
    assert_eq!((&b200["value"], &b200["confidence"]), (&partly, &"source".into()));
    let text = migsaw(&["geometry", "show", "B200"]).out;
    assert!(text.contains("? dec, ? jpeg"), "{text}");
}

#[test]
fn an_engine_budget_has_a_source_and_no_sentinels() {
    let budget = json!({"decoders": null, "encoders": null, "jpeg": 1, "ofa": 1, "copyEngines": null});
    assert_eq!(show("A30")["engineBudget"]["value"], budget);
    let rtx = &show("RTX-PRO-6000")["engineBudget"];
    assert_eq!((&rtx["confidence"], &rtx["source"][0]), (&"source".into(), &"docs-profiles".into()));
    assert_eq!(show("H100-80GB")["engineBudget"], Value::Null);
}

#[test]
fn other_names_say_whose_they_are() {
    let name = |model: &str, profile_name: &str| profile(&show(model), profile_name)["otherNames"][0].clone();
    let gb200 = name("GB200", "3g.93gb");
    assert_eq!((&gb200["name"], &gb200["driver"]), (&"3g.95gb".into(), &"earlier".into()));
    assert_eq!((&gb200["confidence"], &gb200["source"][0]), (&"source".into(), &"go-pr-1303".into()));
    let dcgm = name("H100-94GB", "1g.12gb");
    assert_eq!((&dcgm["name"], &dcgm["tool"], &dcgm["driver"]), (&"1g.11gb".into(), &"DCGM".into(), &Value::Null));
    let text = migsaw(&["geometry", "show", "GB300"]).out;
    assert!(text.contains("3g.139gb: 3g.126gb (driver: 61x; capture:62193424076"), "{text}");
}

#[test]
fn compute_instances_have_the_drivers_names() {
    let forms = show("H100-80GB")["computeInstances"].clone();
    assert_eq!((&forms["1c.3g.40gb"], &forms["3g.40gb"], &forms["3c.3g.40gb"]), (&3.into(), &1.into(), &Value::Null));
}

#[test]
fn fits_takes_every_spelling_of_a_profile() {
    for (counts, code) in [
        ("1c.3g.40gb=3", 0),
        ("1c.3g.40gb=6,1g.10gb=1", 1),
        ("1g.10gb.me=1,1g.10gb=6", 0),
        ("nvidia.com/mig-1g.10gb=7", 0),
        ("nvidia.com/mig-1g.10gb=8", 1),
        ("5c.7g.80gb=1", 2),
        ("1g.10gb=200,1g.10gb=100", 2),
    ] {
        let ran = migsaw(&["geometry", "fits", "H100-80GB", counts]);
        assert_eq!(ran.code, code, "{counts}: {}{}", ran.out, ran.err);
    }
}

/// The layout shown is the one that the creation order leads to.
#[test]
fn fits_shows_what_comes_about() {
    let args = ["geometry", "fits", "H100-94GB", "1g.24gb=1,2g.24gb=2", "--pinned", "1g.12gb+me@6", "-o", "json"];
    let fit: Value = serde_json::from_str(&migsaw(&args).out).unwrap();
    let mut created = fit["creationOrder"].as_array().unwrap().clone();
    created.sort_by_key(|placement| placement["start"].as_u64());
    assert_eq!(fit["layout"]["placements"], Value::Array(created));
}

#[test]
fn geometry_files_say_what_is_wrong_with_which_model() {
    let folder = tempfile::tempdir().unwrap();
    let starts = r#""placements": [{"start": 0, "size": 1}]"#;
    for (text, said) in [
        ("null".to_owned(), "expected a map with the list `models`"),
        ("[]".to_owned(), "expected a map with the list `models`, found a list"),
        (r#"{"models": [{"id": "", "profiles": []}]}"#.to_owned(), "model 1: a model needs an id"),
        (r#"{"models": [{"id": "X"}]}"#.to_owned(), "X: a model that is not in the catalogue needs `profiles`"),
        (
            r#"{"models": [{"id": "X", "profiles": [{"name": "1g.5gb", "placements": [{"start": -1, "size": 1}]}]}]}"#
                .to_owned(),
            "X: a placement of 1g.5gb: invalid value: integer `-1`, expected a whole number from 0 to 255",
        ),
        (
            format!(
                r#"{{"models": [{{"id": "X", "engine_budget": {{"values": {{"jpeg": 1}}}}, "profiles": [{{"name": "1g.5gb", "engines": {{"jpeg": 5}}, {starts}}}]}}]}}"#
            ),
            "X: 1g.5gb holds 5 JPEG decoders, and engine_budget has 1",
        ),
    ] {
        let path = file(&folder, "geometry.json", &text);
        let ran = migsaw(&["geometry", "list", "--geometry", &path]);
        assert_eq!(ran.code, 2, "{text}: {}", ran.out);
        assert!(ran.err.contains(said), "{text}: {}", ran.err);
    }
    let names = file(
        &folder,
        "names.json",
        r#"{"models": [{"id": "GB300-278GB", "driver_variant_names": [{"1g": "1g.32gb"}]}]}"#,
    );
    let ran = migsaw(&["geometry", "fits", "GB300", "1g.32gb=7", "--geometry", &names]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let bare = file(
        &folder,
        "bare.json",
        format!(r#"{{"models": [{{"id": "X", "profiles": [{{"name": "1g.5gb", {starts}}}]}}]}}"#),
    );
    let ran = migsaw(&["geometry", "show", "X", "--geometry", &bare]);
    assert!(ran.out.starts_with("X\n"), "{}", ran.out);
}

#[test]
fn layouts_break_at_the_width_of_the_page() {
    let out = migsaw(&["geometry", "layouts", "H100-94GB", "--maximal"]).out;
    assert!(out.lines().all(|line| line.chars().count() <= 100), "{out}");
}
