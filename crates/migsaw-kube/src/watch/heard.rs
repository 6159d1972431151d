//! The client of the watches: hears when the API server answers, and neither waits for it for ever nor pesters it.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use kube::client::{Body, ClientBuilder};
use kube::{Client, Config};
use tokio::time::{Instant, sleep_until, timeout};
use tower::layer::layer_fn;
use tower::{BoxError, Service};

/// How long the API server may take until it begins to answer. It may keep a list waiting, but then no watch goes on.
const BEGINNING: Duration = Duration::from_secs(30);
/// The watch of a kind is begun so long after it was begun before, at the earliest, even where each ends at once.
const APART: Duration = Duration::from_secs(1);

/// When the API server last answered a watch of each kind. What a list says is not known before it has come to its end and
/// the watch after it has begun, however many of its pages there are: they do not count.
#[derive(Debug, Clone)]
pub struct Heard {
    begun: Instant,
    /// Milliseconds since then.
    kinds: Arc<[(&'static str, AtomicU64)]>,
}

impl Default for Heard {
    fn default() -> Heard {
        Heard { begun: Instant::now(), kinds: ["nodes", "pods"].map(|kind| (kind, AtomicU64::new(0))).into() }
    }
}

impl Heard {
    /// How long ago it was, by kind; before the first answer, since this was made.
    pub fn ages(&self) -> Vec<(&'static str, Duration)> {
        let now = self.begun.elapsed();
        let age = |at: &AtomicU64| now.saturating_sub(Duration::from_millis(at.load(Ordering::Relaxed)));
        self.kinds.iter().map(|(kind, at)| (*kind, age(at))).collect()
    }

    /// A client whose answers are heard.
    pub(super) fn client(&self, config: &Config) -> kube::Result<Client> {
        let listening = layer_fn(|inner| self.listening(inner));
        Ok(ClientBuilder::try_from(config.clone())?.with_layer(&listening).build())
    }

    /// The same of any service.
    pub(super) fn listening<S>(&self, inner: S) -> Listening<S> {
        Listening { inner, heard: self.clone(), begun: HashMap::new() }
    }

    fn note(&self, kind: &str) {
        if let Some((_, at)) = self.kinds.iter().find(|(known, _)| *known == kind) {
            at.store(u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }
}

/// A client's service, with an ear to its answers. A connection on which none begins is given up: a watch has no time-out of
/// its own before its first byte, and would wait for ever on a server that is cut off.
pub(super) struct Listening<S> {
    inner: S,
    heard: Heard,
    /// When the watch of each kind was begun, by path.
    begun: HashMap<String, Instant>,
}

impl<S> Listening<S> {
    /// When this request may begin.
    fn due(&mut self, request: &Request<Body>) -> Instant {
        let (uri, now) = (request.uri(), Instant::now());
        if !is_watch(request) {
            return now;
        }
        let before = self.begun.get(uri.path());
        let due = before.map_or(now, |before| now.max(*before + APART));
        self.begun.insert(uri.path().to_owned(), due);
        due
    }
}

fn is_watch(request: &Request<Body>) -> bool {
    request.uri().query().is_some_and(|query| query.split('&').any(|pair| pair.starts_with("watch=")))
}

impl<S, B> Service<Request<Body>> for Listening<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (due, is_watch) = (self.due(&request), is_watch(&request));
        let kind = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        let (heard, answering) = (self.heard.clone(), self.inner.call(request));
        Box::pin(async move {
            sleep_until(due).await;
            let silent = |_| format!("no answer within {} s", BEGINNING.as_secs());
            let response = timeout(BEGINNING, answering).await.map_err(silent)?.map_err(Into::into)?;
            if is_watch && response.status().is_success() {
                heard.note(&kind);
            }
            Ok(response)
        })
    }
}
