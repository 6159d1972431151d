//! B10: jobs that wait for slices of eight GPUs.

use anyhow::Context;
use migsaw::fleet::{Fleet, Pool};
use migsaw::geometry::{Catalog, ProfileName};
use migsaw_sim::{Limits, Misfits, Options, Outcome, Pod, Queue, Site, Workload};

use super::Settings;
use super::csv_file::Csv;
use super::online::placed;
use super::table::{Column, Row, Table};

/// The profiles of the jobs, and how fast they are in percent of a whole GPU.
const PROFILES: [(&str, u64); 4] = [("1g.10gb", 14), ("2g.20gb", 28), ("3g.40gb", 42), ("7g.80gb", 100)];
/// The traces, drawn by the recipe of MIG-scheduler-benchmark with these seeds.
const TRACES: [(&str, &str); 3] = [
    ("20260914", include_str!("../../../crates/migsaw-sim/tests/data/migbench/saturated_seed20260914.csv")),
    ("20260915", include_str!("../../../crates/migsaw-sim/tests/data/migbench/saturated_seed20260915.csv")),
    ("20260916", include_str!("../../../crates/migsaw-sim/tests/data/migbench/saturated_seed20260916.csv")),
];
/// What real schedulers reached on the first trace: mean wait, and the wait of 95 %, in milliseconds.
const PUBLISHED: [(&str, u64, u64); 3] = [
    ("HAMi 6c17a8f", 2_874_508, 11_986_859),
    ("HAMi v2.10.0", 2_945_291, 12_337_395),
    ("NVIDIA DRA v0.5.0", 2_755_964, 13_219_745),
];
/// The bars, in millions of milliseconds.
const MEAN: f64 = 2.6;
const P95: f64 = 9.0;

pub(super) fn run(_: &Settings) -> anyhow::Result<Vec<Table>> {
    let mut table = Table::new(
        "500 jobs, two nodes of four H100-80GB: waits in millions of milliseconds",
        "MIG-scheduler-benchmark (GitHub, FouoF) replays its trace through real control planes; here it is simulated. Each \
         job runs on its natural profile. `known` is told how long each job runs, as a deadline of the pod says; \
         the others are not. Mean below 2.6 and 95 % below 9.0 for `room` with `known`.",
        &["trace", "scheduler", "mean", "95 %", "longest", "longest of 7g", "in use"].map(Column::Value),
    );
    for (name, mean, p95) in PUBLISHED {
        table.rows.push(Row::of(&[
            &TRACES[0].0,
            &format!("{name} (published)"),
            &millions(mean),
            &millions(p95),
            &"",
            &"",
            &"",
        ]));
    }
    for (name, text) in TRACES {
        let jobs = read(text).context(name)?;
        let model = Catalog::builtin().model("H100-80GB").context("a model of the catalogue")?;
        let site = Site::at_will(&Fleet { pools: vec![Pool::new("a", model, 2, 4)] }, &jobs.profiles);
        for (policy, queue) in [
            ("first-fit", Queue::Backfill),
            ("best-fit", Queue::Backfill),
            ("mfi", Queue::Backfill),
            ("room", Queue::Backfill),
            ("room", Queue::DRAIN),
            ("room", Queue::KNOWN),
        ] {
            let last = jobs.pods.last().map_or(0, |pod| pod.arrives);
            let options = Options { misfits: Misfits::Wait(queue), ..Options::default() };
            let outcome = placed(&site, &jobs, policy, &options)?;
            let within = Options { measured: 30_000..last, ..options };
            let used = placed(&site, &jobs, policy, &within)?.used;
            table.rows.push(row(name, policy, queue, &outcome, used));
        }
    }
    Ok(vec![table])
}

fn row(trace: &str, policy: &str, queue: Queue, outcome: &Outcome, used: f64) -> Row {
    let whole = outcome.waits_by_profile.last().map_or(0, |waits| waits.longest);
    let mean = outcome.waits.mean / 1e6;
    let row = Row::of(&[
        &trace,
        &format!("{policy}, {}", queue.name()),
        &format!("{mean:.3}"),
        &millions(outcome.waits.p95),
        &millions(outcome.waits.longest),
        &millions(whole),
        &format!("{:.1} %", 100.0 * used),
    ]);
    if queue == Queue::KNOWN { row.value(mean < MEAN && in_millions(outcome.waits.p95) < P95) } else { row }
}

#[expect(clippy::cast_precision_loss, reason = "what is shown has few digits")]
fn in_millions(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1e6
}

fn millions(milliseconds: u64) -> String {
    format!("{:.3}", in_millions(milliseconds))
}

/// The jobs of a trace; times are in milliseconds.
fn read(text: &str) -> anyhow::Result<Workload> {
    let table = Csv::parse(text).map_err(anyhow::Error::msg)?;
    let mut pods = Vec::new();
    for row in table.rows() {
        let number = |column: &str| row.number::<u64>(column).map_err(anyhow::Error::msg);
        let natural = row.field("natural_profile").map_err(anyhow::Error::msg)?;
        let at = PROFILES.iter().position(|(name, _)| *name == natural).context("a profile of the recipe")?;
        pods.push(Pod {
            arrives: number("arrival_ms")?,
            stays: number("compute_core_ms")?.div_ceil(PROFILES[at].1),
            asks: [(u16::try_from(at)?, 1)].into_iter().collect(),
            priority: 0,
            namespace: 0,
            limits: 0,
        });
    }
    pods.sort_by_key(|pod| pod.arrives);
    let profiles: Vec<ProfileName> = PROFILES.iter().map(|(name, _)| name.parse()).collect::<Result<_, _>>()?;
    Ok(Workload { profiles, namespaces: vec![String::new()], limits: vec![Limits::default()], pods })
}
