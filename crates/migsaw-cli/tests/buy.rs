//! What `migsaw buy` answers, and with which exit code.

#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use common::{example, file, migsaw, scenario};
use migsaw::document::buy::BuyDocument;

fn read(args: &[&str]) -> BuyDocument {
    let ran = migsaw(&[&["buy"], args, &["-o", "json"]].concat());
    assert!(ran.code < 2, "{}", ran.err);
    serde_json::from_str(&ran.out).unwrap()
}

/// The numbers of nodes, all proven.
fn nodes(document: &BuyDocument) -> Vec<Option<u64>> {
    for offer in document.offers.iter().filter(|offer| offer.nodes.possible) {
        assert_eq!(offer.nodes.least, offer.nodes.most, "{offer:?}");
    }
    document.offers.iter().map(|offer| offer.nodes.most).collect()
}

#[test]
fn the_number_is_one_with_which_plan_serves_all_and_with_one_less_not() {
    let inference = example("inference.yaml");
    let document = read(&[&inference, "--growth", "100%", "--headroom", "10%"]);
    let bought = nodes(&document)[0].unwrap();
    assert!(bought > 0);
    let text = std::fs::read_to_string(&inference).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (more, code) in [(bought, 0), (bought - 1, 1)] {
        let by_hand = text
            .replace("nodes: 8", &format!("nodes: {}", 8 + more))
            .replace("count: 120", "count: 264")
            .replace("count: 40", "count: 88")
            .replace("count: 2\n", "count: 5\n");
        let ran = migsaw(&["plan", &file(&folder, "s.yaml", by_hand)]);
        assert_eq!(ran.code, code, "{more} nodes more: {}", ran.out);
    }
    let targets: Vec<u64> = document.target.iter().map(|line| line.target).collect();
    assert_eq!(targets, [264, 88, 5]);
}

#[test]
fn the_answer_is_in_line_one() {
    let ran = migsaw(&["buy", &example("inference.yaml")]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert!(ran.out.starts_with("nothing has to be bought: all of it is served\n"), "{}", ran.out);
    let ran = migsaw(&["buy", &example("inference.yaml"), "--growth", "100%", "--price", "H100-80GB=250000"]);
    let first = ran.out.lines().next().unwrap();
    assert!(first.starts_with("buy ") && first.contains(" with H100-80GB ("), "{first}");
    assert!(ran.out.contains("today 162") && ran.out.contains("would not serve"), "{}", ran.out);
}

#[test]
fn a_node_that_may_be_lost_costs_one_more() {
    let folder = tempfile::tempdir().unwrap();
    // Four GPUs of four slices each are there.
    let path = file(&folder, "s.yaml", scenario("- {name: x, profile: 1g.6gb, count: 17}"));
    let args = |survive: &'static str| [path.as_str(), "--survive", survive];
    assert_eq!(nodes(&read(&[&path])), [Some(1)]);
    assert_eq!(nodes(&read(&args("node"))), [Some(2)]);
    // Without zones in the fleet, only new nodes can be lost.
    assert_eq!(nodes(&read(&args("zone=a,b"))), [Some(2)]);
    assert_eq!(nodes(&read(&[&path, "--growth", "x=100%", "--from-scratch"])), [Some(5)]);
}

#[test]
fn models_are_compared_and_the_cheapest_is_named() {
    let inference = example("inference.yaml");
    let models = ["--from-scratch", "--by-size", "--model", "A100-80GB,H200"];
    let document =
        read(&[&[inference.as_str()][..], &models, &["--price", "H200=3", "--price", "A100-80GB=2"]].concat());
    assert!(nodes(&document).iter().all(Option::is_some));
    assert_eq!(document.offers[document.best.unwrap()].model, "A100-80GB");
    // By name, an H200 has no 1g.10gb.
    let ran = migsaw(&["buy", &inference, "--from-scratch", "--model", "H200"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.out.starts_with("no number of nodes suffices, proven\n"), "{}", ran.out);
    assert!(ran.out.contains("1g.10gb does not exist on H200-141GB"), "{}", ran.out);
    let csv = migsaw(&[&["buy", inference.as_str(), "-o", "csv"][..], &models].concat()).out;
    assert!(csv.starts_with("model,gpus_per_node,possible,least_nodes,most_nodes,"), "{csv}");
    let page = migsaw(&[&["buy", inference.as_str(), "-o", "markdown"][..], &models].concat()).out;
    assert!(page.contains("| Model | GPUs each | nodes | GPUs | one less lacks |"), "{page}");
}

#[test]
fn orders_that_make_no_sense_are_refused() {
    let (inference, mixed) = (example("inference.yaml"), example("mixed-fleet.yaml"));
    for (args, code, said) in [
        (&[inference.as_str(), "--model", "H1000"][..], "unknown-model", "nearest"),
        (&[&inference, "--growth", "lm-7b=20%"], "unknown-demand", "llm-7b"),
        (&[&inference, "--like", "inferense"], "unknown-pool", "inference"),
        (&[&inference, "--survive", "zone"], "too-few-values", "--survive zone=a,b"),
        (&[&mixed, "--survive", "tier"], "selects-by-lost", "tier"),
        (&[&inference, "--growth", "20"], "usage", "no percentage"),
        (&[&inference, "--price", "H100"], "usage", "H100-80GB=250000"),
        (&[&inference, "--gpus-per-node", "0"], "usage", "1..=64"),
    ] {
        let ran = migsaw(&[&["buy"], args].concat());
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}");
        assert!(ran.err.starts_with(&format!("error[{code}]")) && ran.err.contains(said), "{args:?} {}", ran.err);
    }
}

#[test]
fn without_time_nothing_is_claimed() {
    let ran = migsaw(&["buy", &example("inference.yaml"), "--growth", "100%", "--time-limit", "0s"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.out.starts_with("not decided"), "{}", ran.out);
}
