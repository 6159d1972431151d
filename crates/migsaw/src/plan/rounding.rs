//! Integers near the relaxation's optimum, without branching.
//!
//! A program here has *balances*, rows with an equals sign that say where units go, and what remains is
//! capacity, of which more is needed the more flows: instances of a profile, GPUs that are cut. So whole
//! units are settled first, and then as much capacity as they need, which is exact where the hulls are
//! integral. Where the contents of GPUs are chosen from a list, the relaxation's choices are rounded down
//! and what is still missing is chosen greedily. What comes out is checked by the caller like any other
//! proposal. It is the optimum more often than not, and where it is not the search has something to start
//! from.

use super::program::{Compare, Program, Role, Row, Sum, Var};

/// Proposals near `relaxed`: all units that the relaxation serves, and the whole ones of them, each with
/// what more of the capacity the objective asks for.
pub(super) fn proposals(program: &Program, objective: &Sum, relaxed: &[f64]) -> [Vec<i64>; 2] {
    let rounding = Rounding::new(program);
    [true, false].map(|all| {
        let mut values = floored(relaxed);
        for balance in &rounding.balances {
            balance.settle(&mut values, relaxed, all);
        }
        let mut values = if all { rounding.repaired(values, relaxed) } else { rounding.provided(&values) };
        if !all {
            rounding.reduce(&mut values);
        }
        rounding.fill(&mut values, objective);
        values
    })
}

/// Most moves of single units that are tried, times terms of the program: what a try costs grows with them.
const WORK: usize = 20_000_000;
/// Most choices added.
const MAX_CHOICES: usize = 200;

struct Rounding<'a> {
    program: &'a Program,
    balances: Vec<Balance>,
    /// Counts that no balance holds, with the rows that need them, the last first.
    capacity: Vec<(Var, Vec<&'a Row>)>,
    choices: Vec<Choice<'a>>,
}

/// A choice of contents.
struct Choice<'a> {
    var: Var,
    /// The rows that need it.
    needing: Vec<&'a Row>,
    /// The rows that limit it.
    limiting: Vec<&'a Row>,
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
            for (var, _) in &terms {
                is_balanced[var.0] = true;
            }
            let of_sign = |sign: i64| terms.iter().filter(|term| term.1 == sign).map(|term| term.0).collect();
            let (parts, totals): (Vec<Var>, Vec<Var>) = (of_sign(1), of_sign(-1));
            if parts.len() + totals.len() == terms.len() && row.right == 0 {
                balances.push(Balance { parts, totals });
            }
        }
        let mut needing: Vec<Vec<&Row>> = vec![Vec::new(); is_balanced.len()];
        let mut limiting = needing.clone();
        for row in program.rows() {
            let sign = match row.compare {
                Compare::AtMost => -1,
                Compare::AtLeast => 1,
                Compare::Equal => continue,
            };
            for (var, coefficient) in row.sum.terms() {
                if coefficient.signum() == sign {
                    needing[var.0].push(row);
                } else if row.compare == Compare::AtMost {
                    limiting[var.0].push(row);
                }
            }
        }
        let free = needing.into_iter().enumerate().filter(|(i, _)| !is_balanced[*i]);
        let free = free.map(|(i, rows)| (Var(i), rows));
        let (choices, mut capacity): (Vec<_>, Vec<_>) =
            free.partition(|(var, _)| program.roles()[var.0] == Role::Choice);
        let choices = choices.into_iter().map(|(var, needing)| {
            let limiting = std::mem::take(&mut limiting[var.0]);
            Choice { var, needing, limiting }
        });
        let choices = choices.collect();
        capacity.reverse();
        Rounding { program, balances, capacity, choices }
    }

    /// Moves units of which the relaxation splits the balance until there is capacity for all, and gives
    /// them that.
    fn repaired(&self, mut flows: Vec<i64>, relaxed: &[f64]) -> Vec<i64> {
        let mut best = self.provided(&flows);
        let mut over = self.violation(&best);
        // Where the relaxation splits a balance, moving a unit costs least.
        let (split, whole): (Vec<_>, Vec<_>) = self.balances.iter().partition(|balance| balance.is_split(relaxed));
        let mut tries_left = WORK / self.program.len().max(1);
        while over > 0 {
            let mut better = None;
            let crowding = self.crowding(&best);
            let balances = split.iter().chain(&whole);
            for changed in balances.flat_map(|balance| balance.moves(&flows, &crowding, self.program)) {
                let Some(fewer) = tries_left.checked_sub(1) else { return best };
                tries_left = fewer;
                let values = self.provided(&changed);
                let violation = self.violation(&values);
                if violation < over {
                    better = Some((changed, values, violation));
                    break;
                }
            }
            let Some((changed, values, violation)) = better else { break };
            (flows, best, over) = (changed, values, violation);
        }
        best
    }

    /// The flows that need what there is too little of.
    fn crowding(&self, values: &[i64]) -> Vec<bool> {
        let mark = |row: &Row, needed: &mut Vec<bool>| {
            for (var, _) in row.sum.terms().into_iter().filter(|term| term.1 > 0) {
                needed[var.0] = true;
            }
        };
        let mut needed = vec![false; values.len()];
        for row in self.program.rows().iter().filter(|row| row.compare == Compare::AtMost) {
            if row.sum.value(values) > i128::from(row.right) {
                mark(row, &mut needed);
            }
        }
        // What is created first is needed by what comes after it.
        for (var, rows) in self.capacity.iter().rev() {
            let rows: &[&Row] = if needed[var.0] { rows } else { &[] };
            for row in rows {
                mark(row, &mut needed);
            }
        }
        needed
    }

    /// By how much the rows are not kept, in all.
    fn violation(&self, values: &[i64]) -> i128 {
        let of_row = |row: &Row| {
            let over = row.sum.value(values) - i128::from(row.right);
            match row.compare {
                Compare::AtMost => over.max(0),
                Compare::AtLeast => (-over).max(0),
                Compare::Equal => over.abs(),
            }
        };
        self.program.rows().iter().map(of_row).sum()
    }

    /// The flows with the least capacity that the rows which need it allow. What is created later is
    /// needed by flows only, what is created before by that too, and choices come in between.
    fn provided(&self, flows: &[i64]) -> Vec<i64> {
        let mut values = flows.to_vec();
        let is_choice = |term: &(Var, i64)| self.program.roles()[term.0.0] == Role::Choice;
        let waits = |rows: &[&Row]| rows.iter().any(|row| row.sum.terms().iter().any(is_choice));
        let (after, before): (Vec<_>, Vec<_>) = self.capacity.iter().partition(|(_, rows)| waits(rows));
        for (var, rows) in before {
            self.raise(*var, rows, &mut values);
        }
        self.choose(&mut values);
        for (var, rows) in after {
            self.raise(*var, rows, &mut values);
        }
        values
    }

    fn raise(&self, var: Var, rows: &[&Row], values: &mut [i64]) {
        values[var.0] = 0;
        let needed = rows.iter().map(|row| {
            let coefficient = row.sum.coefficient(var);
            let missing = (row.sum.value(values) - i128::from(row.right)) * -i128::from(coefficient.signum());
            let each = i128::from(coefficient.abs());
            (missing + each - 1).div_euclid(each)
        });
        let needed = needed.max().unwrap_or(0).max(0);
        values[var.0] = i64::try_from(needed).unwrap_or(i64::MAX).min(self.program.uppers()[var.0]);
    }

    /// Adds to the choices, always the one that covers most of what is missing.
    fn choose(&self, values: &mut [i64]) {
        for _ in 0..MAX_CHOICES {
            let missing = |row: &Row| row.sum.value(values) - i128::from(row.right);
            let gain = |choice: &Choice<'_>| -> i128 {
                let of_row = |row: &&Row| missing(row).clamp(0, i128::from(-row.sum.coefficient(choice.var)).max(0));
                choice.needing.iter().map(of_row).sum()
            };
            let has_room = |choice: &Choice<'_>| {
                let allows = |row: &&Row| {
                    let more = i128::from(row.sum.coefficient(choice.var));
                    self.least(row, values) + more <= i128::from(row.right)
                };
                values[choice.var.0] < self.program.uppers()[choice.var.0] && choice.limiting.iter().all(allows)
            };
            let useful = self.choices.iter().map(|choice| (gain(choice), choice)).filter(|(gain, _)| *gain > 0);
            let mut useful: Vec<(i128, &Choice<'_>)> = useful.collect();
            useful.sort_by_key(|(gain, choice)| (std::cmp::Reverse(*gain), choice.var));
            let Some(var) = useful.into_iter().find(|(_, choice)| has_room(choice)).map(|(_, choice)| choice.var)
            else {
                return;
            };
            values[var.0] += 1;
        }
    }

    /// What a row's left side comes to at least, with as much capacity as there can be.
    fn least(&self, row: &Row, values: &[i64]) -> i128 {
        let value = |(var, coefficient): (Var, i64)| {
            let is_count = self.program.roles()[var.0] == Role::Count;
            let value = if is_count && coefficient < 0 { self.program.uppers()[var.0] } else { values[var.0] };
            i128::from(coefficient) * i128::from(value)
        };
        row.sum.terms().into_iter().map(value).sum()
    }

    /// Takes away what is too much, row by row from capacity to flows, and the totals of what flows.
    fn reduce(&self, values: &mut [i64]) {
        for row in self.program.rows().iter().filter(|row| row.compare == Compare::AtMost) {
            let mut over = row.sum.value(values) - i128::from(row.right);
            for (var, coefficient) in row.sum.terms().into_iter().rev().filter(|term| term.1 > 0) {
                let each = i128::from(coefficient);
                let less = ((over + each - 1).div_euclid(each)).clamp(0, i128::from(values[var.0]));
                values[var.0] -= i64::try_from(less).unwrap_or(0);
                over -= less * each;
            }
        }
        for balance in &self.balances {
            let most: Vec<i64> = balance.totals.iter().map(|var| values[var.0]).collect();
            balance.total(values, &most);
        }
    }

    /// Raises what the objective gains most from, one after the other, as far as the rows allow.
    fn fill(&self, values: &mut [i64], objective: &Sum) {
        let mut gains: Vec<(Var, i64)> = objective.terms().into_iter().filter(|gain| gain.1 > 0).collect();
        gains.retain(|gain| self.capacity.iter().any(|(var, _)| *var == gain.0));
        gains.sort_by_key(|&(var, gain)| (std::cmp::Reverse(gain), var));
        for (var, _) in gains {
            let room = self.program.rows().iter().filter_map(|row| {
                let coefficient = row.sum.coefficient(var);
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
    /// Whether the relaxation has more than one part of it.
    fn is_split(&self, relaxed: &[f64]) -> bool {
        self.parts.iter().filter(|var| relaxed[var.0] > 1e-7).count() > 1
    }

    /// The flows with one unit moved from a part that is crowding to one that is not, or added to one.
    fn moves<'f>(
        &'f self,
        flows: &'f [i64],
        crowding: &'f [bool],
        program: &'f Program,
    ) -> impl Iterator<Item = Vec<i64>> + 'f {
        let to = self.parts.iter().filter(|to| !crowding[to.0] && flows[to.0] < program.uppers()[to.0]);
        to.flat_map(move |to| {
            let from = self.parts.iter().filter(|from| crowding[from.0] && flows[from.0] > 0).map(|from| (from, -1));
            let total = self.totals.iter().filter(|total| flows[total.0] < program.uppers()[total.0]).map(|t| (t, 1));
            from.chain(total).map(move |(other, step)| {
                let mut changed = flows.to_vec();
                changed[to.0] += 1;
                changed[other.0] += step;
                changed
            })
        })
    }

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
        #[expect(clippy::cast_possible_truncation, reason = "the values are checked exactly afterwards")]
        let most: Vec<i64> = self.totals.iter().map(|var| (relaxed[var.0] - 1e-6).ceil() as i64).collect();
        self.total(values, &most);
    }

    /// Makes the totals what the parts add up to, each at most `most`. The first keep what they have: they
    /// matter most.
    fn total(&self, values: &mut [i64], most: &[i64]) {
        let mut left: i64 = self.parts.iter().map(|var| values[var.0]).sum();
        for (var, &most) in self.totals.iter().zip(most) {
            values[var.0] = most.min(left);
            left -= values[var.0];
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the values are checked exactly afterwards")]
fn floored(values: &[f64]) -> Vec<i64> {
    values.iter().map(|value| (value + 1e-6).floor().max(0.0) as i64).collect()
}
