//! Which node takes which configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use migsaw::fleet::Strategy;
use migsaw::plan::Plan;
use migsaw::present::Present;
use migsaw::problem::Problem;

use crate::names::CONFIG_LABEL;
use crate::yaml::quoted;

/// Most nodes in one command.
const NODES_PER_COMMAND: usize = 50;

/// The configuration of every node of a plan. Nodes that are not in use take `all-disabled`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeLabels {
    /// The nodes of each configuration, in the plan's order.
    pub nodes: BTreeMap<String, Vec<String>>,
    /// Those of them that are cut that way already, so that MIG Manager finds nothing to do.
    pub cut_already: BTreeSet<String>,
    /// Nodes that are cut that way already and keep the label they have, because nobody knows which of their
    /// GPUs is cut which way; they are not among `nodes`.
    pub left_alone: BTreeSet<String>,
    /// Nodes whose instances a DRA driver makes and removes one by one; they are not among `nodes`. MIG Manager
    /// would destroy what that driver made.
    pub by_driver: BTreeSet<String>,
}

impl NodeLabels {
    /// The labels a plan needs.
    pub fn new(problem: &Problem, plan: &Plan) -> NodeLabels {
        let configurations = plan.configurations(problem);
        let mut nodes: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let (mut cut_already, mut left_alone, mut by_driver) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for (group, &configuration) in plan.nodes.iter().zip(&configurations.of_nodes) {
            let pool = &problem.fleet.pools[group.pool];
            let names = nodes.entry(configurations.distinct[configuration].name.clone()).or_default();
            for (range, listed) in pool.node_ranges() {
                let from = range.start.max(group.nodes.start);
                let to = range.end.min(group.nodes.end);
                let here = (from..to).map(|index| listed.names.get(index - range.start));
                let is_by_driver = listed.present.as_ref().is_some_and(Present::is_cut_by_driver);
                if is_by_driver && pool.strategy == Strategy::Mixed {
                    by_driver.extend(here);
                    continue;
                }
                match listed.present.as_ref().filter(|present| group.is_cut_already(present)) {
                    Some(present) if present.in_any_order => {
                        left_alone.extend(here);
                        continue;
                    }
                    Some(_) => cut_already.extend(here.clone()),
                    None => {}
                }
                names.extend(here);
            }
        }
        nodes.retain(|_, names| !names.is_empty());
        NodeLabels { nodes, cut_already, left_alone, by_driver }
    }

    /// Whether any of the nodes is cut anew, and so must be drained before its label changes.
    pub fn cuts_anew(&self) -> bool {
        self.nodes.values().flatten().any(|node| !self.cut_already.contains(node))
    }

    /// A shell script of `kubectl label` commands, many nodes in each. A node that does not exist is
    /// an error of its command, and nothing else.
    pub fn to_script(&self) -> String {
        let drain = self.drain();
        let mut text = format!("#!/bin/sh\n# Tells MIG Manager what to make of each node.{drain}\nset -eu\n");
        if !self.left_alone.is_empty() {
            text.push_str(
                "\n# These nodes stay as they are and keep their label; its entry must stay in the ConfigMap:\n",
            );
            for node in &self.left_alone {
                writeln!(text, "#   {}", shell(node)).expect("writing to a string succeeds");
            }
        }
        if !self.by_driver.is_empty() {
            text.push_str("\n# These nodes take no label: a DRA driver makes their instances as pods claim them:\n");
            for node in &self.by_driver {
                writeln!(text, "#   {}", shell(node)).expect("writing to a string succeeds");
            }
        }
        if !self.cut_already.is_empty() {
            text.push_str("\n# These nodes are cut that way already: they need no drain.\n");
            self.write_commands(&mut text, true);
            let anew = if self.cuts_anew() { "These are cut anew." } else { "None is cut anew." };
            writeln!(text, "\n# {anew}").expect("writing to a string succeeds");
        }
        self.write_commands(&mut text, false);
        text
    }

    /// What to do before, if anything.
    fn drain(&self) -> &'static str {
        if self.cuts_anew() { " Drain a node before its label changes." } else { "" }
    }

    /// The commands for the nodes that are cut that way already, or for all others.
    fn write_commands(&self, text: &mut String, cut_already: bool) {
        for (configuration, nodes) in &self.nodes {
            let nodes: Vec<&String> =
                nodes.iter().filter(|node| self.cut_already.contains(*node) == cut_already).collect();
            for nodes in nodes.chunks(NODES_PER_COMMAND) {
                text.push_str("kubectl label --overwrite node");
                for node in nodes {
                    text.push(' ');
                    text.push_str(&shell(node));
                }
                writeln!(text, " {CONFIG_LABEL}={}", shell(configuration)).expect("writing to a string succeeds");
            }
        }
    }

    /// A list of nodes with that label only, one document, for
    /// `kubectl apply --server-side --field-manager=migsaw --force-conflicts -f`.
    ///
    /// Every node must exist: applying a node that does not creates an object for it.
    pub fn to_yaml(&self) -> String {
        let mut text = format!(
            "# kubectl apply --server-side --field-manager=migsaw --force-conflicts -f <this file>\n\
             # Tells MIG Manager what to make of each node.{}\n\
             apiVersion: v1\nkind: List\nitems:{}\n",
            self.drain(),
            if self.nodes.values().all(Vec::is_empty) { " []" } else { "" }
        );
        for (configuration, nodes) in &self.nodes {
            for node in nodes {
                write!(
                    text,
                    "- apiVersion: v1\n  kind: Node\n  metadata:\n    name: {}\n    labels:\n      {CONFIG_LABEL}: {}\n",
                    quoted(node),
                    quoted(configuration)
                )
                .expect("writing to a string succeeds");
            }
        }
        text
    }
}

/// A word of a shell command.
pub(super) fn shell(word: &str) -> String {
    let plain = !word.is_empty()
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        && !word.starts_with('-');
    if plain { word.to_owned() } else { format!("'{}'", word.replace('\'', "'\\''")) }
}
