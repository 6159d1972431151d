//! What is still to be given to GPUs.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::GpuBuild;
use crate::geometry::Counts;
use crate::plan::cell::{Capabilities, Cell, Part};
use crate::plan::compile::PoolShape;
use crate::plan::decision::Gpu;
use crate::plan::peel::Piece;

/// The GPUs of a board in one state.
pub(super) type Stock = (usize, Part);

/// What is still to be given to GPUs, the next at the end, with how many GPUs get it.
pub(super) struct Queues {
    pub(super) by_stock: BTreeMap<Stock, Vec<(GpuBuild, i64)>>,
}

impl Queues {
    pub(super) fn new(pieces: &[Vec<Piece>], bundles: &[Vec<Counts>]) -> Queues {
        let mut by_stock: BTreeMap<_, Vec<(GpuBuild, i64)>> = BTreeMap::new();
        for (board, pieces) in pieces.iter().enumerate() {
            for piece in pieces.iter().filter(|piece| piece.gpus > 0 && !piece.added.is_empty()).rev() {
                let together = bundles.get(board).into_iter().flatten().zip(&piece.bundles);
                let bundles = together.flat_map(|(bundle, &n)| std::iter::repeat_n(*bundle, usize::from(n))).collect();
                let build = GpuBuild { added: piece.added, bundles };
                by_stock.entry((board, piece.part)).or_default().push((build, piece.gpus));
            }
        }
        Queues { by_stock }
    }

    /// The queue each GPU of a node of this class draws from; `None` for one in use as a whole.
    pub(super) fn sources(
        shape: &PoolShape,
        cell: &Cell,
        class: usize,
        capabilities: &mut Capabilities,
    ) -> Option<Vec<Option<Stock>>> {
        let states = shape.classes[class].state.iter().zip(&shape.board_of);
        let source = |(state, &board): (&Gpu, &usize)| match state {
            Gpu::Taken => Some(None),
            Gpu::Off => Some(Some((board, Part::Off))),
            Gpu::Idle => Some(Some((board, Part::Idle))),
            Gpu::Fixed { free, .. } => {
                let index = cell.boards[board].fixed.iter().position(|(known, _)| known == free)?;
                Some(Some((board, Part::Fixed(index))))
            }
            Gpu::Pinned(layout) => {
                let stock = &cell.boards[board];
                let capability = capabilities.beside(&stock.model, layout);
                let index = stock
                    .pinned
                    .iter()
                    .position(|(known, _)| Arc::ptr_eq(known, &capability) || *known == capability)?;
                Some(Some((board, Part::Pinned(index))))
            }
        };
        states.map(source).collect()
    }

    /// One node's GPUs, each the next of its queue.
    pub(super) fn fill(
        &mut self,
        shape: &PoolShape,
        cell: &Cell,
        class: usize,
        capabilities: &mut Capabilities,
    ) -> Option<Vec<GpuBuild>> {
        let sources = Queues::sources(shape, cell, class, capabilities)?;
        let mut next = |key| {
            let build = self.at(key, 0).cloned();
            self.skip(key, 1);
            build
        };
        Some(sources.iter().map(|source| source.and_then(&mut next).unwrap_or_default()).collect())
    }

    /// The next of a queue, and how often it is there.
    pub(super) fn front(&self, key: Stock) -> Option<(&GpuBuild, i64)> {
        self.by_stock.get(&key)?.last().map(|(build, left)| (build, *left))
    }

    /// What the `n`-th GPU from now on would get.
    pub(super) fn at(&self, key: Stock, mut n: i64) -> Option<&GpuBuild> {
        for (build, left) in self.by_stock.get(&key)?.iter().rev() {
            if n < *left {
                return Some(build);
            }
            n -= left;
        }
        None
    }

    pub(super) fn skip(&mut self, key: Stock, mut gpus: i64) {
        while gpus > 0 {
            let Some(queue) = self.by_stock.get_mut(&key) else { return };
            let Some((_, left)) = queue.last_mut() else { return };
            let n = gpus.min(*left);
            *left -= n;
            gpus -= n;
            if *left == 0 {
                queue.pop();
            }
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_stock.values().all(Vec::is_empty)
    }
}

/// Idle GPUs of the nodes to come, by board.
pub(super) struct IdleGpus(Vec<i64>);

impl IdleGpus {
    pub(super) fn of_cell(cell: &Cell) -> IdleGpus {
        IdleGpus(cell.boards.iter().map(|stock| stock.idle).collect())
    }

    /// Those of a board that are not going to be cut.
    pub(super) fn of(&self, board: usize, queues: &Queues) -> i64 {
        let cut: i64 = queues.by_stock.get(&(board, Part::Idle)).into_iter().flatten().map(|(_, gpus)| gpus).sum();
        (self.0[board] - cut).max(0)
    }

    /// Those of one node, by board, the board with most to spare first.
    pub(super) fn on_node(&self, sources: &[Option<Stock>], queues: &Queues) -> Vec<(usize, i64)> {
        let mut on_node: BTreeMap<usize, i64> = BTreeMap::new();
        let idle = sources.iter().flatten().filter(|(_, part)| *part == Part::Idle);
        idle.for_each(|(board, _)| *on_node.entry(*board).or_insert(0) += 1);
        let mut spare: Vec<(usize, i64)> =
            on_node.into_iter().map(|(board, gpus)| (board, gpus.min(self.of(board, queues)))).collect();
        spare.sort_by_key(|&(board, _)| (std::cmp::Reverse(self.of(board, queues)), board));
        spare
    }

    /// Leaves so many nodes behind.
    pub(super) fn pass(&mut self, sources: &[Option<Stock>], nodes: i64) {
        let idle = sources.iter().flatten().filter(|(_, part)| *part == Part::Idle);
        idle.for_each(|(board, _)| self.0[*board] -= nodes);
    }
}
