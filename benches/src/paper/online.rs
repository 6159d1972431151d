//! What the problems of placing pods one by one have in common: identical A100-80GB, six profiles, and the simulator.

use migsaw::fleet::{Fleet, Pool};
use migsaw::geometry::{Catalog, ProfileName};
use migsaw_sim::{Draw, Estimate, Lifetimes, Limits, Options, Outcome, Pod, Policy, Share, Site, Workload, simulate};

use crate::mixes::{MIXES, Mix};

/// The profiles, smallest first, and their memory slices.
pub(super) const PROFILES: [&str; 6] = ["1g.10gb", "1g.20gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb"];
pub(super) const SLICES: [u64; 6] = [1, 2, 2, 4, 4, 8];

/// So many A100-80GB, eight to a node, each cut as pods ask.
///
/// # Panics
/// Never: the model is built in.
pub fn site(gpus: u32) -> Site {
    let model = Catalog::builtin().model("A100-80GB").expect("a model of the catalogue");
    let pool = |nodes, each| Pool::new(format!("a{each}"), model.clone(), nodes, each);
    let pools = [pool(gpus / 8, 8), pool(gpus % 8, 1)].into_iter().filter(|pool| pool.node_count() > 0).collect();
    Site::at_will(&Fleet { pools }, &profiles())
}

fn profiles() -> Vec<ProfileName> {
    PROFILES.iter().map(|name| name.parse().expect("a profile's name")).collect()
}

/// A mix by its name.
///
/// # Panics
/// If there is none.
pub fn mix(name: &str) -> &'static Mix {
    MIXES.iter().find(|mix| mix.name == name).expect("a mix")
}

/// Pods drawn from a mix, one at a time, that ask for `load` of the site on average.
pub fn draw(mix: &Mix, load: f64) -> Draw {
    let share = |(name, weight): (ProfileName, u64)| Share {
        asks: vec![(name, 1)],
        weight: f64::from(u32::try_from(weight).unwrap_or(u32::MAX)),
        priority: 0,
        namespace: String::new(),
        limits: Limits::default(),
    };
    let shares = profiles().into_iter().zip(mix.weights).map(share).collect();
    Draw { shares, load, every: 1, lifetimes: Lifetimes::Uniform }
}

/// Pods that come at these times and stay so long, each with one instance of a profile.
pub(super) fn workload(pods: impl IntoIterator<Item = (u64, u64, usize)>) -> Workload {
    let pod = |(arrives, stays, profile): (u64, u64, usize)| Pod {
        arrives,
        stays,
        asks: [(u16::try_from(profile).unwrap_or(0), 1)].into_iter().collect(),
        priority: 0,
        namespace: 0,
        limits: 0,
    };
    let mut pods: Vec<Pod> = pods.into_iter().map(pod).collect();
    pods.sort_by_key(|pod| pod.arrives);
    Workload { profiles: profiles(), namespaces: vec![String::new()], limits: vec![Limits::default()], pods }
}

/// Pods of these profiles that come one after the other and stay.
pub(super) fn sequence(profiles: &[usize]) -> Workload {
    workload(profiles.iter().map(|profile| (0, 1, *profile)))
}

/// What a policy makes of it, expecting what comes.
pub(super) fn placed(site: &Site, pods: &Workload, policy: &str, options: &Options) -> anyhow::Result<Outcome> {
    let policy = Policy::named(policy).expect("a policy");
    Ok(simulate(site, pods, &policy, &pods.mix(), options)?)
}

/// `0.9173 ± 0.0031`.
pub(super) fn shown(estimate: &Estimate) -> String {
    match estimate.half_width {
        Some(half) => format!("{:.4} ± {half:.4}", estimate.mean),
        None => format!("{:.4}", estimate.mean),
    }
}

/// A part of a whole.
#[expect(clippy::cast_precision_loss, reason = "what is shown has few digits")]
pub(super) fn share(part: u64, whole: u64) -> f64 {
    part as f64 / whole.max(1) as f64
}
