//! Pods drawn at random.

use migsaw::geometry::ProfileName;
use migsaw::score::Mix;
use smallvec::SmallVec;

use super::{Pod, Workload};
use crate::limits::Limits;
use crate::rng::Rng;
use crate::site::Site;

/// What to draw pods from.
#[derive(Debug, Clone)]
pub struct Draw {
    /// The pods to choose between.
    pub shares: Vec<Share>,
    /// How much of the site is asked for on average, in parts of all its placement units: 1 is as much as there is.
    pub load: f64,
    /// Seconds from one arrival to the next.
    pub every: u64,
    /// How long pods stay.
    pub lifetimes: Lifetimes,
}

/// Pods that are alike, and how likely it is that the next one is one of them.
#[derive(Debug, Clone)]
pub struct Share {
    /// The instances that one of them takes.
    pub asks: Vec<(ProfileName, u8)>,
    /// Its weight among all.
    pub weight: f64,
    /// Its priority.
    pub priority: i32,
    /// Its namespace.
    pub namespace: String,
    /// Where it may go. Pods of different shares do not count for each other.
    pub limits: Limits,
}

/// How long pods stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetimes {
    /// Each second up to twice the mean is as likely.
    Uniform,
    /// Exponential: however long a pod has been there, it stays as long again on average.
    Exponential,
    /// All as long.
    Fixed,
}

impl Draw {
    /// The mean lifetime at which the pods ask for `load` of the site, and the longest uniform one, in arrivals.
    ///
    /// As many pods are there as come in a mean lifetime, and each has `E` placement units on average, so the mean is
    /// `load · units / E` arrivals. The mean of `1..=T` is `(T + 1) / 2`.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded")]
    pub fn longest(&self, site: &Site) -> u64 {
        let (mut all, mut units) = (0.0, 0.0);
        let sizes = site.sizes();
        for share in &self.shares {
            let asked: u64 =
                share.asks.iter().map(|(name, n)| sizes[position(site.profiles(), name)] * u64::from(*n)).sum();
            units += asked as f64 * share.weight;
            all += share.weight;
        }
        let mean = if units > 0.0 { units / all } else { 1.0 };
        (2.0 * self.load * site.units() as f64 / mean - 1.0).round().max(1.0) as u64
    }

    /// What pods will ask for: a thousand of average ones.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded")]
    pub fn mix(&self) -> Mix {
        let whole: f64 = self.shares.iter().map(|share| share.weight).sum();
        let mut mix = Mix::default();
        for share in &self.shares {
            let pods = (share.weight / whole * 1000.0).round().max(1.0) as u64;
            mix.add(share.asks.iter().map(|(name, n)| (name.clone(), u32::from(*n))), pods);
        }
        mix
    }

    /// So many pods. Two numbers are drawn for each: the first says which it is, by cumulated weight, the second how long
    /// it stays.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded")]
    pub fn pods(&self, site: &Site, count: usize, seed: u64) -> Workload {
        let mut rng = Rng::new(seed);
        let longest = self.longest(site);
        let mut namespaces: Vec<String> = self.shares.iter().map(|share| share.namespace.clone()).collect();
        namespaces.sort_unstable();
        namespaces.dedup();
        let (limits, limits_of) = self.limits();
        let whole: f64 = self.shares.iter().map(|share| share.weight).sum();
        let asks: Vec<SmallVec<[(u16, u8); 2]>> = self
            .shares
            .iter()
            .map(|share| {
                let ask = |(name, n): &(ProfileName, u8)| (small(position(site.profiles(), name)), *n);
                share.asks.iter().map(ask).collect()
            })
            .collect();
        let pod = |number: usize| {
            let mut left = rng.share() * whole;
            let chosen = self.shares.iter().position(|share| {
                left -= share.weight;
                left < 0.0
            });
            let chosen = chosen.unwrap_or(self.shares.len().saturating_sub(1));
            let share = &self.shares[chosen];
            let drawn = rng.share();
            let arrivals = match self.lifetimes {
                Lifetimes::Uniform => 1 + (drawn * longest as f64) as u64,
                Lifetimes::Exponential => 1 + (-(1.0 - drawn).ln() * longest as f64 / 2.0) as u64,
                Lifetimes::Fixed => longest.div_ceil(2),
            };
            Pod {
                arrives: (number as u64).saturating_mul(self.every),
                stays: arrivals.saturating_mul(self.every),
                asks: asks[chosen].clone(),
                priority: share.priority,
                namespace: small(namespaces.iter().position(|name| *name == share.namespace).unwrap_or(0)),
                limits: small(limits_of[chosen]),
            }
        };
        let pods = if self.shares.is_empty() { Vec::new() } else { (0..count).map(pod).collect() };
        Workload { profiles: site.profiles().to_vec(), namespaces, limits, pods }
    }

    /// The limits of all shares, first those of pods that may go anywhere, and which are whose. Shares have theirs in
    /// common if it makes no difference.
    fn limits(&self) -> (Vec<Limits>, Vec<usize>) {
        let mut all = vec![Limits::default()];
        let number = |share: &Share| {
            let is_alike = |other: &Limits| other.max_per_node.is_none() && *other == share.limits;
            all.iter().position(is_alike).unwrap_or_else(|| {
                all.push(share.limits.clone());
                all.len() - 1
            })
        };
        let of = self.shares.iter().map(number).collect();
        (all, of)
    }
}

/// Where a profile is among those of the site.
fn position(profiles: &[ProfileName], name: &ProfileName) -> usize {
    profiles.iter().position(|profile| profile == name).expect("the site knows every profile that is drawn")
}

fn small(index: usize) -> u16 {
    u16::try_from(index).expect("fewer than 65,536 profiles, namespaces and limits")
}
