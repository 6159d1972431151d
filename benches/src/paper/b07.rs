//! B7: the one-GPU pods of a production trace as MIG profiles, at the times when they came, with longer lives.

use migsaw_sim::{Moves, Options};

use super::Settings;
use super::b06::{Map, one_gpu_pods};
use super::online::{placed, share, site, workload};
use super::table::{Column, Row, Table};

/// By how much lifetimes are longer, so that there is something to decide.
const LONGER: u64 = 100;
const POLICIES: [&str; 5] = ["first-fit", "best-fit", "load-balanced", "mfi", "repacked"];
/// How far from the bound moves may leave it, in parts of all.
const CLOSE: f64 = 0.001;

/// Whether only pods that share a GPU, GPUs, and shares placed by pods and by slices.
type Case = (bool, u32, [(f64, f64); 5]);

/// Which pods, GPUs, and what others computed for [`POLICIES`], by pods and by slices.
const CASES: [Case; 4] = [
    (false, 731, [(0.9969, 0.9962), (0.9971, 0.9966), (0.9704, 0.9653), (0.9979, 0.9974), (1.0, 1.0)]),
    (false, 585, [(0.9574, 0.9494), (0.9576, 0.9498), (0.9089, 0.8949), (0.9584, 0.9505), (0.9618, 0.9573)]),
    (true, 247, [(0.9935, 0.9897), (0.9935, 0.9900), (0.8860, 0.8351), (0.9964, 0.9945), (1.0, 1.0)]),
    (true, 198, [(0.9565, 0.9354), (0.9568, 0.9369), (0.8047, 0.7170), (0.9587, 0.9410), (0.9633, 0.9506)]),
];

pub(super) fn run(settings: &Settings) -> anyhow::Result<Vec<Table>> {
    let pods = one_gpu_pods(settings.traces("openb")?)?;
    let mut columns = vec![Column::Value("pods, GPUs")];
    columns.extend(POLICIES.map(Column::Value));
    columns.extend(["room", "room and moves", "moved", "to the bound"].map(Column::Value));
    let mut table = Table::new(
        "Pods of a production trace as they came, lives a hundred times as long: placed by pods / by slices",
        "The trace and problem of GRMU (Siavashi, Momtazpour, arXiv 2502.01909, who move 1 % of all pods), mapped to the \
         nearest profile. Ours, in brackets as others computed it. With moves of at most 1 % of the pods placed, saved up \
         without limit and as many at once as are in the way, within 0.1 point of the bound.",
        &columns,
    );
    for (sharing, gpus, reference) in CASES {
        let chosen = pods.iter().filter(|pod| !sharing || pod.milli < 1000);
        let lives = |pod: &super::b06::OneGpu| (pod.deleted.saturating_sub(pod.created)) * LONGER;
        let workload = workload(chosen.map(|pod| (pod.created, lives(pod), Map::Nearest.profile(pod.milli))));
        let site = site(gpus);
        let mut row = Row::of(&[&format!("{}, {gpus}", if sharing { "sharing" } else { "all" })]);
        for (policy, (count, slices)) in POLICIES.iter().zip(reference) {
            let all = placed(&site, &workload, policy, &Options::default())?.all;
            row = row.with(&format!("{:.4}/{:.4} ({count:.4}/{slices:.4})", all.by_count(), all.by_units()));
        }
        let room = placed(&site, &workload, "room", &Options::default())?.all;
        row = row.with(&format!("{:.4}/{:.4}", room.by_count(), room.by_units()));
        let moves = Some(Moves { per_hundred: 0.98, burst: f64::MAX, at_once: 7, is_priced: false });
        let outcome = placed(&site, &workload, "room", &Options { moves, ..Options::default() })?;
        let bound = placed(&site, &workload, "repacked", &Options::default())?.all;
        let (count, units) = (bound.by_count() - outcome.all.by_count(), bound.by_units() - outcome.all.by_units());
        let made = share(outcome.moves, outcome.all.placed);
        row = row.with(&format!("{:.4}/{:.4}", outcome.all.by_count(), outcome.all.by_units()));
        row = row.with(&format!("{:.2} %", 100.0 * made)).with(&format!("{count:.4}/{units:.4}"));
        table.rows.push(row.value(made <= 0.01 && count <= CLOSE && units <= CLOSE));
    }
    Ok(vec![table])
}
