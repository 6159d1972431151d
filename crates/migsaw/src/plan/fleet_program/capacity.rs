//! What the GPUs of a cell can be cut into.

use super::{Capacity, CellBuilder, CellVars, FixedVars, Uniform, Use, added_when_uniform};
use crate::geometry::{Capability, Counts, ProfileName};
use crate::plan::cell::{BoardStock, Part};
use crate::plan::formulation::{BoardVars, Column, Formulation, Undecided, choices_for_one_gpu, used_as_it_is};
use crate::plan::program::{Role, Sum, Var};

impl CellBuilder<'_> {
    pub(super) fn mixed(&mut self, formulation: Formulation) -> CellVars {
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
        let capacity = Capacity::Mixed { boards: vars, bundles };
        let uses = self.serve(&capacity);
        CellVars { capacity, uses }
    }

    /// How the units of the flows are served with this capacity, by member.
    pub(super) fn serve(&mut self, capacity: &Capacity) -> Vec<Vec<Use>> {
        match capacity {
            Capacity::Mixed { boards, bundles } => self.serve_mixed(boards, bundles),
            Capacity::Single { names, off, fixed, bundles } => self.serve_single(names, *off, fixed, bundles),
        }
    }

    fn serve_mixed(&mut self, vars: &[BoardVars], bundles: &[Vec<Counts>]) -> Vec<Vec<Use>> {
        let uses: Vec<Vec<Use>> = (0..self.cell.members.len()).map(|member| self.uses(member, bundles)).collect();
        for (member, uses) in self.cell.members.iter().zip(&uses) {
            self.limit_by_instances(uses, member.weight, bundles, |board, profile| match vars[board].total[profile] {
                Some(var) => Sum::of([(var, 1)]),
                None => Sum::new(),
            });
            self.limit_by_bundles(uses, bundles, |board| vars[board].columns.iter().flatten().collect());
            let mut whole = self.whole_gpus(uses, member.weight);
            self.count_turned_off(&whole);
            for board in vars {
                whole.add_term(board.cut, member.weight);
            }
            whole += &self.undecided.off.negated();
            self.undecided.boards.iter().for_each(|board| whole += &board.opened.negated());
            self.program.at_most(whole, (self.idle_gpus() + self.off_gpus()) * member.weight);
        }
        uses
    }

    /// On single-strategy nodes everything goes by the name a whole node has.
    pub(super) fn single(&mut self) -> CellVars {
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
        let capacity = Capacity::Single { names, off, fixed, bundles };
        let uses = self.serve(&capacity);
        CellVars { capacity, uses }
    }

    fn serve_single(
        &mut self,
        names: &[Uniform],
        off: Var,
        fixed: &[FixedVars],
        bundles: &[Vec<Counts>],
    ) -> Vec<Vec<Use>> {
        let cell = self.cell;
        let uses: Vec<Vec<Use>> = (0..cell.members.len()).map(|member| self.uses(member, bundles)).collect();
        for (member, uses) in cell.members.iter().zip(&uses) {
            self.limit_by_instances(uses, member.weight, bundles, |board, profile| {
                let stock = &cell.boards[board];
                let per_node = added_when_uniform(stock, profile) / cell.nodes.max(1);
                let is_it = |name: &ProfileName| stock.model.profile(name).is_some_and(|id| id.index() == profile);
                let cut = names.iter().filter(|uniform| is_it(&uniform.name)).map(|uniform| (uniform.nodes, per_node));
                Sum::of(cut.chain(fixed[board].used.get(profile).copied().flatten().map(|used| (used, 1))))
            });
            self.limit_by_bundles(uses, bundles, |board| {
                names.iter().flat_map(|u| &u.columns[board]).chain(&fixed[board].columns).collect()
            });
            let mut whole = self.whole_gpus(uses, member.weight);
            whole.add_term(off, -member.weight * self.idle_gpus() / cell.nodes.max(1));
            whole += &self.undecided.off.negated();
            self.program.at_most(whole, self.off_gpus() * member.weight);
        }
        uses
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
}
