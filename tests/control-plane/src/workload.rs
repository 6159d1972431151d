//! Workloads that ask for slices.

use std::time::Duration;

use anyhow::{Result, bail};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{ListParams, PostParams};
use kube::{Api, Client};
use serde_json::json;

/// A Deployment whose pods ask for one slice each.
#[derive(Debug, Clone, Copy)]
pub struct Workload<'a> {
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name, and its pods' label `app`.
    pub name: &'a str,
    /// The profile as resources name it.
    pub profile: &'a str,
    /// How many pods.
    pub replicas: u32,
    /// How many of them may be down at a time, if a `PodDisruptionBudget` says so.
    pub max_unavailable: Option<u32>,
}

impl Workload<'_> {
    /// Makes it, with its budget.
    ///
    /// # Errors
    /// If the API server refuses it.
    pub async fn create(&self, client: &Client) -> Result<()> {
        let app = json!({"app": self.name});
        let container = json!({"name": "main", "image": "main", "resources": {
            "limits": {format!("nvidia.com/mig-{}", self.profile): "1"}}});
        let deployment = json!({"metadata": {"name": self.name}, "spec": {
            "replicas": self.replicas,
            "selector": {"matchLabels": app},
            "template": {"metadata": {"labels": app}, "spec": {
                "terminationGracePeriodSeconds": 30, "containers": [container]}}}});
        let deployments: Api<Deployment> = Api::namespaced(client.clone(), self.namespace);
        deployments.create(&PostParams::default(), &serde_json::from_value(deployment)?).await?;
        if let Some(most) = self.max_unavailable {
            let budget = json!({"metadata": {"name": self.name}, "spec": {
                "maxUnavailable": most, "selector": {"matchLabels": app}}});
            let budgets: Api<PodDisruptionBudget> = Api::namespaced(client.clone(), self.namespace);
            budgets.create(&PostParams::default(), &serde_json::from_value(budget)?).await?;
        }
        Ok(())
    }

    /// How many of its pods run.
    ///
    /// # Errors
    /// If they cannot be listed.
    pub async fn running(&self, client: &Client) -> Result<usize> {
        let pods: Api<Pod> = Api::namespaced(client.clone(), self.namespace);
        let own = pods.list(&ListParams::default().labels(&format!("app={}", self.name))).await?;
        let runs = |pod: &&Pod| {
            let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
            phase == Some("Running") && pod.metadata.deletion_timestamp.is_none()
        };
        Ok(own.iter().filter(runs).count())
    }

    /// Waits until its budget lets a pod go: until then a plan leaves all of them where they are.
    ///
    /// # Errors
    /// If it does not within two minutes, far more than that takes.
    pub async fn await_budget(&self, client: &Client) -> Result<()> {
        let budgets: Api<PodDisruptionBudget> = Api::namespaced(client.clone(), self.namespace);
        let least = i32::try_from(self.max_unavailable.unwrap_or(0))?;
        for _ in 0..1200 {
            let budget = budgets.get_opt(self.name).await?;
            let allowed = budget.and_then(|budget| Some(budget.status?.disruptions_allowed));
            if allowed.unwrap_or(0) >= least {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("the budget of {} does not allow {least}", self.name)
    }

    /// Waits until so many of its pods run.
    ///
    /// # Errors
    /// If they do not within two minutes, far more than that takes.
    pub async fn await_running(&self, client: &Client, pods: u32) -> Result<()> {
        for _ in 0..1200 {
            if self.running(client).await? == pods as usize {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("{} of {pods} pods of {} run", self.running(client).await?, self.name)
    }
}
