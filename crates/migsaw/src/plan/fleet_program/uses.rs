//! How the units of flows use a cell's instances and whole GPUs.

use super::{CellBuilder, Use};
use crate::fleet::Strategy;
use crate::geometry::Counts;
use crate::plan::cell::Member;
use crate::plan::compile::{Flow, Kind, Line, NodeClass, Offer, Shape, Way};
use crate::plan::program::{Role, Sum};

impl CellBuilder<'_> {
    pub(super) fn uses(&mut self, member: usize, bundles: &[Vec<Counts>]) -> Vec<Use> {
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
                let room = self.room_for(member, offer.flow, most);
                self.program.at_most(sum.clone(), room.min(flow.total()));
                // A node that is neither left as it is nor cut anew serves nothing.
                let nodes = self.undecided.staying_nodes.clone() + &self.undecided.recut_nodes;
                let sure = room - self.undecided.cut_as_nodes.saturating_mul(most);
                if !nodes.is_empty() && sure < flow.total() {
                    self.program.at_most(sum + &nodes.times(-most), sure);
                }
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
}

impl Way {
    /// The way's instances if all of them are on one GPU of the board; `None` if it lacks a kind.
    pub(in crate::plan) fn on_one_gpu(&self, board: usize) -> Option<Counts> {
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
    pub(in crate::plan) fn total(&self) -> i64 {
        self.counts.iter().sum()
    }
}
