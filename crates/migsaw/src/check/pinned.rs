//! Pinned instances stay where they are, and GPUs in use as a whole stay whole.

use super::facts::{Piece, shown};
use super::violation::Violation;
use crate::fleet::GpuState;

pub(super) fn judge(piece: &Piece<'_>, found: &mut Vec<Violation>) {
    for (gpu, &model) in piece.models.iter().enumerate() {
        if *piece.state(gpu) == GpuState::Taken && piece.is_cut(gpu) {
            found.push(Violation::TakenCut { place: piece.place().gpu(gpu) });
        }
        for &placement in piece.pinned(gpu) {
            if !piece.instances(gpu).contains(&placement) {
                let instance = shown(model, placement);
                found.push(Violation::PinnedLost { place: piece.place().gpu(gpu), instance });
            }
        }
    }
}
