//! Takes one node to where it is to go: looks, decides, acts, and looks again.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use tokio::time::sleep;

use super::act::Evicted;
use super::clock::{Clock, Guests};
use super::error::ApplyError;
use super::guard::NotDone;
use super::herald::Herald;
use super::observe::look;
use super::outcome::NodeEnd;
use super::pods::PodRef;
use super::progress::Doing;
use super::record::StepRecord;
use super::run::Applier;
use super::step::{Aim, Next, NodeSeen, Seen, is_to_be_reserved, next};
use super::trouble::Trouble;
use super::way::Way;
use crate::cluster::{ClusterError, refused};

impl Applier {
    /// Takes a node to where it is to go.
    pub(super) async fn take(
        &self,
        step: &StepRecord,
        id: &str,
        aim: Aim,
        herald: &Herald<'_>,
    ) -> Result<NodeEnd, ApplyError> {
        let way = Way { aim, trouble: None };
        let (clock, guests) = (Clock::start(), Guests::default());
        Taking { applier: self, step, id, herald, way, clock, guests, not_now: None }.run().await
    }

    /// Makes pods prefer other nodes to one whose turn will come. What refuses that refuses more when it comes.
    pub(super) async fn reserve(&self, step: &StepRecord, id: &str) -> Result<(), ApplyError> {
        loop {
            let seen = self.look(step).await?;
            let Some(node) = seen.node.as_ref().filter(|_| is_to_be_reserved(step, id, &seen)) else { return Ok(()) };
            match self.act(step, "reserve", || self.hands.reserve(step, node, id)).await {
                Ok(false) => {}
                Ok(true) | Err(NotDone::Refused(_)) => return Ok(()),
                Err(NotDone::Over(error)) => return Err(error),
            }
        }
    }

    async fn look(&self, step: &StepRecord) -> Result<Seen, ClusterError> {
        let seen = look(&self.cluster.client, &step.node, self.settings.patience.api).await;
        seen.map_err(refused(format!("look at node {}", step.node)))
    }
}

/// A node on its way, and what is known of that way.
struct Taking<'a> {
    applier: &'a Applier,
    step: &'a StepRecord,
    id: &'a str,
    herald: &'a Herald<'a>,
    way: Way,
    clock: Clock,
    guests: Guests,
    /// What the API server says of evictions that it refuses for now.
    not_now: Option<String>,
}

impl Taking<'_> {
    async fn run(mut self) -> Result<NodeEnd, ApplyError> {
        loop {
            let seen = self.applier.look(self.step).await?;
            let Some(node) = &seen.node else { return Ok(NodeEnd::Gone) };
            self.note(node.is_cordoned && node.mark.as_ref().is_some_and(|mark| mark.id == self.id));
            let next = next(self.step, self.id, self.way.aim, &seen);
            let is_new = self.clock.begins(&next);
            let is_settled = next == Next::Settle && self.clock.elapsed() > self.applier.settings.patience.settle;
            let next = if is_settled { Next::Uncordon } else { next };
            let trouble = match self.trouble(&next) {
                Some(trouble) => trouble,
                None => match self.go_on(node, next, is_new).await {
                    Ok(None) => continue,
                    Ok(Some(end)) => return Ok(end),
                    Err(NotDone::Refused(trouble)) => trouble,
                    Err(NotDone::Over(error)) => return Err(error),
                },
            };
            self.tell(Doing::Trouble(trouble.clone()));
            self.applier.events.trouble(self.step, &trouble).await;
            match self.way.turned(trouble, self.step, self.id, &seen, self.applier.settings.roll_back) {
                Ok(turned) => self.way = turned,
                Err(end) => return Ok(end),
            }
        }
    }

    /// What is wrong with what is next.
    fn trouble(&mut self, next: &Next) -> Option<Trouble> {
        let patience = &self.applier.settings.patience;
        let too_long = || patience.trouble(next, self.clock.elapsed(), self.not_now.as_deref());
        match next {
            Next::Refuse(trouble) => Some(trouble.clone()),
            Next::Evict(pods) => too_long().or_else(|| self.guests.late(pods)),
            _ => too_long(),
        }
    }

    /// Does what is next. An end, if that is the last.
    async fn go_on(&mut self, node: &NodeSeen, next: Next, is_new: bool) -> Result<Option<NodeEnd>, NotDone> {
        let Taking { applier, step, id, .. } = *self;
        let (hands, events) = (&applier.hands, &applier.events);
        match next {
            Next::Done => return Ok(Some(self.way.end())),
            Next::Gone => return Ok(Some(NodeEnd::Gone)),
            Next::Refuse(trouble) => return Err(NotDone::Refused(trouble)),
            Next::Cordon => {
                if node.mark.is_none() && applier.settings.stop.load(Ordering::Relaxed) {
                    return Ok(Some(NodeEnd::NotBegun));
                }
                if applier.act(step, "cordon", || hands.cordon(step, node, id)).await? {
                    self.note(true);
                    self.tell(Doing::Cordoned);
                    events.cordoned(step, id).await;
                }
            }
            Next::Evict(pods) => self.evict(&pods, is_new).await?,
            Next::Label(config) => {
                if applier.act(step, "label", || hands.label(step, node, id, &config)).await? {
                    self.tell(Doing::Labelled(config.clone()));
                    events.labelled(step, &config).await;
                }
            }
            Next::AwaitPods(pods) => self.wait(is_new, Doing::AwaitingPods(pods.len())).await,
            Next::AwaitCut(state) => self.wait(is_new, Doing::AwaitingCut(state)).await,
            Next::AwaitSlices(_) => self.wait(is_new, Doing::AwaitingSlices).await,
            Next::Settle => self.wait(is_new, Doing::AwaitingCut(node.state.clone())).await,
            // That it is done is seen at the next look.
            Next::Uncordon => {
                if applier.act(step, "uncordon", || hands.uncordon(step, node)).await? {
                    self.tell(Doing::Uncordoned);
                    events.uncordoned(step, self.way.aim == Aim::Forward).await;
                }
            }
            Next::Release => drop(applier.act(step, "release", || hands.release(step, node)).await?),
        }
        Ok(None)
    }

    async fn evict(&mut self, pods: &[PodRef], is_new: bool) -> Result<(), NotDone> {
        if is_new {
            self.tell(Doing::Evicting(pods.len()));
        }
        let mut refusal = None;
        for pod in pods {
            let evict = || self.applier.hands.evict(pod);
            if let Evicted::NotNow(message) = self.applier.write(&format!("evict pod {pod}"), evict).await? {
                refusal = Some(format!("{pod}: {message}"));
            }
        }
        // The first one says it all; the others differ by the pod.
        if let (None, Some(message)) = (&self.not_now, &refusal) {
            self.tell(Doing::NotNow(message.clone()));
        }
        self.not_now = refusal.or(self.not_now.take());
        sleep(self.applier.settings.patience.poll).await;
        Ok(())
    }

    async fn wait(&self, is_new: bool, doing: Doing) {
        if is_new {
            self.tell(doing);
        }
        sleep(self.applier.settings.patience.poll).await;
    }

    fn tell(&self, doing: Doing) {
        self.herald.tell(&self.step.node, doing);
    }

    /// Takes note of whether the node is cordoned by this.
    fn note(&self, is_cordoned: bool) {
        let mut cordoned = self.applier.settings.cordoned.lock().unwrap_or_else(PoisonError::into_inner);
        if is_cordoned {
            cordoned.insert(self.step.node.clone());
        } else {
            cordoned.remove(&self.step.node);
        }
    }
}
