//! `migsaw simulate`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgGroup, Args, ValueEnum};
use migsaw::present::RecutUnit;
use migsaw_sim::Policy;

use super::duration::duration;
use super::problem::ProblemArgs;
use super::{Format, SelectionArgs};

/// Most pods of a run: a few GiB.
pub(crate) const MOST_PODS: u32 = 50_000_000;

#[derive(Debug, Args)]
#[command(after_help = SIMULATE_EXAMPLES, after_long_help = policies(), group = ArgGroup::new("evicting").multiple(true))]
pub(crate) struct SimulateArgs {
    /// A scenario file, the same as with -f
    #[arg(value_name = "SCENARIO", conflicts_with = "scenario")]
    pub(crate) positional: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) problem: ProblemArgs,
    /// The policies to compare, the first one with each of the others [default: room,mfi,best-fit,first-fit,load-balanced,
    /// and repacked where that is known; with --cut planned or recut extender,most-allocated,least-allocated,dra]
    #[arg(long = "policy", value_name = "NAME", value_delimiter = ',', value_parser = policy)]
    pub(crate) policies: Vec<Policy>,
    /// How GPUs are cut; of several ways each is compared with the others, policy by policy
    #[arg(long, value_enum, value_name = "HOW", value_delimiter = ',', default_value = "at-will")]
    pub(crate) cut: Vec<Cut>,
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
    /// Let pods that fit nowhere take the place of running ones of lower priority, as kube-scheduler does; those wait
    /// with --wait, and are lost without
    #[arg(long, group = "evicting", help_heading = "Evictions")]
    pub(crate) preempt: bool,
    /// How much longer an evicted pod stays, once it runs again
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration, requires = "evicting", help_heading = "Evictions")]
    pub(crate) eviction_cost: Duration,
    /// Evicted pods begin anew, instead of going on where they were
    #[arg(long, requires = "evicting", help_heading = "Evictions")]
    pub(crate) lose_work: bool,
    /// With --cut recut, ask the planner when a pod fits nowhere, but not again before so long [default: 1h]
    #[arg(long, value_name = "DURATION", value_parser = duration, help_heading = "Cutting anew")]
    pub(crate) recut_every: Option<Duration>,
    /// How long what is cut anew is closed [default: 60s]
    #[arg(long, value_name = "DURATION", value_parser = duration, help_heading = "Cutting anew")]
    pub(crate) recut_time: Option<Duration>,
    /// What must be idle together to be cut anew, and is closed together [default: as each node's `recut` in the
    /// scenario's state, or the node]
    #[arg(long, value_enum, value_name = "UNIT", help_heading = "Cutting anew")]
    pub(crate) recut_unit: Option<Unit>,
    /// Pods that may be evicted each time, of the lowest priority that runs [default: 0]
    #[arg(long, value_name = "N", group = "evicting", help_heading = "Cutting anew")]
    pub(crate) max_evictions: Option<u32>,
    /// Which pods policies expect
    #[arg(long, value_name = "known|learnt[:PODS]", default_value = "known", value_parser = expected)]
    pub(crate) mix: Expected,
    /// Pods from a CSV file with the columns arrival,duration,profile[,count,priority,namespace], times in whole
    /// seconds; `-` for stdin
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
    #[arg(short = 'o', long, value_parser = Format::among(Format::REPORT), default_value = "text", value_name = "FORMAT", help_heading = "Output")]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
}

/// How GPUs are cut.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Cut {
    /// As each pod asks, as dynamic DRA drivers do
    #[default]
    AtWill,
    /// For good, as the best plan for the demand says
    Planned,
    /// The same to begin with, and anew when a pod fits nowhere: what is idle, as the best plan for what pods asked for
    /// lately says
    Recut,
}

/// What must be idle together to be cut anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Unit {
    /// The node
    Node,
    /// The GPU: MIG Manager leaves those alone that change nothing
    Gpu,
}

impl From<Unit> for RecutUnit {
    fn from(unit: Unit) -> RecutUnit {
        match unit {
            Unit::Node => RecutUnit::Node,
            Unit::Gpu => RecutUnit::Gpu,
        }
    }
}

/// Which pods policies expect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expected {
    /// Those of the demand, or of the trace.
    Known,
    /// Those that came last, so many.
    Learnt(u32),
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

fn expected(text: &str) -> Result<Expected, String> {
    match text.split_once(':') {
        None if text == "known" => Ok(Expected::Known),
        None if text == "learnt" => Ok(Expected::Learnt(1000)),
        Some(("learnt", pods)) => match pods.parse() {
            Ok(pods @ 1..=1_000_000) => Ok(Expected::Learnt(pods)),
            _ => Err("the number of pods must be from 1 to 1000000".to_owned()),
        },
        _ => Err("expected known, learnt, or like learnt:500".to_owned()),
    }
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
  migsaw simulate -f scenario.yaml --cut planned,recut,at-will --policy extender --recut-unit gpu
  migsaw simulate -f scenario.yaml --wait --preempt --eviction-cost 2m
  migsaw simulate -f scenario.yaml --trace pods.csv -o csv
  migsaw simulate -f scenario.yaml --trace pods.csv --wait=drain
  migsaw simulate examples/inference.yaml -o html > simulation.html

`--help` lists the policies. Exit codes: 0 done, 2 failure.";

/// Which policy a cluster has (`scoringStrategy` of `NodeResourcesFitArgs`: cpu and memory, unless it lists others).
const KUBE_SCHEDULER: &str = "\
A kube-scheduler that is not configured scores nodes by cpu and memory alone. least-allocated and most-allocated are \
how it scores where `scoringStrategy.resources` of NodeResourcesFit lists the slices (`nvidia.com/mig-1g.10gb` and so \
on) and nothing else. Without, dra comes closest: any node that has a free slice, since cpu and memory are not \
simulated.";

fn policies() -> String {
    let lines: Vec<String> =
        Policy::ALL.iter().map(|policy| format!("  {:<16} {}", policy.name, policy.about)).collect();
    format!("Policies:\n{}\n\n{KUBE_SCHEDULER}\n\n{SIMULATE_EXAMPLES}", lines.join("\n"))
}
