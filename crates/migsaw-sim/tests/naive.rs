//! The simulator against the plainest one there can be: every GPU a layout, every pod tried on every GPU at every start.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod plain;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use migsaw::fleet::{Fleet, Pool};
use migsaw::geometry::{Catalog, Layout, Model, Placement, ProfileId, ProfileName};
use migsaw::present::RecutUnit;
use migsaw_sim::{
    Eviction, Limits, Misfits, Moves, NewCuts, Options, Outcome, Pod, Policy, Queue, Recut, Recutting, Rng, Site,
    Standing, Workload, simulate,
};
use plain::{Expected, Loss, Plain};

/// GPUs of each node.
const GPUS: usize = 2;

/// Priorities, as likely as often they stand here.
const PRIORITIES: [i32; 6] = [0, 0, 0, 1, 1, 7];

/// GPUs of several models, and pods for some of their profiles.
struct Case {
    fleet: Fleet,
    site: Site,
    models: Vec<Arc<Model>>,
    /// The pool of each GPU.
    pools: Vec<usize>,
    workload: Workload,
}

/// Pods of one priority that take one instance each.
fn case(seed: u64) -> Case {
    drawn(seed, &[0], false)
}

fn drawn(seed: u64, priorities: &[i32], are_several: bool) -> Case {
    let catalog = Catalog::builtin();
    let mut rng = Rng::new(seed);
    let names: &[(&str, &[&str])] = &[
        ("A100-80GB", &["1g.10gb", "1g.20gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb"]),
        ("A30", &["1g.6gb", "2g.12gb", "4g.24gb"]),
        ("H100-80GB", &["1g.10gb", "3g.40gb", "1g.10gb+me"]),
    ];
    let mut chosen: Vec<usize> = (0..names.len()).filter(|_| rng.chance(1, 2)).collect();
    if chosen.is_empty() {
        chosen.push(0);
    }
    let mut profiles: Vec<ProfileName> =
        chosen.iter().flat_map(|&at| names[at].1).map(|name| name.parse().unwrap()).collect();
    profiles.sort_unstable();
    profiles.dedup();
    let pool = |&at: &usize| {
        let model = catalog.model(names[at].0).unwrap();
        Pool::new(names[at].0, model, 1 + u32::try_from(rng.below(2)).unwrap(), u32::try_from(GPUS).unwrap())
    };
    let pools: Vec<Pool> = chosen.iter().map(pool).collect();
    let pod = |number: u64| Pod {
        arrives: number / 2,
        stays: 1 + rng.below(20),
        asks: [(u16::try_from(rng.index(profiles.len())).unwrap(), 1)].into_iter().collect(),
        priority: 0,
        namespace: 0,
        limits: 0,
    };
    let mut pods: Vec<Pod> = (0..200).map(pod).collect();
    for pod in &mut pods {
        pod.priority = priorities[rng.index(priorities.len())];
        if are_several && rng.chance(1, 8) {
            pod.asks[0].1 = 2;
        }
    }
    let (namespaces, limits) = (vec![String::new()], vec![Limits::default()]);
    let workload = Workload { profiles: profiles.clone(), namespaces, limits, pods };
    let fleet = Fleet { pools };
    Case::new(fleet, workload)
}

/// Twice as many pools, and pods with limits. Those of which only so many may be on a node have one priority. Several
/// instances must be on one GPU if they may not be spread, so that what fits there is tried in every way.
fn limited(seed: u64, may_spread: bool) -> Case {
    let Case { mut fleet, mut workload, .. } = drawn(seed, &PRIORITIES, false);
    let more: Vec<Pool> =
        fleet.pools.iter().map(|pool| Pool { name: format!("{}-more", pool.name), ..pool.clone() }).collect();
    fleet.pools.extend(more);
    let mut rng = Rng::new(1000 + seed);
    for _ in 0..6 {
        let mut pools = || (0..fleet.pools.len()).filter(|_| rng.chance(1, 2)).collect();
        let pools: BTreeSet<usize> = pools();
        workload.limits.push(Limits {
            pools: rng.chance(1, 2).then_some(pools),
            on_one_gpu: rng.chance(1, 2),
            max_per_node: rng.chance(1, 2).then_some(1 + u32::try_from(rng.below(3)).unwrap()),
        });
    }
    for pod in &mut workload.pods {
        let number = rng.index(workload.limits.len());
        let limits = &workload.limits[number];
        pod.limits = u16::try_from(number).unwrap();
        if limits.max_per_node.is_some() {
            pod.priority = PRIORITIES[number % PRIORITIES.len()];
        }
        if (may_spread || limits.on_one_gpu) && rng.chance(1, 2) {
            pod.asks[0].1 = 1 + u8::try_from(rng.below(3)).unwrap();
            let other = u16::try_from(rng.index(workload.profiles.len())).unwrap();
            if pod.asks[0].0 != other {
                pod.asks.push((other, 1));
            }
        }
    }
    Case::new(fleet, workload)
}

impl Case {
    fn new(fleet: Fleet, workload: Workload) -> Case {
        let nodes =
            || fleet.pools.iter().enumerate().flat_map(|(at, pool)| (0..pool.node_count()).map(move |_| (at, pool)));
        let models = nodes().flat_map(|(_, pool)| pool.gpu_models()).cloned().collect();
        let pools = nodes().flat_map(|(at, pool)| pool.gpu_models().map(move |_| at)).collect();
        Case { site: Site::at_will(&fleet, &workload.profiles), fleet, models, pools, workload }
    }

    fn plain(&self, loss: Loss) -> Plain<'_> {
        Plain {
            models: &self.models,
            gpus_per_node: GPUS,
            pools: &self.pools,
            limits: &self.workload.limits,
            profiles: &self.workload.profiles,
            pods: &self.workload.pods,
            loss,
            waits: false,
            preempts: false,
            eviction: Eviction::default(),
            learnt: None,
            cuts: None,
            script: Vec::new(),
            recutting: None,
        }
    }

    /// Each GPU cut into something by chance, until nothing more that is asked for fits.
    fn any_cuts(&self, rng: &mut Rng) -> Vec<Layout> {
        let any = |model: &Arc<Model>| {
            let mut layout = Layout::empty();
            loop {
                let mut more: Vec<Layout> = Vec::new();
                for id in self.workload.profiles.iter().filter_map(|name| model.profile(name)) {
                    for &start in &model.get(id).starts {
                        let placement = Placement { start, profile: id };
                        let all = layout.placements().iter().copied().chain([placement]);
                        more.extend(Layout::new(model, all).ok().filter(|_| !layout.placements().contains(&placement)));
                    }
                }
                if more.is_empty() {
                    return layout;
                }
                layout = more.swap_remove(rng.index(more.len()));
            }
        };
        self.models.iter().map(any).collect()
    }

    /// The GPU of a pool's node, among all.
    fn number(&self, pool: usize, node: u32, gpu: usize) -> usize {
        let before: u32 = self.fleet.pools[..pool].iter().map(Pool::node_count).sum();
        (before + node) as usize * GPUS + gpu
    }
}

/// Says the same whatever there is, one thing after the other.
#[derive(Debug)]
struct Script {
    answers: Vec<NewCuts>,
    asked: AtomicUsize,
}

impl Recut for Script {
    fn recut(&self, standing: &Standing<'_>) -> NewCuts {
        let taken: Vec<_> =
            standing.running.iter().flat_map(|pod| pod.holds.iter().map(|hold| (pod.node, *hold))).collect();
        assert_eq!(taken.len(), taken.iter().collect::<BTreeSet<_>>().len(), "nothing is held twice");
        for (node, (gpu, placement)) in taken {
            let (_, cut) = &standing.nodes[node].gpus[usize::from(gpu)];
            assert!(cut.placements().contains(&placement), "what is held is there");
        }
        self.answers.get(self.asked.fetch_add(1, Ordering::Relaxed)).cloned().unwrap_or_default()
    }
}

fn units(model: &Model, layout: &Layout) -> u32 {
    layout.occupancy(model).unwrap().units
}

fn first(_: &Expected, _: &Model, _: &Layout, _: &Layout) -> f64 {
    0.0
}

fn full(_: &Expected, model: &Model, from: &Layout, _: &Layout) -> f64 {
    f64::from(model.units) - f64::from(units(model, from).count_ones())
}

fn empty(_: &Expected, model: &Model, from: &Layout, _: &Layout) -> f64 {
    f64::from(units(model, from).count_ones())
}

fn blocked(expected: &Expected, model: &Model, from: &Layout, to: &Layout) -> f64 {
    let score = |layout: &Layout| {
        let taken = units(model, layout);
        let free = u32::from(model.units) - taken.count_ones();
        let mut sum = 0.0;
        let asked = expected.profiles.iter().filter_map(|(name, _)| model.profile(name));
        for profile in asked.map(|id| model.get(id)) {
            for &start in &profile.starts {
                if u32::from(profile.size) <= free && profile.mask(start) & taken != 0 {
                    sum += f64::from(profile.size);
                }
            }
        }
        sum
    };
    score(to) - score(from)
}

/// The free units times the share of what is expected that does not fit.
#[expect(clippy::cast_precision_loss, reason = "at most a million")]
fn unusable(expected: &Expected, model: &Model, from: &Layout, to: &Layout) -> f64 {
    let score = |layout: &Layout| {
        let free = f64::from(model.units) - f64::from(units(model, layout).count_ones());
        let fits = |name: &ProfileName| {
            let profile = model.profile(name)?;
            let taken = layout.occupancy(model).unwrap();
            let mut starts = model.get(profile).starts.iter();
            Some(starts.any(|&start| taken.with(model, Placement { start, profile }).is_some()))
        };
        let lost = expected.profiles.iter().filter(|(name, _)| fits(name) == Some(false));
        free * lost.map(|(_, share)| *share as f64).sum::<f64>()
    };
    score(to) - score(from)
}

thread_local! {
    static KNOWN: RefCell<BTreeMap<(String, Vec<ProfileName>), Known>> = RefCell::default();
}

/// Rooms and fills by layout.
type Known = (BTreeMap<Layout, f64>, BTreeMap<Layout, f64>);

/// What is lost of the room, then of the fill, then what is free, as one number that is exact; only at the start where
/// least of the fill is lost, then of the room.
fn lost_room(expected: &Expected, model: &Model, from: &Layout, to: &Layout) -> f64 {
    let names: Vec<ProfileName> = expected.profiles.iter().map(|(name, _)| name.clone()).collect();
    let mut known = KNOWN.with_borrow_mut(|known| known.remove(&(model.id.clone(), names.clone())).unwrap_or_default());
    let is_new = |placement: &&Placement| !from.placements().contains(placement);
    let placed = *to.placements().iter().find(is_new).expect("an instance more");
    let mut lost = |to: &Layout| {
        let room = room(expected, model, from, &mut known.0) - room(expected, model, to, &mut known.0);
        let fill = fill(expected, model, from, &mut known.1) - fill(expected, model, to, &mut known.1);
        [f64::from(1 << 12) * fill, f64::from(1 << 20) * room].map(|parts| (parts + 0.5).floor())
    };
    let others = with_one_more(model, from, placed.profile);
    let least = others.iter().map(|(start, to)| (lost(to), *start)).min_by(|a, b| a.partial_cmp(b).unwrap());
    let ([fill, room], start) = least.expect("it fits where it was put");
    KNOWN.with_borrow_mut(|all| all.insert((model.id.clone(), names), known));
    if start != placed.start {
        return f64::INFINITY;
    }
    (room * f64::from(1 << 18) + fill) * f64::from(1 << 5) + full(expected, model, from, to)
}

/// An instance of a profile more, wherever it can start.
fn with_one_more(model: &Model, layout: &Layout, profile: ProfileId) -> Vec<(u8, Layout)> {
    let with = |&start: &u8| {
        let more = Placement { start, profile };
        if layout.placements().contains(&more) {
            return None;
        }
        Some((start, Layout::new(model, layout.placements().iter().copied().chain([more])).ok()?))
    };
    model.get(profile).starts.iter().filter_map(with).collect()
}

/// `H(s) = max over T of Σ 4 (u(p) + H(s with p)) / (1 + 4 |T|)`, over all sets T of profiles that are expected.
fn fill(expected: &Expected, model: &Model, layout: &Layout, known: &mut BTreeMap<Layout, f64>) -> f64 {
    if let Some(value) = known.get(layout) {
        return *value;
    }
    let mut each = Vec::new();
    for profile in expected.profiles.iter().filter_map(|(name, _)| model.profile(name)) {
        let ways = with_one_more(model, layout, profile);
        let values =
            ways.iter().map(|(_, more)| f64::from(model.get(profile).size) + fill(expected, model, more, known));
        each.extend(values.max_by(f64::total_cmp));
    }
    let mut most = 0.0_f64;
    for set in 0_u32..1 << each.len() {
        let taken = each.iter().enumerate().filter(|(at, _)| set >> at & 1 == 1).map(|(_, value)| 4.0 * value);
        most = most.max(taken.sum::<f64>() / f64::from(1 + 4 * set.count_ones()));
    }
    known.insert(layout.clone(), most);
    most
}

/// `V(s) = (16 F(s) + Σ V(s without i)) / (16 + |s|)`, where `F` are the units of what can be added of each profile.
fn room(expected: &Expected, model: &Model, layout: &Layout, known: &mut BTreeMap<Layout, f64>) -> f64 {
    if let Some(value) = known.get(layout) {
        return *value;
    }
    let mut now = 0.0;
    for (name, _) in &expected.profiles {
        let Some(profile) = model.profile(name) else { continue };
        let mut taken = layout.occupancy(model).unwrap();
        for &start in &model.get(profile).starts {
            if let Some(next) = taken.with(model, Placement { start, profile }) {
                taken = next;
                now += f64::from(model.get(profile).size);
            }
        }
    }
    let there = layout.placements();
    let mut sum = 16.0 * now;
    for gone in there {
        let rest = there.iter().copied().filter(|other| other != gone);
        sum += room(expected, model, &Layout::new(model, rest).unwrap(), known);
    }
    let value = sum / (16.0 + f64::from(u32::try_from(there.len()).unwrap()));
    known.insert(layout.clone(), value);
    value
}

/// Whether the outcome is what came of each pod plainly.
fn compare(what: &str, case: &Case, outcome: &Outcome, plain: &plain::Result) {
    let pods = || case.workload.pods.iter().zip(&plain.done).zip(&plain.evictions);
    let placed = pods().filter(|((_, done), _)| done.is_some()).count() as u64;
    let evictions: u64 = plain.evictions.iter().sum();
    assert_eq!((outcome.all.placed, outcome.all.evictions), (placed, evictions), "{what}");
    for (priority, tally) in &outcome.by_priority {
        let these = || pods().filter(|((pod, _), _)| pod.priority == *priority);
        let placed = these().filter(|((_, done), _)| done.is_some()).count() as u64;
        let evictions: u64 = these().map(|(_, evictions)| evictions).sum();
        assert_eq!((tally.placed, tally.evictions), (placed, evictions), "{what}, priority {priority}");
    }
    for (at, waits) in outcome.waits_by_profile.iter().enumerate() {
        let these = pods().filter(|((pod, _), _)| pod.asks.iter().any(|(profile, _)| usize::from(*profile) == at));
        let waits_of: Vec<u64> = these.filter_map(|((_, done), _)| *done).collect();
        assert_eq!(waits.longest, waits_of.iter().copied().max().unwrap_or(0), "{what}, profile {at}");
        let sum = waits.mean * f64::from(u32::try_from(waits_of.len()).unwrap());
        let plainly = f64::from(u32::try_from(waits_of.iter().sum::<u64>()).unwrap());
        assert!((sum - plainly).abs() < 1e-6, "{what}, profile {at}: {sum}, not {plainly}");
    }
    assert_eq!((outcome.recuts, outcome.closed), (plain.recuts, plain.closed), "{what}");
}

/// Policies that rank GPUs, and what each loses by a step.
const POLICIES: [(&str, Loss); 6] = [
    ("first-fit", first),
    ("best-fit", full),
    ("load-balanced", empty),
    ("mfi", blocked),
    ("fgd", unusable),
    ("room", lost_room),
];

#[test]
fn policies_place_what_the_plain_ones_place() {
    let mut refused = 0;
    for seed in 0..40 {
        let case = case(seed);
        for (name, loss) in POLICIES {
            let policy = Policy::named(name).unwrap();
            let mix = case.workload.mix();
            let outcome = simulate(&case.site, &case.workload, &policy, &mix, &Options::default()).unwrap();
            compare(&format!("{name}, seed {seed}"), &case, &outcome, &case.plain(loss).run());
            refused += outcome.all.pods - outcome.all.placed;
        }
    }
    assert!(refused > 1000, "only {refused} were refused, so that little is tested");
}

#[test]
fn pods_go_where_they_may_as_they_do_plainly() {
    // How many times each rule makes a difference: the pools, the GPU, and how many there are on a node.
    let mut differences = [0; 3];
    for seed in 0..20 {
        let case = limited(seed, true);
        for (name, loss) in POLICIES {
            let run = |workload: &Workload| {
                let policy = Policy::named(name).unwrap();
                simulate(&case.site, workload, &policy, &case.workload.mix(), &Options::default()).unwrap()
            };
            let outcome = run(&case.workload);
            compare(&format!("{name}, seed {seed}"), &case, &outcome, &case.plain(loss).run());
            let without: [fn(&Limits) -> Limits; 3] = [
                |limits| Limits { pools: None, ..limits.clone() },
                |limits| Limits { on_one_gpu: false, ..limits.clone() },
                |limits| Limits { max_per_node: None, ..limits.clone() },
            ];
            for (difference, rest) in differences.iter_mut().zip(without) {
                let limits = case.workload.limits.iter().map(rest).collect();
                *difference += u64::from(run(&Workload { limits, ..case.workload.clone() }) != outcome);
            }
        }
    }
    assert!(differences.iter().all(|times| *times > 60), "{differences:?}");
}

#[test]
fn pods_take_the_place_of_others_where_they_may_as_they_do_plainly() {
    let mut evictions = 0;
    for seed in 0..8 {
        for (name, loss) in [("first-fit", first as Loss), ("best-fit", full), ("mfi", blocked)] {
            for (waits, preempts) in [(true, false), (true, true), (false, true)] {
                let case = limited(seed, !waits);
                let eviction = Eviction { cost: 3, loses_work: false };
                let misfits = if waits { Misfits::Wait(Queue::Backfill) } else { Misfits::Refused };
                let options = Options { misfits, preempts, eviction, ..Options::default() };
                let policy = Policy::named(name).unwrap();
                let outcome = simulate(&case.site, &case.workload, &policy, &case.workload.mix(), &options).unwrap();
                let plain = Plain { waits, preempts, eviction, ..case.plain(loss) }.run();
                compare(&format!("{name}, waits {waits}, preempts {preempts}, seed {seed}"), &case, &outcome, &plain);
                evictions += outcome.all.evictions;
            }
        }
    }
    assert!(evictions > 200, "only {evictions} evictions");
}

#[test]
fn what_policies_expect_is_what_they_learn_plainly() {
    let mut learnt_otherwise = 0;
    for seed in 0..8 {
        let case = case(seed);
        for (name, loss) in [("fgd", unusable as Loss), ("room", lost_room)] {
            let run = |learnt| {
                let options = Options { learnt, ..Options::default() };
                let policy = Policy::named(name).unwrap();
                simulate(&case.site, &case.workload, &policy, &case.workload.mix(), &options).unwrap()
            };
            let known = run(None);
            for window in [1, 45, 200] {
                let outcome = run(Some(window));
                let plain = Plain { learnt: Some(window as usize), ..case.plain(loss) }.run();
                compare(&format!("{name} of the last {window}, seed {seed}"), &case, &outcome, &plain);
                learnt_otherwise += usize::from(outcome != known);
            }
        }
    }
    assert!(learnt_otherwise > 10, "only {learnt_otherwise} times it made a difference");
}

#[test]
fn pods_take_the_place_of_others_as_they_do_plainly() {
    let mut evictions = 0;
    for seed in 0..12 {
        for (name, loss) in [("first-fit", first as Loss), ("best-fit", full), ("mfi", blocked)] {
            for (waits, eviction) in [
                (false, Eviction::default()),
                (true, Eviction { cost: 3, loses_work: false }),
                (true, Eviction { cost: 0, loses_work: true }),
            ] {
                // Where several fit is not tried in every way, so that some who wait may fit later though nobody has left.
                let case = drawn(seed, &PRIORITIES, !waits);
                let misfits = if waits { Misfits::Wait(Queue::Backfill) } else { Misfits::Refused };
                let options = Options { misfits, preempts: true, eviction, ..Options::default() };
                let policy = Policy::named(name).unwrap();
                let mix = case.workload.mix();
                let outcome = simulate(&case.site, &case.workload, &policy, &mix, &options).unwrap();
                let plain = Plain { waits, preempts: true, eviction, ..case.plain(loss) }.run();
                compare(&format!("{name}, waits {waits}, {eviction:?}, seed {seed}"), &case, &outcome, &plain);
                evictions += outcome.all.evictions;
            }
        }
    }
    assert!(evictions > 400, "only {evictions} evictions");
}

#[test]
fn what_is_cut_anew_is_closed_and_then_serves_as_it_does_plainly() {
    let (mut recuts, mut evictions, mut better) = (0, 0, 0);
    for seed in 0..24 {
        let case = if seed % 2 == 0 { drawn(seed, &PRIORITIES, false) } else { limited(seed, false) };
        let mut rng = Rng::new(seed);
        let cuts = case.any_cuts(&mut rng);
        let answer = |_| {
            let cut = |(gpu, layout)| (gpu / GPUS, u16::try_from(gpu % GPUS).unwrap(), layout);
            let some: Vec<(usize, Layout)> =
                case.any_cuts(&mut rng).into_iter().enumerate().filter(|_| rng.chance(1, 2)).collect();
            let evicts = (0..200).filter(|_| rng.chance(2, 3)).collect();
            NewCuts { cuts: some.into_iter().map(cut).collect(), evicts }
        };
        let script: Vec<NewCuts> = (0..12).map(answer).collect();
        for (unit, max_evictions, preempts) in [
            (RecutUnit::Gpu, 0, false),
            (RecutUnit::Gpu, 5, true),
            (RecutUnit::Node, 0, true),
            (RecutUnit::Node, 9, false),
        ] {
            let recutting = Recutting { every: 4, time: seed % 4, unit: Some(unit), max_evictions };
            let eviction = Eviction { cost: 2, loses_work: false };
            for waits in [false, true] {
                let misfits = if waits { Misfits::Wait(Queue::Backfill) } else { Misfits::Refused };
                let options = Options { misfits, preempts, eviction, ..Options::default() };
                let planner = Script { answers: script.clone(), asked: AtomicUsize::new(0) };
                let site = Site::cut(&case.fleet, &case.workload.profiles, |pool, node, gpu| {
                    cuts[case.number(pool, node, gpu)].clone()
                });
                let policy = Policy::named("first-fit").unwrap();
                let run =
                    |site: &Site| simulate(site, &case.workload, &policy, &case.workload.mix(), &options).unwrap();
                let never = run(&site);
                assert_eq!((never.recuts, never.closed), (0, 0));
                let outcome = run(&site.with_recut(Arc::new(planner), recutting));
                let plain = Plain {
                    waits,
                    preempts,
                    eviction,
                    cuts: Some(cuts.clone()),
                    script: script.clone(),
                    recutting: Some(recutting),
                    ..case.plain(first)
                };
                let what = format!("{recutting:?}, waits {waits}, preempts {preempts}, seed {seed}");
                compare(&what, &case, &outcome, &plain.run());
                recuts += outcome.recuts;
                evictions += outcome.all.evictions;
                better += usize::from(outcome.all.placed > never.all.placed);
            }
        }
    }
    assert!(recuts > 200 && evictions > 200 && better > 8, "{recuts} re-cuts, {evictions} evictions, {better} better");
}

/// What fits without a move fits if all may move: as long as anybody refuses nothing, neither does the bound.
#[test]
fn the_bound_refuses_nothing_that_a_policy_places() {
    let mut refused_later = 0;
    for seed in 0..40 {
        let case = case(seed);
        if !case.site.has_bound() {
            continue;
        }
        let mix = case.workload.mix();
        let places_all = |name: &str, pods: usize| {
            let first = Workload { pods: case.workload.pods[..pods].to_vec(), ..case.workload.clone() };
            let policy = Policy::named(name).unwrap();
            let all = simulate(&case.site, &first, &policy, &mix, &Options::default()).unwrap().all;
            all.placed == all.pods
        };
        for name in ["room", "first-fit"] {
            // The most pods from the beginning on of which none is refused.
            let (mut placed, mut refused) = (0, case.workload.pods.len() + 1);
            while refused - placed > 1 {
                let middle = placed.midpoint(refused);
                if places_all(name, middle) { placed = middle } else { refused = middle }
            }
            assert!(places_all("repacked", placed), "{name}, seed {seed}: of {placed} pods");
            refused_later += usize::from(refused <= case.workload.pods.len() && places_all("repacked", refused));
        }
    }
    assert!(refused_later > 10, "only {refused_later} times a policy refused what the bound does not");
}

#[test]
fn moves_place_more() {
    let (mut without, mut with, mut made) = (0, 0, 0);
    for seed in 0..40 {
        let case = case(seed);
        let run = |moves: Option<Moves>| {
            let options = Options { moves, ..Options::default() };
            simulate(&case.site, &case.workload, &Policy::named("room").unwrap(), &case.workload.mix(), &options)
        };
        let alone = run(None).unwrap();
        let helped = run(Some(Moves { per_hundred: 100.0, burst: 100.0, at_once: 3, is_priced: true })).unwrap();
        assert_eq!(alone.moves, 0);
        without += alone.all.units_placed;
        with += helped.all.units_placed;
        made += helped.moves;
    }
    assert!(made > 100 && with > without, "{made} moves, {with} units with and {without} without");
}
