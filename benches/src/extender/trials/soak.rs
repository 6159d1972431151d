//! Pods that come and go at a steady rate.

use std::fmt::Write as _;
use std::io;
use std::time::{Duration, Instant};

use clap::Args;

use super::site::{Became, Pace, Scheduler, Site, until};
use super::{Common, Found};
use crate::extender::api_server::Kind;
use crate::figures::{Times, count, milliseconds};

/// How often memory and open files are looked at.
const LOOK: Duration = Duration::from_secs(5);
/// The most that memory may grow, in MiB an hour.
const SLOPE: f64 = 1.0;
/// Connections of probes and scrapes that come and go.
const PASSING: usize = 8;

/// What it takes.
#[derive(Debug, Clone, Args)]
pub struct Soak {
    #[command(flatten)]
    common: Common,
    /// For how long
    #[arg(long, default_value_t = 3_600)]
    seconds: u64,
    /// Pods that come in a second
    #[arg(long, default_value_t = 200)]
    rate: u32,
}

/// What is seen at a moment.
struct Look {
    at: Duration,
    mebibytes: f64,
    files: usize,
}

impl Soak {
    pub(super) fn run(&self, found: &mut Found) -> io::Result<()> {
        let mut site = Site::start(&self.common)?;
        let serving = site.serve(&[])?;
        let mut scheduler = Scheduler::plain(serving.verbs);
        let lasting = Duration::from_secs(self.seconds);
        let (begun, mut looked, mut pace) = (Instant::now(), Vec::new(), Pace::of(self.rate));
        let (mut took, mut rejected, mut failed): (Vec<(Duration, Duration)>, usize, usize) = (Vec::new(), 0, 0);
        while begun.elapsed() < lasting {
            pace.wait();
            let at = begun.elapsed();
            match site.place(&mut scheduler) {
                Became::Placed(asked) => took.push((at, asked)),
                Became::Rejected(asked) => {
                    rejected += 1;
                    took.push((at, asked));
                }
                Became::Failed(error) => {
                    failed += 1;
                    eprintln!("after {:.0} s: {error}", at.as_secs_f64());
                }
            }
            if looked.last().is_none_or(|look: &Look| at >= look.at + LOOK) {
                #[expect(clippy::cast_precision_loss, reason = "no process has that much memory")]
                let mebibytes = serving.resident_kib() as f64 / 1024.0;
                looked.push(Look { at, mebibytes, files: serving.open_files() });
                serving.count("migsaw_extender_ready")?;
            }
        }
        let lasted = begun.elapsed();
        found.shows("pods that came, in a second", format!("{:.0}", count(took.len()) / lasted.as_secs_f64()));
        found.shows("– of which no node could take", format!("{rejected} of {}", took.len()));
        found.none("requests that failed", failed);
        found.none("slices that were given twice", site.overcommitted());
        let known = || serving.count("migsaw_extender_pods");
        let there = site.api.len(Kind::Pods);
        let is_known = until(|| known().is_ok_and(|known| known == there)).is_some();
        found.must("pods that are known at the end", known()?, &there.to_string(), is_known);
        let left = || serving.count("migsaw_extender_reservations");
        until(|| left().is_ok_and(|left| left == 0));
        found.must("reservations that are left", left()?, "0", left()? == 0);
        self.steadiness(&looked, &took, lasted, found);
        Ok(())
    }

    /// Memory, open files and times, at the beginning and at the end.
    fn steadiness(&self, looked: &[Look], took: &[(Duration, Duration)], lasted: Duration, found: &mut Found) {
        // A fleet takes a while until it has everything once: the first quarter does not count.
        let warm: Vec<&Look> = looked.iter().filter(|look| look.at >= lasted / 4).collect();
        let points: Vec<(f64, f64)> =
            warm.iter().map(|look| (look.at.as_secs_f64() / 3600.0, look.mebibytes)).collect();
        let mut memory = String::new();
        let parts = [0, looked.len() / 4, looked.len() / 2, looked.len().saturating_sub(1)];
        for look in parts.iter().filter_map(|&at| looked.get(at)) {
            let _ = write!(memory, "{:.1} MiB after {:.0} s, ", look.mebibytes, look.at.as_secs_f64());
        }
        found.shows("memory", memory.trim_end_matches(", "));
        let slope = slope(&points);
        found.measures(
            "– its slope without the first quarter",
            format!("{slope:.2} MiB/h"),
            "< 1 MiB/h",
            slope < SLOPE,
        );
        let files = |look: Option<&&Look>| look.map_or(0, |look| look.files);
        let (first, last) = (files(warm.first()), files(warm.last()));
        found.must(
            "open files and sockets, after a quarter and at the end",
            format!("{first}, {last}"),
            "no growth",
            last <= first + PASSING,
        );
        let part = |from: Duration, to: Duration| -> Times {
            took.iter().filter(|(at, _)| *at >= from && *at < to).map(|(_, asked)| *asked).collect()
        };
        let quarters: Vec<Times> = (0..4).map(|n| part(lasted * n / 4, lasted * (n + 1) / 4)).collect();
        for (times, name) in quarters.iter().zip(["first", "second", "third", "fourth"]) {
            found.shows(&format!("filter + prioritize, {} names, {name} quarter", self.common.nodes), times);
        }
        let [second, fourth] = [1, 3].map(|at: usize| quarters[at].percentile(99));
        found.measures(
            "– 99th percentile, fourth to second quarter",
            format!("{} to {} ms", milliseconds(second), milliseconds(fourth)),
            "flat: at most 1.25 times",
            fourth.as_secs_f64() <= 1.25 * second.as_secs_f64(),
        );
    }
}

/// How fast a value grows: the slope of the line that fits best (least squares).
fn slope(points: &[(f64, f64)]) -> f64 {
    let n = count(points.len()).max(1.0);
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / n;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let with: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    let alone: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    if alone == 0.0 { 0.0 } else { with / alone }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_its_slope() {
        assert!((slope(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]) - 2.0).abs() < 1e-9);
        assert!((slope(&[(0.0, 1.0), (1.0, 2.0), (2.0, 0.0), (3.0, 3.0)]) - 0.4).abs() < 1e-9);
        assert!(slope(&[]).abs() < 1e-9);
    }
}
