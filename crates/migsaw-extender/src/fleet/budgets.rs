//! Disruption budgets, where they may be read.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use migsaw_kube::scheduling::Budget;

/// A pod's labels.
pub type Labels = BTreeMap<String, String>;

/// The budgets of a cluster by namespace.
#[derive(Debug, Default)]
pub(crate) struct Budgets(BTreeMap<String, Vec<Arc<Budget>>>);

impl Budgets {
    /// The budgets against which a pod's eviction counts.
    pub(crate) fn counting<'a>(
        &'a self,
        namespace: &str,
        pod: &'a str,
        labels: &'a Labels,
    ) -> impl Iterator<Item = &'a Arc<Budget>> {
        self.0.get(namespace).into_iter().flatten().filter(move |budget| budget.counts(pod, labels))
    }
}

/// The budgets as they are heard of.
#[derive(Debug, Default)]
pub(super) struct Heard {
    budgets: BTreeMap<String, Arc<Budget>>,
    are_listed: bool,
    /// Whether what is shown is not so any more.
    is_news: bool,
}

impl Heard {
    /// How many there are; `None` before they have been listed.
    pub(super) fn known(&self) -> Option<usize> {
        self.are_listed.then_some(self.budgets.len())
    }

    pub(super) fn put(&mut self, mut budget: Budget) {
        // The controller writes each time a pod comes or goes; what matters is often the same.
        budget.version = None;
        let key = budget.key();
        if self.budgets.get(&key).is_none_or(|known| **known != budget) {
            self.budgets.insert(key, Arc::new(budget));
            self.is_news = true;
        }
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.is_news |= self.budgets.remove(key).is_some();
    }

    /// All have been listed.
    pub(super) fn are(&mut self, keys: &HashSet<String>) {
        let before = self.budgets.len();
        self.budgets.retain(|key, _| keys.contains(key));
        let is_first = !std::mem::replace(&mut self.are_listed, true);
        self.is_news |= is_first || self.budgets.len() < before;
    }

    /// For those who read, if it is not what they were given last; nothing before all have been listed.
    pub(super) fn news(&mut self) -> Option<Arc<Budgets>> {
        if !self.are_listed || !std::mem::take(&mut self.is_news) {
            return None;
        }
        let mut budgets: BTreeMap<String, Vec<Arc<Budget>>> = BTreeMap::new();
        for budget in self.budgets.values() {
            budgets.entry(budget.namespace.clone()).or_default().push(Arc::clone(budget));
        }
        Some(Arc::new(Budgets(budgets)))
    }
}
