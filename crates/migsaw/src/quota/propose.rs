//! Quotas that let in what a plan serves.

use std::collections::{BTreeMap, BTreeSet};

use super::{Resource, of_unit, usage};
use crate::fleet::Strategy;
use crate::plan::Plan;
use crate::problem::Problem;
use crate::whatif::BasisPoints;

/// A quota to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    /// The namespace.
    pub namespace: Option<String>,
    /// Most of each resource.
    pub hard: BTreeMap<Resource, u64>,
}

/// One quota for each namespace that asks for GPUs: what the plan serves of it, and so much more, rounded up. A
/// resource that is asked for and not served has 0.
///
/// With `closed`, also 0 of all else that nodes of the fleet can offer: a quota limits only what it names.
///
/// # Panics
/// If the plan is for another problem.
pub fn proposals(problem: &Problem, plan: &Plan, headroom: BasisPoints, closed: bool) -> Vec<Proposal> {
    let planned = usage::planned(problem, plan);
    let mut by_namespace: BTreeMap<&Option<String>, BTreeMap<Resource, u64>> = BTreeMap::new();
    for (demand, served) in problem.demands.iter().zip(planned) {
        let hard = by_namespace.entry(&demand.namespace).or_default();
        for resource in of_unit(demand).into_iter().flatten().map(|(resource, _)| resource) {
            hard.entry(resource).or_insert(0);
        }
        for (resource, n) in served {
            *hard.entry(resource).or_insert(0) += n;
        }
    }
    let offered = if closed { offered(problem) } else { BTreeSet::new() };
    let proposal = |(namespace, served): (&Option<String>, BTreeMap<Resource, u64>)| {
        let more = |n: u64| n.saturating_add(headroom.of(n));
        let mut hard: BTreeMap<Resource, u64> = served.into_iter().map(|(resource, n)| (resource, more(n))).collect();
        for resource in &offered {
            hard.entry(resource.clone()).or_insert(0);
        }
        Proposal { namespace: namespace.clone(), hard }
    };
    by_namespace.into_iter().map(proposal).filter(|proposal| !proposal.hard.is_empty()).collect()
}

/// What nodes of the fleet can offer.
fn offered(problem: &Problem) -> BTreeSet<Resource> {
    let mixed = problem.fleet.pools.iter().filter(|pool| pool.strategy == Strategy::Mixed);
    let models = mixed.flat_map(|pool| &pool.gpus).map(|group| &group.model);
    let profiles = models.flat_map(|model| &model.profiles).map(|profile| Resource::Profile(profile.name.clone()));
    profiles.chain([Resource::Gpu]).collect()
}
