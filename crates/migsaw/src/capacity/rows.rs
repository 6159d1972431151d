//! How many more of each profile fit.

use std::collections::BTreeMap;

use super::base::{anywhere, count, held_by};
use super::limit::limits;
use super::{Asker, Bounded, CapacityError, Fit, Freedom, PoolRow, Row, Share, Wanted};
use crate::demand::{Demand, Request};
use crate::fleet::Pool;
use crate::geometry::{Model, ProfileName, nearest};
use crate::plan::{Options, Plan, TierName};
use crate::problem::Problem;

impl Asker<'_> {
    /// A row for each profile asked about.
    pub(super) fn rows(&self, profiles: Option<&[ProfileName]>) -> Result<Vec<Row>, CapacityError> {
        let pools = &self.base.problem.fleet.pools;
        let mut known: Vec<&ProfileName> = Vec::new();
        for model in pools.iter().flat_map(|pool| &pool.gpus).map(|group| &group.model) {
            for profile in &model.profiles {
                if !known.contains(&&profile.name) {
                    known.push(&profile.name);
                }
            }
        }
        let wanted: Vec<Wanted> = match profiles {
            None => known.into_iter().cloned().map(Wanted::Profile).chain([Wanted::WholeGpu]).collect(),
            Some(names) => {
                names.iter().try_for_each(|name| known_profile(pools, name))?;
                names.iter().cloned().map(Wanted::Profile).collect()
            }
        };
        let mut rows: Vec<Row> = wanted.into_iter().map(|wanted| self.row(wanted)).collect();
        // What needs no search comes first and what needs most comes last, so that a time limit cuts off as little
        // as it can.
        let mut freedoms = self.freedoms.to_vec();
        freedoms.sort_by_key(|freedom| matches!(freedom, Freedom::Evict(_)));
        let mut left = u32::try_from(freedoms.len() * rows.len()).unwrap_or(u32::MAX);
        for &freedom in &freedoms {
            for row in &mut rows {
                // Most questions take less than their part, so each may take some more.
                let share = Share::of(self.options.budget, left.div_ceil(3));
                let options = Options { budget: &share, ..*self.options };
                Asker { options: &options, ..*self }.ask(row, freedom)?;
                left -= 1;
            }
        }
        for row in &mut rows {
            row.total.sort_by_key(|fit| fit.freedom);
            row.pools.iter_mut().for_each(|pool| pool.fits.sort_by_key(|fit| fit.freedom));
        }
        for row in rows.iter_mut().filter(|_| self.base.is_running) {
            never_less(&mut row.total);
            row.pools.iter_mut().for_each(|pool| never_less(&mut pool.fits));
        }
        Ok(rows)
    }

    /// A row without answers.
    fn row(&self, wanted: Wanted) -> Row {
        let pools = self.base.problem.fleet.pools.iter().enumerate();
        let offers = pools.map(|(pool, of)| (pool, held_by(of, |model| wanted.most_on(model))));
        let new = |(pool, empty)| PoolRow { pool, empty, fits: Vec::new() };
        let pools: Vec<PoolRow> = offers.filter(|(_, empty)| *empty > 0).map(new).collect();
        Row { empty: pools.iter().map(|pool| pool.empty).sum(), wanted, total: Vec::new(), pools }
    }

    /// Answers for one freedom.
    fn ask(&self, row: &mut Row, freedom: Freedom) -> Result<(), CapacityError> {
        let Row { wanted, empty, total, pools } = row;
        let (problem, plan) = self.most_of(wanted, *empty, None, freedom)?;
        let all = room(&problem, &plan, *empty);
        let of_all = Fit { freedom, room: all, limits: limits(&problem, &plan, wanted, freedom, None) };
        let added = problem.demands.len() - 1;
        for of_pool in pools {
            let only = Some(of_pool.pool);
            let fit = if of_pool.empty == *empty {
                of_all.clone()
            } else if freedom.keeps_all() && self.base.is_running {
                // Nothing moves from pool to pool, so what the others reach is out of the question here.
                let least = served_in(&plan, added, of_pool.pool);
                let room = Bounded { least, most: (least + (all.most - all.least)).min(of_pool.empty) };
                Fit { freedom, room, limits: limits(&problem, &plan, wanted, freedom, only) }
            } else {
                let pool = &self.base.problem.fleet.pools[of_pool.pool];
                let (problem, plan) = self.most_of(wanted, of_pool.empty, Some(pool), freedom)?;
                let room = room(&problem, &plan, of_pool.empty);
                Fit { freedom, room, limits: limits(&problem, &plan, wanted, freedom, only) }
            };
            of_pool.fits.push(fit);
        }
        total.push(of_all);
        Ok(())
    }

    /// The plan that serves most, with its problem, of which the last demand is what is added.
    fn most_of(
        &self,
        wanted: &Wanted,
        empty: u64,
        only: Option<&Pool>,
        freedom: Freedom,
    ) -> Result<(Problem, Plan), CapacityError> {
        let mut added = Demand::new(wanted.to_string(), wanted.request(), count(empty));
        added.eligible = anywhere(only);
        let problem = self.base.with(freedom, [added]);
        let plan = self.plan(&problem, freedom)?;
        Ok((problem, plan))
    }
}

/// How much of what is added is served. The bound of a tier holds for plans that serve as much at the higher
/// priorities, so those must be proven too.
fn room(problem: &Problem, plan: &Plan, empty: u64) -> Bounded {
    let added = problem.demands.len() - 1;
    let least = plan.served(problem.demands.len())[added];
    let mut most = empty;
    for tier in &plan.tiers {
        match tier.name {
            TierName::Served { priority } if priority == problem.demands[added].priority => {
                // A demand may have so many units only.
                let is_all = tier.bound.unsigned_abs() >= problem.demands[added].count;
                most = if is_all { empty } else { tier.bound.unsigned_abs() };
                break;
            }
            TierName::Served { .. } if tier.value != tier.bound => break,
            _ => {}
        }
    }
    Bounded { least, most: most.max(least).min(empty.max(least)) }
}

/// More freedom never leaves less room.
fn never_less(fits: &mut [Fit]) {
    for i in 1..fits.len() {
        fits[i].room.least = fits[i].room.least.max(fits[i - 1].room.least);
        fits[i].room.most = fits[i].room.most.max(fits[i].room.least);
    }
    for i in (1..fits.len()).rev() {
        fits[i - 1].room.most = fits[i - 1].room.most.min(fits[i].room.most);
    }
}

/// Units of a demand that a pool serves.
pub(super) fn served_in(plan: &Plan, demand: usize, pool: usize) -> u64 {
    let groups = plan.nodes.iter().filter(|group| group.pool == pool);
    let units = groups.flat_map(|group| group.serves.iter().map(move |serving| (group, serving)));
    let of_demand = units.filter(|(_, serving)| serving.demand == demand);
    of_demand.map(|(group, serving)| u64::from(serving.units) * u64::from(group.node_count())).sum()
}

/// Refuses a profile that no GPU of the fleet has.
pub(super) fn known_profile(pools: &[Pool], name: &ProfileName) -> Result<(), CapacityError> {
    let models = || pools.iter().filter(|pool| pool.node_count() > 0).flat_map(|pool| &pool.gpus).map(|g| &g.model);
    if models().any(|model| model.profile(name).is_some()) {
        return Ok(());
    }
    let names = models().flat_map(|model| &model.profiles).map(|profile| profile.name.to_string());
    Err(CapacityError::UnknownProfile { name: name.clone(), nearest: nearest(&name.to_string(), names) })
}

impl Wanted {
    /// What one unit asks for.
    fn request(&self) -> Request {
        match self {
            Wanted::Profile(name) => Demand::of_profile("", name.clone(), 1).request,
            Wanted::WholeGpu => Request::WholeGpus { gpus: 1 },
        }
    }

    /// Most of it that an empty GPU holds.
    pub(super) fn most_on(&self, model: &Model) -> u64 {
        match self {
            Wanted::WholeGpu => 1,
            Wanted::Profile(name) => model.profile(name).map_or(0, |id| {
                let most = model.idle_capability().maximal().iter().map(|counts| counts[id]).max();
                u64::from(most.unwrap_or(0))
            }),
        }
    }
}

/// Limits added up.
pub(super) type Limits = BTreeMap<super::LimitCode, u64>;
