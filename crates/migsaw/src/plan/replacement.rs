//! Which kinds of instances units need not use.
//!
//! Where an instance of one profile fits wherever an instance of another does, on every GPU of a pool,
//! units that accept both can use the first: exchanging the instances leaves all others in place, and as
//! much to spare. So totals over a pool's nodes need no variable for the other, which leaves most
//! "at least" demands with one kind a model. For equal nodes that does not hold: what a unit uses decides
//! how its node is cut, and thereby how many different configurations there are.

use super::cell::Cell;
use super::compile::Kind;
use super::formulation::Undecided;
use crate::fleet::Strategy;

/// What can replace what on the boards of a cell.
pub(super) struct Replacements {
    /// By board, profile, and what would replace it.
    boards: Vec<Vec<Vec<bool>>>,
}

impl Replacements {
    /// Nothing replaces anything.
    pub(super) fn none() -> Replacements {
        Replacements { boards: Vec::new() }
    }

    /// `undecided` are GPUs besides, by board.
    pub(super) fn of(cell: &Cell, undecided: &[Undecided]) -> Replacements {
        if !cell.is_pooled || cell.strategy == Strategy::Single {
            return Replacements::none();
        }
        let nothing = Undecided::default();
        let boards = cell.boards.iter().enumerate().map(|(board, stock)| {
            let undecided = undecided.get(board).unwrap_or(&nothing);
            let by = |profile| {
                let profiles = stock.model.profile_ids();
                profiles.map(move |(by, _)| stock.can_replace(profile, by, undecided)).collect()
            };
            stock.model.profile_ids().map(|(profile, _)| by(profile)).collect()
        });
        Replacements { boards: boards.collect() }
    }

    /// The kinds of which no other replaces them.
    pub(super) fn needed(&self, kinds: &[Kind]) -> Vec<Kind> {
        let replaces = |by: &Kind, kind: &Kind| {
            let board = self.boards.get(kind.board).filter(|_| by.board == kind.board);
            board.is_some_and(|board| board[kind.profile.index()][by.profile.index()])
        };
        let mut needed: Vec<Kind> = Vec::new();
        for kind in kinds {
            if !needed.iter().any(|by| replaces(by, kind)) {
                needed.retain(|other| !replaces(kind, other));
                needed.push(*kind);
            }
        }
        needed
    }
}
