//! Where a demand may go.

use super::*;

#[test]
fn demands_go_where_they_may() {
    let mut pool = pool(1, 1);
    pool.labels = [("zone".to_owned(), "b".to_owned()), ("cores".to_owned(), "48".to_owned())].into();
    let served = |demand: Demand, taints: &[(Effect, &str)], expected: &[&str]| {
        let mut pool = pool.clone();
        let taint =
            |(effect, value): &(Effect, &str)| Taint { key: "gpu".into(), value: (*value).into(), effect: *effect };
        pool.taints = taints.iter().map(taint).collect();
        let problem = problem(pool, vec![demand]);
        let group = nodes(0..1, &[cut("3g.40gb@0")], &[serving(0, 1, &[share(0, "3g.40gb", 1)])]);
        breaks(&problem, &plan(&problem, vec![group]), expected);
    };
    let demand = || Demand::of_profile("llm", name("3g.40gb"), 1);
    let no = ["ineligible"];

    served(demand(), &[], &[]);
    for (pools, expected) in [(vec!["a"], &[][..]), (vec!["b", "a"], &[]), (vec!["b"], &no), (vec![], &no)] {
        let mut demand = demand();
        demand.eligible.pools = Some(pools.into_iter().map(str::to_owned).collect());
        served(demand, &[], expected);
    }
    for (strategy, expected) in [(Strategy::Mixed, &[][..]), (Strategy::Single, &no)] {
        let mut demand = demand();
        demand.eligible.strategy = Some(strategy);
        served(demand, &[], expected);
    }
    let requirement = |(key, operator, values): &(&str, Operator, &[&str])| LabelRequirement {
        key: (*key).to_owned(),
        operator: *operator,
        values: values.iter().map(|&value| value.to_owned()).collect(),
    };
    for (condition, expected) in [
        (("zone", Operator::In, &["a", "b"][..]), &[][..]),
        (("zone", Operator::In, &["a"]), &no),
        (("host", Operator::In, &["a"]), &no),
        (("zone", Operator::NotIn, &["a"]), &[]),
        (("zone", Operator::NotIn, &["b"]), &no),
        (("host", Operator::NotIn, &["b"]), &[]),
        (("zone", Operator::Exists, &[]), &[]),
        (("host", Operator::Exists, &[]), &no),
        (("host", Operator::DoesNotExist, &[]), &[]),
        (("zone", Operator::DoesNotExist, &[]), &no),
        (("cores", Operator::Gt, &["47"]), &[]),
        (("cores", Operator::Gt, &["48"]), &no),
        (("cores", Operator::Lt, &["49"]), &[]),
        (("zone", Operator::Lt, &["49"]), &no),
        (("cores", Operator::Gt, &[]), &no),
        (("host", Operator::Gt, &["1"]), &no),
    ] {
        let mut demand = demand();
        demand.eligible.selector = NodeSelector { terms: vec![vec![requirement(&condition)]] };
        served(demand, &[], expected);
    }
    let mut either = demand();
    let terms = [("zone", Operator::In, &["a"][..]), ("cores", Operator::Exists, &[])];
    either.eligible.selector = NodeSelector { terms: terms.iter().map(|term| vec![requirement(term)]).collect() };
    served(either.clone(), &[], &[]);
    either.eligible.selector = NodeSelector { terms: vec![terms.iter().map(requirement).collect()] };
    served(either, &[], &no);

    served(demand(), &[(Effect::PreferNoSchedule, "")], &[]);
    served(demand(), &[(Effect::NoSchedule, "")], &no);
    served(demand(), &[(Effect::NoExecute, "")], &no);
    for (key, value, effect, expected) in [
        (None, None, None, &[][..]),
        (Some("gpu"), None, None, &[]),
        (Some("cpu"), None, None, &no),
        (Some("gpu"), Some("x"), Some(Effect::NoSchedule), &[]),
        (Some("gpu"), Some("y"), None, &no),
        (None, None, Some(Effect::NoExecute), &no),
    ] {
        let mut demand = demand();
        let text = |text: Option<&str>| text.map(str::to_owned);
        demand.eligible.tolerations = vec![Toleration { key: text(key), value: text(value), effect }];
        served(demand, &[(Effect::NoSchedule, "x")], expected);
    }
}
