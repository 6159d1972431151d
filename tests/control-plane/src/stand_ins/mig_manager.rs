//! Cuts GPUs, in name.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use futures::TryStreamExt as _;
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod};
use kube::api::{ListParams, Patch, PatchParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, ResourceExt as _};
use migsaw::geometry::{Catalog, Model};
use migsaw_kube::mig_parted::Config;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::OPERATOR;
use crate::nodes::advertise;

const CONFIG: &str = "nvidia.com/mig.config";
const STATE: &str = "nvidia.com/mig.config.state";

/// What goes wrong on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It cannot apply the configuration: state `failed`.
    Fails,
    /// A client does not end: state `pending` for ever.
    Hangs,
    /// The instances are there and the state is `success`, but the device plugin does not come back.
    NotAdvertised,
}

/// Stands in for the MIG Managers of all nodes until it is dropped.
///
/// It acts on a *change* of the label, as the real one does: `pending`, no slices offered, then what the entry of
/// the `ConfigMap` says and `success`; `failed` where there is no such entry, or while a pod holds slices.
pub struct MigManager {
    task: JoinHandle<()>,
    shared: Arc<Shared>,
}

struct Shared {
    client: Client,
    config_map: String,
    /// How long it takes.
    takes: Duration,
    /// By node; each goes wrong so many times.
    faults: Mutex<BTreeMap<String, (Fault, u32)>>,
    /// Nodes that were to be cut while pods held slices of them.
    busy: Mutex<Vec<String>>,
    /// Every change of a label, in order.
    seen: Mutex<Vec<(String, String)>>,
}

impl MigManager {
    /// Starts it; it reads this `ConfigMap` and takes this long for a node.
    pub fn start(client: Client, config_map: &str, takes: Duration) -> MigManager {
        let (faults, busy, seen) = (Mutex::default(), Mutex::default(), Mutex::default());
        let shared = Arc::new(Shared { client, config_map: config_map.to_owned(), takes, faults, busy, seen });
        let task = tokio::spawn(watch(Arc::clone(&shared)));
        MigManager { task, shared }
    }

    /// Makes it go wrong on a node, so many times.
    pub fn fail(&self, node: &str, fault: Fault, times: u32) {
        lock(&self.shared.faults).insert(node.to_owned(), (fault, times));
    }

    /// Nodes that were to be cut while pods held slices of them.
    pub fn busy(&self) -> Vec<String> {
        lock(&self.shared.busy).clone()
    }

    /// The changes of labels it has seen, in order: node and configuration.
    pub fn seen(&self) -> Vec<(String, String)> {
        lock(&self.shared.seen).clone()
    }
}

impl Drop for MigManager {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn watch(shared: Arc<Shared>) {
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    let nodes: Api<Node> = Api::all(shared.client.clone());
    let mut events = Box::pin(watcher(nodes, watcher::Config::default()).default_backoff().applied_objects());
    loop {
        let node = match events.try_next().await {
            Ok(Some(node)) => node,
            Ok(None) => return,
            Err(_) => continue,
        };
        let (name, config) = (node.name_any(), node.labels().get(CONFIG).cloned().unwrap_or_default());
        let before = known.insert(name.clone(), config.clone());
        if before.is_none_or(|before| before == config) || config.is_empty() {
            continue;
        }
        lock(&shared.seen).push((name.clone(), config.clone()));
        let shared = Arc::clone(&shared);
        tokio::spawn(async move {
            if let Err(error) = shared.cut(&node, &config).await {
                // The API server may be away: the real one would try again, too.
                tokio::time::sleep(Duration::from_secs(2)).await;
                if shared.cut(&node, &config).await.is_err() {
                    let _ = shared.state(&name, "failed").await;
                    drop(error);
                }
            }
        });
    }
}

impl Shared {
    async fn state(&self, node: &str, state: &str) -> Result<()> {
        let nodes: Api<Node> = Api::all(self.client.clone());
        let patch = json!({"metadata": {"labels": {STATE: state}}});
        nodes.patch(node, &PatchParams::default(), &Patch::Merge(&patch)).await?;
        Ok(())
    }

    async fn cut(&self, node: &Node, config: &str) -> Result<()> {
        let name = node.name_any();
        let Some(offers) = self.offers(node, config).await? else { return self.state(&name, "failed").await };
        self.state(&name, "pending").await?;
        advertise(&self.client, &name, &BTreeMap::new()).await?;
        tokio::time::sleep(self.takes).await;
        let fault = {
            let mut faults = lock(&self.faults);
            let fault = faults.get(&name).copied();
            match fault {
                Some((_, 0 | 1)) => drop(faults.remove(&name)),
                Some((fault, times)) => drop(faults.insert(name.clone(), (fault, times - 1))),
                None => {}
            }
            fault.map(|(fault, _)| fault)
        };
        if self.is_held(&name).await? {
            lock(&self.busy).push(name.clone());
            return self.state(&name, "failed").await;
        }
        match fault {
            Some(Fault::Fails) => return self.state(&name, "failed").await,
            Some(Fault::Hangs) => return Ok(()),
            Some(Fault::NotAdvertised) => {}
            None => advertise(&self.client, &name, &offers).await?,
        }
        self.state(&name, "success").await
    }

    /// What the node offers once it is cut so; `None` if the configuration is not known or not for it.
    async fn offers(&self, node: &Node, config: &str) -> Result<Option<BTreeMap<String, u64>>> {
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), OPERATOR);
        let map = maps.get(&self.config_map).await?;
        let text = map.data.unwrap_or_default().remove("config.yaml").unwrap_or_default();
        let (read, catalog) = (Config::read(text.as_bytes()), Catalog::builtin());
        let Some(entry) = read.ok().as_ref().and_then(|read| read.entry(config)).cloned() else { return Ok(None) };
        let product = node.labels().get("nvidia.com/gpu.product").context("the node has no product")?;
        let model: Arc<Model> = catalog.by_product_label(product).context("no such product")??;
        let gpus: usize = node.labels().get("nvidia.com/gpu.count").context("the node has no count")?.parse()?;
        let mut offers = BTreeMap::new();
        for rule in entry.on_node(&vec![Arc::clone(&model); gpus]) {
            let Some(rule) = rule else { return Ok(None) };
            if !rule.mig_enabled {
                *offers.entry("nvidia.com/gpu".to_owned()).or_insert(0) += 1;
            }
            for (profile, &n) in &rule.mig_devices {
                *offers.entry(profile.resource()).or_insert(0) += u64::from(n);
            }
        }
        Ok(Some(offers))
    }

    /// Whether a pod on the node holds slices.
    async fn is_held(&self, node: &str) -> Result<bool> {
        let pods: Api<Pod> = Api::all(self.client.clone());
        let here = pods.list(&ListParams::default().fields(&format!("spec.nodeName={node}"))).await?;
        let holds = |pod: &Pod| {
            let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
            let limits = containers.filter_map(|container| container.resources.as_ref()?.limits.as_ref());
            limits.flat_map(BTreeMap::keys).any(|resource| resource.starts_with("nvidia.com/"))
        };
        let runs = |pod: &Pod| {
            let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
            !matches!(phase, Some("Succeeded" | "Failed"))
        };
        Ok(here.iter().any(|pod| runs(pod) && holds(pod)))
    }
}
