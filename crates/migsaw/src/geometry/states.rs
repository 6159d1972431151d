//! All states of one GPU, numbered, with what leads from one to another.

use std::collections::HashMap;

use super::layout::{Layout, Occupancy, Placement};
use super::model::{Model, ProfileId};

/// A state's number. Smaller numbers have at most as many instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StateId(pub u32);

impl StateId {
    /// A GPU without instances.
    pub const EMPTY: StateId = StateId(0);

    /// As an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One instance more, or one fewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Step {
    /// The instance that comes or goes.
    pub placement: Placement,
    /// The state after it.
    pub to: StateId,
}

/// Every layout that instances at some placements can make on one GPU, each once, and the steps between them.
///
/// With the six profiles of the seven-slice boards that hold no media engines these are 723; with all seven, 2,319.
///
/// ```
/// use migsaw::geometry::{Catalog, Layout, StateId, States};
/// let h100 = Catalog::builtin().model("H100-80GB")?;
/// let states = States::of_cut(&h100, &Layout::parse(&h100, "3g.40gb@0,3g.40gb@4")?);
/// assert_eq!(states.len(), 4);
/// assert_eq!(states.additions(StateId::EMPTY).len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct States {
    layouts: Vec<Layout>,
    units: Vec<u32>,
    additions: Vec<Vec<Step>>,
    removals: Vec<Vec<Step>>,
    numbers: HashMap<Layout, StateId>,
}

impl States {
    /// Those of a GPU that is cut at will into instances of these profiles.
    pub fn of_profiles(model: &Model, profiles: &[ProfileId]) -> States {
        let placements = model
            .profile_ids()
            .filter(|(id, _)| profiles.contains(id))
            .flat_map(|(profile, p)| p.starts.iter().map(move |&start| Placement { start, profile }));
        States::of_placements(model, &placements.collect::<Vec<_>>())
    }

    /// Those of a GPU that is cut already, and whose instances are free or taken.
    pub fn of_cut(model: &Model, cut: &Layout) -> States {
        States::of_placements(model, cut.placements())
    }

    /// Those that instances at these placements can make.
    ///
    /// # Complexity
    /// Linear in the steps between them.
    ///
    /// # Panics
    /// If there are 2³² states.
    pub fn of_placements(model: &Model, allowed: &[Placement]) -> States {
        let mut states = States {
            layouts: vec![Layout::empty()],
            units: vec![0],
            additions: Vec::new(),
            removals: vec![Vec::new()],
            numbers: HashMap::from([(Layout::empty(), StateId::EMPTY)]),
        };
        let mut occupancies = vec![Occupancy::idle(model)];
        // Breadth first, so that a state comes after all that it is made from.
        let mut at = 0;
        while at < states.layouts.len() {
            let from = StateId(u32::try_from(at).expect("fewer than 2^32 states"));
            let mut additions = Vec::new();
            for &placement in allowed {
                let Some(occupancy) = occupancies[at].with(model, placement) else { continue };
                let layout = states.layouts[at].merged(&Layout::from_legal(&[placement]));
                let next = StateId(u32::try_from(states.layouts.len()).expect("fewer than 2^32 states"));
                let to = *states.numbers.entry(layout.clone()).or_insert(next);
                if to == next {
                    states.layouts.push(layout);
                    states.units.push(occupancy.units);
                    states.removals.push(Vec::new());
                    occupancies.push(occupancy);
                }
                additions.push(Step { placement, to });
                states.removals[to.index()].push(Step { placement, to: from });
            }
            states.additions.push(additions);
            at += 1;
        }
        states
    }

    /// How many there are.
    #[expect(clippy::len_without_is_empty, reason = "the empty GPU is always among them")]
    pub fn len(&self) -> usize {
        self.layouts.len()
    }

    /// All of them, those with fewer instances first.
    pub fn ids(&self) -> impl Iterator<Item = StateId> + use<> {
        (0..).map(StateId).take(self.len())
    }

    /// The instances there are.
    pub fn layout(&self, state: StateId) -> &Layout {
        &self.layouts[state.index()]
    }

    /// The placement units that are taken, as a bit mask.
    pub fn units(&self, state: StateId) -> u32 {
        self.units[state.index()]
    }

    /// The instances that can be added, in the order of the placements the states were made from.
    pub fn additions(&self, state: StateId) -> &[Step] {
        &self.additions[state.index()]
    }

    /// The instances that can go.
    pub fn removals(&self, state: StateId) -> &[Step] {
        &self.removals[state.index()]
    }

    /// The state after an instance has gone, `None` if it is not there.
    pub fn without(&self, state: StateId, placement: Placement) -> Option<StateId> {
        self.removals(state).iter().find(|step| step.placement == placement).map(|step| step.to)
    }

    /// The number of a layout.
    pub fn find(&self, layout: &Layout) -> Option<StateId> {
        self.numbers.get(layout).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Catalog;

    #[test]
    fn all_layouts_are_numbered_once_and_steps_lead_back() {
        for name in ["A100-40GB", "H100-80GB", "A30"] {
            let model = Catalog::builtin().model(name).unwrap();
            let all: Vec<ProfileId> = model.profile_ids().map(|(id, _)| id).collect();
            let states = States::of_profiles(&model, &all);
            let mut layouts: Vec<Layout> = states.ids().map(|id| states.layout(id).clone()).collect();
            layouts.sort_unstable();
            assert_eq!(layouts, model.layouts(), "{name}");
            for from in states.ids() {
                assert_eq!(states.find(states.layout(from)), Some(from));
                assert_eq!(states.removals(from).len(), states.layout(from).placements().len());
                for step in states.additions(from) {
                    assert!(step.to > from);
                    assert_eq!(states.without(step.to, step.placement), Some(from));
                }
            }
        }
    }
}
