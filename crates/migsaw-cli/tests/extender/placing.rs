//! Where pods come to lie.

use serde_json::json;

use crate::site::{SEVENTH, Site, free_port};

/// Forty pods that fit one node are put on one, whichever the scheduler takes first; by itself it spreads them.
#[tokio::test]
async fn pods_fill_one_node_and_leave_the_others_whole() {
    let Some(mut site) = Site::new(4).await else { return };
    let port = free_port();
    let serving = site.serve(port, &["--debug"]).await;
    for (name, is_cache) in [("by-name", true), ("whole", false)] {
        let mut entry = site.entry(port);
        entry["nodeCacheCapable"] = json!(is_cache);
        site.plane.extend_scheduler(&json!([entry])).unwrap();
        site.pods(name, 20, json!({})).await;
        let found = site.await_bound(name).await;
        assert_eq!(found.len(), 1, "{name}: {found:?}");
    }
    let all: std::collections::BTreeSet<String> = [site.whereabouts("by-name").await, site.whereabouts("whole").await]
        .into_iter()
        .flatten()
        .map(|(n, _)| n)
        .collect();
    assert_eq!(all.len(), 1, "the second twenty join the first: {all:?}");
    assert!(serving.metric("migsaw_extender_request_duration_seconds_count{verb=\"prioritize\"").await >= 38.0);
    // Why it was put there.
    let answer =
        site.caller().get(format!("https://127.0.0.1:{port}/debug/pod/research/whole-0")).send().await.unwrap();
    let why: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(why["node"], json!(all.first().unwrap()), "{why}");
    let (code, log) = serving.stop().await;
    assert_eq!(code, 0, "{log:?}");
}

/// A node that a rollout is emptying takes no pod, and takes it as soon as the rollout is over.
#[tokio::test]
async fn a_node_of_a_rollout_takes_no_pod() {
    let Some(mut site) = Site::new(2).await else { return };
    let port = free_port();
    let _serving = site.serve(port, &[]).await;
    site.plane.extend_scheduler(&json!([site.entry(port)])).unwrap();
    site.patch_node("gpu-1", json!({"metadata": {"annotations": {"migsaw.io/rollout": "r1"}}})).await;
    let there = json!({"nodeSelector": {"kubernetes.io/hostname": "gpu-1"}});
    site.pods("bound-for-it", 3, there).await;
    site.await_message("bound-for-it-0", "1 a rollout is emptying or cutting it").await;
    site.patch_node("gpu-1", json!({"metadata": {"annotations": {"migsaw.io/rollout": null}}})).await;
    site.await_bound("bound-for-it").await;
    // MIG Manager at work is no different.
    site.patch_node("gpu-2", json!({"metadata": {"labels": {"nvidia.com/mig.config.state": "pending"}}})).await;
    site.pods("elsewhere", 3, json!({})).await;
    let found = site.await_bound("elsewhere").await;
    assert!(!found.contains_key("gpu-2"), "{found:?}");
}

/// What the scheduler counts and what the extender counts are the same: the node is filled to the last slice.
#[tokio::test]
async fn nodes_are_filled_to_the_last_slice() {
    let Some(mut site) = Site::new(2).await else { return };
    let port = free_port();
    let _serving = site.serve(port, &[]).await;
    site.plane.extend_scheduler(&json!([site.entry(port)])).unwrap();
    let four = json!({"containers": [{"name": "main", "image": "main", "resources": {"limits": {SEVENTH: "4"}}}]});
    site.pods("fours", 28, four.clone()).await;
    let found = site.await_bound("fours").await;
    assert_eq!(found.values().copied().collect::<Vec<u32>>(), [14, 14]);
    site.pods("one-more", 1, four).await;
    site.await_message("one-more-0", "Insufficient nvidia.com/mig-1g.10gb").await;
}
