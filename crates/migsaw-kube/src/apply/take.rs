//! Takes one node to where it is to go: looks, decides, acts, and looks again.

use std::collections::BTreeSet;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::time::{sleep, timeout};

use super::act::Evicted;
use super::lease::LeaseError;
use super::observe::look;
use super::outcome::NodeEnd;
use super::pods::PodRef;
use super::progress::{Doing, Progress};
use super::record::StepRecord;
use super::run::{Applier, ApplyError};
use super::step::{Aim, Next, NodeSeen, Seen, is_to_be_reserved, next};
use super::trouble::Trouble;
use crate::cluster::{Transient, patiently, refused};

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

/// How long after a node was cordoned pods may still come to it that were on their way.
const ON_THEIR_WAY: Duration = Duration::from_secs(10);

/// Why something was not done.
enum NotDone {
    /// The API server refuses it: something is wrong with this node.
    Refused(Trouble),
    /// Nothing more can be done at all.
    Over(ApplyError),
}

/// Why a write did not succeed.
enum Failed {
    Lease(LeaseError),
    Cluster(kube::Error),
}

impl Transient for Failed {
    fn is_transient(&self) -> bool {
        matches!(self, Failed::Cluster(error) if error.is_transient())
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
        let mut guests = Guests::default();
        let mut not_now: Option<String> = None;
        loop {
            let seen = look(&self.cluster.client, &step.node, self.settings.patience.api).await;
            let seen = seen.map_err(refused(format!("look at node {}", step.node)))?;
            let Some(node) = &seen.node else { return Ok(NodeEnd::Gone) };
            self.note(&step.node, node.is_cordoned && node.mark.as_ref().is_some_and(|mark| mark.id == id));
            let next = next(step, id, way.aim, &seen);
            let is_new = clock.begins(&next);
            let is_settled = next == Next::Settle && clock.elapsed() > self.settings.patience.settle;
            let next = if is_settled { Next::Uncordon } else { next };
            let too_long = self.limit(&next).is_some_and(|limit| clock.elapsed() > limit);
            let trouble = match &next {
                Next::Refuse(trouble) => Some(trouble.clone()),
                next if too_long => trouble_of(next, not_now.take()),
                Next::Evict(pods) => guests.late(pods),
                _ => None,
            };
            let trouble = match trouble {
                Some(trouble) => trouble,
                None => match self.go_on(step, id, &way, node, next, is_new, &mut not_now, herald).await {
                    Ok(None) => continue,
                    Ok(Some(end)) => return Ok(end),
                    Err(NotDone::Refused(trouble)) => trouble,
                    Err(NotDone::Over(error)) => return Err(error),
                },
            };
            herald.tell(&step.node, Doing::Trouble(trouble.clone()));
            self.events.trouble(step, &trouble).await;
            match way.turned(trouble, step, id, &seen, self.settings.roll_back) {
                Ok(turned) => way = turned,
                Err(end) => return Ok(end),
            }
        }
    }

    /// Does what is next. An end, if that is the last.
    #[expect(clippy::too_many_arguments, reason = "what is known of one node at one time")]
    async fn go_on(
        &self,
        step: &StepRecord,
        id: &str,
        way: &Way,
        node: &NodeSeen,
        next: Next,
        is_new: bool,
        not_now: &mut Option<String>,
        herald: &Herald<'_>,
    ) -> Result<Option<NodeEnd>, NotDone> {
        let tell = |doing: Doing| herald.tell(&step.node, doing);
        match next {
            Next::Done => return Ok(Some(way.end())),
            Next::Gone => return Ok(Some(NodeEnd::Gone)),
            Next::Refuse(trouble) => return Err(NotDone::Refused(trouble)),
            Next::Cordon => {
                if node.mark.is_none() && self.settings.stop.load(Ordering::Relaxed) {
                    return Ok(Some(NodeEnd::NotBegun));
                }
                if self.act(step, "cordon", || self.hands.cordon(step, node, id)).await? {
                    self.note(&step.node, true);
                    tell(Doing::Cordoned);
                    self.events.cordoned(step, id).await;
                }
            }
            Next::Evict(pods) => {
                if is_new {
                    tell(Doing::Evicting(pods.len()));
                }
                let mut refusal = None;
                for pod in &pods {
                    let evicted = self.write(&format!("evict pod {pod}"), || self.hands.evict(pod)).await?;
                    if let Evicted::NotNow(message) = evicted {
                        refusal = Some(format!("{pod}: {message}"));
                    }
                }
                // The first one says it all; the others differ by the pod.
                if let (None, Some(message)) = (&not_now, &refusal) {
                    tell(Doing::NotNow(message.clone()));
                }
                *not_now = refusal.or(not_now.take());
                sleep(self.settings.patience.poll).await;
            }
            Next::Label(config) => {
                if self.act(step, "label", || self.hands.label(step, node, id, &config)).await? {
                    tell(Doing::Labelled(config.clone()));
                    self.events.labelled(step, &config).await;
                }
            }
            Next::AwaitPods(pods) => self.wait(is_new, || tell(Doing::AwaitingPods(pods.len()))).await,
            Next::AwaitCut(state) => self.wait(is_new, || tell(Doing::AwaitingCut(state))).await,
            Next::AwaitSlices(_) => self.wait(is_new, || tell(Doing::AwaitingSlices)).await,
            Next::Settle => self.wait(is_new, || tell(Doing::AwaitingCut(node.state.clone()))).await,
            // That it is done is seen at the next look.
            Next::Uncordon => {
                if self.act(step, "uncordon", || self.hands.uncordon(step, node)).await? {
                    tell(Doing::Uncordoned);
                    self.events.uncordoned(step, way.aim == Aim::Forward).await;
                }
            }
            Next::Release => drop(self.act(step, "release", || self.hands.release(step, node)).await?),
        }
        Ok(None)
    }

    async fn wait(&self, is_new: bool, say: impl FnOnce()) {
        if is_new {
            say();
        }
        sleep(self.settings.patience.poll).await;
    }

    /// Makes pods prefer other nodes to one whose turn will come. What refuses that refuses more when it comes.
    pub(super) async fn reserve(&self, step: &StepRecord, id: &str) -> Result<(), ApplyError> {
        loop {
            let seen = look(&self.cluster.client, &step.node, self.settings.patience.api).await;
            let seen = seen.map_err(refused(format!("look at node {}", step.node)))?;
            let Some(node) = seen.node.as_ref().filter(|_| is_to_be_reserved(step, id, &seen)) else { return Ok(()) };
            match self.act(step, "reserve", || self.hands.reserve(step, node, id)).await {
                Ok(false) => {}
                Ok(true) | Err(NotDone::Refused(_)) => return Ok(()),
                Err(NotDone::Over(error)) => return Err(error),
            }
        }
    }

    /// Takes note of whether a node is cordoned by this.
    fn note(&self, node: &str, is_cordoned: bool) {
        let mut cordoned = self.settings.cordoned.lock().unwrap_or_else(PoisonError::into_inner);
        if is_cordoned {
            cordoned.insert(node.to_owned());
        } else {
            cordoned.remove(node);
        }
    }

    /// Writes to a node. Whether it was written: not if the node has changed.
    async fn act<F: Future<Output = kube::Result<bool>>>(
        &self,
        step: &StepRecord,
        what: &str,
        act: impl Fn() -> F,
    ) -> Result<bool, NotDone> {
        let written = self.write(&format!("{what} node {}", step.node), act).await?;
        if !written {
            // Somebody else is writing to it.
            sleep(Duration::from_millis(50)).await;
        }
        Ok(written)
    }

    /// Writes about a node.
    async fn write<T, F: Future<Output = kube::Result<T>>>(
        &self,
        action: &str,
        write: impl Fn() -> F,
    ) -> Result<T, NotDone> {
        self.guarded(action, write).await.map_err(|error| match error {
            ApplyError::Cluster(error) if error.is_refusal() => {
                NotDone::Refused(Trouble::Refused { message: error.to_string() })
            }
            error => NotDone::Over(error),
        })
    }

    /// Writes, each time only if it is still on us to write, and never longer than that holds.
    pub(super) async fn guarded<T, F: Future<Output = kube::Result<T>>>(
        &self,
        action: &str,
        write: impl Fn() -> F,
    ) -> Result<T, ApplyError> {
        let attempt = || async {
            self.lease.allows().await.map_err(Failed::Lease)?;
            let answer = timeout(self.lease.longest_write(), write()).await;
            let answer = answer.unwrap_or_else(|_| Err(kube::Error::Service("no answer in time".into())));
            answer.map_err(Failed::Cluster)
        };
        patiently(self.settings.patience.api, attempt).await.map_err(|failed| match failed {
            Failed::Lease(error) => error.into(),
            Failed::Cluster(error) => refused(action)(error).into(),
        })
    }

    /// How long a node may stay so.
    fn limit(&self, next: &Next) -> Option<Duration> {
        let patience = &self.settings.patience;
        match next {
            Next::Evict(_) => Some(patience.evict),
            Next::AwaitPods(_) => Some(patience.end),
            Next::AwaitCut(Some(state)) if state == "failed" => Some(patience.settle),
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
        let is_marked = node.and_then(|node| node.mark.as_ref()).is_some_and(|mark| mark.id == id);
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
            Next::Settle => (5, 0, None),
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

/// The pods that a node has had since it was cordoned.
#[derive(Default)]
struct Guests {
    known: BTreeSet<String>,
    since: Option<Instant>,
}

impl Guests {
    /// A pod that came too long after the node was cordoned to have been on its way.
    fn late(&mut self, pods: &[PodRef]) -> Option<Trouble> {
        let is_late = self.since.get_or_insert_with(Instant::now).elapsed() > ON_THEIR_WAY;
        for pod in pods {
            if is_late && !self.known.contains(&pod.uid) {
                return Some(Trouble::ComesBack { pod: pod.clone() });
            }
            self.known.insert(pod.uid.clone());
        }
        None
    }
}
