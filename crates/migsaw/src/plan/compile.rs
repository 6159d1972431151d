//! The problem in the planner's terms: nodes by class, demands by flow.
//!
//! Nodes of one pool in the same state are a *class*. Demands that the same instances of the same pools
//! can serve are one *flow*, whatever their names and however they ask, so the size of everything that
//! follows depends on how many different things there are, not on how many GPUs or pods.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::decision::{Decisions, Gpu};
use crate::demand::{Demand, Request, Together};
use crate::fleet::{Pool, Strategy};
use crate::geometry::{Model, ProfileId, ProfileName};
use crate::problem::Problem;

/// The problem, compiled.
pub(super) struct Compiled<'a> {
    pub(super) problem: &'a Problem,
    pub(super) decisions: &'a Decisions,
    pub(super) pools: Vec<PoolShape>,
    pub(super) flows: Vec<Flow>,
    /// The priorities there are, highest first.
    pub(super) levels: Vec<i32>,
    /// Whether pools have prices.
    pub(super) priced: bool,
}

/// A pool's nodes, seen from the planner.
pub(super) struct PoolShape {
    /// The models of one node, each once.
    pub(super) boards: Vec<Board>,
    /// The board each GPU of a node belongs to, by index.
    pub(super) board_of: Vec<usize>,
    /// The nodes by state.
    pub(super) classes: Vec<NodeClass>,
    pub(super) strategy: Strategy,
    /// What a GPU in use costs: millionths, or 1 where nothing has a price.
    pub(super) cost: i64,
    /// The flows that may use it, with the ways it can serve them.
    pub(super) offers: Vec<Offer>,
}

/// The GPUs of one model in a node.
pub(super) struct Board {
    pub(super) model: Arc<Model>,
    pub(super) gpus: i64,
    /// The profiles some demand accepts here: what spare instances are counted of.
    pub(super) wanted: Vec<bool>,
}

/// Nodes of one pool in the same state.
pub(super) struct NodeClass {
    pub(super) ranges: Vec<Range<u32>>,
    pub(super) count: i64,
    /// By GPU index.
    pub(super) state: Vec<Gpu>,
    /// Units that stay on each node, by flow, of those flows of which a node may serve only so many.
    pub(super) held: BTreeMap<usize, i64>,
}

/// Demands with the same options and rules.
pub(super) struct Flow {
    /// Indices of the demands, highest priority first.
    pub(super) demands: Vec<usize>,
    /// Units asked for at each of [`Compiled::levels`].
    pub(super) counts: Vec<i64>,
    pub(super) shape: Shape,
    pub(super) max_per_node: Option<i64>,
}

/// What one unit of a flow needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Shape {
    Whole { gpus: i64 },
    Slices { together: Together, instances: i64 },
}

/// How one pool can serve one flow.
pub(super) struct Offer {
    pub(super) flow: usize,
    /// Different ways to serve a unit; none for whole GPUs.
    pub(super) ways: Vec<Way>,
}

/// One way to serve a unit: all of its lines.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Way {
    pub(super) lines: Vec<Line>,
}

/// `instances` instances, each of any of the kinds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Line {
    pub(super) instances: i64,
    pub(super) kinds: Vec<Kind>,
}

/// A profile on a board of the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Kind {
    pub(super) board: usize,
    pub(super) profile: ProfileId,
}

impl<'a> Compiled<'a> {
    /// Nodes on which something runs are left out where nothing is decided about them.
    pub(super) fn new(problem: &'a Problem, decisions: &'a Decisions) -> Compiled<'a> {
        let priced = problem.fleet.pools.iter().any(|pool| pool.cost_per_gpu.is_some());
        let mut levels: Vec<i32> = problem.demands.iter().filter(|d| d.count > 0).map(|d| d.priority).collect();
        levels.sort_unstable_by(|a, b| b.cmp(a));
        levels.dedup();
        let shapes = problem.fleet.pools.iter().enumerate();
        let mut pools: Vec<PoolShape> =
            shapes.map(|(index, pool)| PoolShape::new(problem, index, pool, priced, decisions)).collect();
        let flows = flows(problem, decisions, &levels, &mut pools);
        pools.iter_mut().for_each(PoolShape::mark_wanted);
        Compiled { problem, decisions, pools, flows, levels, priced }
    }

    /// Units asked for, by flow and level.
    pub(super) fn asked(&self) -> Vec<Vec<i64>> {
        self.flows.iter().map(|flow| flow.counts.clone()).collect()
    }
}

impl NodeClass {
    /// Units of a flow that a node may still serve.
    pub(super) fn room_for(&self, flow: usize, max_per_node: i64) -> i64 {
        (max_per_node - self.held.get(&flow).copied().unwrap_or(0)).max(0)
    }

    /// Whether some GPU has pinned instances, so that its nodes are in use whatever is planned.
    pub(super) fn is_pinned(&self) -> bool {
        self.state.iter().any(|state| matches!(state, Gpu::Pinned(_) | Gpu::Fixed { .. }))
    }
}

impl Flow {
    /// Whether it matters which of a unit's instances, or of its units, are on one node.
    pub(super) fn has_node_rule(&self) -> bool {
        let large = match self.shape {
            Shape::Whole { gpus } => gpus > 1,
            Shape::Slices { instances, .. } => instances > 1,
        };
        large || self.max_per_node.is_some()
    }

    pub(super) fn is_together_on_gpu(&self) -> bool {
        matches!(self.shape, Shape::Slices { together: Together::Gpu, instances } if instances > 1)
    }
}

impl PoolShape {
    fn new(problem: &Problem, index: usize, pool: &Pool, priced: bool, decisions: &Decisions) -> PoolShape {
        let mut boards: Vec<Board> = Vec::new();
        let board_of = pool
            .gpu_models()
            .map(|model| {
                let known = boards.iter().position(|board| board.model == *model);
                let index = known.unwrap_or_else(|| {
                    let wanted = vec![false; model.profiles.len()];
                    boards.push(Board { model: Arc::clone(model), gpus: 0, wanted });
                    boards.len() - 1
                });
                boards[index].gpus += 1;
                index
            })
            .collect();
        let cost = if priced { pool.cost_per_gpu.map_or(0, |cost| cost.micros) } else { 1 };
        let classes = classes(problem, index, pool, decisions);
        PoolShape { boards, board_of, classes, strategy: pool.strategy, cost, offers: Vec::new() }
    }

    /// The ways the pool can serve the demand, none for whole GPUs; `None` if it cannot at all.
    fn offer(&self, demand: &Demand, pool: &Pool) -> Option<Vec<Way>> {
        demand.eligible.admits(pool).ok()?;
        let ways = self.ways(demand);
        let serves = matches!(demand.request, Request::WholeGpus { .. }) || !ways.is_empty();
        serves.then_some(ways)
    }

    /// The ways a unit of the demand can be served on a node of this shape, capacity aside.
    pub(super) fn ways(&self, demand: &Demand) -> Vec<Way> {
        let on_boards = |name: &ProfileName, accepts: &dyn Fn(&Model, ProfileId) -> bool| -> Vec<Kind> {
            let kinds = self.boards.iter().enumerate().filter_map(|(board, b)| {
                let profile = b.model.profile(name).filter(|&id| accepts(&b.model, id))?;
                Some(Kind { board, profile })
            });
            kinds.collect()
        };
        match &demand.request {
            Request::WholeGpus { .. } => Vec::new(),
            Request::Profiles { instances, .. } => {
                let lines: Vec<Line> = instances
                    .iter()
                    .map(|(name, &n)| Line { instances: i64::from(n), kinds: on_boards(name, &|_, _| true) })
                    .collect();
                let possible = lines.iter().all(|line| !line.kinds.is_empty());
                if possible { vec![Way { lines }] } else { Vec::new() }
            }
            Request::AtLeast { memory_mib, compute_slices, instances, .. } => {
                let gives = |model: &Model, id: ProfileId| {
                    let profile = model.get(id);
                    profile.compute_slices >= *compute_slices
                        && profile.memory_mib.value.is_some_and(|mib| u64::from(mib) >= *memory_mib)
                };
                let mut names: Vec<&ProfileName> =
                    self.boards.iter().flat_map(|board| board.model.profiles.iter().map(|p| &p.name)).collect();
                names.sort_unstable();
                names.dedup();
                let sets = names.into_iter().map(|name| on_boards(name, &gives)).filter(|kinds| !kinds.is_empty());
                if *instances == 1 {
                    let mut kinds: Vec<Kind> = sets.flatten().collect();
                    kinds.sort_unstable();
                    kinds.dedup();
                    if kinds.is_empty() { Vec::new() } else { vec![Way { lines: vec![Line { instances: 1, kinds }] }] }
                } else {
                    sets.map(|kinds| Way { lines: vec![Line { instances: i64::from(*instances), kinds }] }).collect()
                }
            }
        }
    }

    /// Whether some flow may take its GPUs as a whole.
    pub(super) fn serves_whole(&self, compiled: &Compiled<'_>) -> bool {
        self.offers.iter().any(|offer| matches!(compiled.flows[offer.flow].shape, Shape::Whole { .. }))
    }

    fn mark_wanted(&mut self) {
        for offer in &self.offers {
            for kind in offer.ways.iter().flat_map(|way| way.lines.iter().flat_map(|line| &line.kinds)) {
                self.boards[kind.board].wanted[kind.profile.index()] = true;
            }
        }
    }
}

fn classes(problem: &Problem, index: usize, pool: &Pool, decisions: &Decisions) -> Vec<NodeClass> {
    let gpus = pool.gpus_per_node() as usize;
    let mut by_state: BTreeMap<(Vec<Gpu>, BTreeMap<usize, i64>), NodeClass> = BTreeMap::new();
    let mut add = |range: Range<u32>, state: Vec<Gpu>, held: BTreeMap<usize, i64>| {
        let empty = || NodeClass { ranges: Vec::new(), count: 0, state: state.clone(), held: held.clone() };
        let class = by_state.entry((state.clone(), held.clone())).or_insert_with(empty);
        class.count += i64::from(range.end - range.start);
        match class.ranges.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => class.ranges.push(range),
        }
    };
    for (range, group) in pool.node_ranges().filter(|(range, _)| !range.is_empty()) {
        if group.present.is_none() {
            add(range, (0..gpus).map(|gpu| Gpu::of(group, gpu)).collect(), BTreeMap::new());
            continue;
        }
        for node in range {
            let Some(decision) = decisions.nodes.get(&(index, node)) else { continue };
            let is_limited = |demand: &usize| problem.demands[*demand].max_per_node.is_some();
            let held = decision.held.iter().filter(|(demand, _)| is_limited(demand));
            add(node..node + 1, decision.gpus.clone(), held.map(|(&demand, &units)| (demand, units)).collect());
        }
    }
    by_state.into_values().collect()
}

/// Groups the demands into flows, in the order of their first demands, and enters what each pool offers.
fn flows(problem: &Problem, decisions: &Decisions, levels: &[i32], pools: &mut [PoolShape]) -> Vec<Flow> {
    let mut index = BTreeMap::new();
    let mut flows: Vec<Flow> = Vec::new();
    for (i, demand) in problem.demands.iter().enumerate().filter(|(_, demand)| demand.count > 0) {
        let shape = Shape::of(&demand.request);
        let offered = pools.iter().zip(&problem.fleet.pools).map(|(shape, pool)| shape.offer(demand, pool));
        let options: Vec<Option<Vec<Way>>> = offered.collect();
        // A limit per node is each demand's own.
        let alone = demand.max_per_node.map(|_| i);
        let flow = *index.entry((shape.clone(), options, alone)).or_insert_with_key(|(_, options, _)| {
            let flow = flows.len();
            for (pool, ways) in pools.iter_mut().zip(options) {
                pool.offers.extend(ways.clone().map(|ways| Offer { flow, ways }));
            }
            flows.push(Flow {
                demands: Vec::new(),
                counts: vec![0; levels.len()],
                shape,
                max_per_node: demand.max_per_node.map(i64::from),
            });
            flow
        });
        let level = levels.binary_search_by(|l| demand.priority.cmp(l)).expect("every priority is a level");
        let count = i64::try_from(decisions.asked(problem, i)).expect("counts are limited");
        flows[flow].counts[level] += count;
        flows[flow].demands.push(i);
    }
    // A limited demand is a flow of its own.
    for class in pools.iter_mut().flat_map(|pool| &mut pool.classes).filter(|class| !class.held.is_empty()) {
        let held = std::mem::take(&mut class.held);
        let flow_of = |demand: usize| flows.iter().position(|flow| flow.demands.contains(&demand));
        class.held = held.into_iter().filter_map(|(demand, units)| Some((flow_of(demand)?, units))).collect();
    }
    for flow in &mut flows {
        flow.demands.sort_by_key(|&i| std::cmp::Reverse(problem.demands[i].priority));
    }
    flows
}

impl Shape {
    fn of(request: &Request) -> Shape {
        match request {
            Request::Profiles { instances, together } => {
                Shape::Slices { together: *together, instances: instances.values().map(|&n| i64::from(n)).sum() }
            }
            Request::AtLeast { instances, together, .. } => {
                Shape::Slices { together: *together, instances: i64::from(*instances) }
            }
            Request::WholeGpus { gpus } => Shape::Whole { gpus: i64::from(*gpus) },
        }
    }
}
