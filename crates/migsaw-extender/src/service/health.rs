//! Whether it lives, whether it should be asked, and how old its knowledge is.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;

/// How long ago the API server was last heard on each watch, by kind.
pub type Ages = Box<dyn Fn() -> Vec<(&'static str, Duration)> + Send + Sync>;

/// The state of a service.
pub struct Health {
    ages: Ages,
    stale_after: Duration,
    unready_when_stale: bool,
    is_synced: AtomicBool,
    is_draining: AtomicBool,
}

/// What `/readyz` says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Readiness {
    /// Whether to ask it.
    pub ready: bool,
    /// Whether all nodes and pods have been listed.
    pub synced: bool,
    /// Watches that have not been heard of for long: it answers from what it knew then.
    pub stale: Vec<&'static str>,
    /// Whether it is about to stop.
    pub draining: bool,
}

impl Health {
    /// The health of a service that has yet to hear of the cluster.
    pub fn new(ages: Ages, stale_after: Duration, unready_when_stale: bool) -> Health {
        Health {
            ages,
            stale_after,
            unready_when_stale,
            is_synced: AtomicBool::new(false),
            is_draining: AtomicBool::new(false),
        }
    }

    /// Notes that all nodes and pods have been listed.
    pub fn synced(&self) {
        self.is_synced.store(true, Ordering::Release);
    }

    /// Notes that it is about to stop.
    pub fn drain(&self) {
        self.is_draining.store(true, Ordering::Release);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.is_draining.load(Ordering::Acquire)
    }

    pub(crate) fn ages(&self) -> Vec<(&'static str, Duration)> {
        (self.ages)()
    }

    /// Whether to ask it, and why not.
    pub fn readiness(&self) -> Readiness {
        let stale: Vec<&'static str> =
            self.ages().into_iter().filter(|(_, age)| *age > self.stale_after).map(|(kind, _)| kind).collect();
        let synced = self.is_synced.load(Ordering::Acquire);
        let draining = self.is_draining();
        let is_too_old = self.unready_when_stale && !stale.is_empty();
        Readiness { ready: synced && !draining && !is_too_old, synced, stale, draining }
    }
}

impl std::fmt::Debug for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Health").field("readiness", &self.readiness()).finish_non_exhaustive()
    }
}
