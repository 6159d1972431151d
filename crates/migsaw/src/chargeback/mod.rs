//! Who used which slices over a period, what that costs, and what was idle or stranded.
//!
//! A [`Ledger`] says of every GPU when it was seen, when it is known how it was cut, and who held which instance from
//! when to when, in whole seconds. A [`Statement`] is worked out of it and of [`Prices`]. All is counted in integers:
//! time in seconds times *placement units*, as [`Profile::size`](crate::geometry::Profile::size) has them (memory
//! slices, and thirds of them on boards whose instances are cut finer), so that the instances of a GPU and what is
//! left of it always make up the GPU. Of a GPU that was seen each second of each unit is one of these:
//!
//! - *billed*: an instance that somebody held, or a whole GPU; several holders share equally;
//! - *idle*: an instance that nobody held;
//! - *stranded*: no instance covers it, so nobody could hold it without the GPU being cut anew;
//! - *unknown*: nothing is known of that time, and nothing is billed for it.
//!
//! Allocation is billed, not activity: who holds a slice keeps others from it. What a slice was seen to do stands
//! beside ([`Use`]). It is not comparable across profiles.
//!
//! ```
//! use migsaw::chargeback::{By, GpuRecord, Held, Holder, Holding, Ledger, Prices, Slice, Span, Terms, statement};
//! use migsaw::geometry::Catalog;
//!
//! let hour = Span::new(0, 3600);
//! let web = Holder { namespace: "shop".into(), pod: "web-0".into(), label: None };
//! let gpu = GpuRecord {
//!     name: "n1 GPU 0".into(),
//!     model: Some(Catalog::builtin().model("H100-80GB")?),
//!     seen: vec![hour],
//!     known: vec![hour],
//!     holdings: vec![Holding {
//!         slice: Slice::Profile("3g.40gb".parse()?),
//!         span: hour,
//!         held: Held::By([web].into()),
//!     }],
//!     ..GpuRecord::default()
//! };
//! let ledger = Ledger { period: hour, gpus: vec![gpu], uses: Vec::new() };
//! let prices = Prices { gpu_hour: [("H100-80GB".to_owned(), "4".parse()?)].into(), ..Prices::default() };
//! let statement = statement(&ledger, &Terms { prices, by: By::Namespace })?;
//! let total = &statement.models[0];
//! // Half of the GPU's eight units; the other half no instance covers.
//! assert_eq!((total.billed.unit_seconds, total.stranded.unit_seconds), (4 * 3600, 4 * 3600));
//! assert_eq!(total.billed.cost, Some(2_000_000));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod account;
mod price;
mod right_size;
mod sweep;
mod usage;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::geometry::{Model, ProfileName};

pub use account::{Amount, GPU_PARTS, Line, ModelAccount, SliceAccount, SliceLine, Statement, gpu_time, statement};
pub use price::Prices;
pub use right_size::{Advice, ComputeMetric, Gap, RightSizing, right_size};
pub use usage::{Distribution, Use};

/// From one second to another, in seconds since 1970: the first belongs to it, the last does not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// The first second.
    pub from: i64,
    /// The second behind the last.
    pub to: i64,
}

impl Span {
    /// From one second to another.
    pub fn new(from: i64, to: i64) -> Span {
        Span { from, to }
    }

    /// How many seconds; none if it ends before it begins.
    pub fn seconds(self) -> u64 {
        u64::try_from(i128::from(self.to) - i128::from(self.from)).unwrap_or(0)
    }

    /// The part of it that lies in another; `None` if that is nothing.
    #[must_use]
    pub fn within(self, other: Span) -> Option<Span> {
        let part = Span { from: self.from.max(other.from), to: self.to.min(other.to) };
        (part.from < part.to).then_some(part)
    }
}

/// What was seen of a fleet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    /// The period. Nothing outside of it counts.
    pub period: Span,
    /// The GPUs.
    pub gpus: Vec<GpuRecord>,
    /// What the slices were seen to do.
    pub uses: Vec<Use>,
}

impl Ledger {
    /// Gives pods their labels, by namespace and name. What metrics say may be a label of the exporter that was scraped.
    pub fn add_labels(&mut self, labels: &BTreeMap<(String, String), String>) {
        let labelled = |mut holder: Holder| {
            let found = labels.get(&(holder.namespace.clone(), holder.pod.clone())).cloned();
            holder.label = found.or(holder.label.take());
            holder
        };
        for holding in self.gpus.iter_mut().flat_map(|gpu| &mut gpu.holdings) {
            if let Held::By(holders) = &mut holding.held {
                *holders = std::mem::take(holders).into_iter().map(labelled).collect();
            }
        }
        for used in &mut self.uses {
            used.holder = labelled(std::mem::take(&mut used.holder));
        }
    }
}

/// What was seen of a GPU, or of GPUs of a node that nobody tells apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GpuRecord {
    /// What it is called in errors.
    pub name: String,
    /// Its model, if that is known. Of others only whole GPUs can be held.
    pub model: Option<Arc<Model>>,
    /// How many GPUs; 0 counts as 1.
    pub count: u32,
    /// When it was seen: apart from each other, ascending.
    pub seen: Vec<Span>,
    /// When it is known how it was cut: parts of `seen`, apart from each other, ascending.
    pub known: Vec<Span>,
    /// Instances, each from when to when nothing changed.
    pub holdings: Vec<Holding>,
}

impl GpuRecord {
    fn count(&self) -> u64 {
        u64::from(self.count.max(1))
    }

    fn units(&self) -> u64 {
        self.model.as_ref().map_or(1, |model| u64::from(model.units))
    }
}

/// An instance, or a whole GPU, over a time in which nothing changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// What it is.
    pub slice: Slice,
    /// From when to when.
    pub span: Span,
    /// Who held it.
    pub held: Held,
}

/// What can be held.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Slice {
    /// An instance of a profile.
    Profile(ProfileName),
    /// A GPU with MIG off.
    WholeGpu,
}

impl fmt::Display for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Slice::Profile(name) => name.fmt(f),
            Slice::WholeGpu => f.write_str("whole GPU"),
        }
    }
}

/// Who held something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Held {
    /// These, equally. Several where an instance is shared by time.
    By(BTreeSet<Holder>),
    /// Nobody.
    Nobody,
    /// That is not known, only that the instance was there.
    Unknown,
}

/// A pod.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Holder {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub pod: String,
    /// The value of the label that is asked about, if it has it.
    pub label: Option<String>,
}

/// Who is billed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum By {
    /// Namespaces.
    #[default]
    Namespace,
    /// Pods.
    Pod,
    /// Values of the label that [`Holder::label`] has.
    Label,
    /// Tenants, by namespace. Namespaces of no tenant stand for themselves, marked where a tenant is called like them.
    Tenant(BTreeMap<String, String>),
}

impl By {
    /// What stands for pods without the label.
    pub const WITHOUT_LABEL: &'static str = "(without the label)";

    /// The one who is billed for a pod.
    pub fn who(&self, holder: &Holder) -> String {
        match self {
            By::Namespace => holder.namespace.clone(),
            By::Pod => format!("{}/{}", holder.namespace, holder.pod),
            By::Label => holder.label.clone().unwrap_or_else(|| By::WITHOUT_LABEL.to_owned()),
            By::Tenant(tenants) => match tenants.get(&holder.namespace) {
                Some(tenant) => tenant.clone(),
                None if tenants.values().any(|tenant| *tenant == holder.namespace) => {
                    format!("{} (namespace)", holder.namespace)
                }
                None => holder.namespace.clone(),
            },
        }
    }
}

/// How to bill.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Terms {
    /// What things cost.
    pub prices: Prices,
    /// Who is billed.
    pub by: By,
}

/// Why a ledger makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The period has no second.
    #[error("the period has no second: it ends at {to}, and begins at {from}")]
    EmptyPeriod {
        /// Its first second.
        from: i64,
        /// The second behind its last.
        to: i64,
    },
    /// A profile that the model lacks, or any on a GPU whose model is not known.
    #[error("{gpu} cannot have {profile}: {} has no such profile", model.as_deref().unwrap_or("a GPU of unknown model"))]
    Profile {
        /// The GPU.
        gpu: String,
        /// Its model.
        model: Option<String>,
        /// The profile.
        profile: String,
    },
    /// Instances that take more than the GPU has.
    #[error("{gpu}: the instances at second {at} take {taken} of {units} placement units")]
    Overfull {
        /// The GPU.
        gpu: String,
        /// When.
        at: i64,
        /// Units they take.
        taken: u64,
        /// Units there are.
        units: u64,
    },
    /// Something is held while the GPU is not seen, or spans overlap.
    #[error("{gpu}: what is said of second {at} contradicts itself (expected spans apart, holdings in what was seen)")]
    Outside {
        /// The GPU.
        gpu: String,
        /// When.
        at: i64,
    },
    /// More money than can be added up.
    #[error("the GPUs of {model} cost more than can be added up (at most about 9 billion)")]
    Cost {
        /// The model.
        model: String,
    },
}

impl LedgerError {
    /// A stable code for programs; `docs/errors.md` lists them.
    pub fn code(&self) -> &'static str {
        match self {
            LedgerError::EmptyPeriod { .. } => "empty-period",
            LedgerError::Profile { .. } => "ledger-profile",
            LedgerError::Overfull { .. } => "ledger-overfull",
            LedgerError::Outside { .. } => "ledger-outside",
            LedgerError::Cost { .. } => "ledger-cost",
        }
    }
}
