//! GPU models, profiles, placements and layouts: what one board can be cut into.
//!
//! Start with [`Catalog`], which gives a [`Model`] by name. A [`Model`] has [`Profile`]s; a profile at
//! a start is a [`Placement`]; non-overlapping placements are a [`Layout`]; a layout without its starts
//! is [`Counts`], the form in which mig-parted takes one. A [`Capability`] is everything a GPU in some
//! state can still take.
//!
//! What one can ask of a model, alone or beside pinned instances:
//! - [`Model::place`]: legal starts for some counts; [`Model::why_not`]: the reason if there are none.
//! - [`Model::completions`], [`Model::layouts`], [`Model::maximal_layouts`]: all there are.
//! - [`Model::stranded`]: what is free and yet lost, and what keeps it so.
//! - [`Model::creation_order`]: an order in which the driver, choosing the starts, creates everything.
//! - [`Model::resolve_devices`]: what a `mig-devices` map asks for, compute instances included.
//!
//! Nothing about a model is in code: all facts are in one catalogue file, each with its source.

mod catalog;
mod creation;
mod devices;
mod enumerate;
mod file;
mod fit;
mod instance;
mod layout;
mod misfit;
mod model;
mod name;
mod states;
mod stranded;

pub use catalog::{Catalog, ModelError, product_of};
pub use creation::{Creation, CreationOrder, NoOrder};
pub use devices::{DeviceError, DeviceProblem, Devices, GpuInstance};
pub use enumerate::Capability;
pub use file::{GeometryFile, GeometryFileError, GeometryProblem};
pub use instance::{Instance, TakenStart};
pub use layout::{Counts, Layout, LayoutError, Occupancy, Placement};
pub use misfit::{ConflictingProfile, EngineKind, Misfit};
pub use model::{
    ComputeInstanceProfile, Confidence, Disputed, Engines, MAX_PROFILES, MAX_UNITS, Model, NamedBy, OtherName,
    PciDevice, Profile, ProfileId, PublishedEngines, Sourced,
};
pub use name::{InvalidProfileName, ProfileName};
pub use states::{StateId, States, Step};
pub use stranded::{Blocked, Reach, Stranded, StrandedUnit};

pub(crate) use catalog::nearest;
