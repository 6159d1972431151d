//! Quantities, and what a pod asks for.

use std::ops::{Sub, SubAssign};

/// Thousandths of a CPU core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct CpuMilli(pub(super) u32);

/// Host memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct MemoryMib(pub(super) u32);

/// Thousandths of a GPU. On one GPU: `0..=1000`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct GpuMilli(pub(super) u32);

impl GpuMilli {
    pub(super) const WHOLE: Self = Self(1000);
}

macro_rules! subtractable {
    ($($quantity:ident),*) => {$(
        impl Sub for $quantity {
            type Output = Self;

            fn sub(self, other: Self) -> Self {
                Self(self.0 - other.0)
            }
        }

        impl SubAssign for $quantity {
            fn sub_assign(&mut self, other: Self) {
                self.0 -= other.0;
            }
        }
    )*};
}

subtractable!(CpuMilli, MemoryMib, GpuMilli);

/// What a pod asks of the GPUs of one node. A share never spans two GPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum GpuDemand {
    None,
    /// Part of one GPU, `1..=999`.
    Share(GpuMilli),
    /// This many whole GPUs, at least one.
    Whole(usize),
}

impl GpuDemand {
    /// Demand on each of the [`count`](Self::count) GPUs.
    pub(super) fn each(self) -> GpuMilli {
        match self {
            Self::None => GpuMilli(0),
            Self::Share(milli) => milli,
            Self::Whole(_) => GpuMilli::WHOLE,
        }
    }

    /// GPUs touched.
    pub(super) fn count(self) -> usize {
        match self {
            Self::None => 0,
            Self::Share(_) => 1,
            Self::Whole(count) => count,
        }
    }

    /// Demand over all GPUs.
    pub(super) fn total(self) -> GpuMilli {
        // A count is at most eight: the parser refuses more.
        (0..self.count()).fold(GpuMilli(0), |sum, _| GpuMilli(sum.0 + self.each().0))
    }
}

/// GPU models as bits, one per model of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Models(pub(super) u32);

impl Models {
    pub(super) const ANY: Self = Self(u32::MAX);

    pub(super) fn allow(self, model: Self) -> bool {
        self.0 & model.0 != 0
    }
}

/// Everything the scheduler knows of a pod. Pods with equal specs are interchangeable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PodSpec {
    pub(super) cpu: CpuMilli,
    pub(super) memory: MemoryMib,
    pub(super) gpu: GpuDemand,
    pub(super) models: Models,
    /// The trace's spelling of `models`. Two spellings of one set are two kinds of pod when kinds
    /// are counted, as in the original.
    pub(super) models_text: String,
}
