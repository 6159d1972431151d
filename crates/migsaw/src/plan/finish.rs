//! From nodes that serve flows to the plan: demands by name, instances by GPU, layouts with starts.

use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::ops::Range;

use super::compile::{Compiled, Kind, PoolShape, Shape};
use super::decision::Gpu;
use super::nodes::{FreeNodes, GpuBuild, Load, NodeBuild};
use super::outcome::{GpuShare, GpuTarget, PlannedNodes, Serving};
use crate::geometry::{Counts, Layout, ProfileId};

/// Nodes of the plan, all of one class.
pub(super) struct Finished {
    pub(super) class: usize,
    pub(super) nodes: PlannedNodes,
}

/// Builds the nodes of the plan. `served` gives the units of each flow at each level.
///
/// `None` if instances do not suffice for the units, which the programs exclude.
pub(super) fn finish(
    compiled: &Compiled<'_>,
    mut built: Vec<NodeBuild>,
    free: FreeNodes,
    served: &[Vec<i64>],
) -> Option<Vec<Finished>> {
    for (pool, class, nodes) in free.rest().filter(|(_, _, nodes)| !nodes.is_empty()) {
        let gpus = vec![GpuBuild::default(); compiled.pools[pool].board_of.len()];
        built.push(NodeBuild { pool, class, nodes, gpus, loads: Vec::new() });
    }
    built.sort_by_key(|build| (build.pool, build.nodes[0].start));
    let mut queues = DemandQueues::new(compiled, served);
    let mut layouts = Layouts::default();
    let mut planned: Vec<Finished> = Vec::new();
    for build in &built {
        let shape = &compiled.pools[build.pool];
        let gpus = layouts.targets(shape, build)?;
        let mut ranges: VecDeque<Range<u32>> = build.nodes.iter().cloned().collect();
        while let Some(range) = ranges.pop_front() {
            let mut at = range.start;
            while at < range.end {
                let most = range.end - at;
                let (same, loads) = queues.split(&build.loads, most);
                let nodes = PlannedNodes {
                    pool: build.pool,
                    nodes: at..at + same,
                    gpus: gpus.clone(),
                    serves: shares(compiled, shape, build, &loads)?,
                    evicts: Vec::new(),
                };
                planned.push(Finished { class: build.class, nodes });
                at += same;
            }
        }
    }
    planned.sort_by_key(|planned| (planned.nodes.pool, planned.nodes.nodes.start));
    planned.dedup_by(|next, kept| {
        let same = kept.class == next.class && kept.nodes.is_continued_by(&next.nodes);
        if same {
            kept.nodes.nodes.end = next.nodes.nodes.end;
        }
        same
    });
    Some(planned)
}

/// The demands of each flow with the units still to be given to nodes.
struct DemandQueues {
    by_flow: Vec<VecDeque<(usize, i64)>>,
}

/// Units of a demand on one node, with the flow's load they are part of.
struct DemandLoad {
    demand: usize,
    units: i64,
    load: Load,
}

impl DemandQueues {
    fn new(compiled: &Compiled<'_>, served: &[Vec<i64>]) -> DemandQueues {
        let demands = &compiled.problem.demands;
        let asked = |demand: usize| compiled.decisions.asked(compiled.problem, demand);
        let queue = |(flow, served): (&super::compile::Flow, &Vec<i64>)| {
            let mut queue = VecDeque::new();
            for (level, &served) in compiled.levels.iter().zip(served) {
                let mut left = served;
                for &demand in flow.demands.iter().filter(|&&d| demands[d].priority == *level) {
                    let units = left.min(i64::try_from(asked(demand)).expect("counts are limited"));
                    left -= units;
                    if units > 0 {
                        queue.push_back((demand, units));
                    }
                }
            }
            queue
        };
        DemandQueues { by_flow: compiled.flows.iter().zip(served).map(queue).collect() }
    }

    /// Gives the loads of a node to demands, for as many of `most` such nodes as it comes out the same.
    fn split(&mut self, loads: &[Load], most: u32) -> (u32, Vec<DemandLoad>) {
        let mut needed: BTreeMap<usize, i64> = BTreeMap::new();
        for load in loads {
            *needed.entry(load.flow).or_insert(0) += load.units;
        }
        let lasting =
            needed.iter().map(|(&flow, units)| self.by_flow[flow].front().map_or(0, |(_, left)| left / units));
        let same = lasting.min().unwrap_or(i64::from(most)).clamp(1, i64::from(most));
        let mut split = Vec::new();
        for load in loads {
            let mut rest = load.clone();
            while rest.units > 0 {
                let Some((demand, left)) = self.by_flow[load.flow].front_mut() else { break };
                let units = rest.units.min(*left / same);
                let part = rest.take(units);
                *left -= units * same;
                split.push(DemandLoad { demand: *demand, units, load: part });
                if *left == 0 {
                    self.by_flow[load.flow].pop_front();
                }
            }
        }
        (u32::try_from(same).expect("at most `most`"), split)
    }
}

impl Load {
    /// The first `units` units with their instances.
    fn take(&mut self, units: i64) -> Load {
        let mut lines = Vec::new();
        for kinds in &mut self.lines {
            let mut instances = kinds.iter().map(|(_, n)| n).sum::<i64>() / self.units * units;
            let mut part = Vec::new();
            for (kind, left) in kinds {
                let n = instances.min(*left);
                instances -= n;
                *left -= n;
                part.push((*kind, n));
            }
            lines.push(part);
        }
        self.units -= units;
        Load { flow: self.flow, units, lines, bundle: self.bundle }
    }
}

/// Assigns the units to GPUs of the node.
fn shares(compiled: &Compiled<'_>, shape: &PoolShape, build: &NodeBuild, loads: &[DemandLoad]) -> Option<Vec<Serving>> {
    let mut room = Room::new(shape, build);
    let mut order: Vec<usize> = (0..loads.len()).collect();
    let on_gpu = |load: &DemandLoad| compiled.flows[load.load.flow].is_together_on_gpu();
    let size = |load: &DemandLoad| match compiled.flows[load.load.flow].shape {
        Shape::Slices { instances, .. } => instances,
        Shape::Whole { gpus } => gpus,
    };
    // What must share a GPU goes first, the largest before.
    order.sort_by_key(|&i| std::cmp::Reverse((on_gpu(&loads[i]), size(&loads[i]))));
    let mut serves: BTreeMap<usize, Serving> = BTreeMap::new();
    for i in order {
        let DemandLoad { demand, units, load } = &loads[i];
        let shares = match compiled.flows[load.flow].shape {
            Shape::Whole { gpus } => room.whole(units * gpus)?,
            Shape::Slices { .. } if load.bundle.is_some() => room.bundles(load.bundle?, *units)?,
            Shape::Slices { .. } => room.dissolve().instances(load.lines.iter().flatten())?,
        };
        let serving =
            serves.entry(*demand).or_insert_with(|| Serving { demand: *demand, units: 0, shares: Vec::new() });
        serving.units += u32::try_from(*units).ok()?;
        serving.shares.extend(shares);
    }
    let merged = serves.into_values().map(|mut serving| {
        serving.shares.sort_unstable();
        serving.shares.dedup_by(|next, kept| {
            let same = next.gpu == kept.gpu && next.profile == kept.profile && next.profile.is_some();
            if same {
                kept.instances += next.instances;
            }
            same
        });
        serving
    });
    Some(merged.collect())
}

/// What is still free on a node's GPUs.
struct Room<'a> {
    shape: &'a PoolShape,
    /// Instances free, and sets put together that are free, by GPU.
    gpus: Vec<(Counts, Vec<Counts>)>,
    whole: Vec<usize>,
}

impl<'a> Room<'a> {
    fn new(shape: &'a PoolShape, build: &NodeBuild) -> Room<'a> {
        let free = |gpu: &GpuBuild| {
            let rest = gpu.bundles.iter().try_fold(gpu.added, |rest, bundle| rest.minus(bundle));
            (rest.expect("bundles are among what was added"), gpu.bundles.clone())
        };
        let state = &shape.classes[build.class].state;
        let can_be_whole = |state: &Gpu| matches!(state, Gpu::Idle | Gpu::Off);
        let whole = (0..build.gpus.len()).rev().filter(|&i| can_be_whole(&state[i]) && build.gpus[i].added.is_empty());
        Room { shape, gpus: build.gpus.iter().map(free).collect(), whole: whole.collect() }
    }

    fn whole(&mut self, gpus: i64) -> Option<Vec<GpuShare>> {
        let one = |_| self.whole.pop().map(|gpu| GpuShare { gpu: number(gpu), profile: None, instances: 1 });
        (0..gpus).map(one).collect()
    }

    fn bundles(&mut self, (board, bundle): (usize, Counts), mut units: i64) -> Option<Vec<GpuShare>> {
        let mut shares = Vec::new();
        for (gpu, (_, sets)) in self.gpus.iter_mut().enumerate().filter(|(i, _)| self.shape.board_of[*i] == board) {
            while let Some(at) = sets.iter().position(|set| *set == bundle).filter(|_| units > 0) {
                sets.swap_remove(at);
                units -= 1;
                shares.extend(bundle.iter().map(|(id, n)| GpuShare {
                    gpu: number(gpu),
                    profile: Some(id),
                    instances: n.into(),
                }));
            }
        }
        (units == 0).then_some(shares)
    }

    /// Gives the sets that no unit needed to all others.
    fn dissolve(&mut self) -> &mut Self {
        for (free, sets) in &mut self.gpus {
            sets.drain(..).for_each(|set| *free = free.plus(&set));
        }
        self
    }

    fn instances<'k>(&mut self, kinds: impl Iterator<Item = &'k (Kind, i64)>) -> Option<Vec<GpuShare>> {
        let mut shares = Vec::new();
        for &(kind, wanted) in kinds {
            let mut left = wanted;
            for gpu in (0..self.gpus.len()).filter(|&i| self.shape.board_of[i] == kind.board) {
                let n = self.take(gpu, kind.profile, left);
                if n > 0 {
                    left -= i64::from(n);
                    shares.push(GpuShare { gpu: number(gpu), profile: Some(kind.profile), instances: n.into() });
                }
            }
            if left > 0 {
                return None;
            }
        }
        Some(shares)
    }

    /// Takes up to `most` instances of a GPU.
    fn take(&mut self, gpu: usize, profile: ProfileId, most: i64) -> u8 {
        let (free, _) = &mut self.gpus[gpu];
        let n = u8::try_from(most.min(i64::from(free[profile]))).expect("at most what is free");
        free[profile] -= n;
        n
    }
}

fn number(gpu: usize) -> u16 {
    u16::try_from(gpu).expect("at most MAX_GPUS_PER_NODE")
}

/// Legal starts for each state and what is added to it, found once.
#[derive(Default)]
struct Layouts {
    known: BTreeMap<(String, Gpu, Counts), GpuTarget>,
}

impl Layouts {
    fn targets(&mut self, shape: &PoolShape, build: &NodeBuild) -> Option<Vec<GpuTarget>> {
        let state = &shape.classes[build.class].state;
        let gpus = build.gpus.iter().zip(state).zip(&shape.board_of);
        gpus.map(|((gpu, state), &board)| self.target(shape, board, state, gpu.added)).collect()
    }

    fn target(&mut self, shape: &PoolShape, board: usize, state: &Gpu, added: Counts) -> Option<GpuTarget> {
        let pinned = match state {
            Gpu::Fixed { layout, .. } => return Some(GpuTarget::Mig(layout.clone())),
            Gpu::Pinned(layout) => layout.clone(),
            _ if added.is_empty() => return Some(GpuTarget::MigOff),
            Gpu::Idle | Gpu::Off | Gpu::Taken => Layout::empty(),
        };
        let model = &shape.boards[board].model;
        let key = (model.id.clone(), state.clone(), added);
        if let Some(target) = self.known.get(&key) {
            return Some(target.clone());
        }
        let found = model.place(&added, &pinned).ok()??;
        let target = GpuTarget::Mig(pinned.merged(&found));
        self.known.insert(key, target.clone());
        Some(target)
    }
}
