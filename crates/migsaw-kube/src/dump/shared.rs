//! What many pods have alike, in one copy.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// A pod's labels. Few are ever looked at, so they are kept as text: a map of a few short strings takes five times the
/// memory, and pods of a `StatefulSet` have each their own.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Labels(Arc<str>);

impl Labels {
    pub(super) fn of(labels: &BTreeMap<String, String>) -> Labels {
        if labels.is_empty() {
            return Labels::default();
        }
        Labels(serde_json::to_string(labels).expect("a map of strings is JSON").into())
    }

    pub(super) fn to_map(&self) -> BTreeMap<String, String> {
        if self.0.is_empty() {
            return BTreeMap::new();
        }
        serde_json::from_str(&self.0).expect("it was made of a map of strings")
    }
}

/// The one copy of each value.
#[derive(Debug, Default)]
pub(super) struct Shared {
    texts: BTreeSet<Arc<str>>,
    labels: BTreeSet<Labels>,
    resources: BTreeSet<Arc<BTreeMap<String, u64>>>,
}

impl Shared {
    pub(super) fn text(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        let text: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&text));
        text
    }

    pub(super) fn labels(&mut self, labels: Labels) -> Labels {
        if let Some(known) = self.labels.get(&labels) {
            return known.clone();
        }
        self.labels.insert(labels.clone());
        labels
    }

    pub(super) fn resources(&mut self, resources: Arc<BTreeMap<String, u64>>) -> Arc<BTreeMap<String, u64>> {
        one_copy(&mut self.resources, resources)
    }
}

/// The copy of a value that is known, or this one from now on.
pub(super) fn one_copy<T: Ord>(known: &mut BTreeSet<Arc<T>>, value: Arc<T>) -> Arc<T> {
    if let Some(known) = known.get(&value) {
        return Arc::clone(known);
    }
    known.insert(Arc::clone(&value));
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_come_back_as_they_were() {
        for labels in [&[][..], &[("", "")], &[("app", "llm"), ("a\"b", "\u{0}\\é"), ("z", "")]] {
            let map: BTreeMap<String, String> = labels.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
            assert_eq!(Labels::of(&map).to_map(), map);
        }
    }

    #[test]
    fn equal_values_are_one() {
        let mut shared = Shared::default();
        assert!(Arc::ptr_eq(&shared.text("n1"), &shared.text("n1")));
        assert!(!Arc::ptr_eq(&shared.text("n1"), &shared.text("n2")));
        let labels = || Labels::of(&BTreeMap::from([("app".to_owned(), "llm".to_owned())]));
        assert!(Arc::ptr_eq(&shared.labels(labels()).0, &shared.labels(labels()).0));
        let resources = || Arc::new(BTreeMap::from([("nvidia.com/gpu".to_owned(), 1)]));
        assert!(Arc::ptr_eq(&shared.resources(resources()), &shared.resources(resources())));
    }
}
