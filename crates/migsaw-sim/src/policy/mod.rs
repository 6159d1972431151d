//! The policies: where a pod goes.
//!
//! Most rank the GPUs: each says what is lost where an instance is placed, and the pod goes where that is least. The
//! loss depends only on the state that the GPU is in and the one that it comes to, so a policy is a table, and
//! placing takes as long on a hundred GPUs as on a hundred thousand.

mod fragmentation;
mod ladder;
mod nodes;

use std::collections::HashSet;

use migsaw::geometry::{Placement, StateId, Step};
use migsaw::score::{Mix, Room};

use crate::site::Kind;
pub(crate) use fragmentation::{shares, unusable};
pub(crate) use nodes::NodeUse;

/// A way to place pods.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    /// What it is called on the command line.
    pub name: &'static str,
    /// What it does, and where it is from.
    pub about: &'static str,
    pub(crate) rule: Rule,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Rule {
    /// The GPU and the start where least is lost.
    Gpu { losses: fn(&Kind, &Mix) -> Losses, heeds_mix: bool, ties: Ties },
    /// Of the nodes with the highest score any, by lot, and there the first GPU with a free instance.
    Node(fn(&NodeUse) -> i64),
    /// The node where least is lost, as the extender scores it, and there the first GPU with a free instance.
    Extender,
    /// No place at all: whether everything together would fit, all of it moved.
    Repacked,
}

/// Which of equally good places is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ties {
    /// The first.
    First,
    /// The next one after the last that was taken.
    InTurn,
}

/// A step that is only taken with others on one GPU, where those would not fit otherwise: what it loses is more than
/// whatever is lost by the steps that a policy prefers, and as many as a GPU has instances can be added up.
const LAST: i64 = 1 << 56;

/// What is lost by a step; `None` if it is never taken.
pub(crate) type Losses = Box<dyn Fn(StateId, &Step) -> Option<i64>>;

impl Policy {
    /// All of them.
    pub const ALL: &[Policy] = &[
        Policy {
            name: "first-fit",
            about: "the first GPU that has room, at its lowest start",
            rule: Rule::Gpu { losses: |_, _| Box::new(|_, _| Some(0)), heeds_mix: false, ties: Ties::First },
        },
        Policy {
            name: "round-robin",
            about: "the next GPU that has room, in turn",
            rule: Rule::Gpu { losses: |_, _| Box::new(|_, _| Some(0)), heeds_mix: false, ties: Ties::InTurn },
        },
        Policy {
            name: "best-fit",
            about: "the fullest GPU that has room, at its lowest start",
            rule: Rule::Gpu { losses: best_fit, heeds_mix: false, ties: Ties::First },
        },
        Policy {
            name: "load-balanced",
            about: "the emptiest GPU",
            rule: Rule::Gpu { losses: load_balanced, heeds_mix: false, ties: Ties::First },
        },
        Policy {
            name: "least-allocated",
            about: "the node with the smallest share of the profile in use, as kube-scheduler's LeastAllocated scores it",
            rule: Rule::Node(nodes::least_allocated),
        },
        Policy {
            name: "most-allocated",
            about: "the node with the largest share of the profile in use, as kube-scheduler's MostAllocated scores it",
            rule: Rule::Node(nodes::most_allocated),
        },
        Policy {
            name: "mfi",
            about: "where fragmentation grows least: sizes of blocked starts (Zambianco et al., arXiv 2511.18906)",
            rule: Rule::Gpu { losses: fragmentation::mfi, heeds_mix: false, ties: Ties::First },
        },
        Policy {
            name: "fgd",
            about: "where the free slices that the mix cannot use grow least (Weng et al., ATC 2023)",
            rule: Rule::Gpu { losses: fragmentation::gradient, heeds_mix: true, ties: Ties::First },
        },
        Policy {
            name: "hami",
            about: "the fullest GPU, cut by the first of HAMi's templates that has the profile",
            rule: Rule::Gpu { losses: ladder::hami, heeds_mix: false, ties: Ties::First },
        },
        Policy {
            name: "dra",
            about: "any node, and there the first device that fits, as the DRA driver lists them",
            rule: Rule::Node(|_| 0),
        },
        Policy {
            name: "room",
            about: "where most room is left for the pods that are expected (migsaw)",
            rule: Rule::Gpu { losses: room, heeds_mix: true, ties: Ties::First },
        },
        Policy {
            name: "extender",
            about: "the node where least of what it can serve is lost, as migsaw's extender scores nodes that are cut",
            rule: Rule::Extender,
        },
        Policy {
            name: "repacked",
            about: "the bound: a pod is placed if all pods together fit, whatever has to move",
            rule: Rule::Repacked,
        },
    ];

    /// The one with a name.
    pub fn named(name: &str) -> Option<Policy> {
        Policy::ALL.iter().find(|policy| policy.name == name).copied()
    }

    /// Whether it makes a difference to it which pods are expected.
    pub fn heeds_mix(&self) -> bool {
        matches!(self.rule, Rule::Gpu { heeds_mix: true, .. } | Rule::Extender)
    }
}

fn taken(kind: &Kind, state: StateId) -> i64 {
    i64::from(kind.states.units(state).count_ones())
}

fn best_fit(kind: &Kind, _: &Mix) -> Losses {
    let free: Vec<i64> = kind.states.ids().map(|state| i64::from(kind.model.units) - taken(kind, state)).collect();
    Box::new(move |from, _| Some(free[from.index()]))
}

fn load_balanced(kind: &Kind, _: &Mix) -> Losses {
    let taken: Vec<i64> = kind.states.ids().map(|state| taken(kind, state)).collect();
    Box::new(move |from, _| Some(taken[from.index()]))
}

fn room(kind: &Kind, mix: &Mix) -> Losses {
    let room = Room::new(&kind.model, &kind.states, mix);
    let starts: HashSet<(StateId, Placement)> = kind
        .states
        .ids()
        .flat_map(|from| kind.profiles.iter().flatten().map(move |&profile| (from, profile)))
        .filter_map(|(from, profile)| Some((from, room.start(&kind.states, from, profile)?.placement)))
        .collect();
    Box::new(move |from, step| {
        Some(if starts.contains(&(from, step.placement)) { room.rank(from, step.to) } else { LAST })
    })
}
