//! Binding, where that is switched on.

use std::future::Future;
use std::pin::Pin;

use crate::wire::BindArgs;

/// Who binds pods to nodes.
pub trait Bind: Send + Sync + 'static {
    /// Binds a pod to a node, or says why not. Whoever asks again for the same gets the same answer.
    fn bind<'a>(&'a self, args: &'a BindArgs) -> BindFuture<'a>;
}

/// What binding comes to.
pub type BindFuture<'a> = Pin<Box<dyn Future<Output = Result<(), BindError>> + Send + 'a>>;

/// A pod is not bound.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct BindError {
    /// Why not.
    pub message: String,
}

impl From<String> for BindError {
    fn from(message: String) -> BindError {
        BindError { message }
    }
}
