//! The integer program over some cells.
//!
//! Sets: cells `k` (with members: pools holding `w` copies), boards `b` of a cell, profiles `p`, flows
//! `f`, the ways `v` a pool can serve a flow, priority levels `l`.
//!
//! Variables, all integers from 0: `cut[k, b]` idle GPUs cut; `y[k, b, p]` instances added; `whole[k]`
//! GPUs serving as a whole; on single-strategy nodes `name[k, s]` nodes of profile `s` and `off[k]` nodes
//! with MIG off, and where instances must share a GPU, how many GPUs are shared in each way; `z[m, f, v]`
//! units served in each copy at member `m`, `x[m, f, v, i, p]` instances of kind `p` for line `i` of that
//! way; `served[f, l]`. What runs today adds variables of its own ([`super::keep`]): units that stay, which
//! are served, and GPUs that become idle, stay as they are, or have something pinned.
//!
//! Constraints: `y` is within what the GPUs hold ([`super::formulation`]); instances used are at most
//! those added; `Σ_p x = instances·z` for each line; `Σ cut + whole ≤ idle`; at most `maxPerNode` units a
//! node; `Σ_m w·z = Σ_l served[f, l]`, each at most what is asked for.
//!
//! Objectives: units served at a level, cost, and slices of spare instances.

use super::cell::{BoardStock, Capabilities, Cell, Member, Part};
use super::compile::{Compiled, Flow, Kind, Line, NodeClass, Offer, Shape};
use super::formulation::{BoardVars, Column, Formulation, Undecided, choices_for_one_gpu, used_as_it_is};
use super::keep::{Counted, Groups, PoolVars, PresentVars};
use super::program::{Program, Role, Sum, Var};
use super::replacement::Replacements;
use crate::fleet::Strategy;
use crate::geometry::{Capability, Counts, ProfileName};

/// The program with the meaning of its variables.
pub(super) struct FleetProgram {
    pub(super) program: Program,
    pub(super) cells: Vec<CellVars>,
    /// By flow and level.
    served: Vec<Vec<Option<Var>>>,
    /// What the GPUs in use cost, those pinned left out.
    pub(super) cost: Sum,
    /// Slices of spare instances.
    pub(super) spare: Sum,
    /// What the program decides of the nodes on which something runs.
    pub(super) present: PresentVars,
}

/// The variables of one cell.
pub(super) struct CellVars {
    pub(super) capacity: Capacity,
    /// By member.
    pub(super) uses: Vec<Vec<Use>>,
}

pub(super) enum Capacity {
    /// With, by board, the sets of instances that must share a GPU.
    Mixed { boards: Vec<BoardVars>, bundles: Vec<Vec<Counts>> },
    /// With, by board, how GPUs are shared that stay cut as they are.
    Single { names: Vec<Uniform>, fixed: Vec<Vec<Column>>, bundles: Vec<Vec<Counts>> },
}

/// Instances used of GPUs that stay cut as they are, by profile, and how the GPUs are shared.
struct FixedVars {
    used: Vec<Option<Var>>,
    columns: Vec<Column>,
}

/// Nodes all of whose GPUs carry instances of one name.
pub(super) struct Uniform {
    pub(super) name: ProfileName,
    pub(super) nodes: Var,
    /// By board, how its GPUs are shared; none where nothing must share one.
    pub(super) columns: Vec<Vec<Column>>,
}

/// Units of a flow at a member: of each copy, or of all copies together.
pub(super) struct Use {
    pub(super) flow: usize,
    pub(super) units: Sum,
    /// Instances by line of the way and kind, those of bundles left out.
    pub(super) lines: Vec<Vec<(Kind, Sum)>>,
    /// The bundle used for each unit: board and index.
    pub(super) bundle: Option<(usize, usize)>,
    /// Whether the numbers are totals over all copies, which need not serve the same then.
    pub(super) is_spread: bool,
}

impl CellVars {
    /// GPUs of all copies that are cut or serve as a whole, those pinned left out.
    pub(super) fn gpus_used(&self, cell: &Cell, compiled: &Compiled<'_>, values: &[i64]) -> i64 {
        let whole = |u: &Use, weight: i64| match compiled.flows[u.flow].shape {
            Shape::Whole { gpus } => {
                i64::try_from(u.units.value(values)).unwrap_or(i64::MAX).saturating_mul(gpus * u.factor(weight))
            }
            Shape::Slices { .. } => 0,
        };
        let cut: i64 = match &self.capacity {
            Capacity::Mixed { boards, .. } => boards.iter().map(|board| values[board.cut.0]).sum(),
            Capacity::Single { names, .. } => {
                let idle: i64 = cell.boards.iter().map(|stock| stock.idle).sum();
                names.iter().map(|uniform| values[uniform.nodes.0] * idle / cell.nodes.max(1)).sum()
            }
        };
        let members = cell.members.iter().zip(&self.uses);
        members.map(|(m, uses)| uses.iter().map(|u| whole(u, m.weight)).sum::<i64>() + cut * m.weight).sum()
    }

    /// Whether a copy has a GPU in use.
    pub(super) fn is_used(&self, values: &[i64]) -> bool {
        let cut = match &self.capacity {
            Capacity::Mixed { boards, .. } => boards.iter().any(|board| values[board.cut.0] > 0),
            Capacity::Single { names, .. } => names.iter().any(|uniform| values[uniform.nodes.0] > 0),
        };
        cut || self.uses.iter().flatten().any(|u| u.units.value(values) > 0)
    }
}

impl Use {
    /// How often its numbers count for a member of this weight.
    pub(super) fn factor(&self, weight: i64) -> i64 {
        if self.is_spread { 1 } else { weight }
    }

    fn kinds(&self) -> impl Iterator<Item = &(Kind, Sum)> {
        self.lines.iter().flatten()
    }
}

impl FleetProgram {
    /// `asked` gives the units asked for, by flow and level.
    pub(super) fn new(
        compiled: &Compiled<'_>,
        cells: &[Cell],
        formulation: Formulation,
        asked: &[Vec<i64>],
    ) -> FleetProgram {
        Self::build(compiled, cells, formulation, asked, Program::default(), PresentVars::default())
    }

    /// The program that also decides what stays of what runs today.
    pub(super) fn beside_present(
        compiled: &Compiled<'_>,
        cells: &[Cell],
        formulation: Formulation,
        groups: &Groups,
        capabilities: &mut Capabilities,
    ) -> FleetProgram {
        let mut program = Program::default();
        let present = groups.vars(compiled, &mut program, capabilities);
        Self::build(compiled, cells, formulation, &compiled.asked(), program, present)
    }

    fn build(
        compiled: &Compiled<'_>,
        cells: &[Cell],
        formulation: Formulation,
        asked: &[Vec<i64>],
        mut program: Program,
        mut present: PresentVars,
    ) -> FleetProgram {
        let mut totals = vec![Sum::new(); compiled.flows.len()];
        for ((flow, _), kept) in &present.kept {
            totals[*flow] += kept;
        }
        let mut cost = present.cost.clone();
        let mut spare = Sum::new();
        let mut cut_anew = Sum::new();
        let pools = std::mem::take(&mut present.pools);
        let nothing = PoolVars::default();
        let vars = cells
            .iter()
            .map(|cell| {
                let undecided = pools.get(cell.members[0].pool).filter(|_| cell.undecided > 0).unwrap_or(&nothing);
                let replacements = Replacements::of(cell, &undecided.boards);
                let mut builder = CellBuilder {
                    compiled,
                    cell,
                    undecided,
                    replacements,
                    program: &mut program,
                    cut_anew: Sum::new(),
                    counted: Counted::default(),
                };
                let built = builder.build(formulation);
                cut_anew += &builder.cut_anew;
                if cell.undecided > 0 {
                    let counted = std::mem::take(&mut builder.counted);
                    present.counted.insert(cell.members[0].pool, counted);
                }
                builder.add_cost(&built, &mut cost);
                builder.add_spare(&built, &mut spare);
                for (member, uses) in cell.members.iter().zip(&built.uses) {
                    for u in uses {
                        totals[u.flow] += &u.units.times(u.factor(member.weight));
                    }
                }
                built
            })
            .collect();
        let mut served = Vec::new();
        for (flow, (asked, mut total)) in asked.iter().zip(totals).enumerate() {
            let can_be_served = !total.is_empty();
            let level_var = |&count: &i64| (count > 0 && can_be_served).then(|| program.add(count, Role::Flow));
            let vars: Vec<Option<Var>> = asked.iter().map(level_var).collect();
            for var in vars.iter().flatten() {
                total.add_term(*var, -1);
            }
            program.equal(total, 0);
            for (level, var) in vars.iter().enumerate() {
                if let Some(kept) = present.kept.get(&(flow, level)) {
                    program.at_most(kept.clone() + &Sum::of(var.map(|var| (var, -1))), 0);
                }
            }
            served.push(vars);
        }
        if let Some(most) = compiled.decisions.most_cut {
            program.at_most(cut_anew.clone(), most);
        }
        present.cut_anew = cut_anew;
        FleetProgram { program, cells: vars, served, cost, spare, present }
    }

    /// Units served at a level.
    pub(super) fn served_at(&self, level: usize) -> Sum {
        Sum::of(self.served.iter().filter_map(|levels| Some((levels[level]?, 1))))
    }

    /// Units served, by flow and level.
    pub(super) fn served(&self, values: &[i64]) -> Vec<Vec<i64>> {
        self.served.iter().map(|levels| levels.iter().map(|var| var.map_or(0, |var| values[var.0])).collect()).collect()
    }
}

struct CellBuilder<'a> {
    compiled: &'a Compiled<'a>,
    cell: &'a Cell,
    undecided: &'a PoolVars,
    replacements: Replacements,
    program: &'a mut Program,
    /// GPUs and single-strategy nodes that are cut anew, over all copies, those left out that are counted
    /// already.
    cut_anew: Sum,
    /// What it knows of GPUs that count one by one.
    counted: Counted,
}

impl CellBuilder<'_> {
    fn build(&mut self, formulation: Formulation) -> CellVars {
        match self.cell.strategy {
            Strategy::Mixed => self.mixed(formulation),
            Strategy::Single => self.single(),
        }
    }

    fn offers(&self, member: usize) -> &[Offer] {
        &self.compiled.pools[self.cell.members[member].pool].offers
    }

    fn mixed(&mut self, formulation: Formulation) -> CellVars {
        let boards = self.cell.boards.len();
        let bundles: Vec<Vec<Counts>> = (0..boards).map(|board| self.bundles(board)).collect();
        let mut vars = Vec::new();
        for (board, stock) in self.cell.boards.iter().enumerate() {
            let wanted = self.wanted(board);
            let nothing = Undecided::default();
            let undecided = self.undecided.boards.get(board).unwrap_or(&nothing);
            vars.push(formulation.describe(self.program, stock, undecided, &wanted, &bundles[board]));
            self.count_cut(board, vars[board].cut, undecided);
        }
        let uses: Vec<Vec<Use>> = (0..self.cell.members.len()).map(|member| self.uses(member, &bundles)).collect();
        for (member, uses) in self.cell.members.iter().zip(&uses) {
            self.limit_by_instances(uses, member.weight, &bundles, |board, profile| match vars[board].total[profile] {
                Some(var) => Sum::of([(var, 1)]),
                None => Sum::new(),
            });
            self.limit_by_bundles(uses, &bundles, |board| vars[board].columns.iter().flatten().collect());
            let mut whole = self.whole_gpus(uses, member.weight);
            self.count_turned_off(&whole);
            for board in &vars {
                whole.add_term(board.cut, member.weight);
            }
            whole += &self.undecided.off.negated();
            self.undecided.boards.iter().for_each(|board| whole += &board.opened.negated());
            self.program.at_most(whole, (self.idle_gpus() + self.off_gpus()) * member.weight);
        }
        CellVars { capacity: Capacity::Mixed { boards: vars, bundles }, uses }
    }

    /// On single-strategy nodes everything goes by the name a whole node has.
    fn single(&mut self) -> CellVars {
        let cell = self.cell;
        let pinned: Vec<&ProfileName> = cell.boards.iter().flat_map(|board| &board.pinned_names).collect();
        let taken = cell.boards.iter().any(|board| board.taken > 0 || board.off > 0 || !board.fixed.is_empty());
        let free_to_cut = |name: &ProfileName| {
            // A name that is only another release's for some board's profile is not one name for all.
            let is_its_name = |stock: &BoardStock| stock.model.profiles.iter().any(|profile| profile.name == *name);
            !taken && pinned.iter().all(|p| *p == name) && cell.boards.iter().all(is_its_name)
        };
        let first = cell.boards.first().map(|b| b.model.profiles.iter()).into_iter().flatten();
        let names: Vec<ProfileName> = first.map(|p| p.name.clone()).filter(free_to_cut).collect();
        let bundles: Vec<Vec<Counts>> = (0..cell.boards.len()).map(|board| self.bundles(board)).collect();
        let names: Vec<Uniform> = names.into_iter().map(|name| self.uniform(name, &bundles)).collect();
        // Nodes with pinned instances that serve nothing stay as they are.
        let off = self.program.var(if cell.is_pinned() { 0 } else { cell.nodes });
        let nodes = names.iter().map(|uniform| (uniform.nodes, 1)).chain([(off, 1)]);
        let nodes = Sum::of(nodes);
        if cell.undecided > 0 {
            self.program.at_most(nodes + &self.undecided.recut_nodes.negated(), 0);
        } else {
            self.program.at_most(nodes, cell.nodes);
            let idle = names.iter().filter(|_| !cell.is_pinned());
            idle.for_each(|uniform| self.cut_anew.add_term(uniform.nodes, self.weight()));
        }
        let fixed: Vec<FixedVars> = (0..cell.boards.len()).map(|board| self.fixed(board, &bundles[board])).collect();
        let uses: Vec<Vec<Use>> = (0..cell.members.len()).map(|member| self.uses(member, &bundles)).collect();
        for (member, uses) in cell.members.iter().zip(&uses) {
            self.limit_by_instances(uses, member.weight, &bundles, |board, profile| {
                let stock = &cell.boards[board];
                let per_node = added_when_uniform(stock, profile) / cell.nodes.max(1);
                let is_it = |name: &ProfileName| stock.model.profile(name).is_some_and(|id| id.index() == profile);
                let cut = names.iter().filter(|uniform| is_it(&uniform.name)).map(|uniform| (uniform.nodes, per_node));
                Sum::of(cut.chain(fixed[board].used.get(profile).copied().flatten().map(|used| (used, 1))))
            });
            self.limit_by_bundles(uses, &bundles, |board| {
                names.iter().flat_map(|u| &u.columns[board]).chain(&fixed[board].columns).collect()
            });
            let mut whole = self.whole_gpus(uses, member.weight);
            whole.add_term(off, -member.weight * self.idle_gpus() / cell.nodes.max(1));
            whole += &self.undecided.off.negated();
            self.program.at_most(whole, self.off_gpus() * member.weight);
        }
        let fixed = fixed.into_iter().map(|fixed| fixed.columns).collect();
        CellVars { capacity: Capacity::Single { names, fixed, bundles }, uses }
    }

    /// Nodes of one name, and how their GPUs are shared by instances that must be together.
    fn uniform(&mut self, name: ProfileName, bundles: &[Vec<Counts>]) -> Uniform {
        let cell = self.cell;
        let nodes = self.program.var(cell.nodes);
        let mut columns = Vec::new();
        for (stock, bundles) in cell.boards.iter().zip(bundles) {
            let mut of_board = Vec::new();
            let id = stock.model.profile(&name).expect("only names that all boards have are cut");
            let only: Vec<bool> = stock.model.profile_ids().map(|(other, _)| other == id).collect();
            let is_usable = |bundle: &Counts| bundle.iter().all(|(other, _)| other == id);
            let pinned = stock.pinned.iter().enumerate();
            let pinned = pinned.map(|(i, (capability, n))| (Part::Pinned(i), &**capability, *n));
            let parts = pinned.chain([(Part::Idle, &**stock.model.idle_capability(), stock.idle)]);
            for (part, capability, gpus) in parts.filter(|_| bundles.iter().any(is_usable)) {
                let mut choices = Sum::new();
                for (rest, chosen) in choices_for_one_gpu(capability, &only, bundles) {
                    let is_of_it = bundles.iter().zip(&chosen).all(|(bundle, &n)| n == 0 || is_usable(bundle));
                    if is_of_it {
                        let var = self.program.add(gpus, Role::Choice);
                        choices.add_term(var, 1);
                        of_board.push(Column { part, rest, bundles: chosen, var });
                    }
                }
                choices.add_term(nodes, -gpus / cell.nodes.max(1));
                self.program.at_most(choices, 0);
            }
            columns.push(of_board);
        }
        Uniform { name, nodes, columns }
    }

    /// What GPUs of single-strategy nodes offer that stay cut as they are.
    fn fixed(&mut self, board: usize, bundles: &[Counts]) -> FixedVars {
        let cell = self.cell;
        let stock = &cell.boards[board];
        let nothing = Undecided::default();
        let undecided = self.undecided.boards.get(board).unwrap_or(&nothing);
        let profiles = stock.model.profile_ids();
        let used = profiles.map(|(id, _)| used_as_it_is(self.program, stock, undecided, id, true)).collect();
        let mut columns = Vec::new();
        for (index, (free, gpus)) in stock.fixed.iter().enumerate().filter(|_| !bundles.is_empty()) {
            let all = vec![true; stock.model.profiles.len()];
            let mut choices = Sum::new();
            for (rest, bundles) in choices_for_one_gpu(&Capability::within(free), &all, bundles) {
                let var = self.program.add(*gpus, Role::Choice);
                choices.add_term(var, 1);
                columns.push(Column { part: Part::Fixed(index), rest, bundles, var });
            }
            self.program.at_most(choices, *gpus);
        }
        FixedVars { used, columns }
    }

    /// Counts GPUs that are cut, as far as that is not counted with their nodes.
    fn count_cut(&mut self, board: usize, cut: Var, undecided: &Undecided) {
        if undecided.unnoticed.is_empty() {
            self.cut_anew.add_term(cut, self.weight());
            self.counted.cut.insert(board, cut);
            return;
        }
        let anew = self.program.var(self.program.uppers()[cut.0]);
        self.program.at_most(Sum::of([(cut, 1), (anew, -1)]) + &undecided.unnoticed.negated(), 0);
        self.cut_anew.add_term(anew, 1);
        self.counted.cut.insert(board, anew);
        self.counted.with_nodes.insert(board, (cut, anew));
    }

    /// Counts GPUs that are cut today and then serve as a whole.
    fn count_turned_off(&mut self, whole: &Sum) {
        if self.cell.undecided == 0 || whole.is_empty() {
            return;
        }
        let most = self.undecided.boards.iter().map(|board| board.gpus).sum();
        // GPUs of nodes that are cut anew are counted with their node, whatever becomes of them.
        let (turned_off, with_node) = (self.program.var(most), self.program.var(most));
        let quiet = self.undecided.off.clone() + &self.undecided.quiet;
        let sum = whole.clone() + &quiet.negated() + &Sum::of([(turned_off, -1), (with_node, -1)]);
        self.program.at_most(sum, self.idle_gpus() + self.off_gpus());
        let mut sum = Sum::of([(with_node, 1)]);
        for (board, &(cut, anew)) in &self.counted.with_nodes {
            sum += &Sum::of([(cut, 1), (anew, -1)]);
            sum += &self.undecided.boards[*board].unnoticed.negated();
        }
        self.program.at_most(sum, 0);
        self.cut_anew.add_term(turned_off, 1);
        self.counted.turned_off = Some(turned_off);
    }

    /// The profiles some member's demand accepts on a board.
    fn wanted(&self, board: usize) -> Vec<bool> {
        let mut wanted = vec![false; self.cell.boards[board].model.profiles.len()];
        for member in &self.cell.members {
            for (all, one) in wanted.iter_mut().zip(&self.compiled.pools[member.pool].boards[board].wanted) {
                *all |= one;
            }
        }
        wanted
    }

    /// The sets of instances that must share one GPU of a board, over all members' flows.
    fn bundles(&self, board: usize) -> Vec<Counts> {
        let offers = (0..self.cell.members.len()).flat_map(|member| self.offers(member));
        let on_gpu = offers.filter(|offer| self.compiled.flows[offer.flow].is_together_on_gpu());
        let mut found: Vec<Counts> =
            on_gpu.flat_map(|o| o.ways.iter().filter_map(|way| way.on_one_gpu(board))).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    fn uses(&mut self, member: usize, bundles: &[Vec<Counts>]) -> Vec<Use> {
        let compiled = self.compiled;
        let mut uses = Vec::new();
        let weight = self.cell.members[member].weight;
        for offer in &compiled.pools[self.cell.members[member].pool].offers {
            let flow = &compiled.flows[offer.flow];
            let from = uses.len();
            // What has no rule within a node may be different on each copy.
            let is_spread = !flow.has_node_rule();
            let copies = if is_spread { weight } else { 1 };
            match flow.shape {
                Shape::Whole { gpus } => {
                    let units = Sum::of([(self.program.var(self.whole_units(gpus).saturating_mul(copies)), 1)]);
                    uses.push(Use { flow: offer.flow, units, lines: Vec::new(), bundle: None, is_spread });
                }
                Shape::Slices { .. } if flow.is_together_on_gpu() => {
                    uses.extend(self.uses_on_one_gpu(offer, flow, bundles));
                }
                Shape::Slices { .. } => {
                    let usable =
                        offer.ways.iter().filter(|way| way.lines.len() == 1 || self.cell.strategy == Strategy::Mixed);
                    for way in usable {
                        uses.extend(self.use_on_node(offer.flow, flow, &way.lines, copies, is_spread));
                    }
                }
            }
            if let Some(most) = flow.max_per_node {
                let mut sum = self.undecided.kept.get(&offer.flow).cloned().unwrap_or_default();
                uses[from..].iter().for_each(|u: &Use| sum += &u.units);
                self.program.at_most(sum, self.room_for(member, offer.flow, most).min(flow.total()));
            }
        }
        uses
    }

    /// Units of a flow that the nodes of a copy may still serve, of which each may serve so many.
    fn room_for(&self, member: usize, flow: usize, max_per_node: i64) -> i64 {
        let Member { pool, class, .. } = self.cell.members[member];
        let classes = &self.compiled.pools[pool].classes;
        let each = |class: &NodeClass| class.room_for(flow, max_per_node);
        if self.cell.is_pooled && self.cell.class.is_none() {
            let known: i64 = classes.iter().map(|class| class.count.saturating_mul(each(class))).sum();
            return known.saturating_add(self.cell.undecided.saturating_mul(max_per_node));
        }
        self.cell.nodes.saturating_mul(each(&classes[class]))
    }

    /// Units whose instances share one GPU.
    fn uses_on_one_gpu(&mut self, offer: &Offer, flow: &Flow, bundles: &[Vec<Counts>]) -> Vec<Use> {
        let mut uses = Vec::new();
        for way in &offer.ways {
            if self.cell.strategy == Strategy::Single && way.lines.len() > 1 {
                continue;
            }
            for (board, list) in bundles.iter().enumerate() {
                let index = way.on_one_gpu(board).and_then(|counts| list.binary_search(&counts).ok());
                if let Some(index) = index {
                    let units = Sum::of([(self.program.var(flow.total()), 1)]);
                    uses.push(Use {
                        flow: offer.flow,
                        units,
                        lines: Vec::new(),
                        bundle: Some((board, index)),
                        is_spread: false,
                    });
                }
            }
        }
        uses
    }

    fn use_on_node(&mut self, index: usize, flow: &Flow, lines: &[Line], copies: i64, is_spread: bool) -> Option<Use> {
        let nodes = self.cell.nodes.saturating_mul(copies);
        let mut most = flow.total();
        for line in lines {
            let on_node: i64 = line.kinds.iter().map(|kind| self.most_on_node(*kind)).sum();
            most = most.min(nodes.saturating_mul(on_node / line.instances));
        }
        if most == 0 {
            return None;
        }
        if let [Line { instances: 1, kinds }] = lines {
            let kinds: Vec<(Kind, Sum)> = self
                .replacements
                .needed(kinds)
                .into_iter()
                .map(|kind| (kind, Sum::of([(self.program.add(most, Role::Flow), 1)])))
                .collect();
            let mut units = Sum::new();
            for (_, sum) in &kinds {
                units += sum;
            }
            return Some(Use { flow: index, units, lines: vec![kinds], bundle: None, is_spread });
        }
        let units = self.program.var(most);
        let mut by_line = Vec::new();
        for line in lines {
            let needed = self.replacements.needed(&line.kinds);
            if let [kind] = needed[..] {
                by_line.push(vec![(kind, Sum::of([(units, line.instances)]))]);
                continue;
            }
            let mut all = Sum::of([(units, -line.instances)]);
            let mut kinds = Vec::new();
            for kind in needed {
                let var = self.program.var(most.saturating_mul(line.instances));
                all.add_term(var, 1);
                kinds.push((kind, Sum::of([(var, 1)])));
            }
            self.program.equal(all, 0);
            by_line.push(kinds);
        }
        Some(Use { flow: index, units: Sum::of([(units, 1)]), lines: by_line, bundle: None, is_spread })
    }

    /// Instances of a kind that one node can hold at most.
    fn most_on_node(&self, kind: Kind) -> i64 {
        let board = &self.compiled.pools[self.cell.members[0].pool].boards[kind.board];
        board.gpus * i64::from(board.model.get(kind.profile).max_instances)
    }

    /// Units of so many whole GPUs that a copy can serve at most.
    fn whole_units(&self, gpus: i64) -> i64 {
        let shape = &self.compiled.pools[self.cell.members[0].pool];
        let undecided = self.undecided.boards.iter().map(|board| board.gpus).sum::<i64>();
        let on_node = shape
            .boards
            .iter()
            .map(|board| board.gpus)
            .sum::<i64>()
            .min(self.idle_gpus() + self.off_gpus() + undecided);
        self.cell.nodes * (on_node / gpus)
    }

    fn idle_gpus(&self) -> i64 {
        self.cell.boards.iter().map(|stock| stock.idle).sum()
    }

    /// Copies, over all members.
    fn weight(&self) -> i64 {
        self.cell.members.iter().map(|member| member.weight).sum()
    }

    fn off_gpus(&self) -> i64 {
        self.cell.boards.iter().map(|stock| stock.off).sum()
    }

    /// GPUs that serve as a whole, over all copies of a member.
    fn whole_gpus(&self, uses: &[Use], weight: i64) -> Sum {
        let mut sum = Sum::new();
        for u in uses {
            if let Shape::Whole { gpus } = self.compiled.flows[u.flow].shape {
                sum += &u.units.times(gpus * u.factor(weight));
            }
        }
        sum
    }

    /// Instances used of each kind are at most those there, over all copies of a member.
    fn limit_by_instances(
        &mut self,
        uses: &[Use],
        weight: i64,
        bundles: &[Vec<Counts>],
        there: impl Fn(usize, usize) -> Sum,
    ) {
        for (board, stock) in self.cell.boards.iter().enumerate() {
            for profile in 0..stock.model.profiles.len() {
                let mut sum = Sum::new();
                for u in uses {
                    for (_, used) in u.kinds().filter(|(k, _)| k.board == board && k.profile.index() == profile) {
                        sum += &used.times(u.factor(weight));
                    }
                    if let Some((_, index)) = u.bundle.filter(|bundle| bundle.0 == board) {
                        let each = bundles[board][index].iter().find(|(id, _)| id.index() == profile);
                        sum += &u.units.times(weight * each.map_or(0, |(_, n)| i64::from(n)));
                    }
                }
                if !sum.is_empty() {
                    sum += &there(board, profile).times(-weight);
                    self.program.at_most(sum, 0);
                }
            }
        }
    }

    /// Units that share a GPU are at most the bundles put together on it.
    fn limit_by_bundles<'c>(
        &mut self,
        uses: &[Use],
        bundles: &[Vec<Counts>],
        columns: impl Fn(usize) -> Vec<&'c Column>,
    ) {
        for (board, list) in bundles.iter().enumerate() {
            for (index, bundle) in list.iter().enumerate() {
                let mut sum = Sum::new();
                for u in uses.iter().filter(|u| u.bundle == Some((board, index))) {
                    sum += &u.units;
                }
                for column in columns(board) {
                    sum.add_term(column.var, -i64::from(column.bundles[index]));
                }
                // Whether a running unit is in the way is left to the plan.
                for (counts, gpus) in self.undecided.boards.get(board).into_iter().flat_map(|board| &board.fixed) {
                    let times = bundle.iter().map(|(id, n)| counts[id] / n).min().unwrap_or(0);
                    sum += &gpus.times(-i64::from(times));
                }
                self.program.at_most(sum, 0);
            }
        }
    }

    fn add_cost(&self, built: &CellVars, cost: &mut Sum) {
        for (member, uses) in self.cell.members.iter().zip(&built.uses) {
            let price = self.compiled.pools[member.pool].cost * member.weight;
            *cost += &self.whole_gpus(uses, member.weight).times(self.compiled.pools[member.pool].cost);
            match &built.capacity {
                Capacity::Mixed { boards, .. } => boards.iter().for_each(|board| cost.add_term(board.cut, price)),
                Capacity::Single { names, .. } => {
                    let idle = self.idle_gpus() / self.cell.nodes.max(1);
                    for uniform in names {
                        cost.add_term(uniform.nodes, price * idle);
                    }
                }
            }
        }
    }

    fn add_spare(&self, built: &CellVars, spare: &mut Sum) {
        for (member, uses) in self.cell.members.iter().zip(&built.uses) {
            let pool = &self.compiled.pools[member.pool];
            let value = |kind: Kind| {
                let board = &pool.boards[kind.board];
                let profile = board.model.get(kind.profile);
                let wanted = board.wanted[kind.profile.index()];
                if wanted { i64::from(profile.compute_slices) + i64::from(profile.memory_slices) } else { 0 }
            };
            let all = |counts: &Counts, board: usize| -> i64 {
                counts.iter().map(|(profile, n)| value(Kind { board, profile }) * i64::from(n)).sum()
            };
            match &built.capacity {
                Capacity::Mixed { boards, .. } => {
                    for (board, vars) in boards.iter().enumerate() {
                        for (index, var) in vars.total.iter().enumerate() {
                            let Some(var) = var else { continue };
                            let profile = crate::geometry::ProfileId(u8::try_from(index).expect("few profiles"));
                            spare.add_term(*var, member.weight * value(Kind { board, profile }));
                        }
                    }
                }
                Capacity::Single { names, .. } => {
                    for Uniform { name, nodes, .. } in names {
                        for (board, stock) in self.cell.boards.iter().enumerate() {
                            let Some(profile) = stock.model.profile(name) else { continue };
                            let each = added_when_uniform(stock, profile.index()) / self.cell.nodes.max(1);
                            spare.add_term(*nodes, member.weight * each * value(Kind { board, profile }));
                        }
                    }
                }
            }
            let (Capacity::Mixed { bundles, .. } | Capacity::Single { bundles, .. }) = &built.capacity;
            for u in uses {
                if let Some((board, index)) = u.bundle {
                    *spare += &u.units.times(-member.weight * all(&bundles[board][index], board));
                }
                for (kind, used) in u.kinds() {
                    *spare += &used.times(-u.factor(member.weight) * value(*kind));
                }
            }
        }
    }
}

/// Instances that can be added if all GPUs carry only this profile.
pub(super) fn added_when_uniform(stock: &BoardStock, profile: usize) -> i64 {
    let most = |all: &[Counts]| {
        let only = all.iter().map(|q| q.iter().find(|(id, _)| id.index() == profile).map_or(0, |(_, n)| n));
        i64::from(only.max().unwrap_or(0))
    };
    let pinned: i64 = stock.pinned.iter().map(|(capability, n)| n * most(capability.maximal())).sum();
    stock.idle * most(stock.model.idle_capability().maximal()) + pinned
}

impl super::compile::Way {
    /// The way's instances if all of them are on one GPU of the board; `None` if it lacks a kind.
    pub(super) fn on_one_gpu(&self, board: usize) -> Option<Counts> {
        self.lines
            .iter()
            .map(|line| {
                let kind = line.kinds.iter().find(|kind| kind.board == board)?;
                Some((kind.profile, u8::try_from(line.instances).ok()?))
            })
            .collect()
    }
}

impl Flow {
    /// Units asked for at all levels.
    pub(super) fn total(&self) -> i64 {
        self.counts.iter().sum()
    }
}
