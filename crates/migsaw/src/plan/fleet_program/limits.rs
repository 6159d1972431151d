//! What is used is at most what is there.

use super::{CellBuilder, Use};
use crate::geometry::Counts;
use crate::plan::formulation::Column;
use crate::plan::program::Sum;

impl CellBuilder<'_> {
    /// Instances used of each kind are at most those there, over all copies of a member.
    pub(super) fn limit_by_instances(
        &mut self,
        uses: &[Use],
        weight: i64,
        bundles: &[Vec<Counts>],
        there: impl Fn(usize, usize) -> Sum,
    ) {
        for (board, stock) in self.cell.boards.iter().enumerate() {
            for profile in 0..stock.model.profiles.len() {
                let mut sum = Sum::new();
                for u in uses {
                    for (_, used) in u.kinds().filter(|(k, _)| k.board == board && k.profile.index() == profile) {
                        sum += &used.times(u.factor(weight));
                    }
                    if let Some((_, index)) = u.bundle.filter(|bundle| bundle.0 == board) {
                        let each = bundles[board][index].iter().find(|(id, _)| id.index() == profile);
                        sum += &u.units.times(weight * each.map_or(0, |(_, n)| i64::from(n)));
                    }
                }
                if !sum.is_empty() {
                    sum += &there(board, profile).times(-weight);
                    self.program.at_most(sum, 0);
                }
            }
        }
    }

    /// Units that share a GPU are at most the bundles put together on it.
    pub(super) fn limit_by_bundles<'c>(
        &mut self,
        uses: &[Use],
        bundles: &[Vec<Counts>],
        columns: impl Fn(usize) -> Vec<&'c Column>,
    ) {
        for (board, list) in bundles.iter().enumerate() {
            for (index, bundle) in list.iter().enumerate() {
                let mut sum = Sum::new();
                for u in uses.iter().filter(|u| u.bundle == Some((board, index))) {
                    sum += &u.units;
                }
                for column in columns(board) {
                    sum.add_term(column.var, -i64::from(column.bundles[index]));
                }
                // Whether a running unit is in the way is left to the plan.
                for (counts, gpus) in self.undecided.boards.get(board).into_iter().flat_map(|board| &board.fixed) {
                    let times = bundle.iter().map(|(id, n)| counts[id] / n).min().unwrap_or(0);
                    sum += &gpus.times(-i64::from(times));
                }
                self.program.at_most(sum, 0);
            }
        }
    }
}
