//! What `apply` and `abort` have in common: acting on a cluster while saying what happens.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use migsaw::document::applied::AppliedDocument;
use migsaw_kube::apply::{Applier, ApplyError, Doing, LeaseTimes, Patience, Progress, Published, Settings};
use migsaw_kube::cluster::Cluster;
use migsaw_report::{clean, counted};

use crate::Answer;
use crate::args::{AccessArgs, ActingArgs, Format};
use crate::budget::{heed_interrupts, interrupted};
use crate::cluster::{Connection, not_applied};
use crate::io::Io;
use crate::output::{self, say};

/// The shortest Lease: the API server counts whole seconds.
const SHORTEST_LEASE: Duration = Duration::from_secs(1);
/// What is said where nothing tells which `ConfigMap` MIG Manager reads.
pub(super) const NO_POLICY: &str = "no ClusterPolicy can be seen: make sure that MIG Manager reads that ConfigMap";
/// How often is looked whether somebody pressed Ctrl-C.
const TICK: Duration = Duration::from_millis(200);

/// How to act, by the arguments.
pub(super) fn settings(access: &AccessArgs, acting: &ActingArgs, roll_back: bool) -> Settings {
    Settings {
        namespace: access.operator_namespace.clone(),
        by: identity(),
        lease: LeaseTimes::of(acting.lease.max(SHORTEST_LEASE)),
        patience: patience(acting),
        roll_back,
        stop: Arc::default(),
        cordoned: Arc::default(),
        progress: Arc::new(|_| {}),
    }
}

fn patience(acting: &ActingArgs) -> Patience {
    Patience {
        evict: acting.evict_timeout,
        end: acting.end_timeout,
        cut: acting.cut_timeout,
        slices: acting.slices_timeout,
        config: acting.config_delay,
        poll: acting.poll,
        ..Patience::default()
    }
}

/// A name that no other process has: host, process, and time.
fn identity() -> String {
    let host = hostname::get().map(|host| host.to_string_lossy().into_owned()).unwrap_or_default();
    let now = Timestamp::now().as_nanosecond().rem_euclid(1_000_000_000);
    format!("{host}_{}_{now:09}", std::process::id())
}

/// Runs something that acts, on threads of its own, and says here what happens. The first Ctrl-C asks it to stop
/// at a safe point, the second ends the process.
pub(super) fn acting<T: Send, F: Future<Output = Result<T, ApplyError>>>(
    connection: &Connection,
    settings: Settings,
    io: &mut Io<'_>,
    act: impl FnOnce(Settings) -> F + Send,
) -> Result<T> {
    heed_interrupts();
    let namespace = settings.namespace.clone();
    let (stop, cordoned) = (Arc::clone(&settings.stop), Arc::clone(&settings.cordoned));
    let (told, hears) = channel();
    let settings = Settings { progress: telling(told), ..settings };
    let runtime = &connection.runtime;
    let result = std::thread::scope(|scope| {
        let acting = scope.spawn(|| runtime.block_on(act(settings)));
        loop {
            match hears.recv_timeout(TICK) {
                Ok(progress) => say(io, &line(&progress)),
                // All who could tell anything are gone: it has ended.
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if interrupted() && !stop.swap(true, Ordering::Relaxed) {
                say(io, "stopping: nodes that were begun come to their end (Ctrl-C again leaves them as they are)");
            }
        }
        acting.join()
    });
    match result {
        Ok(Ok(result)) => Ok(result),
        Ok(Err(error)) => {
            let cordoned = cordoned.lock().unwrap_or_else(PoisonError::into_inner);
            if !cordoned.is_empty() {
                let nodes: Vec<String> = cordoned.iter().map(|node| clean(node).into_owned()).collect();
                let nodes = nodes.join(", ");
                say(
                    io,
                    &format!(
                        "still cordoned: {nodes}; `migsaw apply` goes on, `migsaw abort` takes back what is half-done"
                    ),
                );
            }
            Err(not_applied(&error, &namespace).into())
        }
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

fn telling(told: Sender<Progress>) -> Arc<dyn Fn(Progress) + Send + Sync> {
    // Nobody listens any more only when this process ends.
    Arc::new(move |progress| drop(told.send(progress)))
}

/// Takes the Lease, acts, gives it back.
pub(super) async fn with_lease<T>(
    cluster: &Cluster,
    settings: Settings,
    act: impl AsyncFnOnce(&Applier) -> Result<T, ApplyError>,
) -> Result<T, ApplyError> {
    let applier = Applier::start(cluster, settings).await?;
    let result = act(&applier).await;
    applier.end().await;
    result
}

fn line(progress: &Progress) -> String {
    let time = Timestamp::now().strftime("%H:%M:%SZ");
    let text = match progress {
        Progress::AwaitingLease { holder } => format!("waiting for the Lease of {}", clean(holder)),
        Progress::Published(published) => published_text(published),
        Progress::AwaitingConfig(left) => {
            format!("waiting {} s until MIG Managers have seen the new ConfigMap", left.as_secs().max(1))
        }
        Progress::Wave { number, of } => format!("wave {number} of {of}"),
        Progress::Node { node, doing } => format!("  {}: {}", clean(node), doing_text(doing)),
    };
    format!("{time} {text}")
}

fn published_text(published: &Published) -> String {
    let written = if published.has_changed { "was written" } else { "says it all already" };
    let text = format!("ConfigMap {} {written}", clean(&published.name));
    if published.is_policy_known { text } else { format!("{text}; {NO_POLICY}") }
}

fn doing_text(doing: &Doing) -> String {
    let pods = |n: &usize| counted(*n as u64, "pod");
    match doing {
        Doing::Cordoned => "cordoned".to_owned(),
        Doing::Evicting(n) => format!("evicting {}", pods(n)),
        Doing::NotNow(message) => format!("not yet evicted: {}", clean(message)),
        Doing::AwaitingPods(n) => format!("waiting for {} to end", pods(n)),
        Doing::Labelled(config) => format!("labelled {}", clean(config)),
        Doing::AwaitingCut(Some(state)) => format!("MIG Manager: {}", clean(state)),
        Doing::AwaitingCut(None) => "waiting for MIG Manager".to_owned(),
        Doing::AwaitingSlices => "waiting for the device plugin".to_owned(),
        Doing::Uncordoned => "uncordoned".to_owned(),
        Doing::Trouble(trouble) => format!("trouble: {}", clean(&trouble.to_string())),
    }
}

/// Says what became of a rollout.
pub(super) fn report(applied: &AppliedDocument, format: Format, io: &mut Io<'_>) -> Result<Answer> {
    match format {
        Format::Text => output::text(io, &migsaw_report::applied::text(applied, io.style()))?,
        format => output::document(io, applied, format)?,
    }
    Ok(Answer::yes_if(applied.complete))
}
