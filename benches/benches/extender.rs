//! How long does the scheduler extender think about a pod, without HTTP and JSON around it?
//!
//! `filter` and `prioritize` of pods that some nodes can take, and `filter` of one that none ever could. `claiming` is
//! `filter` where the scheduler does not count slices itself, of one pod, and while 64 others have claimed nodes. With
//! `--test`, as in CI, each of the small ones runs once.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use migsaw_benches::extender::fleet::{Shape, keeper};
use migsaw_benches::extender::requests::{by_name, hopeless, pending};
use migsaw_extender::wire::Args;
use migsaw_extender::{Extender, Settings};
use migsaw_kube::scheduling::Pod;

fn pod(text: &str) -> Pod {
    serde_json::from_str(text).expect("a pod")
}

fn decisions(c: &mut Criterion) {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let sizes: &[u32] = if is_test { &[100] } else { &[1_000, 5_000] };
    for &nodes in sizes {
        let (keeper, _) = keeper(&Shape::of(nodes));
        let extender = Extender::new(keeper.fleet().clone(), Settings::default());
        let claiming = Settings { ignored_by_scheduler: true, ..Settings::default() };
        let claiming = Extender::new(keeper.fleet().clone(), claiming);
        // As in a request, the names are where they were read.
        let body = by_name(&pending(0), nodes);
        let mut args: Args<'_> = serde_json::from_str(&body).expect("arguments");
        let offered = args.offered().expect("nodes with names");
        let mut group = c.benchmark_group("extender");
        group.throughput(Throughput::Elements(nodes.into()));
        for (kind, number) in [("one", 0), ("pair", 3), ("selecting", 4)] {
            let pod = pod(&pending(number));
            group.bench_function(BenchmarkId::new(format!("filter/{kind}"), nodes), |b| {
                b.iter(|| extender.filter(black_box(&pod), &offered).1);
            });
            group.bench_function(BenchmarkId::new(format!("prioritize/{kind}"), nodes), |b| {
                b.iter(|| extender.prioritize(black_box(&pod), &offered).len());
            });
        }
        let hopeless = pod(&hopeless(0));
        group.bench_function(BenchmarkId::new("filter/hopeless", nodes), |b| {
            b.iter(|| extender.filter(black_box(&hopeless), &offered).1);
        });
        let pod = pod(&pending(0));
        group.bench_function(BenchmarkId::new("filter/claiming", nodes), |b| {
            b.iter(|| claiming.filter(black_box(&pod), &offered).1);
        });
        for number in 1..=64 {
            claiming.filter(&self::pod(&pending(number)), &offered);
        }
        group.bench_function(BenchmarkId::new("filter/claiming-beside-64", nodes), |b| {
            b.iter(|| claiming.filter(black_box(&pod), &offered).1);
        });
        group.finish();
    }
}

criterion_group!(benches, decisions);
criterion_main!(benches);
