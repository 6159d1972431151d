//! HTTP around the extender: the verbs on one address, health and metrics on others.
//!
//! ```text
//! verbs     POST /filter /prioritize /preempt /bind, GET /debug/…    TLS, optional client certificates
//! health    GET /healthz /readyz                                     plain, for kubelet
//! metrics   GET /metrics                                             plain, for Prometheus
//! ```
//!
//! Everything that a caller could make long or large is limited: headers, bodies, requests in work, connections, time.
//! What is too much is refused at once, before its body is read, and counted.

mod answer;
mod bind;
mod capacity;
mod health;
mod limits;
mod metrics;
mod names;
mod routes;
mod run;
mod tls;

pub use answer::{Answers, Outcome, Reply, Verb};
pub use bind::{Bind, BindError, BindFuture};
pub use capacity::Capacity;
pub use health::{Ages, Health};
pub use metrics::Metrics;
pub use routes::{App, Follow, verbs};
pub use run::{Addresses, Config, Service, ServiceError};
pub use tls::{TlsError, TlsFiles};
