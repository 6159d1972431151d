//! Fragmented fleets of 80 GPUs, with what is proven about compacting and refilling them.
//!
//! `tests/data/wpm_like` holds 24 cases, drawn for the problems of "Optimal Workload Placement on Multi-Instance
//! GPUs" (arXiv 2409.06646): `existing.csv` says what runs where, `arrivals.csv` what comes on top, and
//! `reference.csv` the optima, each proven with another solver.

use std::collections::BTreeMap;

use migsaw::demand::Demand;
use migsaw::fleet::{Fleet, NodeGroup, NodeNames, Pool};
use migsaw::geometry::{Catalog, Layout, Placement, ProfileName};
use migsaw::present::{Held, Present, RecutUnit, Running};
use migsaw::problem::Problem;

const EXISTING: &str = include_str!("../data/wpm_like/existing.csv");
const ARRIVALS: &str = include_str!("../data/wpm_like/arrivals.csv");
const REFERENCE: &str = include_str!("../data/wpm_like/reference.csv");

/// One case.
#[derive(Debug, Clone)]
pub struct Case {
    /// `w00` to `w23`.
    pub name: String,
    /// Node, GPU, profile, start.
    pub existing: Vec<(u32, u16, ProfileName, u8)>,
    /// What comes on top.
    pub arrivals: Vec<ProfileName>,
    /// GPUs with something on them.
    pub active: i64,
    /// Fewest GPUs that hold what runs.
    pub compact: i64,
    /// Fewest instances that must change their GPU or start for that.
    pub moves: i64,
    /// Fewest GPUs more that hold the arrivals too, nothing moved; `None` if some must be refused.
    pub extra: Option<i64>,
    /// Fewest GPUs that hold everything, all of it moved.
    pub together: i64,
}

/// All cases.
///
/// # Panics
/// If a file is not what it should be.
pub fn cases() -> Vec<Case> {
    let rows = |text: &'static str| text.lines().skip(1).map(|line| line.split(',').collect::<Vec<&str>>());
    let number = |text: &str| text.parse::<i64>().ok();
    rows(REFERENCE)
        .map(|row| Case {
            name: row[0].to_owned(),
            existing: rows(EXISTING)
                .filter(|r| r[0] == row[0])
                .map(|r| (parse(r[1]), parse(r[2]), parse(r[3]), parse(r[4])))
                .collect(),
            arrivals: rows(ARRIVALS).filter(|r| r[0] == row[0]).map(|r| parse(r[2])).collect(),
            active: parse(row[5]),
            compact: parse(row[7]),
            moves: parse(row[8]),
            extra: number(row[11]),
            together: parse(row[12]),
        })
        .collect()
}

fn parse<T: std::str::FromStr>(text: &str) -> T {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is not what it should be"))
}

impl Case {
    /// The case as a problem, its nodes and arrivals so many times over: instances are what is made and removed
    /// one by one, and each is a unit of the demand with its profile's name.
    ///
    /// # Panics
    /// If a profile is not one of the model.
    pub fn problem(&self, with_arrivals: bool, times: u32) -> Problem {
        let model = Catalog::builtin().model("A100-80GB").expect("a model of the catalogue");
        let mut counts: BTreeMap<&ProfileName, u64> = BTreeMap::new();
        let existing = self.existing.iter().map(|(_, _, profile, _)| profile);
        let arrivals = self.arrivals.iter().filter(|_| with_arrivals);
        existing.chain(arrivals).for_each(|profile| *counts.entry(profile).or_insert(0) += u64::from(times));
        let demand = |profile: &ProfileName| counts.keys().position(|name| *name == profile).expect("it was counted");
        let mut nodes: Vec<Present> = Vec::new();
        for node in 0..10 {
            let here = || self.existing.iter().filter(move |row| row.0 == node);
            let placement = |profile: &ProfileName, start: u8| Placement {
                profile: model.profile(profile).expect("a profile of the model"),
                start,
            };
            let layout = |gpu: u16| {
                let on_gpu = here().filter(|row| row.1 == gpu).map(|row| placement(&row.2, row.3));
                Some(Layout::claimed(on_gpu)).filter(|layout| !layout.is_empty())
            };
            let running = here().map(|(_, gpu, profile, start)| Running {
                name: None,
                demand: demand(profile),
                holds: vec![Held { gpu: *gpu, instance: Some(placement(profile, *start)) }],
                stays: false,
            });
            let (gpus, running) = ((0..8).map(layout).collect(), running.collect());
            nodes.push(Present { unit: RecutUnit::Instance, gpus, in_any_order: false, running });
        }
        let group = |(node, present): (u32, Present)| NodeGroup {
            names: NodeNames::Numbered { prefix: "n-".into(), first: node, count: 1 },
            pinned: Vec::new(),
            present: Some(present),
        };
        let mut pool = Pool::new("n", model.clone(), 10 * times, 8);
        let nodes = std::iter::repeat_n(nodes, times as usize).flatten();
        pool.nodes = (0..).zip(nodes).map(group).collect();
        let demands = counts.iter().map(|(profile, &n)| Demand::of_profile(profile.to_string(), (*profile).clone(), n));
        Problem { fleet: Fleet { pools: vec![pool] }, demands: demands.collect(), ..Problem::default() }
    }
}
