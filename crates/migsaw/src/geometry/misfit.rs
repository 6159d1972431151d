//! Why some instances do not fit.

use std::fmt;

use super::instance::{TakenStart, list};
use super::layout::{Counts, Layout, LayoutError, Occupancy};
use super::model::{Model, Profile, ProfileId};
use super::name::ProfileName;

/// The most telling reason why counts do not fit beside some instances.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Misfit {
    /// The layout they should stand beside is no layout of the model, or a wanted profile is unknown.
    Input(LayoutError),
    /// More of a profile than its maximum.
    Maximum {
        /// The profile.
        profile: ProfileName,
        /// How many are wanted.
        wanted: u8,
        /// How many are there already.
        present: u8,
        /// Most there may be on one GPU.
        most: u8,
    },
    /// More compute slices than are free.
    Compute {
        /// Compute slices wanted.
        wanted: u32,
        /// Compute slices no instance holds.
        free: u32,
        /// Compute slices of the GPU.
        total: u32,
    },
    /// More memory than is free, in placement units.
    Memory {
        /// Units wanted.
        wanted: u32,
        /// Units no instance takes.
        free: u32,
        /// Units of the GPU.
        total: u32,
    },
    /// More media engines of one kind than are left.
    Engines {
        /// Their kind.
        kind: EngineKind,
        /// Engines wanted.
        wanted: u32,
        /// Engines left.
        left: u32,
        /// Engines of the GPU.
        total: u32,
    },
    /// The totals suffice, but every start of one profile is taken.
    NoStart {
        /// The profile.
        profile: ProfileName,
        /// Its legal starts, each with what takes it.
        taken: Vec<TakenStart>,
    },
    /// The totals suffice, but these cannot all find a start; without any one of them, the rest can.
    Conflict {
        /// A smallest part of the wanted counts that does not fit.
        wanted: Vec<ConflictingProfile>,
    },
}

/// A profile that has too few starts left in a [`Misfit::Conflict`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConflictingProfile {
    /// The profile.
    pub profile: ProfileName,
    /// How many are wanted.
    pub wanted: u8,
    /// Legal starts that nothing takes yet, ascending.
    pub free: Vec<u8>,
    /// Legal starts that are taken.
    pub taken: Vec<TakenStart>,
}

/// A kind of media engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineKind {
    /// NVDEC.
    Decoders,
    /// NVENC.
    Encoders,
    /// JPEG decoders.
    Jpeg,
    /// Optical flow accelerators.
    Ofa,
}

impl Misfit {
    /// A stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Misfit::Input(error) => error.code(),
            Misfit::Maximum { .. } => "too-many-instances",
            Misfit::Compute { .. } => "compute-exceeded",
            Misfit::Memory { .. } => "memory-exceeded",
            Misfit::Engines { .. } => "engines-exceeded",
            Misfit::NoStart { .. } => "no-start-left",
            Misfit::Conflict { .. } => "starts-conflict",
        }
    }
}

impl Model {
    /// Why `wanted` does not fit beside `pinned`; `None` if it does.
    ///
    /// What cannot be on any GPU comes first (a profile's maximum), then totals (compute, memory,
    /// engines), then positions.
    ///
    /// ```
    /// use migsaw::geometry::{Catalog, Counts, Layout};
    /// let a100 = Catalog::builtin().model("A100-80GB")?;
    /// let pinned = Layout::parse(&a100, "1g.10gb@0,1g.10gb@6")?;
    /// assert!(a100.why_not(&Counts::parse(&a100, "2g.20gb=2")?, &pinned).is_none());
    /// let reason = a100.why_not(&Counts::parse(&a100, "3g.40gb")?, &pinned).unwrap();
    /// assert_eq!(
    ///     reason.to_string(),
    ///     "no start is left for 3g.40gb: 0 is taken by 1g.10gb@0, 4 is taken by 1g.10gb@6",
    /// );
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn why_not(&self, wanted: &Counts, pinned: &Layout) -> Option<Misfit> {
        let taken = match wanted.of_model(self).and_then(|()| pinned.occupancy(self)) {
            Ok(taken) => taken,
            Err(error) => return Some(Misfit::Input(error)),
        };
        if self.fits_beside(wanted, &taken) {
            return None;
        }
        let by_totals = || self.too_many(wanted, &taken).or_else(|| self.totals_exceeded(wanted, &taken));
        Some(by_totals().unwrap_or_else(|| self.conflict(*wanted, pinned, &taken)))
    }

    fn too_many(&self, wanted: &Counts, taken: &Occupancy) -> Option<Misfit> {
        let most = |id: ProfileId| self.get(id).max_instances;
        let (id, wanted) = wanted.iter().find(|&(id, n)| taken.counts[id].saturating_add(n) > most(id))?;
        let profile = self.get(id).name.clone();
        Some(Misfit::Maximum { profile, wanted, present: taken.counts[id], most: most(id) })
    }

    fn totals_exceeded(&self, wanted: &Counts, taken: &Occupancy) -> Option<Misfit> {
        let sum = |counts: &Counts, of: &dyn Fn(&Profile) -> u32| -> u32 {
            counts.iter().map(|(id, n)| u32::from(n) * of(self.get(id))).sum()
        };
        let compute = |p: &Profile| u32::from(p.compute_slices);
        let total = u32::from(self.compute_slices);
        let free = total.saturating_sub(sum(&taken.counts, &compute));
        let needed = sum(wanted, &compute);
        if needed > free {
            return Some(Misfit::Compute { wanted: needed, free, total });
        }
        let total = u32::from(self.units);
        let free = total.saturating_sub(taken.units.count_ones());
        let needed = sum(wanted, &|p| u32::from(p.size));
        if needed > free {
            return Some(Misfit::Memory { wanted: needed, free, total });
        }
        let (left, budget) = (taken.engines_left, self.engine_budget);
        EngineKind::ALL.into_iter().find_map(|kind| {
            let needed = sum(wanted, &|p| u32::from(kind.of(p.engines)));
            let short = kind.of(budget) != u16::MAX && needed > u32::from(kind.of(left));
            short.then(|| Misfit::Engines {
                kind,
                wanted: needed,
                left: kind.of(left).into(),
                total: kind.of(budget).into(),
            })
        })
    }

    /// Leaves out what is not needed for the misfit. What is left fits without any one of it.
    fn conflict(&self, mut wanted: Counts, pinned: &Layout, taken: &Occupancy) -> Misfit {
        let mut by_size: Vec<ProfileId> = wanted.iter().map(|(id, _)| id).collect();
        by_size.sort_by_key(|&id| (self.get(id).size, id));
        for id in by_size {
            while wanted[id] > 0 {
                let mut fewer = wanted;
                fewer[id] -= 1;
                if self.fits_beside(&fewer, taken) {
                    break;
                }
                wanted = fewer;
            }
        }
        let profiles: Vec<ConflictingProfile> =
            wanted.iter().map(|(id, n)| self.conflicting(id, n, pinned, taken)).collect();
        match &profiles[..] {
            [one] if one.wanted == 1 && one.free.is_empty() => {
                Misfit::NoStart { profile: one.profile.clone(), taken: one.taken.clone() }
            }
            _ => Misfit::Conflict { wanted: profiles },
        }
    }

    fn conflicting(&self, id: ProfileId, wanted: u8, pinned: &Layout, taken: &Occupancy) -> ConflictingProfile {
        let profile = self.get(id);
        let free = profile.starts.iter().copied().filter(|&start| profile.mask(start) & taken.units == 0).collect();
        ConflictingProfile { profile: profile.name.clone(), wanted, free, taken: TakenStart::all(self, id, pinned) }
    }
}

impl EngineKind {
    const ALL: [EngineKind; 4] = [EngineKind::Decoders, EngineKind::Encoders, EngineKind::Jpeg, EngineKind::Ofa];

    fn of(self, engines: super::model::Engines) -> u16 {
        match self {
            EngineKind::Decoders => engines.decoders,
            EngineKind::Encoders => engines.encoders,
            EngineKind::Jpeg => engines.jpeg,
            EngineKind::Ofa => engines.ofa,
        }
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EngineKind::Decoders => "decoders (NVDEC)",
            EngineKind::Encoders => "encoders (NVENC)",
            EngineKind::Jpeg => "JPEG decoders",
            EngineKind::Ofa => "optical flow accelerators",
        })
    }
}

impl fmt::Display for ConflictingProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let starts: Vec<String> = self.free.iter().map(u8::to_string).collect();
        match &starts[..] {
            [] => write!(f, "{} has no start left", self.profile)?,
            _ => write!(f, "{} can start at {}", self.profile, list(&starts))?,
        }
        let taken: Vec<String> = self.taken.iter().map(TakenStart::to_string).collect();
        if taken.is_empty() { Ok(()) } else { write!(f, " ({})", taken.join(", ")) }
    }
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Misfit::Input(error) => error.fmt(f),
            Misfit::Maximum { profile, wanted, present: 0, most } => {
                write!(f, "{wanted} of {profile}, but there may be at most {most} on one GPU")
            }
            Misfit::Maximum { profile, wanted, present, most } => {
                write!(
                    f,
                    "{wanted} of {profile} beside the {present} there, but there may be at most {most} on one GPU"
                )
            }
            Misfit::Compute { wanted, free, total } => {
                write!(f, "{wanted} compute slices are needed, {free} of {total} are free")
            }
            Misfit::Memory { wanted, free, total } => {
                write!(f, "{wanted} placement units of memory are needed, {free} of {total} are free")
            }
            Misfit::Engines { kind, wanted, left, total } => {
                write!(f, "{wanted} {kind} are needed, {left} of {total} are left")
            }
            Misfit::NoStart { profile, taken } => {
                let taken: Vec<String> = taken.iter().map(TakenStart::to_string).collect();
                write!(f, "no start is left for {profile}: {}", taken.join(", "))
            }
            Misfit::Conflict { wanted } => {
                let counts: Vec<String> = wanted.iter().map(|p| format!("{} of {}", p.wanted, p.profile)).collect();
                let reasons: Vec<String> = wanted.iter().map(ConflictingProfile::to_string).collect();
                write!(f, "{} cannot be there together: {}", list(&counts), reasons.join("; "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::geometry::{Catalog, Counts, Layout};

    fn check(model: &str, wanted: &str, pinned: &str, code: &str, said: &str) {
        let model = Catalog::builtin().model(model).unwrap();
        let wanted = Counts::parse(&model, wanted).unwrap();
        let found = model.why_not(&wanted, &Layout::parse(&model, pinned).unwrap());
        let (found_code, found) = found.map_or(("fits", String::new()), |m| (m.code(), m.to_string()));
        assert_eq!((found_code, found.as_str()), (code, said));
    }

    #[test]
    fn names_the_limit_that_binds() {
        check("H100-80GB", "3g.40gb=1,2g.20gb=1,1g.10gb=2", "empty", "fits", "");
        check(
            "H100-80GB",
            "3g.40gb=3",
            "empty",
            "too-many-instances",
            "3 of 3g.40gb, but there may be at most 2 on one GPU",
        );
        check(
            "H100-80GB",
            "1g.10gb+me",
            "1g.10gb+me@0",
            "too-many-instances",
            "1 of 1g.10gb+me beside the 1 there, but there may be at most 1 on one GPU",
        );
        check(
            "H100-80GB",
            "3g.40gb=2,1g.10gb=1",
            "empty",
            "memory-exceeded",
            "9 placement units of memory are needed, 8 of 8 are free",
        );
        check(
            "H100-80GB",
            "4g.40gb=1,3g.40gb=1,1g.10gb=1",
            "empty",
            "compute-exceeded",
            "8 compute slices are needed, 7 of 7 are free",
        );
        check(
            "RTX-PRO-6000",
            "1g.24gb+me.all=1,1g.24gb=1",
            "empty",
            "engines-exceeded",
            "5 decoders (NVDEC) are needed, 4 of 4 are left",
        );
        check(
            "A30",
            "1g.6gb+me=1,2g.12gb+me=1",
            "empty",
            "engines-exceeded",
            "2 JPEG decoders are needed, 1 of 1 are left",
        );
    }

    #[test]
    fn names_what_is_in_the_way() {
        check(
            "A100-80GB",
            "4g.40gb,1g.10gb",
            "1g.10gb@3",
            "no-start-left",
            "no start is left for 4g.40gb: 0 is taken by 1g.10gb@3",
        );
        check(
            "A100-80GB",
            "2g.20gb=3",
            "1g.10gb@0",
            "starts-conflict",
            "3 of 2g.20gb cannot be there together: 2g.20gb can start at 2 and 4 (0 is taken by 1g.10gb@0)",
        );
        check("A100-80GB", "3g.40gb=1,2g.20gb=1,1g.10gb=1", "1g.10gb@1", "fits", "");
        check(
            "A100-80GB",
            "3g.40gb=1,2g.20gb=1",
            "1g.10gb@0,1g.10gb@2",
            "starts-conflict",
            "1 of 2g.20gb and 1 of 3g.40gb cannot be there together: 2g.20gb can start at 4 (0 is taken by 1g.10gb@0, \
             2 is taken by 1g.10gb@2); 3g.40gb can start at 4 (0 is taken by 1g.10gb@0 and 1g.10gb@2)",
        );
    }

    #[test]
    fn input_that_is_none_is_said() {
        let catalog = Catalog::builtin();
        let (a30, h100) = (catalog.model("A30").unwrap(), catalog.model("H100-80GB").unwrap());
        let foreign = Counts::parse(&h100, "7g.80gb").unwrap();
        assert_eq!(a30.why_not(&foreign, &Layout::empty()).unwrap().code(), "unknown-profile");
        assert!(a30.place(&foreign, &Layout::empty()).is_err());
    }
}
