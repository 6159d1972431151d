//! Fragmentation gradient descent: place where fragmentation grows least.
//!
//! The score is `100 * sigmoid((F(node) - F(node after)) / N)` with the difference in whole GPUs
//! (see [`Fragmentation`]). A share is tried on every GPU with room, and the best, the first of
//! equals, stands for the node.

use super::super::cluster::{FreeGpus, GpuIndex, Node};
use super::super::fragmentation::Fragmentation;
use super::super::resources::{GpuDemand, GpuMilli, PodSpec};

/// The best GPU of a node for a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BestShare {
    score: u32,
    pub(super) gpu: GpuIndex,
}

pub(super) fn score(node: &Node, pod: &PodSpec, fragmentation: &mut Fragmentation) -> u32 {
    match pod.gpu {
        GpuDemand::None => score_after(node, pod, &node.gpus, fragmentation),
        GpuDemand::Whole(count) => score_after(node, pod, &node.gpus.less_whole(count), fragmentation),
        GpuDemand::Share(milli) => best_share(node, pod, milli, fragmentation).map_or(0, |best| best.score),
    }
}

/// `None` if no GPU has room.
pub(super) fn best_share(
    node: &Node,
    pod: &PodSpec,
    milli: GpuMilli,
    fragmentation: &mut Fragmentation,
) -> Option<BestShare> {
    let gpus = node.gpus.each();
    let mut best: Option<BestShare> = None;
    for (index, free) in gpus.iter().enumerate() {
        // A GPU like an earlier one cannot score higher.
        if *free < milli || gpus[..index].contains(free) {
            continue;
        }
        let gpu = GpuIndex(index);
        let score = score_after(node, pod, &node.gpus.less_share(gpu, milli), fragmentation);
        if best.is_none_or(|best| score > best.score) {
            best = Some(BestShare { score, gpu });
        }
    }
    best
}

fn score_after(node: &Node, pod: &PodSpec, gpus: &FreeGpus, fragmentation: &mut Fragmentation) -> u32 {
    let before = fragmentation.of(node.model, node.cpu, &node.gpus);
    let after = fragmentation.of(node.model, node.cpu - pod.cpu, gpus);
    let thousandths = f64::from(fragmentation.pods()) * f64::from(GpuMilli::WHOLE.0);
    rating((f64::from(before) - f64::from(after)) / thousandths)
}

/// `100 * sigmoid(gain)`, rounded down.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the sigmoid is between 0 and 1, and rounding down is meant"
)]
fn rating(gain: f64) -> u32 {
    (100.0 / (1.0 + (-gain).exp())) as u32
}

#[cfg(test)]
mod tests {
    use super::super::super::cluster::testing::{node, pod, share};
    use super::super::super::fragmentation::testing::fragmentation;
    use super::*;

    #[test]
    fn rating_is_the_sigmoid_in_whole_percent() {
        let check = |gain: f64, expected: u32| assert_eq!(rating(gain), expected, "{gain}");
        check(0.0, 50);
        check(-0.001, 49);
        check(1.0, 73);
        check(8.0, 99);
        check(-8.0, 0);
    }

    #[test]
    fn using_up_an_unusable_rest_scores_highest() {
        // Only halves arrive, so 300 left on a GPU is lost.
        let mut fragmentation = fragmentation("a,1,1,1,500,\n");
        let mut score = |free: &[u32]| score(&node(8000, free), &pod(1, share(300)), &mut fragmentation);
        assert_eq!(score(&[300]), 57, "300 lost before, none after");
        assert_eq!(score(&[800]), 50, "500 stay usable");
        assert_eq!(score(&[700]), 40, "400 become unusable");
        assert_eq!(score(&[700, 300, 800]), 57, "the best GPU counts");
    }

    #[test]
    fn taking_the_last_cpu_strands_the_gpus() {
        let mut fragmentation = fragmentation("a,1000,1,1,500,\n");
        let mut score = |cpu| score(&node(cpu, &[1000, 1000]), &pod(3000, GpuDemand::None), &mut fragmentation);
        assert_eq!(score(4000), 50);
        assert_eq!(score(3999), 11, "two GPUs stranded");
    }
}
