//! How many pods does the simulator place in a second?
//!
//! A hundred to ten thousand GPUs of one model, the uniform mix at load 1, pods that come and go. Throughput counts pods
//! that come, placed or refused; each leaves again too. With `--test`, as in CI, only a hundred GPUs.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use migsaw_benches::paper::online::{draw, mix, site};
use migsaw_sim::{Options, Policy, simulate};

/// Pods of a run.
const PODS: usize = 100_000;

fn simulator(c: &mut Criterion) {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let sizes: &[u32] = if is_test { &[100] } else { &[100, 1_000, 10_000] };
    let pods = if is_test { PODS / 100 } else { PODS };
    let mut group = c.benchmark_group("simulator");
    group.sample_size(10).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_secs(3));
    group.throughput(Throughput::Elements(pods as u64));
    for &gpus in sizes {
        let site = site(gpus);
        let workload = draw(mix("uniform"), 1.0).pods(&site, pods, 1);
        let expected = workload.mix();
        for name in ["first-fit", "round-robin", "best-fit", "load-balanced", "mfi", "room", "repacked"] {
            let policy = Policy::named(name).expect("a policy");
            group.bench_function(BenchmarkId::new(name, gpus), |b| {
                b.iter(|| simulate(black_box(&site), &workload, &policy, &expected, &Options::default()));
            });
        }
    }
    group.finish();
}

criterion_group!(benches, simulator);
criterion_main!(benches);
