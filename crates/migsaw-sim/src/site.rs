//! The GPUs that pods are placed on, and how they may be cut.

use std::ops::Range;
use std::sync::Arc;

use migsaw::document::simulation::CutForm;
use migsaw::fleet::{Fleet, GpuState};
use migsaw::geometry::{Layout, Model, ProfileId, ProfileName, StateId, States};
use migsaw::present::RecutUnit;
use migsaw::score::{Mix, Room};

use crate::bound::Together;
use crate::recut::{Recut, Recutting};

/// A fleet as a simulation sees it: each GPU with the states that it can be in.
#[derive(Debug, Clone)]
pub struct Site {
    pub(crate) kinds: Vec<Arc<Kind>>,
    pub(crate) gpus: Vec<Gpu>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) profiles: Vec<ProfileName>,
    /// Who cuts GPUs anew, and how that goes; `None` if nobody does.
    pub(crate) recut: Option<(Arc<dyn Recut>, Recutting)>,
}

/// GPUs that can be in the same states.
#[derive(Debug, Clone)]
pub(crate) struct Kind {
    pub(crate) model: Arc<Model>,
    /// How it is cut for good; `None` if it is cut as each pod asks.
    pub(crate) cut: Option<Layout>,
    pub(crate) states: States,
    /// The number of its empty state among the states of all kinds.
    pub(crate) base: u32,
    /// What each profile of the site is on the model.
    pub(crate) profiles: Vec<Option<ProfileId>>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Gpu {
    pub(crate) kind: u32,
    /// What is there from the beginning, and stays.
    pub(crate) first: StateId,
    /// Its index in its node.
    pub(crate) slot: u16,
}

#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) gpus: Range<u32>,
    /// Index of its pool, and its own there.
    pub(crate) pool: usize,
    pub(crate) number: u32,
    /// What must be idle together to be cut anew.
    pub(crate) unit: RecutUnit,
}

impl Site {
    /// A fleet whose GPUs are cut as each pod asks, as a dynamic DRA driver does, for pods that ask for these
    /// profiles. Pinned instances stay for good; GPUs that something else has taken are left out.
    pub fn at_will(fleet: &Fleet, profiles: &[ProfileName]) -> Site {
        Site::new(fleet, profiles, |_, _, _| None)
    }

    /// A fleet whose GPUs are cut for good, as MIG Manager leaves them: `cut` says how, from pool, node within the pool
    /// and GPU within the node.
    ///
    /// # Panics
    /// If what is pinned on a GPU is no part of how it is cut.
    pub fn cut(fleet: &Fleet, profiles: &[ProfileName], cut: impl Fn(usize, u32, usize) -> Layout) -> Site {
        Site::new(fleet, profiles, |pool, node, gpu| Some(cut(pool, node, gpu)))
    }

    fn new(fleet: &Fleet, profiles: &[ProfileName], cut: impl Fn(usize, u32, usize) -> Option<Layout>) -> Site {
        let profiles = profiles.to_vec();
        let mut site = Site { kinds: Vec::new(), gpus: Vec::new(), nodes: Vec::new(), profiles, recut: None };
        for (number, pool) in fleet.pools.iter().enumerate() {
            let models: Vec<&Arc<Model>> = pool.gpu_models().collect();
            for (range, group) in pool.node_ranges() {
                for node in range {
                    let from = site.gpus.len();
                    for (gpu, model) in models.iter().enumerate() {
                        let pinned = match group.state(gpu) {
                            GpuState::Idle => Layout::empty(),
                            GpuState::Pinned(layout) => layout.clone(),
                            GpuState::Taken => continue,
                        };
                        let (kind, first) = site.kind_of(model, cut(number, node, gpu), &pinned);
                        let slot = u16::try_from(gpu).expect("fewer than 65,536 GPUs on a node");
                        site.gpus.push(Gpu { kind, first, slot });
                    }
                    let unit = group.present.as_ref().map_or(RecutUnit::default(), |present| present.unit);
                    let gpus = index(from)..index(site.gpus.len());
                    site.nodes.push(Node { gpus, pool: number, number: node, unit });
                }
            }
        }
        site
    }

    /// The kind of a GPU that is cut so, and the state that it is in with what is pinned.
    fn kind_of(&mut self, model: &Arc<Model>, cut: Option<Layout>, pinned: &Layout) -> (u32, StateId) {
        let known =
            |kind: &Arc<Kind>| kind.model.id == model.id && kind.cut == cut && kind.states.find(pinned).is_some();
        let kind = self.kinds.iter().position(known).unwrap_or_else(|| {
            let profiles: Vec<Option<ProfileId>> = self.profiles.iter().map(|name| model.profile(name)).collect();
            let states = if let Some(layout) = &cut {
                States::of_cut(model, layout)
            } else {
                let there = pinned.placements().iter().map(|placement| placement.profile);
                let all: Vec<ProfileId> = profiles.iter().flatten().copied().chain(there).collect();
                States::of_profiles(model, &all)
            };
            let base = self.kinds.last().map_or(0, |kind| kind.base + index(kind.states.len()));
            self.kinds.push(Arc::new(Kind { model: model.clone(), cut, states, base, profiles }));
            self.kinds.len() - 1
        });
        let first = self.kinds[kind].states.find(pinned).expect("what is pinned is a part of the cut");
        (index(kind), first)
    }

    /// The same, but GPUs are cut anew while a simulation goes on, if they are cut for good at all.
    #[must_use]
    pub fn with_recut(mut self, planner: Arc<dyn Recut>, how: Recutting) -> Site {
        self.recut = Some((planner, how));
        self
    }

    /// A GPU with nothing on it is cut anew.
    pub(crate) fn cut_anew(&mut self, gpu: u32, cut: Layout) {
        let model = self.kind(gpu).model.clone();
        let (kind, _) = self.kind_of(&model, Some(cut), &Layout::empty());
        self.gpus[gpu as usize].kind = kind;
    }

    /// How its GPUs are cut.
    pub(crate) fn cut_form(&self) -> CutForm {
        match (self.kinds.iter().all(|kind| kind.cut.is_none()), &self.recut) {
            (true, _) => CutForm::AtWill,
            (false, None) => CutForm::Planned,
            (false, Some(_)) => CutForm::Recut,
        }
    }

    /// How many GPUs it has.
    pub fn gpus(&self) -> usize {
        self.gpus.len()
    }

    /// The placement units of all its GPUs: memory slices on the boards with seven compute slices.
    pub fn units(&self) -> u64 {
        self.gpus.iter().map(|gpu| u64::from(self.kinds[gpu.kind as usize].model.units)).sum()
    }

    /// Whether it is known what would fit if everything moved: the policy `repacked` needs that.
    pub fn has_bound(&self) -> bool {
        Together::of(self).is_some()
    }

    /// The profiles that pods ask for.
    pub fn profiles(&self) -> &[ProfileName] {
        &self.profiles
    }

    /// The placement units of each profile, on the first model that has it; 0 if none does.
    pub fn sizes(&self) -> Vec<u64> {
        let size = |at: usize| {
            let on = |kind: &Arc<Kind>| kind.profiles[at].map(|id| u64::from(kind.model.get(id).size));
            self.kinds.iter().find_map(on).unwrap_or(0)
        };
        (0..self.profiles.len()).map(size).collect()
    }

    /// The room of every state for a mix, by kind.
    pub(crate) fn rooms(&self, mix: &Mix) -> Vec<Room> {
        self.kinds.iter().map(|kind| Room::new(&kind.model, &kind.states, mix)).collect()
    }

    pub(crate) fn kind(&self, gpu: u32) -> &Kind {
        &self.kinds[self.gpus[gpu as usize].kind as usize]
    }

    /// Index of the node of a GPU.
    pub(crate) fn node_of(&self, gpu: u32) -> usize {
        self.nodes.partition_point(|node| node.gpus.end <= gpu)
    }

    /// How many states all kinds have.
    pub(crate) fn states(&self) -> usize {
        self.kinds.iter().map(|kind| kind.states.len()).sum()
    }
}

/// A number that counts GPUs, nodes, states or pods.
pub(crate) fn index(number: usize) -> u32 {
    u32::try_from(number).expect("fewer than 2^32 of anything")
}
