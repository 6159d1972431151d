//! Kubernetes, GPU Operator and mig-parted objects to and from the values of [`migsaw`].
//!
//! Pure translation: bytes in, values out, and back. Nothing here opens a file or a connection.
//!
//! - [`dump`] reads what `kubectl get nodes,pods -A -o json` prints, and manifests, as a planning problem.
//! - [`gpu_operator`] writes a plan as the GPU Operator takes it.
//! - [`mig_parted`] reads, judges and writes the files MIG Manager applies.

pub mod dump;
pub mod gpu_operator;
pub mod mig_parted;
mod text;
mod yaml;
