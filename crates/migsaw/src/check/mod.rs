//! Judges any plan from the problem alone.
//!
//! The checker never trusts the planner, and shares no code with it: it reads the catalogue's facts
//! (starts, sizes, maxima, engines) with interval arithmetic of its own, evaluates labels, taints and
//! strategies itself, and counts again what the plan claims to reach. A plan may come from anywhere,
//! also from a person; none makes the checker panic.
//!
//! [`check`] gives every [`Violation`] it finds, and nothing if the plan is right. Each rule has its
//! own file:
//!
//! - `coverage`: every node is planned exactly once, with the GPUs it has;
//! - `layout`: every GPU's instances can be there together;
//! - `pinned`: pinned instances stay, GPUs taken as a whole stay whole;
//! - `running`: what runs today stays where it is or is evicted, and what must stay does;
//! - `strategy`: a node of strategy `single` carries one profile, or none;
//! - `eligibility`: a demand is served only where labels, taints and strategy let it;
//! - `kinds`, `units`: what serves a demand is what it asks for, in whole units, close enough;
//! - `commitment`: no instance serves twice, and no pinned one serves at all;
//! - `counts`: at most what was asked for, at most so many on a node, and the rest is reported;
//! - `tiers`: the values are those the plan reaches, on the right side of their bounds;
//! - `status`: the status says what the tiers say.
//!
//! A node of strategy `single` that serves nothing and stays as it is breaks no rule even if what is
//! pinned on it does: planning has not touched it.
//!
//! A plan that claims nothing (serves nothing, reports nothing unserved, has no tiers) is judged by
//! its nodes alone, so that layouts written by hand can be checked.
//!
//! ```
//! use migsaw::check::check;
//! use migsaw::demand::Demand;
//! use migsaw::fleet::{Fleet, Pool};
//! use migsaw::geometry::{Catalog, Layout};
//! use migsaw::plan::{GpuTarget, Plan, PlannedNodes, Status};
//! use migsaw::problem::Problem;
//!
//! let h100 = Catalog::builtin().model("H100-80GB")?;
//! let fleet = Fleet { pools: vec![Pool::new("a", h100.clone(), 1, 1)] };
//! let problem = Problem { fleet, demands: vec![Demand::of_profile("llm", "3g.40gb".parse()?, 1)], ..Problem::default() };
//! let cut = |text| Layout::parse(&h100, text).map(GpuTarget::Mig);
//! let plan = |gpus| Plan {
//!     status: Status::Feasible,
//!     tiers: vec![],
//!     nodes: vec![PlannedNodes { pool: 0, nodes: 0..1, gpus, serves: vec![], evicts: vec![] }],
//!     unserved: vec![],
//! };
//! assert!(check(&problem, &plan(vec![cut("3g.40gb@0,3g.40gb@4")?])).is_empty());
//! assert_eq!(check(&problem, &plan(vec![]))[0].code(), "gpu-count");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod commitment;
mod counts;
mod coverage;
mod eligibility;
mod facts;
mod kinds;
mod layout;
mod pinned;
mod place;
mod running;
mod status;
mod strategy;
mod tiers;
mod transport;
mod units;
mod violation;

#[cfg(test)]
mod tests;

pub use place::{GpuPlace, NodePlace};
pub use violation::{Barrier, StatusReason, Violation};

use crate::plan::Plan;
use crate::problem::Problem;
use facts::Facts;

/// Everything that is wrong with a plan, in the order of its nodes, then of the demands, then of the
/// tiers; empty if the plan is right.
///
/// The problem itself is taken as it is: whether it makes sense is [`Problem::validate`]'s business.
///
/// # Complexity
/// Linear in the groups of nodes of plan and fleet, not in the nodes.
pub fn check(problem: &Problem, plan: &Plan) -> Vec<Violation> {
    let mut found = Vec::new();
    let facts = Facts::of(problem);
    let pieces = coverage::pieces(&facts, plan, &mut found);
    for piece in &pieces {
        layout::judge(piece, &mut found);
        pinned::judge(piece, &mut found);
        running::judge(&facts, piece, &mut found);
        strategy::judge(piece, &mut found);
        units::judge(&facts, piece, &mut found);
        commitment::judge(piece, &mut found);
        counts::judge_node(&facts, piece, &mut found);
    }
    let served = counts::served(&facts, &pieces);
    if claims_nothing(plan) {
        return found;
    }
    counts::judge(&facts, plan, &served, &mut found);
    let reached = tiers::reached(&facts, plan, &pieces, &served);
    tiers::judge(plan, &reached, &mut found);
    status::judge(&facts, plan, &served, &mut found);
    found
}

/// Whether the plan says nothing but what its nodes become.
fn claims_nothing(plan: &Plan) -> bool {
    let modest = !matches!(plan.status, crate::plan::Status::Optimal | crate::plan::Status::Infeasible);
    modest
        && plan.tiers.is_empty()
        && plan.unserved.is_empty()
        && plan.nodes.iter().all(|group| group.serves.is_empty())
}
