//! What the GPUs of a cell become, and the units that its copies serve.

use super::Load;
use crate::geometry::{Capability, Counts};
use crate::plan::cell::{BoardStock, Cell, Part};
use crate::plan::fleet_program::{Capacity, CellVars, Use};
use crate::plan::formulation::{BoardVars, Column};
use crate::plan::peel::{Piece, peel};
use crate::plan::program::Sum;

/// The pieces of each board of a cell, per copy; `None` if the totals could not be split.
pub(super) fn pieces(cell: &Cell, vars: &CellVars, values: &[i64]) -> Option<Vec<Vec<Piece>>> {
    match &vars.capacity {
        Capacity::Mixed { boards, bundles } => {
            let stocks = cell.boards.iter().zip(boards).zip(bundles);
            stocks.map(|((stock, board), bundles)| mixed_pieces(stock, board, bundles, values)).collect()
        }
        Capacity::Single { names, fixed, .. } => {
            let fixed = cell.boards.iter().zip(fixed);
            let mut boards: Vec<Vec<Piece>> =
                fixed.map(|(stock, fixed)| fixed_pieces(stock, &fixed.columns, values)).collect();
            for uniform in names {
                let nodes = values[uniform.nodes.0];
                let columns = uniform.columns.iter();
                for ((stock, pieces), columns) in cell.boards.iter().zip(&mut boards).zip(columns).filter(|_| nodes > 0)
                {
                    let id = stock.model.profile(&uniform.name)?;
                    let only = |capability: &Capability| {
                        let most = capability.maximal().iter().map(|q| q[id]).max().unwrap_or(0);
                        Counts::from_iter([(id, most)])
                    };
                    let share = |gpus: i64| gpus / cell.nodes.max(1) * nodes;
                    let pinned = stock.pinned.iter().enumerate().map(|(i, (c, n))| (Part::Pinned(i), &**c, *n));
                    let idle = (Part::Idle, &**stock.model.idle_capability(), stock.idle);
                    for (part, capability, gpus) in pinned.chain([idle]) {
                        let added = only(capability);
                        let shared = columns.iter().filter(|column| column.part == part && values[column.var.0] > 0);
                        let mut left = share(gpus);
                        for column in shared {
                            let (bundles, gpus) = (column.bundles.clone(), values[column.var.0]);
                            pieces.push(Piece { part, added, bundles, gpus });
                            left -= gpus;
                        }
                        pieces.push(Piece { part, added, bundles: Vec::new(), gpus: left });
                    }
                }
            }
            Some(boards)
        }
    }
}

/// GPUs of single-strategy nodes that stay cut as they are.
fn fixed_pieces(stock: &BoardStock, columns: &[Column], values: &[i64]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (index, &(added, gpus)) in stock.fixed.iter().enumerate() {
        let part = Part::Fixed(index);
        let mut left = gpus;
        for column in columns.iter().filter(|column| column.part == part && values[column.var.0] > 0) {
            let (bundles, gpus) = (column.bundles.clone(), values[column.var.0]);
            pieces.push(Piece { part, added, bundles, gpus });
            left -= gpus;
        }
        pieces.push(Piece { part, added, bundles: Vec::new(), gpus: left });
    }
    pieces
}

fn mixed_pieces(stock: &BoardStock, board: &BoardVars, bundles: &[Counts], values: &[i64]) -> Option<Vec<Piece>> {
    if let Some(columns) = &board.columns {
        let chosen = columns.iter().filter(|column| values[column.var.0] > 0);
        let pieces = chosen.map(|column| {
            let together = bundles.iter().zip(&column.bundles);
            let added = together.fold(column.rest, |sum, (bundle, &n)| (0..n).fold(sum, |sum, _| sum.plus(bundle)));
            Piece { part: column.part, added, bundles: column.bundles.clone(), gpus: values[column.var.0] }
        });
        return Some(pieces.collect());
    }
    let total = board.total.iter().map(|var| var.map_or(0, |var| values[var.0])).collect();
    peel(stock, values[board.cut.0], total)
}

/// The loads of one copy at a member.
pub(super) fn loads<'u>(uses: impl IntoIterator<Item = &'u Use>, bundles: &[Vec<Counts>], values: &[i64]) -> Vec<Load> {
    let number = |sum: &Sum| i64::try_from(sum.value(values)).expect("a checked value");
    let loads = uses.into_iter().map(|u| Load {
        flow: u.flow,
        units: number(&u.units),
        lines: u.lines.iter().map(|kinds| kinds.iter().map(|(kind, sum)| (*kind, number(sum))).collect()).collect(),
        bundle: u.bundle.map(|(board, index)| (board, bundles[board][index])),
    });
    loads.filter(|load| load.units > 0).collect()
}

pub(super) fn bundles_of(vars: &CellVars) -> Vec<Vec<Counts>> {
    let (Capacity::Mixed { bundles, .. } | Capacity::Single { bundles, .. }) = &vars.capacity;
    bundles.clone()
}
