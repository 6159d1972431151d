//! Which pods are expected.

use std::collections::{BTreeMap, BTreeSet};

use crate::demand::{Demand, Request};
use crate::geometry::ProfileName;

/// Requests that are expected, each with how many pods make it: those of a plan, or those seen lately.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mix {
    pods: BTreeMap<BTreeMap<ProfileName, u32>, u64>,
}

impl Mix {
    /// The mix of a planning problem. Only requests by profile count: what `atLeast` asks for is decided by the plan,
    /// and whole GPUs are no slices.
    pub fn of_demands(demands: &[Demand]) -> Mix {
        let mut mix = Mix::default();
        for demand in demands {
            if let Request::Profiles { instances, .. } = &demand.request {
                mix.add(instances.iter().map(|(profile, n)| (profile.clone(), *n)), demand.count);
            }
        }
        mix
    }

    /// Expects so many more pods, each with these instances.
    pub fn add(&mut self, instances: impl IntoIterator<Item = (ProfileName, u32)>, pods: u64) {
        let instances: BTreeMap<ProfileName, u32> = instances.into_iter().filter(|(_, n)| *n > 0).collect();
        if !instances.is_empty() && pods > 0 {
            let known = self.pods.entry(instances).or_default();
            *known = known.saturating_add(pods);
        }
    }

    /// Whether nothing is expected.
    pub fn is_empty(&self) -> bool {
        self.pods.is_empty()
    }

    /// Each request with the pods that make it, in the order of the profiles' names.
    pub fn requests(&self) -> impl Iterator<Item = (&BTreeMap<ProfileName, u32>, u64)> {
        self.pods.iter().map(|(instances, pods)| (instances, *pods))
    }

    /// Each profile that is expected, once.
    pub fn profiles(&self) -> impl Iterator<Item = &ProfileName> {
        self.pods.keys().flat_map(BTreeMap::keys).collect::<BTreeSet<_>>().into_iter()
    }

    /// Each request with its share of all compute slices asked for, in parts of [`Mix::WHOLE`].
    pub(super) fn shares(&self) -> impl Iterator<Item = (&BTreeMap<ProfileName, u32>, u64)> {
        let slices = |instances: &BTreeMap<ProfileName, u32>| -> u128 {
            instances.iter().map(|(profile, n)| u128::from(profile.slices().max(1)) * u128::from(*n)).sum()
        };
        let all: u128 = self.pods.iter().map(|(instances, pods)| slices(instances) * u128::from(*pods)).sum();
        self.pods.iter().map(move |(instances, pods)| {
            let share = slices(instances) * u128::from(*pods) * u128::from(Mix::WHOLE) / all.max(1);
            // What is expected at all is worth something.
            (instances, u64::try_from(share).unwrap_or(Mix::WHOLE).max(1))
        })
    }

    /// The parts that all shares make together.
    pub(super) const WHOLE: u64 = 1 << 32;
}
