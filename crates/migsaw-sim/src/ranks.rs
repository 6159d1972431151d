//! The GPUs in the order in which a policy would take them.

use std::collections::BTreeSet;
use std::ops::Range;

use fixedbitset::FixedBitSet;
use migsaw::geometry::{StateId, Step};
use migsaw::score::Mix;

use crate::gpus::{Gpus, Place, Places, together};
use crate::limits::may_use;
use crate::policy::{Losses, Ties};
use crate::site::{Kind, Site, index};

/// For each profile, all states that can take it, best first, and which GPUs are in them.
#[derive(Debug)]
pub(crate) struct Ranks {
    ladders: Vec<Ladder>,
    /// By kind, state and addition: what is lost.
    losses: Vec<Vec<Vec<Option<i64>>>>,
    /// The GPUs in each state, by the state's number among those of all kinds.
    gpus: Vec<BTreeSet<u32>>,
    ties: Ties,
    /// The GPU after the last one taken.
    pub(crate) next: u32,
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

/// The first of some GPUs that is among others; `None` for all.
fn first(alike: &BTreeSet<u32>, among: Option<&FixedBitSet>) -> Option<u32> {
    match among {
        None => alike.first().copied(),
        Some(among) => alike.iter().copied().find(|gpu| among.contains(*gpu as usize)),
    }
}

impl Ranks {
    /// All GPUs that are open.
    pub(crate) fn new(gpus: &Gpus, losses: fn(&Kind, &Mix) -> Losses, mix: &Mix, ties: Ties) -> Ranks {
        let site = &gpus.site;
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
        let mut ranks = Ranks { ladders, losses: by_kind, gpus: vec![BTreeSet::new(); site.states()], ties, next: 0 };
        gpus.all().filter(|gpu| gpus.is_open(*gpu)).for_each(|gpu| ranks.comes(gpus.number(gpu), gpu));
        ranks
    }

    /// A GPU of each state that one is in, among some.
    pub(crate) fn one_of_each(&self, among: Option<&FixedBitSet>) -> impl Iterator<Item = u32> {
        self.gpus.iter().filter_map(move |alike| first(alike, among))
    }

    /// The best place for an instance among some GPUs if others were not there.
    pub(crate) fn best_except(&self, profile: u16, except: &[u32], among: Option<&FixedBitSet>) -> Option<Place> {
        let ladder = &self.ladders[usize::from(profile)];
        ladder.present.ones().find_map(|at| {
            let rung = &ladder.rungs[at];
            let gpu =
                self.gpus[rung.state as usize].iter().find(|gpu| !except.contains(gpu) && may_use(among, **gpu))?;
            Some((*gpu, rung.step))
        })
    }

    /// The best place for an instance among some GPUs, which is then the last one taken.
    pub(crate) fn best(&mut self, on: &Gpus, profile: u16, among: Option<&FixedBitSet>) -> Option<Place> {
        let ladder = &self.ladders[usize::from(profile)];
        let mut present = ladder.present.ones().map(|at| &ladder.rungs[at]);
        let found = |rung: &Rung| Some((first(&self.gpus[rung.state as usize], among)?, rung.step));
        let (least, place) = present.find_map(|rung| Some((rung.loss, found(rung)?)))?;
        let place = match self.ties {
            Ties::First => {
                let equals = present.take_while(|rung| rung.loss == least).filter_map(found);
                equals.fold(place, |best, other| if other.0 < best.0 { other } else { best })
            }
            Ties::InTurn => {
                let all = on.all();
                let found = |gpu| {
                    let rung = ladder.rung(on, gpu, on.state(gpu)).filter(|rung| rung.loss == least)?;
                    may_use(among, gpu).then_some((gpu, rung.step))
                };
                (self.next..all.end).chain(all.start..self.next.min(all.end)).find_map(found)?
            }
        };
        self.next = place.0 + 1;
        Some(place)
    }

    /// Where all these instances go on one GPU among some, and least is lost there.
    pub(crate) fn on_one_gpu(&self, on: &Gpus, each: &[u16], among: Option<&FixedBitSet>) -> Option<Places> {
        // On GPUs in the same state nothing differs.
        let ways = self.one_of_each(among).filter_map(|gpu| {
            let kind = on.site.gpus[gpu as usize].kind as usize;
            let of = |state: StateId, at: usize| self.losses[kind][state.index()][at];
            let (lost, steps) = together(&on.site.kinds[kind], on.state(gpu), each, of)?;
            Some((lost, gpu, steps))
        });
        let (_, gpu, steps) = ways.min_by_key(|(lost, gpu, _)| (*lost, *gpu))?;
        Some(steps.into_iter().map(|step| (gpu, step)).collect())
    }

    /// Where all these instances go on one node, one after the other and larger ones first, and what that loses.
    pub(crate) fn together(&self, on: &Gpus, gpus: Range<u32>, each: &[u16]) -> Option<(i64, Places)> {
        let mut here: Vec<StateId> = gpus.clone().map(|gpu| on.state(gpu)).collect();
        let (mut lost, mut places) = (0, Places::new());
        for &profile in each {
            let ladder = &self.ladders[usize::from(profile)];
            let rung = |(at, state): (usize, &StateId)| {
                let gpu = gpus.start + index(at);
                Some((gpu, ladder.rung(on, gpu, *state)?))
            };
            let (gpu, rung) = here.iter().enumerate().filter_map(rung).min_by_key(|(gpu, rung)| (rung.loss, *gpu))?;
            lost += rung.loss;
            here[(gpu - gpus.start) as usize] = rung.step.to;
            places.push((gpu, rung.step));
        }
        Some((lost, places))
    }

    pub(crate) fn goes(&mut self, from: u32, gpu: u32) {
        let left = &mut self.gpus[from as usize];
        left.remove(&gpu);
        if left.is_empty() {
            self.ladders.iter_mut().for_each(|ladder| ladder.mark(from, false));
        }
    }

    pub(crate) fn comes(&mut self, to: u32, gpu: u32) {
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

    /// How the profile is placed on a GPU in this state, if it can be.
    fn rung(&self, on: &Gpus, gpu: u32, state: StateId) -> Option<Rung> {
        let rung = self.rung_of[(on.site.kind(gpu).base + state.0) as usize];
        (rung != NONE && on.is_open(gpu)).then(|| self.rungs[rung as usize])
    }

    fn mark(&mut self, state: u32, is_present: bool) {
        let rung = self.rung_of[state as usize];
        if rung != NONE {
            self.present.set(rung as usize, is_present);
        }
    }
}
