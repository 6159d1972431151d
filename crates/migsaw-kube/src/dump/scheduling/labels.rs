//! The labels of many nodes, with little memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use migsaw::demand::NodeSelector;

use super::super::constraints::NODE_NAME;
use super::super::shared::OneCopy;

/// A node's labels, and its name under `metadata.name`. Keys and values that many nodes have are there once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeLabels(Box<[(Arc<str>, Arc<str>)]>);

impl NodeLabels {
    pub(super) fn of(name: &str, labels: &BTreeMap<String, String>, texts: &mut OneCopy<str>) -> NodeLabels {
        let own = (texts.share(NODE_NAME), Arc::from(name));
        let shared = labels.iter().map(|(key, value)| (texts.share(key.as_str()), texts.share(value.as_str())));
        let mut all: Vec<(Arc<str>, Arc<str>)> = shared.chain([own]).collect();
        all.sort_unstable();
        NodeLabels(all.into())
    }

    /// All of them by key, without the name.
    pub(super) fn to_map(&self) -> BTreeMap<String, String> {
        let labels = self.0.iter().filter(|(key, _)| key.as_ref() != NODE_NAME);
        labels.map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    /// A label's value.
    pub fn get(&self, key: &str) -> Option<&str> {
        let at = self.0.binary_search_by(|(known, _)| known.as_ref().cmp(key)).ok()?;
        Some(&self.0[at].1)
    }

    /// Whether a selector accepts the node.
    pub fn are_selected_by(&self, selector: &NodeSelector) -> bool {
        let holds = |term: &Vec<migsaw::demand::LabelRequirement>| term.iter().all(|r| r.accepts(self.get(&r.key)));
        selector.terms.is_empty() || selector.terms.iter().any(holds)
    }
}
