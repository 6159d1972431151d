//! `migsaw quota`.

use std::path::PathBuf;

use clap::Args;
use migsaw::whatif::BasisPoints;

use super::asking::AskingArgs;
use super::{Format, SelectionArgs};

#[derive(Debug, Args)]
#[command(after_help = QUOTA_EXAMPLES)]
pub(crate) struct QuotaArgs {
    #[command(flatten)]
    pub(crate) asking: AskingArgs,
    /// Print a manifest with a quota for each namespace that lets in what the plan serves, instead of the report
    #[arg(long, help_heading = "Proposal")]
    pub(crate) propose: bool,
    /// Write them to this file, and print the report
    #[arg(long, value_name = "FILE", requires = "propose", help_heading = "Proposal")]
    pub(crate) out: Option<PathBuf>,
    /// Propose so much more than the plan serves
    #[arg(long, value_name = "PERCENT", default_value = "0%", help_heading = "Proposal")]
    pub(crate) headroom: BasisPoints,
    /// Propose 0 of every other profile, and of GPUs: a quota limits only what it names
    #[arg(long, help_heading = "Proposal")]
    pub(crate) nothing_else: bool,
    /// How to print the report
    #[arg(short = 'o', long, value_parser = Format::among(Format::REPORT), default_value = "text", value_name = "FORMAT", help_heading = "Output")]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
}

const QUOTA_EXAMPLES: &str = "\
Examples:
  migsaw quota examples/tenants.yaml
  kubectl get nodes,pods,resourcequotas -A -o json | migsaw quota --from -
  migsaw quota --live -o csv
  migsaw quota examples/tenants.yaml --propose --headroom 20% --nothing-else > quotas.yaml

Of GPUs Kubernetes counts `requests.nvidia.com/…` only. Quotas change no plan: they say which pods
can be created, and the plan says which of them fit.
Exit codes: 0 every pod can be created and all quotas fit at once, 1 not (with --propose alone: the
plan does not serve all), 2 failure.";
