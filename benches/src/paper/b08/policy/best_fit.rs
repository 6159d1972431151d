//! Leave as little as possible: `100 * (1 - ((C - c) / 128000 + (R - r) / 8000) / 2)` for free CPU
//! `C` and total free GPU `R` of the node, and demand `c` and `r`.
//!
//! The original then stretches the scores of the candidates to 0..=100; that keeps their order and
//! their ties, and is left out.

use super::super::cluster::Node;
use super::super::resources::PodSpec;
use super::{MAX_CPU, MAX_GPU};

pub(super) fn score(node: &Node, pod: &PodSpec) -> u32 {
    // In units of one 256,000th, so that the score is exact.
    let whole = 2 * MAX_CPU;
    let cpu_left = (node.cpu - pod.cpu).0;
    let gpu_left = (node.gpus.total() - pod.gpu.total()).0 * (MAX_CPU / MAX_GPU);
    (whole - cpu_left - gpu_left) * 100 / whole
}

#[cfg(test)]
mod tests {
    use super::super::super::cluster::testing::{node, pod, share};
    use super::super::super::resources::GpuDemand;
    use super::*;

    #[test]
    fn fuller_nodes_score_higher() {
        let check = |node: &Node, pod: &PodSpec, expected: u32| assert_eq!(score(node, pod), expected);
        check(&node(128_000, &[1000; 8]), &pod(0, GpuDemand::None), 0);
        check(&node(64_000, &[1000; 4]), &pod(64_000, GpuDemand::Whole(4)), 100);
        check(&node(64_000, &[1000; 4]), &pod(0, GpuDemand::Whole(2)), 62);
        check(&node(64_000, &[500]), &pod(0, share(500)), 75);
    }
}
