//! A good order of many steps.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::harm::Harm;
use super::order::Order;
use super::state::State;
use super::steps::Work;

/// Which steps may be taken where each of them harms somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Among {
    /// Any.
    All,
    /// Those that wait for no step outside the circle they are in.
    Circles,
}

/// Each wave takes steps that harm nobody, those that free most first; where there is none, the one step that does
/// the least harm.
pub(super) fn kindly(work: &Work, most: usize, among: Among) -> Order {
    let mut state = State::first(work);
    let mut left: Vec<usize> = (0..work.steps.len()).collect();
    let sum = |units: &[(usize, u64)]| units.iter().map(|(_, n)| n).sum::<u64>();
    let gain = |step: usize| sum(&work.steps[step].brings).saturating_sub(sum(&work.steps[step].evicts));
    left.sort_by_key(|&step| (Reverse(gain(step)), step));
    let mut waves = Order::new();
    while !left.is_empty() {
        let mut wave: Vec<usize> = Vec::new();
        for &step in &left {
            if wave.len() == most {
                break;
            }
            wave.push(step);
            if !state.effects(work, &wave).harm(work).is_none() {
                wave.pop();
            }
        }
        if wave.is_empty() {
            let harm = |step: &usize| -> Harm { state.effects(work, &[*step]).harm(work) };
            let candidates = match among {
                Among::All => left.clone(),
                Among::Circles => in_circles(work, &state, &left),
            };
            wave.extend(candidates.into_iter().min_by_key(harm));
        }
        wave.sort_unstable();
        left.retain(|step| !wave.contains(step));
        state = state.after(work, &wave, &state.effects(work, &wave)).0;
        waves.push(wave);
    }
    waves
}

/// Of some steps, those in circles that wait for no step outside: whatever else is done first, a circle must be
/// broken at one of its own steps. A step waits for those that bring slots which its units lack.
///
/// The demands stand between the steps in the graph, so that its size is that of the problem.
fn in_circles(work: &Work, state: &State, left: &[usize]) -> Vec<usize> {
    let mut graph: DiGraph<Option<usize>, ()> = DiGraph::new();
    let steps: Vec<NodeIndex> = left.iter().map(|&step| graph.add_node(Some(step))).collect();
    let mut demands: BTreeMap<usize, NodeIndex> = BTreeMap::new();
    for (&step, &node) in left.iter().zip(&steps) {
        for &(demand, _) in &work.steps[step].brings {
            let between = *demands.entry(demand).or_insert_with(|| graph.add_node(None));
            graph.add_edge(between, node, ());
        }
    }
    for (&step, &node) in left.iter().zip(&steps) {
        for demand in state.lacking(work, step) {
            if let Some(&between) = demands.get(&demand) {
                graph.add_edge(node, between, ());
            }
        }
    }
    let circles = tarjan_scc(&graph);
    let mut circle_of = vec![0; graph.node_count()];
    for (circle, nodes) in circles.iter().enumerate() {
        for node in nodes {
            circle_of[node.index()] = circle;
        }
    }
    let waits = |nodes: &[NodeIndex]| {
        nodes.iter().any(|&node| graph.neighbors(node).any(|other| circle_of[other.index()] != circle_of[node.index()]))
    };
    let mut found: Vec<usize> =
        circles.iter().filter(|nodes| !waits(nodes)).flatten().filter_map(|&node| graph[node]).collect();
    found.sort_unstable();
    found
}
