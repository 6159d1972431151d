//! How broken up a GPU is.

use migsaw::geometry::{ProfileId, StateId};
use migsaw::score::Mix;

use super::Losses;
use crate::site::Kind;

/// MFI: over the profiles that would fit by the number of free units, the sizes of the starts that are blocked, summed.
///
/// Zambianco, Fasol, Doriguzzi-Corin: "An Online Fragmentation-Aware GPU Scheduler for Multi-Tenant MIG-based Clouds",
/// arXiv 2511.18906.
pub(super) fn mfi(kind: &Kind, _: &Mix) -> Losses {
    let asked: Vec<ProfileId> = kind.profiles.iter().flatten().copied().collect();
    let blocked = |state: StateId| -> i64 {
        let free = u32::from(kind.model.units) - kind.states.units(state).count_ones();
        asked
            .iter()
            .map(|&id| kind.model.get(id))
            .filter(|profile| u32::from(profile.size) <= free)
            .flat_map(|profile| profile.starts.iter().map(move |&start| (profile.size, profile.mask(start))))
            .filter(|(_, mask)| mask & kind.states.units(state) != 0)
            .map(|(size, _)| i64::from(size))
            .sum()
    };
    grows(kind, blocked)
}

/// FGD on slices: the free units of the GPU, times the share of the mix that cannot be placed there.
///
/// Weng et al.: "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient Descent", USENIX
/// ATC 2023, with placement units for shares of a GPU.
pub(super) fn gradient(kind: &Kind, mix: &Mix) -> Losses {
    let shares = shares(kind, mix);
    grows(kind, move |state| unusable(kind, &shares, state))
}

/// The free units of a GPU that an average pod of the mix cannot use, in millionths.
pub(crate) fn unusable(kind: &Kind, shares: &[(ProfileId, i64)], state: StateId) -> i64 {
    let free = i64::from(kind.model.units) - i64::from(kind.states.units(state).count_ones());
    let fits = |profile: ProfileId| kind.states.additions(state).iter().any(|step| step.placement.profile == profile);
    shares.iter().filter(|(profile, _)| !fits(*profile)).map(|(_, share)| share * free).sum()
}

/// The share of each profile among all instances that the mix asks for, in millionths.
pub(crate) fn shares(kind: &Kind, mix: &Mix) -> Vec<(ProfileId, i64)> {
    let all: u64 = mix.requests().flat_map(|(asks, pods)| asks.values().map(move |n| u64::from(*n) * pods)).sum();
    let share = |profile: ProfileId| -> u64 {
        let called = |asks: &std::collections::BTreeMap<_, u32>| -> u64 {
            asks.iter().filter(|(name, _)| kind.model.get(profile).is_called(name)).map(|(_, n)| u64::from(*n)).sum()
        };
        mix.requests().map(|(asks, pods)| called(asks) * pods).sum()
    };
    let mut profiles: Vec<ProfileId> = kind.profiles.iter().flatten().copied().collect();
    profiles.sort_unstable();
    profiles.dedup();
    let parts = |id| i64::try_from(share(id) * 1_000_000 / all.max(1)).unwrap_or(0);
    profiles.into_iter().map(|id| (id, parts(id))).collect()
}

/// By how much a measure of each state grows.
fn grows(kind: &Kind, measure: impl Fn(StateId) -> i64) -> Losses {
    let of: Vec<i64> = kind.states.ids().map(measure).collect();
    Box::new(move |from, step| Some(of[step.to.index()] - of[from.index()]))
}
