//! Answering again and again.

use std::time::Duration;

use clap::Args;

use super::duration::pause;

/// Whether to answer again.
#[derive(Debug, Args)]
pub(crate) struct WatchArgs {
    /// Answer again whenever a file has changed, or every so often where the input is live, until Ctrl-C
    #[arg(short = 'w', long, help_heading = "Watching")]
    pub(crate) watch: bool,
    /// How often to look
    #[arg(long, requires = "watch", default_value = "10s", value_parser = pause, value_name = "DURATION", help_heading = "Watching")]
    pub(crate) interval: Duration,
}
