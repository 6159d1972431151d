//! Six models in ten pools with something running on a part of the GPUs, and a thousand demands, most of
//! which several profiles, models and pools can serve.

use std::collections::BTreeMap;
use std::sync::Arc;

use migsaw::demand::{Demand, Request, Together};
use migsaw::fleet::{Fleet, GpuState, NodeGroup, NodeNames, Pool};
use migsaw::geometry::{Catalog, Layout, Model, Placement, ProfileId};
use migsaw::problem::Problem;
use migsaw_sim::Rng;

/// The models, and how many of the ten pools each has.
pub const MODELS: [(&str, usize); 6] =
    [("H100-80GB", 3), ("H200-141GB", 2), ("A100-80GB", 2), ("A100-40GB", 1), ("A30", 1), ("B200", 1)];
/// The models of [`requests`], one pool each.
pub const FEW_MODELS: [(&str, usize); 4] = [("A100-40GB", 1), ("A100-80GB", 1), ("H100-80GB", 1), ("A30", 1)];
/// How many demands.
pub const DEMANDS: u64 = 1_000;

const GPUS_PER_NODE: u32 = 8;
/// Memory slices asked for, in percent of those free.
const LOAD: u64 = 85;

/// How the present states of nodes are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum States {
    /// Every GPU on its own, so that hardly two nodes are in the same state.
    Independent,
    /// Each pool has about so many different nodes, in random numbers.
    Kinds(u32),
    /// Nothing runs anywhere.
    Idle,
}

/// The problem of this size that belongs to the seed.
///
/// # Panics
/// Never: the models are built in.
pub fn problem(gpus: u32, seed: u64, states: States) -> Problem {
    let mut draw = Draw { rng: Rng::new(seed), states };
    let pools = draw.pools(gpus, &MODELS);
    let free: u64 = pools.iter().map(free_slices).sum();
    let asked = free * LOAD / 100 / DEMANDS;
    let demands = (0..DEMANDS).map(|index| draw.demand(index, &pools, asked)).collect();
    Problem { fleet: Fleet { pools }, demands, ..Problem::default() }
}

/// So many GPUs of [`FEW_MODELS`], and so many requests, each a demand of its own with one of three priorities.
///
/// # Panics
/// Never: the models are built in.
pub fn requests(gpus: u32, requests: u64, seed: u64, states: States) -> Problem {
    let mut draw = Draw { rng: Rng::new(seed), states };
    let pools = draw.pools(gpus, &FEW_MODELS);
    let demands = (0..requests).map(|index| draw.one(index, &pools)).collect();
    Problem { fleet: Fleet { pools }, demands, ..Problem::default() }
}

/// Memory slices that nothing runs on.
fn free_slices(pool: &Pool) -> u64 {
    let models: Vec<&Arc<Model>> = pool.gpu_models().collect();
    let of_node = |group: &NodeGroup| -> u64 {
        let free = |(index, model): (usize, &&Arc<Model>)| match group.state(index) {
            GpuState::Idle => u64::from(model.units),
            GpuState::Taken => 0,
            GpuState::Pinned(layout) => {
                let used: u8 = layout.placements().iter().map(|p| model.get(p.profile).size).sum();
                u64::from(model.units - used)
            }
        };
        models.iter().enumerate().map(free).sum()
    };
    pool.nodes.iter().map(|group| of_node(group) * u64::from(group.names.count())).sum()
}

struct Draw {
    rng: Rng,
    states: States,
}

impl Draw {
    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.rng.below(length as u64)).expect("an index")
    }

    fn profile(&mut self, model: &Model) -> ProfileId {
        ProfileId(u8::try_from(self.index(model.profiles.len())).expect("few profiles"))
    }

    /// Equally many nodes in every pool.
    fn pools(&mut self, gpus: u32, models: &[(&str, usize)]) -> Vec<Pool> {
        let catalog = Catalog::builtin();
        let count: usize = models.iter().map(|(_, count)| count).sum();
        let nodes = (gpus / GPUS_PER_NODE / u32::try_from(count).expect("few pools")).max(1);
        let mut pools = Vec::new();
        for (name, count) in models {
            let model = catalog.model(name).expect("a model of the catalogue");
            for _ in 0..*count {
                pools.push(self.pool(pools.len(), &model, nodes));
            }
        }
        pools
    }

    fn pool(&mut self, index: usize, model: &Arc<Model>, nodes: u32) -> Pool {
        let mut pool = Pool::new(format!("pool-{index}"), Arc::clone(model), nodes, GPUS_PER_NODE);
        if self.states == States::Idle {
            return pool;
        }
        pool.nodes.clear();
        let mut first = 0;
        while first < nodes {
            let count = match self.states {
                States::Independent | States::Idle => 1,
                States::Kinds(kinds) => {
                    let mean = nodes.div_ceil(kinds);
                    let drawn = 1 + self.rng.below(u64::from(2 * mean - 1));
                    u32::try_from(drawn).expect("at most twice the mean").min(nodes - first)
                }
            };
            let pinned = (0..GPUS_PER_NODE).map(|_| self.state(model)).collect();
            let names = NodeNames::Numbered { prefix: format!("{}-", pool.name), first, count };
            pool.nodes.push(NodeGroup { names, pinned, present: None });
            first += count;
        }
        pool
    }

    /// Idle, taken, or up to four random instances where they can be.
    fn state(&mut self, model: &Model) -> GpuState {
        match self.rng.below(10) {
            0..=3 => GpuState::Idle,
            4 => GpuState::Taken,
            _ => {
                let mut layout = Layout::empty();
                for _ in 0..=self.rng.below(4) {
                    let profile = self.profile(model);
                    let starts = &model.get(profile).starts;
                    let start = starts[self.index(starts.len())];
                    let more = layout.placements().iter().copied().chain([Placement { start, profile }]);
                    layout = Layout::new(model, more).unwrap_or(layout);
                }
                GpuState::Pinned(layout)
            }
        }
    }

    /// About so many memory slices' worth of a random request.
    fn demand(&mut self, index: u64, pools: &[Pool], slices: u64) -> Demand {
        let drawn = self.request(pools);
        let count = slices * (1 + self.rng.below(200)) / 100 / u64::from(drawn.size);
        let mut demand = Demand::new(format!("demand-{index}"), drawn.request, count.max(1));
        demand.eligible.pools = self.eligible(pools, &drawn.model);
        demand
    }

    /// One unit of a random request with one of three priorities; small and unimportant ones are drawn more often.
    fn one(&mut self, index: u64, pools: &[Pool]) -> Demand {
        let drawn = loop {
            let drawn = self.request(pools);
            if self.rng.chance(1, u64::from(drawn.size)) {
                break drawn;
            }
        };
        let mut demand = Demand::new(format!("request-{index}"), drawn.request, 1);
        demand.eligible.pools = self.eligible(pools, &drawn.model);
        demand.priority = [0, 0, 0, 0, 0, 0, 1, 1, 1, 2][self.index(10)];
        demand
    }

    fn request(&mut self, pools: &[Pool]) -> Drawn {
        let model = Arc::clone(&pools[self.index(pools.len())].gpus[0].model);
        let profile = model.get(self.profile(&model));
        let (request, size) = match self.rng.below(10) {
            0 => (Request::WholeGpus { gpus: 1 }, model.units),
            1..=3 => {
                let instances = BTreeMap::from([(profile.name.clone(), 1)]);
                (Request::Profiles { instances, together: Together::Node }, profile.size)
            }
            _ => {
                let memory_mib = profile.memory_mib.value.map_or(4_096, u64::from) * (50 + self.rng.below(51)) / 100;
                let compute_slices =
                    1 + u8::try_from(self.rng.below(u64::from(profile.compute_slices.max(1)))).expect("few");
                let request = Request::AtLeast { memory_mib, compute_slices, instances: 1, together: Together::Node };
                (request, profile.size)
            }
        };
        Drawn { model, request, size }
    }

    /// Half of the pools, half of the time; those of the model are always among them.
    fn eligible(&mut self, pools: &[Pool], model: &Arc<Model>) -> Option<Vec<String>> {
        if !self.rng.chance(1, 2) {
            return None;
        }
        let admits = |pool: &&Pool| pool.gpus[0].model == *model || self.rng.chance(1, 2);
        Some(pools.iter().filter(admits).map(|pool| pool.name.clone()).collect())
    }
}

/// What one unit asks for.
struct Drawn {
    /// A model that gives it.
    model: Arc<Model>,
    request: Request,
    /// Memory slices there.
    size: u8,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_make_sense_and_have_their_size() {
        for states in [States::Independent, States::Kinds(5)] {
            for gpus in [1_000, 10_000] {
                let problem = problem(gpus, 3, states);
                assert_eq!(problem.validate(), []);
                let found: u64 = problem.fleet.pools.iter().map(Pool::gpu_count).sum();
                assert!(found <= u64::from(gpus) && found * 10 >= u64::from(gpus) * 9, "{found} of {gpus}");
                assert_eq!(problem.demands.len() as u64, DEMANDS);
            }
        }
    }

    #[test]
    fn requests_are_one_unit_each() {
        for states in [States::Idle, States::Kinds(5)] {
            let problem = requests(64, 500, 3, states);
            assert_eq!(problem.validate(), []);
            assert_eq!(problem.fleet.pools.iter().map(Pool::gpu_count).sum::<u64>(), 64);
            assert_eq!(problem.demands.iter().map(|demand| demand.count).collect::<Vec<u64>>(), vec![1; 500]);
        }
    }
}
