//! Keep pods of a kind together, as Gandiva does (Xiao et al., OSDI 2018).
//!
//! The kind of a pod is a share, or its number of whole GPUs. A node scores `25 * used` for the
//! used part of 8,000 thousandths, where GPUs it lacks count as used, plus 75 if it hosts only the
//! pod's kind, 50 if it hosts that and others, 25 if it hosts no pod with GPUs. Pods without GPUs
//! rate every node 0.

use super::super::cluster::Node;
use super::super::resources::{GpuDemand, PodSpec};
use super::MAX_GPU;

pub(super) fn score(node: &Node, pod: &PodSpec) -> u32 {
    if pod.gpu == GpuDemand::None {
        return 0;
    }
    let base = match (node.kinds.contains(pod.gpu), node.kinds.len()) {
        (true, 1) => 75,
        (true, _) => 50,
        (false, 0) => 25,
        (false, _) => 0,
    };
    base + 25 * (MAX_GPU - node.gpus.total().0) / MAX_GPU
}

#[cfg(test)]
mod tests {
    use super::super::super::cluster::testing::{node, pod, share};
    use super::*;

    #[test]
    fn company_of_the_same_kind_scores_highest() {
        let check = |kinds: &[GpuDemand], demand: GpuDemand, expected: u32| {
            let mut node = node(8000, &[1000, 500, 0, 0, 0, 0, 0, 500]);
            for kind in kinds {
                node.kinds.insert(*kind);
            }
            assert_eq!(score(&node, &pod(1000, demand)), expected, "{kinds:?} {demand:?}");
        };
        check(&[share(1)], share(500), 75 + 18);
        check(&[share(1), GpuDemand::Whole(1)], share(500), 50 + 18);
        check(&[GpuDemand::None], share(500), 25 + 18);
        check(&[GpuDemand::Whole(2)], GpuDemand::Whole(1), 18);
        check(&[share(1)], GpuDemand::None, 0);
    }
}
