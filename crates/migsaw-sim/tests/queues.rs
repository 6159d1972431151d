//! Who starts when, of pods that wait.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use migsaw::fleet::{Fleet, Pool};
use migsaw::geometry::{Catalog, Layout, ProfileName};
use migsaw::present::RecutUnit;
use migsaw_sim::{
    Eviction, Limits, Misfits, NewCuts, Options, Outcome, Pod, Policy, Queue, Recut, Recutting, Site, Standing,
    Workload, simulate,
};
use proptest::prelude::*;

const PROFILES: [&str; 6] = ["1g.10gb", "2g.20gb", "3g.40gb", "7g.80gb", "1g.6gb", "4g.24gb"];
/// Drains as soon as a pod has waited for one mean stay.
const DRAIN: Queue = Queue::Drain { gpus: 1, after: 1 };
const KNOWN: Queue = Queue::Known { gpus: 1, after: 1 };

fn at(name: &str) -> u16 {
    u16::try_from(PROFILES.iter().position(|known| known.starts_with(name)).unwrap()).unwrap()
}

/// A pod that takes one instance.
fn pod(arrives: u64, stays: u64, profile: &str) -> Pod {
    Pod { arrives, stays, asks: [(at(profile), 1)].into_iter().collect(), priority: 0, namespace: 0, limits: 0 }
}

/// A node of each kind: GPUs of a model, and how many.
fn site(nodes: &[(&str, u32)]) -> Site {
    let pool = |(model, gpus): &(&str, u32)| Pool::new(*model, Catalog::builtin().model(model).unwrap(), 1, *gpus);
    Site::at_will(&Fleet { pools: nodes.iter().map(pool).collect() }, &names())
}

fn names() -> Vec<ProfileName> {
    PROFILES.iter().map(|name| name.parse().unwrap()).collect()
}

fn workload(pods: &[Pod]) -> Workload {
    let (namespaces, limits) = (vec![String::new()], vec![Limits::default()]);
    Workload { profiles: names(), namespaces, limits, pods: pods.to_vec() }
}

fn outcome(site: &Site, pods: &[Pod], policy: &str, queue: Queue, measured: std::ops::Range<u64>) -> Outcome {
    let workload = workload(pods);
    let options = Options { misfits: Misfits::Wait(queue), measured, ..Options::default() };
    simulate(site, &workload, &Policy::named(policy).unwrap(), &workload.mix(), &options).unwrap()
}

/// When each pod starts, `None` if it never does. No two may come at the same time.
fn starts(site: &Site, pods: &[Pod], policy: &str, queue: Queue) -> Vec<Option<u64>> {
    let start = |pod: &Pod| {
        let outcome = outcome(site, pods, policy, queue, pod.arrives..pod.arrives + 1);
        (outcome.all.placed > 0).then(|| pod.arrives + outcome.waits.longest)
    };
    pods.iter().map(start).collect()
}

/// With first-fit on so many H100: when each pod starts.
fn check(name: &str, gpus: u32, queue: Queue, pods: &[(Pod, u64)]) {
    let (pods, expected): (Vec<Pod>, Vec<u64>) = pods.iter().cloned().unzip();
    let starts = starts(&site(&[("H100-80GB", gpus)]), &pods, "first-fit", queue);
    assert_eq!(starts, expected.into_iter().map(Some).collect::<Vec<_>>(), "{name}");
}

#[test]
fn backfill_is_first_come_first_served_but_for_what_does_not_fit() {
    let pods = [
        (pod(0, 10, "3g"), 0),
        (pod(1, 10, "7g"), 30),
        (pod(2, 28, "1g"), 2),
        (pod(3, 10, "7g"), 40),
        (pod(4, 10, "1g"), 4),
    ];
    check("later ones start beside what runs", 1, Queue::Backfill, &pods);
    let urgent = Pod { priority: 1, ..pod(2, 10, "7g") };
    let pods = [(pod(0, 10, "3g"), 0), (pod(1, 10, "7g"), 20), (urgent, 10)];
    for queue in [Queue::Backfill, DRAIN, KNOWN] {
        check("higher priorities first", 1, queue, &pods);
    }
}

#[test]
fn the_bound_knows_no_gpu_that_could_be_drained() {
    let pods = [pod(0, 100, "7g"), pod(1, 500, "7g"), pod(2, 10, "7g"), pod(3, 10, "1g")];
    for queue in [Queue::Backfill, DRAIN, KNOWN] {
        let starts = starts(&site(&[("H100-80GB", 1)]), &pods, "repacked", queue);
        assert_eq!(starts, [0, 100, 600, 610].map(Some), "{}", queue.name());
    }
}

#[test]
fn the_gpu_that_is_cheapest_to_empty_is_drained() {
    // Who leaves first makes the mean stay known. Then the first GPU has 3g and 1g, the second 3g.
    let running = [
        (pod(0, 1, "1g"), 0),
        (pod(2, 300, "3g"), 2),
        (pod(3, 5, "3g"), 3),
        (pod(4, 200, "3g"), 4),
        (pod(10, 300, "1g"), 10),
    ];
    // Two go beside the 1g; for the third there is room on the second GPU only.
    let come = |whole, third| {
        [(pod(11, 10, "7g"), whole), (pod(30, 300, "1g"), 30), (pod(31, 300, "1g"), 31), (pod(32, 400, "1g"), third)]
    };
    let check = |name, queue, come: [(Pod, u64); 4]| check(name, 2, queue, &[&running[..], &come[..]].concat());
    check("expected cost 4 on the second, 7 on the first", DRAIN, come(204, 214));
    check("nobody starves yet", Queue::Drain { gpus: 1, after: 100 }, come(331, 32));
    check("none is to be drained", Queue::Drain { gpus: 0, after: 1 }, come(331, 32));
    check("nobody starves yet", Queue::Backfill, come(331, 32));
}

#[test]
fn a_hold_goes_to_a_gpu_that_has_become_cheaper() {
    let pods = [
        (pod(0, 1, "1g"), 0),
        // 2g, 2g and 3g on the first GPU, cost 6⅔; on the second 3g and two 1g, cost 8⅔, then 7, then 4.
        (pod(2, 600, "2g"), 2),
        (pod(3, 600, "3g"), 3),
        (pod(4, 196, "3g"), 4),
        (pod(5, 600, "2g"), 5),
        (pod(6, 44, "1g"), 6),
        (pod(7, 45, "1g"), 7),
        (pod(8, 10, "7g"), 200),
        (pod(60, 1000, "1g"), 210),
    ];
    check("it is handed over, and nothing starts there any more", 2, DRAIN, &pods);
}

#[test]
fn who_is_known_to_take_least_goes_first_until_somebody_starves() {
    let pods = |first, second| [(pod(0, 100, "7g"), 0), (pod(1, 500, "7g"), first), (pod(2, 10, "7g"), second)];
    check("the short one", 1, Queue::KNOWN, &pods(110, 100));
    check("who has waited longest", 1, Queue::Known { gpus: 1, after: 0 }, &pods(100, 600));
}

#[test]
fn who_has_left_in_time_may_start_on_a_gpu_that_is_drained() {
    let pods = [
        (pod(0, 1000, "3g"), 0),
        (pod(1, 9, "1g"), 1),
        (pod(11, 5, "7g"), 1000),
        (pod(30, 100, "1g"), 30),
        (pod(31, 970, "1g"), 1005),
        (pod(32, 968, "1g"), 32),
    ];
    check("two have, one has not", 1, KNOWN, &pods);
}

#[test]
fn each_profile_that_takes_a_whole_gpu_has_its_own_holds() {
    let site = site(&[("A30", 1), ("H100-80GB", 1)]);
    let pods = [
        pod(0, 1, "1g.10gb"),
        pod(2, 100, "1g.6gb"),
        pod(3, 200, "3g.40gb"),
        pod(4, 10, "4g.24gb"),
        pod(5, 10, "7g.80gb"),
        pod(120, 500, "1g.10gb"),
        pod(90, 500, "1g.6gb"),
    ];
    let mut pods = pods.to_vec();
    pods.sort_by_key(|pod| pod.arrives);
    let expected = [0, 2, 3, 102, 203, 112, 213].map(Some);
    assert_eq!(starts(&site, &pods, "room", DRAIN), expected);
    assert_eq!(starts(&site, &pods, "room", KNOWN), expected);
}

/// One H100 that is cut for whole GPUs, then into halves, and so on.
#[test]
fn what_is_cut_anew_by_hand() {
    let model = Catalog::builtin().model("H100-80GB").unwrap();
    let fleet = Fleet { pools: vec![Pool::new("a", model.clone(), 1, 1)] };
    let cuts: Vec<Layout> = CUTS.iter().map(|text| Layout::parse(&model, text).unwrap()).collect();
    let run = |pods: &[Pod], every, max_evictions, misfits| {
        let recutting = Recutting { every, time: 60, unit: None, max_evictions };
        let site = Site::cut(&fleet, &names(), |_, _, _| cuts[0].clone())
            .with_recut(Arc::new(Turns { cuts: cuts.clone() }), recutting);
        let eviction = Eviction { cost: 30, loses_work: false };
        let options = Options { misfits, eviction, ..Options::default() };
        let workload = workload(pods);
        simulate(&site, &workload, &Policy::named("first-fit").unwrap(), &workload.mix(), &options).unwrap()
    };
    let wait = Misfits::Wait(Queue::Backfill);
    let figures = |outcome: &Outcome| {
        (outcome.all.placed, outcome.all.evictions, outcome.recuts, outcome.closed, outcome.waits.longest)
    };
    // At 100 the half does not fit, and the GPU is idle: it is closed from 100 to 160.
    assert_eq!(figures(&run(&[pod(100, 10, "3g")], 1000, 0, wait)), (1, 0, 1, 60, 60));
    // A whole one runs until 50, and the planner was asked at 20 in vain; again at 1020. From 1080 on there are halves.
    let pods = [pod(10, 40, "7g"), pod(20, 10, "3g")];
    assert_eq!(figures(&run(&pods, 1000, 0, wait)), (2, 0, 1, 60, 1060));
    // If it may be evicted it is, at 20; at 80 the half starts, and leaves at 90. The whole one is in the line, and the
    // planner cuts at 1020 (into parts again) and, since nothing came or left after that, never again.
    assert_eq!(figures(&run(&pods, 1000, 1, wait)), (1, 1, 2, 120, 60));
    // Who does not wait is lost: the half at 20, and the whole one that was evicted in vain.
    assert_eq!(figures(&run(&pods, 1000, 1, Misfits::Refused)), (0, 1, 1, 60, 0));
}

/// One GPU; each pod that comes takes the place of the last one.
#[test]
fn who_takes_whose_place_by_hand() {
    let urgent = |arrives, stays, profile, priority| Pod { priority, ..pod(arrives, stays, profile) };
    let site = site(&[("H100-80GB", 1)]);
    let run = |pods: &[Pod], loses_work| {
        let workload = workload(pods);
        let options = Options {
            misfits: Misfits::Wait(Queue::Backfill),
            preempts: true,
            eviction: Eviction { cost: 30, loses_work },
            ..Options::default()
        };
        simulate(&site, &workload, &Policy::named("first-fit").unwrap(), &workload.mix(), &options).unwrap()
    };
    // The first runs from 0 to 40, the second from 40 to 50; then 60 are left of the first, and 30 are added: it leaves
    // at 140, when the third starts, of the same priority.
    let pods = [pod(0, 100, "7g"), urgent(40, 10, "7g", 1), pod(60, 5, "7g")];
    let outcome = run(&pods, false);
    assert_eq!((outcome.all.placed, outcome.all.evictions), (3, 1));
    assert_eq!((outcome.waits.longest, outcome.waits.mean), (80, 30.0), "10, 0 and 80");
    assert_eq!(outcome.by_priority[&0].evictions, 1);
    // If it begins anew it leaves at 180.
    assert_eq!(run(&pods, true).waits.longest, 120);
    // Halves of priority 0 and 1, and a third of priority 2: the least important goes, though it has run longer.
    let pods = [pod(0, 100, "3g"), urgent(1, 100, "3g", 1), urgent(2, 10, "3g", 2)];
    let outcome = run(&pods, false);
    assert_eq!((outcome.by_priority[&0].evictions, outcome.by_priority[&1].evictions), (1, 0));
    // Of equals, who came last: it waits from 2 to 12, and the other does not.
    let pods = [pod(0, 100, "3g"), pod(1, 100, "3g"), urgent(2, 10, "3g", 2)];
    let first = outcome_of_first(&site, &pods);
    assert_eq!((first.all.evictions, first.waits.longest), (0, 0));
}

fn outcome_of_first(site: &Site, pods: &[Pod]) -> Outcome {
    let workload = workload(pods);
    let options =
        Options { misfits: Misfits::Wait(Queue::Backfill), preempts: true, measured: 0..1, ..Options::default() };
    simulate(site, &workload, &Policy::named("first-fit").unwrap(), &workload.mix(), &options).unwrap()
}

/// Pods that ask for parts, whole GPUs, several on a node, or more than there is.
fn pods() -> impl Strategy<Value = Vec<Pod>> {
    let asks = prop::sample::select(vec![
        vec![("1g.10gb", 1)],
        vec![("2g.20gb", 1)],
        vec![("3g.40gb", 1)],
        vec![("7g.80gb", 1)],
        vec![("1g.6gb", 1)],
        vec![("4g.24gb", 1)],
        vec![("7g.80gb", 2)],
        vec![("7g.80gb", 3)],
        vec![("1g.10gb", 3), ("3g.40gb", 1)],
    ]);
    let pod = (1..6_u64, 0..60_u64, asks, 0..2_i32).prop_map(|(gap, stays, asks, priority)| {
        let asks = asks.into_iter().map(|(name, n)| (at(name), n)).collect();
        Pod { arrives: gap, stays, asks, priority, namespace: 0, limits: 0 }
    });
    prop::collection::vec(pod, 1..25).prop_map(|mut pods| {
        let mut now = 0;
        for pod in &mut pods {
            now += pod.arrives;
            pod.arrives = now;
        }
        pods
    })
}

fn queue() -> impl Strategy<Value = Queue> {
    prop_oneof![
        Just(Queue::Backfill),
        (0..3_u32, 0..4_u32).prop_map(|(gpus, after)| Queue::Drain { gpus, after }),
        (0..3_u32, 0..4_u32).prop_map(|(gpus, after)| Queue::Known { gpus, after }),
    ]
}

const CUTS: [&str; 4] = [
    "7g.80gb@0",
    "3g.40gb@0,3g.40gb@4",
    "1g.10gb@0,1g.10gb@1,2g.20gb@2,3g.40gb@4",
    "1g.10gb@0,1g.10gb@1,1g.10gb@2,1g.10gb@3,1g.10gb@4,1g.10gb@5,1g.10gb@6",
];

/// Cuts every GPU into the next thing of a list, and minds nobody who runs.
#[derive(Debug)]
struct Turns {
    cuts: Vec<Layout>,
}

impl Recut for Turns {
    fn recut(&self, standing: &Standing<'_>) -> NewCuts {
        let mut answer = NewCuts::default();
        for (number, node) in standing.nodes.iter().enumerate() {
            for (slot, cut) in &node.gpus {
                let at = self.cuts.iter().position(|known| known == cut).unwrap();
                answer.cuts.push((number, *slot, self.cuts[(at + 1) % self.cuts.len()].clone()));
            }
        }
        answer.evicts = standing.running.iter().map(|pod| pod.pod).collect();
        answer
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_pod_that_fits_when_nothing_runs_starts(pods in pods(), queue in queue()) {
        let site = site(&[("H100-80GB", 2), ("A30", 1)]);
        let can = |pod: &&Pod| outcome(&site, std::slice::from_ref(*pod), "room", queue, 0..u64::MAX).all.placed == 1;
        let can = pods.iter().filter(can).count() as u64;
        for policy in ["room", "first-fit", "round-robin", "least-allocated"] {
            let outcome = outcome(&site, &pods, policy, queue, 0..u64::MAX);
            prop_assert_eq!(outcome.all.placed, can, "{}", policy);
        }
    }

    #[test]
    fn every_pod_that_is_evicted_runs_again(pods in pods(), queue in queue(), loses_work in any::<bool>()) {
        let site = site(&[("H100-80GB", 2), ("A30", 1)]);
        let workload = workload(&pods);
        let run = |policy: &str, preempts| {
            let eviction = Eviction { cost: 2, loses_work };
            let options = Options { misfits: Misfits::Wait(queue), preempts, eviction, ..Options::default() };
            simulate(&site, &workload, &Policy::named(policy).unwrap(), &workload.mix(), &options).unwrap()
        };
        for policy in ["room", "first-fit", "round-robin", "least-allocated"] {
            let (with, without) = (run(policy, true), run(policy, false));
            prop_assert_eq!(with.all.placed, without.all.placed, "{}", policy);
            prop_assert_eq!(without.all.evictions, 0);
            // Nobody is above the highest priority.
            prop_assert_eq!(with.by_priority.last_key_value().map(|(_, most)| most.evictions), Some(0));
        }
    }

    #[test]
    fn what_is_cut_anew_is_closed_for_that_time(
        pods in pods(), queue in queue(), waits in any::<bool>(), every in 1..40_u64, time in 0..30_u64,
        max_evictions in 0..3_u32, preempts in any::<bool>(), cuts in prop::collection::vec(0..CUTS.len(), 2),
    ) {
        let catalog = Catalog::builtin();
        let model = catalog.model("H100-80GB").unwrap();
        let fleet = Fleet { pools: vec![Pool::new("a", model.clone(), 1, 2)] };
        let cut = |at: usize| Layout::parse(&model, CUTS[at]).unwrap();
        let planner = Turns { cuts: CUTS.iter().map(|text| Layout::parse(&model, text).unwrap()).collect() };
        let recutting = Recutting { every, time, unit: Some(RecutUnit::Gpu), max_evictions };
        let site = Site::cut(&fleet, &names(), |_, _, gpu| cut(cuts[gpu])).with_recut(Arc::new(planner), recutting);
        let workload = workload(&pods);
        let misfits = if waits { Misfits::Wait(queue) } else { Misfits::Refused };
        let options = Options { misfits, preempts, ..Options::default() };
        for policy in ["extender", "most-allocated", "first-fit"] {
            let policy = Policy::named(policy).unwrap();
            let run = || simulate(&site, &workload, &policy, &workload.mix(), &options).unwrap();
            let outcome = run();
            prop_assert_eq!(&outcome, &run());
            prop_assert_eq!(outcome.closed, outcome.recuts * time);
            let by_priority: u64 = outcome.by_priority.values().map(|tally| tally.evictions).sum();
            prop_assert_eq!(outcome.all.evictions, by_priority);
            prop_assert!(preempts || outcome.all.evictions <= u64::from(max_evictions) * outcome.recuts);
            prop_assert!(outcome.all.placed <= outcome.all.pods && outcome.all.units_placed <= outcome.all.units);
        }
    }

    #[test]
    fn of_pods_that_ask_for_the_same_none_is_overtaken_by_lower_priority(pods in pods()) {
        let site = site(&[("H100-80GB", 2), ("A30", 1)]);
        let starts = starts(&site, &pods, "room", Queue::Backfill);
        for (pod, start) in pods.iter().zip(&starts) {
            for (other, before) in pods.iter().zip(&starts).filter(|(other, _)| other.asks == pod.asks) {
                let comes_first = (-pod.priority, pod.arrives) < (-other.priority, other.arrives);
                if let (true, Some(before)) = (comes_first, before) {
                    prop_assert!(pod.arrives > *before || start.is_some_and(|start| start <= *before));
                }
            }
        }
    }
}
