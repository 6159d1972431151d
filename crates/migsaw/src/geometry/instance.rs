//! An instance by its profile's name, for answers that must be readable without the model.

use std::fmt;

use super::layout::{Layout, Placement};
use super::model::{Model, ProfileId};
use super::name::ProfileName;

/// A profile at a start: what [`Placement`] says, with the name instead of the id.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Instance {
    /// The profile.
    pub profile: ProfileName,
    /// First placement unit.
    pub start: u8,
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.profile, self.start)
    }
}

impl Instance {
    pub(super) fn of(model: &Model, placement: Placement) -> Instance {
        Instance { profile: model.get(placement.profile).name.clone(), start: placement.start }
    }

    /// The instances of `layout` that take one of these units.
    pub(super) fn on(model: &Model, layout: &Layout, units: u32) -> Vec<Instance> {
        let overlaps = |p: &&Placement| model.get(p.profile).mask(p.start) & units != 0;
        layout.placements().iter().filter(overlaps).map(|&p| Instance::of(model, p)).collect()
    }
}

/// A start of a profile, and what takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenStart {
    /// First placement unit.
    pub start: u8,
    /// The instances that overlap it there.
    pub by: Vec<Instance>,
}

impl TakenStart {
    /// The legal starts of a profile that `layout` blocks, ascending.
    pub(super) fn all(model: &Model, profile: ProfileId, layout: &Layout) -> Vec<TakenStart> {
        let profile = model.get(profile);
        let by = |&start: &u8| TakenStart { start, by: Instance::on(model, layout, profile.mask(start)) };
        profile.starts.iter().map(by).filter(|taken| !taken.by.is_empty()).collect()
    }
}

impl fmt::Display for TakenStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is taken by {}", self.start, list(&self.by))
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(super) fn list<T: fmt::Display>(items: &[T]) -> String {
    match items {
        [] => String::new(),
        [one] => one.to_string(),
        [rest @ .., last] => {
            format!("{} and {last}", rest.iter().map(T::to_string).collect::<Vec<_>>().join(", "))
        }
    }
}
