//! `migsaw advise`.

use clap::Args;

use super::asking::AskingArgs;
use super::{Format, SelectionArgs};

#[derive(Debug, Args)]
#[command(after_help = ADVISE_EXAMPLES)]
pub(crate) struct AdviseArgs {
    #[command(flatten)]
    pub(crate) asking: AskingArgs,
    /// How to print the advice
    #[arg(short = 'o', long, value_parser = Format::among(Format::REPORT), default_value = "text", value_name = "FORMAT", help_heading = "Output")]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
}

const ADVISE_EXAMPLES: &str = "\
Examples:
  migsaw advise examples/tenants.yaml
  kubectl get nodes,pods -A -o json | migsaw advise --from -
  migsaw advise --live -o markdown

Strategies are compared on the fleet as if nothing ran, each by its best plan. Workloads are judged by
what their pods ask for and the kind of what makes them, never by names.
Exit codes: 0 answered, 2 failure.";
