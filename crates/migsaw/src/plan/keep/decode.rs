//! From the program's values to what becomes of each node.

use std::collections::BTreeMap;

use super::Kept;
use super::group::{Group, Groups, Site};
use super::vars::{Counted, GroupVars, PresentVars};
use crate::fleet::Strategy;
use crate::geometry::{Counts, Layout};
use crate::plan::compile::Compiled;
use crate::plan::decision::{Decision, Decisions, Gpu};
use crate::plan::optimise::Reached;
use crate::present::RecutUnit;

impl Groups {
    /// `spare` says what becomes of what is not used.
    pub(super) fn decisions(
        &self,
        compiled: &Compiled<'_>,
        vars: &PresentVars,
        values: &[i64],
        spare: Fate,
    ) -> Decisions {
        let mut decisions = Decisions { kept: vec![0; compiled.problem.demands.len()], ..Decisions::default() };
        for (group, vars) in self.list.iter().zip(&vars.groups) {
            match vars {
                GroupVars::Taken => {
                    for site in &group.sites {
                        decisions.at(compiled, group.pool, site.node).gpus[site.gpus.start] = Gpu::Taken;
                    }
                }
                GroupVars::Whole { stay, recut, kept } => {
                    let mut kept: Vec<i64> = kept.iter().map(|var| values[var.0]).collect();
                    let stay = values[stay.0];
                    let recut = recut.map_or(group.count(), |recut| values[recut.0]);
                    for (site, index) in group.sites.iter().zip(0..) {
                        let fate = match index {
                            index if index < stay => Fate::Stays,
                            index if index < stay + recut => Fate::Idle,
                            _ => spare,
                        };
                        group.decide(compiled, &mut decisions, site, fate, &mut kept);
                    }
                }
                GroupVars::Instances(choices) => {
                    let mut copies = group.sites.iter();
                    for (kinds, var) in choices {
                        for site in copies.by_ref().take(usize::try_from(values[var.0]).unwrap_or(0)) {
                            group.keep(compiled, &mut decisions, site, kinds);
                        }
                    }
                }
            }
        }
        let cut = vars.cut_anew.clone() + &vars.uncounted;
        decisions.most_cut = i64::try_from(cut.value(values)).ok();
        for (&pool, counted) in &vars.counted {
            if compiled.pools[pool].strategy == Strategy::Mixed {
                decisions.spare(compiled, pool, counted, values);
            }
        }
        decisions.count(compiled)
    }

    /// Everything stays as it is.
    pub(in crate::plan) fn untouched(&self, compiled: &Compiled<'_>) -> Kept {
        let mut decisions = Decisions { kept: vec![0; compiled.problem.demands.len()], ..Decisions::default() };
        for group in &self.list {
            for site in &group.sites {
                let mut kept: Vec<i64> = (0..group.kinds.len()).map(|kind| group.each(kind) * group.count()).collect();
                group.decide(compiled, &mut decisions, site, Fate::Stays, &mut kept);
            }
        }
        let unknown = |value| Reached { value, bound: 0 };
        let asked = |level: usize| compiled.flows.iter().map(|flow| flow.counts[level]).sum();
        Kept {
            decisions: decisions.count(compiled),
            running: self.running.clone(),
            served: self.running.iter().enumerate().map(|(l, &n)| Reached { value: n, bound: asked(l) }).collect(),
            evicted: self.running.iter().map(|_| unknown(0)).collect(),
            recut: unknown(0),
            cost: unknown(0),
            spare: i64::MAX,
        }
    }
}

/// What becomes of a site.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::plan) enum Fate {
    Stays,
    Idle,
    /// Neither used nor cut.
    Unused,
}

impl Group {
    /// Writes down what becomes of a copy of which all or nothing stays; takes what stays off `kept`.
    fn decide(&self, compiled: &Compiled<'_>, decisions: &mut Decisions, site: &Site, fate: Fate, kept: &mut [i64]) {
        let decision = decisions.at(compiled, self.pool, site.node);
        for (kind, running) in site.running.iter().enumerate() {
            let most = if fate == Fate::Stays { running.len() } else { 0 };
            let n = usize::try_from(kept[kind]).unwrap_or(0).min(most);
            kept[kind] -= i64::try_from(n).expect("few units on a node");
            decision.evicts.extend(&running[n..]);
        }
        for (gpu, index) in self.gpus.iter().zip(site.gpus.clone()) {
            decision.gpus[index] = match (fate, &gpu.layout) {
                (Fate::Stays, Some(layout)) => {
                    Gpu::Fixed { layout: layout.clone(), free: gpu.usable().unwrap_or(Counts::EMPTY) }
                }
                (Fate::Stays, None) if gpu.pinned == Gpu::Idle => Gpu::Off,
                (Fate::Idle, _) => Gpu::Idle,
                (Fate::Stays | Fate::Unused, _) => Gpu::Taken,
            };
        }
    }

    /// Writes down that just these kinds stay on a site.
    fn keep(&self, compiled: &Compiled<'_>, decisions: &mut Decisions, site: &Site, kinds: &[usize]) {
        let decision = decisions.at(compiled, self.pool, site.node);
        for (kind, running) in site.running.iter().enumerate().filter(|(kind, _)| !kinds.contains(kind)) {
            debug_assert!(!self.kinds[kind].stays);
            decision.evicts.extend(running);
        }
        let at = kinds.iter().flat_map(|&kind| &self.kinds[kind].at).copied();
        let pinned = match &self.gpus[0].pinned {
            Gpu::Pinned(layout) => layout.clone(),
            _ => Layout::empty(),
        };
        let layout = pinned.merged(&Layout::claimed(at));
        decision.gpus[site.gpus.start] = if layout.is_empty() { Gpu::Idle } else { Gpu::Pinned(layout) };
    }
}

impl Decisions {
    /// The decision about a node, at first to leave all of it alone.
    fn at(&mut self, compiled: &Compiled<'_>, pool: usize, node: u32) -> &mut Decision {
        let gpus = compiled.pools[pool].board_of.len();
        let taken =
            || Decision { gpus: vec![Gpu::Taken; gpus], pinned: Vec::new(), evicts: Vec::new(), held: BTreeMap::new() };
        self.nodes.entry((pool, node)).or_insert_with(taken)
    }

    /// Leaves idle only so many GPUs as are to be cut, of those that count one by one: first those cut today,
    /// since the others may also serve as a whole.
    fn spare(&mut self, compiled: &Compiled<'_>, pool: usize, counted: &Counted, values: &[i64]) {
        let mut turned_off = counted.turned_off.map_or(0, |var| values[var.0]);
        let mut cut: BTreeMap<usize, i64> = counted.cut.iter().map(|(&board, var)| (board, values[var.0])).collect();
        let shape = &compiled.pools[pool];
        for is_cut_today in [true, false] {
            for (range, group) in compiled.problem.fleet.pools[pool].node_ranges() {
                let Some(present) = group.present.as_ref().filter(|p| p.unit != RecutUnit::Node) else { continue };
                for node in range {
                    let Some(decision) = self.nodes.get_mut(&(pool, node)) else { continue };
                    for (gpu, state) in decision.gpus.iter_mut().enumerate().filter(|(_, state)| **state == Gpu::Idle) {
                        let is_cut = present.layout(gpu).is_some_and(|layout| !layout.is_empty());
                        if is_cut != is_cut_today {
                            continue;
                        }
                        let left = cut.entry(shape.board_of[gpu]).or_insert(0);
                        if *left > 0 {
                            *left -= 1;
                        } else if !is_cut {
                            *state = Gpu::Off;
                        } else if turned_off > 0 {
                            turned_off -= 1;
                        } else {
                            *state = Gpu::Taken;
                        }
                    }
                }
            }
        }
    }

    /// Takes what stays off what is free and what is asked for.
    fn count(mut self, compiled: &Compiled<'_>) -> Decisions {
        for (pool, shape) in compiled.problem.fleet.pools.iter().enumerate() {
            for (range, group) in shape.node_ranges() {
                let Some(present) = &group.present else { continue };
                for node in range {
                    let decision = self.at(compiled, pool, node);
                    decision.evicts.sort_unstable();
                    decision.evicts.dedup();
                    for (_, unit) in decision.kept(present) {
                        self.kept[unit.demand] += 1;
                    }
                    let decision = self.at(compiled, pool, node);
                    decision.hold(present);
                    decision.pinned = (0..decision.gpus.len()).map(|gpu| Gpu::of(group, gpu)).collect();
                }
            }
        }
        self
    }
}
