//! The metrics: whether their text can be read, and what they count.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use migsaw_extender::fleet::Known;
use migsaw_extender::service::Capacity;

use super::raw::Connection;
use super::{Setup, Site, extender, question};

/// The value of a sample, written as in the text; 0 if it is not there.
pub(crate) fn sample(text: &str, name: &str) -> i64 {
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let whole = |value: &str| value.strip_suffix(".0").unwrap_or(value).parse().ok();
    value.map_or(0, |value| whole(value).unwrap_or_else(|| panic!("{name} is {value}, not a whole number")))
}

/// Reads the text of metrics, and panics where it is none. Returns the names of its families.
fn families(text: &str) -> BTreeSet<String> {
    let mut families = BTreeSet::new();
    let body = text.strip_suffix("# EOF\n").expect("it ends as it should");
    for line in body.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.splitn(3, ' ');
            let (kind, name, rest) = (words.next().unwrap(), words.next().unwrap(), words.next());
            assert!(["HELP", "TYPE", "UNIT"].contains(&kind), "{line}");
            assert!(rest.is_some_and(|rest| !rest.is_empty()), "{line}");
            families.insert(name.to_owned());
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no value: {line}"));
        value.parse::<f64>().unwrap_or_else(|_| panic!("no number: {line}"));
        let (name, labels) = series.split_once('{').map_or((series, None), |(name, rest)| (name, Some(rest)));
        let ends = ["", "_total", "_count", "_sum", "_bucket", "_info"];
        let family = ends.iter().find_map(|end| name.strip_suffix(end).filter(|name| families.contains(*name)));
        assert!(family.is_some(), "a sample of no family: {line}");
        let labels = labels.map_or("", |labels| labels.strip_suffix('}').unwrap());
        for label in labels.split(',').filter(|label| !label.is_empty()) {
            let (name, value) = label.split_once('=').unwrap();
            assert!(!name.is_empty() && value.starts_with('"') && value.ends_with('"'), "{line}");
        }
    }
    families
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_text_can_be_read_and_names_everything() {
    let site = Site::start(extender(), Setup::default()).await;
    site.filter().await;
    site.metrics.watch_failed("pods");
    site.metrics.plan_failed();
    site.metrics.plan_is(Some(Duration::from_secs(7)));
    site.metrics.known(Known { nodes: 5, pods: 3, budgets: Some(4), is_all: true }, 2);
    let answer = Connection::to(site.at.metrics).await.ask("GET", "/metrics", "").await;
    assert_eq!(answer.status, 200);
    assert!(answer.header("content-type").unwrap().starts_with("application/openmetrics-text; version=1.0.0"));
    let families = families(&answer.body);
    for name in [
        "request_duration_seconds",
        "nodes_in",
        "nodes_out",
        "rejections",
        "in_flight",
        "reservations",
        "cache_age_seconds",
        "ready",
        "nodes",
        "pods",
        "disruption_budgets",
        "watch_errors",
        "plan_age_seconds",
        "plan_errors",
        "certificate_reload_errors",
    ] {
        assert!(families.contains(&format!("migsaw_extender_{name}")), "{name} is missing");
    }
    for (name, value) in [
        ("watch_errors_total{kind=\"pods\"}", 1),
        ("plan_errors_total", 1),
        ("plan_unreadable", 1),
        ("plan_age_seconds{}", 7),
        ("disruption_budgets{}", 4),
        ("nodes", 5),
        ("pods", 3),
        ("reservations", 2),
    ] {
        assert_eq!(sample(&answer.body, &format!("migsaw_extender_{name}")), value, "{name}");
    }
    assert_eq!(sample(&answer.body, &format!("migsaw_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"))), 1);
    site.metrics.plan_is(None);
    site.metrics.plan_taken();
    let text = Connection::to(site.at.metrics).await.ask("GET", "/metrics", "").await.body;
    assert!(!text.contains("\nmigsaw_extender_plan_age_seconds{"), "no plan has no age");
    assert_eq!(sample(&text, "migsaw_extender_plan_unreadable"), 0);
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_about_capacity_is_shown_until_one_fails() {
    let site = Site::start(extender(), Setup::default()).await;
    let ask = async || Connection::to(site.at.metrics).await.ask("GET", "/metrics", "").await.body;
    let before = families(&ask().await);
    assert!(!before.contains("migsaw_capacity_age_seconds"), "nobody has said that there will be any");
    site.metrics.capacity_is_asked(Instant::now());
    let capacity = Capacity {
        fits: vec![("gold".to_owned(), "3g.40gb".to_owned(), "now", 4)],
        slices: vec![("gold".to_owned(), "held", 12), ("gold".to_owned(), "idle", 4)],
        waiting: vec![("1g.10gb".to_owned(), 9, 5)],
        unproven: 1,
    };
    site.metrics.capacity_is(capacity, Instant::now(), Duration::from_secs(3));
    let text = ask().await;
    families(&text);
    for (name, value) in [
        ("fits{pool=\"gold\",profile=\"3g.40gb\",freedom=\"now\"}", 4),
        ("slices{pool=\"gold\",state=\"held\"}", 12),
        ("slices{pool=\"gold\",state=\"idle\"}", 4),
        ("pending_units{profile=\"1g.10gb\"}", 9),
        ("unservable_units{profile=\"1g.10gb\"}", 5),
        ("unproven", 1),
        ("duration_seconds", 3),
        ("failures_total", 0),
    ] {
        assert_eq!(sample(&text, &format!("migsaw_capacity_{name}")), value, "{name}\n{text}");
    }
    site.metrics.capacity_failed();
    let text = ask().await;
    assert!(!text.contains("migsaw_capacity_fits") && text.contains("\nmigsaw_capacity_age_seconds "), "{text}");
    assert_eq!(sample(&text, "migsaw_capacity_failures_total"), 1);
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_nodes_and_reasons_are_counted() {
    let site = Site::start(extender(), Setup::default()).await;
    for _ in 0..3 {
        site.filter().await;
    }
    site.ask("POST", "/prioritize", &question()).await;
    site.ask("POST", "/filter", &question().replace("1g.10gb", "9g.99gb")).await;
    site.ask("POST", "/filter", "{}").await;
    site.ask("POST", "/filter", "no").await;
    for (verb, outcome, n) in [
        ("filter", "ok", 3),
        ("filter", "rejected", 1),
        ("filter", "error", 1),
        ("filter", "bad_request", 1),
        ("prioritize", "ok", 1),
        ("preempt", "ok", 0),
    ] {
        assert_eq!(site.count(verb, outcome).await, n, "{verb} {outcome}");
    }
    for (name, n) in [
        ("nodes_in_total{verb=\"filter\"}", 8),
        ("nodes_out_total{verb=\"filter\"}", 3),
        ("nodes_in_total{verb=\"prioritize\"}", 2),
        ("rejections_total{reason=\"no_gpus\"}", 4),
        ("rejections_total{reason=\"no_such_profile\"}", 1),
        ("in_flight", 0),
    ] {
        assert_eq!(site.metric(&format!("migsaw_extender_{name}")).await, n, "{name}");
    }
    let text = Connection::to(site.at.metrics).await.ask("GET", "/metrics", "").await.body;
    let last = "migsaw_extender_request_duration_seconds_bucket{le=\"+Inf\",verb=\"filter\",outcome=\"ok\"}";
    assert_eq!(sample(&text, last), 3, "{text}");
    assert!(!text.contains("\"a\"") && !text.contains("team"), "names of nodes and pods are no labels");
    families(&text);
    site.end().await;
}
