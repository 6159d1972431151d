//! What changes: nodes before and after.

use std::collections::BTreeMap;

use maud::{Markup, html};
use migsaw::problem::Problem;

use super::nodes::Nodes;
use super::pools::gpu_names;
use crate::chart::Boards;
use crate::clean::clean;
use crate::html::{Column, Row, Table};
use crate::number::{counted, grouped};

/// A sentence, and each kind of change with the nodes it is about.
pub(super) fn show(problem: &Problem, nodes: &[Nodes<'_>], line: &str, boards: &mut Boards) -> Markup {
    let all: u64 = nodes.iter().map(Nodes::count).sum();
    let changed: Vec<&Nodes<'_>> = nodes.iter().filter(|nodes| nodes.alike.changes).collect();
    let touched = changed.iter().map(|nodes| nodes.count()).sum::<u64>();
    let is_cut = changed.iter().any(|nodes| nodes.alike.gpus.iter().any(|gpu| gpu.before.is_some()));
    html! {
        p class="about-section" {
            (line) ". " (grouped(touched)) " of " (counted(all, "node")) " " (if touched == 1 { "changes" } else { "change" })
            "." @if is_cut { " Striped slices go away, or are made anew." }
        }
        @for nodes in changed {
            article class="change" data-find="" {
                h3 { span class="names" data-names { (nodes.names()) } }
                p class="about-section" { (sentence(problem, nodes)) }
                (gpus(nodes, boards))
            }
        }
    }
}

fn sentence(problem: &Problem, nodes: &Nodes<'_>) -> String {
    let each = if nodes.count() > 1 { " each" } else { "" };
    let recut = nodes.alike.gpus.iter().filter(|gpu| gpu.before.is_some()).count() as u64;
    let mut parts = Vec::new();
    if nodes.count() > 1 {
        parts.push(counted(nodes.count(), "node"));
    }
    if recut > 0 {
        parts.push(format!("{} cut anew{each}", counted(recut, "GPU")));
    }
    for (what, units) in [("evicts", &nodes.alike.evicts), ("takes", &nodes.alike.takes)] {
        if !units.is_empty() {
            parts.push(format!("{what} {}{each}", demands(problem, units)));
        }
    }
    parts.join(" · ")
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
