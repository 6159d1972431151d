//! How long does it take to rearrange a fragmented fleet, with the fewest moves, proven?
//!
//! The 24 cases of 80 GPUs, and each of them ten and a hundred times over. All plans are made once, which must
//! be proven, and the slowest and the median are printed; the 24 together at 80 GPUs are timed by criterion.
//! With `--test`, as in CI, only those run.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{Criterion, criterion_group, criterion_main};
use migsaw::plan::{Depth, Moving, Options, Plan, Prefer, plan};
use migsaw::problem::Problem;
use migsaw_tests::wpm::cases;

/// The questions: a name, whether arrivals come on top, what counts more, and how many may be evicted.
const QUESTIONS: [(&str, bool, Prefer, Option<u64>); 3] = [
    ("compact", false, Prefer::LowCost, None),
    ("arrivals-nothing-moves", true, Prefer::FewEvictions, Some(0)),
    ("arrivals-all-may-move", true, Prefer::LowCost, None),
];

fn planned(problem: &Problem, moving: Moving) -> Plan {
    let options = Options { depth: Depth::ServedAndCost, moving, ..Options::default() };
    plan(problem, &options).expect("the problem makes sense")
}

fn compaction(c: &mut Criterion) {
    let is_test = std::env::args().any(|argument| argument == "--test");
    let mut group = c.benchmark_group("compaction");
    group.sample_size(10).warm_up_time(Duration::from_millis(100)).measurement_time(Duration::from_secs(5));
    for (name, with_arrivals, prefer, max_evictions) in QUESTIONS {
        let moving = Moving { prefer, max_evictions, ..Moving::default() };
        let sizes: &[u32] = if is_test { &[1] } else { &[1, 10, 100] };
        for &times in sizes {
            let mut took: Vec<Duration> = Vec::new();
            let mut open = 0;
            for case in cases() {
                let problem = case.problem(with_arrivals, times);
                let began = Instant::now();
                let plan = planned(&problem, moving);
                took.push(began.elapsed());
                open += usize::from(plan.tiers.iter().any(|tier| tier.value != tier.bound));
            }
            took.sort_unstable();
            let (median, worst) = (took[took.len() / 2], took[took.len() - 1]);
            let gpus = 80 * times;
            eprintln!("compaction/{name}/{gpus}: median {median:.1?}, worst {worst:.1?}, {open} of 24 not proven");
            assert!(times > 1 || open == 0, "{open} of 24 not proven");
        }
        let problems: Vec<Problem> = cases().iter().map(|case| case.problem(with_arrivals, 1)).collect();
        group.bench_function(format!("{name}/24x80"), |b| {
            b.iter(|| problems.iter().map(|problem| planned(black_box(problem), moving)).collect::<Vec<Plan>>());
        });
    }
    group.finish();
}

criterion_group!(benches, compaction);
criterion_main!(benches);
