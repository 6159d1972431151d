//! What mig-parted accepts and refuses, and what can be created.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

use migsaw::geometry::Catalog;
use migsaw_kube::mig_parted::{Config, Report, validate};

fn in_file(rules: &str) -> String {
    format!("version: v1\nmig-configs:\n  mine:\n{rules}")
}

fn codes(text: &str) -> Vec<String> {
    match Config::read(text.as_bytes()) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.0.iter().map(|error| format!("{}:{}", error.line, error.code())).collect(),
    }
}

#[test]
fn accepts_what_mig_parted_accepts() {
    let rule = |text: &str| in_file(&format!("  - {text}\n"));
    for (name, text) in [
        ("nothing", String::new()),
        ("a comment", "# nothing\n".to_owned()),
        ("an empty map", "{}".to_owned()),
        ("the version alone", "version: v1\n".to_owned()),
        ("MIG off", rule("{devices: all, mig-enabled: false}")),
        ("MIG off, no devices", rule("{devices: all, mig-enabled: false, mig-devices: {}}")),
        ("MIG on, no devices", rule("{devices: all, mig-enabled: true, mig-devices: {}}")),
        ("indices", rule("{devices: [0, 3, 3], mig-enabled: true, mig-devices: {1g.10gb: 7}}")),
        ("no index", rule("{devices: [], mig-enabled: true, mig-devices: {1g.10gb: 7}}")),
        ("a filter", rule("{device-filter: '0x233010DE', devices: all, mig-enabled: true, mig-devices: {1g.10gb: 7}}")),
        ("filters", rule("{device-filter: ['0x233010DE', '0x20B210DE:0x146310DE'], devices: all, mig-enabled: false}")),
        ("any filter at all", rule("{device-filter: nonsense, devices: all, mig-enabled: false}")),
        ("some counts zero", rule("{devices: all, mig-enabled: true, mig-devices: {1g.10gb: 0, 2g.20gb: 1}}")),
        (
            "attributes",
            rule(
                "{devices: all, mig-enabled: true, mig-devices: {1g.10gb+me: 1, 1g.24gb-me: 1, '2c.7g.80gb+me,gfx': 1, 0g.0gb: 1}}",
            ),
        ),
        ("what does not fit", rule("{devices: all, mig-enabled: true, mig-devices: {7g.80gb: 700}}")),
        ("null for false", rule("{devices: all, mig-enabled: null}")),
        ("yes for true", rule("{devices: all, mig-enabled: yes, mig-devices: {}}")),
        ("JSON", r#"{"version": "v1", "mig-configs": {"a": [{"devices": "all", "mig-enabled": false}]}}"#.to_owned()),
        ("anchors", "version: v1\nmig-configs:\n  a: &a\n  - {devices: all, mig-enabled: false}\n  b: *a\n".to_owned()),
    ] {
        assert_eq!(codes(&text), [""; 0], "{name}");
    }
}

#[test]
fn refuses_what_mig_parted_refuses() {
    let rule = |text: &str| in_file(&format!("  - {text}\n"));
    for (name, text, expected) in [
        ("no version", "mig-configs: {a: [{devices: all, mig-enabled: false}]}".to_owned(), &["1:missing-field"][..]),
        ("another version", "version: v2".to_owned(), &["1:unknown-version"]),
        ("a number for a version", "version: 1".to_owned(), &["1:wrong-type"]),
        ("an unknown field", "version: v1\nmig-config: {}".to_owned(), &["2:unknown-field"]),
        ("no configuration", "version: v1\nmig-configs: {}".to_owned(), &["2:empty-config"]),
        ("no rule", "version: v1\nmig-configs: {a: []}".to_owned(), &["2:empty-config"]),
        ("null for rules", "version: v1\nmig-configs:\n  a:\n".to_owned(), &["3:empty-config"]),
        ("a map for rules", in_file("    devices: all\n    mig-enabled: false\n"), &["4:wrong-type"]),
        ("a word for a rule", rule("all-disabled"), &["4:wrong-type"]),
        ("nothing required", rule("{mig-devices: {}}"), &["4:missing-field", "4:missing-field"]),
        ("an unknown field of a rule", rule("{devices: all, mig-enabled: false, mig-mode: x}"), &["4:unknown-field"]),
        ("another word than all", rule("{devices: some, mig-enabled: false}"), &["4:unknown-devices"]),
        ("words as indices", rule("{devices: [a], mig-enabled: false}"), &["4:wrong-type"]),
        ("half an index", rule("{devices: [1.5], mig-enabled: false}"), &["4:out-of-range"]),
        ("one index without a list", rule("{devices: 0, mig-enabled: false}"), &["4:wrong-type"]),
        ("a number as filter", rule("{device-filter: 0x233010DE, devices: all, mig-enabled: false}"), &["4:wrong-type"]),
        ("no truth value", rule("{devices: all, mig-enabled: 1}"), &["4:wrong-type"]),
        ("MIG on without devices", rule("{devices: all, mig-enabled: true}"), &["4:mig-devices-missing"]),
        ("MIG on with null", rule("{devices: all, mig-enabled: true, mig-devices: }"), &["4:mig-devices-missing"]),
        ("MIG off with devices", rule("{devices: all, mig-enabled: false, mig-devices: {1g.5gb: 1}}"), &["4:mig-devices-without-mig"]),
        ("a negative count", rule("{devices: all, mig-enabled: true, mig-devices: {1g.5gb: -1}}"), &["4:out-of-range"]),
        ("a huge count", rule("{devices: all, mig-enabled: true, mig-devices: {1g.5gb: 99999999999999999999}}"), &["4:out-of-range"]),
        ("a word for a count", rule("{devices: all, mig-enabled: true, mig-devices: {1g.5gb: two}}"), &["4:wrong-type"]),
        ("zero counts", rule("{devices: all, mig-enabled: true, mig-devices: {1g.5gb: 0, 2g.10gb: 0}}"), &["4:all-counts-zero"]),
        ("a malformed name", rule("{devices: all, mig-enabled: true, mig-devices: {1g5gb: 1}}"), &["4:profile-name"]),
        ("both kinds of attributes", rule("{devices: all, mig-enabled: true, mig-devices: {1g.5gb+me-gfx: 1}}"), &["4:profile-name"]),
        ("a key twice", "version: v1\nversion: v1".to_owned(), &["2:syntax"]),
        ("a list", "- a".to_owned(), &["1:wrong-type"]),
        ("two documents", "version: v1\n---\nversion: v1".to_owned(), &["0:several-documents"]),
        ("deep nesting", format!("version: {}", "[".repeat(10_000)), &["1:syntax"]),
        (
            "all at once",
            "version: v3\nmig-configs:\n  a: []\n  b:\n  - devices: none\n    mig-enabled: true\n    mig-devices:\n      x: 1\n      1g.5gb: -3\nmore: 1\n".to_owned(),
            &["1:unknown-version", "3:empty-config", "5:unknown-devices", "8:profile-name", "9:out-of-range", "10:unknown-field"],
        ),
    ] {
        assert_eq!(codes(&text), expected, "{name}");
    }
    for (text, said) in [
        (rule("{devices: all, mig-enabled: true, mig-devices: {1g.5gb: 7.0}}"), "is 7.0 (expected a whole number"),
        (rule("{devices: all, mig-enabled: true, mig-devices: {1g.5gb: 99999999999999999999}}"), "is 1e20 (expected"),
        ("version: v1\nmig-configs:\n  ~: []\n".to_owned(), "nothing stands where a string is expected"),
        ("kind: List\nitems: []".to_owned(), "this is a List (expected"),
    ] {
        let errors = Config::read(text.as_bytes()).unwrap_err().to_string();
        assert!(errors.contains(said), "{text}: {errors}");
    }
    let errors = Config::read(b"version: v1\n\xff").unwrap_err();
    assert_eq!((errors.0[0].line, errors.0[0].code()), (2, "not-utf8"));
}

#[test]
fn reads_config_maps() {
    let config = "version: v1\nmig-configs:\n  a:\n  - {devices: all, mig-enabled: false}\n";
    let bare = Config::read(config.as_bytes()).unwrap();
    let indented = config.replace('\n', "\n    ");
    let block = |mark: &str, before: &str| {
        format!(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: x}}\ndata:\n  config.yaml: {mark}\n{before}    {indented}\n"
        )
    };
    let json =
        format!(r#"{{"kind": "ConfigMap", "data": {{"config.yaml": {}}}}}"#, serde_json::to_string(config).unwrap());
    let beside_others = format!("kind: Namespace\n---\n{}---\nkind: ConfigMap\ndata: {{a: b}}\n", block("|", ""));
    for (name, text, line) in [
        ("block", block("|", ""), 8),
        ("after blank lines", block("|-", "\n\n"), 10),
        ("JSON", json, 1),
        ("among others", beside_others, 10),
    ] {
        let found = Config::read(text.as_bytes()).unwrap();
        assert_eq!(found, bare, "{name}");
        assert_eq!(found.entries[0].line, line, "{name}");
    }
    let wrong = block("|", "").replace("devices", "device");
    assert_eq!(codes(&wrong), ["9:unknown-field", "9:missing-field"]);
    assert_eq!(codes("kind: ConfigMap\ndata: {config.yml: ''}"), ["1:no-config-key"]);
    assert_eq!(codes("kind: ConfigMap\ndata: {config.yaml: 1}"), ["2:wrong-type"]);
    assert_eq!(codes("apiVersion: v1\nkind: List\nitems: []"), ["1:other-kind"]);
}

#[test]
fn prints_what_it_reads() {
    let text = r#"
version: v1
mig-configs:
  "yes":
  - devices: all
    mig-enabled: true
    mig-devices: {}
  "a: b\n# c":
  - device-filter: ["0x233010DE", "0x233110DE"]
    devices: [2, 0]
    mig-enabled: true
    mig-devices: {"1c.3g.40gb": 3, "1g.10gb+me": 1}
  - devices: [1]
    mig-enabled: false
"#;
    let config = Config::read(text.as_bytes()).unwrap();
    let printed = config.to_string();
    assert_eq!(Config::read(printed.as_bytes()).unwrap(), config, "{printed}");
    assert_eq!(Config::read(Config::default().to_string().as_bytes()).unwrap(), Config::default());
}

fn judge(rules: &str, models: Option<&[&str]>) -> Report {
    let catalog = Catalog::builtin();
    let config = Config::read(in_file(rules).as_bytes()).unwrap();
    let models: Option<Vec<_>> = models.map(|names| names.iter().map(|name| catalog.model(name).unwrap()).collect());
    validate(&config, &catalog, models.as_deref())
}

fn check(name: &str, rules: &str, models: Option<&[&str]>, valid: bool, findings: &[&str]) {
    let report = judge(rules, models);
    let found: Vec<String> =
        report.entries[0].findings.iter().map(|f| format!("{}:{} {f}", f.line, f.kind.code())).collect();
    assert_eq!(found, findings, "{name}");
    assert_eq!(report.is_valid(), valid, "{name}");
}

#[test]
fn says_what_cannot_be_created() {
    let all = |devices: &str| format!("  - {{devices: all, mig-enabled: true, mig-devices: {{{devices}}}}}\n");
    let a100: Option<&[&str]> = Some(&["A100-40GB"]);
    let h100: Option<&[&str]> = Some(&["H100-80GB"]);
    check("fits", &all("3g.20gb: 1, 2g.10gb: 1, 1g.5gb: 2"), a100, true, &[]);
    check(
        "the totals pass",
        &all("3g.20gb: 2, 1g.5gb: 1"),
        a100,
        false,
        &["4:memory-exceeded on A100-40GB: 9 placement units of memory are needed, 8 of 8 are free"],
    );
    check("compute instances", &all("1c.3g.40gb: 3, 3g.40gb: 1"), h100, true, &[]);
    check("no GPU instance", &all(""), h100, true, &[]);
    check(
        "a profile of another model",
        &all("3g.20gb: 1"),
        h100,
        false,
        &["4:unknown-profile on H100-80GB: H100-80GB has no profile `3g.20gb` (nearest: 3g.40gb, 1g.20gb, 2g.20gb)"],
    );
    check(
        "one name, two profiles",
        &all("1g.10gb: 7"),
        Some(&["A100-40GB", "H100-80GB"]),
        false,
        &[
            "4:too-many-instances on A100-40GB: 7 GPU instances of 1g.10gb are needed, at most 4 may be on one A100-40GB",
        ],
    );
    let gb300 = judge(&all("3g.139gb: 1, 2g.70gb: 2"), Some(&["GB300"]));
    assert!(gb300.is_valid());
    assert_eq!(gb300.entries[0].findings[0].kind.code(), "disputed");
}

#[test]
fn filters_choose_the_models() {
    let rule = |filter: &str, count: u32| {
        format!(
            "  - {{device-filter: '{filter}', devices: all, mig-enabled: true, mig-devices: {{1g.10gb: {count}}}}}\n"
        )
    };
    let both = format!("{}{}", rule("0x20B010DE", 4), rule("0x233010DE", 7));
    check("each its own", &both, None, true, &[]);
    assert_eq!(judge(&both, None).entries[0].models, ["A100-40GB", "H100-80GB"]);
    check("asked for one", &both, Some(&["H100-80GB"]), true, &[]);
    assert_eq!(judge(&both, Some(&["H100-80GB"])).entries[0].models, ["H100-80GB"]);
    assert_eq!(judge(&both, Some(&["A30"])).entries[0].models, [""; 0]);
    let swapped = format!("{}{}", rule("0x20b010de", 7), rule("0x233010DE:0x16C110DE", 4));
    check(
        "too many for one",
        &swapped,
        None,
        false,
        &[
            "4:too-many-instances on A100-40GB: 7 GPU instances of 1g.10gb are needed, at most 4 may be on one A100-40GB",
        ],
    );
    check(
        "a board nobody knows",
        &rule("0x123410DE", 99),
        None,
        false,
        &["4:unknown-device no known model has the PCI id 0x123410DE: not judged there"],
    );
    check(
        "no filter at all",
        &rule("H100", 7),
        None,
        false,
        &["4:malformed-filter the device filter `H100` matches no GPU (expected device and vendor like 0x233010DE)"],
    );
}

#[test]
fn without_models_all_that_have_the_profiles_are_judged() {
    let report = judge("  - {devices: all, mig-enabled: true, mig-devices: {1g.12gb: 7}}\n", None);
    assert_eq!(report.entries[0].models, ["GH200-96GB", "H100-94GB", "H20-96GB"]);
    assert!(report.entries[0].models_assumed && report.is_valid());
    check(
        "nobody has both",
        "  - {devices: all, mig-enabled: true, mig-devices: {1g.12gb: 1, 7g.40gb: 1}}\n",
        None,
        false,
        &["4:no-such-model no known model has 1g.12gb and 7g.40gb"],
    );
}

#[test]
fn every_rule_for_a_gpu_must_be_creatable() {
    let rule = |devices: &str, n: u32| {
        format!("  - {{devices: {devices}, mig-enabled: true, mig-devices: {{1g.10gb: {n}}}}}\n")
    };
    let a100: Option<&[&str]> = Some(&["A100-40GB"]);
    let too_many = |line: u32| {
        format!(
            "{line}:too-many-instances on A100-40GB: 7 GPU instances of 1g.10gb are needed, at most 4 may be on one A100-40GB"
        )
    };
    for (name, first, second) in [
        ("part of the first holds", ("all", 7), ("[0, 1]", 4)),
        ("nothing of the first holds", ("all", 7), ("all", 4)),
        ("nothing of the list holds", ("[0]", 7), ("all", 4)),
    ] {
        let rules = format!("{}{}", rule(first.0, first.1), rule(second.0, second.1));
        check(name, &rules, a100, false, &[&too_many(4)]);
    }
    check("the list comes last", &format!("{}{}", rule("all", 4), rule("[1]", 7)), a100, false, &[&too_many(5)]);
    check(
        "a list of no GPU",
        &rule("[]", 7),
        a100,
        true,
        &["4:no-devices `devices` is an empty list, so the rule is about no GPU"],
    );
    check(
        "zero counts",
        "  - {devices: all, mig-enabled: true, mig-devices: {1g.10gb: 0, 2g.10gb: 1}}\n",
        a100,
        true,
        &[
            "4:zero-count the count of 1g.10gb is 0, so mig-parted never sees the configuration as applied (leave it out)",
        ],
    );
}

#[test]
fn rules_must_agree_about_the_mode_of_a_gpu() {
    let on = |devices: &str| format!("  - {{devices: {devices}, mig-enabled: true, mig-devices: {{3g.40gb: 2}}}}\n");
    let off = |devices: &str| format!("  - {{devices: {devices}, mig-enabled: false}}\n");
    let found = |rules: &str| {
        let report = judge(rules, Some(&["H100-80GB"]));
        let findings = &report.entries[0].findings;
        let codes: Vec<String> = findings.iter().map(|f| format!("{}:{}", f.line, f.kind.code())).collect();
        assert_eq!(codes.is_empty(), report.is_valid(), "{rules}");
        codes
    };
    let conflict = |line: u32| vec![format!("{line}:mode-conflict")];
    let filtered = off("all").replace("devices", "device-filter: '0x233010DE', devices");
    let elsewhere = off("all").replace("devices", "device-filter: '0x20B710DE', devices");
    for (name, rules, expected) in [
        ("off, then on", [off("all"), on("[0]")].concat(), conflict(4)),
        ("on, then off", [on("all"), off("[0]")].concat(), conflict(4)),
        ("a list, then all", [on("[0]"), off("all")].concat(), conflict(4)),
        ("the second of three", [on("all"), off("[3]"), on("all")].concat(), conflict(5)),
        ("only the last two overlap", [off("[0]"), on("[1]"), off("[1]")].concat(), conflict(5)),
        ("behind a filter", [on("all"), filtered].concat(), conflict(4)),
        ("other GPUs", [off("[0]"), on("[1, 2]")].concat(), vec![]),
        ("other boards", [on("all"), elsewhere].concat(), vec![]),
        ("the same mode", [on("all"), on("[1]")].concat(), vec![]),
    ] {
        assert_eq!(found(&rules), expected, "{name}");
    }
    let report = judge(&[off("all"), on("[0]")].concat(), None);
    assert_eq!(
        report.entries[0].findings[0].to_string(),
        "MIG is off here, and line 5 turns it on for the same GPU: mig-parted sets the mode of the last rule first, \
         and then fails at this one"
    );
}

#[test]
fn a_subsystem_filter_is_about_its_boards_only() {
    let rule = |filter: &str, devices: &str| {
        format!("  - {{device-filter: '{filter}', devices: all, mig-enabled: true, mig-devices: {{{devices}}}}}\n")
    };
    let (good, bad) = ("3g.40gb: 2", "3g.40gb: 2, 1g.10gb: 1");
    let (device, board) = ("0x233010DE", "0x233010DE:0x16C110DE");
    for (name, rules, codes) in [
        ("all boards, then one", rule(device, bad) + &rule(board, good), &["4:memory-exceeded"][..]),
        ("all boards, one of them wrong", rule(device, good) + &rule(board, bad), &["5:memory-exceeded"]),
        ("one board", rule(board, bad), &["4:memory-exceeded"]),
        ("one board, right", rule(board, good), &[]),
        ("no number", rule("0x233010DE:zz", good), &["4:malformed-filter"]),
        ("three numbers", rule("0x233010DE:0x1:0x2", good), &["4:malformed-filter"]),
        ("no vendor", rule("0x2330", good), &["4:malformed-filter"]),
    ] {
        let report = judge(&rules, None);
        let found: Vec<String> =
            report.entries[0].findings.iter().map(|f| format!("{}:{}", f.line, f.kind.code())).collect();
        assert_eq!(found, codes, "{name}");
        assert_eq!(report.is_valid(), codes.is_empty(), "{name}");
    }
    let off_on_one_board =
        format!("{}  - {{device-filter: '{board}', devices: all, mig-enabled: false}}\n", rule(device, good));
    assert_eq!(judge(&off_on_one_board, None).entries[0].findings[0].kind.code(), "mode-conflict");
}

#[test]
fn gpus_of_a_node_may_be_of_several_models() {
    let rule = |devices: &str, profile: &str, n: u32| {
        format!("  - {{devices: {devices}, mig-enabled: true, mig-devices: {{{profile}: {n}}}}}\n")
    };
    let mixed = rule("[0]", "1g.10gb", 7) + &rule("[1]", "1g.6gb", 4);
    for models in [None, Some(&["H100-80GB", "A30"][..])] {
        let report = judge(&mixed, models);
        assert!(report.is_valid(), "{report:?}");
        assert!(report.entries[0].models.contains(&"A30-24GB".to_owned()), "{report:?}");
    }
    assert!(!judge(&mixed, Some(&["H100-80GB"])).is_valid());
    assert!(!judge(&rule("all", "1g.10gb", 7), Some(&["H100-80GB", "A30"])).is_valid());
    assert!(!judge(&(mixed.clone() + &rule("[1]", "1g.10gb", 1)), None).is_valid());
    assert!(!judge(&(mixed + &rule("[2]", "1g.6gb", 5)), None).is_valid());
    check(
        "one name, two profiles, one GPU",
        &rule("[0]", "1g.10gb", 7),
        Some(&["A100-40GB", "H100-80GB"]),
        true,
        &[
            "4:not-on-every-model on A100-40GB: it cannot be created there: 7 GPU instances of 1g.10gb are needed, at most 4 may be on one A100-40GB",
        ],
    );
}

#[test]
fn without_models_one_must_do() {
    let all = |devices: &str| format!("  - {{devices: all, mig-enabled: true, mig-devices: {{{devices}}}}}\n");
    let report = judge(&all("1g.10gb: 7"), None);
    let elsewhere: Vec<&str> = report.entries[0].findings.iter().filter_map(|f| f.model.as_deref()).collect();
    assert_eq!(elsewhere, ["A100-40GB", "A800-40GB"]);
    assert!(report.is_valid() && report.entries[0].models.contains(&"H100-80GB".to_owned()));
    assert!(!judge(&all("1g.10gb: 8"), None).is_valid());
    check(
        "a name nobody has",
        &all("9g.999gb: 1"),
        None,
        false,
        &["4:no-such-model no known model has 9g.999gb (nearest: 3g.139gb, 4g.139gb, 7g.269gb)"],
    );
}

#[test]
fn what_was_not_judged_is_not_called_right() {
    let filtered = "  - {device-filter: '0x233010DE', devices: all, mig-enabled: true, mig-devices: {1g.10gb: 7}}\n";
    let report = judge(filtered, Some(&["A100-80GB"]));
    assert!(!report.is_valid() && !report.entries[0].is_judged && report.entries[0].is_valid());
    assert_eq!(report.entries[0].findings[0].kind.code(), "not-judged");
    assert!(judge(filtered, None).entries[0].is_judged);
    let off = "  - {devices: all, mig-enabled: false}\n";
    assert!(judge(off, Some(&["A100-80GB"])).entries[0].is_judged && judge(off, None).is_valid());
    assert!(judge(&format!("{filtered}  other:\n{off}"), Some(&["A100-80GB"])).is_valid());
}

/// Whatever is in a file, reading ends with an answer or an error, and what was read prints and reads.
#[test]
fn no_file_makes_it_panic() {
    let catalog = Catalog::builtin();
    let a100 = [catalog.model("A100-40GB").unwrap()];
    let original: &[u8] = b"version: v1
mig-configs:
  a: &a
  - {device-filter: ['0x20B010DE'], devices: all, mig-enabled: true, mig-devices: {1g.5gb: 2, 1c.3g.20gb+me: 1}}
  - devices: [0, 1]
    mig-enabled: false
  b: *a
";
    let marks = b"{}[]:,\"'0-e.&*!|>#%@`\n \t\x00\xff9";
    let mut state = 1_u64;
    let mut number = |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % limit
    };
    let mut read = 0;
    for _ in 0..3000 {
        let mut changed = original.to_vec();
        for _ in 0..=number(2) {
            let at = number(changed.len());
            match number(3) {
                0 => changed[at] = marks[number(marks.len())],
                1 => changed.insert(at, marks[number(marks.len())]),
                _ => drop(changed.remove(at)),
            }
        }
        if let Ok(config) = Config::read(&changed) {
            read += 1;
            validate(&config, &catalog, Some(&a100));
            assert_eq!(Config::read(config.to_string().as_bytes()).as_ref(), Ok(&config), "{config}");
        }
    }
    assert!(read > 100, "{read}");
}
