//! Preemption against all sets of victims there are.

use std::cell::RefCell;
use std::collections::HashSet;
use std::time::Instant;

use migsaw_extender::Settings;
use migsaw_extender::service::Verb;
use migsaw_kube::scheduling::Change;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::common::World;
use super::common::objects::{H100, merge, node, on, pod};

const OFFERED: [u64; 2] = [7, 3];
const BUDGETS: [&str; 2] = ["b", "c"];

/// A pod on the node: its slices of two kinds, its CPU, its priority, which of two budgets protect it, and whether it
/// has something else that counts.
#[derive(Debug, Clone)]
struct On {
    slices: [u64; 2],
    cpu: u64,
    priority: i32,
    budgets: [bool; 2],
    is_particular: bool,
    is_victim: bool,
}

#[derive(Debug, Clone)]
struct Case {
    on: Vec<On>,
    slices: [u64; 2],
    cpu: u64,
    /// How many may go by each budget.
    allowed: [i64; 2],
}

fn cases() -> impl Strategy<Value = Case> {
    let slices = prop_oneof![Just([1, 0]), Just([2, 0]), Just([0, 1]), Just([1, 1])];
    let budget = || prop::bool::weighted(0.3);
    let others = (0..4_u64, -1..3_i32, [budget(), budget()], prop::bool::weighted(0.15), prop::bool::weighted(0.85));
    let on = (slices, others).prop_map(|(slices, (cpu, priority, budgets, is_particular, is_victim))| On {
        slices,
        cpu,
        priority,
        budgets,
        is_particular,
        is_victim,
    });
    let asks =
        prop_oneof![Just([1, 0]), Just([3, 0]), Just([0, 1]), Just([2, 1]), Just([2, 2]), Just([5, 0]), Just([1, 3])];
    let rest = (0..6_u64, [0..3_i64, 0..2_i64]);
    (prop::collection::vec(on, 1..8), asks, rest).prop_map(|(mut on, slices, (cpu, allowed))| {
        // Nobody holds more than there is.
        let mut left = OFFERED;
        on.retain(|on| {
            let fits = (0..2).all(|kind| on.slices[kind] <= left[kind]);
            (0..2).filter(|_| fits).for_each(|kind| left[kind] -= on.slices[kind]);
            fits
        });
        Case { on, slices, cpu, allowed }
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
            let labels = (0..2).map(|at| (BUDGETS[at].to_owned(), json!(on.budgets[at].to_string())));
            let labels: serde_json::Map<String, Value> = labels.collect();
            merge(plain, json!({"spec": spec, "metadata": {"labels": labels}}))
        };
        self.on.iter().enumerate().map(object).collect()
    }

    fn budgets(&self) -> impl Iterator<Item = Change> + '_ {
        let object = |(name, allowed): (&str, i64)| {
            json!({"metadata": {"name": name, "namespace": "team"}, "status": {"disruptionsAllowed": allowed},
                "spec": {"selector": {"matchLabels": {name: "true"}}}})
        };
        let budgets = BUDGETS.into_iter().zip(self.allowed).map(object);
        budgets.map(|budget| Change::Budget(Box::new(serde_json::from_value(budget).unwrap())))
    }

    /// How many of these break a budget, one after the other.
    fn violations(&self, gone: &[usize]) -> usize {
        let mut left = self.allowed;
        let mut broken = 0;
        for &i in gone {
            let mut breaks = false;
            for at in (0..2).filter(|&at| self.on[i].budgets[at]) {
                left[at] -= 1;
                breaks |= left[at] < 0;
            }
            broken += usize::from(breaks);
        }
        broken
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

    /// How bad a set is: budgets broken, how many, the highest priority, and the sum of priorities.
    fn cost(&self, gone: &[usize]) -> (usize, usize, i32, i64) {
        let priorities = || gone.iter().map(|&i| self.on[i].priority);
        (self.violations(gone), gone.len(), priorities().max().unwrap(), priorities().map(i64::from).sum())
    }

    /// The least cost of all sets that are enough, if all victims together are.
    fn best(&self) -> Option<(usize, usize, i32, i64)> {
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
        case.budgets().for_each(|budget| world.change(budget));
        world.change(Change::BudgetsAre(HashSet::from(BUDGETS.map(|name| format!("team/{name}")))));
        world.keeper.refresh(Instant::now());
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
            let told = &said["NodeNameToMetaVictims"]["a"]["NumPDBViolations"];
            prop_assert_eq!(told, &Value::from(case.violations(found)));
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
