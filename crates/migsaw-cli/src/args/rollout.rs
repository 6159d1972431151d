//! `migsaw rollout`.

use clap::Args;

use super::Format;
use super::planning::{OrderArgs, TargetArgs};

#[derive(Debug, Args)]
#[command(after_help = ROLLOUT_EXAMPLES)]
pub(crate) struct RolloutArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    #[command(flatten)]
    pub(crate) order: OrderArgs,
    /// How long evicted pods take to end, for the estimate
    #[arg(long, value_name = "SECONDS", default_value_t = 30, help_heading = "Order")]
    pub(crate) evict_seconds: u32,
    /// How long MIG Manager takes for a node, for the estimate
    #[arg(long, value_name = "SECONDS", default_value_t = 60, help_heading = "Order")]
    pub(crate) recut_seconds: u32,
    /// How to print the steps
    #[arg(short = 'o', long, value_parser = Format::among(Format::PAGE), default_value = "text", value_name = "FORMAT", help_heading = "Output")]
    pub(crate) format: Format,
    /// Print kubectl commands, as a shell script
    #[arg(long, conflicts_with = "format", help_heading = "Output")]
    pub(crate) commands: bool,
}

const ROLLOUT_EXAMPLES: &str = "\
Examples:
  migsaw rollout examples/running.yaml --compact
  kubectl get nodes,pods,configmaps,poddisruptionbudgets -A -o json > dump.json
  migsaw plan --from dump.json --running --out plan/
  migsaw rollout --from dump.json --running --plan plan/plan.json --max-unavailable 2 --commands > rollout.sh

Each wave is cordoned, its pods are evicted, its nodes are cut and uncordoned, before the next begins.
No wave of several nodes goes beyond a disruption budget. migsaw itself changes nothing.
Exit codes: 0 every pod has a place before it is evicted, 1 some have not, 2 failure.";
