//! What can be wrong or doubtful about an entry.

use std::fmt;

use migsaw::geometry::{DeviceProblem, Misfit, ProfileName};

/// Something wrong or doubtful.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The line of the rule, from 1; 0 if it was not read from a file.
    pub line: u64,
    /// The model it shows on, by id; `None` if on any.
    pub model: Option<String>,
    /// What it is.
    pub kind: FindingKind,
}

/// What is wrong or doubtful about a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum FindingKind {
    /// The model does not have what is asked for.
    Device(DeviceProblem),
    /// The instances do not fit on one GPU.
    DoesNotFit(Misfit),
    /// They fit, but no order of creation makes the driver place them so.
    NoOrder {
        /// The proof, a sentence.
        proof: String,
    },
    /// No model of the catalogue has all the profiles.
    NoModel {
        /// The profiles.
        profiles: Vec<ProfileName>,
        /// Names that may have been meant, if a profile is one that no model has.
        nearest: Vec<String>,
    },
    /// It can be created on some models that have the profiles, but not on this one.
    NotOnThisModel {
        /// What keeps it from being created there.
        reason: String,
    },
    /// The rule and a later one set the mode of the same GPU differently.
    ModeConflict {
        /// Whether this rule enables MIG.
        enables: bool,
        /// The line of the later rule; 0 if it was not read from a file.
        later: u64,
    },
    /// Sources disagree whether it can be created.
    Disputed {
        /// What speaks against it.
        evidence: String,
    },
    /// No known model has that PCI id, so the rule was not judged for it.
    UnknownDevice {
        /// The filter.
        filter: String,
    },
    /// The geometry of the model with that PCI id is not known.
    ModelWithoutGeometry {
        /// The filter.
        filter: String,
        /// What is missing.
        reason: String,
    },
    /// The filter is malformed and matches nothing.
    MalformedFilter {
        /// The filter.
        filter: String,
        /// What would have been right.
        suggestion: String,
    },
    /// Nothing of the entry is about a GPU it could be judged on.
    NotJudged,
    /// The list of GPUs is empty, so the rule does nothing.
    NoDevices,
    /// The name is no label value, and MIG Manager takes the entry's name from a node label.
    NoLabelValue {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A count of zero, which keeps mig-parted from ever seeing the configuration as applied.
    ZeroCount {
        /// The profile.
        profile: ProfileName,
    },
}

impl FindingKind {
    /// Whether the entry is wrong, and not just doubtful.
    pub fn is_error(&self) -> bool {
        matches!(
            self,
            FindingKind::Device(_)
                | FindingKind::DoesNotFit(_)
                | FindingKind::NoOrder { .. }
                | FindingKind::NoModel { .. }
                | FindingKind::ModeConflict { .. }
                | FindingKind::MalformedFilter { .. }
        )
    }

    /// A stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            FindingKind::Device(problem) => problem.code(),
            FindingKind::DoesNotFit(misfit) => misfit.code(),
            FindingKind::NoOrder { .. } => "no-creation-order",
            FindingKind::NoModel { .. } => "no-such-model",
            FindingKind::Disputed { .. } => "disputed",
            FindingKind::UnknownDevice { .. } => "unknown-device",
            FindingKind::ModelWithoutGeometry { .. } => "model-without-geometry",
            FindingKind::MalformedFilter { .. } => "malformed-filter",
            FindingKind::NotOnThisModel { .. } => "not-on-every-model",
            FindingKind::ModeConflict { .. } => "mode-conflict",
            FindingKind::NotJudged => "not-judged",
            FindingKind::NoDevices => "no-devices",
            FindingKind::NoLabelValue { .. } => "no-label-value",
            FindingKind::ZeroCount { .. } => "zero-count",
        }
    }
}

impl fmt::Display for FindingKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FindingKind::Device(problem) => problem.fmt(f),
            FindingKind::DoesNotFit(misfit) => misfit.fmt(f),
            FindingKind::NoOrder { proof } => write!(f, "it fits, but cannot be created: {proof}"),
            FindingKind::NoModel { profiles, nearest } => {
                let names: Vec<String> = profiles.iter().map(ToString::to_string).collect();
                write!(f, "no known model has {}", and(&names))?;
                if nearest.is_empty() { Ok(()) } else { write!(f, " (nearest: {})", nearest.join(", ")) }
            }
            FindingKind::NotOnThisModel { reason } => write!(f, "it cannot be created there: {reason}"),
            FindingKind::ModeConflict { enables, later } => {
                let (here, there) = if *enables { ("on", "off") } else { ("off", "on") };
                let later = if *later > 0 { format!("line {later}") } else { "a later rule".to_owned() };
                write!(f, "MIG is {here} here, and {later} turns it {there} for the same GPU: ")?;
                f.write_str("mig-parted sets the mode of the last rule first, and then fails at this one")
            }
            FindingKind::Disputed { evidence } => write!(f, "sources disagree whether this can be created: {evidence}"),
            FindingKind::UnknownDevice { filter } => {
                write!(f, "no known model has the PCI id {filter}: not judged there")
            }
            FindingKind::ModelWithoutGeometry { filter, reason } => {
                write!(f, "not judged for the PCI id {filter}: {reason}")
            }
            FindingKind::MalformedFilter { filter, suggestion } => {
                write!(f, "the device filter `{filter}` matches no GPU ({suggestion})")
            }
            FindingKind::NotJudged => f.write_str("not judged: its rules are about none of the models asked for"),
            FindingKind::NoDevices => f.write_str("`devices` is an empty list, so the rule is about no GPU"),
            FindingKind::NoLabelValue { reason } => {
                write!(f, "no node can be labelled with this name, so MIG Manager never applies it: {reason}")
            }
            FindingKind::ZeroCount { profile } => {
                write!(
                    f,
                    "the count of {profile} is 0, so mig-parted never sees the configuration as applied (leave it out)"
                )
            }
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(model) = &self.model {
            write!(f, "on {model}: ")?;
        }
        self.kind.fmt(f)
    }
}

fn and(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
