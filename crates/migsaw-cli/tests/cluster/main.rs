//! `migsaw apply` and `migsaw abort` on a real control plane, as processes.
//!
//! Where its binaries are missing a line on stderr says so, and nothing is tested. `MIGSAW_KILLS` sets how often an
//! apply is killed, `MIGSAW_SEED` when.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod abort;
mod apply;
mod faults;
mod kills;
mod others;
mod rights;
mod runbook;
mod scale;
mod site;
