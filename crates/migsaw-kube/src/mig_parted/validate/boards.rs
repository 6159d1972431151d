//! The boards an entry's rules may meet, told apart as far as its device filters do.

use std::collections::BTreeSet;
use std::sync::Arc;

use migsaw::geometry::{Catalog, Model};

use crate::mig_parted::config::Rule;
use crate::mig_parted::device_filter::{BoardId, DeviceFilter};

/// What the device filter of each rule asks for; `None` for a rule without one.
pub(super) struct Filters(Vec<Option<Vec<BoardId>>>);

/// Boards of one model that the same rules are about.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Board {
    /// Position of the model among those considered.
    pub(super) model: usize,
    /// The rules that let it through, by index.
    pub(super) rules: Vec<usize>,
}

impl Filters {
    pub(super) fn of(rules: &[Rule]) -> Filters {
        let asked = |rule: &Rule| rule.device_filter.iter().filter_map(DeviceFilter::id).collect();
        Filters(rules.iter().map(|rule| (!rule.device_filter.is_empty()).then(|| asked(rule))).collect())
    }

    /// Whether a rule names the boards it is for.
    pub(super) fn names_boards(&self, rule: usize) -> bool {
        self.0[rule].is_some()
    }

    /// Every board a filter names, each once.
    pub(super) fn named(&self) -> BTreeSet<BoardId> {
        self.0.iter().flatten().flatten().copied().collect()
    }

    /// The rules that let a board through.
    pub(super) fn admitting(&self, board: BoardId) -> Vec<usize> {
        self.rules(|asked| asked.iter().any(|id| id.admits(board)))
    }

    /// The rules without a filter, which let every board through.
    pub(super) fn open(&self) -> Vec<usize> {
        self.rules(|_| false)
    }

    fn rules(&self, admits: impl Fn(&[BoardId]) -> bool) -> Vec<usize> {
        let admitting = self.0.iter().enumerate().filter(|(_, asked)| asked.as_deref().is_none_or(&admits));
        admitting.map(|(rule, _)| rule).collect()
    }

    /// The boards of these models that some rule is about.
    pub(super) fn boards(&self, models: &[Arc<Model>], catalog: &Catalog) -> BTreeSet<Board> {
        let with_subsystem: Vec<BoardId> = self.named().into_iter().filter(|id| id.has_subsystem()).collect();
        let mut boards = BTreeSet::new();
        for (position, model) in models.iter().enumerate() {
            let mut add = |rules: Vec<usize>| boards.insert(Board { model: position, rules });
            let known: Vec<BoardId> =
                model.pci_devices.iter().filter_map(|device| DeviceFilter(device.filter.clone()).id()).collect();
            if known.is_empty() {
                add(self.open());
            }
            for &device in &known {
                add(self.admitting(device));
                let of_device = with_subsystem.iter().filter(|board| device.admits(**board));
                for &board in of_device.filter(|board| is_of(catalog, **board, model)) {
                    add(self.admitting(board));
                }
            }
        }
        boards.retain(|board| !board.rules.is_empty());
        boards
    }
}

/// Whether a board is this model, and not another one that differs by its subsystem.
fn is_of(catalog: &Catalog, board: BoardId, model: &Model) -> bool {
    match catalog.by_device_filter(&board.to_string()) {
        Some(Ok(found)) => found.id == model.id,
        Some(Err(_)) => false,
        None => true,
    }
}
