//! What is measured: planning problems and fleets of a given size, from seeds.
//!
//! - [`mixes`]: one model, and four mixes of profiles;
//! - [`mixed`]: six models in ten pools with something running, and a thousand demands with options;
//! - [`extender`]: a scheduler extender under load;
//! - [`paper`]: problems that others have published figures for;
//! - [`figures`]: times as people read them, and tables in Markdown.

pub mod extender;
pub mod figures;
pub mod memory;
pub mod mixed;
pub mod mixes;
pub mod paper;
pub mod planning;
