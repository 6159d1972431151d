//! Names in the Kubernetes API that several modules go by.

use migsaw::geometry::ProfileName;

/// The label with which MIG Manager is told what to make of a node.
pub(crate) const CONFIG_LABEL: &str = "nvidia.com/mig.config";
/// The label in which it says how far it is: `pending`, `rebooting`, `success` or `failed`.
pub(crate) const STATE_LABEL: &str = "nvidia.com/mig.config.state";
/// The resource of whole GPUs, and of all MIG devices under strategy `single`.
pub const GPU: &str = "nvidia.com/gpu";
/// The annotation of nodes that are cordoned for a rollout, and the taint of those that will be.
pub(crate) const ROLLOUT_MARK: &str = "migsaw.io/rollout";

/// NVIDIA's DRA driver for GPUs, which is also the name of its attributes and of its class for whole GPUs.
pub(crate) const CLAIMS_DRIVER: &str = "gpu.nvidia.com";

/// Whether a resource is GPUs, or instances of them.
pub(crate) fn is_gpu(resource: &str) -> bool {
    resource == GPU || resource.starts_with(ProfileName::RESOURCE_PREFIX)
}
