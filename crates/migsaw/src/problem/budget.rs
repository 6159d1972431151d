//! Disruption budgets make sense.

use std::collections::BTreeSet;

use super::{InputProblem, MAX_COUNT, Problem, Subject};

/// Everything about disruption budgets that makes no sense.
pub(super) fn validate(problem: &Problem, found: &mut Vec<(Subject, InputProblem)>) {
    let mut names = BTreeSet::new();
    for (index, budget) in problem.budgets.iter().enumerate() {
        let mut add = |problem| found.push((Subject::Budget(index), problem));
        let name = budget.full_name();
        if budget.name.is_empty() {
            add(InputProblem::EmptyName { what: "disruption budget" });
        } else if !names.insert((&budget.namespace, &budget.name)) {
            add(InputProblem::DuplicateBudget { name: name.clone() });
        }
        if budget.allowed > MAX_COUNT {
            let (what, found) = ("allowed", budget.allowed);
            add(InputProblem::OutOfRange { name: name.clone(), what, found, least: 0, most: MAX_COUNT });
        }
        for &demand in &budget.demands {
            match problem.demands.get(demand) {
                None => add(InputProblem::BudgetUnknown { name: name.clone(), demand }),
                Some(d) if budget.namespace.is_some() && d.namespace != budget.namespace => {
                    add(InputProblem::BudgetElsewhere { name: name.clone(), demand: d.full_name() });
                }
                Some(_) => {}
            }
        }
    }
}
