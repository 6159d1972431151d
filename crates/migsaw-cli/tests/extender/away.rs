//! The API server, away for a while.

use std::time::Duration;

use serde_json::json;

use crate::site::{Site, free_port};

/// While the API server is away the extender goes on answering from what it knows and says that this is getting old;
/// when it is back, so is all that came meanwhile.
#[tokio::test]
async fn answers_go_on_while_the_api_server_is_away() {
    let Some(mut site) = Site::new(2).await else { return };
    let port = free_port();
    let serving = site.serve(port, &[]).await;
    site.plane.extend_scheduler(&json!([site.entry(port)])).unwrap();
    site.pods("before", 5, json!({})).await;
    site.await_bound("before").await;
    let caller = site.caller();
    let ask = || {
        let body = json!({
            "Pod": {"metadata": {"name": "p", "namespace": "d", "uid": "u"}, "spec": {"containers": [
                {"resources": {"limits": {"nvidia.com/mig-1g.10gb": "1"}}}]}},
            "NodeNames": ["gpu-1", "gpu-2", "gone"]});
        caller.post(format!("https://127.0.0.1:{port}/filter")).body(body.to_string()).send()
    };
    let away = site.plane.restart_api_server(Duration::from_secs(20));
    let asking = async {
        for _ in 0..36 {
            let answer: serde_json::Value = ask().await.unwrap().json().await.unwrap();
            assert_eq!(answer["NodeNames"], json!(["gpu-1", "gpu-2"]));
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        (serving.readiness().await, serving.metric("migsaw_extender_cache_age_seconds").await)
    };
    let (restarted, (readiness, ages)) = tokio::join!(away, asking);
    restarted.unwrap();
    assert_eq!(readiness["ready"], json!(true));
    assert!(ages >= 30.0, "nodes and pods are 15 s old and more: {ages}");
    site.pods("after", 5, json!({})).await;
    site.await_bound("after").await;
    assert!(serving.metric("migsaw_extender_watch_errors_total").await > 0.0);
    // A node that came meanwhile, or comes now, is known.
    migsaw_control_plane::GpuNode::h100("gone", "all-1g.10gb", &[("nvidia.com/mig-1g.10gb", 56)])
        .create(&site.client())
        .await
        .unwrap();
    for _ in 0..300 {
        let answer: serde_json::Value = ask().await.unwrap().json().await.unwrap();
        if answer["NodeNames"] == json!(["gpu-1", "gpu-2", "gone"]) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("a new node does not become known");
}
