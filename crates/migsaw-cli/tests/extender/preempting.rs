//! Pods that make room for more important ones.

use k8s_openapi::api::scheduling::v1::PriorityClass;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;

use crate::site::{SEVENTH, Site, free_port};

/// A node full of unimportant pods gives up as many as an important one needs, and none of the other node, which a
/// rollout is at.
#[tokio::test]
async fn as_many_pods_go_as_are_needed_and_none_of_a_node_of_a_rollout() {
    let Some(mut site) = Site::new(2).await else { return };
    let port = free_port();
    let serving = site.serve(port, &[]).await;
    site.plane.extend_scheduler(&json!([site.entry(port)])).unwrap();
    let classes: Api<PriorityClass> = Api::all(site.client());
    for (name, value) in [("low", 1), ("high", 1000)] {
        let class = json!({"metadata": {"name": name}, "value": value});
        classes.create(&PostParams::default(), &serde_json::from_value(class).unwrap()).await.unwrap();
    }
    site.pods("unimportant", 112, json!({"priorityClassName": "low"})).await;
    site.await_bound("unimportant").await;
    site.patch_node("gpu-1", json!({"metadata": {"annotations": {"migsaw.io/rollout": "r1"}}})).await;
    let three = json!({"priorityClassName": "high", "containers": [
        {"name": "main", "image": "main", "resources": {"limits": {SEVENTH: "3"}}}]});
    site.pods("important", 1, three).await;
    let found = site.await_bound("important").await;
    assert_eq!(found.keys().collect::<Vec<_>>(), ["gpu-2"]);
    let left = site.whereabouts("unimportant").await;
    assert_eq!((left.get("gpu-1"), left.get("gpu-2")), (Some(&56), Some(&53)));
    assert!(serving.metric("migsaw_extender_request_duration_seconds_count{verb=\"preempt\"").await >= 1.0);
}
