//! The best cut for several demands, by exhaustion: every way to cut every node, and for each of them what each of
//! the demands is served.

use migsaw::plan::{GpuTarget, Plan};
use migsaw::problem::Problem;

use super::Additions;
use super::node::{self, Key, NodeChoices};
use super::table::{by_level, counts, is_within, smaller};
use crate::facts::{Facts, Gpu, Node, Vector};

/// Demands of which one at a time comes, as problems with the same fleet that differ in counts only.
pub struct Scenarios<'a> {
    /// With the largest count of each demand.
    peak: &'a Problem,
    /// For each of them the facts, with all demands that any asks for.
    facts: Vec<Facts<'a>>,
    /// For each of them the nodes with all their cuts.
    nodes: Vec<Vec<NodeChoices>>,
}

/// At a priority: the units served, times the weights, and the greatest regret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Values {
    /// The sum of weight times units.
    pub average: i64,
    /// The greatest difference to what the scenario's own best cut serves.
    pub regret: i64,
}

/// What a node can serve with a cut, by scenario.
type Serves = Vec<Vec<Vector>>;

impl<'a> Scenarios<'a> {
    /// `peak` has the largest count of each demand.
    ///
    /// # Panics
    /// If a problem is too large.
    pub fn new(peak: &'a Problem, problems: &[Problem]) -> Scenarios<'a> {
        assert!(peak.demands.len() <= 8, "too large for the oracle");
        let asked = |problem: &Problem| {
            let demands = problem.demands.iter().zip(&peak.demands);
            demands.filter(|(_, peak)| peak.count > 0).map(|(demand, _)| demand.count).collect()
        };
        let facts: Vec<Facts<'a>> =
            problems.iter().map(|problem| Facts { asked: asked(problem), ..Facts::of(peak) }).collect();
        let nodes = facts.iter().map(|facts| node::choices(facts, Additions::Wanted)).collect();
        Scenarios { peak, facts, nodes }
    }

    /// The priorities, highest first.
    pub fn priorities(&self) -> Vec<i32> {
        self.facts[0].levels.clone()
    }

    /// What each scenario's own best cut serves, by priority.
    ///
    /// # Panics
    /// If nodes cannot stay as they are.
    pub fn best(&self) -> Vec<Vec<i64>> {
        let of = |scenario: usize| {
            let sets = self.nodes[scenario].iter().map(|node| node.all().entries().iter().map(|e| e.0).collect());
            self.most(scenario, sets)
        };
        (0..self.facts.len()).map(of).collect()
    }

    /// The best values, of all ways to cut the nodes.
    ///
    /// # Panics
    /// If nodes cannot stay as they are.
    pub fn optimum(&self, weights: &[i64], regret_first: bool) -> Vec<Values> {
        let best = self.best();
        let cuts: Vec<Vec<Serves>> = (0..self.nodes[0].len()).map(|node| self.cuts(node)).collect();
        let mut found: Option<(Vec<i64>, Vec<Values>)> = None;
        each_choice(&cuts, &mut Vec::new(), &mut |chosen| {
            let served = |scenario: usize| self.most(scenario, chosen.iter().map(|cut| cut[scenario].clone()));
            let served: Vec<Vec<i64>> = (0..self.facts.len()).map(served).collect();
            let values = values(weights, &best, &served);
            let order = |v: &Values| if regret_first { [-v.regret, v.average] } else { [v.average, -v.regret] };
            let score: Vec<i64> = values.iter().flat_map(order).collect();
            if found.as_ref().is_none_or(|(known, _)| *known < score) {
                found = Some((score, values));
            }
        });
        found.expect("nodes can stay as they are").1
    }

    /// What a plan's cut serves in each scenario, by priority.
    ///
    /// # Panics
    /// If the plan takes away what is pinned.
    pub fn served_by(&self, plan: &Plan) -> Vec<Vec<i64>> {
        let groups = plan.nodes.iter();
        let planned: Vec<&[GpuTarget]> =
            groups.flat_map(|group| std::iter::repeat_n(&group.gpus[..], group.node_count() as usize)).collect();
        let of = |scenario: usize| {
            let facts = &self.facts[scenario];
            let nodes = facts.nodes.iter().zip(&planned).map(|(node, gpus)| {
                let as_cut = |(gpu, target): (&Gpu, &GpuTarget)| match target {
                    GpuTarget::MigOff => Gpu { off: true, ..gpu.clone() },
                    GpuTarget::Mig(layout) | GpuTarget::Left(layout) => {
                        let mut free = vec![0u8; facts.models[gpu.model].profiles.len()];
                        layout.placements().iter().for_each(|placement| free[usize::from(placement.profile.0)] += 1);
                        gpu.pinned.iter().for_each(|placement| free[usize::from(placement.profile.0)] -= 1);
                        Gpu { fixed: Some(free), ..gpu.clone() }
                    }
                };
                let gpus = node.gpus.iter().zip(*gpus).map(as_cut).collect();
                Node { pool: node.pool, gpus, held: Vec::new() }
            });
            let facts = Facts { nodes: nodes.collect(), asked: facts.asked.clone(), ..Facts::of(self.peak) };
            let sets = node::choices(&facts, Additions::Wanted);
            self.most(scenario, sets.iter().map(|node| node.all().entries().iter().map(|entry| entry.0).collect()))
        };
        (0..self.facts.len()).map(of).collect()
    }

    /// The most units by priority, of nodes that can serve these.
    fn most(&self, scenario: usize, nodes: impl Iterator<Item = Vec<Vector>>) -> Vec<i64> {
        let facts = &self.facts[scenario];
        let asked = counts(facts);
        let mut all = vec![0];
        for vectors in nodes {
            let sums = all.iter().flat_map(|a| vectors.iter().map(move |b| smaller(a + b, asked)));
            all = maximal(sums.collect());
        }
        all.into_iter().map(|vector| by_level(facts, vector)).max().expect("nodes can stay as they are")
    }

    /// The cuts of a node of which no other serves as much in every scenario.
    fn cuts(&self, node: usize) -> Vec<Serves> {
        let empty = Key::new();
        let keys = self.nodes[0][node].by_key.keys().chain([&empty]);
        let serves = |key: &Key| -> Serves {
            let of = |nodes: &Vec<NodeChoices>| nodes[node].only(&[key]).entries().iter().map(|e| e.0).collect();
            self.nodes.iter().map(|nodes| maximal(of(nodes))).collect()
        };
        let mut kept: Vec<Serves> = Vec::new();
        for cut in keys.map(serves).filter(|cut| cut.iter().all(|vectors| !vectors.is_empty())) {
            if !kept.iter().any(|other| is_covered(&cut, other)) {
                kept.retain(|other| !is_covered(other, &cut));
                kept.push(cut);
            }
        }
        kept
    }
}

fn is_covered(cut: &Serves, other: &Serves) -> bool {
    let covers = |a: &Vec<Vector>, b: &Vec<Vector>| a.iter().all(|&a| b.iter().any(|&b| is_within(a, b)));
    cut.iter().zip(other).all(|(a, b)| covers(a, b))
}

fn maximal(mut vectors: Vec<Vector>) -> Vec<Vector> {
    vectors.sort_unstable();
    vectors.dedup();
    let is_less = |a: Vector| vectors.iter().any(|&b| a != b && is_within(a, b));
    vectors.iter().copied().filter(|&a| !is_less(a)).collect()
}

/// What the scenarios are served, as it counts.
fn values(weights: &[i64], best: &[Vec<i64>], served: &[Vec<i64>]) -> Vec<Values> {
    let at = |level: usize| Values {
        average: weights.iter().zip(served).map(|(weight, served)| weight * served[level]).sum(),
        regret: best.iter().zip(served).map(|(best, served)| best[level] - served[level]).max().unwrap_or(0),
    };
    (0..best[0].len()).map(at).collect()
}

fn each_choice<'c>(cuts: &'c [Vec<Serves>], chosen: &mut Vec<&'c Serves>, visit: &mut impl FnMut(&[&Serves])) {
    let Some(here) = cuts.get(chosen.len()) else { return visit(chosen) };
    for cut in here {
        chosen.push(cut);
        each_choice(cuts, chosen, visit);
        chosen.pop();
    }
}
