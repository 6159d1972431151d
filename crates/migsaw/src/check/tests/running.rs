//! What runs today.

use super::*;

/// One GPU cut into halves, on each of which a unit runs, the first of demand 0 and the second of demand 1; both are
/// to be served once, in other halves if need be.
fn two_run() -> Problem {
    let half = |start| a100().profile(&name("3g.40gb")).map(|profile| Placement { start, profile }).unwrap();
    let unit = |demand, start| Running {
        name: Some(format!("pod-{demand}")),
        demand,
        holds: vec![Held { gpu: 0, instance: Some(half(start)) }],
        stays: false,
    };
    let present = Present {
        gpus: vec![Some(Layout::new(&a100(), [half(0), half(4)]).unwrap())],
        running: vec![unit(0, 0), unit(1, 4)],
        ..Present::default()
    };
    let mut pool = pool(1, 1);
    pool.nodes[0].present = Some(present);
    problem(pool, vec![Demand::of_profile("y", name("3g.40gb"), 1), Demand::of_profile("x", name("3g.40gb"), 1)])
}

#[test]
fn a_budget_that_allows_none_keeps_its_units() {
    let budget = |text: &str, demands: &[usize], allowed| Budget {
        name: text.to_owned(),
        namespace: None,
        demands: demands.iter().copied().collect(),
        allowed,
    };
    for (text, budgets, evicts, expected) in [
        ("no budget", vec![], vec![0, 1], &[][..]),
        ("one at a time", vec![budget("b", &[0, 1], 1)], vec![0, 1], &[]),
        ("none of the other", vec![budget("b", &[1], 0)], vec![0], &[]),
        ("none", vec![budget("b", &[0], 0)], vec![0, 1], &["evicts-budgeted"]),
        ("none of both", vec![budget("b", &[0, 1], 0)], vec![0, 1], &["evicts-budgeted", "evicts-budgeted"]),
        ("the stricter of two", vec![budget("b", &[0], 5), budget("c", &[0], 0)], vec![0], &["evicts-budgeted"]),
    ] {
        let mut problem = two_run();
        problem.budgets = budgets;
        assert_eq!(problem.validate(), [], "{text}");
        let gpus = problem.fleet.pools[0].nodes[0].present.clone().unwrap().gpus;
        let gpus: Vec<GpuTarget> = gpus.into_iter().flatten().map(GpuTarget::Mig).collect();
        let serves = [serving(0, 1, &[share(0, "3g.40gb", 1)]), serving(1, 1, &[share(0, "3g.40gb", 1)])];
        let nodes = PlannedNodes { evicts, ..nodes(0..1, &gpus, &serves) };
        breaks(&problem, &plan(&problem, vec![nodes]), expected);
    }
}

#[test]
fn the_planner_evicts_nobody_whom_a_budget_keeps() {
    let mut problem = two_run();
    problem.demands.push(Demand { priority: 5, ..Demand::of_profile("z", name("7g.80gb"), 1) });
    let evicted = |problem: &Problem| {
        let plan = crate::plan::plan(problem, &crate::plan::Options::default()).unwrap();
        assert_eq!(check(problem, &plan), []);
        plan.nodes.iter().map(|nodes| nodes.evicts.len()).sum::<usize>()
    };
    assert_eq!(evicted(&problem), 2, "a demand of higher priority needs the whole GPU");
    let budget = Budget { name: "b".to_owned(), namespace: None, demands: [1].into(), allowed: 1 };
    problem.budgets.push(budget);
    assert_eq!(evicted(&problem), 2);
    problem.budgets[0].allowed = 0;
    assert_eq!(evicted(&problem), 0);
}
