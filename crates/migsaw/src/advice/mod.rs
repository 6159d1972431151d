//! Advice: what strategy `single` costs against `mixed`, and which workloads belong on MIG at all.
//!
//! Strategies are compared by planning both: every pool `mixed`, and every pool `single`, on the fleet as
//! it is if nothing runs, for the demand without a wish for a strategy. For each pool alone it is asked as well what it
//! serves if all of its GPUs carry one profile.
//!
//! Whether a workload belongs on MIG is read off its demand, by rules of which each names the fact that decides.
//! Nothing is guessed from names. What a demand does not say, as how much memory a pod needs that asks
//! for `nvidia.com/gpu: 1`, is said to be missing.
//!
//! ```
//! use migsaw::advice::{Belongs, WorkloadCode, advise};
//! use migsaw::demand::{Demand, Request};
//! use migsaw::fleet::{Fleet, Pool};
//! use migsaw::geometry::Catalog;
//! use migsaw::plan::Options;
//! use migsaw::problem::Problem;
//!
//! let problem = Problem {
//!     fleet: Fleet { pools: vec![Pool::new("lab", Catalog::builtin().model("A30")?, 2, 1)] },
//!     demands: vec![
//!         Demand::of_profile("small", "1g.6gb".parse()?, 2),
//!         Demand::of_profile("half", "2g.12gb".parse()?, 3),
//!         Demand::new("train", Request::WholeGpus { gpus: 2 }, 1),
//!     ],
//!     ..Problem::default()
//! };
//! let advice = advise(&problem, &Options::default())?;
//! // The third half shares a GPU with the small ones, which a node of one profile does not allow.
//! assert_eq!((advice.mixed.served.least, advice.single.served.most), (5, 4));
//! // No node has two GPUs.
//! let train = &advice.workloads[2];
//! assert_eq!((train.belongs, train.code), (Belongs::Nowhere, WorkloadCode::NoGpu));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod compare;
mod workload;

use crate::capacity::Bounded;
use crate::geometry::ProfileName;
use crate::plan::{Options, PlanError};
use crate::problem::Problem;

pub use workload::{Belongs, Workload, WorkloadCode};

/// The advice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// Units asked for.
    pub asked: u64,
    /// GPUs of the fleet.
    pub gpus: u64,
    /// With every pool `mixed`.
    pub mixed: Side,
    /// With every pool `single`: each node all of one profile, or MIG off.
    pub single: Side,
    /// Each pool alone.
    pub pools: Vec<PoolAdvice>,
    /// Each demand, in the order of the problem.
    pub workloads: Vec<Workload>,
}

/// What comes of one strategy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// Units served.
    pub served: Bounded,
    /// Fewest GPUs in use that serve as much.
    pub gpus: Bounded,
    /// Compute slices on those GPUs that nothing can use any more.
    pub stranded_compute: u64,
    /// Memory in placement units on those GPUs that nothing can use any more.
    pub stranded_memory: u64,
    /// Fewest nodes more in every pool with which all is served, 0 if it is; `None` if no number was found.
    pub more_nodes: Option<Bounded>,
}

/// A pool alone, with what of the demand may go there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolAdvice {
    /// Index of the pool.
    pub pool: usize,
    /// Units that may go there.
    pub asked: u64,
    /// Most that it serves with strategy `mixed`.
    pub mixed: Bounded,
    /// What it serves if all of it carries one profile, best first.
    pub uniform: Vec<Uniform>,
}

/// A pool that is all of one profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uniform {
    /// The profile; `None` for MIG off.
    pub profile: Option<ProfileName>,
    /// Units served.
    pub served: Bounded,
    /// Fewest GPUs that serve as much.
    pub gpus: Bounded,
}

/// What strategy costs what, and which workloads belong on MIG.
///
/// # Errors
/// What [`plan`](crate::plan::plan) refuses.
///
/// # Complexity
/// Two plans for the fleet and, where not all is served, about twice the logarithm of the nodes that are missing; for
/// each pool one for each profile that it has and is asked for.
pub fn advise(problem: &Problem, options: &Options<'_>) -> Result<Advice, PlanError> {
    let invalid = problem.validate();
    if !invalid.is_empty() {
        return Err(PlanError::Invalid(invalid));
    }
    let (mixed, single) = compare::strategies(problem, options)?;
    Ok(Advice {
        asked: problem.demands.iter().map(|demand| demand.count).sum(),
        gpus: problem.fleet.pools.iter().map(crate::fleet::Pool::gpu_count).sum(),
        mixed,
        single,
        pools: compare::pools(problem, options)?,
        workloads: workload::workloads(problem),
    })
}
