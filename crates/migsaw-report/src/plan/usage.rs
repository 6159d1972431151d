//! What every part of the fleet is used for.

use std::collections::BTreeMap;
use std::sync::Arc;

use migsaw::fleet::GpuState;
use migsaw::geometry::{Layout, Model, ProfileId, Stranded};
use migsaw::plan::{GpuTarget, Plan, PlannedNodes};
use migsaw::problem::Problem;

use crate::bar::Part;

/// A GPU counts so much, whatever its model; divisible by any usual number of placement units.
const GPU: u128 = 720_720;

/// What each pool is used for, and what is stranded where.
pub(super) struct Usage {
    pub(super) pools: Vec<PoolUsage>,
    /// By model id and layout: GPUs with something stranded.
    pub(super) stranded: BTreeMap<(String, Layout), StrandedKind>,
}

/// Parts of a pool.
#[derive(Default, Clone)]
pub(super) struct PoolUsage {
    /// By [`Part`], in `GPU`ths.
    pub(super) parts: [u128; 5],
    pub(super) gpus_used: u64,
}

/// GPUs of one model with the same layout, which strands something.
pub(super) struct StrandedKind {
    pub(super) model: Arc<Model>,
    pub(super) gpus: u64,
    pub(super) stranded: Stranded,
}

impl Usage {
    pub(super) fn of(problem: &Problem, plan: &Plan) -> Usage {
        let mut usage =
            Usage { pools: vec![PoolUsage::default(); problem.fleet.pools.len()], stranded: BTreeMap::new() };
        let mut known: BTreeMap<(String, Layout), Stranded> = BTreeMap::new();
        for group in &plan.nodes {
            usage.add(problem, group, &mut known);
        }
        usage
    }

    fn add(&mut self, problem: &Problem, group: &PlannedNodes, known: &mut BTreeMap<(String, Layout), Stranded>) {
        let pool = &problem.fleet.pools[group.pool];
        let entry = &mut self.pools[group.pool];
        // Nodes planned alike may have been in different states.
        for (range, state) in pool.node_ranges() {
            let nodes = u64::from(range.end.min(group.nodes.end).saturating_sub(range.start.max(group.nodes.start)));
            if nodes == 0 {
                continue;
            }
            for (index, (model, target)) in pool.gpu_models().zip(&group.gpus).enumerate() {
                let units = u128::from(model.units);
                let mut split = [0u128; 5];
                match target {
                    GpuTarget::MigOff if serves_whole(group, index) => split[Part::Serving.index()] = units,
                    GpuTarget::MigOff if *state.state(index) == GpuState::Taken => split[Part::Running.index()] = units,
                    GpuTarget::MigOff => split[Part::Idle.index()] = units,
                    GpuTarget::Mig(layout) => {
                        let stranded = known
                            .entry((model.id.clone(), layout.clone()))
                            .or_insert_with(|| model.stranded(layout).unwrap_or_else(|_| nothing_stranded()));
                        split = split_of(model, layout, state.state(index), &serving(group, index), stranded);
                        if !stranded.is_none() {
                            let key = (model.id.clone(), layout.clone());
                            let (model, stranded) = (Arc::clone(model), stranded.clone());
                            self.stranded.entry(key).or_insert(StrandedKind { model, gpus: 0, stranded }).gpus += nodes;
                        }
                    }
                }
                let used = split[Part::Idle.index()] < units && *state.state(index) != GpuState::Taken;
                entry.gpus_used += if used { nodes } else { 0 };
                for (sum, part) in entry.parts.iter_mut().zip(split) {
                    *sum += part * (GPU / units.max(1)) * u128::from(nodes);
                }
            }
        }
    }
}

fn serves_whole(group: &PlannedNodes, gpu: usize) -> bool {
    let mut shares = group.serves.iter().flat_map(|serving| &serving.shares);
    shares.any(|share| share.profile.is_none() && usize::from(share.gpu) == gpu)
}

/// Instances in service on a GPU of one node, by profile.
fn serving(group: &PlannedNodes, gpu: usize) -> BTreeMap<ProfileId, u32> {
    let mut found = BTreeMap::new();
    for share in group.serves.iter().flat_map(|serving| &serving.shares) {
        if let (Some(profile), true) = (share.profile, usize::from(share.gpu) == gpu) {
            *found.entry(profile).or_insert(0) += share.instances;
        }
    }
    found
}

/// Placement units of a cut GPU by part.
fn split_of(
    model: &Model,
    layout: &Layout,
    before: &GpuState,
    serving: &BTreeMap<ProfileId, u32>,
    stranded: &Stranded,
) -> [u128; 5] {
    let mut split = [0u128; 5];
    let pinned = match before {
        GpuState::Pinned(pinned) => pinned.counts(),
        GpuState::Idle | GpuState::Taken => migsaw::geometry::Counts::EMPTY,
    };
    for (id, n) in layout.counts().iter() {
        let size = u128::from(model.get(id).size);
        let running = pinned[id].min(n);
        let serving = serving.get(&id).copied().unwrap_or(0).min(u32::from(n - running));
        split[Part::Running.index()] += size * u128::from(running);
        split[Part::Serving.index()] += size * u128::from(serving);
        split[Part::Spare.index()] += size * (u128::from(n - running) - u128::from(serving));
    }
    split[Part::Stranded.index()] = u128::from(stranded.memory_units());
    let taken: u128 = split.iter().sum();
    split[Part::Idle.index()] = u128::from(model.units).saturating_sub(taken);
    split
}

fn nothing_stranded() -> Stranded {
    Stranded {
        free_compute: 0,
        usable_compute: 0,
        free_units: 0,
        usable_units: 0,
        most_compute: Layout::empty(),
        most_units: Layout::empty(),
        units: Vec::new(),
        memory_heavy: Vec::new(),
    }
}
