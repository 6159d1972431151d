//! Where pods may go, and how that changes while pods come and go.

use std::collections::BTreeSet;

use fixedbitset::FixedBitSet;

use crate::site::Site;

/// Where pods of a demand may go.
///
/// Policies, queues, moves and preemption heed all of it, and whoever cuts GPUs anew is told. Three things look only at
/// what pods ask for, wherever they may go: the bound `repacked`, which stays one, since more is allowed to it; the
/// measure of how broken up GPUs are; and the mix that policies expect.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Limits {
    /// Indices of the pools of the fleet that they may use; `None` for any.
    pub pools: Option<BTreeSet<usize>>,
    /// Whether all instances of a pod share one GPU; else they share a node.
    pub on_one_gpu: bool,
    /// Most of these pods on one node; `None` for any number. They are not moved, and on a node that is full of them none
    /// takes the place of another: all of them should have one priority.
    pub max_per_node: Option<u32>,
}

/// Where pods of a demand may go at a moment.
#[derive(Debug)]
pub(crate) struct Allowed {
    /// The GPUs, all those of a node or none; `None` if they may use any.
    gpus: Option<FixedBitSet>,
    pub(crate) is_on_one_gpu: bool,
    most: Option<u32>,
    /// How many are on each node, if no more than `most` may be.
    on_node: Vec<u32>,
}

impl Allowed {
    /// While none of them runs.
    pub(crate) fn new(site: &Site, limits: &Limits) -> Allowed {
        let is_limited = limits.pools.is_some() || limits.max_per_node.is_some();
        let gpus = is_limited.then(|| {
            let mut gpus = FixedBitSet::with_capacity(site.gpus.len());
            let may_use = |pool: usize| limits.pools.as_ref().is_none_or(|pools| pools.contains(&pool));
            for node in site.nodes.iter().filter(|node| may_use(node.pool) && limits.max_per_node != Some(0)) {
                gpus.set_range(node.gpus.start as usize..node.gpus.end as usize, true);
            }
            gpus
        });
        let nodes = limits.max_per_node.map_or(0, |_| site.nodes.len());
        Allowed { gpus, is_on_one_gpu: limits.on_one_gpu, most: limits.max_per_node, on_node: vec![0; nodes] }
    }

    /// The GPUs that they may use; `None` for all.
    pub(crate) fn gpus(&self) -> Option<&FixedBitSet> {
        self.gpus.as_ref()
    }

    /// Whether one more may use a GPU, and with that the others of its node.
    pub(crate) fn may_use(&self, gpu: u32) -> bool {
        may_use(self.gpus(), gpu)
    }

    /// Whether it makes a difference how many of them are on a node.
    pub(crate) fn are_counted(&self) -> bool {
        self.most.is_some()
    }

    /// One of them comes to the node of a GPU.
    pub(crate) fn joins(&mut self, site: &Site, gpu: u32) {
        let (Some(most), Some(gpus)) = (self.most, &mut self.gpus) else { return };
        let node = site.node_of(gpu);
        self.on_node[node] += 1;
        if self.on_node[node] >= most {
            gpus.set_range(site.nodes[node].gpus.start as usize..site.nodes[node].gpus.end as usize, false);
        }
    }

    /// One of them leaves the node of a GPU.
    pub(crate) fn leaves(&mut self, site: &Site, gpu: u32) {
        let (Some(most), Some(gpus)) = (self.most, &mut self.gpus) else { return };
        let node = site.node_of(gpu);
        self.on_node[node] -= 1;
        if self.on_node[node] < most {
            gpus.set_range(site.nodes[node].gpus.start as usize..site.nodes[node].gpus.end as usize, true);
        }
    }
}

/// Whether a GPU is among some; `None` for all.
pub(crate) fn may_use(among: Option<&FixedBitSet>, gpu: u32) -> bool {
    among.is_none_or(|among| among.contains(gpu as usize))
}
