//! Pods go only where they may: counted by hand under every policy, in every queue.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;

use migsaw::fleet::{Fleet, Pool};
use migsaw::geometry::{Catalog, Layout, ProfileName};
use migsaw_sim::{Limits, Misfits, Moves, Options, Outcome, Pod, Policy, Queue, Site, Workload, simulate};

const PROFILES: [&str; 4] = ["1g.10gb", "3g.40gb", "4g.40gb", "7g.80gb"];
const QUEUES: [Queue; 3] = [Queue::Backfill, Queue::Drain { gpus: 1, after: 1 }, Queue::Known { gpus: 1, after: 1 }];
/// How long each pod stays.
const STAYS: u64 = 100;

/// Pods, and how many of them there is room for.
struct Case {
    name: &'static str,
    asks: &'static [(&'static str, u8)],
    limits: Limits,
    room: u64,
}

fn only(pools: &[usize]) -> Limits {
    Limits { pools: Some(pools.iter().copied().collect::<BTreeSet<usize>>()), ..Limits::default() }
}

/// On two nodes of a first pool and one of a second, with two H100 each.
fn cases() -> Vec<Case> {
    let case = |name, asks, limits, room| Case { name, asks, limits, room };
    let at_most = |n| Limits { max_per_node: Some(n), ..Limits::default() };
    let together = || Limits { on_one_gpu: true, ..Limits::default() };
    vec![
        case("anywhere", &[("1g.10gb", 1)], Limits::default(), 42),
        case("seven on each of two GPUs", &[("1g.10gb", 1)], only(&[1]), 14),
        case("whole GPUs of the first pool", &[("7g.80gb", 1)], only(&[0]), 4),
        case("nowhere", &[("1g.10gb", 1)], only(&[]), 0),
        case("one on each node", &[("1g.10gb", 1)], at_most(1), 3),
        case("three on each node of a pool", &[("1g.10gb", 1)], Limits { max_per_node: Some(3), ..only(&[0]) }, 6),
        case("one whole GPU of each node", &[("7g.80gb", 1)], at_most(1), 3),
        case("three times four of 14 on each node", &[("1g.10gb", 4)], Limits::default(), 9),
        case("four of seven on each GPU", &[("1g.10gb", 4)], together(), 6),
        case("more than a GPU has", &[("1g.10gb", 8)], together(), 0),
        case("a GPU of each node", &[("1g.10gb", 4)], Limits { max_per_node: Some(1), ..together() }, 3),
        case("a GPU of the second pool", &[("1g.10gb", 4)], Limits { on_one_gpu: true, ..only(&[1]) }, 2),
        // At its lowest start the one would leave no place for the other.
        case("two halves of each GPU", &[("3g.40gb", 1), ("4g.40gb", 1)], together(), 6),
    ]
}

fn names() -> Vec<ProfileName> {
    PROFILES.iter().map(|name| name.parse().unwrap()).collect()
}

fn asks(named: &[(&str, u8)]) -> impl Iterator<Item = (u16, u8)> {
    let at = |name: &str| u16::try_from(PROFILES.iter().position(|known| *known == name).unwrap()).unwrap();
    named.iter().map(move |(name, n)| (at(name), *n))
}

fn pod(arrives: u64, named: &[(&str, u8)], limits: u16, priority: i32) -> Pod {
    Pod { arrives, stays: STAYS, asks: asks(named).collect(), priority, namespace: 0, limits }
}

fn fleet() -> Fleet {
    let model = Catalog::builtin().model("H100-80GB").unwrap();
    Fleet { pools: vec![Pool::new("a", model.clone(), 2, 2), Pool::new("b", model, 1, 2)] }
}

/// Cut at will, and for good into what the pods of a case ask for.
fn sites(case: &Case) -> Vec<Site> {
    let model = Catalog::builtin().model("H100-80GB").unwrap();
    let cut = match case.asks[0].0 {
        "1g.10gb" => "1g.10gb@0,1g.10gb@1,1g.10gb@2,1g.10gb@3,1g.10gb@4,1g.10gb@5,1g.10gb@6",
        "3g.40gb" => "4g.40gb@0,3g.40gb@4",
        _ => "7g.80gb@0",
    };
    let cut = Layout::parse(&model, cut).unwrap();
    vec![Site::at_will(&fleet(), &names()), Site::cut(&fleet(), &names(), |_, _, _| cut.clone())]
}

fn run(site: &Site, policy: Policy, limits: &[Limits], pods: Vec<Pod>, options: &Options) -> Outcome {
    let workload = Workload { profiles: names(), namespaces: vec![String::new()], limits: limits.to_vec(), pods };
    simulate(site, &workload, &policy, &workload.mix(), options).unwrap()
}

/// All policies that place pods somewhere; those of `HAMi`'s templates that have what is asked for.
fn policies(case: &Case) -> impl Iterator<Item = Policy> {
    let is_in_templates = case.asks.iter().all(|(name, _)| *name != "4g.40gb");
    let known = Policy::ALL.iter().filter(move |policy| policy.name != "repacked");
    known.filter(move |policy| policy.name != "hami" || is_in_templates).copied()
}

#[test]
fn so_many_are_placed_as_there_is_room_for() {
    for case in cases() {
        for site in sites(&case) {
            for policy in policies(&case) {
                for moves in [None, Some(Moves { per_hundred: 100.0, burst: 100.0, at_once: 3, is_priced: false })] {
                    let pods = (0..60).map(|_| pod(0, case.asks, 0, 0)).collect();
                    let options = Options { moves, ..Options::default() };
                    let outcome = run(&site, policy, std::slice::from_ref(&case.limits), pods, &options);
                    assert_eq!(outcome.all.placed, case.room, "{}, {}, {moves:?}", case.name, policy.name);
                }
            }
        }
    }
}

#[test]
fn so_many_at_a_time_leave_the_line_as_there_is_room_for() {
    for case in cases() {
        for site in sites(&case) {
            for (policy, queue) in policies(&case).flat_map(|policy| QUEUES.map(|queue| (policy, queue))) {
                let pods = (0..60).map(|_| pod(0, case.asks, 0, 0)).collect();
                let options = Options { misfits: Misfits::Wait(queue), ..Options::default() };
                let outcome = run(&site, policy, std::slice::from_ref(&case.limits), pods, &options);
                // Those of a batch leave together.
                let expected = 59_u64.checked_div(case.room).map_or((0, 0), |batches| (60, batches * STAYS));
                let what = format!("{}, {}, {queue:?}", case.name, policy.name);
                assert_eq!((outcome.all.placed, outcome.waits.longest), expected, "{what}");
            }
        }
    }
}

#[test]
fn so_many_take_the_place_of_others_as_there_is_room_for() {
    for case in cases() {
        let site = Site::at_will(&fleet(), &names());
        for policy in policies(&case) {
            let others = (0..42).map(|_| pod(0, &[("1g.10gb", 1)], 0, 0));
            let these = (0..60).map(|_| pod(1, case.asks, 1, 1));
            let options = Options { preempts: true, ..Options::default() };
            let limits = [Limits::default(), case.limits.clone()];
            let outcome = run(&site, policy, &limits, others.chain(these).collect(), &options);
            assert_eq!(outcome.by_priority[&1].placed, case.room, "{}, {}", case.name, policy.name);
            let is_disturbed = outcome.all.evictions > 0;
            assert_eq!(is_disturbed, case.room > 0, "{}, {}", case.name, policy.name);
        }
    }
}

/// The second pool is always full of small pods, and more of them wait; the first is empty.
#[test]
fn a_gpu_is_drained_for_those_who_may_use_it() {
    let small = |arrives, stays| Pod { stays, ..pod(arrives, &[("1g.10gb", 1)], 0, 0) };
    let mut pods: Vec<Pod> = (0..400).map(|number| small(10 * number, 200)).collect();
    pods.push(Pod { stays: 10, ..pod(501, &[("7g.80gb", 1)], 0, 0) });
    pods.sort_by_key(|pod| pod.arrives);
    let wait = |queue| {
        let options = Options { misfits: Misfits::Wait(queue), measured: 501..502, ..Options::default() };
        let policy = Policy::named("first-fit").unwrap();
        run(&Site::at_will(&fleet(), &names()), policy, &[only(&[1])], pods.clone(), &options).waits.longest
    };
    assert!(wait(Queue::Backfill) > 3000, "it starves");
    for queue in &QUEUES[1..] {
        let wait = wait(*queue);
        assert!((1..600).contains(&wait), "{queue:?}: {wait}");
    }
}

/// A small pod is in the way of a large one, on the first of two GPUs in pools of their own.
#[test]
fn who_makes_room_goes_only_where_it_may() {
    let model = Catalog::builtin().model("H100-80GB").unwrap();
    let pools = vec![Pool::new("a", model.clone(), 1, 1), Pool::new("b", model, 1, 1)];
    let site = Site::at_will(&Fleet { pools }, &names());
    let moves = Some(Moves { per_hundred: 100.0, burst: 100.0, at_once: 3, is_priced: false });
    let counted = Limits { max_per_node: Some(1), ..Limits::default() };
    for (small, large, expected) in [
        (Limits::default(), only(&[0]), (2, 1)),
        (only(&[0, 1]), only(&[0]), (2, 1)),
        (only(&[0]), only(&[0]), (1, 0)),
        (counted, only(&[0]), (1, 0)),
        (only(&[0]), only(&[1]), (2, 0)),
        (only(&[0]), Limits::default(), (2, 0)),
    ] {
        let pods = vec![pod(0, &[("1g.10gb", 1)], 0, 0), pod(1, &[("7g.80gb", 1)], 1, 0)];
        let options = Options { moves, ..Options::default() };
        let policy = Policy::named("first-fit").unwrap();
        let outcome = run(&site, policy, &[small.clone(), large.clone()], pods, &options);
        assert_eq!((outcome.all.placed, outcome.moves), expected, "{small:?}, {large:?}");
    }
}

/// What no limit keeps from a pod the bound does not either.
#[test]
fn the_bound_is_one_whatever_the_limits() {
    let site = Site::at_will(&fleet(), &names());
    for case in cases() {
        let placed = |policy: &str| {
            let pods = (0..60).map(|_| pod(0, case.asks, 0, 0)).collect();
            let policy = Policy::named(policy).unwrap();
            run(&site, policy, std::slice::from_ref(&case.limits), pods, &Options::default()).all.placed
        };
        assert!(placed("repacked") >= placed("room"), "{}", case.name);
    }
}
