//! What many pods have alike, in one copy.

use std::borrow::Borrow;
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

/// Values that many have, each in one copy. Those that nobody has any more are dropped as it grows.
#[derive(Debug)]
pub struct OneCopy<T: ?Sized> {
    known: BTreeSet<Arc<T>>,
    /// How many there may be before those that nobody has any more are dropped.
    most: usize,
}

impl<T: ?Sized> Default for OneCopy<T> {
    fn default() -> OneCopy<T> {
        OneCopy { known: BTreeSet::new(), most: 0 }
    }
}

impl<T: Ord + ?Sized> OneCopy<T> {
    /// The copy of a value that is known, or this one from now on.
    pub fn share<V: Borrow<T> + Into<Arc<T>>>(&mut self, value: V) -> Arc<T> {
        if let Some(known) = self.get(value.borrow()) {
            return Arc::clone(known);
        }
        if self.known.len() >= self.most {
            self.known.retain(|value| Arc::strong_count(value) > 1);
            self.most = (2 * self.known.len()).max(1024);
        }
        let value = value.into();
        self.known.insert(Arc::clone(&value));
        value
    }

    /// The copy of a value, if it is known.
    pub(super) fn get(&self, value: &T) -> Option<&Arc<T>> {
        self.known.get(value)
    }
}

/// The one copy of each value.
#[derive(Debug, Default)]
pub(super) struct Shared {
    texts: OneCopy<str>,
    resources: OneCopy<BTreeMap<String, u64>>,
}

impl Shared {
    pub(super) fn text(&mut self, text: &str) -> Arc<str> {
        self.texts.share(text)
    }

    pub(super) fn labels(&mut self, labels: Labels) -> Labels {
        Labels(self.texts.share(labels.0))
    }

    pub(super) fn resources(&mut self, resources: Arc<BTreeMap<String, u64>>) -> Arc<BTreeMap<String, u64>> {
        self.resources.share(resources)
    }
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
    fn equal_values_are_one_and_dropped_when_nobody_has_them() {
        let mut texts = OneCopy::<str>::default();
        let kept = texts.share("kept");
        for i in 0..5000 {
            texts.share(i.to_string());
        }
        assert!(Arc::ptr_eq(&kept, &texts.share("kept")));
        assert!(!Arc::ptr_eq(&kept, &texts.share("another")));
        assert!(texts.known.len() <= 1025, "{}", texts.known.len());
    }
}
