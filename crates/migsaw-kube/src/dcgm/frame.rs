//! What is said of one GPU at one second, and how that becomes time.

use std::collections::BTreeMap;
use std::sync::Arc;

use migsaw::chargeback::{GpuRecord, Held, Holder, Holding, Slice, Span, Use};
use migsaw::geometry::{Model, ProfileName};

use super::history::{HistoryOptions, HistoryWarning, Recorded};
use super::packed::Samples;
use super::sighting::{Exporters, PodName};

/// The samples of a GPU.
#[derive(Debug, Clone, Default)]
pub(super) struct GpuSamples {
    pub(super) name: String,
    pub(super) node: String,
    /// What its series say of its model.
    pub(super) model: Option<String>,
    kinds: Vec<Arc<Kind>>,
    numbers: BTreeMap<Arc<Kind>, u32>,
    pub(super) samples: Samples,
}

/// What a series is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Kind {
    /// Id and profile; `None` for the GPU.
    pub(super) instance: Option<(u32, ProfileName)>,
    pub(super) holder: Option<Holder>,
}

/// A sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Raw {
    /// Seconds since 1970.
    pub(super) at: u32,
    /// Number of its kind.
    pub(super) kind: u32,
    pub(super) metric: Metric,
    pub(super) value: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Metric {
    /// In MiB.
    Memory,
    /// In hundredths of a percent, one more if it was above 1.
    Engine,
    /// In hundredths of a percent, one more if it was above 1.
    Multiprocessors,
    /// Any other that has a value.
    Other,
    /// Any without a value.
    Blank,
}

/// All of an activity, in hundredths of a percent.
const WHOLE: u32 = 10_000;

impl Metric {
    pub(super) const ALL: [Metric; 5] =
        [Metric::Memory, Metric::Engine, Metric::Multiprocessors, Metric::Other, Metric::Blank];

    /// The metric of a name, and its value, which is not negative, as it is kept.
    pub(super) fn of(name: &str, value: f64) -> (Metric, u32) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is in the range of u32")]
        let rounded = |value: f64| value.round().min(f64::from(u32::MAX)) as u32;
        let share = if value > 1.0 { WHOLE + 1 } else { rounded(value * f64::from(WHOLE)) };
        match name {
            "DCGM_FI_DEV_FB_USED" => (Metric::Memory, rounded(value.ceil())),
            "DCGM_FI_PROF_GR_ENGINE_ACTIVE" => (Metric::Engine, share),
            "DCGM_FI_PROF_SM_ACTIVE" => (Metric::Multiprocessors, share),
            _ => (Metric::Other, 0),
        }
    }
}

/// What a frame says of an instance: the kinds that have a holder, and whether any sample has a value.
#[derive(Debug, Clone, Default)]
struct Seen {
    kinds: Vec<u32>,
    has_value: bool,
}

/// An instance by its id; `None` for the GPU as a whole.
type Id = Option<u32>;

/// Who holds an instance, by the numbers of kinds; `None` if that is not known.
type Holders = Option<Vec<u32>>;

/// What an instance is, and who holds it.
type Instance = (Slice, Holders);

/// An instance about which nothing has changed since.
#[derive(Debug)]
struct Open {
    slice: Slice,
    holders: Holders,
    span: Span,
}

impl GpuSamples {
    /// The number of a kind.
    pub(super) fn number(&mut self, kind: Kind) -> u32 {
        if let Some(&number) = self.numbers.get(&kind) {
            return number;
        }
        let (kind, number) = (Arc::new(kind), u32::try_from(self.kinds.len()).unwrap_or(u32::MAX));
        self.kinds.push(Arc::clone(&kind));
        self.numbers.insert(kind, number);
        number
    }

    pub(super) fn absorb(&mut self, other: GpuSamples) {
        let numbers: Vec<u32> = other.kinds.iter().map(|kind| self.number(Kind::clone(kind))).collect();
        let renumbered = |raw: Raw| Raw { kind: numbers[raw.kind as usize], ..raw };
        other.samples.each().for_each(|raw| self.samples.push(renumbered(raw)));
        (self.name, self.node) = (other.name, other.node);
        self.model = other.model.or(self.model.take());
    }

    /// From the first sample to the last.
    pub(super) fn extent(&self) -> Option<Span> {
        self.samples.extent()
    }

    /// Adds what the samples say of a period.
    pub(super) fn record(mut self, options: &HistoryOptions<'_>, exporters: &Exporters, into: &mut Recorded) {
        for kind in &mut self.kinds {
            let is_exporter = |holder: &Holder| {
                exporters.has(&PodName { namespace: holder.namespace.clone(), name: holder.pod.clone() })
            };
            if kind.holder.as_ref().is_some_and(is_exporter) {
                *kind = Arc::new(Kind { holder: None, ..Kind::clone(kind) });
            }
        }
        let samples = std::mem::take(&mut self.samples).sorted();
        let named = self.model.as_ref().and_then(|name| options.catalog.by_product_label(&name.replace(' ', "-")));
        let model = named.and_then(Result::ok).or_else(|| options.model.clone());
        let mut time = Time { model: model.clone(), kinds: &self.kinds, ..Time::default() };
        let mut frames =
            samples.chunk_by(|a, b| a.at == b.at).filter(|f| f.iter().any(|raw| raw.metric != Metric::Blank));
        let mut next = frames.next();
        while let Some(frame) = next {
            next = frames.next();
            let at = i64::from(frame[0].at);
            let held_until = at + i64::from(options.hold);
            let until = next.map_or(held_until, |next| held_until.min(next[0].at.into()));
            time.add(frame, Span::new(at, until), options.hold.into());
        }
        time.open.keys().copied().collect::<Vec<Id>>().into_iter().for_each(|id| time.close(id));
        let Time { seen, known, holdings, wrong, .. } = time;
        if model.is_none() && self.kinds.iter().any(|kind| kind.instance.is_some()) {
            into.warnings.push(HistoryWarning::Model { gpu: self.name.clone(), model: self.model.clone() });
        } else if let Some((at, reason, count)) = wrong {
            into.warnings.push(HistoryWarning::Contradiction { gpu: self.name.clone(), at, reason, count });
        }
        into.ledger.uses.extend(self.uses(&samples, model.as_ref(), options.period));
        if seen.and_then(|span| span.within(options.period)).is_some() {
            into.nodes.insert(self.node);
            let seen = seen.into_iter().collect();
            into.ledger.gpus.push(GpuRecord { name: self.name, model, count: 1, seen, known, holdings });
        }
    }

    /// What holders were seen to do in a period.
    fn uses(&self, samples: &[Raw], model: Option<&Arc<Model>>, period: Span) -> Vec<Use> {
        let mut found: Vec<Values> = vec![Values::default(); self.kinds.len()];
        for raw in samples.iter().filter(|raw| (period.from..period.to).contains(&raw.at.into())) {
            let of = &mut found[raw.kind as usize];
            of.is_seen = true;
            match raw.metric {
                Metric::Memory => of.memory.push(raw.value),
                Metric::Engine | Metric::Multiprocessors => {
                    let is_engine = raw.metric == Metric::Engine;
                    let values = if is_engine { &mut of.engine } else { &mut of.multiprocessors };
                    values.push(raw.value.min(WHOLE));
                    of.clamped += u64::from(raw.value > WHOLE);
                }
                Metric::Other | Metric::Blank => {}
            }
        }
        let used = |(kind, values): (&Arc<Kind>, Values)| {
            let holder = kind.holder.clone().filter(|_| values.is_seen)?;
            let profile = kind.instance.as_ref().map(|(_, name)| name);
            let slice = slice_of(model.map(Arc::as_ref), profile).ok()?;
            Some(Use {
                model: model.cloned(),
                slice,
                holder,
                memory: values.memory.into_iter().collect(),
                engine: values.engine.into_iter().collect(),
                multiprocessors: values.multiprocessors.into_iter().collect(),
                clamped: values.clamped,
            })
        };
        self.kinds.iter().zip(found).filter_map(used).collect()
    }
}

/// What the samples of a kind say.
#[derive(Debug, Clone, Default)]
struct Values {
    is_seen: bool,
    memory: Vec<u32>,
    engine: Vec<u32>,
    multiprocessors: Vec<u32>,
    clamped: u64,
}

/// What a series is about on a model; else why that cannot be.
fn slice_of(model: Option<&Model>, profile: Option<&ProfileName>) -> Result<Slice, String> {
    let Some(name) = profile else { return Ok(Slice::WholeGpu) };
    let model = model.ok_or_else(|| "its model is not known".to_owned())?;
    let id = model.profile(name).ok_or_else(|| format!("{} has no profile {name}", model.id))?;
    Ok(Slice::Profile(model.get(id).name.clone()))
}

/// The time of a GPU as it is put together, frame by frame.
#[derive(Debug, Default)]
struct Time<'a> {
    model: Option<Arc<Model>>,
    kinds: &'a [Arc<Kind>],
    seen: Option<Span>,
    known: Vec<Span>,
    open: BTreeMap<Id, Open>,
    /// What was last known of an instance, and when.
    last: BTreeMap<Id, (Slice, Holders, i64)>,
    holdings: Vec<Holding>,
    /// The first frame that cannot be, why, and how many there are.
    wrong: Option<(i64, String, u64)>,
}

impl Time<'_> {
    fn add(&mut self, frame: &[Raw], span: Span, hold: i64) {
        let from = self.seen.map_or(span.from, |seen| seen.from);
        self.seen = Some(Span::new(from, span.to));
        let instances = match self.judged(frame) {
            Ok(instances) => instances,
            Err(reason) => {
                self.wrong.get_or_insert((span.from, reason, 0)).2 += 1;
                return;
            }
        };
        match self.known.last_mut() {
            Some(last) if last.to == span.from => last.to = span.to,
            _ => self.known.push(span),
        }
        // What a frame lacks is gone.
        self.last.retain(|id, _| instances.contains_key(id));
        for (id, (slice, holders)) in instances {
            if let Some(holders) = holders {
                self.last.insert(id, (slice.clone(), Some(holders.clone()), span.from));
                self.extend(id, slice, Some(holders), span);
                continue;
            }
            // Without a value it says nothing new; what was known may still hold.
            let (known, until) = match self.last.get(&id) {
                Some((last, holders, at)) if *last == slice => (holders.clone(), (at + hold).clamp(span.from, span.to)),
                _ => (None, span.from),
            };
            self.extend(id, slice.clone(), known, Span::new(span.from, until));
            self.extend(id, slice, None, Span::new(until, span.to));
        }
    }

    /// The instances of a frame, each with its holders where a sample has a value; or why they cannot be.
    fn judged(&self, frame: &[Raw]) -> Result<BTreeMap<Id, Instance>, String> {
        let mut seen: BTreeMap<(Id, Option<&ProfileName>), Seen> = BTreeMap::new();
        for raw in frame {
            let kind = &self.kinds[raw.kind as usize];
            let (id, profile) = kind.instance.as_ref().map_or((None, None), |(id, profile)| (Some(*id), Some(profile)));
            let seen = seen.entry((id, profile)).or_default();
            if raw.metric != Metric::Blank {
                seen.has_value = true;
                if kind.holder.is_some() && seen.kinds.last() != Some(&raw.kind) {
                    seen.kinds.push(raw.kind);
                }
            }
        }
        let is_cut = seen.keys().any(|(id, _)| id.is_some());
        // Where there are instances, a series of the GPU says nothing of them.
        seen.retain(|(id, _), _| id.is_some() == is_cut);
        let units = self.model.as_ref().map_or(1, |model| u32::from(model.units));
        let mut taken = 0;
        let mut instances: BTreeMap<Id, Instance> = BTreeMap::new();
        // Those without a value last: after a cut the exporter may still name instances that are gone.
        for with_value in [true, false] {
            for ((id, profile), seen) in seen.iter().filter(|(_, seen)| seen.has_value == with_value) {
                let slice = slice_of(self.model.as_deref(), *profile);
                let slice = if with_value {
                    slice?
                } else {
                    let Ok(slice) = slice else { continue };
                    slice
                };
                let size = match (&slice, &self.model) {
                    (Slice::Profile(name), Some(model)) => {
                        model.profile(name).map_or(units, |id| model.get(id).size.into())
                    }
                    _ => units,
                };
                let is_there_already = instances.contains_key(id);
                if !with_value && (is_there_already || taken + size > units) {
                    continue;
                }
                if is_there_already {
                    return Err(format!("instance {} has two profiles", id.unwrap_or_default()));
                }
                taken += size;
                instances.insert(*id, (slice, with_value.then(|| seen.kinds.clone())));
            }
        }
        if taken > units {
            return Err(format!("its instances take {taken} of {units} placement units"));
        }
        Ok(instances)
    }

    /// Goes on with an instance, or begins with another one of this id.
    fn extend(&mut self, id: Id, slice: Slice, holders: Holders, span: Span) {
        if span.seconds() == 0 {
            return;
        }
        if let Some(open) = self.open.get_mut(&id)
            && open.span.to == span.from
            && open.slice == slice
            && open.holders == holders
        {
            open.span.to = span.to;
            return;
        }
        self.close(id);
        self.open.insert(id, Open { slice, holders, span });
    }

    fn close(&mut self, id: Id) {
        let Some(Open { slice, holders, span }) = self.open.remove(&id) else { return };
        let held = match holders {
            None => Held::Unknown,
            Some(kinds) if kinds.is_empty() => Held::Nobody,
            Some(kinds) => {
                Held::By(kinds.iter().filter_map(|kind| self.kinds[*kind as usize].holder.clone()).collect())
            }
        };
        self.holdings.push(Holding { slice, span, held });
    }
}
