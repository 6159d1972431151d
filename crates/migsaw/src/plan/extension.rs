//! More beside all that is there, without branching.
//!
//! The search for one priority begins with what the one before it found, where nothing asked for this one's units. Where
//! the search then ends at its limits, that alone would be the answer, and GPUs would idle beside pods that wait. So each
//! unit is put where it needs least capacity beside what there is, until no more find a place.

use super::program::{Compare, Program, Role, Row, Sum, Var};

/// Most places that are tried.
const MAX_TRIES: usize = 100_000;

/// Values that the program accepts, with more of what the objective gains from.
pub(super) fn extended(program: &Program, objective: &Sum, start: &[i64]) -> Vec<i64> {
    let mut extension = Extension::new(program, start);
    let balances = program.rows().iter().filter(|row| row.compare == Compare::Equal);
    let balances: Vec<Vec<(Var, i64)>> = balances.map(|row| row.sum.terms()).collect();
    let mut tries_left = MAX_TRIES;
    for (total, _) in objective.terms().into_iter().filter(|term| term.1 > 0) {
        for balance in balances.iter().filter(|balance| balance.contains(&(total, -1))) {
            let parts: Vec<(Var, i64)> = balance.iter().copied().filter(|term| term.1 > 0).collect();
            while tries_left >= parts.len() {
                tries_left -= parts.len();
                let needs =
                    |(part, each): &(Var, i64)| Some((extension.needs(total, *part, *each)? / each, *part, *each));
                let Some((_, part, each)) = parts.iter().filter_map(needs).min() else { break };
                extension.put(total, part, each);
            }
        }
    }
    extension.values
}

struct Extension<'a> {
    program: &'a Program,
    values: Vec<i64>,
    /// What the rows' left sides come to.
    sums: Vec<i128>,
    /// By variable the rows it is in, with its coefficients.
    rows_of: Vec<Vec<(usize, i64)>>,
    /// By row the capacity of which there may be too little for it, with its coefficients. What is created last is
    /// nearest to what needs it, and comes first.
    capacity_of: Vec<Vec<(Var, i64)>>,
}

impl<'a> Extension<'a> {
    fn new(program: &'a Program, start: &[i64]) -> Extension<'a> {
        let mut rows_of = vec![Vec::new(); start.len()];
        let mut is_capacity: Vec<bool> = program.roles().iter().map(|role| *role == Role::Count).collect();
        for (number, row) in program.rows().iter().enumerate() {
            for (var, coefficient) in row.sum.terms() {
                rows_of[var.0].push((number, coefficient));
                is_capacity[var.0] &= row.compare != Compare::Equal;
            }
        }
        let helps = |row: &Row| {
            let sign = if row.compare == Compare::AtLeast { 1 } else { -1 };
            let terms = row.sum.terms().into_iter().rev();
            terms.filter(|(var, coefficient)| is_capacity[var.0] && coefficient.signum() == sign).collect()
        };
        let capacity_of = program.rows().iter().map(helps).collect();
        let sums = program.rows().iter().map(|row| row.sum.value(start)).collect();
        Extension { program, values: start.to_vec(), sums, rows_of, capacity_of }
    }

    /// How much more capacity there has to be for one more in a part, which counts as `each` in the total; `None` if
    /// there is not as much.
    fn needs(&mut self, total: Var, part: Var, each: i64) -> Option<i64> {
        let put = self.put(total, part, each);
        let fits = put.iter().all(|&(var, _)| self.is_kept(var));
        for &(var, more) in &put {
            self.add(var, -more);
        }
        fits.then(|| put.iter().skip(2).map(|(_, more)| more).sum())
    }

    /// Puts one more into a part, with as much more capacity as that needs; gives what was added to what.
    fn put(&mut self, total: Var, part: Var, each: i64) -> Vec<(Var, i64)> {
        let mut put = vec![(part, 1), (total, each)];
        for &(var, more) in &put {
            self.add(var, more);
        }
        let mut next = 0;
        while let Some(&(changed, _)) = put.get(next) {
            next += 1;
            for at in 0..self.rows_of[changed.0].len() {
                let (row, _) = self.rows_of[changed.0][at];
                while let Some((var, more)) = self.lacking(row) {
                    self.add(var, more);
                    put.push((var, more));
                }
            }
        }
        put
    }

    fn add(&mut self, var: Var, more: i64) {
        self.values[var.0] += more;
        for (row, coefficient) in &self.rows_of[var.0] {
            self.sums[*row] += i128::from(*coefficient) * i128::from(more);
        }
    }

    /// The capacity of which there is too little for a row, and how much of it would do, if there is more to have.
    fn lacking(&self, row: usize) -> Option<(Var, i64)> {
        let over = self.over(row);
        let left = |var: Var| self.program.uppers()[var.0] - self.values[var.0];
        let (var, coefficient) = self.capacity_of[row].iter().find(|(var, _)| over > 0 && left(*var) > 0)?;
        let each = i128::from(coefficient.abs());
        let more = i64::try_from((over + each - 1).div_euclid(each)).unwrap_or(i64::MAX);
        Some((*var, more.min(left(*var))))
    }

    /// By how much a row is not kept; at most 0 if it is.
    fn over(&self, row: usize) -> i128 {
        let over = self.sums[row] - i128::from(self.program.rows()[row].right);
        match self.program.rows()[row].compare {
            Compare::AtMost => over,
            Compare::AtLeast => -over,
            Compare::Equal => over.abs(),
        }
    }

    /// Whether a variable and the rows it is in keep their bounds.
    fn is_kept(&self, var: Var) -> bool {
        self.values[var.0] <= self.program.uppers()[var.0]
            && self.rows_of[var.0].iter().all(|(row, _)| self.over(*row) <= 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two cells, of which the second stands for two nodes: units in each, GPUs cut for them (three units a GPU), and
    /// what is served of two demands.
    struct Cells {
        program: Program,
        units: [[Var; 2]; 2],
        cut: [Var; 2],
        served: [Var; 2],
    }

    fn cells(asked: i64) -> Cells {
        let mut program = Program::default();
        let served = [(); 2].map(|()| program.add(asked, Role::Flow));
        let units = [(); 2].map(|()| [(); 2].map(|()| program.add(asked, Role::Flow)));
        let cut = [(); 2].map(|()| program.var(2));
        for (demand, total) in served.into_iter().enumerate() {
            program.equal(Sum::of([(units[0][demand], 1), (units[1][demand], 2), (total, -1)]), 0);
        }
        for (cell, cut) in cut.into_iter().enumerate() {
            let needed = units[cell].iter().map(|unit| (*unit, 1));
            program.at_most(Sum::of(needed.chain([(cut, -3)])), 0);
        }
        Cells { program, units, cut, served }
    }

    #[test]
    fn units_are_added_while_there_is_capacity_and_what_is_there_stays() {
        let Cells { program, served, .. } = cells(100);
        let most = extended(&program, &Sum::of([(served[0], 1)]), &vec![0; program.uppers().len()]);
        assert!(program.accepts(&most));
        assert_eq!([most[served[0].0], most[served[1].0]], [18, 0], "six in one node and in each of two");

        let Cells { program, served, .. } = cells(7);
        let first = extended(&program, &Sum::of([(served[0], 1)]), &vec![0; program.uppers().len()]);
        let both = extended(&program, &Sum::of([(served[1], 1)]), &first);
        assert!(program.accepts(&both));
        assert_eq!([both[served[0].0], both[served[1].0]], [7, 7]);
    }

    #[test]
    fn what_is_cut_is_filled_before_more_is_cut() {
        let Cells { program, units, cut, served } = cells(3);
        let mut start = vec![0; program.uppers().len()];
        (start[units[1][0].0], start[cut[1].0], start[served[0].0]) = (1, 1, 2);
        assert!(program.accepts(&start));
        let more = extended(&program, &Sum::of([(served[1], 1)]), &start);
        assert!(program.accepts(&more));
        assert_eq!(more[units[1][1].0], 1, "two units beside the two that are there");
        assert_eq!([more[cut[0].0], more[cut[1].0]], [1, 1], "the third is in a node of its own");
    }
}
