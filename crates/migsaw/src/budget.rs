//! Disruption budgets: how many units may be down at one time, as Kubernetes' `PodDisruptionBudget`s say it.

use std::collections::BTreeSet;

/// How many units of some demands together may be down at one time.
///
/// A unit is down from its eviction until it runs again elsewhere. Where a budget allows none, its units must not
/// be moved at all: [`check`](crate::check) refuses a plan that evicts one, and planning finds none. Else the order
/// of a [`rollout`](crate::rollout) keeps to it.
///
/// ```
/// use migsaw::budget::Budget;
/// let budget = Budget { name: "chat".to_owned(), namespace: None, demands: [0, 2].into(), allowed: 1 };
/// assert!(budget.covers(2) && !budget.covers(1));
/// assert!(!budget.forbids(2), "one at a time may go");
/// assert!(Budget { allowed: 0, ..budget }.forbids(2));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// The name, unique within its namespace.
    pub name: String,
    /// Kubernetes namespace or tenant.
    pub namespace: Option<String>,
    /// Indices of the demands in the problem.
    pub demands: BTreeSet<usize>,
    /// How many units of these demands may be down at one time, besides those that are down today.
    pub allowed: u64,
}

impl Budget {
    /// Whether it holds for the units of a demand.
    pub fn covers(&self, demand: usize) -> bool {
        self.demands.contains(&demand)
    }

    /// Whether it lets no unit of a demand go.
    pub fn forbids(&self, demand: usize) -> bool {
        self.allowed == 0 && self.covers(demand)
    }

    /// The name with the namespace, for reports.
    pub fn full_name(&self) -> String {
        self.namespace.as_ref().map_or_else(|| self.name.clone(), |namespace| format!("{namespace}/{}", self.name))
    }
}
