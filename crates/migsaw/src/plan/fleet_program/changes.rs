//! How many GPUs of a cell are cut anew, and how many are no longer cut.

use super::CellBuilder;
use crate::plan::formulation::Undecided;
use crate::plan::program::{Sum, Var};

impl CellBuilder<'_> {
    /// Counts GPUs that are cut, as far as that is not counted with their nodes.
    pub(super) fn count_cut(&mut self, board: usize, cut: Var, undecided: &Undecided) {
        if undecided.unnoticed.is_empty() {
            self.cut_anew.add_term(cut, self.weight());
            self.counted.cut.insert(board, cut);
            return;
        }
        let anew = self.program.var(self.program.uppers()[cut.0]);
        self.program.at_most(Sum::of([(cut, 1), (anew, -1)]) + &undecided.unnoticed.negated(), 0);
        self.cut_anew.add_term(anew, 1);
        self.counted.cut.insert(board, anew);
        self.counted.with_nodes.insert(board, (cut, anew));
    }

    /// Counts GPUs that are cut today and then serve as a whole.
    pub(super) fn count_turned_off(&mut self, whole: &Sum) {
        if self.cell.undecided == 0 || whole.is_empty() {
            return;
        }
        let most = self.undecided.boards.iter().map(|board| board.gpus).sum();
        // GPUs of nodes that are cut anew are counted with their node, whatever becomes of them.
        let (turned_off, with_node) = (self.program.var(most), self.program.var(most));
        let quiet = self.undecided.off.clone() + &self.undecided.quiet;
        let sum = whole.clone() + &quiet.negated() + &Sum::of([(turned_off, -1), (with_node, -1)]);
        self.program.at_most(sum, self.idle_gpus() + self.off_gpus());
        let mut sum = Sum::of([(with_node, 1)]);
        for (board, &(cut, anew)) in &self.counted.with_nodes {
            sum += &Sum::of([(cut, 1), (anew, -1)]);
            sum += &self.undecided.boards[*board].unnoticed.negated();
        }
        self.program.at_most(sum, 0);
        self.cut_anew.add_term(turned_off, 1);
        self.counted.turned_off = Some(turned_off);
    }
}
