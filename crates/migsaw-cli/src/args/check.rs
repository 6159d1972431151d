//! `migsaw check`.

use std::path::PathBuf;

use clap::Args;

use super::Format;
use super::problem::ProblemArgs;

#[derive(Debug, Args)]
#[command(after_help = CHECK_EXAMPLES)]
pub(crate) struct CheckArgs {
    /// The plan (JSON or YAML); `-` for stdin
    #[arg(value_name = "PLAN")]
    pub(crate) plan: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) problem: ProblemArgs,
    /// How to print the verdict
    #[arg(short = 'o', long, value_parser = Format::among(Format::DOCUMENT), default_value = "text", value_name = "FORMAT", help_heading = "Output")]
    pub(crate) format: Format,
}

const CHECK_EXAMPLES: &str = "\
Examples:
  migsaw plan -f scenario.yaml -o json > plan.json; migsaw check -f scenario.yaml plan.json
  migsaw check plan.json --from dump.json

The checker shares no code with the planner: it judges from the scenario alone.
Exit codes: 0 the plan is right, 1 it is not, 2 failure.";
