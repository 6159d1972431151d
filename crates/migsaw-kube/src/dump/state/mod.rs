//! What runs today: how each node is cut, and which pods are on it.
//!
//! A node's cut is what MIG Manager was told, if its `nvidia.com/mig.config` names an entry that is known (of the
//! node's own ConfigMap, of another in the dump, or one that the operator ships) and what the node offers agrees.
//! Else it is what the node offers, or GPU feature discovery counts: so many instances of each profile, on GPUs that
//! could hold them. Which GPU a pod is on is not said by any of these, so nodes are what must be idle to be cut anew.
//!
//! Better is a [`Sight`]: what is seen of every GPU of a node, and of the pods on it. Where it is complete, agrees
//! with what the node offers and knows every pod, GPUs are what must be idle, or instances where a driver makes and
//! removes them one by one. `ResourceSlice`s and claims go before metrics, because they are what the scheduler goes
//! by and tell every start.
//!
//! A pod that has to have its slices on one GPU may run on several all the same; `spread` says what becomes of that.

mod claims;
pub(super) mod cuts;
mod metrics;
mod sight;
mod spread;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use migsaw::demand::Demand;
use migsaw::fleet::{NodeGroup, NodeNames, Pool};
use migsaw::geometry::{Catalog, Model};
use migsaw::present::{Held, Present, RecutUnit, Room, Running};
use migsaw::problem::Problem;

use super::collect::{Collection, Node};
use super::demands::RunningPod;
use super::dra::Published;
use super::nodes::FleetNode;
use super::warning::{WarningCode, Warnings};
use crate::dcgm::Metrics;
use claims::{Claimed, Seen};
use cuts::Cuts;
use metrics::Hosts;
use sight::Sight;

/// What tells how nodes are cut, beside the nodes themselves.
pub(super) struct Known<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) metrics: Option<&'a Metrics>,
    pub(super) published: &'a Published,
}

/// Says of every node of the fleet what runs there. `running` has the pods of each demand, and gets those of demands
/// that are made for pods that run spread over several GPUs.
pub(super) fn add(
    found: &Collection,
    fleet: &[FleetNode],
    running: &mut Vec<Vec<RunningPod>>,
    known: &Known<'_>,
    problem: &mut Problem,
    warnings: &mut Warnings,
) {
    let nodes: BTreeMap<&str, &Node> = found.nodes.iter().map(|node| (node.name.as_str(), node)).collect();
    let fleet: BTreeMap<&str, &FleetNode> = fleet.iter().map(|node| (node.name.as_str(), node)).collect();
    let mut on_node: BTreeMap<&str, Vec<(usize, &RunningPod)>> = BTreeMap::new();
    for (demand, pods) in running.iter().enumerate() {
        for pod in pods {
            on_node.entry(&pod.node).or_default().push((demand, pod));
        }
    }
    let mut cuts = Cuts::new(found.mig_configs.clone(), known.catalog);
    let hosts = known.metrics.map(|metrics| Hosts::new(metrics, &found.nodes, warnings));
    let claims = Claimed::new(found, known.published);
    let mut states: BTreeMap<String, Present> = BTreeMap::new();
    for pool in &problem.fleet.pools {
        for (_, group) in pool.node_ranges() {
            for name in (0..group.names.count()).map(|index| group.names.get(index)) {
                let (Some(node), Some(fleet_node)) = (nodes.get(name.as_str()), fleet.get(name.as_str())) else {
                    continue;
                };
                let mut pods = on_node.remove(name.as_str()).unwrap_or_default();
                pods.sort();
                let seen = match claims.of(node, fleet_node, &mut cuts, warnings) {
                    Seen::Nothing => hosts.as_ref().and_then(|hosts| hosts.of(node, fleet_node, &mut cuts, warnings)),
                    // Labels and the device plugin tell nothing of GPUs that are given out through claims.
                    Seen::Unclear if fleet_node.by_claims => continue,
                    Seen::Unclear => None,
                    Seen::All(sight) => {
                        if let Some(hosts) = &hosts {
                            hosts.compare(fleet_node, &sight, warnings);
                        }
                        Some(sight)
                    }
                };
                let Some(sight) = seen.or_else(|| Some(Sight::blind(cuts.of(node, fleet_node, warnings)?))) else {
                    continue;
                };
                if let Some(present) = with_pods(sight, &pods, pool, &problem.demands, &name, warnings) {
                    states.insert(name, present);
                }
            }
        }
    }
    for pool in &mut problem.fleet.pools {
        split(pool, &mut states);
    }
    spread::set_apart(problem, running);
}

/// Makes each node with a state a group of its own.
fn split(pool: &mut Pool, states: &mut BTreeMap<String, Present>) {
    let mut groups: Vec<NodeGroup> = Vec::new();
    let names = pool.nodes.iter().flat_map(|group| (0..group.names.count()).map(|index| group.names.get(index)));
    for name in names.collect::<Vec<String>>() {
        let present = states.remove(&name);
        groups.push(NodeGroup { present, ..NodeGroup::idle(NodeNames::Listed(vec![name])) });
    }
    pool.nodes = groups;
}

/// The state with the pods on it; none if they hold more than there is.
fn with_pods(
    sight: Sight,
    pods: &[(usize, &RunningPod)],
    pool: &Pool,
    demands: &[Demand],
    node: &str,
    warnings: &mut Warnings,
) -> Option<Present> {
    let Sight { gpus, in_any_order, unit, by, holds } = sight;
    let mut present = Present { unit, gpus, in_any_order, running: Vec::new() };
    let models: Vec<&Model> = pool.gpu_models().map(AsRef::as_ref).collect();
    let mut room = Room::of(&present, models.len());
    let mut here: BTreeMap<usize, u32> = BTreeMap::new();
    let mut units: Vec<(usize, &RunningPod)> = Vec::new();
    let mut held: Vec<Option<Vec<Held>>> = Vec::new();
    for &(index, pod) in pods {
        let demand = &demands[index];
        let on_node = here.entry(index).or_insert(0);
        let is_crowded = demand.max_per_node.is_some_and(|most| *on_node >= most);
        if is_crowded || demand.eligible.admits(pool).is_err() {
            let message = "runs where it could not be placed again (a taint, a label or a limit per node): planned as if it did not run";
            warnings.add(WarningCode::RunningMisplaced, format!("pod {}", pod.name), message);
            continue;
        }
        *on_node += 1;
        let namespace = demand.namespace.clone().unwrap_or_default();
        let seen = holds.get(&(namespace, pod.name.to_string()));
        let taken = seen.and_then(|seen| spread::taken(&demand.request, |asks| room.take_these(seen, asks, &models)));
        if taken.is_none() && unit != RecutUnit::Node {
            present.unit = RecutUnit::Node;
            let message = format!("{by} does not tell which GPU it is on: its node is what is cut anew");
            warnings.add(WarningCode::PodGpuUnknown, format!("pod {}", pod.name), message);
        }
        units.push((index, pod));
        held.push(taken);
    }
    // What is seen has gone first, so that what is guessed does not take it; then what needs most on one GPU.
    let mut guessed: Vec<usize> = (0..units.len()).filter(|&unit| held[unit].is_none()).collect();
    guessed.sort_by_key(|&unit| Reverse(spread::tight_instances(&demands[units[unit].0].request)));
    for unit in guessed {
        held[unit] = spread::taken(&demands[units[unit].0].request, |asks| room.take(asks, &models));
    }
    for ((index, pod), holds) in units.into_iter().zip(held) {
        let Some(holds) = holds else {
            let message =
                "runs pods that hold more than it offers: how it is cut cannot be told, so it counts as empty";
            warnings.add(WarningCode::StateUnknown, format!("node {node}"), message);
            return None;
        };
        let is_spread = spread::is_spread(&demands[index].request, &holds);
        if is_spread {
            warnings.add(WarningCode::RunningSpread, format!("pod {}", pod.name), spread::message(&demands[index]));
        }
        let name = Some(pod.name.to_string()).filter(|name| !name.is_empty());
        present.running.push(Running { name, demand: index, holds, stays: pod.stays || is_spread });
    }
    Some(present)
}
