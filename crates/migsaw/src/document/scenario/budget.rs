//! Disruption budgets: which demands they are for, and how many pods may be down.

use std::collections::BTreeSet;

use super::form::BudgetForm;
use crate::budget::Budget;
use crate::document::diagnostic::{Diagnostic, Diagnostics};
use crate::document::name;
use crate::document::names::Names;
use crate::document::path::Path;
use crate::problem::Problem;

/// The budget a form describes, if it names demands that there are.
pub(super) fn convert(form: &BudgetForm, problem: &Problem, path: &Path, found: &mut Diagnostics) -> Option<Budget> {
    name::check(&form.name, "disruption budget", &path.key("name"), found);
    if let Some(namespace) = &form.namespace {
        name::check(namespace, "namespace", &path.key("namespace"), found);
    }
    let names = Names::of(problem);
    let mut demands = BTreeSet::new();
    let mut is_right = true;
    for (index, name) in form.demands.iter().enumerate() {
        match names.demand(problem, name, form.namespace.as_deref()) {
            Ok(demand) => drop(demands.insert(demand)),
            Err((code, message)) => {
                found.push(Diagnostic::new(code, path.key("demands").index(index), message));
                is_right = false;
            }
        }
    }
    let budget = Budget { name: form.name.clone(), namespace: form.namespace.clone(), demands, allowed: form.allowed };
    is_right.then_some(budget)
}

/// What takes the place of a budget that is wrong.
pub(super) fn stand_in(name: Option<String>, namespace: Option<String>) -> Budget {
    Budget { name: name.unwrap_or_default(), namespace, demands: BTreeSet::new(), allowed: 0 }
}

/// The forms of a problem's budgets.
pub(super) fn forms(problem: &Problem) -> Vec<BudgetForm> {
    // A budget without a namespace may be for demands of several, which only their whole names tell apart.
    let form = |budget: &Budget| {
        let demands = || budget.demands.iter().map(|&demand| &problem.demands[demand]);
        let is_common = demands().all(|demand| demand.namespace == budget.namespace);
        BudgetForm {
            name: budget.name.clone(),
            namespace: budget.namespace.clone(),
            demands: demands().map(|demand| if is_common { demand.name.clone() } else { demand.full_name() }).collect(),
            allowed: budget.allowed,
        }
    };
    problem.budgets.iter().map(form).collect()
}
