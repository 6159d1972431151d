//! The way from what runs today to a plan: which nodes are changed when, and which pods are evicted for that.
//!
//! Each node to which something happens is a *step*: cordon it, evict the pods that do not stay, wait until the
//! GPUs are idle, cut them, see that the slices are there, uncordon it. Steps of one *wave* may go on at the same
//! time; a wave begins when the one before it has ended.
//!
//! # Where evicted pods go
//!
//! What a plan serves of a demand on other nodes than today are slots for its pods that wait and its pods that
//! are evicted. A slot is there from the beginning where its instance is there and free, else from the end of its
//! node's step on. Pods that wait take slots before evicted ones, since the scheduler does not hold them back.
//! A pod that is evicted while no slot of its demand is left is *homeless* until one is: that is what an order
//! avoids. Pods that the plan does not serve any more have no home to wait for and do not count.
//!
//! # Disruption budgets
//!
//! The Eviction API refuses what a `PodDisruptionBudget` forbids. A pod is down from its eviction until the wave
//! ends if it has a slot; one that is homeless is down until it has one, and one that the plan does not serve any
//! more for good, since the pod that replaces it stays pending. A wave of several steps evicts no more than every
//! budget allows beside those that are down already. A step that needs more all alone is a wave of its own: the
//! API then lets its pods go one after the other, as the pods that replace them become ready, which works only if
//! they have somewhere to go.
//!
//! # The model
//!
//! Steps `S`; demands `d` with priority `p(d)`; budgets `b`, each for demands `D(b)`, allowing `a(b)` units. Of a
//! step `s` is known what it evicts and what slots it brings, `e(s, d)` and `g(s, d)`; of a demand how many slots
//! there are today, how many units wait, and how many running ones the plan does not serve any more: `f(d)`, `w(d)`
//! and `l(d)`. An order is a partition of `S` into waves `W(1), …, W(k)` of at most `maxUnavailable` steps. With
//! `E(i, d)` and `G(i, d)` the sums of `e` and `g` over the waves before `W(i)`, and `[x]` for `max(x, 0)`:
//!
//! ```text
//! slots     r(i, d) = [f(d) + G(i, d) - w(d)]                for units that are evicted
//! lost      m(i, d) = min(E(i, d), l(d))                     before the wave
//! outside   o(i, d) = [E(i, d) - m(i, d) - r(i, d)]          homeless in an earlier wave, and still
//! free      v(i, d) = [r(i, d) - (E(i, d) - m(i, d))]
//! evicted   n(i, d) = Σ(s in W(i)) e(s, d)
//! homeless  h(i, d) = [n(i, d) - (l(d) - m(i, d)) - v(i, d)]
//! over      x(i, b) = min(N, [N + Σ(d in D(b)) (o(i, d) + m(i, d)) - a(b)]),  N = Σ(d in D(b)) n(i, d)
//!
//! minimise, one after the other:
//!   Σ(i; d with p(d) = p) h(i, d)   for each priority p, the highest first
//!   Σ(i, b) x(i, b)
//!   k
//! subject to
//!   x(i, b) = 0 where W(i) has several steps
//! ```
//!
//! What is still to come depends on the steps that are done alone, so with few steps the best way to every set of
//! them is found, and with it the best of all orders. With many, each wave takes the steps that harm nobody and
//! free most, and the number of waves has the bound that steps and limit give.
//!
//! What is left out: a second hop over a slice that the plan does not use.

mod exact;
mod greedy;
mod harm;
mod order;
mod report;
mod state;
mod steps;

use crate::plan::Plan;
use crate::problem::Problem;

/// What may go on at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Most nodes of one wave, at least one.
    pub max_unavailable: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { max_unavailable: 1 }
    }
}

/// How long the parts of a step take, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Times {
    /// From the eviction of pods until they are gone. Kubernetes lets a pod 30 s to end
    /// (`terminationGracePeriodSeconds`).
    pub evict: u32,
    /// From the new label until the slices are there. What logs of MIG Manager show is 50 to 60 s when instances
    /// change and the mode does not; its worst case is minutes, 5 for each client that does not end.
    pub recut: u32,
}

impl Default for Times {
    fn default() -> Times {
        Times { evict: 30, recut: 60 }
    }
}

/// The steps in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    /// What goes on at the same time, one after the other.
    pub waves: Vec<Wave>,
    /// No order that is as kind to pods and to disruption budgets has fewer waves.
    pub fewest_waves: usize,
    /// Whether no order leaves fewer pods homeless, those of the highest priority first.
    pub is_kindest: bool,
}

/// Steps that may go on at the same time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wave {
    /// The nodes, by pool and index.
    pub steps: Vec<Step>,
}

/// What happens to one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Index of the pool in the fleet.
    pub pool: usize,
    /// Index of the node in the pool.
    pub node: u32,
    /// Whether some GPU gets other instances.
    pub recut: bool,
    /// The units that are evicted: indices into [`Present::running`](crate::present::Present::running).
    pub evicts: Vec<usize>,
    /// Those of them that have nowhere to go when they are evicted.
    pub homeless: Vec<usize>,
    /// The disruption budgets that it goes beyond, which is then the only step of its wave. The Eviction API lets
    /// its pods go one after the other, as the ones that replace them become ready.
    pub over_budget: Vec<OverBudget>,
}

/// A disruption budget that a step goes beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverBudget {
    /// Index of the budget in the problem.
    pub budget: usize,
    /// Units evicted beyond it.
    pub units: u64,
}

impl Rollout {
    /// The order of steps from what runs today to the plan.
    ///
    /// # Complexity
    /// Every order of up to eight steps is tried; beyond, the square of the steps.
    ///
    /// # Panics
    /// If the plan is not one for the problem, as [`crate::check::check`] judges.
    pub fn new(problem: &Problem, plan: &Plan, limits: Limits) -> Rollout {
        let work = steps::Work::of(problem, plan);
        let most = usize::try_from(limits.max_unavailable.max(1)).unwrap_or(usize::MAX);
        order::order(&work, most)
    }

    /// How long it takes: the waves one after the other, in seconds.
    pub fn seconds(&self, times: Times) -> u64 {
        let part = |happens: bool, seconds: u32| if happens { u64::from(seconds) } else { 0 };
        let wave = |wave: &Wave| {
            let steps = || wave.steps.iter();
            part(steps().any(|s| !s.evicts.is_empty()), times.evict) + part(steps().any(|s| s.recut), times.recut)
        };
        self.waves.iter().map(wave).sum()
    }

    /// Units that have nowhere to go when they are evicted.
    pub fn homeless(&self) -> usize {
        self.waves.iter().flat_map(|wave| &wave.steps).map(|step| step.homeless.len()).sum()
    }
}
