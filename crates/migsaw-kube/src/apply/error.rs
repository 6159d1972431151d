//! Why nothing more is done.

use super::config_map::PublishError;
use super::lease::{Held, LeaseError};
use super::pods::PodRef;
use super::record::RecordError;
use crate::cluster::ClusterError;

/// Why nothing more is done. What was begun is in the cluster, and can be gone on with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ApplyError {
    /// Somebody else is at it.
    #[error(transparent)]
    Held(#[from] Held),
    /// It was stopped before anything was changed.
    #[error("stopped before anything was changed")]
    Stopped,
    /// Somebody else has begun a rollout in between.
    #[error("rollout {id} was begun in between")]
    Meanwhile {
        /// Its id.
        id: String,
    },
    /// The nodes are not any more what the plan was made for.
    #[error("the cluster has changed since it was planned: {}", .nodes.join(", "))]
    Changed {
        /// The nodes that have.
        nodes: Vec<String>,
    },
    /// The `ConfigMap` with the configurations.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The rollout's record.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Pods would be evicted of which the plan knows nothing.
    #[error("the plan does not know of {}", listed(.pods))]
    Unplanned {
        /// The pods, with their nodes.
        pods: Vec<(String, PodRef)>,
    },
    /// The cluster does not do what was asked.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

/// The first of some pods, with their nodes.
fn listed(pods: &[(String, PodRef)]) -> String {
    let mut names: Vec<String> = pods.iter().take(3).map(|(node, pod)| format!("pod {pod} on {node}")).collect();
    if pods.len() > names.len() {
        names.push(format!("{} more", pods.len() - names.len()));
    }
    names.join(", ")
}

impl From<LeaseError> for ApplyError {
    fn from(error: LeaseError) -> ApplyError {
        match error {
            LeaseError::Held(held) => held.into(),
            LeaseError::Cluster(error) => error.into(),
            LeaseError::Stopped => ApplyError::Stopped,
        }
    }
}
