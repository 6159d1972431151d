//! What is known of the cluster: each node with what is free on it, kept by one writer and read by all requests.
//!
//! A [`Fleet`] is a directory of nodes; each node is a cell with a [`View`] that is replaced as a whole when something
//! on it changes, and with the claims of pods that are on their way to it. Readers wait for nobody: they take a view
//! as it is. The one writer is a [`Keeper`].

mod claims;
mod keeper;
mod outlook;
mod seen;
mod view;

use std::sync::Arc;

use arc_swap::ArcSwap;
use migsaw_kube::scheduling::Asks;
use rustc_hash::FxHashMap;

use crate::decide;

pub use claims::Claims;
pub use keeper::{Keeper, Known};
pub use outlook::{Assignments, Outlook, PlanError};
pub(crate) use view::GPU;
pub use view::{Holder, View};

/// Everything a request reads.
#[derive(Debug, Default)]
pub struct Fleet {
    nodes: ArcSwap<Cells>,
    outlook: ArcSwap<Outlook>,
    /// Pods that are on their way to a node.
    pub claims: Claims,
    /// Pods that were seen on a node lately.
    seen: seen::Seen,
}

/// The nodes by name. Names come from the API server, so that nobody chooses them to collide.
type Cells = FxHashMap<Arc<str>, Arc<Cell>>;

/// A node.
#[derive(Debug)]
pub(crate) struct Cell {
    view: ArcSwap<View>,
    pub(crate) claimed: claims::Claimed,
}

/// The nodes as they were when a request came.
pub(crate) struct Directory(arc_swap::Guard<Arc<Cells>>);

impl Fleet {
    pub(crate) fn directory(&self) -> Directory {
        Directory(self.nodes.load())
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
}

impl Cell {
    /// What is on the node. Whoever looks at claims as well has to look at them first: a claim ends when the view
    /// counts its pod, never before.
    pub(crate) fn view(&self) -> arc_swap::Guard<Arc<View>> {
        self.view.load()
    }
}
