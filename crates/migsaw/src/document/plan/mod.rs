//! Plan documents: what every node becomes, what is served where, and how good that is.
//!
//! [`PlanDocument::new`] says everything a [`Plan`](crate::plan::Plan) holds, every node by name.
//! [`PlanDocument::streamed`] writes the same bytes without holding them, for fleets of any size.
//! [`read`] goes the other way, also for plans written by hand, of which little is required:
//!
//! ```
//! use migsaw::document::{plan, scenario};
//! use migsaw::geometry::Catalog;
//! let problem = scenario::parse("
//! apiVersion: migsaw.io/v1alpha1
//! kind: Scenario
//! fleet: [{pool: lab, model: A30, nodes: [node-a], gpusPerNode: 1}]
//! demand: [{name: tests, profile: 1g.6gb, count: 2}]
//! ", &Catalog::builtin())?;
//! let (_, plan) = plan::read("
//! apiVersion: migsaw.io/v1alpha1
//! kind: Plan
//! nodes:
//! - name: node-a
//!   gpus:
//!   - index: 0
//!     layout: [{profile: 1g.6gb, start: 0}, {profile: 1g.6gb, start: 1}]
//!   serves:
//!   - {demand: tests, count: 2, gpus: [{index: 0, profile: 1g.6gb, instances: 2}]}
//! ", &problem)?;
//! assert_eq!(plan.served(1), [2]);
//! # Ok::<(), migsaw::document::Diagnostics>(())
//! ```
//!
//! Reading names no rule of the hardware: a layout that overlaps is read as it stands, for
//! the checker to judge.

mod claims;
mod form;
mod read;
mod write;

#[cfg(test)]
mod tests;

pub use form::{
    DevicesForm, EvictionForm, NodeForm, PlacementForm, PlanDocument, PlannedGpuForm, ServedForm, ServedPoolForm,
    ServingForm, ShareForm, StatusForm, TierForm, TierNameForm, UnservedCodeForm, UnservedForm,
};
pub use read::read;
pub use write::StreamedNodes;
pub(in crate::document) use write::{eviction, tier_form, unserved_form};

/// What `kind` says in a plan.
pub const KIND: &str = "Plan";
