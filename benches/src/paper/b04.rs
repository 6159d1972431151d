//! B4: arrivals on a fleet that is in use.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Instant;

use anyhow::Context;
use migsaw::plan::{Depth, Moving, Options, Plan, Prefer, TierName, Unserved, curve};
use migsaw::problem::Problem;
use migsaw_tests::wpm::{Case, cases};

use super::Settings;
use super::b03::LIMIT;
use super::planned::{EVICTED, SERVED, planned, reached};
use super::table::{Column, Row, Table, of};
use crate::figures::{Times, milliseconds};

/// Evictions that the curve shows, and the columns they have.
const EVICTIONS: [(u64, &str); 9] =
    [(0, "no move"), (1, "1"), (2, "2"), (4, "4"), (8, "8"), (16, "16"), (32, "32"), (64, "64"), (128, "128")];

pub(super) fn run(settings: &Settings) -> anyhow::Result<Vec<Table>> {
    let cases: Vec<Case> = cases().into_iter().step_by(if settings.quick { 12 } else { 1 }).collect();
    Ok(vec![nothing_or_all_moves(&cases)?, moves_against_gpus(&cases)?])
}

fn options(prefer: Prefer, max_evictions: Option<u64>) -> Options<'static> {
    Options {
        depth: Depth::ServedAndCost,
        moving: Moving { prefer, max_evictions, ..Moving::default() },
        ..Options::default()
    }
}

fn instances(case: &Case) -> anyhow::Result<i64> {
    Ok(i64::try_from(case.existing.len() + case.arrivals.len())?)
}

fn nothing_or_all_moves(cases: &[Case]) -> anyhow::Result<Table> {
    let mut table = Table::new(
        "A batch of arrivals on each of the 24 fleets",
        format!(
            "(a) Nothing moves: most arrivals placed, then fewest GPUs more. (b) All may move: fewest GPUs. Both \
             proven, equal to the reference (a program with other solvers), and in less than {LIMIT} s. Where the \
             reference is \"refused\", it proved that some arrivals cannot be placed, and no more; there the plan \
             must place fewer than all."
        ),
        &[
            Column::Value("case"),
            Column::Value("GPUs used"),
            Column::Value("(a) more GPUs: reference"),
            Column::Value("ours"),
            Column::Value("arrivals placed"),
            Column::Value("memory slices of them"),
            Column::Value("(b) GPUs: reference"),
            Column::Value("ours"),
            Column::Value("with moves"),
            Column::Time("(a) ms"),
            Column::Time("(b) ms"),
        ],
    );
    let mut times = [Vec::new(), Vec::new()];
    for case in cases {
        let problem = case.problem(true, 1);
        let all = instances(case)?;
        let (stays, took_a) = planned(&problem, &options(Prefer::FewEvictions, Some(0)))?;
        let (served, most) = reached(&stays, SERVED)?;
        let (gpus, fewest) = reached(&stays, TierName::Gpus)?;
        let (moved, took_b) = planned(&problem, &options(Prefer::LowCost, None))?;
        let (served_moved, most_moved) = reached(&moved, SERVED)?;
        let (gpus_moved, fewest_moved) = reached(&moved, TierName::Gpus)?;
        let proven = most && fewest && most_moved && fewest_moved && evicted(&stays)? == 0;
        let same_a = match case.extra {
            Some(extra) => (served, gpus - case.active) == (all, extra),
            None => served < all,
        };
        let same_b = (served_moved, gpus_moved) == (all, case.together);
        let reference = case.extra.map_or("refused".to_owned(), |extra| extra.to_string());
        let placed = case.arrivals.len() - usize::try_from(all - served)?;
        let asked = case.arrivals.iter().map(|profile| size(&problem, &profile.to_string())).sum::<u64>();
        let refused = |unserved: &Unserved| size(&problem, &problem.demands[unserved.demand].name) * unserved.count;
        let refused = stays.unserved.iter().map(refused).sum::<u64>();
        let slices = format!("{} of {asked}", asked - refused);
        let row = Row::of(&[&case.name, &case.active, &reference, &(gpus - case.active)]);
        let row = row.with(&of(placed, case.arrivals.len())).with(&slices);
        let row = row.with(&case.together).with(&gpus_moved).with(&evicted(&moved)?);
        let row = row.with(&milliseconds(took_a)).with(&milliseconds(took_b));
        let in_time = took_a.max(took_b).as_secs() < LIMIT;
        table.rows.push(row.value(proven && same_a && same_b).time(in_time));
        times[0].push(took_a);
        times[1].push(took_b);
    }
    let times = times.map(|times| times.into_iter().collect::<Times>().to_string());
    let row = Row::of(&[&format!("all {}", cases.len()), &"", &"", &"", &"", &"", &"", &"", &""]);
    table.rows.push(times.iter().fold(row, |row, times| row.with(times)));
    table.note.push_str(
        "Of arrivals that are refused as few as possible are, whatever their size; slices are shown, not \
                  sought. The last row has median, 99th percentile and longest time.",
    );
    Ok(table)
}

/// Memory slices of a profile, by name.
fn size(problem: &Problem, profile: &str) -> u64 {
    let profiles = &problem.fleet.pools[0].gpus[0].model.profiles;
    profiles.iter().find(|p| p.name.to_string() == profile).map_or(0, |p| u64::from(p.memory_slices))
}

fn evicted(plan: &Plan) -> anyhow::Result<i64> {
    Ok(reached(plan, EVICTED)?.0)
}

fn moves_against_gpus(cases: &[Case]) -> anyhow::Result<Table> {
    let mut columns = vec![Column::Value("case")];
    columns.extend(EVICTIONS.map(|(_, name)| Column::Value(name)));
    columns.extend([Column::Value("most that gain"), Column::Time("whole curve, ms")]);
    let mut table = Table::new(
        "What moves gain",
        "(c) GPUs more than are used today, with at most so many moves; in brackets the arrivals that are refused \
         nevertheless. Every point is proven, none is worse than the one before it, the first agrees with (a) and \
         the last with (b), and the plan that belongs to it reaches the same.",
        &columns,
    );
    for case in cases {
        let problem = case.problem(true, 1);
        let all = instances(case)?;
        let began = Instant::now();
        let points = curve(&problem, &options(Prefer::LowCost, None))?;
        let took = began.elapsed();
        let mut cells: BTreeMap<u64, String> = BTreeMap::new();
        let (mut met, mut reached_so_far) = (true, None);
        for point in &points {
            let (plan, _) = planned(&problem, &options(Prefer::LowCost, Some(point.max_evictions)))?;
            let (served, gpus) = (reached(&plan, SERVED)?.0, reached(&plan, TierName::Gpus)?.0);
            let value = (served, Reverse(gpus));
            met &= point.tiers.iter().all(|tier| tier.value == tier.bound) && plan.tiers == point.tiers;
            met &= reached_so_far.is_none_or(|before| before <= value) && point.evicted() <= point.max_evictions;
            reached_so_far = Some(value);
            let refused = if served == all { String::new() } else { format!(" ({})", all - served) };
            cells.insert(point.max_evictions, format!("{}{refused}", gpus - case.active));
            if point.max_evictions == 0 {
                met &= case.extra.is_none_or(|extra| value == (all, Reverse(case.active + extra)));
            }
        }
        met &= reached_so_far == Some((all, Reverse(case.together)));
        let (&most, last) = cells.last_key_value().context("a curve without points")?;
        let last = format!("{most}: {last}");
        let row = EVICTIONS.iter().fold(Row::of(&[&case.name]), |row, (evictions, _)| {
            row.with(cells.get(evictions).map_or(&"", |cell| cell as &dyn Display))
        });
        table.rows.push(row.with(&last).with(&milliseconds(took)).value(met));
    }
    Ok(table)
}
