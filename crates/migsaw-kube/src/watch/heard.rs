//! When the API server was last heard.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http::{Request, Response};
use kube::client::{Body, ClientBuilder};
use kube::{Client, Config};
use tower::Service;
use tower::layer::layer_fn;

/// When the API server last answered on the watches of each kind.
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
        let heard = self.clone();
        let listening = layer_fn(move |inner| Listening { inner, heard: heard.clone() });
        Ok(ClientBuilder::try_from(config.clone())?.with_layer(&listening).build())
    }

    fn note(&self, kind: &str) {
        if let Some((_, at)) = self.kinds.iter().find(|(known, _)| *known == kind) {
            at.store(u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
    }
}

/// A client's service, with an ear to its answers.
struct Listening<S> {
    inner: S,
    heard: Heard,
}

impl<S, B> Service<Request<Body>> for Listening<S>
where
    S: Service<Request<Body>, Response = Response<B>>,
    S::Future: Send + 'static,
    S::Error: 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let kind = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        let (heard, answering) = (self.heard.clone(), self.inner.call(request));
        Box::pin(async move {
            let response = answering.await?;
            if response.status().is_success() {
                heard.note(&kind);
            }
            Ok(response)
        })
    }
}
