//! A live cluster: connecting to it, and reading of it what a dump would have.

mod connect;
mod error;
mod read;

pub use connect::{Access, Cluster};
pub use error::ClusterError;
pub(crate) use error::{Transient, is_absent, is_conflict, patiently, refused};
pub use read::NotRead;
pub(crate) use read::{in_pages, page};
