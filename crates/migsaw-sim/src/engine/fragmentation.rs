//! How broken up the GPUs are.

use migsaw::geometry::ProfileId;
use migsaw::score::Mix;

use crate::cluster::Cluster;
use crate::policy::{shares, unusable};

/// The free units that an average pod could not use, of each state and in all, in millionths.
pub(super) struct Fragmentation {
    of: Vec<Vec<u64>>,
    pub(super) all: u64,
}

impl Fragmentation {
    pub(super) fn new(mix: &Mix, cluster: &Cluster) -> Fragmentation {
        let of = cluster.site().kinds.iter().map(|kind| {
            let shares: Vec<(ProfileId, i64)> = shares(kind, mix);
            kind.states.ids().map(|state| unusable(kind, &shares, state).cast_unsigned()).collect()
        });
        let mut fragmentation = Fragmentation { of: of.collect(), all: 0 };
        fragmentation.all = cluster.gpus().all().map(|gpu| fragmentation.on(cluster, gpu)).sum();
        fragmentation
    }

    fn on(&self, cluster: &Cluster, gpu: u32) -> u64 {
        self.of[cluster.site().gpus[gpu as usize].kind as usize][cluster.state(gpu).index()]
    }

    /// Changes a GPU.
    pub(super) fn set(&mut self, cluster: &mut Cluster, gpu: u32, change: impl FnOnce(&mut Cluster)) {
        let before = self.on(cluster, gpu);
        change(cluster);
        self.all = self.all - before + self.on(cluster, gpu);
    }
}
