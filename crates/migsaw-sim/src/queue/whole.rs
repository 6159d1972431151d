//! Pods that need a whole GPU, and the GPUs that can be emptied for them.

use migsaw::geometry::{StateId, Step};

use crate::gpus::Places;
use crate::site::{Site, index};
use crate::workload::Pod;

/// The profiles that take a whole GPU wherever they can be placed.
#[derive(Debug)]
pub(super) struct Whole {
    /// For each profile of the site, the GPUs that are empty some time and take it, with the step that places it there;
    /// none where it takes but a part.
    gpus: Vec<Vec<(u32, Step)>>,
}

impl Whole {
    pub(super) fn new(site: &Site) -> Whole {
        let of = |profile: usize| -> Vec<(u32, Step)> {
            // How an empty GPU of each kind takes it, and whether that fills it.
            let steps: Vec<Option<(Step, bool)>> = site
                .kinds
                .iter()
                .map(|kind| {
                    let id = kind.profiles[profile]?;
                    let mut additions = kind.states.additions(StateId::EMPTY).iter();
                    let step = additions.find(|step| step.placement.profile == id)?;
                    Some((*step, kind.model.get(id).size == kind.model.units))
                })
                .collect();
            if steps.iter().flatten().any(|(_, is_whole)| !is_whole) {
                return Vec::new();
            }
            let gpus = site.gpus.iter().enumerate().filter(|(_, gpu)| gpu.first == StateId::EMPTY);
            gpus.filter_map(|(at, gpu)| Some((index(at), steps[gpu.kind as usize]?.0))).collect()
        };
        Whole { gpus: (0..site.profiles.len()).map(of).collect() }
    }

    /// Whether a profile is one of these.
    pub(super) fn has(&self, profile: u16) -> bool {
        !self.gpus[usize::from(profile)].is_empty()
    }

    /// The GPUs that can be emptied for a profile, lowest first.
    pub(super) fn gpus(&self, profile: u16) -> impl Iterator<Item = u32> {
        self.gpus[usize::from(profile)].iter().map(|(gpu, _)| *gpu)
    }

    /// On an empty GPU, where an instance of the profile goes.
    pub(super) fn on(&self, profile: u16, gpu: u32) -> Places {
        self.gpus[usize::from(profile)].iter().filter(|(other, _)| *other == gpu).copied().collect()
    }
}

/// Pods of one instance of a profile that have the same limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Alike {
    pub(super) profile: u16,
    pub(super) limits: u16,
}

impl Alike {
    /// Those that a pod is one of; `None` if it asks for more than one instance.
    pub(super) fn of(pod: &Pod) -> Option<Alike> {
        match pod.asks[..] {
            [(profile, 1)] => Some(Alike { profile, limits: pod.limits }),
            _ => None,
        }
    }
}
