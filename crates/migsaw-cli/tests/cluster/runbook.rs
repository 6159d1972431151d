//! The same rollout as plain kubectl commands, run by hand, so to speak.

use std::path::Path;

use tokio::process::Command;

use crate::site::{Pace, Said, Site};

#[tokio::test(flavor = "multi_thread")]
async fn the_runbook_does_the_same_with_kubectl() {
    let Some(site) = Site::new(4, Pace::default()).await else { return };
    let Some(kubectl) = site.plane.kubectl() else { return };
    let folder = tempfile::tempdir().unwrap();
    let plan = folder.path().join("plan");
    site.run(&["plan", "--live", "--out", plan.to_str().unwrap()]).await.assert(0, &["mig-config.yaml"]);
    let planned =
        ["rollout", "--live", "--plan", plan.join("plan.json").to_str().unwrap(), "--commands"].map(str::to_owned);
    let script = site.run(&planned.each_ref().map(String::as_str)).await;
    assert_eq!(script.code, 0, "{script:?}");
    let path = format!("{}:{}", kubectl.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let run = async |command: &mut Command| {
        let command = command.env("KUBECONFIG", site.plane.kubeconfig()).env("PATH", &path);
        let output = command.current_dir(folder.path()).stdin(std::process::Stdio::null()).output().await.unwrap();
        let said = Said::of(&output);
        said.assert(0, &[]);
        said
    };
    run(Command::new("kubectl").args(["apply", "-f", "plan/mig-config.yaml"])).await;
    std::fs::write(folder.path().join("rollout.sh"), script.stdout).unwrap();
    let said = run(Command::new("sh").arg(Path::new("rollout.sh"))).await;
    said.assert(0, &["wave 1 of 2", "wave 2 of 2", "cordoned", "uncordoned"]);
    site.assert_finished().await;
}
