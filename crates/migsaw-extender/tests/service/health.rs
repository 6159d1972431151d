//! Whether it should be asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use migsaw_extender::service::Health;
use serde_json::{Value, json};

use super::raw::Connection;
use super::{Setup, Site, extender};

/// What `/readyz` says: its status and body.
async fn ready(site: &Site) -> (u16, Value) {
    let answer = Connection::to(site.at.health).await.ask("GET", "/readyz", "").await;
    (answer.status, answer.json())
}

fn said(is_ready: bool, synced: bool, stale: &[&str], draining: bool) -> (u16, Value) {
    let status = if is_ready { 200 } else { 503 };
    (status, json!({"ready": is_ready, "synced": synced, "stale": stale, "draining": draining}))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_ready_when_everything_has_been_listed_and_not_when_it_stops() {
    let site = Site::start(extender(), Setup::default()).await;
    let live = Connection::to(site.at.health).await.ask("GET", "/healthz", "").await;
    assert_eq!((live.status, live.body.as_str()), (200, "ok"), "it lives before it is ready");
    assert_eq!(ready(&site).await, said(false, false, &[], false));
    assert_eq!(site.metric("migsaw_extender_ready").await, 0);
    site.health.synced();
    assert_eq!(ready(&site).await, said(true, true, &[], false));
    assert_eq!(site.metric("migsaw_extender_ready").await, 1);
    site.health.drain();
    assert_eq!(ready(&site).await, said(false, true, &[], true));
    assert_eq!(site.metric("migsaw_extender_ready").await, 0);
    assert_eq!(Connection::to(site.at.health).await.ask("GET", "/healthz", "").await.status, 200, "it lives still");
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stale_watches_are_named_and_make_it_unready_only_by_choice() {
    for unready_when_stale in [false, true] {
        let seconds = Arc::new([AtomicU64::new(0), AtomicU64::new(0)]);
        let ages = Arc::clone(&seconds);
        let age = move |at: usize| Duration::from_secs(ages[at].load(Ordering::SeqCst));
        let ages = Box::new(move || vec![("nodes", age(0)), ("pods", age(1))]);
        let health = Health::new(ages, Duration::from_secs(90), unready_when_stale);
        let site = Site::start(extender(), Setup { health, ..Setup::default() }).await;
        site.health.synced();
        let is_ready = !unready_when_stale;
        for (ages, expected) in [
            ([0, 0], said(true, true, &[], false)),
            ([90, 90], said(true, true, &[], false)),
            ([91, 0], said(is_ready, true, &["nodes"], false)),
            ([100, 100_000], said(is_ready, true, &["nodes", "pods"], false)),
            ([1, 1], said(true, true, &[], false)),
        ] {
            (0..2).for_each(|at| seconds[at].store(ages[at], Ordering::SeqCst));
            assert_eq!(ready(&site).await, expected, "{ages:?} {unready_when_stale}");
            for (kind, age) in ["nodes", "pods"].into_iter().zip(ages) {
                let metric = format!("migsaw_extender_cache_age_seconds{{kind=\"{kind}\"}}");
                assert_eq!(site.metric(&metric).await.cast_unsigned(), age);
            }
            assert_eq!(site.filter().await.status, 200, "it answers from what it knew");
        }
        site.end().await;
    }
}
