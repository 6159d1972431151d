//! What is free on a GPU and yet lost: no instance can be added that would use it.

use std::fmt;

use super::instance::{Instance, list};
use super::layout::{Layout, LayoutError, Occupancy, Placement};
use super::model::Model;

/// What is free beside some instances, how much of it completions can still use, and why the rest is
/// lost.
///
/// Memory is counted in placement units: eight on a seven-slice board, where a unit is a memory slice;
/// twelve on the RTX PRO 6000, where three units are a memory slice.
///
/// ```
/// use migsaw::geometry::{Catalog, Layout};
/// let h100 = Catalog::builtin().model("H100-80GB")?;
/// let stranded = h100.stranded(&Layout::parse(&h100, "3g.40gb@0,1g.10gb@6")?)?;
/// assert_eq!((stranded.free_compute, stranded.compute()), (3, 1));
/// assert_eq!((stranded.free_units, stranded.memory_units()), (3, 1));
/// assert_eq!(stranded.units[0].unit, 7);
/// assert!(stranded.units[0].to_string().starts_with("unit 7: 1g.20gb@6 overlaps 1g.10gb@6"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranded {
    /// Compute slices no instance holds.
    pub free_compute: u8,
    /// Most compute slices one legal completion can still use.
    pub usable_compute: u8,
    /// Placement units no instance takes.
    pub free_units: u8,
    /// Most placement units one legal completion can still take.
    pub usable_units: u8,
    /// A completion that uses the most compute slices.
    pub most_compute: Layout,
    /// A completion that takes the most placement units (of those, the most compute slices).
    pub most_units: Layout,
    /// The units `most_units` leaves free, each with what keeps it free.
    pub units: Vec<StrandedUnit>,
    /// If compute is stranded: the instances that hold more memory than compute slices, whose surplus
    /// memory the compute slices would have needed.
    pub memory_heavy: Vec<Instance>,
}

/// A free unit that the best completion cannot take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StrandedUnit {
    /// The placement unit.
    pub unit: u8,
    /// Every legal placement that would take the unit, with what blocks it, ordered by the catalogue's
    /// profiles and starts. Empty if no profile reaches the unit at all.
    pub reached_by: Vec<Reach>,
}

/// A placement that would take a unit, and what blocks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// The placement.
    pub instance: Instance,
    /// What is in its way.
    pub blocked: Blocked,
}

/// What is in the way of a placement.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Blocked {
    /// Instances that are there already.
    Instances(Vec<Instance>),
    /// The profile's maximum count, reached by what is there and what the best completion adds.
    Maximum(u8),
    /// The GPU's media engines, used up by what is there and what the best completion adds.
    Engines,
    /// Instances the best completion adds, which take more than this placement would.
    Completion(Vec<Instance>),
}

impl Stranded {
    /// Free compute slices that no completion can use.
    pub fn compute(&self) -> u8 {
        self.free_compute.saturating_sub(self.usable_compute)
    }

    /// Free placement units that no completion can take.
    pub fn memory_units(&self) -> u8 {
        self.free_units.saturating_sub(self.usable_units)
    }

    /// Whether nothing is lost.
    pub fn is_none(&self) -> bool {
        self.compute() == 0 && self.memory_units() == 0
    }
}

impl Model {
    /// What is stranded beside the instances of a layout.
    ///
    /// # Errors
    /// [`LayoutError`] if it is no layout of this model.
    pub fn stranded(&self, layout: &Layout) -> Result<Stranded, LayoutError> {
        let taken = layout.occupancy(self)?;
        let completions = self.completions(&taken);
        let best = |value: &dyn Fn(&Layout) -> (u32, u32)| {
            // The first of the best, in the order of the placements: the same on every run.
            let best = completions.iter().rev().max_by_key(|completion| value(completion));
            best.cloned().unwrap_or_default()
        };
        let most_compute = best(&|c| (self.compute_of(c), self.units_of(c)));
        let most_units = best(&|c| (self.units_of(c), self.compute_of(c)));
        let free_compute = u32::from(self.compute_slices).saturating_sub(self.compute_of(layout));
        let small = |n: u32| u8::try_from(n).unwrap_or(u8::MAX);
        let mut stranded = Stranded {
            free_compute: small(free_compute),
            usable_compute: small(self.compute_of(&most_compute).min(free_compute)),
            free_units: self.units - small(taken.units.count_ones()),
            usable_units: small(self.units_of(&most_units)),
            units: self.stranded_units(layout, &most_units, &taken),
            most_compute,
            most_units,
            memory_heavy: Vec::new(),
        };
        if stranded.compute() > 0 {
            let heavy = |p: &&Placement| self.get(p.profile).memory_slices > self.get(p.profile).compute_slices;
            stranded.memory_heavy = layout.placements().iter().filter(heavy).map(|&p| Instance::of(self, p)).collect();
        }
        Ok(stranded)
    }

    fn compute_of(&self, layout: &Layout) -> u32 {
        layout.placements().iter().map(|p| u32::from(self.get(p.profile).compute_slices)).sum()
    }

    fn units_of(&self, layout: &Layout) -> u32 {
        layout.placements().iter().map(|p| u32::from(self.get(p.profile).size)).sum()
    }

    fn stranded_units(&self, layout: &Layout, completion: &Layout, taken: &Occupancy) -> Vec<StrandedUnit> {
        let full = completion.placements().iter().try_fold(*taken, |taken, &p| taken.with(self, p)).unwrap_or(*taken);
        let free = (0..self.units).filter(|unit| full.units & (1 << unit) == 0);
        free.map(|unit| StrandedUnit { unit, reached_by: self.reaches(unit, layout, completion, &full) }).collect()
    }

    fn reaches(&self, unit: u8, layout: &Layout, completion: &Layout, full: &Occupancy) -> Vec<Reach> {
        let mut reaches = Vec::new();
        for (id, profile) in self.profile_ids() {
            for &start in profile.starts.iter().filter(|&&start| profile.mask(start) & (1 << unit) != 0) {
                let units = profile.mask(start);
                let pinned = Instance::on(self, layout, units);
                let added = Instance::on(self, completion, units);
                let blocked = if !pinned.is_empty() {
                    Blocked::Instances(pinned)
                } else if full.counts[id] >= profile.max_instances {
                    Blocked::Maximum(profile.max_instances)
                } else if full.engines_left.checked_sub(profile.engines).is_none() {
                    Blocked::Engines
                } else {
                    Blocked::Completion(added)
                };
                reaches.push(Reach { instance: Instance { profile: profile.name.clone(), start }, blocked });
            }
        }
        reaches
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.instance)?;
        match &self.blocked {
            Blocked::Instances(by) => write!(f, "overlaps {}", list(by)),
            Blocked::Maximum(most) => write!(f, "would be one more than {most}, the most there may be"),
            Blocked::Engines => f.write_str("finds no media engines left"),
            Blocked::Completion(by) => write!(f, "would give way to {}", list(by)),
        }
    }
}

impl fmt::Display for StrandedUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.reached_by.is_empty() {
            return write!(f, "unit {}: no profile reaches it", self.unit);
        }
        let reasons: Vec<String> = self.reached_by.iter().map(Reach::to_string).collect();
        write!(f, "unit {}: {}", self.unit, reasons.join("; "))
    }
}

impl fmt::Display for Stranded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_none() {
            return f.write_str("nothing is stranded");
        }
        let mut said = Vec::new();
        if self.compute() > 0 {
            let held = match &self.memory_heavy[..] {
                [] => String::new(),
                heavy => format!(" ({} holding more memory than compute slices)", list(heavy)),
            };
            said.push(format!("{} of {} free compute slices{held}", self.compute(), self.free_compute));
        }
        if self.memory_units() > 0 {
            let units: Vec<String> = self.units.iter().map(StrandedUnit::to_string).collect();
            let (lost, free) = (self.memory_units(), self.free_units);
            said.push(format!("{lost} of {free} free placement units ({})", units.join(" | ")));
        }
        write!(f, "stranded: {}", said.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use crate::geometry::{Catalog, Layout};

    /// Free and stranded compute slices, free and stranded units, and the stranded units themselves.
    fn check(model: &str, layout: &str, compute: (u8, u8), memory: (u8, u8), units: &[u8]) {
        let model = Catalog::builtin().model(model).unwrap();
        let found = model.stranded(&Layout::parse(&model, layout).unwrap()).unwrap();
        assert_eq!((found.free_compute, found.compute()), compute, "compute of {layout}");
        assert_eq!((found.free_units, found.memory_units()), memory, "units of {layout}");
        assert_eq!(found.units.iter().map(|u| u.unit).collect::<Vec<_>>(), units, "{layout}");
        assert_eq!(found.units.len(), usize::from(found.memory_units()));
    }

    #[test]
    fn counts_what_is_free_and_what_is_lost() {
        check("H100-80GB", "empty", (7, 0), (8, 0), &[]);
        check("H100-80GB", "7g.80gb@0", (0, 0), (0, 0), &[]);
        check("H100-80GB", "3g.40gb@0,3g.40gb@4", (1, 1), (0, 0), &[]);
        check("H100-80GB", "3g.40gb@0", (4, 1), (4, 0), &[]);
        check("H100-80GB", "4g.40gb@0,3g.40gb@4", (0, 0), (0, 0), &[]);
        check("H100-80GB", "1g.10gb@6", (6, 0), (7, 1), &[7]);
        check("H100-80GB", "3g.40gb@0,1g.10gb@6", (3, 1), (3, 1), &[7]);
        check("H100-80GB", "1g.20gb@6", (6, 0), (6, 0), &[]);
        check("A30-24GB", "1g.6gb@0", (3, 0), (3, 0), &[]);
        check("RTX-PRO-6000", "2g.48gb@0,1g.24gb@6", (1, 0), (3, 0), &[]);
        check("RTX-PRO-6000", "1g.24gb+me.all@0", (3, 0), (9, 0), &[]);
    }

    #[test]
    fn says_what_blocks_each_unit() {
        let model = Catalog::builtin().model("A100-40GB").unwrap();
        let found = model.stranded(&Layout::parse(&model, "1g.5gb@6").unwrap()).unwrap();
        let said = "unit 7: 1g.10gb@6 overlaps 1g.5gb@6; 3g.20gb@4 overlaps 1g.5gb@6; 7g.40gb@0 overlaps 1g.5gb@6";
        assert_eq!(found.units.iter().map(ToString::to_string).collect::<Vec<_>>(), [said]);
        assert!(found.memory_heavy.is_empty());
        let found = model.stranded(&Layout::parse(&model, "3g.20gb@0,3g.20gb@4").unwrap()).unwrap();
        assert_eq!(found.memory_heavy.iter().map(ToString::to_string).collect::<Vec<_>>(), ["3g.20gb@0", "3g.20gb@4"]);
    }

    #[test]
    fn prints_a_sentence() {
        let model = Catalog::builtin().model("A100-40GB").unwrap();
        let said = |layout| model.stranded(&Layout::parse(&model, layout).unwrap()).unwrap().to_string();
        assert_eq!(said("empty"), "nothing is stranded");
        assert_eq!(
            said("3g.20gb@0,1g.5gb@6"),
            "stranded: 1 of 3 free compute slices (3g.20gb@0 holding more memory than compute slices); 1 of 3 free \
             placement units (unit 7: 1g.10gb@6 overlaps 1g.5gb@6; 3g.20gb@4 overlaps 1g.5gb@6; 7g.40gb@0 overlaps \
             3g.20gb@0 and 1g.5gb@6)"
        );
    }

    /// A board of the user's own, where competition, maxima and engines strand, and a unit is out of reach.
    #[test]
    fn names_limits_and_competition_too() {
        let text = "models: [{id: X, placement_units: 6, engine_budget: {values: {ofa: 1}}, profiles: [
            {name: 1g.1gb, placements: [{start: 0, size: 1}, {start: 1, size: 1}], max_instances: 1},
            {name: 1g.2gb, placements: [{start: 1, size: 2}]},
            {name: 1g.3gb, placements: [{start: 3, size: 1}, {start: 4, size: 1}], engines: {ofa: 1}}]}]";
        let mut catalog = Catalog::builtin();
        catalog.add(&crate::geometry::GeometryFile::parse(text).unwrap()).unwrap();
        let model = catalog.model("X").unwrap();
        let found = model.stranded(&Layout::empty()).unwrap();
        assert_eq!(found.most_units.display(&model).to_string(), "1g.1gb@0,1g.2gb@1,1g.3gb@3");
        let said: Vec<String> = found.units.iter().map(ToString::to_string).collect();
        assert_eq!(said, ["unit 4: 1g.3gb@4 finds no media engines left", "unit 5: no profile reaches it"]);
        let found = model.stranded(&Layout::parse(&model, "1g.1gb@1,1g.3gb@3").unwrap()).unwrap();
        let said: Vec<String> = found.units.iter().take(2).map(ToString::to_string).collect();
        assert_eq!(
            said,
            ["unit 0: 1g.1gb@0 would be one more than 1, the most there may be", "unit 2: 1g.2gb@1 overlaps 1g.1gb@1"]
        );
    }

    #[test]
    fn an_illegal_layout_is_an_error() {
        let catalog = Catalog::builtin();
        let (a30, h100) = (catalog.model("A30").unwrap(), catalog.model("H100-80GB").unwrap());
        let layout = Layout::parse(&h100, "1g.10gb@6").unwrap();
        assert_eq!(a30.stranded(&layout).unwrap_err().code(), "illegal-start");
    }
}
