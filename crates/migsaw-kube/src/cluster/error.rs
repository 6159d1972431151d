//! What can go wrong between here and the API server.

use std::future::Future;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};

/// The cluster does not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// It is not known which cluster to talk to, or as whom.
    #[error("no usable kubeconfig: {reason}")]
    Config {
        /// What is wrong with it.
        reason: String,
    },
    /// No right to do it.
    #[error("no right to {action}: {message}")]
    Forbidden {
        /// What was tried.
        action: String,
        /// What the API server says.
        message: String,
    },
    /// The API server refused.
    #[error("cannot {action}: {message}")]
    Refused {
        /// What was tried.
        action: String,
        /// What the API server says.
        message: String,
    },
    /// The namespace in which something was to be done is not there.
    #[error("cannot {action}: there is no namespace `{namespace}`")]
    NoNamespace {
        /// What was tried.
        action: String,
        /// The namespace.
        namespace: String,
    },
    /// No answer.
    #[error("cannot {action}: the API server does not answer ({message})")]
    Unreachable {
        /// What was tried.
        action: String,
        /// Why not.
        message: String,
    },
}

impl ClusterError {
    /// A stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            ClusterError::Config { .. } => "cluster-config",
            ClusterError::Forbidden { .. } => "cluster-forbidden",
            ClusterError::Refused { .. } => "cluster-refused",
            ClusterError::NoNamespace { .. } => "cluster-no-namespace",
            ClusterError::Unreachable { .. } => "cluster-unreachable",
        }
    }

    /// Whether the API server has answered, and would answer so again.
    pub(crate) fn is_refusal(&self) -> bool {
        match self {
            ClusterError::Forbidden { .. } | ClusterError::Refused { .. } | ClusterError::NoNamespace { .. } => true,
            ClusterError::Config { .. } | ClusterError::Unreachable { .. } => false,
        }
    }
}

/// Says what was tried when it failed.
pub(crate) fn refused(action: impl Into<String>) -> impl FnOnce(kube::Error) -> ClusterError {
    let action = action.into();
    move |error| match error {
        kube::Error::Api(status) if matches!(status.code, 401 | 403) => {
            ClusterError::Forbidden { action, message: status.message }
        }
        kube::Error::Api(status) => match status.details {
            Some(missing) if status.code == 404 && missing.kind == "namespaces" => {
                ClusterError::NoNamespace { action, namespace: missing.name }
            }
            _ => ClusterError::Refused { action, message: status.message },
        },
        error if error.is_transient() => ClusterError::Unreachable { action, message: last_cause(&error) },
        error => ClusterError::Refused { action, message: last_cause(&error) },
    }
}

fn last_cause(error: &kube::Error) -> String {
    let mut last: &dyn std::error::Error = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}

/// Whether the object is not there.
pub(crate) fn is_absent(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}

/// Whether the object has changed in between, or is another one by now.
pub(crate) fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}

/// An error after which the same may succeed a little later, or not.
pub(crate) trait Transient {
    fn is_transient(&self) -> bool;
}

impl Transient for kube::Error {
    /// No connection, or a server that is busy or starting.
    fn is_transient(&self) -> bool {
        match self {
            kube::Error::Api(status) => matches!(status.code, 408 | 429 | 500 | 502..=504),
            kube::Error::Service(_) | kube::Error::HyperError(_) | kube::Error::ReadEvents(_) => true,
            _ => false,
        }
    }
}

/// Asks until there is an answer: for so long, at growing intervals. Only for what may be done twice.
pub(crate) async fn patiently<T, E: Transient, F: Future<Output = Result<T, E>>>(
    patience: Duration,
    ask: impl FnMut() -> F,
) -> Result<T, E> {
    let intervals = ExponentialBuilder::new()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(5))
        .with_total_delay(Some(patience))
        .without_max_times()
        .with_jitter();
    ask.retry(intervals).when(E::is_transient).await
}
