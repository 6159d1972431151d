//! The problem as the oracle and the naive program read it.

use std::collections::BTreeMap;

use migsaw::demand::{Demand, Request, Together};
use migsaw::fleet::{GpuState, Pool, Strategy};
use migsaw::geometry::{Model, Placement, ProfileName};
use migsaw::problem::Problem;

use crate::eligible::is_eligible;

/// A profile of a model: `(index in Facts::models, index in Model::profiles)`.
pub(crate) type Kind = (usize, usize);

/// Units served, one byte for each demand.
pub(crate) type Vector = u64;

pub(crate) struct Facts<'a> {
    pub(crate) models: Vec<&'a Model>,
    /// The demands that ask for anything.
    pub(crate) demands: Vec<&'a Demand>,
    /// Units still asked for of each.
    pub(crate) asked: Vec<u64>,
    pub(crate) priced: bool,
    /// The priorities, highest first, and the place of each demand's among them.
    pub(crate) levels: Vec<i32>,
    pub(crate) level_of: Vec<usize>,
    pub(crate) pools: Vec<PoolFacts>,
    pub(crate) nodes: Vec<Node>,
}

pub(crate) struct PoolFacts {
    pub(crate) strategy: Strategy,
    pub(crate) price: i64,
    /// How each demand can be served here; `None` if it cannot.
    pub(crate) offers: Vec<Option<Offer>>,
    /// The kinds some demand could use here.
    pub(crate) wanted: Vec<Kind>,
}

pub(crate) enum Offer {
    Whole(u32),
    /// Any one of the ways; each is lines of so many instances of any of the kinds.
    Slices {
        together: Together,
        ways: Vec<Way>,
    },
}

pub(crate) type Way = Vec<(u32, Vec<Kind>)>;

pub(crate) struct Node {
    pub(crate) pool: usize,
    pub(crate) gpus: Vec<Gpu>,
    /// Units of each demand that are there already.
    pub(crate) held: Vec<u64>,
}

#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Gpu {
    pub(crate) model: usize,
    pub(crate) taken: bool,
    pub(crate) pinned: Vec<Placement>,
    /// If it stays cut as it is, the instances by profile that may serve.
    pub(crate) fixed: Option<Vec<u8>>,
    /// Whether it may only serve as a whole.
    pub(crate) off: bool,
}

impl Gpu {
    fn idle(model: usize) -> Gpu {
        Gpu { model, taken: false, pinned: Vec::new(), fixed: None, off: false }
    }
}

impl<'a> Facts<'a> {
    pub(crate) fn of(problem: &'a Problem) -> Facts<'a> {
        let pools = &problem.fleet.pools;
        let by_id: BTreeMap<&str, &Model> =
            pools.iter().flat_map(|pool| &pool.gpus).map(|group| (group.model.id.as_str(), &*group.model)).collect();
        let models: Vec<&Model> = by_id.into_values().collect();
        let demands: Vec<&Demand> = problem.demands.iter().filter(|demand| demand.count > 0).collect();
        let mut levels: Vec<i32> = demands.iter().map(|demand| demand.priority).collect();
        levels.sort_unstable();
        levels.dedup();
        levels.reverse();
        let level_of = demands.iter().filter_map(|d| levels.iter().position(|&level| level == d.priority)).collect();
        let priced = pools.iter().any(|pool| pool.cost_per_gpu.is_some());
        let nodes = pools.iter().enumerate().flat_map(|(at, pool)| nodes(at, pool, &models)).collect();
        let pools = pools.iter().map(|pool| PoolFacts::of(pool, &models, &demands, priced)).collect();
        let asked = demands.iter().map(|demand| demand.count).collect();
        Facts { models, demands, asked, priced, levels, level_of, pools, nodes }
    }

    /// Most units of each demand there may be.
    pub(crate) fn counts(&self) -> impl Iterator<Item = u64> + '_ {
        self.asked.iter().copied()
    }
}

impl PoolFacts {
    fn of(pool: &Pool, models: &[&Model], demands: &[&Demand], priced: bool) -> PoolFacts {
        let mut here: Vec<usize> = pool.gpus.iter().map(|group| position(models, &group.model.id)).collect();
        here.sort_unstable();
        here.dedup();
        let offers: Vec<Option<Offer>> =
            demands.iter().map(|d| is_eligible(d, pool).then(|| offer(&d.request, models, &here)).flatten()).collect();
        let mut wanted: Vec<Kind> = Vec::new();
        for offer in offers.iter().flatten() {
            if let Offer::Slices { ways, .. } = offer {
                wanted.extend(ways.iter().flatten().flat_map(|(_, kinds)| kinds));
            }
        }
        wanted.sort_unstable();
        wanted.dedup();
        let price = if priced { pool.cost_per_gpu.map_or(0, |cost| cost.micros) } else { 1 };
        PoolFacts { strategy: pool.strategy, price, offers, wanted }
    }
}

fn offer(request: &Request, models: &[&Model], here: &[usize]) -> Option<Offer> {
    let (together, ways) = match request {
        Request::WholeGpus { gpus } => return Some(Offer::Whole(*gpus)),
        Request::Profiles { instances, together } => {
            let kinds =
                |name: &ProfileName| here.iter().filter_map(|&m| Some((m, meaning(models[m], name)?))).collect();
            let way: Way = instances.iter().map(|(name, &n)| (n, kinds(name))).collect();
            (*together, vec![way])
        }
        Request::AtLeast { memory_mib, compute_slices, instances, together } => {
            let mut by_name: BTreeMap<&ProfileName, Vec<Kind>> = BTreeMap::new();
            for &m in here {
                for (index, p) in models[m].profiles.iter().enumerate() {
                    let memory = p.memory_mib.value.is_some_and(|mib| u64::from(mib) >= *memory_mib);
                    if memory && p.compute_slices >= *compute_slices {
                        by_name.entry(&p.name).or_default().push((m, index));
                    }
                }
            }
            (*together, by_name.into_values().map(|kinds| vec![(*instances, kinds)]).collect())
        }
    };
    let possible = |way: &Way| way.iter().all(|(_, kinds)| !kinds.is_empty());
    let ways: Vec<Way> = ways.into_iter().filter(possible).collect();
    (!ways.is_empty()).then_some(Offer::Slices { together, ways })
}

/// The profile a name means on a model; a current name before an older one.
fn meaning(model: &Model, name: &ProfileName) -> Option<usize> {
    let current = model.profiles.iter().position(|p| p.name == *name);
    current.or_else(|| model.profiles.iter().position(|p| p.aliases.contains(name)))
}

fn nodes(at: usize, pool: &Pool, models: &[&Model]) -> Vec<Node> {
    let of_gpus: Vec<usize> = pool
        .gpus
        .iter()
        .flat_map(|group| std::iter::repeat_n(position(models, &group.model.id), group.count as usize))
        .collect();
    let mut nodes = Vec::new();
    for group in &pool.nodes {
        for _ in 0..group.names.count() {
            let gpus = of_gpus.iter().enumerate().map(|(i, &model)| match group.pinned.get(i) {
                None | Some(GpuState::Idle) => Gpu::idle(model),
                Some(GpuState::Taken) => Gpu { taken: true, ..Gpu::idle(model) },
                Some(GpuState::Pinned(layout)) => Gpu { pinned: layout.placements().to_vec(), ..Gpu::idle(model) },
            });
            nodes.push(Node { pool: at, gpus: gpus.collect(), held: Vec::new() });
        }
    }
    nodes
}

fn position(models: &[&Model], id: &str) -> usize {
    models.iter().position(|model| model.id == id).expect("every model of the fleet is listed")
}
