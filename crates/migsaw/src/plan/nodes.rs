//! From a solved program to nodes: which GPU becomes what, and which units each node serves.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::cell::{BoardStock, Capabilities, Cell, Part};
use super::compile::{Compiled, Kind, NodeClass, PoolShape, Shape};
use super::decision::Gpu;
use super::fleet_program::{Capacity, CellVars, Use};
use super::formulation::{BoardVars, Column};
use super::peel::{Piece, peel};
use crate::fleet::Strategy;
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
        Capacity::Single { names, fixed, .. } => {
            let fixed = cell.boards.iter().zip(fixed);
            let mut boards: Vec<Vec<Piece>> =
                fixed.map(|(stock, columns)| fixed_pieces(stock, columns, values)).collect();
            for uniform in names {
                let nodes = values[uniform.nodes.0];
                let columns = uniform.columns.iter();
                for ((stock, pieces), columns) in cell.boards.iter().zip(&mut boards).zip(columns).filter(|_| nodes > 0)
                {
                    let id = stock.model.profile(&uniform.name)?;
                    let only = |capability: &Capability| {
                        let most = capability.maximal().iter().map(|q| q[id]).max().unwrap_or(0);
                        Counts::from_iter([(id, most)])
                    };
                    let share = |gpus: i64| gpus / cell.nodes.max(1) * nodes;
                    let pinned = stock.pinned.iter().enumerate().map(|(i, (c, n))| (Part::Pinned(i), &**c, *n));
                    let idle = (Part::Idle, &**stock.model.idle_capability(), stock.idle);
                    for (part, capability, gpus) in pinned.chain([idle]) {
                        let added = only(capability);
                        let shared = columns.iter().filter(|column| column.part == part && values[column.var.0] > 0);
                        let mut left = share(gpus);
                        for column in shared {
                            let (bundles, gpus) = (column.bundles.clone(), values[column.var.0]);
                            pieces.push(Piece { part, added, bundles, gpus });
                            left -= gpus;
                        }
                        pieces.push(Piece { part, added, bundles: Vec::new(), gpus: left });
                    }
                }
            }
            Some(boards)
        }
    }
}

/// GPUs of single-strategy nodes that stay cut as they are.
fn fixed_pieces(stock: &BoardStock, columns: &[Column], values: &[i64]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for (index, &(added, gpus)) in stock.fixed.iter().enumerate() {
        let part = Part::Fixed(index);
        let mut left = gpus;
        for column in columns.iter().filter(|column| column.part == part && values[column.var.0] > 0) {
            let (bundles, gpus) = (column.bundles.clone(), values[column.var.0]);
            pieces.push(Piece { part, added, bundles, gpus });
            left -= gpus;
        }
        pieces.push(Piece { part, added, bundles: Vec::new(), gpus: left });
    }
    pieces
}

fn mixed_pieces(stock: &BoardStock, board: &BoardVars, bundles: &[Counts], values: &[i64]) -> Option<Vec<Piece>> {
    if let Some(columns) = &board.columns {
        let chosen = columns.iter().filter(|column| values[column.var.0] > 0);
        let pieces = chosen.map(|column| {
            let together = bundles.iter().zip(&column.bundles);
            let added = together.fold(column.rest, |sum, (bundle, &n)| (0..n).fold(sum, |sum, _| sum.plus(bundle)));
            Piece { part: column.part, added, bundles: column.bundles.clone(), gpus: values[column.var.0] }
        });
        return Some(pieces.collect());
    }
    let total = board.total.iter().map(|var| var.map_or(0, |var| values[var.0])).collect();
    peel(stock, values[board.cut.0], total)
}

/// The loads of one copy at a member.
fn loads<'u>(uses: impl IntoIterator<Item = &'u Use>, bundles: &[Vec<Counts>], values: &[i64]) -> Vec<Load> {
    let number = |sum: &super::program::Sum| i64::try_from(sum.value(values)).expect("a checked value");
    let loads = uses.into_iter().map(|u| Load {
        flow: u.flow,
        units: number(&u.units),
        lines: u.lines.iter().map(|kinds| kinds.iter().map(|(kind, sum)| (*kind, number(sum))).collect()).collect(),
        bundle: u.bundle.map(|(board, index)| (board, bundles[board][index])),
    });
    loads.filter(|load| load.units > 0).collect()
}

fn bundles_of(vars: &CellVars) -> Vec<Vec<Counts>> {
    let (Capacity::Mixed { bundles, .. } | Capacity::Single { bundles, .. }) = &vars.capacity;
    bundles.clone()
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
        let mut queues = Queues::new(&pieces, &bundles);
        let gpus = queues.fill(shape, cell, member.class, capabilities)?;
        let (spread, fixed): (Vec<&Use>, Vec<&Use>) = uses.iter().partition(|u| u.is_spread);
        let fixed = loads(fixed, &bundles, values);
        let mut pending = Pending::new(compiled, loads(spread, &bundles, values));
        let is_cut = gpus.iter().any(|gpu| !gpu.added.is_empty());
        let mut left = member.weight;
        while left > 0 && (is_cut || !fixed.is_empty() || !pending.is_empty()) {
            let (loads, same) = pending.beside(compiled, shape, member.class, &gpus, &fixed, left)?;
            let nodes = free.take(member.pool, member.class, same)?;
            built.push(NodeBuild { pool: member.pool, class: member.class, nodes, gpus: gpus.clone(), loads });
            left -= same;
        }
        if !pending.is_empty() {
            return None;
        }
    }
    Some(built)
}

impl Pending {
    /// The loads of a node that serves `fixed` already, and how many of `most` such nodes have the same.
    fn beside(
        &mut self,
        compiled: &Compiled<'_>,
        shape: &PoolShape,
        class: usize,
        gpus: &[GpuBuild],
        fixed: &[Load],
        most: i64,
    ) -> Option<(Vec<Load>, i64)> {
        let state = &shape.classes[class].state;
        let can_be_whole = |state: &Gpu| matches!(state, Gpu::Idle | Gpu::Off);
        let idle = gpus.iter().zip(state).filter(|(gpu, state)| can_be_whole(state) && gpu.added.is_empty());
        let whole: i64 = fixed.iter().map(|load| load.whole(compiled)).sum();
        let (mut loads, same) =
            self.take_whole(compiled, &shape.classes[class], i64::try_from(idle.count()).ok()? - whole, most);
        let mut room = Space::of(gpus, &shape.board_of);
        for (kind, n) in fixed.iter().flat_map(|load| load.lines.iter().flatten()) {
            *room.kinds.entry(*kind).or_insert(0) -= n;
        }
        for load in fixed {
            load.bundle.map(|bundle| room.take_sets(bundle, load.units));
        }
        let (slices, same) = self.slices(compiled, &shape.classes[class], room, same);
        loads.extend(slices);
        self.remove(&loads, same);
        loads.extend(fixed.iter().cloned());
        Some((loads, same))
    }
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

    /// How many of a class are left.
    fn count(&self, pool: usize, class: usize) -> i64 {
        self.0.get(&(pool, class)).into_iter().flatten().map(|range| i64::from(range.end - range.start)).sum()
    }

    /// All that are left, with pool and class.
    pub(super) fn rest(self) -> impl Iterator<Item = (usize, usize, Vec<Range<u32>>)> {
        self.0.into_iter().map(|((pool, class), mut ranges)| {
            ranges.reverse();
            (pool, class, ranges)
        })
    }
}

/// The GPUs of a board in one state.
type Stock = (usize, Part);

/// What is still to be given to GPUs, the next at the end, with how many GPUs get it.
struct Queues {
    by_stock: BTreeMap<Stock, Vec<(GpuBuild, i64)>>,
}

impl Queues {
    fn new(pieces: &[Vec<Piece>], bundles: &[Vec<Counts>]) -> Queues {
        let mut by_stock: BTreeMap<_, Vec<(GpuBuild, i64)>> = BTreeMap::new();
        for (board, pieces) in pieces.iter().enumerate() {
            for piece in pieces.iter().filter(|piece| piece.gpus > 0 && !piece.added.is_empty()).rev() {
                let together = bundles.get(board).into_iter().flatten().zip(&piece.bundles);
                let bundles = together.flat_map(|(bundle, &n)| std::iter::repeat_n(*bundle, usize::from(n))).collect();
                let build = GpuBuild { added: piece.added, bundles };
                by_stock.entry((board, piece.part)).or_default().push((build, piece.gpus));
            }
        }
        Queues { by_stock }
    }

    /// The queue each GPU of a node of this class draws from; `None` for one in use as a whole.
    fn sources(
        shape: &PoolShape,
        cell: &Cell,
        class: usize,
        capabilities: &mut Capabilities,
    ) -> Option<Vec<Option<Stock>>> {
        let states = shape.classes[class].state.iter().zip(&shape.board_of);
        let source = |(state, &board): (&Gpu, &usize)| match state {
            Gpu::Taken => Some(None),
            Gpu::Off => Some(Some((board, Part::Off))),
            Gpu::Idle => Some(Some((board, Part::Idle))),
            Gpu::Fixed { free, .. } => {
                let index = cell.boards[board].fixed.iter().position(|(known, _)| known == free)?;
                Some(Some((board, Part::Fixed(index))))
            }
            Gpu::Pinned(layout) => {
                let stock = &cell.boards[board];
                let capability = capabilities.beside(&stock.model, layout);
                let index = stock
                    .pinned
                    .iter()
                    .position(|(known, _)| Arc::ptr_eq(known, &capability) || *known == capability)?;
                Some(Some((board, Part::Pinned(index))))
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
        let mut next = |key| {
            let build = self.at(key, 0).cloned();
            self.skip(key, 1);
            build
        };
        Some(sources.iter().map(|source| source.and_then(&mut next).unwrap_or_default()).collect())
    }

    /// The next of a queue, and how often it is there.
    fn front(&self, key: Stock) -> Option<(&GpuBuild, i64)> {
        self.by_stock.get(&key)?.last().map(|(build, left)| (build, *left))
    }
}

/// The nodes of a pooled cell, one after the other: whole GPUs first, then the GPUs cut, then the units
/// whose instances are there. Equal nodes are made at once.
///
/// Units with a rule within a node may find no place this way although there is one; they stay in
/// `Pending`.
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
    let mut queues = Queues::new(&pieces(cell, vars, values)?, &bundles);
    let mut pending = Pending::new(compiled, loads(&vars.uses[0], &bundles, values));
    let mut spare = IdleGpus(cell.boards.iter().map(|stock| stock.idle).collect());
    let mut built = Vec::new();
    let classes = match cell.class {
        Some(class) => class..class + 1,
        None => 0..shape.classes.len(),
    };
    // Once everything else has its place, idle nodes are cut for what a rule spreads over more nodes.
    let passes = [false, true].into_iter().flat_map(|may_cut| classes.clone().map(move |class| (class, may_cut)));
    for (class, may_cut) in passes {
        let sources = Queues::sources(shape, cell, class, capabilities)?;
        let mut left = free.count(member.pool, class);
        while left > 0 && !(queues.is_empty() && pending.is_empty()) {
            let mut spared = spare.on_node(&sources, &queues);
            let off = sources.iter().flatten().filter(|(_, part)| *part == Part::Off).count();
            let off = i64::try_from(off).ok()?;
            let idle = spared.iter().map(|(_, gpus)| gpus).sum::<i64>() + off;
            let (mut loads, mut same) = match shape.strategy {
                // Once some GPU is to be cut, all of the node are.
                Strategy::Single if queues.front((0, Part::Idle)).is_some() => (Vec::new(), left),
                _ => pending.take_whole(compiled, &shape.classes[class], idle, left),
            };
            let mut whole: i64 = loads.iter().map(|load: &Load| load.whole(compiled)).sum();
            whole = (whole - off).max(0);
            for (board, gpus) in &mut spared {
                *gpus = whole.min(*gpus);
                whole -= *gpus;
                if let Some(lasting) = spare.of(*board, &queues).checked_div(*gpus) {
                    same = same.min(lasting).max(1);
                }
            }
            let mut drawn: BTreeMap<Stock, i64> = BTreeMap::new();
            let mut gpus = Vec::new();
            for source in &sources {
                let as_whole = spared.iter_mut().find(|(board, n)| *source == Some((*board, Part::Idle)) && *n > 0);
                if let Some((_, n)) = as_whole {
                    *n -= 1;
                    gpus.push(GpuBuild::default());
                    continue;
                }
                let next = source.and_then(|key| {
                    let n = drawn.entry(key).or_insert(0);
                    *n += 1;
                    queues.at(key, *n - 1)
                });
                gpus.push(next.cloned().unwrap_or_default());
            }
            let is_empty = |gpus: &[GpuBuild]| gpus.iter().all(|gpu| gpu.added.is_empty());
            if may_cut && loads.is_empty() && is_empty(&gpus) && shape.strategy == Strategy::Mixed {
                pending.cut(compiled, shape, &sources, &mut gpus);
            }
            if loads.is_empty() && is_empty(&gpus) {
                break;
            }
            for (key, gpus) in &drawn {
                if let Some((_, there)) = queues.front(*key) {
                    same = same.min((there / gpus).max(1));
                }
            }
            let (slices, lasting) =
                pending.slices(compiled, &shape.classes[class], Space::of(&gpus, &shape.board_of), same);
            let same = same.min(lasting).max(1);
            loads.extend(slices);
            pending.remove(&loads, same);
            for (key, n) in &drawn {
                queues.skip(*key, n * same);
            }
            spare.pass(&sources, same);
            let nodes = free.take(member.pool, class, same)?;
            built.push(NodeBuild { pool: member.pool, class, nodes, gpus, loads: loads.into_iter().collect() });
            left -= same;
        }
    }
    Some(built)
}

/// Idle GPUs of the nodes to come, by board.
struct IdleGpus(Vec<i64>);

impl IdleGpus {
    /// Those of a board that are not going to be cut.
    fn of(&self, board: usize, queues: &Queues) -> i64 {
        let cut: i64 = queues.by_stock.get(&(board, Part::Idle)).into_iter().flatten().map(|(_, gpus)| gpus).sum();
        (self.0[board] - cut).max(0)
    }

    /// Those of one node, by board, the board with most to spare first.
    fn on_node(&self, sources: &[Option<Stock>], queues: &Queues) -> Vec<(usize, i64)> {
        let mut on_node: BTreeMap<usize, i64> = BTreeMap::new();
        let idle = sources.iter().flatten().filter(|(_, part)| *part == Part::Idle);
        idle.for_each(|(board, _)| *on_node.entry(*board).or_insert(0) += 1);
        let mut spare: Vec<(usize, i64)> =
            on_node.into_iter().map(|(board, gpus)| (board, gpus.min(self.of(board, queues)))).collect();
        spare.sort_by_key(|&(board, _)| (std::cmp::Reverse(self.of(board, queues)), board));
        spare
    }

    /// Leaves so many nodes behind.
    fn pass(&mut self, sources: &[Option<Stock>], nodes: i64) {
        let idle = sources.iter().flatten().filter(|(_, part)| *part == Part::Idle);
        idle.for_each(|(board, _)| self.0[*board] -= nodes);
    }
}

impl Queues {
    /// What the `n`-th GPU from now on would get.
    fn at(&self, key: Stock, mut n: i64) -> Option<&GpuBuild> {
        for (build, left) in self.by_stock.get(&key)?.iter().rev() {
            if n < *left {
                return Some(build);
            }
            n -= left;
        }
        None
    }

    fn skip(&mut self, key: Stock, mut gpus: i64) {
        while gpus > 0 {
            let Some(queue) = self.by_stock.get_mut(&key) else { return };
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
        self.by_stock.values().all(Vec::is_empty)
    }
}

impl Load {
    /// The GPUs it takes as a whole.
    pub(super) fn whole(&self, compiled: &Compiled<'_>) -> i64 {
        match compiled.flows[self.flow].shape {
            Shape::Whole { gpus } => gpus * self.units,
            Shape::Slices { .. } => 0,
        }
    }
}

/// Units still to be given to nodes.
struct Pending {
    /// Whole GPUs: flow, GPUs of one unit, units; the largest first.
    whole: Vec<(usize, i64, i64)>,
    /// Slices, those with rules first.
    slices: Vec<PendingUnits>,
}

struct PendingUnits {
    flow: usize,
    /// Instances of one unit, each of any of the kinds.
    lines: Vec<(Vec<Kind>, i64)>,
    bundle: Option<(usize, Counts)>,
    left: i64,
}

impl Pending {
    fn new(compiled: &Compiled<'_>, loads: Vec<Load>) -> Pending {
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

    fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.slices.is_empty()
    }

    /// Whole units for a node with so many idle GPUs, and how many of `most` nodes can have the same.
    fn take_whole(&self, compiled: &Compiled<'_>, class: &NodeClass, mut idle: i64, most: i64) -> (Vec<Load>, i64) {
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
    fn slices(&self, compiled: &Compiled<'_>, class: &NodeClass, mut space: Space, most: i64) -> (Vec<Load>, i64) {
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
    fn cut(&self, compiled: &Compiled<'_>, shape: &PoolShape, sources: &[Option<Stock>], gpus: &mut [GpuBuild]) {
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
    fn remove(&mut self, loads: &[Load], nodes: i64) {
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
struct Space {
    kinds: BTreeMap<Kind, i64>,
    /// Sets put together on one GPU, by board; their instances are among the others.
    sets: BTreeMap<(usize, Counts), i64>,
}

impl Space {
    /// Takes so many sets, or as many as there are.
    fn take_sets(&mut self, bundle: (usize, Counts), most: i64) -> i64 {
        let there = self.sets.entry(bundle).or_insert(0);
        let units = most.min(*there);
        *there -= units;
        for (profile, n) in bundle.1.iter() {
            *self.kinds.entry(Kind { board: bundle.0, profile }).or_insert(0) -= units * i64::from(n);
        }
        units
    }

    fn of(gpus: &[GpuBuild], board_of: &[usize]) -> Space {
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
    fn fill(&self, room: &mut BTreeMap<Kind, i64>, most: i64) -> (i64, Vec<Vec<(Kind, i64)>>) {
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
