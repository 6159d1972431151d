//! The command line's definition.

mod advise;
mod apply;
mod asking;
mod buy;
mod capacity;
mod chargeback;
mod check;
mod collect;
mod defaults;
mod diff;
mod doctor;
mod duration;
mod format;
mod geometry;
mod plan;
mod planning;
mod problem;
mod quota;
mod robust;
mod rollout;
mod selection;
mod serve;
mod simulate;
mod validate;
mod watch;
mod whatif;

use std::ffi::OsString;
use std::path::Path;

use clap::{ArgMatches, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::io::ColorChoice;
pub(crate) use advise::AdviseArgs;
pub(crate) use apply::{AbortArgs, ActingArgs, ApplyArgs, DryRun};
pub(crate) use asking::AskingArgs;
pub(crate) use buy::BuyArgs;
pub(crate) use capacity::CapacityArgs;
pub(crate) use chargeback::{ChargebackArgs, HistoryArgs, Priced, RightSizeArgs, Whom};
pub(crate) use check::CheckArgs;
pub(crate) use collect::CollectArgs;
pub(crate) use defaults::from_file;
pub(crate) use diff::DiffArgs;
pub(crate) use doctor::DoctorArgs;
pub(crate) use format::Format;
use geometry::GEOMETRY_EXAMPLES;
pub(crate) use geometry::{GeometryCommand, ModelArgs};
pub(crate) use plan::PlanArgs;
pub(crate) use planning::{MovingArgs, PlanningArgs, TargetArgs};
pub(crate) use problem::{AccessArgs, ClusterArgs, GeometryArgs, ProblemArgs};
pub(crate) use quota::QuotaArgs;
pub(crate) use robust::RobustArgs;
pub(crate) use rollout::RolloutArgs;
pub(crate) use selection::SelectionArgs;
pub(crate) use serve::{LogFormat, ServeArgs};
pub(crate) use simulate::{Cut, Expected, Law, MOST_PODS, SimulateArgs, Wait};
pub(crate) use validate::ValidateArgs;
pub(crate) use watch::WatchArgs;
pub(crate) use whatif::WhatIfArgs;

/// Plans how NVIDIA MIG GPUs are cut, and which request gets which slice.
///
/// Give it a scenario file, or what kubectl prints about your cluster. It answers with the best layout
/// for every node, proven so, in the form the GPU Operator takes. Only `apply` and `abort` change a cluster.
#[derive(Debug, Parser)]
#[command(name = "migsaw", version, propagate_version = true, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Cli {
    /// When to use colours.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN", help_heading = "Display")]
    pub(crate) color: ColorChoice,
    /// Draw with ASCII characters only.
    #[arg(long, global = true, help_heading = "Display")]
    pub(crate) ascii: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const EXAMPLES: &str = "\
Examples:
  migsaw plan examples/inference.yaml
      the best plan for a scenario file
  kubectl get nodes,pods -A -o json | migsaw plan --from -
      the same for a cluster, as it is now
  migsaw plan --from dump.json --out plan/
      also write the ConfigMap, node labels and plan as files
  migsaw diff --from dump.json --running
      what the best plan would change, evicting as few pods as it can
  migsaw capacity --live
      how many more of each profile fit, now and if pods may be moved
  migsaw apply
      do it: drain, cut and uncordon node by node; interrupt it, run it again, it goes on
  migsaw geometry fits H100-80GB 3g.40gb=1,1g.10gb=3 --pinned 1g.10gb@0
      does that fit on one GPU beside what is there?
  migsaw validate mig-parted-config.yaml
      can every entry be created where it applies?

Exit codes: 0 done, 1 a valid answer that is \"no\", 2 failure.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Find the best layout for every node, and prove it
    Plan(PlanArgs),
    /// Show what a plan would change, node by node
    Diff(DiffArgs),
    /// Put the changes of a plan in an order that keeps pods running
    Rollout(RolloutArgs),
    /// Tell how many more of each profile, or of a mix, fit
    Capacity(Box<CapacityArgs>),
    /// Compare before and after: nodes more or fewer, demand that grows, another strategy
    #[command(name = "whatif")]
    WhatIf(Box<WhatIfArgs>),
    /// Tell how many nodes must be bought for a target, model by model
    Buy(Box<BuyArgs>),
    /// Find one layout that serves several scenarios best, on average or at worst
    Robust(Box<RobustArgs>),
    /// Tell who used which slices over a period, what that costs, and what was idle or stranded
    Chargeback(Box<ChargebackArgs>),
    /// Tell which slices are larger than what was used of them
    RightSize(Box<RightSizeArgs>),
    /// Hold quotas against demand, plan and fleet; propose some
    Quota(Box<QuotaArgs>),
    /// Say what strategy `single` costs, and which workloads belong on MIG
    Advise(Box<AdviseArgs>),
    /// Carry a plan out on the live cluster, in waves, resumable
    Apply(ApplyArgs),
    /// Take back what an apply has left half-done
    Abort(AbortArgs),
    /// Answer kube-scheduler as its extender, so that pods go where later ones still fit
    Serve(Box<ServeArgs>),
    /// Check that an extender and the scheduler's configuration fit together
    Doctor(DoctorArgs),
    /// See what would become of pods under several policies, in virtual time
    Simulate(Box<SimulateArgs>),
    /// Write what is read of a cluster, and nothing else, to send or keep
    Collect(CollectArgs),
    /// Judge a plan, from here or written by hand
    Check(CheckArgs),
    /// Ask what a GPU can be cut into
    #[command(subcommand, after_help = GEOMETRY_EXAMPLES)]
    Geometry(GeometryCommand),
    /// Tell whether a mig-parted file's entries can be created
    Validate(ValidateArgs),
    /// Print the JSON schema of a document
    Schema {
        /// Which document.
        #[arg(value_enum)]
        document: SchemaOf,
    },
    /// Print a completion script for a shell
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions {
        /// Which shell.
        #[arg(value_enum)]
        shell: Shell,
    },
}

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  migsaw completions bash > ~/.local/share/bash-completion/completions/migsaw
  migsaw completions zsh > \"${fpath[1]}/_migsaw\"
  migsaw completions fish > ~/.config/fish/completions/migsaw.fish";

/// Documents with a published schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum SchemaOf {
    /// What `migsaw plan -f` reads.
    Scenario,
    /// What `migsaw plan -o json` writes and `migsaw check` reads.
    Plan,
    /// What `migsaw plan --curve -o json` writes.
    Curve,
    /// What `migsaw diff -o json` writes.
    Diff,
    /// What `migsaw rollout -o json` writes.
    Rollout,
    /// What `migsaw apply -o json` writes.
    Applied,
    /// What `migsaw simulate -o json` writes.
    Simulation,
    /// What `migsaw capacity -o json` writes.
    Capacity,
    /// What `migsaw whatif -o json` writes.
    #[value(name = "whatif")]
    WhatIf,
    /// What `migsaw buy -o json` writes.
    Buy,
    /// What `migsaw robust -o json` writes.
    Robust,
    /// What `migsaw chargeback -o json` writes.
    Chargeback,
    /// What `migsaw right-size -o json` writes.
    #[value(name = "rightsize")]
    RightSize,
    /// What `migsaw quota -o json` writes.
    Quotas,
    /// What `migsaw advise -o json` writes.
    Advice,
}

/// Whether the command is to print a page.
pub(crate) fn is_for_a_page(matches: &ArgMatches) -> bool {
    let of_command = matches.subcommand().and_then(|(_, of_command)| of_command.try_get_one::<Format>("format").ok());
    of_command.flatten() == Some(&Format::Html)
}

/// The definition, under the name it was called by: kubectl calls its plugins `kubectl-…`.
pub(crate) fn command(called: Option<&OsString>) -> clap::Command {
    let name = called.and_then(|path| Path::new(path).file_stem()).map(|stem| stem.to_string_lossy());
    let command = Cli::command()
        .mut_subcommand("apply", of_the_live_cluster)
        .mut_subcommand("capacity", |capacity| capacity.mut_arg("running", |arg| arg.hide(true)))
        .mut_subcommand("quota", |quota| quota.mut_arg("running", |arg| arg.hide(true)))
        .mut_subcommand("whatif", |whatif| whatif.mut_arg("running", |arg| arg.hide(true)))
        .mut_subcommand("robust", |robust| {
            WHAT_RUNS.iter().fold(robust, |robust, id| robust.mut_arg(id, |arg| arg.hide(true)))
        })
        .mut_subcommand("advise", |advise| {
            WHAT_RUNS.iter().fold(advise, |advise, id| advise.mut_arg(id, |arg| arg.hide(true)))
        })
        .mut_subcommand("buy", |buy| WHAT_RUNS.iter().fold(buy, |buy, id| buy.mut_arg(id, |arg| arg.hide(true))))
        // It has nothing to do with the operator.
        .mut_subcommand("serve", |serve| serve.mut_arg("operator_namespace", |arg| arg.hide(true)));
    if name.is_some_and(|name| name.starts_with("kubectl-")) {
        let help = |text: &str| {
            text.replace("  migsaw ", "  kubectl migsaw ")
                .replace("| migsaw", "| kubectl migsaw")
                .replace("&& migsaw", "&& kubectl migsaw")
                .replace("; migsaw", "; kubectl migsaw")
        };
        return renamed(command.bin_name("kubectl migsaw").display_name("kubectl migsaw"), &help);
    }
    command
}

/// What is said of what runs, which does not count for what is to be bought, or may come.
/// What is said of what runs, which does not count for what is to be bought, nor for advice.
const WHAT_RUNS: [&str; 4] = ["running", "dcgm", "keep_priority", "ignore_running"];

/// Without what says where the fleet comes from, or that nothing runs on it: it is the live cluster, as it is.
fn of_the_live_cluster(command: clap::Command) -> clap::Command {
    const ELSEWHERE: [&str; 5] = ["positional", "scenario", "live", "running", "ignore_running"];
    ELSEWHERE.iter().fold(command, |command, id| command.mut_arg(id, |arg| arg.hide(true)))
}

/// Says in all examples how the command was called.
fn renamed(command: clap::Command, help: &dyn Fn(&str) -> String) -> clap::Command {
    let examples = command.get_after_help().map(|text| help(&text.to_string()));
    let command = match examples {
        Some(text) => command.after_help(text),
        None => command,
    };
    command.mut_subcommands(|sub| renamed(sub, help))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }
}
