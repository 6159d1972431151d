//! What each GPU looks like, before and after, and in words.

use std::collections::{BTreeMap, BTreeSet};

use migsaw::fleet::{GpuState, NodeGroup};
use migsaw::geometry::{Layout, Model, Placement};
use migsaw::plan::{GpuTarget, PlannedNodes};
use migsaw::present::Present;
use migsaw::problem::Problem;

use super::super::usage::serves_whole;
use crate::chart::{Board, Piece, Tint};
use crate::clean::clean;

/// What a GPU looks like, and the same in words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::plan) struct Look {
    pub(in crate::plan) board: Board,
    /// `chat: 1g.10gb@0,1 · spare: 1g.10gb@2`.
    pub(in crate::plan) words: String,
}

/// What an instance is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Use {
    /// A unit of the demand.
    Demand(usize),
    /// Something that stays, whatever is planned.
    Pinned,
    Spare,
    /// Left as it is, with nothing on it.
    Left,
    /// It is not known whether anything is on it.
    Unknown,
}

/// An instance, what it is for, and whether it is made anew or taken away.
struct Instance {
    placement: Placement,
    is_for: Use,
    changes: bool,
}

/// Says what GPUs look like.
pub(in crate::plan) struct Looks<'a> {
    problem: &'a Problem,
    /// By model id and layout: units that nobody can use.
    lost: BTreeMap<(String, Layout), BTreeSet<u8>>,
}

impl<'a> Looks<'a> {
    pub(in crate::plan) fn of(problem: &'a Problem) -> Looks<'a> {
        Looks { problem, lost: BTreeMap::new() }
    }

    /// What a GPU of some nodes becomes.
    pub(in crate::plan) fn after(
        &mut self,
        planned: &PlannedNodes,
        gpu: usize,
        model: &Model,
        nodes: &NodeGroup,
    ) -> Look {
        let problem = self.problem;
        let today = nodes.present.as_ref();
        let whole = |demand: Option<usize>| {
            let (whom, short) = match demand {
                Some(demand) => (clean(&problem.demands[demand].full_name()).into_owned(), name(problem, demand)),
                None => ("running already".to_owned(), "running already".to_owned()),
            };
            one_piece(model, Tint::Used(model.compute_slices), "whole GPU", &short, format!("{whom}: whole GPU"))
        };
        match &planned.gpus[gpu] {
            GpuTarget::MigOff if serves_whole(planned, gpu) => {
                let here = |share: &migsaw::plan::GpuShare| usize::from(share.gpu) == gpu;
                let of = planned.serves.iter().find(|serving| serving.shares.iter().any(here));
                whole(of.map(|serving| serving.demand))
            }
            GpuTarget::MigOff if *nodes.state(gpu) == GpuState::Taken => whole(None),
            GpuTarget::MigOff => one_piece(model, Tint::Free, "MIG off", "", "MIG off".to_owned()),
            GpuTarget::Left(layout) => {
                let left = |&placement: &Placement| Instance { placement, is_for: Use::Left, changes: false };
                self.look(model, layout, &layout.placements().iter().map(left).collect::<Vec<_>>())
            }
            GpuTarget::Mig(layout) => self.look(model, layout, &instances(planned, gpu, layout, nodes, today)),
        }
    }

    /// What a GPU of some nodes is today; `None` if that is not known.
    pub(in crate::plan) fn before(
        &mut self,
        planned: &PlannedNodes,
        gpu: usize,
        model: &Model,
        nodes: &NodeGroup,
    ) -> Option<Look> {
        let problem = self.problem;
        let present = nodes.present.as_ref()?;
        let is_held = |placement: Option<Placement>| {
            let running = present.running.iter().enumerate();
            let mut holders = running.filter(|(_, unit)| {
                unit.holds.iter().any(|held| usize::from(held.gpu) == gpu && held.instance == placement)
            });
            holders.next().map(|(index, unit)| (unit.demand, planned.evicts.contains(&index)))
        };
        let Some(layout) = present.layout(gpu).filter(|layout| !layout.is_empty()) else {
            return Some(match is_held(None) {
                Some((demand, _)) => {
                    let words = format!("{}: whole GPU", clean(&problem.demands[demand].full_name()));
                    one_piece(model, Tint::Used(model.compute_slices), "whole GPU", &name(problem, demand), words)
                }
                None => one_piece(model, Tint::Free, "MIG off", "", "MIG off".to_owned()),
            });
        };
        let stays: &[Placement] = match &planned.gpus[gpu] {
            GpuTarget::MigOff => &[],
            GpuTarget::Mig(layout) | GpuTarget::Left(layout) => layout.placements(),
        };
        let instance = |&placement: &Placement| {
            let held = is_held(Some(placement));
            let is_for = match (held, nodes.state(gpu)) {
                (Some((demand, _)), _) => Use::Demand(demand),
                (None, GpuState::Pinned(pinned)) if pinned.placements().contains(&placement) => Use::Pinned,
                (None, _) => Use::Spare,
            };
            let is_evicted = held.is_some_and(|(_, is_evicted)| is_evicted);
            Instance { placement, is_for, changes: is_evicted || !stays.contains(&placement) }
        };
        Some(self.look(model, layout, &layout.placements().iter().map(instance).collect::<Vec<_>>()))
    }

    /// A layout with nothing known of what it is for.
    pub(super) fn bare(&mut self, model: &Model, layout: &Layout) -> Board {
        let instance = |&placement: &Placement| Instance { placement, is_for: Use::Unknown, changes: false };
        let mut board = self.look(model, layout, &layout.placements().iter().map(instance).collect::<Vec<_>>()).board;
        board.pieces.iter_mut().for_each(|piece| piece.whom.clear());
        board
    }

    /// A GPU that is cut, with what is free and what is stranded between its instances.
    fn look(&mut self, model: &Model, layout: &Layout, instances: &[Instance]) -> Look {
        let problem = self.problem;
        let mut pieces = Vec::new();
        let mut words: BTreeMap<Use, BTreeMap<String, Vec<String>>> = BTreeMap::new();
        let mut taken = BTreeSet::new();
        for Instance { placement, is_for, changes } in instances {
            let profile = model.get(placement.profile);
            let tint = match is_for {
                Use::Demand(_) | Use::Pinned | Use::Unknown => Tint::Used(profile.compute_slices),
                Use::Spare | Use::Left => Tint::Spare(profile.compute_slices),
            };
            let whom = match is_for {
                Use::Demand(demand) => name(problem, *demand),
                other => in_words(*other).to_owned(),
            };
            taken.extend(placement.start..placement.start.saturating_add(profile.size));
            let starts = words.entry(*is_for).or_default().entry(profile.name.to_string()).or_default();
            starts.push(placement.start.to_string());
            let (start, size) = (placement.start, profile.size);
            pieces.push(Piece { start, size, tint, what: profile.name.to_string(), whom, changes: *changes });
        }
        let unusable = self.lost(model, layout);
        let mut parts: Vec<String> = Vec::new();
        for (is_for, profiles) in &words {
            let whom = match is_for {
                Use::Demand(demand) => clean(&problem.demands[*demand].full_name()).into_owned(),
                other => in_words(*other).to_owned(),
            };
            let each = profiles.iter().map(|(name, starts)| format!("{name}@{}", starts.join(",")));
            parts.push(format!("{whom}: {}", each.collect::<Vec<_>>().join(" ")));
        }
        for (tint, what, label) in [(Tint::Free, "free", "free"), (Tint::Stranded, "stranded", "lost")] {
            let here = |unit: &u8| !taken.contains(unit) && unusable.contains(unit) == (tint == Tint::Stranded);
            let units: Vec<u8> = (0..model.units).filter(here).collect();
            let mut runs: Vec<(u8, u8)> = Vec::new();
            for unit in units {
                match runs.last_mut() {
                    Some((_, last)) if *last + 1 == unit => *last = unit,
                    _ => runs.push((unit, unit)),
                }
            }
            if runs.is_empty() {
                continue;
            }
            let run = |&(first, last): &(u8, u8)| {
                if first == last { first.to_string() } else { format!("{first}–{last}") }
            };
            let several = if matches!(runs[..], [(first, last)] if first == last) { "" } else { "s" };
            parts.push(format!("{what}: unit{several} {}", runs.iter().map(run).collect::<Vec<_>>().join(",")));
            pieces.extend(runs.iter().map(|&(start, last)| Piece {
                start,
                size: last - start + 1,
                tint,
                what: label.to_owned(),
                whom: String::new(),
                changes: false,
            }));
        }
        pieces.sort();
        Look { board: Board { units: model.units, pieces }, words: parts.join(" · ") }
    }

    /// Units of a layout that nobody can use, found out once for each.
    fn lost(&mut self, model: &Model, layout: &Layout) -> &BTreeSet<u8> {
        self.lost.entry((model.id.clone(), layout.clone())).or_insert_with(|| {
            model.stranded(layout).map(|lost| lost.units.iter().map(|unit| unit.unit).collect()).unwrap_or_default()
        })
    }
}

/// The instances of a GPU that is cut: first those that hold something today keep it, then units get the others.
fn instances(
    planned: &PlannedNodes,
    gpu: usize,
    layout: &Layout,
    nodes: &NodeGroup,
    today: Option<&Present>,
) -> Vec<Instance> {
    let placements = layout.placements();
    let mut uses: Vec<Option<Use>> = vec![None; placements.len()];
    let mut free = |placement: Option<Placement>, wanted: &dyn Fn(&Placement) -> bool, is_for: Use| {
        let at = placements.iter().zip(&uses).position(|(there, used)| {
            used.is_none() && placement.is_none_or(|placement| placement == *there) && wanted(there)
        });
        if let Some(at) = at {
            uses[at] = Some(is_for);
        }
        at.is_some()
    };
    if let GpuState::Pinned(pinned) = nodes.state(gpu) {
        for placement in pinned.placements() {
            free(Some(*placement), &|_| true, Use::Pinned);
        }
    }
    let mut kept: BTreeMap<(usize, u8), u32> = BTreeMap::new();
    for (index, unit) in today.iter().flat_map(|present| present.running.iter().enumerate()) {
        if planned.evicts.contains(&index) {
            continue;
        }
        for held in unit.holds.iter().filter(|held| usize::from(held.gpu) == gpu) {
            let Some(instance) = held.instance else { continue };
            if free(Some(instance), &|_| true, Use::Demand(unit.demand)) {
                *kept.entry((unit.demand, instance.profile.0)).or_default() += 1;
            }
        }
    }
    for serving in &planned.serves {
        for share in serving.shares.iter().filter(|share| usize::from(share.gpu) == gpu) {
            let Some(profile) = share.profile else { continue };
            let kept = kept.get(&(serving.demand, profile.0)).copied().unwrap_or(0);
            for _ in kept..share.instances {
                free(None, &|there| there.profile == profile, Use::Demand(serving.demand));
            }
        }
    }
    let was_there = |placement: &Placement| {
        let before = today.map(|present| present.layout(gpu));
        before.is_none_or(|before| before.is_some_and(|before| before.placements().contains(placement)))
    };
    let instance = |(placement, is_for): (&Placement, Option<Use>)| Instance {
        placement: *placement,
        is_for: is_for.unwrap_or(Use::Spare),
        changes: !was_there(placement),
    };
    placements.iter().zip(uses).map(instance).collect()
}

fn in_words(is_for: Use) -> &'static str {
    match is_for {
        Use::Demand(_) => "serving",
        Use::Pinned => "pinned",
        Use::Spare => "spare",
        Use::Left => "left as it is",
        Use::Unknown => "in use",
    }
}

/// The demand's name, for a label.
fn name(problem: &Problem, demand: usize) -> String {
    clean(&problem.demands[demand].name).into_owned()
}

fn one_piece(model: &Model, tint: Tint, what: &str, whom: &str, words: String) -> Look {
    let piece =
        Piece { start: 0, size: model.units, tint, what: what.to_owned(), whom: whom.to_owned(), changes: false };
    Look { board: Board { units: model.units, pieces: vec![piece] }, words }
}
