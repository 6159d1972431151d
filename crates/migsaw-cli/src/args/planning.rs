//! What is planned and aimed at, and how.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::duration::duration;
use super::problem::ProblemArgs;

/// What is planned, and how.
#[derive(Debug, Args)]
pub(crate) struct PlanningArgs {
    /// A scenario file, the same as with -f
    #[arg(value_name = "SCENARIO", conflicts_with = "scenario")]
    pub(crate) positional: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) problem: ProblemArgs,
    #[command(flatten)]
    pub(crate) moving: MovingArgs,
    /// Stop searching after this time with the best plan found, and say how far from the best it can be
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub(crate) time_limit: Duration,
}

/// What may be done to what runs today, as the scenario's `state` says it.
#[derive(Debug, Args)]
pub(crate) struct MovingArgs {
    /// Evict nothing
    #[arg(long, conflicts_with = "max_evictions", help_heading = "What runs today")]
    pub(crate) keep_running: bool,
    /// Evict at most so many pods
    #[arg(long, value_name = "N", help_heading = "What runs today")]
    pub(crate) max_evictions: Option<u64>,
    /// Never move pods of this priority or a higher one
    #[arg(long, value_name = "PRIORITY", allow_negative_numbers = true, help_heading = "What runs today")]
    pub(crate) keep_priority: Option<i32>,
    /// Free as many GPUs as possible (or the most expensive), and only then evict as few pods as possible
    #[arg(long, help_heading = "What runs today")]
    pub(crate) compact: bool,
    /// Plan as if nothing ran
    #[arg(long, conflicts_with_all = ["keep_running", "max_evictions", "keep_priority", "compact"], help_heading = "What runs today")]
    pub(crate) ignore_running: bool,
}

impl MovingArgs {
    /// Whether anything is said about what runs today.
    pub(crate) fn is_given(&self) -> bool {
        self.keep_running
            || self.max_evictions.is_some()
            || self.keep_priority.is_some()
            || self.compact
            || self.ignore_running
    }
}

/// The plan that is aimed at.
#[derive(Debug, Args)]
pub(crate) struct TargetArgs {
    #[command(flatten)]
    pub(crate) planning: PlanningArgs,
    /// A plan, instead of the best one; `-` for stdin
    #[arg(
        long,
        value_name = "PLAN",
        conflicts_with_all = ["keep_running", "max_evictions", "compact"],
        help_heading = "Input"
    )]
    pub(crate) plan: Option<PathBuf>,
}

/// In which order nodes are changed.
#[derive(Debug, Args)]
pub(crate) struct OrderArgs {
    /// Most nodes that may be changed at the same time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Order")]
    pub(crate) max_unavailable: u32,
}
