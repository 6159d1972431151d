//! The documents that go in and out: scenarios and plans.
//!
//! Documents are versioned (`apiVersion: migsaw.io/v1alpha1`) and kept apart from the domain types: each
//! has structs of its own ([`scenario::ScenarioDocument`], [`plan::PlanDocument`]), a published JSON
//! schema ([`schema`]), and one conversion each way. Renaming something in the library cannot break a
//! file.
//!
//! Reading goes in three steps. The text becomes values with their places in it; every deviation from
//! the schema is collected; what has the right form is converted, and everything that makes no sense is
//! collected as well. The result is either the value or [`Diagnostics`]: all problems at once, in the
//! order of the text, each with a stable code, its line and column, and what would be right.
//!
//! ```
//! use migsaw::document::scenario;
//! use migsaw::geometry::Catalog;
//! let problems = scenario::parse("
//! apiVersion: migsaw.io/v1alpha1
//! kind: Scenario
//! fleet:
//! - {pool: a, model: A100-40GB, nodes: -1, gpusPerNode: 8}
//! demand:
//! - {name: x, profil: 1g.5gb, count: 1}
//! - {name: y, profile: 1g.6gb, profiles: {1g.5gb: 2}, count: 1}
//! ", &Catalog::builtin()).unwrap_err();
//! let lines: Vec<String> = problems.iter().map(|p| format!("{} {}", p.line().unwrap(), p.code)).collect();
//! assert_eq!(lines, ["5 out-of-range", "7 unknown-field", "8 exclusive-fields"]);
//! ```

pub mod advice;
pub mod applied;
pub mod buy;
pub mod capacity;
pub mod chargeback;
pub mod code;
pub mod curve;
mod decimal;
mod diagnostic;
pub mod diff;
mod header;
mod name;
mod names;
mod node;
mod path;
pub mod plan;
mod quantity;
pub mod quota;
pub mod right_size;
pub mod robust;
pub mod rollout;
pub mod scenario;
pub mod schema;
mod shape;
pub mod simulation;
pub mod whatif;

/// The first 80 characters of a text, to show it.
fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

pub use decimal::Decimal;
pub use diagnostic::{Diagnostic, Diagnostics, MAX_DIAGNOSTICS, Position};
pub use header::API_VERSION;
pub use node::{MAX_TEXT, text_of};
pub use path::{Path, Step};
pub use quantity::{InvalidQuantity, Quantity};
