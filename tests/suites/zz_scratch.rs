//! scratch
use migsaw_tests::{oracle::optimum, strategies::{seeded, Size}};
use std::time::Instant;
#[test]
fn slow() {
    for size in [Size::TINY, Size::DEEP] {
    let (mut a, mut b) = (0.0, 0.0);
    for seed in 0..400 {
        let p = seeded(seed, size);
        let t = Instant::now();
        optimum(&p);
        let o = t.elapsed().as_secs_f64();
        let t = Instant::now();
        let _ = migsaw::plan::plan(&p, &migsaw::plan::Options::default());
        let l = t.elapsed().as_secs_f64();
        a += o; b += l;
        if o > 0.5 || l > 0.5 { println!("{seed} oracle {o:.2} planner {l:.2}"); }
    }
    println!("oracle {a:.1} planner {b:.1}");
    }
}
