//! What `migsaw collect` writes, and that it plans alike.

mod common;

use common::{example, file, migsaw, migsaw_with};

#[test]
fn what_is_collected_plans_alike() {
    let folder = tempfile::tempdir().unwrap();
    let dump = example("dump.json");
    for (name, packed) in [("small.json", false), ("small.json.gz", true)] {
        let small = folder.path().join(name).to_str().unwrap().to_owned();
        let ran = migsaw(&["collect", "--from", &dump, "-o", &small]);
        assert_eq!((ran.code, ran.out.as_str()), (0, ""), "{}", ran.err);
        assert!(ran.err.starts_with(&format!("kept in {small}: ")), "{}", ran.err);
        let bytes = std::fs::read(&small).unwrap();
        assert_eq!(bytes.starts_with(&[0x1f, 0x8b]), packed);
        assert_eq!(migsaw(&["collect", "--from", &dump, "-o", &small]).code, 0);
        assert_eq!(std::fs::read(&small).unwrap(), bytes, "the same bytes");
        let plan = |from: &str| migsaw(&["plan", "--from", from, "--running", "-o", "json"]);
        assert_eq!(plan(&small).out, plan(&dump).out);
    }
}

#[test]
fn names_are_hidden_and_the_plan_is_as_good() {
    let folder = tempfile::tempdir().unwrap();
    let dump = example("dump.json");
    let hidden = migsaw(&["collect", "--from", &dump, "--hash-names", "--key", "k"]);
    assert_eq!(hidden.code, 0, "{}", hidden.err);
    assert!(hidden.err.contains("replaced "), "{}", hidden.err);
    assert_eq!(migsaw(&["collect", "--from", &dump, "--hash-names", "--key", "k"]).out, hidden.out);
    assert_ne!(migsaw(&["collect", "--from", &dump, "--hash-names"]).out, hidden.out);
    let small = file(&folder, "small.json", &hidden.out);
    let tiers = |from: &str| {
        let plan: serde_json::Value =
            serde_json::from_str(&migsaw(&["plan", "--from", from, "--running", "-o", "json"]).out).unwrap();
        (plan["status"].clone(), plan["tiers"].clone())
    };
    assert_eq!(tiers(&small), tiers(&dump));
    let original: serde_json::Value = serde_json::from_slice(&std::fs::read(&dump).unwrap()).unwrap();
    for item in original["items"].as_array().unwrap() {
        for field in ["name", "namespace"] {
            let name = item["metadata"][field].as_str().unwrap_or("-");
            let is_class = ["PriorityClass", "ConfigMap"].contains(&item["kind"].as_str().unwrap());
            assert!(is_class || !hidden.out.contains(&format!("\"{name}\"")), "{name} can still be read");
        }
    }
}

#[test]
fn a_dump_is_not_overwritten_and_no_folder_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(example("dump.json")).unwrap();
    let dump = file(&folder, "dump.json", &text);
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::os::unix::fs::symlink(&dump, path("link.json")).unwrap();
    let refused = |from: &str, out: &str, code: &str, named: &str| {
        let ran = migsaw(&["collect", "--from", from, "-o", out]);
        assert_eq!(ran.code, 2, "{from} {out}");
        assert!(ran.err.contains(&format!("error[{code}]")) && ran.err.contains(named), "{from} {out}: {}", ran.err);
        assert_eq!(std::fs::read_to_string(&dump).unwrap(), text, "{from} {out}");
    };
    let of_folder = folder.path().to_str().unwrap();
    for (from, out) in [
        (&*dump, &*dump),
        (&dump, &path("./dump.json")),
        (&dump, &path("link.json")),
        (&path("link.json"), &dump),
        (of_folder, &dump),
    ] {
        refused(from, out, "output-is-input", "dump.json");
    }
    let stdin = std::fs::File::open(&dump).unwrap();
    let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin!("migsaw"));
    let ran = command.args(["collect", "--from", "-", "-o", &dump]).stdin(stdin).output().unwrap();
    assert_eq!((ran.status.code(), std::fs::read_to_string(&dump).unwrap() == text), (Some(2), true));
    refused(&dump, &path("none/small.json"), "unwritable", &path("none"));
    assert!(!folder.path().join("none").exists());
    assert_eq!(migsaw(&["collect", "--from", &path("link.json"), "-o", &path("small.json")]).code, 0);
}

#[test]
fn what_prints_a_dump_is_printed() {
    let ran = migsaw(&["collect", "--print"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(ran.out.starts_with("kubectl get nodes,pods,"), "{}", ran.out);
    let ran = migsaw(&["collect", "--kubeconfig", "/does/not/exist"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("kubectl get nodes,pods,") && ran.err.contains("error[cluster-config]"), "{}", ran.err);
    assert_eq!(ran.out, "", "a dump goes there, or nothing");
}

#[test]
fn bad_input_is_refused() {
    for (args, stdin, code) in [
        (&["collect", "--from", "-", "-"][..], "", "stdin-twice"),
        (&["collect", "--from", "-"], "{\"kind\":", "truncated"),
        (&["collect", "--from", "-"], "{\"a\": 1}", "no-kubernetes-object"),
        (&["collect", "--from", "-", "--key", "k"], "", "usage"),
        (
            &["collect", "--from", "-", "-o", "/dev/null/f"],
            "{\"kind\":\"Node\",\"metadata\":{\"name\":\"n\",\"labels\":{\"nvidia.com/gpu.count\":\"1\"}}}",
            "unwritable",
        ),
        (&["plan", "--from", "-", "--watch"], "", "watch-stdin"),
        (&["capacity", "-f", "-", "-w"], "", "watch-stdin"),
        (&["plan", "--interval", "1s", "x.yaml"], "", "usage"),
        (&["plan", "--watch", "--interval", "0s", "x.yaml"], "", "usage"),
        (&["capacity", "-w", "--interval", "0ms", "x.yaml"], "", "usage"),
    ] {
        let ran = migsaw_with(args, stdin.as_bytes());
        assert_eq!(ran.code, 2, "{args:?}");
        assert!(ran.err.contains(&format!("error[{code}]")), "{args:?}: {}", ran.err);
    }
}
