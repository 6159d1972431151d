//! Why something is not served, and the smallest change that would serve it.

use super::Options;
use super::compile::Compiled;
use super::outcome::{Plan, Unserved, UnservedCode};

pub(super) fn unserved(compiled: &Compiled<'_>, plan: &Plan, _options: &Options<'_>) -> Vec<Unserved> {
    let served = plan.served(compiled.problem.demands.len());
    let demands = compiled.problem.demands.iter().enumerate().zip(served);
    let missing = demands.filter(|((_, demand), served)| demand.count > *served);
    missing
        .map(|((index, demand), served)| Unserved {
            demand: index,
            count: demand.count - served,
            code: UnservedCode::Capacity,
            reason: "full".to_owned(),
            remedy: None,
        })
        .collect()
}
