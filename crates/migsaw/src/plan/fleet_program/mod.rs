//! The integer program over some cells.
//!
//! Sets: cells `k` (with members: pools holding `w` copies), boards `b` of a cell, profiles `p`, flows
//! `f`, the ways `v` a pool can serve a flow, priority levels `l`.
//!
//! Variables, all integers from 0: `cut[k, b]` idle GPUs cut; `y[k, b, p]` instances added; `whole[k]`
//! GPUs serving as a whole; on single-strategy nodes `name[k, s]` nodes of profile `s` and `off[k]` nodes
//! with MIG off, and where instances must share a GPU, how many GPUs are shared in each way; `z[m, f, v]`
//! units served in each copy at member `m`, `x[m, f, v, i, p]` instances of kind `p` for line `i` of that
//! way; `served[f, l]`. What runs today adds variables of its own ([`crate::plan::keep`]): units that stay, which
//! are served, and GPUs that become idle, stay as they are, or have something pinned.
//!
//! Constraints: `y` is within what the GPUs hold ([`crate::plan::formulation`]); instances used are at most
//! those added; `Σ_p x = instances·z` for each line; `Σ cut + whole ≤ idle`; at most `maxPerNode` units a
//! node; `Σ_m w·z = Σ_l served[f, l]`, each at most what is asked for.
//!
//! Objectives: units served at a level, cost, and slices of spare instances.

mod capacity;
mod changes;
mod limits;
mod objectives;
mod uses;

use std::collections::BTreeMap;

use crate::fleet::Strategy;
use crate::geometry::{Counts, ProfileName};
use crate::plan::cell::{BoardStock, Capabilities, Cell, Member};
use crate::plan::compile::{Compiled, Kind, Offer, Shape};
use crate::plan::formulation::{BoardVars, Column, Formulation};
use crate::plan::keep::{Counted, Groups, PoolVars, PresentVars};
use crate::plan::program::{Program, Role, Sum, Var};
use crate::plan::replacement::Replacements;

/// The program with the meaning of its variables.
pub(in crate::plan) struct FleetProgram {
    pub(in crate::plan) program: Program,
    pub(in crate::plan) cells: Vec<CellVars>,
    /// By flow and level.
    served: Vec<Vec<Option<Var>>>,
    /// What the GPUs in use cost, those pinned left out.
    pub(in crate::plan) cost: Sum,
    /// Slices of spare instances.
    pub(in crate::plan) spare: Sum,
    /// What the program decides of the nodes on which something runs.
    pub(in crate::plan) present: PresentVars,
}

/// The variables of one cell.
pub(in crate::plan) struct CellVars {
    pub(in crate::plan) capacity: Capacity,
    /// By member.
    pub(in crate::plan) uses: Vec<Vec<Use>>,
}

pub(in crate::plan) enum Capacity {
    /// With, by board, the sets of instances that must share a GPU.
    Mixed { boards: Vec<BoardVars>, bundles: Vec<Vec<Counts>> },
    /// With the nodes that have MIG off and, by board, how GPUs are used that stay cut as they are.
    Single { names: Vec<Uniform>, off: Var, fixed: Vec<FixedVars>, bundles: Vec<Vec<Counts>> },
}

/// Instances used of GPUs that stay cut as they are, by profile, and how the GPUs are shared.
pub(in crate::plan) struct FixedVars {
    used: Vec<Option<Var>>,
    pub(in crate::plan) columns: Vec<Column>,
}

/// Nodes all of whose GPUs carry instances of one name.
pub(in crate::plan) struct Uniform {
    pub(in crate::plan) name: ProfileName,
    pub(in crate::plan) nodes: Var,
    /// By board, how its GPUs are shared; none where nothing must share one.
    pub(in crate::plan) columns: Vec<Vec<Column>>,
}

/// Units of a flow at a member: of each copy, or of all copies together.
pub(in crate::plan) struct Use {
    pub(in crate::plan) flow: usize,
    pub(in crate::plan) units: Sum,
    /// Instances by line of the way and kind, those of bundles left out.
    pub(in crate::plan) lines: Vec<Vec<(Kind, Sum)>>,
    /// The bundle used for each unit: board and index.
    pub(in crate::plan) bundle: Option<(usize, usize)>,
    /// Whether the numbers are totals over all copies, which need not serve the same then.
    pub(in crate::plan) is_spread: bool,
}

impl CellVars {
    /// GPUs of all copies that are cut or serve as a whole, those pinned left out.
    pub(in crate::plan) fn gpus_used(&self, cell: &Cell, compiled: &Compiled<'_>, values: &[i64]) -> i64 {
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
    pub(in crate::plan) fn is_used(&self, values: &[i64]) -> bool {
        let cut = match &self.capacity {
            Capacity::Mixed { boards, .. } => boards.iter().any(|board| values[board.cut.0] > 0),
            Capacity::Single { names, .. } => names.iter().any(|uniform| values[uniform.nodes.0] > 0),
        };
        cut || self.uses.iter().flatten().any(|u| u.units.value(values) > 0)
    }
}

impl Use {
    /// How often its numbers count for a member of this weight.
    pub(in crate::plan) fn factor(&self, weight: i64) -> i64 {
        if self.is_spread { 1 } else { weight }
    }

    fn kinds(&self) -> impl Iterator<Item = &(Kind, Sum)> {
        self.lines.iter().flatten()
    }
}

impl FleetProgram {
    /// `asked` gives the units asked for, by flow and level.
    pub(in crate::plan) fn new(
        compiled: &Compiled<'_>,
        cells: &[Cell],
        formulation: Formulation,
        asked: &[Vec<i64>],
    ) -> FleetProgram {
        Self::build(compiled, cells, formulation, asked, Program::default(), PresentVars::default())
    }

    /// The program that also decides what stays of what runs today.
    pub(in crate::plan) fn beside_present(
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
                add_units(&cell.members, &built.uses, &mut totals);
                built
            })
            .collect();
        let served = served_vars(&mut program, asked, totals, &present.kept);
        if let Some(most) = compiled.decisions.most_cut {
            program.at_most(cut_anew.clone(), most);
        }
        present.cut_anew = cut_anew;
        FleetProgram { program, cells: vars, served, cost, spare, present }
    }

    /// Serves the demand of another problem as well, of the same fleet, from the same instances and GPUs, as if it
    /// came at another time. Gives the units served, by flow and level.
    pub(in crate::plan) fn serve_also(&mut self, compiled: &Compiled<'_>, cells: &[Cell]) -> Vec<Vec<Option<Var>>> {
        let nothing = PoolVars::default();
        let mut totals = vec![Sum::new(); compiled.flows.len()];
        for (cell, vars) in cells.iter().zip(&self.cells) {
            let mut builder = CellBuilder {
                compiled,
                cell,
                undecided: &nothing,
                // What is exchanged for one problem may be what another one needs.
                replacements: Replacements::none(),
                program: &mut self.program,
                cut_anew: Sum::new(),
                counted: Counted::default(),
            };
            let uses = builder.serve(&vars.capacity);
            add_units(&cell.members, &uses, &mut totals);
        }
        served_vars(&mut self.program, &compiled.asked(), totals, &BTreeMap::new())
    }

    /// Units served at a level.
    pub(in crate::plan) fn served_at(&self, level: usize) -> Sum {
        Sum::of(self.served.iter().filter_map(|levels| Some((levels[level]?, 1))))
    }

    /// Units served, by flow and level.
    pub(in crate::plan) fn served(&self, values: &[i64]) -> Vec<Vec<i64>> {
        self.served.iter().map(|levels| levels.iter().map(|var| var.map_or(0, |var| values[var.0])).collect()).collect()
    }
}

/// Adds the units served in a cell, by flow.
fn add_units(members: &[Member], uses: &[Vec<Use>], totals: &mut [Sum]) {
    for (member, uses) in members.iter().zip(uses) {
        for u in uses {
            totals[u.flow] += &u.units.times(u.factor(member.weight));
        }
    }
}

/// The units served of each flow at each level, which together are `totals`. `kept` are those that are served anyway.
fn served_vars(
    program: &mut Program,
    asked: &[Vec<i64>],
    totals: Vec<Sum>,
    kept: &BTreeMap<(usize, usize), Sum>,
) -> Vec<Vec<Option<Var>>> {
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
            if let Some(kept) = kept.get(&(flow, level)) {
                program.at_most(kept.clone() + &Sum::of(var.map(|var| (var, -1))), 0);
            }
        }
        served.push(vars);
    }
    served
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
}

/// Instances that can be added if all GPUs carry only this profile.
pub(in crate::plan) fn added_when_uniform(stock: &BoardStock, profile: usize) -> i64 {
    let most = |all: &[Counts]| {
        let only = all.iter().map(|q| q.iter().find(|(id, _)| id.index() == profile).map_or(0, |(_, n)| n));
        i64::from(only.max().unwrap_or(0))
    };
    let pinned: i64 = stock.pinned.iter().map(|(capability, n)| n * most(capability.maximal())).sum();
    stock.idle * most(stock.model.idle_capability().maximal()) + pinned
}
