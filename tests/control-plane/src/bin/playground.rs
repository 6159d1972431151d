//! A cluster to try migsaw on, without any GPU: `cargo run -p migsaw-control-plane --bin playground [NODES]`.
//!
//! Every node has eight H100 cut into sevenths; pods run on some of them, and others wait for halves.

use std::time::Duration;

use anyhow::{Context, Result};
use migsaw_control_plane::{ControlPlane, GpuNode, Kubelet, MigManager, Workload};

#[tokio::main]
async fn main() -> Result<()> {
    let nodes: u32 = match std::env::args().nth(1) {
        Some(nodes) => nodes.parse().context("NODES is to be a number")?,
        None => 6,
    };
    let plane = ControlPlane::start().await?.context("build the control plane first")?;
    let client = plane.client();
    for node in 1..=nodes {
        GpuNode::h100(format!("gpu-{node}"), "all-1g.10gb", &[("nvidia.com/mig-1g.10gb", 56)]).create(&client).await?;
    }
    let _kubelet = Kubelet::start(client.clone(), Duration::from_secs(2));
    let _manager = MigManager::start(client.clone(), "migsaw-mig-config", Duration::from_secs(5));
    plane.create_namespace("research").await?;
    let running = Workload {
        namespace: "research",
        name: "llm",
        profile: "1g.10gb",
        replicas: nodes * 20,
        max_unavailable: Some(nodes * 10),
    };
    let waiting = Workload { name: "train", profile: "3g.40gb", replicas: nodes * 4, max_unavailable: None, ..running };
    running.create(&client).await?;
    waiting.create(&client).await?;
    running.await_running(&client, running.replicas).await?;
    let mut out = std::io::stdout();
    std::io::Write::write_all(&mut out, format!("export KUBECONFIG={}\n", plane.kubeconfig().display()).as_bytes())?;
    tokio::signal::ctrl_c().await?;
    Ok(())
}
