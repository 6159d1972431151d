//! Every command that has a page prints one, the same each time; the others say what they have.

mod common;

use common::{example, file, migsaw, migsaw_with};
use sha2::{Digest as _, Sha256};

/// Arguments of each command that has a page, with the file it reads.
const PAGES: [(&[&str], &str); 6] = [
    (&["plan"], "running.yaml"),
    (&["rollout", "--compact"], "running.yaml"),
    (&["capacity", "--profile", "3g.40gb"], "running.yaml"),
    (&["whatif", "--remove-node", "gpu-3"], "running.yaml"),
    (&["buy", "--model", "H100-80GB"], "inference.yaml"),
    (&["simulate", "--runs", "1", "--pods", "300"], "inference.yaml"),
];

#[test]
fn every_page_is_whole_and_the_same_each_time() {
    for (args, file) in PAGES {
        let file = example(file);
        let asked = [args, &[file.as_str(), "-o", "html"]].concat();
        let ran = migsaw(&asked);
        assert!(ran.code < 2, "{}", ran.err);
        let page = &ran.out;
        assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>\n"), "{args:?}");
        assert!(page.contains(&format!("<p class=\"command\">migsaw {}</p>", args[0])), "{args:?}");
        let typed = format!("<code>migsaw {}", args.join(" "));
        assert!(page.contains(&typed) && page.contains(env!("CARGO_PKG_VERSION")), "{args:?}");
        assert_eq!(migsaw(&asked).out, *page, "{args:?}");
    }
}

/// What the end of a page says of the input.
fn said_of_input(args: &[&str], stdin: &[u8]) -> String {
    let ran = migsaw_with(&[args, &["-o", "html"]].concat(), stdin);
    assert!(ran.code < 2, "{}", ran.err);
    let (_, said) = ran.out.split_once("<p id=\"input\">").unwrap_or_else(|| panic!("{args:?}"));
    said.split_once("</p>").map_or(said, |(said, _)| said).replace("<code>", "").replace("</code>", "")
}

#[test]
fn a_page_says_what_it_was_made_from() {
    let sum = |files: &[&[u8]]| format!("{:x}", Sha256::digest(files.concat()));
    let read = |name: &str| std::fs::read(example(name)).unwrap();
    let running = read("running.yaml");
    let said = format!("Input: 1 file, SHA-256 {}.", sum(&[&running]));
    for args in [&["plan"][..], &["rollout"], &["capacity", "--profile", "3g.40gb"]] {
        assert_eq!(said_of_input(&[args, &[&example("running.yaml")]].concat(), b""), said);
        assert_eq!(said_of_input(&[args, &["-f", "-"]].concat(), &running), said);
    }
    // Of several files all bytes, as they lie there, in the order in which they are read: metrics behind a dump.
    let folder = tempfile::tempdir().unwrap();
    let node = r#"{"kind": "Node", "metadata": {"name": "late"}, "status": {"conditions": [
        {"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-03-01T00:05:00Z"}]}}"#;
    let late = file(&folder, "late.json", node);
    let (dump, metrics) = (example("dump.json"), example("metrics.txt"));
    let args = ["plan", "--from", &dump, "--from", &late, "--running", "--dcgm", &metrics];
    let all = sum(&[&read("dump.json"), node.as_bytes(), &read("metrics.txt")]);
    let newest = "2026-03-01T00:05:00Z";
    assert_eq!(
        said_of_input(&args, b""),
        format!(
            "Input: 3 files, one behind the other, SHA-256 {all}. As of <time datetime=\"{newest}\">{newest}</time>, \
             the newest time in it."
        ),
    );
    for verb in ["chargeback", "right-size"] {
        let args = [
            verb,
            "--from",
            &dump,
            "--from",
            &late,
            "--start",
            "2025-01-01T00:00:00Z",
            "--end",
            "2025-01-02T00:00:00Z",
        ];
        assert!(said_of_input(&args, b"").contains(&format!("As of <time datetime=\"{newest}\">")), "{verb}");
    }
    // A history has its period, which stands above.
    let said = said_of_input(&["chargeback", &example("history.json")], b"");
    assert_eq!(said, format!("Input: 1 file, SHA-256 {}.", sum(&[&read("history.json")])));
}

#[test]
fn a_plan_is_a_picture_too() {
    let ran = migsaw(&["plan", &example("mixed-fleet.yaml"), "-o", "svg"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.out.starts_with("<svg xmlns=") && ran.out.ends_with("</svg>\n"));
}

#[test]
fn formats_that_a_command_lacks_are_refused() {
    let running = example("running.yaml");
    for (args, says) in [
        (&["diff", "-o", "html"][..], "text, json, yaml"),
        (&["rollout", "-o", "svg"], "text, json, yaml, html"),
        (&["capacity", "-o", "svg"], "text, json, yaml, csv, markdown, html"),
        (&["plan", "-o", "xlsx"], "text, json, yaml, csv, markdown, html, svg"),
        (&["plan", "--curve", "-o", "html"], "give -o text, json or yaml"),
        (&["plan", "--curve", "-o", "csv"], "give -o text, json or yaml"),
    ] {
        let ran = migsaw(&[args, &[running.as_str()]].concat());
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}");
        assert!(ran.err.contains("error[usage]") && ran.err.contains(says), "{args:?}: {}", ran.err);
    }
    let markdown = migsaw(&["capacity", &example("inference.yaml"), "--profile", "3g.40gb", "-o", "md"]);
    assert!(markdown.out.starts_with("**"), "{}", markdown.err);
}
