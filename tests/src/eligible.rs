//! Where a demand may go.

use migsaw::demand::{Demand, LabelRequirement, Operator};
use migsaw::fleet::{Effect, Pool};

/// Whether the demand may use the pool's nodes.
pub(crate) fn is_eligible(demand: &Demand, pool: &Pool) -> bool {
    let e = &demand.eligible;
    let listed = e.pools.as_ref().is_none_or(|names| names.contains(&pool.name));
    let strategy = e.strategy.is_none_or(|strategy| strategy == pool.strategy);
    let selected =
        e.selector.terms.is_empty() || e.selector.terms.iter().any(|term| term.iter().all(|r| fits(r, pool)));
    let tolerated = pool.taints.iter().filter(|taint| taint.effect != Effect::PreferNoSchedule).all(|taint| {
        e.tolerations.iter().any(|t| {
            t.key.as_deref().unwrap_or(&taint.key) == taint.key
                && t.value.as_deref().unwrap_or(&taint.value) == taint.value
                && t.effect.unwrap_or(taint.effect) == taint.effect
        })
    });
    listed && strategy && selected && tolerated
}

fn fits(r: &LabelRequirement, pool: &Pool) -> bool {
    let value = pool.labels.get(&r.key);
    let one_of = value.is_some_and(|value| r.values.contains(value));
    let numbers = || {
        let label: i64 = value?.parse().ok()?;
        let limit: i64 = r.values.first()?.parse().ok()?;
        Some((label, limit))
    };
    match r.operator {
        Operator::In => one_of,
        Operator::NotIn => !one_of,
        Operator::Exists => value.is_some(),
        Operator::DoesNotExist => value.is_none(),
        Operator::Gt => numbers().is_some_and(|(label, limit)| label > limit),
        Operator::Lt => numbers().is_some_and(|(label, limit)| label < limit),
    }
}
