//! `migsaw apply` and `migsaw abort`.

use std::time::Duration;

use clap::{Args, ValueEnum};
use migsaw_kube::gpu_operator::ConfigMap;

use super::Format;
use super::duration::duration;
use super::planning::{OrderArgs, TargetArgs};
use super::problem::AccessArgs;

#[derive(Debug, Args)]
#[command(after_help = APPLY_EXAMPLES)]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    #[command(flatten)]
    pub(crate) order: OrderArgs,
    /// Do not ask
    #[arg(short, long, help_heading = "Doing it")]
    pub(crate) yes: bool,
    /// Change nothing: `client` shows what would be done, `server` has the API server check every write
    #[arg(long, value_enum, default_value_t, value_name = "WHERE", help_heading = "Doing it")]
    pub(crate) dry_run: DryRun,
    /// Make nodes that MIG Manager cannot cut again what they were, instead of leaving them cordoned
    #[arg(long, help_heading = "Doing it")]
    pub(crate) roll_back: bool,
    /// The ConfigMap that MIG Manager reads (`migManager.config.name` of the `ClusterPolicy`)
    #[arg(long, value_name = "NAME", default_value = ConfigMap::DEFAULT_NAME, help_heading = "Doing it")]
    pub(crate) config_map: String,
    /// Take over what others have written into that ConfigMap
    #[arg(long, help_heading = "Doing it")]
    pub(crate) force_conflicts: bool,
    #[command(flatten)]
    pub(crate) acting: ActingArgs,
    /// How to print what became of the nodes
    #[arg(short = 'o', long, value_parser = Format::among(Format::DOCUMENT), default_value = "text", value_name = "FORMAT", help_heading = "Output")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
#[command(after_help = ABORT_EXAMPLES)]
pub(crate) struct AbortArgs {
    #[command(flatten)]
    pub(crate) access: AccessArgs,
    #[command(flatten)]
    pub(crate) acting: ActingArgs,
    /// How to print what became of the nodes
    #[arg(short = 'o', long, value_parser = Format::among(Format::DOCUMENT), default_value = "text", value_name = "FORMAT", help_heading = "Output")]
    pub(crate) format: Format,
}

/// How long to wait for what.
#[derive(Debug, Args)]
pub(crate) struct ActingArgs {
    /// For evictions that are refused, since the last pod went
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = duration, help_heading = "Patience")]
    pub(crate) evict_timeout: Duration,
    /// For evicted pods to end, since the last one went
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = duration, help_heading = "Patience")]
    pub(crate) end_timeout: Duration,
    /// For MIG Manager, in each of its states; it waits up to 5 minutes for each client that does not end
    #[arg(long, value_name = "DURATION", default_value = "15m", value_parser = duration, help_heading = "Patience")]
    pub(crate) cut_timeout: Duration,
    /// For the device plugin to offer the new slices
    #[arg(long, value_name = "DURATION", default_value = "3m", value_parser = duration, help_heading = "Patience")]
    pub(crate) slices_timeout: Duration,
    /// Until MIG Managers have seen a new ConfigMap: kubelets update mounted ones once a minute
    #[arg(long, value_name = "DURATION", default_value = "90s", value_parser = duration, help_heading = "Patience")]
    pub(crate) config_delay: Duration,
    /// Between two looks at a node
    #[arg(long, value_name = "DURATION", default_value = "2s", value_parser = duration, help_heading = "Patience")]
    pub(crate) poll: Duration,
    /// How long the Lease holds that keeps two appliers apart
    #[arg(long, value_name = "DURATION", default_value = "15s", value_parser = duration, help_heading = "Patience")]
    pub(crate) lease: Duration,
}

/// Where a dry run ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum DryRun {
    #[default]
    None,
    Client,
    Server,
}

const APPLY_EXAMPLES: &str = "\
Examples:
  migsaw diff --live
  migsaw apply --max-unavailable 2
  migsaw apply --context prod --keep-running --yes
  migsaw apply --plan plan/plan.json --dry-run server

It reads the live cluster, plans, shows what would be done and asks. Then, wave by wave: cordon, evict
through the Eviction API, wait until idle, change the label, wait for MIG Manager and for the slices,
uncordon. Ctrl-C lets the nodes that were begun come to their end. Killed or stopped, run it again: it
goes on with the rollout that was begun. `migsaw abort` takes that back.
Exit codes: 0 all is done, 1 it stopped before, 2 failure.";

const ABORT_EXAMPLES: &str = "\
Examples:
  migsaw abort
  migsaw abort --context prod

Nodes that are being cut come to their end, or become again what they were; every node that an apply
has cordoned is uncordoned. Nodes that are done stay as they are.
Exit codes: 0 no node is left cordoned, 1 some are, 2 failure.";
