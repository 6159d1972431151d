//! Time, gap and memory of planning a mixed fleet, seed by seed.
//!
//!     cargo run --release -p migsaw-benches --bin scale -- GPUS [SEEDS [KINDS [FORMULATION [DEPTH]]]]
//!
//! KINDS is about how many different nodes each pool has; 0 draws the state of every GPU on its own.
//! DEPTH is `cost` to stop at units served and GPUs used, or `all`.
#![expect(clippy::print_stdout, reason = "the table is what it is for")]

use std::time::{Duration, Instant};

use migsaw::plan::{Depth, Options, plan};
use migsaw_benches::memory::{peak_kib, reset_peak};
use migsaw_benches::mixed::{States, problem};
use migsaw_benches::planning::{Deadline, FORMULATIONS, gap, options};

/// How long planning may take for each seed.
const LIMIT: Duration = Duration::from_secs(60);

fn main() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |index: usize, default: u32| {
        arguments.get(index).map_or(Ok(default), |text| text.parse().map_err(|_| format!("`{text}` is no number")))
    };
    let gpus = number(0, 100_000)?;
    let seeds = number(1, 20)?;
    let states = match number(2, 20)? {
        0 => States::Independent,
        kinds => States::Kinds(kinds),
    };
    let wanted = arguments.get(3).map_or("polytope", String::as_str);
    let (name, formulation) = FORMULATIONS
        .into_iter()
        .find(|(name, _)| *name == wanted)
        .ok_or_else(|| format!("`{wanted}` is no formulation (expected patterns, facets or polytope)"))?;
    let depth = match arguments.get(4).map_or("all", String::as_str) {
        "cost" => Depth::ServedAndCost,
        "all" => Depth::All,
        other => return Err(format!("`{other}` is no depth (expected cost or all)")),
    };

    println!("{gpus} GPUs, {states:?}, {name}, {depth:?}");
    println!("seed      time  status    gap ppm  peak MiB  of which before");
    let mut times: Vec<Duration> = Vec::new();
    let mut worst_gap = 0;
    for seed in 0..seeds {
        let problem = problem(gpus, u64::from(seed), states);
        reset_peak();
        let before = peak_kib().unwrap_or(0);
        let began = Instant::now();
        let deadline = Deadline::after(LIMIT);
        let options = Options { budget: &deadline, ..options(formulation, depth) };
        let plan = plan(&problem, &options).map_err(|error| error.to_string())?;
        let took = began.elapsed();
        let peak = peak_kib().unwrap_or(0);
        println!(
            "{seed:>4} {:>8.3}s  {:<8} {:>8}  {:>8}  {:>8}",
            took.as_secs_f64(),
            format!("{:?}", plan.status).to_lowercase(),
            gap(&plan),
            peak >> 10,
            before >> 10
        );
        times.push(took);
        worst_gap = worst_gap.max(gap(&plan));
    }
    times.sort_unstable();
    if let (Some(median), Some(worst)) = (times.get(times.len() / 2), times.last()) {
        println!("median {median:.3?}, worst {worst:.3?}, largest gap {worst_gap} ppm");
    }
    Ok(())
}
