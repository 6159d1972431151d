//! Metrics from a Prometheus server, or straight from an exporter.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod common;

use serde_json::json;
use wiremock::matchers::{method, path, query_param_contains};
use wiremock::{Mock, MockServer, ResponseTemplate};

const NODE: &str = r#"{"kind": "Node", "metadata": {"name": "n1", "labels": {
    "nvidia.com/gpu.product": "NVIDIA-A30", "nvidia.com/gpu.count": "1", "nvidia.com/mig.strategy": "mixed"}},
    "status": {"capacity": {"nvidia.com/mig-2g.12gb": "2"}, "conditions": [{"type": "Ready", "status": "True"}]}}"#;

async fn planned(dump: &std::path::Path, url: String) -> common::Ran {
    let dump = dump.to_str().unwrap().to_owned();
    let run = move || common::migsaw(&["diff", "--from", &dump, "--running", "--dcgm", &url]);
    tokio::task::spawn_blocking(run).await.unwrap()
}

#[tokio::test]
async fn metrics_are_read_from_a_url() {
    let folder = tempfile::tempdir().unwrap();
    let dump = folder.path().join("dump.json");
    std::fs::write(&dump, NODE).unwrap();
    let server = MockServer::start().await;
    let labels =
        |id: &str| json!({"gpu": "0", "UUID": "GPU-1", "hostname": "n1", "GPU_I_PROFILE": "2g.12gb", "GPU_I_ID": id});
    let vector = json!({"status": "success", "data": {"resultType": "vector", "result": [
        {"metric": labels("1"), "value": [1_700_000_000, "34"]}, {"metric": labels("2"), "value": [1_700_000_000, "0"]}]}});
    Mock::given(method("GET"))
        .and(path("/prometheus/api/v1/query"))
        .and(query_param_contains("query", "DCGM_FI_DEV_FB_USED"))
        .respond_with(ResponseTemplate::new(200).set_body_json(vector))
        .mount(&server)
        .await;
    let scrape =
        "DCGM_FI_DEV_FB_USED{gpu=\"0\",UUID=\"GPU-1\",Hostname=\"n1\",GPU_I_PROFILE=\"2g.12gb\",GPU_I_ID=\"1\"} 3\n";
    Mock::given(method("GET"))
        .and(path("/metrics"))
        .respond_with(ResponseTemplate::new(200).set_body_string(scrape))
        .mount(&server)
        .await;
    let wrong = json!({"status": "error", "errorType": "bad_data", "error": "no such tenant"});
    Mock::given(path("/broken/api/v1/query"))
        .respond_with(ResponseTemplate::new(400).set_body_json(wrong))
        .mount(&server)
        .await;

    // Both say of the GPU what it is cut into; the scrape knows of one instance less than the node offers.
    let prometheus = planned(&dump, format!("{}/prometheus", server.uri())).await;
    assert_eq!(prometheus.code, 0, "{}", prometheus.err);
    assert!(!prometheus.err.contains("metrics-"), "{}", prometheus.err);
    let exporter = planned(&dump, format!("{}/metrics", server.uri())).await;
    assert!(exporter.err.contains("metrics-disagree"), "{}", exporter.err);
    // A page says that it was read live, and no password.
    let secret = server.uri().replace("http://", "http://user:secret@") + "/metrics?token=secret";
    let dump_file = dump.to_str().unwrap().to_owned();
    let plan = move || {
        let dcgm = format!("--dcgm={secret}");
        common::migsaw(&["plan", "--from", &dump_file, "--running", "--dcgm", &secret, &dcgm, "-o", "html"])
    };
    let page = tokio::task::spawn_blocking(plan).await.unwrap();
    assert_eq!(page.code, 0, "{}", page.err);
    assert!(page.out.contains("Input: 1 file, SHA-256") && page.out.contains("Read live at <time"));
    assert!(!page.out.contains("secret") && page.out.contains("/metrics"), "a password is on a page");
    for (url, text) in [
        (format!("{}/broken", server.uri()), "no such tenant"),
        (format!("{}/nothing-there", server.uri()), "404"),
        ("http://127.0.0.1:1".to_owned(), "cannot read metrics from http://127.0.0.1:1"),
    ] {
        let said = planned(&dump, url).await;
        assert_eq!(said.code, 2, "{}", said.err);
        assert!(said.err.contains(text), "`{text}` in {}", said.err);
    }
}
