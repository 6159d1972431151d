//! The status says what the tiers say.

use super::facts::Facts;
use super::violation::{StatusReason, Violation};
use crate::plan::{Plan, Status, Tier, TierName};

pub(super) fn judge(facts: &Facts<'_>, plan: &Plan, served: &[u64], found: &mut Vec<Violation>) {
    let missed = plan.tiers.iter().find(|tier| tier.value != tier.bound);
    let something = served.iter().any(|&units| units > 0);
    let because = match plan.status {
        Status::Optimal if plan.tiers.is_empty() => Some(StatusReason::NoTiers),
        Status::Optimal => missed.map(|tier| StatusReason::BoundMissed(tier.name)),
        Status::Feasible if missed.is_none() && !plan.tiers.is_empty() => Some(StatusReason::AllBoundsMet),
        Status::Infeasible | Status::Unknown if something => Some(StatusReason::SomethingServed),
        Status::Infeasible if facts.problem.demands.iter().all(|demand| demand.count == 0) => {
            Some(StatusReason::NothingAsked)
        }
        Status::Infeasible => {
            plan.tiers.iter().find(|tier| could_serve(tier)).map(|t| StatusReason::BoundMissed(t.name))
        }
        Status::Feasible | Status::Unknown => None,
    };
    if let Some(because) = because {
        found.push(Violation::Status { status: plan.status, because });
    }
}

fn could_serve(tier: &Tier) -> bool {
    matches!(tier.name, TierName::Served { .. }) && tier.bound != 0
}
