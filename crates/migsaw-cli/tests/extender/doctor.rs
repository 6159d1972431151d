//! `migsaw doctor` beside a running extender.

use serde_json::Value;
use tokio::process::Command;

use crate::site::{Site, free_port};

/// Doctor's exit code, and its findings by what they are about.
async fn doctor(arguments: &[&str]) -> (i32, Vec<(String, String)>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_migsaw"));
    let output = command.arg("doctor").args(arguments).args(["-o", "json"]).output().await.unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |finding: &Value, member: &str| finding[member].as_str().unwrap().to_owned();
    let findings = report["findings"].as_array().unwrap().iter();
    (output.status.code().unwrap(), findings.map(|f| (text(f, "about"), text(f, "verdict"))).collect())
}

#[tokio::test]
async fn doctor_sees_what_is_wired_up_and_what_is_not() {
    let Some(site) = Site::new(1).await else { return };
    let (port, binding) = (free_port(), free_port());
    let serving = site.serve(port, &[]).await;
    let _binding = site.serve(binding, &["--bind"]).await;
    let [certificate, key] = site.plane.certificate("kube-scheduler").unwrap();
    let [stranger, stranger_key] = site.plane.certificate("somebody").unwrap();
    let of = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let (ca, health) = (of(site.plane.ca()), format!("http://{}", serving.health));
    let ask = async |port: u16, certificate: &str, key: &str, more: &[&str]| {
        let url = format!("https://127.0.0.1:{port}");
        doctor(&[&["--url", &url, "--ca", &ca, "--cert", certificate, "--key", key], more].concat()).await
    };
    for port in [port, binding] {
        let (code, findings) = ask(port, &of(&certificate), &of(&key), &["--health-url", &health]).await;
        assert!(
            code == 0 && findings.len() == 8 && findings.iter().all(|(_, verdict)| verdict == "ok"),
            "{findings:?}"
        );
    }
    let (code, findings) = ask(port, &of(&stranger), &of(&stranger_key), &[]).await;
    assert_eq!((code, findings.last().unwrap()), (1, &("filter".to_owned(), "problem".to_owned())));
    let (code, findings) = ask(free_port(), &of(&certificate), &of(&key), &[]).await;
    assert_eq!((code, findings.len()), (1, 2));
}
