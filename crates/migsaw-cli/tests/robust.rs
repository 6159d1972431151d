//! What `migsaw robust` answers, and with which exit code.

#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{example, file, migsaw, scenario};
use migsaw::document::robust::{RobustDocument, RuleForm};

fn read(args: &[&str]) -> RobustDocument {
    let ran = migsaw(&[&["robust"], args, &["-o", "json"]].concat());
    assert!(ran.code < 2, "{}", ran.err);
    serde_json::from_str(&ran.out).unwrap()
}

#[test]
fn each_scenario_is_measured_by_its_own_plan() {
    let mixes = example("mixes.yaml");
    let ran = migsaw(&["robust", &mixes]);
    assert_eq!((ran.code, ran.err.as_str()), (1, ""));
    let first = "223.27 of 224.47 units served on average (224.4 if one knew what comes), greatest regret 5: no";
    assert!(ran.out.starts_with(first), "{}", ran.out);
    let document = read(&[&mixes]);
    // The weekend, by hand.
    let text = std::fs::read_to_string(&mixes).unwrap();
    let text = &text[..text.find("# What may come").unwrap()];
    let by_hand =
        text.replace("count: 180", "count: 90").replace("count: 60", "count: 10").replace("count: 1}", "count: 4}");
    let folder = tempfile::tempdir().unwrap();
    let plan = migsaw(&["plan", &file(&folder, "s.yaml", by_hand), "-o", "json"]);
    let plan: serde_json::Value = serde_json::from_str(&plan.out).unwrap();
    let weekend = &document.scenarios[1].priorities[0];
    assert_eq!(plan["tiers"][0]["value"], weekend.best);
    assert_eq!((weekend.asked, weekend.regret), (124, i64::try_from(weekend.best - weekend.served).unwrap()));
    // (5 * 261 + 2 * 121 + 0.5 * 255) / 7.5, and what the average is of.
    let served: Vec<u64> = document.scenarios.iter().map(|scenario| scenario.priorities[0].served).collect();
    let average = (10 * served[0] + 4 * served[1] + served[2]) * 1_000_000 / 15;
    assert_eq!(document.tiers[0].value.to_micros(), Some(i64::try_from(average).unwrap()));
    assert!(document.proven && document.tiers.iter().all(|tier| tier.value == tier.bound));
    let gpus: u64 = document.layout.iter().map(|cut| cut.gpus).sum();
    assert_eq!((gpus, document.gpus), (64, 64));
}

#[test]
fn the_worst_case_is_another_aim() {
    let (average, worst) = (read(&[&example("mixes.yaml")]), read(&[&example("mixes.yaml"), "--worst"]));
    let ours = |document: &RobustDocument| {
        let ours = &document.choices[0];
        assert_eq!(ours.rule, RuleForm::Robust);
        (ours.priorities[0].average.to_micros().unwrap(), ours.priorities[0].regret)
    };
    assert_eq!((ours(&average).1, ours(&worst).1), (5, 3));
    assert!(ours(&average).0 > ours(&worst).0);
    for choice in &average.choices {
        assert!(choice.priorities[0].average.to_micros().unwrap() <= ours(&average).0, "{:?}", choice.rule);
        assert!(choice.priorities[0].regret >= ours(&worst).1, "{:?}", choice.rule);
    }
}

#[test]
fn scenarios_come_from_the_command_line_too() {
    let folder = tempfile::tempdir().unwrap();
    let demand = "- {name: small, profile: 1g.6gb, count: 4}\n- {name: large, profile: 2g.12gb, count: 2}";
    let path = file(&folder, "s.yaml", scenario(demand));
    let all = migsaw(&["robust", &path, "--scenario", "day=5", "--scenario", "night=0.5:small=+100%,large=-2"]);
    assert_eq!(all.code, 0, "{}{}", all.out, all.err);
    let document = read(&[&path, "--scenario", "p50", "--scenario", "p90:all=+50%", "--scenario", "p99:small=20"]);
    let weights: Vec<&str> = document.scenarios.iter().map(|scenario| scenario.weight.as_str()).collect();
    assert_eq!(weights, ["70", "24.5", "5.5"]);
    let asked: Vec<u64> = document.scenarios.iter().map(|scenario| scenario.priorities[0].asked).collect();
    assert_eq!(asked, [6, 9, 22]);
    let csv = migsaw(&["robust", &path, "--scenario", "day=5", "-o", "csv"]).out;
    assert_eq!(csv.lines().nth(1), Some("day,5,small,0,4,4,4,0"), "{csv}");
    let page = migsaw(&["robust", &path, "--scenario", "day=5", "-o", "markdown"]).out;
    assert!(page.starts_with("**6 of 6 units served on average (6 if one knew what comes)"), "{page}");
}

#[test]
fn the_layout_is_written_as_a_plan_is() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("plan");
    let ran = migsaw(&["robust", &example("mixes.yaml"), "--out", out.to_str().unwrap()]);
    assert!(ran.err.contains("ConfigMap migsaw-") || ran.err.contains("mig-config.yaml"), "{}", ran.err);
    let config = std::fs::read_to_string(out.join("mig-config.yaml")).unwrap();
    assert!(config.contains("3g.40gb") && config.contains("1g.20gb"), "{config}");
    let plan: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(out.join("plan.json")).unwrap()).unwrap();
    let document = read(&[&example("mixes.yaml")]);
    let cut: u64 = document.layout.iter().filter(|cut| cut.cut != "off").map(|cut| cut.gpus).sum();
    assert_eq!(plan["gpusUsed"], cut);
}

#[test]
fn what_makes_no_sense_is_refused_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let text = scenario("- {name: small, profile: 1g.6gb, count: 4}");
    let with = |scenarios: &str| format!("{text}scenarios:\n{scenarios}\n");
    for (code, line, scenarios) in [
        ("duplicate-scenario", 9, "- {name: a}\n- {name: a}"),
        ("invalid-weight", 8, "- {name: a, weight: 0}"),
        ("unknown-demand", 8, "- {name: a, counts: {smal: 5}}"),
        ("invalid-scaling", 8, "- {name: a, counts: {small: more}}"),
        ("out-of-range", 8, "- {name: a, counts: {small: -5}}"),
        ("uneven-weights", 9, "- {name: a, weight: 1000000}\n- {name: b, weight: 0.000001}"),
        ("empty-name", 8, "- {name: ''}"),
        ("unknown-field", 8, "- {name: a, share: 5}"),
    ] {
        let path = file(&folder, "s.yaml", with(scenarios).replace("\n\n", "\n"));
        // No verb reads past it.
        for verb in ["robust", "plan"] {
            let ran = migsaw(&[verb, &path]);
            assert_eq!(ran.code, 2, "{scenarios}");
            let place = format!("s.yaml:{line}:");
            assert!(ran.err.contains(code) && ran.err.contains(&place), "{code} at {line}: {}", ran.err);
        }
    }
    let path = file(&folder, "s.yaml", text);
    for (code, args) in [
        ("no-scenarios", &[][..]),
        ("duplicate-scenario", &["--scenario", "a", "--scenario", "a=2"]),
        ("unknown-demand", &["--scenario", "a:smal=5"]),
        ("invalid value", &["--scenario", "a=0"]),
        ("invalid value", &["--scenario", "a:small"]),
    ] {
        let ran = migsaw(&[&["robust", &path], args].concat());
        assert!(ran.code == 2 && ran.err.contains(code), "{code}: {}", ran.err);
    }
}
