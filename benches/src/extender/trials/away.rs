//! The API server is away: answers go on, and say that they are getting old.

use std::io;
use std::time::{Duration, Instant};

use clap::Args;

use super::site::{Became, Pace, Scheduler, Serving, Site, until};
use super::{Common, Found};
use crate::extender::api_server::Kind;
use crate::extender::fleet::{self, Shape};
use crate::extender::requests::pending;
use crate::figures::Times;

/// How long it takes, before and afterwards, in which pods come and go.
const AROUND: Duration = Duration::from_secs(10);
/// When what is known is called old, as `migsaw serve` has it where nothing else is said.
const STALE: Duration = Duration::from_secs(90);
/// A watch waits as long again until it is begun anew, and for some time by chance.
const BACK: Duration = Duration::from_secs(10);

/// What it takes.
#[derive(Debug, Clone, Args)]
pub struct Away {
    #[command(flatten)]
    common: Common,
    /// For how long it is away
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Pods asked about in a second
    #[arg(long, default_value_t = 50)]
    rate: u32,
}

/// What was seen meanwhile.
#[derive(Default)]
struct Meanwhile {
    took: Vec<Duration>,
    failed: usize,
    unready: usize,
    said_stale: Option<Duration>,
}

impl Away {
    pub(super) fn run(&self, found: &mut Found) -> io::Result<()> {
        let mut site = Site::counting(&self.common)?;
        let mut serving = site.serve(&[])?;
        let mut scheduler = Scheduler::plain(serving.verbs);
        let before = self.place(&mut site, &mut scheduler);
        site.api.go_away();
        let meanwhile = self.ask(&site, &serving, &mut scheduler)?;
        // Meanwhile a node came, which nobody could hear of.
        let shape = Shape { seed: self.common.seed, ..Shape::of(self.common.nodes) };
        let node = fleet::node(&shape, self.common.nodes);
        site.api.put(Kind::Nodes, &node.name, &node.json());
        site.api.come_back()?;
        let is_fresh = || serving.readiness().is_ok_and(|(_, said)| said["stale"] == serde_json::json!([]));
        let nodes = self.common.nodes as usize + 1;
        let knows = || serving.count("migsaw_extender_nodes").is_ok_and(|known| known == nodes) && is_fresh();
        let back = until(knows);
        let after = self.place(&mut site, &mut scheduler);
        let there = site.api.len(Kind::Pods);
        let is_known = || serving.count("migsaw_extender_pods").is_ok_and(|known| known == there);
        let is_known = until(is_known).is_some();

        let seconds =
            |time: Option<Duration>| time.map_or("never".into(), |time| format!("{:.1} s", time.as_secs_f64()));
        for (name, (took, failed)) in
            [("before", before), ("meanwhile", (meanwhile.took, meanwhile.failed)), ("afterwards", after)]
        {
            let took: Times = took.into_iter().collect();
            found.shows(&format!("filter + prioritize {name}, {} names", self.common.nodes), &took);
            found.shows(&format!("– pods asked about {name}"), took.len());
            found.none(&format!("– requests that failed {name}"), failed);
        }
        found.none("times at which it was not ready meanwhile", meanwhile.unready);
        if self.seconds > STALE.as_secs() + 10 {
            let said = meanwhile.said_stale;
            let in_time = said.is_some_and(|said| said <= STALE + Duration::from_secs(2));
            found.must(
                "away for so long when it said that what it knows is old",
                seconds(said),
                "≤ 90 s, and to ask",
                in_time,
            );
        }
        found.must(
            "back for so long when it knew what came meanwhile",
            seconds(back),
            "≤ 10 s",
            back.is_some_and(|back| back <= BACK),
        );
        found.must("pods that are known at the end", if is_known { "all" } else { "others" }, "all", is_known);
        found.none("times it ended", usize::from(serving.has_ended()?.is_some()));
        Ok(())
    }

    /// Pods come and go.
    fn place(&self, site: &mut Site, scheduler: &mut Scheduler) -> (Vec<Duration>, usize) {
        let (begun, mut pace) = (Instant::now(), Pace::of(self.rate));
        let (mut took, mut failed) = (Vec::new(), 0);
        while begun.elapsed() < AROUND {
            pace.wait();
            match site.place(scheduler) {
                Became::Placed(asked) | Became::Rejected(asked) => took.push(asked),
                Became::Failed(error) => {
                    failed += 1;
                    eprintln!("{error}");
                }
            }
        }
        (took, failed)
    }

    /// Pods are asked about that nobody can bind.
    fn ask(&self, site: &Site, serving: &Serving, scheduler: &mut Scheduler) -> io::Result<Meanwhile> {
        let (begun, mut pace, mut looked) = (Instant::now(), Pace::of(self.rate), Instant::now());
        let mut meanwhile = Meanwhile::default();
        let mut number = 0;
        while begun.elapsed() < Duration::from_secs(self.seconds) {
            pace.wait();
            number += 1;
            match scheduler.decide(&pending(number % 64), &site.names) {
                Ok((_, took)) => meanwhile.took.push(took),
                Err(error) => {
                    meanwhile.failed += 1;
                    eprintln!("after {:.0} s: {error}", begun.elapsed().as_secs_f64());
                }
            }
            if looked.elapsed() >= Duration::from_secs(1) {
                looked = Instant::now();
                let (is_ready, said) = serving.readiness()?;
                meanwhile.unready += usize::from(!is_ready);
                if said["stale"].as_array().is_some_and(|kinds| kinds.len() == 2) {
                    meanwhile.said_stale.get_or_insert_with(|| begun.elapsed());
                }
            }
        }
        Ok(meanwhile)
    }
}
