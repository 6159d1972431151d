//! From the relaxation to whole nodes, with as few different configurations as possible.
//!
//! The relaxation over pooled cells gives targets no plan can pass: units served per level, and the cost
//! of serving them. What remains is to find identical cells, as few as possible, that reach the targets;
//! each such program is small. Which cells to try is decided in [`super::templates`]. Where all
//! candidates with so many cells were tried without success, that is the proof that more are needed.

use std::time::Duration;

use super::Options;
use super::PlanError;
use super::cell::{Capabilities, Cell};
use super::compile::Compiled;
use super::finish::finish;
use super::fleet_program::FleetProgram;
use super::nodes::{FreeNodes, NodeBuild, build_identical, build_pooled};
use super::optimise::{Optimum, Reached, Targets, optimise, reach};
use super::outcome::PlannedNodes;
use super::solver::Solver;
use super::templates::{self, Template};

/// Nodes for a plan, with what is known about how good they are.
pub(super) struct Assembled {
    pub(super) nodes: Vec<PlannedNodes>,
    /// By level.
    pub(super) served: Vec<Reached>,
    /// GPUs pinned left out.
    pub(super) cost: Reached,
    /// What is known of the fewest configurations.
    pub(super) configurations_bound: i64,
    pub(super) spare_bound: i64,
}

/// A solved program over identical cells.
struct Solution {
    cells: Vec<Cell>,
    fleet: FleetProgram,
    values: Vec<i64>,
    spare: Reached,
}

/// Most programs tried in the search for few configurations.
const MAX_CANDIDATES: usize = 400;
/// Longest time one candidate may take.
const CANDIDATE_TIME: Duration = Duration::from_secs(5);

pub(super) struct Search<'a> {
    pub(super) compiled: &'a Compiled<'a>,
    pub(super) options: &'a Options<'a>,
    pub(super) capabilities: Capabilities,
}

impl Search<'_> {
    /// The best nodes found; `None` if the budget was spent before anything was known.
    pub(super) fn run(&mut self) -> Result<Option<Assembled>, PlanError> {
        let pooled = Cell::pooled(self.compiled, &mut self.capabilities);
        let asked = self.compiled.asked();
        let solver = self.solver(None);
        let relaxed = optimise(self.compiled, &pooled, self.options.formulation, &asked, &solver);
        let Some(relaxed) = relaxed else { return Ok(None) };
        let assembled = match templates::complete(self.compiled) {
            Some(complete) => self.assemble(&pooled, &relaxed, &complete)?,
            None if self.compiled.has_node_rules() => self.in_parts(&pooled, &relaxed)?,
            None => self.unpool(&pooled, &relaxed)?,
        };
        Ok(Some(assembled))
    }

    fn solver(&self, limit: Option<Duration>) -> Solver<'_> {
        Solver { backend: self.options.backend, budget: self.options.budget, limit }
    }

    /// Fills the GPUs in the order of the nodes with what the relaxation found; right where no flow has a
    /// rule within a node.
    fn unpool(&mut self, pooled: &[Cell], relaxed: &Optimum) -> Result<Assembled, PlanError> {
        let mut spacious = FleetProgram::new(self.compiled, pooled, self.options.formulation, &self.compiled.asked());
        let most_spare = reach(&mut spacious, &relaxed.targets(), &self.solver(Some(CANDIDATE_TIME)));
        let (values, spare) = match &most_spare {
            Some((values, spare)) => (values, *spare),
            None => (&relaxed.values, Reached { value: 0, bound: i64::MAX }),
        };
        let program = if most_spare.is_some() { &spacious } else { &relaxed.program };
        let mut free = FreeNodes::new(self.compiled);
        let mut built = Vec::new();
        for (cell, vars) in pooled.iter().zip(&program.cells) {
            let nodes = build_pooled(self.compiled, cell, vars, values, &mut free, &mut self.capabilities);
            built.extend(nodes.ok_or_else(|| internal("totals could not be split into layouts"))?);
        }
        let nodes = finish(self.compiled, built, free, &program.served(values));
        Ok(Assembled {
            nodes: nodes.ok_or_else(|| internal("units could not be given to GPUs"))?,
            served: relaxed.served.clone(),
            cost: relaxed.cost,
            configurations_bound: self.fewest_configurations(&relaxed.targets()),
            spare_bound: spare.bound,
        })
    }

    /// Finds identical cells that reach the relaxation's targets, or the best there are.
    fn assemble(&mut self, pooled: &[Cell], relaxed: &Optimum, complete: &[Template]) -> Result<Assembled, PlanError> {
        let mut served = relaxed.served.clone();
        let mut cost = relaxed.cost;
        let mut targets = relaxed.targets();
        let mut base = self.try_templates(complete, &targets);
        if base.is_none() {
            let exact = templates::every_node(self.compiled);
            let list = exact.as_deref().unwrap_or(complete);
            let cells = self.cells(list);
            let asked = self.compiled.asked();
            let solver = self.solver(None);
            let best = optimise(self.compiled, &cells, self.options.formulation, &asked, &solver)
                .ok_or_else(|| internal("serving nothing was not found possible"))?;
            targets = best.targets();
            let joined = |own: &Reached, relaxed: &Reached| {
                let bound = if exact.is_some() { own.bound.min(relaxed.bound) } else { relaxed.bound };
                Reached { value: own.value, bound: bound.max(own.value) }
            };
            served = best.served.iter().zip(&relaxed.served).map(|(own, relaxed)| joined(own, relaxed)).collect();
            let own_bound = if exact.is_some() { Some(best.cost.bound) } else { None };
            let bound = own_bound.unwrap_or_else(|| self.least_cost(pooled, &targets.served));
            cost = Reached { value: targets.cost, bound: bound.min(targets.cost) };
            base = self.try_templates(list, &targets);
            if base.is_none() {
                let spare = best.program.spare.value(&best.values);
                let spare = Reached { value: i64::try_from(spare).unwrap_or(0), bound: i64::MAX };
                base = Some(Solution { cells, fleet: best.program, values: best.values, spare });
            }
        }
        let base = base.ok_or_else(|| internal("the targets were lost"))?;
        let spare_bound = self.relaxed_spare(pooled, &targets);
        let (solution, configurations_bound, all_tried) = self.fewest(base, &targets, cost.is_proven());
        let spare_bound = if all_tried { solution.spare.bound.min(spare_bound) } else { spare_bound };
        let nodes = self.nodes(&solution)?;
        Ok(Assembled { nodes, served, cost, configurations_bound, spare_bound })
    }

    fn cells(&mut self, templates: &[Template]) -> Vec<Cell> {
        let cells = templates.iter().map(|t| Cell::identical(self.compiled, &t.members, &mut self.capabilities));
        cells.collect()
    }

    fn try_templates(&mut self, templates: &[Template], targets: &Targets) -> Option<Solution> {
        let cells = self.cells(templates);
        let mut fleet = FleetProgram::new(self.compiled, &cells, self.options.formulation, &self.compiled.asked());
        let (values, spare) = reach(&mut fleet, targets, &self.solver(Some(CANDIDATE_TIME)))?;
        Some(Solution { cells, fleet, values, spare })
    }

    /// The solution with the fewest cells in use, the bound on that number, and whether every way to have
    /// so few was tried.
    fn fewest(&mut self, base: Solution, targets: &Targets, cost_is_proven: bool) -> (Solution, i64, bool) {
        let least = self.fewest_configurations(targets);
        let mut best = base;
        let mut most = self.configurations(&best);
        if targets.cost == 0 {
            return (best, least, true);
        }
        let Some(groups) = templates::groups(self.compiled) else { return (best, least, false) };
        let cost = cost_is_proven.then_some(targets.cost);
        let mut tried = 0;
        for count in 1..=most {
            let mut found: Option<Solution> = None;
            let candidates = templates::candidates(self.compiled, &groups, count, cost, MAX_CANDIDATES - tried);
            for list in &candidates.lists {
                tried += 1;
                if let Some(solution) = self.try_templates(list, targets)
                    && found.as_ref().is_none_or(|old| old.spare.value < solution.spare.value)
                {
                    found = Some(solution);
                }
                if self.options.budget.remaining().is_zero() {
                    break;
                }
            }
            let complete = candidates.are_all && !self.options.budget.remaining().is_zero();
            if let Some(found) = found {
                let bound = i64::try_from(count).unwrap_or(i64::MAX);
                return (found, bound, complete);
            }
            if !complete {
                let bound = i64::try_from(count).unwrap_or(i64::MAX).max(least);
                best = self.descend(best, targets, &mut most);
                return (best, bound.min(i64::try_from(most).unwrap_or(i64::MAX)), false);
            }
        }
        (best, i64::try_from(most).unwrap_or(i64::MAX), false)
    }

    /// Replaces the cells of one pool at a time by fewer, as long as that works.
    fn descend(&mut self, start: Solution, targets: &Targets, most: &mut usize) -> Solution {
        let mut best = start;
        for pool in 0..self.compiled.pools.len() {
            let (mine, others): (Vec<Template>, Vec<Template>) =
                self.used_templates(&best).into_iter().partition(|t| t.is_only_in(pool));
            if mine.len() < 2 {
                continue;
            }
            let gpus = self.gpus_cut(&best, pool);
            for list in templates::shorter(self.compiled, pool, mine.len(), gpus) {
                let all: Vec<Template> = others.iter().cloned().chain(list).collect();
                if let Some(solution) = self.try_templates(&all, targets)
                    && self.configurations(&solution) < *most
                {
                    *most = self.configurations(&solution);
                    best = solution;
                    break;
                }
            }
        }
        best
    }

    fn used_templates(&self, solution: &Solution) -> Vec<Template> {
        let used = solution.cells.iter().zip(&solution.fleet.cells).filter(|(cell, vars)| {
            cell.is_pinned() || vars.is_used(&solution.values)
        });
        used.map(|(cell, _)| Template { members: cell.members.iter().map(|m| (m.pool, m.class, m.weight)).collect() }).collect()
    }

    fn gpus_cut(&self, solution: &Solution, pool: usize) -> i64 {
        let cells = solution.cells.iter().zip(&solution.fleet.cells);
        cells
            .filter(|(cell, _)| cell.members[0].pool == pool)
            .map(|(cell, vars)| cell.members[0].weight * vars.gpus_used(cell, self.compiled, &solution.values))
            .sum()
    }

    /// Cells in use, which is the number of configurations unless two happen to be the same.
    fn configurations(&self, solution: &Solution) -> usize {
        self.used_templates(solution).len()
    }

    /// What no plan with these targets can have fewer of.
    fn fewest_configurations(&self, targets: &Targets) -> i64 {
        let pinned = self.compiled.pools.iter().any(|pool| pool.classes.iter().any(super::compile::NodeClass::is_pinned));
        let used = targets.served.iter().any(|&served| served > 0);
        i64::from(pinned || used)
    }

    fn relaxed_spare(&self, pooled: &[Cell], targets: &Targets) -> i64 {
        let mut fleet = FleetProgram::new(self.compiled, pooled, self.options.formulation, &self.compiled.asked());
        reach(&mut fleet, targets, &self.solver(Some(CANDIDATE_TIME))).map_or(i64::MAX, |(_, spare)| spare.bound)
    }

    /// A bound on the cost of serving so many units.
    fn least_cost(&self, pooled: &[Cell], served: &[i64]) -> i64 {
        let mut fleet = FleetProgram::new(self.compiled, pooled, self.options.formulation, &self.compiled.asked());
        for (level, &served) in served.iter().enumerate() {
            fleet.program.at_least(fleet.served_at(level), served);
        }
        let objective = fleet.cost.negated();
        let outcome = self.solver(Some(CANDIDATE_TIME)).maximise(&fleet.program, &objective, None);
        outcome.bound.map_or(0, |bound| -bound)
    }

    fn nodes(&mut self, solution: &Solution) -> Result<Vec<PlannedNodes>, PlanError> {
        let mut free = FreeNodes::new(self.compiled);
        let built = self.build(solution, &mut free)?;
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

    /// Serves what is possible part by part of the fleet, where there are too many different nodes for
    /// one program and flows have rules within a node.
    fn in_parts(&mut self, pooled: &[Cell], relaxed: &Optimum) -> Result<Assembled, PlanError> {
        let mut asked = self.compiled.asked();
        let mut served: Vec<Vec<i64>> = asked.iter().map(|levels| vec![0; levels.len()]).collect();
        let mut free = FreeNodes::new(self.compiled);
        let mut built = Vec::new();
        let mut cost = 0;
        for part in templates::parts(self.compiled) {
            let cells = self.cells(&part);
            let best = optimise(self.compiled, &cells, self.options.formulation, &asked, &self.solver(Some(CANDIDATE_TIME)));
            let Some(best) = best else { break };
            let here = best.program.served(&best.values);
            for ((asked, total), here) in asked.iter_mut().zip(&mut served).zip(&here) {
                for ((asked, total), here) in asked.iter_mut().zip(total).zip(here) {
                    *asked -= here;
                    *total += here;
                }
            }
            cost += best.cost.value;
            let spare = Reached { value: 0, bound: i64::MAX };
            let solution = Solution { cells, fleet: best.program, values: best.values, spare };
            built.extend(self.build(&solution, &mut free)?);
        }
        let by_level = |level: usize| served.iter().map(|levels| levels[level]).sum();
        let values: Vec<i64> = (0..self.compiled.levels.len()).map(by_level).collect();
        let bound = self.least_cost(pooled, &values).min(cost);
        let targets = Targets { served: values.clone(), cost };
        let reached = values.iter().zip(&relaxed.served).map(|(&value, r)| Reached { value, bound: r.bound.max(value) });
        Ok(Assembled {
            served: reached.collect(),
            cost: Reached { value: cost, bound },
            configurations_bound: self.fewest_configurations(&targets),
            spare_bound: self.relaxed_spare(pooled, &targets),
            nodes: finish(self.compiled, built, free, &served).ok_or_else(|| internal("units could not be given to GPUs"))?,
        })
    }
}

fn internal(what: &str) -> PlanError {
    PlanError::Internal(what.to_owned())
}
