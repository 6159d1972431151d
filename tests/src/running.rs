//! Random problems in which something runs.

use migsaw::budget::Budget;
use migsaw::demand::{Request, Together};
use migsaw::fleet::{GpuState, NodeGroup, NodeNames};
use migsaw::geometry::{Layout, Model, Placement, ProfileId};
use migsaw::present::{Held, Present, RecutUnit, Running};
use migsaw::problem::{InputProblem, Problem};

use crate::strategies::{Size, seeded};
use migsaw_sim::Rng;

/// A problem on whose nodes up to `most` units run, often under disruption budgets.
///
/// # Panics
/// If a model has no profile.
pub fn running(seed: u64, size: Size, most: usize) -> Problem {
    let mut problem = seeded(seed, size);
    let mut rng = Rng::new(seed ^ 0x5eed);
    for pool in 0..problem.fleet.pools.len() {
        let models: Vec<_> = problem.fleet.pools[pool].gpu_models().cloned().collect();
        let mut groups = Vec::new();
        for (range, group) in problem.fleet.pools[pool].node_ranges() {
            for node in range {
                let names = NodeNames::Numbered { prefix: format!("p{pool}-"), first: node, count: 1 };
                let unit = [RecutUnit::Node, RecutUnit::Gpu, RecutUnit::Instance][index(&mut rng, 3)];
                let gpus = models.iter().enumerate().map(|(gpu, model)| cut(&mut rng, model, group.state(gpu)));
                let present = Present { unit, gpus: gpus.collect(), in_any_order: false, running: Vec::new() };
                let present = (rng.below(4) > 0).then_some(present);
                groups.push(NodeGroup { names, pinned: group.pinned.clone(), present });
            }
        }
        problem.fleet.pools[pool].nodes = groups;
    }
    // Not every state is one of strategy `single`.
    for pool in 0..problem.fleet.pools.len() {
        for node in 0..problem.fleet.pools[pool].nodes.len() {
            let only = Problem { fleet: problem.fleet.clone(), demands: Vec::new(), ..Problem::default() };
            let is_wrong = |(_, wrong): &(_, InputProblem)| {
                matches!(wrong, InputProblem::StateNotSingle { node: name }
                if *name == problem.fleet.pools[pool].node_name(u32::try_from(node).expect("few nodes")))
            };
            if only.validate().iter().any(is_wrong) {
                problem.fleet.pools[pool].nodes[node].present = None;
            }
        }
    }
    let mut there = 0;
    for _ in 0..most * 4 {
        let pool = index(&mut rng, problem.fleet.pools.len());
        let node = index(&mut rng, problem.fleet.pools[pool].nodes.len());
        let demand = index(&mut rng, problem.demands.len());
        let Some(unit) = unit(&mut rng, &problem, pool, node, demand) else { continue };
        let mut with = problem.clone();
        if let Some(present) = &mut with.fleet.pools[pool].nodes[node].present {
            present.running.push(unit);
        }
        if there < most && with.validate().is_empty() {
            problem = with;
            there += 1;
        }
    }
    problem.budgets = budgets(&mut Rng::new(seed ^ 0x00b4_d6e7), &problem);
    problem
}

/// Up to two budgets for some of the demands, of which one in three allows none.
fn budgets(rng: &mut Rng, problem: &Problem) -> Vec<Budget> {
    let mut budgets = Vec::new();
    for number in 0..rng.below(3) {
        let demands = (0..problem.demands.len()).filter(|_| rng.below(2) == 0).collect();
        budgets.push(Budget { name: format!("b{number}"), namespace: None, demands, allowed: rng.below(3) });
    }
    // A scenario's budget is for some demand.
    budgets.retain(|budget| !budget.demands.is_empty());
    budgets
}

fn index(rng: &mut Rng, end: usize) -> usize {
    usize::try_from(rng.below(end as u64)).expect("an index")
}

/// A layout with what is pinned in it, or MIG off.
fn cut(rng: &mut Rng, model: &Model, state: &GpuState) -> Option<Layout> {
    let mut layout = match state {
        GpuState::Taken => return None,
        GpuState::Pinned(layout) => layout.clone(),
        GpuState::Idle => Layout::empty(),
    };
    for _ in 0..rng.below(5) {
        let profile = ProfileId(u8::try_from(rng.below(model.profiles.len() as u64)).expect("few profiles"));
        let starts = &model.get(profile).starts;
        let start = starts[index(rng, starts.len())];
        let more = layout.placements().iter().copied().chain([Placement { start, profile }]);
        layout = Layout::new(model, more).unwrap_or(layout);
    }
    Some(layout).filter(|layout| !layout.is_empty())
}

/// A unit of a demand on what a node has, right or not.
fn unit(rng: &mut Rng, problem: &Problem, pool: usize, node: usize, demand: usize) -> Option<Running> {
    let present = problem.fleet.pools[pool].nodes[node].present.as_ref()?;
    let is_held = |held: &Held| present.running.iter().any(|unit| unit.holds.contains(held));
    let gpus = problem.fleet.pools[pool].gpus_per_node();
    let mut free: Vec<Held> = Vec::new();
    for gpu in 0..u16::try_from(gpus).ok()? {
        match present.layout(usize::from(gpu)) {
            Some(layout) => free.extend(layout.placements().iter().map(|&i| Held { gpu, instance: Some(i) })),
            None => free.push(Held { gpu, instance: None }),
        }
    }
    free.retain(|held| !is_held(held));
    let (count, together) = match &problem.demands[demand].request {
        Request::WholeGpus { gpus } => (*gpus, Together::Node),
        Request::Profiles { instances, together } => (instances.values().sum(), *together),
        Request::AtLeast { instances, together, .. } => (*instances, *together),
    };
    if together == Together::Gpu && !free.is_empty() {
        let gpu = free[index(rng, free.len())].gpu;
        free.retain(|held| held.gpu == gpu);
    }
    let mut holds = Vec::new();
    for _ in 0..count {
        if free.is_empty() {
            return None;
        }
        holds.push(free.swap_remove(index(rng, free.len())));
    }
    Some(Running { name: None, demand, holds, stays: rng.below(6) == 0 })
}
