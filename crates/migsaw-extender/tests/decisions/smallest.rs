//! Preemption against all sets of victims there are.

use std::cell::RefCell;

use migsaw_extender::Settings;
use migsaw_extender::service::Verb;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::common::World;
use super::common::objects::{H100, merge, node, on, pod};

const OFFERED: [u64; 2] = [7, 3];

/// A pod on the node: its slices of two kinds, its CPU, its priority, and whether it has something else that counts.
#[derive(Debug, Clone)]
struct On {
    slices: [u64; 2],
    cpu: u64,
    priority: i32,
    is_particular: bool,
    is_victim: bool,
}

#[derive(Debug, Clone)]
struct Case {
    on: Vec<On>,
    slices: [u64; 2],
    cpu: u64,
}

fn cases() -> impl Strategy<Value = Case> {
    let slices = prop_oneof![Just([1, 0]), Just([2, 0]), Just([0, 1]), Just([1, 1])];
    let others = (0..4_u64, 0..4_i32, prop::bool::weighted(0.15), prop::bool::weighted(0.85));
    let on = (slices, others).prop_map(|(slices, (cpu, priority, is_particular, is_victim))| On {
        slices,
        cpu,
        priority,
        is_particular,
        is_victim,
    });
    let asks =
        prop_oneof![Just([1, 0]), Just([3, 0]), Just([0, 1]), Just([2, 1]), Just([2, 2]), Just([5, 0]), Just([1, 3])];
    (prop::collection::vec(on, 1..8), asks, 0..6_u64).prop_map(|(mut on, slices, cpu)| {
        // Nobody holds more than there is.
        let mut left = OFFERED;
        on.retain(|on| {
            let fits = (0..2).all(|kind| on.slices[kind] <= left[kind]);
            (0..2).filter(|_| fits).for_each(|kind| left[kind] -= on.slices[kind]);
            fits
        });
        Case { on, slices, cpu }
    })
}

fn asks(slices: [u64; 2], cpu: u64) -> String {
    format!("1g.10gb={},3g.40gb={},cpu={}m", slices[0], slices[1], cpu * 100)
}

impl Case {
    fn pods(&self) -> Vec<Value> {
        let object = |(i, on): (usize, &On)| {
            let plain = super::common::objects::on("a", pod(&format!("on-{i}"), &asks(on.slices, on.cpu)));
            let spec = json!({"priority": on.priority, "topologySpreadConstraints":
                if on.is_particular { json!([{"whenUnsatisfiable": "DoNotSchedule"}]) } else { json!([]) }});
            merge(plain, json!({"spec": spec}))
        };
        self.on.iter().enumerate().map(object).collect()
    }

    fn victims(&self) -> Vec<usize> {
        (0..self.on.len()).filter(|&i| self.on[i].is_victim).collect()
    }

    fn frees(&self, gone: &[usize], kind: usize) -> u64 {
        let held: u64 = self.on.iter().map(|on| on.slices[kind]).sum();
        OFFERED[kind] - held + gone.iter().map(|&i| self.on[i].slices[kind]).sum::<u64>()
    }

    fn has_slices(&self, gone: &[usize]) -> bool {
        (0..2).all(|kind| self.frees(gone, kind) >= self.slices[kind])
    }

    /// Whether it is certain that these are enough.
    fn is_enough(&self, gone: &[usize]) -> bool {
        let victims = self.victims();
        let spares_unknown = victims.iter().any(|i| self.on[*i].is_particular && !gone.contains(i));
        let cpu: u64 = gone.iter().filter(|&&i| !self.on[i].is_particular).map(|&i| self.on[i].cpu).sum();
        gone.len() == victims.len() || (!gone.is_empty() && !spares_unknown && cpu >= self.cpu && self.has_slices(gone))
    }

    /// How bad a set is: how many, and their priorities from the top.
    fn cost(&self, gone: &[usize]) -> (usize, Vec<i32>) {
        let mut priorities: Vec<i32> = gone.iter().map(|&i| self.on[i].priority).collect();
        priorities.sort_unstable_by(|a, b| b.cmp(a));
        (gone.len(), priorities)
    }

    /// The least cost of all sets that are enough, if all victims together are.
    fn best(&self) -> Option<(usize, Vec<i32>)> {
        let victims = self.victims();
        if victims.is_empty() || !self.has_slices(&victims) {
            return None;
        }
        let sets = (0..1_u32 << victims.len()).map(|set| {
            let is_in = |at: &usize| set & (1 << at) != 0;
            (0..victims.len()).filter(is_in).map(|at| victims[at]).collect::<Vec<_>>()
        });
        sets.filter(|set| self.is_enough(set)).map(|set| self.cost(&set)).min()
    }
}

/// The victims that go by an answer, as indices.
fn gone(answer: &Value) -> Option<Vec<usize>> {
    let victims = answer["NodeNameToMetaVictims"].get("a")?["Pods"].as_array().unwrap();
    let index = |pod: &Value| pod["UID"].as_str().unwrap().strip_prefix("on-").unwrap().parse().unwrap();
    Some(victims.iter().map(index).collect())
}

#[test]
fn no_other_set_of_victims_is_better_and_both_forms_give_the_same() {
    let world = RefCell::new(World::new(Settings::default(), &[node("a", H100, 2, "1g.10gb=7,3g.40gb=3")], &[]));
    let mut runner = TestRunner::new(Config { cases: 1000, failure_persistence: None, ..Config::default() });
    let checked = runner.run(&cases(), |case| {
        let mut world = world.borrow_mut();
        let pods = case.pods();
        world.put_pods(&pods);
        let asks = pod("p", &asks(case.slices, case.cpu));
        let victims: Vec<&Value> = case.victims().into_iter().map(|i| &pods[i]).collect();
        let uids: Vec<Value> = victims.iter().map(|pod| json!({"UID": pod["metadata"]["uid"]})).collect();
        let by_uid = json!({"Pod": asks, "NodeNameToMetaVictims": {"a": {"Pods": uids}}});
        let whole = json!({"Pod": asks, "NodeNameToVictims": {"a": {"Pods": victims}}});
        let said = world.ask(Verb::Preempt, &by_uid.to_string());
        prop_assert_eq!(&world.ask(Verb::Preempt, &whole.to_string()), &said);
        for pod in &pods {
            world.remove_pod(pod);
        }
        let found = gone(&said);
        if let Some(found) = &found {
            prop_assert!(case.is_enough(found), "{:?} is not enough", found);
        }
        prop_assert_eq!(found.map(|found| case.cost(&found)), case.best());
        Ok(())
    });
    if let Err(error) = checked {
        panic!("{error}");
    }
}

#[test]
fn hundreds_of_victims_still_get_an_answer() {
    // More sets than can be looked at: what is found is enough, if not the least.
    let holders: Vec<Value> = (0..300).map(|i| on("a", pod(&format!("on-{i}"), "1g.10gb=1,cpu=10m"))).collect();
    let world = World::new(Settings::default(), &[node("a", "NVIDIA-Z9000", 2, "1g.10gb=300")], &holders);
    let uids: Vec<Value> = holders.iter().map(|pod| json!({"UID": pod["metadata"]["uid"]})).collect();
    for (asks, least) in [("1g.10gb=1", 1), ("1g.10gb=20", 20), ("1g.10gb=150,cpu=100m", 150), ("1g.10gb=300", 300)] {
        let body = json!({"Pod": pod("p", asks), "NodeNameToMetaVictims": {"a": {"Pods": uids}}}).to_string();
        let found = gone(&world.ask(Verb::Preempt, &body)).unwrap();
        assert!((least..=300).contains(&found.len()), "{asks}: {}", found.len());
    }
}
