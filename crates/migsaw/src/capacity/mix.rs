//! How many more copies of a mix fit.

use std::collections::BTreeMap;

use super::base::{anywhere, held_by};
use super::rows::known_profile;
use super::search::{Verdict, most};
use super::{Asker, CapacityError, Copies, Freedom, Lack, Mix, MixRow};
use crate::demand::Demand;
use crate::fleet::Pool;
use crate::geometry::ProfileName;
use crate::plan::{Plan, TierName};
use crate::problem::{MAX_COUNT, Problem};

impl Asker<'_> {
    /// The row of a mix; `None` for the demands of a problem that has none.
    pub(super) fn mix(&self, problem: &Problem, mix: &Mix) -> Result<Option<MixRow>, CapacityError> {
        let pools = &self.base.problem.fleet.pools;
        match mix {
            Mix::None => Ok(None),
            Mix::Demands => {
                let copy: Vec<Demand> = problem.demands.iter().filter(|demand| demand.count > 0).cloned().collect();
                if copy.is_empty() {
                    return Ok(None);
                }
                let counts: Vec<u64> = problem.demands.iter().map(|demand| demand.count).collect();
                // Copies of a demand are units of it, so that its limit per node holds for all of them.
                let with = |freedom, copies: u64| {
                    let mut with = self.base.with(freedom, []);
                    let demands = with.demands.iter_mut().zip(&counts);
                    demands.for_each(|(demand, n)| demand.count += copies * n);
                    with
                };
                let total = self.copies(&counts, &with)?;
                Ok(Some(MixRow { copy, total, pools: Vec::new() }))
            }
            Mix::Profiles(profiles) => {
                profiles.keys().try_for_each(|name| known_profile(pools, name))?;
                if profiles.values().all(|&n| n == 0) {
                    return Err(CapacityError::EmptyMix);
                }
                let total = self.copies_of(profiles, None)?;
                let several = pools.iter().filter(|pool| pool.gpu_count() > 0).count() > 1;
                let each = pools.iter().enumerate().filter(|(_, pool)| several && pool.gpu_count() > 0);
                let of_pool = |(index, pool)| Ok((index, self.copies_of(profiles, Some(pool))?));
                let pools: Result<Vec<_>, CapacityError> = each.map(of_pool).collect();
                Ok(Some(MixRow { copy: demands(profiles, 1, None), total, pools: pools? }))
            }
        }
    }

    fn copies_of(
        &self,
        profiles: &BTreeMap<ProfileName, u64>,
        only: Option<&Pool>,
    ) -> Result<Vec<Copies>, CapacityError> {
        let counts: Vec<u64> = profiles.values().copied().collect();
        let with = |freedom, copies| self.base.with(freedom, demands(profiles, copies, only));
        self.copies(&counts, &with)
    }

    /// How many copies fit, by freedom. What fits with less freedom fits with more.
    fn copies(&self, counts: &[u64], with: &dyn Fn(Freedom, u64) -> Problem) -> Result<Vec<Copies>, CapacityError> {
        // No fleet holds more instances than it has placement units.
        let each = counts.iter().fold(0, |sum: u64, &n| sum.saturating_add(n)).max(1);
        let physical = self.placement_units() / each;
        // A count has a limit too, with room for what runs and for one copy more.
        let largest = counts.iter().max().copied().unwrap_or(1).max(1);
        let limit = physical.min((MAX_COUNT / 2 / largest).saturating_sub(1));
        let mut found: Vec<Copies> = Vec::new();
        let mut from = 0;
        for &freedom in self.freedoms {
            let ask = |copies: u64| -> Result<(Problem, Plan), CapacityError> {
                let mut problem = with(freedom, copies);
                problem.demands.iter_mut().for_each(|demand| demand.priority = 0);
                let plan = self.plan(&problem, freedom)?;
                Ok((problem, plan))
            };
            let verdict = |copies| ask(copies).map(|(problem, plan)| all_served(&problem, &plan));
            // What comes first may itself be more than fits.
            let starts = from > 0 || self.base.is_running || verdict(0)? == Verdict::Yes;
            let mut room = most(from, if starts { limit } else { 0 }, verdict)?;
            if starts && room.most == limit {
                room.most = physical;
            }
            from = room.least;
            let (problem, plan) = ask(if starts { room.least + 1 } else { 0 })?;
            found.push(Copies { freedom, room, lacks: Lack::all(&problem, &plan) });
        }
        for i in (1..found.len()).rev() {
            found[i - 1].room.most = found[i - 1].room.most.min(found[i].room.most);
        }
        Ok(found)
    }

    fn placement_units(&self) -> u64 {
        let pools = self.base.problem.fleet.pools.iter();
        pools.map(|pool| held_by(pool, |model| u64::from(model.units))).sum()
    }
}

/// So many copies as demands.
fn demands(profiles: &BTreeMap<ProfileName, u64>, copies: u64, only: Option<&Pool>) -> Vec<Demand> {
    let demand = |(name, n): (&ProfileName, &u64)| {
        let mut demand = Demand::of_profile(name.to_string(), name.clone(), n.saturating_mul(copies).min(MAX_COUNT));
        demand.eligible = anywhere(only);
        demand
    };
    profiles.iter().map(demand).collect()
}

/// Whether everything is served of a problem with one priority.
pub(crate) fn all_served(problem: &Problem, plan: &Plan) -> Verdict {
    let asked: u64 = problem.demands.iter().map(|demand| demand.count).sum();
    if plan.served(problem.demands.len()).iter().sum::<u64>() == asked {
        return Verdict::Yes;
    }
    let bound = plan.tiers.iter().filter(|tier| matches!(tier.name, TierName::Served { .. })).map(|tier| tier.bound);
    if bound.sum::<i64>().unsigned_abs() < asked { Verdict::No } else { Verdict::Unknown }
}
