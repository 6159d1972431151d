//! mig-parted's `mig-devices`: whole GPU instances, and compute instances inside them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::layout::{Counts, LayoutError};
use super::model::{Model, ProfileId};
use super::name::ProfileName;

/// What a `mig-devices` map asks of one GPU.
///
/// `3g.40gb` is a GPU instance with one compute instance that fills it. `1c.3g.40gb` is a smaller
/// compute instance; mig-parted puts consecutive ones of one GPU-instance profile into the same GPU
/// instance until one no longer fits, then makes another. Here they are packed into the fewest. A full
/// compute instance spelled out, `3c.3g.40gb`, is the whole GPU instance.
///
/// ```
/// use std::collections::BTreeMap;
/// use migsaw::geometry::Catalog;
/// let a100 = Catalog::builtin().model("A100-80GB")?;
/// let asked = BTreeMap::from([("1c.3g.40gb".parse()?, 1), ("2c.3g.40gb".parse()?, 1), ("1g.10gb".parse()?, 3)]);
/// let devices = a100.resolve_devices(&asked)?;
/// assert_eq!(devices.counts.display(&a100).to_string(), "1g.10gb=3,3g.40gb=1");
/// let unknown = a100.resolve_devices(&BTreeMap::from([("3c.4g.40gb".parse()?, 1)])).unwrap_err();
/// assert_eq!(
///     unknown.to_string(),
///     "4g.40gb on A100-80GB has no compute instances of 3 slices (there are 1c.4g.40gb, 2c.4g.40gb)",
/// );
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Devices {
    /// The GPU instances needed.
    pub counts: Counts,
    /// Each of them with its compute instances, by profile; shared ones before whole ones.
    pub instances: Vec<GpuInstance>,
}

/// A GPU instance and the compute instances in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuInstance {
    /// The GPU instance's profile.
    pub profile: ProfileId,
    /// Compute slices of each compute instance, largest first; one that has all if it is not divided.
    pub compute_instances: Vec<u8>,
}

/// Everything that is wrong with a `mig-devices` map on one model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct DeviceError {
    /// Each problem found, in the order of the map.
    pub problems: Vec<DeviceProblem>,
}

/// One thing that is wrong with a `mig-devices` map.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceProblem {
    /// The model has no such profile.
    #[error("{model} has no profile `{name}`{}", super::catalog::suggestion(nearest))]
    UnknownProfile {
        /// The model's id.
        model: String,
        /// The unknown name.
        name: ProfileName,
        /// Names that may have been meant.
        nearest: Vec<String>,
    },
    /// The GPU instance cannot be divided in this way.
    #[error(
        "{profile} on {model} has no compute instances of {slices} slices{}",
        if there_are.is_empty() { String::new() } else {
            format!(" (there are {})", there_are.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
        }
    )]
    NoSuchComputeInstance {
        /// The model's id.
        model: String,
        /// The GPU instance's profile.
        profile: ProfileName,
        /// Compute slices asked for.
        slices: u8,
        /// The compute-instance forms it does have.
        there_are: Vec<ProfileName>,
    },
    /// Names of two driver releases in one map.
    #[error("no driver release has both {} and {} on {model}", names[0], names[1])]
    MixedReleases {
        /// The model's id.
        model: String,
        /// Two names that do not go together.
        names: Box<[ProfileName; 2]>,
    },
    /// More GPU instances of a profile than there may be.
    #[error("{needed} GPU instances of {profile} are needed, at most {most} may be on one {model}")]
    TooMany {
        /// The model's id.
        model: String,
        /// The GPU instance's profile.
        profile: ProfileName,
        /// How many are needed at least.
        needed: u64,
        /// Most there may be.
        most: u8,
    },
}

impl DeviceProblem {
    /// A stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            DeviceProblem::UnknownProfile { .. } => "unknown-profile",
            DeviceProblem::NoSuchComputeInstance { .. } => "unknown-compute-instance",
            DeviceProblem::MixedReleases { .. } => "mixed-driver-names",
            DeviceProblem::TooMany { .. } => "too-many-instances",
        }
    }
}

/// How many compute instances of one size to pack, and how many one GPU instance takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Form {
    slices: u8,
    most: u8,
    wanted: u32,
}

impl Model {
    /// What a `mig-devices` map asks of a GPU of this model. Whether that fits is for
    /// [`Model::why_not`] to say, and in which order it can be created for [`Model::creation_order`].
    ///
    /// Profiles may be written under the names of any known driver release, but of one only. Counts of
    /// zero ask for nothing.
    ///
    /// # Errors
    /// [`DeviceError`] lists unknown profiles, names that no driver release has together, compute-instance
    /// forms the model does not have, and profiles of which more GPU instances are needed than there may
    /// be.
    pub fn resolve_devices(&self, asked: &BTreeMap<ProfileName, u32>) -> Result<Devices, DeviceError> {
        let mut problems = Vec::new();
        let mut whole: BTreeMap<ProfileId, u64> = BTreeMap::new();
        let mut divided: BTreeMap<ProfileId, Vec<Form>> = BTreeMap::new();
        for (name, &wanted) in asked.iter().filter(|&(_, &n)| n > 0) {
            let Some(profile) = self.profile(&name.gpu_instance()) else {
                problems.push(DeviceProblem::UnknownProfile {
                    model: self.id.clone(),
                    name: name.clone(),
                    nearest: self.nearest_profiles(&name.gpu_instance().to_string()),
                });
                continue;
            };
            let all = self.get(profile).compute_slices;
            match name.compute_instance().filter(|&slices| slices != all) {
                None => *whole.entry(profile).or_default() += u64::from(wanted),
                Some(slices) => match self.form(profile, slices, wanted) {
                    Ok(form) => add(divided.entry(profile).or_default(), form),
                    Err(problem) => problems.push(problem),
                },
            }
        }
        if let Some(names) = self.names_apart(asked.iter().filter(|&(_, &n)| n > 0).map(|(name, _)| name)) {
            let names = Box::new(names.map(ProfileName::gpu_instance));
            problems.push(DeviceProblem::MixedReleases { model: self.id.clone(), names });
        }
        let mut devices = Devices { counts: Counts::EMPTY, instances: Vec::new() };
        for (id, profile) in self.profile_ids() {
            let forms = divided.remove(&id).unwrap_or_default();
            let whole = whole.get(&id).copied().unwrap_or_default();
            let most = u64::from(profile.max_instances);
            let needed = whole + at_least(&forms, profile.compute_slices);
            let room = most.saturating_sub(whole);
            let packed = if needed <= most { pack(&forms, profile.compute_slices, room) } else { Err(needed - whole) };
            match packed {
                Ok(bins) => {
                    let instances = bins.len() as u64 + whole;
                    devices.counts[id] = u8::try_from(instances).unwrap_or(u8::MAX);
                    let undivided =
                        std::iter::repeat_n(vec![profile.compute_slices], usize::try_from(whole).unwrap_or(0));
                    let all = bins.into_iter().chain(undivided);
                    devices.instances.extend(all.map(|ci| GpuInstance { profile: id, compute_instances: ci }));
                }
                Err(more) => problems.push(DeviceProblem::TooMany {
                    model: self.id.clone(),
                    profile: profile.name.clone(),
                    needed: whole + more,
                    most: profile.max_instances,
                }),
            }
        }
        if problems.is_empty() { Ok(devices) } else { Err(DeviceError { problems }) }
    }

    /// The fewest GPU instances for some compute instances. More of a profile than there may be are no
    /// error here.
    pub(super) fn gpu_instances_for(&self, divided: &BTreeMap<ProfileName, u32>) -> Result<Counts, LayoutError> {
        let mut counts = Counts::EMPTY;
        let problems = match self.resolve_devices(divided) {
            Ok(devices) => return Ok(devices.counts),
            Err(error) => error.problems,
        };
        for problem in problems {
            match problem {
                DeviceProblem::TooMany { profile, needed, .. } => {
                    let id = self.profile(&profile).expect("a profile of this model is called so");
                    counts[id] = u8::try_from(needed).unwrap_or(u8::MAX);
                }
                problem => return Err(LayoutError::ComputeInstance(problem)),
            }
        }
        Ok(counts)
    }

    fn form(&self, profile: ProfileId, slices: u8, wanted: u32) -> Result<Form, DeviceProblem> {
        let forms = || self.compute_instances.iter().filter(move |ci| ci.gpu_instance == profile);
        let whole = self.get(profile);
        match forms().find(|ci| ci.compute_slices == slices && slices < whole.compute_slices) {
            Some(ci) => Ok(Form { slices, most: ci.max_per_instance, wanted }),
            None => Err(DeviceProblem::NoSuchComputeInstance {
                model: self.id.clone(),
                profile: whole.name.clone(),
                slices,
                there_are: forms()
                    .filter(|ci| ci.compute_slices < whole.compute_slices)
                    .map(|ci| whole.name.divided(ci.compute_slices))
                    .collect(),
            }),
        }
    }
}

/// Two names of one form (names of two drivers) are one form.
fn add(forms: &mut Vec<Form>, form: Form) {
    match forms.iter_mut().find(|f| f.slices == form.slices) {
        Some(same) => same.wanted = same.wanted.saturating_add(form.wanted),
        None => forms.push(form),
    }
    forms.sort_by_key(|f| Reverse(f.slices));
}

/// No fewer GPU instances can hold them.
fn at_least(forms: &[Form], capacity: u8) -> u64 {
    let slices: u64 = forms.iter().map(|f| u64::from(f.slices) * u64::from(f.wanted)).sum();
    let by_form = forms.iter().map(|f| u64::from(f.wanted).div_ceil(u64::from(f.most.max(1))));
    slices.div_ceil(u64::from(capacity.max(1))).max(by_form.max().unwrap_or(0))
}

/// The fewest GPU instances, at most `room`, that hold the compute instances; else a number that does
/// not suffice, plus one.
fn pack(forms: &[Form], capacity: u8, room: u64) -> Result<Vec<Vec<u8>>, u64> {
    for bins in at_least(forms, capacity)..=room {
        let bins = vec![Vec::new(); usize::try_from(bins).unwrap_or(0)];
        let mut packing = Packing { forms: forms.to_vec(), bins, steps_left: MOST_STEPS };
        if packing.place(0, 0, capacity) {
            return Ok(packing.bins);
        }
    }
    Err(room + 1)
}

/// Far more than any board of the catalogue needs. On a user's board of dozens of instances the search
/// gives up after as many and takes one GPU instance more.
const MOST_STEPS: u32 = 100_000;

struct Packing {
    forms: Vec<Form>,
    bins: Vec<Vec<u8>>,
    steps_left: u32,
}

impl Packing {
    /// Places all that is left of the forms from `form` on. Equal compute instances go into bins in
    /// ascending order, and of equal bins only the first is tried.
    fn place(&mut self, form: usize, from: usize, capacity: u8) -> bool {
        let Some(&Form { slices, most, wanted }) = self.forms.get(form) else { return true };
        if wanted == 0 {
            return self.place(form + 1, 0, capacity);
        }
        let Some(fewer) = self.steps_left.checked_sub(1) else { return false };
        self.steps_left = fewer;
        for bin in from..self.bins.len() {
            let (used, same) = self.bins[bin]
                .iter()
                .fold((0u32, 0u32), |(used, same), &s| (used + u32::from(s), same + u32::from(s == slices)));
            let full = used + u32::from(slices) > u32::from(capacity) || same >= u32::from(most);
            let like_an_earlier_one = self.bins[from..bin].contains(&self.bins[bin]);
            if full || like_an_earlier_one {
                continue;
            }
            self.bins[bin].push(slices);
            self.forms[form].wanted -= 1;
            if self.place(form, bin, capacity) {
                return true;
            }
            self.forms[form].wanted += 1;
            self.bins[bin].pop();
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::geometry::{Catalog, Model, ProfileName};

    fn resolve(model: &Model, asked: &[(&str, u32)]) -> Result<(String, String), String> {
        let asked: BTreeMap<ProfileName, u32> = asked.iter().map(|(name, n)| (name.parse().unwrap(), *n)).collect();
        let devices = model.resolve_devices(&asked).map_err(|error| error.to_string())?;
        let bins: Vec<String> = devices
            .instances
            .iter()
            .map(|gi| {
                let cis: Vec<String> = gi.compute_instances.iter().map(|c| format!("{c}c")).collect();
                format!("{}[{}]", model.get(gi.profile).class, cis.join(","))
            })
            .collect();
        Ok((devices.counts.display(model).to_string(), bins.join(" ")))
    }

    fn check(model: &str, asked: &[(&str, u32)], counts: &str, instances: &str) {
        let model = Catalog::builtin().model(model).unwrap();
        assert_eq!(resolve(&model, asked), Ok((counts.to_owned(), instances.to_owned())), "{asked:?}");
    }

    fn refuse(model: &str, asked: &[(&str, u32)], said: &str) {
        let model = Catalog::builtin().model(model).unwrap();
        assert_eq!(resolve(&model, asked), Err(said.to_owned()), "{asked:?}");
    }

    #[test]
    fn compute_instances_share_the_fewest_gpu_instances() {
        check("A100-80GB", &[], "empty", "");
        check("A100-80GB", &[("3g.40gb", 0)], "empty", "");
        check("A100-80GB", &[("1c.3g.40gb", 3)], "3g.40gb=1", "3g[1c,1c,1c]");
        check("A100-80GB", &[("1c.3g.40gb", 4)], "3g.40gb=2", "3g[1c,1c,1c] 3g[1c]");
        check("A100-80GB", &[("1c.3g.40gb", 1), ("2c.3g.40gb", 1)], "3g.40gb=1", "3g[2c,1c]");
        check("A100-80GB", &[("1c.3g.40gb", 2), ("2c.3g.40gb", 2)], "3g.40gb=2", "3g[2c,1c] 3g[2c,1c]");
        check("A100-80GB", &[("1c.3g.40gb", 1), ("3g.40gb", 1)], "3g.40gb=2", "3g[1c] 3g[3c]");
        check("A100-80GB", &[("3c.3g.40gb", 1), ("1c.1g.10gb", 2)], "1g.10gb=2,3g.40gb=1", "1g[1c] 1g[1c] 3g[3c]");
        check("H100-80GB", &[("3c.7g.80gb", 1), ("2c.7g.80gb", 1), ("1c.7g.80gb", 2)], "7g.80gb=1", "7g[3c,2c,1c,1c]");
        check("A30", &[("1c.2g.12gb+me", 2), ("1c.2g.12gb", 1)], "2g.12gb=1,2g.12gb+me=1", "2g[1c] 2g+me[1c,1c]");
    }

    #[test]
    fn other_drivers_names_mean_the_same() {
        check(
            "GB200",
            &[("1c.3g.95gb", 1), ("2c.3g.95gb", 1), ("2g.47gb", 1)],
            "2g.47gb=1,3g.93gb=1",
            "2g[2c] 3g[2c,1c]",
        );
        check("A100-80GB", &[("7g.79gb", 1)], "7g.80gb=1", "7g[7c]");
    }

    #[test]
    fn names_of_two_driver_releases_do_not_go_together() {
        let apart = "no driver release has both 1g.23gb and 3g.95gb on GB200-186GB";
        refuse("GB200", &[("1g.23gb", 2), ("3g.95gb", 1)], apart);
        refuse("GB200", &[("1g.23gb", 2), ("1c.3g.95gb", 3)], apart);
        refuse(
            "GB200",
            &[("1g.23gb", 3), ("1g.24gb", 3)],
            "no driver release has both 1g.23gb and 1g.24gb on GB200-186GB",
        );
        check("GB200", &[("1g.24gb", 2), ("3g.95gb", 1)], "1g.23gb=2,3g.93gb=1", "1g[1c] 1g[1c] 3g[3c]");
        // What DCGM calls a profile is no name for mig-parted.
        refuse(
            "H100-94GB",
            &[("1g.11gb", 1)],
            "H100-94GB has no profile `1g.11gb` (nearest: 1g.12gb, 1g.12gb+me, 1g.24gb)",
        );
    }

    #[test]
    fn problems_are_listed_together() {
        refuse(
            "A100-80GB",
            &[("1c.3g.40gb", 7)],
            "3 GPU instances of 3g.40gb are needed, at most 2 may be on one A100-80GB",
        );
        refuse(
            "A100-80GB",
            &[("4c.7g.80gb", 2)],
            "2 GPU instances of 7g.80gb are needed, at most 1 may be on one A100-80GB",
        );
        refuse(
            "A100-80GB",
            &[("1g.10gb", u32::MAX), ("1c.7g.80gb", u32::MAX)],
            "4294967295 GPU instances of 1g.10gb are needed, at most 7 may be on one A100-80GB; \
             613566757 GPU instances of 7g.80gb are needed, at most 1 may be on one A100-80GB",
        );
        refuse(
            "A100-80GB",
            &[("5c.7g.80gb", 1), ("1c.3g.20gb", 1)],
            "A100-80GB has no profile `1c.3g.20gb` (nearest: 3g.40gb, 1g.20gb, 2g.20gb); 7g.80gb on A100-80GB has no \
             compute instances of 5 slices (there are 1c.7g.80gb, 2c.7g.80gb, 3c.7g.80gb, 4c.7g.80gb)",
        );
        refuse(
            "RTX-PRO-6000",
            &[("1c.2g.48gb", 1)],
            "2g.48gb on RTX-PRO-6000-96GB has no compute instances of 1 slices",
        );
    }
}
