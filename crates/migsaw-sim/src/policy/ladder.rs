//! The templates of `HAMi`.

use migsaw::geometry::{Counts, Layout, Model, StateId};
use migsaw::score::Mix;

use super::Losses;
use crate::site::Kind;

/// The layouts that `HAMi` cuts GPUs into, by the class of their profiles, in the order in which it tries them
/// (`knownMigGeometries` of its device configuration, for seven- and four-slice boards).
const TEMPLATES: [&[(&str, u8)]; 4] = [&[("1g", 7)], &[("2g", 3), ("1g", 1)], &[("3g", 2)], &[("7g", 1)]];
const TEMPLATES_OF_FOUR: [&[(&str, u8)]; 3] = [&[("1g", 4)], &[("2g", 2)], &[("4g", 1)]];

/// An idle GPU takes the first template that has the profile and keeps it until it is idle again; the fullest GPU first.
/// A profile that is in no template is never placed.
pub(super) fn hami(kind: &Kind, _: &Mix) -> Losses {
    let templates: Vec<Layout> = match kind.model.units {
        4 => TEMPLATES_OF_FOUR.iter().filter_map(|template| layout(&kind.model, template)).collect(),
        _ => TEMPLATES.iter().filter_map(|template| layout(&kind.model, template)).collect(),
    };
    let is_part = |state: StateId, whole: &Layout| {
        kind.states.layout(state).placements().iter().all(|placement| whole.placements().contains(placement))
    };
    // The template that a state belongs to is the first that it is part of.
    let template: Vec<Option<usize>> =
        kind.states.ids().map(|state| templates.iter().position(|whole| is_part(state, whole))).collect();
    let free: Vec<i64> = kind
        .states
        .ids()
        .map(|state| i64::from(kind.model.units) - i64::from(kind.states.units(state).count_ones()))
        .collect();
    Box::new(move |from, step| {
        let to = template[step.to.index()]?;
        (from == StateId::EMPTY || template[from.index()] == Some(to)).then(|| free[from.index()])
    })
}

/// A template's instances at the starts where they fit, one after the other.
fn layout(model: &Model, template: &[(&str, u8)]) -> Option<Layout> {
    let mut counts = Counts::EMPTY;
    for (class, n) in template {
        let (id, profile) = model.profile_ids().find(|(_, profile)| profile.class == *class)?;
        counts[id] = (*n).min(profile.max_instances);
    }
    let placed = model.place(&counts, &Layout::empty()).ok()??;
    Some(Layout::claimed(placed.placements().to_vec()))
}
