//! What was found of each node for pods that ask alike, kept for as long as the node stays as it is.
//!
//! Pods come in classes: replicas ask for the same. What is found of a node for one of them holds for the next, until
//! the node's view is another. Every view that is shown has a version of its own, so an entry is good exactly if it has
//! its cell's version; nothing has to be thrown away when something changes.
//!
//! A table is read as it is and never written: what a request finds on the way makes a new one that replaces it. Of two
//! requests that do so at once one is in vain. It costs time, and nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;

use super::{Cell, View};

/// The most classes that are remembered.
const MOST_TABLES: usize = 32;
/// The most that are found beforehand: with those that are there no more than are remembered.
const MOST_FORESEEN: usize = MOST_TABLES / 2;
/// A table is replaced when at least one of so many of its entries is new: replacing it costs a copy.
const WORTH_A_COPY: usize = 64;

/// What was found (`T`) for each class (`K`), node by node.
#[derive(Debug)]
pub(crate) struct Memo<K, T> {
    /// The one that was replaced longest ago goes first.
    tables: ArcSwap<Vec<Arc<Table<K, T>>>>,
}

/// What was found for one class.
#[derive(Debug)]
struct Table<K, T> {
    class: Arc<K>,
    /// Whether a request has asked for it.
    is_asked: AtomicBool,
    /// By the cells' places.
    entries: Vec<Option<Entry<T>>>,
}

#[derive(Debug, Clone, Copy)]
struct Entry<T> {
    version: u64,
    found: T,
}

/// A class's table in the hands of one request.
pub(crate) struct Recall<'m, K, T> {
    memo: &'m Memo<K, T>,
    table: Arc<Table<K, T>>,
    /// What the table does not have, with the cell's place.
    new: Vec<(usize, Entry<T>)>,
}

impl<K, T> Default for Memo<K, T> {
    fn default() -> Memo<K, T> {
        Memo { tables: ArcSwap::default() }
    }
}

impl<K: Clone + PartialEq, T: Copy> Memo<K, T> {
    /// What is remembered for a class, for a request.
    pub(crate) fn recall(&self, class: &K) -> Recall<'_, K, T> {
        let recall = self.foresee(class);
        recall.table.is_asked.store(true, Ordering::Relaxed);
        recall
    }

    /// The same before any request asks.
    pub(crate) fn foresee(&self, class: &K) -> Recall<'_, K, T> {
        let known = self.tables.load().iter().find(|table| *table.class == *class).cloned();
        let unknown =
            || Table { class: Arc::new(class.clone()), is_asked: AtomicBool::new(false), entries: Vec::new() };
        Recall { memo: self, table: known.unwrap_or_else(|| Arc::new(unknown())), new: Vec::new() }
    }

    /// Of the classes that requests have asked for those that changed last, as many as can be foreseen.
    pub(crate) fn asked(&self, which: impl Fn(&K) -> bool) -> Vec<Arc<K>> {
        let tables = self.tables.load();
        let asked = tables.iter().rev().filter(|table| table.is_asked.load(Ordering::Relaxed) && which(&table.class));
        asked.take(MOST_FORESEEN).map(|table| Arc::clone(&table.class)).collect()
    }

    fn replace(&self, table: Table<K, T>) {
        let table = Arc::new(table);
        self.tables.rcu(|tables| {
            let others = tables.iter().filter(|other| *other.class != *table.class);
            let mut tables: Vec<_> = others.chain([&table]).cloned().collect();
            tables.drain(..tables.len().saturating_sub(MOST_TABLES));
            tables
        });
    }
}

impl<K: Clone + PartialEq, T: Copy> Recall<'_, K, T> {
    /// What was found of a node, or is `find` of its view now.
    pub(crate) fn of(&mut self, cell: &Cell, find: impl FnOnce(&View) -> T) -> T {
        // Before the view: what is found of a later one must not count for it once that has its own version.
        let version = cell.version();
        if let Some(Some(entry)) = self.table.entries.get(cell.place)
            && entry.version == version
        {
            return entry.found;
        }
        let found = find(&cell.view());
        self.new.push((cell.place, Entry { version, found }));
        found
    }

    /// Remembers what was found, if it is much.
    pub(crate) fn keep(self) {
        if self.new.len() * WORTH_A_COPY <= self.table.entries.len() {
            return;
        }
        let mut entries = self.table.entries.clone();
        for (place, entry) in self.new {
            if entries.len() <= place {
                entries.resize(place + 1, None);
            }
            entries[place] = Some(entry);
        }
        let is_asked = AtomicBool::new(self.table.is_asked.load(Ordering::Relaxed));
        self.memo.replace(Table { class: Arc::clone(&self.table.class), is_asked, entries });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use migsaw::geometry::Catalog;
    use migsaw_kube::scheduling::NodeReader;

    use super::*;

    fn view() -> View {
        let object = serde_json::from_str(r#"{"metadata": {"name": "a"}}"#).expect("a node");
        View::new(Arc::new(NodeReader::new(&Catalog::builtin()).read(object)), Arc::default(), false)
    }

    fn found(memo: &Memo<&str, u32>, class: &'static str, cells: &[Cell], now: u32) -> Vec<u32> {
        let mut recall = memo.recall(&class);
        let found = cells.iter().map(|cell| recall.of(cell, |_| now)).collect();
        recall.keep();
        found
    }

    #[test]
    fn what_was_found_holds_until_the_view_is_another() {
        let memo = Memo::default();
        let cells: Vec<Cell> = (0..3).map(|place| Cell::new(place, view(), 1 + place as u64)).collect();
        assert_eq!(found(&memo, "a", &cells, 7), [7, 7, 7]);
        assert_eq!(found(&memo, "a", &cells, 8), [7, 7, 7]);
        assert_eq!(found(&memo, "b", &cells, 8), [8, 8, 8], "another class");
        cells[1].show(view(), 9);
        assert_eq!(found(&memo, "a", &cells, 9), [7, 9, 7]);
        assert_eq!(found(&memo, "a", &cells, 10), [7, 9, 7]);
        // Another node in the same place.
        assert_eq!(found(&memo, "a", &[Cell::new(0, view(), 10)], 11), [11]);
    }

    #[test]
    fn what_no_request_asked_for_is_not_found_beforehand_again() {
        let memo: Memo<usize, usize> = Memo::default();
        let cell = Cell::new(0, view(), 1);
        let foresee = |class| {
            let mut recall = memo.foresee(&class);
            recall.of(&cell, |_| 0);
            recall.keep();
        };
        (0..3).for_each(foresee);
        assert_eq!(memo.asked(|_| true), []);
        memo.recall(&1).keep();
        assert_eq!(memo.asked(|_| true), [Arc::new(1)]);
        foresee(1);
        assert_eq!(memo.asked(|_| true), [Arc::new(1)], "asked for before");
        assert_eq!(memo.asked(|class| *class != 1), []);
    }

    #[test]
    fn the_class_that_changed_longest_ago_is_forgotten() {
        let memo: Memo<usize, usize> = Memo::default();
        let cell = Cell::new(0, view(), 1);
        let mut found = BTreeMap::new();
        for class in (0..=MOST_TABLES).chain([0, MOST_TABLES]) {
            let mut recall = memo.recall(&class);
            let was_known = recall.of(&cell, |_| usize::MAX);
            found.insert(class, was_known);
            recall.keep();
        }
        assert_eq!(memo.tables.load().len(), MOST_TABLES);
        assert!(memo.recall(&0).of(&cell, |_| 1) == usize::MAX, "asked for again after it was forgotten");
        assert_eq!(memo.recall(&1).of(&cell, |_| 1), 1, "forgotten for it");
        assert_eq!(found.len(), MOST_TABLES + 1);
    }
}
