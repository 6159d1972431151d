//! The chart and the policy for pods, as the API server sees them.

use std::path::Path;

use tokio::process::Command;

use crate::site::Site;

/// Every object that the chart renders, with every set of values, is taken by the API server, in a namespace that
/// enforces the restricted profile.
#[tokio::test]
async fn the_api_server_takes_what_the_chart_renders() {
    let Some(site) = Site::new(0).await else { return };
    let output = checked(&site, "chart").output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// The policy for pods refuses those with slices that no scheduler of migsaw's would place, and no others.
#[tokio::test]
async fn the_policy_judges_pods() {
    let Some(site) = Site::new(0).await else { return };
    let output = checked(&site, "scheduler").output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// `check --server` of a folder of `deploy`.
fn checked(site: &Site, folder: &str) -> Command {
    let check = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(folder).join("check");
    let mut command = Command::new(check);
    command.arg("--server").env("KUBECONFIG", site.plane.kubeconfig()).env("KUBECTL", site.plane.kubectl().unwrap());
    command.env("HELM", site.plane.helm()).env("MIGSAW", env!("CARGO_BIN_EXE_migsaw"));
    command.env("KUBEBUILDER_ASSETS", site.plane.helm().parent().unwrap());
    command
}
