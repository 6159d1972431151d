//! Writing: only while it is on us to write, and again where the API server did not answer.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::error::ApplyError;
use super::lease::LeaseError;
use super::record::StepRecord;
use super::run::Applier;
use super::trouble::Trouble;
use crate::cluster::{Transient, patiently, refused};

/// Why something was not done.
pub(super) enum NotDone {
    /// The API server refuses it: something is wrong with this node.
    Refused(Trouble),
    /// Nothing more can be done at all.
    Over(ApplyError),
}

/// Why a write did not succeed.
enum Failed {
    Lease(LeaseError),
    Cluster(kube::Error),
}

impl Transient for Failed {
    fn is_transient(&self) -> bool {
        matches!(self, Failed::Cluster(error) if error.is_transient())
    }
}

impl Applier {
    /// Writes to a node. Whether it was written: not if the node has changed.
    pub(super) async fn act<F: Future<Output = kube::Result<bool>>>(
        &self,
        step: &StepRecord,
        what: &str,
        act: impl Fn() -> F,
    ) -> Result<bool, NotDone> {
        let written = self.write(&format!("{what} node {}", step.node), act).await?;
        if !written {
            // Somebody else is writing to it.
            sleep(Duration::from_millis(50)).await;
        }
        Ok(written)
    }

    /// Writes about a node.
    pub(super) async fn write<T, F: Future<Output = kube::Result<T>>>(
        &self,
        action: &str,
        write: impl Fn() -> F,
    ) -> Result<T, NotDone> {
        self.guarded(action, write).await.map_err(|error| match error {
            ApplyError::Cluster(error) if error.is_refusal() => {
                NotDone::Refused(Trouble::Refused { message: error.to_string() })
            }
            error => NotDone::Over(error),
        })
    }

    /// Writes, each time only if it is still on us to write, and never longer than that holds.
    pub(super) async fn guarded<T, F: Future<Output = kube::Result<T>>>(
        &self,
        action: &str,
        write: impl Fn() -> F,
    ) -> Result<T, ApplyError> {
        let attempt = || async {
            self.lease.allows().await.map_err(Failed::Lease)?;
            let answer = timeout(self.lease.longest_write(), write()).await;
            let answer = answer.unwrap_or_else(|_| Err(kube::Error::Service("no answer in time".into())));
            answer.map_err(Failed::Cluster)
        };
        patiently(self.settings.patience.api, attempt).await.map_err(|failed| match failed {
            Failed::Lease(error) => error.into(),
            Failed::Cluster(error) => refused(action)(error).into(),
        })
    }
}
