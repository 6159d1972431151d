//! Units still to be given to nodes.

use std::collections::BTreeMap;

use super::queue::Stock;
use super::{GpuBuild, Load};
use crate::geometry::Counts;
use crate::plan::cell::Part;
use crate::plan::compile::{Compiled, Kind, NodeClass, PoolShape, Shape};

/// Units still to be given to nodes.
pub(super) struct Pending {
    /// Whole GPUs: flow, GPUs of one unit, units; the largest first.
    pub(super) whole: Vec<(usize, i64, i64)>,
    /// Slices, those with rules first.
    pub(super) slices: Vec<PendingUnits>,
}

pub(super) struct PendingUnits {
    pub(super) flow: usize,
    /// Instances of one unit, each of any of the kinds.
    pub(super) lines: Vec<(Vec<Kind>, i64)>,
    pub(super) bundle: Option<(usize, Counts)>,
    pub(super) left: i64,
}

impl Pending {
    pub(super) fn new(compiled: &Compiled<'_>, loads: Vec<Load>) -> Pending {
        let mut pending = Pending { whole: Vec::new(), slices: Vec::new() };
        for load in loads {
            let flow = &compiled.flows[load.flow];
            match flow.shape {
                Shape::Whole { gpus } => pending.whole.push((load.flow, gpus, load.units)),
                Shape::Slices { instances: 1, .. } => {
                    let kinds = load.lines.into_iter().flatten().filter(|(_, n)| *n > 0);
                    pending.slices.extend(kinds.map(|(kind, left)| PendingUnits {
                        flow: load.flow,
                        lines: vec![(vec![kind], 1)],
                        bundle: None,
                        left,
                    }));
                }
                Shape::Slices { .. } => {
                    let line = |kinds: &Vec<(Kind, i64)>| {
                        let each = kinds.iter().map(|(_, n)| n).sum::<i64>() / load.units;
                        (kinds.iter().filter(|(_, n)| *n > 0).map(|(kind, _)| *kind).collect(), each)
                    };
                    let lines = load.lines.iter().map(line).collect();
                    pending.slices.push(PendingUnits { flow: load.flow, lines, bundle: load.bundle, left: load.units });
                }
            }
        }
        pending.whole.sort_by_key(|&(flow, gpus, _)| (std::cmp::Reverse(gpus), flow));
        let rules = |units: &PendingUnits| {
            let flow = &compiled.flows[units.flow];
            (units.bundle.is_some(), flow.max_per_node.is_some(), units.lines.iter().map(|line| line.1).sum::<i64>())
        };
        pending.slices.sort_by_key(|units| (std::cmp::Reverse(rules(units)), units.flow));
        pending
    }

    pub(super) fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.slices.is_empty()
    }

    /// Whole units for a node with so many idle GPUs, and how many of `most` nodes can have the same.
    pub(super) fn take_whole(
        &self,
        compiled: &Compiled<'_>,
        class: &NodeClass,
        mut idle: i64,
        most: i64,
    ) -> (Vec<Load>, i64) {
        let mut same = most;
        let mut loads = Vec::new();
        for &(flow, gpus, left) in &self.whole {
            let on_node = compiled.flows[flow].max_per_node.map_or(i64::MAX, |most| class.room_for(flow, most));
            let units = (idle / gpus).min(left).min(on_node);
            if units > 0 {
                idle -= units * gpus;
                same = same.min(left / units);
                loads.push(Load { flow, units, lines: Vec::new(), bundle: None });
            }
        }
        (loads, same)
    }

    /// Units for a node with so much space, and how many of `most` such nodes can have the same.
    pub(super) fn slices(
        &self,
        compiled: &Compiled<'_>,
        class: &NodeClass,
        mut space: Space,
        most: i64,
    ) -> (Vec<Load>, i64) {
        let mut here: BTreeMap<usize, i64> = BTreeMap::new();
        let mut same = most;
        let mut loads = Vec::new();
        for pending in &self.slices {
            if space.kinds.values().all(|&n| n == 0) {
                break;
            }
            let of_flow = here.entry(pending.flow).or_insert(0);
            let on_node = |most: i64| class.room_for(pending.flow, most) - *of_flow;
            let most = compiled.flows[pending.flow].max_per_node.map_or(i64::MAX, on_node).min(pending.left);
            let (units, lines) = match pending.bundle {
                Some(bundle) => (space.take_sets(bundle, most), Vec::new()),
                None => pending.fill(&mut space.kinds, most),
            };
            if units > 0 {
                *of_flow += units;
                same = same.min(pending.left / units);
                loads.push(Load { flow: pending.flow, units, lines, bundle: pending.bundle });
            }
        }
        (loads, same.max(1))
    }

    /// Cuts idle GPUs of a node that got nothing else for units that are still without a place: those a
    /// rule spreads over more nodes than their instances were made on.
    pub(super) fn cut(
        &self,
        compiled: &Compiled<'_>,
        shape: &PoolShape,
        sources: &[Option<Stock>],
        gpus: &mut [GpuBuild],
    ) {
        let mut idle =
            sources.iter().enumerate().filter(|(_, source)| source.is_some_and(|stock| stock.1 == Part::Idle));
        for units in self.slices.iter().filter(|units| units.bundle.is_none()) {
            let most = compiled.flows[units.flow].max_per_node.unwrap_or(i64::MAX).min(units.left);
            for (kinds, each) in &units.lines {
                let mut missing = most.saturating_mul(*each);
                while missing > 0 {
                    let Some((gpu, source)) = idle.next() else { return };
                    let Some(kind) = kinds.iter().find(|kind| source.is_some_and(|stock| stock.0 == kind.board)) else {
                        continue;
                    };
                    let maximal = shape.boards[kind.board].model.idle_capability().maximal();
                    let holds = maximal.iter().map(|counts| counts[kind.profile]).max().unwrap_or(0);
                    let added = u8::try_from(missing.min(i64::from(holds))).expect("at most what a GPU holds");
                    gpus[gpu].added = Counts::from_iter([(kind.profile, added)]);
                    missing -= i64::from(added);
                }
            }
        }
    }

    /// Takes the loads of so many nodes off.
    pub(super) fn remove(&mut self, loads: &[Load], nodes: i64) {
        for load in loads {
            let mut units = load.units * nodes;
            if let Some(entry) = self.whole.iter_mut().find(|entry| entry.0 == load.flow) {
                entry.2 -= units;
                continue;
            }
            let uses = |pending: &PendingUnits| {
                let kinds = load.lines.iter().flatten().filter(|(_, n)| *n > 0).map(|(kind, _)| kind);
                pending.flow == load.flow
                    && pending.bundle == load.bundle
                    && kinds.into_iter().all(|kind| pending.lines.iter().any(|line| line.0.contains(kind)))
            };
            for pending in self.slices.iter_mut().filter(|pending| uses(pending)) {
                let n = units.min(pending.left);
                pending.left -= n;
                units -= n;
            }
        }
        self.whole.retain(|entry| entry.2 > 0);
        self.slices.retain(|pending| pending.left > 0);
    }
}

/// Instances that nothing uses yet, on one node.
pub(super) struct Space {
    pub(super) kinds: BTreeMap<Kind, i64>,
    /// Sets put together on one GPU, by board; their instances are among the others.
    pub(super) sets: BTreeMap<(usize, Counts), i64>,
}

impl Space {
    /// Takes so many sets, or as many as there are.
    pub(super) fn take_sets(&mut self, bundle: (usize, Counts), most: i64) -> i64 {
        let there = self.sets.entry(bundle).or_insert(0);
        let units = most.min(*there);
        *there -= units;
        for (profile, n) in bundle.1.iter() {
            *self.kinds.entry(Kind { board: bundle.0, profile }).or_insert(0) -= units * i64::from(n);
        }
        units
    }

    pub(super) fn of(gpus: &[GpuBuild], board_of: &[usize]) -> Space {
        let mut space = Space { kinds: BTreeMap::new(), sets: BTreeMap::new() };
        for (gpu, &board) in gpus.iter().zip(board_of) {
            for (profile, n) in gpu.added.iter() {
                *space.kinds.entry(Kind { board, profile }).or_insert(0) += i64::from(n);
            }
            for &bundle in &gpu.bundles {
                *space.sets.entry((board, bundle)).or_insert(0) += 1;
            }
        }
        space
    }
}

impl PendingUnits {
    /// Takes room for up to `most` units, with their instances by line and kind.
    pub(super) fn fill(&self, room: &mut BTreeMap<Kind, i64>, most: i64) -> (i64, Vec<Vec<(Kind, i64)>>) {
        let there = |kind: &Kind, room: &BTreeMap<Kind, i64>| room.get(kind).copied().unwrap_or(0);
        let fits = self.lines.iter().map(|(kinds, each)| kinds.iter().map(|k| there(k, room)).sum::<i64>() / each);
        let units = fits.min().unwrap_or(0).min(most).max(0);
        let mut lines = Vec::new();
        for (kinds, each) in &self.lines {
            let mut wanted = units * each;
            let mut line = Vec::new();
            for kind in kinds {
                let n = wanted.min(there(kind, room));
                if n > 0 {
                    *room.entry(*kind).or_insert(0) -= n;
                    line.push((*kind, n));
                }
                wanted -= n;
            }
            if wanted > 0 {
                return (0, Vec::new());
            }
            lines.push(line);
        }
        (units, lines)
    }
}
