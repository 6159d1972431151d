//! The one place that knows a solver.
//!
//! Floating point is never trusted. A backend's values are rounded to integers and every row is checked
//! again in exact arithmetic; its claim of optimality is replaced by a bound of our own, the rounded
//! optimum of the LP relaxation, or by a finished search whose answer passed that check. What a backend
//! gets wrong therefore costs quality, which shows as a gap, but never correctness.

use std::time::Duration;

use good_lp::{Expression, ProblemVariables, ResolutionError, Solution as _, SolverModel, Variable, variable};
use good_lp::{WithInitialSolution as _, WithMipGap as _, WithTimeLimit as _};

use super::Budget;
use super::program::{Compare, Program, Sum};

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
    /// Longest time for one program.
    pub(super) limit: Option<Duration>,
}

/// What a backend said.
enum Answer {
    Values { values: Vec<f64>, finished: bool },
    Infeasible,
    Nothing,
}

/// Programs above this many variables are first tried with what the relaxation left integral held fixed.
const LARGE: usize = 400;

impl Solver<'_> {
    /// Maximises `objective`; `start` may be any values that pass the check.
    pub(super) fn maximise(&self, program: &Program, objective: &Sum, start: Option<&[i64]>) -> Outcome {
        let mut best = Best { program, objective, values: None };
        if let Some(start) = start {
            best.keep(start.to_vec());
        }
        let trivial = clamp(objective.terms().iter().map(|&(v, c)| i128::from(c.max(0)) * i128::from(program.uppers()[v.0])).sum());
        if program.uppers().is_empty() || best.keep(vec![0; program.uppers().len()]) == Some(trivial) {
            let feasible = best.values.is_some();
            return Outcome { bound: feasible.then_some(trivial), values: best.values };
        }

        let relaxed = match self.ask(program, objective, &Question::relaxation()) {
            Answer::Values { values, .. } => values,
            Answer::Infeasible if best.values.is_none() => return Outcome::INFEASIBLE,
            Answer::Infeasible | Answer::Nothing => return Outcome { bound: Some(trivial), values: best.values },
        };
        let bound = rounded_bound(objective, &relaxed).min(trivial);
        if best.keep(rounded(&relaxed)) >= Some(bound) {
            return Outcome { values: best.values, bound: Some(bound) };
        }
        if relaxed.len() > LARGE {
            let fixed = relaxed.iter().map(|&value| (value - value.round()).abs() < 1e-7).collect();
            let question = Question { integers: true, bound: Some(bound), start: None, fixed: Some((&relaxed, fixed)) };
            if let Answer::Values { values, .. } = self.ask(program, objective, &question)
                && best.keep(rounded(&values)) >= Some(bound)
            {
                return Outcome { values: best.values, bound: Some(bound) };
            }
        }
        let start = best.values.clone();
        let question = Question { integers: true, bound: Some(bound), start: start.as_deref(), fixed: None };
        match self.ask(program, objective, &question) {
            Answer::Values { values, finished } => {
                let claimed = rounded(&values);
                let right = program.accepts(&claimed);
                let value = best.keep(claimed);
                let bound = if finished && right { value.map_or(bound, |v| v.min(bound)) } else { bound };
                Outcome { values: best.values, bound: Some(bound) }
            }
            Answer::Infeasible if best.values.is_none() => Outcome::INFEASIBLE,
            Answer::Infeasible | Answer::Nothing => Outcome { values: best.values, bound: Some(bound) },
        }
    }

    fn ask(&self, program: &Program, objective: &Sum, question: &Question<'_>) -> Answer {
        let left = self.budget.remaining().min(self.limit.unwrap_or(Duration::MAX));
        if left.is_zero() {
            return Answer::Nothing;
        }
        let mut variables = ProblemVariables::new();
        let handles: Vec<Variable> = program
            .uppers()
            .iter()
            .enumerate()
            .map(|(i, &upper)| {
                let (low, high) = question.range(i, upper);
                let definition = variable().min(low).max(high);
                variables.add(if question.integers { definition.integer() } else { definition })
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
        let gap = question.bound.map_or(0.0, |bound| 0.9 / float(bound.abs().max(1)));
        #[expect(clippy::cast_possible_truncation, reason = "a tolerance needs no precision")]
        let gap = gap.min(0.5) as f32;
        let start = question.start.map(|values| handles.iter().copied().zip(values.iter().map(|&v| float(v))).collect::<Vec<_>>());
        let solved = match self.backend {
            Backend::Microlp => {
                let model = rows.fold(unsolved.using(good_lp::solvers::microlp::microlp), SolverModel::with);
                let model = if left < Duration::from_secs(1 << 30) { model.with_time_limit(left.as_secs_f64()) } else { model };
                let model = match start {
                    Some(start) => model.with_initial_solution(start),
                    None => model,
                };
                let solved = model.with_mip_gap(gap).map_err(|e| ResolutionError::Str(e.to_string())).and_then(SolverModel::solve);
                solved.map(|s| (handles.iter().map(|&v| s.value(v)).collect(), finished(s.status())))
            }
            #[cfg(feature = "highs")]
            Backend::Highs => {
                let model = rows.fold(unsolved.using(good_lp::solvers::highs::highs), SolverModel::with);
                let model = model.set_threads(1);
                let model = if left < Duration::from_secs(1 << 30) { good_lp::WithTimeLimit::with_time_limit(model, left.as_secs_f64()) } else { model };
                let model = match start {
                    Some(start) => model.with_initial_solution(start),
                    None => model,
                };
                let solved = model.with_mip_gap(gap).map_err(|e| ResolutionError::Str(e.to_string())).and_then(SolverModel::solve);
                solved.map(|s| (handles.iter().map(|&v| s.value(v)).collect(), finished(s.status())))
            }
        };
        match solved {
            Ok((values, finished)) => Answer::Values { values, finished },
            Err(ResolutionError::Infeasible) => Answer::Infeasible,
            Err(_) => Answer::Nothing,
        }
    }
}

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
        self.values.as_ref().map(|values| clamp(self.objective.value(values)))
    }
}

/// What a backend is asked.
struct Question<'a> {
    integers: bool,
    /// A bound already known: a solution less than one below it is as good as any.
    bound: Option<i64>,
    start: Option<&'a [i64]>,
    /// Values, and which of them to hold fixed.
    fixed: Option<(&'a [f64], Vec<bool>)>,
}

impl Question<'_> {
    fn relaxation() -> Question<'static> {
        Question { integers: false, bound: None, start: None, fixed: None }
    }

    fn range(&self, i: usize, upper: i64) -> (f64, f64) {
        match &self.fixed {
            Some((values, fixed)) if fixed[i] => (values[i].round().max(0.0), values[i].round().min(float(upper))),
            _ => (0.0, float(upper)),
        }
    }
}

fn finished(status: good_lp::solvers::SolutionStatus) -> bool {
    // A gap below one is as good as none, since every objective is an integer.
    !matches!(status, good_lp::solvers::SolutionStatus::TimeLimit)
}

#[expect(clippy::cast_precision_loss, reason = "coefficients and counts stay far below 2^52")]
fn float(value: i64) -> f64 {
    value as f64
}

#[expect(clippy::cast_possible_truncation, reason = "the values are checked exactly afterwards")]
fn rounded(values: &[f64]) -> Vec<i64> {
    values.iter().map(|value| value.round() as i64).collect()
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
