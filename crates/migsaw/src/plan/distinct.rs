//! How many different node configurations there must be.
//!
//! Nodes of different hardware cannot have the same configuration, and neither can nodes whose pinned
//! instances no one configuration contains. So the number of kinds of hardware that are in use whatever
//! is planned, or without which the targets cannot be reached, is a bound; and within one kind, any set of
//! node classes of which no two can be made the same. Only "MIG off on every GPU" is the same on all
//! hardware, so the kinds that can be of use that way count once together.

use super::cell::Cell;
use super::compile::{Compiled, NodeClass, PoolShape};
use super::decision::Gpu;
use crate::geometry::{Counts, Layout, Model};

/// A bound on the number of configurations. `is_needed` tells whether the targets are out of reach
/// without the pooled cells for which it is asked.
pub(super) fn fewest(
    compiled: &Compiled<'_>,
    pooled: &[Cell],
    mut is_needed: impl FnMut(&dyn Fn(&Cell) -> bool) -> bool,
) -> i64 {
    let mut kinds: Vec<Vec<&str>> = pooled.iter().map(|cell| hardware(&compiled.pools[cell.members[0].pool])).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let mut least = 0;
    let mut may_be_off = false;
    for kind in &kinds {
        let of_kind = |cell: &Cell| hardware(&compiled.pools[cell.members[0].pool]) == *kind;
        let pools = compiled.pools.iter().filter(|shape| hardware(shape) == *kind);
        let pinned: Vec<(&PoolShape, &NodeClass)> =
            pools.flat_map(|shape| shape.classes.iter().filter(|c| c.is_pinned()).map(move |c| (shape, c))).collect();
        let fixed = apart(&pinned);
        least += fixed;
        if fixed == 0 && is_needed(&of_kind) {
            let mut pools = compiled.pools.iter().filter(|shape| hardware(shape) == *kind);
            if pools.any(|shape| shape.serves_whole(compiled)) {
                may_be_off = true;
            } else {
                least += 1;
            }
        }
    }
    least + i64::from(may_be_off)
}

/// Whether nodes of different hardware can have the same configuration, with MIG off.
pub(super) fn hardware_can_agree(compiled: &Compiled<'_>) -> bool {
    let mut kinds: Vec<Vec<&str>> = compiled.pools.iter().map(hardware).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds.len() > 1 && compiled.pools.iter().any(|shape| shape.serves_whole(compiled))
}

/// The models of a node's GPUs in their order.
fn hardware(shape: &PoolShape) -> Vec<&str> {
    shape.board_of.iter().map(|&board| shape.boards[board].model.id.as_str()).collect()
}

/// Most classes compared pair by pair.
const MAX_COMPARED: usize = 64;

/// The size of a set of classes of which no two can be made the same, found greedily.
fn apart(classes: &[(&PoolShape, &NodeClass)]) -> i64 {
    let mut chosen: Vec<&(&PoolShape, &NodeClass)> = Vec::new();
    for class in classes.iter().take(MAX_COMPARED) {
        if !chosen.iter().any(|other| can_be_same(other.0, &other.1.state, &class.1.state)) {
            chosen.push(class);
        }
    }
    i64::try_from(chosen.len()).expect("few classes are compared")
}

/// Whether some configuration contains what is pinned on both nodes, GPU by GPU.
fn can_be_same(shape: &PoolShape, a: &[Gpu], b: &[Gpu]) -> bool {
    let models = shape.board_of.iter().map(|&board| &*shape.boards[board].model);
    models.zip(a.iter().zip(b)).all(|(model, (a, b))| match (a, b) {
        (Gpu::Taken, Gpu::Pinned(_)) | (Gpu::Pinned(_), Gpu::Taken) => false,
        (Gpu::Off | Gpu::Taken | Gpu::Fixed { .. }, _) | (_, Gpu::Off | Gpu::Taken | Gpu::Fixed { .. }) => true,
        _ => {
            let (a, b) = (pinned(a), pinned(b));
            let both = most(&a.counts(), &b.counts());
            holds(model, &a, &both) && holds(model, &b, &both)
        }
    })
}

fn pinned(state: &Gpu) -> Layout {
    match state {
        Gpu::Pinned(layout) => layout.clone(),
        Gpu::Idle | Gpu::Off | Gpu::Taken | Gpu::Fixed { .. } => Layout::empty(),
    }
}

fn most(a: &Counts, b: &Counts) -> Counts {
    let mut both = *a;
    for (id, n) in b.iter() {
        both[id] = both[id].max(n);
    }
    both
}

/// Whether the GPU with these pinned instances can be given all of `counts`.
fn holds(model: &Model, pinned: &Layout, counts: &Counts) -> bool {
    let missing = counts.minus(&pinned.counts());
    missing.is_some_and(|missing| model.place(&missing, pinned).is_ok_and(|found| found.is_some()))
}
