//! Integers near the relaxation's optimum, without branching.
//!
//! A program here has *balances*, rows with an equals sign that say where units go, and what remains is
//! capacity, of which more is needed the more flows: instances of a profile, GPUs that are cut. So whole
//! units are settled first, and then as much capacity as they need, which is exact where the hulls are
//! integral. What comes out is checked by the caller like any other proposal. It is the optimum more
//! often than not, and where it is not the search has something to start from.

use super::program::{Compare, Program, Row, Sum, Var};

/// Proposals near `relaxed`: all units that the relaxation serves, and the whole ones of them, each with
/// what more of the capacity the objective asks for.
pub(super) fn proposals(program: &Program, objective: &Sum, relaxed: &[f64]) -> [Vec<i64>; 2] {
    let rounding = Rounding::new(program);
    [true, false].map(|all| {
        let mut values = floored(relaxed);
        for balance in &rounding.balances {
            balance.settle(&mut values, relaxed, all);
        }
        rounding.provide(&mut values);
        rounding.fill(&mut values, objective);
        values
    })
}

struct Rounding<'a> {
    program: &'a Program,
    balances: Vec<Balance>,
    /// What no balance holds, with the rows that need it, the last variable first.
    capacity: Vec<(Var, Vec<&'a Row>)>,
}

/// Parts that add up to a total.
struct Balance {
    parts: Vec<Var>,
    totals: Vec<Var>,
}

impl<'a> Rounding<'a> {
    fn new(program: &'a Program) -> Rounding<'a> {
        let mut is_balanced = vec![false; program.uppers().len()];
        let mut balances = Vec::new();
        for row in program.rows().iter().filter(|row| row.compare == Compare::Equal) {
            let terms = row.sum.terms();
            terms.iter().for_each(|(var, _)| is_balanced[var.0] = true);
            let of_sign = |sign: i64| terms.iter().filter(|term| term.1 == sign).map(|term| term.0).collect();
            let (parts, totals): (Vec<Var>, Vec<Var>) = (of_sign(1), of_sign(-1));
            if parts.len() + totals.len() == terms.len() && row.right == 0 {
                balances.push(Balance { parts, totals });
            }
        }
        let mut needing: Vec<Vec<&Row>> = vec![Vec::new(); is_balanced.len()];
        for row in program.rows() {
            let sign = match row.compare {
                Compare::AtMost => -1,
                Compare::AtLeast => 1,
                Compare::Equal => continue,
            };
            row.sum.terms().iter().filter(|term| term.1.signum() == sign).for_each(|term| needing[term.0.0].push(row));
        }
        let capacity = needing.into_iter().enumerate().rev().filter(|(i, _)| !is_balanced[*i]);
        Rounding { program, balances, capacity: capacity.map(|(i, rows)| (Var(i), rows)).collect() }
    }

    /// Gives capacity the least values that the rows which need it allow. What is created later is needed
    /// by flows only, what is created before by that too.
    fn provide(&self, values: &mut [i64]) {
        for (var, rows) in &self.capacity {
            values[var.0] = 0;
            let needed = rows.iter().map(|row| {
                let coefficient = row.sum.terms().iter().find(|term| term.0 == *var).map_or(1, |term| term.1);
                let missing = (row.sum.value(values) - i128::from(row.right)) * -i128::from(coefficient.signum());
                let each = i128::from(coefficient.abs());
                (missing + each - 1).div_euclid(each)
            });
            let needed = needed.max().unwrap_or(0).max(0);
            values[var.0] = i64::try_from(needed).unwrap_or(i64::MAX).min(self.program.uppers()[var.0]);
        }
    }

    /// Raises what the objective gains most from, one after the other, as far as the rows allow.
    fn fill(&self, values: &mut [i64], objective: &Sum) {
        let mut gains: Vec<(Var, i64)> = objective.terms().into_iter().filter(|gain| gain.1 > 0).collect();
        gains.retain(|gain| self.capacity.iter().any(|(var, _)| *var == gain.0));
        gains.sort_by_key(|&(var, gain)| (std::cmp::Reverse(gain), var));
        for (var, _) in gains {
            let room = self.program.rows().iter().filter_map(|row| {
                let coefficient = row.sum.terms().iter().find(|term| term.0 == var).map_or(0, |term| term.1);
                let left = i128::from(row.right) - row.sum.value(values);
                match row.compare {
                    Compare::AtMost if coefficient > 0 => Some(left / i128::from(coefficient)),
                    Compare::AtLeast if coefficient < 0 => Some(left / i128::from(coefficient)),
                    _ => None,
                }
            });
            let most = i128::from(self.program.uppers()[var.0] - values[var.0]);
            let more = room.min().unwrap_or(most).clamp(0, most.max(0));
            values[var.0] += i64::try_from(more).unwrap_or(0);
        }
    }
}

impl Balance {
    /// Rounds the parts down, then up again, those first that lost most, until the total is reached; or
    /// reduces the total to the parts.
    fn settle(&self, values: &mut [i64], relaxed: &[f64], all: bool) {
        let sum = |vars: &[Var], values: &[i64]| vars.iter().map(|var| values[var.0]).sum::<i64>();
        if all {
            let wanted: f64 = self.totals.iter().map(|var| relaxed[var.0]).sum();
            #[expect(clippy::cast_possible_truncation, reason = "the values are checked exactly afterwards")]
            let wanted = (wanted + 1e-6).floor() as i64;
            let mut missing = wanted - sum(&self.parts, values);
            let lost = |var: &Var| relaxed[var.0] - (relaxed[var.0] + 1e-6).floor();
            let mut order: Vec<Var> = self.parts.clone();
            order.sort_by(|a, b| lost(b).total_cmp(&lost(a)).then(a.cmp(b)));
            for var in order {
                if missing > 0 && lost(&var) > 1e-9 {
                    values[var.0] += 1;
                    missing -= 1;
                }
            }
        }
        // The first totals keep what they have: they matter most.
        let mut left = sum(&self.parts, values);
        for var in &self.totals {
            #[expect(clippy::cast_possible_truncation, reason = "the values are checked exactly afterwards")]
            let most = (relaxed[var.0] - 1e-6).ceil() as i64;
            values[var.0] = most.min(left);
            left -= values[var.0];
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the values are checked exactly afterwards")]
fn floored(values: &[f64]) -> Vec<i64> {
    values.iter().map(|value| (value + 1e-6).floor() as i64).collect()
}
