//! `migsaw diff`.

use clap::Args;

use super::Format;
use super::planning::TargetArgs;

#[derive(Debug, Args)]
#[command(after_help = DIFF_EXAMPLES)]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// How to print the changes
    #[arg(short = 'o', long, value_parser = Format::among(Format::DOCUMENT), default_value = "text", value_name = "FORMAT", help_heading = "Output")]
    pub(crate) format: Format,
}

const DIFF_EXAMPLES: &str = "\
Examples:
  migsaw diff examples/running.yaml --compact
  kubectl get nodes,pods,configmaps -A -o json | migsaw diff --from - --running
  migsaw diff --from dump.json --running --dcgm metrics.txt
  kubectl get nodes,pods,resourceslices,resourceclaims -A -o json | migsaw diff --from - --running
  migsaw diff -f scenario.yaml --plan plan.json

A `~` marks nodes that are cut anew; from the others pods are evicted, or they take some.
Exit codes: 0 nothing changes, 1 something does, 2 failure.";
