//! From a solved program to nodes: which GPU becomes what, and which units each node serves.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::cell::{BoardStock, Capabilities, Cell};
use super::compile::{Compiled, Kind, PoolShape, Shape};
use super::fleet_program::{Capacity, CellVars, Use};
use super::formulation::BoardVars;
use super::peel::{Piece, peel};
use crate::fleet::GpuState;
use crate::geometry::{Capability, Counts};

/// Some nodes of a pool that become the same and serve the same flows.
#[derive(Debug, Clone)]
pub(super) struct NodeBuild {
    pub(super) pool: usize,
    pub(super) class: usize,
    pub(super) nodes: Vec<Range<u32>>,
    /// By GPU index.
    pub(super) gpus: Vec<GpuBuild>,
    pub(super) loads: Vec<Load>,
}

/// What is added to a GPU.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct GpuBuild {
    pub(super) added: Counts,
    /// Sets of instances that were put together on it.
    pub(super) bundles: Vec<Counts>,
}

/// Units of a flow on one node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) flow: usize,
    pub(super) units: i64,
    /// Instances by line and kind, for all units together.
    pub(super) lines: Vec<Vec<(Kind, i64)>>,
    /// What each unit takes of one GPU of a board.
    pub(super) bundle: Option<(usize, Counts)>,
}

/// The pieces of each board of a cell, per copy; `None` if the totals could not be split.
pub(super) fn pieces(cell: &Cell, vars: &CellVars, values: &[i64]) -> Option<Vec<Vec<Piece>>> {
    match &vars.capacity {
        Capacity::Mixed { boards, bundles } => {
            let stocks = cell.boards.iter().zip(boards).zip(bundles);
            stocks.map(|((stock, board), bundles)| mixed_pieces(stock, board, bundles, values)).collect()
        }
        Capacity::Single { names, .. } => {
            let mut boards: Vec<Vec<Piece>> = cell.boards.iter().map(|_| Vec::new()).collect();
            for (name, nodes) in names {
                let nodes = values[nodes.0];
                for (stock, pieces) in cell.boards.iter().zip(&mut boards).filter(|_| nodes > 0) {
                    let id = stock.model.profile(name)?;
                    let only = |capability: &Capability| {
                        let most = capability.maximal().iter().map(|q| q[id]).max().unwrap_or(0);
                        Counts::from_iter([(id, most)])
                    };
                    let share = |gpus: i64| gpus / cell.nodes.max(1) * nodes;
                    let pinned = stock.pinned.iter().enumerate();
                    pieces.extend(pinned.map(|(i, (c, n))| Piece { class: Some(i), added: only(c), bundles: Vec::new(), gpus: share(*n) }));
                    let added = only(stock.model.idle_capability());
                    pieces.push(Piece { class: None, added, bundles: Vec::new(), gpus: share(stock.idle) });
                }
            }
            Some(boards)
        }
    }
}

fn mixed_pieces(stock: &BoardStock, board: &BoardVars, bundles: &[Counts], values: &[i64]) -> Option<Vec<Piece>> {
    if let Some(columns) = &board.columns {
        let chosen = columns.iter().filter(|column| values[column.var.0] > 0);
        let pieces = chosen.map(|column| {
            let together = bundles.iter().zip(&column.bundles);
            let added = together.fold(column.rest, |sum, (bundle, &n)| (0..n).fold(sum, |sum, _| sum.plus(bundle)));
            Piece { class: column.class, added, bundles: column.bundles.clone(), gpus: values[column.var.0] }
        });
        return Some(pieces.collect());
    }
    let total = board.total.iter().map(|var| var.map_or(0, |var| values[var.0])).collect();
    peel(stock, values[board.cut.0], total)
}

/// The loads of one copy at a member.
fn loads(uses: &[Use], bundles: &[Vec<Counts>], values: &[i64]) -> Vec<Load> {
    let number = |sum: &super::program::Sum| i64::try_from(sum.value(values)).expect("a checked value");
    let loads = uses.iter().map(|u| Load {
        flow: u.flow,
        units: number(&u.units),
        lines: u.lines.iter().map(|kinds| kinds.iter().map(|(kind, sum)| (*kind, number(sum))).collect()).collect(),
        bundle: u.bundle.map(|(board, index)| (board, bundles[board][index])),
    });
    loads.filter(|load| load.units > 0).collect()
}

fn bundles_of(vars: &CellVars) -> Vec<Vec<Counts>> {
    match &vars.capacity {
        Capacity::Mixed { bundles, .. } => bundles.clone(),
        Capacity::Single { .. } => Vec::new(),
    }
}

/// The nodes of an identical cell, taken from the front of the class's nodes that are still free.
pub(super) fn build_identical(
    compiled: &Compiled<'_>,
    cell: &Cell,
    vars: &CellVars,
    values: &[i64],
    free: &mut FreeNodes,
    capabilities: &mut Capabilities,
) -> Option<Vec<NodeBuild>> {
    let bundles = bundles_of(vars);
    let pieces = pieces(cell, vars, values)?;
    let mut built = Vec::new();
    for (member, uses) in cell.members.iter().zip(&vars.uses) {
        let shape = &compiled.pools[member.pool];
        let mut queues = Queues::new(shape, &pieces, &bundles);
        let gpus = queues.fill(shape, cell, member.class, capabilities)?;
        let loads = loads(uses, &bundles, values);
        let idle = gpus.iter().all(|gpu| gpu.added.is_empty()) && loads.is_empty();
        if idle {
            continue;
        }
        let nodes = free.take(member.pool, member.class, member.weight)?;
        built.push(NodeBuild { pool: member.pool, class: member.class, nodes, gpus, loads });
    }
    Some(built)
}

/// Nodes not yet given a role, by pool and class.
pub(super) struct FreeNodes(BTreeMap<(usize, usize), Vec<Range<u32>>>);

impl FreeNodes {
    pub(super) fn new(compiled: &Compiled<'_>) -> FreeNodes {
        let classes = compiled.pools.iter().enumerate().flat_map(|(pool, shape)| {
            shape.classes.iter().enumerate().map(move |(i, class)| {
                let mut ranges = class.ranges.clone();
                ranges.reverse();
                ((pool, i), ranges)
            })
        });
        FreeNodes(classes.collect())
    }

    /// The next `count` nodes of a class.
    pub(super) fn take(&mut self, pool: usize, class: usize, count: i64) -> Option<Vec<Range<u32>>> {
        let ranges = self.0.get_mut(&(pool, class))?;
        let mut left = u32::try_from(count).ok()?;
        let mut taken = Vec::new();
        while left > 0 {
            let range = ranges.pop()?;
            let n = left.min(range.end - range.start);
            taken.push(range.start..range.start + n);
            if range.start + n < range.end {
                ranges.push(range.start + n..range.end);
            }
            left -= n;
        }
        Some(taken)
    }

    /// All that are left, with pool and class.
    pub(super) fn rest(self) -> impl Iterator<Item = (usize, usize, Vec<Range<u32>>)> {
        self.0.into_iter().map(|((pool, class), mut ranges)| {
            ranges.reverse();
            (pool, class, ranges)
        })
    }
}

/// What is still to be given to GPUs, by board and class of GPU; the next is at the end.
struct Queues {
    by_class: BTreeMap<(usize, Option<usize>), Vec<(GpuBuild, i64)>>,
}

impl Queues {
    fn new(shape: &PoolShape, pieces: &[Vec<Piece>], bundles: &[Vec<Counts>]) -> Queues {
        let mut by_class: BTreeMap<_, Vec<(GpuBuild, i64)>> = BTreeMap::new();
        for board in 0..shape.boards.len() {
            for piece in pieces[board].iter().filter(|piece| !piece.added.is_empty()).rev() {
                let together = bundles.get(board).into_iter().flatten().zip(&piece.bundles);
                let bundles = together.flat_map(|(bundle, &n)| std::iter::repeat_n(*bundle, usize::from(n))).collect();
                let build = GpuBuild { added: piece.added, bundles };
                by_class.entry((board, piece.class)).or_default().push((build, piece.gpus));
            }
        }
        Queues { by_class }
    }

    /// The queue each GPU of a node of this class draws from; `None` for one in use as a whole.
    fn sources(
        shape: &PoolShape,
        cell: &Cell,
        class: usize,
        capabilities: &mut Capabilities,
    ) -> Option<Vec<Option<(usize, Option<usize>)>>> {
        let states = shape.classes[class].state.iter().zip(&shape.board_of);
        let source = |(state, &board): (&GpuState, &usize)| match state {
            GpuState::Taken => Some(None),
            GpuState::Idle => Some(Some((board, None))),
            GpuState::Pinned(layout) => {
                let stock = &cell.boards[board];
                let capability = capabilities.beside(&stock.model, layout);
                let index = stock.pinned.iter().position(|(known, _)| Arc::ptr_eq(known, &capability) || *known == capability)?;
                Some(Some((board, Some(index))))
            }
        };
        states.map(source).collect()
    }

    /// One node's GPUs, each the next of its queue.
    fn fill(
        &mut self,
        shape: &PoolShape,
        cell: &Cell,
        class: usize,
        capabilities: &mut Capabilities,
    ) -> Option<Vec<GpuBuild>> {
        let sources = Queues::sources(shape, cell, class, capabilities)?;
        Some(sources.iter().map(|source| source.and_then(|key| self.next(key)).unwrap_or_default()).collect())
    }

    fn next(&mut self, key: (usize, Option<usize>)) -> Option<GpuBuild> {
        let queue = self.by_class.get_mut(&key)?;
        let (build, left) = queue.last_mut()?;
        let build = build.clone();
        *left -= 1;
        if *left == 0 {
            queue.pop();
        }
        Some(build)
    }

    /// How many nodes that draw like this one can be filled the same: each of their queues has one front
    /// that lasts for them, or is empty.
    fn alike(&self, drawn: &BTreeMap<(usize, Option<usize>), i64>, most: i64) -> i64 {
        let lasting = drawn.iter().filter_map(|(key, gpus)| {
            let (_, left) = self.by_class.get(key)?.last()?;
            Some(left / gpus)
        });
        lasting.min().unwrap_or(most).clamp(1, most)
    }
}

/// The nodes of a pooled cell whose flows have no rules within a node: GPUs are filled in the order of
/// the nodes, units follow where their instances are.
pub(super) fn build_pooled(
    compiled: &Compiled<'_>,
    cell: &Cell,
    vars: &CellVars,
    values: &[i64],
    free: &mut FreeNodes,
    capabilities: &mut Capabilities,
) -> Option<Vec<NodeBuild>> {
    let [member] = &cell.members[..] else { return None };
    let shape = &compiled.pools[member.pool];
    let bundles = bundles_of(vars);
    let mut queues = Queues::new(shape, &pieces(cell, vars, values)?, &bundles);
    let mut units = UnitQueues::new(compiled, loads(&vars.uses[0], &bundles, values));
    let mut built = Vec::new();
    let classes = match cell.class {
        Some(class) => class..class + 1,
        None => 0..shape.classes.len(),
    };
    for class in classes {
        let sources = Queues::sources(shape, cell, class, capabilities)?;
        let mut drawn = BTreeMap::new();
        sources.iter().flatten().for_each(|key| *drawn.entry(*key).or_insert(0) += 1);
        let mut left = shape.classes[class].count;
        while left > 0 {
            let alike = queues.alike(&drawn, left);
            let before = alike - 1;
            let gpus: Vec<GpuBuild> =
                sources.iter().map(|source| source.and_then(|key| queues.next(key)).unwrap_or_default()).collect();
            for (key, n) in &drawn {
                queues.skip(*key, n * before);
            }
            left -= alike;
            let mut nodes = alike;
            while nodes > 0 {
                let idle = |i: usize| shape.classes[class].state[i] == GpuState::Idle && gpus[i].added.is_empty();
                let whole = i64::try_from((0..gpus.len()).filter(|&i| idle(i)).count()).ok()?;
                let (same, loads) = units.load(&gpus, &shape.board_of, whole, nodes);
                if loads.is_empty() && gpus.iter().all(|gpu| gpu.added.is_empty()) {
                    if queues.is_empty() && units.is_empty() {
                        return Some(built);
                    }
                    // An untouched node between used ones keeps its place in the order.
                    free.take(member.pool, class, same)?.into_iter().for_each(|nodes| {
                        built.push(NodeBuild { pool: member.pool, class, nodes: vec![nodes], gpus: gpus.clone(), loads: Vec::new() });
                    });
                } else {
                    let taken = free.take(member.pool, class, same)?;
                    built.push(NodeBuild { pool: member.pool, class, nodes: taken, gpus: gpus.clone(), loads });
                }
                nodes -= same;
            }
        }
    }
    (queues.is_empty() && units.is_empty()).then_some(built)
}

impl Queues {
    fn skip(&mut self, key: (usize, Option<usize>), mut gpus: i64) {
        while gpus > 0 {
            let Some(queue) = self.by_class.get_mut(&key) else { return };
            let Some((_, left)) = queue.last_mut() else { return };
            let n = gpus.min(*left);
            *left -= n;
            gpus -= n;
            if *left == 0 {
                queue.pop();
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.by_class.values().all(Vec::is_empty)
    }
}

/// Units without rules within a node, waiting for instances of each kind; the next is at the end.
struct UnitQueues {
    by_kind: BTreeMap<Kind, Vec<(usize, i64)>>,
    whole: Vec<(usize, i64)>,
}

impl UnitQueues {
    fn new(compiled: &Compiled<'_>, loads: Vec<Load>) -> UnitQueues {
        let mut queues = UnitQueues { by_kind: BTreeMap::new(), whole: Vec::new() };
        for load in loads.into_iter().rev() {
            if matches!(compiled.flows[load.flow].shape, Shape::Whole { .. }) {
                queues.whole.push((load.flow, load.units));
            }
            for (kind, n) in load.lines.into_iter().flatten().filter(|(_, n)| *n > 0) {
                queues.by_kind.entry(kind).or_default().push((load.flow, n));
            }
        }
        queues
    }

    fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.by_kind.values().all(Vec::is_empty)
    }

    /// What a node of these GPUs serves, and how many of `most` such nodes serve the same.
    fn load(&mut self, gpus: &[GpuBuild], board_of: &[usize], whole: i64, most: i64) -> (i64, Vec<Load>) {
        let mut room: BTreeMap<Kind, i64> = BTreeMap::new();
        for (gpu, &board) in gpus.iter().zip(board_of) {
            for (profile, n) in gpu.added.iter() {
                *room.entry(Kind { board, profile }).or_insert(0) += i64::from(n);
            }
        }
        let mut same = most;
        let fronts = room.iter().filter_map(|(kind, n)| Some((self.by_kind.get(kind)?.last()?.1, *n)));
        let whole_front = self.whole.last().filter(|_| whole > 0).map(|(_, left)| (*left, whole));
        for (left, each) in fronts.chain(whole_front) {
            same = same.min((left / each).max(1));
        }
        let mut by_flow: BTreeMap<usize, Load> = BTreeMap::new();
        let empty = |flow| Load { flow, units: 0, lines: vec![Vec::new()], bundle: None };
        for (kind, n) in room {
            for (flow, each) in draw(self.by_kind.entry(kind).or_default(), n, same) {
                let load = by_flow.entry(flow).or_insert_with(|| empty(flow));
                load.units += each;
                load.lines[0].push((kind, each));
            }
        }
        for (flow, each) in draw(&mut self.whole, whole, same) {
            by_flow.entry(flow).or_insert_with(|| empty(flow)).units += each;
        }
        (same, by_flow.into_values().collect())
    }
}

/// Takes `each` per node for `same` nodes from the front, over several entries only for a single node.
fn draw(queue: &mut Vec<(usize, i64)>, mut each: i64, same: i64) -> Vec<(usize, i64)> {
    let mut drawn = Vec::new();
    while each > 0 {
        let Some((flow, left)) = queue.last_mut() else { break };
        let n = each.min(*left / same);
        if n > 0 {
            drawn.push((*flow, n));
        }
        *left -= n * same;
        each -= n;
        if *left == 0 {
            queue.pop();
        } else if n == 0 || same > 1 {
            break;
        }
    }
    drawn
}
