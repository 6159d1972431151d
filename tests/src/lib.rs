//! What the tests, benches and fuzz targets share: random problems, and ways to know the right answer
//! that have nothing in common with the planner.
//!
//! - [`strategies`]: random problems over all models, from a seed or through proptest;
//! - [`seeds`]: how many of them a suite looks at, and from which seed on;
//! - [`oracle`]: the exact optimum of every tier by exhaustion, for a handful of GPUs;
//! - [`closed_form`]: the fewest GPUs for a mix on identical seven-slice boards, by formula;
//! - [`naive`]: the textbook integer program with variables for every single GPU, on any solver;
//! - [`solve`]: the planner, with every plan it gives judged by the checker;
//! - [`moves`]: random plans from what runs to something else;
//! - [`walk`]: a rollout pod by pod;
//! - [`minimal`]: a failing problem made as small as it can be.

pub mod closed_form;
pub mod minimal;
pub mod moves;
pub mod naive;
pub mod oracle;
pub mod running;
pub mod seeds;
pub mod solve;
pub mod strategies;
pub mod walk;
pub mod wpm;

mod eligible;
mod facts;
