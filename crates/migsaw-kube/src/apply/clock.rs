//! How long a node has been as it is, and whether that is too long.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::pods::PodRef;
use super::settings::Patience;
use super::step::Next;
use super::trouble::Trouble;

/// How long after a node was cordoned pods may still come to it that were on their way.
const ON_THEIR_WAY: Duration = Duration::from_secs(10);

/// Since when nothing has changed about what is next.
pub(super) struct Clock {
    since: Instant,
    phase: (u8, usize, Option<String>),
}

impl Clock {
    pub(super) fn start() -> Clock {
        Clock { since: Instant::now(), phase: (0, 0, None) }
    }

    /// Takes note of what is next. Whether it is something else than at the last look, and not only less of it.
    pub(super) fn begins(&mut self, next: &Next) -> bool {
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

    pub(super) fn elapsed(&self) -> Duration {
        self.since.elapsed()
    }
}

impl Patience {
    /// What is wrong if something has been next for so long. `not_now` is what the API server says of evictions.
    pub(super) fn trouble(&self, next: &Next, elapsed: Duration, not_now: Option<&str>) -> Option<Trouble> {
        let (limit, trouble) = match next {
            Next::Evict(pods) => {
                let message = not_now.unwrap_or("they do not end").to_owned();
                (self.evict, Trouble::NotEvicted { pods: pods.clone(), message })
            }
            Next::AwaitPods(pods) => (self.end, Trouble::NotEnding { pods: pods.clone() }),
            Next::AwaitCut(Some(state)) if state == "failed" => (self.settle, Trouble::CutFailed),
            Next::AwaitCut(state) => (self.cut, Trouble::CutHangs { state: state.clone() }),
            Next::AwaitSlices(differs) => (self.slices, Trouble::NotAdvertised { differs: differs.clone() }),
            _ => return None,
        };
        (elapsed > limit).then_some(trouble)
    }
}

/// The pods that a node has had since it was cordoned.
#[derive(Default)]
pub(super) struct Guests {
    known: BTreeSet<String>,
    since: Option<Instant>,
}

impl Guests {
    /// A pod that came too long after the node was cordoned to have been on its way.
    pub(super) fn late(&mut self, pods: &[PodRef]) -> Option<Trouble> {
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
