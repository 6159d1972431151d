//! Random plans from what runs today to something else, right but not good: so there is something to order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use migsaw::budget::Budget;
use migsaw::demand::{Demand, Request, Together};
use migsaw::fleet::{Fleet, GpuState, NodeGroup, NodeNames, Pool};
use migsaw::geometry::{Catalog, Layout, Model, Placement, ProfileId, ProfileName};
use migsaw::plan::{GpuShare, GpuTarget, Plan, PlannedNodes, Serving, Status, Unserved, UnservedCode};
use migsaw::present::{Held, Present, RecutUnit, Running};
use migsaw::problem::Problem;

use migsaw_sim::Rng;

/// A problem with up to so many nodes of one or two GPUs, and a plan for it.
///
/// # Panics
/// Never: the catalogue has the models.
pub fn moves(seed: u64, nodes: u64) -> (Problem, Plan) {
    let mut rng = Rng::new(seed ^ 0x6d6f_7665);
    let model = Catalog::builtin().model("A30").expect("the catalogue has it");
    let pools = 1 + rng.below(2);
    let mut problem = Problem { demands: demands(&mut rng, pools), ..Problem::default() };
    let mut fleet = Fleet { pools: Vec::new() };
    let mut drafts = Vec::new();
    for pool in 0..pools {
        let gpus = 1 + rng.below(2);
        let mut shape = Pool::new(format!("p{pool}"), Arc::clone(&model), 0, u32::try_from(gpus).expect("one or two"));
        shape.nodes.clear();
        let count = if pools == 1 { 2 + rng.below(nodes - 1) } else { 1 + rng.below(nodes / 2) };
        for number in 0..u32::try_from(count).expect("few nodes") {
            let mut draft = Draft::new(&mut rng, &model, gpus, &shape, &problem.demands);
            let names = NodeNames::Numbered { prefix: format!("p{pool}-"), first: number, count: 1 };
            let present = Some(draft.present.clone());
            shape.nodes.push(NodeGroup { names, pinned: std::mem::take(&mut draft.pinned), present });
            drafts.push((usize::try_from(pool).expect("one or two"), number, draft));
        }
        fleet.pools.push(shape);
    }
    problem.fleet = fleet;
    let served = serve(&mut rng, &problem, &model, &mut drafts);
    let mut unserved = Vec::new();
    for (index, demand) in problem.demands.iter_mut().enumerate() {
        let running = drafts.iter().flat_map(|(_, _, draft)| &draft.present.running);
        let running = running.filter(|unit| unit.demand == index).count() as u64;
        demand.count = running.max(served[index]) + rng.below(2);
        let count = demand.count - served[index];
        let (code, reason) = (UnservedCode::Capacity, String::new());
        unserved.extend((count > 0).then_some(Unserved { demand: index, count, code, reason, remedy: None }));
    }
    let nodes: Vec<PlannedNodes> =
        drafts.into_iter().map(|(pool, number, draft)| draft.into_planned(&mut rng, pool, number)).collect();
    problem.budgets = budgets(&mut rng, &problem, &nodes);
    (problem, Plan { status: Status::Feasible, tiers: Vec::new(), nodes, unserved })
}

fn demands(rng: &mut Rng, pools: u64) -> Vec<Demand> {
    let mut demands = Vec::new();
    for number in 0..2 + rng.below(3) {
        let profile: ProfileName = ["1g.6gb", "1g.6gb", "2g.12gb"][index(rng, 3)].parse().expect("a profile name");
        let instances = if rng.chance(1, 6) { 2 } else { 1 };
        let request = Request::Profiles { instances: [(profile, instances)].into(), together: Together::Node };
        let mut demand = Demand::new(format!("d{number}"), request, 0);
        demand.priority = i32::try_from(rng.below(3)).expect("small");
        demand.max_per_node = rng.chance(1, 8).then_some(2);
        demand.eligible.pools = rng.chance(1, 5).then(|| vec![format!("p{}", rng.below(pools))]);
        demands.push(demand);
    }
    demands
}

/// What a node is, and what it becomes.
struct Draft {
    present: Present,
    pinned: Vec<GpuState>,
    targets: Vec<Option<Layout>>,
    evicts: Vec<usize>,
    serves: BTreeMap<usize, Serving>,
}

impl Draft {
    fn new(rng: &mut Rng, model: &Model, gpus: u64, pool: &Pool, demands: &[Demand]) -> Draft {
        let unit = if rng.chance(1, 3) { RecutUnit::Gpu } else { RecutUnit::Node };
        let mut pinned = Vec::new();
        let mut present = Present { unit, ..Present::default() };
        for _ in 0..gpus {
            let layout = cut(rng, model, Layout::empty());
            let first = layout.placements().first().filter(|_| rng.chance(1, 6)).copied();
            let stays = first.map(|first| GpuState::Pinned(Layout::new(model, [first]).expect("one instance fits")));
            pinned.push(stays.unwrap_or(GpuState::Idle));
            present.gpus.push(Some(layout).filter(|layout| !layout.is_empty()));
        }
        let mut free: Vec<Held> = Vec::new();
        for (gpu, layout) in (0u16..).zip(&present.gpus) {
            let is_pinned = |placement: &Placement| match &pinned[usize::from(gpu)] {
                GpuState::Pinned(layout) => layout.placements().contains(placement),
                _ => false,
            };
            let placements = layout.iter().flat_map(Layout::placements).filter(|p| !is_pinned(p));
            free.extend(placements.map(|&placement| Held { gpu, instance: Some(placement) }));
        }
        for _ in 0..rng.below(7) {
            let demand = index(rng, demands.len());
            let holds = wanted(&demands[demand], &free, |held| held.instance.map(|instance| instance.profile), model);
            let here = present.running.iter().filter(|unit| unit.demand == demand).count();
            let is_full = demands[demand].max_per_node.is_some_and(|most| here >= most as usize);
            if let Some(holds) = holds.filter(|_| !is_full && demands[demand].eligible.admits(pool).is_ok()) {
                free.retain(|held| !holds.contains(held));
                present.running.push(Running { name: None, demand, holds, stays: false });
            }
        }
        let mut targets = present.gpus.clone();
        if rng.chance(2, 3) {
            for (target, pinned) in targets.iter_mut().zip(&pinned) {
                if rng.chance(1, 4) {
                    continue;
                }
                let kept = if let GpuState::Pinned(layout) = pinned { layout.clone() } else { Layout::empty() };
                *target = Some(cut(rng, model, kept)).filter(|layout| !layout.is_empty());
            }
        }
        let counts = |layout: &Option<Layout>| layout.as_ref().map(Layout::counts);
        let changes: Vec<bool> = targets.iter().zip(&present.gpus).map(|(a, b)| counts(a) != counts(b)).collect();
        // Instances of a GPU that only changes its starts are where they were.
        for (gpu, target) in targets.iter_mut().enumerate().filter(|(gpu, _)| !changes[*gpu]) {
            target.clone_from(&present.gpus[gpu]);
        }
        let evicts = (0..present.running.len()).filter(|&unit| {
            let holds = &present.running[unit].holds;
            let changes = match present.unit {
                RecutUnit::Node => changes.contains(&true),
                _ => holds.iter().any(|held| changes[usize::from(held.gpu)]),
            };
            changes || rng.chance(1, 8)
        });
        let evicts = evicts.collect();
        Draft { present, pinned, targets, evicts, serves: BTreeMap::new() }
    }

    fn kept(&self) -> impl Iterator<Item = &Running> {
        let units = self.present.running.iter().enumerate();
        units.filter(|(unit, _)| !self.evicts.contains(unit)).map(|(_, unit)| unit)
    }

    /// The instances that nothing holds or is served yet, by GPU and profile.
    fn free(&self, pinned: &[GpuState]) -> Vec<(u16, ProfileId)> {
        let mut free: Vec<(u16, ProfileId)> = Vec::new();
        for (gpu, target) in (0u16..).zip(&self.targets) {
            free.extend(target.iter().flat_map(Layout::placements).map(|p| (gpu, p.profile)));
            if let Some(GpuState::Pinned(layout)) = pinned.get(usize::from(gpu)) {
                layout.placements().iter().for_each(|p| remove(&mut free, (gpu, p.profile)));
            }
        }
        for share in self.serves.values().flat_map(|serving| &serving.shares) {
            (0..share.instances).for_each(|_| remove(&mut free, (share.gpu, share.profile.expect("an instance"))));
        }
        free
    }

    fn add(&mut self, demand: usize, instances: &[(u16, ProfileId)]) {
        let serving = self.serves.entry(demand).or_insert_with(|| Serving { demand, units: 0, shares: Vec::new() });
        serving.units += 1;
        for &(gpu, id) in instances {
            match serving.shares.iter_mut().find(|share| (share.gpu, share.profile) == (gpu, Some(id))) {
                Some(share) => share.instances += 1,
                None => serving.shares.push(GpuShare { gpu, profile: Some(id), instances: 1 }),
            }
        }
        serving.shares.sort_by_key(|share| (share.gpu, share.profile));
    }

    fn into_planned(self, rng: &mut Rng, pool: usize, number: u32) -> PlannedNodes {
        let is_left = self.targets == self.present.gpus && self.serves.is_empty() && rng.chance(1, 2);
        let target = |layout: Option<Layout>| match layout {
            Some(layout) if is_left => GpuTarget::Left(layout),
            Some(layout) => GpuTarget::Mig(layout),
            None => GpuTarget::MigOff,
        };
        PlannedNodes {
            pool,
            nodes: number..number + 1,
            gpus: self.targets.into_iter().map(target).collect(),
            serves: self.serves.into_values().collect(),
            evicts: self.evicts,
        }
    }
}

/// Serves units that stay where they are, and as many others as it happens to; gives the units of each demand.
fn serve(rng: &mut Rng, problem: &Problem, model: &Model, drafts: &mut [(usize, u32, Draft)]) -> Vec<u64> {
    let mut served = vec![0; problem.demands.len()];
    let mut wishes = Vec::new();
    for (_, _, draft) in drafts.iter_mut() {
        let kept: Vec<Running> = draft.kept().cloned().collect();
        for unit in kept {
            let held = |held: &Held| (held.gpu, held.instance.expect("units hold instances").profile);
            draft.add(unit.demand, &unit.holds.iter().map(held).collect::<Vec<_>>());
            served[unit.demand] += 1;
        }
        wishes.extend(draft.evicts.iter().map(|&unit| draft.present.running[unit].demand));
    }
    wishes.extend((0..rng.below(3)).map(|_| index(rng, problem.demands.len())));
    while !wishes.is_empty() {
        let at = index(rng, wishes.len());
        let demand = wishes.swap_remove(at);
        let first = index(rng, drafts.len());
        for step in 0..drafts.len() {
            let node = (first + step) % drafts.len();
            let (pool, number, draft) = &mut drafts[node];
            let shape = &problem.fleet.pools[*pool];
            let pinned = &shape.nodes[*number as usize].pinned;
            let here = draft.serves.get(&demand).map_or(0, |serving| serving.units);
            let is_full = problem.demands[demand].max_per_node.is_some_and(|most| here >= most);
            if is_full || problem.demands[demand].eligible.admits(shape).is_err() {
                continue;
            }
            let free = draft.free(pinned);
            if let Some(taken) = wanted(&problem.demands[demand], &free, |(_, id)| Some(*id), model) {
                draft.add(demand, &taken);
                served[demand] += 1;
                break;
            }
        }
    }
    served
}

/// Budgets that the plan can keep to, one unit at a time.
fn budgets(rng: &mut Rng, problem: &Problem, nodes: &[PlannedNodes]) -> Vec<Budget> {
    let running = |planned: &PlannedNodes, unit: usize| {
        let group = &problem.fleet.pools[planned.pool].nodes[planned.nodes.start as usize];
        group.present.as_ref().map(|present| present.running[unit].demand)
    };
    let moved: BTreeSet<usize> =
        nodes.iter().flat_map(|planned| planned.evicts.iter().filter_map(|&unit| running(planned, unit))).collect();
    let mut budgets = Vec::new();
    for number in 0..rng.below(3) {
        let demands: BTreeSet<usize> = (0..problem.demands.len()).filter(|_| rng.chance(1, 2)).collect();
        let least = u64::from(!demands.is_disjoint(&moved));
        let allowed = rng.below(4).max(least);
        budgets.push(Budget { name: format!("b{number}"), namespace: None, demands, allowed });
    }
    budgets
}

/// What a unit takes of what is free.
fn wanted<T: Copy>(
    demand: &Demand,
    free: &[T],
    profile: impl Fn(&T) -> Option<ProfileId>,
    model: &Model,
) -> Option<Vec<T>> {
    let Request::Profiles { instances, .. } = &demand.request else { return None };
    let (name, &count) = instances.iter().next()?;
    let fits = free.iter().filter(|one| profile(one) == model.profile(name)).take(count as usize);
    let taken: Vec<T> = fits.copied().collect();
    (taken.len() == count as usize).then_some(taken)
}

/// A layout with more in it, perhaps.
fn cut(rng: &mut Rng, model: &Model, mut layout: Layout) -> Layout {
    for _ in 0..rng.below(6) {
        let profile = model.profile(&["1g.6gb", "1g.6gb", "2g.12gb"][index(rng, 3)].parse().expect("a profile name"));
        let profile = profile.expect("an A30 has it");
        let starts = &model.get(profile).starts;
        let start = starts[index(rng, starts.len())];
        let more = layout.placements().iter().copied().chain([Placement { start, profile }]);
        layout = Layout::new(model, more).unwrap_or(layout);
    }
    layout
}

fn remove(from: &mut Vec<(u16, ProfileId)>, key: (u16, ProfileId)) {
    if let Some(at) = from.iter().position(|other| *other == key) {
        from.swap_remove(at);
    }
}

fn index(rng: &mut Rng, end: usize) -> usize {
    usize::try_from(rng.below(end as u64)).expect("an index")
}
