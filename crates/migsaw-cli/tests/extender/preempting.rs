//! Pods that make room for more important ones.

use std::time::Duration;

use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::scheduling::v1::PriorityClass;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;

use crate::site::{NAMESPACE, SEVENTH, Site, free_port};

/// A node full of unimportant pods gives up as many as an important one needs, and none of the other node, which a
/// rollout is at.
#[tokio::test]
async fn as_many_pods_go_as_are_needed_and_none_of_a_node_of_a_rollout() {
    let Some(mut site) = Site::new(2).await else { return };
    let port = free_port();
    let serving = site.serve(port, &[]).await;
    site.plane.extend_scheduler(&json!([site.entry(port)])).unwrap();
    classes(&site).await;
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

/// And pods that they protect stay where others can go, as the scheduler has it too.
#[tokio::test]
async fn budgets_are_heard_of_with_the_rights_of_the_chart() {
    let Some(mut site) = Site::new(1).await else { return };
    let port = free_port();
    let serving = site.serve(port, &[]).await;
    site.plane.extend_scheduler(&json!([site.entry(port)])).unwrap();
    classes(&site).await;
    let two = |class: &str| {
        json!({"priorityClassName": class, "containers": [
            {"name": "main", "image": "main", "resources": {"limits": {SEVENTH: "2"}}}]})
    };
    site.pods("protected", 14, two("low")).await;
    site.pods("others", 14, two("middle")).await;
    site.await_bound("protected").await;
    site.await_bound("others").await;
    let budgets: Api<PodDisruptionBudget> = Api::namespaced(site.client(), NAMESPACE);
    let budget = json!({"metadata": {"name": "all"},
        "spec": {"minAvailable": 14, "selector": {"matchLabels": {"app": "protected"}}}});
    budgets.create(&PostParams::default(), &serde_json::from_value(budget).unwrap()).await.unwrap();
    for _ in 0..600 {
        let status = budgets.get("all").await.unwrap().status;
        if status.is_some_and(|status| status.current_healthy == 14)
            && serving.metric("migsaw_extender_disruption_budgets{").await > 0.0
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    site.pods("important", 1, two("high")).await;
    site.await_bound("important").await;
    let count = async |name: &str| site.whereabouts(name).await.into_values().sum::<u32>();
    assert_eq!((count("protected").await, count("others").await), (14, 13));
    assert!(serving.metric("migsaw_extender_disruption_budgets{").await > 0.0, "the chart's rights are enough");
}

async fn classes(site: &Site) {
    let classes: Api<PriorityClass> = Api::all(site.client());
    for (name, value) in [("low", 1), ("middle", 10), ("high", 1000)] {
        let class = json!({"metadata": {"name": name}, "value": value});
        classes.create(&PostParams::default(), &serde_json::from_value(class).unwrap()).await.unwrap();
    }
}
