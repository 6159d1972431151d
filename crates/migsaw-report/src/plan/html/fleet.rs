//! The fleet as a whole: pools, configurations, what is stranded.

use std::collections::BTreeMap;

use maud::{Markup, html};
use migsaw::fleet::{Cost, Pool};
use migsaw::geometry::Model;
use migsaw::plan::{ALL_DISABLED, Configuration, Plan, PlannedNodes};
use migsaw::problem::Problem;

use super::super::nodes::{NodeIndex, folded};
use super::super::pools::model_names;
use super::super::stranded::{lost, why};
use super::super::usage::Usage;
use super::looks::Looks;
use crate::bar::Part;
use crate::chart::{Boards, Stack, Stacks};
use crate::clean::clean;
use crate::html::{Column, Figure, Row, Table};
use crate::number::{counted, grouped, percent};

/// Most pools in the picture; the table has them all.
const MOST_POOLS: usize = 40;

/// Each pool as a bar, and in figures.
pub(super) fn show(problem: &Problem, usage: &Usage) -> Markup {
    let rows = stacks(problem, usage);
    let each = rows.iter().map(|row| {
        let whole: u128 = row.parts.iter().sum();
        let parts = Part::ALL.into_iter().filter(|part| row.parts[part.index()] > 0);
        let parts: Vec<String> =
            parts.map(|part| format!("{} {}", part.title(), percent(row.parts[part.index()], whole))).collect();
        format!("{}: {}", row.name, parts.join(", "))
    });
    let pools = problem.fleet.pools.len();
    let more = if pools > MOST_POOLS { format!(" The first {MOST_POOLS} of {pools} pools.") } else { String::new() };
    let figure = Figure {
        name: "pools-used",
        title: "Memory slices by use",
        caption: format!("Behind each bar, the GPUs that are cut or serve as a whole, of all.{more}"),
        description: each.collect::<Vec<_>>().join("; "),
        draw: Box::new(move |width| Stacks { rows: &rows }.draw(width)),
    };
    figure.show(&table(problem, usage))
}

/// A bar for each pool.
pub(in crate::plan) fn stacks(problem: &Problem, usage: &Usage) -> Vec<Stack> {
    let pools = problem.fleet.pools.iter().zip(&usage.pools).take(MOST_POOLS);
    let stack = |(pool, used): (&Pool, &super::super::usage::PoolUsage)| Stack {
        name: clean(&pool.name).into_owned(),
        parts: used.parts,
        figure: format!("{} of {}", grouped(used.gpus_used), grouped(pool.gpu_count())),
    };
    pools.map(stack).collect()
}

fn table(problem: &Problem, usage: &Usage) -> Markup {
    let pools = &problem.fleet.pools;
    let is_priced = pools.iter().any(|pool| pool.cost_per_gpu.is_some());
    let mut columns = vec![Column::text("pool"), Column::text("GPUs of a node")];
    columns.extend(["nodes", "GPUs", "in use"].map(Column::number));
    columns.extend(Part::ALL.map(|part| Column::number(part.title())));
    if is_priced {
        columns.extend(["per GPU", "cost in use", "cost of the others"].map(Column::number));
    }
    let mut table = Table::list("Pools", columns);
    let shares = |parts: &[u128; 5]| {
        let whole: u128 = parts.iter().sum();
        Part::ALL.map(|part| percent(parts[part.index()], whole))
    };
    let (mut all, mut nodes, mut gpus, mut used) = ([0; 5], 0, 0, 0);
    let (mut paid, mut idle) = (0i128, 0i128);
    for (pool, usage) in pools.iter().zip(&usage.pools) {
        let count = pool.gpu_count();
        let mut cells = vec![model_names(pool), grouped(pool.node_count().into()), grouped(count)];
        cells.push(grouped(usage.gpus_used));
        cells.extend(shares(&usage.parts));
        if is_priced {
            let price = pool.cost_per_gpu.map_or(0, |cost| i128::from(cost.micros));
            let (here, others) =
                (price * i128::from(usage.gpus_used), price * i128::from(count.saturating_sub(usage.gpus_used)));
            let each = pool.cost_per_gpu.map_or_else(String::new, |cost| cost.to_string());
            cells.extend([each, money(here), money(others)]);
            (paid, idle) = (paid + here, idle + others);
        }
        let name = html! { a href={ "#" (super::pools::id(pool)) } { (clean(&pool.name)) } };
        table.add(Row::default(), name, cells.iter().map(|cell| html! { (cell) }).collect());
        all.iter_mut().zip(usage.parts).for_each(|(sum, part)| *sum += part);
        (nodes, gpus, used) = (nodes + u64::from(pool.node_count()), gpus + count, used + usage.gpus_used);
    }
    if pools.len() > 1 {
        let mut cells = vec![String::new(), grouped(nodes), grouped(gpus), grouped(used)];
        cells.extend(shares(&all));
        if is_priced {
            cells.extend([String::new(), money(paid), money(idle)]);
        }
        table.sum("all", cells);
    }
    table.show()
}

fn money(micros: i128) -> String {
    i64::try_from(micros).map_or_else(|_| "more than can be said".to_owned(), |micros| Cost { micros }.to_string())
}

/// What nodes become, by name: the content of the mig-parted file.
pub(super) fn configurations(problem: &Problem, plan: &Plan, index: &NodeIndex<'_>) -> Markup {
    let configurations = plan.configurations(problem);
    let mut groups: BTreeMap<usize, Vec<&PlannedNodes>> = BTreeMap::new();
    for (group, &configuration) in plan.nodes.iter().zip(&configurations.of_nodes) {
        groups.entry(configuration).or_default().push(group);
    }
    let count = |groups: &[&PlannedNodes]| groups.iter().map(|group| u64::from(group.node_count())).sum::<u64>();
    let mut order: Vec<(&Configuration, Vec<&PlannedNodes>)> =
        groups.into_iter().map(|(at, groups)| (&configurations.distinct[at], groups)).collect();
    order.sort_by_key(|(c, groups)| (c.name == ALL_DISABLED, std::cmp::Reverse(count(groups)), c.name.clone()));
    let columns =
        vec![Column::text("configuration"), Column::number("nodes"), Column::text("GPUs"), Column::text("which nodes")];
    let mut table = Table::list("Node configurations", columns);
    for (configuration, groups) in &order {
        let parts: Vec<_> = groups.iter().flat_map(|group| index.parts(group)).collect();
        let cells = vec![
            html! { (grouped(count(groups))) },
            html! { span class="lines" { (gpus(configuration).join("\n")) } },
            html! { span class="names" data-names="" { (folded(&parts)) } },
        ];
        table.add(Row::default(), html! { code { (configuration.name) } }, cells);
    }
    html! {
        p class="about-section" {
            "What the label " code { "nvidia.com/mig.config" } " of each node becomes, and what that name stands for."
        }
        (table.show())
    }
}

/// `GPU 0–3: 1g.10gb=7`, one line for each run of GPUs that become the same.
fn gpus(configuration: &Configuration) -> Vec<String> {
    let mut runs: Vec<(usize, usize, String)> = Vec::new();
    for (gpu, (model, counts)) in configuration.gpus.iter().enumerate() {
        let becomes = counts.map_or_else(|| "MIG off".to_owned(), |counts| shown(&counts, model));
        match runs.last_mut() {
            Some((_, last, before)) if *before == becomes => *last = gpu,
            _ => runs.push((gpu, gpu, becomes)),
        }
    }
    runs.into_iter()
        .map(|(first, last, becomes)| format!("{}: {becomes}", super::pools::gpu_names(first, last)))
        .collect()
}

fn shown(counts: &migsaw::geometry::Counts, model: &Model) -> String {
    counts.display(model).to_string().replace(',', ", ")
}

/// Layouts with slices that nobody can use, and what keeps them so.
pub(super) fn stranded(usage: &Usage, looks: &mut Looks<'_>, boards: &mut Boards) -> Markup {
    let mut kinds: Vec<_> = usage.stranded.iter().collect();
    kinds.sort_by_key(|(key, kind)| (std::cmp::Reverse(kind.gpus), (*key).clone()));
    let columns =
        vec![Column::text("layout"), Column::number("GPUs"), Column::text("lost on each"), Column::text("why")];
    let mut table = Table::list("Layouts that strand slices", columns);
    for ((model, layout), kind) in kinds {
        let name = html! {
        (boards.show(&looks.bare(&kind.model, layout)))
        (shown(&layout.counts(), &kind.model)) span class="about" { (clean(model)) } };
        let cells = vec![html! { (grouped(kind.gpus)) }, html! { (lost(kind)) }, html! { (clean(&why(kind))) }];
        table.add(Row::default(), name, cells);
    }
    let gpus = usage.stranded.values().map(|kind| kind.gpus).sum();
    html! {
        p class="about-section" { (counted(gpus, "GPU")) " with slices that no further instance can use." }
        (table.show())
    }
}
