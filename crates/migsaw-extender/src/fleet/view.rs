//! A node with what is free on it.

use std::collections::BTreeMap;
use std::sync::Arc;

use migsaw::fleet::Strategy;
use migsaw::geometry::{Counts, Model, ProfileId, ProfileName};
use migsaw::score::State;
use migsaw_kube::scheduling::{Asks, GPU, Node};

use super::budgets::Labels;

/// A node at one moment.
#[derive(Debug)]
pub struct View {
    /// What the node says of itself.
    pub node: Arc<Node>,
    /// The pods that hold GPUs or slices of it, by UID.
    pub holders: Arc<[Holder]>,
    /// What is free of each resource that it offers.
    pub free: BTreeMap<Arc<str>, u64>,
    /// Whether its GPUs are given out through claims, so that its resources say nothing.
    pub by_claims: bool,
    /// The pods that others were evicted for here and that are on no node yet, by UID, with their priorities.
    pub nominated: Arc<BTreeMap<Arc<str>, i32>>,
    /// What is free by profile, if the model is known.
    state: Option<State>,
    /// The profile of the slices that a node of strategy `single` gives as `nvidia.com/gpu`.
    pub(crate) sliced: Option<ProfileId>,
}

/// A pod that is on a node and holds some of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Holder {
    /// The pod.
    pub uid: Arc<str>,
    /// Its namespace and name.
    pub name: Arc<str>,
    /// The demand it belongs to, with its namespace.
    pub demand: Arc<str>,
    /// What it holds.
    pub asks: Arc<Asks>,
    /// What it requests of everything else, as [`Pod::others`](migsaw_kube::scheduling::Pod::others) has it.
    pub others: Option<Arc<BTreeMap<String, u64>>>,
    /// Its labels.
    pub labels: Arc<Labels>,
    /// Its priority.
    pub priority: i32,
    /// Whether it is about to go.
    pub is_terminating: bool,
}

impl View {
    /// A node with the pods that are on it, for which nobody is nominated.
    pub fn new(node: Arc<Node>, holders: Arc<[Holder]>, by_claims: bool) -> View {
        let mut free = node.offers.clone();
        for (resource, n) in holders.iter().flat_map(|holder| &holder.asks.resources) {
            if let Some(free) = free.get_mut(resource) {
                *free = free.saturating_sub(*n);
            }
        }
        let sliced = sliced(&node);
        let state = node.gpus.as_ref().map(|gpus| State {
            free: counts_on(&gpus.model, sliced, &free),
            gpus: gpus.count,
            pods: u32::try_from(holders.len()).unwrap_or(u32::MAX),
        });
        View { node, holders, free, by_claims, nominated: Arc::default(), state, sliced }
    }

    /// What is free by profile beside so many pods more, which hold these, if the model is known.
    pub(crate) fn state(&self, claimed: &[Arc<Asks>]) -> Option<State> {
        let mut state = self.state?;
        for asks in claimed {
            let taken = self.counts(asks)?;
            state.free = state.free.minus(&taken).unwrap_or_default();
            state.pods = state.pods.saturating_add(1);
        }
        Some(state)
    }

    /// What a pod asks for by profile, if the model is known.
    pub(crate) fn counts(&self, asks: &Asks) -> Option<Counts> {
        let gpus = self.node.gpus.as_ref()?;
        Some(counts_on(&gpus.model, self.sliced, &asks.resources))
    }

    /// Whether it has all of this free beside what others have claimed; what would be there if nobody held anything
    /// does not matter.
    pub(crate) fn has_free(&self, asks: &Asks, claimed: &[Arc<Asks>]) -> bool {
        let is_free = |(resource, n): (&Arc<str>, &u64)| self.free_of(resource, claimed).is_some_and(|free| free >= *n);
        asks.resources.iter().all(is_free)
    }

    /// What is free of a resource beside what others have claimed; `None` if it does not offer it.
    pub(crate) fn free_of(&self, resource: &str, claimed: &[Arc<Asks>]) -> Option<u64> {
        let taken: u64 = claimed.iter().filter_map(|asks| asks.resources.get(resource)).sum();
        Some(self.free.get(resource)?.saturating_sub(taken))
    }

    /// How many of a resource have to be given back until so many are free beside what others have claimed. A node may
    /// hold more than it offers: where the device plugin calls a device unhealthy that a pod has.
    pub(crate) fn missing(&self, resource: &str, n: u64, claimed: &[Arc<Asks>]) -> u64 {
        let taken = self.holders.iter().map(|holder| &holder.asks).chain(claimed);
        let taken: u64 = taken.filter_map(|asks| asks.resources.get(resource)).sum();
        (taken + n).saturating_sub(self.node.offers.get(resource).copied().unwrap_or(0))
    }

    /// Whether it offers all of this, held or free.
    pub(crate) fn offers(&self, asks: &Asks) -> bool {
        asks.resources.iter().all(|(resource, n)| self.node.offers.get(resource).is_some_and(|offered| offered >= n))
    }

    /// How many pods of a demand are on it.
    pub(crate) fn pods_of(&self, demand: &str) -> u64 {
        self.holders.iter().filter(|holder| holder.demand.as_ref() == demand).count() as u64
    }

    /// Whether a pod that is nominated for it goes before one with this UID and priority.
    pub(crate) fn awaits_before(&self, uid: &str, priority: i32) -> bool {
        self.nominated.iter().any(|(nominated, theirs)| nominated.as_ref() != uid && *theirs >= priority)
    }

    /// Whether a pod is on it.
    pub(crate) fn holds(&self, uid: &str) -> bool {
        self.holder(uid).is_some()
    }

    /// A pod that is on it.
    pub(crate) fn holder(&self, uid: &str) -> Option<&Holder> {
        let at = self.holders.binary_search_by(|holder| holder.uid.as_ref().cmp(uid)).ok()?;
        self.holders.get(at)
    }
}

fn sliced(node: &Node) -> Option<ProfileId> {
    let gpus = node.gpus.as_ref().filter(|gpus| gpus.strategy == Strategy::Single)?;
    let (profile, _) = gpus.cut.as_ref()?.first()?.iter().next()?;
    Some(profile)
}

/// Resources by profile. Those that are none of the model's are left out, and numbers end at what a byte holds.
fn counts_on(model: &Model, sliced: Option<ProfileId>, resources: &BTreeMap<Arc<str>, u64>) -> Counts {
    let mut counts = Counts::default();
    for (resource, n) in resources {
        let profile = match resource.as_ref() {
            GPU => sliced,
            resource => ProfileName::from_resource(resource).and_then(|name| model.profile(&name.gpu_instance())),
        };
        if let Some(profile) = profile {
            counts[profile] = counts[profile].saturating_add(u8::try_from(*n).unwrap_or(u8::MAX));
        }
    }
    counts
}
