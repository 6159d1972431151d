//! Kubernetes, GPU Operator and mig-parted objects to and from the values of [`migsaw`].
//!
//! Translation: bytes in, values out, and back. Only with the feature `client` anything here opens a connection.
//!
//! - [`autoscaler`] writes what autoscalers must be told of nodes that a plan cuts.
//! - [`dcgm`] reads the metrics of DCGM exporter, which say on which GPU a pod is.
//! - [`dump`] reads what `kubectl get nodes,pods -A -o json` prints, and manifests, as a planning problem.
//! - [`gpu_operator`] writes a plan as the GPU Operator takes it.
//! - [`quota`] writes quotas as manifests.
//! - [`scheduling`] reads nodes and pods one at a time, for a scheduler.
//! - [`mig_parted`] reads, judges and writes the files MIG Manager applies.
//!
//! With the feature `client`, whose user chooses a Kubernetes version by a feature of `k8s-openapi`, like `v1_33`:
//!
//! - `cluster` reads a live cluster as if it were a dump.
//! - `apply` carries a rollout out.
//! - `watch` tells what changes, and `bind` binds pods.
//!
//! ```
//! use migsaw::geometry::Catalog;
//! use migsaw_kube::dump::{DumpOptions, Source, read_dump};
//! use migsaw_kube::gpu_operator::{ConfigMap, NodeLabels, plan_config};
//!
//! let cluster = b"
//! kind: Node
//! metadata:
//!   name: gpu-1
//!   labels: {nvidia.com/gpu.product: NVIDIA-A30, nvidia.com/gpu.count: '2', nvidia.com/mig.strategy: mixed}
//! ---
//! kind: Pod
//! metadata: {name: llm, namespace: team-a}
//! spec: {containers: [{resources: {limits: {nvidia.com/mig-2g.12gb: 3}}}]}
//! ";
//! let catalog = Catalog::builtin();
//! let source = Source { name: "cluster.yaml", bytes: cluster, optional: false };
//! let problem = read_dump(&[source], &catalog, &DumpOptions::default())?.problem;
//! let plan = migsaw::plan::plan(&problem, &migsaw::plan::Options::default())?;
//! let manifest = ConfigMap::new(plan_config(&problem, &plan, Some(&catalog))).to_yaml()?;
//! assert!(manifest.contains("\"2g.12gb\": 2"));
//! assert!(NodeLabels::new(&problem, &plan).to_script().contains("gpu-1 nvidia.com/mig.config=migsaw-"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "client")]
pub mod apply;
pub mod autoscaler;
#[cfg(feature = "client")]
pub mod bind;
#[cfg(feature = "client")]
pub mod cluster;
pub mod collect;
pub mod dcgm;
pub mod dump;
pub mod gpu_operator;
pub mod mig_parted;
mod names;
pub mod quota;
mod stays;
mod text;
#[cfg(feature = "client")]
pub mod watch;
mod yaml;

pub use dump::scheduling;
