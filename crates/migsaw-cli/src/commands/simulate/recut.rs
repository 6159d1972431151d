//! Cutting GPUs anew, as the planner says.

use std::collections::BTreeMap;
use std::time::Duration;

use migsaw::demand::{Demand, Request, Together};
use migsaw::fleet::{Fleet, NodeGroup, NodeNames};
use migsaw::geometry::ProfileName;
use migsaw::plan::{Depth, GpuTarget, Moving, Options, plan};
use migsaw::present::{Held, Present, Running};
use migsaw::problem::Problem;
use migsaw_sim::{NewCuts, NodeStanding, PodStanding, Recut, Standing};

use crate::budget::Deadline;

/// How long a plan may be sought; what was found by then is done.
const PLANNING: Duration = Duration::from_secs(10);

/// The planner, asked while a simulation goes on.
#[derive(Debug)]
pub(super) struct Replanning {
    /// The nodes, with what is pinned. Pods may go anywhere, as in the simulation.
    fleet: Fleet,
}

impl Replanning {
    pub(super) fn new(fleet: &Fleet) -> Replanning {
        let mut fleet = fleet.clone();
        fleet.pools.iter_mut().for_each(|pool| pool.taints.clear());
        Replanning { fleet }
    }

    /// The fleet with what runs there, each node by itself.
    fn with_running(&self, standing: &Standing<'_>, running: &[Vec<Running>]) -> Fleet {
        let mut fleet = Fleet { pools: Vec::new() };
        for pool in &self.fleet.pools {
            fleet.pools.push(pool.clone());
            if let Some(pool) = fleet.pools.last_mut() {
                pool.nodes.clear();
            }
        }
        for (node, running) in standing.nodes.iter().zip(running) {
            let known = &self.fleet.pools[node.pool];
            let group = known.node_ranges().find(|(range, _)| range.contains(&node.number));
            let pinned = group.map_or_else(Vec::new, |(_, group)| group.pinned.clone());
            fleet.pools[node.pool].nodes.push(NodeGroup {
                names: NodeNames::Listed(vec![known.node_name(node.number)]),
                pinned,
                present: Some(present(node, running)),
            });
        }
        fleet
    }
}

impl Recut for Replanning {
    /// As the best plan says that keeps what runs and serves the mix, as much of it as the fleet has slices for.
    fn recut(&self, standing: &Standing<'_>) -> NewCuts {
        let mut demands = Demands::of(standing);
        // Only pods of the lowest priority make way for a better cut.
        let lowest = standing.running.iter().map(|pod| pod.priority).min();
        let mut running: Vec<Vec<Running>> = vec![Vec::new(); standing.nodes.len()];
        let mut pods: Vec<Vec<u32>> = vec![Vec::new(); standing.nodes.len()];
        for pod in &standing.running {
            running[pod.node].push(Running {
                name: None,
                demand: demands.runs(pod),
                holds: pod.holds.iter().map(|&(gpu, placement)| Held { gpu, instance: Some(placement) }).collect(),
                stays: standing.max_evictions == 0 || Some(pod.priority) != lowest,
            });
            pods[pod.node].push(pod.pod);
        }
        let fleet = self.with_running(standing, &running);
        let problem = Problem { fleet, demands: demands.all, ..Problem::default() };
        let deadline = Deadline::after(PLANNING);
        let moving = Moving { max_evictions: Some(standing.max_evictions.into()), ..Moving::default() };
        let options = Options { budget: &deadline, depth: Depth::ServedAndCost, moving, ..Options::default() };
        // Without a plan everything stays as it is.
        let Ok(plan) = plan(&problem, &options) else { return NewCuts::default() };
        let number: BTreeMap<(usize, u32), usize> =
            standing.nodes.iter().enumerate().map(|(at, node)| ((node.pool, node.number), at)).collect();
        let mut answer = NewCuts::default();
        for group in &plan.nodes {
            for at in group.nodes.clone().filter_map(|node| number.get(&(group.pool, node)).copied()) {
                answer.evicts.extend(group.evicts.iter().map(|unit| pods[at][*unit]));
                for (slot, target) in (0..).zip(&group.gpus) {
                    if let GpuTarget::Mig(layout) = target {
                        answer.cuts.push((at, slot, layout.clone()));
                    }
                }
            }
        }
        answer
    }
}

/// What is planned for: a demand for all pods that ask for the same.
struct Demands {
    all: Vec<Demand>,
    numbers: BTreeMap<BTreeMap<ProfileName, u32>, usize>,
    names: Vec<ProfileName>,
    /// Units of each that run.
    running: Vec<u64>,
}

impl Demands {
    /// The mix, so many pods that they ask for all slices there are.
    fn of(standing: &Standing<'_>) -> Demands {
        let size = |name: &ProfileName| {
            standing.profiles.iter().position(|known| known == name).map_or(0, |at| standing.sizes[at])
        };
        let sizes = |asks: &BTreeMap<ProfileName, u32>| -> u128 {
            asks.iter().map(|(name, n)| u128::from(size(name)) * u128::from(*n)).sum()
        };
        let asked: u128 = standing.mix.requests().map(|(asks, pods)| sizes(asks) * u128::from(pods)).sum();
        let mut demands = Demands {
            all: Vec::new(),
            numbers: BTreeMap::new(),
            names: standing.profiles.to_vec(),
            running: Vec::new(),
        };
        for (asks, pods) in standing.mix.requests() {
            let at = demands.number(asks.clone());
            let count = u128::from(pods) * u128::from(standing.units) / asked.max(1);
            demands.all[at].count = u64::try_from(count).unwrap_or(0);
        }
        demands
    }

    /// The demand that a pod which runs is a unit of.
    fn runs(&mut self, pod: &PodStanding<'_>) -> usize {
        let named = |&(at, n): &(u16, u8)| (self.names[usize::from(at)].clone(), u32::from(n));
        let at = self.number(pod.asks.iter().map(named).collect());
        self.running[at] += 1;
        self.all[at].count = self.all[at].count.max(self.running[at]);
        at
    }

    fn number(&mut self, instances: BTreeMap<ProfileName, u32>) -> usize {
        *self.numbers.entry(instances.clone()).or_insert_with(|| {
            let request = Request::Profiles { instances, together: Together::Node };
            self.all.push(Demand::new(format!("asks-{}", self.all.len()), request, 0));
            self.running.push(0);
            self.all.len() - 1
        })
    }
}

/// How a node is cut, and what runs there. GPUs that are not simulated are pinned anyway.
fn present(node: &NodeStanding, running: &[Running]) -> Present {
    let slots = node.gpus.last().map_or(0, |(last, _)| last + 1);
    let cut = |slot: u16| {
        let (_, cut) = node.gpus.iter().find(|(other, _)| *other == slot)?;
        Some(cut.clone()).filter(|cut| !cut.is_empty())
    };
    Present { unit: node.unit, gpus: (0..slots).map(cut).collect(), in_any_order: false, running: running.to_vec() }
}
