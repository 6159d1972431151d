//! What a plan says of its tiers and its status.

use super::*;

/// Two nodes; one serves a 1g.10gb, the other a 3g.40gb at a higher priority, each with a spare.
fn tiered() -> (Problem, Plan) {
    let mut urgent = Demand::of_profile("urgent", name("3g.40gb"), 1);
    urgent.priority = 10;
    let problem = problem(pool(3, 1), vec![Demand::of_profile("llm", name("1g.10gb"), 4), urgent]);
    let tier = |name, value| Tier { name, value, bound: value };
    let groups = vec![
        // Spare: a 1g.10gb (1 compute and 1 memory slice); the 2g.20gb is of no use to anyone.
        nodes(0..1, &[cut("1g.10gb@0,1g.10gb@1,2g.20gb@2")], &[serving(0, 1, &[share(0, "1g.10gb", 1)])]),
        // Spare: a 3g.40gb (3 and 4).
        nodes(1..2, &[cut("3g.40gb@0,3g.40gb@4")], &[serving(1, 1, &[share(0, "3g.40gb", 1)])]),
        nodes(2..3, &[GpuTarget::MigOff], &[]),
    ];
    let mut plan = plan(&problem, groups);
    plan.status = Status::Optimal;
    plan.tiers = vec![
        tier(TierName::Served { priority: 10 }, 1),
        tier(TierName::Served { priority: 0 }, 1),
        tier(TierName::Gpus, 2),
        tier(TierName::Configurations, 2),
        tier(TierName::Leftover, 9),
    ];
    (problem, plan)
}

#[test]
fn tiers_are_what_the_plan_reaches() {
    let (problem, right) = tiered();
    breaks(&problem, &right, &[]);
    for at in 0..right.tiers.len() {
        let mut wrong = right.clone();
        wrong.tiers[at].value += 1;
        wrong.tiers[at].bound += 1;
        breaks(&problem, &wrong, &["tier-value"]);
        // Served and leftover must stay below the bound, the others above it.
        for (step, more_is_better) in [(1, false), (-1, true)] {
            let mut open = right.clone();
            open.status = Status::Feasible;
            open.tiers[at].bound += step;
            let beyond = more_is_better == matches!(at, 0 | 1 | 4);
            breaks(&problem, &open, if beyond { &["tier-bound"] } else { &[] });
        }
    }
    let mut short = right.clone();
    short.tiers.pop();
    breaks(&problem, &short, &["tier-list"]);
    let mut swapped = right.clone();
    swapped.tiers.swap(0, 1);
    breaks(&problem, &swapped, &["tier-list"]);

    let mut priced = problem.clone();
    priced.fleet.pools[0].cost_per_gpu = Some(Cost { micros: 2_500_000 });
    breaks(&priced, &right, &["tier-list"]);
    let mut costly = right.clone();
    costly.tiers[2] = Tier { name: TierName::Cost, value: 5_000_000, bound: 5_000_000 };
    breaks(&priced, &costly, &[]);
}

#[test]
fn configurations_are_told_apart_by_content() {
    let whole_demand = Demand::new("train", Request::WholeGpus { gpus: 1 }, 4);
    let mut problem = problem(pool(4, 2), vec![whole_demand]);
    problem.fleet.pools.push(Pool::new("b", model("A30"), 1, 1));
    let off = GpuTarget::MigOff;
    let groups = vec![
        nodes(0..1, &[cut("1g.10gb@0"), cut("2g.20gb@0")], &[]),
        nodes(1..2, &[cut("1g.10gb@6"), cut("2g.20gb@4")], &[]),
        nodes(2..3, &[cut("2g.20gb@0"), cut("1g.10gb@0")], &[]),
        nodes(3..4, &[off.clone(), off.clone()], &[serving(0, 1, &[whole(0)])]),
        PlannedNodes { pool: 1, ..nodes(0..1, &[off], &[serving(0, 1, &[whole(0)])]) },
    ];
    let mut plan = plan(&problem, groups);
    let tier = |name, value| Tier { name, value, bound: value };
    plan.status = Status::Optimal;
    plan.tiers = vec![
        tier(TierName::Served { priority: 0 }, 2),
        tier(TierName::Gpus, 8),
        tier(TierName::Configurations, 3),
        tier(TierName::Leftover, 0),
    ];
    breaks(&problem, &plan, &[]);
}

#[test]
fn the_status_says_what_the_tiers_say() {
    let (problem, right) = tiered();
    let with = |status, bound| {
        let mut plan = Plan { status, ..right.clone() };
        plan.tiers[1].bound = bound;
        plan
    };
    breaks(&problem, &with(Status::Optimal, 2), &["status"]);
    breaks(&problem, &with(Status::Feasible, 2), &[]);
    breaks(&problem, &with(Status::Feasible, 1), &["status"]);
    breaks(&problem, &with(Status::Infeasible, 1), &["status"]);
    breaks(&problem, &with(Status::Unknown, 1), &["status"]);
    breaks(&problem, &Plan { tiers: vec![], ..right.clone() }, &["status"]);

    let idle = nodes(0..3, &[GpuTarget::MigOff], &[]);
    let mut nothing = plan(&problem, vec![idle]);
    for status in [Status::Infeasible, Status::Unknown, Status::Feasible] {
        nothing.status = status;
        breaks(&problem, &nothing, &[]);
    }
    let asks_nothing = Problem { demands: vec![], ..problem };
    let silent = Plan { unserved: vec![], status: Status::Infeasible, ..nothing };
    breaks(&asks_nothing, &silent, &["status"]);
}
