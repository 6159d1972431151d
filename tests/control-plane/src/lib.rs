//! A real control plane on loopback for the suites that act on a cluster: etcd, kube-apiserver,
//! kube-controller-manager and kube-scheduler, with nodes whose GPUs are made up and stand-ins for what runs on
//! nodes: kubelet and device plugin ([`Kubelet`]) and MIG Manager ([`MigManager`]).
//!
//! The binaries are looked for where `KUBEBUILDER_ASSETS` says, else where `tests/control-plane/build` puts them;
//! where they are missing [`ControlPlane::start`] says so and a suite passes over its tests.
//!
//! Everything a [`ControlPlane`] starts ends with it, also when the test process is killed (where the command
//! `setpriv` is there).

mod binaries;
mod budgets;
mod certificates;
mod control_plane;
mod nodes;
mod process;
mod stand_ins;
mod workload;

pub use budgets::BudgetWatch;
pub use control_plane::ControlPlane;
pub use nodes::GpuNode;
pub use stand_ins::{Fault, Kubelet, MigManager};
pub use workload::Workload;

/// The namespace of the GPU Operator.
pub const OPERATOR: &str = "gpu-operator";
