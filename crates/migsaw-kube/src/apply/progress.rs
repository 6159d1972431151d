//! What is said while a rollout goes on.

use std::time::Duration;

use super::config_map::Published;
use super::trouble::Trouble;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// Somebody holds the Lease, or has left it unreleased: it is waited for that it runs out.
    AwaitingLease {
        /// Who.
        holder: String,
    },
    /// The configurations are where MIG Managers read them.
    Published(Published),
    /// The `ConfigMap` is new, and MIG Managers have to see it first.
    AwaitingConfig(Duration),
    /// A wave begins.
    Wave {
        /// Which one, from 1.
        number: usize,
        /// Of how many.
        of: usize,
    },
    /// Something happened to a node.
    Node {
        /// The node.
        node: String,
        /// What.
        doing: Doing,
    },
}

/// What happens to a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doing {
    /// It was cordoned.
    Cordoned,
    /// Pods were evicted; so many were there.
    Evicting(usize),
    /// An eviction was refused.
    NotNow(String),
    /// So many pods have yet to end.
    AwaitingPods(usize),
    /// Its label was changed.
    Labelled(String),
    /// MIG Manager is at it, in this state.
    AwaitingCut(Option<String>),
    /// The device plugin has yet to offer the slices.
    AwaitingSlices,
    /// It was uncordoned.
    Uncordoned,
    /// It does not become what it was to be.
    Trouble(Trouble),
}
