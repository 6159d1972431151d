//! What is served or runs of each demand, by resource.

use std::collections::BTreeMap;

use super::{Resource, of_unit};
use crate::fleet::{Pool, Strategy};
use crate::geometry::ProfileId;
use crate::plan::Plan;
use crate::problem::Problem;

/// What a plan serves of each demand.
pub(super) fn planned(problem: &Problem, plan: &Plan) -> Vec<BTreeMap<Resource, u64>> {
    let mut of = vec![BTreeMap::new(); problem.demands.len()];
    for group in &plan.nodes {
        let pool = &problem.fleet.pools[group.pool];
        let nodes = u64::from(group.node_count());
        for serving in &group.serves {
            let here = match of_unit(&problem.demands[serving.demand]) {
                Some(unit) => times(&unit, u64::from(serving.units)),
                None => held(pool, serving.shares.iter().map(|s| (s.gpu, s.profile, u64::from(s.instances)))),
            };
            add(&mut of[serving.demand], &here, nodes);
        }
    }
    of
}

/// What runs of each demand.
pub(super) fn running(problem: &Problem) -> Vec<BTreeMap<Resource, u64>> {
    let mut of = vec![BTreeMap::new(); problem.demands.len()];
    for pool in &problem.fleet.pools {
        for group in &pool.nodes {
            for unit in group.present.iter().flat_map(|present| &present.running) {
                let here = match of_unit(&problem.demands[unit.demand]) {
                    Some(unit) => unit,
                    None => held(pool, unit.holds.iter().map(|h| (h.gpu, h.instance.map(|i| i.profile), 1))),
                };
                add(&mut of[unit.demand], &here, u64::from(group.names.count()));
            }
        }
    }
    of
}

/// What a pod must have asked for to hold this on a node of the pool.
fn held(pool: &Pool, holds: impl Iterator<Item = (u16, Option<ProfileId>, u64)>) -> BTreeMap<Resource, u64> {
    let models: Vec<_> = pool.gpu_models().collect();
    let mut sum = BTreeMap::new();
    for (gpu, profile, n) in holds {
        let resource = match profile {
            Some(profile) if pool.strategy == Strategy::Mixed => {
                Resource::Profile(models[usize::from(gpu)].get(profile).name.clone())
            }
            _ => Resource::Gpu,
        };
        *sum.entry(resource).or_insert(0) += n;
    }
    sum
}

fn times(unit: &BTreeMap<Resource, u64>, n: u64) -> BTreeMap<Resource, u64> {
    unit.iter().map(|(resource, each)| (resource.clone(), each * n)).collect()
}

fn add(to: &mut BTreeMap<Resource, u64>, each: &BTreeMap<Resource, u64>, n: u64) {
    for (resource, count) in each {
        *to.entry(resource.clone()).or_insert(0) += count * n;
    }
}
