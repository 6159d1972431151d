//! Nodes, pods and disruption budgets one at a time, as a scheduler looks at them: small values made of what the API server sends.
//!
//! [`Pod`] and [`Budget`] are read from JSON as they are. A [`Node`] takes a [`NodeReader`], which knows the GPU models. A [`Site`] keeps
//! what a plan needs of them.
//!
//! ```
//! use migsaw::geometry::Catalog;
//! use migsaw_kube::scheduling::{NodeReader, Pod};
//! let pod: Pod = serde_json::from_str(
//!     r#"{"metadata": {"name": "llm-0", "namespace": "team-a", "uid": "u1"},
//!         "spec": {"containers": [{"resources": {"limits": {"nvidia.com/mig-1g.10gb": "2"}}}]}}"#,
//! )?;
//! assert_eq!(pod.asks.resources["nvidia.com/mig-1g.10gb"], 2);
//! let node = serde_json::from_str(
//!     r#"{"metadata": {"name": "gpu-1", "labels": {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3",
//!         "nvidia.com/gpu.count": "1", "nvidia.com/mig.strategy": "mixed"}},
//!         "status": {"capacity": {"nvidia.com/mig-1g.10gb": "7"}, "allocatable": {"nvidia.com/mig-1g.10gb": "7"}}}"#,
//! )?;
//! let node = NodeReader::new(&Catalog::builtin()).read(node);
//! assert_eq!(node.gpus.unwrap().model.id, "H100-80GB");
//! # Ok::<(), serde_json::Error>(())
//! ```

mod budget;
mod change;
mod labels;
mod node;
mod pod;
mod site;

pub use super::shared::OneCopy;
pub use crate::names::GPU;
pub use budget::Budget;
pub use change::Change;
pub use labels::NodeLabels;
pub use node::{Gpus, Node, NodeObject, NodeReader, Rollout};
pub use pod::{Asks, Planned, Pod};
pub use site::{Seen, Site};
