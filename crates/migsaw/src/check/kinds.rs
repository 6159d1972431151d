//! Which instances give what a demand asks for.

use std::collections::BTreeMap;

use crate::demand::{Request, Together};
use crate::geometry::{Model, Profile, ProfileId, ProfileName};

/// The profile a name means on a model: its name with the current driver first, else any other name.
pub(super) fn resolve(model: &Model, name: &ProfileName) -> Option<ProfileId> {
    let mut other = None;
    for (index, profile) in model.profiles.iter().enumerate() {
        let Ok(index) = u8::try_from(index) else { break };
        if profile.name == *name {
            return Some(ProfileId(index));
        }
        if other.is_none() && profile.aliases.iter().any(|alias| alias == name) {
            other = Some(ProfileId(index));
        }
    }
    other
}

/// Whether an instance of the profile has the memory and compute; an unpublished memory has not.
fn gives(profile: &Profile, memory_mib: u64, compute_slices: u8) -> bool {
    let memory = profile.memory_mib.value.is_some_and(|mib| u64::from(mib) >= memory_mib);
    memory && profile.compute_slices >= compute_slices
}

/// Whether an instance of this kind can be part of what is asked for.
pub(super) fn accepts(request: &Request, model: &Model, id: ProfileId) -> bool {
    match request {
        Request::Profiles { instances, .. } => instances.keys().any(|name| resolve(model, name) == Some(id)),
        Request::AtLeast { memory_mib, compute_slices, .. } => {
            model.profiles.get(usize::from(id.0)).is_some_and(|profile| gives(profile, *memory_mib, *compute_slices))
        }
        Request::WholeGpus { .. } => false,
    }
}

/// The request in a few words, for messages: `1g.10gb=2 on one GPU`.
pub(super) fn asked(request: &Request) -> String {
    let near = |together: &Together| match together {
        Together::Node => "",
        Together::Gpu => " on one GPU",
    };
    match request {
        Request::Profiles { instances, together } => {
            let parts = |instances: &BTreeMap<ProfileName, u32>| {
                instances.iter().map(|(name, n)| format!("{name}={n}")).collect::<Vec<_>>().join(",")
            };
            format!("{}{}", parts(instances), near(together))
        }
        Request::AtLeast { memory_mib, compute_slices, instances, together } => {
            format!("{instances} with at least {memory_mib} MiB and {compute_slices} compute slices{}", near(together))
        }
        Request::WholeGpus { gpus } => format!("{gpus} whole GPUs"),
    }
}
