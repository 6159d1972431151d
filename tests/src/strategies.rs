//! Random problems over all models.
//!
//! A problem is built from a stream of choices, 0 being the simplest of each. From a seed the stream is
//! endless and random; proptest gives a finite one, which it shrinks towards zeros.

use std::collections::BTreeMap;
use std::sync::Arc;

use migsaw::demand::{Demand, Eligibility, LabelRequirement, NodeSelector, Operator, Request, Together, Toleration};
use migsaw::fleet::{Cost, Effect, Fleet, GpuGroup, GpuState, NodeGroup, NodeNames, Pool, Strategy, Taint};
use migsaw::geometry::{Catalog, Layout, Model, Placement, ProfileId, ProfileName};
use migsaw::problem::Problem;
use proptest::strategy::Strategy as _;

use migsaw_sim::Rng;

/// How large and how rich the problems are.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Most GPUs in all.
    pub gpus: u32,
    /// Most GPUs of one node.
    pub gpus_per_node: u32,
    /// Most demands.
    pub demands: u64,
    /// Most units of one demand.
    pub units: u64,
    /// Whether there are rules within a node: units of several instances, limits per node, strategy
    /// `single`.
    pub node_rules: bool,
}

impl Size {
    /// What the exhaustive oracle solves quickly.
    pub const TINY: Size = Size { gpus: 4, gpus_per_node: 2, demands: 4, units: 6, node_rules: true };
    /// More GPUs in a node than [`Size::TINY`] has, and less of everything else.
    pub const DEEP: Size = Size { gpus: 3, gpus_per_node: 3, demands: 2, units: 4, node_rules: true };
    /// What an integer program for every GPU solves quickly.
    pub const SMALL: Size = Size { gpus: 6, gpus_per_node: 4, demands: 5, units: 10, node_rules: true };
    /// Without rules within a node.
    pub const FLAT: Size = Size { gpus: 8, gpus_per_node: 4, demands: 6, units: 12, node_rules: false };
}

/// Where choices come from.
#[derive(Debug, Clone)]
pub enum Choices {
    /// An endless random stream.
    Random(Rng),
    /// A finite stream; zeros behind its end.
    Listed(std::vec::IntoIter<u16>),
}

impl Choices {
    /// The stream that belongs to a seed.
    pub fn seeded(seed: u64) -> Choices {
        Choices::Random(Rng::new(seed))
    }

    /// A number below `end`; 0 if `end` is 0.
    fn below(&mut self, end: u64) -> u64 {
        match self {
            Choices::Random(rng) => rng.below(end.max(1)),
            Choices::Listed(list) => u64::from(list.next().unwrap_or(0)) % end.max(1),
        }
    }

    fn upto(&mut self, least: u32, most: u32) -> u32 {
        let below = self.below(u64::from(most.saturating_sub(least)) + 1);
        least + u32::try_from(below).expect("at most a u32 apart")
    }

    /// Something that happens once in so many times.
    fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == times - 1
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let index = self.below(from.len() as u64);
        &from[usize::try_from(index).expect("an index")]
    }
}

/// The problem that belongs to a seed.
pub fn seeded(seed: u64, size: Size) -> Problem {
    problem(&mut Choices::seeded(seed), size)
}

/// Problems for proptest.
pub fn problems(size: Size) -> impl proptest::strategy::Strategy<Value = Problem> {
    let choices = proptest::collection::vec(proptest::num::u16::ANY, 0..160);
    choices.prop_map(move |list| problem(&mut Choices::Listed(list.into_iter()), size))
}

/// The problem that a stream of choices describes.
pub fn problem(choices: &mut Choices, size: Size) -> Problem {
    let catalog = Catalog::builtin();
    let models: Vec<Arc<Model>> = catalog.models().cloned().collect();
    let mut generator = Generator { choices, size, models, palette: Vec::new() };
    let priced = generator.choices.once_in(4);
    let mut left = generator.choices.upto(1, size.gpus);
    let mut pools = Vec::new();
    while left > 0 && pools.len() < 3 {
        let pool = generator.pool(pools.len(), &mut left, priced);
        pools.push(pool);
    }
    let count = 1 + generator.choices.below(size.demands);
    let demands = (0..count).map(|index| generator.demand(index, &pools)).collect();
    Problem { fleet: Fleet { pools }, demands, ..Problem::default() }
}

struct Generator<'a> {
    choices: &'a mut Choices,
    size: Size,
    models: Vec<Arc<Model>>,
    /// Models in use.
    palette: Vec<Arc<Model>>,
}

impl Generator<'_> {
    fn model(&mut self) -> Arc<Model> {
        if !self.palette.is_empty() && !self.choices.once_in(2) {
            return Arc::clone(self.choices.pick(&self.palette));
        }
        let model = Arc::clone(self.choices.pick(&self.models));
        self.palette.push(Arc::clone(&model));
        model
    }

    fn pool(&mut self, index: usize, left: &mut u32, priced: bool) -> Pool {
        let model = self.model();
        let per_node = self.choices.upto(1, self.size.gpus_per_node.min(*left));
        let nodes = self.choices.upto(1, *left / per_node);
        *left -= per_node * nodes;
        let mut pool = Pool::new(format!("p{index}"), model, nodes, per_node);
        if per_node > 1 && self.choices.once_in(4) {
            let other = self.choices.upto(1, per_node - 1);
            pool.gpus[0].count -= other;
            pool.gpus.push(GpuGroup { model: self.model(), count: other });
        }
        if self.size.node_rules && self.choices.once_in(5) {
            pool.strategy = Strategy::Single;
        }
        if self.choices.once_in(3) {
            self.occupy(&mut pool, nodes);
        }
        if priced {
            pool.cost_per_gpu = Some(Cost { micros: i64::from(self.choices.upto(1, 3)) * 500_000 });
        }
        let zone = *self.choices.pick(&["a", "b"]);
        pool.labels.insert("zone".to_owned(), zone.to_owned());
        if self.choices.once_in(8) {
            let effect = *self.choices.pick(&[Effect::NoSchedule, Effect::NoExecute, Effect::PreferNoSchedule]);
            pool.taints.push(Taint { key: "gpu".to_owned(), value: "x".to_owned(), effect });
        }
        pool
    }

    /// Makes each node a group of its own, with something on its GPUs.
    fn occupy(&mut self, pool: &mut Pool, nodes: u32) {
        let models: Vec<Arc<Model>> = pool.gpu_models().cloned().collect();
        pool.nodes.clear();
        for first in 0..nodes {
            let pinned = models.iter().map(|model| self.state(model)).collect();
            let names = NodeNames::Numbered { prefix: format!("{}-", pool.name), first, count: 1 };
            pool.nodes.push(NodeGroup { names, pinned, present: None });
        }
    }

    fn state(&mut self, model: &Model) -> GpuState {
        match self.choices.below(6) {
            0..=2 => GpuState::Idle,
            5 => GpuState::Taken,
            _ => {
                let mut layout = Layout::empty();
                for _ in 0..=self.choices.below(3) {
                    let profile = self.profile(model);
                    let start = *self.choices.pick(&model.get(profile).starts);
                    let more = layout.placements().iter().copied().chain([Placement { start, profile }]);
                    layout = Layout::new(model, more).unwrap_or(layout);
                }
                GpuState::Pinned(layout)
            }
        }
    }

    fn profile(&mut self, model: &Model) -> ProfileId {
        let index = self.choices.below(model.profiles.len() as u64);
        ProfileId(u8::try_from(index).expect("few profiles"))
    }

    /// A name that some GPU of the fleet knows, or now and then another.
    fn name(&mut self) -> ProfileName {
        let foreign = self.choices.once_in(25);
        let model = Arc::clone(self.choices.pick(if foreign { &self.models } else { &self.palette }));
        let profile = model.get(self.profile(&model));
        if self.choices.once_in(8) && !profile.aliases.is_empty() {
            return self.choices.pick(&profile.aliases).clone();
        }
        profile.name.clone()
    }

    fn demand(&mut self, index: u64, pools: &[Pool]) -> Demand {
        let request = self.request();
        let mut demand = Demand::new(format!("d{index}"), request, 1 + self.choices.below(self.size.units));
        if self.choices.once_in(12) {
            demand.count = 0;
        }
        demand.priority = *self.choices.pick(&[0, 0, 10, -5]);
        if self.size.node_rules && self.choices.once_in(6) {
            demand.max_per_node = Some(self.choices.upto(1, 2));
        }
        demand.eligible = self.eligibility(pools);
        demand
    }

    fn request(&mut self) -> Request {
        let several = self.size.node_rules;
        let together = |choices: &mut Choices| if choices.once_in(3) { Together::Gpu } else { Together::Node };
        match self.choices.below(if several { 12 } else { 9 }) {
            0..=4 => Request::Profiles { instances: BTreeMap::from([(self.name(), 1)]), together: Together::Node },
            5..=7 => {
                let model = Arc::clone(self.choices.pick(&self.palette));
                let profile = model.get(self.profile(&model));
                let memory = profile.memory_mib.value.map_or(0, u64::from);
                let memory_mib = *self.choices.pick(&[memory, memory, memory / 2, 0]);
                let compute_slices = u8::try_from(self.choices.below(4)).expect("below 4");
                let instances = if several && self.choices.once_in(3) { self.choices.upto(2, 3) } else { 1 };
                let together = if instances > 1 { together(self.choices) } else { Together::Node };
                Request::AtLeast { memory_mib, compute_slices, instances, together }
            }
            8 => Request::WholeGpus { gpus: if several { self.choices.upto(1, 2) } else { 1 } },
            _ => {
                let mut instances = BTreeMap::new();
                for _ in 0..=self.choices.below(2) {
                    *instances.entry(self.name()).or_insert(0) += self.choices.upto(1, 2);
                }
                let together = together(self.choices);
                Request::Profiles { instances, together }
            }
        }
    }

    fn eligibility(&mut self, pools: &[Pool]) -> Eligibility {
        let mut eligible = Eligibility::default();
        if self.choices.once_in(5) {
            eligible.pools = Some(vec![self.choices.pick(pools).name.clone()]);
        }
        if self.choices.once_in(6) {
            let operator = *self.choices.pick(&[Operator::In, Operator::NotIn, Operator::Exists]);
            let values = if operator == Operator::Exists { vec![] } else { vec!["a".to_owned()] };
            let requirement = LabelRequirement { key: "zone".to_owned(), operator, values };
            eligible.selector = NodeSelector { terms: vec![vec![requirement]] };
        }
        if self.choices.once_in(10) {
            eligible.strategy = Some(*self.choices.pick(&[Strategy::Mixed, Strategy::Single]));
        }
        if !self.choices.once_in(3) {
            eligible.tolerations = vec![Toleration { key: Some("gpu".to_owned()), value: None, effect: None }];
        }
        eligible
    }
}
