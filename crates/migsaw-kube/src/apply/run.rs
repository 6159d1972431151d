//! Takes a rollout's steps.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures::future::join_all;
use futures::stream::{StreamExt as _, TryStreamExt as _, iter};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Node};
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use tokio::time::sleep;

use super::act::Hands;
use super::config_map::Draft;
use super::error::ApplyError;
use super::events::Events;
use super::herald::Herald;
use super::lease::Lease;
use super::observe::{NodeFacts, TOGETHER, facts_of};
use super::outcome::{NodeEnd, Outcome};
use super::progress::Progress;
use super::record::{Phase, Record, StepRecord};
use super::settings::{Job, Settings};
use super::step::{Aim, NodeSeen};
use super::target::Target;
use crate::cluster::{Cluster, in_pages, page, patiently, refused};

/// The one who acts on a cluster, as long as this lives.
pub struct Applier {
    pub(super) cluster: Cluster,
    pub(super) hands: Hands,
    pub(super) settings: Settings,
    pub(super) lease: Lease,
    pub(super) events: Events,
}

impl Applier {
    /// Takes the Lease, waiting for one that is left over.
    ///
    /// # Errors
    /// [`ApplyError::Held`] if somebody else is applying, or the cluster does not give it.
    pub async fn start(cluster: &Cluster, settings: Settings) -> Result<Applier, ApplyError> {
        let client = cluster.client.clone();
        let lease = Lease::take(client.clone(), &settings).await?;
        let events = Events::new(client.clone(), &settings.by);
        Ok(Applier { cluster: cluster.clone(), hands: Hands { client, is_rehearsal: false }, settings, lease, events })
    }

    /// Gives the Lease back.
    pub async fn end(self) {
        self.lease.release().await;
    }

    /// The rollout that was begun last, if it is not at its end.
    ///
    /// # Errors
    /// If its record cannot be read.
    pub async fn unfinished(&self) -> Result<Option<Record>, ApplyError> {
        unfinished(&self.cluster, &self.settings.namespace, self.settings.patience.api).await
    }

    /// Puts the configurations and the rollout's record in place. Nothing else is changed yet.
    ///
    /// # Errors
    /// If they cannot be written.
    ///
    /// # Panics
    /// If plan and rollout are not ones for the problem.
    pub async fn begin(&self, job: Job<'_>, planned: &Facts) -> Result<Record, ApplyError> {
        let Settings { namespace, by, patience, .. } = &self.settings;
        if let Some(record) = self.unfinished().await? {
            return Err(ApplyError::Meanwhile { id: record.id });
        }
        let target = Target::new(job.problem, job.plan, job.rollout);
        let facts = facts_of(&self.cluster.client, target.nodes(), patience.api).await?;
        let changed: Vec<String> =
            target.nodes().into_iter().filter(|node| facts.get(node) != planned.0.get(node)).collect();
        if !changed.is_empty() {
            return Err(ApplyError::Changed { nodes: changed });
        }
        let mut record = Record::new(&target, &facts, by, Timestamp::now());
        // What is in the way is known before anything is written.
        record.check(&facts)?;
        let draft = Draft::new(&self.cluster, job, namespace, patience.api).await?;
        let published = self.guarded(&draft.action(), || draft.write(&self.hands)).await??;
        record.config_changed = published.changed;
        (self.settings.progress)(Progress::Published(published));
        // What a rollout has left that is forgotten by now.
        let reserved = self.marked(None).await?.into_iter().filter(|(_, id)| id.is_empty());
        self.let_go(reserved.collect()).await?;
        self.save(&record).await?;
        Ok(record)
    }

    async fn save(&self, record: &Record) -> Result<(), ApplyError> {
        let namespace = &self.settings.namespace;
        let manifest = record.manifest()?;
        self.guarded(&Record::action(namespace), || {
            self.hands.apply_config_map(namespace, Record::NAME, &manifest, true)
        })
        .await?;
        Ok(())
    }

    /// Goes on with a rollout from wherever it is.
    ///
    /// # Errors
    /// If somebody else has taken over, or the API server is away for longer than there is patience.
    pub async fn run(&self, record: &Record) -> Result<Outcome, ApplyError> {
        self.await_config(record).await;
        // Those of the first wave are cordoned at once.
        let later = record.waves.iter().skip(1).flatten();
        let reserved = iter(later).map(|step| self.reserve(step, &record.id)).buffer_unordered(TOGETHER);
        reserved.try_collect::<()>().await?;
        let mut outcome = Outcome::default();
        for (wave, number) in record.waves.iter().zip(1..) {
            let herald = Herald::of_wave(&self.settings, number, record.waves.len());
            let steps = wave.iter().map(|step| self.take(step, &record.id, Aim::Forward, &herald));
            // Nodes that were begun come to their end, whatever becomes of the others.
            let ends = join_all(steps).await.into_iter().collect::<Result<Vec<NodeEnd>, ApplyError>>()?;
            let is_good = ends.iter().all(NodeEnd::is_good);
            outcome.nodes.extend(wave.iter().map(|step| step.node.clone()).zip(ends));
            if !is_good {
                return Ok(outcome);
            }
        }
        self.save(&record.clone().in_phase(Phase::Finished)).await?;
        outcome.is_complete = true;
        Ok(outcome)
    }

    /// Takes back what is half-done: nodes that are being cut come to their end or become again what they were, and
    /// all nodes that a rollout has cordoned are uncordoned.
    ///
    /// # Errors
    /// As [`Applier::run`].
    pub async fn abort(&self, record: Option<&Record>) -> Result<Outcome, ApplyError> {
        let ends = self.let_go(self.marked(record).await?).await?;
        let mut outcome = Outcome { nodes: ends, is_complete: false };
        outcome.is_complete = !outcome.nodes.values().any(|end| matches!(end, NodeEnd::Stuck(_)));
        if let Some(record) = record.filter(|_| outcome.is_complete) {
            self.save(&record.clone().in_phase(Phase::Aborted)).await?;
        }
        Ok(outcome)
    }

    /// Lets nodes go, and says what became of those that were cordoned: one that was only reserved is nothing to
    /// speak of.
    async fn let_go(&self, marked: Vec<(StepRecord, String)>) -> Result<BTreeMap<String, NodeEnd>, ApplyError> {
        let herald = Herald::without_wave(&self.settings);
        iter(marked.iter())
            .map(|(step, id)| async {
                let end = self.take(step, id, Aim::LetGo, &herald).await?;
                Ok((!id.is_empty()).then(|| (step.node.clone(), end)))
            })
            .buffer_unordered(TOGETHER)
            .try_filter_map(async |end| Ok(end))
            .try_collect()
            .await
    }

    /// The nodes that are marked or reserved, with what the record says of them, and the mark.
    async fn marked(&self, record: Option<&Record>) -> Result<Vec<(StepRecord, String)>, ApplyError> {
        let marked = |node: &Node| {
            let name = node.name_any();
            let seen = NodeSeen::of(node);
            let id = match seen.mark {
                Some(mark) => mark.id,
                None if seen.is_reserved => String::new(),
                None => return None,
            };
            let of_record = record.filter(|record| record.id == id);
            let known = of_record.and_then(|record| record.steps().find(|step| step.node == name));
            let unknown =
                || StepRecord { node: name.clone(), uid: seen.uid, from: seen.config, ..StepRecord::default() };
            let step = known.cloned().unwrap_or_else(unknown);
            Some((name, (step, id)))
        };
        let nodes: Api<Node> = Api::all(self.cluster.reader.clone());
        let mut found = BTreeMap::new();
        let list = async |params: ListParams| nodes.list(&params).await.map(page);
        let add = |nodes: Vec<Node>| found.extend(nodes.iter().filter_map(marked));
        let listed = in_pages(self.settings.patience.api, ListParams::default(), list, add).await;
        listed.map_err(refused("list nodes"))?;
        Ok(found.into_values().collect())
    }

    /// Waits until MIG Managers can be taken to have seen the `ConfigMap`.
    async fn await_config(&self, record: &Record) {
        let Some(changed) = record.config_changed else { return };
        let patience = self.settings.patience.config;
        // Another machine's clock may have written that time: never wait longer than from now on.
        let passed = Duration::try_from(Timestamp::now().duration_since(changed)).unwrap_or_default();
        let Some(left) = patience.checked_sub(passed).filter(|left| !left.is_zero()) else { return };
        (self.settings.progress)(Progress::AwaitingConfig(left));
        let end = Instant::now() + left;
        while Instant::now() < end && !self.settings.stop.load(Ordering::Relaxed) {
            sleep(Duration::from_millis(200).min(left)).await;
        }
    }
}

/// The rollout that was begun last, if it is not at its end.
///
/// # Errors
/// If its record cannot be read.
pub async fn unfinished(cluster: &Cluster, namespace: &str, patience: Duration) -> Result<Option<Record>, ApplyError> {
    let maps: Api<ConfigMap> = Api::namespaced(cluster.client.clone(), namespace);
    let found = patiently(patience, || maps.get_opt(Record::NAME)).await;
    let found = found.map_err(refused(format!("read ConfigMap {namespace}/{}", Record::NAME)))?;
    let record = found.map(|map| Record::of(&map)).transpose()?.flatten();
    Ok(record.filter(|record| record.phase == Phase::Running))
}

/// What the nodes of a plan are when it is made, to tell later whether they are that still.
pub struct Facts(BTreeMap<String, NodeFacts>);

impl Facts {
    /// Looks at the nodes to which something is to happen.
    ///
    /// # Errors
    /// If the API server is away, or refuses it.
    pub async fn look(cluster: &Cluster, job: Job<'_>, patience: Duration) -> Result<Facts, ApplyError> {
        let target = Target::new(job.problem, job.plan, job.rollout);
        Ok(Facts(facts_of(&cluster.client, target.nodes(), patience).await?))
    }
}
