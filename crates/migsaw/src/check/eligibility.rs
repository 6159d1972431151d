//! Whether a demand may use the nodes of a pool, by the rules Kubernetes has for labels and taints.

use std::collections::BTreeMap;

use super::violation::Barrier;
use crate::demand::{Demand, LabelRequirement, Operator, Toleration};
use crate::fleet::{Effect, Pool, Taint};

/// What keeps the demand from the pool's nodes; `None` if nothing does.
pub(super) fn barrier(demand: &Demand, pool: &Pool) -> Option<Barrier> {
    let eligible = &demand.eligible;
    if let Some(names) = &eligible.pools
        && names.iter().all(|name| *name != pool.name)
    {
        return Some(Barrier::Pool { pool: pool.name.clone() });
    }
    if let Some(needed) = eligible.strategy
        && needed != pool.strategy
    {
        return Some(Barrier::Strategy { needed });
    }
    let terms = &eligible.selector.terms;
    if !terms.is_empty() && !terms.iter().any(|term| term.iter().all(|r| holds(r, &pool.labels))) {
        return Some(Barrier::Selector);
    }
    for taint in &pool.taints {
        let soft = taint.effect == Effect::PreferNoSchedule;
        if !soft && !eligible.tolerations.iter().any(|toleration| covers(toleration, taint)) {
            return Some(Barrier::Taint(taint.clone()));
        }
    }
    None
}

fn holds(requirement: &LabelRequirement, labels: &BTreeMap<String, String>) -> bool {
    let LabelRequirement { key, operator, values } = requirement;
    let label = labels.get(key);
    match (operator, label) {
        (Operator::Exists, label) => label.is_some(),
        (Operator::DoesNotExist, label) => label.is_none(),
        (Operator::In, Some(label)) => values.iter().any(|value| value == label),
        (Operator::NotIn, Some(label)) => values.iter().all(|value| value != label),
        (Operator::NotIn, None) => true,
        (Operator::Gt | Operator::Lt, Some(label)) => {
            let (Ok(label), Some(Ok(limit))) = (label.parse::<i64>(), values.first().map(|v| v.parse::<i64>())) else {
                return false;
            };
            if *operator == Operator::Gt { label > limit } else { label < limit }
        }
        (Operator::In | Operator::Gt | Operator::Lt, None) => false,
    }
}

/// A toleration covers a taint if every part it names is the taint's.
fn covers(toleration: &Toleration, taint: &Taint) -> bool {
    let Toleration { key, value, effect } = toleration;
    let key_differs = key.as_ref().is_some_and(|key| *key != taint.key);
    let value_differs = value.as_ref().is_some_and(|value| *value != taint.value);
    let effect_differs = effect.is_some_and(|effect| effect != taint.effect);
    !(key_differs || value_differs || effect_differs)
}
