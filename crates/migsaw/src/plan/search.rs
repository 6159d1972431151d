//! From the relaxation to whole nodes, with as few different configurations as possible.
//!
//! The relaxation over pooled cells gives targets no plan can pass: units served per level, and the cost
//! of serving them. What remains is to find identical cells, as few as possible, that reach the targets;
//! each such program is small. Which cells to try is decided in [`super::templates`]. Where all
//! candidates with so many cells were tried without success, that is the proof that more are needed.

use super::Options;
use super::cell::{Capabilities, Cell};
use super::compile::Compiled;
use super::decision::Gpu;
use super::finish::{Finished, finish};
use super::fleet_program::FleetProgram;
use super::nodes::{FreeNodes, NodeBuild, build_identical, build_pooled};
use super::optimise::{Attempt, Optimum, Reached, Targets, attempt, most_spare, optimise, require};
use super::solver::Solver;
use super::templates::{self, Template};
use super::{Depth, PlanError, distinct, tiers};

/// Nodes for a plan, with what is known about how good they are.
pub(super) struct Assembled {
    pub(super) nodes: Vec<Finished>,
    /// By level.
    pub(super) served: Vec<Reached>,
    /// GPUs pinned left out.
    pub(super) cost: Reached,
    /// What is known of the fewest configurations.
    pub(super) configurations_bound: i64,
    pub(super) spare_bound: i64,
}

/// Nodes filled in their order.
struct Filled {
    built: Vec<NodeBuild>,
    free: FreeNodes,
    /// By flow and level.
    served: Vec<Vec<i64>>,
    /// Whether all units the relaxation serves found their place.
    is_whole: bool,
    spare_bound: i64,
}

impl Assembled {
    fn targets(&self) -> Targets {
        Targets { served: self.served.iter().map(|reached| reached.value).collect(), cost: self.cost.value }
    }

    /// Whether more is served, the highest levels first, or as much at less cost.
    fn is_better_than(&self, served: &[i64], cost: i64) -> bool {
        let mine: Vec<i64> = self.served.iter().map(|reached| reached.value).collect();
        (mine.as_slice(), -self.cost.value) > (served, -cost)
    }
}

/// A solved program over identical cells.
struct Solution {
    cells: Vec<Cell>,
    fleet: FleetProgram,
    values: Vec<i64>,
}

impl Solution {
    /// The templates of the cells in use.
    fn templates(&self) -> Vec<Template> {
        let used = self
            .cells
            .iter()
            .zip(&self.fleet.cells)
            .filter(|(cell, vars)| cell.is_pinned() || vars.is_used(&self.values));
        used.map(|(cell, _)| Template::of(cell)).collect()
    }

    /// Cells in use, which is the number of configurations unless two happen to be the same.
    fn configurations(&self) -> usize {
        self.templates().len()
    }
}

/// What became of a list of templates.
enum Tried {
    Solved(Box<Solution>),
    Impossible,
    Undecided,
}

/// A solution with few cells in use, and what is known of better ones.
struct Fewest {
    /// `None` if nothing better was found.
    solution: Option<Solution>,
    /// No solution has fewer cells in use.
    bound: i64,
    /// Most spare slices with so few cells; `None` if not all were compared.
    spare_bound: Option<i64>,
}

/// Most programs tried in the search for few configurations.
const MAX_CANDIDATES: usize = 300;
/// Most of them whose spare slices are compared.
const MAX_COMPARED: usize = 24;
/// Most branch and bound nodes for a candidate, for a comparison of spare slices, and for what decides
/// how good the plan is.
const CANDIDATE_NODES: u64 = 200;
const SPARE_NODES: u64 = 1_000;
const NODES: u64 = 20_000;

pub(super) struct Search<'a> {
    pub(super) compiled: &'a Compiled<'a>,
    pub(super) options: &'a Options<'a>,
    pub(super) capabilities: Capabilities,
}

impl Search<'_> {
    /// The best nodes found; `None` if the budget was spent before anything was known.
    pub(super) fn run(&mut self) -> Result<Option<Assembled>, PlanError> {
        let pooled = Cell::pooled(self.compiled, &mut self.capabilities, &[]);
        let asked = self.compiled.asked();
        let solver = self.solver(NODES);
        let relaxed = optimise(self.compiled, &pooled, self.options.formulation, &asked, &solver);
        let Some(relaxed) = relaxed else { return Ok(None) };
        let filled = self.fill_in_order(&pooled, &relaxed)?;
        let assembled = match templates::complete(self.compiled) {
            Some(complete) if !filled.is_whole => self.improve(&pooled, &relaxed, filled, &complete)?,
            _ => self.keep(&pooled, &relaxed, filled)?,
        };
        if self.options.depth != Depth::All {
            return Ok(Some(assembled));
        }
        self.simplify(&pooled, assembled).map(Some)
    }

    fn solver(&self, nodes: u64) -> Solver<'_> {
        Solver { backend: self.options.backend, budget: self.options.budget, nodes }
    }

    /// Fills the nodes in their order with what the relaxation found. All of it finds its place unless
    /// rules within a node are in the way.
    fn fill_in_order(&mut self, pooled: &[Cell], relaxed: &Optimum) -> Result<Filled, PlanError> {
        let mut spacious = FleetProgram::new(self.compiled, pooled, self.options.formulation, &self.compiled.asked());
        require(&mut spacious, &relaxed.targets());
        let found = most_spare(&spacious, Some(&relaxed.values), &self.solver(SPARE_NODES));
        let found = found.map(|(values, spare)| (values, spare.bound));
        let (values, spare_bound) = found.unwrap_or_else(|| (relaxed.values.clone(), i64::MAX));
        let mut free = FreeNodes::new(self.compiled);
        let mut built = Vec::new();
        for (cell, vars) in pooled.iter().zip(&spacious.cells) {
            let nodes = build_pooled(self.compiled, cell, vars, &values, &mut free, &mut self.capabilities);
            built.extend(nodes.ok_or_else(|| internal("totals could not be split into layouts"))?);
        }
        let wanted = spacious.served(&values);
        let served = self.served(&built, &wanted);
        let is_whole = served == wanted && self.cost_of(&built) == relaxed.cost.value;
        Ok(Filled { built, free, served, is_whole, spare_bound })
    }

    /// Units served by the nodes, at most those wanted, the highest levels first.
    fn served(&self, built: &[NodeBuild], wanted: &[Vec<i64>]) -> Vec<Vec<i64>> {
        let mut there = vec![0; self.compiled.flows.len()];
        for node in built {
            let nodes: i64 = node.nodes.iter().map(|range| i64::from(range.end - range.start)).sum();
            node.loads.iter().for_each(|load| there[load.flow] += load.units * nodes);
        }
        let by_level = |(levels, mut left): (&Vec<i64>, i64)| {
            let take = |&n: &i64| {
                let taken = n.min(left);
                left -= taken;
                taken
            };
            levels.iter().map(take).collect()
        };
        wanted.iter().zip(there).map(by_level).collect()
    }

    /// The nodes filled in order, judged by the relaxation.
    fn keep(&mut self, pooled: &[Cell], relaxed: &Optimum, filled: Filled) -> Result<Assembled, PlanError> {
        let at = |level: usize| filled.served.iter().map(|levels| levels[level]).sum::<i64>();
        let reached = |(level, relaxed): (usize, &Reached)| Reached { value: at(level), bound: relaxed.bound };
        let served: Vec<Reached> = relaxed.served.iter().enumerate().map(reached).collect();
        let cost = if filled.is_whole {
            relaxed.cost
        } else {
            let values: Vec<i64> = served.iter().map(|reached| reached.value).collect();
            let cost = self.cost_of(&filled.built);
            Reached { value: cost, bound: self.least_cost(pooled, &values).min(cost) }
        };
        let nodes = finish(self.compiled, filled.built, filled.free, &filled.served);
        let nodes = nodes.ok_or_else(|| internal("units could not be given to GPUs"))?;
        // The bound on what is left over is that of plans which serve what the relaxation does.
        let spare_bound = if filled.is_whole { filled.spare_bound } else { i64::MAX };
        Ok(Assembled { nodes, served, cost, configurations_bound: 0, spare_bound })
    }

    /// Cost of the GPUs that are cut or serve as a whole, those pinned left out.
    fn cost_of(&self, built: &[NodeBuild]) -> i64 {
        let of_node = |node: &NodeBuild| {
            let shape = &self.compiled.pools[node.pool];
            let state = &shape.classes[node.class].state;
            let cut = node.gpus.iter().zip(state).filter(|(gpu, state)| **state == Gpu::Idle && !gpu.added.is_empty());
            let whole: i64 = node.loads.iter().map(|load| load.whole(self.compiled)).sum();
            let nodes: i64 = node.nodes.iter().map(|range| i64::from(range.end - range.start)).sum();
            (i64::try_from(cut.count()).expect("few GPUs per node") + whole) * nodes * shape.cost
        };
        built.iter().map(of_node).sum()
    }

    /// Finds identical cells that reach the relaxation's targets, or the best there are.
    fn improve(
        &mut self,
        pooled: &[Cell],
        relaxed: &Optimum,
        filled: Filled,
        complete: &[Template],
    ) -> Result<Assembled, PlanError> {
        let targets = relaxed.targets();
        if let Tried::Solved(solution) = self.solve(complete, &targets, NODES) {
            let nodes = self.nodes(&solution)?;
            let (served, cost) = (relaxed.served.clone(), relaxed.cost);
            return Ok(Assembled { nodes, served, cost, configurations_bound: 0, spare_bound: filled.spare_bound });
        }
        let exact = templates::every_node(self.compiled);
        let cells = self.cells(exact.as_deref().unwrap_or(complete));
        let asked = self.compiled.asked();
        let best = optimise(self.compiled, &cells, self.options.formulation, &asked, &self.solver(NODES));
        let kept = self.keep(pooled, relaxed, filled)?;
        let Some(best) = best else { return Ok(kept) };
        let bound = |own: &Reached, relaxed: &Reached| {
            if exact.is_some() { own.bound.min(relaxed.bound) } else { relaxed.bound }
        };
        let own = best.served.iter().zip(&relaxed.served);
        let served: Vec<Reached> =
            own.map(|(own, r)| Reached { value: own.value, bound: bound(own, r).max(own.value) }).collect();
        let values: Vec<i64> = served.iter().map(|reached| reached.value).collect();
        let least = if exact.is_some() { best.cost.bound } else { self.least_cost(pooled, &values) };
        let solution = Solution { cells, fleet: best.program, values: best.values };
        let mut free = FreeNodes::new(self.compiled);
        let built = self.build(&solution, &mut free)?;
        // GPUs that were cut for nothing are not.
        let cost = self.cost_of(&built);
        let cost = Reached { value: cost, bound: least.min(cost) };
        if kept.is_better_than(&values, cost.value) {
            let served = kept
                .served
                .iter()
                .zip(&served)
                .map(|(kept, own)| Reached { value: kept.value, bound: own.bound.max(kept.value) });
            return Ok(Assembled { served: served.collect(), ..kept });
        }
        let nodes = self.finish(&solution, built, free)?;
        Ok(Assembled { nodes, served, cost, configurations_bound: 0, spare_bound: i64::MAX })
    }

    /// Serves the same at the same cost with fewer configurations and more to spare, as far as the search
    /// goes, and proves what it can.
    fn simplify(&mut self, pooled: &[Cell], assembled: Assembled) -> Result<Assembled, PlanError> {
        let targets = assembled.targets();
        let relaxed_spare = match assembled.spare_bound {
            i64::MAX => self.relaxed_spare(pooled, &targets),
            known => known,
        };
        let base = tiers::configurations(self.compiled.problem, &assembled.nodes);
        let found =
            self.fewest(pooled, usize::try_from(base).unwrap_or(usize::MAX), &targets, assembled.cost.is_proven());
        let nodes = match &found.solution {
            Some(solution) => self.nodes(solution)?,
            None => assembled.nodes,
        };
        let spare_bound = found.spare_bound.map_or(relaxed_spare, |bound| bound.min(relaxed_spare));
        Ok(Assembled { nodes, configurations_bound: found.bound, spare_bound, ..assembled })
    }

    fn cells(&mut self, templates: &[Template]) -> Vec<Cell> {
        let cells =
            templates.iter().map(|t| Cell::identical(self.compiled, &t.members, t.strategy, &mut self.capabilities));
        cells.collect()
    }

    fn solve(&mut self, templates: &[Template], targets: &Targets, nodes: u64) -> Tried {
        let cells = self.cells(templates);
        let mut fleet = FleetProgram::new(self.compiled, &cells, self.options.formulation, &self.compiled.asked());
        require(&mut fleet, targets);
        match attempt(&fleet, &self.solver(nodes)) {
            Attempt::Reached(values) => Tried::Solved(Box::new(Solution { cells, fleet, values })),
            Attempt::Impossible => Tried::Impossible,
            Attempt::Undecided => Tried::Undecided,
        }
    }

    /// The same cells with the most spare slices, and the bound on those.
    fn roomiest(&self, mut solution: Solution) -> (Solution, Reached) {
        let found = most_spare(&solution.fleet, Some(&solution.values), &self.solver(SPARE_NODES));
        match found {
            Some((values, spare)) => {
                solution.values = values;
                (solution, spare)
            }
            None => (solution, Reached { value: 0, bound: i64::MAX }),
        }
    }

    /// A solution with the fewest cells in use, at most `most`.
    fn fewest(&mut self, pooled: &[Cell], most: usize, targets: &Targets, cost_is_proven: bool) -> Fewest {
        let mut bound = self.fewest_configurations(pooled, targets);
        let groups = templates::groups(self.compiled).filter(|_| targets.cost > 0);
        let cost = cost_is_proven.then_some(targets.cost);
        let mut tried = 0;
        // Templates of different hardware count as different, which they are not with MIG off.
        let mut is_proof = !distinct::hardware_can_agree(self.compiled);
        for count in 1..=most {
            let Some(groups) = &groups else { break };
            let candidates = templates::candidates(self.compiled, groups, count, cost, MAX_CANDIDATES - tried);
            let mut solved = Vec::new();
            let mut all_decided = candidates.are_all;
            for list in &candidates.lists {
                tried += 1;
                match self.solve(list, targets, CANDIDATE_NODES) {
                    Tried::Solved(solution) => solved.push(*solution),
                    Tried::Impossible => {}
                    Tried::Undecided => all_decided = false,
                }
                if solved.len() >= MAX_COMPARED || self.options.budget.remaining().is_zero() {
                    all_decided = false;
                    break;
                }
            }
            if is_proof {
                bound = bound.max(i64::try_from(count).unwrap_or(i64::MAX));
            }
            is_proof &= all_decided;
            let compared = solved.into_iter().map(|solution| self.roomiest(solution));
            let best = compared
                .reduce(|a, b| if b.1.value > a.1.value { (b.0, join(a.1, b.1)) } else { (a.0, join(a.1, b.1)) });
            if let Some((solution, spare)) = best {
                return Fewest { solution: Some(solution), bound, spare_bound: all_decided.then_some(spare.bound) };
            }
            if !candidates.are_all {
                break;
            }
        }
        let start = templates::complete(self.compiled).map(|complete| self.solve(&complete, targets, CANDIDATE_NODES));
        let solution = match start {
            Some(Tried::Solved(start)) => {
                let best = self.descend(*start, targets);
                (best.configurations() < most).then(|| self.roomiest(best).0)
            }
            _ => None,
        };
        Fewest { solution, bound, spare_bound: None }
    }

    /// Replaces the cells of one pool at a time by fewer, as long as that works.
    fn descend(&mut self, start: Solution, targets: &Targets) -> Solution {
        let mut best = start;
        for pool in 0..self.compiled.pools.len() {
            let (mine, others): (Vec<Template>, Vec<Template>) =
                best.templates().into_iter().partition(|t| t.is_only_in(pool));
            if mine.len() < 2 {
                continue;
            }
            let gpus = self.gpus_used(&best, pool);
            for list in templates::shorter(self.compiled, pool, mine.len(), gpus) {
                let all: Vec<Template> = others.iter().cloned().chain(list).collect();
                if let Tried::Solved(solution) = self.solve(&all, targets, CANDIDATE_NODES)
                    && solution.configurations() < best.configurations()
                {
                    best = *solution;
                    break;
                }
            }
        }
        best
    }

    fn gpus_used(&self, solution: &Solution, pool: usize) -> i64 {
        let cells = solution.cells.iter().zip(&solution.fleet.cells);
        cells
            .filter(|(cell, _)| cell.members[0].pool == pool)
            .map(|(cell, vars)| vars.gpus_used(cell, self.compiled, &solution.values))
            .sum()
    }

    /// What no plan with these targets can have fewer of.
    fn fewest_configurations(&self, pooled: &[Cell], targets: &Targets) -> i64 {
        let least = distinct::fewest(self.compiled, pooled, |is_left_out| {
            let others: Vec<Cell> = pooled.iter().filter(|cell| !is_left_out(cell)).cloned().collect();
            let mut fleet = FleetProgram::new(self.compiled, &others, self.options.formulation, &self.compiled.asked());
            require(&mut fleet, targets);
            matches!(attempt(&fleet, &self.solver(CANDIDATE_NODES)), Attempt::Impossible)
        });
        least.max(i64::from(targets.served.iter().any(|&served| served > 0)))
    }

    fn relaxed_spare(&self, pooled: &[Cell], targets: &Targets) -> i64 {
        let mut fleet = FleetProgram::new(self.compiled, pooled, self.options.formulation, &self.compiled.asked());
        require(&mut fleet, targets);
        most_spare(&fleet, None, &self.solver(SPARE_NODES)).map_or(i64::MAX, |(_, spare)| spare.bound)
    }

    /// A bound on the cost of serving so many units.
    fn least_cost(&self, pooled: &[Cell], served: &[i64]) -> i64 {
        let mut fleet = FleetProgram::new(self.compiled, pooled, self.options.formulation, &self.compiled.asked());
        for (level, &served) in served.iter().enumerate() {
            fleet.program.at_least(fleet.served_at(level), served);
        }
        let objective = fleet.cost.negated();
        let outcome = self.solver(SPARE_NODES).maximise(&fleet.program, &objective, None);
        outcome.bound.map_or(0, |bound| -bound)
    }

    fn nodes(&mut self, solution: &Solution) -> Result<Vec<Finished>, PlanError> {
        let mut free = FreeNodes::new(self.compiled);
        let built = self.build(solution, &mut free)?;
        self.finish(solution, built, free)
    }

    fn finish(&self, solution: &Solution, built: Vec<NodeBuild>, free: FreeNodes) -> Result<Vec<Finished>, PlanError> {
        let served = solution.fleet.served(&solution.values);
        finish(self.compiled, built, free, &served).ok_or_else(|| internal("units could not be given to GPUs"))
    }

    fn build(&mut self, solution: &Solution, free: &mut FreeNodes) -> Result<Vec<NodeBuild>, PlanError> {
        let mut built = Vec::new();
        for (cell, vars) in solution.cells.iter().zip(&solution.fleet.cells) {
            let nodes = build_identical(self.compiled, cell, vars, &solution.values, free, &mut self.capabilities);
            built.extend(nodes.ok_or_else(|| internal("a node's totals could not be split into layouts"))?);
        }
        Ok(built)
    }
}

/// The better value, and the bound on both.
fn join(a: Reached, b: Reached) -> Reached {
    Reached { value: a.value.max(b.value), bound: a.bound.max(b.bound) }
}

fn internal(what: &str) -> PlanError {
    PlanError::Internal(what.to_owned())
}
