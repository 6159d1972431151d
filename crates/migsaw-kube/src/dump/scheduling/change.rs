//! What changes in a cluster, one thing at a time.

use std::collections::{BTreeSet, HashSet};

use super::budget::Budget;
use super::node::NodeObject;
use super::pod::Pod;

/// A change of what a scheduler has to know.
#[derive(Debug, Clone)]
pub enum Change {
    /// A node is there, or is another than before.
    Node(NodeObject),
    /// A node is gone, by name.
    NodeGone(String),
    /// These nodes were listed, and so no others are there.
    NodesAre(HashSet<String>),
    /// A pod is there, or is another than before.
    Pod(Box<Pod>),
    /// A pod is gone, by UID.
    PodGone(String),
    /// These pods were listed, by UID, and so no others are there.
    PodsAre(HashSet<String>),
    /// A disruption budget is there, or is another than before.
    Budget(Box<Budget>),
    /// A disruption budget is gone, by [`Budget::key`].
    BudgetGone(String),
    /// These disruption budgets were listed, by [`Budget::key`], and so no others are there.
    BudgetsAre(HashSet<String>),
    /// On these nodes GPUs are given out through claims: a driver publishes them.
    GivenByClaims(BTreeSet<String>),
    /// The plan that the cluster is to follow, as a plan document; `None` if there is none.
    Plan(Option<String>),
}
