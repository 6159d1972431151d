//! Which pods were seen on a node lately, or were gone before they came to one.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a pod is remembered at least: longer than a promise stands (180 s), and clocks differ.
const REMEMBERED: Duration = Duration::from_secs(300);

/// Pods by UID, in two generations: when the newer is old enough it takes the place of the older.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    newer: HashSet<Arc<str>>,
    older: HashSet<Arc<str>>,
    since: Option<Instant>,
}

impl Seen {
    pub(super) fn note(&self, uid: &Arc<str>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).newer.insert(Arc::clone(uid));
    }

    pub(super) fn has(&self, uid: &str) -> bool {
        let generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        generations.newer.contains(uid) || generations.older.contains(uid)
    }

    /// Forgets what is long ago.
    pub(super) fn sweep(&self, now: Instant) {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = *generations.since.get_or_insert(now);
        if now.duration_since(since) >= REMEMBERED {
            generations.older = std::mem::take(&mut generations.newer);
            generations.since = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pods_are_remembered_for_a_while() {
        let (seen, begun) = (Seen::default(), Instant::now());
        let at = |n: u32| seen.sweep(begun + REMEMBERED * n);
        at(0);
        seen.note(&Arc::from("u1"));
        assert!(seen.has("u1") && !seen.has("u2"));
        at(1);
        assert!(seen.has("u1"));
        at(2);
        assert!(!seen.has("u1"));
    }
}
