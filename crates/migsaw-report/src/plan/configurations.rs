//! What nodes become.

use std::collections::BTreeMap;

use migsaw::plan::{ALL_DISABLED, Configuration, GpuTarget, Plan, PlannedNodes};
use migsaw::problem::Problem;

use super::nodes::NodeIndex;
use crate::number::{counted, grouped};
use crate::page::Page;
use crate::style::{Style, Tone};

/// Most configurations shown, those of most nodes first.
const MOST: usize = 20;

/// The configurations, most nodes first and nodes without MIG last, each with its nodes and what every
/// GPU becomes.
pub(super) fn text(problem: &Problem, plan: &Plan, index: &NodeIndex<'_>, style: Style) -> String {
    let configurations = plan.configurations(problem);
    let mut groups: BTreeMap<usize, Vec<&PlannedNodes>> = BTreeMap::new();
    for (group, &configuration) in plan.nodes.iter().zip(&configurations.of_nodes) {
        groups.entry(configuration).or_default().push(group);
    }
    let count = |groups: &[&PlannedNodes]| groups.iter().map(|g| u64::from(g.node_count())).sum::<u64>();
    let mut order: Vec<(&Configuration, Vec<&PlannedNodes>)> =
        groups.into_iter().map(|(i, groups)| (&configurations.distinct[i], groups)).collect();
    order.sort_by_key(|(c, groups)| (c.name == ALL_DISABLED, std::cmp::Reverse(count(groups)), c.name.clone()));

    let mut page = Page::titled("Configurations", style);
    for (configuration, groups) in order.iter().take(MOST) {
        let nodes = count(groups);
        let head = format!("  {}  {}: ", style.paint(Tone::Strong, &configuration.name), counted(nodes, "node"));
        let used = configuration.name.chars().count() + 4 + counted(nodes, "node").len() + 2;
        let room = style.columns().saturating_sub(used);
        let names = index.names(groups, room);
        if names.chars().count() <= room {
            page.line(format!("{head}{names}"));
        } else {
            page.line(head.trim_end());
            page.line(format!("    {}", index.names(groups, style.columns() - 4)));
        }
        gpus(problem, configuration, groups, &mut page);
    }
    if order.len() > MOST {
        let rest = order[MOST..].iter().map(|(_, groups)| count(groups)).sum();
        let more = counted((order.len() - MOST) as u64, "more configuration");
        page.line(format!("  and {more} on {} (see -o json)", counted(rest, "node")));
    }
    page.finish()
}

/// One line for each run of GPUs that become the same.
fn gpus(problem: &Problem, configuration: &Configuration, groups: &[&PlannedNodes], page: &mut Page) {
    if configuration.name == ALL_DISABLED {
        let whole = groups.iter().filter(|g| !g.serves.is_empty()).map(|g| u64::from(g.node_count())).sum::<u64>();
        let note =
            if whole > 0 { format!(", whole GPUs in service on {}", counted(whole, "node")) } else { String::new() };
        page.line(format!("    every GPU  MIG off{note}"));
        return;
    }
    let first = groups[0];
    let models: Vec<_> = problem.fleet.pools[first.pool].gpu_models().collect();
    let mut lines: Vec<(usize, usize, String)> = Vec::new();
    for (i, target) in first.gpus.iter().enumerate() {
        let becomes = match target {
            GpuTarget::MigOff => "MIG off".to_owned(),
            GpuTarget::Mig(layout) => layout.display(models[i]).to_string(),
            GpuTarget::Left(layout) => format!("{} (left as it is, unused)", layout.display(models[i])),
        };
        match lines.last_mut() {
            Some((_, last, before)) if *before == becomes => *last = i,
            _ => lines.push((i, i, becomes)),
        }
    }
    let label = |first: usize, last: usize| match last - first {
        _ if first == 0 && last + 1 == models.len() && last > 0 => "every GPU".to_owned(),
        0 => format!("GPU {first}"),
        _ => format!("GPU {first}-{last}"),
    };
    let widest = lines.iter().map(|&(first, last, _)| label(first, last).len()).max().unwrap_or(0);
    for (first, last, becomes) in &lines {
        let hang = widest + 6;
        // The notation reads with spaces behind its commas too.
        let head = format!("    {:widest$}  ", label(*first, *last));
        page.wrapped_behind(&head, hang, &becomes.replace(',', ", "), hang);
    }
    let layouts = |group: &&&PlannedNodes| group.gpus != first.gpus;
    let others: u64 = groups.iter().filter(layouts).map(|g| u64::from(g.node_count())).sum();
    if others > 0 {
        page.line(format!("    on {} of these nodes at other starts", grouped(others)));
    }
}
