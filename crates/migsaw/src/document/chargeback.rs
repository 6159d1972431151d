//! The document of who is billed for what.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{API_VERSION, Decimal};
use crate::chargeback::{
    Amount, By, Distribution, ModelAccount, Prices, SliceAccount, SliceLine, Span, Statement, Terms,
};

/// What `kind` says in a statement.
pub const KIND: &str = "Chargeback";

/// Who used which slices, and what that costs: the output of `migsaw chargeback`.
///
/// Times are seconds; those in placement units are seconds times the units a slice takes, of which a GPU has as many
/// as its model says. Billed, idle, stranded and unknown add up to the seconds the GPUs were seen, times their units.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Chargeback")]
pub struct ChargebackDocument {
    /// Version of this form: `migsaw.io/v1alpha1`.
    #[schemars(extend("const" = API_VERSION))]
    pub api_version: String,
    /// `Chargeback`.
    #[schemars(extend("const" = KIND))]
    pub kind: String,
    /// The period.
    pub period: PeriodForm,
    /// For how many seconds a sample holds at most; left out where there are no samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_seconds: Option<u32>,
    /// Who is billed: `namespace`, `pod`, `label` or `tenant`.
    pub by: String,
    /// The prices.
    pub prices: Vec<PriceForm>,
    /// Totals by model.
    pub models: Vec<ModelForm>,
    /// Who is billed, the largest share of all GPU-time first.
    pub lines: Vec<LineForm>,
    /// What nobody held.
    pub idle: Vec<SliceForm>,
}

/// A period.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Period")]
pub struct PeriodForm {
    /// Its first second, in RFC 3339.
    pub start: String,
    /// The second behind its last, in RFC 3339.
    pub end: String,
    /// How many seconds.
    pub seconds: u64,
}

/// What an hour costs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Price")]
pub struct PriceForm {
    /// Of a GPU of this model, or of slices on it; left out for any model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Of an instance of this profile; left out for the GPU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// What it costs.
    pub per_hour: Decimal,
}

/// Time and money.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Amount")]
pub struct AmountForm {
    /// Seconds times placement units.
    pub unit_seconds: u64,
    /// What that costs; left out where some of it has no price. Rounded so that parts add up to their total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Decimal>,
}

/// The GPUs of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Model")]
pub struct ModelForm {
    /// The model; `unknown` if that is not known.
    pub model: String,
    /// Placement units of one of its GPUs.
    pub units: u64,
    /// How many GPUs.
    pub gpus: u64,
    /// Seconds they were seen, added up.
    pub gpu_seconds: u64,
    /// Seconds of the period in which they were not seen, added up.
    pub unseen_seconds: u64,
    /// Held by somebody.
    pub billed: AmountForm,
    /// Instances, and GPUs with MIG off, that nobody held.
    pub idle: AmountForm,
    /// What no instance covers.
    pub stranded: AmountForm,
    /// Of which nothing is known; nobody is billed for it.
    pub unknown: AmountForm,
}

/// What is billed to one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Line")]
pub struct LineForm {
    /// To whom.
    pub who: String,
    /// What the slices cost; left out where one has no price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Decimal>,
    /// The share of what stranded capacity costs, which is not part of `cost`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stranded_cost: Option<Decimal>,
    /// For what.
    pub slices: Vec<BilledForm>,
}

/// Slices of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Slices")]
pub struct SliceForm {
    /// The model.
    pub model: String,
    /// The profile, or `whole GPU`.
    pub slice: String,
    /// Seconds, added up over all slices.
    pub seconds: u64,
    /// The same in placement units, and what that costs.
    pub amount: AmountForm,
}

/// Slices of one kind that are billed to one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Billed")]
pub struct BilledForm {
    /// The model.
    pub model: String,
    /// The profile, or `whole GPU`.
    pub slice: String,
    /// Seconds, added up over all slices.
    pub seconds: u64,
    /// The same in placement units, and what that costs.
    pub amount: AmountForm,
    /// Seconds of these in which others held the same slice too; each was billed an equal part.
    pub shared_seconds: u64,
    /// The share of what is stranded on GPUs of the model.
    pub stranded: AmountForm,
    /// How much of the time anything ran. For information: it is not comparable across profiles.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine_active: Option<ActivityForm>,
    /// The share of the slice's multiprocessors with work. For information.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sm_active: Option<ActivityForm>,
    /// Samples of activity above 1, which were taken for 1.
    pub clamped_samples: u64,
}

/// An activity over the samples there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "Activity")]
pub struct ActivityForm {
    /// How many samples.
    pub samples: u64,
    /// The mean, from 0 to 1.
    pub mean: Decimal,
    /// What 99 of 100 samples do not exceed.
    pub p99: Decimal,
    /// The largest.
    pub max: Decimal,
}

impl ChargebackDocument {
    /// The document of a statement. `hold` is for how many seconds a sample holds, if there are any.
    pub fn new(statement: &Statement, terms: &Terms, hold: Option<u32>) -> ChargebackDocument {
        let lines = statement.lines.iter().map(|line| LineForm {
            who: line.who.clone(),
            cost: total(line.slices.iter().map(|slice| slice.account.amount)),
            stranded_cost: total(line.slices.iter().map(|slice| slice.stranded)),
            slices: line.slices.iter().map(BilledForm::new).collect(),
        });
        ChargebackDocument {
            api_version: API_VERSION.to_owned(),
            kind: KIND.to_owned(),
            period: PeriodForm::new(statement.period),
            hold_seconds: hold,
            by: by(&terms.by).to_owned(),
            prices: prices(&terms.prices),
            models: statement.models.iter().map(ModelForm::new).collect(),
            lines: lines.collect(),
            idle: statement.idle.iter().map(SliceForm::new).collect(),
        }
    }
}

/// Who is billed, in a word.
pub(super) fn by(by: &By) -> &'static str {
    match by {
        By::Namespace => "namespace",
        By::Pod => "pod",
        By::Label => "label",
        By::Tenant(_) => "tenant",
    }
}

pub(super) fn prices(prices: &Prices) -> Vec<PriceForm> {
    let gpus = prices.gpu_hour.iter().map(|(model, cost)| PriceForm {
        model: Some(model.clone()),
        profile: None,
        per_hour: (*cost).into(),
    });
    let slices = prices.slice_hour.iter().map(|((model, profile), cost)| PriceForm {
        model: model.clone(),
        profile: Some(profile.to_string()),
        per_hour: (*cost).into(),
    });
    gpus.chain(slices).collect()
}

/// The sum of costs, if all are known.
fn total(mut amounts: impl Iterator<Item = Amount>) -> Option<Decimal> {
    amounts.try_fold(0_u64, |sum, amount| Some(sum + amount.cost?)).map(micros)
}

pub(super) fn micros(micros: u64) -> Decimal {
    Decimal::of_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}

impl PeriodForm {
    pub(super) fn new(period: Span) -> PeriodForm {
        PeriodForm { start: rfc3339(period.from), end: rfc3339(period.to), seconds: period.seconds() }
    }
}

impl AmountForm {
    pub(super) fn new(amount: Amount) -> AmountForm {
        AmountForm { unit_seconds: amount.unit_seconds, cost: amount.cost.map(micros) }
    }
}

impl ModelForm {
    fn new(account: &ModelAccount) -> ModelForm {
        ModelForm {
            model: account.model.clone(),
            units: account.units,
            gpus: account.gpus,
            gpu_seconds: account.gpu_seconds,
            unseen_seconds: account.unseen_seconds,
            billed: AmountForm::new(account.billed),
            idle: AmountForm::new(account.idle),
            stranded: AmountForm::new(account.stranded),
            unknown: AmountForm::new(account.unknown),
        }
    }
}

impl SliceForm {
    fn new(account: &SliceAccount) -> SliceForm {
        SliceForm {
            model: account.model.clone(),
            slice: account.slice.to_string(),
            seconds: account.seconds,
            amount: AmountForm::new(account.amount),
        }
    }
}

impl BilledForm {
    fn new(line: &SliceLine) -> BilledForm {
        let SliceForm { model, slice, seconds, amount } = SliceForm::new(&line.account);
        BilledForm {
            model,
            slice,
            seconds,
            amount,
            shared_seconds: line.shared_seconds,
            stranded: AmountForm::new(line.stranded),
            engine_active: ActivityForm::new(&line.engine),
            sm_active: ActivityForm::new(&line.multiprocessors),
            clamped_samples: line.clamped,
        }
    }
}

impl ActivityForm {
    /// Of samples in hundredths of a percent; `None` without any.
    pub(super) fn new(samples: &Distribution) -> Option<ActivityForm> {
        let share = |hundredths: u32| Decimal::of_micros(i64::from(hundredths) * 100);
        Some(ActivityForm {
            samples: samples.count(),
            mean: share(samples.mean()?),
            p99: share(samples.percentile(99)?),
            max: share(samples.max()?),
        })
    }
}

/// A second since 1970 in RFC 3339, in UTC.
///
/// The day is found as in Howard Hinnant's "chrono-compatible low-level date algorithms", `civil_from_days`: in years
/// that begin in March, so that leap days are last.
fn rfc3339(second: i64) -> String {
    let (day, second) = (second.div_euclid(86_400) + 719_468, second.rem_euclid(86_400));
    let (era, day) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + next;
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chargeback::{GpuRecord, Held, Holder, Holding, Ledger, Slice, statement};
    use crate::geometry::Catalog;

    #[test]
    fn dates_are_those_of_the_calendar() {
        for (second, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_199, "2024-02-29T23:59:59Z"),
            (1_709_251_200, "2024-03-01T00:00:00Z"),
            (1_735_689_599, "2024-12-31T23:59:59Z"),
            (4_102_444_800, "2100-01-01T00:00:00Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(second), text);
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let hour = Span::new(1_700_000_000, 1_700_003_600);
        let model = Catalog::builtin().model("A30").unwrap();
        let holder = Holder { namespace: "a".into(), pod: "p".into(), label: None };
        let holding =
            Holding { slice: Slice::Profile("1g.6gb".parse().unwrap()), span: hour, held: Held::By([holder].into()) };
        let gpu = GpuRecord {
            model: Some(model),
            seen: vec![hour],
            known: vec![hour],
            holdings: vec![holding.clone(), Holding { held: Held::Nobody, ..holding }],
            ..GpuRecord::default()
        };
        let prices = Prices { gpu_hour: [("A30-24GB".to_owned(), "1".parse().unwrap())].into(), ..Prices::default() };
        let terms = Terms { prices, by: By::Pod };
        let ledger = Ledger { period: hour, gpus: vec![gpu], uses: Vec::new() };
        let document = ChargebackDocument::new(&statement(&ledger, &terms).unwrap(), &terms, Some(300));
        let json = serde_json::to_string(&document).unwrap();
        assert_eq!(serde_json::from_str::<ChargebackDocument>(&json).unwrap(), document);
        let cost = document.lines[0].cost.as_ref().map(Decimal::as_str);
        let stranded = document.lines[0].stranded_cost.as_ref().map(Decimal::as_str);
        assert_eq!((cost, stranded), (Some("0.25"), Some("0.5")), "{json}");
    }
}
