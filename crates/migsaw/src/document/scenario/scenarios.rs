//! Scenarios: what may be asked for instead, and how much each counts.

use super::form::{CountForm, ScenarioForm};
use crate::document::diagnostic::{Diagnostic, Diagnostics};
use crate::document::names::Names;
use crate::document::path::Path;
use crate::document::{Decimal, code, name};
use crate::problem::Problem;
use crate::robust::{self, Scenario, Weight};
use crate::whatif::Scaling;

/// Stands for all demands.
const ALL: &str = "all";

/// The scenario a form describes, if it names demands that there are.
pub(super) fn convert(
    form: &ScenarioForm,
    problem: &Problem,
    path: &Path,
    found: &mut Diagnostics,
) -> Option<Scenario> {
    name::check(&form.name, "scenario", &path.key("name"), found);
    let weight = form.weight.as_ref().map(|weight| weight.as_str().parse::<Weight>());
    if let Some(Err(error)) = &weight {
        found.push(Diagnostic::new(code::INVALID_WEIGHT, path.key("weight"), error.to_string()));
    }
    let names = Names::of(problem);
    let mut is_right = true;
    let mut counts = Vec::new();
    for (demand, count) in &form.counts {
        let mut wrong = |code, message| {
            found.push(Diagnostic::new(code, path.key("counts").key(demand), message));
            is_right = false;
        };
        let by = match count {
            CountForm::Units(units) => Scaling::Count(*units),
            CountForm::Change(text) => match text.parse() {
                Ok(by) => by,
                Err(error) => {
                    wrong(code::INVALID_SCALING, format!("{error}"));
                    continue;
                }
            },
        };
        match names.demand(problem, demand, None) {
            _ if demand == ALL => counts.insert(0, (None, by)),
            Ok(index) => counts.push((Some(problem.demands[index].full_name()), by)),
            Err((code, message)) => wrong(code, message),
        }
    }
    let weight = weight.transpose().ok()?;
    is_right.then(|| Scenario { name: form.name.clone(), weight, counts })
}

/// What is wrong with the scenarios as a whole, of a problem that is right otherwise.
pub(super) fn check(problem: &Problem, found: &mut Diagnostics) {
    let mut idle = problem.clone();
    idle.forget_running();
    for (index, error) in robust::check(&idle) {
        let path = Path::root().key("scenarios").index(index);
        found.push(Diagnostic::new(error.code(), path, error.to_string()));
    }
}

/// The forms of a problem's scenarios.
pub(super) fn forms(problem: &Problem) -> Vec<ScenarioForm> {
    let count = |(demand, by): &(Option<String>, Scaling)| {
        let count = match by {
            Scaling::Count(units) => CountForm::Units(*units),
            change => CountForm::Change(change.to_string()),
        };
        (demand.clone().unwrap_or_else(|| ALL.to_owned()), count)
    };
    let form = |scenario: &Scenario| ScenarioForm {
        name: scenario.name.clone(),
        weight: scenario.weight.map(|weight| Decimal::of_micros(i64::try_from(weight.micros).unwrap_or(i64::MAX))),
        counts: scenario.counts.iter().map(count).collect(),
    };
    problem.scenarios.iter().map(form).collect()
}
