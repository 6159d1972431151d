//! What becomes of each node, a row each.

use std::collections::BTreeMap;

use migsaw::plan::{GpuTarget, NodeChange, Plan, PlannedNodes};
use migsaw::problem::Problem;

use super::answer;
use crate::clean::clean;
use crate::list::List;
use crate::number::grouped;
use crate::sheet::Sheet;

/// The columns, and which of them hold numbers.
const COLUMNS: [(&str, bool); 8] = [
    ("node", false),
    ("pool", false),
    ("GPUs", true),
    ("in use", true),
    ("becomes", false),
    ("units", true),
    ("serves", false),
    ("changes", false),
];

/// The nodes of the fleet in its order.
pub(super) fn list(problem: &Problem, plan: &Plan) -> List {
    let (titles, right): (Vec<&str>, Vec<bool>) = COLUMNS.into_iter().unzip();
    let mut sheet = Sheet::new(&titles);
    let mut changes = plan.changes(problem).into_iter().peekable();
    for group in &plan.nodes {
        let pool = &problem.fleet.pools[group.pool];
        let becomes = becomes(problem, group);
        let serves: Vec<String> = group.serves.iter().map(|of| units(problem, of.demand, of.units.into())).collect();
        let all: u64 = group.serves.iter().map(|of| u64::from(of.units)).sum();
        while let Some(change) = changes.next_if(|change| is_within(change, group)) {
            for node in change.nodes.clone() {
                sheet.row(vec![
                    pool.node_name(node),
                    pool.name.clone(),
                    grouped(group.gpus.len() as u64),
                    grouped(group.gpus_used()),
                    becomes.clone(),
                    grouped(all),
                    serves.join(", "),
                    changed(problem, &change),
                ]);
            }
        }
    }
    List::of_sheet(answer::sentence(problem, plan), answer::footing(problem, plan), sheet, &right)
}

/// Whether the change is of nodes of the group.
fn is_within(change: &NodeChange, group: &PlannedNodes) -> bool {
    change.pool == group.pool && group.nodes.start <= change.nodes.start && change.nodes.end <= group.nodes.end
}

/// What the GPUs become, alike ones together: `3 x 1g.10gb=7, MIG off`.
fn becomes(problem: &Problem, group: &PlannedNodes) -> String {
    let models = problem.fleet.pools[group.pool].gpu_models();
    let mut alike: Vec<(String, usize)> = Vec::new();
    for (target, model) in group.gpus.iter().zip(models) {
        let text = match target {
            GpuTarget::MigOff => "MIG off".to_owned(),
            GpuTarget::Mig(layout) => layout.counts().display(model).to_string(),
            GpuTarget::Left(layout) => format!("{} (left as it is)", layout.counts().display(model)),
        };
        match alike.iter_mut().find(|(known, _)| *known == text) {
            Some((_, n)) => *n += 1,
            None => alike.push((text, 1)),
        }
    }
    let text = |(text, n): (String, usize)| if n == 1 { text } else { format!("{n} x {text}") };
    alike.into_iter().map(text).collect::<Vec<String>>().join("; ")
}

fn units(problem: &Problem, demand: usize, n: u64) -> String {
    format!("{} {}", clean(&problem.demands[demand].full_name()), grouped(n))
}

/// What is cut anew and who is evicted; nothing if the node stays as it is.
fn changed(problem: &Problem, change: &NodeChange) -> String {
    let sum = |of: &BTreeMap<usize, u64>| {
        of.iter().map(|(&demand, &n)| units(problem, demand, n)).collect::<Vec<String>>().join(", ")
    };
    let mut parts = Vec::new();
    if !change.is_known {
        parts.push("not known what runs".to_owned());
    }
    if change.is_known && !change.gpus.is_empty() {
        parts.push(format!("cuts {}", grouped(change.gpus.len() as u64)));
    }
    if !change.evicts.is_empty() {
        parts.push(format!("evicts {}", sum(&change.evicts)));
    }
    parts.join("; ")
}
