//! How many connections there may be.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use axum_server::accept::Accept;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower_http::add_extension::AddExtension;

/// Accepts no more than so many connections at a time; the others are closed at once.
#[derive(Debug, Clone)]
pub(super) struct Limited<A> {
    inner: A,
    places: Arc<Semaphore>,
}

impl<A> Limited<A> {
    pub(super) fn to(most: usize, inner: A) -> Limited<A> {
        Limited { inner, places: Arc::new(Semaphore::new(most)) }
    }
}

type Accepted<I, S> = Pin<Box<dyn Future<Output = io::Result<(I, S)>> + Send>>;

impl<I, S, A> Accept<I, S> for Limited<A>
where
    A: Accept<I, S>,
    A::Future: Send + 'static,
    A::Stream: Send,
    A::Service: Send,
{
    type Stream = A::Stream;
    /// The place is given back when the connection's service is dropped.
    type Service = AddExtension<A::Service, Arc<OwnedSemaphorePermit>>;
    type Future = Accepted<Self::Stream, Self::Service>;

    fn accept(&self, stream: I, service: S) -> Self::Future {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let accepted = self.inner.accept(stream, service);
        Box::pin(async move {
            let place = place.map_err(|_| io::Error::new(io::ErrorKind::ConnectionRefused, "too many connections"))?;
            let (stream, service) = accepted.await?;
            Ok((stream, AddExtension::new(service, Arc::new(place))))
        })
    }
}
