//! The one place that knows a solver.
//!
//! Floating point is never trusted. A backend's values are rounded to integers and every row is checked
//! again in exact arithmetic; its claim of optimality is replaced by a bound of our own, the rounded
//! optimum of the LP relaxation, or by a finished search whose answer passed that check. What a backend
//! gets wrong therefore costs quality, which shows as a gap, but never correctness.

use std::time::Duration;

use good_lp::{Expression, ProblemVariables, SolverModel, Variable, variable};
use microlp::{SolveOptions, TerminationReason};

use super::Budget;
use super::extension::extended;
use super::program::{Compare, Program, Role, Sum, Var};
use super::rounding;

/// Which library solves the programs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backend {
    /// The embedded pure Rust solver.
    #[default]
    Microlp,
    /// HiGHS, with feature `highs`.
    #[cfg(feature = "highs")]
    Highs,
}

/// What solving a program gave.
#[derive(Debug, Clone)]
pub(super) struct Outcome {
    /// The best values found, which passed the exact check.
    pub(super) values: Option<Vec<i64>>,
    /// No solution can pass this; `None` if there is none at all.
    pub(super) bound: Option<i64>,
}

impl Outcome {
    const INFEASIBLE: Outcome = Outcome { values: None, bound: None };

    pub(super) fn is_infeasible(&self) -> bool {
        self.values.is_none() && self.bound.is_none()
    }
}

/// Solves programs with one backend under one budget.
#[derive(Clone, Copy)]
pub(super) struct Solver<'a> {
    pub(super) backend: Backend,
    pub(super) budget: &'a dyn Budget,
    /// Most branch and bound nodes for one program: unlike a time, it leaves the answer the same
    /// whenever it is asked.
    pub(super) nodes: u64,
}

/// What a backend said.
enum Answer {
    Values { values: Vec<f64>, finished: bool },
    Infeasible,
    Nothing,
}

/// Programs above this many variables are first tried with most of them held fixed.
const LARGE: usize = 400;
/// Most branch and bound nodes times terms of the program: what a node costs grows with the terms.
const WORK: u64 = 10_000_000;
/// The same for programs in which most is held fixed.
const WORK_NEAR: u64 = 2_000_000;

impl Solver<'_> {
    /// Maximises `objective`; `start` may be any values that pass the check.
    pub(super) fn maximise(&self, program: &Program, objective: &Sum, start: Option<&[i64]>) -> Outcome {
        // What is maximised is a multiple of this, so bounds can be rounded to multiples too.
        let divisor = objective.divisor();
        let outcome = self.maximise_reduced(program, &objective.divided(divisor), start);
        Outcome { bound: outcome.bound.map(|bound| bound.saturating_mul(divisor)), ..outcome }
    }

    fn maximise_reduced(&self, program: &Program, objective: &Sum, start: Option<&[i64]>) -> Outcome {
        let mut best = Best { program, objective, values: None };
        if let Some(start) = start {
            best.keep(start.to_vec());
        }
        let trivial = clamp(
            objective.terms().iter().map(|&(v, c)| i128::from(c.max(0)) * i128::from(program.uppers()[v.0])).sum(),
        );
        let at_zero = best.keep(vec![0; program.uppers().len()]);
        if program.uppers().is_empty() || at_zero == Some(trivial) {
            let feasible = best.values.is_some();
            return Outcome { bound: feasible.then_some(trivial), values: best.values };
        }

        let relaxed = match self.ask(program, objective, &Question::relaxation()) {
            Answer::Values { values, .. } => values,
            Answer::Infeasible if best.values.is_none() => return Outcome::INFEASIBLE,
            Answer::Infeasible | Answer::Nothing => return Outcome { bound: Some(trivial), values: best.values },
        };
        let bound = rounded_bound(objective, &relaxed).min(trivial);
        best.keep(rounded(&relaxed));
        for proposal in rounding::proposals(program, objective, &relaxed) {
            best.keep(proposal);
        }
        if best.value() >= Some(bound) || self.search_near(&relaxed, bound, &mut best) >= Some(bound) {
            return Outcome { values: best.values, bound: Some(bound) };
        }
        if relaxed.len() > LARGE && best.value().is_some_and(|value| is_close(value, bound)) {
            return Outcome { values: best.values, bound: Some(bound) };
        }
        if let Some(values) = &best.values {
            best.keep(extended(program, objective, values));
        }
        // The gap at which a backend may stop is relative to its own best value. It means "less than one
        // apart" only up to the scale it was made for; an answer beyond that is asked for again, exactly.
        let known = best.values.as_ref().map_or(bound, |values| clamp(objective.value(values)));
        let scale = bound.saturating_abs().max(known.saturating_abs()).max(1);
        for scale in [Some(scale), None] {
            let (values, finished) = match self.ask(program, objective, &Question::integers(scale)) {
                Answer::Values { values, finished } => (values, finished),
                Answer::Infeasible if best.values.is_none() => return Outcome::INFEASIBLE,
                Answer::Infeasible | Answer::Nothing => break,
            };
            let claimed = rounded(&values);
            let value = clamp(objective.value(&claimed));
            let right = program.accepts(&claimed);
            best.keep(claimed);
            if finished && right && scale.is_none_or(|scale| value.saturating_abs() <= scale) {
                return Outcome { values: best.values, bound: Some(value.min(bound)) };
            }
            if !finished || !right {
                break;
            }
        }
        Outcome { values: best.values, bound: Some(bound) }
    }

    /// Looks for integers near the relaxation's optimum, in a program that is much smaller: only what the
    /// optimum splits may change, and what no balance holds. Gives the best objective so far.
    fn search_near(&self, relaxed: &[f64], bound: i64, best: &mut Best<'_>) -> Option<i64> {
        if relaxed.len() <= LARGE {
            return None;
        }
        let at = rounded(relaxed);
        let residual = best.program.residual(&at, &split(best.program, relaxed));
        let (objective, held) = residual.part(best.objective, &at);
        let scale = bound.saturating_sub(held).saturating_abs().max(1);
        let nodes = self.nodes.min(WORK_NEAR / u64::try_from(residual.program.len().max(1)).unwrap_or(WORK_NEAR));
        let near = Solver { nodes, ..*self };
        match near.ask(&residual.program, &objective, &Question::integers(Some(scale))) {
            Answer::Values { values, .. } => best.keep(residual.put_into(at, &rounded(&values))),
            Answer::Infeasible | Answer::Nothing => None,
        }
    }

    fn ask(&self, program: &Program, objective: &Sum, question: &Question) -> Answer {
        let left = self.budget.remaining();
        if left.is_zero() {
            return Answer::Nothing;
        }
        let mut variables = ProblemVariables::new();
        let handles: Vec<Variable> = program
            .uppers()
            .iter()
            .enumerate()
            .map(|(i, &upper)| {
                let definition = variable().min(0.0).max(float(upper));
                let is_integer = question.integers && program.roles()[i] != Role::Flow;
                variables.add(if is_integer { definition.integer() } else { definition })
            })
            .collect();
        let expression = |sum: &Sum| -> Expression {
            sum.terms().iter().map(|&(var, coefficient)| float(coefficient) * handles[var.0]).sum()
        };
        let unsolved = variables.maximise(expression(objective));
        let rows = program.rows().iter().map(|row| {
            let (left, right) = (expression(&row.sum), float(row.right));
            match row.compare {
                Compare::AtMost => left.leq(right),
                Compare::AtLeast => left.geq(right),
                Compare::Equal => left.eq(right),
            }
        });
        let gap = question.scale.map_or(0.0, |scale| 0.9 / float(scale));
        let nodes = self.nodes.min(WORK / u64::try_from(program.len().max(1)).unwrap_or(WORK));
        match self.backend {
            Backend::Microlp => {
                let model = rows.fold(unsolved.using(good_lp::solvers::microlp::microlp), SolverModel::with);
                let mut options = SolveOptions::default();
                options.time_limit = (left < FOREVER).then_some(left);
                options.node_limit = Some(nodes);
                options.mip_gap = gap;
                match model.as_inner().solve_with(options).map(microlp::SolveOutcome::into_solution) {
                    Ok(Ok(solution)) => Answer::Values {
                        values: solution.iter().map(|(_, value)| value).collect(),
                        finished: matches!(
                            solution.termination_reason(),
                            TerminationReason::ProvenOptimal | TerminationReason::MipGap
                        ),
                    },
                    Err(microlp::Error::Infeasible) => Answer::Infeasible,
                    Ok(Err(_)) | Err(_) => Answer::Nothing,
                }
            }
            #[cfg(feature = "highs")]
            Backend::Highs => ask_highs(unsolved, rows, gap, nodes, left, &handles),
        }
    }
}

/// A time limit beyond which there is none.
const FOREVER: Duration = Duration::from_secs(1 << 30);

/// The best values that passed the exact check.
struct Best<'a> {
    program: &'a Program,
    objective: &'a Sum,
    values: Option<Vec<i64>>,
}

impl Best<'_> {
    /// Keeps the values if they are right and better; gives the best objective so far.
    fn keep(&mut self, values: Vec<i64>) -> Option<i64> {
        let better = self.values.as_ref().is_none_or(|old| self.objective.value(old) < self.objective.value(&values));
        if better && self.program.accepts(&values) {
            self.values = Some(values);
        }
        self.value()
    }

    fn value(&self) -> Option<i64> {
        self.values.as_ref().map(|values| clamp(self.objective.value(values)))
    }
}

/// What a backend is asked.
struct Question {
    integers: bool,
    /// Objectives up to this size need no proof closer than one.
    scale: Option<i64>,
}

impl Question {
    fn relaxation() -> Question {
        Question { integers: false, scale: None }
    }

    fn integers(scale: Option<i64>) -> Question {
        Question { integers: true, scale }
    }
}

/// The variables in no balance (a row with an equals sign), and those in balances of which three values or
/// more are not zero: what comes in goes to several places.
fn split(program: &Program, relaxed: &[f64]) -> Vec<bool> {
    let mut free = vec![true; relaxed.len()];
    let balances = program.rows().iter().filter(|row| row.compare == Compare::Equal);
    let balances: Vec<Vec<(Var, i64)>> = balances.map(|row| row.sum.terms()).collect();
    balances.iter().flatten().for_each(|(var, _)| free[var.0] = false);
    for terms in &balances {
        if terms.iter().filter(|(var, _)| relaxed[var.0] > 1e-7).count() > 2 {
            for (var, _) in terms {
                free[var.0] = true;
            }
        }
    }
    free
}

#[expect(clippy::cast_precision_loss, reason = "coefficients and counts stay far below 2^52")]
fn float(value: i64) -> f64 {
    value as f64
}

#[expect(clippy::cast_possible_truncation, reason = "the values are checked exactly afterwards")]
fn rounded(values: &[f64]) -> Vec<i64> {
    values.iter().map(|value| value.round() as i64).collect()
}

/// Whether a value is within a ten-thousandth of its bound: what is still to be gained on a large program is
/// not worth what the search for it costs.
fn is_close(value: i64, bound: i64) -> bool {
    i128::from(bound.abs_diff(value)) * 10_000 <= i128::from(bound.unsigned_abs())
}

fn clamp(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value > 0 { i64::MAX } else { i64::MIN })
}

/// The relaxation's optimum, rounded down with room for its rounding errors.
fn rounded_bound(objective: &Sum, relaxed: &[f64]) -> i64 {
    let terms = objective.terms();
    let value: f64 = terms.iter().map(|&(var, c)| float(c) * relaxed[var.0]).sum();
    let size: f64 = terms.iter().map(|&(var, c)| (float(c) * relaxed[var.0]).abs()).sum();
    #[expect(clippy::cast_possible_truncation, reason = "an objective stays far below 2^63")]
    let bound = (value + 1e-6 + 1e-9 * size).floor() as i64;
    bound
}

#[cfg(feature = "highs")]
fn ask_highs(
    unsolved: good_lp::variable::UnsolvedProblem,
    rows: impl Iterator<Item = good_lp::Constraint>,
    gap: f64,
    nodes: u64,
    left: Duration,
    handles: &[Variable],
) -> Answer {
    use good_lp::solvers::{Solution as _, SolutionStatus};
    let model = rows.fold(unsolved.using(good_lp::solvers::highs::highs), SolverModel::with);
    let nodes = i32::try_from(nodes).unwrap_or(i32::MAX);
    let mut model = model.set_threads(1).set_option("mip_max_nodes", nodes).set_option("mip_rel_gap", gap);
    if left < FOREVER {
        model = good_lp::WithTimeLimit::with_time_limit(model, left.as_secs_f64());
    }
    match model.solve() {
        Ok(solution) => Answer::Values {
            values: handles.iter().map(|&v| solution.value(v)).collect(),
            finished: !matches!(solution.status(), SolutionStatus::TimeLimit),
        },
        Err(good_lp::ResolutionError::Infeasible) => Answer::Infeasible,
        Err(_) => Answer::Nothing,
    }
}
