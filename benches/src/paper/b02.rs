//! B2: pods that come to an empty fleet and stay.

use migsaw_sim::{Estimate, Options, Rng};
use migsaw_tests::closed_form;

use super::Settings;
use super::online::{SLICES, mix, placed, sequence, site};
use super::table::{Column, Row, Table};

const GPUS: u32 = 80;
const POLICIES: [&str; 5] = ["first-fit", "best-fit", "mfi", "load-balanced", "room"];

/// A mix, its load in hundredths, and the means that others computed with other random numbers: the optimum, largest
/// first, and each of [`POLICIES`] but our own.
const CASES: [(&str, u64, [f64; 6]); 6] = [
    ("uniform", 35, [28.08, 28.50, 29.11, 29.12, 29.09, 63.96]),
    ("uniform", 50, [40.02, 40.60, 41.29, 41.30, 41.30, 79.93]),
    ("uniform", 70, [56.00, 56.83, 57.66, 57.65, 57.84, 80.0]),
    ("uniform", 90, [72.00, 72.77, 73.99, 73.98, 74.00, 80.0]),
    ("skew-small", 35, [28.00, 28.91, 29.43, 29.45, 29.64, 79.90]),
    ("skew-small", 70, [56.00, 57.30, 58.37, 58.41, 58.79, 80.0]),
];

pub(super) fn run(settings: &Settings) -> anyhow::Result<Vec<Table>> {
    let mut columns = vec![Column::Value("mix, load"), Column::Value("optimum: reference"), Column::Value("formula")];
    columns.extend(["largest first: reference", "ours"].map(Column::Value));
    for policy in POLICIES {
        columns.push(Column::Value(policy));
    }
    columns.push(Column::Value("reference"));
    columns.push(Column::Value("load-balanced over optimum"));
    let mut table = Table::new(
        "80 empty A100-80GB: GPUs used",
        "Profiles drawn until the load is reached, placed as they are drawn (Turkkan et al., arXiv 2409.06646, report up \
         to 2.85 times fewer GPUs than load balancing). Means; the reference has other random numbers, so ours have to \
         agree within both intervals. The optimum is what the planner finds (B1 holds it against the formula).",
        &columns,
    );
    let seeds = settings.seeds(100, 5);
    for (name, load, reference) in CASES {
        let mut figures: Vec<Vec<f64>> = vec![Vec::new(); 2 + POLICIES.len()];
        for seed in 0..seeds {
            let drawn = draw(name, load, seed);
            let mut counts = [0; 6];
            for &profile in &drawn {
                counts[profile] += 1;
            }
            figures[0].push(as_float(closed_form::Mix::from(counts).fewest_gpus()));
            let mut sorted = drawn.clone();
            sorted.sort_unstable_by_key(|&profile| std::cmp::Reverse(profile));
            figures[1].push(used(&sorted, "first-fit")?);
            for (at, policy) in POLICIES.iter().enumerate() {
                figures[2 + at].push(used(&drawn, policy)?);
            }
        }
        let means: Vec<Estimate> = figures.iter().map(|values| Estimate::of(values)).collect();
        let mut row = Row::of(&[&format!("{name} .{load}")]);
        row = row.with(&format!("{:.2}", reference[0])).with(&format!("{:.2}", means[0].mean));
        row = row.with(&format!("{:.2}", reference[1])).with(&format!("{:.2}", means[1].mean));
        for mean in &means[2..] {
            row = row.with(&format!("{:.2}", mean.mean));
        }
        let others: Vec<String> = reference[2..].iter().map(|figure| format!("{figure:.2}")).collect();
        let close = |(mean, figure): (&Estimate, &f64)| {
            // Both are means of as many draws, so both are as uncertain; where their drawing stopped is not said.
            (mean.mean - figure).abs() <= (1.5 * mean.half_width.unwrap_or(f64::MAX)).max(0.1)
        };
        let agree = settings.quick || means.iter().zip(&reference).all(close);
        row = row.with(&others.join(", ")).with(&format!("{:.2}", means[5].mean / means[0].mean));
        table.rows.push(row.value(agree));
    }
    table.note.push_str(
        "Under `room` no pod is moved and nothing is known of what comes but the mix. `load-balanced` at .50 and above \
         leaves pods unplaced, so it has all 80 GPUs.",
    );
    Ok(vec![table])
}

/// Profiles drawn in proportion to the mix until the next would pass the load.
fn draw(name: &str, load: u64, seed: u64) -> Vec<usize> {
    let weights = mix(name).weights;
    let mut rng = Rng::new(seed);
    let (mut drawn, mut left) = (Vec::new(), u64::from(GPUS) * 8 * load / 100);
    loop {
        let mut at = rng.below(weights.iter().sum());
        let chosen = weights.iter().position(|&weight| {
            let here = at < weight;
            at = at.wrapping_sub(if here { 0 } else { weight });
            here
        });
        let profile = chosen.unwrap_or(0);
        let Some(rest) = left.checked_sub(SLICES[profile]) else { return drawn };
        left = rest;
        drawn.push(profile);
    }
}

fn used(profiles: &[usize], policy: &str) -> anyhow::Result<f64> {
    let options = Options { measured: 0..1, ..Options::default() };
    Ok(placed(&site(GPUS), &sequence(profiles), policy, &options)?.active)
}

#[expect(clippy::cast_precision_loss, reason = "a number of GPUs is small")]
fn as_float(gpus: u64) -> f64 {
    gpus as f64
}
