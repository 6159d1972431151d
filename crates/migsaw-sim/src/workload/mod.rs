//! The pods that come: read from a file, or drawn from a seed.

mod draw;
mod trace;

use std::collections::BTreeMap;

use migsaw::geometry::ProfileName;
use migsaw::score::Mix;
use smallvec::SmallVec;

use crate::limits::Limits;

pub use draw::{Draw, Lifetimes, Share};
pub use trace::TraceError;

/// Pods in the order in which they come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Workload {
    /// The profiles that they ask for.
    pub profiles: Vec<ProfileName>,
    /// The namespaces that they come from.
    pub namespaces: Vec<String>,
    /// Where they may go.
    pub limits: Vec<Limits>,
    /// The pods, by arrival.
    pub pods: Vec<Pod>,
}

/// A pod that comes, and stays for a while once it is placed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// When it comes, in seconds from the beginning.
    pub arrives: u64,
    /// How long it stays once it is placed, in seconds.
    pub stays: u64,
    /// Instances it takes, all on one node (or GPU, as its limits say): index of the profile, and how many.
    pub asks: SmallVec<[(u16, u8); 2]>,
    /// Its priority.
    pub priority: i32,
    /// Index of its namespace.
    pub namespace: u16,
    /// Index of its limits: where it may go.
    pub limits: u16,
}

impl Workload {
    /// What pods ask for, and how many ask for it.
    pub fn mix(&self) -> Mix {
        let mut counted: BTreeMap<&[(u16, u8)], u64> = BTreeMap::new();
        self.pods.iter().for_each(|pod| *counted.entry(&pod.asks).or_default() += 1);
        let mut mix = Mix::default();
        for (asks, pods) in counted {
            mix.add(asks.iter().map(|&(at, n)| (self.profiles[usize::from(at)].clone(), u32::from(n))), pods);
        }
        mix
    }
}
