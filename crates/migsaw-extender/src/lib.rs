//! A kube-scheduler extender: which node a pod that asks for MIG slices should go to, and which it must not.
//!
//! The scheduler counts slices by itself. What it cannot see is what a place is worth to the pods that are still to
//! come, which nodes a rollout is about to empty, and which could never be cut for a pod. For that it asks an extender.
//!
//! - [`wire`]: what it sends and expects, as JSON.
//! - [`fleet`]: what is known of the cluster. One [`Keeper`](fleet::Keeper) takes changes; all requests read.
//! - [`Extender`]: the verbs, as functions of a fleet and a request. They do no I/O and wait for nobody.
//! - [`service`]: HTTP around it, with TLS, limits, metrics and health.
//!
//! Nothing here talks to the API server: changes come as [`Change`](migsaw_kube::scheduling::Change)s from whoever
//! watches it.

mod decide;
mod explain;
mod extender;
pub mod fleet;
pub mod service;
pub mod wire;

pub use decide::Reason;
pub use explain::{Journal, NodeExplained, PodExplained};
pub use extender::{Extender, SHORTLIST, Settings, Tally};
