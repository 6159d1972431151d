//! The nodes and pods of a watch, as a planning problem.
//!
//! What a plan needs of nodes and pods beyond what a scheduler looks at comes with the same changes, so nobody has to
//! list them again: [`Site::now`] is a copy of pointers, and [`Seen::problem`] says of them just what
//! [`read_dump`](crate::dump::read_dump) says of a dump of the same nodes and pods with
//! [`DumpOptions::running`]. What a watch of nodes and pods does not have is missing here too: `ConfigMap`s (a node's
//! cut is then what it offers, or an entry that the operator ships), workloads beyond their pods, disruption budgets,
//! and what NVIDIA's DRA driver gave out, so nodes of that driver and pods with claims are left out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use migsaw::geometry::Catalog;
use migsaw::problem::Problem;

use super::super::collect::{self, Asking, Collection};
use super::super::shared::OneCopy;
use super::super::{DumpOptions, translate};
use super::labels::NodeLabels;
use super::{Change, NodeObject, Pod};

/// The nodes with GPUs, and the pods that ask for some, as the changes of a watch tell them.
#[derive(Debug, Default)]
pub struct Site {
    nodes: BTreeMap<String, Arc<Node>>,
    /// By UID.
    pods: BTreeMap<String, Arc<collect::Pod>>,
    by_claims: BTreeSet<String>,
    are_nodes_listed: bool,
    are_pods_listed: bool,
    changes: u64,
    texts: OneCopy<str>,
    asking: OneCopy<Asking>,
}

/// A node; its labels are where many nodes share theirs.
#[derive(Debug, PartialEq, Eq)]
struct Node {
    labels: NodeLabels,
    rest: collect::Node,
}

/// Nodes and pods at one moment.
#[derive(Debug, Clone)]
pub struct Seen {
    nodes: Vec<Arc<Node>>,
    pods: Vec<Arc<collect::Pod>>,
    /// Rises with every change that made a difference: the same number stands for the same problem.
    pub changes: u64,
}

impl Site {
    /// Takes a change.
    pub fn take(&mut self, change: &Change) {
        let before = (self.are_nodes_listed, self.are_pods_listed);
        let differs = match change {
            Change::Node(object) => self.put_node(object),
            Change::NodeGone(name) => self.nodes.remove(name).is_some(),
            Change::NodesAre(names) => {
                self.are_nodes_listed = true;
                let before = self.nodes.len();
                self.nodes.retain(|name, _| names.contains(name));
                self.nodes.len() < before
            }
            Change::Pod(pod) => self.put_pod(pod),
            Change::PodGone(uid) => self.pods.remove(uid).is_some(),
            Change::PodsAre(uids) => {
                self.are_pods_listed = true;
                let before = self.pods.len();
                self.pods.retain(|uid, _| uids.contains(uid));
                self.pods.len() < before
            }
            Change::GivenByClaims(nodes) => {
                let differs = self.by_claims != *nodes;
                self.by_claims.clone_from(nodes);
                differs
            }
            Change::Budget(_) | Change::BudgetGone(_) | Change::BudgetsAre(_) | Change::Plan(_) => false,
        };
        self.changes += u64::from(differs || before != (self.are_nodes_listed, self.are_pods_listed));
    }

    /// What is known now; `None` before all nodes and pods have been listed.
    pub fn now(&self) -> Option<Seen> {
        let is_ours = |node: &&Arc<Node>| !self.by_claims.contains(&node.rest.name);
        (self.are_nodes_listed && self.are_pods_listed).then(|| Seen {
            nodes: self.nodes.values().filter(is_ours).map(Arc::clone).collect(),
            pods: self.pods.values().map(Arc::clone).collect(),
            changes: self.changes,
        })
    }

    fn put_node(&mut self, object: &NodeObject) -> bool {
        let node = &object.node;
        let has_gpus = !node.capacity.is_empty() || node.labels.keys().any(|key| key.starts_with("nvidia.com/"));
        if !has_gpus {
            return self.nodes.remove(&node.name).is_some();
        }
        let labels = NodeLabels::of(&node.name, &node.labels, &mut self.texts);
        let new = Node { labels, rest: collect::Node { labels: BTreeMap::new(), ..node.clone() } };
        if self.nodes.get(&node.name).is_some_and(|known| **known == new) {
            return false;
        }
        self.nodes.insert(node.name.clone(), Arc::new(new));
        true
    }

    fn put_pod(&mut self, pod: &Pod) -> bool {
        // As in a dump: what has ended holds nothing, and what is about to go is as good as gone.
        let Some(planned) = pod.planned.as_ref().filter(|_| !pod.is_finished && !pod.is_terminating) else {
            return self.pods.remove(&pod.uid).is_some();
        };
        let new = planned.on(pod.node.as_deref());
        if self.pods.get(&pod.uid).is_some_and(|known| **known == new) {
            return false;
        }
        let asking = self.asking.share(Arc::clone(&new.asking));
        self.pods.insert(pod.uid.clone(), Arc::new(collect::Pod { asking, ..new }));
        true
    }
}

impl Seen {
    /// The problem: these nodes, the pods that run on them, and those that wait. Pods on nodes that take none, or
    /// that are not known, neither run here nor wait.
    pub fn problem(&self, catalog: &Catalog) -> Problem {
        let mut found = Collection::default();
        found.nodes = self.nodes.iter().map(|node| node.whole()).collect();
        let takes_pods = |node: &&Arc<Node>| !node.rest.cordoned && node.rest.ready;
        let open: BTreeSet<&str> = self.nodes.iter().filter(takes_pods).map(|node| node.rest.name.as_str()).collect();
        let counts = |pod: &&Arc<collect::Pod>| pod.node.as_deref().is_none_or(|node| open.contains(node));
        found.pods = self.pods.iter().filter(counts).map(|pod| collect::Pod::clone(pod)).collect();
        translate(found, catalog, &DumpOptions { running: true, ..DumpOptions::default() }).problem
    }
}

impl Node {
    fn whole(&self) -> collect::Node {
        collect::Node { labels: self.labels.to_map(), ..self.rest.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{Source, read_dump};
    use super::*;

    /// The nodes and pods of a dump, one by one.
    fn items(text: &str) -> Vec<serde_json::Value> {
        let dump: serde_json::Value = serde_json::from_str(text).unwrap();
        let all = dump["items"].as_array().unwrap().iter();
        all.filter(|item| ["Node", "Pod"].contains(&item["kind"].as_str().unwrap())).cloned().collect()
    }

    fn change(item: &serde_json::Value) -> Change {
        if item["kind"] == "Node" {
            Change::Node(serde_json::from_value(item.clone()).unwrap())
        } else {
            Change::Pod(serde_json::from_value(item.clone()).unwrap())
        }
    }

    fn names(items: &[serde_json::Value], kind: &str, field: &str) -> std::collections::HashSet<String> {
        let of_kind = items.iter().filter(|item| item["kind"] == kind);
        of_kind.map(|item| item["metadata"][field].as_str().unwrap_or_default().to_owned()).collect()
    }

    fn listed(items: &[serde_json::Value]) -> Site {
        let mut site = Site::default();
        for item in items {
            site.take(&change(item));
        }
        assert!(site.now().is_none(), "what is not known yet would count as free");
        site.take(&Change::NodesAre(names(items, "Node", "name")));
        site.take(&Change::PodsAre(names(items, "Pod", "uid")));
        site
    }

    /// What a dump of these says.
    fn dumped(items: &[serde_json::Value]) -> Problem {
        let text = serde_json::json!({"kind": "List", "apiVersion": "v1", "items": items}).to_string();
        let source = Source { name: "dump", bytes: text.as_bytes(), optional: false };
        let options = DumpOptions { running: true, ..DumpOptions::default() };
        read_dump(&[source], &Catalog::builtin(), &options).unwrap().problem
    }

    fn with_uids(mut items: Vec<serde_json::Value>) -> Vec<serde_json::Value> {
        for (number, item) in items.iter_mut().enumerate() {
            item["metadata"]["uid"] = serde_json::json!(format!("u{number}"));
        }
        items
    }

    #[test]
    fn what_is_watched_is_the_problem_that_a_dump_gives() {
        let files =
            [include_str!("../../../../../examples/dump.json"), include_str!("../../../tests/data/cluster.json")];
        for text in files {
            let mut items = with_uids(items(text));
            for pod in items.iter_mut().filter(|item| item["kind"] == "Pod").step_by(2) {
                pod["metadata"]["annotations"]["migsaw.io/together"] = serde_json::json!("gpu");
            }
            let closed: Vec<&serde_json::Value> = items
                .iter()
                .filter(|item| item["spec"]["unschedulable"] == true)
                .map(|item| &item["metadata"]["name"])
                .collect();
            let on_open = |item: &&serde_json::Value| !closed.contains(&&item["spec"]["nodeName"]);
            let expected: Vec<serde_json::Value> = items.iter().filter(on_open).cloned().collect();
            let problem = listed(&items).now().unwrap().problem(&Catalog::builtin());
            assert_eq!(problem, dumped(&expected));
            assert!(problem.is_running_known() && !problem.demands.is_empty());
        }
    }

    #[test]
    fn changes_are_followed_and_only_those_that_matter_count() {
        let items = with_uids(items(include_str!("../../../../../examples/dump.json")));
        let mut site = listed(&items);
        let before = site.now().unwrap();
        for item in &items {
            let mut again = item.clone();
            again["metadata"]["resourceVersion"] = serde_json::json!("77");
            site.take(&change(&again));
        }
        assert_eq!(site.now().unwrap().changes, before.changes, "only versions are others");
        let pod = items.iter().find(|item| item["kind"] == "Pod").unwrap();
        site.take(&Change::PodGone(pod["metadata"]["uid"].as_str().unwrap().to_owned()));
        let rest: Vec<serde_json::Value> = items.iter().filter(|item| *item != pod).cloned().collect();
        let after = site.now().unwrap();
        assert!(after.changes > before.changes);
        assert_eq!(after.problem(&Catalog::builtin()), dumped(&rest));
        let node = items.iter().find(|item| item["kind"] == "Node").unwrap()["metadata"]["name"].as_str().unwrap();
        site.take(&Change::GivenByClaims(BTreeSet::from([node.to_owned()])));
        let fleet = site.now().unwrap().problem(&Catalog::builtin()).fleet;
        let mut groups = fleet.pools.iter().flat_map(|pool| &pool.nodes);
        assert!(!groups.any(|group| (0..group.names.count()).any(|i| group.names.get(i) == node)));
    }

    #[test]
    fn what_goes_is_gone() {
        let pod = |more: &str| -> Change {
            let text = format!(
                r#"{{"metadata": {{"name": "p", "namespace": "a", "uid": "u"{more}}},
                    "spec": {{"containers": [{{"resources": {{"limits": {{"nvidia.com/mig-1g.10gb": "1"}}}}}}]}}}}"#
            );
            Change::Pod(serde_json::from_str(&text).unwrap())
        };
        let mut site = Site::default();
        site.take(&pod(""));
        assert_eq!(site.pods.len(), 1);
        site.take(&pod(r#", "deletionTimestamp": "2026-01-01T00:00:00Z""#));
        assert!(site.pods.is_empty());
    }
}
