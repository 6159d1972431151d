//! `migsaw serve`: watches the cluster and answers kube-scheduler.

mod capacity;
mod logs;
#[cfg(feature = "otel")]
mod traces;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use migsaw_extender::fleet::{Fleet, Keeper};
use migsaw_extender::service::{
    App, Bind, BindError, BindFuture, Config, Health, Metrics, Service, ServiceError, TlsFiles,
};
use migsaw_extender::wire::BindArgs;
use migsaw_extender::{Extender, Settings};
use migsaw_kube::bind::{Binder, Promise, Wanted};
use migsaw_kube::scheduling::{Asks, Change, Site};
use migsaw_kube::watch::{Heard, Told, Trouble, Watching};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::Receiver;
use tokio::task::{JoinError, JoinSet};

use self::capacity::Asking;
use self::logs::Logs;
use super::problem::catalog;
use crate::Answer;
use crate::args::ServeArgs;
use crate::cluster::{Connection, wrong};
use crate::failure::{Failure, Problem, Step};
use crate::io::Io;

/// How often the outlook and what is measured are brought up to date.
const REFRESH: Duration = Duration::from_millis(500);
/// Changes that may wait to be taken.
const WAITING: usize = 4096;

/// Runs the command.
pub(crate) fn run(args: &ServeArgs, io: &mut Io<'_>) -> Result<Answer> {
    let catalog = catalog(&args.geometry, io)?;
    let logs = Logs::start(args)?;
    let Connection { cluster, runtime } = Connection::open(&args.access)?;
    let service = Service::bind(config(args)).map_err(|error| not_served(&error))?;
    let (keeper, heard, metrics) = (Keeper::new(&catalog), Heard::default(), Arc::new(Metrics::default()));
    let (ages, heard_by) = (heard.clone(), heard.clone());
    let health = Health::new(Box::new(move || ages.ages()), args.stale_after, args.unready_when_stale);
    let health = Arc::new(health);
    let settings = Settings {
        ignored_by_scheduler: args.ignored_by_scheduler,
        claim_ttl: args.reservation_ttl,
        shortlist: args.shortlist,
    };
    let binding = Binding {
        binder: Arc::new(Binder::new(cluster.clone(), args.namespace.clone())),
        fleet: Arc::clone(keeper.fleet()),
        heard: heard.clone(),
    };
    let app = Arc::new(App {
        answers: Extender::new(Arc::clone(keeper.fleet()), settings),
        bind: args.bind.then(|| Arc::new(binding) as Arc<dyn Bind>),
        metrics: Arc::clone(&metrics),
        health: Arc::clone(&health),
        client_names: args.client_name.clone(),
        follow: logs.follow,
        debug: args.debug,
        max_body: args.max_body,
        max_in_flight: usize::try_from(args.max_in_flight).unwrap_or(usize::MAX),
        timeout: args.request_timeout,
    });
    let site = (!args.capacity_every.is_zero()).then(Arc::<Mutex<Site>>::default);
    let asking = site.clone().map(|site| Asking {
        site,
        catalog: Arc::new(catalog),
        metrics: Arc::clone(&metrics),
        heard: Box::new(move || oldest(&heard_by)),
        every: args.capacity_every,
        limit: args.capacity_time_limit,
    });
    let watching = Watching { plan: Some((args.namespace.clone(), args.plan_config_map.clone())) };
    let served = runtime.block_on(async move {
        let (tell, told) = tokio::sync::mpsc::channel(WAITING);
        let mut watches = cluster.watch(&watching, &heard, tell).map_err(|error| wrong(&error))?;
        let addresses = service.addresses().context(Step::new("internal", "a listening socket has no address"))?;
        let (cluster, scheme) = (cluster.host(), if args.tls_cert.is_some() { "https" } else { "http" });
        tracing::info!(%cluster, verbs = %format!("{scheme}://{}", addresses.verbs), health = %addresses.health, metrics = %addresses.metrics, "listening");
        warn_of_strangers(args);
        let mut tasks = JoinSet::new();
        tasks.spawn(keep(keeper, site, told, health, metrics));
        if let Some(asking) = asking {
            tasks.spawn(asking.run());
        }
        tokio::select! {
            served = service.run(app, stopped()) => served.map_err(|error| not_served(&error))?,
            // Nothing here ends by itself; what was known would be served for ever.
            ended = tasks.join_next() => return Err(defect(ended)),
            ended = watches.join_next() => return Err(defect(ended)),
        }
        tracing::info!("stopped");
        Ok(Answer::Yes)
    });
    // A question about capacity that is being worked out is not waited for.
    runtime.shutdown_background();
    served
}

fn defect(ended: Option<Result<(), JoinError>>) -> anyhow::Error {
    let why = match ended {
        Some(Err(error)) => error.to_string(),
        _ => "it came to an end".to_owned(),
    };
    Failure::from(Problem::new("internal", format!("what keeps the cluster in view has stopped: {why}"))).into()
}

/// How long ago the API server last answered on the watch that it is longest ago on.
fn oldest(heard: &Heard) -> Duration {
    heard.ages().into_iter().map(|(_, age)| age).max().unwrap_or_default()
}

/// Says what anybody could do who reaches the verbs.
fn warn_of_strangers(args: &ServeArgs) {
    let is_open = args.client_ca.is_none() && !args.listen.ip().is_loopback();
    if is_open && args.bind {
        tracing::warn!("without --client-ca whoever reaches the verbs can bind any pending pod to any node");
    }
    if is_open && args.ignored_by_scheduler {
        tracing::warn!("without --client-ca whoever reaches the verbs can claim nodes for pods that do not exist");
    }
}

/// Keeps the fleet as the cluster is, and what a plan needs of it, if that is wanted.
async fn keep(
    mut keeper: Keeper,
    site: Option<Arc<Mutex<Site>>>,
    mut told: Receiver<Told>,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
) {
    let mut refresh = tokio::time::interval(REFRESH);
    let (mut planned, mut is_synced) = (None, false);
    loop {
        tokio::select! {
            told = told.recv() => match told {
                None => return,
                Some(Told::Trouble(Trouble { kind, message })) => {
                    metrics.watch_failed(kind);
                    // A watch is begun again; an object that cannot be read is passed over until it changes.
                    tracing::warn!(kind, message, "a watch failed, or what it told could not be read");
                }
                Some(Told::Change(change)) => {
                    if let Some(site) = &site {
                        site.lock().unwrap_or_else(PoisonError::into_inner).take(&change);
                    }
                    let plan = if let Change::Plan(plan) = &change { Some(plan.is_some()) } else { None };
                    match (keeper.apply(change), plan) {
                        (Err(error), _) => {
                            metrics.plan_failed();
                            tracing::error!(%error, "the plan is not used; the one before stays");
                        }
                        (Ok(()), Some(is_there)) => {
                            metrics.plan_taken();
                            planned = is_there.then(Instant::now);
                            tracing::info!(is_there, "the plan changed");
                        }
                        (Ok(()), None) => {}
                    }
                }
            },
            _ = refresh.tick() => {
                keeper.refresh(Instant::now());
                let known = keeper.known();
                metrics.known(known, keeper.fleet().claims.len());
                metrics.plan_is(planned.map(|since| since.elapsed()));
                if known.is_all && !std::mem::replace(&mut is_synced, true) {
                    health.synced();
                    tracing::info!(nodes = known.nodes, pods = known.pods, "ready: all nodes and pods are known");
                }
            }
        }
    }
}

/// Binds by what is known of the fleet.
#[derive(Clone)]
struct Binding {
    binder: Arc<Binder>,
    fleet: Arc<Fleet>,
    heard: Heard,
}

impl Bind for Binding {
    fn bind<'a>(&'a self, args: &'a BindArgs) -> BindFuture<'a> {
        let (binding, args) = (self.clone(), args.clone());
        // Whoever asks may hang up: what was begun is brought to its end, so that no promise stands in vain.
        let binding = tokio::spawn(async move { binding.run(&args).await });
        Box::pin(async move { binding.await.unwrap_or_else(|error| Err(error.to_string())).map_err(BindError::from) })
    }
}

impl Binding {
    async fn run(&self, BindArgs { namespace, name, uid, node }: &BindArgs) -> Result<(), String> {
        let has_room = |asks: &Asks, promised: &[Promise]| {
            let promised = promised.iter().filter(|promise| promise.uid != *uid);
            self.fleet.has_room(node, asks, promised.map(|promise| (promise.uid.as_str(), &promise.asks)))
        };
        let wanted = Wanted { namespace, name, uid, node };
        self.binder.bind(wanted, oldest(&self.heard), has_room).await.map_err(|error| error.to_string())
    }
}

/// Comes back when the process is told to stop.
async fn stopped() {
    let mut signals = [SignalKind::terminate(), SignalKind::interrupt()].map(|kind| signal(kind).ok());
    let [terminate, interrupt] = &mut signals;
    let one = async |signal: &mut Option<tokio::signal::unix::Signal>| match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    };
    tokio::select! {
        () = one(terminate) => {}
        () = one(interrupt) => {}
    }
    tracing::info!("told to stop: answering a little longer, as not ready");
}

fn config(args: &ServeArgs) -> Config {
    let pair = args.tls_cert.clone().zip(args.tls_key.clone());
    Config {
        verbs: args.listen,
        health: args.health_listen,
        metrics: args.metrics_listen,
        tls: pair.map(|(certificate, key)| TlsFiles { certificate, key, client_ca: args.client_ca.clone() }),
        insecure_http: args.insecure_http,
        shutdown_delay: args.shutdown_delay,
        drain_timeout: args.drain_timeout,
    }
}

fn not_served(error: &ServiceError) -> Failure {
    let problem = |code: &str| Problem::new(code, error.to_string());
    Failure::from(match error {
        ServiceError::PlainHttp { .. } => problem("plain-http")
            .help("give it a certificate (--tls-cert, --tls-key), listen on 127.0.0.1, or say --insecure-http"),
        ServiceError::Listen { .. } => problem("listen"),
        ServiceError::Tls(_) => problem("certificate"),
        _ => problem("internal"),
    })
}
