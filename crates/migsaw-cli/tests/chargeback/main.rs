//! Statements of GPUs whose past is known, to the second: from scrapes, from saved answers, from a real Prometheus.

#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../common/mod.rs"]
mod common;
mod prometheus;
mod truth;

use common::{binary, example, file, migsaw, migsaw_with};
use migsaw::document::Decimal;
use migsaw::document::chargeback::{AmountForm, ChargebackDocument};
use truth::{START, TICK, Tally};

/// What is billed in a document, in the form of a tally.
fn tally_of(document: &ChargebackDocument) -> Tally {
    let mut tally = Tally::default();
    for line in &document.lines {
        for slice in &line.slices {
            tally.billed.insert((line.who.clone(), slice.model.clone(), slice.slice.clone()), slice.seconds);
        }
    }
    for slice in &document.idle {
        tally.idle.insert((slice.model.clone(), slice.slice.clone()), slice.seconds);
    }
    for model in &document.models {
        let mut put = |into: fn(&mut Tally) -> &mut std::collections::BTreeMap<String, u64>, value: u64| {
            if value > 0 {
                into(&mut tally).insert(model.model.clone(), value);
            }
        };
        put(|tally| &mut tally.stranded, model.stranded.unit_seconds);
        put(|tally| &mut tally.unknown, model.unknown.unit_seconds);
        put(|tally| &mut tally.seen, model.gpu_seconds);
    }
    tally
}

fn micros(cost: Option<&Decimal>) -> i64 {
    cost.unwrap().to_micros().unwrap()
}

/// Time and money add up: of each model, of each kind, of all.
fn check_sums(document: &ChargebackDocument, price: &dyn Fn(&str) -> i128) {
    for model in &document.models {
        let parts = [&model.billed, &model.idle, &model.stranded, &model.unknown];
        let units: u64 = parts.iter().map(|part| part.unit_seconds).sum();
        assert_eq!(units, model.gpu_seconds * model.units, "{}", model.model);
        let cost: i64 = parts.iter().map(|part| micros(part.cost.as_ref())).sum();
        let exact = price(&model.model) * i128::from(model.gpu_seconds);
        assert_eq!(i128::from(cost), (exact + 1800) / 3600, "{}", model.model);
        let slices = || document.lines.iter().flat_map(|line| &line.slices).filter(|slice| slice.model == model.model);
        let sum = |of: &dyn Fn(&migsaw::document::chargeback::BilledForm) -> AmountForm| {
            let all = slices().map(of).map(|amount| (amount.unit_seconds, micros(amount.cost.as_ref())));
            all.fold((0, 0), |(time, cost), (more, price)| (time + more, cost + price))
        };
        let of = |amount: &AmountForm| (amount.unit_seconds, micros(amount.cost.as_ref()));
        assert_eq!(sum(&|slice| slice.amount.clone()), of(&model.billed), "{}", model.model);
        assert_eq!(sum(&|slice| slice.stranded.clone()), of(&model.stranded), "{}", model.model);
    }
}

/// Checks what is said of arguments against a tally.
fn check(arguments: &[&str], ticks: usize, expected: &Tally) {
    let (start, end) = (START.to_string(), (START + ticks as u64 * TICK).to_string());
    let terms = ["--start", &start, "--end", &end, "--price", "A100-40GB=2.4", "--price", "A30=0.333333", "-o", "json"];
    let ran = migsaw(&[&["chargeback"], arguments, &terms].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(ran.err, "");
    let document: ChargebackDocument = serde_json::from_str(&ran.out).unwrap();
    let found = tally_of(&document);
    assert_eq!(found.billed, expected.billed);
    assert_eq!(&found, expected);
    check_sums(&document, &|model| if model == "A30-24GB" { 333_333 } else { 2_400_000 });
}

#[test]
fn a_month_of_scrapes_is_billed_to_the_second() {
    for (seed, days, faults) in [(1, 8, false), (2, 30, true)] {
        let ticks = days * 24 * 60;
        let gpus = truth::gpus(seed, ticks, faults);
        let expected = truth::tally(&gpus);
        assert!(expected.billed.len() > 15 && expected.idle.len() > 4 && expected.unknown.is_empty() != faults);
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = truth::scrapes(&gpus);
        let (one, other) = (file(&folder, "one.prom", one), file(&folder, "other.prom", other));
        check(&[&one, &other], ticks, &expected);
    }
}

#[test]
fn a_saved_answer_says_the_same_as_scrapes() {
    let ticks = 9 * 24 * 60;
    for seed in 10..13 {
        let gpus = truth::gpus(seed, ticks, true);
        let folder = tempfile::tempdir().unwrap();
        let saved = file(&folder, "answer.json", truth::matrix(&gpus));
        check(&[&saved], ticks, &truth::tally(&gpus));
    }
}

const LABELS: &str = r#"gpu="0",UUID="GPU-1",Hostname="n1",modelName="NVIDIA A30""#;

/// A scrape of these instances, each with id, profile and the rest of its labels, at a second.
fn scrape(at: u64, instances: &[(u32, &str, &str)]) -> String {
    let line = |(id, profile, rest): &(u32, &str, &str)| {
        format!("DCGM_FI_DEV_FB_USED{{{LABELS},GPU_I_ID=\"{id}\",GPU_I_PROFILE=\"{profile}\"{rest}}} 9 {at}000\n")
    };
    instances.iter().map(line).collect()
}

/// The lines of a statement in short: who, slice and seconds; then idle, stranded and unknown.
fn short(arguments: &[&str], stdin: &str) -> String {
    let ran = migsaw_with(&[&["chargeback", "-o", "csv"], arguments].concat(), stdin.as_bytes());
    assert_eq!(ran.code, 0, "{}", ran.err);
    let line = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        let time = if cells[4].is_empty() { cells[5] } else { cells[4] };
        [cells[0], cells[1], cells[3], time].into_iter().filter(|cell| !cell.is_empty()).collect::<Vec<_>>().join(" ")
    };
    ran.out.lines().skip(1).map(line).collect::<Vec<_>>().join("; ")
}

const WEB: &str = r#",namespace="shop",pod="web-0""#;
const JOB: &str = r#",namespace="lab",pod="job-0""#;

#[test]
fn ids_that_come_back_are_others() {
    let text = [
        scrape(1_700_000_000, &[(1, "2g.12gb", WEB), (2, "1g.6gb", "")]),
        scrape(1_700_000_060, &[(1, "1g.6gb", WEB), (2, "1g.6gb", "")]),
        scrape(1_700_000_090, &[(1, "1g.6gb", JOB), (2, "1g.6gb", "")]),
        scrape(1_700_000_120, &[(2, "1g.6gb", "")]),
        scrape(1_700_000_150, &[(2, "1g.6gb", "")]),
    ]
    .concat();
    let expected =
        "billed shop 1g.6gb 30; billed shop 2g.12gb 60; billed lab 1g.6gb 30; idle 1g.6gb 150; stranded 270; unknown 0";
    assert_eq!(short(&["-"], &text), expected);
}

#[test]
fn what_a_scrape_lacks_is_gone() {
    let blank = |text: String| text.replace("} 9 ", "} 9223372036854775794 ");
    let text = [
        scrape(1_700_000_000, &[(1, "2g.12gb", WEB), (2, "2g.12gb", "")]),
        scrape(1_700_000_060, &[(2, "2g.12gb", "")]),
        blank(scrape(1_700_000_120, &[(1, "2g.12gb", "")])) + &scrape(1_700_000_120, &[(2, "2g.12gb", "")]),
        scrape(1_700_000_180, &[(2, "2g.12gb", "")]),
    ];
    let expected = "billed shop 2g.12gb 60; idle 2g.12gb 180; stranded 120; unknown 120";
    assert_eq!(short(&["-"], &text.concat()), expected);
}

#[test]
fn pods_on_one_slice_share_it_exactly() {
    let text = [
        scrape(1_700_000_000, &[(1, "4g.24gb", WEB), (1, "4g.24gb", JOB)]),
        scrape(1_700_000_061, &[(1, "4g.24gb", "")]),
    ];
    let expected = "billed lab 4g.24gb 31; billed shop 4g.24gb 30; stranded 0; unknown 0";
    assert_eq!(short(&["-"], &text.concat()), expected);
}

#[test]
fn what_cannot_be_is_unknown_and_said() {
    // As after a query whose server still answers with series that ended.
    let text = [
        scrape(1_700_000_000, &[(1, "4g.24gb", WEB)]),
        scrape(1_700_000_030, &[(1, "4g.24gb", WEB), (3, "2g.12gb", JOB)]),
        scrape(1_700_000_060, &[(3, "2g.12gb", JOB)]),
        scrape(1_700_000_090, &[(3, "1g.10gb", JOB)]),
        scrape(1_700_000_120, &[(3, "2g.12gb", JOB)]),
    ]
    .concat();
    let ran = migsaw_with(&["chargeback", "-"], text.as_bytes());
    assert!(ran.err.contains("warning[metrics-contradict]: n1 GPU 0: 2 scrapes contradict themselves, the first at second 1700000030: its instances take 6 of 4 placement units"), "{}", ran.err);
    let expected = "billed shop 4g.24gb 30; billed lab 2g.12gb 30; stranded 60; unknown 240";
    assert_eq!(short(&["-"], &text), expected);
}

#[test]
fn a_scrape_without_timestamps_holds_from_when_it_is_said_to_be() {
    let text = scrape(1, &[(1, "4g.24gb", WEB)]).replace(" 1000\n", "\n");
    let ran = migsaw_with(&["chargeback", "-"], text.as_bytes());
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("error[no-timestamp]") && ran.err.contains("--at TIME"), "{}", ran.err);
    let period = ["--at", "2026-10-01T00:00:00Z", "--start", "2026-10-01", "--end", "2026-10-02", "-"];
    assert_eq!(short(&period, &text), "billed shop 4g.24gb 300; stranded 0; unknown 0");
    let held = [&["--hold", "1h"], &period[..]].concat();
    assert_eq!(short(&held, &text), "billed shop 4g.24gb 3600; stranded 0; unknown 0");
    let ran = migsaw_with(&["chargeback", "--at", "2026-10-01", "-"], text.as_bytes());
    assert!(ran.err.contains("error[empty-period]"), "{}", ran.err);
    assert!(ran.err.contains("ends at 2026-10-01T00:00:00Z, and begins at 2026-10-01T00:00:00Z"), "{}", ran.err);
    let ran = migsaw_with(
        &["chargeback", "--at", "2026-10-01", "--start", "2026-11-01", "--end", "2026-11-02", "-"],
        text.as_bytes(),
    );
    assert!(ran.err.contains("warning[period-unseen]") && ran.err.contains("from 2026-10-01T00:00:00Z"), "{}", ran.err);
    let priced = ["chargeback", "--at", "2026-10-01", "--price", "9g.99gb=3", "-"];
    let ran = migsaw_with(&priced, text.as_bytes());
    assert!(ran.err.contains("error[unknown-profile]") && ran.err.contains("9g.99gb"), "{}", ran.err);
}

#[test]
fn tenants_and_labels_are_billed() {
    let labelled = format!("{WEB},team_name=\"blue\"");
    let text = [
        scrape(1_700_000_000, &[(1, "2g.12gb", &labelled), (2, "2g.12gb", JOB)]),
        scrape(1_700_000_060, &[(1, "2g.12gb", &labelled), (2, "2g.12gb", JOB)]),
    ]
    .concat();
    let by = |arguments: &[&str]| short(&[&["-"], arguments].concat(), &text);
    let rest = "stranded 0; unknown 0";
    assert_eq!(by(&["--tenant", "all=shop,lab"]), format!("billed all 2g.12gb 120; {rest}"));
    assert_eq!(by(&["--tenant", "one=shop"]), format!("billed lab 2g.12gb 60; billed one 2g.12gb 60; {rest}"));
    // The namespace of that name is not of the tenant.
    let apart = format!("billed lab 2g.12gb 60; billed lab (namespace) 2g.12gb 60; {rest}");
    assert_eq!(by(&["--tenant", "lab=shop"]), apart);
    let labels = format!("billed (without the label) 2g.12gb 60; billed blue 2g.12gb 60; {rest}");
    assert_eq!(by(&["--label", "team/name"]), labels);
    assert_eq!(by(&["--by", "pod"]), format!("billed lab/job-0 2g.12gb 60; billed shop/web-0 2g.12gb 60; {rest}"));
    // The dump has the label of the other pod; its node is one of which there are metrics.
    let folder = tempfile::tempdir().unwrap();
    let dump = file(
        &folder,
        "dump.yaml",
        "kind: Pod
metadata: {name: job-0, namespace: lab, labels: {team/name: red}}
spec: {nodeName: n1, containers: [{resources: {limits: {nvidia.com/mig-2g.12gb: 1}}}]}
status: {phase: Running, startTime: '1970-01-01T00:00:00Z'}
",
    );
    let both = format!("billed blue 2g.12gb 60; billed red 2g.12gb 60; {rest}");
    assert_eq!(by(&["--label", "team/name", "--from", &dump]), both);
}

#[test]
fn a_dump_alone_bills_what_pods_held() {
    let period = ["--start", "2026-10-01", "--end", "2026-10-02"];
    let ran = migsaw(&["chargeback", "--from", &example("dump.json")]);
    assert!(ran.err.contains("error[period-missing]"), "{}", ran.err);
    let node = r#"{"kind": "Node", "metadata": {"name": "n1", "labels": {"nvidia.com/gpu.product": "NVIDIA-A30",
        "nvidia.com/gpu.count": "1", "nvidia.com/mig.strategy": "mixed"}}}
        {"kind": "Pod", "metadata": {"name": "p", "namespace": "lab"}, "spec": {"nodeName": "n1",
        "containers": [{"resources": {"limits": {"nvidia.com/mig-1g.6gb": 2}}}]},
        "status": {"phase": "Succeeded", "startTime": "2026-09-30T23:00:00Z",
        "containerStatuses": [{"state": {"terminated": {"finishedAt": "2026-10-01T01:00:00Z"}}}]}}"#;
    let expected = format!("billed lab 1g.6gb 7200; stranded 0; unknown {}", 4 * 86_400 - 7200);
    assert_eq!(short(&[&["--from", "-"], &period[..]].concat(), node), expected);
}

#[test]
fn every_form_of_the_example_says_the_same() {
    let history = example("history.json");
    let run = |verb: &str, format: &str| {
        let output = binary().args([verb, &history, "--price", "A100-40GB=2.4", "-o", format]).output().unwrap();
        assert!(output.status.code().is_some_and(|code| code < 2), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    for (verb, kind) in [("chargeback", "Chargeback"), ("right-size", "RightSizing")] {
        let (text, markdown) = (run(verb, "text"), run(verb, "markdown"));
        let answer = markdown.lines().next().unwrap().trim_matches('*').replace('\\', "").replace("&gt;", ">");
        assert_eq!(text.split("\n2026").next().unwrap().replace("\n  ", " "), answer);
        let json: serde_json::Value = serde_json::from_str(&run(verb, "json")).unwrap();
        assert_eq!(json["kind"], kind);
        assert!(run(verb, "yaml").starts_with("apiVersion: migsaw.io/v1alpha1\n"));
        assert!(run(verb, "csv").lines().count() > 3);
    }
}
