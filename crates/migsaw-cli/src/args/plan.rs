//! `migsaw plan`.

use std::path::PathBuf;

use clap::Args;

use super::planning::PlanningArgs;
use super::watch::WatchArgs;
use super::{Format, SelectionArgs};

#[derive(Debug, Args)]
#[command(after_help = PLAN_EXAMPLES)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) planning: PlanningArgs,
    #[command(flatten)]
    pub(crate) watch: WatchArgs,
    /// Print what more evictions gain, instead of a plan
    #[arg(long, conflicts_with_all = ["keep_running", "ignore_running", "out", "sort_by", "filter"], help_heading = "What runs today")]
    pub(crate) curve: bool,
    /// How to print the plan; csv and markdown are the list of its nodes
    #[arg(short = 'o', long, value_parser = Format::among(Format::PICTURE), default_value = "text", value_name = "FORMAT", help_heading = "Output")]
    pub(crate) format: Format,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    /// Also write ConfigMap, node labels and plan into this folder, all of them or none
    #[arg(long, conflicts_with = "watch", value_name = "DIR", help_heading = "Output")]
    pub(crate) out: Option<PathBuf>,
}

const PLAN_EXAMPLES: &str = "\
Examples:
  migsaw plan examples/inference.yaml
  migsaw plan -f scenario.yaml --time-limit 2m -o json | jq .status
  kubectl get nodes,pods -A -o json > dump.json && migsaw plan --from dump.json --out plan/
  migsaw plan --from nodes.json manifests/
  migsaw plan examples/running.yaml --keep-running
  migsaw plan examples/running.yaml --compact --curve
  migsaw plan examples/running.yaml -o html > plan.html

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
