//! What is decided, on small made-up clusters.

#![expect(clippy::unwrap_used, reason = "tests")]

mod budgets;
mod claims;
#[path = "../common/mod.rs"]
mod common;
mod filter;
mod nominated;
mod planned;
mod pods;
mod preempt;
mod prioritize;
mod remembered;
mod shortlist;
mod smallest;
mod together;
