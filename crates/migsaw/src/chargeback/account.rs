//! From what was seen to what is billed.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::price::{apportion, size};
use super::sweep::{self, Rest};
use super::{By, Distribution, GpuRecord, Held, Ledger, LedgerError, Slice, Span, Terms, Use};

/// Who is billed for what, and what was idle, stranded and unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The period.
    pub period: Span,
    /// Totals by model, in alphabetical order.
    pub models: Vec<ModelAccount>,
    /// Who is billed, the largest share of all GPU-time first.
    pub lines: Vec<Line>,
    /// Instances and GPUs that nobody held, by model and slice.
    pub idle: Vec<SliceAccount>,
}

/// Time and money. Costs are rounded to a millionth in such a way that the parts of a total add up to it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// Seconds times placement units.
    pub unit_seconds: u64,
    /// What they cost, in millionths; `None` where some of it has no price.
    pub cost: Option<u64>,
}

/// The GPUs of a model: billed, idle, stranded and unknown make up all the time they were seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelAccount {
    /// The model; `unknown` if that is not known.
    pub model: String,
    /// Placement units of one of its GPUs.
    pub units: u64,
    /// How many GPUs.
    pub gpus: u64,
    /// Seconds they were seen in the period, added up.
    pub gpu_seconds: u64,
    /// Seconds of the period in which they were not seen, added up.
    pub unseen_seconds: u64,
    /// Held by somebody.
    pub billed: Amount,
    /// Instances and GPUs that nobody held.
    pub idle: Amount,
    /// No instance covers it.
    pub stranded: Amount,
    /// Nothing is known of it.
    pub unknown: Amount,
}

/// What is billed to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// To whom.
    pub who: String,
    /// For what, by model and slice.
    pub slices: Vec<SliceLine>,
}

/// What is billed to one for slices of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SliceLine {
    /// What was held, how long, and what that costs.
    pub account: SliceAccount,
    /// Seconds of that in which others held the same slice too. Each was billed an equal part, which is what counts
    /// here.
    pub shared_seconds: u64,
    /// The share of what is stranded on GPUs of the model, as time billed there is to all time billed there.
    pub stranded: Amount,
    /// How much of the time anything ran, in hundredths of a percent. Not comparable across profiles.
    pub engine: Distribution,
    /// How many multiprocessors of the slice were active, in hundredths of a percent.
    pub multiprocessors: Distribution,
    /// Samples of activity above 1, which were taken for 1.
    pub clamped: u64,
}

/// Slices of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SliceAccount {
    /// The model.
    pub model: String,
    /// The slice.
    pub slice: Slice,
    /// Seconds, added up over all slices.
    pub seconds: u64,
    /// The same in placement units, and what it costs.
    pub amount: Amount,
}

/// What the model of a GPU is called.
pub(super) fn model_name(gpu: &GpuRecord) -> String {
    gpu.model.as_ref().map_or_else(|| "unknown".to_owned(), |model| model.id.clone())
}

/// The statement of a ledger.
///
/// # Errors
/// [`LedgerError`] if the ledger contradicts itself or the catalogue.
///
/// # Complexity
/// That of sorting the holdings of each GPU.
pub fn statement(ledger: &Ledger, terms: &Terms) -> Result<Statement, LedgerError> {
    let Span { from, to } = ledger.period;
    if ledger.period.seconds() == 0 {
        return Err(LedgerError::EmptyPeriod { from, to });
    }
    let mut sums: BTreeMap<String, Sums> = BTreeMap::new();
    for gpu in &ledger.gpus {
        sums.entry(model_name(gpu)).or_default().add(gpu, ledger.period, &terms.by)?;
    }
    let mut uses: BTreeMap<(String, String, Slice), Vec<&Use>> = BTreeMap::new();
    for used in &ledger.uses {
        let model = used.model.as_ref().map_or("unknown", |model| &model.id).to_owned();
        uses.entry((model, terms.by.who(&used.holder), used.slice.clone())).or_default().push(used);
    }
    let mut lines: BTreeMap<String, Vec<SliceLine>> = BTreeMap::new();
    let (mut models, mut idle) = (Vec::new(), Vec::new());
    for (name, sums) in sums {
        let account = sums.priced(name, terms, &mut lines, &mut idle)?;
        models.push(account);
    }
    for (who, slices) in &mut lines {
        for line in slices {
            let key = (line.account.model.clone(), who.clone(), line.account.slice.clone());
            for used in uses.get(&key).into_iter().flatten() {
                line.engine.absorb(&used.engine);
                line.multiprocessors.absorb(&used.multiprocessors);
                line.clamped += used.clamped;
            }
        }
    }
    let mut lines: Vec<Line> = lines.into_iter().map(|(who, slices)| Line { who, slices }).collect();
    let units: BTreeMap<&str, u64> = models.iter().map(|model| (model.model.as_str(), model.units)).collect();
    lines.sort_by_cached_key(|line| {
        let time = |slice: &SliceLine| gpu_time(slice.account.amount.unit_seconds, units[slice.account.model.as_str()]);
        Reverse(line.slices.iter().map(time).sum::<u128>())
    });
    Ok(Statement { period: ledger.period, models, lines, idle })
}

/// Parts of a second of a GPU: the units of all models that are built in divide their number.
pub const GPU_PARTS: u128 = 27_720;

/// Seconds times units as [parts](GPU_PARTS) of seconds of a GPU with so many units, to compare models by; rounded down
/// where the units do not divide their number.
pub fn gpu_time(unit_seconds: u64, units: u64) -> u128 {
    u128::from(unit_seconds) * GPU_PARTS / u128::from(units.max(1))
}

/// Seconds, and seconds times units.
#[derive(Debug, Clone, Copy, Default)]
struct Time {
    seconds: u64,
    unit_seconds: u64,
    shared: u64,
}

/// What is added up of the GPUs of one model.
#[derive(Debug, Default)]
struct Sums {
    units: u64,
    gpus: u64,
    seen: u64,
    unseen: u64,
    billed: BTreeMap<(String, Slice), Time>,
    idle: BTreeMap<Slice, Time>,
    stranded: u64,
    unknown: u64,
}

impl Sums {
    fn add(&mut self, gpu: &GpuRecord, period: Span, by: &By) -> Result<(), LedgerError> {
        self.units = gpu.units();
        self.gpus += gpu.count();
        let mut holdings = Vec::with_capacity(gpu.holdings.len());
        for holding in &gpu.holdings {
            let Some(span) = holding.span.within(period) else { continue };
            let Some(units) = size(gpu.model.as_deref(), &holding.slice) else {
                let model = gpu.model.as_ref().map(|model| model.id.clone());
                return Err(LedgerError::Profile { gpu: gpu.name.clone(), model, profile: holding.slice.to_string() });
            };
            holdings.push((holding, span, units));
        }
        let Rest { stranded, unknown, seen } = sweep::rest(gpu, &holdings, period)?;
        self.seen += seen * gpu.count();
        self.unseen = self.unseen.saturating_add((period.seconds() - seen).saturating_mul(gpu.count()));
        self.stranded += stranded;
        self.unknown += unknown;
        for (holding, span, units) in holdings {
            match &holding.held {
                Held::Unknown => self.unknown += span.seconds() * units,
                Held::Nobody => add(self.idle.entry(holding.slice.clone()).or_default(), span.seconds(), units, false),
                Held::By(holders) => {
                    let parts = apportion(u128::from(span.seconds()), &vec![1; holders.len()]);
                    for (holder, seconds) in holders.iter().zip(parts) {
                        let entry = self.billed.entry((by.who(holder), holding.slice.clone())).or_default();
                        add(entry, u64::try_from(seconds).unwrap_or(u64::MAX), units, holders.len() > 1);
                    }
                    if holders.is_empty() {
                        add(self.idle.entry(holding.slice.clone()).or_default(), span.seconds(), units, false);
                    }
                }
            }
        }
        Ok(())
    }

    /// With costs: those of all parts are rounded together, so that they add up.
    fn priced(
        self,
        model: String,
        terms: &Terms,
        lines: &mut BTreeMap<String, Vec<SliceLine>>,
        idle: &mut Vec<SliceAccount>,
    ) -> Result<ModelAccount, LedgerError> {
        let of_slice = |slice: &Slice, time: &Time| {
            let units = time.unit_seconds.checked_div(time.seconds).unwrap_or(0);
            Some(terms.prices.slice(&model, slice, units, self.units)? * u128::from(time.seconds))
        };
        let of_units = |seconds: u64| terms.prices.units(&model, seconds);
        let mut costs: Vec<Option<u128>> = Vec::new();
        costs.extend(self.billed.iter().map(|((_, slice), time)| of_slice(slice, time)));
        costs.extend(self.idle.iter().map(|(slice, time)| of_slice(slice, time)));
        costs.extend([of_units(self.stranded), of_units(self.unknown)]);
        let divisor = 3600 * u128::from(self.units.max(1));
        let weights: Vec<u128> = costs.iter().map(|cost| cost.unwrap_or(0)).collect();
        let whole = (weights.iter().sum::<u128>() + divisor / 2) / divisor;
        // Sums over models have to have room too.
        if whole > u128::from(i64::MAX.unsigned_abs() / 1024) {
            return Err(LedgerError::Cost { model });
        }
        let rounded = apportion(whole, &weights);
        let mut rounded =
            costs.iter().zip(rounded).map(|(cost, micros)| cost.map(|_| u64::try_from(micros).unwrap_or(u64::MAX)));
        let mut next = |unit_seconds| Amount {
            unit_seconds,
            cost: rounded.next().flatten().or((unit_seconds == 0 && !terms.prices.is_empty()).then_some(0)),
        };
        let mut billed = Vec::with_capacity(self.billed.len());
        for ((who, slice), time) in self.billed {
            let amount = next(time.unit_seconds);
            let account = SliceAccount { model: model.clone(), slice, seconds: time.seconds, amount };
            billed.push((who, account, time.shared));
        }
        let from = idle.len();
        for (slice, time) in self.idle {
            let amount = next(time.unit_seconds);
            idle.push(SliceAccount { model: model.clone(), slice, seconds: time.seconds, amount });
        }
        let (stranded, unknown) = (next(self.stranded), next(self.unknown));
        let account = ModelAccount {
            model,
            units: self.units,
            gpus: self.gpus,
            gpu_seconds: self.seen,
            unseen_seconds: self.unseen,
            billed: Amount::sum(billed.iter().map(|(_, account, _)| account.amount), terms),
            idle: Amount::sum(idle[from..].iter().map(|account| account.amount), terms),
            stranded,
            unknown,
        };
        let weights: Vec<u128> = billed.iter().map(|(_, a, _)| u128::from(a.amount.unit_seconds)).collect();
        let small = |n: u128| u64::try_from(n).unwrap_or(u64::MAX);
        let seconds = apportion(u128::from(stranded.unit_seconds), &weights);
        let costs = stranded.cost.map(|cost| apportion(u128::from(cost), &weights));
        for (index, (who, account, shared_seconds)) in billed.into_iter().enumerate() {
            let cost = costs.as_ref().map(|costs| small(costs[index]));
            lines.entry(who).or_default().push(SliceLine {
                account,
                shared_seconds,
                stranded: Amount { unit_seconds: small(seconds[index]), cost },
                engine: Distribution::default(),
                multiprocessors: Distribution::default(),
                clamped: 0,
            });
        }
        Ok(account)
    }
}

fn add(time: &mut Time, seconds: u64, units: u64, shared: bool) {
    time.seconds += seconds;
    time.unit_seconds += seconds * units;
    time.shared += if shared { seconds } else { 0 };
}

impl Amount {
    /// The sum; without a price if any part lacks one.
    pub(super) fn sum(parts: impl Iterator<Item = Amount>, terms: &Terms) -> Amount {
        let zero = Amount { unit_seconds: 0, cost: (!terms.prices.is_empty()).then_some(0) };
        parts.fold(zero, |sum, part| Amount {
            unit_seconds: sum.unit_seconds + part.unit_seconds,
            cost: sum.cost.zip(part.cost).map(|(a, b)| a + b),
        })
    }
}
