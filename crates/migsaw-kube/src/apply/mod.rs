//! Carries a rollout out on a live cluster.
//!
//! Every node goes through the same steps: it is cordoned, pods are evicted until nobody holds slices that go away,
//! its label `nvidia.com/mig.config` changes once, MIG Manager cuts it, its new slices are seen in `allocatable`,
//! and it is uncordoned. Nodes of a wave go on together; the next wave begins when all of them are done.
//!
//! Nodes of later waves are *reserved* from the beginning, by a taint with effect `PreferNoSchedule`: what is evicted
//! goes elsewhere if it can, so that it is not evicted again when their turn comes.
//!
//! # What survives
//!
//! Nothing is remembered here that is not in the cluster. The [`Record`], a `ConfigMap`, says what is to become of
//! each node; what has become of it is read off the node each time (the module `step`), and every act is one
//! that may be done twice. So this may be killed at any instant and run again. A node is marked with the rollout's
//! id by the very patch that cordons it, and the mark goes with the patch that uncordons it: what is cordoned by
//! this is known as such.
//!
//! # Who acts
//!
//! One applier at a time, by a Lease; before each write it is made sure that it is still held.
//!
//! # What goes wrong
//!
//! Before its label changes a node can always be let go as it was; after it, MIG Manager has to have finished. Both
//! have time limits ([`Patience`]); a node that is stuck stays cordoned and marked, no new wave is begun, and
//! [`Trouble`] says what to do. [`Applier::abort`] takes back what is half-done.

mod act;
mod clock;
mod config_map;
mod error;
mod events;
mod guard;
mod herald;
mod lease;
#[cfg(test)]
mod model;
mod observe;
mod outcome;
mod pods;
mod progress;
mod record;
mod rehearse;
mod run;
mod settings;
mod step;
mod take;
mod target;
mod trouble;
mod way;

pub use config_map::{PublishError, Published};
pub use error::ApplyError;
pub use lease::{Held, LeaseTimes};
pub use outcome::{NodeEnd, Outcome};
pub use pods::PodRef;
pub use progress::{Doing, Progress};
pub use record::{Phase, Record, RecordError, StepRecord};
pub use rehearse::{Refusal, rehearse};
pub use run::{Applier, Facts, unfinished};
pub use settings::{Job, Patience, Settings};
pub use trouble::Trouble;

/// Who writes, as the API server's managed fields name it.
pub const MANAGER: &str = "migsaw";
