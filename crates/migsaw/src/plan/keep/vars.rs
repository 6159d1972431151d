//! The groups as variables and rows of the pooled program.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::group::{Group, GroupGpu, Groups, UnitKind};
use crate::fleet::Strategy;
use crate::geometry::{Capability, Layout, Model};
use crate::plan::cell::Capabilities;
use crate::plan::compile::Compiled;
use crate::plan::decision::Gpu;
use crate::plan::formulation::Undecided;
use crate::plan::program::{Program, Sum, Var};
use crate::present::RecutUnit;

/// The variables of a group.
pub(super) enum GroupVars {
    /// Nothing is to be decided: a GPU that is taken.
    Taken,
    Whole {
        stay: Var,
        /// For nodes.
        recut: Option<Var>,
        /// By kind.
        kept: Vec<Var>,
    },
    /// Which kinds stay, and on how many copies just these.
    Instances(Vec<(Vec<usize>, Var)>),
}

/// What the program knows of the groups.
#[derive(Default)]
pub(in crate::plan) struct PresentVars {
    pub(super) groups: Vec<GroupVars>,
    pub(in crate::plan) pools: Vec<PoolVars>,
    /// Units that stay, by flow and level.
    pub(in crate::plan) kept: BTreeMap<(usize, usize), Sum>,
    /// What the GPUs that stay in use cost.
    pub(in crate::plan) cost: Sum,
    /// Nodes that are cut anew, where nodes are what is cut.
    pub(super) recut_nodes: Sum,
    /// The same of all others, nodes or GPUs.
    pub(in crate::plan) cut_anew: Sum,
    /// What is cut and counted with its node.
    pub(super) uncounted: Sum,
    /// By pool, the GPUs that count one by one.
    pub(in crate::plan) counted: BTreeMap<usize, Counted>,
}

/// GPUs of a pool that count one by one.
#[derive(Default)]
pub(in crate::plan) struct Counted {
    /// By board, those that are cut.
    pub(in crate::plan) cut: BTreeMap<usize, Var>,
    /// By board, all that are cut and those that count, where nodes are what is cut too.
    pub(in crate::plan) with_nodes: BTreeMap<usize, (Var, Var)>,
    /// Those that are cut today and then serve as a whole.
    pub(in crate::plan) turned_off: Option<Var>,
}

/// What the program knows of a pool's groups.
#[derive(Default)]
pub(in crate::plan) struct PoolVars {
    /// By board.
    pub(in crate::plan) boards: Vec<Undecided>,
    /// Nodes that are cut anew, where nodes are what is cut.
    pub(in crate::plan) recut_nodes: Sum,
    /// Nodes that stay as they are, where nodes are what is cut.
    pub(in crate::plan) staying_nodes: Sum,
    /// How many nodes there are of these, staying or not.
    pub(in crate::plan) cut_as_nodes: i64,
    /// GPUs with MIG off that may serve as a whole on nodes which stay.
    pub(in crate::plan) off: Sum,
    /// GPUs with MIG off that become idle.
    pub(in crate::plan) quiet: Sum,
    /// Units that stay, by flow.
    pub(in crate::plan) kept: BTreeMap<usize, Sum>,
}

impl Groups {
    /// The variables and rows of all groups.
    pub(in crate::plan) fn vars(
        &self,
        compiled: &Compiled<'_>,
        program: &mut Program,
        capabilities: &mut Capabilities,
    ) -> PresentVars {
        let pools = compiled.pools.iter();
        let boards = pools
            .map(|shape| PoolVars { boards: vec![Undecided::default(); shape.boards.len()], ..PoolVars::default() });
        let mut vars = PresentVars { pools: boards.collect(), ..PresentVars::default() };
        let mut spanning = Spanning::default();
        for group in &self.list {
            let mut entry = Entry { compiled, group, program, vars: &mut vars, spanning: &mut spanning };
            let of_group = match group.by {
                _ if group.is_taken() => GroupVars::Taken,
                RecutUnit::Instance => entry.instances(capabilities),
                RecutUnit::Gpu | RecutUnit::Node => entry.whole(),
            };
            vars.groups.push(of_group);
        }
        vars
    }
}

/// The variables of units that hold parts of several groups, by pool, node and index.
#[derive(Default)]
struct Spanning(BTreeMap<(usize, u32, usize), Var>);

/// Adds a group to the program.
struct Entry<'a, 'p> {
    compiled: &'a Compiled<'a>,
    group: &'a Group,
    program: &'p mut Program,
    vars: &'p mut PresentVars,
    spanning: &'p mut Spanning,
}

impl Entry<'_, '_> {
    fn pool(&mut self) -> &mut PoolVars {
        &mut self.vars.pools[self.group.pool]
    }

    /// Counts units that stay.
    fn keep(&mut self, kind: usize, kept: Var, times: i64) {
        let UnitKind { flow, level, .. } = self.group.kinds[kind];
        self.pool().kept.entry(flow).or_default().add_term(kept, times);
        self.vars.kept.entry((flow, level)).or_default().add_term(kept, times);
    }

    /// The variable of a unit that holds parts of several groups.
    fn spanning(&mut self, kind: usize, (node, index): (u32, usize)) -> Var {
        let key = (self.group.pool, node, index);
        if let Some(&var) = self.spanning.0.get(&key) {
            return var;
        }
        let var = self.program.var(1);
        self.spanning.0.insert(key, var);
        self.keep(kind, var, 1);
        var
    }

    fn whole(&mut self) -> GroupVars {
        let group = self.group;
        let count = group.count();
        let price = self.compiled.pools[group.pool].cost;
        let stay = self.program.var(count);
        if group.must_stay() {
            self.program.at_least(Sum::of([(stay, 1)]), count);
        }
        let mut kept = Vec::new();
        for (index, kind) in group.kinds.iter().enumerate() {
            let each = group.each(index);
            let var = if let Some(place) = kind.spans {
                self.spanning(index, place)
            } else {
                let var = self.program.var(count * each);
                self.keep(index, var, 1);
                var
            };
            self.program.at_most(Sum::of([(var, 1), (stay, -each)]), 0);
            if kind.stays {
                self.program.at_least(Sum::of([(var, 1)]), count * each);
            }
            for (&(board, profile), &n) in &kind.takes {
                if let Some(profile) = profile {
                    self.pool().boards[board].held.entry(profile).or_default().add_term(var, n);
                    continue;
                }
                self.vars.cost.add_term(var, price * n);
                if group.by == RecutUnit::Node {
                    self.pool().off.add_term(var, -n);
                }
            }
            kept.push(var);
        }
        for gpu in &group.gpus {
            match gpu.usable() {
                Some(usable) => {
                    self.pool().boards[gpu.board].fixed.push((usable, Sum::of([(stay, 1)])));
                    self.vars.cost.add_term(stay, price);
                }
                None if group.by == RecutUnit::Node && gpu.pinned == Gpu::Idle => self.pool().off.add_term(stay, 1),
                None => {}
            }
        }
        let recut = if group.by == RecutUnit::Node { Some(self.recut(stay)) } else { None };
        if group.by == RecutUnit::Gpu {
            self.open(stay);
        }
        GroupVars::Whole { stay, recut, kept }
    }

    /// Nodes that do not stay may be cut anew.
    fn recut(&mut self, stay: Var) -> Var {
        let group = self.group;
        let recut = self.program.var(group.count());
        self.program.at_most(Sum::of([(stay, 1), (recut, 1)]), group.count());
        self.vars.recut_nodes.add_term(recut, 1);
        let is_single = self.compiled.pools[group.pool].strategy == Strategy::Single;
        let counted_later = if is_single { 1 } else { i64::try_from(group.gpus.len()).expect("few GPUs per node") };
        self.vars.uncounted.add_term(recut, counted_later);
        let pool = self.pool();
        pool.recut_nodes.add_term(recut, 1);
        pool.staying_nodes.add_term(stay, 1);
        pool.cut_as_nodes += group.count();
        for gpu in &group.gpus {
            let board = &mut self.pool().boards[gpu.board];
            board.gpus += group.count();
            board.opened.add_term(recut, 1);
            board.unnoticed.add_term(recut, 1);
        }
        recut
    }

    /// GPUs that do not stay are idle.
    fn open(&mut self, stay: Var) {
        let group = self.group;
        let GroupGpu { board, layout, .. } = &group.gpus[0];
        let open = self.program.var(group.count());
        self.program.equal(Sum::of([(stay, 1), (open, 1)]), group.count());
        let pool = self.pool();
        if layout.is_none() {
            pool.quiet.add_term(open, 1);
        }
        pool.boards[*board].gpus += group.count();
        pool.boards[*board].opened.add_term(open, 1);
    }

    fn instances(&mut self, capabilities: &mut Capabilities) -> GroupVars {
        let group = self.group;
        let GroupGpu { board, .. } = group.gpus[0];
        let shape = &self.compiled.pools[group.pool];
        let model = &shape.boards[board].model;
        let choices = self.choices(model, capabilities);
        let mut all = Sum::new();
        let mut with: Vec<Sum> = vec![Sum::new(); group.kinds.len()];
        let mut vars = Vec::new();
        self.pool().boards[board].gpus += group.count();
        for Choice { kinds, capability } in choices {
            let var = self.program.var(group.count());
            all.add_term(var, 1);
            for &kind in &kinds {
                with[kind].add_term(var, 1);
            }
            let is_empty = kinds.is_empty() && group.gpus[0].pinned == Gpu::Idle;
            let pool = self.pool();
            if is_empty {
                pool.boards[board].opened.add_term(var, 1);
            } else {
                let beside = &mut pool.boards[board].beside;
                match beside.iter_mut().find(|(known, _)| Arc::ptr_eq(known, &capability)) {
                    Some((_, gpus)) => gpus.add_term(var, 1),
                    None => beside.push((capability, Sum::of([(var, 1)]))),
                }
                self.vars.cost.add_term(var, shape.cost);
            }
            vars.push((kinds, var));
        }
        self.program.equal(all, group.count());
        for (index, with) in with.into_iter().enumerate() {
            match group.kinds[index].spans {
                Some(place) => {
                    let unit = self.spanning(index, place);
                    self.program.equal(with + &Sum::of([(unit, -1)]), 0);
                }
                None => with.terms().into_iter().for_each(|(var, n)| self.keep(index, var, n)),
            }
        }
        GroupVars::Instances(vars)
    }

    /// Every set of kinds that may stay on a copy; of those that keep as much, only what leaves most room.
    fn choices(&self, model: &Model, capabilities: &mut Capabilities) -> Vec<Choice> {
        let group = self.group;
        let pinned = match &group.gpus[0].pinned {
            Gpu::Pinned(layout) => layout.clone(),
            _ => Layout::empty(),
        };
        let movable: Vec<usize> = (0..group.kinds.len()).filter(|&kind| !group.kinds[kind].stays).collect();
        let staying = (0..group.kinds.len()).filter(|&kind| group.kinds[kind].stays);
        let staying: Vec<usize> = staying.collect();
        let mut by_kept: BTreeMap<Vec<_>, Vec<Choice>> = BTreeMap::new();
        for set in 0..1u32 << movable.len() {
            let chosen = movable.iter().enumerate().filter(|(bit, _)| set >> bit & 1 == 1).map(|(_, &kind)| kind);
            let mut kinds: Vec<usize> = chosen.chain(staying.iter().copied()).collect();
            kinds.sort_unstable();
            let at = kinds.iter().flat_map(|&kind| &group.kinds[kind].at).copied();
            let layout = pinned.merged(&Layout::claimed(at));
            let capability = capabilities.beside(model, &layout);
            let mut kept: Vec<_> = kinds
                .iter()
                .map(|&kind| {
                    let UnitKind { flow, level, spans, ref takes, .. } = group.kinds[kind];
                    (flow, level, spans, takes.keys().map(|&(_, profile)| profile).collect::<Vec<_>>())
                })
                .collect();
            kept.sort_unstable();
            let others = by_kept.entry(kept).or_default();
            let contains = |a: &Capability, b: &Capability| b.maximal().iter().all(|counts| a.contains(counts));
            if others.iter().any(|other| contains(&other.capability, &capability)) {
                continue;
            }
            others.retain(|other| !contains(&capability, &other.capability));
            others.push(Choice { kinds, capability });
        }
        by_kept.into_values().flatten().collect()
    }
}

/// What may stay on a GPU.
struct Choice {
    kinds: Vec<usize>,
    capability: Arc<Capability>,
}
