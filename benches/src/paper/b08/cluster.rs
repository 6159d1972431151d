//! Nodes, and what is left free on them.

use super::resources::{CpuMilli, GpuDemand, GpuMilli, MemoryMib, Models, PodSpec};

/// The largest number of GPUs on a node of the trace.
pub(super) const MAX_GPUS: usize = 8;

/// Position of a GPU on its node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct GpuIndex(pub(super) usize);

/// Free thousandths of each GPU of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FreeGpus {
    /// Zero from `count` on.
    milli: [GpuMilli; MAX_GPUS],
    count: usize,
}

impl FreeGpus {
    /// `count` idle GPUs; `None` above [`MAX_GPUS`].
    pub(super) fn idle(count: usize) -> Option<Self> {
        let mut milli = [GpuMilli(0); MAX_GPUS];
        milli.get_mut(..count)?.fill(GpuMilli::WHOLE);
        Some(Self { milli, count })
    }

    pub(super) fn each(&self) -> &[GpuMilli] {
        &self.milli[..self.count]
    }

    pub(super) fn total(&self) -> GpuMilli {
        GpuMilli(self.each().iter().map(|free| free.0).sum())
    }

    /// GPUs nobody uses.
    pub(super) fn idle_count(&self) -> usize {
        self.with_at_least(GpuMilli::WHOLE)
    }

    /// GPUs with at least `milli` free.
    pub(super) fn with_at_least(&self, milli: GpuMilli) -> usize {
        self.each().iter().filter(|free| **free >= milli).count()
    }

    /// The GPU with the least room that still holds `milli`, the first of equals.
    pub(super) fn tightest(&self, milli: GpuMilli) -> Option<GpuIndex> {
        let fitting = self.each().iter().enumerate().filter(|(_, free)| **free >= milli);
        fitting.min_by_key(|(_, free)| **free).map(|(index, _)| GpuIndex(index))
    }

    pub(super) fn free(&self, gpu: GpuIndex) -> GpuMilli {
        self.each()[gpu.0]
    }

    /// What is left after `milli` of `gpu` is taken. The caller has checked that it fits.
    pub(super) fn less_share(mut self, gpu: GpuIndex, milli: GpuMilli) -> Self {
        self.milli[gpu.0] -= milli;
        self
    }

    /// What is left after the first `count` idle GPUs are taken.
    pub(super) fn less_whole(mut self, count: usize) -> Self {
        let gpus = self.milli[..self.count].iter_mut();
        for free in gpus.filter(|free| **free == GpuMilli::WHOLE).take(count) {
            *free = GpuMilli(0);
        }
        self
    }

    /// Free thousandths in ascending order, padded with zeros: a GPU with nothing free counts like
    /// one that does not exist.
    pub(super) fn sorted(&self) -> [GpuMilli; MAX_GPUS] {
        let mut milli = self.milli;
        milli.sort_unstable();
        milli
    }
}

/// The kinds of GPU demand that share a node: shares, and each number of whole GPUs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct DemandKinds(u32);

impl DemandKinds {
    fn bit(demand: GpuDemand) -> u32 {
        match demand {
            GpuDemand::None => 0,
            GpuDemand::Share(_) => 1,
            GpuDemand::Whole(count) => 1 << count,
        }
    }

    pub(super) fn insert(&mut self, demand: GpuDemand) {
        self.0 |= Self::bit(demand);
    }

    pub(super) fn contains(self, demand: GpuDemand) -> bool {
        self.0 & Self::bit(demand) != 0
    }

    pub(super) fn len(self) -> u32 {
        self.0.count_ones()
    }
}

/// A node and its free resources. Nothing leaves, so nothing is ever given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) model: Models,
    pub(super) cpu: CpuMilli,
    pub(super) memory: MemoryMib,
    pub(super) gpus: FreeGpus,
    pub(super) kinds: DemandKinds,
}

impl Node {
    pub(super) fn fits(&self, pod: &PodSpec) -> bool {
        self.cpu >= pod.cpu
            && self.memory >= pod.memory
            && (pod.gpu == GpuDemand::None
                || (pod.models.allow(self.model) && self.gpus.with_at_least(pod.gpu.each()) >= pod.gpu.count()))
    }

    /// Places `pod`, which [`fits`](Self::fits). A share goes to the GPU `share` names; whole
    /// GPUs are the first idle ones, which no policy chooses differently.
    pub(super) fn place(&mut self, pod: &PodSpec, share: impl FnOnce(&Self, GpuMilli) -> GpuIndex) {
        self.gpus = match pod.gpu {
            GpuDemand::None => self.gpus,
            GpuDemand::Share(milli) => self.gpus.less_share(share(self, milli), milli),
            GpuDemand::Whole(count) => self.gpus.less_whole(count),
        };
        self.cpu -= pod.cpu;
        self.memory -= pod.memory;
        self.kinds.insert(pod.gpu);
    }
}

/// Hand-made nodes and pods for the tests of this benchmark.
#[cfg(test)]
pub(super) mod testing {
    use super::*;

    /// A node with ample memory whose GPUs have `free` thousandths left.
    pub(in super::super) fn node(cpu: u32, free: &[u32]) -> Node {
        let mut gpus = FreeGpus::idle(free.len()).unwrap();
        for (index, left) in free.iter().enumerate() {
            gpus = gpus.less_share(GpuIndex(index), GpuMilli(1000 - left));
        }
        Node { model: Models(1), cpu: CpuMilli(cpu), memory: MemoryMib(1_000_000), gpus, kinds: DemandKinds::default() }
    }

    pub(in super::super) fn pod(cpu: u32, gpu: GpuDemand) -> PodSpec {
        PodSpec { cpu: CpuMilli(cpu), memory: MemoryMib(1), gpu, models: Models::ANY, models_text: String::new() }
    }

    pub(in super::super) fn share(milli: u32) -> GpuDemand {
        GpuDemand::Share(GpuMilli(milli))
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{node, pod, share};
    use super::*;

    #[test]
    fn a_pod_fits_only_where_every_resource_does() {
        let check = |name: &str, node: &Node, pod: &PodSpec, expected: bool| {
            assert_eq!(node.fits(pod), expected, "{name}");
        };
        let half_used = node(4000, &[500, 500]);
        check("share on one GPU", &half_used, &pod(4000, share(500)), true);
        check("share never spans GPUs", &half_used, &pod(1, share(600)), false);
        check("used GPU is not whole", &half_used, &pod(1, GpuDemand::Whole(1)), false);
        check("too little CPU", &half_used, &pod(4001, GpuDemand::None), false);
        check("CPU-only pod", &half_used, &pod(4000, GpuDemand::None), true);
        let idle = node(4000, &[1000, 300, 1000]);
        check("idle GPUs need not adjoin", &idle, &pod(1, GpuDemand::Whole(2)), true);
        let other_model = PodSpec { models: Models(2), ..pod(1, share(100)) };
        check("model not allowed", &half_used, &other_model, false);
        let hungry = PodSpec { memory: MemoryMib(1_000_001), ..pod(1, share(100)) };
        check("too little memory", &half_used, &hungry, false);
    }

    #[test]
    fn placing_takes_the_first_idle_gpus_and_remembers_the_kind() {
        let mut node = node(4000, &[700, 1000, 1000, 1000]);
        node.place(&pod(1000, GpuDemand::Whole(2)), |_, _| unreachable!("not a share"));
        assert_eq!(node.gpus.each().iter().map(|free| free.0).collect::<Vec<_>>(), [700, 0, 0, 1000]);
        assert_eq!(node.cpu, CpuMilli(3000));
        node.place(&pod(1000, share(200)), |node, milli| node.gpus.tightest(milli).unwrap());
        assert_eq!(node.gpus.free(GpuIndex(0)), GpuMilli(500));
        assert!(node.kinds.contains(share(1)) && node.kinds.contains(GpuDemand::Whole(2)));
        assert_eq!(node.kinds.len(), 2);
    }
}
