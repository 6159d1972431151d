//! What a node offers once it is cut.

use std::collections::BTreeMap;

use migsaw::fleet::{Pool, Strategy};
use migsaw::plan::PlannedNodes;

use crate::names::GPU;

/// The extended resources that a node of a plan offers, as the device plugin names them: with strategy `mixed` MIG
/// devices by profile and GPUs without MIG as `nvidia.com/gpu`, with `single` everything as `nvidia.com/gpu`.
///
/// # Panics
/// If the nodes are not of that pool.
pub fn advertised(pool: &Pool, planned: &PlannedNodes) -> BTreeMap<String, u64> {
    let mut offered = BTreeMap::new();
    for (model, target) in pool.gpu_models().zip(&planned.gpus) {
        let Some(counts) = target.counts() else {
            *offered.entry(GPU.to_owned()).or_insert(0) += 1;
            continue;
        };
        for (profile, n) in counts.iter() {
            let resource = match pool.strategy {
                Strategy::Mixed => model.get(profile).name.resource(),
                Strategy::Single => GPU.to_owned(),
            };
            *offered.entry(resource).or_insert(0) += u64::from(n);
        }
    }
    offered
}
