//! What quotas let a namespace ask for, and whether the fleet has it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Grant, Honoured, Quota, Resource, Together};
use crate::capacity::search::{Verdict, most};
use crate::capacity::{Bounded, Lack, all_served, anywhere, judged};
use crate::demand::{Demand, Request, Together as Instances};
use crate::fleet::Strategy;
use crate::plan::{Depth, Options, Plan, PlanError, TierName};
use crate::problem::{MAX_COUNT, Problem};

/// What each namespace with a quota may ask for, not judged yet.
///
/// A pod must keep to every quota that counts it. So where quotas count all pods of a namespace, or the same ones, the
/// smallest binds; where they count different ones, those may ask for their sum, at most. Pods that several count beside
/// others make that sum more than it can be.
pub(super) fn grants(problem: &Problem) -> Vec<Grant> {
    let namespaces: BTreeSet<&Option<String>> = problem.quotas.iter().map(|quota| &quota.namespace).collect();
    let grant = |namespace: &Option<String>| {
        let quotas: Vec<&Quota> = problem.quotas.iter().filter(|quota| quota.namespace == *namespace).collect();
        let resources: BTreeSet<&Resource> = quotas.iter().flat_map(|quota| quota.hard.keys()).collect();
        let hard = |resource: &Resource| {
            let limits = || quotas.iter().filter_map(|quota| Some((&quota.demands, *quota.hard.get(resource)?)));
            let for_all = limits().filter(|(demands, _)| demands.is_none()).map(|(_, hard)| hard).min();
            for_all.unwrap_or_else(|| {
                let mut some: BTreeMap<&BTreeSet<usize>, u64> = BTreeMap::new();
                let mut for_nobody = 0_u64;
                for (demands, hard) in limits() {
                    match demands {
                        Some(demands) if !demands.is_empty() => {
                            let least = some.entry(demands).or_insert(hard);
                            *least = hard.min(*least);
                        }
                        _ => for_nobody = for_nobody.saturating_add(hard),
                    }
                }
                // What counts among others too is bounded by those.
                let is_widest = |of: &BTreeSet<usize>| !some.keys().any(|other| *other != of && other.is_superset(of));
                let widest = some.iter().filter(|(of, _)| is_widest(of)).map(|(_, hard)| *hard);
                widest.fold(for_nobody, u64::saturating_add)
            })
        };
        Grant {
            namespace: namespace.clone(),
            hard: resources.into_iter().map(|resource| (resource.clone(), hard(resource))).collect(),
            honoured: Honoured::NotDecided,
        }
    };
    namespaces.into_iter().map(grant).collect()
}

/// Whether the fleet has what each may ask for, if nobody else is there.
pub(super) fn judge(problem: &Problem, grants: Vec<Grant>, options: &Options<'_>) -> Result<Vec<Grant>, PlanError> {
    let mut known: BTreeMap<BTreeMap<Resource, u64>, Honoured> = BTreeMap::new();
    let mut judged = Vec::with_capacity(grants.len());
    for grant in grants {
        let honoured = match known.get(&grant.hard) {
            Some(honoured) => honoured.clone(),
            None => honoured(problem, &grant.hard, options)?,
        };
        known.insert(grant.hard.clone(), honoured.clone());
        judged.push(Grant { honoured, ..grant });
    }
    Ok(judged)
}

fn honoured(problem: &Problem, hard: &BTreeMap<Resource, u64>, options: &Options<'_>) -> Result<Honoured, PlanError> {
    let asked = Asked::of(problem, hard, options)?;
    Ok(match asked.verdict() {
        Verdict::Yes => Honoured::Yes,
        Verdict::No => Honoured::Never(asked.lacks()),
        Verdict::Unknown => Honoured::NotDecided,
    })
}

/// What the fleet has of all that may be asked for.
pub(super) fn together(problem: &Problem, grants: &[Grant], options: &Options<'_>) -> Result<Together, PlanError> {
    let scaled = |percent: u64| {
        let mut sum: BTreeMap<Resource, u64> = BTreeMap::new();
        for (resource, hard) in grants.iter().flat_map(|grant| &grant.hard) {
            let of = sum.entry(resource.clone()).or_insert(0);
            // Rounded up: a part of one instance is an instance, and nobody has part of a quota who has none of it.
            let part = (u128::from(*hard) * u128::from(percent)).div_ceil(100);
            *of = of.saturating_add(u64::try_from(part).unwrap_or(u64::MAX));
        }
        sum
    };
    let all = scaled(100);
    let granted = all.values().fold(0, |sum: u64, &hard| sum.saturating_add(hard));
    let asked = Asked::of(problem, &all, options)?;
    let served = asked.plan.served(asked.problem.demands.len());
    let bound = asked.plan.tiers.iter().find(|tier| matches!(tier.name, TierName::Served { .. }));
    let bound = bound.map_or(granted, |tier| tier.bound.unsigned_abs());
    let fits = asked.verdict();
    let percent = if fits == Verdict::Yes {
        Bounded::exactly(100)
    } else {
        // A part of every quota never takes more than a larger part.
        let verdict = |percent| Asked::of(problem, &scaled(percent), options).map(|asked| asked.verdict());
        let below = most(0, 99, verdict)?;
        // If the search ended before it was known whether all fit, they may.
        if below.most == 99 && fits == Verdict::Unknown { Bounded { most: 100, ..below } } else { below }
    };
    Ok(Together {
        granted,
        at_once: Bounded { least: served.iter().sum(), most: if asked.is_cut_short { granted } else { bound } },
        percent,
        lacks: asked.lacks(),
        by_resource: all.into_iter().zip(served).map(|((resource, hard), of)| (resource, (hard, of))).collect(),
    })
}

/// A problem with just some instances and GPUs, on a fleet on which nothing runs, and a plan with most of them.
struct Asked {
    /// With one demand for each resource.
    problem: Problem,
    plan: Plan,
    /// Whether there is more of a resource than a demand may ask for.
    is_cut_short: bool,
}

impl Asked {
    fn of(problem: &Problem, hard: &BTreeMap<Resource, u64>, options: &Options<'_>) -> Result<Asked, PlanError> {
        let mut empty = Problem { fleet: problem.fleet.clone(), ..Problem::default() };
        empty.forget_running();
        let is_single = empty.fleet.pools.iter().all(|pool| pool.strategy == Strategy::Single);
        empty.demands = hard.iter().map(|(resource, &n)| demand(resource, n.min(MAX_COUNT), is_single)).collect();
        let plan = judged(&empty, &Options { depth: Depth::Served, ..*options })?;
        Ok(Asked { problem: empty, plan, is_cut_short: hard.values().any(|&n| n > MAX_COUNT) })
    }

    /// Whether there is all of it.
    fn verdict(&self) -> Verdict {
        match all_served(&self.problem, &self.plan) {
            Verdict::Yes if self.is_cut_short => Verdict::Unknown,
            verdict => verdict,
        }
    }

    fn lacks(&self) -> Vec<Lack> {
        Lack::all(&self.problem, &self.plan)
    }
}

/// Pods that each ask for one. On a fleet that is all of strategy `single`, one `nvidia.com/gpu` may be a slice of any
/// size; elsewhere it is taken for a GPU.
fn demand(resource: &Resource, n: u64, is_single: bool) -> Demand {
    let request = match resource {
        Resource::Profile(name) => {
            Request::Profiles { instances: BTreeMap::from([(name.clone(), 1)]), together: Instances::Node }
        }
        Resource::Gpu if is_single => {
            Request::AtLeast { memory_mib: 0, compute_slices: 0, instances: 1, together: Instances::Node }
        }
        Resource::Gpu => Request::WholeGpus { gpus: 1 },
    };
    let mut demand = Demand::new(resource.to_string(), request, n);
    demand.eligible = anywhere(None);
    if matches!(resource, Resource::Profile(_)) {
        // Under strategy `single` no node offers the profile by its name.
        demand.eligible.strategy = Some(Strategy::Mixed);
    }
    demand
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_among_others_is_bounded_by_those() {
        let name = "1g.10gb".parse().expect("a name");
        let resource = Resource::Profile(name);
        let check = |quotas: &[(&[usize], u64)], expected: u64| {
            let quota = |(index, (demands, hard)): (usize, &(&[usize], u64))| Quota {
                name: format!("q{index}"),
                namespace: Some("a".to_owned()),
                demands: (!demands.is_empty()).then(|| demands.iter().copied().collect()),
                hard: BTreeMap::from([(resource.clone(), *hard)]),
                used: BTreeMap::new(),
            };
            let quotas_of = quotas.iter().enumerate().map(quota).collect();
            let grants = grants(&Problem { quotas: quotas_of, ..Problem::default() });
            assert_eq!(grants[0].hard[&resource], expected, "{quotas:?}");
        };
        check(&[(&[0], 4), (&[1], 10)], 14);
        check(&[(&[0], 4), (&[0], 10)], 4);
        check(&[(&[0, 1], 10), (&[0], 4)], 10);
        check(&[(&[0, 1], 4), (&[0], 10)], 4);
        check(&[(&[], 3), (&[0], 10), (&[1], 10)], 3);
    }
}
