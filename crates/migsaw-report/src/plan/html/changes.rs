//! What changes: nodes before and after.

use std::collections::BTreeMap;

use maud::{Markup, html};
use migsaw::problem::Problem;

use super::super::nodes::folded;
use super::nodes::Nodes;
use super::pools::gpu_names;
use crate::chart::Boards;
use crate::clean::clean;
use crate::html::{Column, Row, Table};
use crate::number::{counted, grouped};

/// Most kinds of changes drawn; the table has them all.
const MOST_DRAWN: usize = 200;

/// A sentence, each kind of change with the nodes it is about, and the GPUs that are cut anew before and after.
pub(super) fn show(problem: &Problem, nodes: &[Nodes<'_>], line: &str, boards: &mut Boards) -> Markup {
    let all: u64 = nodes.iter().map(Nodes::count).sum();
    let changed: Vec<&Nodes<'_>> = nodes.iter().filter(|nodes| nodes.alike.changes).collect();
    let touched = changed.iter().map(|nodes| nodes.count()).sum::<u64>();
    let cut: Vec<&Nodes<'_>> = changed.iter().copied().filter(|nodes| recut(nodes) > 0).collect();
    html! {
        p class="about-section" {
            (line) ". " (grouped(touched)) " of " (counted(all, "node")) " " (if touched == 1 { "changes" } else { "change" })
            "."
        }
        @if !changed.is_empty() { (table(problem, &changed)) }
        @if !cut.is_empty() {
            p class="about-section spaced" {
                "Before and after, where GPUs are cut anew: striped slices go away, or are made anew."
                @if cut.len() > MOST_DRAWN {
                    " The first " (MOST_DRAWN) " of " (grouped(cut.len() as u64)) "; every node is drawn below."
                }
            }
        }
        @for nodes in cut.into_iter().take(MOST_DRAWN) {
            article class="change" data-find="" {
                h3 { span class="names" data-names="" { (nodes.names()) } }
                (gpus(nodes, boards))
            }
        }
    }
}

/// GPUs of each node that are cut anew.
fn recut(nodes: &Nodes<'_>) -> u64 {
    nodes.alike.gpus.iter().filter(|gpu| gpu.before.is_some()).count() as u64
}

/// What happens to which nodes; those to which the same happens are in one row.
fn table(problem: &Problem, changed: &[&Nodes<'_>]) -> Markup {
    type Kind<'a> = (usize, u64, &'a BTreeMap<usize, u64>, &'a BTreeMap<usize, u64>);
    let mut kinds: Vec<(Kind<'_>, Vec<&Nodes<'_>>)> = Vec::new();
    let mut known: BTreeMap<Kind<'_>, usize> = BTreeMap::new();
    for nodes in changed {
        let kind = (nodes.alike.pool, recut(nodes), &nodes.alike.evicts, &nodes.alike.takes);
        let at = *known.entry(kind).or_insert_with(|| {
            kinds.push((kind, Vec::new()));
            kinds.len() - 1
        });
        kinds[at].1.push(nodes);
    }
    let mut columns = vec![Column::text("nodes")];
    columns.extend(["how many", "GPUs cut anew, each"].map(Column::number));
    columns.extend(["evicts, each", "takes, each"].map(Column::text));
    let mut table = Table::list("What happens to which nodes", columns);
    for ((_, recut, evicts, takes), all) in kinds {
        let parts: Vec<_> = all.iter().flat_map(|nodes| nodes.parts.iter().cloned()).collect();
        let units =
            |units: &BTreeMap<usize, u64>| if units.is_empty() { "–".to_owned() } else { demands(problem, units) };
        let count = all.iter().map(|nodes| nodes.count()).sum();
        let cells = [grouped(count), grouped(recut), units(evicts), units(takes)];
        let row = Row { looks: if evicts.is_empty() { "" } else { "is-short" }, ..Row::default() };
        let name = html! { span class="names" data-names="" { (folded(&parts)) } };
        table.add(row, name, cells.iter().map(|cell| html! { (cell) }).collect());
    }
    table.show()
}

/// `team/chat 2, embed 1`.
pub(super) fn demands(problem: &Problem, units: &BTreeMap<usize, u64>) -> String {
    let each =
        |(&demand, &n): (&usize, &u64)| format!("{} {}", clean(&problem.demands[demand].full_name()), grouped(n));
    units.iter().map(each).collect::<Vec<_>>().join(", ")
}

fn gpus(nodes: &Nodes<'_>, boards: &mut Boards) -> Markup {
    let columns = vec![Column::text("GPU"), Column::text("before"), Column::text("after")];
    let mut table = Table::new(&format!("GPUs of {} before and after", nodes.first()), columns);
    let gpus = &nodes.alike.gpus;
    let mut first = 0;
    for (at, gpu) in gpus.iter().enumerate() {
        if gpus.get(at + 1) == Some(gpu) {
            continue;
        }
        if let Some(before) = &gpu.before {
            let mut cell = |look: &super::looks::Look| {
                html! { (boards.show(&look.board)) span class="words" { (look.words) } }
            };
            let cells = vec![cell(before), cell(&gpu.after)];
            table.add(Row::default(), html! { (gpu_names(first, at)) }, cells);
        }
        first = at + 1;
    }
    if table.is_empty() {
        html! {}
    } else {
        table.show()
    }
}
