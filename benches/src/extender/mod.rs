//! A scheduler extender under load: a made-up fleet, what a scheduler would ask, and who asks and answers.
//!
//! - [`fleet`]: nodes and pods as the API server sends them, from a seed;
//! - [`requests`]: bodies as kube-scheduler sends them;
//! - [`pass_through`]: an extender that reads a request and decides nothing, to compare with;
//! - [`serve`]: both extenders in a process of their own;
//! - [`connection`]: one connection of a scheduler, [`crowd`]: many;
//! - [`api_server`]: as much of an API server as `migsaw serve` needs;
//! - [`trials`]: `migsaw serve` itself under what it should survive.

pub mod api_server;
pub mod connection;
pub mod crowd;
pub mod fleet;
pub mod pass_through;
pub mod requests;
pub mod serve;
pub mod trials;
