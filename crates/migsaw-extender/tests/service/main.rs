//! The service on loopback: what it answers, whom it refuses, what it survives and how it ends.

#![expect(clippy::unwrap_used, reason = "tests")]

mod bodies;
mod certificates;
#[path = "../common/mod.rs"]
mod common;
mod health;
mod limits;
mod measured;
mod raw;
mod renewal;
mod routes;
mod shutdown;
mod slow;
mod tls;

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::World;
use common::objects::{H100, bare, node, pod};
use migsaw_extender::service::{
    Addresses, Answers, App, Bind, Config, Health, Metrics, Service, ServiceError, TlsFiles,
};
use migsaw_extender::{Extender, Settings};
use raw::Connection;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long something may take that is waited for; nothing is said of how fast it is.
const PATIENCE: Duration = Duration::from_secs(120);

/// How a service is set up.
struct Setup {
    tls: Option<TlsFiles>,
    client_names: Vec<String>,
    bind: Option<Arc<dyn Bind>>,
    debug: bool,
    max_body: usize,
    max_in_flight: usize,
    timeout: Duration,
    shutdown_delay: Duration,
    drain_timeout: Duration,
    health: Health,
}

impl Default for Setup {
    fn default() -> Setup {
        Setup {
            tls: None,
            client_names: Vec::new(),
            bind: None,
            debug: false,
            max_body: 1 << 20,
            max_in_flight: 16,
            timeout: PATIENCE,
            shutdown_delay: Duration::ZERO,
            drain_timeout: PATIENCE,
            health: fresh(),
        }
    }
}

/// The health of a service whose watches are fine.
fn fresh() -> Health {
    Health::new(Box::new(|| vec![("nodes", Duration::ZERO), ("pods", Duration::ZERO)]), Duration::from_secs(90), false)
}

/// A service that runs.
struct Site {
    at: Addresses,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), ServiceError>>,
}

/// An extender of two nodes, one of which has slices.
fn extender() -> Extender {
    World::new(Settings::default(), &[node("a", H100, 1, "1g.10gb=7"), bare("b")], &[]).extender
}

/// The body of a filter or prioritize for these two.
fn question() -> String {
    common::names(&pod("p", "1g.10gb=1"), &["a", "b"])
}

fn loopback() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 0).into()
}

fn config(setup: &Setup) -> Config {
    Config {
        verbs: loopback(),
        health: loopback(),
        metrics: loopback(),
        tls: setup.tls.clone(),
        insecure_http: false,
        shutdown_delay: setup.shutdown_delay,
        drain_timeout: setup.drain_timeout,
    }
}

impl Site {
    async fn start<A: Answers>(answers: A, setup: Setup) -> Site {
        certificates::install();
        let service = Service::bind(config(&setup)).unwrap();
        let at = service.addresses().unwrap();
        let (health, metrics) = (Arc::new(setup.health), Arc::new(Metrics::default()));
        let app = Arc::new(App {
            answers,
            bind: setup.bind,
            metrics: Arc::clone(&metrics),
            health: Arc::clone(&health),
            client_names: setup.client_names,
            follow: None,
            debug: setup.debug,
            max_body: setup.max_body,
            max_in_flight: setup.max_in_flight,
            timeout: setup.timeout,
        });
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(service.run(app, async move { drop(stopped.await) }));
        // It listens already; the first answer says that it serves.
        assert_eq!(Connection::to(at.health).await.ask("GET", "/healthz", "").await.status, 200);
        Site { at, health, metrics, stop: Some(stop), task }
    }

    /// An answer on a connection of its own.
    async fn ask(&self, method: &str, path: &str, body: &str) -> raw::Answer {
        Connection::to(self.at.verbs).await.ask(method, path, body).await
    }

    async fn filter(&self) -> raw::Answer {
        self.ask("POST", "/filter", &question()).await
    }

    /// The value of a metric, written as in the text; 0 if it is not there.
    async fn metric(&self, name: &str) -> i64 {
        let text = Connection::to(self.at.metrics).await.ask("GET", "/metrics", "").await.body;
        measured::sample(&text, name)
    }

    /// How many requests of a verb came to this.
    async fn count(&self, verb: &str, outcome: &str) -> i64 {
        let labels = format!("{{verb=\"{verb}\",outcome=\"{outcome}\"}}");
        self.metric(&format!("migsaw_extender_request_duration_seconds_count{labels}")).await
    }

    fn tell_to_stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Stops it, if that has not been said yet, and waits for its end.
    async fn end(mut self) {
        if self.stop.is_some() {
            self.tell_to_stop();
        }
        let ended = tokio::time::timeout(PATIENCE, self.task).await.expect("it ends");
        ended.unwrap().unwrap();
    }
}

/// Waits until something holds.
async fn until<F: Future<Output = bool>>(what: &str, holds: impl Fn() -> F) {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < PATIENCE, "not even after a long time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A recorded body or headers.
fn recorded(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)).unwrap()
}
