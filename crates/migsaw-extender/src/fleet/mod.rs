//! What is known of the cluster: each node with what is free on it, kept by one writer and read by all requests.
//!
//! A [`Fleet`] is a directory of nodes; each node is a cell with a [`View`] that is replaced as a whole when something
//! on it changes, and with the claims of pods that are on their way to it. Readers wait for nobody: they take a view
//! as it is. The one writer is a [`Keeper`].

mod budgets;
mod claims;
mod keeper;
mod memo;
mod outlook;
mod seen;
mod view;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use migsaw::demand::NodeSelector;
use migsaw_kube::scheduling::Asks;
use rustc_hash::FxHashMap;

use crate::decide::{self, Rank, Reason};

pub(crate) use budgets::Budgets;
pub use budgets::Labels;
pub use claims::Claims;
pub use keeper::{Keeper, Known};
use memo::Memo;
pub use outlook::{Assignments, Outlook, PlanError};
pub use view::{Holder, View};

/// Everything a request reads.
#[derive(Debug, Default)]
pub struct Fleet {
    nodes: ArcSwap<Cells>,
    outlook: ArcSwap<Outlook>,
    /// Whether all nodes and pods have been listed: before, no node is shown.
    is_listed: AtomicBool,
    /// The disruption budgets, once they have been listed.
    pub(crate) budgets: ArcSwapOption<Budgets>,
    /// Pods that are on their way to a node.
    pub claims: Claims,
    /// Pods that were seen on a node lately.
    seen: seen::Seen,
    /// What `filter` found, for nodes on which nobody has a firm claim.
    pub(crate) verdicts: Memo<(Asks, NodeSelector), Result<(), Reason>>,
    /// What `prioritize` found, for nodes on which nobody has a claim and whatever is planned there.
    pub(crate) ranks: Memo<Prospect, Rank>,
}

/// What a place is measured by: what a pod asks for, and what is still to come.
#[derive(Debug, Clone)]
pub(crate) struct Prospect {
    pub(crate) asks: Asks,
    pub(crate) outlook: Arc<Outlook>,
}

impl PartialEq for Prospect {
    fn eq(&self, other: &Prospect) -> bool {
        self.asks == other.asks && Arc::ptr_eq(&self.outlook, &other.outlook)
    }
}

/// The nodes by name. Names come from the API server, so that nobody chooses them to collide.
type Cells = FxHashMap<Arc<str>, Arc<Cell>>;

/// A node.
#[derive(Debug)]
pub(crate) struct Cell {
    /// Its place in tables; no other node has it while this one is there.
    place: usize,
    /// The number of its view, which no view of any node had before.
    version: AtomicU64,
    view: ArcSwap<View>,
    pub(crate) claimed: claims::Claimed,
}

/// The nodes as they were when a request came.
pub(crate) struct Directory(arc_swap::Guard<Arc<Cells>>);

/// A node of a request, and what is known of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'n> {
    pub(crate) name: &'n str,
    pub(crate) cell: Option<&'n Arc<Cell>>,
}

impl Fleet {
    pub(crate) fn directory(&self) -> Directory {
        Directory(self.nodes.load())
    }

    /// Whether all nodes and pods have been listed.
    pub(crate) fn is_listed(&self) -> bool {
        self.is_listed.load(Ordering::Acquire)
    }

    /// What is expected and planned.
    pub fn outlook(&self) -> Arc<Outlook> {
        self.outlook.load_full()
    }

    /// A node as it is now.
    pub fn view(&self, node: &str) -> Option<Arc<View>> {
        self.directory().get(node).map(|cell| cell.view.load_full())
    }

    /// Whether what a pod asks for is free on a node beside what is promised to others by UID. A promise to a pod that
    /// was seen on a node counts no more: what it holds is known, or it is gone.
    pub fn has_room<'p>(
        &self,
        node: &str,
        asks: &Asks,
        promised: impl Iterator<Item = (&'p str, &'p Arc<Asks>)>,
    ) -> bool {
        let directory = self.directory();
        let Some(cell) = directory.get(node) else { return false };
        let unseen = promised.filter(|(uid, _)| !self.seen.has(uid)).map(|(_, asks)| Arc::clone(asks));
        let unseen: Vec<Arc<Asks>> = unseen.collect();
        decide::has_room(&cell.view(), asks, &unseen)
    }

    /// The names of all nodes, ascending.
    pub fn names(&self) -> Vec<Arc<str>> {
        let mut names: Vec<Arc<str>> = self.nodes.load().keys().cloned().collect();
        names.sort_unstable();
        names
    }
}

impl Directory {
    pub(crate) fn get(&self, node: &str) -> Option<&Arc<Cell>> {
        self.0.get(node)
    }

    /// The nodes with these names, known or not.
    pub(crate) fn look_up<'n>(&'n self, names: impl Iterator<Item = &'n str>) -> Vec<Asked<'n>> {
        names.map(|name| Asked { name, cell: self.get(name) }).collect()
    }

    pub(crate) fn cells(&self) -> impl Iterator<Item = &Arc<Cell>> {
        self.0.values()
    }
}

impl Cell {
    fn new(place: usize, view: View, version: u64) -> Cell {
        let (view, version) = (ArcSwap::from_pointee(view), AtomicU64::new(version));
        Cell { place, version, view, claimed: claims::Claimed::default() }
    }

    /// Shows another view. Who reads the version and then the view has that view or a later one.
    fn show(&self, view: View, version: u64) {
        self.view.store(Arc::new(view));
        self.version.store(version, Ordering::Release);
    }

    fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// What is on the node. Whoever looks at claims as well has to look at them first: a claim ends when the view
    /// counts its pod, never before.
    pub(crate) fn view(&self) -> arc_swap::Guard<Arc<View>> {
        self.view.load()
    }
}
