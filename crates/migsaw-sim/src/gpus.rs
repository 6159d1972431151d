//! The GPUs as they are at a moment.

use std::ops::Range;

use std::collections::BTreeMap;

use fixedbitset::FixedBitSet;
use migsaw::geometry::{Counts, Layout, StateId, Step};
use migsaw::score::{State, Worth};
use smallvec::SmallVec;

use crate::limits::Allowed;
use crate::policy::NodeUse;
use crate::site::{Kind, Site, index};

/// Where an instance is put: the GPU, and the step that puts it there.
pub(crate) type Place = (u32, Step);
/// Where all instances of a pod are put.
pub(crate) type Places = SmallVec<[Place; 2]>;

/// Steps that put instances on one GPU, one after the other.
pub(crate) type Steps = SmallVec<[Step; 2]>;

/// How all these instances are put on a GPU of a kind that is in a state, one after the other: of all ways the one that
/// loses least in sum, and of several the one with the lowest start of the first, then of the second, and so on. What is
/// lost is said of each addition to a state, by its index.
///
/// # Complexity
/// Linear in the states that can be come to, times the additions to each: of the ways to a state only the best counts.
pub(crate) fn together(
    kind: &Kind,
    from: StateId,
    each: &[u16],
    loss: impl Fn(StateId, usize) -> Option<i64>,
) -> Option<(i64, Steps)> {
    let starts = |steps: &Steps| -> SmallVec<[u8; 8]> { steps.iter().map(|step| step.placement.start).collect() };
    let mut ways: BTreeMap<StateId, (i64, Steps)> = [(from, (0, Steps::new()))].into();
    for &profile in each {
        let id = kind.profiles[usize::from(profile)]?;
        let mut next: BTreeMap<StateId, (i64, Steps)> = BTreeMap::new();
        for (state, (lost, steps)) in ways {
            let additions = kind.states.additions(state).iter().enumerate();
            for (at, step) in additions.filter(|(_, step)| step.placement.profile == id) {
                let Some(more) = loss(state, at) else { continue };
                let mut steps = steps.clone();
                steps.push(*step);
                let way = (lost + more, steps);
                let key = |(lost, steps): &(i64, Steps)| (*lost, starts(steps));
                if next.get(&step.to).is_none_or(|known| key(&way) < key(known)) {
                    next.insert(step.to, way);
                }
            }
        }
        ways = next;
    }
    ways.into_values().min_by_key(|(lost, steps)| (*lost, starts(steps)))
}

/// The state of each GPU, and who may not be chosen.
#[derive(Debug)]
pub(crate) struct Gpus {
    pub(crate) site: Site,
    states: Vec<StateId>,
    /// Those that the queue keeps free.
    held: FixedBitSet,
    /// Those that are being cut anew.
    shut: FixedBitSet,
    /// Placement units taken.
    busy: u64,
    /// GPUs with something on them.
    active: u64,
}

impl Gpus {
    /// All as they are in the beginning.
    pub(crate) fn new(site: &Site) -> Gpus {
        let mut gpus = Gpus {
            states: vec![StateId::EMPTY; site.gpus.len()],
            held: FixedBitSet::with_capacity(site.gpus.len()),
            shut: FixedBitSet::with_capacity(site.gpus.len()),
            busy: 0,
            active: 0,
            site: site.clone(),
        };
        for (gpu, first) in site.gpus.iter().enumerate() {
            gpus.set(index(gpu), first.first);
        }
        gpus
    }

    pub(crate) fn all(&self) -> Range<u32> {
        0..index(self.states.len())
    }

    pub(crate) fn state(&self, gpu: u32) -> StateId {
        self.states[gpu as usize]
    }

    pub(crate) fn busy(&self) -> u64 {
        self.busy
    }

    pub(crate) fn active(&self) -> u64 {
        self.active
    }

    /// The number of a GPU's state among those of all kinds.
    pub(crate) fn number(&self, gpu: u32) -> u32 {
        self.site.kind(gpu).base + self.state(gpu).0
    }

    /// Puts a GPU into a state; says which it was in.
    pub(crate) fn set(&mut self, gpu: u32, to: StateId) -> StateId {
        let kind = self.site.kind(gpu);
        let from = std::mem::replace(&mut self.states[gpu as usize], to);
        let units = |state| u64::from(kind.states.units(state).count_ones());
        self.busy = self.busy + units(to) - units(from);
        self.active = self.active + u64::from(to != StateId::EMPTY) - u64::from(from != StateId::EMPTY);
        from
    }

    /// Whether pods may be put there.
    pub(crate) fn is_open(&self, gpu: u32) -> bool {
        !self.held.contains(gpu as usize) && !self.is_shut(gpu)
    }

    /// Whether it is being cut anew.
    pub(crate) fn is_shut(&self, gpu: u32) -> bool {
        self.shut.contains(gpu as usize)
    }

    /// How many are.
    pub(crate) fn shut(&self) -> u64 {
        self.shut.count_ones(..) as u64
    }

    pub(crate) fn set_held(&mut self, gpu: u32, is_held: bool) {
        self.held.set(gpu as usize, is_held);
    }

    pub(crate) fn set_shut(&mut self, gpu: u32, is_shut: bool) {
        self.shut.set(gpu as usize, is_shut);
    }

    /// Each instance by itself, larger ones first.
    pub(crate) fn one_by_one(&self, asks: &[(u16, u8)]) -> Vec<u16> {
        let sizes = self.site.sizes();
        let mut each: Vec<u16> =
            asks.iter().flat_map(|(profile, n)| std::iter::repeat_n(*profile, usize::from(*n))).collect();
        each.sort_by_key(|profile| std::cmp::Reverse(sizes[usize::from(*profile)]));
        each
    }

    /// Each node where these instances fit and may be, with the first places there.
    pub(crate) fn on_nodes(&self, asks: &[(u16, u8)], allowed: &Allowed) -> impl Iterator<Item = (usize, Places)> {
        let each = self.one_by_one(asks);
        let nodes = self.site.nodes.iter().enumerate().filter(|(_, on)| allowed.may_use(on.gpus.start));
        nodes.filter_map(move |(node, on)| {
            let here: Vec<StateId> = on.gpus.clone().map(|gpu| self.state(gpu)).collect();
            Some((node, self.first_places(on.gpus.start, here, &each, allowed.is_on_one_gpu)?))
        })
    }

    /// The first places on GPUs in these states, from the first GPU on, where these instances fit: lowest GPU, lowest
    /// start. If they share one GPU it is the first where all of them fit.
    pub(crate) fn first_places(
        &self,
        first: u32,
        mut here: Vec<StateId>,
        each: &[u16],
        is_on_one_gpu: bool,
    ) -> Option<Places> {
        if is_on_one_gpu {
            return (first..).zip(here).filter(|(gpu, _)| self.is_open(*gpu)).find_map(|(gpu, state)| {
                let (_, steps) = together(self.site.kind(gpu), state, each, |_, _| Some(0))?;
                Some(steps.into_iter().map(|step| (gpu, step)).collect())
            });
        }
        let mut places = Places::new();
        for &profile in each {
            let fits = |(at, state): (usize, &StateId)| {
                let gpu = first + index(at);
                let kind = self.site.kind(gpu);
                let id = kind.profiles[usize::from(profile)].filter(|_| self.is_open(gpu))?;
                let fitting = kind.states.additions(*state).iter().filter(|step| step.placement.profile == id);
                Some((gpu, *fitting.min_by_key(|step| step.placement.start)?))
            };
            let (gpu, step) = here.iter().enumerate().find_map(fits)?;
            here[(gpu - first) as usize] = step.to;
            places.push((gpu, step));
        }
        Some(places)
    }

    /// What a node loses by these instances, as the extender reckons it.
    pub(crate) fn lost(&self, node: usize, worth: &[Worth], places: &Places) -> u64 {
        let gpus = self.site.nodes[node].gpus.clone();
        let (mut free, mut there) = (Counts::EMPTY, 0);
        for gpu in gpus.clone().filter(|gpu| !self.is_shut(*gpu)) {
            let kind = self.site.kind(gpu);
            let taken = kind.states.layout(self.state(gpu)).counts();
            // A GPU that is not cut has nothing free that is cut.
            let cut = kind.cut.as_ref().map_or(taken, Layout::counts);
            free = free.plus(&cut.minus(&taken).unwrap_or_default());
            there += taken.total();
        }
        let ask: Counts = places.iter().map(|(_, step)| (step.placement.profile, 1)).collect();
        let state = State { free, gpus: index(gpus.len()), pods: there };
        worth[self.site.gpus[gpus.start as usize].kind as usize].loss(&state, &ask)
    }

    /// How a node's instances of the first profile that is asked for would be used.
    pub(crate) fn used(&self, node: usize, asks: &[(u16, u8)]) -> NodeUse {
        let Some(&(profile, more)) = asks.first() else { return NodeUse { all: 0, used: 0 } };
        let (mut all, mut used) = (0, u64::from(more));
        for gpu in self.site.nodes[node].gpus.clone().filter(|gpu| !self.is_shut(*gpu)) {
            let kind = self.site.kind(gpu);
            let Some(id) = kind.profiles[usize::from(profile)] else { continue };
            let of =
                |layout: &Layout| layout.placements().iter().filter(|placement| placement.profile == id).count() as u64;
            used += of(kind.states.layout(self.state(gpu)));
            // A GPU that is not cut has as many as it could be cut into.
            all += kind.cut.as_ref().map_or_else(|| u64::from(kind.model.get(id).max_instances), of);
        }
        NodeUse { all, used }
    }
}
