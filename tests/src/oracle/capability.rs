//! What can be added to a GPU, by exhaustion over placements.

use std::collections::BTreeSet;

use migsaw::geometry::{Model, Placement};

/// Every vector of instances by profile that fits beside the pinned ones, of allowed profiles only.
pub(super) fn vectors(model: &Model, pinned: &[Placement], allowed: &[bool]) -> BTreeSet<Vec<u8>> {
    let mut board =
        Board { model, allowed, taken: vec![false; 64], count: vec![0; model.profiles.len()], engines: [0; 4] };
    for placement in pinned {
        board.put(usize::from(placement.profile.0), placement.start, true);
    }
    let mut found = BTreeSet::new();
    board.extend(0, 0, &mut vec![0; model.profiles.len()], &mut found);
    found
}

struct Board<'a> {
    model: &'a Model,
    allowed: &'a [bool],
    taken: Vec<bool>,
    count: Vec<u8>,
    engines: [u32; 4],
}

impl Board<'_> {
    /// Goes on with placements behind `(start, profile)` in that order, so each set is met once.
    fn extend(&mut self, from_start: u8, from_profile: usize, added: &mut Vec<u8>, found: &mut BTreeSet<Vec<u8>>) {
        found.insert(added.clone());
        for start in from_start..self.model.units {
            let first = if start == from_start { from_profile } else { 0 };
            for profile in first..self.model.profiles.len() {
                if !self.allowed[profile] || !self.has_room(profile, start) {
                    continue;
                }
                self.put(profile, start, true);
                added[profile] += 1;
                self.extend(start, profile + 1, added, found);
                added[profile] -= 1;
                self.put(profile, start, false);
            }
        }
    }

    fn has_room(&self, profile: usize, start: u8) -> bool {
        let p = &self.model.profiles[profile];
        let units = usize::from(start)..usize::from(start) + usize::from(p.size);
        let budget = four(self.model.engine_budget);
        let engines = four(p.engines);
        p.starts.contains(&start)
            && self.count[profile] < p.max_instances
            && units.clone().all(|unit| !self.taken[unit])
            && (0..4).all(|e| budget[e] == u32::from(u16::MAX) || self.engines[e] + engines[e] <= budget[e])
    }

    fn put(&mut self, profile: usize, start: u8, there: bool) {
        let p = &self.model.profiles[profile];
        for unit in usize::from(start)..usize::from(start) + usize::from(p.size) {
            self.taken[unit] = there;
        }
        for (sum, one) in self.engines.iter_mut().zip(four(p.engines)) {
            *sum = if there { *sum + one } else { *sum - one };
        }
        self.count[profile] = if there { self.count[profile] + 1 } else { self.count[profile] - 1 };
    }
}

fn four(engines: migsaw::geometry::Engines) -> [u32; 4] {
    [engines.decoders, engines.encoders, engines.jpeg, engines.ofa].map(u32::from)
}
