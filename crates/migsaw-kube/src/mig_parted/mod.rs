//! mig-parted's configuration files: what MIG Manager is told to make of nodes.
//!
//! [`Config::read`] is strict in the way mig-parted is, and says everything that is wrong at once.
//! [`Config`] prints as such a file. [`validate()`] goes on where mig-parted's own check of a file ends:
//! whether each entry can be created on the GPUs it is for.

mod config;
mod device_filter;
mod error;
mod parse;
mod read;
mod tree;
mod validate;
mod write;

pub use config::{Config, Devices, Entry, Rule};
pub use device_filter::{BoardId, DeviceFilter};
pub use error::{ConfigError, ConfigErrors, ConfigProblem};
pub use validate::{EntryReport, Finding, FindingKind, Report, validate};
