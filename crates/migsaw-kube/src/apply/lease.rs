//! Who may act: one applier at a time, by a Lease.
//!
//! As in client-go, times of other machines are never compared with one's own. A Lease is free for others once its
//! record has not changed for as long as it says, by the clock of who waits; its holder stops acting when its last
//! renewal was longer ago than the renew deadline, which is shorter. So two never act together, however far their
//! clocks are apart, as long as they run equally fast.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease as LeaseObject;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::progress::Progress;
use super::settings::Settings;
use crate::cluster::{ClusterError, is_absent, is_conflict, refused};

/// The Lease's name.
const NAME: &str = "migsaw-apply";

/// How long a Lease holds. The defaults are those of kube-scheduler's leader election.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTimes {
    /// After so long without renewal another may take it.
    pub duration: Duration,
    /// After so long without renewal its holder stops acting.
    pub renew_deadline: Duration,
    /// How often it is renewed.
    pub retry: Duration,
}

impl Default for LeaseTimes {
    fn default() -> LeaseTimes {
        LeaseTimes::of(Duration::from_secs(15))
    }
}

impl LeaseTimes {
    /// The times that go with a duration: two thirds of it to renew, tried five times in between.
    pub fn of(duration: Duration) -> LeaseTimes {
        LeaseTimes { duration, renew_deadline: duration * 2 / 3, retry: duration * 2 / 15 }
    }
}

/// What to do about a Lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    /// Write one's own name into it.
    Take,
    /// Somebody else holds it.
    Wait,
}

/// Decides by what the Lease says, and for how long it has been seen saying it.
fn decide(holder: Option<&str>, holds_for: Duration, unchanged_for: Duration, me: &str) -> Decision {
    match holder {
        None | Some("") => Decision::Take,
        Some(holder) if holder == me => Decision::Take,
        Some(_) if unchanged_for >= holds_for => Decision::Take,
        Some(_) => Decision::Wait,
    }
}

/// Somebody else is at it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} (Lease {namespace}/{NAME})", shown(.holder))]
pub struct Held {
    /// Who; empty if that is not known any more.
    pub holder: String,
    /// The Lease's namespace.
    pub namespace: String,
}

fn shown(holder: &str) -> String {
    match holder {
        "" => "somebody else has taken the Lease, and given it back".to_owned(),
        holder => format!("`{holder}` is applying a plan to this cluster"),
    }
}

/// Why there is no Lease.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LeaseError {
    #[error(transparent)]
    Held(#[from] Held),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// Nobody wants it any more.
    #[error("stopped before anything was changed")]
    Stopped,
}

/// A Lease that is held, renewed until this is released or dropped.
pub(crate) struct Lease {
    shared: Arc<Shared>,
    renewing: JoinHandle<()>,
}

struct Shared {
    leases: Api<LeaseObject>,
    namespace: String,
    me: String,
    times: LeaseTimes,
    /// How long renewals may fail.
    patience: Duration,
    state: Mutex<State>,
    /// Why the last renewal failed.
    failure: Mutex<Option<ClusterError>>,
}

#[derive(Debug, Clone)]
enum State {
    /// When the last renewal that succeeded was begun.
    Renewed(Instant),
    /// Somebody else has it.
    Lost(Held),
}

impl Lease {
    /// Takes the Lease, waiting as long as a holder that is gone can have left it unrenewed.
    pub(crate) async fn take(client: Client, settings: &Settings) -> Result<Lease, LeaseError> {
        let Settings { namespace, by: me, lease: times, .. } = settings;
        let leases: Api<LeaseObject> = Api::namespaced(client, namespace);
        let shared = Shared {
            leases,
            namespace: namespace.clone(),
            me: me.clone(),
            times: *times,
            patience: settings.patience.api,
            state: Mutex::new(State::Renewed(Instant::now())),
            failure: Mutex::default(),
        };
        let begun = Instant::now();
        let mut seen: Option<(String, Instant)> = None;
        loop {
            if settings.stop.load(Ordering::Relaxed) {
                return Err(LeaseError::Stopped);
            }
            let (object, holder, holds_for) = shared.look().await?;
            let record = format!("{:?}", object.as_ref().map(|object| &object.metadata.resource_version));
            let since = match &seen {
                Some((known, since)) if *known == record => *since,
                known => {
                    if let (None, Some(holder)) = (known, holder.as_ref().filter(|h| !h.is_empty() && *h != me)) {
                        (settings.progress)(Progress::AwaitingLease { holder: holder.clone() });
                    }
                    seen.insert((record, Instant::now())).1
                }
            };
            if decide(holder.as_deref(), holds_for, since.elapsed(), me) == Decision::Take {
                if shared.write(object, Some(me)).await? {
                    break;
                }
                continue;
            }
            if begun.elapsed() > holds_for + times.retry * 2 {
                let holder = holder.unwrap_or_default();
                return Err(Held { holder, namespace: namespace.clone() }.into());
            }
            sleep(times.retry.min(Duration::from_secs(1))).await;
        }
        let shared = Arc::new(shared);
        let renewing = tokio::spawn(renew(Arc::clone(&shared)));
        Ok(Lease { shared, renewing })
    }

    /// Has the API server check whether it could be made.
    pub(crate) async fn rehearse(client: Client, namespace: &str) -> Result<(), ClusterError> {
        let leases: Api<LeaseObject> = Api::namespaced(client, namespace);
        let lease =
            LeaseObject { metadata: ObjectMeta { name: Some(NAME.to_owned()), ..ObjectMeta::default() }, spec: None };
        let params = PostParams { dry_run: true, ..PostParams::default() };
        match leases.create(&params, &lease).await {
            Err(error) if is_conflict(&error) => Ok(()),
            result => result.map(|_| ()).map_err(refused(format!("write Lease {namespace}/{NAME}"))),
        }
    }

    /// Waits until acting is allowed: at once while the Lease is held, else until it has been renewed.
    pub(crate) async fn allows(&self) -> Result<(), LeaseError> {
        loop {
            match &*self.shared.state() {
                State::Renewed(at) if at.elapsed() < self.shared.times.renew_deadline => return Ok(()),
                State::Renewed(at) => {
                    let mut failure = self.shared.failure.lock().unwrap_or_else(PoisonError::into_inner);
                    let is_away = at.elapsed() > self.shared.patience;
                    if let Some(failure) = failure.take_if(|failure| is_away || failure.is_refusal()) {
                        return Err(failure.into());
                    }
                }
                State::Lost(held) => return Err(held.clone().into()),
            }
            sleep(self.shared.times.retry.min(Duration::from_millis(200))).await;
        }
    }

    /// How long a write may take that was allowed: it has to be over before another can take the Lease.
    pub(crate) fn longest_write(&self) -> Duration {
        self.shared.times.duration.saturating_sub(self.shared.times.renew_deadline)
    }

    /// Gives it back, so that the next need not wait.
    pub(crate) async fn release(self) {
        self.renewing.abort();
        // Whoever comes next waits it out otherwise.
        if let Ok((object, holder, _)) = self.shared.look().await
            && holder.as_deref() == Some(self.shared.me.as_str())
        {
            let _ = self.shared.write(object, None).await;
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

async fn renew(shared: Arc<Shared>) {
    loop {
        sleep(shared.times.retry).await;
        let begun = Instant::now();
        let renewed = match shared.look().await {
            // Deleted: whoever makes it anew first has it.
            Ok((None, ..)) => shared.write(None, Some(&shared.me)).await,
            Ok((object, holder, _)) => {
                // Without a holder somebody has had it in between and given it back.
                let holder = holder.unwrap_or_default();
                if holder != shared.me {
                    *shared.state() = State::Lost(Held { holder, namespace: shared.namespace.clone() });
                    return;
                }
                shared.write(object, Some(&shared.me)).await
            }
            Err(error) => Err(error),
        };
        let failure = match renewed {
            Ok(true) => {
                *shared.state() = State::Renewed(begun);
                None
            }
            Ok(false) => None,
            Err(error) => Some(error),
        };
        *shared.failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }
}

impl Shared {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The Lease, its holder, and how long it holds.
    async fn look(&self) -> Result<(Option<LeaseObject>, Option<String>, Duration), ClusterError> {
        let object =
            self.leases.get_opt(NAME).await.map_err(refused(format!("read Lease {}/{NAME}", self.namespace)))?;
        let spec = object.as_ref().and_then(|lease| lease.spec.clone()).unwrap_or_default();
        let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
        let holds_for = seconds.map_or(self.times.duration, Duration::from_secs);
        Ok((object, spec.holder_identity, holds_for))
    }

    /// Writes a holder, or none; false if somebody else was faster.
    async fn write(&self, object: Option<LeaseObject>, holder: Option<&str>) -> Result<bool, ClusterError> {
        let now = MicroTime(Timestamp::now());
        // Whole seconds, rounded up: who waits does so no shorter than this holds.
        let seconds = self.times.duration.as_millis().div_ceil(1000).max(1);
        let seconds = i32::try_from(seconds).unwrap_or(i32::MAX);
        let params = PostParams { field_manager: Some(super::MANAGER.to_owned()), ..PostParams::default() };
        let was_there = object.is_some();
        let written = match object {
            None => {
                let lease = json!({"metadata": {"name": NAME, "namespace": self.namespace}, "spec": {
                    "holderIdentity": holder, "leaseDurationSeconds": seconds,
                    "acquireTime": now, "renewTime": now, "leaseTransitions": 0}});
                let lease = serde_json::from_value(lease).map_err(kube::Error::SerdeError);
                match lease {
                    Ok(lease) => self.leases.create(&params, &lease).await,
                    Err(error) => Err(error),
                }
            }
            Some(mut lease) => {
                let spec = lease.spec.get_or_insert_default();
                if spec.holder_identity.as_deref() != holder {
                    spec.lease_transitions = Some(spec.lease_transitions.unwrap_or(0).saturating_add(1));
                    spec.acquire_time = Some(now.clone());
                }
                spec.holder_identity = holder.map(str::to_owned);
                spec.lease_duration_seconds = Some(seconds);
                spec.renew_time = Some(now);
                self.leases.replace(NAME, &params, &lease).await
            }
        };
        match written {
            Ok(_) => Ok(true),
            Err(error) if is_conflict(&error) => Ok(false),
            // It was deleted in between. Where it was to be created it is the namespace that is missing.
            Err(error) if is_absent(&error) && was_there => Ok(false),
            Err(error) => Err(refused(format!("write Lease {}/{NAME}", self.namespace))(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn a_lease_is_taken_only_when_nobody_can_be_acting_on_it() {
        for (holder, unchanged_for, expected) in [
            (None, 0, Decision::Take),
            (Some(""), 0, Decision::Take),
            (Some("me"), 0, Decision::Take),
            (Some("other"), 0, Decision::Wait),
            (Some("other"), 14, Decision::Wait),
            (Some("other"), 15, Decision::Take),
        ] {
            assert_eq!(
                decide(holder, seconds(15), seconds(unchanged_for), "me"),
                expected,
                "{holder:?}, {unchanged_for}"
            );
        }
    }

    /// What an actor knows: its own name, what it saw and since when, and when it renewed last, by its own clock.
    #[derive(Default)]
    struct Actor {
        seen: Option<(u32, u64)>,
        renewed: Option<u64>,
    }

    proptest! {
        /// Actors look and write at random times, are away for long, and have clocks hours apart: no two of them may
        /// act at the same time.
        #[test]
        fn no_two_act_together(
            moves in proptest::collection::vec((0usize..3, 0u64..9_000, any::<bool>()), 1..200),
            skews in proptest::array::uniform3(0u64..100_000_000),
        ) {
            let times = LeaseTimes::default();
            let [duration, deadline] = [times.duration, times.renew_deadline].map(|d| u64::try_from(d.as_millis()).unwrap());
            let mut actors: [Actor; 3] = Default::default();
            let (mut holder, mut version, mut now) = (None::<usize>, 0u32, 100_000_000u64);
            for (me, passed, answers) in moves {
                now += passed;
                let clock = now + skews[me];
                let name = |actor: usize| format!("actor-{actor}");
                let actor = &mut actors[me];
                if answers {
                    let since = match actor.seen {
                        Some((seen, since)) if seen == version => since,
                        _ => actor.seen.insert((version, clock)).1,
                    };
                    let (held, unchanged_for) = (holder.map(name), Duration::from_millis(clock - since));
                    // One who has lost it ends; who comes next is another, without memory of having held it.
                    if actor.renewed.is_some() && holder != Some(me) {
                        actor.renewed = None;
                    }
                    if decide(held.as_deref(), Duration::from_millis(duration), unchanged_for, &name(me)) == Decision::Take {
                        (holder, version) = (Some(me), version + 1);
                        *actor = Actor { seen: Some((version, clock)), renewed: Some(clock) };
                    }
                }
                let acts = |(who, actor): (usize, &Actor)| {
                    actor.renewed.is_some_and(|renewed| now + skews[who] - renewed < deadline)
                };
                let acting = actors.iter().enumerate().filter(|&(who, actor)| acts((who, actor))).count();
                prop_assert!(acting <= 1);
            }
        }
    }

    #[test]
    fn a_holder_stops_before_another_can_start() {
        for duration in [1, 3, 15, 60] {
            let times = LeaseTimes::of(seconds(duration));
            assert!(times.renew_deadline < times.duration);
            assert!(times.retry * 5 <= times.renew_deadline);
        }
        let times = LeaseTimes::default();
        assert_eq!((times.renew_deadline, times.retry), (seconds(10), seconds(2)), "as kube-scheduler's");
    }
}
