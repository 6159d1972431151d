//! Watches that budgets hold.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::TryStreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt as _};
use tokio::task::JoinHandle;

/// What has been seen of the pods of each `app`.
pub struct BudgetWatch {
    task: JoinHandle<()>,
    counts: Arc<Mutex<Counts>>,
}

#[derive(Default)]
struct Counts {
    least: BTreeMap<String, usize>,
    gone: BTreeMap<String, usize>,
}

impl BudgetWatch {
    /// Counts the pods of a namespace by their label `app` until it is dropped.
    pub fn start(client: Client, namespace: &str) -> BudgetWatch {
        let counts: Arc<Mutex<Counts>> = Arc::default();
        let pods: Api<Pod> = Api::namespaced(client, namespace);
        let task = tokio::spawn(count(pods, Arc::clone(&counts)));
        BudgetWatch { task, counts }
    }

    /// The least number of ready pods of each `app` so far, from when this was started.
    pub fn least(&self) -> BTreeMap<String, usize> {
        lock(&self.counts).least.clone()
    }

    /// How many pods of each `app` have gone.
    pub fn gone(&self) -> BTreeMap<String, usize> {
        lock(&self.counts).gone.clone()
    }
}

fn lock(counts: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    counts.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for BudgetWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn count(pods: Api<Pod>, counts: Arc<Mutex<Counts>>) {
    let mut ready: BTreeMap<String, BTreeMap<String, bool>> = BTreeMap::new();
    let mut events = Box::pin(watcher(pods, watcher::Config::default()).default_backoff());
    let mut is_listed = false;
    loop {
        let event = match events.try_next().await {
            Ok(Some(event)) => event,
            Ok(None) => return,
            Err(_) => continue,
        };
        let app = |pod: &Pod| pod.labels().get("app").cloned().unwrap_or_default();
        match event {
            Event::Init => {
                is_listed = false;
                ready.clear();
            }
            Event::InitApply(pod) | Event::Apply(pod) => {
                ready.entry(app(&pod)).or_default().insert(pod.name_any(), is_ready(&pod));
            }
            Event::Delete(pod) => {
                ready.entry(app(&pod)).or_default().remove(&pod.name_any());
                *lock(&counts).gone.entry(app(&pod)).or_default() += 1;
            }
            Event::InitDone => is_listed = true,
        }
        if is_listed {
            let mut counts = lock(&counts);
            for (app, pods) in &ready {
                let now = pods.values().filter(|ready| **ready).count();
                let known = counts.least.entry(app.clone()).or_insert(now);
                *known = now.min(*known);
            }
        }
    }
}

/// As the disruption controller sees it: a pod that is being deleted counts no more.
fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let ready = conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
    ready && pod.metadata.deletion_timestamp.is_none()
}
