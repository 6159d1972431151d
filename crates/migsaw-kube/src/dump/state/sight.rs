//! What is seen of all GPUs of a node at once.

use std::collections::BTreeMap;

use migsaw::geometry::{Counts, Layout, Model, Placement, ProfileId};
use migsaw::present::{Held, RecutUnit};

use super::cuts::{Cut, Gpus};

/// How a node's GPUs are cut, and which pods are seen on them.
#[derive(Debug)]
pub(super) struct Sight {
    /// By index.
    pub(super) gpus: Gpus,
    pub(super) in_any_order: bool,
    /// What is cut anew where the GPU of every pod is known.
    pub(super) unit: RecutUnit,
    /// Whose sight it is.
    pub(super) by: &'static str,
    /// What pods hold, by namespace and name.
    pub(super) holds: BTreeMap<(String, String), Vec<Held>>,
}

impl Sight {
    /// Of a node about which it is known only how it is cut.
    pub(super) fn blind(cut: Cut) -> Sight {
        let Cut { gpus, in_any_order, .. } = cut;
        Sight { gpus, in_any_order, unit: RecutUnit::Node, by: "", holds: BTreeMap::new() }
    }
}

/// Starts for the instances of a GPU with these GPU instance ids; `None` if they cannot all be there.
///
/// An id tells a start only where drivers were seen to keep to a rule, and the rule is not documented: if it leads
/// to no layout it is not used. Which of several instances of one profile has which start makes no difference to a
/// plan, since a GPU is cut as a whole where ids are all that is known.
pub(super) fn placed(model: &Model, instances: &BTreeMap<u32, ProfileId>) -> Option<BTreeMap<u32, Placement>> {
    let told: BTreeMap<u32, Placement> = instances
        .iter()
        .filter_map(|(&id, &profile)| Some((id, Placement { start: start(model, id, profile)?, profile })))
        .collect();
    beside(model, instances, told).or_else(|| beside(model, instances, BTreeMap::new()))
}

/// Starts for those that have none.
fn beside(
    model: &Model,
    instances: &BTreeMap<u32, ProfileId>,
    mut placed: BTreeMap<u32, Placement>,
) -> Option<BTreeMap<u32, Placement>> {
    let there = Layout::new(model, placed.values().copied()).ok()?;
    let missing = || instances.iter().filter(|(id, _)| !placed.contains_key(id));
    let wanted: Counts = missing().map(|(_, &profile)| (profile, 1)).collect();
    let found = model.place(&wanted, &there).ok()??;
    let mut free: Vec<Placement> = found.placements().to_vec();
    let missing: Vec<(u32, ProfileId)> = missing().map(|(&id, &profile)| (id, profile)).collect();
    for (id, profile) in missing {
        let at = free.iter().position(|placement| placement.profile == profile)?;
        placed.insert(id, free.remove(at));
    }
    Some(placed)
}

/// The start of an instance with this id, where that was seen to be certain: on seven-slice boards an instance of one
/// slice has 7 more than its start for an id.
fn start(model: &Model, id: u32, profile: ProfileId) -> Option<u8> {
    let profile = model.get(profile);
    match &profile.starts[..] {
        [only] => Some(*only),
        starts if model.units == 8 && profile.size == 1 => {
            u8::try_from(id.checked_sub(7)?).ok().filter(|start| starts.contains(start))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use migsaw::geometry::Catalog;

    use super::*;

    #[test]
    fn ids_tell_starts_where_that_is_known() {
        let catalog = Catalog::builtin();
        for (name, model, instances, expected) in [
            ("slices of a seven-slice board", "H100-80GB", &[(7, "1g.10gb"), (13, "1g.10gb")][..], "7@0 13@6"),
            ("beside a half", "H100-80GB", &[(1, "3g.40gb"), (9, "1g.10gb"), (7, "1g.10gb")], "1@4 7@0 9@2"),
            ("the whole", "H100-80GB", &[(0, "7g.80gb")], "0@0"),
            (
                "ids against the rule",
                "H100-80GB",
                &[(7, "1g.10gb"), (11, "1g.10gb"), (8, "3g.40gb"), (9, "2g.20gb")],
                "7@0 8@4 9@2 11@1",
            ),
            ("another board", "A30", &[(3, "1g.6gb"), (6, "1g.6gb"), (1, "2g.12gb")], "1@0 3@2 6@3"),
            ("too many", "A30", &[(0, "4g.24gb"), (6, "1g.6gb")], "none"),
        ] {
            let model = catalog.model(model).unwrap();
            let profile = |name: &str| model.profile(&name.parse().unwrap()).unwrap();
            let instances = instances.iter().map(|&(id, name)| (id, profile(name))).collect();
            let shown = placed(&model, &instances).map_or("none".to_owned(), |placed| {
                placed.iter().map(|(id, p)| format!("{id}@{}", p.start)).collect::<Vec<_>>().join(" ")
            });
            assert_eq!(shown, expected, "{name}");
        }
    }
}
