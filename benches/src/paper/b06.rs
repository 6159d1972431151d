//! B6: the one-GPU pods of a production trace as MIG profiles, until more is asked for than there is.

use std::path::Path;

use migsaw_sim::{Estimate, Options, Rng};

use super::Settings;
use super::csv_file::Csv;
use super::online::{SLICES, placed, sequence, share, shown, site};
use super::table::{Column, Row, Table};

const GPUS: u32 = 800;
/// What is asked for in the end, in percent of all memory slices.
const OFFERED: u64 = 130;
const POLICIES: [&str; 5] = ["first-fit", "best-fit", "load-balanced", "mfi", "repacked"];
/// Compute slices of each profile, and which of the six profiles has them.
const COMPUTE: [(u64, usize); 5] = [(1, 0), (2, 2), (3, 3), (4, 4), (7, 5)];

/// How shares of a GPU become profiles, which pods count, and what others computed for [`POLICIES`].
const CASES: [(Map, bool, [f64; 5]); 4] = [
    (Map::Nearest, false, [0.9918, 0.9911, 0.8828, 0.9873, 1.0]),
    (Map::Nearest, true, [0.9745, 0.9725, 0.8393, 0.9620, 1.0]),
    (Map::Cover, false, [0.9800, 0.9800, 0.8881, 0.9803, 0.9809]),
    (Map::Cover, true, [0.9533, 0.9533, 0.7746, 0.9535, 0.9543]),
];

/// Which profile a share of a GPU asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Map {
    /// The one whose compute slices are nearest; the larger one of two.
    Nearest,
    /// The smallest that has enough.
    Cover,
}

impl Map {
    /// The index of the profile for so many thousandths of a GPU.
    pub(super) fn profile(self, milli: u64) -> usize {
        let asked = 7 * milli;
        let chosen = match self {
            Map::Nearest => COMPUTE.iter().rev().min_by_key(|(slices, _)| (1000 * slices).abs_diff(asked)),
            Map::Cover => COMPUTE.iter().find(|(slices, _)| 1000 * slices >= asked),
        };
        chosen.map_or(5, |(_, profile)| *profile)
    }
}

/// A pod of the trace that wants one GPU or a part of one.
#[derive(Debug, Clone, Copy)]
pub(super) struct OneGpu {
    /// Thousandths of a GPU.
    pub(super) milli: u64,
    /// When it came, and when it had left, in seconds.
    pub(super) created: u64,
    pub(super) deleted: u64,
}

/// The pods of `openb/openb_pod_list_default.csv` (Alibaba's cluster-trace-gpu-v2023) that want one GPU or a part of one.
pub(super) fn one_gpu_pods(traces: &Path) -> anyhow::Result<Vec<OneGpu>> {
    let path = traces.join("openb").join("openb_pod_list_default.csv");
    let table = Csv::read(&path).map_err(anyhow::Error::msg)?;
    let mut pods = Vec::new();
    for row in table.rows() {
        let number = |column: &str| row.number::<u64>(column).map_err(anyhow::Error::msg);
        if number("num_gpu")? == 1 {
            let [milli, created, deleted] = [number("gpu_milli")?, number("creation_time")?, number("deletion_time")?];
            pods.push(OneGpu { milli, created, deleted });
        }
    }
    Ok(pods)
}

pub(super) fn run(settings: &Settings) -> anyhow::Result<Vec<Table>> {
    let pods = one_gpu_pods(settings.traces("openb")?)?;
    let mut columns = vec![Column::Value("map, pods")];
    columns.extend(POLICIES.map(Column::Value));
    columns.push(Column::Value("room"));
    let mut table = Table::new(
        "800 A100-80GB, pods of a production trace until 130 % is asked for: memory slices in use",
        "Pods of Alibaba's trace of 2023 that want one GPU or a part of it, as profiles; drawn with replacement, none \
         leaves. Ours, and in brackets what others computed with other random numbers.",
        &columns,
    );
    for (map, sharing, reference) in CASES {
        let pool: Vec<usize> =
            pods.iter().filter(|pod| !sharing || pod.milli < 1000).map(|pod| map.profile(pod.milli)).collect();
        let mut figures: Vec<Vec<f64>> = vec![Vec::new(); POLICIES.len() + 1];
        for seed in 0..settings.seeds(5, 1) {
            let drawn = draw(&pool, seed);
            for (policy, values) in POLICIES.iter().chain(&["room"]).zip(&mut figures) {
                let options = Options { measured: 0..1, ..Options::default() };
                let outcome = placed(&site(GPUS), &sequence(&drawn), policy, &options)?;
                values.push(share(outcome.all.units_placed, u64::from(GPUS) * 8));
            }
        }
        let name = match map {
            Map::Nearest => "nearest",
            Map::Cover => "cover",
        };
        let mut row = Row::of(&[&format!("{name}, {} {}", pool.len(), if sharing { "sharing" } else { "all" })]);
        for (values, reference) in figures.iter().zip(reference) {
            row = row.with(&format!("{:.4} ({reference:.4})", Estimate::of(values).mean));
        }
        table.rows.push(row.with(&shown(&Estimate::of(&figures[POLICIES.len()]))));
    }
    Ok(vec![table])
}

fn draw(pool: &[usize], seed: u64) -> Vec<usize> {
    let mut rng = Rng::new(seed);
    let (mut drawn, mut asked) = (Vec::new(), 0);
    while asked * 100 < u64::from(GPUS) * 8 * OFFERED {
        let profile = pool[rng.index(pool.len())];
        asked += SLICES[profile];
        drawn.push(profile);
    }
    drawn
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_become_profiles() {
        for (milli, nearest, cover) in
            [(1, 0, 0), (143, 0, 2), (215, 2, 2), (400, 3, 3), (500, 4, 4), (785, 4, 5), (786, 5, 5), (1000, 5, 5)]
        {
            assert_eq!((Map::Nearest.profile(milli), Map::Cover.profile(milli)), (nearest, cover), "{milli}");
        }
    }
}
