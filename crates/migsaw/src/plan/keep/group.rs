//! GPUs that are cut together, those in the same state as one.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::fleet::Strategy;
use crate::geometry::{Counts, Layout, Placement, ProfileId};
use crate::plan::Moving;
use crate::plan::compile::Compiled;
use crate::plan::decision::Gpu;
use crate::present::{Present, RecutUnit, Running};

/// GPUs that are cut together, in the same state on all copies.
pub(super) struct Group {
    pub(super) pool: usize,
    pub(super) gpus: Vec<GroupGpu>,
    pub(super) kinds: Vec<UnitKind>,
    pub(super) by: RecutUnit,
    /// Whether it stays cut as it is whatever is planned.
    pub(super) is_left_cut: bool,
    pub(super) sites: Vec<Site>,
}

/// One of a group's copies.
pub(super) struct Site {
    pub(super) node: u32,
    /// The GPUs' indices in the node.
    pub(super) gpus: Range<usize>,
    /// By kind, which of the node's running units are of it.
    pub(super) running: Vec<Vec<usize>>,
}

/// A GPU of a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct GroupGpu {
    pub(super) board: usize,
    /// How it is cut; `None` for MIG off.
    pub(super) layout: Option<Layout>,
    /// What stays whatever is planned.
    pub(super) pinned: Gpu,
}

/// Running units that are alike, on each copy of a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct UnitKind {
    pub(super) flow: usize,
    pub(super) level: usize,
    pub(super) stays: bool,
    /// What one of them holds of the group, by board and profile; `None` for whole GPUs.
    pub(super) takes: BTreeMap<(usize, Option<ProfileId>), i64>,
    /// Where, if single instances stay.
    pub(super) at: Vec<Placement>,
    /// The node and its index there, if it holds parts of several groups.
    pub(super) spans: Option<(u32, usize)>,
}

/// The groups of a problem.
pub(in crate::plan) struct Groups {
    pub(super) list: Vec<Group>,
    /// Nodes on which something runs, by pool.
    pub(in crate::plan) nodes: Vec<i64>,
    /// Units that run, by level.
    pub(super) running: Vec<i64>,
}

impl Groups {
    pub(in crate::plan) fn of(compiled: &Compiled<'_>, moving: Moving) -> Groups {
        let pools = &compiled.problem.fleet.pools;
        let (flow_of, leave_cut) = (flow_of(compiled), moving.leave_cut);
        let mut found = Builder { compiled, flow_of, leave_cut, known: BTreeMap::new(), groups: Vec::new() };
        let mut nodes = vec![0; pools.len()];
        let mut running = vec![0; compiled.levels.len()];
        for (pool, shape) in pools.iter().enumerate() {
            for (range, group) in shape.node_ranges() {
                let Some(present) = &group.present else { continue };
                for node in range {
                    nodes[pool] += 1;
                    present.running.iter().for_each(|unit| running[found.level(unit)] += 1);
                    let basis = |gpu: usize| Gpu::of(group, gpu);
                    found.add_node(pool, node, present, &basis);
                }
            }
        }
        Groups { list: found.groups, nodes, running }
    }
}

/// The flow of each demand.
fn flow_of(compiled: &Compiled<'_>) -> Vec<usize> {
    let mut flow_of = vec![usize::MAX; compiled.problem.demands.len()];
    for (index, flow) in compiled.flows.iter().enumerate() {
        flow.demands.iter().for_each(|&demand| flow_of[demand] = index);
    }
    flow_of
}

/// What makes two groups the same. Those that share a unit are each a group of their own, which the last part
/// tells apart: node and GPU.
type Key = (usize, RecutUnit, bool, Vec<GroupGpu>, Vec<(UnitKind, usize)>, Option<(u32, usize)>);

struct Builder<'a> {
    compiled: &'a Compiled<'a>,
    flow_of: Vec<usize>,
    leave_cut: bool,
    known: BTreeMap<Key, usize>,
    groups: Vec<Group>,
}

impl Builder<'_> {
    fn level(&self, unit: &Running) -> usize {
        let priority = self.compiled.problem.demands[unit.demand].priority;
        self.compiled.levels.binary_search_by(|l| priority.cmp(l)).expect("every priority is a level")
    }

    fn add_node(&mut self, pool: usize, node: u32, present: &Present, basis: &dyn Fn(usize) -> Gpu) {
        let shape = &self.compiled.pools[pool];
        let count = shape.board_of.len();
        let by = if shape.strategy == Strategy::Single { RecutUnit::Node } else { present.unit };
        let gpu = |gpu: usize| GroupGpu {
            board: shape.board_of[gpu],
            layout: present.layout(gpu).filter(|layout| !layout.is_empty()).cloned(),
            pinned: basis(gpu),
        };
        if by == RecutUnit::Node {
            self.add(pool, by, node, 0..count, (0..count).map(gpu).collect(), present);
            return;
        }
        for index in 0..count {
            let gpu = gpu(index);
            // A GPU with MIG off has no instances to tell apart.
            let by = if gpu.layout.is_some() { by } else { RecutUnit::Gpu };
            self.add(pool, by, node, index..index + 1, vec![gpu], present);
        }
    }

    fn add(
        &mut self,
        pool: usize,
        by: RecutUnit,
        node: u32,
        range: Range<usize>,
        gpus: Vec<GroupGpu>,
        present: &Present,
    ) {
        let mut kinds: BTreeMap<UnitKind, Vec<usize>> = BTreeMap::new();
        for (index, unit) in present.running.iter().enumerate() {
            let here = unit.holds.iter().filter(|held| range.contains(&usize::from(held.gpu)));
            let mut takes = BTreeMap::new();
            let mut at = Vec::new();
            for held in here.clone() {
                let board = gpus[usize::from(held.gpu) - range.start].board;
                *takes.entry((board, held.instance.map(|instance| instance.profile))).or_insert(0) += 1;
                at.extend(held.instance.filter(|_| by == RecutUnit::Instance));
            }
            if takes.is_empty() {
                continue;
            }
            let is_whole = here.count() == unit.holds.len();
            let spans = (!is_whole).then_some((node, index));
            let (flow, level) = (self.flow_of[unit.demand], self.level(unit));
            let stays = self.compiled.problem.must_stay(unit);
            kinds.entry(UnitKind { flow, level, stays, takes, at, spans }).or_default().push(index);
        }
        let (kinds, running): (Vec<UnitKind>, Vec<Vec<usize>>) = kinds.into_iter().unzip();
        let each: Vec<(UnitKind, usize)> = kinds.iter().cloned().zip(running.iter().map(Vec::len)).collect();
        let shares = kinds.iter().any(|kind| kind.spans.is_some());
        let is_left_cut = self.leave_cut && !present.is_cut_by_driver();
        let key = (pool, by, is_left_cut, gpus.clone(), each, shares.then_some((node, range.start)));
        let index = *self.known.entry(key).or_insert_with(|| {
            self.groups.push(Group { pool, gpus, kinds, by, is_left_cut, sites: Vec::new() });
            self.groups.len() - 1
        });
        self.groups[index].sites.push(Site { node, gpus: range, running });
    }
}

impl Group {
    pub(super) fn count(&self) -> i64 {
        i64::try_from(self.sites.len()).expect("nodes are limited")
    }

    /// Units of a kind on each copy.
    pub(super) fn each(&self, kind: usize) -> i64 {
        self.sites.first().map_or(0, |site| i64::try_from(site.running[kind].len()).expect("few units on a node"))
    }

    /// Whether something on it must stay as it is.
    pub(super) fn must_stay(&self) -> bool {
        self.is_left_cut
            || self.kinds.iter().any(|kind| kind.stays)
            || self.gpus.iter().any(|gpu| gpu.pinned != Gpu::Idle)
    }

    pub(super) fn is_taken(&self) -> bool {
        self.by != RecutUnit::Node && self.gpus[0].pinned == Gpu::Taken
    }
}

impl GroupGpu {
    /// The instances that are not pinned, if it is cut.
    pub(super) fn usable(&self) -> Option<Counts> {
        let counts = self.layout.as_ref()?.counts();
        match &self.pinned {
            Gpu::Pinned(pinned) => counts.minus(&pinned.counts()),
            _ => Some(counts),
        }
    }
}
