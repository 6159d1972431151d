//! Dynamic resource allocation: what pods ask for through claims, and what the driver says of its GPUs.
//!
//! NVIDIA's driver (`gpu.nvidia.com`) publishes its devices in `ResourceSlice`s, and the scheduler writes into
//! `ResourceClaim`s which of them a pod gets, so both together tell GPU and start of every instance. Without the
//! feature gate `DynamicMIG` there is a device for each instance that exists; with it there is one for each that
//! could, and those exist that are allocated. Pods ask through a claim of their own (by a `ResourceClaimTemplate`),
//! through one that several share, or by an extended resource for which the scheduler makes a claim.
//!
//! Sources: the driver's `cmd/gpu-kubelet-plugin/{deviceinfo,mig,partitions}.go` (commit 9593204) for names,
//! attributes and counters of devices; Kubernetes' API reference for `resource.k8s.io` v1, v1beta2 and v1beta1, and
//! KEP-5004 for extended resources.

mod claims;
mod selector;
mod settle;
mod slices;
pub(super) mod wire;

pub(super) use claims::{Claim, ClaimUse, Claims, Class, uses};
pub(super) use slices::{Device, Kind, Published, Slice, Slices};

/// The driver's name.
pub(super) use crate::names::CLAIMS_DRIVER as DRIVER;
