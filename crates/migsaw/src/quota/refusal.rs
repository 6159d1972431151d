//! Pods that a quota does not let be created.

use std::fmt;

use super::{Resource, of_unit};
use crate::problem::Problem;

/// What keeps pods from being created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum RefusalCode {
    /// One pod asks for more than the quota has: none can ever be created.
    Unit,
    /// The demand asks for more than the quota has.
    Count,
    /// All demands that the quota counts ask for more than it has; each of them alone does not.
    Sum,
}

impl RefusalCode {
    /// Every code.
    pub const ALL: [RefusalCode; 3] = [RefusalCode::Unit, RefusalCode::Count, RefusalCode::Sum];

    /// The code as programs read it.
    pub fn as_str(self) -> &'static str {
        match self {
            RefusalCode::Unit => "pod-above-quota",
            RefusalCode::Count => "demand-above-quota",
            RefusalCode::Sum => "demands-above-quota",
        }
    }
}

impl fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A demand that a quota lets in only in part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Index of the demand.
    pub demand: usize,
    /// Index of the quota.
    pub quota: usize,
    /// The resource that runs out.
    pub resource: Resource,
    /// What one unit asks for of it.
    pub each: u64,
    /// Units asked for.
    pub count: u64,
    /// Most of them that can be there, if all the quota is for them.
    pub admitted: u64,
    /// What keeps them out.
    pub code: RefusalCode,
}

impl Refusal {
    /// What keeps them out, a sentence.
    ///
    /// # Panics
    /// If it is of another problem.
    pub fn reason(&self, problem: &Problem) -> String {
        let quota = &problem.quotas[self.quota];
        let (name, resource, hard) = (quota.full_name(), &self.resource, quota.hard[&self.resource]);
        let all = u128::from(self.each) * u128::from(self.count);
        match self.code {
            RefusalCode::Unit => {
                format!(
                    "one pod asks for {} of {resource}, and quota {name} has {hard}: none can be created",
                    self.each
                )
            }
            RefusalCode::Count => {
                let (most, count) = (self.admitted, self.count);
                format!("{count} pods ask for {all} of {resource}, and quota {name} has {hard}: {most} can be created")
            }
            RefusalCode::Sum => format!(
                "its {all} of {resource} fit into the {hard} of quota {name}, but not beside those of the others that it counts"
            ),
        }
    }
}

/// The demands that a quota keeps out in part, by demand, quota and resource.
pub(super) fn refusals(problem: &Problem) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    for (quota, of) in problem.quotas.iter().enumerate() {
        let covered: Vec<usize> = (0..problem.demands.len()).filter(|&i| of.counts(i, &problem.demands[i])).collect();
        for (resource, &hard) in &of.hard {
            let asks = Asks::of(problem, &covered, resource);
            let is_over = asks.refused(hard) > 0;
            for &(each, count, demand) in asks.units.iter().filter(|_| is_over) {
                let admitted = (hard / each).min(count);
                let code = match admitted {
                    0 => RefusalCode::Unit,
                    n if n < count => RefusalCode::Count,
                    _ => RefusalCode::Sum,
                };
                refusals.push(Refusal { demand, quota, resource: resource.clone(), each, count, admitted, code });
            }
        }
    }
    refusals.sort_by(|a, b| (a.demand, a.quota, &a.resource).cmp(&(b.demand, b.quota, &b.resource)));
    refusals
}

/// What some demands ask for of one resource.
pub(super) struct Asks {
    /// What one unit asks for, how many units there are, and of which demand; those that ask for least first.
    units: Vec<(u64, u64, usize)>,
    /// Units of which only a plan says what they ask for.
    pub(super) open: u64,
}

impl Asks {
    pub(super) fn of(problem: &Problem, demands: &[usize], resource: &Resource) -> Asks {
        let mut asks = Asks { units: Vec::new(), open: 0 };
        for &index in demands {
            let demand = &problem.demands[index];
            match of_unit(demand) {
                None => asks.open += demand.count,
                Some(unit) => {
                    let each = unit.get(resource).filter(|&&each| each > 0 && demand.count > 0);
                    asks.units.extend(each.map(|&each| (each, demand.count, index)));
                }
            }
        }
        asks.units.sort_unstable();
        asks
    }

    pub(super) fn total(&self) -> u64 {
        self.units.iter().fold(0, |sum, (each, count, _)| sum.saturating_add(each.saturating_mul(*count)))
    }

    /// The fewest units that stay out. Most come in if those that ask for least go first.
    pub(super) fn refused(&self, hard: u64) -> u64 {
        let (mut left, mut refused) = (hard, 0);
        for &(each, count, _) in &self.units {
            let admitted = (left / each).min(count);
            left -= admitted * each;
            refused += count - admitted;
        }
        refused
    }
}
