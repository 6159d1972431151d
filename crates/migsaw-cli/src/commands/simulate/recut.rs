//! Cutting GPUs anew, as the planner says.

use std::collections::BTreeMap;
use std::time::Duration;

use migsaw::demand::{Demand, Eligibility, Request, Together};
use migsaw::fleet::{Fleet, NodeGroup, NodeNames};
use migsaw::geometry::ProfileName;
use migsaw::plan::{Depth, GpuTarget, Moving, Options, plan};
use migsaw::present::{Held, Present, Running};
use migsaw::problem::Problem;
use migsaw_sim::{Limits, NewCuts, NodeStanding, PodStanding, Recut, Standing};

use crate::budget::Deadline;

/// How long a plan may be sought; what was found by then is done.
const PLANNING: Duration = Duration::from_secs(10);

/// The planner, asked while a simulation goes on.
#[derive(Debug)]
pub(super) struct Replanning {
    /// The nodes, with what is pinned. Which pools pods may use is known without taints.
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
        let mut demands = Demands::of(standing, &self.fleet);
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

/// What is planned for: a demand for all pods that ask for the same with the same limits.
struct Demands<'a> {
    all: Vec<Demand>,
    numbers: BTreeMap<Alike, usize>,
    standing: &'a Standing<'a>,
    fleet: &'a Fleet,
    /// Units of each that run.
    running: Vec<u64>,
}

/// What pods ask for, and the index of their limits.
type Alike = (BTreeMap<ProfileName, u32>, u16);

impl<'a> Demands<'a> {
    /// What was asked for lately, so many pods that they ask for all slices there are.
    fn of(standing: &'a Standing<'a>, fleet: &'a Fleet) -> Demands<'a> {
        let mut demands = Demands { all: Vec::new(), numbers: BTreeMap::new(), standing, fleet, running: Vec::new() };
        let size = |name: &ProfileName| {
            standing.profiles.iter().position(|known| known == name).map_or(0, |at| standing.sizes[at])
        };
        let mut weights: BTreeMap<Alike, u128> = BTreeMap::new();
        for asked in standing.asked.iter().filter(|asked| asked.weight > 0) {
            *weights.entry(demands.alike(asked.asks, asked.limits)).or_default() += u128::from(asked.weight);
        }
        let sizes = |asks: &BTreeMap<ProfileName, u32>| -> u128 {
            asks.iter().map(|(name, n)| u128::from(size(name)) * u128::from(*n)).sum()
        };
        let asked: u128 = weights.iter().map(|((asks, _), pods)| sizes(asks) * pods).sum();
        for (alike, pods) in weights {
            let at = demands.number(alike);
            let count = pods * u128::from(standing.units) / asked.max(1);
            demands.all[at].count = u64::try_from(count).unwrap_or(0);
        }
        demands
    }

    /// The demand that a pod which runs is a unit of.
    fn runs(&mut self, pod: &PodStanding<'_>) -> usize {
        let at = self.number(self.alike(pod.asks, pod.limits));
        self.running[at] += 1;
        self.all[at].count = self.all[at].count.max(self.running[at]);
        at
    }

    fn alike(&self, asks: &[(u16, u8)], limits: u16) -> Alike {
        let named = |&(at, n): &(u16, u8)| (self.standing.profiles[usize::from(at)].clone(), u32::from(n));
        (asks.iter().map(named).collect(), limits)
    }

    fn number(&mut self, alike: Alike) -> usize {
        if let Some(known) = self.numbers.get(&alike) {
            return *known;
        }
        let (instances, limits) = alike.clone();
        let Limits { pools, on_one_gpu, max_per_node } = &self.standing.limits[usize::from(limits)];
        let together = if *on_one_gpu { Together::Gpu } else { Together::Node };
        let request = Request::Profiles { instances, together };
        let name = |pool: &usize| self.fleet.pools[*pool].name.clone();
        let pools = pools.as_ref().map(|pools| pools.iter().map(name).collect());
        self.all.push(Demand {
            eligible: Eligibility { pools, ..Eligibility::default() },
            max_per_node: *max_per_node,
            ..Demand::new(format!("asks-{}", self.all.len()), request, 0)
        });
        self.running.push(0);
        self.numbers.insert(alike, self.all.len() - 1);
        self.all.len() - 1
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

#[cfg(test)]
mod tests {
    use migsaw::fleet::Pool;
    use migsaw::geometry::{Catalog, Layout};
    use migsaw::present::RecutUnit;
    use migsaw_sim::AskedStanding;

    use super::*;

    /// Two idle GPUs in pools of their own, for four small pods and one that takes a GPU: how each is cut then.
    fn cuts(limits: &Limits) -> BTreeMap<usize, String> {
        let model = Catalog::builtin().model("A30").unwrap();
        let pools = ["a", "b"].map(|name| Pool::new(name, model.clone(), 1, 1));
        let before = Layout::parse(&model, "2g.12gb@0,2g.12gb@2").unwrap();
        let node = |pool| NodeStanding { pool, number: 0, unit: RecutUnit::Node, gpus: vec![(0, before.clone())] };
        let asked = |asks, limits, weight| AskedStanding { asks, limits, weight };
        let standing = Standing {
            profiles: &["1g.6gb".parse().unwrap(), "4g.24gb".parse().unwrap()],
            sizes: vec![1, 4],
            units: 8,
            limits: &[Limits::default(), limits.clone()],
            asked: vec![asked(&[(1, 1)], 0, 1), asked(&[(0, 1)], 1, 4)],
            nodes: vec![node(0), node(1)],
            running: Vec::new(),
            max_evictions: 0,
        };
        let fleet = Fleet { pools: pools.into() };
        let answer = Replanning::new(&fleet).recut(&standing);
        answer.cuts.into_iter().map(|(node, _, layout)| (node, layout.display(&model).to_string())).collect()
    }

    #[test]
    fn gpus_are_cut_for_those_who_may_use_them() {
        let small = "1g.6gb@0,1g.6gb@1,1g.6gb@2,1g.6gb@3".to_owned();
        for (may_use, other) in [(0, 1), (1, 0)] {
            let cuts = cuts(&Limits { pools: Some([may_use].into()), ..Limits::default() });
            assert_eq!(cuts, [(may_use, small.clone()), (other, "4g.24gb@0".to_owned())].into());
        }
        let nowhere = cuts(&Limits { pools: Some([].into()), ..Limits::default() });
        assert!(nowhere.values().any(|cut| cut == "4g.24gb@0"), "{nowhere:?}");
        assert!(nowhere.values().all(|cut| *cut != small), "{nowhere:?}");
    }
}
