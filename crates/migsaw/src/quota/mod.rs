//! Quotas: how much of each resource the pods of a namespace may ask for together, as Kubernetes' `ResourceQuota`s
//! say it.
//!
//! A quota promises what need not be there. [`quotas`] holds all of them against the demand, against a plan and
//! against the fleet:
//!
//! - what each lets in, and which pods it must refuse: counted, with no plan needed;
//! - what the plan serves of it;
//! - whether the fleet could give one namespace all it may ask for, in any cut, if nobody else were there;
//! - whether all namespaces could have what they may ask for at once, and if not, how much of it.
//!
//! The last two ask the planner for just those instances, on the fleet as it would be if nothing ran, for pods that
//! tolerate every taint: what does not fit then fits never. Each answer is proven, or says that it is not.
//!
//! Of an extended resource Kubernetes counts `requests.NAME` and nothing else (`isExtendedResourceNameForQuota` in
//! `pkg/quota/v1/evaluator/core/pods.go`), so a quota here is a number of instances for each profile, and of
//! `nvidia.com/gpu`.
//!
//! ```
//! use std::collections::BTreeMap;
//! use migsaw::demand::Demand;
//! use migsaw::fleet::{Fleet, Pool};
//! use migsaw::geometry::Catalog;
//! use migsaw::plan::Options;
//! use migsaw::problem::Problem;
//! use migsaw::quota::{Quota, Resource, quotas};
//!
//! let small: migsaw::geometry::ProfileName = "1g.6gb".parse()?;
//! let quota = |namespace: &str, hard| Quota {
//!     name: "gpus".to_owned(),
//!     namespace: Some(namespace.to_owned()),
//!     demands: None,
//!     hard: BTreeMap::from([(Resource::Profile(small.clone()), hard)]),
//!     used: BTreeMap::new(),
//! };
//! let mut notebooks = Demand::of_profile("notebooks", small.clone(), 5);
//! notebooks.namespace = Some("a".to_owned());
//! let problem = Problem {
//!     fleet: Fleet { pools: vec![Pool::new("lab", Catalog::builtin().model("A30")?, 1, 2)] },
//!     demands: vec![notebooks],
//!     quotas: vec![quota("a", 4), quota("b", 6)],
//!     ..Problem::default()
//! };
//! let answer = quotas(&problem, &Options::default())?;
//! assert_eq!(answer.lines[0].refused, 1, "the fifth pod cannot be created");
//! // Two A30 hold eight of the ten.
//! assert_eq!((answer.together.granted, answer.together.at_once.most), (10, 8));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod grant;
mod propose;
mod refusal;
mod usage;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::capacity::{Bounded, Lack, Share, judged};
use crate::demand::{Demand, Request};
use crate::fleet::Strategy;
use crate::geometry::ProfileName;
use crate::plan::{Options, Plan, PlanError, Unserved};
use crate::problem::Problem;

pub use propose::{Proposal, proposals};
pub use refusal::{Refusal, RefusalCode};

/// How much the pods of some demands may ask for together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// The name, unique within its namespace.
    pub name: String,
    /// Kubernetes namespace or tenant.
    pub namespace: Option<String>,
    /// Indices of the demands it counts; `None` for all of its namespace.
    pub demands: Option<BTreeSet<usize>>,
    /// Most of each resource.
    pub hard: BTreeMap<Resource, u64>,
    /// What is counted against it already, as the API server says; of what it says nothing, what runs counts.
    pub used: BTreeMap<Resource, u64>,
}

/// What a quota counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Resource {
    /// Instances of a profile, under strategy `mixed`.
    Profile(ProfileName),
    /// `nvidia.com/gpu`: GPUs with MIG off, and under strategy `single` instances of any profile.
    Gpu,
}

/// A resource of a quota, and what of it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Index of the quota.
    pub quota: usize,
    /// The resource.
    pub resource: Resource,
    /// Most there may be.
    pub hard: u64,
    /// What is counted against it already.
    pub used: u64,
    /// What the demands that it counts ask for.
    pub asked: u64,
    /// Units whose resource only a plan decides (any profile that gives enough memory), so that they are not among
    /// `asked`.
    pub open: u64,
    /// What the plan serves.
    pub planned: u64,
    /// Units that it must refuse at least, whichever are created first.
    pub refused: u64,
}

/// What the fleet could give a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The namespace.
    pub namespace: Option<String>,
    /// What its quotas let it ask for together.
    pub hard: BTreeMap<Resource, u64>,
    /// Whether some cut of the fleet has all of that, if nobody else is there.
    pub honoured: Honoured,
}

/// Whether the fleet can give what a quota promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Honoured {
    /// A plan does.
    Yes,
    /// None can, proven: what is missing.
    Never(Vec<Lack>),
    /// Neither was found out in time.
    NotDecided,
}

/// What the fleet could give all namespaces at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Together {
    /// Instances and GPUs that all may ask for.
    pub granted: u64,
    /// Most of them that the fleet has at once.
    pub at_once: Bounded,
    /// The same by resource: what is promised, and what of it a plan with most instances has.
    pub by_resource: BTreeMap<Resource, (u64, u64)>,
    /// Most per cent of every quota, rounded up to whole instances, that all can have at once; 100 if all of them fit,
    /// 0 if not even one per cent does.
    pub percent: Bounded,
    /// What is missing to give all.
    pub lacks: Vec<Lack>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quotas {
    /// The best plan for the demand, whatever quotas say.
    pub plan: Plan,
    /// By quota and resource.
    pub lines: Vec<Line>,
    /// Demands that a quota lets in only in part, or not at all.
    pub refusals: Vec<Refusal>,
    /// Namespaces that have a quota, by name.
    pub grants: Vec<Grant>,
    /// All of them together.
    pub together: Together,
    /// Namespaces that ask for GPUs, and for some of that have no quota.
    pub unlimited: Vec<Option<String>>,
}

impl Resource {
    /// The name of the extended resource.
    pub fn name(&self) -> String {
        match self {
            Resource::Profile(name) => name.resource(),
            Resource::Gpu => GPU.to_owned(),
        }
    }

    /// The resource with this name; `None` if it is none of these.
    pub fn from_name(name: &str) -> Option<Resource> {
        if name == GPU { Some(Resource::Gpu) } else { ProfileName::from_resource(name).map(Resource::Profile) }
    }
}

/// The name of the resource of GPUs.
const GPU: &str = "nvidia.com/gpu";

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Resource::Profile(name) => name.fmt(f),
            Resource::Gpu => f.write_str("gpu"),
        }
    }
}

impl Quota {
    /// The name with the namespace, for reports.
    pub fn full_name(&self) -> String {
        self.namespace.as_ref().map_or_else(|| self.name.clone(), |namespace| format!("{namespace}/{}", self.name))
    }

    /// Whether it counts the pods of a demand.
    pub fn counts(&self, index: usize, demand: &Demand) -> bool {
        match &self.demands {
            Some(demands) => demands.contains(&index),
            None => demand.namespace == self.namespace,
        }
    }
}

/// What one unit of a demand asks for, as a pod names it; `None` where only a plan decides.
pub fn of_unit(demand: &Demand) -> Option<BTreeMap<Resource, u64>> {
    let is_single = demand.eligible.strategy == Some(Strategy::Single);
    match &demand.request {
        Request::Profiles { instances, .. } if is_single => {
            Some(BTreeMap::from([(Resource::Gpu, instances.values().map(|&n| u64::from(n)).sum())]))
        }
        Request::Profiles { instances, .. } => {
            Some(instances.iter().map(|(name, &n)| (Resource::Profile(name.clone()), u64::from(n))).collect())
        }
        Request::AtLeast { instances, .. } if is_single => {
            Some(BTreeMap::from([(Resource::Gpu, u64::from(*instances))]))
        }
        Request::AtLeast { .. } => None,
        Request::WholeGpus { gpus } => Some(BTreeMap::from([(Resource::Gpu, u64::from(*gpus))])),
    }
}

/// Holds the quotas of a problem against its demand, its fleet, and a plan.
///
/// # Errors
/// What [`plan`](crate::plan::plan) refuses. That something does not fit is an answer.
///
/// # Complexity
/// One plan for the demand, one for each different grant, and about seven for the part that all can have.
pub fn quotas(problem: &Problem, options: &Options<'_>) -> Result<Quotas, PlanError> {
    let plan = {
        // The plan is for people to compare; what is asked here must not wait for its last tier.
        let share = Share::of(options.budget, 2);
        judged(problem, &Options { budget: &share, ..*options })?
    };
    let planned = usage::planned(problem, &plan);
    let running = usage::running(problem);
    let mut lines = Vec::new();
    for (index, quota) in problem.quotas.iter().enumerate() {
        for (resource, &hard) in &quota.hard {
            let covered: Vec<usize> =
                (0..problem.demands.len()).filter(|&i| quota.counts(i, &problem.demands[i])).collect();
            let sum =
                |of: &[BTreeMap<Resource, u64>]| -> u64 { covered.iter().filter_map(|&i| of[i].get(resource)).sum() };
            let asks = refusal::Asks::of(problem, &covered, resource);
            lines.push(Line {
                quota: index,
                resource: resource.clone(),
                hard,
                used: quota.used.get(resource).copied().unwrap_or_else(|| sum(&running)),
                asked: asks.total(),
                open: asks.open,
                planned: sum(&planned),
                refused: asks.refused(hard),
            });
        }
    }
    let grants = grant::grants(problem);
    let together = grant::together(problem, &grants, options)?;
    Ok(Quotas {
        refusals: refusal::refusals(problem),
        unlimited: unlimited(problem),
        lines,
        together,
        grants: grant::judge(problem, grants, options)?,
        plan,
    })
}

impl Quotas {
    /// Units that at least can never be created, whichever come first. Of each namespace that is what its tightest
    /// resource keeps out; or, if that is more, what each resource keeps out of the demands that ask for nothing else,
    /// added up, since no unit is counted twice so.
    pub fn refused(&self, problem: &Problem) -> u64 {
        let mut refused: BTreeMap<&Option<String>, (u64, BTreeMap<&Resource, u64>)> = BTreeMap::new();
        for line in &self.lines {
            let quota = &problem.quotas[line.quota];
            let asks_for_one = |demand: &Demand| of_unit(demand).is_some_and(|unit| unit.len() == 1);
            let demands = problem.demands.iter().enumerate();
            let alone: Vec<usize> = demands
                .filter(|(index, demand)| quota.counts(*index, demand) && asks_for_one(demand))
                .map(|(index, _)| index)
                .collect();
            let alone = refusal::Asks::of(problem, &alone, &line.resource).refused(line.hard);
            let (tightest, of_each) = refused.entry(&quota.namespace).or_default();
            *tightest = line.refused.max(*tightest);
            let most = of_each.entry(&line.resource).or_default();
            *most = alone.max(*most);
        }
        refused.values().map(|(tightest, of_each)| of_each.values().sum::<u64>().max(*tightest)).sum()
    }

    /// What of the demand can never run on the fleet, whatever quotas say and whatever else runs.
    pub fn impossible(&self) -> impl Iterator<Item = &Unserved> {
        self.plan.unserved.iter().filter(|unserved| unserved.code.is_forever())
    }
}

/// Namespaces of which some demand asks for a resource that no quota counts.
fn unlimited(problem: &Problem) -> Vec<Option<String>> {
    let is_limited = |index: usize, demand: &Demand| {
        let quotas: Vec<&Quota> = problem.quotas.iter().filter(|quota| quota.counts(index, demand)).collect();
        match of_unit(demand) {
            Some(unit) => unit.keys().all(|resource| quotas.iter().any(|quota| quota.hard.contains_key(resource))),
            None => !quotas.is_empty(),
        }
    };
    let demands = problem.demands.iter().enumerate().filter(|(_, demand)| demand.count > 0);
    let open: BTreeSet<&Option<String>> =
        demands.filter(|(index, demand)| !is_limited(*index, demand)).map(|(_, demand)| &demand.namespace).collect();
    open.into_iter().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::scenario;
    use crate::geometry::Catalog;

    #[test]
    fn units_of_different_resources_are_refused_each_for_itself() {
        let both = "profiles: {1g.10gb: 1, 3g.40gb: 1}";
        for (demands, hard, expected) in [
            // Six of the ten, and three of the four.
            (
                "{namespace: t, name: x, profile: 1g.10gb, count: 10}, {namespace: t, name: y, profile: 3g.40gb, count: 4}",
                "1g.10gb: 4, 3g.40gb: 1",
                9,
            ),
            // The same six are refused for both.
            (&format!("{{namespace: t, name: x, {both}, count: 8}}"), "1g.10gb: 2, 3g.40gb: 2", 6),
            // Whoever has the one instance, two are refused for it; and one more for the other.
            (
                &format!(
                    "{{namespace: t, name: x, {both}, count: 2}}, {{namespace: t, name: y, profile: 1g.10gb, count: 3}}"
                ),
                "1g.10gb: 1, 3g.40gb: 1",
                4,
            ),
        ] {
            let text = format!(
                "apiVersion: migsaw.io/v1alpha1\nkind: Scenario\n\
                 fleet: [{{pool: a, model: H100-80GB, nodes: 1, gpusPerNode: 2}}]\n\
                 demand: [{demands}]\nquotas: [{{namespace: t, name: a, hard: {{{hard}}}}}]\n"
            );
            let problem = scenario::parse(&text, &Catalog::builtin());
            let problem = problem.map_err(|found| format!("{found:?}")).unwrap();
            assert_eq!(quotas(&problem, &Options::default()).unwrap().refused(&problem), expected, "{demands}");
        }
    }
}
