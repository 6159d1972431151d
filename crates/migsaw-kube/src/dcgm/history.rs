//! Metrics over time: who held which instance from when to when.
//!
//! Read are scrapes with timestamps (or one scrape a file, whose time is given) and what Prometheus' HTTP API answers
//! to a query over a range, such as `/api/v1/query_range` with `DCGM_FI_DEV_FB_USED`. Times are whole seconds,
//! rounded down: what two replicas of a Prometheus scraped in the same second counts once.
//!
//! All that is said of a GPU at one second is a *frame*: which instances it has, and who is on them. A frame holds
//! until the next one of that GPU, but no longer than [`HistoryOptions::hold`]; what comes after is unknown. So an
//! instance that a frame lacks is gone, and an id that comes back with another profile or another pod is another
//! instance: ids are used again after a GPU is cut anew. Instances are told apart by the GPU's `UUID` and `GPU_I_ID`.
//!
//! - A value that is "blank" says nothing: what was known of the instance goes on holding as if there were no sample.
//! - A frame that cannot be is unknown: instances that take more than the GPU has, two profiles with one id, or a
//!   profile that the model lacks. Such frames come from a query whose server still answers with series that ended,
//!   because it was not told (five minutes, for Prometheus), and are said.
//! - Several pods on one instance at once share it.
//!
//! Only gauges are looked at, so no counter can be reset: `DCGM_FI_DEV_FB_USED`, `DCGM_FI_PROF_GR_ENGINE_ACTIVE` and
//! `DCGM_FI_PROF_SM_ACTIVE` for their values, everything else for its labels.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use migsaw::chargeback::{Holder, Ledger, Span};
use migsaw::geometry::{Catalog, Model};

use super::api::{self, Quoted, RangeSeries};
use super::frame::{GpuSamples, Kind, Metric, Raw};
use super::sighting::{self, Exporters, Sighting};
use super::{BLANK, MetricsError, content, is_json, text};

/// Samples over time.
///
/// ```
/// use migsaw::chargeback::{By, Span, Terms, statement};
/// use migsaw::geometry::Catalog;
/// use migsaw_kube::dcgm::history::{History, HistoryOptions};
/// let mut history = History::default();
/// let labels = r#"gpu="0",UUID="GPU-1",Hostname="n1",modelName="NVIDIA A30",GPU_I_PROFILE="2g.12gb",GPU_I_ID="1""#;
/// let scrape = format!(
///     "DCGM_FI_DEV_FB_USED{{{labels},namespace=\"team\",pod=\"web\"}} 12 1700000000000
/// DCGM_FI_DEV_FB_USED{{{labels}}} 0 1700000060000
/// DCGM_FI_DEV_FB_USED{{{labels}}} 0 1700000090000
/// ");
/// history.read("scrapes.txt", scrape.as_bytes(), None)?;
/// let catalog = Catalog::builtin();
/// let period = history.extent().unwrap();
/// let recorded = history.record(&HistoryOptions { catalog: &catalog, model: None, hold: 300, period });
/// let statement = statement(&recorded.ledger, &Terms::default())?;
/// assert_eq!((statement.lines[0].who.as_str(), statement.lines[0].slices[0].account.seconds), ("team", 60));
/// assert_eq!(statement.idle[0].seconds, 30);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct History {
    /// By UUID, or node and index where there is none.
    gpus: BTreeMap<String, GpuSamples>,
    /// The label of pods that is kept, as Prometheus writes it.
    label: Option<String>,
    exporters: Exporters,
    /// What was not understood: how often, and where first.
    unread: BTreeMap<String, (u64, String)>,
}

/// How samples become a ledger.
#[derive(Debug, Clone)]
pub struct HistoryOptions<'a> {
    /// The models there are.
    pub catalog: &'a Catalog,
    /// The model of GPUs whose series do not say one that is known.
    pub model: Option<Arc<Model>>,
    /// Seconds for which a frame holds at most.
    pub hold: u32,
    /// The period.
    pub period: Span,
}

/// What samples say.
#[derive(Debug, Clone, Default)]
pub struct Recorded {
    /// What was seen of the GPUs.
    pub ledger: Ledger,
    /// The nodes they are in.
    pub nodes: BTreeSet<String>,
    /// What is not understood or makes no sense.
    pub warnings: Vec<HistoryWarning>,
}

/// Something in metrics that does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryWarning {
    /// Lines or series that are not understood.
    #[error("{first}: {message} ({count} of these)")]
    Unread {
        /// What is wrong.
        message: String,
        /// How many.
        count: u64,
        /// Where first.
        first: String,
    },
    /// A model that is not known.
    #[error(
        "the model of {gpu} is not known{}: how it is cut is left out (expected a label modelName, or --model)",
        model.as_ref().map(|name| format!(" (`{name}`)")).unwrap_or_default()
    )]
    Model {
        /// The GPU.
        gpu: String,
        /// What its series say.
        model: Option<String>,
    },
    /// Frames that cannot be.
    #[error("{gpu}: {count} scrapes contradict themselves, the first at second {at}: {reason}; their time is unknown")]
    Contradiction {
        /// The GPU.
        gpu: String,
        /// The first of them, in seconds since 1970.
        at: i64,
        /// What is wrong with it.
        reason: String,
        /// How many.
        count: u64,
    },
}

impl HistoryWarning {
    /// A stable code for programs; `docs/errors.md` lists them.
    pub fn code(&self) -> &'static str {
        match self {
            HistoryWarning::Unread { .. } => "metrics-unread",
            HistoryWarning::Model { .. } => "metrics-model",
            HistoryWarning::Contradiction { .. } => "metrics-contradict",
        }
    }
}

/// Times from this on are milliseconds: as seconds it would be the year 5138.
const MILLISECONDS: f64 = 1e11;

impl History {
    /// One that keeps a label of pods, where series have it as DCGM exporter writes it (`team` for `team`, `a_b_c` for
    /// `a.b/c`).
    pub fn with_label(label: &str) -> History {
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        History { label: Some(label.chars().map(plain).collect()), ..History::default() }
    }

    /// Reads scrapes, or an answer of Prometheus' HTTP API. `name` is what the file is called in warnings. `at` is when
    /// lines without a timestamp were scraped, in seconds since 1970.
    ///
    /// Lines and series that are not understood do not count, and [`History::record`] warns of them. If there is an
    /// error, nothing of this file counts.
    ///
    /// # Errors
    /// [`MetricsError`] if it is neither, no series of a GPU is in it, or nobody says when it was scraped.
    pub fn read(&mut self, name: &str, bytes: &[u8], at: Option<i64>) -> Result<(), MetricsError> {
        let content = content(bytes)?;
        let mut found = History { label: self.label.clone(), ..History::default() };
        if is_json(&content) {
            found.read_answer(name, &content)?;
        } else {
            found.read_scrape(name, &content, at)?;
        }
        if found.extent().is_none() {
            let first = found.unread.into_iter().next().map(|(message, (_, place))| format!("{place}: {message}"));
            return Err(MetricsError::NoSeries { first });
        }
        self.absorb(found);
        Ok(())
    }

    /// From the first sample to the last; `None` without samples.
    pub fn extent(&self) -> Option<Span> {
        let ends = self.gpus.values().filter_map(GpuSamples::extent);
        ends.reduce(|a, b| Span::new(a.from.min(b.from), a.to.max(b.to)))
    }

    /// What the samples say of a period.
    pub fn record(self, options: &HistoryOptions<'_>) -> Recorded {
        let mut recorded =
            Recorded { ledger: Ledger { period: options.period, ..Ledger::default() }, ..Recorded::default() };
        for (message, (count, first)) in self.unread {
            recorded.warnings.push(HistoryWarning::Unread { message, count, first });
        }
        for samples in self.gpus.into_values() {
            samples.record(options, &self.exporters, &mut recorded);
        }
        recorded
    }

    fn read_answer(&mut self, name: &str, text: &str) -> Result<(), MetricsError> {
        let data = api::read::<RangeSeries>(text, &["matrix", "vector"])?;
        for doubt in data.doubts {
            self.leave_out(doubt, &|| name.to_owned());
        }
        for (number, series) in (1u64..).zip(data.result) {
            let place = || format!("{name} series {number}");
            let metric = series.metric.get("__name__").map(String::as_str).unwrap_or_default();
            let Some((key, kind)) = self.gpu(&series.metric, &place) else { continue };
            let samples = series.values.into_iter().chain(series.value);
            for (time, Quoted(value)) in samples {
                self.add((&key, kind), metric, Some(time), value, &place);
            }
        }
        Ok(())
    }

    fn read_scrape(&mut self, name: &str, text: &str, at: Option<i64>) -> Result<(), MetricsError> {
        for (number, sample) in text::samples(text) {
            let place = || format!("{name}:{number}");
            match sample {
                Ok(sample) => {
                    let Some((key, kind)) = self.gpu(&sample.labels, &place) else { continue };
                    #[expect(clippy::cast_precision_loss, reason = "times of this age are exact")]
                    let time = sample.timestamp.or(at.map(|at| at as f64));
                    if time.is_none() {
                        return Err(MetricsError::NoTime { line: number });
                    }
                    self.add((&key, kind), &sample.name, time, sample.value, &place);
                }
                Err(reason) => self.leave_out(format!("{reason}: the line was left out"), &place),
            }
        }
        Ok(())
    }

    /// The GPU that labels are about, and what they say.
    fn gpu(&mut self, labels: &BTreeMap<String, String>, place: &dyn Fn() -> String) -> Option<(String, u32)> {
        let Sighting { host, gpu, uuid, instance, pod, exporter } = match sighting::of(labels) {
            Ok(found) => found?,
            Err(problem) => {
                self.leave_out(problem.to_string(), place);
                return None;
            }
        };
        let value = |name: String| labels.get(&name).filter(|value| !value.is_empty()).cloned();
        let label =
            |plain: &String| ["exported_", "label_", ""].iter().find_map(|before| value(format!("{before}{plain}")));
        if let Some(exporter) = &exporter {
            self.exporters.learn(exporter);
        }
        let holder = pod.map(|pod| Holder {
            namespace: pod.namespace,
            pod: pod.name,
            label: self.label.as_ref().and_then(label),
        });
        let key = uuid.unwrap_or_else(|| format!("{host}/{gpu}"));
        let samples = self.gpus.entry(key.clone()).or_default();
        samples.name = format!("{host} GPU {gpu}");
        samples.node = host;
        samples.model = value("modelName".to_owned()).or(samples.model.take());
        let kind = samples.number(Kind { instance, holder });
        Some((key, kind))
    }

    fn add(
        &mut self,
        (key, kind): (&str, u32),
        metric: &str,
        time: Option<f64>,
        value: f64,
        place: &dyn Fn() -> String,
    ) {
        let time = time.unwrap_or(f64::NAN);
        let seconds = if time.abs() >= MILLISECONDS { (time / 1000.0).floor() } else { time.floor() };
        if !(0.0..=f64::from(u32::MAX)).contains(&seconds) {
            self.leave_out(
                format!("{time} is no time (expected seconds or milliseconds since 1970): it was left out"),
                place,
            );
            return;
        }
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is in the range of u32")]
        let at = seconds as u32;
        // NaN is blank too.
        let is_blank = !(0.0..BLANK).contains(&value);
        let (metric, value) = if is_blank { (Metric::Blank, 0) } else { Metric::of(metric, value) };
        if let Some(samples) = self.gpus.get_mut(key) {
            samples.samples.push(Raw { at, kind, metric, value });
        }
    }

    fn leave_out(&mut self, message: String, place: &dyn Fn() -> String) {
        self.unread.entry(message).or_insert_with(|| (0, place())).0 += 1;
    }

    fn absorb(&mut self, other: History) {
        self.exporters.absorb(other.exporters);
        for (key, samples) in other.gpus {
            self.gpus.entry(key).or_default().absorb(samples);
        }
        for (message, (count, first)) in other.unread {
            self.unread.entry(message).or_insert((0, first)).0 += count;
        }
    }
}
