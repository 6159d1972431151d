//! Tetris reversed: prefer nodes whose free resources align least with the pod.
//!
//! With CPU and all GPUs of the node merged as two dimensions, each relative to the largest node,
//! the score is `100 * (1 - (C c / 128000^2 + R r / 8000^2) / 2)` for free `C`, `R` and demand
//! `c`, `r`. (Grandl et al., SIGCOMM 2014, take the greatest product; the FGD authors' baseline,
//! reproduced here, takes the least.)

use super::super::cluster::Node;
use super::super::resources::PodSpec;
use super::{MAX_CPU, MAX_GPU};

pub(super) fn score(node: &Node, pod: &PodSpec) -> u32 {
    // In units of one `2 * 128000^2`th, so that the score is exact.
    let unit = u64::from(MAX_CPU) * u64::from(MAX_CPU);
    let gpu_scale = u64::from(MAX_CPU / MAX_GPU) * u64::from(MAX_CPU / MAX_GPU);
    let cpu = u64::from(node.cpu.0) * u64::from(pod.cpu.0);
    let gpu = u64::from(node.gpus.total().0) * u64::from(pod.gpu.total().0) * gpu_scale;
    percent(2 * unit - cpu - gpu, 2 * unit)
}

fn percent(part: u64, whole: u64) -> u32 {
    u32::try_from(part * 100 / whole).expect("the part is not above the whole")
}

#[cfg(test)]
mod tests {
    use super::super::super::cluster::testing::{node, pod};
    use super::super::super::resources::GpuDemand;
    use super::*;

    #[test]
    fn emptier_nodes_score_lower() {
        let check = |node: &Node, pod: &PodSpec, expected: u32| assert_eq!(score(node, pod), expected);
        check(&node(128_000, &[1000; 8]), &pod(128_000, GpuDemand::Whole(8)), 0);
        check(&node(128_000, &[1000; 8]), &pod(64_000, GpuDemand::None), 75);
        check(&node(64_000, &[1000; 4]), &pod(64_000, GpuDemand::Whole(4)), 75);
        check(&node(64_000, &[0; 8]), &pod(1000, GpuDemand::None), 99);
    }
}
