//! What would run on the nodes.

mod kubelet;
mod mig_manager;

pub use kubelet::Kubelet;
pub use mig_manager::{Fault, MigManager};
