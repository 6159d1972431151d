//! Layouts: which instances one GPU carries, and where.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Index, IndexMut};

use smallvec::SmallVec;

use super::devices::DeviceProblem;
use super::model::{Engines, MAX_PROFILES, Model, ProfileId};
use super::name::ProfileName;

/// How many instances of each profile: a layout without its starts, the form in which mig-parted
/// takes one. Indexed by [`ProfileId`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Counts([u8; MAX_PROFILES]);

impl Counts {
    /// No instance at all.
    pub const EMPTY: Counts = Counts([0; MAX_PROFILES]);

    /// The profiles with a count above zero.
    pub fn iter(&self) -> impl Iterator<Item = (ProfileId, u8)> + '_ {
        (0u8..).zip(self.0).filter(|&(_, n)| n > 0).map(|(i, n)| (ProfileId(i), n))
    }

    /// How many instances in all.
    pub fn total(&self) -> u32 {
        self.0.iter().map(|&n| u32::from(n)).sum()
    }

    /// Whether there is no instance.
    pub fn is_empty(&self) -> bool {
        *self == Counts::EMPTY
    }

    /// Whether every count is at most the other's.
    pub fn is_within(&self, other: &Counts) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| a <= b)
    }

    /// Both together.
    ///
    /// # Panics
    /// If a count passes 255.
    #[must_use]
    pub fn plus(&self, other: &Counts) -> Counts {
        let mut sum = *self;
        for (id, n) in other.iter() {
            sum[id] = sum[id].checked_add(n).expect("at most 255 instances");
        }
        sum
    }

    /// `self` without `other`, or `None` if `other` has more of something.
    #[must_use]
    pub fn minus(&self, other: &Counts) -> Option<Counts> {
        let mut rest = *self;
        for (id, n) in other.iter() {
            rest[id] = rest[id].checked_sub(n)?;
        }
        Some(rest)
    }

    /// Reads `1g.10gb=2,3g.40gb=1` (also `:` for `=`, and a bare name for one). `empty` is none at all.
    /// Names may also be resources (`nvidia.com/mig-1g.10gb.me`); compute instances (`1c.3g.40gb=3`)
    /// count as the fewest GPU instances that hold them.
    ///
    /// # Errors
    /// [`LayoutError`] if a name is not a profile of the model or no compute instance it has, or a count
    /// is not a number up to 255.
    pub fn parse(model: &Model, text: &str) -> Result<Counts, LayoutError> {
        let mut counts = Counts::EMPTY;
        if text.trim() == "empty" {
            return Ok(counts);
        }
        let mut divided = BTreeMap::new();
        for item in items(text) {
            let (name, count) = item.split_once(['=', ':']).unwrap_or((item, "1"));
            let (name, id) = resolve(model, name)?;
            let refused = || LayoutError::Count { item: shortened(item) };
            let count = number(count).ok_or_else(refused)?;
            if name.compute_instance().is_some_and(|slices| slices != model.get(id).compute_slices) {
                *divided.entry(name).or_default() += u32::from(count);
            } else {
                counts.add(model, id, count)?;
            }
        }
        for (id, n) in model.gpu_instances_for(&divided)?.iter() {
            counts.add(model, id, n)?;
        }
        Ok(counts)
    }

    fn add(&mut self, model: &Model, id: ProfileId, more: u8) -> Result<(), LayoutError> {
        let sum = u16::from(self[id]) + u16::from(more);
        let refused = |_| LayoutError::Count { item: format!("{}={sum}", model.get(id).name) };
        self[id] = u8::try_from(sum).map_err(refused)?;
        Ok(())
    }

    /// Checks that only profiles of the model are counted.
    pub(super) fn of_model(&self, model: &Model) -> Result<(), LayoutError> {
        match self.iter().find(|(id, _)| id.index() >= model.profiles.len()) {
            Some((id, _)) => Err(foreign(model, id)),
            None => Ok(()),
        }
    }

    /// Prints like `1g.10gb=2,3g.40gb=1`, `empty` for none.
    pub fn display<'a>(&'a self, model: &'a Model) -> impl fmt::Display + 'a {
        Shown(move |f: &mut fmt::Formatter<'_>| {
            if self.is_empty() {
                return f.write_str("empty");
            }
            for (i, (id, n)) in self.iter().enumerate() {
                write!(f, "{}{}={n}", if i > 0 { "," } else { "" }, model.get(id).name)?;
            }
            Ok(())
        })
    }
}

impl Index<ProfileId> for Counts {
    type Output = u8;

    fn index(&self, id: ProfileId) -> &u8 {
        &self.0[id.index()]
    }
}

impl IndexMut<ProfileId> for Counts {
    fn index_mut(&mut self, id: ProfileId) -> &mut u8 {
        &mut self.0[id.index()]
    }
}

impl FromIterator<(ProfileId, u8)> for Counts {
    fn from_iter<I: IntoIterator<Item = (ProfileId, u8)>>(items: I) -> Counts {
        let mut counts = Counts::EMPTY;
        for (id, n) in items {
            // No model has room for as many, so where counting stops makes no difference.
            counts[id] = counts[id].saturating_add(n);
        }
        counts
    }
}

/// A profile at a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Placement {
    /// First placement unit.
    pub start: u8,
    /// The profile.
    pub profile: ProfileId,
}

/// Non-overlapping placements on one GPU, ordered by start.
///
/// The text notation, `1g.10gb@3,2g.20gb@4`, prints and parses; `empty` is the layout without
/// instances.
///
/// ```
/// use migsaw::geometry::{Catalog, Layout};
/// let catalog = Catalog::builtin();
/// let h100 = catalog.model("H100-80GB")?;
/// let layout = Layout::parse(&h100, "2g.20gb@4, 1g.10gb@3")?;
/// assert_eq!(layout.display(&h100).to_string(), "1g.10gb@3,2g.20gb@4");
/// let error = Layout::parse(&h100, "3g.40gb@5").unwrap_err();
/// assert_eq!(error.to_string(), "3g.40gb cannot start at 5 on H100-80GB (legal starts: 0, 4)");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Layout(SmallVec<[Placement; 8]>);

/// Why a text or a set of placements is no layout of a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// Not of the form `profile@start`.
    #[error("`{item}` is no placement (expected like `1g.10gb@3`)")]
    Form {
        /// The refused part.
        item: String,
    },
    /// Not of the form `profile=count`.
    #[error("`{item}` has no usable count (expected like `1g.10gb=2`, at most 255)")]
    Count {
        /// The refused part.
        item: String,
    },
    /// The model has no such profile.
    #[error("{model} has no profile `{name}`{}", super::catalog::suggestion(nearest))]
    UnknownProfile {
        /// The model's id.
        model: String,
        /// The unknown name.
        name: String,
        /// Names that may have been meant.
        nearest: Vec<String>,
    },
    /// The GPU instance cannot be divided in this way.
    #[error("{0}")]
    ComputeInstance(DeviceProblem),
    /// A compute instance has no start of its own.
    #[error("{name} is a compute instance, and only GPU instances have a start (expected like {}@0)", name.gpu_instance())]
    StartOfComputeInstance {
        /// The name.
        name: ProfileName,
    },
    /// The profile cannot start there.
    #[error("{profile} cannot start at {start} on {model} (legal starts: {})", legal.iter().map(u8::to_string).collect::<Vec<_>>().join(", "))]
    Start {
        /// The model's id.
        model: String,
        /// The profile.
        profile: ProfileName,
        /// The refused start.
        start: u8,
        /// Where it can start.
        legal: Vec<u8>,
    },
    /// Two instances take the same placement unit.
    #[error("{second} overlaps {first}")]
    Overlap {
        /// The one that came first.
        first: String,
        /// The one that overlaps it.
        second: String,
    },
    /// More instances of a profile than the driver allows.
    #[error("{found} instances of {profile} on one {model}, at most {most}")]
    TooMany {
        /// The model's id.
        model: String,
        /// The profile.
        profile: ProfileName,
        /// How many there are.
        found: u32,
        /// How many are allowed.
        most: u8,
    },
    /// The GPU has fewer media engines than the instances hold.
    #[error("the instances hold more media engines than {model} has")]
    Engines {
        /// The model's id.
        model: String,
    },
}

impl LayoutError {
    /// A stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            LayoutError::Form { .. } => "layout-form",
            LayoutError::Count { .. } => "layout-count",
            LayoutError::UnknownProfile { .. } => "unknown-profile",
            LayoutError::ComputeInstance(problem) => problem.code(),
            LayoutError::StartOfComputeInstance { .. } => "start-of-compute-instance",
            LayoutError::Start { .. } => "illegal-start",
            LayoutError::Overlap { .. } => "overlap",
            LayoutError::TooMany { .. } => "too-many-instances",
            LayoutError::Engines { .. } => "engines-exceeded",
        }
    }
}

/// What a layout takes of its GPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Occupancy {
    /// Placement units taken, as a bit mask.
    pub units: u32,
    /// Instances by profile.
    pub counts: Counts,
    /// Engines still free.
    pub engines_left: Engines,
}

impl Layout {
    /// A layout without instances.
    pub fn empty() -> Layout {
        Layout::default()
    }

    /// A layout of these placements, if they are one.
    ///
    /// # Errors
    /// [`LayoutError`] on an illegal start, an overlap, too many of a profile or of its engines.
    pub fn new(model: &Model, placements: impl IntoIterator<Item = Placement>) -> Result<Layout, LayoutError> {
        let mut layout = Layout(placements.into_iter().collect());
        layout.0.sort_unstable();
        layout.occupancy(model)?;
        Ok(layout)
    }

    /// Placements as someone claims them, in any order, without a look at any model: they may overlap or
    /// start where nothing can. For plans that are yet to be judged; [`Layout::occupancy`] says whether it
    /// is a layout.
    pub fn claimed(placements: impl IntoIterator<Item = Placement>) -> Layout {
        let mut layout = Layout(placements.into_iter().collect());
        layout.0.sort_unstable();
        layout
    }

    /// Placements known to be legal, in any order.
    pub(super) fn from_legal(placements: &[Placement]) -> Layout {
        let mut layout = Layout(SmallVec::from_slice(placements));
        layout.0.sort_unstable();
        layout
    }

    /// Reads the text notation.
    ///
    /// # Errors
    /// [`LayoutError`] where the text is malformed or the placements are no layout of the model.
    pub fn parse(model: &Model, text: &str) -> Result<Layout, LayoutError> {
        if text.trim() == "empty" {
            return Ok(Layout::empty());
        }
        let mut placements = Vec::new();
        for item in items(text) {
            let form = || LayoutError::Form { item: shortened(item) };
            let (name, start) = item.split_once('@').ok_or_else(form)?;
            let start = number(start).ok_or_else(form)?;
            let (name, profile) = resolve(model, name)?;
            if name.compute_instance().is_some_and(|slices| slices != model.get(profile).compute_slices) {
                return Err(LayoutError::StartOfComputeInstance { name });
            }
            placements.push(Placement { start, profile });
        }
        Layout::new(model, placements)
    }

    /// The placements, ordered by start.
    pub fn placements(&self) -> &[Placement] {
        &self.0
    }

    /// Whether there is no instance.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Instances by profile.
    pub fn counts(&self) -> Counts {
        self.0.iter().map(|p| (p.profile, 1)).collect()
    }

    /// The placements of both.
    #[must_use]
    pub fn merged(&self, other: &Layout) -> Layout {
        let all: SmallVec<[Placement; 8]> = self.0.iter().chain(&other.0).copied().collect();
        Layout::from_legal(&all)
    }

    /// What the layout takes of a GPU.
    ///
    /// # Errors
    /// [`LayoutError`] if it is no layout of this model.
    pub fn occupancy(&self, model: &Model) -> Result<Occupancy, LayoutError> {
        let mut taken = Occupancy { units: 0, counts: Counts::EMPTY, engines_left: model.engine_budget };
        for (i, placement) in self.0.iter().enumerate() {
            let profile =
                model.profiles.get(placement.profile.index()).ok_or_else(|| foreign(model, placement.profile))?;
            if !profile.starts.contains(&placement.start) {
                return Err(LayoutError::Start {
                    model: model.id.clone(),
                    profile: profile.name.clone(),
                    start: placement.start,
                    legal: profile.starts.clone(),
                });
            }
            let units = profile.mask(placement.start);
            if taken.units & units != 0 {
                let show = |p: &Placement| format!("{}@{}", model.get(p.profile).name, p.start);
                let overlaps = |p: &&Placement| model.get(p.profile).mask(p.start) & units != 0;
                let first = self.0[..i].iter().find(overlaps).map(show).unwrap_or_default();
                return Err(LayoutError::Overlap { first, second: show(placement) });
            }
            taken.units |= units;
            taken.counts[placement.profile] += 1;
            if taken.counts[placement.profile] > profile.max_instances {
                return Err(LayoutError::TooMany {
                    model: model.id.clone(),
                    profile: profile.name.clone(),
                    found: u32::from(taken.counts[placement.profile]),
                    most: profile.max_instances,
                });
            }
            taken.engines_left = taken
                .engines_left
                .checked_sub(profile.engines)
                .ok_or_else(|| LayoutError::Engines { model: model.id.clone() })?;
        }
        Ok(taken)
    }

    /// Prints the text notation.
    pub fn display<'a>(&'a self, model: &'a Model) -> impl fmt::Display + 'a {
        Shown(move |f: &mut fmt::Formatter<'_>| {
            if self.is_empty() {
                return f.write_str("empty");
            }
            for (i, p) in self.0.iter().enumerate() {
                write!(f, "{}{}@{}", if i > 0 { "," } else { "" }, model.get(p.profile).name, p.start)?;
            }
            Ok(())
        })
    }
}

/// A closure as `Display`.
pub(super) struct Shown<F>(pub(super) F);

impl<F: Fn(&mut fmt::Formatter<'_>) -> fmt::Result> fmt::Display for Shown<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0)(f)
    }
}

/// The parts between commas. An attribute list has commas too (`1g.10gb+me,gfx@0`): one behind a `+` or
/// `-` and before a letter does not separate, for profile names begin with a digit.
fn items(text: &str) -> impl Iterator<Item = &str> {
    let mut in_attributes = false;
    let separates = move |(at, c): (usize, char)| {
        match c {
            '+' | '-' => in_attributes = true,
            '@' | '=' | ':' => in_attributes = false,
            ',' => {
                let goes_on = text[at + 1..].trim_start().starts_with(|c: char| c.is_ascii_lowercase());
                in_attributes &= goes_on;
                return (!in_attributes).then_some(at);
            }
            _ => {}
        }
        None
    };
    let ends = text.char_indices().filter_map(separates).chain([text.len()]);
    let cut = ends.scan(0, move |from, to| Some(&text[std::mem::replace(from, to + 1)..to]));
    cut.map(str::trim).filter(|item| !item.is_empty())
}

/// A decimal number without a sign.
fn number(text: &str) -> Option<u8> {
    let text = text.trim();
    if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None }
}

fn shortened(text: &str) -> String {
    text.chars().take(80).collect()
}

/// An id of another model with more profiles.
fn foreign(model: &Model, id: ProfileId) -> LayoutError {
    LayoutError::UnknownProfile { model: model.id.clone(), name: format!("#{}", id.0), nearest: Vec::new() }
}

/// The profile a text means, spelled as a profile or as a resource; of a compute instance, the profile it
/// lives in.
fn resolve(model: &Model, text: &str) -> Result<(ProfileName, ProfileId), LayoutError> {
    let text = text.trim();
    let name = ProfileName::from_resource(text).or_else(|| ProfileName::from_label_form(text));
    let known = name.and_then(|name| Some((model.profile(&name.gpu_instance())?, name)));
    known.map(|(id, name)| (name, id)).ok_or_else(|| LayoutError::UnknownProfile {
        model: model.id.clone(),
        name: shortened(text),
        nearest: model.nearest_profiles(text),
    })
}
