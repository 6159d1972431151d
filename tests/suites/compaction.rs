//! The published shape of compaction and of arrivals on a used fleet: fewest GPUs and fewest moves, both proven
//! and equal to the reference.

use migsaw::plan::{CurvePoint, Moving, Options, Plan, Prefer, TierName, curve};
use migsaw_tests::solve::solve_with;
use migsaw_tests::wpm::{Case, cases};

fn options(prefer: Prefer, max_evictions: Option<u64>) -> Options<'static> {
    Options { moving: Moving { prefer, max_evictions, ..Moving::default() }, ..Options::default() }
}

/// A tier's value, which must be proven.
fn proven(case: &Case, plan: &Plan, name: TierName) -> i64 {
    let tier = plan.tiers.iter().find(|tier| tier.name == name).expect("the tier is there");
    assert_eq!(tier.value, tier.bound, "{}: {:?}", case.name, plan.tiers);
    tier.value
}

const SERVED: TierName = TierName::Served { priority: 0 };
const EVICTED: TierName = TierName::Evicted { priority: 0 };

#[test]
fn compaction_takes_the_fewest_gpus_and_then_the_fewest_moves() {
    for case in cases() {
        let plan = solve_with(&case.problem(false, 1), &options(Prefer::LowCost, None));
        let [served, gpus, moves] = [SERVED, TierName::Gpus, EVICTED].map(|name| proven(&case, &plan, name));
        assert_eq!(served, i64::try_from(case.existing.len()).expect("a few hundred"), "{}", case.name);
        assert_eq!((gpus, moves), (case.compact, case.moves), "{}", case.name);
    }
}

#[test]
fn arrivals_take_the_fewest_gpus_more_when_nothing_moves() {
    for case in cases() {
        let plan = solve_with(&case.problem(true, 1), &options(Prefer::FewEvictions, Some(0)));
        let [served, evicted, gpus] = [SERVED, EVICTED, TierName::Gpus].map(|name| proven(&case, &plan, name));
        let all = i64::try_from(case.existing.len() + case.arrivals.len()).expect("a few hundred");
        assert_eq!(evicted, 0, "{}", case.name);
        match case.extra {
            Some(extra) => assert_eq!((served, gpus - case.active), (all, extra), "{}", case.name),
            None => assert!(served < all, "{}: all are served", case.name),
        }
    }
}

#[test]
fn arrivals_take_the_fewest_gpus_when_everything_may_move() {
    for case in cases() {
        let plan = solve_with(&case.problem(true, 1), &options(Prefer::LowCost, None));
        let [served, gpus] = [SERVED, TierName::Gpus].map(|name| proven(&case, &plan, name));
        let all = i64::try_from(case.existing.len() + case.arrivals.len()).expect("a few hundred");
        assert_eq!((served, gpus), (all, case.together), "{}", case.name);
    }
}

#[test]
fn more_evictions_never_gain_less() {
    for case in cases() {
        let points = curve(&case.problem(true, 1), &options(Prefer::LowCost, None)).expect("the problem makes sense");
        let value = |point: &CurvePoint, name| point.tiers.iter().find(|tier| tier.name == name).map(|tier| tier.value);
        for point in &points {
            assert!(point.tiers.iter().all(|tier| tier.value == tier.bound), "{}: {point:?}", case.name);
            assert!(point.evicted() <= point.max_evictions, "{}: {point:?}", case.name);
        }
        for pair in points.windows(2) {
            let [less, more] = [&pair[0], &pair[1]];
            let gpus = |point| value(point, TierName::Gpus).map(std::cmp::Reverse);
            assert!((less.served(), gpus(less)) <= (more.served(), gpus(more)), "{}: {pair:?}", case.name);
        }
        let [first, last] = [points.first(), points.last()].map(|point| point.expect("there is a point"));
        assert_eq!(value(last, TierName::Gpus), Some(case.together), "{}", case.name);
        let extra = value(first, TierName::Gpus).map(|gpus| gpus - case.active);
        assert!(case.extra.is_none() || case.extra == extra, "{}: {first:?}", case.name);
    }
}
