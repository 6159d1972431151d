//! `migsaw capacity`.

use clap::Args;

use super::asking::AskingArgs;
use super::watch::WatchArgs;
use super::{Format, SelectionArgs};

#[derive(Debug, Args)]
#[command(after_help = CAPACITY_EXAMPLES)]
pub(crate) struct CapacityArgs {
    #[command(flatten)]
    pub(crate) asking: AskingArgs,
    #[command(flatten)]
    pub(crate) watch: WatchArgs,
    /// Ask about this profile only (may be repeated)
    #[arg(long, value_name = "PROFILE", help_heading = "Question")]
    pub(crate) profile: Vec<String>,
    /// Ask how many copies of this mix fit, instead of the demand: `1g.10gb=4,3g.40gb=1`
    #[arg(long, value_name = "MIX", help_heading = "Question")]
    pub(crate) mix: Option<String>,
    /// Place all of the demand first, not only what runs
    #[arg(long, help_heading = "Question")]
    pub(crate) with_demand: bool,
    /// Ask as well what evicting at most so many pods gains
    #[arg(long, value_name = "N", help_heading = "What runs today")]
    pub(crate) max_evictions: Option<u64>,
    /// How to print the answer
    #[arg(short = 'o', long, value_parser = Format::among(Format::REPORT), default_value = "text", value_name = "FORMAT", help_heading = "Output")]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
}

const CAPACITY_EXAMPLES: &str = "\
Examples:
  migsaw capacity examples/running.yaml
  migsaw capacity examples/running.yaml --profile 3g.40gb --max-evictions 2
  migsaw capacity examples/inference.yaml --with-demand
  migsaw capacity --live --watch --interval 30s
  migsaw capacity --live --mix 1g.10gb=4,3g.40gb=1
  kubectl get nodes,pods,configmaps -A -o json | migsaw capacity --from - -o csv

Everything that runs goes on being served. `now` leaves the GPUs as they are cut; `idle cut` cuts
idle nodes or GPUs anew; `all moved` moves whatever may be moved.
Exit codes: 0 something more fits, 1 nothing does, 2 failure.";
