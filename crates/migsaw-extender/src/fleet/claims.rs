//! Pods that are on their way to a node, from the moment it was chosen until the watch shows them there.
//!
//! A claim is firm where nobody else keeps two pods from the same slice: then it counts for everybody who wants to come
//! to the node. Elsewhere the pod is only expected there, because the node was the best for it: that counts for what
//! other places are worth, and keeps nobody away.
//!
//! A claim is keyed by the pod's UID. It ends when the pod is seen on a node or gone, when the scheduler asks for the
//! same pod anew, or by itself after a while. Each node has its own lock, each pod one of many; a node's may be taken while
//! a pod's is held, never the other way round.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use migsaw_kube::scheduling::Asks;

use super::Cell;

/// How many locks there are for pods.
const SHARDS: usize = 64;

/// Pods by UID, with the nodes on which they have claims.
type Shard = Mutex<HashMap<Arc<str>, Vec<Arc<Cell>>>>;

/// Which pods have claims, and where.
#[derive(Debug)]
pub struct Claims {
    shards: [Shard; SHARDS],
    hasher: RandomState,
    pods: AtomicUsize,
}

/// The claims on one node.
#[derive(Debug, Default)]
pub(crate) struct Claimed {
    claims: Mutex<Vec<Claim>>,
    count: AtomicUsize,
}

#[derive(Debug)]
struct Claim {
    uid: Arc<str>,
    asks: Arc<Asks>,
    until: Instant,
    is_firm: bool,
    /// The demand of a pod that is expected here.
    expected_of: Option<Arc<str>>,
}

impl Default for Claims {
    fn default() -> Claims {
        Claims {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: RandomState::new(),
            pods: AtomicUsize::new(0),
        }
    }
}

impl Claims {
    /// How many pods have claims.
    pub fn len(&self) -> usize {
        self.pods.load(Ordering::Relaxed)
    }

    /// Whether no pod has any.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Ends all claims of a pod.
    pub(crate) fn release(&self, uid: &str) {
        let cells = lock(self.shard(uid)).remove(uid);
        if let Some(cells) = cells {
            self.pods.fetch_sub(1, Ordering::Relaxed);
            for cell in cells {
                cell.claimed.release(uid);
            }
        }
    }

    /// Notes that a pod has claims on these nodes too, which it has to have already.
    pub(crate) fn note(&self, uid: &Arc<str>, cells: Vec<Arc<Cell>>) {
        if cells.is_empty() {
            return;
        }
        let mut shard = lock(self.shard(uid));
        if !shard.contains_key(uid) {
            self.pods.fetch_add(1, Ordering::Relaxed);
        }
        shard.entry(Arc::clone(uid)).or_default().extend(cells);
    }

    /// Forgets pods whose claims have all run out. Those of a pod that is asked about meanwhile stay: it has them before
    /// they are noted.
    pub(crate) fn sweep(&self, now: Instant) {
        for shard in &self.shards {
            let has_any = |uid: &str, cells: &[Arc<Cell>]| cells.iter().any(|cell| cell.claimed.has(uid, now));
            let over: Vec<_> = lock(shard).extract_if(|uid, cells| !has_any(uid, cells)).collect();
            self.pods.fetch_sub(over.len(), Ordering::Relaxed);
            for cell in over.into_iter().flat_map(|(_, cells)| cells) {
                cell.claimed.forget(now);
            }
        }
    }

    fn shard(&self, uid: &str) -> &Shard {
        let hash = self.hasher.hash_one(uid);
        &self.shards[usize::try_from(hash % SHARDS as u64).unwrap_or(0)]
    }
}

impl Claimed {
    /// What others than this pod have claimed firmly.
    pub(crate) fn by_others(&self, uid: &str, now: Instant) -> Vec<Arc<Asks>> {
        self.others(uid, now, |claim| claim.is_firm)
    }

    /// What others than this pod are expected to take.
    pub(crate) fn expected_beside(&self, uid: &str, now: Instant) -> Vec<Arc<Asks>> {
        self.others(uid, now, |claim| claim.expected_of.is_some())
    }

    /// How many others than this pod are expected of a demand.
    pub(crate) fn pods_of(&self, demand: &str, uid: &str, now: Instant) -> u64 {
        self.others(uid, now, |claim| claim.expected_of.as_deref() == Some(demand)).len() as u64
    }

    fn others(&self, uid: &str, now: Instant, counts: impl Fn(&Claim) -> bool) -> Vec<Arc<Asks>> {
        if self.count.load(Ordering::Acquire) == 0 {
            return Vec::new();
        }
        others(&lock(&self.claims), uid, now, counts)
    }

    /// Expects a pod of a demand here.
    pub(crate) fn expect(&self, uid: &Arc<str>, (asks, demand): (&Arc<Asks>, &str), (now, ttl): (Instant, Duration)) {
        let mut claims = lock(&self.claims);
        claims.retain(|claim| claim.until > now);
        let expected_of = Some(Arc::from(demand));
        match claims.iter_mut().find(|claim| claim.uid == *uid) {
            Some(claim) => claim.expected_of = expected_of,
            None => claims.push(Claim {
                uid: Arc::clone(uid),
                asks: Arc::clone(asks),
                until: now + ttl,
                is_firm: false,
                expected_of,
            }),
        }
        self.count.store(claims.len(), Ordering::Release);
    }

    /// Claims firmly for a pod, if `fits` says so beside what others have claimed; nobody else claims meanwhile.
    pub(crate) fn claim(
        &self,
        uid: &Arc<str>,
        asks: &Arc<Asks>,
        (now, ttl): (Instant, Duration),
        fits: impl FnOnce(&[Arc<Asks>]) -> bool,
    ) -> bool {
        let mut claims = lock(&self.claims);
        claims.retain(|claim| claim.until > now);
        let is_there = fits(&others(&claims, uid, now, |claim| claim.is_firm));
        if is_there {
            claims.retain(|claim| claim.uid != *uid);
            let (uid, asks) = (Arc::clone(uid), Arc::clone(asks));
            claims.push(Claim { uid, asks, until: now + ttl, is_firm: true, expected_of: None });
        }
        self.count.store(claims.len(), Ordering::Release);
        is_there
    }

    fn release(&self, uid: &str) {
        self.retain(|claim| claim.uid.as_ref() != uid);
    }

    /// Forgets what has run out.
    fn forget(&self, now: Instant) {
        self.retain(|claim| claim.until > now);
    }

    fn retain(&self, stays: impl Fn(&Claim) -> bool) {
        let mut claims = lock(&self.claims);
        claims.retain(stays);
        self.count.store(claims.len(), Ordering::Release);
    }

    fn has(&self, uid: &str, now: Instant) -> bool {
        lock(&self.claims).iter().any(|claim| claim.uid.as_ref() == uid && claim.until > now)
    }
}

fn others(claims: &[Claim], uid: &str, now: Instant, counts: impl Fn(&Claim) -> bool) -> Vec<Arc<Asks>> {
    let others = claims.iter().filter(|claim| claim.uid.as_ref() != uid && claim.until > now && counts(claim));
    others.map(|claim| Arc::clone(&claim.asks)).collect()
}

/// What a panic left is whole: nothing here is half done at any time.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use migsaw_kube::scheduling::{Node, NodeLabels};

    use super::super::View;
    use super::*;

    fn cell(name: &str) -> Arc<Cell> {
        let node = Node {
            name: name.to_owned(),
            labels: NodeLabels::default(),
            offers: std::collections::BTreeMap::new(),
            gpus: None,
            rollout: None,
            is_recut: false,
            is_avoided: false,
        };
        Arc::new(Cell::new(0, View::new(Arc::new(node), Arc::new([]), false), 0))
    }

    #[test]
    fn a_sweep_ends_no_claim_that_was_made_a_moment_ago() {
        let (claims, begun, ttl) = (Claims::default(), Instant::now(), Duration::from_secs(10));
        let (before, now, later) = (cell("before"), cell("now"), begun + ttl);
        let (uid, asks) = (Arc::from("p"), Arc::default());
        assert!(before.claimed.claim(&uid, &asks, (begun, ttl), |_| true));
        claims.note(&uid, vec![Arc::clone(&before)]);
        // What it had has run out, and what it has just got is not noted yet.
        assert!(now.claimed.claim(&uid, &asks, (later, ttl), |_| true));
        claims.sweep(later);
        assert_eq!((claims.len(), before.claimed.has("p", later), now.claimed.has("p", later)), (0, false, true));
        claims.note(&uid, vec![Arc::clone(&now)]);
        // On the same node again.
        assert!(before.claimed.claim(&uid, &asks, (later, ttl), |_| true));
        claims.note(&uid, vec![Arc::clone(&before)]);
        claims.sweep(later);
        assert_eq!((claims.len(), before.claimed.has("p", later), now.claimed.has("p", later)), (1, true, true));
        claims.release("p");
        assert_eq!((claims.len(), before.claimed.has("p", later), now.claimed.has("p", later)), (0, false, false));
    }
}
