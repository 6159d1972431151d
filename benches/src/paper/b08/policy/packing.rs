//! Touch as few idle GPUs, and idle nodes, as possible.
//!
//! From best to worst, for the GPUs with the least sufficient room:
//! 1. a GPU in use, `100 - percent free / 10`;
//! 2. idle GPUs of a node in use, `50 - number used`;
//! 3. a node with only idle GPUs, `33 - its GPUs`.
//!
//! Pods without GPUs rate every node 0.

use super::super::cluster::Node;
use super::super::resources::{GpuDemand, GpuMilli, PodSpec};

pub(super) fn score(node: &Node, pod: &PodSpec) -> u32 {
    if pod.gpu == GpuDemand::None {
        return 0;
    }
    if node.gpus.idle_count() == node.gpus.each().len() {
        return 33 - small(node.gpus.each().len());
    }
    match shared_gpu(node, pod) {
        Some(free) => 100 - free.0 * 100 / GpuMilli::WHOLE.0 / 10,
        None => 50 - small(pod.gpu.count()),
    }
}

/// Room on the GPU in use that would take the pod.
fn shared_gpu(node: &Node, pod: &PodSpec) -> Option<GpuMilli> {
    let gpu = node.gpus.tightest(pod.gpu.each())?;
    Some(node.gpus.free(gpu)).filter(|free| *free < GpuMilli::WHOLE)
}

fn small(gpus: usize) -> u32 {
    u32::try_from(gpus).expect("a node has at most eight GPUs")
}

#[cfg(test)]
mod tests {
    use super::super::super::cluster::testing::{node, pod, share};
    use super::*;

    #[test]
    fn used_gpus_come_before_used_nodes_before_idle_nodes() {
        let check = |free: &[u32], demand: GpuDemand, expected: u32| {
            assert_eq!(score(&node(8000, free), &pod(1000, demand)), expected, "{free:?} {demand:?}");
        };
        check(&[500, 1000], share(400), 95);
        check(&[990, 1000], share(400), 91);
        check(&[300, 1000], share(400), 49);
        check(&[300, 1000, 1000], GpuDemand::Whole(2), 48);
        check(&[1000, 1000], share(400), 31);
        check(&[1000; 8], GpuDemand::Whole(8), 25);
        check(&[500, 1000], GpuDemand::None, 0);
    }
}
