//! Every layout there is, every multiset, and which of them are maximal.

use super::layout::{Counts, Layout, Occupancy, Placement};
use super::model::{Model, ProfileId};

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
        layouts.retain(|layout| layout.occupancy(self).is_ok_and(|taken| !self.has_room_for_one(&taken)));
        layouts
    }

    /// Whether there are more layouts, counting no further than that.
    pub(super) fn has_more_layouts_than(&self, limit: usize) -> bool {
        let mut left = limit;
        self.outnumbers(&mut left, Occupancy::idle(self), 0)
    }

    fn outnumbers(&self, left: &mut usize, taken: Occupancy, from: u8) -> bool {
        let Some(fewer) = left.checked_sub(1) else { return true };
        *left = fewer;
        (from..self.units).any(|start| {
            self.profile_ids().any(|(profile, _)| {
                let next = taken.with(self, Placement { start, profile });
                next.is_some_and(|next| self.outnumbers(left, next, start + 1))
            })
        })
    }

    fn has_room_for_one(&self, taken: &Occupancy) -> bool {
        self.profile_ids()
            .any(|(profile, p)| p.starts.iter().any(|&start| taken.with(self, Placement { start, profile }).is_some()))
    }

    /// Adds placements from `from` on, so that each set is met in one order only.
    fn extend(&self, chosen: &mut Vec<Placement>, taken: Occupancy, from: u8, found: &mut Vec<Layout>) {
        found.push(Layout::from_legal(chosen));
        for start in from..self.units {
            for (profile, _) in self.profile_ids() {
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
        let mut all = Vec::new();
        let first = ProfileId(0);
        if model.profiles.is_empty() {
            all.push(Counts::EMPTY);
        } else {
            count_up(model, taken, first, Counts::EMPTY, &mut all);
        }
        let mut capability = Capability { all, maximal: Vec::new() };
        let fits = |counts: &Counts, id: ProfileId| {
            let mut more = *counts;
            more[id] = more[id].saturating_add(1);
            more != *counts && capability.contains(&more)
        };
        let is_maximal = |counts: &&Counts| !model.profile_ids().any(|(id, _)| fits(counts, id));
        let maximal = capability.all.iter().filter(is_maximal).copied().collect();
        capability.maximal = maximal;
        capability
    }

    /// That of GPUs which are not cut but have these instances free: any part of them.
    pub fn within(free: &Counts) -> Capability {
        let mut all = vec![Counts::EMPTY];
        for (id, n) in free.iter() {
            let with = |counts: &Counts| {
                let counts = *counts;
                (0..=n).map(move |n| {
                    let mut more = counts;
                    more[id] = n;
                    more
                })
            };
            all = all.iter().flat_map(with).collect();
        }
        all.sort_unstable();
        Capability { all, maximal: vec![*free] }
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

    /// Whether an instance of `replacement` fits wherever one of `profile` does, whatever is beside it.
    pub fn can_replace(&self, profile: ProfileId, replacement: ProfileId) -> bool {
        // What fits is down-closed, so the largest counts decide.
        self.maximal.iter().filter(|counts| counts[profile] > 0).all(|counts| {
            let mut other = *counts;
            other[profile] -= 1;
            other[replacement].checked_add(1).is_some_and(|more| {
                other[replacement] = more;
                self.contains(&other)
            })
        })
    }

    /// The most a linear weight of the counts can reach.
    pub fn support(&self, weights: &[u8]) -> i64 {
        let value = |c: &Counts| c.iter().map(|(id, n)| i64::from(weights[id.index()]) * i64::from(n)).sum();
        self.maximal.iter().map(value).max().unwrap_or(0)
    }
}

/// Adds every vector that fits and agrees with `counts` before `id`, in ascending order. What fits is
/// down-closed, so the first count that does not fit ends the line.
fn count_up(model: &Model, taken: &Occupancy, id: ProfileId, mut counts: Counts, all: &mut Vec<Counts>) {
    let next = ProfileId(id.0 + 1);
    while model.fits_beside(&counts, taken) {
        if next.index() < model.profiles.len() {
            count_up(model, taken, next, counts, all);
        } else {
            all.push(counts);
        }
        let Some(more) = counts[id].checked_add(1) else { break };
        counts[id] = more;
    }
}
