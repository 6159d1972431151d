//! What serves a demand, and how much of it.

use super::*;

#[test]
fn instances_are_what_is_asked_for() {
    let demand = [Demand::of_profile("llm", name("3g.40gb"), 2)];
    let gpu = cut("3g.40gb@0,3g.40gb@4");
    let check = |serves: &[Serving], expected: &[&str]| one_gpu(&demand, &gpu, serves, expected);
    check(&[serving(0, 2, &[share(0, "3g.40gb", 2)])], &[]);
    check(&[serving(0, 1, &[share(0, "3g.40gb", 1)]), serving(0, 1, &[share(0, "3g.40gb", 1)])], &[]);
    check(&[serving(0, 1, &[share(0, "3g.40gb", 2)])], &["wrong-instances"]);
    check(&[serving(0, 2, &[share(0, "3g.40gb", 1)])], &["wrong-instances"]);
    check(&[serving(0, 2, &[])], &["wrong-instances"]);
    check(&[serving(0, 0, &[])], &[]);
    check(&[serving(0, 1, &[GpuShare { gpu: 1, ..share(0, "3g.40gb", 1) }])], &["plan-unknown-gpu"]);
    check(&[serving(0, 1, &[whole(0)])], &["wrong-kind"]);
    check(&[serving(3, 1, &[share(0, "3g.40gb", 1)])], &["plan-unknown-demand"]);
    let strange = GpuShare { profile: Some(ProfileId(99)), ..share(0, "3g.40gb", 1) };
    check(&[serving(0, 1, &[strange])], &["wrong-kind"]);
    one_gpu(&demand, &cut("4g.40gb@0"), &[serving(0, 1, &[share(0, "4g.40gb", 1)])], &["wrong-kind"]);
    // An older driver's name.
    let legacy = [Demand::of_profile("llm", name("7g.79gb"), 1)];
    one_gpu(&legacy, &cut("7g.80gb@0"), &[serving(0, 1, &[share(0, "7g.80gb", 1)])], &[]);
}

#[test]
fn bundles_are_whole_and_close_enough() {
    let gpus = [cut("3g.40gb@0,1g.10gb@4"), cut("3g.40gb@4,1g.10gb@0,1g.10gb@1,1g.10gb@2")];
    let check = |demand: Demand, units: u32, shares: &[GpuShare], expected: &[&str]| {
        let problem = problem(pool(1, 2), vec![demand]);
        breaks(&problem, &plan(&problem, vec![nodes(0..1, &gpus, &[serving(0, units, shares)])]), expected);
    };
    let spread = [share(0, "3g.40gb", 1), share(0, "1g.10gb", 1), share(1, "1g.10gb", 1)];
    let tight = [share(1, "3g.40gb", 1), share(1, "1g.10gb", 2)];
    let lopsided = [share(0, "3g.40gb", 1), share(1, "3g.40gb", 1), share(1, "1g.10gb", 1)];
    check(bundle(Together::Node, 1), 1, &spread, &[]);
    check(bundle(Together::Node, 1), 1, &tight, &[]);
    check(bundle(Together::Node, 1), 1, &lopsided, &["wrong-instances"]);
    check(bundle(Together::Node, 2), 2, &[&spread[..], &tight].concat(), &[]);
    check(bundle(Together::Node, 2), 2, &[&spread[..], &tight].concat()[..4], &["wrong-instances"]);
    check(bundle(Together::Gpu, 1), 1, &tight, &[]);
    check(bundle(Together::Gpu, 1), 1, &spread, &["not-together"]);
    check(bundle(Together::Gpu, 2), 2, &tight, &["wrong-instances"]);

    check(at_least(1, Together::Node, 9), 4, &[share(0, "3g.40gb", 1), share(1, "1g.10gb", 3)], &[]);
    check(at_least(2, Together::Node, 9), 2, &[share(0, "1g.10gb", 1), share(1, "1g.10gb", 3)], &[]);
    check(at_least(2, Together::Node, 9), 1, &[share(0, "3g.40gb", 1), share(1, "3g.40gb", 1)], &[]);
    check(at_least(2, Together::Node, 9), 1, &[share(0, "3g.40gb", 1), share(1, "1g.10gb", 1)], &["mixed-unit"]);
    check(at_least(2, Together::Node, 9), 2, &[share(1, "1g.10gb", 2)], &["wrong-instances"]);
    check(at_least(2, Together::Gpu, 9), 1, &[share(1, "1g.10gb", 2)], &[]);
    check(at_least(2, Together::Gpu, 9), 1, &[share(0, "1g.10gb", 1), share(1, "1g.10gb", 1)], &["not-together"]);

    let large = Request::AtLeast { memory_mib: 40_000, compute_slices: 3, instances: 1, together: Together::Node };
    check(Demand::new("large", large.clone(), 1), 1, &[share(0, "3g.40gb", 1)], &[]);
    check(Demand::new("large", large, 1), 1, &[share(0, "1g.10gb", 1)], &["wrong-kind"]);
}

#[test]
fn a_name_means_what_each_board_makes_of_it() {
    // On the A100-40GB `1g.10gb` is the slice with double memory.
    let small = model("A100-40GB");
    let mut pool = pool(1, 1);
    pool.gpus.push(GpuGroup { model: small.clone(), count: 1 });
    let instances = [(name("1g.10gb"), 2), (name("1g.5gb"), 1)].into();
    let demand = Demand::new("pair", Request::Profiles { instances, together: Together::Node }, 1);
    let problem = problem(pool, vec![demand]);
    let gpus = [cut("1g.10gb@0"), GpuTarget::Mig(Layout::parse(&small, "1g.10gb@0,1g.5gb@2").unwrap())];
    let on_small = |text| GpuShare { gpu: 1, profile: small.profile(&name(text)), instances: 1 };
    let shares = [share(0, "1g.10gb", 1), on_small("1g.10gb"), on_small("1g.5gb")];
    breaks(&problem, &plan(&problem, vec![nodes(0..1, &gpus, &[serving(0, 1, &shares)])]), &[]);
    let shares = [share(0, "1g.10gb", 1), on_small("1g.10gb"), on_small("2g.10gb")];
    let wrong = plan(&problem, vec![nodes(0..1, &gpus, &[serving(0, 1, &shares)])]);
    breaks(&problem, &wrong, &["wrong-kind", "overcommitted"]);
}

#[test]
fn instances_serve_once_and_pinned_ones_never() {
    let demand = Demand::of_profile("llm", name("1g.10gb"), 9);
    let mut pool = pool(1, 1);
    pool.nodes[0].pinned = vec![GpuState::Pinned(Layout::parse(&a100(), "1g.10gb@6").unwrap())];
    let pinned = problem(pool, vec![demand.clone()]);
    let gpu = cut("1g.10gb@5,1g.10gb@6");
    let serves = |n| [serving(0, n, &[share(0, "1g.10gb", n)])];
    one_gpu(std::slice::from_ref(&demand), &gpu, &serves(2), &[]);
    one_gpu(std::slice::from_ref(&demand), &gpu, &serves(3), &["overcommitted"]);
    one_gpu(std::slice::from_ref(&demand), &GpuTarget::MigOff, &serves(1), &["overcommitted"]);
    let twice = [serves(1), serves(2)].concat();
    one_gpu(&[demand], &gpu, &twice, &["overcommitted"]);
    breaks(&pinned, &plan(&pinned, vec![nodes(0..1, std::slice::from_ref(&gpu), &serves(1))]), &[]);
    breaks(&pinned, &plan(&pinned, vec![nodes(0..1, &[gpu], &serves(2))]), &["overcommitted"]);
}

#[test]
fn whole_gpus_are_whole() {
    let demand = Demand::new("train", Request::WholeGpus { gpus: 2 }, 2);
    let mut pool = pool(1, 3);
    pool.nodes[0].pinned = vec![GpuState::Idle, GpuState::Idle, GpuState::Taken];
    let problem = problem(pool, vec![demand]);
    let off = GpuTarget::MigOff;
    let check = |first: &GpuTarget, units: u32, shares: &[GpuShare], expected: &[&str]| {
        let gpus = [first.clone(), off.clone(), off.clone()];
        breaks(&problem, &plan(&problem, vec![nodes(0..1, &gpus, &[serving(0, units, shares)])]), expected);
    };
    check(&off, 1, &[whole(0), whole(1)], &[]);
    check(&off, 1, &[whole(0), whole(2)], &["whole-taken"]);
    check(&off, 1, &[whole(1), whole(1)], &["whole-twice"]);
    check(&off, 1, &[whole(1)], &["wrong-instances"]);
    check(&cut("7g.80gb@0"), 1, &[whole(0), whole(1)], &["whole-cut"]);
    check(&cut("7g.80gb@0"), 1, &[share(0, "7g.80gb", 1), whole(1)], &["wrong-kind"]);
}

#[test]
fn counts_add_up() {
    let mut demand = Demand::of_profile("llm", name("1g.10gb"), 3);
    let gpu = [cut("1g.10gb@5,1g.10gb@6")];
    let each = |n| [serving(0, n, &[share(0, "1g.10gb", n)])];
    let two = problem(pool(2, 1), vec![demand.clone()]);
    demand.max_per_node = Some(1);
    let spread = problem(pool(2, 1), vec![demand]);
    breaks(&two, &plan(&two, vec![nodes(0..2, &gpu, &each(1))]), &[]);
    breaks(&two, &plan(&two, vec![nodes(0..2, &gpu, &each(2))]), &["over-served"]);
    breaks(&spread, &plan(&spread, vec![nodes(0..2, &gpu, &each(1))]), &[]);
    breaks(&spread, &plan(&spread, vec![nodes(0..1, &gpu, &each(2)), nodes(1..2, &gpu, &[])]), &["too-many-on-node"]);
    let in_parts = [each(1), each(1)].concat();
    breaks(&spread, &plan(&spread, vec![nodes(0..1, &gpu, &in_parts), nodes(1..2, &gpu, &[])]), &["too-many-on-node"]);

    let report = |counts: &[(usize, u64)]| {
        let mut plan = plan(&two, vec![nodes(0..2, &gpu, &each(1))]);
        let entry = plan.unserved[0].clone();
        plan.unserved = counts.iter().map(|&(demand, count)| Unserved { demand, count, ..entry.clone() }).collect();
        plan
    };
    breaks(&two, &report(&[(0, 1)]), &[]);
    breaks(&two, &report(&[]), &["unserved-count"]);
    breaks(&two, &report(&[(0, 2)]), &["unserved-count"]);
    breaks(&two, &report(&[(0, u64::MAX)]), &["unserved-count"]);
    breaks(&two, &report(&[(0, 1), (0, 1)]), &["unserved-twice"]);
    breaks(&two, &report(&[(0, 1), (4, 1)]), &["plan-unknown-demand"]);
    // A plan that claims nothing is judged by its nodes alone.
    let silent = Plan { unserved: vec![], ..plan(&two, vec![nodes(0..2, &gpu, &[])]) };
    breaks(&two, &silent, &[]);
    breaks(&two, &Plan { status: Status::Infeasible, ..silent }, &["unserved-count"]);
}
