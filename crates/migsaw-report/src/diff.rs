//! What a plan changes, node by node, as text.

use std::collections::BTreeMap;

use migsaw::geometry::Counts;
use migsaw::plan::{NodeChange, Plan};
use migsaw::problem::Problem;

use crate::clean::clean;
use crate::names::{Folds, listed};
use crate::number::{counted, grouped};
use crate::page::Page;
use crate::style::{Style, Tone};

/// Most changes shown.
const MOST: usize = 200;

/// What a plan changes, for people: a sentence, then each change with the nodes it is about.
///
/// ```text
/// 2 of 4 nodes change: 8 evicted
///
/// ~ gpu-0
///     GPU 0     1g.10gb=7 → 1g.10gb=5,2g.20gb=1
///     evicts    team/chat 3
///     takes     team/embed 1
/// ```
///
/// # Panics
/// If the plan is not one for the problem, as [`migsaw::check::check`] judges.
pub fn text(problem: &Problem, plan: &Plan, style: Style) -> String {
    let changes = plan.changes(problem);
    let mut page = Page::new(style);
    page.line(sentence(&changes));
    let mut alike: Vec<(&NodeChange, Vec<&NodeChange>)> = Vec::new();
    for change in changes.iter().filter(|change| !change.is_none()) {
        match alike.iter_mut().find(|(first, _)| is_same(first, change)) {
            Some((_, all)) => all.push(change),
            None => alike.push((change, vec![change])),
        }
    }
    for (first, all) in alike.iter().take(MOST) {
        page.line("");
        let tone = if first.evicts.is_empty() { Tone::Good } else { Tone::Warn };
        let mark = if first.gpus.is_empty() { " " } else { "~" };
        let unknown = if first.is_known { "" } else { "  (what runs there is not known)" };
        page.line(format!("{mark} {}{unknown}", style.paint(tone, names(problem, all, style))));
        for (gpus, from, to) in gpus(problem, first) {
            let becomes = format!("{from} {} {to}", style.pick("→", "->"));
            page.wrapped_behind(&format!("    {gpus:<8}  "), 14, &becomes, 14);
        }
        for (what, units) in [("evicts", &first.evicts), ("takes", &first.takes)] {
            if !units.is_empty() {
                let each = if all.len() > 1 || first.nodes.len() > 1 { " each" } else { "" };
                page.wrapped_behind(&format!("    {what:<8}  "), 14, &format!("{}{each}", demands(problem, units)), 14);
            }
        }
    }
    if alike.len() > MOST {
        page.line(format!("\nand {} (see -o json)", counted((alike.len() - MOST) as u64, "more change")));
    }
    page.finish()
}

fn sentence(changes: &[NodeChange]) -> String {
    let nodes = |change: &NodeChange| u64::from(change.nodes.end - change.nodes.start);
    let all: u64 = changes.iter().map(nodes).sum();
    let touched: u64 = changes.iter().filter(|change| !change.is_none()).map(nodes).sum();
    if touched == 0 {
        return format!("nothing changes on {}", counted(all, "node"));
    }
    let recut: u64 = changes.iter().filter(|change| !change.gpus.is_empty()).map(nodes).sum();
    let gpus: u64 = changes.iter().map(|change| change.gpus.len() as u64 * nodes(change)).sum();
    let sum = |units: &BTreeMap<usize, u64>| units.values().sum::<u64>();
    let evicted: u64 = changes.iter().map(|change| sum(&change.evicts) * nodes(change)).sum();
    let taken: u64 = changes.iter().map(|change| sum(&change.takes) * nodes(change)).sum();
    format!(
        "{} of {} change: {} cut anew on {}, {} evicted, {} placed",
        grouped(touched),
        counted(all, "node"),
        counted(gpus, "GPU"),
        counted(recut, "node"),
        counted(evicted, "unit"),
        counted(taken, "unit"),
    )
}

/// Whether the same happens to other nodes of the pool.
fn is_same(a: &NodeChange, b: &NodeChange) -> bool {
    let of = |change: &NodeChange| NodeChange { nodes: 0..0, ..change.clone() };
    of(a) == of(b)
}

fn names(problem: &Problem, changes: &[&NodeChange], style: Style) -> String {
    let mut folds = Folds::default();
    for change in changes {
        let pool = &problem.fleet.pools[change.pool];
        change.nodes.clone().for_each(|node| folds.add(&pool.node_name(node)));
    }
    let names: Vec<String> = folds.print().into_iter().map(|(name, _)| name).collect();
    listed(&names, style.columns().saturating_sub(4))
}

/// The GPUs that change, neighbours that become the same together, with what they were and become.
fn gpus(problem: &Problem, change: &NodeChange) -> Vec<(String, String, String)> {
    let models: Vec<_> = problem.fleet.pools[change.pool].gpu_models().collect();
    let shown = |counts: Option<Counts>, gpu: usize| {
        counts.map_or_else(|| "off".to_owned(), |counts| counts.display(models[gpu]).to_string())
    };
    let mut runs: Vec<(usize, usize, String, String)> = Vec::new();
    for gpu in &change.gpus {
        let (from, to) = (shown(gpu.from, gpu.gpu), shown(gpu.to, gpu.gpu));
        match runs.last_mut() {
            Some((_, last, f, t)) if *last + 1 == gpu.gpu && *f == from && *t == to => *last = gpu.gpu,
            _ => runs.push((gpu.gpu, gpu.gpu, from, to)),
        }
    }
    let label = |first: usize, last: usize| {
        if first == last { format!("GPU {first}") } else { format!("GPU {first}-{last}") }
    };
    runs.into_iter().map(|(first, last, from, to)| (label(first, last), from, to)).collect()
}

fn demands(problem: &Problem, units: &BTreeMap<usize, u64>) -> String {
    let each =
        |(&demand, &n): (&usize, &u64)| format!("{} {}", clean(&problem.demands[demand].full_name()), grouped(n));
    units.iter().map(each).collect::<Vec<_>>().join(", ")
}
