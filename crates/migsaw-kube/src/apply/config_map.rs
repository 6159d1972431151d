//! Puts a plan's configurations where MIG Manager reads them.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap as ConfigMapObject, Node};
use kube::api::{ListParams, Patch, PatchParams};
use kube::core::PartialObjectMeta;
use kube::{Api, Client, ResourceExt as _};
use serde::Deserialize;
use serde_json::json;

use super::MANAGER;
use crate::cluster::{Cluster, ClusterError, in_pages, page, patiently, refused};
use crate::gpu_operator::ConfigMap;
use crate::mig_parted::Config;
use crate::names::CONFIG_LABEL;

/// What became of the `ConfigMap`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Its name.
    pub name: String,
    /// Whether it says something new.
    pub has_changed: bool,
    /// When it was changed last, by whomever, by the API server's clock.
    pub changed: Option<Timestamp>,
    /// Whether the `ClusterPolicy` that names it could be seen.
    pub is_policy_known: bool,
}

/// The `ConfigMap` cannot be put where MIG Manager reads it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// MIG Manager reads another.
    #[error("MIG Manager reads ConfigMap `{found}`, not `{name}` (ClusterPolicy {policy}, migManager.config.name)")]
    OtherConfigMap {
        /// The `ClusterPolicy`.
        policy: String,
        /// What it names.
        found: String,
        /// What it is to name.
        name: String,
    },
    /// Others have written it.
    #[error("ConfigMap {name} is written by others: {message}")]
    Conflict {
        /// Its name.
        name: String,
        /// What the API server says.
        message: String,
    },
    /// It is larger than Kubernetes stores.
    #[error(transparent)]
    TooLarge(#[from] crate::gpu_operator::ConfigMapTooLarge),
    /// The cluster does not do it.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

/// How to write the `ConfigMap`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Publishing<'a> {
    pub(super) name: &'a str,
    pub(super) namespace: &'a str,
    /// Take over what others have written.
    pub(super) force: bool,
    pub(super) is_rehearsal: bool,
    pub(super) patience: Duration,
}

/// Writes the configurations, and keeps those of today that nodes are labelled with.
pub(super) async fn publish(
    cluster: &Cluster,
    mut config: Config,
    publishing: Publishing<'_>,
) -> Result<Published, PublishError> {
    let Publishing { name, namespace, force, is_rehearsal, patience } = publishing;
    let is_policy_known = check_policy(&cluster.client, name, patience).await?;
    let maps: Api<ConfigMapObject> = Api::namespaced(cluster.client.clone(), namespace);
    let what = format!("ConfigMap {namespace}/{name}");
    let before = patiently(patience, || maps.get_opt(name)).await.map_err(refused(format!("read {what}")))?;
    let text = before.as_ref().and_then(|map| map.data.as_ref()?.get("config.yaml")).cloned().unwrap_or_default();
    if let Ok(today) = Config::read(text.as_bytes()) {
        let used = labels_in_use(cluster, patience).await?;
        let known: BTreeSet<String> = config.entries.iter().map(|entry| entry.name.clone()).collect();
        let kept = today.entries.into_iter().filter(|entry| used.contains(&entry.name) && !known.contains(&entry.name));
        config.entries.extend(kept);
    }
    let map = ConfigMap { name: name.to_owned(), namespace: namespace.to_owned(), config };
    let text = map.text()?;
    let patch = Patch::Apply(json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/managed-by": MANAGER}},
        "data": {"config.yaml": text},
    }));
    let params =
        PatchParams { dry_run: is_rehearsal, force, field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    let written = patiently(patience, || maps.patch(name, &params, &patch)).await;
    let after = match written {
        Err(kube::Error::Api(status)) if status.code == 409 => {
            return Err(PublishError::Conflict { name: name.to_owned(), message: status.message });
        }
        written => written.map_err(refused(format!("write {what}")))?,
    };
    let data = |map: &ConfigMapObject| map.data.clone();
    let has_changed = before.as_ref().map(data) != Some(data(&after));
    let writes = after.metadata.managed_fields.iter().flatten();
    let changed = writes.filter_map(|entry| entry.time.as_ref().map(|time| time.0)).max();
    Ok(Published { name: name.to_owned(), has_changed, changed, is_policy_known })
}

/// The configurations that nodes are labelled with.
async fn labels_in_use(cluster: &Cluster, patience: Duration) -> Result<BTreeSet<String>, ClusterError> {
    let nodes: Api<Node> = Api::all(cluster.reader.clone());
    let mut used = BTreeSet::new();
    let list = async |params: ListParams| nodes.list_metadata(&params).await.map(page);
    let labels = |nodes: Vec<PartialObjectMeta<Node>>| {
        used.extend(nodes.iter().filter_map(|node| node.labels().get(CONFIG_LABEL).cloned()));
    };
    let listed = in_pages(patience, ListParams::default().labels(CONFIG_LABEL), list, labels).await;
    listed.map_err(refused("list nodes"))?;
    Ok(used)
}

#[derive(Deserialize)]
struct Policies {
    items: Vec<Policy>,
}

#[derive(Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[derive(Default)]
struct Policy {
    metadata: Name,
    spec: PolicySpec,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Name {
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PolicySpec {
    mig_manager: PolicyManager,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct PolicyManager {
    config: Name,
}

/// Makes sure that MIG Manager reads that `ConfigMap`; false if there is no telling.
async fn check_policy(client: &Client, name: &str, patience: Duration) -> Result<bool, PublishError> {
    let ask = || async {
        let request = http::Request::get("/apis/nvidia.com/v1/clusterpolicies").body(Vec::new());
        client.request::<Policies>(request.map_err(kube::Error::HttpError)?).await
    };
    let policies = match patiently(patience, ask).await {
        Ok(policies) => policies,
        // Without the operator's kind, or the right to see it.
        Err(kube::Error::Api(status)) if matches!(status.code, 403 | 404) => return Ok(false),
        Err(error) => return Err(refused("list ClusterPolicies")(error).into()),
    };
    let Some(policy) = policies.items.into_iter().next() else { return Ok(false) };
    let found = policy.spec.mig_manager.config.name;
    if found == name {
        return Ok(true);
    }
    let found = if found.is_empty() { "default-mig-parted-config".to_owned() } else { found };
    Err(PublishError::OtherConfigMap { policy: policy.metadata.name, found, name: name.to_owned() })
}
