//! The GPUs as they are at a moment, and the places that a policy chooses among them.

use std::collections::BTreeSet;

use fixedbitset::FixedBitSet;
use migsaw::geometry::{Counts, Layout, Placement, StateId, Step};
use migsaw::score::{Mix, State, Worth};
use smallvec::SmallVec;

use crate::policy::{NodeUse, Policy, Rule, Ties};
use crate::rng::Rng;
use crate::site::{Kind, Site, index};

/// Where an instance is put: the GPU, and the step that puts it there.
pub(crate) type Place = (u32, Step);
/// Where all instances of a pod are put.
pub(crate) type Places = SmallVec<[Place; 2]>;

/// The state of each GPU.
#[derive(Debug)]
pub(crate) struct Cluster<'a> {
    pub(crate) site: &'a Site,
    states: Vec<StateId>,
    /// GPUs that the policy may not choose.
    closed: FixedBitSet,
    chooser: Chooser,
    lots: Rng,
    /// Placement units taken.
    pub(crate) busy: u64,
    /// GPUs with something on them.
    pub(crate) active: u64,
}

#[derive(Debug)]
enum Chooser {
    Ranked(Ranks),
    Scored(fn(&NodeUse) -> i64),
    /// What each kind's GPUs are worth to the mix.
    Worth(Vec<Worth>),
    None,
}

impl<'a> Cluster<'a> {
    pub(crate) fn new(site: &'a Site, policy: &Policy, mix: &Mix, seed: u64) -> Cluster<'a> {
        let chooser = match policy.rule {
            Rule::Gpu { losses, ties } => Chooser::Ranked(Ranks::new(site, losses, mix, ties)),
            Rule::Node(score) => Chooser::Scored(score),
            Rule::Extender => Chooser::Worth(site.kinds.iter().map(|kind| Worth::new(&kind.model, mix)).collect()),
            Rule::Repacked => Chooser::None,
        };
        let mut cluster = Cluster {
            site,
            states: vec![StateId::EMPTY; site.gpus.len()],
            closed: FixedBitSet::with_capacity(site.gpus.len()),
            chooser,
            lots: Rng::new(seed),
            busy: 0,
            active: 0,
        };
        for (gpu, first) in site.gpus.iter().enumerate() {
            cluster.set(index(gpu), first.first);
        }
        cluster
    }

    pub(crate) fn state(&self, gpu: u32) -> StateId {
        self.states[gpu as usize]
    }

    /// A GPU of each state that one is in, if the policy ranks GPUs.
    pub(crate) fn one_of_each(&self) -> impl Iterator<Item = u32> + '_ {
        let gpus = match &self.chooser {
            Chooser::Ranked(ranks) => &ranks.gpus[..],
            Chooser::Scored(_) | Chooser::Worth(_) | Chooser::None => &[],
        };
        gpus.iter().filter_map(|alike| alike.first().copied())
    }

    /// Where the policy would put an instance if some GPUs were not there.
    pub(crate) fn best_except(&self, profile: u16, except: &[u32]) -> Option<Place> {
        let Chooser::Ranked(ranks) = &self.chooser else { return None };
        let ladder = &ranks.ladders[usize::from(profile)];
        ladder.present.ones().find_map(|at| {
            let rung = &ladder.rungs[at];
            let gpu = ranks.gpus[rung.state as usize].iter().find(|gpu| !except.contains(gpu))?;
            Some((*gpu, rung.step))
        })
    }

    /// Keeps the policy from a GPU.
    pub(crate) fn close(&mut self, gpu: u32) {
        if !self.closed.put(gpu as usize)
            && let Chooser::Ranked(ranks) = &mut self.chooser
        {
            ranks.goes(self.site.kind(gpu).base + self.states[gpu as usize].0, gpu);
        }
    }

    /// Lets the policy choose a GPU again.
    pub(crate) fn open(&mut self, gpu: u32) {
        if self.closed.contains(gpu as usize)
            && let Chooser::Ranked(ranks) = &mut self.chooser
        {
            ranks.comes(self.site.kind(gpu).base + self.states[gpu as usize].0, gpu);
        }
        self.closed.set(gpu as usize, false);
    }

    /// Where the policy puts a pod that takes these instances; `None` if it fits nowhere.
    pub(crate) fn choose(&mut self, asks: &[(u16, u8)]) -> Option<Places> {
        match (&mut self.chooser, asks) {
            (Chooser::Ranked(ranks), [(profile, 1)]) => {
                let place = ranks.best(*profile)?;
                Some([place].into_iter().collect())
            }
            (Chooser::Ranked(ranks), _) => {
                let each = one_by_one(self.site, asks);
                let on_node = |node: usize| ranks.together(self.site, &self.states, &self.closed, node, &each);
                let nodes = (0..self.site.nodes.len()).filter_map(on_node);
                nodes.min_by_key(|(loss, _)| *loss).map(|(_, places)| places)
            }
            (Chooser::Scored(score), _) => {
                let mut fitting: Vec<(i64, Places)> = on_nodes(self.site, &self.states, &self.closed, asks)
                    .map(|(node, places)| (score(&used(self.site, &self.states, node, asks)), places))
                    .collect();
                let most = fitting.iter().map(|(points, _)| *points).max()?;
                fitting.retain(|(points, _)| *points == most);
                Some(fitting.swap_remove(self.lots.index(fitting.len())).1)
            }
            (Chooser::Worth(worth), _) => on_nodes(self.site, &self.states, &self.closed, asks)
                .min_by_key(|(node, places)| lost(self.site, &self.states, *node, worth, places))
                .map(|(_, places)| places),
            (Chooser::None, _) => None,
        }
    }

    /// Puts a GPU into a state.
    pub(crate) fn set(&mut self, gpu: u32, to: StateId) {
        let kind = self.site.kind(gpu);
        let from = std::mem::replace(&mut self.states[gpu as usize], to);
        let units = |state| u64::from(kind.states.units(state).count_ones());
        self.busy = self.busy + units(to) - units(from);
        self.active = self.active + u64::from(to != StateId::EMPTY) - u64::from(from != StateId::EMPTY);
        if let Chooser::Ranked(ranks) = &mut self.chooser
            && !self.closed.contains(gpu as usize)
        {
            ranks.goes(kind.base + from.0, gpu);
            ranks.comes(kind.base + to.0, gpu);
        }
    }

    /// Puts an instance there.
    pub(crate) fn add(&mut self, gpu: u32, placement: Placement) {
        let states = &self.site.kind(gpu).states;
        let step = states.additions(self.state(gpu)).iter().find(|step| step.placement == placement);
        self.set(gpu, step.expect("there is room for the instance").to);
    }

    /// Takes an instance away.
    pub(crate) fn remove(&mut self, gpu: u32, placement: Placement) {
        let to = self.site.kind(gpu).states.without(self.state(gpu), placement);
        self.set(gpu, to.expect("the instance is there"));
    }
}

/// For each profile, all states that can take it, best first, and which GPUs are in them.
#[derive(Debug)]
struct Ranks {
    ladders: Vec<Ladder>,
    /// The GPUs in each state, by the state's number among those of all kinds.
    gpus: Vec<BTreeSet<u32>>,
    ties: Ties,
    /// The GPU after the last one taken.
    next: u32,
}

#[derive(Debug)]
struct Ladder {
    rungs: Vec<Rung>,
    /// The rung of each state; `NONE` if the profile cannot be placed on it.
    rung_of: Vec<u32>,
    /// The rungs with a GPU.
    present: FixedBitSet,
}

/// A state, and the best way to place the profile on it.
#[derive(Debug, Clone, Copy)]
struct Rung {
    state: u32,
    step: Step,
    loss: i64,
}

const NONE: u32 = u32::MAX;

impl Ranks {
    fn new(site: &Site, losses: fn(&Kind, &Mix) -> crate::policy::Losses, mix: &Mix, ties: Ties) -> Ranks {
        let by_kind: Vec<Vec<Vec<Option<i64>>>> = site
            .kinds
            .iter()
            .map(|kind| {
                let loss = losses(kind, mix);
                let of = |state| kind.states.additions(state).iter().map(|step| loss(state, step)).collect();
                kind.states.ids().map(of).collect()
            })
            .collect();
        let ladders = (0..site.profiles.len()).map(|profile| Ladder::new(site, profile, &by_kind)).collect();
        Ranks { ladders, gpus: vec![BTreeSet::new(); site.states()], ties, next: 0 }.with_idle(site)
    }

    /// Every GPU in its empty state.
    fn with_idle(mut self, site: &Site) -> Ranks {
        for (gpu, _) in site.gpus.iter().enumerate() {
            let base = site.kind(index(gpu)).base;
            self.gpus[base as usize].insert(index(gpu));
            self.ladders.iter_mut().for_each(|ladder| ladder.mark(base, true));
        }
        self
    }

    fn best(&mut self, profile: u16) -> Option<Place> {
        let ladder = &self.ladders[usize::from(profile)];
        let mut present = ladder.present.ones().map(|at| &ladder.rungs[at]);
        let first = present.next()?;
        let equals = std::iter::once(first).chain(present.take_while(|rung| rung.loss == first.loss));
        let found =
            |from: u32, rung: &Rung| self.gpus[rung.state as usize].range(from..).next().map(|gpu| (*gpu, rung.step));
        let by_gpu = |place: &Place| place.0;
        let place = match self.ties {
            Ties::InTurn => {
                let after = equals.clone().filter_map(|rung| found(self.next, rung)).min_by_key(by_gpu);
                after.or_else(|| equals.filter_map(|rung| found(0, rung)).min_by_key(by_gpu))?
            }
            Ties::First => equals.filter_map(|rung| found(0, rung)).min_by_key(by_gpu)?,
        };
        self.next = place.0 + 1;
        Some(place)
    }

    /// Where all these instances go on one node, one after the other and larger ones first, and what that loses.
    fn together(
        &self,
        site: &Site,
        states: &[StateId],
        closed: &FixedBitSet,
        node: usize,
        each: &[u16],
    ) -> Option<(i64, Places)> {
        let gpus = site.nodes[node].clone();
        let mut here: Vec<StateId> = gpus.clone().map(|gpu| states[gpu as usize]).collect();
        let (mut lost, mut places) = (0, Places::new());
        for &profile in each {
            let ladder = &self.ladders[usize::from(profile)];
            let rung = |(at, state): (usize, &StateId)| {
                let gpu = gpus.start + index(at);
                let rung = ladder.rung_of[(site.kind(gpu).base + state.0) as usize];
                (rung != NONE && !closed.contains(gpu as usize)).then(|| (gpu, ladder.rungs[rung as usize]))
            };
            let (gpu, rung) = here.iter().enumerate().filter_map(rung).min_by_key(|(gpu, rung)| (rung.loss, *gpu))?;
            lost += rung.loss;
            here[(gpu - gpus.start) as usize] = rung.step.to;
            places.push((gpu, rung.step));
        }
        Some((lost, places))
    }

    fn goes(&mut self, from: u32, gpu: u32) {
        let left = &mut self.gpus[from as usize];
        left.remove(&gpu);
        if left.is_empty() {
            self.ladders.iter_mut().for_each(|ladder| ladder.mark(from, false));
        }
    }

    fn comes(&mut self, to: u32, gpu: u32) {
        let joined = &mut self.gpus[to as usize];
        if joined.is_empty() {
            self.ladders.iter_mut().for_each(|ladder| ladder.mark(to, true));
        }
        joined.insert(gpu);
    }
}

impl Ladder {
    fn new(site: &Site, profile: usize, losses: &[Vec<Vec<Option<i64>>>]) -> Ladder {
        let mut rungs: Vec<Rung> = Vec::new();
        for (kind, losses) in site.kinds.iter().zip(losses) {
            let Some(id) = kind.profiles[profile] else { continue };
            for state in kind.states.ids() {
                let steps = kind.states.additions(state).iter().zip(&losses[state.index()]);
                let fitting = steps.filter(|(step, _)| step.placement.profile == id);
                let best = fitting.filter_map(|(step, loss)| Some((*step, (*loss)?)));
                if let Some((step, loss)) = best.min_by_key(|(step, loss)| (*loss, step.placement.start)) {
                    rungs.push(Rung { state: kind.base + state.0, step, loss });
                }
            }
        }
        rungs.sort_by_key(|rung| (rung.loss, rung.state));
        let mut rung_of = vec![NONE; site.states()];
        rungs.iter().enumerate().for_each(|(at, rung)| rung_of[rung.state as usize] = index(at));
        let present = FixedBitSet::with_capacity(rungs.len());
        Ladder { rungs, rung_of, present }
    }

    fn mark(&mut self, state: u32, is_present: bool) {
        let rung = self.rung_of[state as usize];
        if rung != NONE {
            self.present.set(rung as usize, is_present);
        }
    }
}

/// Each instance by itself, larger ones first.
fn one_by_one(site: &Site, asks: &[(u16, u8)]) -> Vec<u16> {
    let sizes = site.sizes();
    let mut each: Vec<u16> =
        asks.iter().flat_map(|(profile, n)| std::iter::repeat_n(*profile, usize::from(*n))).collect();
    each.sort_by_key(|profile| std::cmp::Reverse(sizes[usize::from(*profile)]));
    each
}

/// Each node where these instances fit, with the first places there.
fn on_nodes(
    site: &Site,
    states: &[StateId],
    closed: &FixedBitSet,
    asks: &[(u16, u8)],
) -> impl Iterator<Item = (usize, Places)> {
    let each = one_by_one(site, asks);
    (0..site.nodes.len()).filter_map(move |node| Some((node, first_places(site, states, closed, node, &each)?)))
}

/// The first places on a node where these instances fit: lowest GPU, lowest start.
fn first_places(site: &Site, states: &[StateId], closed: &FixedBitSet, node: usize, each: &[u16]) -> Option<Places> {
    let gpus = site.nodes[node].clone();
    let mut here: Vec<StateId> = gpus.clone().map(|gpu| states[gpu as usize]).collect();
    let mut places = Places::new();
    for &profile in each {
        let fits = |(at, state): (usize, &StateId)| {
            let gpu = gpus.start + index(at);
            let kind = site.kind(gpu);
            let id = kind.profiles[usize::from(profile)].filter(|_| !closed.contains(gpu as usize))?;
            let fitting = kind.states.additions(*state).iter().filter(|step| step.placement.profile == id);
            Some((gpu, *fitting.min_by_key(|step| step.placement.start)?))
        };
        let (gpu, step) = here.iter().enumerate().find_map(fits)?;
        here[(gpu - gpus.start) as usize] = step.to;
        places.push((gpu, step));
    }
    Some(places)
}

/// What a node loses by these instances, as the extender reckons it.
fn lost(site: &Site, states: &[StateId], node: usize, worth: &[Worth], places: &Places) -> u64 {
    let gpus = site.nodes[node].clone();
    let (mut free, mut there) = (Counts::EMPTY, 0);
    for gpu in gpus.clone() {
        let kind = site.kind(gpu);
        let taken = kind.states.layout(states[gpu as usize]).counts();
        // A GPU that is not cut has nothing free that is cut.
        let cut = kind.cut.as_ref().map_or(taken, Layout::counts);
        free = free.plus(&cut.minus(&taken).unwrap_or_default());
        there += taken.total();
    }
    let ask: Counts = places.iter().map(|(_, step)| (step.placement.profile, 1)).collect();
    let state = State { free, gpus: index(gpus.len()), pods: there };
    worth[site.gpus[gpus.start as usize].kind as usize].loss(&state, &ask)
}

/// How a node's instances of the first profile that is asked for would be used.
fn used(site: &Site, states: &[StateId], node: usize, asks: &[(u16, u8)]) -> NodeUse {
    let Some(&(profile, more)) = asks.first() else { return NodeUse { all: 0, used: 0 } };
    let (mut all, mut used) = (0, u64::from(more));
    for gpu in site.nodes[node].clone() {
        let kind = site.kind(gpu);
        let Some(id) = kind.profiles[usize::from(profile)] else { continue };
        let of =
            |layout: &Layout| layout.placements().iter().filter(|placement| placement.profile == id).count() as u64;
        used += of(kind.states.layout(states[gpu as usize]));
        // A GPU that is not cut has as many as it could be cut into.
        all += kind.cut.as_ref().map_or_else(|| u64::from(kind.model.get(id).max_instances), of);
    }
    NodeUse { all, used }
}
