//! Disruption budgets.

use super::{HEAD, check, read};

/// A scenario with demands in two namespaces and one without, and budgets in flow form, from line 10 on.
fn with_budgets(budgets: &str) -> String {
    let fleet = "fleet:\n- {pool: a, model: A30, nodes: 2, gpusPerNode: 2}\n";
    let demand = "demand:\n- {name: x, namespace: n, profile: 1g.6gb, count: 2}\n\
                  - {name: x, namespace: m, profile: 1g.6gb, count: 2}\n- {name: w, wholeGpus: 1, count: 1}\n";
    format!("{HEAD}{fleet}{demand}disruptionBudgets:\n- {budgets}\n")
}

#[test]
fn budgets_that_make_no_sense() {
    for (name, budgets, expected) in [
        (
            "no such demand",
            "{name: b, demands: [y], allowed: 1}",
            &["10 unknown-demand disruptionBudgets[0].demands[0]"][..],
        ),
        (
            "a demand of another namespace",
            "{name: b, namespace: n, demands: [x, w], allowed: 1}",
            &["10 unknown-demand disruptionBudgets[0].demands[1]"],
        ),
        (
            "which of the two",
            "{name: b, demands: [x], allowed: 1}",
            &["10 ambiguous-demand disruptionBudgets[0].demands[0]"],
        ),
        ("no demand", "{name: b, demands: [], allowed: 1}", &["10 empty-list disruptionBudgets[0].demands"]),
        ("less than none", "{name: b, demands: [w], allowed: -1}", &["10 out-of-range disruptionBudgets[0].allowed"]),
        (
            "a part of the pods",
            "{name: b, demands: [w], allowed: 10%}",
            &["10 wrong-type disruptionBudgets[0].allowed"],
        ),
        ("how many", "{name: b, demands: [w]}", &["10 missing-field disruptionBudgets[0]"]),
        ("no name", "{name: '', demands: [w], allowed: 1}", &["10 empty-name disruptionBudgets[0].name"]),
        (
            "a name twice",
            "{name: b, demands: [w], allowed: 1}\n- {name: b, demands: [n/x], allowed: 1}",
            &["11 duplicate-budget disruptionBudgets[1].name"],
        ),
        (
            "several at once",
            "{name: b, demands: [y], allowed: -1}",
            &["10 unknown-demand disruptionBudgets[0].demands[0]", "10 out-of-range disruptionBudgets[0].allowed"],
        ),
    ] {
        check(name, &with_budgets(budgets), expected);
    }
}

#[test]
fn budgets_say_which_demands_they_are_for() {
    let text =
        with_budgets("{name: b, namespace: m, demands: [x], allowed: 3}\n- {name: c, demands: [w, n/x], allowed: 0}");
    let problem = read(&text).expect("a right scenario");
    let budgets = &problem.budgets;
    assert_eq!((budgets[0].full_name().as_str(), budgets[0].allowed), ("m/b", 3));
    assert_eq!(budgets[0].demands, [1].into());
    assert_eq!(budgets[1].demands, [0, 2].into());
    let again = crate::document::scenario::ScenarioDocument::new(&problem);
    assert_eq!(again.disruption_budgets[1].demands, ["n/x", "w"]);
    assert_eq!(read(&again.to_text()), Ok(problem));
}
