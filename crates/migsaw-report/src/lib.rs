//! Plans, geometry and simulations for people: text for a terminal, and HTML with pictures.
//!
//! Everything here is a pure function from library values to a `String`: no terminal is asked, no
//! environment read. [`Style`] carries what the caller found out about its terminal. Nothing here
//! knows Kubernetes; what to do next with a plan comes in as ready-made lines.
//!
//! - [`plan::text`]: what a plan serves, where, on what cuts, and what is left; [`plan::html()`] as a page,
//!   [`plan::svg()`] as a picture;
//! - [`geometry`]: what a board can be cut into, as text, and as documents for programs;
//! - [`diff::text`]: what a plan changes, node by node;
//! - [`rollout::text`]: in which order, and who has nowhere to go meanwhile; [`rollout::html()`] as a page;
//! - [`simulation::text`]: what would become of pods under several policies; [`simulation::html`] as a page,
//!   [`simulation::pictures`] as SVG;
//! - [`capacity`]: how much more fits, as text, CSV, Markdown and HTML;
//! - [`whatif`]: the same before and after changes;
//! - [`robust`]: one layout for several scenarios, with what it serves in each;
//! - [`buy`]: what is to be bought, model by model;
//! - [`chargeback`]: who used which slices, and what that costs; [`right_size`]: what could be smaller;
//! - [`advice`]: what strategies cost, and what belongs on MIG;
//! - [`quota`]: what quotas let in, and whether the fleet has it;
//! - [`violations::text`]: what the checker found.
//!
//! Every report that is long has a [`List`] too, of which a [`Selection`] chooses and orders rows.
//!
//! Names come from clusters and files of others, so they pass [`clean`] before they reach a terminal or a page.

pub mod advice;
pub mod applied;
pub mod buy;
pub mod capacity;
pub mod chargeback;
pub mod diff;
pub mod geometry;
pub mod plan;
pub mod quota;
pub mod right_size;
pub mod robust;
pub mod rollout;
pub mod simulation;
pub mod violations;
pub mod whatif;

mod bar;
mod chart;
mod clean;
mod html;
mod list;
mod names;
mod number;
mod page;
mod selection;
mod sheet;
mod statement;
mod style;
mod table;

pub use clean::clean;
pub use html::Origin;
pub use list::List;
pub use names::compress;
pub use number::{counted, grouped};
pub use page::Page;
pub use selection::{Selection, UnknownColumn};
pub use style::{Style, Tone};
