//! What one GPU board can be cut into.

use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};

use serde::Serialize;

use super::enumerate::Capability;
use super::layout::{Counts, Occupancy};
use super::name::ProfileName;

/// Most profiles a model may have.
pub const MAX_PROFILES: usize = 16;
/// Most placement units a model may have.
pub const MAX_UNITS: u8 = 32;

/// Index of a profile in [`Model::profiles`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProfileId(pub u8);

impl ProfileId {
    /// The index as a `usize`.
    pub fn index(self) -> usize {
        usize::from(self.0)
    }
}

/// How well a fact is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// Read in the cited file or page.
    Source,
    /// Copied from a sibling board or computed.
    Derived,
    /// Nobody publishes it.
    Unsourced,
}

/// A fact with what supports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The fact.
    pub value: T,
    /// How well it is known.
    pub confidence: Confidence,
    /// Keys into the catalogue's `sources`, with paths or a remark where there is one.
    pub source: Vec<String>,
}

/// Media and copy engines: what an instance holds, or what a GPU has to give.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub struct Engines {
    /// NVDEC units.
    pub decoders: u16,
    /// NVENC units.
    pub encoders: u16,
    /// JPEG decoders.
    pub jpeg: u16,
    /// Optical flow accelerators.
    pub ofa: u16,
}

impl Engines {
    /// A budget that never binds.
    pub const UNLIMITED: Engines = Engines { decoders: u16::MAX, encoders: u16::MAX, jpeg: u16::MAX, ofa: u16::MAX };

    /// Whether `n` times `each` is there.
    pub fn holds(self, each: Engines, n: u8) -> bool {
        let all = |one: u16| one.saturating_mul(u16::from(n));
        let needed = Engines {
            decoders: all(each.decoders),
            encoders: all(each.encoders),
            jpeg: all(each.jpeg),
            ofa: all(each.ofa),
        };
        self.checked_sub(needed).is_some()
    }

    /// What is left of `self` after `taken`, or `None` if one kind runs out.
    pub fn checked_sub(self, taken: Engines) -> Option<Engines> {
        let sub = |have: u16, take: u16| if have == u16::MAX { Some(have) } else { have.checked_sub(take) };
        Some(Engines {
            decoders: sub(self.decoders, taken.decoders)?,
            encoders: sub(self.encoders, taken.encoders)?,
            jpeg: sub(self.jpeg, taken.jpeg)?,
            ofa: sub(self.ofa, taken.ofa)?,
        })
    }
}

/// Engines as they are published; `None` where nobody says how many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PublishedEngines {
    /// NVDEC units.
    pub decoders: Option<u16>,
    /// NVENC units.
    pub encoders: Option<u16>,
    /// JPEG decoders.
    pub jpeg: Option<u16>,
    /// Optical flow accelerators.
    pub ofa: Option<u16>,
    /// Copy engines, which never bind and may be shared.
    pub copy_engines: Option<u16>,
}

impl PublishedEngines {
    /// The media engines, with `unknown` for those nobody publishes.
    pub(super) fn or(self, unknown: u16) -> Engines {
        Engines {
            decoders: self.decoders.unwrap_or(unknown),
            encoders: self.encoders.unwrap_or(unknown),
            jpeg: self.jpeg.unwrap_or(unknown),
            ofa: self.ofa.unwrap_or(unknown),
        }
    }
}

/// One way to cut an instance out of a GPU of one model.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Name with the current driver.
    pub name: ProfileName,
    /// Names with other driver releases; [`Model::other_names`] says which, and who says so.
    pub aliases: Vec<ProfileName>,
    /// The same on every board of one family: `1g`, `1g+me`, `1gx2`, `2g`, …
    pub class: String,
    /// The number `nvidia-smi mig -lgip` shows. It never moved between driver releases.
    pub driver_id: Option<u16>,
    /// Compute slices.
    pub compute_slices: u8,
    /// Memory slices.
    pub memory_slices: u8,
    /// Length in placement units.
    pub size: u8,
    /// Legal starts in placement units, ascending.
    pub starts: Vec<u8>,
    /// The order in which the driver was seen to try the starts.
    pub driver_starts: Sourced<Vec<u8>>,
    /// Most instances on one GPU (NVML's instance count).
    pub max_instances: u8,
    /// Usable memory in MiB; a lower bound where its confidence is [`Confidence::Derived`].
    pub memory_mib: Sourced<Option<u32>>,
    /// Streaming multiprocessors.
    pub sm_count: Sourced<Option<u16>>,
    /// Media engines an instance holds, zero where nobody publishes them.
    pub engines: Engines,
    /// The engines as they are published.
    pub published_engines: Sourced<PublishedEngines>,
    /// How well the starts are known.
    pub starts_confidence: Sourced<()>,
    /// Name, class and maximum count are supported by these.
    pub confidence: Confidence,
    /// Keys into the catalogue's `sources`.
    pub source: Vec<String>,
    /// A remark for people.
    pub note: Option<String>,
}

impl Profile {
    /// The placement units taken from `start` on, as a bit mask.
    pub fn mask(&self, start: u8) -> u32 {
        mask(start, self.size)
    }

    /// Whether `name` is this profile's name with any known driver.
    pub fn is_called(&self, name: &ProfileName) -> bool {
        self.name == *name || self.aliases.contains(name)
    }
}

pub(super) fn mask(start: u8, size: u8) -> u32 {
    let ones = if size >= 32 { u32::MAX } else { (1 << size) - 1 };
    ones << start
}

/// A compute-instance profile inside a GPU instance: `1c.3g.40gb`.
#[derive(Debug, Clone)]
pub struct ComputeInstanceProfile {
    /// The GPU instance profile it lives in.
    pub gpu_instance: ProfileId,
    /// Compute slices it takes of that instance.
    pub compute_slices: u8,
    /// Most of them in one GPU instance.
    pub max_per_instance: u8,
}

/// A profile's name besides the catalogue's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherName {
    /// The profile.
    pub profile: ProfileId,
    /// The name.
    pub name: ProfileName,
    /// Who calls it so.
    pub by: NamedBy,
    /// How well that is known.
    pub confidence: Confidence,
    /// Where that was read.
    pub source: Vec<String>,
    /// A remark for people.
    pub note: Option<String>,
}

/// Who has another name for a profile.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum NamedBy {
    /// A driver release, `61x`, or `earlier` if it is not known which. With such a driver it is the
    /// profile's only name.
    Driver(String),
    /// A tool of its own accord, `DCGM`. No driver knows that name, nor does mig-parted.
    Tool(String),
}

/// A PCI device that is this model.
#[derive(Debug, Clone, Serialize)]
pub struct PciDevice {
    /// Device id, `0x2330`.
    pub device_id: String,
    /// mig-parted's device filter, `0x233010DE`.
    pub filter: String,
    /// The board's name.
    pub board: String,
    /// Where the id was read.
    pub source: Vec<String>,
}

/// A layout whose feasibility sources disagree about.
#[derive(Debug, Clone)]
pub struct Disputed {
    /// The instances.
    pub counts: Counts,
    /// What speaks against the placement model.
    pub evidence: String,
    /// Where that was read.
    pub source: String,
}

/// A GPU board as MIG sees it.
#[derive(Debug, Clone)]
pub struct Model {
    /// The catalogue's name, `H100-80GB`.
    pub id: String,
    /// Other names people use.
    pub aliases: Vec<String>,
    /// Architecture, `Hopper`.
    pub architecture: String,
    /// Boards of one family share starts and classes: `seven-compute-eight-memory`.
    pub family: String,
    /// Compute slices of the whole GPU.
    pub compute_slices: u8,
    /// Memory slices of the whole GPU.
    pub memory_slices: u8,
    /// Placement units; starts and sizes count these.
    pub units: u8,
    /// Memory of the board in GB, as its name says.
    pub memory_gb: Option<u32>,
    /// Every profile, in the catalogue's order.
    pub profiles: Vec<Profile>,
    /// Names of profiles with other driver releases and in tools.
    pub other_names: Vec<OtherName>,
    /// Engines the GPU has to give; `u16::MAX` where they never bind.
    pub engine_budget: Engines,
    /// The engine budget as it is published; `None` if engines never bind.
    pub published_engine_budget: Option<Sourced<PublishedEngines>>,
    /// Compute-instance forms.
    pub compute_instances: Vec<ComputeInstanceProfile>,
    /// Values of `nvidia.com/gpu.product`.
    pub product_labels: Vec<Sourced<String>>,
    /// PCI devices.
    pub pci_devices: Vec<PciDevice>,
    /// Layouts that may not be creatable although the placement model says so.
    pub disputed: Vec<Disputed>,
    /// Remarks for people.
    pub notes: Vec<String>,
    /// Facet normals of what its GPUs can take, indexed `[row][profile]`; `None` where they are not known.
    pub facets: Option<Vec<Vec<u8>>>,
    pub(super) idle: OnceLock<Arc<Capability>>,
}

impl Model {
    /// The profile behind an id.
    ///
    /// # Panics
    /// If the id belongs to another model with more profiles.
    pub fn get(&self, id: ProfileId) -> &Profile {
        &self.profiles[id.index()]
    }

    /// The profile a name means on this board, under any known driver release.
    pub fn profile(&self, name: &ProfileName) -> Option<ProfileId> {
        let find = |f: &dyn Fn(&Profile) -> bool| self.profile_ids().find(|(_, p)| f(p)).map(|(id, _)| id);
        find(&|p| p.name == *name).or_else(|| find(&|p| p.aliases.contains(name)))
    }

    /// Two of these names that no driver release has together, if there are such two. Names of other
    /// models and of tools are passed over.
    pub fn names_apart<'n>(&self, names: impl IntoIterator<Item = &'n ProfileName>) -> Option<[&'n ProfileName; 2]> {
        let known: Vec<(&ProfileName, Vec<bool>)> =
            names.into_iter().filter_map(|name| Some((name, self.releases_with(name)?))).collect();
        let apart = |a: &[bool], b: &[bool]| !a.iter().zip(b).any(|(a, b)| *a && *b);
        let (first, second) = known.iter().enumerate().find_map(|(i, (name, releases))| {
            known[..i].iter().find(|(_, earlier)| apart(earlier, releases)).map(|(earlier, _)| (*earlier, *name))
        })?;
        Some([first, second])
    }

    /// For the catalogue's names and then for each other driver release, whether it has this name.
    fn releases_with(&self, name: &ProfileName) -> Option<Vec<bool>> {
        let profile = self.profile(&name.gpu_instance())?;
        let name = name.gpu_instance();
        let driver = |other: &OtherName| match &other.by {
            NamedBy::Driver(release) => Some(release.clone()),
            NamedBy::Tool(_) => None,
        };
        let releases: BTreeSet<String> = self.other_names.iter().filter_map(driver).collect();
        let is_catalogues = self.get(profile).name == name;
        let has = |release: &String| {
            let mut renamed =
                self.other_names.iter().filter(|o| o.profile == profile && driver(o).as_ref() == Some(release));
            renamed.next().map_or(is_catalogues, |first| first.name == name || renamed.any(|o| o.name == name))
        };
        Some(std::iter::once(is_catalogues).chain(releases.iter().map(has)).collect())
    }

    /// What an idle GPU can take.
    pub fn idle_capability(&self) -> &Arc<Capability> {
        self.idle.get_or_init(|| Arc::new(Capability::of(self, &Occupancy::idle(self))))
    }

    /// Every profile with its id.
    pub fn profile_ids(&self) -> impl Iterator<Item = (ProfileId, &Profile)> {
        (0..).map(ProfileId).zip(&self.profiles)
    }

    /// The profiles whose name is nearest to `name`, best first, for an error's suggestion.
    pub fn nearest_profiles(&self, name: &str) -> Vec<String> {
        super::catalog::nearest(name, self.profiles.iter().map(|p| p.name.to_string()))
    }
}

impl PartialEq for Model {
    fn eq(&self, other: &Model) -> bool {
        self.id == other.id
    }
}

impl Eq for Model {}
