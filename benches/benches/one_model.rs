//! How long until the fewest GPUs for a mix on one model are proven, from 8 GPUs to a million?
//!
//! The formulations side by side to the units served and GPUs used, which is what the textbook program
//! with variables for every GPU finds, as far as it gets; and planning to the last tier. With `--test`, as in CI, each of the small ones runs once.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use migsaw::plan::{Depth, Formulation, plan};
use migsaw_benches::mixes::{MIXES, Mix};
use migsaw_benches::planning::{FORMULATIONS, NAIVE_LIMIT, microlp, options, proven};
use migsaw_tests::naive::{self, NoOptimum};

const SIZES: [u32; 6] = [8, 80, 800, 8_000, 80_000, 1_000_000];
const NAIVE_SIZES: [u32; 3] = [8, 80, 800];
const SEED: u64 = 1;
/// A naive run that takes longer is timed once, not by criterion.
const ONCE: Duration = Duration::from_secs(1);

fn is_test() -> bool {
    std::env::args().any(|argument| argument == "--test")
}

fn planner(c: &mut Criterion) {
    for mix in MIXES {
        let mut group = c.benchmark_group(format!("one-model/{}", mix.name));
        group.sample_size(20).warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2));
        for gpus in SIZES.into_iter().filter(|&gpus| !is_test() || gpus <= 80) {
            let problem = mix.problem(gpus, SEED);
            let expected = proven(&problem, Formulation::default()).expect("the default proves it");
            for (name, formulation) in FORMULATIONS {
                match proven(&problem, formulation) {
                    Ok(tiers) => assert_eq!(tiers, expected, "{name}, {gpus} GPUs of {}", mix.name),
                    Err(gap) => {
                        eprintln!("one-model/{}/{name}/{gpus}: not proven, gap {gap} ppm", mix.name);
                        continue;
                    }
                }
                let id = BenchmarkId::new(name, gpus);
                group.bench_function(id, |b| b.iter(|| proven(black_box(&problem), formulation)));
            }
            let all_tiers = options(Formulation::default(), Depth::All);
            group.bench_function(BenchmarkId::new("all-tiers", gpus), |b| {
                b.iter(|| plan(black_box(&problem), &all_tiers).expect("the problem makes sense"));
            });
        }
        group.finish();
    }
}

fn textbook(c: &mut Criterion) {
    for mix in MIXES {
        for gpus in NAIVE_SIZES.into_iter().filter(|&gpus| !is_test() || gpus <= 8) {
            measure(c, mix, gpus, "naive-microlp", microlp);
            #[cfg(feature = "highs")]
            measure(c, mix, gpus, "naive-highs", migsaw_benches::planning::highs);
        }
    }
}

fn measure(c: &mut Criterion, mix: Mix, gpus: u32, name: &str, solver: impl naive::Optimiser) {
    let problem = mix.problem(gpus, SEED);
    let (variables, rows) = naive::size(&problem);
    let began = Instant::now();
    let found = naive::optimum(&problem, solver);
    let took = began.elapsed();
    let id = BenchmarkId::new(name, gpus);
    match found {
        Ok(tiers) => {
            assert_eq!(Ok(tiers), proven(&problem, Formulation::default()), "{name}, {gpus} GPUs of {}", mix.name);
            if took > ONCE {
                eprintln!("one-model/{}/{name}/{gpus}: {took:.1?} once, {variables} variables, {rows} rows", mix.name);
                return;
            }
            let mut group = c.benchmark_group(format!("one-model/{}", mix.name));
            group.sample_size(10).warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_secs(2));
            group.bench_function(id, |b| b.iter(|| naive::optimum(black_box(&problem), solver).is_ok()));
            group.finish();
        }
        Err(NoOptimum::Limit) => eprintln!(
            "one-model/{}/{name}/{gpus}: no optimum within {NAIVE_LIMIT:.0?} per tier ({took:.1?}), {variables} variables, {rows} rows",
            mix.name
        ),
        Err(NoOptimum::Failed(error)) => {
            eprintln!(
                "one-model/{}/{name}/{gpus}: {error} after {took:.1?}, {variables} variables, {rows} rows",
                mix.name
            );
        }
    }
}

criterion_group!(benches, planner, textbook);
criterion_main!(benches);
