//! Ten times as many requests at once as are admitted.

use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use clap::Args;

use super::site::{Site, until};
use super::{Common, Found};
use crate::extender::connection::{Connection, Question, Wire};
use crate::extender::crowd::Crowd;
use crate::extender::requests::{by_name, pending};
use crate::figures::{Times, count};

/// How long a refusal may take.
const AT_ONCE: Duration = Duration::from_millis(1);
/// How many times as long an accepted question may take at ten times the load.
const UNHARMED: f64 = 1.25;

/// What it takes.
#[derive(Debug, Clone, Args)]
pub struct Overload {
    #[command(flatten)]
    common: Common,
    /// For how long, each time
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// The most requests in work, for `--max-in-flight`
    #[arg(long, default_value_t = 64)]
    admitted: usize,
    /// How long a caller waits after it was refused, in milliseconds; kube-scheduler waits a second at least
    #[arg(long, default_value_t = 1_000)]
    pause: u64,
}

impl Overload {
    pub(super) fn run(&self, found: &mut Found) -> io::Result<()> {
        let site = Site::start(&self.common)?;
        let serving = site.serve(&["--max-in-flight", &self.admitted.to_string()])?;
        let (address, nodes) = (serving.verbs, self.common.nodes);
        let shed = || serving.count("migsaw_extender_request_duration_seconds_count{verb=\"filter\",outcome=\"shed\"}");

        // All places are taken by those whose bodies do not come: what is left is refusing.
        let question = Question::new("filter", &by_name(&pending(0), nodes));
        let open = || Connection::open(Wire::Http, address, Path::new(""));
        let mut holding = Vec::new();
        for _ in 0..self.admitted {
            let mut connection = open()?;
            connection.ask_half(&question)?;
            holding.push(connection);
        }
        let taken = || serving.count("migsaw_extender_in_flight").is_ok_and(|n| n == self.admitted);
        until(taken).ok_or_else(|| io::Error::other("the places are not taken"))?;
        let (before, mut odd, mut took) = (shed()?, 0, Vec::new());
        for _ in 0..10 * self.admitted {
            let mut connection = open()?;
            let begun = Instant::now();
            match connection.ask(&question) {
                Ok((503, _)) => took.push(begun.elapsed()),
                _ => odd += 1,
            }
        }
        let took: Times = took.into_iter().collect();
        let counted = shed()? - before;
        found.measures(
            "all places taken: refused after",
            &took,
            "99th percentile ≤ 1 ms",
            took.percentile(99) <= AT_ONCE,
        );
        found.none("– answers that were no refusal", odd);
        found.must("– refusals that were counted", counted, &took.len().to_string(), counted == took.len());
        drop(holding);
        until(|| serving.count("migsaw_extender_in_flight").is_ok_and(|n| n == 0))
            .ok_or_else(|| io::Error::other("places are not given back"))?;

        let (lasting, pause) = (Duration::from_secs(self.seconds), Duration::from_millis(self.pause));
        let crowd = |connections| Crowd { address, ca: Path::new(""), nodes, connections, lasting, pause }.ask();
        let (just, far) = (crowd(self.admitted)?, crowd(10 * self.admitted)?);
        for (name, answered) in [("as many connections as places", &just), ("ten times as many", &far)] {
            let rate = count(answered.accepted.len()) / answered.lasted.as_secs_f64();
            found.shows(&format!("{name}: accepted, refused, broken"), answered.counts());
            found.shows(&format!("{name}: pods in a second"), format!("{rate:.0}"));
            found.shows(&format!("{name}: a pod's filter + prioritize"), &answered.accepted);
        }
        found.shows("ten times as many: refused after, callers on the same cores", &far.refused);
        let ratio = far.accepted.percentile(99).as_secs_f64() / just.accepted.percentile(99).as_secs_f64();
        found.measures(
            "99th percentile of the accepted, ten times to once",
            format!("{ratio:.2}"),
            "unharmed: ≤ 1.25",
            ratio <= UNHARMED,
        );
        found.none("connections that broke, or answers that were neither", just.broken + far.broken);
        found.must("somebody is accepted at ten times", far.accepted.len(), "> 0", !far.accepted.is_empty());
        Ok(())
    }
}
