//! B11: how large a fleet can be, and how long that takes.

use std::time::Duration;

use migsaw::plan::{Depth, Options, Plan, TierName};

use super::Settings;
use super::planned::planned;
use super::table::{Column, Row, Table, of};
use crate::figures::Times;
use crate::mixed::{States, requests};
use crate::planning::Deadline;

/// GPUs, requests, and how many problems of that size.
const SIZES: [(u32, u64, u64); 3] = [(64, 500, 20), (800, 5_000, 20), (8_000, 50_000, 5)];
/// When a gap is looked at, in seconds; the last one is the limit.
const AT: [u64; 3] = [1, 10, 60];

pub(super) fn run(settings: &Settings) -> anyhow::Result<Vec<Table>> {
    let mut table = Table::new(
        "Offline, mixed fleet, requests one by one",
        "A100-40GB, A100-80GB, H100-80GB and A30, nodes of eight GPUs; every request is a demand of its own: a profile \
         by name, at least so much memory and compute, or a whole GPU; small ones are more frequent. One in ten has the \
         highest of three priorities, six the lowest; half are bound to some of the pools. Together they ask for about \
         twice what there is. Most served of each priority, then fewest GPUs. Time to a plan for every node with a \
         reason for every request that is not served; and with time limits of 1, 10 and 60 s, how far from the best \
         the worst of these tiers can be, in requests or GPUs, and when the plan was there. A large program within \
         0.01 % of its bound is not searched further.",
        &[
            Column::Value("GPUs"),
            Column::Value("requests"),
            Column::Value("nodes"),
            Column::Time("proven optimal"),
            Column::Time("median / 99 % / longest"),
            Column::Time("gap with 1 s"),
            Column::Time("with 10 s"),
            Column::Time("with 60 s"),
            Column::Value("plans"),
        ],
    );
    let sizes = if settings.quick { &SIZES[..1] } else { &SIZES[..] };
    for &(gpus, count, seeds) in sizes {
        let seeds = settings.seeds(seeds, 1);
        for (name, states) in [("idle", States::Idle), ("in use", States::Kinds(20))] {
            let (mut times, mut proven, mut worst) = (Vec::new(), 0, [(0, Duration::ZERO); 3]);
            for seed in 0..seeds {
                let problem = requests(gpus, count, seed, states);
                let at = |seconds| {
                    let deadline = Deadline::after(Duration::from_secs(seconds));
                    let options = Options { budget: &deadline, depth: Depth::ServedAndCost, ..Options::default() };
                    planned(&problem, &options)
                };
                let [.., limit] = AT;
                let (plan, took) = at(limit)?;
                proven += usize::from(gap(&plan) == 0);
                times.push(took);
                for (worst, seconds) in worst.iter_mut().zip(AT) {
                    // A plan that was there by then is what a shorter limit gives.
                    let is_there = seconds == limit || took.as_secs() < seconds;
                    let (gap, took) =
                        if is_there { (gap(&plan), took) } else { at(seconds).map(|(p, t)| (gap(&p), t))? };
                    *worst = (worst.0.max(gap), worst.1.max(took));
                }
            }
            let seeds = times.len();
            let times: Times = times.into_iter().collect();
            let row = Row::of(&[&gpus, &count, &name, &of(proven, seeds), &times]);
            let row =
                worst.iter().fold(row, |row, (gap, took)| row.with(&format!("{gap} in {:.1} s", took.as_secs_f64())));
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
