//! What a question about capacity is asked of.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::duration::duration;
use super::problem::ProblemArgs;

/// What a question is asked of, and how long it may take.
#[derive(Debug, Args)]
pub(crate) struct AskingArgs {
    /// A scenario file, the same as with -f
    #[arg(value_name = "SCENARIO", conflicts_with = "scenario")]
    pub(crate) positional: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) problem: ProblemArgs,
    /// Never move pods of this priority or a higher one
    #[arg(long, value_name = "PRIORITY", allow_negative_numbers = true, help_heading = "What runs today")]
    pub(crate) keep_priority: Option<i32>,
    /// Ask as if nothing ran
    #[arg(long, conflicts_with = "keep_priority", help_heading = "What runs today")]
    pub(crate) ignore_running: bool,
    /// Stop searching after this time; what is not proven by then is said, with its bounds
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub(crate) time_limit: Duration,
}

impl AskingArgs {
    /// Has what runs in a dump count, unless it shall not.
    pub(crate) fn settle(&mut self) {
        self.problem.running |= !self.problem.from.is_empty() && !self.ignore_running;
    }
}
