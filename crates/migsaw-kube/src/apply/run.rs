//! Takes a rollout's steps.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use futures::stream::{StreamExt as _, TryStreamExt as _, iter};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap as ConfigMapObject, Node};
use kube::api::{ListParams, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use migsaw::geometry::Catalog;
use migsaw::plan::Plan;
use migsaw::problem::Problem;
use migsaw::rollout::Rollout;
use serde_json::json;
use tokio::time::sleep;

use super::act::{Evicted, Hands};
use super::config_map::{PublishError, Published, Publishing, publish};
use super::events::Events;
use super::lease::{Held, Lease, LeaseError, LeaseTimes};
use super::observe::{TOGETHER, facts_of, look};
use super::record::{Phase, Record, RecordError, StepRecord, Target};
use super::step::{Aim, Next, Seen, next};
use super::trouble::Trouble;
use super::{MANAGER, MARK};
use crate::cluster::{Cluster, ClusterError, patiently, refused};
use crate::gpu_operator::{LABEL, plan_config};

/// How long to wait for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For evictions that are refused, since the last pod went.
    pub evict: Duration,
    /// For pods that were told to end, since the last one went.
    pub end: Duration,
    /// For MIG Manager, in each of its states. It waits up to 5 minutes for each client that does not end.
    pub cut: Duration,
    /// For the device plugin to offer the new slices.
    pub slices: Duration,
    /// For an API server that does not answer.
    pub api: Duration,
    /// Until MIG Managers can be taken to have seen a new `ConfigMap`: kubelets bring mounted ones up to date
    /// once a minute.
    pub config: Duration,
    /// How long `failed` has to stand before it is believed.
    pub failed: Duration,
    /// Between two looks at a node.
    pub poll: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            evict: Duration::from_secs(15 * 60),
            end: Duration::from_secs(10 * 60),
            cut: Duration::from_secs(15 * 60),
            slices: Duration::from_secs(3 * 60),
            api: Duration::from_secs(5 * 60),
            config: Duration::from_secs(90),
            failed: Duration::from_secs(10),
            poll: Duration::from_secs(2),
        }
    }
}

/// What is to be applied.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// Fleet and demand, as they are in the cluster.
    pub problem: &'a Problem,
    /// What is to be reached.
    pub plan: &'a Plan,
    /// In which order.
    pub rollout: &'a Rollout,
    /// The models, for the operator's standard entries.
    pub catalog: &'a Catalog,
    /// The `ConfigMap` that MIG Manager reads.
    pub config_map: &'a str,
    /// Whether to take over what others have written into it.
    pub force: bool,
}

/// How to apply.
#[derive(Clone)]
pub struct Settings {
    /// The GPU Operator's namespace, where Lease, record and `ConfigMap` are.
    pub namespace: String,
    /// Who applies: a name that no other process has.
    pub by: String,
    /// How long the Lease holds.
    pub lease: LeaseTimes,
    /// How long to wait for what.
    pub patience: Patience,
    /// Whether nodes that MIG Manager cannot cut become again what they were.
    pub roll_back: bool,
    /// Set it, and no further node is begun.
    pub stop: Arc<AtomicBool>,
    /// Hears what happens.
    pub progress: Arc<dyn Fn(Progress) + Send + Sync>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Progress {
    /// The `ConfigMap` is new, and MIG Managers have to see it first.
    AwaitingConfig(Duration),
    /// A wave begins.
    Wave {
        /// Which one, from 1.
        number: usize,
        /// Of how many.
        of: usize,
    },
    /// Something happened to a node.
    Node {
        /// The node.
        node: String,
        /// What.
        doing: Doing,
    },
}

/// What happens to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Doing {
    /// It was cordoned.
    Cordoned,
    /// Pods were evicted; so many were there.
    Evicting(usize),
    /// An eviction was refused.
    NotNow(String),
    /// So many pods have yet to end.
    AwaitingPods(usize),
    /// Its label was changed.
    Labelled(String),
    /// MIG Manager is at it, in this state.
    AwaitingCut(Option<String>),
    /// The device plugin has yet to offer the slices.
    AwaitingSlices,
    /// It was uncordoned.
    Uncordoned,
    /// It does not become what it was to be.
    Trouble(Trouble),
}

/// What became of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeEnd {
    /// What it was to become.
    Done,
    /// It is not there any more.
    Gone,
    /// It was not begun.
    NotBegun,
    /// It is as it was, and not cordoned.
    AsItWas(Trouble),
    /// It is what it was again, and not cordoned.
    RolledBack(Trouble),
    /// It is cordoned and marked, and somebody has to look.
    Stuck(Trouble),
}

impl NodeEnd {
    fn is_good(&self) -> bool {
        matches!(self, NodeEnd::Done | NodeEnd::Gone)
    }
}

/// What became of a rollout.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What became of each node that was come to, by name.
    pub nodes: BTreeMap<String, NodeEnd>,
    /// Whether all is done.
    pub is_complete: bool,
}

/// Why nothing more is done. What was begun is in the cluster, and can be gone on with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// Somebody else is at it.
    #[error(transparent)]
    Held(#[from] Held),
    /// The `ConfigMap` with the configurations.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The rollout's record.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The cluster does not do what was asked.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

impl From<LeaseError> for ApplyError {
    fn from(error: LeaseError) -> ApplyError {
        match error {
            LeaseError::Held(held) => held.into(),
            LeaseError::Cluster(error) => error.into(),
        }
    }
}

/// The one who acts on a cluster, as long as this lives.
pub struct Applier {
    hands: Hands,
    settings: Settings,
    lease: Lease,
    events: Events,
}

/// Says that a wave begins when its first act is due: waves of which nothing is left are passed over in silence.
struct Herald<'a> {
    applier: &'a Applier,
    wave: Option<(usize, usize)>,
    has_spoken: AtomicBool,
}

impl Herald<'_> {
    fn tell(&self, node: &str, doing: Doing) {
        if let Some((number, of)) = self.wave
            && !self.has_spoken.swap(true, Ordering::Relaxed)
        {
            (self.applier.settings.progress)(Progress::Wave { number, of });
        }
        (self.applier.settings.progress)(Progress::Node { node: node.to_owned(), doing });
    }
}

impl Applier {
    /// Takes the Lease, waiting for one that is left over.
    ///
    /// # Errors
    /// [`ApplyError::Held`] if somebody else is applying, or the cluster does not give it.
    pub async fn start(cluster: &Cluster, settings: Settings) -> Result<Applier, ApplyError> {
        let client = cluster.client.clone();
        let lease = Lease::take(client.clone(), &settings.namespace, &settings.by, settings.lease).await?;
        let events = Events::new(client.clone(), &settings.by);
        Ok(Applier { hands: Hands { client, is_rehearsal: false }, settings, lease, events })
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
        let maps: Api<ConfigMapObject> = Api::namespaced(self.hands.client.clone(), &self.settings.namespace);
        let found = patiently(self.settings.patience.api, || maps.get_opt(Record::NAME)).await;
        let found = found.map_err(refused(format!("read ConfigMap {}/{}", self.settings.namespace, Record::NAME)))?;
        let text = found.and_then(|map| map.data?.remove(RECORD_KEY));
        let record = text.map(|text| Record::read(&text)).transpose()?;
        Ok(record.filter(|record| record.phase == Phase::Running))
    }

    /// Puts the configurations and the rollout's record in place. Nothing else is changed yet.
    ///
    /// # Errors
    /// If they cannot be written.
    ///
    /// # Panics
    /// If plan and rollout are not ones for the problem.
    pub async fn begin(&self, job: Job<'_>) -> Result<(Record, Published), ApplyError> {
        let patience = self.settings.patience.api;
        let target = Target::new(job.problem, job.plan, job.rollout);
        let facts = facts_of(&self.hands.client, target.nodes(), patience).await?;
        let mut record = Record::new(&target, &facts, &self.settings.by, Timestamp::now());
        // Too large is known before anything is written.
        record.write()?;
        self.lease.allows().await?;
        let config = plan_config(job.problem, job.plan, Some(job.catalog));
        let publishing = Publishing {
            name: job.config_map,
            namespace: &self.settings.namespace,
            force: job.force,
            is_rehearsal: false,
            patience,
        };
        let published = publish(&self.hands.client, config, publishing).await?;
        record.config_changed = published.has_changed.then(Timestamp::now);
        self.write(&record).await?;
        Ok((record, published))
    }

    async fn write(&self, record: &Record) -> Result<(), ApplyError> {
        self.lease.allows().await?;
        let maps: Api<ConfigMapObject> = Api::namespaced(self.hands.client.clone(), &self.settings.namespace);
        let patch = Patch::Apply(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": Record::NAME, "labels": {"app.kubernetes.io/managed-by": MANAGER}},
            "data": {RECORD_KEY: record.write()?},
        }));
        let params = PatchParams::apply(MANAGER).force();
        let written = patiently(self.settings.patience.api, || maps.patch(Record::NAME, &params, &patch));
        written.await.map_err(refused(format!("write ConfigMap {}/{}", self.settings.namespace, Record::NAME)))?;
        Ok(())
    }

    /// Goes on with a rollout from wherever it is.
    ///
    /// # Errors
    /// If somebody else has taken over, or the API server is away for longer than there is patience.
    pub async fn run(&self, record: &Record) -> Result<Outcome, ApplyError> {
        self.await_config(record).await;
        let mut outcome = Outcome::default();
        for (wave, number) in record.waves.iter().zip(1..) {
            let herald =
                Herald { applier: self, wave: Some((number, record.waves.len())), has_spoken: AtomicBool::new(false) };
            let steps = wave.iter().map(|step| self.take(step, &record.id, Aim::Forward, &herald));
            let ends = try_join_all(steps).await?;
            let is_good = ends.iter().all(NodeEnd::is_good);
            outcome.nodes.extend(wave.iter().map(|step| step.node.clone()).zip(ends));
            if !is_good {
                return Ok(outcome);
            }
        }
        self.write(&record.clone().in_phase(Phase::Finished)).await?;
        outcome.is_complete = true;
        Ok(outcome)
    }

    /// Takes back what is half-done: nodes that are being cut come to their end or become again what they were, and
    /// all nodes that a rollout has cordoned are uncordoned.
    ///
    /// # Errors
    /// As [`Applier::run`].
    pub async fn abort(&self, record: Option<&Record>) -> Result<Outcome, ApplyError> {
        let herald = Herald { applier: self, wave: None, has_spoken: AtomicBool::new(false) };
        let steps = self.marked(record).await?;
        let ends = iter(steps.iter())
            .map(|(step, id)| async {
                let end = self.take(step, id, Aim::LetGo, &herald).await?;
                Ok::<_, ApplyError>((step.node.clone(), end))
            })
            .buffer_unordered(TOGETHER)
            .try_collect()
            .await?;
        let mut outcome = Outcome { nodes: ends, is_complete: false };
        outcome.is_complete = !outcome.nodes.values().any(|end| matches!(end, NodeEnd::Stuck(_)));
        if let Some(record) = record.filter(|_| outcome.is_complete) {
            self.write(&record.clone().in_phase(Phase::Aborted)).await?;
        }
        Ok(outcome)
    }

    /// The nodes that are marked, with what the record says of them, and the mark.
    async fn marked(&self, record: Option<&Record>) -> Result<Vec<(StepRecord, String)>, ApplyError> {
        let nodes: Api<Node> = Api::all(self.hands.client.clone());
        let every = ListParams::default();
        let all = patiently(self.settings.patience.api, || nodes.list_metadata(&every)).await;
        let mut marked = Vec::new();
        for node in all.map_err(refused("list nodes"))? {
            let Some(id) = node.annotations().get(MARK).cloned() else { continue };
            let of_record = record.filter(|record| record.id == id);
            let known = of_record.and_then(|record| record.steps().find(|step| step.node == node.name_any()));
            let step = known.cloned().unwrap_or_else(|| StepRecord {
                node: node.name_any(),
                uid: node.uid().unwrap_or_default(),
                from: node.labels().get(LABEL).cloned(),
                ..StepRecord::default()
            });
            marked.push((step, id));
        }
        Ok(marked)
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

    /// Takes a node to where it is to go.
    async fn take(&self, step: &StepRecord, id: &str, aim: Aim, herald: &Herald<'_>) -> Result<NodeEnd, ApplyError> {
        let mut way = Way { aim, trouble: None };
        let mut clock = Clock::start();
        let mut said_not_now = None;
        loop {
            let seen = look(&self.hands.client, &step.node, self.settings.patience.api).await;
            let seen = seen.map_err(refused(format!("look at node {}", step.node)))?;
            let next = next(step, id, way.aim, &seen);
            let is_new = clock.is_new(&next);
            let too_long = self.limit(&next).is_some_and(|limit| clock.elapsed() > limit);
            let trouble = match &next {
                Next::Refuse(trouble) => Some(trouble.clone()),
                next if too_long => trouble_of(next, said_not_now.take()),
                _ => None,
            };
            if let Some(trouble) = trouble {
                herald.tell(&step.node, Doing::Trouble(trouble.clone()));
                self.events.trouble(step, &trouble).await;
                match way.turned(trouble, step, id, &seen, self.settings.roll_back) {
                    Ok(turned) => way = turned,
                    Err(end) => return Ok(end),
                }
                continue;
            }
            match next {
                Next::Done => return Ok(way.end()),
                Next::Gone => return Ok(NodeEnd::Gone),
                Next::Refuse(_) => unreachable!("a refusal is trouble"),
                Next::Cordon => {
                    let is_begun = seen.node.as_ref().is_some_and(|node| node.mark.is_some());
                    if !is_begun && self.settings.stop.load(Ordering::Relaxed) {
                        return Ok(NodeEnd::NotBegun);
                    }
                    self.act(step, "cordon", || self.hands.cordon(step, id)).await?;
                    herald.tell(&step.node, Doing::Cordoned);
                    self.events.cordoned(step, id).await;
                }
                Next::Evict(pods) => {
                    if is_new {
                        herald.tell(&step.node, Doing::Evicting(pods.len()));
                    }
                    let mut not_now = None;
                    for pod in &pods {
                        let action = format!("evict pod {pod}");
                        self.lease.allows().await?;
                        match patiently(self.settings.patience.api, || self.hands.evict(pod)).await {
                            Ok(Evicted::Yes) => {}
                            Ok(Evicted::NotNow(message)) => not_now = Some(format!("{pod}: {message}")),
                            Err(error) => return Err(refused(action)(error).into()),
                        }
                    }
                    if let Some(message) = not_now {
                        if said_not_now.as_ref() != Some(&message) {
                            herald.tell(&step.node, Doing::NotNow(message.clone()));
                        }
                        said_not_now = Some(message);
                    }
                    sleep(self.settings.patience.poll).await;
                }
                Next::Label(config) => {
                    self.act(step, "label", || self.hands.label(step, &config)).await?;
                    herald.tell(&step.node, Doing::Labelled(config.clone()));
                    self.events.labelled(step, &config).await;
                }
                Next::AwaitPods(pods) => {
                    if is_new {
                        herald.tell(&step.node, Doing::AwaitingPods(pods.len()));
                    }
                    sleep(self.settings.patience.poll).await;
                }
                Next::AwaitCut(state) => {
                    if is_new {
                        herald.tell(&step.node, Doing::AwaitingCut(state));
                    }
                    sleep(self.settings.patience.poll).await;
                }
                Next::AwaitSlices(_) => {
                    if is_new {
                        herald.tell(&step.node, Doing::AwaitingSlices);
                    }
                    sleep(self.settings.patience.poll).await;
                }
                Next::Uncordon => {
                    self.act(step, "uncordon", || self.hands.uncordon(step)).await?;
                    herald.tell(&step.node, Doing::Uncordoned);
                    self.events.uncordoned(step, way.aim == Aim::Forward).await;
                    return Ok(way.end());
                }
            }
        }
    }

    /// Writes to a node, if it is still on us to write.
    async fn act<F: Future<Output = kube::Result<()>>>(
        &self,
        step: &StepRecord,
        what: &str,
        act: impl FnMut() -> F,
    ) -> Result<(), ApplyError> {
        self.lease.allows().await?;
        let done = patiently(self.settings.patience.api, act).await;
        Ok(done.map_err(refused(format!("{what} node {}", step.node)))?)
    }

    /// How long a node may stay so.
    fn limit(&self, next: &Next) -> Option<Duration> {
        let patience = &self.settings.patience;
        match next {
            Next::Evict(_) => Some(patience.evict),
            Next::AwaitPods(_) => Some(patience.end),
            Next::AwaitCut(Some(state)) if state == "failed" => Some(patience.failed),
            Next::AwaitCut(_) => Some(patience.cut),
            Next::AwaitSlices(_) => Some(patience.slices),
            _ => None,
        }
    }
}

/// The record's key in its `ConfigMap`.
const RECORD_KEY: &str = "rollout.json";

/// Where a node is going, and why not to where it was to go.
struct Way {
    aim: Aim,
    trouble: Option<Trouble>,
}

impl Way {
    /// Where it goes in trouble: an end, if it goes nowhere.
    fn turned(
        &self,
        trouble: Trouble,
        step: &StepRecord,
        id: &str,
        seen: &Seen,
        roll_back: bool,
    ) -> Result<Way, NodeEnd> {
        let node = seen.node.as_ref();
        let is_marked = node.is_some_and(|node| node.mark.as_deref() == Some(id));
        let is_labelled = step.to.is_some() && node.is_some_and(|node| node.config == step.to);
        match self.aim {
            Aim::Forward if !is_marked => Err(NodeEnd::AsItWas(trouble)),
            // Nothing but the cordon has been done to it: it is let go.
            Aim::Forward if !is_labelled => Ok(Way { aim: Aim::LetGo, trouble: Some(trouble) }),
            Aim::Forward if roll_back => Ok(Way { aim: Aim::Back, trouble: Some(trouble) }),
            Aim::LetGo if is_labelled => Ok(Way { aim: Aim::Back, trouble: Some(trouble) }),
            _ => Err(NodeEnd::Stuck(self.trouble.clone().unwrap_or(trouble))),
        }
    }

    /// What has become of it once it is not cordoned any more.
    fn end(&self) -> NodeEnd {
        match (self.aim, &self.trouble) {
            (Aim::Back, Some(trouble)) => NodeEnd::RolledBack(trouble.clone()),
            (_, Some(trouble)) => NodeEnd::AsItWas(trouble.clone()),
            (_, None) => NodeEnd::Done,
        }
    }
}

/// What it means that something takes too long.
fn trouble_of(next: &Next, not_now: Option<String>) -> Option<Trouble> {
    match next {
        Next::Evict(pods) => {
            let message = not_now.unwrap_or_else(|| "they do not end".to_owned());
            Some(Trouble::NotEvicted { pods: pods.clone(), message })
        }
        Next::AwaitPods(pods) => Some(Trouble::NotEnding { pods: pods.clone() }),
        Next::AwaitCut(Some(state)) if state == "failed" => Some(Trouble::CutFailed),
        Next::AwaitCut(state) => Some(Trouble::CutHangs { state: state.clone() }),
        Next::AwaitSlices(differs) => Some(Trouble::NotAdvertised { differs: differs.clone() }),
        _ => None,
    }
}

/// Since when nothing has changed about what is next.
struct Clock {
    since: Instant,
    phase: (u8, usize, Option<String>),
}

impl Clock {
    fn start() -> Clock {
        Clock { since: Instant::now(), phase: (0, 0, None) }
    }

    /// Whether this is not what it was at the last look.
    fn is_new(&mut self, next: &Next) -> bool {
        let phase = match next {
            Next::Evict(pods) => (1, pods.len(), None),
            Next::AwaitPods(pods) => (2, pods.len(), None),
            Next::AwaitCut(state) => (3, 0, state.clone()),
            Next::AwaitSlices(_) => (4, 0, None),
            _ => (0, 0, None),
        };
        let is_new = phase != self.phase;
        if is_new {
            *self = Clock { since: Instant::now(), phase };
        }
        is_new
    }

    fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }
}
