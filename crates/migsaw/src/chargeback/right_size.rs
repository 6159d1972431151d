//! What a slice was asked for, against what was used of it.
//!
//! A smaller profile of the same model would do if
//!
//! - its memory is at least the most memory ever in use, and the headroom;
//! - its compute slices are at least what was active of the slice's, and the headroom: the 99th percentile of
//!   `SM_ACTIVE` (or, where that is missing, of `GR_ENGINE_ACTIVE`) times the compute slices. A pod that lacks
//!   memory fails, one that lacks compute is slower: so the peak for one, a percentile for the other;
//! - it has the same attributes, such as `+me` for media engines;
//! - it costs no more, where both have a price.
//!
//! Of those the one that takes the fewest placement units is proposed, of these the one with the fewest compute
//! slices. What was not measured is taken to be needed as it is. Nothing is proposed for pods that hold several whole GPUs
//! at a time: a process sees one instance only, and instances have no peer access to each other ([`crate::advice`] has
//! the source), so whether instances would do is not told by how much is used.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::account::{gpu_time, model_name};
use super::{Amount, Distribution, Held, Holder, Ledger, LedgerError, Slice, Span, Terms, statement};
use crate::geometry::{Model, Profile, ProfileName};
use crate::whatif::BasisPoints;

/// What could be smaller, for everything that was held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RightSizing {
    /// One for each holder, model and slice; those that free most first.
    pub advice: Vec<Advice>,
    /// So much more than was used is asked for.
    pub headroom: BasisPoints,
}

/// A slice, what was used of it, and what would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advice {
    /// Who held it.
    pub who: String,
    /// The model.
    pub model: String,
    /// Placement units of one of its GPUs.
    pub units: u64,
    /// What was held.
    pub slice: Slice,
    /// How long, in seconds, added up.
    pub seconds: u64,
    /// The same in placement units, and what it costs.
    pub held: Amount,
    /// Memory that the slice has, in MiB; `None` if nobody publishes it.
    pub memory_mib: Option<u32>,
    /// Memory that was in use, in MiB.
    pub memory: Distribution,
    /// Compute slices of it; 0 if the model is not known.
    pub compute_slices: u8,
    /// What says how much compute was used.
    pub metric: Option<ComputeMetric>,
    /// How much of the slice's compute was used, in hundredths of a percent.
    pub compute: Distribution,
    /// Samples of that above 1, which were taken for 1.
    pub clamped: u64,
    /// Memory that is needed, with headroom, in MiB; `None` if it is not known.
    pub needed_mib: Option<u32>,
    /// Compute slices that are needed, with headroom, in ten thousandths; `None` if it is not known.
    pub needed_compute: Option<u64>,
    /// The smaller slice that would do; `None` if none does.
    pub smaller: Option<Slice>,
    /// What that frees, had it been held all the while.
    pub frees: Amount,
    /// What is not known, and therefore taken to be needed as it is.
    pub gaps: Vec<Gap>,
}

/// What compute was measured with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ComputeMetric {
    /// `DCGM_FI_PROF_SM_ACTIVE`: the share of multiprocessors with work.
    Multiprocessors,
    /// `DCGM_FI_PROF_GR_ENGINE_ACTIVE`: the share of time with any work.
    Engine,
}

/// What is missing for a judgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gap {
    /// There is no sample of memory in use.
    Memory,
    /// There is no sample of activity.
    Compute,
    /// The model is not known, or how much memory its slices have.
    Model,
    /// Several whole GPUs are held at a time: whether instances would do is not told by how much is used.
    Several,
}

/// What could be smaller.
///
/// # Errors
/// [`LedgerError`] as [`statement`] does.
pub fn right_size(ledger: &Ledger, terms: &Terms, headroom: BasisPoints) -> Result<RightSizing, LedgerError> {
    let statement = statement(ledger, terms)?;
    let models: BTreeMap<String, Option<Arc<Model>>> =
        ledger.gpus.iter().map(|gpu| (model_name(gpu), gpu.model.clone())).collect();
    let mut memory: BTreeMap<(String, String, Slice), Distribution> = BTreeMap::new();
    for used in &ledger.uses {
        let model = used.model.as_ref().map_or("unknown", |model| &model.id).to_owned();
        let key = (terms.by.who(&used.holder), model, used.slice.clone());
        memory.entry(key).or_default().absorb(&used.memory);
    }
    let several = with_several_gpus(ledger, terms);
    let mut advice = Vec::new();
    for line in statement.lines {
        for slice in line.slices {
            let account = slice.account;
            let key = (line.who.clone(), account.model.clone(), account.slice.clone());
            let (metric, compute) = match (slice.multiprocessors.count(), slice.engine.count()) {
                (0, 0) => (None, Distribution::default()),
                (0, _) => (Some(ComputeMetric::Engine), slice.engine),
                _ => (Some(ComputeMetric::Multiprocessors), slice.multiprocessors),
            };
            let mut advised = Advice {
                who: line.who.clone(),
                units: models.get(&account.model).and_then(Option::as_ref).map_or(1, |model| model.units.into()),
                model: account.model,
                slice: account.slice,
                seconds: account.seconds,
                held: account.amount,
                memory_mib: None,
                memory: memory.remove(&key).unwrap_or_default(),
                compute_slices: 0,
                metric,
                compute,
                clamped: slice.clamped,
                needed_mib: None,
                needed_compute: None,
                smaller: None,
                frees: Amount::sum(std::iter::empty(), terms),
                gaps: Vec::new(),
            };
            match models.get(&advised.model).and_then(Option::as_ref) {
                Some(_) if advised.slice == Slice::WholeGpu && several.contains(&advised.who) => {
                    advised.gaps.push(Gap::Several);
                }
                Some(model) => advised.judge(model, terms, headroom),
                None => advised.gaps.push(Gap::Model),
            }
            advice.push(advised);
        }
    }
    advice.sort_by_key(|advice| Reverse(gpu_time(advice.frees.unit_seconds, advice.units)));
    Ok(RightSizing { advice, headroom })
}

/// Those of whom a pod holds several whole GPUs at a time.
fn with_several_gpus(ledger: &Ledger, terms: &Terms) -> BTreeSet<String> {
    let mut spans: BTreeMap<&Holder, Vec<Span>> = BTreeMap::new();
    let holdings = ledger.gpus.iter().flat_map(|gpu| &gpu.holdings);
    for holding in holdings.filter(|holding| holding.slice == Slice::WholeGpu) {
        if let Held::By(holders) = &holding.held {
            for holder in holders {
                spans.entry(holder).or_default().push(holding.span);
            }
        }
    }
    let overlap = |spans: &mut Vec<Span>| {
        spans.sort_unstable_by_key(|span| (span.from, span.to));
        spans.windows(2).any(|pair| pair[1].within(pair[0]).is_some())
    };
    let several = spans.into_iter().filter_map(|(holder, mut spans)| overlap(&mut spans).then_some(holder));
    several.map(|holder| terms.by.who(holder)).collect()
}

/// Memory, compute slices and placement units of a slice.
struct Size {
    memory_mib: Option<u32>,
    compute_slices: u8,
    units: u8,
}

impl Size {
    fn of(model: &Model, slice: &Slice) -> Option<Size> {
        Some(match slice {
            Slice::WholeGpu => Size {
                memory_mib: model.profiles.iter().filter_map(|profile| profile.memory_mib.value).max(),
                compute_slices: model.compute_slices,
                units: model.units,
            },
            Slice::Profile(name) => Size::of_profile(model.get(model.profile(name)?)),
        })
    }

    fn of_profile(profile: &Profile) -> Size {
        Size { memory_mib: profile.memory_mib.value, compute_slices: profile.compute_slices, units: profile.size }
    }
}

impl Advice {
    fn judge(&mut self, model: &Model, terms: &Terms, headroom: BasisPoints) {
        let Some(size) = Size::of(model, &self.slice) else { return self.gaps.push(Gap::Model) };
        let with_headroom = |n: u64| (n * (10_000 + u64::from(headroom.0))).div_ceil(10_000);
        self.memory_mib = size.memory_mib;
        self.compute_slices = size.compute_slices;
        self.needed_mib = self.memory.max().map(|max| u32::try_from(with_headroom(max.into())).unwrap_or(u32::MAX));
        let active = self.compute.percentile(99).map(u64::from);
        self.needed_compute = active.map(|share| with_headroom(share * u64::from(size.compute_slices)));
        if self.needed_mib.is_none() {
            self.gaps.push(Gap::Memory);
        }
        if self.needed_compute.is_none() {
            self.gaps.push(Gap::Compute);
        }
        let least_mib = self.needed_mib.or(size.memory_mib);
        let Some(least_mib) = least_mib else { return self.gaps.push(Gap::Model) };
        let least_compute = self.needed_compute.unwrap_or(u64::from(size.compute_slices) * 10_000);
        let has_same_engines = |name: &ProfileName| match &self.slice {
            Slice::Profile(own) => own.has_same_attributes(name),
            Slice::WholeGpu => name.is_plain(),
        };
        let units = u64::from(model.units);
        let price = |slice: &Slice, size: u8| terms.prices.slice(&self.model, slice, size.into(), units);
        let now = price(&self.slice, size.units);
        let then = |profile: &Profile| price(&Slice::Profile(profile.name.clone()), profile.size);
        let does = |profile: &&Profile| {
            profile.size < size.units
                && has_same_engines(&profile.name)
                && now.zip(then(profile)).is_none_or(|(now, then)| then <= now)
                && profile.memory_mib.value.is_some_and(|mib| mib >= least_mib)
                && u64::from(profile.compute_slices) * 10_000 >= least_compute
        };
        let smallest = model.profiles.iter().filter(does).min_by_key(|profile| (profile.size, profile.compute_slices));
        let Some(smaller) = smallest else { return };
        self.frees = Amount {
            unit_seconds: u64::from(size.units - smaller.size) * self.seconds,
            cost: now.zip(then(smaller)).map(|(now, then)| {
                let micros = (now - then) * u128::from(self.seconds) / (3600 * u128::from(units));
                u64::try_from(micros).unwrap_or(u64::MAX)
            }),
        };
        self.smaller = Some(Slice::Profile(smaller.name.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chargeback::{By, GpuRecord, Held, Holder, Holding, Prices, Span, Use};
    use crate::geometry::Catalog;

    fn samples(values: &[u32]) -> Distribution {
        let mut samples = Distribution::default();
        for value in values {
            samples.add(*value);
        }
        samples
    }

    /// What is said of an hour of a slice of an H100 with these samples.
    fn said(slice: &str, memory: &[u32], multiprocessors: &[u32], engine: &[u32]) -> String {
        let gpu_hour = [("H100-80GB".to_owned(), "8".parse().unwrap())].into();
        priced(slice, memory, multiprocessors, engine, Prices { gpu_hour, ..Prices::default() })
    }

    fn priced(slice: &str, memory: &[u32], multiprocessors: &[u32], engine: &[u32], prices: Prices) -> String {
        let model = Catalog::builtin().model("H100-80GB").unwrap();
        let hour = Span::new(0, 3600);
        let holder = Holder { namespace: "a".into(), pod: "p".into(), label: None };
        let slice = if slice == "whole" { Slice::WholeGpu } else { Slice::Profile(slice.parse().unwrap()) };
        let ledger = Ledger {
            period: hour,
            gpus: vec![GpuRecord {
                model: Some(model.clone()),
                seen: vec![hour],
                known: vec![hour],
                holdings: vec![Holding { slice: slice.clone(), span: hour, held: Held::By([holder.clone()].into()) }],
                ..GpuRecord::default()
            }],
            uses: vec![Use {
                model: Some(model),
                slice,
                holder,
                memory: samples(memory),
                engine: samples(engine),
                multiprocessors: samples(multiprocessors),
                clamped: 0,
            }],
        };
        let found = right_size(&ledger, &Terms { prices, by: By::Pod }, BasisPoints(2000)).unwrap();
        let [advice] = &found.advice[..] else { panic!("one line") };
        let smaller = advice.smaller.as_ref().map_or("none".to_owned(), ToString::to_string);
        format!("{smaller} frees {} for {:?} {:?}", advice.frees.unit_seconds / 3600, advice.frees.cost, advice.gaps)
    }

    #[test]
    fn nothing_is_proposed_for_several_gpus_at_a_time() {
        let model = Catalog::builtin().model("H100-80GB").unwrap();
        let holder = Holder { namespace: "a".into(), pod: "p".into(), label: None };
        let gpu = |span: Span| GpuRecord {
            model: Some(model.clone()),
            seen: vec![span],
            known: vec![span],
            holdings: vec![Holding { slice: Slice::WholeGpu, span, held: Held::By([holder.clone()].into()) }],
            ..GpuRecord::default()
        };
        let said = |other: Span| -> Vec<(Option<String>, Vec<Gap>)> {
            let used = Use {
                model: Some(model.clone()),
                slice: Slice::WholeGpu,
                holder: holder.clone(),
                memory: samples(&[5000]),
                engine: samples(&[]),
                multiprocessors: samples(&[1000]),
                clamped: 0,
            };
            let gpus = vec![gpu(Span::new(0, 3600)), gpu(other)];
            let ledger = Ledger { period: Span::new(0, 7200), gpus, uses: vec![used] };
            let terms = Terms { by: By::Pod, ..Terms::default() };
            let found = right_size(&ledger, &terms, BasisPoints(2000)).unwrap();
            found
                .advice
                .into_iter()
                .map(|advice| (advice.smaller.map(|slice| slice.to_string()), advice.gaps))
                .collect()
        };
        assert_eq!(said(Span::new(1800, 3600)), [(None, vec![Gap::Several])]);
        assert_eq!(said(Span::new(3600, 7200)), [(Some("1g.10gb".to_owned()), vec![])], "one after the other");
    }

    #[test]
    fn what_costs_more_would_not_do() {
        let slice_hour = [("1g.10gb", "9"), ("1g.20gb", "2"), ("3g.40gb", "4")]
            .map(|(name, price)| ((None, name.parse().unwrap()), price.parse().unwrap()));
        let prices = Prices { slice_hour: slice_hour.into(), ..Prices::default() };
        assert_eq!(priced("3g.40gb", &[5000], &[1000], &[], prices), "1g.20gb frees 2 for Some(2000000) []");
    }

    #[test]
    fn the_smallest_that_would_do() {
        for (name, slice, memory, sm, engine, expected) in [
            ("little of both", "3g.40gb", 5000, vec![1000], vec![], "1g.10gb frees 3 for Some(3000000) []"),
            ("memory binds", "3g.40gb", 12_000, vec![1000], vec![], "1g.20gb frees 2 for Some(2000000) []"),
            ("compute binds", "3g.40gb", 5000, vec![5000], vec![], "2g.20gb frees 2 for Some(2000000) []"),
            ("headroom binds", "3g.40gb", 17_000, vec![1000], vec![], "none frees 0 for Some(0) []"),
            ("another metric", "3g.40gb", 5000, vec![], vec![2000], "1g.10gb frees 3 for Some(3000000) []"),
            ("no activity", "1g.20gb", 5000, vec![], vec![], "1g.10gb frees 1 for Some(1000000) [Compute]"),
            ("no activity, more compute", "2g.20gb", 5000, vec![], vec![], "none frees 0 for Some(0) [Compute]"),
            ("no memory", "3g.40gb", 0, vec![100], vec![], "none frees 0 for Some(0) [Memory]"),
            ("a whole GPU", "whole", 5000, vec![3000], vec![], "3g.40gb frees 4 for Some(4000000) []"),
            ("media engines", "1g.10gb+me", 10, vec![1], vec![], "none frees 0 for Some(0) []"),
        ] {
            let memory: &[u32] = if memory == 0 { &[] } else { &[100, memory] };
            assert_eq!(said(slice, memory, &sm, &engine), expected, "{name}");
        }
    }
}
