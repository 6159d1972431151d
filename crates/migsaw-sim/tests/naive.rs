//! The simulator against the plainest one there can be: every GPU a layout, every pod tried on every GPU at every start.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::sync::Arc;

use migsaw::fleet::{Fleet, Pool};
use migsaw::geometry::{Catalog, Layout, Model, Placement, ProfileName};
use migsaw_sim::{Moves, Options, Pod, Policy, Rng, Site, Workload, simulate};

/// GPUs of several models, and pods for some of their profiles.
struct Case {
    site: Site,
    models: Vec<Arc<Model>>,
    workload: Workload,
}

fn case(seed: u64) -> Case {
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
        Pool::new(names[at].0, model, 1 + u32::try_from(rng.below(2)).unwrap(), 2)
    };
    let pools: Vec<Pool> = chosen.iter().map(pool).collect();
    let models =
        pools.iter().flat_map(|pool| (0..pool.node_count()).flat_map(|_| pool.gpu_models()).cloned()).collect();
    let pod = |number: u64| Pod {
        arrives: number / 2,
        stays: 1 + rng.below(20),
        asks: [(u16::try_from(rng.index(profiles.len())).unwrap(), 1)].into_iter().collect(),
        priority: 0,
        namespace: 0,
    };
    let pods = (0..200).map(pod).collect();
    let workload = Workload { profiles: profiles.clone(), namespaces: vec![String::new()], pods };
    Case { site: Site::at_will(&Fleet { pools }, &profiles), models, workload }
}

/// What is lost by placing an instance, plainly.
type Loss = fn(&Case, &Model, &Layout, &Layout) -> f64;

fn units(model: &Model, layout: &Layout) -> u32 {
    layout.occupancy(model).unwrap().units
}

fn full(_: &Case, model: &Model, from: &Layout, _: &Layout) -> f64 {
    f64::from(model.units) - f64::from(units(model, from).count_ones())
}

fn empty(_: &Case, model: &Model, from: &Layout, _: &Layout) -> f64 {
    f64::from(units(model, from).count_ones())
}

fn blocked(case: &Case, model: &Model, from: &Layout, to: &Layout) -> f64 {
    let score = |layout: &Layout| {
        let taken = units(model, layout);
        let free = u32::from(model.units) - taken.count_ones();
        let mut sum = 0.0;
        for profile in case.workload.profiles.iter().filter_map(|name| model.profile(name)).map(|id| model.get(id)) {
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

fn lost_room(case: &Case, model: &Model, from: &Layout, to: &Layout) -> f64 {
    room(case, model, from, &mut BTreeMap::new()) - room(case, model, to, &mut BTreeMap::new())
}

/// `V(s) = (16 F(s) + Σ V(s without i)) / (16 + |s|)`, where `F` are the units of what can be added of each profile.
fn room(case: &Case, model: &Model, layout: &Layout, known: &mut BTreeMap<Layout, f64>) -> f64 {
    if let Some(value) = known.get(layout) {
        return *value;
    }
    let mut now = 0.0;
    for name in &case.workload.profiles {
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
        sum += room(case, model, &Layout::new(model, rest).unwrap(), known);
    }
    let value = sum / (16.0 + f64::from(u32::try_from(there.len()).unwrap()));
    known.insert(layout.clone(), value);
    value
}

/// Which pods are placed.
fn plainly(case: &Case, loss: Loss) -> Vec<bool> {
    let mut gpus: Vec<Vec<(Placement, u64)>> = vec![Vec::new(); case.models.len()];
    let mut placed = Vec::new();
    for pod in &case.workload.pods {
        for gpu in &mut gpus {
            gpu.retain(|(_, ends)| *ends > pod.arrives);
        }
        let name = &case.workload.profiles[usize::from(pod.asks[0].0)];
        let mut best: Option<(f64, usize, Placement)> = None;
        for (number, model) in case.models.iter().enumerate() {
            let Some(profile) = model.profile(name) else { continue };
            let from = Layout::new(model, gpus[number].iter().map(|(placement, _)| *placement)).unwrap();
            for &start in &model.get(profile).starts {
                let placement = Placement { start, profile };
                let Ok(to) = Layout::new(model, from.placements().iter().copied().chain([placement])) else { continue };
                let costs = loss(case, model, &from, &to);
                if best.is_none_or(|(least, _, _)| costs < least - 1e-9) {
                    best = Some((costs, number, placement));
                }
            }
        }
        placed.push(best.is_some());
        if let Some((_, number, placement)) = best {
            gpus[number].push((placement, pod.arrives + pod.stays));
        }
    }
    placed
}

#[test]
fn policies_place_what_the_plain_ones_place() {
    let policies: [(&str, Loss); 5] = [
        ("first-fit", |_, _, _, _| 0.0),
        ("best-fit", full),
        ("load-balanced", empty),
        ("mfi", blocked),
        ("room", lost_room),
    ];
    let mut refused = 0;
    for seed in 0..40 {
        let case = case(seed);
        for (name, loss) in policies {
            let plain = plainly(&case, loss);
            let policy = Policy::named(name).unwrap();
            let outcome =
                simulate(&case.site, &case.workload, &policy, &case.workload.mix(), &Options::default()).unwrap();
            let count = plain.iter().filter(|placed| **placed).count() as u64;
            assert_eq!(outcome.all.placed, count, "{name}, seed {seed}");
            refused += outcome.all.pods - outcome.all.placed;
        }
    }
    assert!(refused > 1000, "only {refused} were refused, so that little is tested");
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
