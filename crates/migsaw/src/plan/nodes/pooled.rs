//! The nodes of a pooled cell, filled in their order.

use std::collections::BTreeMap;

use super::pending::{Pending, Space};
use super::pieces::{bundles_of, loads, pieces};
use super::queue::{IdleGpus, Queues, Stock};
use super::{FreeNodes, GpuBuild, Load, NodeBuild};
use crate::fleet::Strategy;
use crate::plan::cell::{Capabilities, Cell, Part};
use crate::plan::compile::Compiled;
use crate::plan::fleet_program::CellVars;

/// The nodes of a pooled cell, one after the other: whole GPUs first, then the GPUs cut, then the units
/// whose instances are there. Equal nodes are made at once.
///
/// Units with a rule within a node may find no place this way although there is one; they stay in
/// `Pending`.
pub(in crate::plan) fn build_pooled(
    compiled: &Compiled<'_>,
    cell: &Cell,
    vars: &CellVars,
    values: &[i64],
    free: &mut FreeNodes,
    capabilities: &mut Capabilities,
) -> Option<Vec<NodeBuild>> {
    let [member] = &cell.members[..] else { return None };
    let shape = &compiled.pools[member.pool];
    let bundles = bundles_of(vars);
    let mut queues = Queues::new(&pieces(cell, vars, values)?, &bundles);
    let mut pending = Pending::new(compiled, loads(&vars.uses[0], &bundles, values));
    let mut spare = IdleGpus::of_cell(cell);
    let mut built = Vec::new();
    let classes = match cell.class {
        Some(class) => class..class + 1,
        None => 0..shape.classes.len(),
    };
    // Once everything else has its place, idle nodes are cut for what a rule spreads over more nodes.
    let passes = [false, true].into_iter().flat_map(|may_cut| classes.clone().map(move |class| (class, may_cut)));
    for (class, may_cut) in passes {
        let sources = Queues::sources(shape, cell, class, capabilities)?;
        let mut left = free.count(member.pool, class);
        while left > 0 && !(queues.is_empty() && pending.is_empty()) {
            let mut spared = spare.on_node(&sources, &queues);
            let off = sources.iter().flatten().filter(|(_, part)| *part == Part::Off).count();
            let off = i64::try_from(off).ok()?;
            let idle = spared.iter().map(|(_, gpus)| gpus).sum::<i64>() + off;
            let (mut loads, mut same) = match shape.strategy {
                // Once some GPU is to be cut, all of the node are.
                Strategy::Single if queues.front((0, Part::Idle)).is_some() => (Vec::new(), left),
                _ => pending.take_whole(compiled, &shape.classes[class], idle, left),
            };
            let mut whole: i64 = loads.iter().map(|load: &Load| load.whole(compiled)).sum();
            whole = (whole - off).max(0);
            for (board, gpus) in &mut spared {
                *gpus = whole.min(*gpus);
                whole -= *gpus;
                if let Some(lasting) = spare.of(*board, &queues).checked_div(*gpus) {
                    same = same.min(lasting).max(1);
                }
            }
            let mut drawn: BTreeMap<Stock, i64> = BTreeMap::new();
            let mut gpus = Vec::new();
            for source in &sources {
                let as_whole = spared.iter_mut().find(|(board, n)| *source == Some((*board, Part::Idle)) && *n > 0);
                if let Some((_, n)) = as_whole {
                    *n -= 1;
                    gpus.push(GpuBuild::default());
                    continue;
                }
                let next = source.and_then(|key| {
                    let n = drawn.entry(key).or_insert(0);
                    *n += 1;
                    queues.at(key, *n - 1)
                });
                gpus.push(next.cloned().unwrap_or_default());
            }
            let is_empty = |gpus: &[GpuBuild]| gpus.iter().all(|gpu| gpu.added.is_empty());
            if may_cut && loads.is_empty() && is_empty(&gpus) && shape.strategy == Strategy::Mixed {
                pending.cut(compiled, shape, &sources, &mut gpus);
            }
            if loads.is_empty() && is_empty(&gpus) {
                break;
            }
            for (key, gpus) in &drawn {
                if let Some((_, there)) = queues.front(*key) {
                    same = same.min((there / gpus).max(1));
                }
            }
            let (slices, lasting) =
                pending.slices(compiled, &shape.classes[class], Space::of(&gpus, &shape.board_of), same);
            let same = same.min(lasting).max(1);
            loads.extend(slices);
            pending.remove(&loads, same);
            for (key, n) in &drawn {
                queues.skip(*key, n * same);
            }
            spare.pass(&sources, same);
            let nodes = free.take(member.pool, class, same)?;
            built.push(NodeBuild { pool: member.pool, class, nodes, gpus, loads: loads.into_iter().collect() });
            left -= same;
        }
    }
    Some(built)
}
