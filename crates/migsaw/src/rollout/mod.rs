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
//!
//! A pod that is evicted while no slot of its demand is left may find another free slice that fits it: a *place*.
//! Places are the instances that the plan does not use: on nodes without a step at any time, on others from their
//! step on; and those free instances of today that are there until their node's step. A pod on a place waits there
//! for its slot, which is kept for it: it *hops*. If the node's step comes, it is evicted again, and goes to its slot,
//! to another place, or nowhere. On a place that lasts it may stay as long as nobody moves it.
//!
//! A pod that finds neither slot nor place is *homeless* until one of them is there. Pods that the plan does not serve
//! any more have no home to wait for and do not count.
//!
//! Which place a pod takes is the scheduler's choice and nobody else's. What is said of places is what comes of one
//! rule: pods of the highest priority choose first, then those of the first demand, and each takes a place that lasts
//! before one that does not, then one on the first node. Hops are only followed for pods that ask for one instance
//! by its profile and have no limit per node. Pods that wait from the start take no places: a free slice of today that
//! fits them they would hold already.
//!
//! # Disruption budgets
//!
//! The Eviction API refuses what a `PodDisruptionBudget` forbids. A pod is down from its eviction until the wave
//! ends if it has a slot or a place; one that is homeless is down until it has one, and one that the plan does not
//! serve any more for good, since the pod that replaces it stays pending. A wave of several steps evicts no more than
//! every budget allows beside those that are down already. A step that needs more all alone is a wave of its own: the
//! API then lets its pods go one after the other, as the pods that replace them become ready, which works only if
//! they have somewhere to go.
//!
//! # The model
//!
//! Steps `S`; demands `d` with priority `p(d)`; budgets `b`, each for demands `D(b)`, allowing `a(b)` units; places
//! `q`, each for `c(q)` units of the demands `D(q)`, some until a step. Of a step `s` is known what it evicts and what
//! slots it brings, `e(s, d)` and `g(s, d)`; of a demand how many slots there are today, how many units wait, and how
//! many running ones the plan does not serve any more. An order is a partition of `S` into waves `W(1), …, W(k)` of at
//! most `maxUnavailable` steps. The state before `W(i)`, for each demand:
//!
//! ```text
//! v(d)     slots that are there and free           w(d)     units that wait
//! l(d)     units still to be lost                  m(d)     units that are lost
//! o(d)     units that are homeless                 t(q, d)  units on a place
//! ```
//!
//! and what the wave does, demand by demand, those of the highest priority first:
//!
//! ```text
//! evicted   n(d) = Σ(s in W(i)) e(s, d) + Σ(q until a step in W(i)) t(q, d)
//! lost      min(n(d), l(d)), of the others
//! slots     as many as v(d), of the others
//! hops      u(q, d): to places q in their order that are there and not on a node of W(i), with
//!           d in D(q) and Σ(d) (t(q, d) + u(q, d)) <= c(q); the others are
//! homeless  h(i, d)
//! over      x(i, b) = min(N, max(0, N + Σ(d in D(b)) (o(d) + m(d)) - a(b))),  N = Σ(d in D(b)) n(d)
//! ```
//!
//! At its end its slots and places are there; units that wait take slots, then homeless ones take slots and places.
//!
//! ```text
//! minimise, one after the other:
//!   Σ(i; d with p(d) = p) h(i, d)   for each priority p, the highest first
//!   Σ(i, b) x(i, b)
//!   Σ(i, q, d) u(q, d)
//!   k
//! subject to
//!   x(i, b) = 0 where W(i) has several steps
//! ```
//!
//! What is still to come depends on the state alone, so with few steps the best way to every state is found, and with
//! it the best of all orders. With many, each wave takes the steps that harm nobody and free most. Where every step
//! harms somebody, steps wait for each other's slots in circles, which are strongly connected components of the graph
//! from each step over the demands that lack slots to the steps that bring them. Only a circle that waits for no other
//! has to be broken, at the step that does the least harm. Of up to 40 steps each is then moved to wherever it does less,
//! until no single move helps. The number of waves has the bound that steps and limit give.

mod exact;
mod greedy;
mod harm;
mod improve;
mod order;
mod places;
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
    /// No order that is as kind to pods and to disruption budgets, with as few hops, has fewer waves.
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
    /// Those of them that have to wait for their slot on a slice that the plan does not use, or not yet.
    pub hops: Vec<Hop>,
    /// Units that wait here for their slot since an earlier wave, and are evicted again.
    pub again: Vec<Again>,
    /// The disruption budgets that it goes beyond, which is then the only step of its wave. The Eviction API lets
    /// its pods go one after the other, as the ones that replace them become ready.
    pub over_budget: Vec<OverBudget>,
}

/// A unit that waits for its slot on another node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hop {
    /// The unit: an index into what runs on the step's node.
    pub unit: usize,
    /// Index of the pool in which it can wait.
    pub pool: usize,
    /// Index of the node in that pool.
    pub node: u32,
}

/// A unit that is evicted once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Again {
    /// Index of the pool in which it ran before the first wave.
    pub pool: usize,
    /// Index of the node in that pool.
    pub node: u32,
    /// The unit: an index into what runs on that node.
    pub unit: usize,
    /// Where it goes.
    pub next: Next,
}

/// Where a unit goes that is evicted once more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// To a slot of its demand.
    Slot,
    /// To another slice that the plan does not use, or not yet.
    Waits {
        /// Index of the pool.
        pool: usize,
        /// Index of the node in the pool.
        node: u32,
    },
    /// Nowhere.
    Homeless,
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
    /// Every order of up to eight steps is tried. Up to 40, every move of one step is, until none helps: each round
    /// takes the cube of the steps. Beyond, the square of the steps.
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

    /// How often a unit has nowhere to go when it is evicted.
    pub fn homeless(&self) -> usize {
        self.count(|step| step.homeless.len(), |next| *next == Next::Homeless)
    }

    /// How often a unit waits for its slot on a slice that the plan does not use, or not yet.
    pub fn hops(&self) -> usize {
        self.count(|step| step.hops.len(), |next| matches!(next, Next::Waits { .. }))
    }

    fn count(&self, first: impl Fn(&Step) -> usize, again: impl Fn(&Next) -> bool) -> usize {
        let steps = self.waves.iter().flat_map(|wave| &wave.steps);
        steps.map(|step| first(step) + step.again.iter().filter(|unit| again(&unit.next)).count()).sum()
    }
}
