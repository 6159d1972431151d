//! What the rules need to know about the problem, looked up once.

use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use super::place::NodePlace;
use crate::demand::Demand;
use crate::fleet::{GpuState, NodeGroup, NodeNames, Pool};
use crate::geometry::{Model, Placement, Profile, ProfileId};
use crate::plan::PlannedNodes;
use crate::problem::Problem;

/// The problem, with sums that cannot overflow.
pub(super) struct Facts<'a> {
    pub(super) problem: &'a Problem,
    pub(super) pools: Vec<PoolFacts<'a>>,
}

/// One pool.
pub(super) struct PoolFacts<'a> {
    pub(super) pool: &'a Pool,
    pub(super) index: usize,
    /// Each group of nodes with the indices of its nodes.
    pub(super) groups: Vec<(Range<u64>, &'a NodeGroup)>,
    pub(super) nodes: u64,
    pub(super) gpus: u64,
}

/// Planned nodes of one pool that are in the same state today: what the rules judge at once.
pub(super) struct Piece<'a> {
    pub(super) pool: &'a Pool,
    pub(super) pool_index: usize,
    pub(super) group: &'a NodeGroup,
    pub(super) planned: &'a PlannedNodes,
    /// Each GPU's model; as many as the plan has GPUs for the node.
    pub(super) models: Rc<[&'a Model]>,
    /// The first node's index within its group.
    first: u64,
    pub(super) count: u64,
}

impl<'a> Facts<'a> {
    pub(super) fn of(problem: &'a Problem) -> Facts<'a> {
        let pools = problem.fleet.pools.iter().enumerate().map(|(index, pool)| PoolFacts::of(pool, index)).collect();
        Facts { problem, pools }
    }

    pub(super) fn demand(&self, index: usize) -> Option<&'a Demand> {
        self.problem.demands.get(index)
    }
}

impl<'a> PoolFacts<'a> {
    fn of(pool: &'a Pool, index: usize) -> PoolFacts<'a> {
        let mut nodes = 0u64;
        let mut groups = Vec::with_capacity(pool.nodes.len());
        for group in &pool.nodes {
            let first = nodes;
            nodes = nodes.saturating_add(node_count(&group.names));
            groups.push((first..nodes, group));
        }
        let gpus = pool.gpus.iter().fold(0u64, |sum, group| sum.saturating_add(u64::from(group.count)));
        PoolFacts { pool, index, groups, nodes, gpus }
    }

    /// The nodes of a range, by the state they are in today.
    pub(super) fn parts(&self, range: Range<u64>) -> impl Iterator<Item = (Range<u64>, u64, &'a NodeGroup)> + '_ {
        let from = self.groups.partition_point(|(nodes, _)| nodes.end <= range.start);
        let end = range.end;
        let overlapping = self.groups[from..].iter().take_while(move |(nodes, _)| nodes.start < end);
        overlapping.filter_map(move |(nodes, group)| {
            let part = nodes.start.max(range.start)..nodes.end.min(range.end);
            (!part.is_empty()).then_some((part, nodes.start, *group))
        })
    }

    /// The nodes of a range, to speak of them: the first one's name, and how many.
    pub(super) fn place(&self, range: Range<u64>) -> NodePlace {
        let count = range.end.saturating_sub(range.start);
        let group = self.groups.partition_point(|(nodes, _)| nodes.end <= range.start);
        let first = self.groups.get(group);
        first.map_or(NodePlace { name: String::new(), count }, |(nodes, group)| {
            NodePlace::new(&group.names, range.start - nodes.start, count)
        })
    }

    /// Each GPU's model by index.
    pub(super) fn models(&self) -> Rc<[&'a Model]> {
        let of_group = |group: &'a crate::fleet::GpuGroup| (0..group.count).map(move |_| &*group.model);
        self.pool.gpus.iter().flat_map(of_group).collect()
    }
}

impl<'a> Piece<'a> {
    pub(super) fn new(
        facts: &PoolFacts<'a>,
        planned: &'a PlannedNodes,
        models: Rc<[&'a Model]>,
        (part, group_start, group): (Range<u64>, u64, &'a NodeGroup),
    ) -> Piece<'a> {
        Piece {
            pool: facts.pool,
            pool_index: facts.index,
            group,
            planned,
            models,
            first: part.start - group_start,
            count: part.end - part.start,
        }
    }

    pub(super) fn place(&self) -> NodePlace {
        NodePlace::new(&self.group.names, self.first, self.count)
    }

    /// What is on a GPU today.
    pub(super) fn state(&self, gpu: usize) -> &'a GpuState {
        self.group.pinned.get(gpu).unwrap_or(&GpuState::Idle)
    }

    /// The instances that stay on a GPU.
    pub(super) fn pinned(&self, gpu: usize) -> &'a [Placement] {
        match self.state(gpu) {
            GpuState::Pinned(layout) => layout.placements(),
            GpuState::Idle | GpuState::Taken => &[],
        }
    }

    /// The instances the plan puts on a GPU, pinned ones included.
    pub(super) fn instances(&self, gpu: usize) -> &'a [Placement] {
        match self.planned.gpus.get(gpu) {
            Some(crate::plan::GpuTarget::Mig(layout) | crate::plan::GpuTarget::Left(layout)) => layout.placements(),
            Some(crate::plan::GpuTarget::MigOff) | None => &[],
        }
    }

    pub(super) fn is_cut(&self, gpu: usize) -> bool {
        let target = self.planned.gpus.get(gpu);
        matches!(target, Some(crate::plan::GpuTarget::Mig(_) | crate::plan::GpuTarget::Left(_)))
    }

    /// Whether a GPU is cut and not merely left as it was.
    pub(super) fn is_cut_for_use(&self, gpu: usize) -> bool {
        matches!(self.planned.gpus.get(gpu), Some(crate::plan::GpuTarget::Mig(_)))
    }

    /// Instances of each profile on a GPU that are planned and not pinned.
    pub(super) fn added(&self, gpu: usize) -> BTreeMap<ProfileId, u64> {
        let pinned = self.pinned(gpu);
        let mut added = BTreeMap::new();
        for placement in self.instances(gpu).iter().filter(|placement| !pinned.contains(placement)) {
            *added.entry(placement.profile).or_insert(0u64) += 1;
        }
        added
    }
}

/// A model's profile, if it has that many.
pub(super) fn profile(model: &Model, id: ProfileId) -> Option<&Profile> {
    model.profiles.get(usize::from(id.0))
}

/// `3g.40gb@4`.
pub(super) fn shown(model: &Model, placement: Placement) -> String {
    match profile(model, placement.profile) {
        Some(profile) => format!("{}@{}", profile.name, placement.start),
        None => format!("#{}@{}", placement.profile.0, placement.start),
    }
}

fn node_count(names: &NodeNames) -> u64 {
    match names {
        NodeNames::Numbered { count, .. } => u64::from(*count),
        NodeNames::Listed(listed) => listed.len() as u64,
    }
}
