//! Why no GPU takes one more, GPU by GPU.

use std::fmt;

use super::rows::Limits;
use super::{Freedom, Wanted};
use crate::fleet::{GpuState, NodeGroup, Pool, Strategy};
use crate::geometry::{Counts, Layout, Model, ProfileId};
use crate::plan::{Plan, PlannedNodes};
use crate::present::{Present, RecutUnit};
use crate::problem::Problem;

/// What keeps a GPU from taking one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LimitCode {
    /// Its memory slices do not suffice.
    Memory,
    /// Its compute slices do not suffice.
    Compute,
    /// It has no media engines left.
    Engines,
    /// The driver makes no more of the profile on one GPU.
    Maximum,
    /// The totals would suffice, but no start is left.
    Starts,
    /// It is in use, and a whole GPU is asked for; or it is in use as a whole.
    InUse,
    /// It is cut into other instances, or into too few, and stays cut as it is.
    Cut,
    /// MIG is off, and stays off.
    MigOff,
    /// It is not known how it is cut.
    Unknown,
    /// What runs there, or with it on the node, keeps it cut as it is.
    Running,
    /// The same, and must stay, or is pinned.
    MustStay,
    /// Strategy `single`: the node is all of another profile.
    Strategy,
    /// There might be room: the search ended before.
    Undecided,
}

impl LimitCode {
    /// Every code.
    pub const ALL: [LimitCode; 13] = [
        LimitCode::Memory,
        LimitCode::Compute,
        LimitCode::Engines,
        LimitCode::Maximum,
        LimitCode::Starts,
        LimitCode::InUse,
        LimitCode::Cut,
        LimitCode::MigOff,
        LimitCode::Unknown,
        LimitCode::Running,
        LimitCode::MustStay,
        LimitCode::Strategy,
        LimitCode::Undecided,
    ];

    /// The code as programs read it.
    pub fn as_str(self) -> &'static str {
        match self {
            LimitCode::Memory => "memory-slices",
            LimitCode::Compute => "compute-slices",
            LimitCode::Engines => "media-engines",
            LimitCode::Maximum => "most-per-gpu",
            LimitCode::Starts => "starts",
            LimitCode::InUse => "in-use",
            LimitCode::Cut => "cut",
            LimitCode::MigOff => "mig-off",
            LimitCode::Unknown => "cut-unknown",
            LimitCode::Running => "running-pods",
            LimitCode::MustStay => "pods-that-must-stay",
            LimitCode::Strategy => "strategy-single",
            LimitCode::Undecided => "not-decided",
        }
    }
}

impl fmt::Display for LimitCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The GPUs of a pool, or of all, that could have the profile, by what keeps them from taking one more in a plan.
pub(super) fn limits(problem: &Problem, plan: &Plan, wanted: &Wanted, freedom: Freedom, only: Option<usize>) -> Limits {
    let mut limits = Limits::new();
    for (index, pool) in problem.fleet.pools.iter().enumerate().filter(|(i, _)| only.is_none_or(|only| only == *i)) {
        let models: Vec<&Model> = pool.gpu_models().map(AsRef::as_ref).collect();
        if models.iter().all(|model| wanted.most_on(model) == 0) {
            continue;
        }
        let mut groups = pool.node_ranges().filter(|(range, _)| !range.is_empty()).peekable();
        for planned in plan.nodes.iter().filter(|planned| planned.pool == index) {
            let mut from = planned.nodes.start;
            while from < planned.nodes.end {
                let Some((range, group)) = groups.peek() else { break };
                let to = range.end.min(planned.nodes.end);
                let node = Node { problem, pool, models: &models, group, planned, freedom };
                for gpu in 0..models.len() {
                    if let Some(code) = node.limit(gpu, wanted) {
                        *limits.entry(code).or_insert(0) += u64::from(to - from);
                    }
                }
                from = to;
                if to == range.end {
                    groups.next();
                }
            }
        }
    }
    limits
}

/// Nodes that are alike today and become the same.
struct Node<'a> {
    problem: &'a Problem,
    pool: &'a Pool,
    models: &'a [&'a Model],
    group: &'a NodeGroup,
    planned: &'a PlannedNodes,
    freedom: Freedom,
}

impl Node<'_> {
    /// What keeps a GPU from taking one more; `None` if its model does not have the profile.
    fn limit(&self, gpu: usize, wanted: &Wanted) -> Option<LimitCode> {
        let profile = match wanted {
            Wanted::Profile(name) => Some(self.models[gpu].profile(name)?),
            Wanted::WholeGpu => None,
        };
        if self.freedom == Freedom::AsCut && self.group.present.is_none() {
            return Some(LimitCode::Unknown);
        }
        if *self.group.state(gpu) == GpuState::Taken || self.serves_whole(gpu) {
            return Some(LimitCode::InUse);
        }
        if profile.is_none() && (self.used(gpu) != Counts::EMPTY || *self.group.state(gpu) != GpuState::Idle) {
            return Some(LimitCode::InUse);
        }
        Some(match &self.group.present {
            Some(present) if self.stays_cut(present, gpu) => self.closed(present, gpu),
            _ => profile.map_or_else(|| self.whole(), |profile| self.open(gpu, profile)),
        })
    }

    fn single(&self) -> bool {
        self.pool.strategy == Strategy::Single
    }

    /// The GPUs that are cut together with this one.
    fn together(&self, present: &Present, gpu: usize) -> std::ops::Range<usize> {
        if self.single() || present.unit == RecutUnit::Node { 0..self.models.len() } else { gpu..gpu + 1 }
    }

    /// The running units that stay and hold part of these GPUs.
    fn kept<'p>(&self, present: &'p Present, gpus: std::ops::Range<usize>) -> impl Iterator<Item = usize> + 'p {
        let evicts = self.planned.evicts.clone();
        let units = present.running.iter().enumerate().filter(move |(i, _)| evicts.binary_search(i).is_err());
        let here = units.filter(move |(_, u)| u.holds.iter().any(|held| gpus.contains(&usize::from(held.gpu))));
        here.map(|(index, _)| index)
    }

    fn is_pinned(&self, gpus: std::ops::Range<usize>) -> bool {
        gpus.into_iter().any(|gpu| *self.group.state(gpu) != GpuState::Idle)
    }

    /// Whether the GPU stays cut as it is.
    fn stays_cut(&self, present: &Present, gpu: usize) -> bool {
        if self.freedom == Freedom::AsCut && !present.is_cut_by_driver() {
            return true;
        }
        let gpus = self.together(present, gpu);
        let by_instance = present.unit == RecutUnit::Instance && !self.single();
        if by_instance && present.layout(gpu).is_some_and(|layout| !layout.is_empty()) {
            return false;
        }
        self.is_pinned(gpus.clone()) || self.kept(present, gpus).next().is_some()
    }

    /// What keeps a GPU cut as it is.
    fn closed(&self, present: &Present, gpu: usize) -> LimitCode {
        if self.freedom == Freedom::AsCut && !present.is_cut_by_driver() {
            let is_cut = present.layout(gpu).is_some_and(|layout| !layout.is_empty());
            return if is_cut { LimitCode::Cut } else { LimitCode::MigOff };
        }
        let gpus = self.together(present, gpu);
        let must_stay = self.kept(present, gpus.clone()).any(|unit| self.problem.must_stay(&present.running[unit]));
        if must_stay || self.is_pinned(gpus) { LimitCode::MustStay } else { LimitCode::Running }
    }

    fn whole(&self) -> LimitCode {
        let used = (0..self.models.len()).any(|gpu| self.used(gpu) != Counts::EMPTY);
        if self.single() && used { LimitCode::Strategy } else { LimitCode::Undecided }
    }

    /// Why a GPU that may be cut anew has no room for one more beside what serves on it.
    fn open(&self, gpu: usize, profile: ProfileId) -> LimitCode {
        let model = self.models[gpu];
        if self.single() {
            let all = (0..self.models.len()).flat_map(|gpu| {
                self.used(gpu).iter().map(|(id, _)| &self.models[gpu].get(id).name).collect::<Vec<_>>()
            });
            let whole = (0..self.models.len()).any(|gpu| self.serves_whole(gpu));
            let name = &model.get(profile).name;
            // All GPUs of the node carry one profile, so each of them must have it.
            let lacks = self.models.iter().any(|model| !model.profiles.iter().any(|p| p.name == *name));
            if whole || lacks || all.into_iter().any(|other| other != name) {
                return LimitCode::Strategy;
            }
        }
        let fixed = self.fixed(gpu);
        let mut wanted = self.used(gpu).minus(&fixed.counts()).unwrap_or(Counts::EMPTY);
        wanted[profile] = wanted[profile].saturating_add(1);
        why_not(model, wanted, &fixed)
    }

    fn serves_whole(&self, gpu: usize) -> bool {
        let shares = self.planned.serves.iter().flat_map(|serving| &serving.shares);
        shares.into_iter().any(|share| usize::from(share.gpu) == gpu && share.profile.is_none())
    }

    /// The instances that serve, and those that are pinned.
    fn used(&self, gpu: usize) -> Counts {
        let shares = self.planned.serves.iter().flat_map(|serving| &serving.shares);
        let here = shares.filter(|share| usize::from(share.gpu) == gpu);
        let counted = here.filter_map(|share| Some((share.profile?, u8::try_from(share.instances).unwrap_or(u8::MAX))));
        let serving: Counts = counted.collect();
        match self.group.state(gpu) {
            GpuState::Pinned(layout) => serving.plus(&layout.counts()),
            _ => serving,
        }
    }

    /// The instances that stay where they are on a GPU to which others may be added.
    fn fixed(&self, gpu: usize) -> Layout {
        let pinned = match self.group.state(gpu) {
            GpuState::Pinned(layout) => layout.clone(),
            _ => Layout::empty(),
        };
        let Some(present) = self.group.present.as_ref().filter(|p| p.unit == RecutUnit::Instance && !self.single())
        else {
            return pinned;
        };
        let kept = self.kept(present, gpu..gpu + 1).flat_map(|unit| &present.running[unit].holds);
        let here = kept.filter(|held| usize::from(held.gpu) == gpu).filter_map(|held| held.instance);
        pinned.merged(&Layout::claimed(here))
    }
}

/// Why instances have no room beside others, totals first.
fn why_not(model: &Model, wanted: Counts, fixed: &Layout) -> LimitCode {
    let Ok(taken) = fixed.occupancy(model) else { return LimitCode::Undecided };
    if model.fits_beside(&wanted, &taken) {
        return LimitCode::Undecided;
    }
    let all = wanted.plus(&fixed.counts());
    let sum =
        |of: &dyn Fn(ProfileId) -> u8| -> u32 { all.iter().map(|(id, n)| u32::from(of(id)) * u32::from(n)).sum() };
    if sum(&|id| model.get(id).size) > u32::from(model.units) {
        return LimitCode::Memory;
    }
    if sum(&|id| model.get(id).compute_slices) > u32::from(model.compute_slices) {
        return LimitCode::Compute;
    }
    let mut engines = Some(model.engine_budget);
    for (id, n) in all.iter() {
        for _ in 0..n {
            engines = engines.and_then(|left| left.checked_sub(model.get(id).engines));
        }
    }
    if engines.is_none() {
        return LimitCode::Engines;
    }
    if all.iter().any(|(id, n)| n > model.get(id).max_instances) { LimitCode::Maximum } else { LimitCode::Starts }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Catalog;

    #[test]
    fn the_limit_is_what_the_hardware_says() {
        for (model, fixed, wanted, limit) in [
            ("H100-80GB", "", "1g.10gb=8", LimitCode::Compute),
            ("H100-80GB", "", "3g.40gb=3", LimitCode::Memory),
            ("H100-80GB", "", "3g.40gb=2,1g.10gb=1", LimitCode::Memory),
            ("H100-80GB", "", "1g.20gb=5", LimitCode::Memory),
            ("H100-80GB", "", "2g.20gb=4", LimitCode::Compute),
            ("H100-80GB", "", "7g.80gb=2", LimitCode::Memory),
            ("A100-80GB", "", "1g.10gb+me=2", LimitCode::Maximum),
            ("H100-80GB", "1g.10gb@0,1g.10gb@6", "3g.40gb=1", LimitCode::Starts),
            ("H100-80GB", "", "1g.10gb=7", LimitCode::Undecided),
        ] {
            let model = Catalog::builtin().model(model).unwrap();
            let fixed = if fixed.is_empty() { Layout::empty() } else { Layout::parse(&model, fixed).unwrap() };
            assert_eq!(why_not(&model, Counts::parse(&model, wanted).unwrap(), &fixed), limit, "{wanted} on {fixed:?}");
        }
    }

    #[test]
    fn every_code_is_listed_once() {
        let words: std::collections::BTreeSet<&str> = LimitCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words.len(), LimitCode::ALL.len());
    }
}
