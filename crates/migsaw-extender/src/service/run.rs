//! Listening, and stopping without losing a request.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use axum_server::{Control, Handle, Server};

use super::answer::Answers;
use super::health::Health;
use super::limits::Limited;
use super::metrics::Metrics;
use super::routes::{App, verbs};
use super::tls::{Loaded, TlsError, TlsFiles, keep_current};

/// The longest a client may take for its headers, and for a TLS handshake.
const HEADERS: Duration = Duration::from_secs(5);
/// How long a connection may be idle. kube-scheduler keeps its own for 90 s; whoever closes first must not be us.
const IDLE: Duration = Duration::from_secs(120);
/// The most connections at a time.
const CONNECTIONS: usize = 1024;

/// Where to listen, and how.
#[derive(Debug, Clone)]
pub struct Config {
    /// For kube-scheduler.
    pub verbs: SocketAddr,
    /// For kubelet's probes.
    pub health: SocketAddr,
    /// For Prometheus.
    pub metrics: SocketAddr,
    /// Certificates; without them the verbs are plain HTTP.
    pub tls: Option<TlsFiles>,
    /// Whether plain HTTP is allowed where others than this machine can reach it.
    pub insecure_http: bool,
    /// How long it goes on answering after it has said that it is not ready.
    pub shutdown_delay: Duration,
    /// How long requests in work may take after that.
    pub drain_timeout: Duration,
}

/// What keeps a service from starting, or ends it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServiceError {
    /// Plain HTTP where others can reach it.
    #[error("{address} can be reached from other machines, and plain HTTP would let anybody ask and read")]
    PlainHttp {
        /// The address.
        address: SocketAddr,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        reason: io::Error,
    },
    /// Certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A server ended by itself.
    #[error("a server ended: {0}")]
    Ended(io::Error),
}

/// A service that listens and does not answer yet.
pub struct Service {
    verbs: TcpListener,
    health: TcpListener,
    metrics: TcpListener,
    tls: Option<(TlsFiles, Loaded)>,
    config: Config,
}

/// Where a service listens: the ports too, where the system has chosen them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// For kube-scheduler.
    pub verbs: SocketAddr,
    /// For kubelet's probes.
    pub health: SocketAddr,
    /// For Prometheus.
    pub metrics: SocketAddr,
}

impl Service {
    /// Begins to listen.
    ///
    /// # Errors
    /// [`ServiceError`] if that cannot be, or must not.
    pub fn bind(config: Config) -> Result<Service, ServiceError> {
        if config.tls.is_none() && !config.insecure_http && !config.verbs.ip().is_loopback() {
            return Err(ServiceError::PlainHttp { address: config.verbs });
        }
        let tls = config.tls.clone().map(|files| files.load().map(|loaded| (files, loaded))).transpose()?;
        let listen =
            |address: SocketAddr| TcpListener::bind(address).map_err(|reason| ServiceError::Listen { address, reason });
        Ok(Service {
            verbs: listen(config.verbs)?,
            health: listen(config.health)?,
            metrics: listen(config.metrics)?,
            tls,
            config,
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn addresses(&self) -> io::Result<Addresses> {
        Ok(Addresses {
            verbs: self.verbs.local_addr()?,
            health: self.health.local_addr()?,
            metrics: self.metrics.local_addr()?,
        })
    }

    /// Answers until `stop` is done, and then as long as it takes to end without losing a request: it says that it is
    /// not ready, goes on for [`Config::shutdown_delay`], and lets what is in work end.
    ///
    /// # Errors
    /// [`ServiceError::Ended`] if a server ends by itself.
    pub async fn run<A: Answers>(self, app: Arc<App<A>>, stop: impl Future<Output = ()>) -> Result<(), ServiceError> {
        let Service { verbs: listener, health: for_health, metrics: for_metrics, tls, config } = self;
        let control = Control::new();
        let (health, metrics) = (Arc::clone(&app.health), Arc::clone(&app.metrics));
        let plain = |listener: TcpListener, routes: Router| {
            let server = with_limits(axum_server::from_tcp(listener).map_err(ServiceError::Ended)?, &control);
            let server = server.map(|_| Limited::to(CONNECTIONS, NoDelayAcceptor::new()));
            Ok::<_, ServiceError>(tokio::spawn(server.serve(routes.into_make_service())))
        };
        let mut tasks = vec![
            plain(for_health, probes(Arc::clone(&health)))?,
            plain(for_metrics, measured(Arc::clone(&metrics), Arc::clone(&health)))?,
        ];
        let mut reload = None;
        let routes = verbs(app);
        match tls {
            None => tasks.push(plain(listener, routes)?),
            Some((files, loaded)) => {
                metrics.certificate_expiry.get_or_create(&[]).set(loaded.expiry);
                let rustls = RustlsConfig::from_config(Arc::clone(&loaded.config));
                reload = Some(tokio::spawn(keep_current(files, loaded, rustls.clone(), metrics)));
                let acceptor = RustlsAcceptor::new(rustls).handshake_timeout(HEADERS).acceptor(NoDelayAcceptor::new());
                let server = with_limits(axum_server::from_tcp(listener).map_err(ServiceError::Ended)?, &control);
                let server = server.map(|_| Limited::to(CONNECTIONS, acceptor));
                tasks.push(tokio::spawn(server.serve(routes.into_make_service())));
            }
        }
        let mut servers = futures::future::select_all(tasks);
        let ended = tokio::select! {
            () = stop => None,
            (ended, ..) = &mut servers => Some(ended),
        };
        if ended.is_none() {
            health.drain();
            tokio::time::sleep(config.shutdown_delay).await;
            control.graceful_shutdown(Some(config.drain_timeout));
            for server in servers.into_inner() {
                let _ = server.await;
            }
        }
        if let Some(reload) = reload {
            reload.abort();
        }
        match ended {
            Some(Ok(Err(error))) => Err(ServiceError::Ended(error)),
            Some(Err(error)) => Err(ServiceError::Ended(io::Error::other(error))),
            Some(Ok(Ok(()))) | None => Ok(()),
        }
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("config", &self.config).finish_non_exhaustive()
    }
}

fn with_limits<A>(mut server: Server<SocketAddr, A>, control: &Control) -> Server<SocketAddr, A> {
    // hyper counts the time between two requests as well, so only the first one can be held to less.
    server.http_builder().http1().header_read_timeout(IDLE).keep_alive(true);
    server.http_builder().http2().keep_alive_interval(IDLE).max_concurrent_streams(256);
    server.handle(Handle::with_control(control.clone())).first_request_timeout(HEADERS)
}

fn probes(health: Arc<Health>) -> Router {
    let ready = |State(health): State<Arc<Health>>| async move {
        let readiness = health.readiness();
        let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        (status, axum::Json(readiness))
    };
    Router::new().route("/healthz", get(async || "ok")).route("/readyz", get(ready)).with_state(health)
}

fn measured(metrics: Arc<Metrics>, health: Arc<Health>) -> Router {
    let text = async move || {
        let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        ([(CONTENT_TYPE, kind)], metrics.text(&health)).into_response()
    };
    Router::new().route("/metrics", get(text))
}
