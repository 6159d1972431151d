//! Pools, and within them nodes, and within them GPUs, slices and units.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use maud::{Markup, html};
use migsaw::fleet::{Pool, Strategy};
use migsaw::present::Held;
use migsaw::problem::Problem;

use super::super::pools::model_names;
use super::changes::demands;
use super::looks::Look;
use super::nodes::{Gpu, Nodes};
use crate::chart::Boards;
use crate::clean::clean;
use crate::html::{Column, Row, Table};
use crate::number::{counted, grouped};

/// Most kinds of GPUs of a pool, and most units of some nodes, in a table.
const MOST_ROWS: usize = 300;
/// Up to so many groups of nodes are shown open.
const MOST_OPEN: usize = 6;
/// With more groups of nodes than that, the script draws their GPUs when they are opened; without it they stand in
/// words, a line each in one element, and the pictures of each pool's kinds are above: a browser takes as long as there
/// are elements.
const MOST_DRAWN: usize = 200;

/// Names a pool in links: `pool=inference`.
pub(super) fn id(pool: &Pool) -> String {
    clean(&format!("pool={}", pool.name)).into_owned()
}

/// How the GPUs of nodes are shown.
#[derive(Clone, Copy, PartialEq, Eq)]
enum View {
    Open,
    Closed,
    Words,
}

/// Each pool with its kinds of GPUs and its nodes.
pub(super) fn show(problem: &Problem, nodes: &[Nodes<'_>], boards: &mut Boards) -> Markup {
    let view = match nodes.len() {
        0..=MOST_OPEN => View::Open,
        _ if nodes.len() <= MOST_DRAWN => View::Closed,
        _ => View::Words,
    };
    html! {
        p class="about-section" {
            "Slices with a broken edge are spare, dotted parts are free, crossed ones are free and of no use; striped \
             slices are made anew. What is at each place stands in words beside each picture: " code { "1g.10gb@0,2" }
            " are two instances, at units 0 and 2."
        }
        @for (at, pool) in problem.fleet.pools.iter().enumerate() {
            @let here: Vec<&Nodes<'_>> = nodes.iter().filter(|nodes| nodes.alike.pool == at).collect();
            div class={ "pool" @if view == View::Words { " is-large" } } id=(id(pool)) data-scope="" {
                h3 { "Pool " (clean(&pool.name)) }
                p class="about-section" { (about(pool)) }
                (kinds(pool, &here, boards))
                h4 { "Nodes" }
                @for nodes in here {
                    (group(problem, pool, nodes, view, boards))
                }
            }
        }
    }
}

/// `8 nodes with 8 H100-80GB each, strategy single, tainted gpu:NoSchedule`.
fn about(pool: &Pool) -> String {
    let mut parts =
        vec![format!("{} with {} GPUs each", counted(pool.node_count().into(), "node"), pool.gpus_per_node())];
    parts.push(model_names(pool));
    if pool.strategy == Strategy::Single {
        parts.push("strategy single".to_owned());
    }
    if let Some(price) = pool.cost_per_gpu {
        parts.push(format!("{price} per GPU"));
    }
    if !pool.taints.is_empty() {
        let taints: Vec<String> = pool.taints.iter().map(ToString::to_string).collect();
        parts.push(format!("tainted {}", taints.join(" ")));
    }
    if !pool.labels.is_empty() {
        let labels: Vec<String> = pool.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        parts.push(labels.join(" "));
    }
    clean(&parts.join(" · ")).into_owned()
}

/// GPUs of some nodes that look alike, with how many there are and their nodes; the most first.
pub(in crate::plan) fn classes<'a>(here: &[&'a Nodes<'a>]) -> Vec<(&'a Look, u64, Vec<&'a Nodes<'a>>)> {
    let mut found: BTreeMap<&Look, (u64, Vec<&Nodes<'_>>)> = BTreeMap::new();
    for nodes in here {
        for gpu in &nodes.alike.gpus {
            let class = found.entry(&gpu.after).or_default();
            class.0 += nodes.count();
            if class.1.last().is_none_or(|last| !std::ptr::eq(*last, *nodes)) {
                class.1.push(nodes);
            }
        }
    }
    let mut classes: Vec<_> = found.into_iter().map(|(look, (count, nodes))| (look, count, nodes)).collect();
    classes.sort_by_key(|&(look, count, _)| (Reverse(count), look));
    classes
}

fn kinds(pool: &Pool, here: &[&Nodes<'_>], boards: &mut Boards) -> Markup {
    let classes = classes(here);
    let columns = vec![Column::text("what they become"), Column::number("GPUs"), Column::number("on nodes")];
    let mut table = Table::list(&format!("GPUs of pool {} that become alike", pool.name), columns);
    for (look, count, nodes) in classes.iter().take(MOST_ROWS) {
        let on: u64 = nodes.iter().map(|nodes| nodes.count()).sum();
        let name = html! { (boards.show(&look.board)) span class="words" { (look.words) } };
        table.add(Row::default(), name, vec![html! { (grouped(*count)) }, html! { (grouped(on)) }]);
    }
    let rest = classes.get(MOST_ROWS..).unwrap_or_default();
    html! {
        (table.show())
        @if !rest.is_empty() {
            p class="about-section" {
                "and " (counted(rest.len() as u64, "more kind")) " of "
                (counted(rest.iter().map(|(_, count, _)| count).sum(), "GPU")) ", at their nodes below"
            }
        }
    }
}

/// Nodes that are alike, to be opened.
fn group(problem: &Problem, pool: &Pool, nodes: &Nodes<'_>, view: View, boards: &mut Boards) -> Markup {
    let count = nodes.count();
    let first = clean(&nodes.first()).into_owned();
    html! {
        details class="nodes" id={ "node=" (first) } open=[(view == View::Open).then_some("")] data-find=(clean(&pool.name)) {
            summary {
                span class="names" data-names="" { (nodes.names()) }
                @if count > 1 { span class="note" { (counted(count, "node")) } }
                code class="note" { (nodes.alike.config) }
                @if !nodes.alike.evicts.is_empty() {
                    span class="note is-warning" { "evicts " (demands(problem, &nodes.alike.evicts)) }
                }
                @if nodes.alike.gpus.iter().any(|gpu| gpu.before.is_some()) { span class="note" { "cut anew" } }
            }
            (gpus(nodes, view, boards))
            (units(problem, nodes, view))
        }
    }
}

/// `GPU 3`, `GPU 0–7`.
pub(super) fn gpu_names(first: usize, last: usize) -> String {
    if first == last { format!("GPU {first}") } else { format!("GPU {first}–{last}") }
}

fn gpus(nodes: &Nodes<'_>, view: View, boards: &mut Boards) -> Markup {
    let gpus = &nodes.alike.gpus;
    let mut runs: Vec<(usize, usize, &Look)> = Vec::new();
    for (at, Gpu { after, .. }) in gpus.iter().enumerate() {
        match runs.last_mut() {
            Some((_, last, look)) if *look == after => *last = at,
            _ => runs.push((at, at, after)),
        }
    }
    if view == View::Words {
        let lines = runs.iter().map(|(first, last, look)| format!("{}: {}", gpu_names(*first, *last), look.words));
        let names = runs.iter().map(|(_, _, look)| boards.name(&look.board));
        let names = names.collect::<Vec<_>>().join(" ");
        return html! { p class="units lines" data-boards=(names) { (lines.collect::<Vec<_>>().join("\n")) } };
    }
    let columns = vec![Column::text("GPU"), Column::text("picture"), Column::text("slices")];
    let mut table = Table::new(&format!("GPUs of {}", nodes.first()), columns);
    for (first, last, look) in runs {
        let cells = vec![boards.show(&look.board), html! { span class="words" { (look.words) } }];
        table.add(Row::default(), html! { (gpu_names(first, last)) }, cells);
    }
    table.show()
}

/// What runs there today, unit by unit, GPU by GPU, and whether it stays.
fn units(problem: &Problem, nodes: &Nodes<'_>, view: View) -> Markup {
    let models: Vec<_> = problem.fleet.pools[nodes.alike.pool].gpu_models().collect();
    let place = |held: &Held| match held.instance {
        Some(instance) => {
            format!("{}@{}", models[usize::from(held.gpu)].get(instance.profile).name, instance.start)
        }
        None => "whole GPU".to_owned(),
    };
    let is_one = nodes.count() == 1;
    let mut lines = Vec::new();
    let (mut running, mut left) = (0, 0);
    for ((within, group), planned) in nodes.parts.iter().zip(&nodes.planned) {
        let Some(present) = &group.present else { continue };
        for node in within.clone() {
            running += present.running.len();
            for gpu in 0..models.len() {
                let held = present.on_gpu(gpu).map(|index| {
                    let unit = &present.running[index];
                    let demand = &problem.demands[unit.demand];
                    let name = unit.name.as_deref().map_or_else(|| format!("one of {}", demand.name), str::to_owned);
                    let here = unit.holds.iter().filter(|held| usize::from(held.gpu) == gpu);
                    let evicted = if planned.evicts.contains(&index) { " evicted" } else { "" };
                    format!("{} {}{evicted}", clean(&name), here.map(place).collect::<Vec<_>>().join("+"))
                });
                let held: Vec<String> = held.collect();
                if held.is_empty() {
                    continue;
                }
                if lines.len() == MOST_ROWS {
                    left += held.len();
                    continue;
                }
                let node = if is_one { String::new() } else { format!("{} ", clean(&group.names.get(node))) };
                lines.push(format!("{node}GPU {gpu}: {}", held.join(", ")));
            }
        }
    }
    if left > 0 {
        lines.push(format!("and {} more", grouped(left as u64)));
    }
    let title = counted(running as u64, "running unit");
    html! {
        @if running == 0 {
        } @else if view == View::Words {
            p class="units lines" { (title) ":\n" (lines.join("\n")) }
        } @else {
            details {
                summary { (title) }
                ul class="units" { @for line in lines { li { (line) } } }
            }
        }
    }
}
