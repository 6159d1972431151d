//! Puts a plan's configurations where MIG Manager reads them.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap as ConfigMapObject, Node};
use kube::api::ListParams;
use kube::core::PartialObjectMeta;
use kube::{Api, Client, ResourceExt as _};
use serde::Deserialize;
use serde_json::json;

use super::MANAGER;
use super::act::Hands;
use super::settings::Job;
use crate::cluster::{Cluster, ClusterError, in_pages, page, patiently, refused};
use crate::gpu_operator::{ConfigMap, plan_config};
use crate::mig_parted::{Config, Entry};
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

/// The `ConfigMap` as it is to be, before it is written.
pub(super) struct Draft {
    name: String,
    namespace: String,
    text: String,
    /// Take over what others have written.
    force: bool,
    before: Option<ConfigMapObject>,
    is_policy_known: bool,
}

impl Draft {
    /// The configurations of a plan, and those of today that nodes are labelled with.
    pub(super) async fn new(
        cluster: &Cluster,
        job: Job<'_>,
        namespace: &str,
        patience: Duration,
    ) -> Result<Draft, PublishError> {
        let (name, namespace) = (job.config_map.to_owned(), namespace.to_owned());
        let is_policy_known = check_policy(&cluster.client, &name, patience).await?;
        let maps: Api<ConfigMapObject> = Api::namespaced(cluster.client.clone(), &namespace);
        let before = patiently(patience, || maps.get_opt(&name)).await;
        let before = before.map_err(refused(format!("read ConfigMap {namespace}/{name}")))?;
        let text = before.as_ref().and_then(|map| map.data.as_ref()?.get("config.yaml")).cloned().unwrap_or_default();
        let mut config = plan_config(job.problem, job.plan, Some(job.catalog));
        if let Ok(today) = Config::read(text.as_bytes()) {
            let used = labels_in_use(cluster, patience).await?;
            let known: BTreeSet<String> = config.entries.iter().map(|entry| entry.name.clone()).collect();
            let is_kept = |entry: &Entry| used.contains(&entry.name) && !known.contains(&entry.name);
            config.entries.extend(today.entries.into_iter().filter(is_kept));
        }
        let map = ConfigMap { name, namespace, config };
        let text = map.text()?;
        let ConfigMap { name, namespace, .. } = map;
        Ok(Draft { name, namespace, text, force: job.force, before, is_policy_known })
    }

    /// What writing it is called in messages.
    pub(super) fn action(&self) -> String {
        format!("write ConfigMap {}/{}", self.namespace, self.name)
    }

    /// Writes it.
    pub(super) async fn write(&self, hands: &Hands) -> kube::Result<Result<Published, PublishError>> {
        let Draft { name, namespace, .. } = self;
        let manifest = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": name, "namespace": namespace, "labels": {"app.kubernetes.io/managed-by": MANAGER}},
            "data": {"config.yaml": self.text},
        });
        let after = match hands.apply_config_map(namespace, name, &manifest, self.force).await {
            Err(kube::Error::Api(status)) if status.code == 409 => {
                return Ok(Err(PublishError::Conflict { name: name.clone(), message: status.message }));
            }
            written => written?,
        };
        let data = |map: &ConfigMapObject| map.data.clone();
        let has_changed = self.before.as_ref().map(data) != Some(data(&after));
        let writes = after.metadata.managed_fields.iter().flatten();
        let changed = writes.filter_map(|entry| entry.time.as_ref().map(|time| time.0)).max();
        Ok(Ok(Published { name: name.clone(), has_changed, changed, is_policy_known: self.is_policy_known }))
    }
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
