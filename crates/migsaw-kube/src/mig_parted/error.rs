//! Why a file is no configuration file.

use std::fmt;

/// Everything that is wrong with a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(pub Vec<ConfigError>);

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, error) in self.0.iter().enumerate() {
            write!(f, "{}{error}", if i > 0 { "; " } else { "" })?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The line of the file, from 1; 0 if unknown.
    pub line: u64,
    /// What is wrong.
    pub problem: ConfigProblem,
}

impl ConfigError {
    /// A stable code for programs.
    pub fn code(&self) -> &'static str {
        self.problem.code()
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        self.problem.fmt(f)
    }
}

impl std::error::Error for ConfigError {}

/// What is wrong with a configuration file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigProblem {
    /// It is not text.
    #[error("not UTF-8 text at byte {offset}")]
    NotUtf8 {
        /// The first byte that is wrong, from 0.
        offset: usize,
    },
    /// It is no YAML.
    #[error("{reason}")]
    Syntax {
        /// What the parser says.
        reason: String,
    },
    /// There are several documents.
    #[error("the file has {found} documents (expected one, or one ConfigMap with the key `config.yaml`)")]
    SeveralDocuments {
        /// How many.
        found: usize,
    },
    /// A `ConfigMap` without the key that MIG Manager reads.
    #[error("the ConfigMap has no key `config.yaml` (its keys: {})", keys.join(", "))]
    NoConfigKey {
        /// The keys there are.
        keys: Vec<String>,
    },
    /// A Kubernetes object of another kind.
    #[error("this is a {kind} (expected a mig-parted file, or a ConfigMap with the key `config.yaml`)")]
    OtherKind {
        /// The kind.
        kind: String,
    },
    /// A value of the wrong type.
    #[error("{place} must be {expected}, not {found}")]
    Type {
        /// Which value.
        place: String,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A field that is none.
    #[error("{place} has no field `{field}` (there are {})", known.join(", "))]
    UnknownField {
        /// The file or an entry.
        place: String,
        /// The unknown name.
        field: String,
        /// The names there are.
        known: &'static [&'static str],
    },
    /// A field that must be there.
    #[error("{place} lacks the field `{field}`")]
    MissingField {
        /// The file or an entry.
        place: String,
        /// The missing name.
        field: &'static str,
    },
    /// A version other than `v1`.
    #[error("version `{found}` is not known (expected `v1`)")]
    UnknownVersion {
        /// The version.
        found: String,
    },
    /// Nothing where there must be something.
    #[error("{place} is empty (at least one entry is needed)")]
    Empty {
        /// `mig-configs` or an entry.
        place: String,
    },
    /// `devices` is a word other than `all`.
    #[error("`devices` of {place} is `{found}` (expected `all` or a list of GPU indices)")]
    UnknownDevices {
        /// The entry.
        place: String,
        /// The word.
        found: String,
    },
    /// A number outside its range.
    #[error("{place} is {found} (expected a whole number from 0 to 4294967295, without fraction or leading zero)")]
    Number {
        /// Which number.
        place: String,
        /// The number.
        found: String,
    },
    /// MIG is on and nothing says what for.
    #[error("{place} has `mig-enabled: true` but no `mig-devices` (an empty map stands for none)")]
    DevicesMissing {
        /// The entry.
        place: String,
    },
    /// MIG is off and there are MIG devices.
    #[error("{place} has `mig-enabled: false` and `mig-devices` (leave them out, or enable MIG)")]
    DevicesWithoutMig {
        /// The entry.
        place: String,
    },
    /// Every count is zero.
    #[error("all counts in `mig-devices` of {place} are zero (an empty map stands for none)")]
    AllZero {
        /// The entry.
        place: String,
    },
    /// A name that is no profile's.
    #[error("{place}: {error}")]
    ProfileName {
        /// The entry.
        place: String,
        /// What is wrong with the name.
        error: migsaw::geometry::InvalidProfileName,
    },
}

impl ConfigProblem {
    /// A stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            ConfigProblem::NotUtf8 { .. } => "not-utf8",
            ConfigProblem::Syntax { .. } => "syntax",
            ConfigProblem::SeveralDocuments { .. } => "several-documents",
            ConfigProblem::NoConfigKey { .. } => "no-config-key",
            ConfigProblem::OtherKind { .. } => "other-kind",
            ConfigProblem::Type { .. } => "wrong-type",
            ConfigProblem::UnknownField { .. } => "unknown-field",
            ConfigProblem::MissingField { .. } => "missing-field",
            ConfigProblem::UnknownVersion { .. } => "unknown-version",
            ConfigProblem::Empty { .. } => "empty-config",
            ConfigProblem::UnknownDevices { .. } => "unknown-devices",
            ConfigProblem::Number { .. } => "out-of-range",
            ConfigProblem::DevicesMissing { .. } => "mig-devices-missing",
            ConfigProblem::DevicesWithoutMig { .. } => "mig-devices-without-mig",
            ConfigProblem::AllZero { .. } => "all-counts-zero",
            ConfigProblem::ProfileName { .. } => "profile-name",
        }
    }
}
