//! The control plane starts, and what stands in for nodes behaves as what it stands for.

use std::time::Duration;

use anyhow::Result;
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod};
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::wait::{await_condition, conditions};
use kube::{Api, Client, ResourceExt as _};
use migsaw_control_plane::{ControlPlane, Fault, GpuNode, Kubelet, MigManager, OPERATOR};
use serde_json::json;

const CONFIGS: &str = "
version: v1
mig-configs:
  halves: [{devices: all, mig-enabled: true, mig-devices: {3g.40gb: 2}}]
  sevenths: [{devices: all, mig-enabled: true, mig-devices: {1g.10gb: 7}}]
";

#[tokio::test(flavor = "multi_thread")]
async fn pods_run_and_nodes_are_cut() -> Result<()> {
    let Some(plane) = ControlPlane::start().await? else { return Ok(()) };
    let client = plane.client();
    let _kubelet = Kubelet::start(client.clone(), Duration::ZERO);
    let manager = MigManager::start(client.clone(), "configs", Duration::from_millis(50));
    let maps: Api<ConfigMap> = Api::namespaced(client.clone(), OPERATOR);
    let map = json!({"metadata": {"name": "configs"}, "data": {"config.yaml": CONFIGS}});
    maps.create(&PostParams::default(), &serde_json::from_value(map)?).await?;
    GpuNode::h100("gpu-1", "halves", &[("nvidia.com/mig-3g.40gb", 16)]).create(&client).await?;

    let pods: Api<Pod> = Api::default_namespaced(client.clone());
    let pod = json!({"metadata": {"name": "llm"}, "spec": {"containers": [{
        "name": "main", "image": "llm", "resources": {"limits": {"nvidia.com/mig-3g.40gb": "1"}}}]}});
    pods.create(&PostParams::default(), &serde_json::from_value(pod)?).await?;
    await_condition(pods.clone(), "llm", conditions::is_pod_running()).await?;
    let pod = pods.get("llm").await?;
    assert_eq!(pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()), Some("gpu-1"));

    // While a pod holds a slice MIG Manager fails.
    assert_eq!(relabel(&client, "sevenths", "failed").await?, offered(&[("3g.40gb", 0)]));
    assert_eq!(manager.busy(), ["gpu-1"]);
    pods.delete("llm", &kube::api::DeleteParams::default()).await?;
    await_condition(pods, "llm", conditions::is_deleted(&pod.uid().unwrap_or_default())).await?;
    assert_eq!(relabel(&client, "halves", "success").await?, offered(&[("3g.40gb", 16)]));
    assert_eq!(relabel(&client, "unheard-of", "failed").await?, offered(&[("3g.40gb", 16)]));
    manager.fail("gpu-1", Fault::NotAdvertised, 1);
    assert_eq!(relabel(&client, "sevenths", "success").await?, offered(&[("3g.40gb", 0)]));
    assert_eq!(relabel(&client, "halves", "success").await?, offered(&[("3g.40gb", 16)]));
    assert_eq!(relabel(&client, "sevenths", "success").await?, offered(&[("1g.10gb", 56), ("3g.40gb", 0)]));
    Ok(())
}

type Offered = Vec<(String, String)>;

fn offered(resources: &[(&str, u32)]) -> Offered {
    resources.iter().map(|(profile, n)| (format!("nvidia.com/mig-{profile}"), n.to_string())).collect()
}

/// Changes the label, waits for a state, and says what the node offers then.
async fn relabel(client: &Client, config: &str, until: &str) -> Result<Offered> {
    let nodes: Api<Node> = Api::all(client.clone());
    let labels =
        json!({"metadata": {"labels": {"nvidia.com/mig.config": config, "nvidia.com/mig.config.state": null}}});
    nodes.patch("gpu-1", &PatchParams::default(), &Patch::Merge(&labels)).await?;
    let is_so = |node: Option<&Node>| {
        node.is_some_and(|node| node.labels().get("nvidia.com/mig.config.state").is_some_and(|state| state == until))
    };
    await_condition(nodes.clone(), "gpu-1", is_so).await?;
    let allocatable = nodes.get("gpu-1").await?.status.and_then(|status| status.allocatable).unwrap_or_default();
    let of_gpus = allocatable.into_iter().filter(|(name, _)| name.starts_with("nvidia.com/"));
    Ok(of_gpus.map(|(name, quantity)| (name, quantity.0)).collect())
}
