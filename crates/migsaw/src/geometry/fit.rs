//! What fits: one legal assignment of starts, alone or beside pinned instances.

use super::layout::{Counts, Layout, LayoutError, Occupancy, Placement};
use super::model::{Engines, MAX_UNITS, Model, ProfileId};

impl Occupancy {
    /// An idle GPU.
    pub fn idle(model: &Model) -> Occupancy {
        Occupancy { units: 0, counts: Counts::EMPTY, engines_left: model.engine_budget }
    }

    /// The occupancy after one more instance, or `None` if it cannot be there: an illegal start, a unit
    /// already taken, the profile's maximum reached, or no engines left for it.
    pub fn with(&self, model: &Model, placement: Placement) -> Option<Occupancy> {
        let profile = model.profiles.get(placement.profile.index())?;
        if !profile.starts.contains(&placement.start) {
            return None;
        }
        let units = profile.mask(placement.start);
        if self.units & units != 0 || self.counts[placement.profile] >= profile.max_instances {
            return None;
        }
        let mut counts = self.counts;
        counts[placement.profile] += 1;
        let engines_left = self.engines_left.checked_sub(profile.engines)?;
        Some(Occupancy { units: self.units | units, counts, engines_left })
    }
}

impl Model {
    /// Starts for `wanted` beside the instances of `pinned`, or `None` if they cannot all be there.
    ///
    /// The search is exhaustive, allocates nothing, and prefers the starts the driver was seen to
    /// choose, so the answer looks like what the driver would have made where it can.
    ///
    /// # Errors
    /// [`LayoutError`] if `pinned` is no layout of this model, or `wanted` counts a profile it does not have.
    ///
    /// ```
    /// use migsaw::geometry::{Catalog, Counts, Layout};
    /// let catalog = Catalog::builtin();
    /// let a100 = catalog.model("A100-80GB")?;
    /// let wanted = Counts::parse(&a100, "3g.40gb=1")?;
    /// let free = a100.place(&wanted, &Layout::parse(&a100, "1g.10gb@0")?)?;
    /// assert_eq!(free.unwrap().display(&a100).to_string(), "3g.40gb@4");
    /// let blocked = a100.place(&wanted, &Layout::parse(&a100, "1g.10gb@0,1g.10gb@6")?)?;
    /// assert!(blocked.is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn place(&self, wanted: &Counts, pinned: &Layout) -> Result<Option<Layout>, LayoutError> {
        let taken = pinned.occupancy(self)?;
        wanted.of_model(self)?;
        Ok(self.place_beside(wanted, &taken))
    }

    /// Like [`Model::place`], from an occupancy already known to be legal.
    pub fn place_beside(&self, wanted: &Counts, taken: &Occupancy) -> Option<Layout> {
        let mut chosen = [Placement { start: 0, profile: ProfileId(0) }; MAX_UNITS as usize];
        let found = self.search(*wanted, *taken, &mut chosen, 0)?;
        Some(Layout::from_legal(&chosen[..found]))
    }

    /// Whether `wanted` fits beside `taken`.
    pub fn fits_beside(&self, wanted: &Counts, taken: &Occupancy) -> bool {
        let mut chosen = [Placement { start: 0, profile: ProfileId(0) }; MAX_UNITS as usize];
        self.search(*wanted, *taken, &mut chosen, 0).is_some()
    }

    /// Places the largest profile still wanted, then the rest; gives the number placed.
    fn search(&self, mut wanted: Counts, taken: Occupancy, chosen: &mut [Placement], depth: usize) -> Option<usize> {
        let largest = wanted.iter().map(|(id, _)| id).max_by_key(|&id| (self.get(id).size, std::cmp::Reverse(id)));
        let Some(profile) = largest else { return Some(depth) };
        if depth == chosen.len() || !self.has_room_by_totals(&wanted, &taken) {
            return None;
        }
        wanted[profile] -= 1;
        let starts = &self.get(profile).driver_starts.value;
        // Equal instances are placed in the order of the list, so each set is met once.
        let rank = |start: u8| starts.iter().position(|&s| s == start);
        let after = match depth.checked_sub(1).map(|last| chosen[last]) {
            Some(last) if last.profile == profile => rank(last.start).map_or(0, |i| i + 1),
            _ => 0,
        };
        starts[after..].iter().find_map(|&start| {
            let placement = Placement { start, profile };
            let next = taken.with(self, placement)?;
            chosen[depth] = placement;
            self.search(wanted, next, chosen, depth + 1)
        })
    }

    /// A cheap necessary condition: units, maxima and engines in total.
    fn has_room_by_totals(&self, wanted: &Counts, taken: &Occupancy) -> bool {
        let mut units = u32::from(self.units) - taken.units.count_ones();
        let mut engines = taken.engines_left;
        for (id, n) in wanted.iter() {
            let profile = self.get(id);
            let Some(left) = units.checked_sub(u32::from(n) * u32::from(profile.size)) else { return false };
            units = left;
            let times = |one: u16| one.saturating_mul(u16::from(n));
            let all = Engines {
                decoders: times(profile.engines.decoders),
                encoders: times(profile.engines.encoders),
                jpeg: times(profile.engines.jpeg),
                ofa: times(profile.engines.ofa),
            };
            let Some(left) = engines.checked_sub(all) else { return false };
            engines = left;
            if taken.counts[id].saturating_add(n) > profile.max_instances {
                return false;
            }
        }
        true
    }
}
