//! Pods that run with slices of several GPUs though they have to have them on one.
//!
//! That they have to is a rule for who places them, as `migsaw.io/together` is for the extender. Where it was not kept,
//! because the pod was there before the extender or the annotation, nobody moves the pod for it. So such pods stay, in
//! a demand of their own that may be spread. Not to be moved goes with that: the pod that would come instead of an
//! evicted one has to be on one GPU again.
//!
//! A demand with a limit per node is not divided, because its two parts would be counted apart: none of its units has to
//! be on one GPU then.
//!
//! Where nobody knows which GPU a pod is on, that is guessed, for those first that need most on one GPU. What finds no
//! GPU with room for all of it counts as spread, though it need not be: other guesses might have left it room.

use std::collections::BTreeMap;

use migsaw::demand::{Demand, Request, Together};
use migsaw::fleet::NodeGroup;
use migsaw::present::{Held, Running};
use migsaw::problem::Problem;

use super::super::demands::RunningPod;

/// What a unit that asks for this holds, as `take` says; on several GPUs if that is the only way.
pub(super) fn taken(request: &Request, mut take: impl FnMut(&Request) -> Option<Vec<Held>>) -> Option<Vec<Held>> {
    take(request).or_else(|| if is_tight(request) { take(&loosened(request)) } else { None })
}

/// Whether all of it has to be on one GPU.
fn is_tight(request: &Request) -> bool {
    matches!(request, Request::Profiles { together: Together::Gpu, .. })
}

/// How many instances it needs on one GPU; 0 where they may be on several.
pub(super) fn tight_instances(request: &Request) -> u64 {
    match request {
        Request::Profiles { instances, together: Together::Gpu } => instances.values().map(|&n| u64::from(n)).sum(),
        _ => 0,
    }
}

/// Whether a unit that has to be on one GPU is on several.
pub(super) fn is_spread(request: &Request, holds: &[Held]) -> bool {
    is_tight(request) && holds.windows(2).any(|pair| pair[0].gpu != pair[1].gpu)
}

fn loosened(request: &Request) -> Request {
    match request {
        Request::Profiles { instances, .. } => {
            Request::Profiles { instances: instances.clone(), together: Together::Node }
        }
        other => other.clone(),
    }
}

/// What is said of a pod of this demand that is spread.
pub(super) fn message(demand: &Demand) -> &'static str {
    if demand.max_per_node.is_some() {
        "has slices of several GPUs where they have to be on one: it stays where it is, and because of the limit per node no pod of its demand has to be on one"
    } else {
        "has slices of several GPUs where they have to be on one: it stays where it is"
    }
}

/// Makes demands of the units that are spread, with the quotas and pods that belong to them. `running` has the pods of
/// each demand.
pub(super) fn set_apart(problem: &mut Problem, running: &mut Vec<Vec<RunningPod>>) {
    let demands = &problem.demands;
    let mut spread: BTreeMap<usize, Vec<(String, String)>> = BTreeMap::new();
    for group in problem.fleet.pools.iter().flat_map(|pool| &pool.nodes) {
        let units = group.present.iter().flat_map(|present| &present.running);
        for unit in units.filter(|unit| is_spread(&demands[unit.demand].request, &unit.holds)) {
            spread.entry(unit.demand).or_default().push(pod_of(group, unit));
        }
    }
    for (tight, pods) in spread {
        let count = pods.len() as u64;
        let request = loosened(&problem.demands[tight].request);
        if problem.demands[tight].count == count || problem.demands[tight].max_per_node.is_some() {
            problem.demands[tight].request = request;
            continue;
        }
        problem.demands[tight].count -= count;
        let demand = &problem.demands[tight];
        let name = free_name(demand, &problem.demands);
        let loose = problem.demands.len();
        problem.demands.push(Demand { name, count, request, ..demand.clone() });
        for counted in problem.quotas.iter_mut().filter_map(|quota| quota.demands.as_mut()) {
            if counted.contains(&tight) {
                counted.insert(loose);
            }
        }
        for group in problem.fleet.pools.iter_mut().flat_map(|pool| &mut pool.nodes) {
            let Some(present) = &mut group.present else { continue };
            let request = &problem.demands[tight].request;
            let units = present.running.iter_mut().filter(|unit| unit.demand == tight);
            units.filter(|unit| is_spread(request, &unit.holds)).for_each(|unit| unit.demand = loose);
        }
        let is_of = |pod: &RunningPod| pods.contains(&(pod.node.to_string(), pod.name.to_string()));
        let (moved, kept) = std::mem::take(&mut running[tight]).into_iter().partition(is_of);
        running[tight] = kept;
        running.push(moved);
    }
}

/// The node and the name of a pod.
fn pod_of(group: &NodeGroup, unit: &Running) -> (String, String) {
    (group.names.get(0), unit.name.clone().unwrap_or_default())
}

/// A name that no other demand of the namespace has.
fn free_name(demand: &Demand, demands: &[Demand]) -> String {
    let is_free =
        |name: &String| !demands.iter().any(|other| other.namespace == demand.namespace && other.name == *name);
    let base = format!("{}-spread", demand.name);
    let mut names = std::iter::once(base.clone()).chain((2..).map(|number| format!("{base}-{number}")));
    names.find(is_free).expect("there are more numbers than demands")
}
