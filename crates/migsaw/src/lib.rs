//! Plans how NVIDIA MIG GPUs are cut, and which request gets which slice.
pub mod budget;
pub mod buy;
pub mod capacity;
pub mod chargeback;
pub mod check;
pub mod demand;
pub mod document;
pub mod fleet;
pub mod geometry;
pub mod plan;
pub mod present;
pub mod problem;
pub mod robust;
pub mod rollout;
pub mod score;
pub mod whatif;
