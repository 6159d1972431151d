//! Cells: the nodes an integer program speaks of.
//!
//! A cell is `weight` copies of `nodes` nodes. Two kinds are used:
//!
//! - *pooled*, weight 1 and all nodes of a pool together: its variables are totals. What acts within a
//!   node is relaxed, so a program over pooled cells bounds every plan, at a size that does not depend on
//!   the number of nodes;
//! - *identical*, one node and a weight: every copy becomes the same and serves the same. Rules within a
//!   node are exact. With all weights 1 the program is the problem itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::compile::{Compiled, NodeClass, PoolShape};
use super::decision::Gpu;
use super::formulation::Undecided;
use super::templates::doubling;
use crate::fleet::Strategy;
use crate::geometry::{Capability, Counts, Engines, Layout, Model, Occupancy, ProfileId, ProfileName};

/// `weight` copies of some nodes of one shape, in one or more pools.
#[derive(Debug, Clone)]
pub(super) struct Cell {
    /// The pools with copies; more than one only if the pools' nodes look the same.
    pub(super) members: Vec<Member>,
    /// Nodes in one copy.
    pub(super) nodes: i64,
    /// Those among them of which the program decides what stays on them.
    pub(super) undecided: i64,
    /// The GPUs of one copy, by board.
    pub(super) boards: Vec<BoardStock>,
    /// Whether its variables are totals over all nodes.
    pub(super) is_pooled: bool,
    /// The node class, where all nodes are of one.
    pub(super) class: Option<usize>,
    pub(super) strategy: Strategy,
}

/// Copies of a cell in one pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) pool: usize,
    /// The class of its nodes; without meaning where [`Cell::class`] is `None`.
    pub(super) class: usize,
    pub(super) weight: i64,
}

/// GPUs of one model.
#[derive(Debug, Clone)]
pub(super) struct BoardStock {
    pub(super) model: Arc<Model>,
    /// GPUs with nothing on them.
    pub(super) idle: i64,
    /// GPUs with pinned instances, by what they can still take.
    pub(super) pinned: Vec<(Arc<Capability>, i64)>,
    /// GPUs that stay cut as they are, by the instances that nothing holds.
    pub(super) fixed: Vec<(Counts, i64)>,
    /// GPUs with MIG off that can only serve as a whole.
    pub(super) off: i64,
    /// GPUs to which nothing can be added.
    pub(super) taken: i64,
    /// The profiles pinned somewhere, by name.
    pub(super) pinned_names: Vec<ProfileName>,
}

/// Which of a board's GPUs: those with nothing on them, or those in one of the states listed in its stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    Idle,
    /// Index into [`BoardStock::pinned`].
    Pinned(usize),
    /// Index into [`BoardStock::fixed`].
    Fixed(usize),
    /// Those that can only serve as a whole.
    Off,
}

/// Remembers the capability of each state seen.
#[derive(Default)]
pub(super) struct Capabilities {
    known: BTreeMap<(String, u32, Counts, Engines), Arc<Capability>>,
}

impl Capabilities {
    /// What a GPU with these pinned instances can still take.
    pub(super) fn beside(&mut self, model: &Model, pinned: &Layout) -> Arc<Capability> {
        let taken = pinned.occupancy(model).expect("the problem was validated");
        let left = room_by_profile(model, &taken);
        let key = (model.id.clone(), taken.units, left, taken.engines_left);
        let compute = || Arc::new(Capability::of(model, &taken));
        Arc::clone(self.known.entry(key).or_insert_with(compute))
    }
}

/// Of each profile, how many the maxima, engines and free starts leave at most. Together with the free
/// units and engines this decides the capability.
fn room_by_profile(model: &Model, taken: &Occupancy) -> Counts {
    let room = |profile: &crate::geometry::Profile, count: u8| {
        let free = profile.starts.iter().filter(|&&start| taken.units & profile.mask(start) == 0).count();
        u8::try_from(free).unwrap_or(u8::MAX).min(profile.max_instances.saturating_sub(count))
    };
    model
        .profile_ids()
        .map(|(id, profile)| {
            let least = room(profile, taken.counts[id]);
            let by_engines = (0..least).take_while(|&n| taken.engines_left.holds(profile.engines, n + 1)).count();
            (id, u8::try_from(by_engines).unwrap_or(u8::MAX))
        })
        .collect()
}

impl BoardStock {
    fn empty(model: &Arc<Model>) -> BoardStock {
        let (pinned, fixed, pinned_names) = (Vec::new(), Vec::new(), Vec::new());
        BoardStock { model: Arc::clone(model), idle: 0, pinned, fixed, off: 0, taken: 0, pinned_names }
    }

    /// Whether an instance of `replacement` fits on any of the GPUs wherever one of `profile` does.
    /// `undecided` are GPUs besides.
    pub(super) fn can_replace(&self, profile: ProfileId, replacement: ProfileId, undecided: &Undecided) -> bool {
        let listed = self.pinned.iter().map(|(capability, _)| capability);
        let pinned = listed.chain(undecided.beside.iter().map(|(capability, _)| capability)).map(|c| &**c);
        let idle = (self.idle + undecided.gpus > 0).then(|| &**self.model.idle_capability());
        // What stays cut has the instances it has.
        let fixed = self.fixed.iter().map(|(free, _)| free).chain(undecided.fixed.iter().map(|(counts, _)| counts));
        fixed.into_iter().all(|counts| counts[profile] == 0)
            && pinned.chain(idle).all(|capability| capability.can_replace(profile, replacement))
    }

    fn add(&mut self, state: &Gpu, count: i64, capabilities: &mut Capabilities) {
        match state {
            Gpu::Idle => self.idle += count,
            Gpu::Off => self.off += count,
            Gpu::Taken => self.taken += count,
            Gpu::Fixed { free, .. } => match self.fixed.iter_mut().find(|(known, _)| known == free) {
                Some((_, n)) => *n += count,
                None => self.fixed.push((*free, count)),
            },
            Gpu::Pinned(layout) => {
                let capability = capabilities.beside(&self.model, layout);
                match self.pinned.iter_mut().find(|(known, _)| *known == capability) {
                    Some((_, n)) => *n += count,
                    None => self.pinned.push((capability, count)),
                }
                for (id, _) in layout.counts().iter() {
                    let name = &self.model.get(id).name;
                    if !self.pinned_names.contains(name) {
                        self.pinned_names.push(name.clone());
                    }
                }
            }
        }
    }
}

impl Cell {
    /// The cells of the relaxation: a pool's mixed nodes together, its single nodes by class. `undecided` says
    /// how many nodes of each pool there are besides of which the program decides what stays on them; those of
    /// the single strategy are a cell of their own.
    pub(super) fn pooled(compiled: &Compiled<'_>, capabilities: &mut Capabilities, undecided: &[i64]) -> Vec<Cell> {
        let mut cells = Vec::new();
        for (pool, shape) in compiled.pools.iter().enumerate() {
            let all: Vec<usize> = (0..shape.classes.len()).collect();
            let undecided = undecided.get(pool).copied().unwrap_or(0);
            let mut groups: Vec<(&[usize], i64)> = match shape.strategy {
                Strategy::Mixed => vec![(&all, undecided)],
                Strategy::Single => all.chunks(1).map(|class| (class, 0)).chain([(&[][..], undecided)]).collect(),
            };
            groups.retain(|(classes, undecided)| !classes.is_empty() || *undecided > 0);
            for (group, undecided) in groups {
                let nodes = undecided + group.iter().map(|&class| shape.classes[class].count).sum::<i64>();
                let mut boards: Vec<BoardStock> = shape.boards.iter().map(|b| BoardStock::empty(&b.model)).collect();
                for &class in group {
                    let class = &shape.classes[class];
                    class.stock(shape, class.count, &mut boards, capabilities);
                }
                if shape.strategy == Strategy::Single {
                    for (stock, board) in boards.iter_mut().zip(&shape.boards) {
                        stock.idle += undecided * board.gpus;
                    }
                }
                let class = if let [class] = group { Some(*class) } else { None };
                let members = vec![Member { pool, class: class.unwrap_or(0), weight: 1 }];
                let strategy = shape.strategy;
                cells.push(Cell { members, nodes, undecided, boards, is_pooled: true, class, strategy });
            }
        }
        cells
    }

    /// Nodes that all become the same: `members` gives pool, class and number, of classes that look alike.
    pub(super) fn identical(
        compiled: &Compiled<'_>,
        members: &[(usize, usize, i64)],
        strategy: Strategy,
        capabilities: &mut Capabilities,
    ) -> Cell {
        let (pool, class, _) = members[0];
        let shape = &compiled.pools[pool];
        let mut boards: Vec<BoardStock> = shape.boards.iter().map(|b| BoardStock::empty(&b.model)).collect();
        shape.classes[class].stock(shape, 1, &mut boards, capabilities);
        // Copies that serve units with rules within a node serve the same only in part, so they are members
        // of several weights, of which every number of copies can be put together.
        let has_rules =
            |pool: usize| compiled.pools[pool].offers.iter().any(|offer| compiled.flows[offer.flow].has_node_rule());
        let weights = |pool: usize, weight: i64| if has_rules(pool) { doubling(weight) } else { vec![weight] };
        let members = members.iter().flat_map(|&(pool, class, weight)| {
            weights(pool, weight).into_iter().map(move |weight| Member { pool, class, weight })
        });
        let members = members.collect();
        Cell { members, nodes: 1, undecided: 0, boards, is_pooled: false, class: Some(class), strategy }
    }

    /// Whether something is pinned on its nodes, so that they are in use whatever is planned.
    pub(super) fn is_pinned(&self) -> bool {
        self.boards.iter().any(|board| !board.pinned.is_empty() || !board.fixed.is_empty())
    }
}

impl NodeClass {
    /// Whether all GPUs are idle.
    pub(super) fn is_idle(&self) -> bool {
        self.state.iter().all(|state| *state == Gpu::Idle)
    }

    fn stock(&self, shape: &PoolShape, count: i64, boards: &mut [BoardStock], capabilities: &mut Capabilities) {
        for (state, &board) in self.state.iter().zip(&shape.board_of) {
            boards[board].add(state, count, capabilities);
        }
    }
}
