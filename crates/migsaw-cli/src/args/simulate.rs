//! `migsaw simulate`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use migsaw_sim::Policy;

use super::asking::ReportFormat;
use super::duration::duration;
use super::problem::ProblemArgs;

/// Most pods of a run: a few GiB.
pub(crate) const MOST_PODS: u32 = 50_000_000;

#[derive(Debug, Args)]
#[command(after_help = SIMULATE_EXAMPLES, after_long_help = policies())]
pub(crate) struct SimulateArgs {
    /// A scenario file, the same as with -f
    #[arg(value_name = "SCENARIO", conflicts_with = "scenario")]
    pub(crate) positional: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) problem: ProblemArgs,
    /// The policies to compare, the first one with each of the others [default: room,mfi,best-fit,first-fit,load-balanced,
    /// and repacked where that is known; with --cut planned extender,most-allocated,least-allocated,dra]
    #[arg(long = "policy", value_name = "NAME", value_delimiter = ',', value_parser = policy)]
    pub(crate) policies: Vec<Policy>,
    /// How GPUs are cut
    #[arg(long, value_enum, default_value_t, value_name = "HOW")]
    pub(crate) cut: Cut,
    /// Let pods that fit nowhere wait until something leaves, instead of going away, and say who starts first then
    /// [without a value: backfill]
    #[arg(
        long,
        value_enum,
        value_name = "QUEUE",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "backfill"
    )]
    pub(crate) wait: Option<Wait>,
    /// Move so many running pods for each hundred that come, to make room for one that fits nowhere
    #[arg(long, value_name = "N", default_value_t = 0.0, value_parser = moves, allow_negative_numbers = true, conflicts_with = "wait")]
    pub(crate) moves: f64,
    /// Pods from a CSV file with the columns arrival,duration,profile[,count,priority,namespace], times in seconds;
    /// `-` for stdin
    #[arg(long, value_name = "FILE", conflicts_with_all = ["load", "pods", "runs", "seed", "lifetimes", "every"], help_heading = "Pods")]
    pub(crate) trace: Option<PathBuf>,
    /// How much is asked for on average, in parts of all there is
    #[arg(long, value_name = "PART", default_value_t = 1.0, value_parser = load, allow_negative_numbers = true, help_heading = "Pods")]
    pub(crate) load: f64,
    /// Pods in a run, a third of them before anything is counted [default: as many as come in six of the longest lifetimes]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST_PODS)), help_heading = "Pods")]
    pub(crate) pods: Option<u32>,
    /// Time between two pods
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration, help_heading = "Pods")]
    pub(crate) every: Duration,
    /// How long pods stay; how long on average follows from the load
    #[arg(long, value_enum, default_value_t, value_name = "LAW", help_heading = "Pods")]
    pub(crate) lifetimes: Law,
    /// Runs with different random numbers
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000), help_heading = "Pods")]
    pub(crate) runs: u32,
    /// The first run's random numbers
    #[arg(long, value_name = "SEED", default_value_t = 1000, help_heading = "Pods")]
    pub(crate) seed: u64,
    /// How to print the comparison
    #[arg(short = 'o', long, value_enum, default_value_t, value_name = "FORMAT", help_heading = "Output")]
    pub(crate) format: PageFormat,
}

/// How to print a comparison.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum PageFormat {
    // For people; no doc comments, which would make six lines of help out of one.
    #[default]
    Text,
    Json,
    Yaml,
    Csv,
    #[value(alias = "md")]
    Markdown,
    Html,
}

impl PageFormat {
    /// The form that every report has; `None` for a page.
    pub(crate) fn report(self) -> Option<ReportFormat> {
        match self {
            PageFormat::Text => Some(ReportFormat::Text),
            PageFormat::Json => Some(ReportFormat::Json),
            PageFormat::Yaml => Some(ReportFormat::Yaml),
            PageFormat::Csv => Some(ReportFormat::Csv),
            PageFormat::Markdown => Some(ReportFormat::Markdown),
            PageFormat::Html => None,
        }
    }
}

/// How GPUs are cut.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Cut {
    /// As each pod asks, as dynamic DRA drivers do
    #[default]
    AtWill,
    /// For good, as the best plan for the demand says
    Planned,
}

/// Who of the pods that wait starts first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Wait {
    /// Who came first, and later ones where earlier ones do not fit
    Backfill,
    /// The same, and a GPU is drained for pods that need a whole one and have waited for five mean stays
    Drain,
    /// Who takes least for as long as it stays, if that is known beforehand; pods that have waited for nine mean stays
    /// go first, and up to two GPUs are drained for them. It also says where pods of one instance go
    Known,
}

/// How long pods stay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Law {
    /// Up to twice the mean, each as likely
    #[default]
    Uniform,
    /// However long one has been there, it stays as long again on average
    Exponential,
    /// All as long
    Fixed,
}

fn policy(name: &str) -> Result<Policy, String> {
    Policy::named(name).ok_or_else(|| {
        let names: Vec<&str> = Policy::ALL.iter().map(|policy| policy.name).collect();
        format!("there is no such policy (there are {})", names.join(", "))
    })
}

fn load(text: &str) -> Result<f64, String> {
    let load: f64 = text.parse().map_err(|_| "it is no number (expected like 0.85)".to_owned())?;
    if load > 0.0 && load <= 100.0 { Ok(load) } else { Err("it must be above 0 and at most 100".to_owned()) }
}

fn moves(text: &str) -> Result<f64, String> {
    let moves: f64 = text.parse().map_err(|_| "it is no number (expected like 0.5)".to_owned())?;
    if (0.0..=100.0).contains(&moves) { Ok(moves) } else { Err("it must be from 0 to 100".to_owned()) }
}

const SIMULATE_EXAMPLES: &str = "\
Examples:
  migsaw simulate examples/inference.yaml
  migsaw simulate examples/inference.yaml --load 1.2 --policy room,first-fit --wait
  migsaw simulate -f scenario.yaml --cut planned --policy most-allocated,least-allocated
  migsaw simulate -f scenario.yaml --trace pods.csv -o csv
  migsaw simulate -f scenario.yaml --trace pods.csv --wait=drain
  migsaw simulate examples/inference.yaml -o html > simulation.html

`--help` lists the policies. Exit codes: 0 done, 2 failure.";

fn policies() -> String {
    let lines: Vec<String> =
        Policy::ALL.iter().map(|policy| format!("  {:<16} {}", policy.name, policy.about)).collect();
    format!("Policies:\n{}\n\n{SIMULATE_EXAMPLES}", lines.join("\n"))
}
