//! What changes in a cluster, as it changes: nodes, pods, the plan, disruption budgets, and which nodes give GPUs out
//! through claims.
//!
//! Each kind is listed and then watched; a watch that fails is begun again where it was, or with a new list where the
//! API server has forgotten that, at growing intervals. An object that cannot be read is said and passed over.
//!
//! A watch is quiet while nothing changes, so its silence says nothing. [`Heard`] says when the API server last
//! answered on it: each watch is ended and begun again every minute, so it must not be longer ago than that.

mod heard;
#[cfg(test)]
mod tests;
mod watched;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Debug;
use std::time::Duration;

use backon::ExponentialBuilder;
use futures::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::ListParams;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::utils::{Backoff, ResetTimerBackoff};
use kube::runtime::watcher::{self, Event, ExponentialBackoff, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::Sender;
use tokio::task::JoinSet;

use crate::cluster::{Cluster, ClusterError, refused};
use crate::scheduling::{Budget, Change, NodeObject, Pod};
pub use heard::Heard;
use watched::{Listed, Slice, Watched};

/// After so many seconds a watch is begun again, so that a dead connection is noticed.
const WATCH_SECONDS: u32 = 60;
/// A watch that fails is begun again after this long at most, and as much again by chance: so within 5 s after an outage.
const LATEST_AGAIN: Duration = Duration::from_millis(2_500);
/// After so long without a failure the intervals begin small again, as in client-go.
const QUIET: Duration = Duration::from_secs(120);
/// How long to wait before it is tried again whether there is a kind that not every cluster has.
const AGAIN: Duration = Duration::from_secs(15);
/// The same where there is none, or no right to read it.
const SELDOM: Duration = Duration::from_secs(300);
/// Objects in a page of a first list.
const PAGE: u32 = 500;
/// The key of the plan in its `ConfigMap`.
pub const PLAN_KEY: &str = "plan.json";

/// What to watch beside nodes and pods.
#[derive(Debug, Clone, Default)]
pub struct Watching {
    /// The `ConfigMap` with the plan: namespace and name.
    pub plan: Option<(String, String)>,
}

/// A watch failed, and is begun again; or an object could not be read, and is passed over until it changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What it watches, as the API calls it.
    pub kind: &'static str,
    /// What went wrong.
    pub message: String,
}

/// What comes of watching.
#[derive(Debug)]
pub enum Told {
    /// Something has changed.
    Change(Change),
    /// Something could not be read or watched.
    Trouble(Trouble),
}

impl Cluster {
    /// Watches until what comes back is dropped, and tells of each change. `heard` learns when the API server answers.
    /// Where it is away, that is told, and it is tried again and again.
    ///
    /// # Errors
    /// [`ClusterError`] if there can be no client for it.
    pub fn watch(&self, watching: &Watching, heard: &Heard, tell: Sender<Told>) -> Result<JoinSet<()>, ClusterError> {
        let client = heard.client(&self.unhurried).map_err(refused("watch"))?;
        Ok(all(client, watching, tell))
    }
}

fn all(client: Client, watching: &Watching, tell: Sender<Told>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    tasks.spawn(listed::<NodeObject>(client.clone(), tell.clone()));
    tasks.spawn(listed::<Pod>(client.clone(), tell.clone()));
    if let Some((namespace, name)) = &watching.plan {
        tasks.spawn(plan(client.clone(), namespace.clone(), name.clone(), tell.clone()));
    }
    tasks.spawn(budgets(client.clone(), tell.clone()));
    tasks.spawn(given_by_claims(Api::all(client), tell));
    tasks
}

/// The events of a kind; what went wrong is told.
fn events<K>(
    kind: &'static str,
    api: Api<K>,
    config: watcher::Config,
    tell: Sender<Told>,
) -> impl Stream<Item = Event<K>>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let config = config.timeout(WATCH_SECONDS);
    let again = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(500))
        .with_max_delay(LATEST_AGAIN)
        .with_jitter()
        .without_max_times();
    let again = Growing(ResetTimerBackoff::new(ExponentialBackoff::from(again), QUIET));
    watcher(api, config).backoff(again).filter_map(move |event| {
        let tell = tell.clone();
        async move {
            match event {
                Ok(event) => Some(event),
                Err(error) => {
                    let message = last_cause(&error);
                    let _ = tell.send(Told::Trouble(Trouble { kind, message })).await;
                    None
                }
            }
        }
    })
}

/// Intervals that begin small again after a while only. To a watcher everything that is no failure is a success, and that it
/// begins a list is told like that: each list that fails would be the first.
struct Growing(ResetTimerBackoff<ExponentialBackoff>);

impl Iterator for Growing {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.0.next()
    }
}

impl Backoff for Growing {
    fn reset(&mut self) {}
}

fn last_cause(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    if last.to_string() == error.to_string() { error.to_string() } else { format!("{error}: {last}") }
}

/// Tells of each object of a kind, and after a list which there are.
async fn listed<T>(client: Client, tell: Sender<Told>)
where
    T: Listed + Clone + Debug + Send + 'static,
    Watched<T>: Resource<DynamicType = ()>,
{
    let api: Api<Watched<T>> = Api::all(client);
    let config = watcher::Config::default().page_size(PAGE);
    let mut events = std::pin::pin!(events(T::KIND, api, config, tell.clone()));
    let mut keys = HashSet::new();
    while let Some(event) = events.next().await {
        let change = match event {
            Event::Init => {
                keys.clear();
                continue;
            }
            Event::InitDone => Ok(T::all(std::mem::take(&mut keys))),
            Event::InitApply(Watched { object, .. }) => object.map(|object| {
                keys.insert(object.key());
                object.there()
            }),
            Event::Apply(Watched { object, .. }) => object.map(T::there),
            Event::Delete(Watched { object, .. }) => object.map(|object| T::gone(object.key())),
        };
        let told = match change {
            Ok(change) => Told::Change(change),
            Err(message) => Told::Trouble(Trouble { kind: T::KIND, message }),
        };
        if tell.send(told).await.is_err() {
            return;
        }
    }
}

async fn plan(client: Client, namespace: String, name: String, tell: Sender<Told>) {
    let api: Api<ConfigMap> = Api::namespaced(client, &namespace);
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let text = |map: ConfigMap| map.data.and_then(|mut data| data.remove(PLAN_KEY));
    let mut events = std::pin::pin!(events("configmaps", api, config, tell.clone()));
    let (mut found, mut told) = (None, None);
    while let Some(event) = events.next().await {
        let plan = match event {
            Event::Init => {
                found = None;
                continue;
            }
            Event::InitApply(map) => {
                found = text(map);
                continue;
            }
            Event::InitDone => found.take(),
            Event::Apply(map) => text(map),
            Event::Delete(_) => None,
        };
        if plan == told {
            continue;
        }
        told.clone_from(&plan);
        if tell.send(Told::Change(Change::Plan(plan))).await.is_err() {
            return;
        }
    }
}

/// Waits until there is a kind and it may be read: clusters without DRA have no `ResourceSlice`s, for one. Meanwhile it is
/// done without, and said once. `false` if nobody listens any more.
async fn may_be_read<K: Clone + Debug + DeserializeOwned>(
    kind: &'static str,
    api: &Api<K>,
    tell: &Sender<Told>,
) -> bool {
    let mut was_refused = false;
    loop {
        let pause = match api.list(&ListParams::default().limit(1)).await {
            Ok(_) => return true,
            Err(kube::Error::Api(status)) if status.code == 404 => SELDOM,
            Err(error) => {
                let is_refused = matches!(&error, kube::Error::Api(status) if status.code == 403);
                let told = Told::Trouble(Trouble { kind, message: last_cause(&error) });
                if !(is_refused && was_refused) && tell.send(told).await.is_err() {
                    return false;
                }
                was_refused |= is_refused;
                if is_refused { SELDOM } else { AGAIN }
            }
        };
        tokio::select! {
            () = tell.closed() => return false,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Without the right to read them victims are counted as the scheduler has.
async fn budgets(client: Client, tell: Sender<Told>) {
    let api: Api<Watched<Budget>> = Api::all(client.clone());
    if may_be_read(Budget::KIND, &api, &tell).await {
        listed::<Budget>(client, tell).await;
    }
}

async fn given_by_claims(api: Api<Watched<Slice>>, tell: Sender<Told>) {
    let kind = "resourceslices";
    if !may_be_read(kind, &api, &tell).await {
        return;
    }
    let config = watcher::Config::default().page_size(PAGE);
    let mut events = std::pin::pin!(events(kind, api, config, tell.clone()));
    let mut slices: BTreeMap<String, Option<String>> = BTreeMap::new();
    let mut told = BTreeSet::new();
    while let Some(event) = events.next().await {
        let is_listing = matches!(event, Event::Init | Event::InitApply(_));
        match event {
            Event::Init => slices.clear(),
            Event::InitApply(Watched { object: Ok(slice), .. }) | Event::Apply(Watched { object: Ok(slice), .. }) => {
                slices.insert(slice.name, slice.node);
            }
            Event::Delete(Watched { object: Ok(slice), .. }) => drop(slices.remove(&slice.name)),
            _ => {}
        }
        let nodes: BTreeSet<String> = slices.values().flatten().cloned().collect();
        if is_listing || nodes == told {
            continue;
        }
        told.clone_from(&nodes);
        if tell.send(Told::Change(Change::GivenByClaims(nodes))).await.is_err() {
            return;
        }
    }
}
