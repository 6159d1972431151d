//! The one writer of a fleet: takes changes one after the other and replaces the views they concern.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use migsaw::geometry::{Catalog, Model};
use migsaw::score::Mix;
use migsaw_kube::scheduling::{Asks, Change, Node, NodeReader, OneCopy, Pod};

use super::budgets::{Heard, Labels};
use super::outlook::{Assignments, Outlook, PlanError};
use super::view::{Holder, View};
use super::{Cell, Cells, Fleet};
use crate::decide;

/// Keeps a [`Fleet`] as the cluster is.
#[derive(Debug)]
pub struct Keeper {
    fleet: Arc<Fleet>,
    reader: NodeReader,
    nodes: HashMap<Arc<str>, Arc<Node>>,
    by_claims: BTreeSet<String>,
    pods: HashMap<Arc<str>, Whereabouts>,
    on_node: HashMap<Arc<str>, BTreeMap<Arc<str>, Holder>>,
    /// The nodes for which pods are nominated that are on none, whatever they ask for, with their priorities.
    nominated: HashMap<Arc<str>, (Arc<str>, i32)>,
    /// What pods ask for, each thing once, and how many do.
    asks: HashMap<Arc<Asks>, u64>,
    labels: OneCopy<Labels>,
    budgets: Heard,
    plan: Option<Arc<Assignments>>,
    /// How many views were shown.
    shown: u64,
    /// Places of nodes that are gone.
    free_places: Vec<usize>,
    /// Whether the outlook is another by now.
    is_outdated: bool,
    are_nodes_listed: bool,
    are_pods_listed: bool,
}

/// What is kept of a pod.
#[derive(Debug)]
struct Whereabouts {
    node: Option<Arc<str>>,
    asks: Arc<Asks>,
}

/// How much a keeper knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Nodes.
    pub nodes: usize,
    /// Pods that ask for GPUs or slices.
    pub pods: usize,
    /// Disruption budgets; `None` if they have not been listed, as where they may not be read.
    pub budgets: Option<usize>,
    /// Whether all nodes and pods have been listed.
    pub is_all: bool,
}

impl Keeper {
    /// The keeper of an empty fleet, who knows these models.
    pub fn new(catalog: &Catalog) -> Keeper {
        Keeper {
            fleet: Arc::default(),
            reader: NodeReader::new(catalog),
            nodes: HashMap::new(),
            by_claims: BTreeSet::new(),
            pods: HashMap::new(),
            on_node: HashMap::new(),
            nominated: HashMap::new(),
            asks: HashMap::new(),
            labels: OneCopy::default(),
            budgets: Heard::default(),
            plan: None,
            shown: 0,
            free_places: Vec::new(),
            is_outdated: true,
            are_nodes_listed: false,
            are_pods_listed: false,
        }
    }

    /// The fleet it keeps.
    pub fn fleet(&self) -> &Arc<Fleet> {
        &self.fleet
    }

    /// How much it knows.
    pub fn known(&self) -> Known {
        let is_all = self.are_nodes_listed && self.are_pods_listed;
        Known { nodes: self.nodes.len(), pods: self.pods.len(), budgets: self.budgets.known(), is_all }
    }

    /// Takes a change.
    ///
    /// # Errors
    /// [`PlanError`] if it is a plan that cannot be read; the plan before stays.
    pub fn apply(&mut self, change: Change) -> Result<(), PlanError> {
        match change {
            Change::Node(object) => {
                let node = self.reader.read(object);
                self.put_node(node);
            }
            Change::NodeGone(name) => self.remove_nodes(|known| known == name),
            Change::NodesAre(names) => {
                self.remove_nodes(|known| !names.contains(known));
                self.listed(|keeper| keeper.are_nodes_listed = true);
            }
            Change::Pod(pod) => self.put_pod(*pod),
            Change::PodGone(uid) => self.remove_pod(&uid),
            Change::PodsAre(uids) => {
                let known = self.pods.keys().chain(self.nominated.keys());
                let gone: BTreeSet<Arc<str>> = known.filter(|uid| !uids.contains(uid.as_ref())).cloned().collect();
                for uid in gone {
                    self.remove_pod(&uid);
                }
                self.listed(|keeper| keeper.are_pods_listed = true);
            }
            Change::Budget(budget) => self.budgets.put(*budget),
            Change::BudgetGone(key) => self.budgets.remove(&key),
            Change::BudgetsAre(keys) => self.budgets.are(&keys),
            Change::GivenByClaims(nodes) => {
                let others: Vec<String> = self.by_claims.symmetric_difference(&nodes).cloned().collect();
                self.by_claims = nodes;
                for node in others {
                    self.publish(&node);
                }
            }
            Change::Plan(text) => {
                self.plan = text.as_deref().map(Assignments::parse).transpose()?.map(Arc::new);
                self.is_outdated = true;
            }
        }
        Ok(())
    }

    /// Brings the outlook and the budgets up to date and forgets claims that ran out: to be called every now and then.
    pub fn refresh(&mut self, now: Instant) {
        self.fleet.claims.sweep(now);
        self.fleet.seen.sweep(now);
        if let Some(budgets) = self.budgets.news() {
            self.fleet.budgets.store(Some(budgets));
        }
        if !std::mem::take(&mut self.is_outdated) {
            return;
        }
        let mut mix = Mix::default();
        self.asks.iter().for_each(|(asks, pods)| mix.add(asks.profiles(), *pods));
        let models: BTreeMap<&str, &Arc<Model>> = self
            .nodes
            .values()
            .filter_map(|node| node.gpus.as_ref())
            .map(|gpus| (gpus.model.id.as_str(), &gpus.model))
            .collect();
        let outlook = Arc::new(Outlook::new(mix, self.plan.clone(), models.into_values()));
        decide::foresee(&self.fleet, &outlook);
        self.fleet.outlook.store(outlook);
    }

    fn put_node(&mut self, node: Node) {
        let name: Arc<str> = Arc::from(node.name.as_str());
        let model = |node: &Node| node.gpus.as_ref().map(|gpus| gpus.model.id.clone());
        let before = self.nodes.get(&name);
        self.is_outdated |= before.and_then(|before| model(before)) != model(&node);
        if before.is_some_and(|before| **before == node) {
            return;
        }
        self.nodes.insert(Arc::clone(&name), Arc::new(node));
        self.publish(&name);
    }

    fn remove_nodes(&mut self, is_gone: impl Fn(&str) -> bool) {
        let before = self.nodes.len();
        self.nodes.retain(|name, _| !is_gone(name));
        if self.nodes.len() < before {
            self.is_outdated = true;
            let mut cells = Cells::clone(&self.fleet.nodes.load());
            let gone = cells.extract_if(|name, _| !self.nodes.contains_key(name));
            self.free_places.extend(gone.map(|(_, cell)| cell.place));
            self.fleet.nodes.store(Arc::new(cells));
        }
    }

    fn put_pod(&mut self, pod: Pod) {
        let is_waiting = pod.node.is_none() && !pod.is_finished;
        self.nominate(&pod.uid, pod.nominated.as_deref().filter(|_| is_waiting), pod.priority);
        if pod.is_finished || pod.asks.is_nothing() {
            self.forget_pod(&pod.uid);
            return;
        }
        let uid: Arc<str> = Arc::from(pod.uid.as_str());
        let node: Option<Arc<str>> = pod.node.as_deref().map(Arc::from);
        let before = self.pods.get(&uid);
        if before.is_some_and(|before| before.node.is_some() && before.node != node) {
            self.forget_pod(&uid);
        }
        let asks = match self.pods.get(&uid) {
            Some(known) if *known.asks == pod.asks => Arc::clone(&known.asks),
            // Neither its claims end here, nor what it holds, if only for a moment.
            known => {
                if let Some(before) = known.map(|known| Arc::clone(&known.asks)) {
                    self.discount(&before);
                }
                self.count(&pod.asks)
            }
        };
        self.pods.insert(Arc::clone(&uid), Whereabouts { node: node.clone(), asks: Arc::clone(&asks) });
        let Some(node) = node else { return };
        let full = |name: &str| Arc::from(format!("{}/{name}", pod.namespace));
        let holder = Holder {
            uid: Arc::clone(&uid),
            name: full(&pod.name),
            demand: full(&pod.demand),
            asks,
            others: pod.others.map(Arc::new),
            labels: self.labels.share(pod.labels),
            priority: pod.priority,
            is_terminating: pod.is_terminating,
        };
        let holders = self.on_node.entry(Arc::clone(&node)).or_default();
        if holders.get(&uid) != Some(&holder) {
            holders.insert(Arc::clone(&uid), holder);
            self.publish(&node);
        }
        // Only now: a claim must not end before its pod counts, nor a promise.
        self.fleet.seen.note(&uid);
        self.fleet.claims.release(&uid);
    }

    /// Notes for which node a pod is nominated, if for any.
    fn nominate(&mut self, uid: &str, node: Option<&str>, priority: i32) {
        let now = node.map(|node| (Arc::<str>::from(node), priority));
        if self.nominated.get(uid) == now.as_ref() {
            return;
        }
        let before = match &now {
            Some(now) => self.nominated.insert(Arc::from(uid), now.clone()),
            None => self.nominated.remove(uid),
        };
        for (node, _) in before.iter().chain(&now) {
            self.publish(node);
        }
    }

    fn remove_pod(&mut self, uid: &str) {
        self.nominate(uid, None, 0);
        self.forget_pod(uid);
    }

    /// Forgets what a pod asks for and holds.
    fn forget_pod(&mut self, uid: &str) {
        self.fleet.claims.release(uid);
        let Some((uid, Whereabouts { node, asks })) = self.pods.remove_entry(uid) else { return };
        self.discount(&asks);
        let Some(node) = node else {
            // What it was promised nobody comes for.
            self.fleet.seen.note(&uid);
            return;
        };
        if let Some(holders) = self.on_node.get_mut(&node) {
            holders.remove(&uid);
            if holders.is_empty() {
                self.on_node.remove(&node);
            }
        }
        self.publish(&node);
    }

    /// The one copy of what a pod asks for, counted once more.
    fn count(&mut self, asks: &Asks) -> Arc<Asks> {
        self.is_outdated = true;
        let asks = self.asks.get_key_value(asks).map_or_else(|| Arc::new(asks.clone()), |(known, _)| Arc::clone(known));
        *self.asks.entry(Arc::clone(&asks)).or_default() += 1;
        asks
    }

    fn discount(&mut self, asks: &Asks) {
        self.is_outdated = true;
        if let Some(count) = self.asks.get_mut(asks) {
            *count -= 1;
            if *count == 0 {
                self.asks.remove(asks);
            }
        }
    }

    fn view(&self, name: &str) -> Option<View> {
        let node = Arc::clone(self.nodes.get(name)?);
        let holders: Vec<Holder> = self.on_node.get(name).map(|on| on.values().cloned().collect()).unwrap_or_default();
        let nominated = self.nominated.iter().filter(|(_, (node, _))| node.as_ref() == name);
        let nominated = nominated.map(|(uid, (_, priority))| (Arc::clone(uid), *priority)).collect();
        let mut view = View::new(node, holders.into(), self.by_claims.contains(name));
        view.nominated = Arc::new(nominated);
        Some(view)
    }

    /// Shows all nodes once all nodes and pods have been listed: before, what is held would count as free.
    fn listed(&mut self, note: impl FnOnce(&mut Keeper)) {
        let was_all = self.known().is_all;
        note(self);
        if !was_all && self.known().is_all {
            self.publish_all();
        }
    }

    /// Shows a node as it is now, once all nodes and pods have been listed.
    fn publish(&mut self, name: &str) {
        let Some(view) = self.view(name).filter(|_| self.known().is_all) else { return };
        self.shown += 1;
        let cells = self.fleet.nodes.load_full();
        if let Some(cell) = cells.get(name) {
            cell.show(view, self.shown);
            return;
        }
        // Without a free place, the nodes have the first ones.
        let place = self.free_places.pop().unwrap_or(cells.len());
        let mut more = Cells::clone(&cells);
        more.insert(Arc::from(name), Arc::new(Cell::new(place, view, self.shown)));
        self.fleet.nodes.store(Arc::new(more));
    }

    fn publish_all(&mut self) {
        let views: Vec<(Arc<str>, View)> =
            self.nodes.keys().filter_map(|name| Some((Arc::clone(name), self.view(name)?))).collect();
        let mut cells = Cells::default();
        for (place, (name, view)) in views.into_iter().enumerate() {
            self.shown += 1;
            cells.insert(name, Arc::new(Cell::new(place, view, self.shown)));
        }
        self.free_places.clear();
        self.fleet.nodes.store(Arc::new(cells));
        self.fleet.is_listed.store(true, Ordering::Release);
    }
}
