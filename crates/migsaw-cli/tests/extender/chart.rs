//! The chart, as the API server sees it.

use std::path::Path;

use tokio::process::Command;

use crate::site::Site;

/// Every object that the chart renders, with every set of values, is taken by the API server, in a namespace that
/// enforces the restricted profile.
#[tokio::test]
async fn the_api_server_takes_what_the_chart_renders() {
    let Some(site) = Site::new(0).await else { return };
    let check = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/chart/check");
    let mut command = Command::new(check);
    command.arg("--server").env("KUBECONFIG", site.plane.kubeconfig()).env("HELM", site.plane.helm());
    command.env("KUBECTL", site.plane.kubectl().unwrap());
    let output = command.output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
