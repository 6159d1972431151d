//! The command line's definition.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use migsaw_kube::gpu_operator::ConfigMap;

use crate::io::ColorChoice;

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
    /// Carry a plan out on the live cluster, in waves, resumable
    Apply(ApplyArgs),
    /// Take back what an apply has left half-done
    Abort(AbortArgs),
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

/// Where the fleet and the demand come from.
#[derive(Debug, Args)]
pub(crate) struct ProblemArgs {
    /// A scenario file (YAML or JSON); `-` for stdin
    #[arg(short = 'f', long = "file", value_name = "SCENARIO", help_heading = "Input")]
    pub(crate) scenario: Option<PathBuf>,
    /// What `kubectl get nodes,pods -A -o json` prints, or manifests: files, folders of files, `-` for
    /// stdin
    #[arg(long, value_name = "DUMP", num_args = 1.., help_heading = "Input")]
    pub(crate) from: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    /// The namespace of manifests that do not say theirs, as for `kubectl apply` (with --from)
    #[arg(short, long, requires = "from", value_name = "NAMESPACE", help_heading = "Input")]
    pub(crate) namespace: Option<String>,
    #[command(flatten)]
    pub(crate) geometry: GeometryArgs,
    /// Plan cordoned nodes and nodes that are not ready too (of a dump or the live cluster)
    #[arg(long, help_heading = "Input")]
    pub(crate) include_unavailable: bool,
    /// Start from how nodes are cut and what runs on them, instead of from scratch (with --from; what is read
    /// from the live cluster always does)
    #[arg(long, help_heading = "Input")]
    pub(crate) running: bool,
    /// What DCGM exporter says, so that it is known which GPU each pod is on: scrapes, or answers of Prometheus to
    /// a query like `DCGM_FI_DEV_FB_USED`; files, folders of files, `-` for stdin, or the URL of a Prometheus server
    /// or of an exporter's /metrics (with --running or --live)
    #[arg(long, value_name = "METRICS", num_args = 1.., help_heading = "Input")]
    pub(crate) dcgm: Vec<PathBuf>,
}

/// The live cluster, by the usual rules of kubeconfig files.
#[derive(Debug, Args)]
pub(crate) struct ClusterArgs {
    /// Read the live cluster, in the kubeconfig's current context
    #[arg(long, help_heading = "Cluster")]
    pub(crate) live: bool,
    #[command(flatten)]
    pub(crate) access: AccessArgs,
}

impl ClusterArgs {
    /// Whether the live cluster is to be read.
    pub(crate) fn is_live(&self) -> bool {
        self.live || self.access.context.is_some() || self.access.kubeconfig.is_some()
    }
}

/// Which cluster.
#[derive(Debug, Args)]
pub(crate) struct AccessArgs {
    /// The kubeconfig's context, instead of the current one
    #[arg(long, value_name = "NAME", help_heading = "Cluster")]
    pub(crate) context: Option<String>,
    /// The kubeconfig, instead of `KUBECONFIG` or ~/.kube/config
    #[arg(long, value_name = "FILE", help_heading = "Cluster")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// The GPU Operator's namespace
    #[arg(
        long,
        value_name = "NAMESPACE",
        env = "MIGSAW_OPERATOR_NAMESPACE",
        default_value = "gpu-operator",
        help_heading = "Cluster"
    )]
    pub(crate) operator_namespace: String,
}

/// GPU models besides the built-in ones.
#[derive(Debug, Args)]
pub(crate) struct GeometryArgs {
    /// A file with GPU models to add, or to take instead of built-in ones
    #[arg(long = "geometry", value_name = "FILE", help_heading = "Input")]
    pub(crate) files: Vec<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = PLAN_EXAMPLES)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) planning: PlanningArgs,
    /// Print what more evictions gain, instead of a plan
    #[arg(long, conflicts_with_all = ["keep_running", "ignore_running", "out"], help_heading = "What runs today")]
    pub(crate) curve: bool,
    /// How to print the plan
    #[arg(short = 'o', long, value_enum, default_value_t, value_name = "FORMAT", help_heading = "Output")]
    pub(crate) format: Format,
    /// Also write ConfigMap, node labels and plan into this folder, all of them or none
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub(crate) out: Option<PathBuf>,
}

/// What is planned, and how.
#[derive(Debug, Args)]
pub(crate) struct PlanningArgs {
    /// A scenario file, the same as with -f
    #[arg(value_name = "SCENARIO", conflicts_with = "scenario")]
    pub(crate) positional: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) problem: ProblemArgs,
    #[command(flatten)]
    pub(crate) moving: MovingArgs,
    /// Stop searching after this time with the best plan found, and say how far from the best it can be
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = duration)]
    pub(crate) time_limit: Duration,
}

/// What may be done to what runs today, as the scenario's `state` says it.
#[derive(Debug, Args)]
pub(crate) struct MovingArgs {
    /// Evict nothing
    #[arg(long, conflicts_with = "max_evictions", help_heading = "What runs today")]
    pub(crate) keep_running: bool,
    /// Evict at most so many pods
    #[arg(long, value_name = "N", help_heading = "What runs today")]
    pub(crate) max_evictions: Option<u64>,
    /// Never move pods of this priority or a higher one
    #[arg(long, value_name = "PRIORITY", allow_negative_numbers = true, help_heading = "What runs today")]
    pub(crate) keep_priority: Option<i32>,
    /// Free as many GPUs as possible (or the most expensive), and only then evict as few pods as possible
    #[arg(long, help_heading = "What runs today")]
    pub(crate) compact: bool,
    /// Plan as if nothing ran
    #[arg(long, conflicts_with_all = ["keep_running", "max_evictions", "keep_priority", "compact"], help_heading = "What runs today")]
    pub(crate) ignore_running: bool,
}

impl MovingArgs {
    /// Whether anything is said about what runs today.
    pub(crate) fn is_given(&self) -> bool {
        self.keep_running
            || self.max_evictions.is_some()
            || self.keep_priority.is_some()
            || self.compact
            || self.ignore_running
    }
}

const PLAN_EXAMPLES: &str = "\
Examples:
  migsaw plan examples/inference.yaml
  migsaw plan -f scenario.yaml --time-limit 2m -o json | jq .status
  kubectl get nodes,pods -A -o json > dump.json && migsaw plan --from dump.json --out plan/
  migsaw plan --from nodes.json manifests/
  migsaw plan examples/running.yaml --keep-running
  migsaw plan examples/running.yaml --compact --curve

A scenario file:
  apiVersion: migsaw.io/v1alpha1
  kind: Scenario
  fleet:
  - {pool: inference, model: H100-80GB, nodes: 8, gpusPerNode: 8}
  demand:
  - {name: llm-7b, profile: 1g.10gb, count: 120}
  - {name: notebooks, atLeast: {memory: 16Gi, compute: 1}, count: 40}
  - {name: finetune, wholeGpus: 8, count: 2}
  (`migsaw schema scenario` has every field)

Exit codes: 0 all served, 1 something is not served, 2 failure.";

/// The plan that is aimed at.
#[derive(Debug, Args)]
pub(crate) struct TargetArgs {
    #[command(flatten)]
    pub(crate) planning: PlanningArgs,
    /// A plan, instead of the best one; `-` for stdin
    #[arg(
        long,
        value_name = "PLAN",
        conflicts_with_all = ["keep_running", "max_evictions", "compact"],
        help_heading = "Input"
    )]
    pub(crate) plan: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = DIFF_EXAMPLES)]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// How to print the changes
    #[arg(short = 'o', long, value_enum, default_value_t, value_name = "FORMAT", help_heading = "Output")]
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

#[derive(Debug, Args)]
#[command(after_help = ROLLOUT_EXAMPLES)]
pub(crate) struct RolloutArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Most nodes that may be changed at the same time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Order")]
    pub(crate) max_unavailable: u32,
    /// How long evicted pods take to end, for the estimate
    #[arg(long, value_name = "SECONDS", default_value_t = 30, help_heading = "Order")]
    pub(crate) evict_seconds: u32,
    /// How long MIG Manager takes for a node, for the estimate
    #[arg(long, value_name = "SECONDS", default_value_t = 60, help_heading = "Order")]
    pub(crate) recut_seconds: u32,
    /// How to print the steps
    #[arg(short = 'o', long, value_enum, default_value_t, value_name = "FORMAT", help_heading = "Output")]
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

#[derive(Debug, Args)]
#[command(after_help = APPLY_EXAMPLES)]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Most nodes that may be changed at the same time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..), help_heading = "Order")]
    pub(crate) max_unavailable: u32,
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
    #[arg(short = 'o', long, value_enum, default_value_t, value_name = "FORMAT", help_heading = "Output")]
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
    #[arg(short = 'o', long, value_enum, default_value_t, value_name = "FORMAT", help_heading = "Output")]
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

#[derive(Debug, Args)]
#[command(after_help = CHECK_EXAMPLES)]
pub(crate) struct CheckArgs {
    /// The plan (JSON or YAML); `-` for stdin
    #[arg(value_name = "PLAN")]
    pub(crate) plan: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) problem: ProblemArgs,
    /// How to print the verdict
    #[arg(short = 'o', long, value_enum, default_value_t, value_name = "FORMAT", help_heading = "Output")]
    pub(crate) format: Format,
}

const CHECK_EXAMPLES: &str = "\
Examples:
  migsaw plan -f scenario.yaml -o json > plan.json; migsaw check -f scenario.yaml plan.json
  migsaw check plan.json --from dump.json

The checker shares no code with the planner: it judges from the scenario alone.
Exit codes: 0 the plan is right, 1 it is not, 2 failure.";

#[derive(Debug, Subcommand)]
pub(crate) enum GeometryCommand {
    /// List the GPU models, and those known by name only
    List {
        #[command(flatten)]
        geometry: GeometryArgs,
        /// How to print the list
        #[arg(short = 'o', long, value_enum, default_value_t, value_name = "FORMAT")]
        format: Format,
    },
    /// Show everything about a model, with sources
    Show {
        #[command(flatten)]
        of: ModelArgs,
    },
    /// List every way to cut a model
    Layouts {
        #[command(flatten)]
        of: ModelArgs,
        /// Only those to which nothing can be added
        #[arg(long)]
        maximal: bool,
        /// Without starts: how many of each profile
        #[arg(long)]
        counts: bool,
    },
    /// Tell whether instances fit on one GPU, where, and in which order to create them
    Fits {
        #[command(flatten)]
        of: ModelArgs,
        /// The instances, like 1g.10gb=2,3g.40gb=1
        #[arg(value_name = "COUNTS")]
        wanted: String,
        /// Instances that stay, like 1g.10gb@3,2g.20gb@4
        #[arg(long, value_name = "LAYOUT", default_value = "empty", hide_default_value = true)]
        pinned: String,
    },
}

const GEOMETRY_EXAMPLES: &str = "\
Examples:
  migsaw geometry list
  migsaw geometry show RTX-PRO-6000
  migsaw geometry layouts A100-40GB --maximal
  migsaw geometry fits H100-80GB 2g.20gb=1,3g.40gb=1 --pinned 1g.10gb@3";

#[derive(Debug, Args)]
pub(crate) struct ModelArgs {
    /// The GPU model: a name, the beginning of one, or a product label (H100-80GB, A30,
    /// NVIDIA-H200)
    #[arg(value_name = "MODEL")]
    pub(crate) model: String,
    #[command(flatten)]
    pub(crate) geometry: GeometryArgs,
    /// How to print the answer
    #[arg(short = 'o', long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
#[command(after_help = VALIDATE_EXAMPLES)]
pub(crate) struct ValidateArgs {
    /// A mig-parted file, bare or in a ConfigMap; `-` for stdin
    #[arg(value_name = "CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Judge entries without a device filter on these models, and on no others
    #[arg(long, value_name = "MODEL", num_args = 1.., value_delimiter = ',')]
    pub(crate) model: Vec<String>,
    #[command(flatten)]
    pub(crate) geometry: GeometryArgs,
    /// How to print the verdict
    #[arg(short = 'o', long, value_enum, default_value_t, value_name = "FORMAT")]
    pub(crate) format: Format,
}

const VALIDATE_EXAMPLES: &str = "\
Examples:
  migsaw validate config.yaml --model A100-80GB H100-80GB
  kubectl -n gpu-operator get configmap default-mig-parted-config -o yaml | migsaw validate -

Unlike `nvidia-mig-parted assert --valid-config` it tells whether the driver can create each entry.
Without --model, a rule without a device filter is judged on every model that has its profiles, and
must be creatable on one.
Exit codes: 0 every entry can be created, 1 some cannot or nothing could be judged, 2 failure.";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  migsaw completions bash > ~/.local/share/bash-completion/completions/migsaw
  migsaw completions zsh > \"${fpath[1]}/_migsaw\"
  migsaw completions fish > ~/.config/fish/completions/migsaw.fish";

/// How to print.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    // For people; no doc comments, which would make three lines of help out of one.
    #[default]
    Text,
    Json,
    Yaml,
}

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
}

/// The definition, under the name it was called by: kubectl calls its plugins `kubectl-…`.
pub(crate) fn command(called: Option<&OsString>) -> clap::Command {
    let name = called.and_then(|path| Path::new(path).file_stem()).map(|stem| stem.to_string_lossy());
    let command = Cli::command();
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

/// Says in all examples how the command was called.
fn renamed(command: clap::Command, help: &dyn Fn(&str) -> String) -> clap::Command {
    let examples = command.get_after_help().map(|text| help(&text.to_string()));
    let command = match examples {
        Some(text) => command.after_help(text),
        None => command,
    };
    command.mut_subcommands(|sub| renamed(sub, help))
}

/// Reads `30s`, `2m`, `1h 30m`.
fn duration(text: &str) -> Result<Duration, String> {
    let parsed: jiff::SignedDuration = match text.trim().parse() {
        Ok(parsed) => parsed,
        Err(_) if text.trim().parse::<f64>().is_ok() => {
            return Err(format!("`{text}` has no unit (expected like 30s or 2m)"));
        }
        Err(error) => return Err(format!("{error} (expected like 30s, 2m or 1h30m)")),
    };
    Duration::try_from(parsed).map_err(|_| "it must not be negative (expected like 30s or 2m)".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn durations_need_a_unit() {
        for (text, seconds) in [("30s", Some(30)), ("2m", Some(120)), ("1h30m", Some(5400)), ("0s", Some(0))] {
            assert_eq!(duration(text).ok().map(|d| d.as_secs()), seconds, "{text}");
        }
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        for text in ["", "30", "-5s", "soon", "1.5", "9999999999999999h"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
