//! Which running units stay, and which GPUs are cut anew.
//!
//! GPUs that are cut together (a node's, or one; see [`RecutUnit`](crate::present::RecutUnit)) are a *group*; groups in the same state
//! are one, with `n` copies. To the pooled program this adds, per group `g`:
//!
//! - a node or GPU: `stay[g]` copies that stay cut as they are, on nodes also `recut[g]`, with
//!   `stay + recut ≤ n`. What stays offers the instances it has; what does not is idle, or on nodes that are
//!   not cut anew of no use;
//! - instances: `x[g, K]` copies on which just the running units `K` stay, with `Σ_K x = n`. Beside them fits
//!   what their capability says; without any the GPU is idle.
//!
//! `kept[u] ≤ running·stay[g]` units of each kind stay, or `Σ_K x[g, K]·|K ∩ u|` of them; units that hold
//! parts of several groups need all of them. They are served where they are and take the instances they
//! hold, so everything else is as in [`super::fleet_program`]. A node's own rules are relaxed here as
//! there, so the bounds hold for every plan; the plan itself is made afterwards, with what stays fixed.

mod decode;
mod group;
mod vars;

use super::cell::{Capabilities, Cell};
use super::compile::Compiled;
use super::decision::Decisions;
use super::fleet_program::FleetProgram;
use super::optimise::{Reached, most_spare, step};
use super::program::Sum;
use super::solver::Solver;
use super::{Depth, Options, Prefer};

pub(super) use decode::Fate;
pub(super) use group::Groups;
pub(super) use vars::{Counted, PoolVars, PresentVars};

/// Most branch and bound nodes for one tier.
const NODES: u64 = 20_000;

/// What is decided, with what each tier reaches and cannot pass.
pub(super) struct Kept {
    pub(super) decisions: Decisions,
    /// Units that run today, by level.
    pub(super) running: Vec<i64>,
    /// By level.
    pub(super) served: Vec<Reached>,
    /// Units evicted, by level.
    pub(super) evicted: Vec<Reached>,
    pub(super) recut: Reached,
    pub(super) cost: Reached,
    /// No plan that reaches these has more slices to spare.
    pub(super) spare: i64,
}

/// Decides what stays, by the tiers in their order, with at least so much cut anew, and what becomes of what is not
/// used; `None` if that cannot be, or if the budget was spent before anything was known.
pub(super) fn decide(
    compiled: &Compiled<'_>,
    groups: &Groups,
    options: &Options<'_>,
    capabilities: &mut Capabilities,
    (least_recut, spare): (i64, Fate),
) -> Option<Kept> {
    let cells = Cell::pooled(compiled, capabilities, &groups.nodes);
    let mut fleet = FleetProgram::beside_present(compiled, &cells, options.formulation, groups, capabilities);
    let solver = Solver { backend: options.backend, budget: options.budget, nodes: NODES };
    let levels = 0..compiled.levels.len();
    let kept: Vec<Sum> = levels.clone().map(|level| kept_at(&fleet.present, level)).collect();
    let all = kept.iter().fold(Sum::new(), |all, kept| all + kept);
    let running: i64 = groups.running.iter().sum();
    if let Some(most) = options.moving.max_evictions {
        fleet.program.at_least(all.clone(), running.saturating_sub(i64::try_from(most).unwrap_or(i64::MAX)));
    }
    let recut = fleet.present.recut_nodes.clone() + &fleet.present.cut_anew;
    if least_recut > 0 {
        fleet.program.at_least(recut.clone(), least_recut);
    }
    // To keep everything is always possible where nothing has to be cut.
    let values = solver.maximise(&fleet.program, &all, None).values;
    let mut tiers = Tiers { fleet, values, solver };
    let served: Option<Vec<Reached>> = levels.map(|level| tiers.most(&tiers.fleet.served_at(level))).collect();
    let disturb = |tiers: &mut Tiers<'_>| -> Option<(Vec<Reached>, Reached)> {
        let evicted = |(kept, running): (&Sum, &i64)| {
            let Reached { value, bound } = tiers.most(kept)?;
            Some(Reached { value: running - value, bound: running - bound })
        };
        let evicted = kept.iter().zip(&groups.running).map(evicted).collect::<Option<Vec<Reached>>>()?;
        Some((evicted, tiers.least(&recut)?))
    };
    let spend = |tiers: &mut Tiers<'_>| tiers.least(&tiers.fleet.cost.clone());
    let served = served?;
    let only_served = options.depth == Depth::Served;
    let (evicted, recut, cost) = match options.moving.prefer {
        _ if only_served => tiers.as_they_are(&kept, &groups.running, &recut)?,
        Prefer::FewEvictions => {
            let (evicted, recut) = disturb(&mut tiers)?;
            (evicted, recut, spend(&mut tiers)?)
        }
        Prefer::LowCost => {
            if options.moving.max_evictions.is_none() {
                tiers.start_with_all_open(&all);
            }
            let cost = spend(&mut tiers)?;
            let (evicted, recut) = disturb(&mut tiers)?;
            (evicted, recut, cost)
        }
    };
    let Tiers { fleet, values, .. } = tiers;
    let found = if only_served { None } else { most_spare(&fleet, values.as_deref(), &solver) };
    let leftover = found.map_or(i64::MAX, |(_, spare)| spare.bound);
    let decisions = groups.decisions(compiled, &fleet.present, &values?, spare);
    let running = groups.running.clone();
    Some(Kept { decisions, running, served, evicted, recut, cost, spare: leftover })
}

/// Units of a level that stay.
fn kept_at(present: &PresentVars, level: usize) -> Sum {
    let at_level = present.kept.iter().filter(|((_, l), _)| *l == level);
    at_level.fold(Sum::new(), |sum, (_, kept)| sum + kept)
}

/// The program on its way down the tiers.
struct Tiers<'a> {
    fleet: FleetProgram,
    /// The best values so far.
    values: Option<Vec<i64>>,
    solver: Solver<'a>,
}

impl Tiers<'_> {
    /// Solves one tier and holds its value fixed from then on.
    fn most(&mut self, objective: &Sum) -> Option<Reached> {
        step(&mut self.fleet, objective, &mut self.values, &self.solver)
    }

    fn least(&mut self, objective: &Sum) -> Option<Reached> {
        let Reached { value, bound } = self.most(&objective.negated())?;
        Some(Reached { value: -value, bound: -bound })
    }

    /// What the values come to in the tiers behind those of service, with no bound sought.
    fn as_they_are(&self, kept: &[Sum], running: &[i64], recut: &Sum) -> Option<(Vec<Reached>, Reached, Reached)> {
        let values = self.values.as_ref()?;
        let value = |sum: &Sum| i64::try_from(sum.value(values)).ok();
        let unbounded = |value| Reached { value, bound: 0 };
        let evicted = kept.iter().zip(running).map(|(kept, running)| Some(unbounded(running - value(kept)?)));
        Some((evicted.collect::<Option<_>>()?, unbounded(value(recut)?), unbounded(value(&self.fleet.cost)?)))
    }

    /// What everything costs when all moves that may is a good start for the least cost, and often it.
    fn start_with_all_open(&mut self, kept: &Sum) {
        let mut open = self.fleet.program.clone();
        let Some(fewest) = self.solver.maximise(&open, &kept.negated(), None).values else { return };
        open.at_most(kept.clone(), i64::try_from(kept.value(&fewest)).unwrap_or(i64::MAX));
        let cost = &self.fleet.cost;
        let fresh = self.solver.maximise(&open, &cost.negated(), Some(&fewest)).values;
        let better = |new: &Vec<i64>| self.values.as_ref().is_none_or(|old| cost.value(new) < cost.value(old));
        if let Some(fresh) = fresh.filter(better) {
            self.values = Some(fresh);
        }
    }
}
