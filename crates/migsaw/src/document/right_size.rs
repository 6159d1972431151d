//! The document of what could be smaller.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::chargeback::{ActivityForm, AmountForm, PeriodForm, PriceForm, by, prices};
use super::{API_VERSION, Decimal};
use crate::chargeback::{Advice, ComputeMetric, Gap, RightSizing, Span, Terms};

/// What `kind` says in an answer about what could be smaller.
pub const KIND: &str = "RightSizing";

/// What was used of each slice, and the smaller one that would do: the output of `migsaw right-size`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "RightSizing")]
pub struct RightSizeDocument {
    /// Version of this form: `migsaw.io/v1alpha1`.
    #[schemars(extend("const" = API_VERSION))]
    pub api_version: String,
    /// `RightSizing`.
    #[schemars(extend("const" = KIND))]
    pub kind: String,
    /// The period.
    pub period: PeriodForm,
    /// Whose slices are looked at together: `namespace`, `pod`, `label` or `tenant`.
    pub by: String,
    /// So much more than was used is asked for.
    pub headroom: String,
    /// The prices.
    pub prices: Vec<PriceForm>,
    /// One for each holder, model and slice; those that free most first.
    pub advice: Vec<AdviceForm>,
}

/// A slice, what was used of it, and what would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Advice")]
pub struct AdviceForm {
    /// Who held it.
    pub who: String,
    /// The model.
    pub model: String,
    /// Placement units of one of its GPUs.
    pub units: u64,
    /// The profile, or `whole GPU`.
    pub slice: String,
    /// How long, in seconds, added up.
    pub seconds: u64,
    /// The same in placement units, and what that costs.
    pub held: AmountForm,
    /// Memory.
    pub memory: MemoryForm,
    /// Compute.
    pub compute: ComputeForm,
    /// The smaller profile of the model that would do; left out if none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smaller: Option<String>,
    /// What that frees, had it been held all the while.
    pub frees: AmountForm,
    /// What is not known, and therefore taken to be needed as it is.
    pub gaps: Vec<GapForm>,
}

/// Memory of a slice, in MiB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Memory")]
pub struct MemoryForm {
    /// What the slice has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub has_mib: Option<u32>,
    /// How many samples there are of what was in use.
    pub samples: u64,
    /// The most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_mib: Option<u32>,
    /// What 99 of 100 samples do not exceed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p99_mib: Option<u32>,
    /// The most with headroom, which a smaller slice must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needed_mib: Option<u32>,
}

/// Compute of a slice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Compute")]
pub struct ComputeForm {
    /// Compute slices that it has.
    pub slices: u8,
    /// What was measured: `SM_ACTIVE`, or `GR_ENGINE_ACTIVE` where that is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<String>,
    /// The share of the slice that was active.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<ActivityForm>,
    /// Samples above 1, which were taken for 1.
    pub clamped_samples: u64,
    /// Compute slices for 99 of 100 samples, with headroom, which a smaller slice must have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needed_slices: Option<Decimal>,
}

/// What is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "Gap")]
pub enum GapForm {
    /// There is no sample of memory in use (`DCGM_FI_DEV_FB_USED`).
    Memory,
    /// There is no sample of activity.
    Compute,
    /// The model, or the memory of its slices, is not known.
    Model,
    /// Several whole GPUs are held at a time: whether instances would do is not told by how much is used.
    Several,
}

impl RightSizeDocument {
    /// The document of an answer.
    pub fn new(found: &RightSizing, period: Span, terms: &Terms) -> RightSizeDocument {
        RightSizeDocument {
            api_version: API_VERSION.to_owned(),
            kind: KIND.to_owned(),
            period: PeriodForm::new(period),
            by: by(&terms.by).to_owned(),
            headroom: found.headroom.to_string(),
            prices: prices(&terms.prices),
            advice: found.advice.iter().map(AdviceForm::new).collect(),
        }
    }
}

impl AdviceForm {
    fn new(advice: &Advice) -> AdviceForm {
        let metric = advice.metric.map(|metric| match metric {
            ComputeMetric::Multiprocessors => "SM_ACTIVE".to_owned(),
            ComputeMetric::Engine => "GR_ENGINE_ACTIVE".to_owned(),
        });
        let gaps = advice.gaps.iter().map(|gap| match gap {
            Gap::Memory => GapForm::Memory,
            Gap::Compute => GapForm::Compute,
            Gap::Model => GapForm::Model,
            Gap::Several => GapForm::Several,
        });
        let of_slices = |share: u64| Decimal::of_micros(i64::try_from(share * 100).unwrap_or(i64::MAX));
        AdviceForm {
            who: advice.who.clone(),
            model: advice.model.clone(),
            units: advice.units,
            slice: advice.slice.to_string(),
            seconds: advice.seconds,
            held: AmountForm::new(advice.held),
            memory: MemoryForm {
                has_mib: advice.memory_mib,
                samples: advice.memory.count(),
                max_mib: advice.memory.max(),
                p99_mib: advice.memory.percentile(99),
                needed_mib: advice.needed_mib,
            },
            compute: ComputeForm {
                slices: advice.compute_slices,
                metric,
                active: ActivityForm::new(&advice.compute),
                clamped_samples: advice.clamped,
                needed_slices: advice.needed_compute.map(of_slices),
            },
            smaller: advice.smaller.as_ref().map(ToString::to_string),
            frees: AmountForm::new(advice.frees),
            gaps: gaps.collect(),
        }
    }
}
