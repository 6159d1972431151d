//! Takes one node to where it is to go: looks, decides, acts, and looks again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::act::Evicted;
use super::observe::look;
use super::outcome::NodeEnd;
use super::progress::{Doing, Progress};
use super::record::StepRecord;
use super::run::{Applier, ApplyError};
use super::step::{Aim, Next, Seen, is_to_be_reserved, next};
use super::trouble::Trouble;
use crate::cluster::{patiently, refused};

/// Says that a wave begins when its first act is due: waves of which nothing is left are passed over in silence.
pub(super) struct Herald<'a> {
    pub(super) applier: &'a Applier,
    pub(super) wave: Option<(usize, usize)>,
    pub(super) has_spoken: AtomicBool,
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
    /// Takes a node to where it is to go.
    pub(super) async fn take(
        &self,
        step: &StepRecord,
        id: &str,
        aim: Aim,
        herald: &Herald<'_>,
    ) -> Result<NodeEnd, ApplyError> {
        let mut way = Way { aim, trouble: None };
        let mut clock = Clock::start();
        let mut not_now: Option<String> = None;
        loop {
            let seen = look(&self.hands.client, &step.node, self.settings.patience.api).await;
            let seen = seen.map_err(refused(format!("look at node {}", step.node)))?;
            let next = next(step, id, way.aim, &seen);
            let is_new = clock.begins(&next);
            let too_long = self.limit(&next).is_some_and(|limit| clock.elapsed() > limit);
            let trouble = match &next {
                Next::Refuse(trouble) => Some(trouble.clone()),
                next if too_long => trouble_of(next, not_now.take()),
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
            let Some(node) = &seen.node else { return Ok(NodeEnd::Gone) };
            match next {
                Next::Done => return Ok(way.end()),
                Next::Gone => return Ok(NodeEnd::Gone),
                Next::Refuse(_) => unreachable!("a refusal is trouble"),
                Next::Cordon => {
                    if node.mark.is_none() && self.settings.stop.load(Ordering::Relaxed) {
                        return Ok(NodeEnd::NotBegun);
                    }
                    if self.act(step, "cordon", || self.hands.cordon(step, id)).await? {
                        herald.tell(&step.node, Doing::Cordoned);
                        self.events.cordoned(step, id).await;
                    }
                }
                Next::Evict(pods) => {
                    if is_new {
                        herald.tell(&step.node, Doing::Evicting(pods.len()));
                    }
                    let mut refusal = None;
                    for pod in &pods {
                        let action = format!("evict pod {pod}");
                        self.lease.allows().await?;
                        match patiently(self.settings.patience.api, || self.hands.evict(pod)).await {
                            Ok(Evicted::Yes) => {}
                            Ok(Evicted::NotNow(message)) => refusal = Some(format!("{pod}: {message}")),
                            Err(error) => return Err(refused(action)(error).into()),
                        }
                    }
                    // The first one says it all; the others differ by the pod.
                    if let (None, Some(message)) = (&not_now, &refusal) {
                        herald.tell(&step.node, Doing::NotNow(message.clone()));
                    }
                    not_now = refusal.or(not_now);
                    sleep(self.settings.patience.poll).await;
                }
                Next::Label(config) => {
                    if self.act(step, "label", || self.hands.label(step, &config)).await? {
                        herald.tell(&step.node, Doing::Labelled(config.clone()));
                        self.events.labelled(step, &config).await;
                    }
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
                // That it is done is seen at the next look.
                Next::Uncordon => {
                    if self.act(step, "uncordon", || self.hands.uncordon(step, node)).await? {
                        herald.tell(&step.node, Doing::Uncordoned);
                        self.events.uncordoned(step, way.aim == Aim::Forward).await;
                    }
                }
                Next::Release => drop(self.act(step, "release", || self.hands.release(step, node)).await?),
            }
        }
    }

    /// Makes pods prefer other nodes to one whose turn will come.
    pub(super) async fn reserve(&self, step: &StepRecord, id: &str) -> Result<(), ApplyError> {
        loop {
            let seen = look(&self.hands.client, &step.node, self.settings.patience.api).await;
            let seen = seen.map_err(refused(format!("look at node {}", step.node)))?;
            let Some(node) = seen.node.as_ref().filter(|_| is_to_be_reserved(step, id, &seen)) else { return Ok(()) };
            if self.act(step, "reserve", || self.hands.reserve(step, node, id)).await? {
                return Ok(());
            }
        }
    }

    /// Writes to a node, if it is still on us to write. Whether it was written: not if the node has changed.
    async fn act<F: Future<Output = kube::Result<bool>>>(
        &self,
        step: &StepRecord,
        what: &str,
        act: impl FnMut() -> F,
    ) -> Result<bool, ApplyError> {
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

    /// Takes note of what is next. Whether it is something else than at the last look, and not only less of it.
    fn begins(&mut self, next: &Next) -> bool {
        let phase = match next {
            Next::Evict(pods) => (1, pods.len(), None),
            Next::AwaitPods(pods) => (2, pods.len(), None),
            Next::AwaitCut(state) => (3, 0, state.clone()),
            Next::AwaitSlices(_) => (4, 0, None),
            _ => (0, 0, None),
        };
        let is_new = (phase.0, &phase.2) != (self.phase.0, &self.phase.2);
        if phase != self.phase {
            *self = Clock { since: Instant::now(), phase };
        }
        is_new
    }

    fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }
}
