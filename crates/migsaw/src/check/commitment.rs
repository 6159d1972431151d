//! No instance serves twice, no pinned instance serves at all, and a GPU serves as a whole once.

use std::collections::BTreeMap;

use super::facts::{Piece, profile};
use super::violation::Violation;
use crate::geometry::ProfileId;

pub(super) fn judge(piece: &Piece<'_>, found: &mut Vec<Violation>) {
    for (gpu, used) in used_by_gpu(piece) {
        let free = piece.added(gpu);
        for (profile_id, used) in used {
            let Some(id) = profile_id else {
                if used > 1 {
                    found.push(Violation::WholeTwice { place: piece.place().gpu(gpu), times: used });
                }
                continue;
            };
            let free = free.get(&id).copied().unwrap_or(0);
            // A profile that is not there is another rule's business.
            let Some(profile) = profile(piece.models[gpu], id).filter(|_| used > free) else { continue };
            let profile = profile.name.to_string();
            found.push(Violation::Overcommitted { place: piece.place().gpu(gpu), profile, used, free });
        }
    }
}

/// What serves on each GPU, by profile; `None` for the GPU as a whole.
pub(super) fn used_by_gpu(piece: &Piece<'_>) -> BTreeMap<usize, BTreeMap<Option<ProfileId>, u64>> {
    let mut used: BTreeMap<usize, BTreeMap<Option<ProfileId>, u64>> = BTreeMap::new();
    for share in piece.planned.serves.iter().flat_map(|serving| &serving.shares) {
        let gpu = usize::from(share.gpu);
        if gpu < piece.models.len() {
            let count = used.entry(gpu).or_default().entry(share.profile).or_insert(0);
            *count = count.saturating_add(u64::from(share.instances));
        }
    }
    used
}
