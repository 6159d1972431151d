//! How each policy rates a node for a pod.
//!
//! Every policy sees the nodes the pod fits on and takes the one with the highest score. Scores are
//! whole numbers, 0 to 100, rounded down; the coarseness matters because equal scores fall to the
//! seed's node order.

mod best_fit;
mod clustering;
mod dot_product;
mod fgd;
mod packing;

use super::cluster::{GpuIndex, Node};
use super::fragmentation::Fragmentation;
use super::resources::{GpuMilli, PodSpec};
use migsaw_sim::Rng;

/// CPU of the largest node of the original's model, in thousandths: normalises scores.
const MAX_CPU: u32 = 128_000;

/// GPU capacity of the largest node, in thousandths.
const MAX_GPU: u32 = 8000;

/// The policies of the paper's evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Policy {
    /// A uniform choice among the nodes that fit, then among the GPUs that fit.
    Random,
    /// [`dot_product`]
    DotProd,
    /// [`clustering`]
    GpuClustering,
    /// [`packing`]
    GpuPacking,
    /// [`best_fit`]
    BestFit,
    /// [`fgd`]
    Fgd,
}

impl Policy {
    pub(super) const ALL: [Self; 6] =
        [Self::Random, Self::DotProd, Self::GpuClustering, Self::GpuPacking, Self::BestFit, Self::Fgd];

    /// The name in the published results.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Random => "01-Random",
            Self::DotProd => "02-DotProd",
            Self::GpuClustering => "03-GpuClustering",
            Self::GpuPacking => "04-GpuPacking",
            Self::BestFit => "05-BestFit",
            Self::Fgd => "06-FGD",
        }
    }

    /// The score of a node that `pod` fits on. Random rates all alike and
    /// [breaks ties](Self::breaks_ties_at_random) by lot.
    pub(super) fn score(self, node: &Node, pod: &PodSpec, fragmentation: &mut Fragmentation) -> u32 {
        match self {
            Self::Random => 0,
            Self::DotProd => dot_product::score(node, pod),
            Self::GpuClustering => clustering::score(node, pod),
            Self::GpuPacking => packing::score(node, pod),
            Self::BestFit => best_fit::score(node, pod),
            Self::Fgd => fgd::score(node, pod, fragmentation),
        }
    }

    pub(super) fn breaks_ties_at_random(self) -> bool {
        self == Self::Random
    }

    /// The GPU that takes a share of `milli` of a pod with this CPU. All but Random and FGD leave
    /// the least room. `None` if no GPU has room.
    pub(super) fn share_gpu(
        self,
        node: &Node,
        pod: &PodSpec,
        milli: GpuMilli,
        fragmentation: &mut Fragmentation,
        rng: &mut Rng,
    ) -> Option<GpuIndex> {
        match self {
            Self::Random => random_gpu(node, milli, rng),
            Self::Fgd => fgd::best_share(node, pod, milli, fragmentation).map(|best| best.gpu),
            _ => node.gpus.tightest(milli),
        }
    }
}

fn random_gpu(node: &Node, milli: GpuMilli, rng: &mut Rng) -> Option<GpuIndex> {
    let chosen = rng.index(node.gpus.with_at_least(milli));
    let fitting = node.gpus.each().iter().enumerate().filter(|(_, free)| **free >= milli);
    fitting.map(|(index, _)| GpuIndex(index)).nth(chosen)
}

#[cfg(test)]
mod tests {
    use super::super::cluster::testing::{node, pod, share};
    use super::super::fragmentation::testing::fragmentation;
    use super::*;

    #[test]
    fn share_goes_to_the_gpu_of_the_policy() {
        let node = node(8000, &[900, 400, 1000, 400]);
        let pod = pod(1000, share(300));
        let mut fragmentation = fragmentation("a,1,1,1,300,\n");
        let mut rng = Rng::new(1);
        let mut gpu =
            |policy: Policy| policy.share_gpu(&node, &pod, GpuMilli(300), &mut fragmentation, &mut rng).unwrap();
        assert_eq!(gpu(Policy::BestFit), GpuIndex(1), "the first of the tightest");
        assert_eq!(gpu(Policy::Fgd), GpuIndex(0), "600 and 100 remain, or 700: all but 100 usable");
        let drawn: Vec<GpuIndex> = (0..40).map(|_| gpu(Policy::Random)).collect();
        assert!((0..4).all(|index| drawn.contains(&GpuIndex(index))));
    }

    #[test]
    fn no_gpu_takes_a_share_that_fits_none() {
        let node = node(8000, &[200]);
        let pod = pod(1000, share(300));
        for policy in Policy::ALL {
            let gpu =
                policy.share_gpu(&node, &pod, GpuMilli(300), &mut fragmentation("a,1,1,1,300,\n"), &mut Rng::new(1));
            assert_eq!(gpu, None, "{policy:?}");
        }
    }
}
