//! What came of a simulation.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::workload::{Pod, Workload};

/// What came of it, of the pods that arrived while it was measured.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcome {
    /// All pods.
    pub all: Tally,
    /// By profile; a pod that takes several counts for each.
    pub by_profile: Vec<Tally>,
    /// By namespace.
    pub by_namespace: Vec<Tally>,
    /// By priority.
    pub by_priority: BTreeMap<i32, Tally>,
    /// How long pods waited that were placed, in seconds.
    pub waits: Waits,
    /// The same by profile.
    pub waits_by_profile: Vec<Waits>,
    /// Placement units that instances took, of all there are, on average over time.
    pub used: f64,
    /// GPUs with something on them, on average over time.
    pub active: f64,
    /// Free placement units that an average pod could not use where they are, of all units, on average over time.
    pub fragmented: f64,
    /// Running instances that were moved.
    pub moves: u64,
    /// GPUs that were cut anew, each time counted.
    pub recuts: u64,
    /// GPU-seconds that GPUs were closed, to be cut anew.
    pub closed: u64,
    /// How it was, at equal distances over the whole time.
    pub series: Vec<Point>,
}

/// Pods, and the placement units that they ask for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Pods that came.
    pub pods: u64,
    /// Pods that were placed, and were not evicted for good.
    pub placed: u64,
    /// Times that one of them was evicted.
    pub evictions: u64,
    /// Placement units that were asked for.
    pub units: u64,
    /// Placement units of the pods that were placed.
    pub units_placed: u64,
}

/// How long pods waited, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Waits {
    /// On average.
    pub mean: f64,
    /// 95 of 100 at most.
    pub p95: u64,
    /// All of them at most.
    pub longest: u64,
}

/// A moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Seconds from the beginning.
    pub at: u64,
    /// Placement units taken, of all there are.
    pub used: f64,
    /// GPUs with something on them.
    pub active: u64,
    /// Pods that wait.
    pub waiting: u64,
    /// Pods that were placed, of those that had come.
    pub placed: f64,
}

impl Tally {
    /// Pods placed, of those that came; 1 if none came.
    pub fn by_count(&self) -> f64 {
        share(self.placed, self.pods)
    }

    /// Placement units placed, of those that were asked for; 1 if none were.
    pub fn by_units(&self) -> f64 {
        share(self.units_placed, self.units)
    }

    fn came(&mut self, units: u64) {
        self.pods += 1;
        self.units += units;
    }

    fn was_placed(&mut self, units: u64) {
        self.placed += 1;
        self.units_placed += units;
    }

    fn was_evicted(&mut self, units: u64) {
        self.evictions += 1;
        self.placed -= 1;
        self.units_placed -= units;
    }
}

impl Waits {
    fn of(mut waited: Vec<u64>) -> Waits {
        waited.sort_unstable();
        // The nearest rank.
        let at = |hundredths: usize| (waited.len() * hundredths).div_ceil(100).checked_sub(1).map_or(0, |i| waited[i]);
        let sum: u128 = waited.iter().map(|&wait| u128::from(wait)).sum();
        Waits { mean: mean(sum, waited.len() as u128), p95: at(95), longest: at(100) }
    }
}

#[expect(clippy::cast_precision_loss, reason = "what is shown has few digits")]
fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

#[expect(clippy::cast_precision_loss, reason = "what is shown has few digits")]
pub(crate) fn mean(sum: u128, count: u128) -> f64 {
    if count == 0 { 0.0 } else { sum as f64 / count as f64 }
}

/// Counts while a simulation goes on.
#[derive(Debug)]
pub(crate) struct Counting {
    sizes: Vec<u64>,
    measured: Range<u64>,
    outcome: Outcome,
    waited: Vec<u64>,
    waited_by_profile: Vec<Vec<u64>>,
    units: u64,
    /// Sums over time.
    used: u128,
    active: u128,
    fragmented: u128,
    shut: u128,
    came: u64,
    placed: u64,
}

/// How it is at a moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) used: u64,
    pub(crate) active: u64,
    /// Units that an average pod could not use, in millionths.
    pub(crate) fragmented: u64,
    pub(crate) waiting: u64,
    /// GPUs that are being cut anew.
    pub(crate) shut: u64,
}

impl Counting {
    pub(crate) fn new(workload: &Workload, sizes: Vec<u64>, units: u64, measured: Range<u64>) -> Counting {
        let outcome = Outcome {
            by_profile: vec![Tally::default(); workload.profiles.len()],
            by_namespace: vec![Tally::default(); workload.namespaces.len()],
            ..Outcome::default()
        };
        let waited_by_profile = vec![Vec::new(); workload.profiles.len()];
        Counting {
            sizes,
            measured,
            outcome,
            waited: Vec::new(),
            waited_by_profile,
            units,
            used: 0,
            active: 0,
            fragmented: 0,
            shut: 0,
            came: 0,
            placed: 0,
        }
    }

    pub(crate) fn came(&mut self, pod: &Pod) {
        self.came += 1;
        self.each(pod, Tally::came);
    }

    pub(crate) fn was_placed(&mut self, pod: &Pod) {
        self.placed += 1;
        self.each(pod, Tally::was_placed);
    }

    /// The pod does not run any more; it may be placed again.
    pub(crate) fn was_evicted(&mut self, pod: &Pod) {
        self.placed -= 1;
        self.each(pod, Tally::was_evicted);
    }

    /// A pod that was placed for good had waited so long in all.
    pub(crate) fn waited(&mut self, pod: &Pod, wait: u64) {
        if self.measured.contains(&pod.arrives) {
            self.waited.push(wait);
            pod.asks.iter().for_each(|(profile, _)| self.waited_by_profile[usize::from(*profile)].push(wait));
        }
    }

    /// So many GPUs were cut anew.
    pub(crate) fn recut(&mut self, gpus: u64, at: u64) {
        self.outcome.recuts += if self.measured.contains(&at) { gpus } else { 0 };
    }

    pub(crate) fn moved(&mut self, at: u64) {
        self.outcome.moves += u64::from(self.measured.contains(&at));
    }

    fn each(&mut self, pod: &Pod, count: fn(&mut Tally, u64)) {
        if !self.measured.contains(&pod.arrives) {
            return;
        }
        let units = |(profile, n): &(u16, u8)| self.sizes[usize::from(*profile)] * u64::from(*n);
        let all: u64 = pod.asks.iter().map(units).sum();
        count(&mut self.outcome.all, all);
        count(&mut self.outcome.by_namespace[usize::from(pod.namespace)], all);
        count(self.outcome.by_priority.entry(pod.priority).or_default(), all);
        pod.asks.iter().for_each(|ask| count(&mut self.outcome.by_profile[usize::from(ask.0)], units(ask)));
    }

    /// It was so from one moment to another.
    pub(crate) fn lasted(&mut self, now: Now, from: u64, to: u64) {
        let (from, to) = (from.max(self.measured.start), to.min(self.measured.end));
        let seconds = u128::from(to.saturating_sub(from));
        self.used += u128::from(now.used) * seconds;
        self.active += u128::from(now.active) * seconds;
        self.fragmented += u128::from(now.fragmented) * seconds;
        self.shut += u128::from(now.shut) * seconds;
    }

    pub(crate) fn sample(&mut self, at: u64, now: Now) {
        let placed = share(self.placed, self.came);
        let used = share(now.used, self.units.max(1));
        self.outcome.series.push(Point { at, used, active: now.active, waiting: now.waiting, placed });
    }

    pub(crate) fn end(mut self, at: u64) -> Outcome {
        let seconds = u128::from(self.measured.end.min(at).saturating_sub(self.measured.start));
        let whole = seconds * u128::from(self.units);
        self.outcome.used = mean(self.used, whole);
        self.outcome.active = mean(self.active, seconds);
        self.outcome.fragmented = mean(self.fragmented, whole) / 1e6;
        self.outcome.closed = u64::try_from(self.shut).unwrap_or(u64::MAX);
        self.outcome.waits = Waits::of(self.waited);
        self.outcome.waits_by_profile = self.waited_by_profile.into_iter().map(Waits::of).collect();
        self.outcome
    }
}
