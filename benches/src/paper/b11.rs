//! B11: how large a fleet can be, and how long that takes.

use std::time::Duration;

use migsaw::plan::{Depth, Options, Plan, TierName};

use super::Settings;
use super::planned::planned;
use super::table::{Column, Row, Table, of};
use crate::extender::figures::Times;
use crate::mixed::{States, requests};
use crate::planning::Deadline;

/// GPUs and requests.
const SIZES: [(u32, u64); 3] = [(64, 500), (800, 5_000), (8_000, 50_000)];
/// When a gap is looked at, in seconds; the last one is the limit.
const AT: [u64; 3] = [1, 10, 60];

pub(super) fn run(settings: &Settings) -> anyhow::Result<Vec<Table>> {
    let seeds = settings.seeds(20, 1);
    let mut table = Table::new(
        "Offline, mixed fleet, requests one by one",
        "A100-40GB, A100-80GB, H100-80GB and A30, nodes of eight GPUs; every request is a demand of its own: a profile \
         by name, at least so much memory and compute, or a whole GPU; small ones are more frequent. One in ten has the \
         highest of three priorities, six the lowest; half are bound to some of the pools. Together they ask for about \
         twice what there is. Most served of each priority, then fewest GPUs. Time to a plan for every node; where \
         one of these tiers is not proven, how far it can be from the best at 1, 10 and 60 s, in requests or GPUs. A \
         large program within 0.01 % of its bound is not searched further.",
        &[
            Column::Value("GPUs"),
            Column::Value("requests"),
            Column::Value("nodes"),
            Column::Time("proven optimal"),
            Column::Time("median / 99 % / longest"),
            Column::Time("gap at 1 s"),
            Column::Time("at 10 s"),
            Column::Time("at 60 s"),
            Column::Value("plans"),
        ],
    );
    let sizes = if settings.quick { &SIZES[..1] } else { &SIZES[..] };
    for &(gpus, count) in sizes {
        for (name, states) in [("idle", States::Idle), ("in use", States::Kinds(20))] {
            let (mut times, mut proven, mut gaps) = (Vec::new(), 0, [0; 3]);
            for seed in 0..seeds {
                let problem = requests(gpus, count, seed, states);
                let at = |seconds| {
                    let deadline = Deadline::after(Duration::from_secs(seconds));
                    let options = Options { budget: &deadline, depth: Depth::ServedAndCost, ..Options::default() };
                    planned(&problem, &options)
                };
                let [first, second, limit] = AT;
                let (plan, took) = at(limit)?;
                proven += usize::from(gap(&plan) == 0);
                times.push(took);
                gaps[2] = gap(&plan).max(gaps[2]);
                for (largest, seconds) in gaps.iter_mut().zip([first, second]) {
                    // A plan that was there by then is what a shorter limit gives.
                    let is_there = took.as_secs() < seconds;
                    *largest = (*largest).max(if is_there { gap(&plan) } else { gap(&at(seconds)?.0) });
                }
            }
            let seeds = times.len();
            let times: Times = times.into_iter().collect();
            let row = Row::of(&[&gpus, &count, &name, &of(proven, seeds), &times]);
            let row = gaps.iter().fold(row, |row, gap| row.with(gap));
            table.rows.push(row.with(&seeds));
        }
    }
    let mut extender = Table::new(
        "The extender",
        "Latency of filter and prioritize, and decisions in a second, at 1,000 and 5,000 nodes of eight GPUs, have a \
         command of their own, since they need two processes.",
        &[Column::Value("question"), Column::Value("command")],
    );
    let command = "`cargo run --release -p migsaw-benches --bin extender -- --nodes 1000 --nodes 5000`";
    extender.rows.push(Row::of(&[&"filter + prioritize, decisions in a second", &command]));
    Ok(vec![table, extender])
}

/// How far the worst of the tiers of units served and GPUs used can be from the best.
fn gap(plan: &Plan) -> u64 {
    let compared = |name| matches!(name, TierName::Served { .. } | TierName::Gpus);
    let tiers = plan.tiers.iter().filter(|tier| compared(tier.name));
    tiers.map(|tier| tier.value.abs_diff(tier.bound)).max().unwrap_or_default()
}
