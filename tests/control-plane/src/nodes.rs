//! Nodes with GPUs that are not there.

use std::collections::BTreeMap;

use anyhow::Result;
use k8s_openapi::api::core::v1::Node;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

/// A node as GPU feature discovery, device plugin and kubelet would present it.
#[derive(Debug, Clone)]
pub struct GpuNode {
    /// Its name.
    pub name: String,
    /// The label `nvidia.com/gpu.product`.
    pub product: String,
    /// How many GPUs it has.
    pub gpus: u32,
    /// The label `nvidia.com/mig.config`.
    pub config: String,
    /// What it offers, by resource.
    pub resources: BTreeMap<String, u64>,
}

impl GpuNode {
    /// A node of eight H100.
    pub fn h100(name: impl Into<String>, config: &str, resources: &[(&str, u64)]) -> GpuNode {
        GpuNode {
            name: name.into(),
            product: "NVIDIA-H100-80GB-HBM3".to_owned(),
            gpus: 8,
            config: config.to_owned(),
            resources: resources.iter().map(|&(name, n)| (name.to_owned(), n)).collect(),
        }
    }

    /// Makes it.
    ///
    /// # Errors
    /// If the API server refuses it.
    pub async fn create(&self, client: &Client) -> Result<()> {
        let nodes: Api<Node> = Api::all(client.clone());
        let node: Node = serde_json::from_value(json!({"metadata": {"name": self.name, "labels": {
            "kubernetes.io/hostname": self.name,
            "nvidia.com/gpu.product": self.product,
            "nvidia.com/gpu.count": self.gpus.to_string(),
            "nvidia.com/mig.capable": "true",
            "nvidia.com/mig.strategy": "mixed",
            "nvidia.com/mig.config": self.config,
            "nvidia.com/mig.config.state": "success",
        }}}))?;
        nodes.create(&PostParams::default(), &node).await?;
        let status = json!({"status": {
            "capacity": {"cpu": "192", "memory": "2Ti", "pods": "250"},
            "conditions": [{"type": "Ready", "status": "True"}],
        }});
        nodes.patch_status(&self.name, &PatchParams::default(), &Patch::Strategic(&status)).await?;
        advertise(client, &self.name, &self.resources).await
    }
}

/// Offers just these of NVIDIA's resources.
pub(crate) async fn advertise(client: &Client, node: &str, resources: &BTreeMap<String, u64>) -> Result<()> {
    let nodes: Api<Node> = Api::all(client.clone());
    let known = nodes.get(node).await?.status.and_then(|status| status.capacity).unwrap_or_default();
    let mut all: BTreeMap<String, Value> =
        known.into_keys().filter(|name| name.starts_with("nvidia.com/")).map(|name| (name, json!("0"))).collect();
    all.extend(resources.iter().map(|(name, n)| (name.clone(), json!(n.to_string()))));
    let status = json!({"status": {"capacity": all, "allocatable": all}});
    nodes.patch_status(node, &PatchParams::default(), &Patch::Merge(&status)).await?;
    Ok(())
}
