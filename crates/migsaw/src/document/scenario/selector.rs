//! Node selectors, affinity and tolerations, and whether they can hold at all.

use std::collections::{BTreeMap, BTreeSet};

use super::form::{DemandForm, TolerationForm, TolerationOperatorForm};
use crate::demand::{LabelRequirement, NodeSelector, Operator, Toleration};
use crate::document::code;
use crate::document::diagnostic::{Diagnostic, Diagnostics};
use crate::document::path::Path;

/// `nodeSelector` and `nodeAffinity` as one: each term of the affinity with all of the selector.
pub(super) fn node_selector(form: &DemandForm, path: &Path, found: &mut Diagnostics) -> NodeSelector {
    let selector = NodeSelector::of_labels(form.node_selector.clone());
    let common = selector.terms.first().cloned().unwrap_or_default();
    let mut terms = Vec::new();
    for (i, term) in form.node_affinity.iter().enumerate() {
        let path = path.key("nodeAffinity").index(i);
        let mut requirements = common.clone();
        for (j, requirement) in term.match_expressions.iter().enumerate() {
            let requirement = LabelRequirement {
                key: requirement.key.clone(),
                operator: requirement.operator.into(),
                values: requirement.values.clone(),
            };
            if let Err(message) = values_fit(&requirement) {
                found.push(Diagnostic::new(code::SELECTOR_VALUES, path.key("matchExpressions").index(j), message));
            } else {
                requirements.push(requirement);
            }
        }
        for contradiction in contradictions(&requirements) {
            found.push(Diagnostic::new(code::CONTRADICTORY_SELECTOR, path.clone(), contradiction));
        }
        terms.push(requirements);
    }
    if terms.is_empty() { selector } else { NodeSelector { terms } }
}

/// Whether an operator has as many values as it needs.
fn values_fit(requirement: &LabelRequirement) -> Result<(), String> {
    let LabelRequirement { key, operator, values } = requirement;
    match operator {
        Operator::In | Operator::NotIn if values.is_empty() => {
            Err(format!("{operator:?} on label `{key}` needs at least one value"))
        }
        Operator::Exists | Operator::DoesNotExist if !values.is_empty() => {
            Err(format!("{operator:?} on label `{key}` takes no values"))
        }
        Operator::Gt | Operator::Lt if values.len() != 1 || values[0].parse::<i64>().is_err() => {
            Err(format!("{operator:?} on label `{key}` needs one whole number in quotes, like [\"4\"]"))
        }
        _ => Ok(()),
    }
}

/// What requirements that must hold together say about one label.
#[derive(Default)]
struct Condition<'a> {
    present: bool,
    absent: bool,
    /// Values left by every `In`; `None` for any.
    allowed: Option<BTreeSet<&'a str>>,
    excluded: BTreeSet<&'a str>,
    above: Option<i64>,
    below: Option<i64>,
}

/// Labels on which the requirements cannot hold together, each with why.
fn contradictions(requirements: &[LabelRequirement]) -> Vec<String> {
    let mut conditions: BTreeMap<&str, Condition> = BTreeMap::new();
    for requirement in requirements {
        conditions.entry(&requirement.key).or_default().add(requirement);
    }
    conditions.iter().filter_map(|(key, condition)| condition.contradiction(key)).collect()
}

impl<'a> Condition<'a> {
    fn add(&mut self, requirement: &'a LabelRequirement) {
        let values = || requirement.values.iter().map(String::as_str);
        let bound = requirement.values.first().and_then(|value| value.parse::<i64>().ok());
        match requirement.operator {
            Operator::DoesNotExist => self.absent = true,
            Operator::NotIn => self.excluded.extend(values()),
            Operator::Exists => self.present = true,
            Operator::In => {
                self.present = true;
                let values: BTreeSet<&str> = values().collect();
                self.allowed = Some(match &self.allowed {
                    Some(allowed) => allowed & &values,
                    None => values,
                });
            }
            Operator::Gt => {
                self.present = true;
                self.above = self.above.max(bound);
            }
            Operator::Lt => {
                self.present = true;
                self.below = [self.below, bound].into_iter().flatten().min();
            }
        }
    }

    fn contradiction(&self, key: &str) -> Option<String> {
        if self.present && self.absent {
            return Some(format!("label `{key}` must be there and must be missing"));
        }
        let inside = |value: &str| {
            let number = value.parse::<i64>().ok();
            self.above.is_none_or(|bound| number.is_some_and(|n| n > bound))
                && self.below.is_none_or(|bound| number.is_some_and(|n| n < bound))
        };
        if let Some(allowed) = &self.allowed
            && !allowed.iter().any(|value| !self.excluded.contains(value) && inside(value))
        {
            return Some(format!("no value of label `{key}` meets all conditions"));
        }
        let (above, below) = self.above.zip(self.below)?;
        let gap = below.checked_sub(1).is_none_or(|most| above >= most);
        gap.then(|| format!("no number is above {above} and below {below}, as label `{key}` must be"))
    }
}

/// The tolerations, refused where Kubernetes refuses them.
pub(super) fn tolerations(form: &DemandForm, path: &Path, found: &mut Diagnostics) -> Vec<Toleration> {
    let path = path.key("tolerations");
    let mut tolerations = Vec::new();
    for (i, toleration) in form.tolerations.iter().enumerate() {
        match convert(toleration) {
            Ok(toleration) => tolerations.push(toleration),
            Err(message) => found.push(Diagnostic::new(code::INVALID_TOLERATION, path.index(i), message)),
        }
    }
    tolerations
}

fn convert(form: &TolerationForm) -> Result<Toleration, &'static str> {
    let key = form.key.clone().filter(|key| !key.is_empty());
    let effect = form.effect.map(Into::into);
    match form.operator {
        TolerationOperatorForm::Exists if form.value.as_ref().is_some_and(|value| !value.is_empty()) => {
            Err("a toleration with operator Exists takes no value")
        }
        TolerationOperatorForm::Exists => Ok(Toleration { key, value: None, effect }),
        TolerationOperatorForm::Equal if key.is_none() => {
            Err("a toleration without a key needs `operator: Exists`, which tolerates every taint")
        }
        TolerationOperatorForm::Equal => {
            Ok(Toleration { key, value: Some(form.value.clone().unwrap_or_default()), effect })
        }
    }
}
