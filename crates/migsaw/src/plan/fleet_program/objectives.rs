//! What a cell adds to cost and to spare instances.

use super::{Capacity, CellBuilder, CellVars, Uniform, added_when_uniform};
use crate::geometry::Counts;
use crate::plan::compile::Kind;
use crate::plan::program::Sum;

impl CellBuilder<'_> {
    pub(super) fn add_cost(&self, built: &CellVars, cost: &mut Sum) {
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

    pub(super) fn add_spare(&self, built: &CellVars, spare: &mut Sum) {
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
