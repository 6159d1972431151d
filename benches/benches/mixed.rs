//! How long does a fleet of six models take, with something running on it and a thousand demands?
//!
//! One seed for each size; `cargo run --release -p migsaw-benches --bin scale` has the spread over seeds
//! and the memory. With `--test`, as in CI, the small one runs once.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use migsaw::plan::{Depth, Formulation, Options, Plan, plan};
use migsaw::problem::Problem;
use migsaw_benches::mixed::{States, problem};
use migsaw_benches::planning::{Deadline, FORMULATIONS, gap, options};

const SIZES: [u32; 3] = [1_000, 100_000, 1_000_000];
const SEED: u64 = 1;
/// How long a plan may take, as on the command line.
const LIMIT: Duration = Duration::from_secs(30);
/// A plan that takes longer is timed once, not by criterion.
const ONCE: Duration = Duration::from_secs(2);

fn is_test() -> bool {
    std::env::args().any(|argument| argument == "--test")
}

fn planned(problem: &Problem, options: &Options<'_>) -> Plan {
    let deadline = Deadline::after(LIMIT);
    plan(problem, &Options { budget: &deadline, ..*options }).expect("the problem makes sense")
}

fn mixed(c: &mut Criterion) {
    let mut group = c.benchmark_group("mixed");
    group.sample_size(10).warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_secs(5));
    for gpus in SIZES.into_iter().filter(|&gpus| !is_test() || gpus <= 1_000) {
        let problem = problem(gpus, SEED, States::Kinds(20));
        let compared = FORMULATIONS.map(|(name, formulation)| (name, options(formulation, Depth::ServedAndCost)));
        let all_tiers = ("all-tiers", options(Formulation::default(), Depth::All));
        for (name, options) in compared.into_iter().chain([all_tiers]) {
            if is_test() && options.formulation != Formulation::default() {
                continue;
            }
            let began = Instant::now();
            let plan = planned(&problem, &options);
            let took = began.elapsed();
            if took > ONCE {
                eprintln!("mixed/{name}/{gpus}: {took:.1?} once, {:?}, gap {} ppm", plan.status, gap(&plan));
                continue;
            }
            assert!(gap(&plan) < 100, "a gap of {} millionths", gap(&plan));
            group.bench_function(BenchmarkId::new(name, gpus), |b| b.iter(|| planned(black_box(&problem), &options)));
        }
    }
    group.finish();
}

criterion_group!(benches, mixed);
criterion_main!(benches);
