//! Traces reach a collector, and go on with the caller's.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// `migsaw serve` with this collector, and where it answers. There is no API server, so it never gets ready.
async fn serve(collector: Option<&str>) -> (Child, String) {
    let folder = tempfile::tempdir().unwrap();
    let kubeconfig = folder.path().join("config");
    let text = r#"{"apiVersion": "v1", "kind": "Config", "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}], "users": [{"name": "c", "user": {}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "c"}}]}"#;
    std::fs::write(&kubeconfig, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_migsaw"));
    command.args(["serve", "--log-format", "json", "--log", "info,migsaw_extender=debug", "--shutdown-delay", "0s"]);
    command.args(["--listen", "127.0.0.1:0", "--health-listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]);
    command.env("KUBECONFIG", &kubeconfig);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("OTEL_")) {
        command.env_remove(name);
    }
    if let Some(collector) = collector {
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", collector);
    }
    let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    loop {
        let line = lines.next_line().await.unwrap().expect("it listens before it ends");
        let entry: Value = serde_json::from_str(&line).unwrap();
        if entry["message"] == "listening" {
            let verbs = entry["verbs"].as_str().unwrap().to_owned();
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return (child, verbs);
        }
    }
}

/// Asks with a trace, and stops the server. The number of the request, as the answer names it.
async fn ask_and_stop(mut child: Child, verbs: &str) -> String {
    // The other test may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let request = reqwest::Client::builder().no_proxy().build().unwrap().post(format!("{verbs}/filter"));
    let request = request.header("traceparent", format!("00-{TRACE}-{PARENT}-01"));
    let answer = request.body(r#"{"Pod": {}, "NodeNames": []}"#).send().await.unwrap();
    let id = answer.headers()["x-request-id"].to_str().unwrap().to_owned();
    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    let ended = tokio::time::timeout(Duration::from_secs(120), child.wait()).await.expect("it ends");
    assert!(ended.unwrap().success());
    id
}

fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

#[tokio::test]
async fn a_request_is_told_of_as_part_of_its_callers_trace() {
    let collector = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/v1/traces"))
        .respond_with(ResponseTemplate::new(200))
        .mount(&collector)
        .await;
    let (child, verbs) = serve(Some(&collector.uri())).await;
    let id = ask_and_stop(child, &verbs).await;
    let told = collector.received_requests().await.unwrap();
    assert!(told.iter().all(|request| request.headers["content-type"] == "application/x-protobuf"));
    let of_this: Vec<&[u8]> =
        told.iter().map(|request| request.body.as_slice()).filter(|body| has(body, &from_hex(TRACE))).collect();
    // Protobuf has texts and identifiers as they are.
    let [body] = of_this[..] else { panic!("{} of {} tell of it", of_this.len(), told.len()) };
    for part in [&from_hex(PARENT)[..], b"request", b"/filter", b"service.name", b"migsaw", id.as_bytes()] {
        assert!(has(body, part), "{:?} is missing", String::from_utf8_lossy(part));
    }
}

#[tokio::test]
async fn a_collector_that_is_away_does_not_matter() {
    let (child, verbs) = serve(Some("http://127.0.0.1:9")).await;
    ask_and_stop(child, &verbs).await;
    let (child, verbs) = serve(None).await;
    ask_and_stop(child, &verbs).await;
}
