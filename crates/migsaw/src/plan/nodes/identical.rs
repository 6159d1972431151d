//! Nodes that all come out the same, but for units that no rule keeps together.

use super::pending::{Pending, Space};
use super::pieces::{bundles_of, loads, pieces};
use super::queue::Queues;
use super::{FreeNodes, GpuBuild, Load, NodeBuild};
use crate::plan::cell::{Capabilities, Cell};
use crate::plan::compile::{Compiled, PoolShape};
use crate::plan::decision::Gpu;
use crate::plan::fleet_program::{CellVars, Use};

/// The nodes of an identical cell, taken from the front of the class's nodes that are still free.
pub(in crate::plan) fn build_identical(
    compiled: &Compiled<'_>,
    cell: &Cell,
    vars: &CellVars,
    values: &[i64],
    free: &mut FreeNodes,
    capabilities: &mut Capabilities,
) -> Option<Vec<NodeBuild>> {
    let bundles = bundles_of(vars);
    let pieces = pieces(cell, vars, values)?;
    let mut built = Vec::new();
    for (member, uses) in cell.members.iter().zip(&vars.uses) {
        let shape = &compiled.pools[member.pool];
        let mut queues = Queues::new(&pieces, &bundles);
        let gpus = queues.fill(shape, cell, member.class, capabilities)?;
        let (spread, fixed): (Vec<&Use>, Vec<&Use>) = uses.iter().partition(|u| u.is_spread);
        let fixed = loads(fixed, &bundles, values);
        let mut pending = Pending::new(compiled, loads(spread, &bundles, values));
        let is_cut = gpus.iter().any(|gpu| !gpu.added.is_empty());
        let mut left = member.weight;
        while left > 0 && (is_cut || !fixed.is_empty() || !pending.is_empty()) {
            let (loads, same) = pending.beside(compiled, shape, member.class, &gpus, &fixed, left)?;
            let nodes = free.take(member.pool, member.class, same)?;
            built.push(NodeBuild { pool: member.pool, class: member.class, nodes, gpus: gpus.clone(), loads });
            left -= same;
        }
        if !pending.is_empty() {
            return None;
        }
    }
    Some(built)
}

impl Pending {
    /// The loads of a node that serves `fixed` already, and how many of `most` such nodes have the same.
    fn beside(
        &mut self,
        compiled: &Compiled<'_>,
        shape: &PoolShape,
        class: usize,
        gpus: &[GpuBuild],
        fixed: &[Load],
        most: i64,
    ) -> Option<(Vec<Load>, i64)> {
        let state = &shape.classes[class].state;
        let can_be_whole = |state: &Gpu| matches!(state, Gpu::Idle | Gpu::Off);
        let idle = gpus.iter().zip(state).filter(|(gpu, state)| can_be_whole(state) && gpu.added.is_empty());
        let whole: i64 = fixed.iter().map(|load| load.whole(compiled)).sum();
        let (mut loads, same) =
            self.take_whole(compiled, &shape.classes[class], i64::try_from(idle.count()).ok()? - whole, most);
        let mut room = Space::of(gpus, &shape.board_of);
        for (kind, n) in fixed.iter().flat_map(|load| load.lines.iter().flatten()) {
            *room.kinds.entry(*kind).or_insert(0) -= n;
        }
        for load in fixed {
            load.bundle.map(|bundle| room.take_sets(bundle, load.units));
        }
        let (slices, same) = self.slices(compiled, &shape.classes[class], room, same);
        loads.extend(slices);
        self.remove(&loads, same);
        loads.extend(fixed.iter().cloned());
        Some((loads, same))
    }
}
