//! Problems that once got a wrong plan, none, or a wrong reason.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use migsaw::document::scenario;
use migsaw::geometry::Catalog;
use migsaw::plan::{Budget, Moving, Options, Plan, Prefer, Status, UnservedCode};
use migsaw::problem::Problem;
use migsaw_tests::solve::{solve, solve_with, values};

fn problem(fleet: &str, demand: &str) -> Problem {
    let text = format!("apiVersion: migsaw.io/v1alpha1\nkind: Scenario\nfleet:\n{fleet}\ndemand:\n{demand}\n");
    scenario::parse(&text, &Catalog::builtin()).unwrap()
}

fn codes(plan: &Plan) -> Vec<UnservedCode> {
    plan.unserved.iter().map(|unserved| unserved.code).collect()
}

/// Units served by demand, and whether every tier is proven.
fn check(fleet: &str, demand: &str, served: &[u64], status: Status) -> Plan {
    let problem = problem(fleet, demand);
    let plan = solve(&problem);
    assert_eq!(plan.served(problem.demands.len()), served, "{:?}", plan.tiers);
    assert_eq!(plan.status, status, "{:?}", plan.tiers);
    plan
}

#[test]
fn whole_gpus_keep_to_their_most_per_node() {
    let fleet = "- {pool: p, model: H100-80GB, nodes: 2, gpusPerNode: 2, pinned: [{nodes: [p-0], gpus: [taken]}]}";
    let plan = check(fleet, "- {name: a, wholeGpus: 1, count: 3, maxPerNode: 1}", &[2], Status::Optimal);
    assert_eq!(codes(&plan), [UnservedCode::MaxPerNode]);
    check(
        "- {pool: p, model: H100-80GB, nodes: 300, gpusPerNode: 8}",
        "- {name: a, wholeGpus: 1, count: 300, maxPerNode: 1}",
        &[300],
        Status::Optimal,
    );
}

#[test]
fn a_limit_per_node_is_kept_in_mind_when_it_is_decided_what_stays() {
    // All instances that are needed are on the first node, where no second unit may be.
    let fleet = "- {pool: p, model: A30, nodes: 2, gpusPerNode: 2}";
    let state = |pods: &str| {
        format!(
            "- {{name: web, profile: 1g.6gb, instances: 2, count: 3, maxPerNode: 1}}\nstate:\n\
             - {{node: p-0, gpus: [1g.6gb=4, 1g.6gb=4]{pods}}}\n- {{node: p-1, gpus: [1g.6gb=4, 1g.6gb=4]}}"
        )
    };
    for pods in ["", ", pods: [{demand: web, count: 1}]"] {
        let plan = check(fleet, &state(pods), &[2], Status::Optimal);
        assert_eq!(codes(&plan), [UnservedCode::MaxPerNode], "{pods}");
    }
    // What is cut anew for whole GPUs takes nodes from those who may be on each node once: one more is needed.
    let nodes: Vec<String> = (0..40)
        .map(|node| format!("- {{node: p-{node}, gpus: [1g.10gb=7, 3g.40gb=2, 1g.10gb=7, 1g.10gb=7]}}\n"))
        .collect();
    let demand = format!(
        "- {{name: web, profile: 1g.10gb, count: 60, maxPerNode: 1}}\n- {{name: big, profile: 7g.80gb, count: 10}}\n\
         state:\n{}",
        nodes.concat()
    );
    let problem = problem("- {pool: p, model: H100-80GB, nodes: 40, gpusPerNode: 4}", &demand);
    let plan = solve(&problem);
    assert_eq!(plan.served(2), [40, 10]);
    assert_eq!((plan.tiers[0].value, plan.tiers[0].bound), (50, 50));
}

#[test]
fn units_of_several_sizes_share_gpus_on_single_strategy_nodes() {
    let plan = check(
        "- {pool: p, model: A30, nodes: 1, gpusPerNode: 2, strategy: single}",
        "- {name: a, profile: 1g.6gb, instances: 3, sameGpu: true, count: 2, priority: 1}\n\
         - {name: b, profile: 1g.6gb, instances: 2, sameGpu: true, count: 1}",
        &[2, 0],
        Status::Optimal,
    );
    assert_eq!(codes(&plan), [UnservedCode::Capacity]);
    check(
        "- {pool: p, model: H100-80GB, nodes: 1, gpusPerNode: 2, strategy: single}",
        "- {name: a, profile: 1g.10gb, instances: 4, sameGpu: true, count: 2}\n\
         - {name: b, profile: 1g.10gb, instances: 3, sameGpu: true, count: 2}",
        &[2, 2],
        Status::Optimal,
    );
}

#[test]
fn large_counts_that_are_not_round_are_solved() {
    let problem = problem(
        "- {pool: p, model: H100-80GB, nodes: 10000, gpusPerNode: 8}\n\
         - {pool: q, model: A100-80GB, nodes: 10000, gpusPerNode: 8}",
        "- {name: a, profile: 1g.10gb, count: 200001}\n\
         - {name: b, profile: 3g.40gb, count: 50003}\n\
         - {name: c, atLeast: {memory: 16Gi}, count: 40007}",
    );
    let plan = solve(&problem);
    assert_eq!(plan.served(3), [200_001, 50_003, 40_007]);
    let gpus: Vec<i64> = values(&plan).into_iter().take(2).map(|(_, value)| value).collect();
    assert_eq!(gpus, [290_011, 60_004]);
    assert!(plan.tiers[..2].iter().all(|tier| tier.value == tier.bound), "{:?}", plan.tiers);
}

#[test]
fn what_a_rule_spreads_gets_idle_nodes() {
    // 190 nodes are left for `d` beside the whole GPUs, which the relaxation over totals does not see.
    let problem = problem(
        "- {pool: p, model: H100-80GB, nodes: 200, gpusPerNode: 8}",
        "- {name: d, profile: 1g.10gb, count: 200, maxPerNode: 1}\n\
         - {name: w, wholeGpus: 8, count: 10}",
    );
    let plan = solve(&problem);
    let served: u64 = plan.served(2).iter().sum();
    assert_eq!(served, 200, "{:?}", plan.tiers);
}

#[test]
fn a_unit_larger_than_a_node_is_said_to_be() {
    let plan = check(
        "- {pool: p, model: H100-80GB, nodes: 2, gpusPerNode: 2}",
        "- {name: big, profiles: {7g.80gb: 2, 1g.10gb: 1}, count: 1}",
        &[0],
        Status::Infeasible,
    );
    assert_eq!(codes(&plan), [UnservedCode::TooLargeForNode]);
    let plan = check(
        "- {pool: p, model: A30, nodes: 2, gpusPerNode: 2, strategy: single}",
        "- {name: both, profiles: {1g.6gb: 1, 2g.12gb: 1}, count: 1}",
        &[0],
        Status::Infeasible,
    );
    assert_eq!(codes(&plan), [UnservedCode::WrongStrategy]);
}

#[test]
fn free_gpus_need_no_configuration() {
    let plan = check(
        "- {pool: p, model: A30, nodes: 1, gpusPerNode: 1, costPerGpu: 0}",
        "- {name: d, profile: 1g.6gb, count: 1, nodeSelector: {tier: a}}",
        &[0],
        Status::Infeasible,
    );
    assert_eq!(plan.tiers[2].bound, 0, "{:?}", plan.tiers);
}

struct Spent;

impl Budget for Spent {
    fn remaining(&self) -> Duration {
        Duration::ZERO
    }
}

#[test]
fn without_time_nothing_is_said_to_be_full() {
    let problem = problem(
        "- {pool: p, model: H100-80GB, nodes: 10, gpusPerNode: 8}",
        "- {name: a, profile: 1g.10gb, count: 5}\n- {name: b, profile: 3g.40gb, count: 5}",
    );
    let plan = solve_with(&problem, &Options { budget: &Spent, ..Options::default() });
    assert_eq!(plan.status, Status::Unknown);
    assert_eq!(codes(&plan), [UnservedCode::NotDecided, UnservedCode::NotDecided]);
}

#[test]
fn a_search_that_ends_early_leaves_no_priority_out() {
    // With rules within a node, so many nodes are more than can be looked at one by one.
    let models = ["H100-80GB", "A100-80GB", "A100-40GB"];
    let fleet =
        models.map(|model| format!("- {{pool: {model}, model: {model}, nodes: 10, gpusPerNode: 4}}\n")).concat();
    let profiles = ["1g.10gb", "1g.20gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb", "1g.5gb", "2g.10gb", "3g.20gb"];
    let demand = |i: usize| {
        let (profile, priority, most) = (profiles[i % profiles.len()], i % 4, 1 + i % 3);
        format!("- {{name: d{i}, profile: {profile}, count: 9, priority: {priority}, maxPerNode: {most}}}\n")
    };
    let problem = problem(&fleet, &(0..24).map(demand).collect::<String>());
    let budget = Asked(std::cell::Cell::new(30));
    let plan = solve_with(&problem, &Options { budget: &budget, ..Options::default() });
    let served: Vec<i64> = plan.tiers.iter().take(4).map(|tier| tier.value).collect();
    assert_eq!(served[..3], [54, 54, 54], "{:?}", plan.tiers);
    assert!(served[3] > 45, "{:?}", plan.tiers);
}

#[test]
fn prices_beyond_what_can_be_added_up_are_refused() {
    let text = "apiVersion: migsaw.io/v1alpha1\nkind: Scenario\ndemand: []\nfleet:\n\
                - {pool: p, model: A30, nodes: 2000000, gpusPerNode: 64, costPerGpu: 1000000000}\n";
    let found = scenario::parse(text, &Catalog::builtin()).unwrap_err();
    let codes: Vec<&str> = found.iter().map(|diagnostic| diagnostic.code).collect();
    assert_eq!(codes, ["cost-too-large"]);
}

#[test]
fn a_pod_on_two_gpus_stays_on_both() {
    let state = "- {name: a, wholeGpus: 2, count: 2}\nstate:\n\
        - {node: p-0, recut: gpu, pods: [{demand: a, on: [{gpu: 0}, {gpu: 1}]}]}\n\
        - {node: p-1, recut: instance, gpus: [7g.80gb=1]}";
    let problem = problem("- {pool: p, model: H100-80GB, nodes: 2, gpusPerNode: 2}", state);
    for most in [None, Some(0)] {
        let moving = Moving { prefer: Prefer::LowCost, max_evictions: most, ..Moving::default() };
        let plan = solve_with(&problem, &Options { moving, ..Options::default() });
        assert_eq!(plan.served(1), [2], "{:?}", plan.tiers);
        assert!(plan.nodes.iter().all(|group| group.evicts.is_empty()), "{:?}", plan.tiers);
    }
}

/// A budget that is spent once it was asked so often.
struct Asked(std::cell::Cell<u32>);

impl Budget for Asked {
    fn remaining(&self) -> Duration {
        let left = self.0.get();
        self.0.set(left.saturating_sub(1));
        if left > 0 { Duration::MAX } else { Duration::ZERO }
    }
}

#[test]
fn what_runs_is_not_evicted_for_a_plan_that_was_not_finished() {
    let text = include_str!("../../examples/running.yaml");
    let problem = scenario::parse(text, &Catalog::builtin()).unwrap();
    let moving = Moving { prefer: Prefer::LowCost, max_evictions: None, ..Moving::default() };
    let mut served = Vec::new();
    for asked in 0..120 {
        let budget = Asked(std::cell::Cell::new(asked));
        let plan = solve_with(&problem, &Options { moving, budget: &budget, ..Options::default() });
        served.push(plan.served(problem.demands.len()).iter().sum::<u64>());
    }
    assert!(served.iter().all(|&units| units >= 11), "{served:?}");
    assert_eq!((served.first(), served.last()), (Some(&11), Some(&18)), "{served:?}");
}
