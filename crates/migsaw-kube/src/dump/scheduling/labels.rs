//! The labels of many nodes, with little memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use migsaw::demand::NodeSelector;

use super::super::constraints::NODE_NAME;

/// A node's labels, and its name under `metadata.name`. Keys and values that many nodes have are there once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeLabels(Box<[(Arc<str>, Arc<str>)]>);

impl NodeLabels {
    pub(super) fn of(name: &str, labels: &BTreeMap<String, String>, texts: &mut Texts) -> NodeLabels {
        let own = (texts.share(NODE_NAME), Arc::from(name));
        let shared = labels.iter().map(|(key, value)| (texts.share(key), texts.share(value)));
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

/// Texts that are there once.
#[derive(Debug, Default)]
pub(super) struct Texts {
    known: std::collections::HashSet<Arc<str>>,
    /// How many there may be before those that nobody has any more are dropped.
    most: usize,
}

impl Texts {
    pub(super) fn share(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.known.get(text) {
            return Arc::clone(known);
        }
        if self.known.len() >= self.most {
            self.known.retain(|text| Arc::strong_count(text) > 1);
            self.most = (2 * self.known.len()).max(1024);
        }
        let text: Arc<str> = Arc::from(text);
        self.known.insert(Arc::clone(&text));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_there_once_and_dropped_when_nobody_has_them() {
        let mut texts = Texts::default();
        let kept = texts.share("kept");
        for i in 0..5000 {
            texts.share(&i.to_string());
        }
        assert!(Arc::ptr_eq(&kept, &texts.share("kept")));
        assert!(texts.known.len() <= 1025, "{}", texts.known.len());
    }
}
