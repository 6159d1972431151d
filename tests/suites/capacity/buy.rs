//! What is to be bought.

use std::sync::Arc;

use migsaw::buy::{Candidate, Need, Order, Survive, buy};
use migsaw::fleet::{Pool, Strategy};
use migsaw::geometry::Model;
use migsaw::plan::Options;
use migsaw::problem::Problem;
use migsaw::whatif::{Change, changed};
use migsaw_tests::minimal::describe;
use migsaw_tests::running::running;
use migsaw_tests::seeds::seeds;
use migsaw_tests::strategies::Size;

use super::exhaustion::{anywhere, served};

/// Whether exhaustion serves all of the target with so many new nodes of a model, these lost.
fn serves_all(problem: &Problem, model: &Arc<Model>, per_node: u32, new: u32, lost: Option<&str>) -> bool {
    let mut problem = problem.clone();
    problem.forget_running();
    problem.budgets.clear();
    for demand in &mut problem.demands {
        demand.priority = 0;
        demand.eligible = anywhere();
    }
    problem.fleet.pools.push(Pool::new("brand-new", model.clone(), new, per_node));
    let all: Vec<String> = problem
        .fleet
        .pools
        .iter()
        .flat_map(|pool| (0..pool.node_count()).map(|index| pool.node_name(index)).collect::<Vec<_>>())
        .collect();
    if let Some(lost) = lost.filter(|lost| all.iter().any(|name| name == lost)) {
        problem = changed(&problem, &[Change::RemoveNode { node: lost.to_owned() }]).expect("a node");
    }
    let asked: u64 = problem.demands.iter().map(|demand| demand.count).sum();
    if problem.fleet.pools.iter().all(|pool| pool.gpu_count() == 0) {
        return asked == 0;
    }
    served(&problem, None).iter().sum::<i64>().unsigned_abs() == asked
}

/// The fewest new nodes by trying each number, up to so many GPUs.
fn fewest_by_exhaustion(problem: &Problem, model: &Arc<Model>, per_node: u32, any_node: bool) -> Result<u64, u64> {
    let there: u64 = problem.fleet.pools.iter().map(Pool::gpu_count).sum();
    let mut new = 0;
    while there + u64::from(new * per_node) <= 5 {
        let mut names: Vec<Option<String>> = vec![None];
        if any_node {
            let pools = problem.fleet.pools.iter();
            names.extend(pools.flat_map(|pool| (0..pool.node_count()).map(|i| Some(pool.node_name(i)))));
            names.extend((0..new.min(1)).map(|i| Some(format!("brand-new-{i}"))));
        }
        if names.iter().all(|lost| serves_all(problem, model, per_node, new, lost.as_deref())) {
            return Ok(u64::from(new));
        }
        new += 1;
    }
    Err(u64::from(new))
}

#[test]
fn what_is_to_be_bought_is_what_exhaustion_finds() {
    let (mut exact, mut proven) = (0, 0);
    for seed in seeds(60) {
        let size = Size { gpus: 2, gpus_per_node: 2, demands: 2, units: 5, node_rules: seed % 2 == 0 };
        let mut problem = running(seed, size, 1);
        problem.demands.iter_mut().for_each(|demand| demand.eligible = anywhere());
        problem.fleet.pools.iter_mut().for_each(|pool| pool.taints.clear());
        // New nodes are like none of these: of strategy mixed, whatever those are.
        let model = problem.fleet.pools[0].gpu_models().next().expect("a GPU").clone();
        problem.fleet.pools.iter_mut().for_each(|pool| pool.strategy = Strategy::Mixed);
        let per_node = 1 + u32::from(seed % 3 == 0);
        for survive in [Survive::Nothing, Survive::Node] {
            let any_node = survive == Survive::Node;
            let candidates = vec![Candidate { model: model.clone(), gpus_per_node: Some(per_node), price: None }];
            let order = Order { candidates, survive, ..Order::default() };
            let answer = match buy(&problem, &order, &Options::default()) {
                Ok(answer) => answer,
                Err(error) => panic!("seed {seed}: {error}\n{}", describe(&problem)),
            };
            let need = answer.offers[0].need;
            let what = || format!("seed {seed}, any node {any_node}: {need:?}\n{}", describe(&problem));
            match (fewest_by_exhaustion(&problem, &model, per_node, any_node), need) {
                (Ok(right), Need::Nodes(found)) => {
                    assert!(found.least <= right && right <= found.most, "{right} is right; {}", what());
                    exact += 1;
                    proven += u64::from(found.is_proven());
                }
                (Ok(right), _) => panic!("{right} is right; {}", what()),
                // Exhaustion went only so far.
                (Err(more), Need::Nodes(found)) => assert!(found.most >= more, "at least {more}; {}", what()),
                (Err(_), Need::Impossible | Need::Unknown { .. }) => {}
            }
        }
    }
    eprintln!("{proven} of {exact} proven");
    assert!(exact >= 30 && proven * 10 >= exact * 9, "{proven} of {exact}");
}

#[test]
fn a_zone_may_be_lost_however_new_nodes_are_spread_over_them() {
    let mut compared = 0;
    for seed in seeds(40) {
        let size = Size { gpus: 2, gpus_per_node: 1, demands: 2, units: 6, node_rules: false };
        let mut problem = running(seed, size, 0);
        problem.forget_running();
        problem.demands.iter_mut().for_each(|demand| demand.eligible = anywhere());
        problem.fleet.pools.iter_mut().for_each(|pool| pool.taints.clear());
        let model = problem.fleet.pools[0].gpu_models().next().expect("a GPU").clone();
        let zones = ["a", "b"];
        let candidates = vec![Candidate { model: model.clone(), gpus_per_node: Some(1), price: None }];
        let values = zones.iter().map(|&zone| zone.to_owned()).collect();
        let survive = Survive::Label { key: "zone".to_owned(), values };
        let order = Order { candidates, survive, ..Order::default() };
        let Ok(answer) = buy(&problem, &order, &Options::default()) else { panic!("seed {seed}") };
        // Every way to spread them, and every zone lost.
        let left = |zone: &str, new: u32| {
            let mut left = problem.clone();
            left.fleet.pools.retain(|pool| pool.labels["zone"] != zone);
            serves_all(&left, &model, 1, new, None)
        };
        let right = (0..=4u32).find(|&new| (0..=new).any(|in_a| left("a", new - in_a) && left("b", in_a)));
        let need = answer.offers[0].need;
        match (right, need) {
            (Some(right), Need::Nodes(found)) => {
                let right = u64::from(right);
                assert!(found.least <= right && right <= found.most, "seed {seed}: {right} {found:?}");
                compared += 1;
            }
            (Some(right), _) => panic!("seed {seed}: {right} is right, not {need:?}\n{}", describe(&problem)),
            (None, Need::Nodes(found)) => assert!(found.most > 4, "seed {seed}: {found:?}\n{}", describe(&problem)),
            (None, _) => {}
        }
    }
    assert!(compared >= 8, "{compared}");
}
