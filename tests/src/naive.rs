//! The textbook integer program: variables for every placement on every GPU, and for every demand on every
//! node.
//!
//! This is what one writes first, and what the planner is measured against. It reaches the tiers of units
//! served and of GPUs in use (or their cost), on any solver of `good_lp`, as far as that gets: its size
//! grows with the fleet, and equal GPUs make it wander.
//!
//! Per GPU, with `x[placement]` in {0, 1} and `cut` in {0, 1}:
//!
//! - for each placement unit, the placements that cover it sum to at most `cut` (1 beside pinned ones);
//! - for each profile and each kind of engine, at most what is there beside the pinned ones;
//! - instances that serve are at most those placed; a GPU serves as a whole only if `cut` is 0.
//!
//! Per node and way to serve a demand, integer `u` units: each line of the way takes that many times its
//! instances. On nodes of strategy `single`, `z[name]` in {0, 1} says which profile the node carries, at
//! most one; without any, MIG is off.

use std::collections::BTreeMap;

use good_lp::variable::UnsolvedProblem;
use good_lp::{
    Constraint, Expression, IntoAffineExpression, ProblemVariables, Solution, SolutionStatus, Solver, SolverModel,
    Variable, constraint, variable, variables,
};
use migsaw::demand::Together;
use migsaw::fleet::Strategy;
use migsaw::geometry::ProfileName;
use migsaw::plan::TierName;
use migsaw::problem::Problem;

use crate::facts::{Facts, Node, Offer, PoolFacts, Way};

/// Why the solver gave no optimum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoOptimum {
    /// It ran into its limit.
    Limit,
    /// It failed, and says this.
    Failed(String),
}

/// What finds the optimum of an integer program.
pub trait Optimiser: Copy {
    /// The proven optimum of `problem` under `rows`, whose objective is `objective`.
    ///
    /// # Errors
    /// [`NoOptimum`] if none was proven.
    fn maximum(self, problem: UnsolvedProblem, rows: Vec<Constraint>, objective: &Expression)
    -> Result<f64, NoOptimum>;
}

impl<S: Solver + Copy> Optimiser for S {
    fn maximum(
        mut self,
        problem: UnsolvedProblem,
        rows: Vec<Constraint>,
        objective: &Expression,
    ) -> Result<f64, NoOptimum> {
        let model = rows.into_iter().fold(self.create_model_for(problem), SolverModel::with);
        let solution = model.solve().map_err(|error| NoOptimum::Failed(error.to_string()))?;
        match solution.status() {
            SolutionStatus::Optimal => Ok(solution.eval(objective)),
            SolutionStatus::TimeLimit | SolutionStatus::GapLimit => Err(NoOptimum::Limit),
        }
    }
}

/// microlp, limited by the nodes of its search: unlike a time, that gives the same answer on any machine.
#[derive(Debug, Clone, Copy)]
pub struct Microlp {
    /// Most branch and bound nodes.
    pub nodes: u64,
}

impl Optimiser for Microlp {
    fn maximum(
        self,
        problem: UnsolvedProblem,
        rows: Vec<Constraint>,
        objective: &Expression,
    ) -> Result<f64, NoOptimum> {
        let model = rows.into_iter().fold(good_lp::microlp(problem), SolverModel::with);
        let mut options = microlp::SolveOptions::default();
        options.node_limit = Some(self.nodes);
        let outcome = model.as_inner().solve_with(options).map_err(|error| NoOptimum::Failed(error.to_string()))?;
        match outcome.into_solution() {
            Ok(solution) if solution.termination_reason() == microlp::TerminationReason::ProvenOptimal => {
                Ok(solution.objective() + IntoAffineExpression::constant(objective))
            }
            Ok(_) | Err(_) => Err(NoOptimum::Limit),
        }
    }
}

/// The best value of the first tiers: units served by priority, then GPUs or cost.
///
/// # Errors
/// [`NoOptimum`] if the solver does not prove one.
pub fn optimum(problem: &Problem, solver: impl Optimiser) -> Result<Vec<(TierName, i64)>, NoOptimum> {
    let facts = Facts::of(problem);
    let mut reached: Vec<i64> = Vec::new();
    for tier in 0..=facts.levels.len() {
        let mut program = Program::of(&facts);
        for (level, &value) in reached.iter().enumerate() {
            let served = program.served[level].clone();
            program.rows.push(constraint!(served >= whole(value)));
        }
        reached.push(program.best(tier, solver)?);
    }
    let cost = if facts.priced { TierName::Cost } else { TierName::Gpus };
    let names = facts.levels.iter().map(|&priority| TierName::Served { priority }).chain([cost]);
    Ok(names.zip(reached).collect())
}

/// Number of variables and rows, for the record.
pub fn size(problem: &Problem) -> (usize, usize) {
    let program = Program::of(&Facts::of(problem));
    (program.variables.len(), program.rows.len())
}

struct Program {
    variables: ProblemVariables,
    rows: Vec<Constraint>,
    /// Units by priority.
    served: Vec<Expression>,
    /// Units by demand.
    units: Vec<Expression>,
    cost: Expression,
}

/// The variables of one GPU.
#[derive(Default)]
struct GpuVars {
    /// Whether it is cut; a number where instances are pinned or it is taken.
    cut: Expression,
    /// Instances placed, by profile.
    placed: BTreeMap<usize, Expression>,
    /// Those of them that serve.
    serving: BTreeMap<usize, Expression>,
    /// How often it serves as a whole.
    whole: Expression,
    can_be_whole: bool,
}

impl Program {
    fn of(facts: &Facts<'_>) -> Program {
        let mut program = Program {
            variables: variables!(),
            rows: Vec::new(),
            served: vec![Expression::default(); facts.levels.len()],
            units: vec![Expression::default(); facts.demands.len()],
            cost: Expression::default(),
        };
        for node in &facts.nodes {
            program.add_node(facts, node);
        }
        for (demand, units) in program.units.clone().into_iter().enumerate() {
            program.rows.push(constraint!(units.clone() <= float(facts.demands[demand].count)));
            program.served[facts.level_of[demand]] += units;
        }
        program
    }

    fn best(mut self, tier: usize, solver: impl Optimiser) -> Result<i64, NoOptimum> {
        let objective = self.served.get(tier).cloned().unwrap_or_else(|| -self.cost.clone());
        // Some solvers refuse a program without variables.
        let one = self.variables.add(variable().integer().min(1).max(1));
        let objective = objective + one;
        let found = solver.maximum(self.variables.maximise(objective.clone()), self.rows, &objective)?;
        Ok(rounded(found - 1.0).abs())
    }

    fn binary(&mut self) -> Variable {
        self.variables.add(variable().binary())
    }

    fn add_node(&mut self, facts: &Facts<'_>, node: &Node) {
        let pool = &facts.pools[node.pool];
        let mut gpus: Vec<GpuVars> = (0..node.gpus.len()).map(|gpu| self.add_gpu(facts, pool, node, gpu)).collect();
        for (demand, offer) in pool.offers.iter().enumerate() {
            let Some(offer) = offer else { continue };
            let asked = facts.demands[demand];
            let most = asked.max_per_node.map_or(asked.count, |most| asked.count.min(u64::from(most)));
            let units = match offer {
                Offer::Whole(per_unit) => self.add_whole(&mut gpus, *per_unit, most),
                Offer::Slices { together: Together::Node, ways } => {
                    let site: Vec<usize> = (0..gpus.len()).collect();
                    self.add_units(node, &mut gpus, &site, ways, most)
                }
                Offer::Slices { together: Together::Gpu, ways } => {
                    let one = |gpu: usize| self.add_units(node, &mut gpus, &[gpu], ways, most);
                    (0..node.gpus.len()).map(one).sum()
                }
            };
            self.rows.push(constraint!(units.clone() <= float(most)));
            self.units[demand] += units;
        }
        if pool.strategy == Strategy::Single {
            self.add_single(facts, node, &gpus);
        }
        for gpu in gpus {
            for (profile, serving) in gpu.serving {
                let placed = gpu.placed.get(&profile).cloned().unwrap_or_default();
                self.rows.push(constraint!(serving <= placed));
            }
            self.rows.push(constraint!(gpu.whole.clone() + gpu.cut.clone() <= 1));
            self.cost += (gpu.cut + gpu.whole) * whole(pool.price);
        }
    }

    fn add_gpu(&mut self, facts: &Facts<'_>, pool: &PoolFacts, node: &Node, index: usize) -> GpuVars {
        let gpu = &node.gpus[index];
        let model = facts.models[gpu.model];
        if gpu.taken {
            return GpuVars::default();
        }
        let idle = gpu.pinned.is_empty();
        let cut: Expression = if idle { self.binary().into() } else { Expression::from(1) };
        let mut vars = GpuVars { cut: cut.clone(), can_be_whole: idle, ..GpuVars::default() };
        let covers =
            |profile: usize, start: u8, unit: u8| (start..start + model.profiles[profile].size).contains(&unit);
        let mut units: Vec<Expression> = vec![Expression::default(); usize::from(model.units)];
        let mut engines: Vec<Expression> = vec![Expression::default(); 4];
        for (profile, p) in model.profiles.iter().enumerate() {
            if pool.strategy == Strategy::Mixed && !pool.wanted.contains(&(gpu.model, profile)) {
                continue;
            }
            let mut placed = Expression::default();
            for &start in &p.starts {
                let blocked = |unit| gpu.pinned.iter().any(|q| covers(usize::from(q.profile.0), q.start, unit));
                if (start..start + p.size).any(blocked) {
                    continue;
                }
                let x = self.binary();
                placed += x;
                for unit in start..start + p.size {
                    units[usize::from(unit)] += x;
                }
                for (sum, each) in engines.iter_mut().zip(four(p.engines)) {
                    *sum += x * each;
                }
            }
            let pinned = gpu.pinned.iter().filter(|q| usize::from(q.profile.0) == profile).count();
            self.rows.push(constraint!(placed.clone() <= f64::from(p.max_instances) - float(pinned as u64)));
            vars.placed.insert(profile, placed);
        }
        for unit in units {
            self.rows.push(constraint!(unit <= cut.clone()));
        }
        for (kind, sum) in engines.into_iter().enumerate() {
            let budget = four(model.engine_budget)[kind];
            let held: f64 =
                gpu.pinned.iter().map(|q| four(model.profiles[usize::from(q.profile.0)].engines)[kind]).sum();
            if budget < f64::from(u16::MAX) {
                self.rows.push(constraint!(sum <= budget - held));
            }
        }
        vars
    }

    fn add_whole(&mut self, gpus: &mut [GpuVars], per_unit: u32, most: u64) -> Expression {
        let units = self.variables.add(variable().integer().min(0).max(float(most)));
        let mut taken = Expression::default();
        for gpu in gpus.iter_mut().filter(|gpu| gpu.can_be_whole) {
            let w = self.binary();
            gpu.whole += w;
            taken += w;
        }
        self.rows.push(constraint!(taken == units * f64::from(per_unit)));
        units.into()
    }

    /// Units served by instances of these GPUs, in any of the ways.
    fn add_units(&mut self, node: &Node, gpus: &mut [GpuVars], site: &[usize], ways: &[Way], most: u64) -> Expression {
        let mut all = Expression::default();
        for way in ways {
            let units = self.variables.add(variable().integer().min(0).max(float(most)));
            all += units;
            for (per_unit, kinds) in way {
                let mut given = Expression::default();
                for &(model, profile) in kinds {
                    for &gpu in site.iter().filter(|&&gpu| node.gpus[gpu].model == model) {
                        let y = self.variables.add(variable().integer().min(0));
                        given += y;
                        *gpus[gpu].serving.entry(profile).or_default() += y;
                    }
                }
                self.rows.push(constraint!(given == units * f64::from(*per_unit)));
            }
        }
        all
    }

    fn add_single(&mut self, facts: &Facts<'_>, node: &Node, gpus: &[GpuVars]) {
        let profiles = |gpu: usize| &facts.models[node.gpus[gpu].model].profiles;
        let mut names: Vec<&ProfileName> =
            (0..gpus.len()).flat_map(|gpu| profiles(gpu).iter().map(|p| &p.name)).collect();
        names.sort_unstable();
        names.dedup();
        let some_pinned = node.gpus.iter().any(|gpu| !gpu.pinned.is_empty());
        let mut chosen = Expression::default();
        let mut of_name: BTreeMap<&ProfileName, Variable> = BTreeMap::new();
        for name in names {
            let possible = node.gpus.iter().enumerate().all(|(i, gpu)| {
                let fits = |q: &migsaw::geometry::Placement| profiles(i)[usize::from(q.profile.0)].name == *name;
                !gpu.taken && gpu.pinned.iter().all(fits) && profiles(i).iter().any(|p| p.name == *name)
            });
            let z = self.variables.add(variable().integer().min(0).max(i32::from(possible)));
            chosen += z;
            of_name.insert(name, z);
        }
        self.rows.push(constraint!(chosen.clone() <= 1));
        for (i, gpu) in gpus.iter().enumerate() {
            for (&profile, placed) in &gpu.placed {
                let z = of_name[&profiles(i)[profile].name];
                let most = f64::from(profiles(i)[profile].max_instances);
                self.rows.push(constraint!(placed.clone() <= z * most));
                if node.gpus[i].pinned.is_empty() {
                    self.rows.push(constraint!(placed.clone() >= z));
                }
            }
            if node.gpus[i].pinned.is_empty() && !node.gpus[i].taken {
                self.rows.push(constraint!(gpu.cut.clone() == chosen.clone()));
            }
            // Beside pinned instances MIG cannot be off everywhere; untouched, the node serves nothing.
            if some_pinned {
                self.rows.push(constraint!(gpu.whole.clone() <= 0));
            }
        }
    }
}

/// `UnsolvedProblem` has no name outside `good_lp`'s closures but this.
trait CreateModel: Solver {
    fn create_model_for(&mut self, problem: good_lp::variable::UnsolvedProblem) -> Self::Model {
        self.create_model(problem)
    }
}

impl<S: Solver> CreateModel for S {}

fn four(engines: migsaw::geometry::Engines) -> [f64; 4] {
    [engines.decoders, engines.encoders, engines.jpeg, engines.ofa].map(f64::from)
}

#[expect(clippy::cast_precision_loss, reason = "counts and prices are far below 2^53")]
fn whole(value: i64) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
fn float(value: u64) -> f64 {
    value as f64
}

#[expect(clippy::cast_possible_truncation, reason = "counts and prices are far below 2^53")]
fn rounded(value: f64) -> i64 {
    value.round() as i64
}
