//! What runs today: how much of it stays, and what is evicted where.

use std::collections::{BTreeMap, BTreeSet};

use migsaw::fleet::NodeGroup;
use migsaw::plan::{Plan, PlannedNodes, TierName};
use migsaw::present::RecutUnit;
use migsaw::problem::Problem;

use super::nodes::NodeIndex;
use crate::clean::clean;
use crate::number::{counted, grouped};
use crate::page::Page;
use crate::style::{Style, Tone};
use crate::table::Table;

/// Most demands listed.
const MOST_ROWS: usize = 30;

/// Units of one demand: how many run, how many of them are evicted, and from which nodes.
#[derive(Default)]
struct Row<'a> {
    running: u64,
    evicted: u64,
    from: Vec<&'a PlannedNodes>,
}

/// A sentence, and a table of what is evicted; nothing if nothing is known to run.
pub(super) fn text(problem: &Problem, plan: &Plan, index: &NodeIndex<'_>, style: Style) -> String {
    let Some(rows) = rows(plan, index) else { return String::new() };
    let mut page = Page::titled("Running today", style);
    page.line(format!("  {}", sentence(problem, plan, &rows)));
    let evicted: Vec<(usize, Row<'_>)> = rows.into_iter().filter(|(_, row)| row.evicted > 0).collect();
    let mut table = Table::new(&["  Evicted", ">units", "from"]);
    for (demand, row) in evicted.iter().take(MOST_ROWS) {
        let name = clean(&problem.demands[*demand].full_name()).into_owned();
        let units = style.paint(Tone::Warn, format!("{} of {}", grouped(row.evicted), grouped(row.running)));
        table.row(vec![format!("  {name}"), units, index.names(&row.from, 48)]);
    }
    if !evicted.is_empty() {
        page.push(&table.print(style));
    }
    if evicted.len() > MOST_ROWS {
        page.line(format!("  and {} (see -o json)", counted((evicted.len() - MOST_ROWS) as u64, "more demand")));
    }
    page.finish()
}

/// What runs of each demand; `None` if nothing is known of that.
fn rows<'a>(plan: &'a Plan, index: &NodeIndex<'_>) -> Option<BTreeMap<usize, Row<'a>>> {
    let mut rows: BTreeMap<usize, Row<'a>> = BTreeMap::new();
    let mut is_known = false;
    for group in &plan.nodes {
        for (within, nodes) in index.parts(group) {
            let Some(present) = &nodes.present else { continue };
            is_known = true;
            let count = u64::from(within.end - within.start);
            for (i, unit) in present.running.iter().enumerate() {
                let row = rows.entry(unit.demand).or_default();
                row.running += count;
                if group.evicts.contains(&i) {
                    row.evicted += count;
                    if row.from.last().is_none_or(|last| !std::ptr::eq(*last, group)) {
                        row.from.push(group);
                    }
                }
            }
        }
    }
    is_known.then_some(rows)
}

/// One line about what runs today; `None` if nothing is known of that.
pub(super) fn line(problem: &Problem, plan: &Plan, index: &NodeIndex<'_>) -> Option<String> {
    rows(plan, index).map(|rows| sentence(problem, plan, &rows))
}

fn sentence(problem: &Problem, plan: &Plan, rows: &BTreeMap<usize, Row<'_>>) -> String {
    let (running, evicted) =
        rows.values().fold((0, 0), |(running, evicted), row| (running + row.running, evicted + row.evicted));
    let stays = match (running, evicted) {
        (0, _) => "nothing runs".to_owned(),
        (1, 0) => "the one unit that runs stays where it is".to_owned(),
        (_, 0) => format!("all {} stay where they are", counted(running, "unit")),
        _ => {
            format!("{} of {} stay, {} evicted", grouped(running - evicted), counted(running, "unit"), grouped(evicted))
        }
    };
    let recut = plan.tiers.iter().find(|tier| tier.name == TierName::Recut).map_or(0, |tier| tier.value);
    let groups = problem.fleet.pools.iter().flat_map(|pool| &pool.nodes);
    let by_node = |group: &NodeGroup| group.present.as_ref().map(|present| present.unit == RecutUnit::Node);
    let units: BTreeSet<bool> = groups.filter_map(by_node).collect();
    let recut = match (units.contains(&true), units.contains(&false)) {
        (true, true) => counted(recut.unsigned_abs(), "node or GPU"),
        (true, false) => counted(recut.unsigned_abs(), "node"),
        _ => counted(recut.unsigned_abs(), "GPU"),
    };
    format!("{stays}; {recut} cut anew")
}
