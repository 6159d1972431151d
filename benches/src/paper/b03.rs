//! B3: a fragmented fleet on the fewest GPUs, with the fewest moves.

use anyhow::Context;
use migsaw::plan::{Depth, Moving, Options, Prefer, TierName};
use migsaw::rollout::{Limits, Rollout};
use migsaw_tests::wpm::cases;

use super::Settings;
use super::planned::{EVICTED, SERVED, planned, reached};
use super::sequence::sequence;
use super::table::{Column, Row, Table};
use crate::figures::{Times, milliseconds};

/// What may take how long, in seconds.
pub(super) const LIMIT: u64 = 1;

pub(super) fn run(settings: &Settings) -> anyhow::Result<Vec<Table>> {
    let mut table = Table::new(
        "24 fragmented fleets of 80 A100-80GB",
        "Everything that runs stays served. Fewest GPUs, then fewest moves (an instance whose GPU or start changes): \
         both proven, and equal to what a program with one variable for each kind of GPU and other solvers proved. \
         The cases are drawn for the compaction problem of Turkkan et al., arXiv 2409.06646. Then the order of the \
         moves, one at a time, each instance made before the old one goes: how many must wait elsewhere, or are \
         gone until their place is free. Last, the same node by node, as MIG Manager cuts them.",
        &[
            Column::Value("case"),
            Column::Value("instances"),
            Column::Value("GPUs used"),
            Column::Value("fewest: reference"),
            Column::Value("ours"),
            Column::Value("moves: reference"),
            Column::Value("ours"),
            Column::Value("one by one: second hops"),
            Column::Value("gone"),
            Column::Value("node by node: nodes"),
            Column::Value("second hops"),
            Column::Value("homeless"),
            Column::Time("planning, ms"),
        ],
    );
    let options = Options {
        depth: Depth::ServedAndCost,
        moving: Moving { prefer: Prefer::LowCost, max_evictions: None, ..Moving::default() },
        ..Options::default()
    };
    let mut times = Vec::new();
    let mut total = [0; 5];
    for case in cases().iter().step_by(if settings.quick { 6 } else { 1 }) {
        let problem = case.problem(false, 1);
        let (plan, took) = planned(&problem, &options)?;
        let served = reached(&plan, SERVED)?;
        let gpus = reached(&plan, TierName::Gpus)?;
        let moves = reached(&plan, EVICTED)?;
        let order = sequence(&problem, &plan).with_context(|| case.name.clone())?;
        let rollout = Rollout::new(&problem, &plan, Limits::default());
        let steps = rollout.waves.iter().map(|wave| wave.steps.len()).sum::<usize>();
        let proven = served.1 && gpus.1 && moves.1;
        let all_served = served.0 == i64::try_from(case.existing.len())?;
        let same = (gpus.0, moves.0) == (case.compact, case.moves) && i64::try_from(order.moves)? == moves.0;
        let figures = [order.hops, order.gone, steps, rollout.hops(), rollout.homeless()];
        total.iter_mut().zip(figures).for_each(|(sum, figure)| *sum += figure);
        let row =
            Row::of(&[&case.name, &case.existing.len(), &case.active, &case.compact, &gpus.0, &case.moves, &moves.0]);
        let row = figures.iter().fold(row, |row, figure| row.with(figure)).with(&milliseconds(took));
        table.rows.push(row.value(proven && all_served && same).time(took.as_secs() < LIMIT));
        times.push(took);
    }
    let all = table.rows.len();
    let times: Times = times.into_iter().collect();
    let row = Row::of(&[&format!("all {all}"), &"", &"", &"", &"", &"", &""]);
    table.rows.push(total.iter().fold(row, |row, figure| row.with(figure)).with(&times));
    table.note.push_str(
        "Without hops no order is better. Node by node, what runs on a node and does not stay is gone before the node is \
         cut, and may find no free slice: more wait than one by one. The last row has median, 99th percentile and \
         longest time.",
    );
    Ok(vec![table])
}
