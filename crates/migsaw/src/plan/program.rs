//! An integer program in exact arithmetic: what is built by the formulations and solved by a backend.

use std::ops::{Add, AddAssign};

/// A variable of a [`Program`]: an integer from 0 to its upper bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Var(pub(super) usize);

/// How a row's left side compares with its right side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compare {
    AtMost,
    AtLeast,
    Equal,
}

/// `Σ coefficient · variable`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sum {
    terms: Vec<(Var, i64)>,
}

/// One constraint.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) sum: Sum,
    pub(super) compare: Compare,
    pub(super) right: i64,
}

/// What a variable stands for, which tells how to find integers near a relaxation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A number of things, of which more is needed the more others there are.
    Count,
    /// What flows in a transportation problem: an integer in every vertex once the others are, so that
    /// solvers need not branch on it.
    Flow,
    /// How many of some equal things get one of several contents.
    Choice,
}

/// Maximise a sum over non-negative integers under rows.
#[derive(Debug, Clone, Default)]
pub(super) struct Program {
    uppers: Vec<i64>,
    roles: Vec<Role>,
    rows: Vec<Row>,
}

impl Sum {
    pub(super) fn new() -> Sum {
        Sum::default()
    }

    pub(super) fn of(terms: impl IntoIterator<Item = (Var, i64)>) -> Sum {
        let mut sum = Sum::new();
        for (var, coefficient) in terms {
            sum.add_term(var, coefficient);
        }
        sum
    }

    pub(super) fn add_term(&mut self, var: Var, coefficient: i64) {
        if coefficient != 0 {
            self.terms.push((var, coefficient));
        }
    }

    /// The terms, each variable once, ordered by variable.
    pub(super) fn terms(&self) -> Vec<(Var, i64)> {
        let mut terms = self.terms.clone();
        terms.sort_unstable();
        terms.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same {
                kept.1 += later.1;
            }
            same
        });
        terms.retain(|term| term.1 != 0);
        terms
    }

    /// The coefficient of a variable.
    pub(super) fn coefficient(&self, var: Var) -> i64 {
        self.terms.iter().filter(|term| term.0 == var).map(|term| term.1).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// How many terms were added.
    pub(super) fn len(&self) -> usize {
        self.terms.len()
    }

    pub(super) fn value(&self, values: &[i64]) -> i128 {
        self.terms.iter().map(|&(var, c)| i128::from(c) * i128::from(values[var.0])).sum()
    }

    pub(super) fn times(&self, factor: i64) -> Sum {
        Sum { terms: self.terms.iter().map(|&(var, c)| (var, c * factor)).collect() }
    }

    /// The largest number that divides every coefficient; 1 without terms.
    pub(super) fn divisor(&self) -> i64 {
        let gcd = |mut a: i64, mut b: i64| {
            while b != 0 {
                (a, b) = (b, a % b);
            }
            a
        };
        self.terms.iter().fold(0, |all, &(_, c)| gcd(c.saturating_abs(), all)).max(1)
    }

    /// The sum over a number that divides every coefficient.
    pub(super) fn divided(&self, divisor: i64) -> Sum {
        Sum { terms: self.terms.iter().map(|&(var, c)| (var, c / divisor)).collect() }
    }

    pub(super) fn negated(&self) -> Sum {
        self.times(-1)
    }
}

impl AddAssign<&Sum> for Sum {
    fn add_assign(&mut self, other: &Sum) {
        self.terms.extend_from_slice(&other.terms);
    }
}

impl Add<&Sum> for Sum {
    type Output = Sum;

    fn add(mut self, other: &Sum) -> Sum {
        self += other;
        self
    }
}

/// What is left of a program once some of its variables have values.
pub(super) struct Residual {
    pub(super) program: Program,
    /// The variables of the whole program that the residual's stand for.
    of: Vec<Var>,
    /// The residual's variables, by those of the whole program.
    index: Vec<Option<Var>>,
}

impl Residual {
    /// The sum over the free variables, and the value of the rest.
    pub(super) fn part(&self, sum: &Sum, values: &[i64]) -> (Sum, i64) {
        let mut part = Sum::new();
        let mut held: i64 = 0;
        for (var, coefficient) in sum.terms() {
            match self.index[var.0] {
                Some(var) => part.add_term(var, coefficient),
                None => held = held.saturating_add(coefficient.saturating_mul(values[var.0])),
            }
        }
        (part, held)
    }

    /// The values of the whole program, with those of the residual put in.
    pub(super) fn put_into(&self, mut values: Vec<i64>, residual: &[i64]) -> Vec<i64> {
        for (var, value) in self.of.iter().zip(residual) {
            values[var.0] = *value;
        }
        values
    }
}

impl Program {
    /// Largest upper bound a backend takes for an integer.
    const LARGEST: i64 = i32::MAX as i64;

    /// A new variable between 0 and `upper`.
    pub(super) fn var(&mut self, upper: i64) -> Var {
        self.add(upper, Role::Count)
    }

    /// A new variable between 0 and `upper`, of this role.
    pub(super) fn add(&mut self, upper: i64, role: Role) -> Var {
        self.uppers.push(upper.clamp(0, Self::LARGEST));
        self.roles.push(role);
        Var(self.uppers.len() - 1)
    }

    pub(super) fn row(&mut self, sum: Sum, compare: Compare, right: i64) {
        let trivial = match compare {
            Compare::AtMost => right >= 0,
            Compare::AtLeast => right <= 0,
            Compare::Equal => right == 0,
        };
        if !(sum.is_empty() && trivial) {
            self.rows.push(Row { sum, compare, right });
        }
    }

    pub(super) fn at_most(&mut self, sum: Sum, right: i64) {
        self.row(sum, Compare::AtMost, right);
    }

    pub(super) fn at_least(&mut self, sum: Sum, right: i64) {
        self.row(sum, Compare::AtLeast, right);
    }

    pub(super) fn equal(&mut self, sum: Sum, right: i64) {
        self.row(sum, Compare::Equal, right);
    }

    pub(super) fn uppers(&self) -> &[i64] {
        &self.uppers
    }

    /// Terms of all rows.
    pub(super) fn len(&self) -> usize {
        self.rows.iter().map(|row| row.sum.len()).sum()
    }

    pub(super) fn roles(&self) -> &[Role] {
        &self.roles
    }

    pub(super) fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The program that is left once the variables that are not `free` have these values, and those that
    /// are. Rows without a free variable are left out.
    pub(super) fn residual(&self, values: &[i64], free: &[bool]) -> Residual {
        let mut residual = Residual { program: Program::default(), of: Vec::new(), index: vec![None; values.len()] };
        for (i, _) in free.iter().enumerate().filter(|(_, free)| **free) {
            residual.index[i] = Some(residual.program.add(self.uppers[i], self.roles[i]));
            residual.of.push(Var(i));
        }
        for row in &self.rows {
            let (sum, held) = residual.part(&row.sum, values);
            if !sum.is_empty() {
                residual.program.row(sum, row.compare, row.right.saturating_sub(held));
            }
        }
        residual
    }

    /// Whether the values keep every bound and every row, in exact arithmetic.
    pub(super) fn accepts(&self, values: &[i64]) -> bool {
        values.len() == self.uppers.len()
            && values.iter().zip(&self.uppers).all(|(&value, &upper)| (0..=upper).contains(&value))
            && self.rows.iter().all(|row| {
                let left = row.sum.value(values);
                let right = i128::from(row.right);
                match row.compare {
                    Compare::AtMost => left <= right,
                    Compare::AtLeast => left >= right,
                    Compare::Equal => left == right,
                }
            })
    }
}
