//! What every part of the fleet is used for.

use std::collections::BTreeMap;
use std::sync::Arc;

use migsaw::fleet::GpuState;
use migsaw::geometry::{Counts, Layout, Model, ProfileId, Stranded};
use migsaw::plan::{GpuTarget, Plan, PlannedNodes};
use migsaw::problem::Problem;

use super::nodes::NodeIndex;
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

/// What layouts strand, found out once for each; `None` for what is no layout of its model.
type Known = BTreeMap<(String, Layout), Option<Stranded>>;

impl Usage {
    pub(super) fn of(problem: &Problem, plan: &Plan, index: &NodeIndex<'_>) -> Usage {
        let pools = vec![PoolUsage::default(); problem.fleet.pools.len()];
        let mut usage = Usage { pools, stranded: BTreeMap::new() };
        let mut known = Known::new();
        for group in &plan.nodes {
            // Nodes planned alike may have been in different states.
            for (within, state) in index.parts(group) {
                let nodes = u64::from(within.end - within.start);
                for (gpu, model) in problem.fleet.pools[group.pool].gpu_models().enumerate() {
                    usage.add(group, gpu, model, state.state(gpu), nodes, &mut known);
                }
            }
        }
        usage
    }

    /// Adds one GPU of each of some nodes.
    fn add(
        &mut self,
        group: &PlannedNodes,
        gpu: usize,
        model: &Arc<Model>,
        before: &GpuState,
        nodes: u64,
        known: &mut Known,
    ) {
        let units = u128::from(model.units);
        let whole = |part: Part| {
            let mut split = [0; 5];
            split[part.index()] = units;
            split
        };
        let (split, used) = match &group.gpus[gpu] {
            GpuTarget::MigOff if serves_whole(group, gpu) => (whole(Part::Serving), true),
            GpuTarget::MigOff if *before == GpuState::Taken => (whole(Part::Running), false),
            GpuTarget::MigOff | GpuTarget::Left(_) => (whole(Part::Idle), false),
            GpuTarget::Mig(layout) => {
                let key = (model.id.clone(), layout.clone());
                let stranded = known.entry(key.clone()).or_insert_with(|| model.stranded(layout).ok());
                let lost = stranded.as_ref().map_or(0, Stranded::memory_units);
                if let Some(stranded) = stranded.as_ref().filter(|stranded| !stranded.is_none()) {
                    let kind = || StrandedKind { model: Arc::clone(model), gpus: 0, stranded: stranded.clone() };
                    self.stranded.entry(key).or_insert_with(kind).gpus += nodes;
                }
                (split_of(model, layout, before, &serving(group, gpu), lost), true)
            }
        };
        let pool = &mut self.pools[group.pool];
        pool.gpus_used += if used { nodes } else { 0 };
        for (sum, part) in pool.parts.iter_mut().zip(split) {
            *sum += part * (GPU / units.max(1)) * u128::from(nodes);
        }
    }
}

/// Whether a GPU serves as a whole.
pub(super) fn serves_whole(group: &PlannedNodes, gpu: usize) -> bool {
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

/// Placement units of a cut GPU by part, of which `lost` can be used by no further instance.
fn split_of(
    model: &Model,
    layout: &Layout,
    before: &GpuState,
    serving: &BTreeMap<ProfileId, u32>,
    lost: u8,
) -> [u128; 5] {
    let mut split = [0u128; 5];
    let pinned = match before {
        GpuState::Pinned(pinned) => pinned.counts(),
        GpuState::Idle | GpuState::Taken => Counts::EMPTY,
    };
    for (id, n) in layout.counts().iter() {
        let size = u128::from(model.get(id).size);
        let running = pinned[id].min(n);
        let serving = serving.get(&id).copied().unwrap_or(0).min(u32::from(n - running));
        split[Part::Running.index()] += size * u128::from(running);
        split[Part::Serving.index()] += size * u128::from(serving);
        split[Part::Spare.index()] += size * (u128::from(n - running) - u128::from(serving));
    }
    split[Part::Stranded.index()] = u128::from(lost);
    let taken: u128 = split.iter().sum();
    split[Part::Idle.index()] = u128::from(model.units).saturating_sub(taken);
    split
}
