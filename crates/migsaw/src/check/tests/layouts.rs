//! Nodes, their layouts, and what of them stays.

use super::*;

#[test]
fn nodes_are_covered_once() {
    let problem = problem(pool(4, 1), vec![]);
    let off = [GpuTarget::MigOff];
    let check = |groups: Vec<PlannedNodes>, expected: &[&str]| breaks(&problem, &plan(&problem, groups), expected);
    check(vec![nodes(0..4, &off, &[])], &[]);
    check(vec![nodes(2..4, &off, &[]), nodes(0..2, &off, &[])], &[]);
    check(vec![nodes(0..3, &off, &[])], &["node-missing"]);
    check(vec![nodes(1..2, &off, &[]), nodes(3..4, &off, &[])], &["node-missing", "node-missing"]);
    check(vec![], &["node-missing"]);
    check(vec![nodes(0..3, &off, &[]), nodes(2..4, &off, &[])], &["node-twice"]);
    check(vec![nodes(0..4, &off, &[]), nodes(4..5, &off, &[])], &["node-range"]);
    check(vec![nodes(0..4, &off, &[]), nodes(2..2, &off, &[])], &["node-range"]);
    check(
        vec![
            nodes(0..4, &off, &[]),
            PlannedNodes { nodes: std::ops::Range { start: 9, end: 0 }, ..nodes(0..1, &off, &[]) },
        ],
        &["node-range"],
    );
    check(vec![nodes(0..4, &[], &[])], &["gpu-count"]);
    check(vec![nodes(0..4, &[GpuTarget::MigOff, GpuTarget::MigOff], &[])], &["gpu-count"]);
    let elsewhere = PlannedNodes { pool: 7, ..nodes(0..1, &off, &[]) };
    check(vec![nodes(0..4, &off, &[]), elsewhere], &["plan-unknown-pool"]);
}

#[test]
fn layouts_are_legal() {
    let check = |target: &GpuTarget, expected: &[&str]| one_gpu(&[], target, &[], expected);
    check(&cut("4g.40gb@0,3g.40gb@4"), &[]);
    check(&cut("1g.10gb@0,1g.10gb@1,2g.20gb@2,3g.40gb@4"), &[]);
    check(&GpuTarget::Mig(Layout::empty()), &["empty-layout"]);
    check(&forced(&a100(), &[("3g.40gb", 2)]), &["illegal-start"]);
    check(&forced(&a100(), &[("3g.40gb", 0), ("1g.10gb", 3)]), &["overlap"]);
    check(&forced(&a100(), &[("1g.10gb", 3), ("1g.10gb", 3)]), &["overlap"]);
    check(&forced(&a100(), &[("1g.10gb+me", 0), ("1g.10gb+me", 1)]), &["too-many-instances"]);
    let eight: Vec<(&str, u8)> = (0..8).map(|start| ("1g.10gb", start)).collect();
    check(&forced(&a100(), &eight), &["illegal-start", "too-many-instances"]);
    check(&forced(&a100(), &[("9g.10gb", 0)]), &["plan-unknown-profile"]);

    let rtx = model("RTX-PRO-6000");
    let problem = problem(Pool::new("r", rtx.clone(), 1, 1), vec![]);
    let with = |instances: &[(&str, u8)]| plan(&problem, vec![nodes(0..1, &[forced(&rtx, instances)], &[])]);
    breaks(&problem, &with(&[("1g.24gb+me.all", 0), ("1g.24gb-me", 3)]), &[]);
    let engines = ["engines-exceeded"; 3];
    breaks(&problem, &with(&[("1g.24gb+me.all", 0), ("1g.24gb", 3)]), &engines);
    breaks(&problem, &with(&[("1g.24gb+me.all", 0), ("1g.24gb+me", 3)]), &["engines-exceeded"; 4]);
}

#[test]
fn what_is_there_stays() {
    let mut state = pool(3, 2);
    let pinned = Layout::parse(&a100(), "1g.10gb@6").unwrap();
    let group = |name: &str, states: Vec<GpuState>| NodeGroup {
        names: NodeNames::Listed(vec![name.into()]),
        pinned: states,
        present: None,
    };
    state.nodes = vec![
        group("idle", vec![]),
        group("pinned", vec![GpuState::Pinned(pinned)]),
        group("taken", vec![GpuState::Idle, GpuState::Taken]),
    ];
    let problem = problem(state, vec![]);
    let both = |first: &GpuTarget, second: &GpuTarget| [first.clone(), second.clone()];
    let off = GpuTarget::MigOff;
    let check = |groups: &[[GpuTarget; 2]; 3], expected: &[&str]| {
        let groups = (0u32..).zip(groups).map(|(i, gpus)| nodes(i..i + 1, gpus, &[])).collect();
        breaks(&problem, &plan(&problem, groups), expected);
    };
    let kept = both(&cut("4g.40gb@0,1g.10gb@6"), &off);
    let idle = both(&off, &off);
    check(&[idle.clone(), kept.clone(), idle.clone()], &[]);
    check(&[idle.clone(), both(&cut("1g.10gb@5"), &off), idle.clone()], &["pinned-lost"]);
    check(&[idle.clone(), idle.clone(), idle.clone()], &["pinned-lost"]);
    check(&[idle.clone(), kept.clone(), both(&cut("1g.10gb@0"), &off)], &[]);
    check(&[idle, kept, both(&off, &cut("1g.10gb@0"))], &["taken-cut"]);
    // One group of planned nodes over three groups of today's.
    let alike = nodes(0..3, &both(&cut("1g.10gb@6"), &cut("1g.10gb@0")), &[]);
    breaks(&problem, &plan(&problem, vec![alike]), &["taken-cut"]);
}

#[test]
fn single_nodes_carry_one_profile() {
    let mut single = pool(1, 2);
    single.strategy = Strategy::Single;
    let mut pinned = single.clone();
    pinned.nodes[0].pinned = vec![GpuState::Pinned(Layout::parse(&a100(), "1g.10gb@6").unwrap())];
    let whole_demand = Demand::new("whole", Request::WholeGpus { gpus: 1 }, 1);
    let check = |pool: &Pool, gpus: [GpuTarget; 2], serves: &[Serving], expected: &[&str]| {
        let problem = problem(pool.clone(), vec![whole_demand.clone()]);
        breaks(&problem, &plan(&problem, vec![nodes(0..1, &gpus, serves)]), expected);
    };
    let off = GpuTarget::MigOff;
    check(&single, [off.clone(), off.clone()], &[], &[]);
    check(&single, [off.clone(), off.clone()], &[serving(0, 1, &[whole(1)])], &[]);
    check(&single, [cut("3g.40gb@0"), cut("3g.40gb@0,3g.40gb@4")], &[], &[]);
    check(&single, [cut("3g.40gb@0"), off.clone()], &[], &["single-partly-cut"]);
    check(&single, [cut("3g.40gb@0"), off.clone()], &[serving(0, 1, &[whole(1)])], &["single-partly-cut"]);
    check(&single, [cut("3g.40gb@0"), cut("4g.40gb@0")], &[], &["single-two-profiles"]);
    check(&single, [cut("3g.40gb@4,4g.40gb@0"), cut("4g.40gb@0")], &[], &["single-two-profiles"]);
    // What is pinned breaks the rule, but the plan has not touched the node.
    check(&pinned, [cut("1g.10gb@6"), off.clone()], &[], &[]);
    check(&pinned, [cut("1g.10gb@5,1g.10gb@6"), off], &[], &["single-partly-cut"]);
    check(&pinned, [cut("1g.10gb@6"), cut("1g.10gb@0")], &[], &[]);
}
