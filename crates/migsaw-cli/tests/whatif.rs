//! What `migsaw whatif` answers, and with which exit code.

#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{example, file, migsaw};
use migsaw::document::whatif::WhatIfDocument;

fn read(args: &[&str]) -> WhatIfDocument {
    let ran = migsaw(&[&["whatif"], args, &["-o", "json"]].concat());
    assert!(ran.code < 2, "{}", ran.err);
    serde_json::from_str(&ran.out).unwrap()
}

#[test]
fn both_sides_are_what_plan_says_of_them() {
    let inference = example("inference.yaml");
    let ran = migsaw(&["whatif", &inference, "--scale", "all=+50%", "--remove-nodes", "inference=2"]);
    assert_eq!((ran.code, ran.err.as_str()), (1, ""));
    let first = "all demand +50%, 2 nodes fewer in inference: 241 of 243 served on 46 of 48 GPUs (before 162 of 162";
    assert!(ran.out.starts_with(first) && ran.out.contains("try     2 nodes more in pool inference"), "{}", ran.out);
    assert_eq!(migsaw(&["whatif", &inference, "--scale", "llm-7b=+50%"]).code, 0);
    // The same scenario, changed by hand.
    let text = std::fs::read_to_string(&inference).unwrap();
    let by_hand = text
        .replace("nodes: 8", "nodes: 6")
        .replace("count: 120", "count: 180")
        .replace("count: 40", "count: 60")
        .replace("count: 2\n", "count: 3\n");
    let folder = tempfile::tempdir().unwrap();
    let plan = migsaw(&["plan", &file(&folder, "s.yaml", by_hand), "-o", "json"]);
    let plan: serde_json::Value = serde_json::from_str(&plan.out).unwrap();
    let after = read(&[&inference, "--scale", "all=+50%", "--remove-nodes", "inference=2"]).after;
    assert_eq!(plan["gpusUsed"], after.gpus_used);
    assert_eq!((after.served, after.gpus, after.served_is_proven), (241, 48, true));
}

#[test]
fn what_is_lost_is_said_with_its_reason() {
    let running = example("running.yaml");
    let ran = migsaw(&["whatif", &running, "--remove-node", "gpu-2", "--remove-node", "gpu-3"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.out.starts_with("without node gpu-2, without node gpu-3: "), "{}", ran.out);
    assert!(ran.out.contains("Not served after") && ran.out.contains("because no room is left"), "{}", ran.out);
    let document = read(&[&running, "--remove-node", "gpu-2", "--remove-node", "gpu-3"]);
    assert_eq!((document.before.served, document.before.asked, document.after.gpus), (18, 18, 4));
    assert_eq!(document.after.served + document.after.unserved.iter().map(|u| u.count).sum::<u64>(), 18);
}

#[test]
fn a_strategy_and_more_nodes_are_compared() {
    let document = read(&[&example("inference.yaml"), "--strategy", "inference=single", "--add-nodes", "inference=1"]);
    assert_eq!((document.after.pools[0].strategy.as_str(), document.after.nodes), ("single", 9));
    let csv = migsaw(&["whatif", &example("inference.yaml"), "--scale", "finetune=+1", "-o", "csv"]).out;
    assert!(csv.starts_with("about,what,before,after\nfleet,served,162 of 162 100%,163 of 163 100%\n"), "{csv}");
    let page = migsaw(&["whatif", &example("inference.yaml"), "--scale", "finetune=3", "-o", "markdown"]).out;
    assert!(page.starts_with("**finetune to 3: 163 of 163 served"), "{page}");
}

#[test]
fn changes_that_make_no_sense_are_refused() {
    let running = example("running.yaml");
    for (args, code, said) in [
        (&[][..], "no-changes", "--add-nodes"),
        (&["--add-nodes", "gpus=1"], "unknown-pool", "nearest: gpu"),
        (&["--remove-node", "gpu-9"], "unknown-node", "gpu-"),
        (&["--remove-nodes", "gpu=5"], "too-few-nodes", "4 nodes"),
        (&["--remove-nodes", "gpu=4"], "empty-fleet", "no node"),
        (&["--scale", "lm=+1"], "unknown-demand", "llm"),
        (&["--scale", "chat=-50%"], "below-running", "9 units"),
        (&["--scale", "chat=2x"], "usage", "says no change"),
        (&["--scale", "chat"], "usage", "NAME=VALUE"),
        (&["--add-nodes", "gpu=-1"], "usage", "no number of nodes"),
        (&["--strategy", "gpu=uniform"], "usage", "mixed or single"),
    ] {
        let ran = migsaw(&[&["whatif", &running], args].concat());
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}");
        assert!(ran.err.starts_with(&format!("error[{code}]")) && ran.err.contains(said), "{args:?} {}", ran.err);
    }
}
