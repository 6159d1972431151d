//! The decisions: pure functions of a fleet and a request, without I/O and without waiting.

mod filter;
mod preempt;
mod prioritize;
mod reason;
mod shortlist;

pub(crate) use filter::{filter, has_room, judge};
pub(crate) use preempt::{Gone, Held, MOST_SETS, Victim, preempt};
pub(crate) use prioritize::{Rank, best, foresee, rank, scores};
pub use reason::Reason;
pub(crate) use shortlist::shortlist;
