//! What is said of each policy, column by column.

use migsaw::document::simulation::{EstimateForm, PolicyForm, SimulationDocument};

use crate::clean::clean;

use super::{estimated, share};

/// A column of the table.
pub(super) struct Column {
    pub(super) title: &'static str,
    pub(super) is_number: bool,
    /// What is in it, for those who read it for the first time.
    pub(super) means: &'static str,
    pub(super) cell: fn(&PolicyForm) -> String,
}

impl Column {
    /// As [`crate::table::Table`] takes it.
    pub(super) fn heading(&self) -> String {
        format!("{}{}", if self.is_number { ">" } else { "|" }, self.title)
    }
}

/// A figure of a policy; `None` where it has none.
type Figure = fn(&PolicyForm) -> Option<EstimateForm>;

/// The figures of the CSV file.
pub(super) const FIGURES: [(&str, Figure); 13] = [
    ("placed_units", |policy| Some(policy.placed_units)),
    ("placed_units_more", |policy| policy.placed_units_more),
    ("placed_pods", |policy| Some(policy.placed_pods)),
    ("used", |policy| Some(policy.used)),
    ("active_gpus", |policy| Some(policy.active_gpus)),
    ("fragmented", |policy| Some(policy.fragmented)),
    ("mean_wait_seconds", |policy| Some(policy.mean_wait)),
    ("p95_wait_seconds", |policy| Some(policy.p95_wait)),
    ("longest_wait_seconds", |policy| Some(policy.longest_wait)),
    ("moves_per_100", |policy| Some(policy.moves)),
    ("evictions_per_100", |policy| Some(policy.evictions)),
    ("gpus_recut", |policy| Some(policy.recuts)),
    ("closed_gpu_hours", |policy| Some(policy.closed_gpu_hours)),
];

/// The columns that say something about this simulation.
pub(super) fn columns(simulation: &SimulationDocument) -> Vec<Column> {
    let number = |title, means, cell| Column { title, is_number: true, means, cell };
    let mut columns = vec![
        Column {
            title: "policy",
            is_number: false,
            means: "who places the pods",
            cell: |policy| clean(&policy.name).into_owned(),
        },
        number("slices placed", "slices of the pods that were placed, of all slices asked for", |policy| {
            estimated(&policy.placed_units)
        }),
    ];
    if simulation.policies.len() > 1 {
        let means = "slices placed, in points, less those of the first policy in the table, run by run";
        columns.push(number("vs first", means, |policy| {
            let difference = |more: &EstimateForm| {
                let width = more.half_width.map_or_else(String::new, |half| format!(" ± {:.2}", half * 100.0));
                format!("{:+.2}{width}", more.mean * 100.0)
            };
            policy.placed_units_more.as_ref().map_or_else(String::new, difference)
        }));
    }
    let more = [
        number("pods placed", "pods placed, of those that came", |policy| share(policy.placed_pods.mean)),
        number("in use", "slices in use, of all, over time", |policy| share(policy.used.mean)),
        number("GPUs active", "GPUs with something on them, over time", |policy| {
            format!("{:.1}", policy.active_gpus.mean)
        }),
        number("broken up", "free slices that an average pod cannot use where they are, of all, over time", |policy| {
            share(policy.fragmented.mean)
        }),
    ];
    columns.extend(more);
    if simulation.queue.is_some() {
        columns.push(number("mean wait", "wait of the pods that were placed", |policy| time(policy.mean_wait.mean)));
        columns.push(number("wait of 95%", "wait that 95 of 100 of them do not pass", |policy| {
            time(policy.p95_wait.mean)
        }));
        columns.push(number("longest wait", "wait that none of them passes", |policy| time(policy.longest_wait.mean)));
    }
    if simulation.policies.iter().any(|policy| policy.moves.mean > 0.0) {
        columns.push(number("moves/100", "running pods moved, for each hundred that came", |policy| {
            format!("{:.2}", policy.moves.mean)
        }));
    }
    if simulation.eviction.is_some() {
        columns.push(number("evictions/100", "running pods evicted, for each hundred that came", |policy| {
            format!("{:.2}", policy.evictions.mean)
        }));
    }
    if simulation.recut.is_some() {
        columns.push(number("GPUs re-cut", "GPUs that were cut anew, each time counted", |policy| {
            format!("{:.1}", policy.recuts.mean)
        }));
        columns.push(number("GPU-h closed", "hours that GPUs were closed to be cut anew, summed", |policy| {
            format!("{:.1}", policy.closed_gpu_hours.mean)
        }));
    }
    columns
}

/// Seconds in the unit that people would use.
pub(super) fn time(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.0}s"),
        s if s < 7200.0 => format!("{:.0}min", s / 60.0),
        s if s < 172_800.0 => format!("{:.0}h", s / 3600.0),
        s => format!("{:.0}d", s / 86400.0),
    }
}
