//! Strategies side by side, by planning each.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::{PoolAdvice, Side, Uniform};
use crate::capacity::search::{Verdict, fewest};
use crate::capacity::{Bounded, Share, all_served, judged};
use crate::demand::{Demand, Request};
use crate::fleet::{Fleet, NodeGroup, NodeNames, Pool, Strategy};
use crate::geometry::{Model, Profile, ProfileName};
use crate::plan::{Depth, GpuTarget, Options, Plan, PlanError, TierName};
use crate::problem::{MAX_NODES, Problem};

/// The fleet with one strategy everywhere, on which nothing runs and GPUs are what is counted; and the demand without a
/// wish for a strategy.
fn with(problem: &Problem, strategy: Strategy) -> Problem {
    let mut with = Problem { fleet: problem.fleet.clone(), demands: problem.demands.clone(), ..Problem::default() };
    with.forget_running();
    for pool in &mut with.fleet.pools {
        (pool.strategy, pool.cost_per_gpu) = (strategy, None);
    }
    for demand in &mut with.demands {
        demand.eligible.strategy = None;
    }
    with
}

/// Both strategies.
pub(super) fn strategies(problem: &Problem, options: &Options<'_>) -> Result<(Side, Side), PlanError> {
    let side = |strategy| -> Result<Side, PlanError> {
        let share = Share::of(options.budget, 3);
        let options = Options { budget: &share, ..*options };
        let with = with(problem, strategy);
        let plan = judged(&with, &Options { depth: Depth::ServedAndCost, ..options })?;
        let (stranded_compute, stranded_memory) = stranded(&with, &plan);
        let more_nodes = more_nodes(&with, &plan, &options)?;
        Ok(Side { served: served(&plan), gpus: gpus(&plan), stranded_compute, stranded_memory, more_nodes })
    };
    Ok((side(Strategy::Mixed)?, side(Strategy::Single)?))
}

/// Units served, of all priorities together. The bound of a tier holds for plans that serve as much at the higher
/// priorities.
fn served(plan: &Plan) -> Bounded {
    let tiers = plan.tiers.iter().filter(|tier| matches!(tier.name, TierName::Served { .. }));
    let sum = tiers
        .fold((0, 0), |(value, bound), tier| (value + tier.value.unsigned_abs(), bound + tier.bound.unsigned_abs()));
    Bounded { least: sum.0, most: sum.1 }
}

fn gpus(plan: &Plan) -> Bounded {
    match plan.tiers.iter().find(|tier| tier.name == TierName::Gpus) {
        Some(tier) => Bounded { least: tier.bound.unsigned_abs(), most: tier.value.unsigned_abs() },
        None => Bounded { least: 0, most: plan.gpus_used() },
    }
}

/// Compute slices and placement units that no instance can be added to.
fn stranded(problem: &Problem, plan: &Plan) -> (u64, u64) {
    let mut sum = (0, 0);
    for group in &plan.nodes {
        let models = problem.fleet.pools[group.pool].gpu_models();
        for (model, target) in models.zip(&group.gpus) {
            let GpuTarget::Mig(layout) = target else { continue };
            let Ok(lost) = model.stranded(layout) else { continue };
            sum.0 += u64::from(lost.compute()) * u64::from(group.node_count());
            sum.1 += u64::from(lost.memory_units()) * u64::from(group.node_count());
        }
    }
    sum
}

/// Fewest nodes more in every pool.
fn more_nodes(problem: &Problem, plan: &Plan, options: &Options<'_>) -> Result<Option<Bounded>, PlanError> {
    if all_served(problem, plan) == Verdict::Yes {
        return Ok(Some(Bounded::exactly(0)));
    }
    let largest = problem.fleet.pools.iter().map(Pool::node_count).max().unwrap_or(0);
    let asked: u64 = problem.demands.iter().map(|demand| demand.count).sum();
    // A node for each unit is more than enough, if nodes help at all.
    let limit = asked.min(u64::from(MAX_NODES - largest)).max(1);
    let verdict = |nodes: u64| -> Result<Verdict, PlanError> {
        let larger = enlarged(problem, u32::try_from(nodes).unwrap_or(MAX_NODES));
        let plan = judged(&larger, &Options { depth: Depth::Served, ..*options })?;
        Ok(all_served(&larger, &plan))
    };
    Ok(fewest(1, limit, verdict)?.filter(|found| found.most <= limit))
}

/// The problem with so many idle nodes more in every pool.
fn enlarged(problem: &Problem, nodes: u32) -> Problem {
    let mut larger = problem.clone();
    for index in 0..larger.fleet.pools.len() {
        let prefix = larger.fleet.unused_prefix(&format!("+{index}/"));
        let names = NodeNames::Numbered { prefix, first: 0, count: nodes };
        larger.fleet.pools[index].nodes.push(NodeGroup::idle(names));
    }
    larger
}

/// Each pool alone.
pub(super) fn pools(problem: &Problem, options: &Options<'_>) -> Result<Vec<PoolAdvice>, PlanError> {
    let mut all = Vec::new();
    for (index, pool) in problem.fleet.pools.iter().enumerate().filter(|(_, pool)| pool.gpu_count() > 0) {
        let mut alone = with(problem, Strategy::Mixed);
        alone.fleet = Fleet { pools: vec![alone.fleet.pools[index].clone()] };
        alone.demands.retain(|demand| demand.count > 0 && demand.eligible.admits(&alone.fleet.pools[0]).is_ok());
        // Other pools that a demand names are not there.
        alone.demands.iter_mut().for_each(|demand| demand.eligible.pools = None);
        let share = Share::of(options.budget, 3);
        let options = Options { budget: &share, depth: Depth::ServedAndCost, ..*options };
        let mixed = judged(&alone, &options)?;
        let mut uniform = Vec::new();
        for profile in candidates(&alone, pool) {
            let these = only(&alone, profile.as_ref());
            let plan = judged(&these, &options)?;
            uniform.push((ranks(&alone, &these, &plan), Uniform { profile, served: served(&plan), gpus: gpus(&plan) }));
        }
        uniform.sort_by_key(|(ranks, of)| (Reverse(ranks.clone()), of.gpus.most, of.profile.clone()));
        all.push(PoolAdvice {
            pool: index,
            asked: alone.demands.iter().map(|demand| demand.count).sum(),
            mixed: served(&mixed),
            uniform: uniform.into_iter().map(|(_, of)| of).collect(),
        });
    }
    Ok(all)
}

/// What the pool could be all of so that something is served.
fn candidates(problem: &Problem, pool: &Pool) -> BTreeSet<Option<ProfileName>> {
    let mut found = BTreeSet::new();
    for demand in &problem.demands {
        match &demand.request {
            Request::WholeGpus { .. } => drop(found.insert(None)),
            Request::Profiles { instances, .. } if instances.len() == 1 => {
                let name =
                    instances.keys().find(|name| pool.gpus.iter().any(|group| group.model.profile(name).is_some()));
                found.extend(name.cloned().map(Some));
            }
            Request::Profiles { .. } => {}
            Request::AtLeast { .. } => {
                let profiles = pool.gpus.iter().flat_map(|group| &group.model.profiles);
                found.extend(
                    profiles.filter(|profile| gives(profile, demand)).map(|profile| Some(profile.name.clone())),
                );
            }
        }
    }
    found
}

/// Whether an instance of the profile is as large as a demand asks for.
pub(super) fn gives(profile: &Profile, demand: &Demand) -> bool {
    let Request::AtLeast { memory_mib, compute_slices, .. } = demand.request else { return false };
    profile.memory_mib.value.is_some_and(|has| u64::from(has) >= memory_mib) && profile.compute_slices >= compute_slices
}

/// The demands that one profile can serve, as demands of that profile; or those of whole GPUs. Strategy `single` then
/// cuts every node into that or leaves it whole.
fn only(problem: &Problem, profile: Option<&ProfileName>) -> Problem {
    let mut only = problem.clone();
    only.fleet.pools[0].strategy = Strategy::Single;
    let models: Vec<&Model> = problem.fleet.pools[0].gpu_models().map(AsRef::as_ref).collect();
    only.demands.retain_mut(|demand| {
        let (Some(name), Request::AtLeast { instances, together, .. }) = (profile, &demand.request) else {
            return match (&demand.request, profile) {
                (Request::WholeGpus { .. }, None) => true,
                (Request::Profiles { instances, .. }, Some(name)) => {
                    instances.len() == 1 && instances.contains_key(name)
                }
                _ => false,
            };
        };
        let of = models.iter().filter_map(|model| Some(model.get(model.profile(name)?)));
        let is_enough = of.clone().count() > 0 && of.clone().all(|profile| gives(profile, demand));
        if is_enough {
            demand.request =
                Request::Profiles { instances: BTreeMap::from([(name.clone(), *instances)]), together: *together };
        }
        is_enough
    });
    only
}

/// Units served at each priority of the pool's demand, the highest first.
fn ranks(all: &Problem, these: &Problem, plan: &Plan) -> Vec<u64> {
    let priorities: BTreeSet<Reverse<i32>> = all.demands.iter().map(|demand| Reverse(demand.priority)).collect();
    let served = plan.served(these.demands.len());
    let at = |priority: &Reverse<i32>| {
        let of = these.demands.iter().zip(&served).filter(|(demand, _)| demand.priority == priority.0);
        of.map(|(_, served)| served).sum()
    };
    priorities.iter().map(at).collect()
}
