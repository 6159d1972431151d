//! How much more fits, as metrics. Somebody else works it out, beside the requests, and hands it over as numbers.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;

/// How much more fits: numbers, with the labels under which they are shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capacity {
    /// How many more of a profile fit, by pool, profile and freedom.
    pub fits: Vec<(String, String, &'static str, u64)>,
    /// The slices of a pool by what they are at.
    pub slices: Vec<(String, &'static str, u64)>,
    /// Of each profile: the units that wait, and those of them that cannot be served.
    pub waiting: Vec<(String, u64, u64)>,
    /// How many of these numbers are not proven, because time ran out.
    pub unproven: u64,
}

/// What is shown of it.
#[derive(Debug, Clone, Default)]
pub(super) struct Shown(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// Since when there should be an answer.
    since: ArcSwapOption<Instant>,
    /// What the fleet was when the last answer was begun.
    as_of: ArcSwapOption<Instant>,
    answer: ArcSwapOption<(Capacity, Duration)>,
}

impl Shown {
    /// From now on there should be an answer; before, nothing is shown.
    pub(super) fn expect(&self, now: Instant) {
        self.0.since.store(Some(Arc::new(now)));
    }

    /// The answer for the fleet as it was, and how long it took.
    pub(super) fn set(&self, capacity: Capacity, as_of: Instant, took: Duration) {
        self.0.answer.store(Some(Arc::new((capacity, took))));
        self.holds(as_of);
    }

    /// The last answer is right for the fleet as it was later, too.
    pub(super) fn holds(&self, as_of: Instant) {
        self.0.as_of.store(Some(Arc::new(as_of)));
    }

    /// There is none: nothing old is shown as if it were new.
    pub(super) fn clear(&self) {
        self.0.answer.store(None);
    }

    /// The time since the fleet was as the last answer takes it to be, or since there should be one.
    fn age(&self, now: Instant) -> Option<Duration> {
        let since = self.0.as_of.load_full().or_else(|| self.0.since.load_full())?;
        Some(now.saturating_duration_since(*since))
    }
}

impl Collector for Shown {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut out = Out(encoder);
        let seconds = |duration: Duration| duration.as_secs_f64();
        if let Some(age) = self.age(Instant::now()) {
            let help = "Time since the fleet was as the last answer about capacity takes it to be";
            out.family("migsaw_capacity_age_seconds", help, [([("", ""); 0], seconds(age))])?;
        }
        let Some(answer) = self.0.answer.load_full() else { return Ok(()) };
        let (Capacity { fits, slices, waiting, unproven }, took) = &*answer;
        let help = "Time that the last answer about capacity took";
        out.family("migsaw_capacity_duration_seconds", help, [([("", ""); 0], seconds(*took))])?;
        let fits = fits.iter().map(|(pool, profile, freedom, n)| {
            ([("pool", pool.as_str()), ("profile", profile.as_str()), ("freedom", freedom)], float(*n))
        });
        let help =
            "How many more of a profile fit while all that runs stays: as the GPUs are cut, or with idle ones cut anew";
        out.family("migsaw_capacity_fits", help, fits)?;
        let help = "Memory slices by what they are at; they add up to all there are";
        let slices = slices.iter().map(|(pool, state, n)| ([("pool", pool.as_str()), ("state", state)], float(*n)));
        out.family("migsaw_capacity_slices", help, slices)?;
        let of = |which: fn(u64, u64) -> u64| {
            waiting
                .iter()
                .map(move |(profile, all, unserved)| ([("profile", profile.as_str())], float(which(*all, *unserved))))
        };
        let help = "Units that are asked for and do not run, by each profile they ask for";
        out.family("migsaw_capacity_pending_units", help, of(|all, _| all))?;
        let help = "Those of them that cannot be served even with idle GPUs cut anew";
        out.family("migsaw_capacity_unservable_units", help, of(|_, unserved| unserved))?;
        let help = "Numbers of the last answer that may be too low, because its time ran out";
        out.family("migsaw_capacity_unproven", help, [([("", ""); 0], float(*unproven))])
    }
}

/// Writes gauges.
struct Out<'a>(DescriptorEncoder<'a>);

impl Out<'_> {
    fn family<'l, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = ([(&'l str, &'l str); N], f64)>,
    ) -> fmt::Result {
        let mut family = self.0.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for (labels, value) in samples {
            let gauge = ConstGauge::new(value);
            if N == 0 {
                gauge.encode(family)?;
                return Ok(());
            }
            gauge.encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "no fleet has more than 2^53 of anything")]
fn float(number: u64) -> f64 {
    number as f64
}
