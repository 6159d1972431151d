//! Quotas make sense.

use std::collections::BTreeSet;

use super::{InputProblem, MAX_COUNT, Problem, Subject};

/// Everything about quotas that makes no sense.
pub(super) fn validate(problem: &Problem, found: &mut Vec<(Subject, InputProblem)>) {
    let mut names = BTreeSet::new();
    for (index, quota) in problem.quotas.iter().enumerate() {
        let mut add = |problem| found.push((Subject::Quota(index), problem));
        let name = quota.full_name();
        if quota.name.is_empty() {
            add(InputProblem::EmptyName { what: "quota" });
        } else if !names.insert((&quota.namespace, &quota.name)) {
            add(InputProblem::DuplicateQuota { name: name.clone() });
        }
        for (what, amounts) in [("hard", &quota.hard), ("used", &quota.used)] {
            for &found in amounts.values().filter(|&&amount| amount > MAX_COUNT) {
                add(InputProblem::OutOfRange { name: name.clone(), what, found, least: 0, most: MAX_COUNT });
            }
        }
        for &demand in quota.demands.iter().flatten() {
            match problem.demands.get(demand) {
                None => add(InputProblem::QuotaUnknown { name: name.clone(), demand }),
                Some(d) if d.namespace != quota.namespace => {
                    add(InputProblem::QuotaElsewhere { name: name.clone(), demand: d.full_name() });
                }
                Some(_) => {}
            }
        }
    }
}
