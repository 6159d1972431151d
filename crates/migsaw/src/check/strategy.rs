//! A node of strategy `single` carries one profile on all its GPUs, or has MIG off on all.

use super::facts::{Piece, profile};
use super::violation::Violation;
use crate::fleet::Strategy;

pub(super) fn judge(piece: &Piece<'_>, found: &mut Vec<Violation>) {
    if piece.pool.strategy != Strategy::Single || is_untouched(piece) {
        return;
    }
    let gpus = 0..piece.models.len();
    let cut = gpus.clone().any(|gpu| piece.is_cut(gpu));
    if let Some(gpu) = gpus.clone().find(|&gpu| cut && !piece.is_cut(gpu)) {
        found.push(Violation::SinglePartlyCut { place: piece.place().gpu(gpu) });
    }
    let mut names = gpus.flat_map(|gpu| {
        let model = piece.models[gpu];
        piece.instances(gpu).iter().filter_map(move |placement| Some(&profile(model, placement.profile)?.name))
    });
    let Some(first) = names.next() else { return };
    if let Some(second) = names.find(|name| *name != first) {
        let (first, second) = (first.to_string(), second.to_string());
        found.push(Violation::SingleTwoProfiles { node: piece.place(), first, second });
    }
}

/// Whether the nodes serve nothing and stay as they are today, so that whatever is odd about them is
/// not the plan's doing.
fn is_untouched(piece: &Piece<'_>) -> bool {
    let serves = piece.planned.serves.iter().any(|serving| serving.units > 0);
    let is_left = |gpu: usize| matches!(piece.planned.gpus.get(gpu), Some(crate::plan::GpuTarget::Left(_)));
    !serves && (0..piece.models.len()).all(|gpu| is_left(gpu) || piece.instances(gpu) == piece.pinned(gpu))
}
