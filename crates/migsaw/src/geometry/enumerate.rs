//! Every layout there is, every multiset, and which of them are maximal.

use std::collections::BTreeSet;

use super::layout::{Counts, Layout, Occupancy, Placement};
use super::model::Model;

impl Model {
    /// Every way to complete a GPU: all layouts of instances that can be added beside `taken`,
    /// the empty one first, each once, ordered by their placements.
    pub fn completions(&self, taken: &Occupancy) -> Vec<Layout> {
        let mut found = Vec::new();
        self.extend(&mut Vec::new(), *taken, 0, &mut found);
        found.sort_unstable();
        found
    }

    /// Every layout of an idle GPU, the empty one included.
    pub fn layouts(&self) -> Vec<Layout> {
        self.completions(&Occupancy::idle(self))
    }

    /// The layouts of an idle GPU to which no instance can be added.
    pub fn maximal_layouts(&self) -> Vec<Layout> {
        let mut layouts = self.layouts();
        layouts.retain(|layout| {
            let taken = layout.occupancy(self).expect("an enumerated layout is legal");
            !self.has_room_for_one(&taken)
        });
        layouts
    }

    fn has_room_for_one(&self, taken: &Occupancy) -> bool {
        self.profile_ids()
            .any(|(profile, p)| p.starts.iter().any(|&start| taken.with(self, Placement { start, profile }).is_some()))
    }

    /// Adds placements from `from` on, so that each set is met in one order only.
    fn extend(&self, chosen: &mut Vec<Placement>, taken: Occupancy, from: u8, found: &mut Vec<Layout>) {
        found.push(Layout::from_legal(chosen));
        for start in from..self.units {
            for (profile, p) in self.profile_ids() {
                if !p.starts.contains(&start) {
                    continue;
                }
                let placement = Placement { start, profile };
                if let Some(next) = taken.with(self, placement) {
                    chosen.push(placement);
                    self.extend(chosen, next, start + 1, found);
                    chosen.pop();
                }
            }
        }
    }
}

/// What a GPU in some state can still take: a down-closed set of counts.
///
/// Many states share one: a seven-slice board has 2,319 states and 52 capabilities.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Capability {
    all: Vec<Counts>,
    maximal: Vec<Counts>,
}

impl Capability {
    /// What fits beside `taken`.
    pub fn of(model: &Model, taken: &Occupancy) -> Capability {
        let all: BTreeSet<Counts> = model.completions(taken).iter().map(Layout::counts).collect();
        let all: Vec<Counts> = all.into_iter().collect();
        let maximal = maximal_of(&all);
        Capability { all, maximal }
    }

    /// Every counts vector that fits, ascending, the empty one included.
    pub fn all(&self) -> &[Counts] {
        &self.all
    }

    /// The ones no larger vector contains, ascending.
    pub fn maximal(&self) -> &[Counts] {
        &self.maximal
    }

    /// Whether the counts fit.
    pub fn contains(&self, counts: &Counts) -> bool {
        self.all.binary_search(counts).is_ok()
    }

    /// The most a linear weight of the counts can reach.
    pub fn support(&self, weights: &[u8]) -> i64 {
        let value = |c: &Counts| c.iter().map(|(id, n)| i64::from(weights[id.index()]) * i64::from(n)).sum();
        self.maximal.iter().map(value).max().unwrap_or(0)
    }
}

fn maximal_of(all: &[Counts]) -> Vec<Counts> {
    all.iter().filter(|a| !all.iter().any(|b| a != &b && a.is_within(b))).copied().collect()
}
