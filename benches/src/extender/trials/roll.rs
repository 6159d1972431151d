//! Two replicas behind a Service, stopped and started in turn: what a rolling update does.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Args;

use super::site::{Became, Pace, Scheduler, Serving, Site, until};
use super::{Common, Found};
use crate::figures::Times;

/// How often endpoints are looked at.
const PROBE: Duration = Duration::from_millis(100);

/// What it takes.
#[derive(Debug, Clone, Args)]
pub struct Roll {
    #[command(flatten)]
    common: Common,
    /// How often both are replaced
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Pods that come in a second
    #[arg(long, default_value_t = 200)]
    rate: u32,
    /// How long it takes until nodes know that a replica is ready or not, in milliseconds
    #[arg(long, default_value_t = 3_000)]
    endpoints_delay: u64,
}

type Replicas = [Mutex<Option<Serving>>; 2];

impl Roll {
    pub(super) fn run(&self, found: &mut Found) -> io::Result<()> {
        let mut site = Site::counting(&self.common)?;
        let starter = site.starter()?;
        let replicas: Replicas = [Mutex::new(Some(starter.start(&[])?)), Mutex::new(Some(starter.start(&[])?))];
        let endpoints = Mutex::new(ready(&replicas));
        let (is_over, stopping) = (AtomicBool::new(false), Mutex::new(Vec::new()));
        let (mut took, mut failed, turn) = (Vec::new(), 0, AtomicUsize::new(0));
        std::thread::scope(|scope| {
            scope.spawn(|| self.watch(&replicas, &endpoints, &is_over));
            let rolling = scope.spawn(|| {
                let rolled = (0..self.rounds).flat_map(|_| &replicas).try_for_each(|replica| {
                    // Who is not in the endpoints yet must not be all that is left.
                    std::thread::sleep(2 * Duration::from_millis(self.endpoints_delay));
                    let ended = stop(replica)?;
                    stopping.lock().unwrap_or_else(PoisonError::into_inner).push(ended);
                    *replica.lock().unwrap_or_else(PoisonError::into_inner) = Some(starter.start(&[])?);
                    Ok::<_, io::Error>(())
                });
                std::thread::sleep(2 * Duration::from_millis(self.endpoints_delay));
                is_over.store(true, Ordering::Relaxed);
                rolled
            });
            let next = || {
                let known = endpoints.lock().unwrap_or_else(PoisonError::into_inner);
                known[turn.fetch_add(1, Ordering::Relaxed) % known.len()]
            };
            // Three that keep their connections, and one that comes anew each time.
            let mut schedulers: Vec<Scheduler> = (0..4).map(|_| Scheduler::plain(next())).collect();
            let mut pace = Pace::of(self.rate);
            for n in 0.. {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                pace.wait();
                let at = n % schedulers.len();
                let scheduler = &mut schedulers[at];
                scheduler.turn_to(next());
                match site.place(scheduler) {
                    Became::Placed(asked) | Became::Rejected(asked) => took.push(asked),
                    Became::Failed(error) => {
                        failed += 1;
                        eprintln!("pod {n}: {error}");
                    }
                }
                if at == 3 {
                    scheduler.hang_up();
                }
            }
            rolling.join().map_err(|_| io::Error::other("a thread panicked"))?
        })?;
        let took: Times = took.into_iter().collect();
        let stopping: Times = stopping.into_inner().unwrap_or_else(PoisonError::into_inner).into_iter().collect();
        found.shows("replicas replaced", 2 * self.rounds);
        found.shows(&format!("filter + prioritize, {} names, meanwhile", self.common.nodes), &took);
        found.shows("– pods asked about", took.len());
        found.none("– requests that failed", failed);
        found.measures(
            "from being told to stop to the end",
            &stopping,
            "delay 5 s + drain ≤ 10 s",
            stopping.max() <= Duration::from_secs(15),
        );
        Ok(())
    }

    /// Keeps the endpoints as a cluster does: who is ready, some time ago.
    fn watch(&self, replicas: &Replicas, endpoints: &Mutex<Vec<SocketAddr>>, is_over: &AtomicBool) {
        let mut seen = VecDeque::new();
        while !is_over.load(Ordering::Relaxed) {
            seen.push_back((Instant::now(), ready(replicas)));
            while seen.front().is_some_and(|(at, _)| at.elapsed() >= Duration::from_millis(self.endpoints_delay)) {
                if let Some((_, ready)) = seen.pop_front().filter(|(_, ready)| !ready.is_empty()) {
                    *endpoints.lock().unwrap_or_else(PoisonError::into_inner) = ready;
                }
            }
            std::thread::sleep(PROBE);
        }
    }
}

/// Where those are that are ready.
fn ready(replicas: &Replicas) -> Vec<SocketAddr> {
    let all = replicas.iter().filter_map(|replica| {
        let replica = replica.lock().unwrap_or_else(PoisonError::into_inner);
        replica.as_ref().filter(|serving| serving.readiness().is_ok_and(|(is_ready, _)| is_ready)).map(|s| s.verbs)
    });
    all.collect()
}

/// Stops a replica, and says how long that took.
fn stop(replica: &Mutex<Option<Serving>>) -> io::Result<Duration> {
    let lock = || replica.lock().unwrap_or_else(PoisonError::into_inner);
    lock().as_ref().map_or(Ok(()), Serving::tell_to_stop)?;
    let has_ended = || lock().as_mut().is_none_or(|serving| serving.has_ended().is_ok_and(|ended| ended.is_some()));
    until(has_ended).ok_or_else(|| io::Error::other("it does not stop"))
}
