//! A plan in the form the GPU Operator takes: the `ConfigMap` of MIG Manager and the node labels that
//! choose from it.
//!
//! A rollout becomes a script of `kubectl` commands ([`runbook`]).
//!
//! Nothing is applied here. MIG Manager acts when a node's label changes, and evicts nobody: what uses
//! the node's GPUs must be gone by then.

mod advertised;
mod config;
mod config_map;
mod labels;
mod runbook;
mod standard;

pub use advertised::advertised;
pub use config::plan_config;
pub use config_map::{ConfigMap, ConfigMapTooLarge};
pub use labels::NodeLabels;
pub use runbook::runbook;
pub use standard::standard_entries;
