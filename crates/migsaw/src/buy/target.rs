//! What has to be served in the end.

use super::{BuyError, Order};
use crate::demand::{Demand, Request};
use crate::fleet::NodeNames;
use crate::geometry::{Model, ProfileName, nearest};
use crate::problem::{MAX_COUNT, Problem};
use crate::whatif::{BasisPoints, ChangeError};

/// A demand, and what has to be served of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetLine {
    /// The demand as it is to be served.
    pub demand: Demand,
    /// Units asked for today.
    pub today: u64,
}

/// The problem with its target instead of its demand, in which nothing runs and all is equally important.
pub(super) fn target(problem: &Problem, order: &Order) -> Result<(Problem, Vec<TargetLine>), BuyError> {
    for name in order.growth.iter().filter_map(|(name, _)| name.as_ref()) {
        if problem.demands_named(name).is_empty() {
            let nearest = nearest(name, problem.demands.iter().map(Demand::full_name));
            return Err(ChangeError::UnknownDemand { demand: name.clone(), nearest }.into());
        }
    }
    let mut base = problem.clone();
    base.forget_running();
    base.budgets.clear();
    for pool in &mut base.fleet.pools {
        pool.cost_per_gpu = None;
        if order.from_scratch {
            for group in &mut pool.nodes {
                group.names = NodeNames::Listed(Vec::new());
            }
        }
    }
    let mut lines = Vec::new();
    let mut demands = problem.demands.clone();
    for (index, demand) in demands.iter_mut().enumerate() {
        let today = demand.count;
        demand.count = grown(today, growth_of(problem, order, index), order.headroom);
        if demand.count > MAX_COUNT {
            return Err(ChangeError::TooManyUnits { demand: demand.full_name() }.into());
        }
        demand.priority = 0;
        if order.by_size {
            by_size(demand, problem, order);
        }
        lines.push(TargetLine { demand: demand.clone(), today });
    }
    base.demands = demands;
    Ok((base, lines))
}

/// What is said of the demand by name, the last of it; else of all.
fn growth_of(problem: &Problem, order: &Order, demand: usize) -> BasisPoints {
    let is_named = |name: &String| problem.demands_named(name).contains(&demand);
    let by_name = order.growth.iter().rev().find(|(name, _)| name.as_ref().is_some_and(is_named));
    let of_all = || order.growth.iter().rev().find(|(name, _)| name.is_none());
    by_name.or_else(of_all).map_or(BasisPoints(0), |(_, growth)| *growth)
}

/// So much more, and so much more than that, rounded up once.
fn grown(count: u64, growth: BasisPoints, headroom: BasisPoints) -> u64 {
    let whole = u128::from(BasisPoints::WHOLE.0);
    let factor = (whole + u128::from(growth.0)) * (whole + u128::from(headroom.0));
    u64::try_from((u128::from(count) * factor).div_ceil(whole * whole)).unwrap_or(u64::MAX)
}

/// Instances of one profile as so much memory and compute. Those with or without engines are asked for by name for
/// a reason, and stay as they are; so do different profiles together.
fn by_size(demand: &mut Demand, problem: &Problem, order: &Order) {
    let Request::Profiles { instances, together } = &demand.request else { return };
    let mut each = instances.iter();
    let (Some((name, &n)), None) = (each.next(), each.next()) else { return };
    if name.to_string().contains(['+', '-']) {
        return;
    }
    let of_fleet = problem.fleet.pools.iter().flat_map(|pool| &pool.gpus).map(|group| group.model.as_ref());
    let models = of_fleet.chain(order.candidates.iter().map(|candidate| candidate.model.as_ref()));
    let sizes: Vec<(u64, u8)> = models.filter_map(|model| size(model, name)).collect();
    if let Some(&(memory_mib, compute_slices)) = sizes.iter().min() {
        demand.request = Request::AtLeast { memory_mib, compute_slices, instances: n, together: *together };
    }
}

fn size(model: &Model, name: &ProfileName) -> Option<(u64, u8)> {
    let profile = model.get(model.profile(name)?);
    Some((u64::from(profile.memory_mib.value?), profile.compute_slices))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_and_headroom_are_rounded_up_once() {
        let points = |text: &str| text.parse::<BasisPoints>().unwrap();
        for (count, growth, headroom, target) in [
            (100, "20%", "10%", 132),
            (10, "0%", "0%", 10),
            (1, "1%", "0%", 2),
            (3, "10%", "10%", 4),
            (0, "50%", "50%", 0),
            (8, "12.5%", "0%", 9),
        ] {
            assert_eq!(grown(count, points(growth), points(headroom)), target, "{count} {growth} {headroom}");
        }
    }
}
