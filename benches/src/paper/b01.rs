//! B1: the fewest GPUs for a mix of profiles on identical empty GPUs, exactly.

use std::sync::Arc;

use anyhow::Context;
use migsaw::demand::Demand;
use migsaw::fleet::{Fleet, Pool};
use migsaw::geometry::{Catalog, Model, ProfileId};
use migsaw::plan::{Depth, Options, TierName};
use migsaw::problem::Problem;
use migsaw_sim::Rng;
use migsaw_tests::closed_form::{CLASSES, Mix};
use migsaw_tests::oracle::{Additions, optimum_of};

use super::Settings;
use super::patterns::{Patterns, rounded_up};
use super::planned::{SERVED, planned, reached};
use super::table::{Column, Row, Table, of};
use crate::figures::{Times, milliseconds};

const SCALES: [u64; 5] = [2, 4, 8, 25, 100];
/// Workloads of the mixes that are timed.
const WORKLOADS: u64 = 1_000_000;
/// How often each is timed: what is the same work takes longer only if something else runs.
const RUNS: usize = 5;
/// In milliseconds.
const LIMIT: u128 = 10;

const OPTIONS: fn() -> Options<'static> = || Options { depth: Depth::ServedAndCost, ..Options::default() };

pub(super) fn run(settings: &Settings) -> anyhow::Result<Vec<Table>> {
    Ok(vec![random_mixes(settings)?, a_million(settings)?, every_model(settings)?])
}

/// Ways to the fewest GPUs, which must agree.
struct Found {
    planner: i64,
    formula: i64,
    relaxation: i64,
    volume: i64,
}

impl Found {
    fn agree(&self) -> bool {
        self.planner == self.formula && self.planner == self.relaxation
    }
}

/// A seven-slice board, and its patterns of the classes of a mix.
struct Board {
    model: Arc<Model>,
    patterns: Patterns,
}

impl Board {
    fn all() -> Vec<Board> {
        let catalog = Catalog::builtin();
        let boards = catalog.models().filter(|model| model.family == "seven-compute-eight-memory");
        boards.map(|model| Board { patterns: Patterns::of(model, &ids(model)), model: Arc::clone(model) }).collect()
    }

    /// All three ways, and how long the planner takes. The fleet has more GPUs than are needed.
    fn fewest(&self, mix: &Mix, nodes: u32) -> anyhow::Result<(Found, std::time::Duration)> {
        let (plan, took) = planned(&mix.problem(&self.model, nodes), &OPTIONS())?;
        let (served, _) = reached(&plan, SERVED)?;
        let (gpus, proven) = reached(&plan, TierName::Gpus)?;
        let all: u64 = mix.counts().iter().sum();
        let found = Found {
            // What is not proven, or not all, agrees with nothing.
            planner: if proven && served == whole(all)? { gpus } else { -1 },
            formula: whole(mix.fewest_gpus())?,
            relaxation: rounded_up(self.patterns.fewest(&mix.counts())?),
            volume: whole(mix.volume_bound())?,
        };
        Ok((found, took))
    }
}

fn ids(model: &Model) -> Vec<ProfileId> {
    let id = |class: &&str| model.profile_ids().find(|(_, p)| p.class == *class).map(|(id, _)| id);
    CLASSES.iter().filter_map(id).collect()
}

fn whole(n: u64) -> anyhow::Result<i64> {
    i64::try_from(n).context("too many")
}

fn random_mixes(settings: &Settings) -> anyhow::Result<Table> {
    let of_scale = settings.seeds(800, 8);
    let boards = Board::all();
    let mut rng = Rng::new(1);
    let mut table = Table::new(
        "Random mixes",
        "Fewest GPUs for up to so many instances of each of six profiles, each profile kept with probability 0.7, in \
         turn on every model with seven compute and eight memory slices. The plan's proven optimum must be what the \
         closed formula gives and what the relaxation of the cutting-stock program gives rounded up, every time. For \
         comparison, what memory and compute slices alone say: a bound that is weak for one-sided mixes, since a GPU \
         takes one 4g where slices would allow 1.75.",
        &[
            Column::Value("scale"),
            Column::Value("mixes"),
            Column::Value("plan = formula = relaxation rounded up"),
            Column::Value("slice bound exact"),
            Column::Value("slice bound at worst"),
            Column::Time("planning, median / 99 % / longest"),
        ],
    );
    let (mut agreeing, mut all, mut exact, mut worst, mut every) = (0, 0, 0, 0, Vec::new());
    for scale in SCALES {
        let mut found = Vec::new();
        while found.len() as u64 != of_scale {
            let mix = Mix::random(&mut rng, scale);
            let most: u64 = mix.counts().iter().sum();
            if most > 0 {
                let board = &boards[(all + found.len()) % boards.len()];
                found.push(board.fewest(&mix, u32::try_from(most)?)?);
            }
        }
        let (found, took): (Vec<Found>, Vec<_>) = found.into_iter().unzip();
        let agree = found.iter().filter(|found| found.agree()).count();
        let met = found.iter().filter(|found| found.volume == found.formula).count();
        let gap = |found: &Found| (found.formula - found.volume) * 100 / found.formula;
        let gap = found.iter().map(gap).max().unwrap_or_default();
        table.rows.push(row(&scale, found.len(), agree, met, gap, &took));
        agreeing += agree;
        all += found.len();
        exact += met;
        worst = worst.max(gap);
        every.extend(took);
    }
    table.rows.push(row(&"all", all, agreeing, exact, worst, &every));
    Ok(table)
}

fn row(
    scale: &dyn std::fmt::Display,
    all: usize,
    agreeing: usize,
    exact: usize,
    worst: i64,
    took: &[std::time::Duration],
) -> Row {
    let times: Times = took.iter().copied().collect();
    let (share, worst) = (format!("{} %", exact * 100 / all.max(1)), format!("{worst} % below"));
    Row::of(&[scale, &all, &of(agreeing, all), &share, &worst, &times]).value(agreeing == all)
}

fn a_million(settings: &Settings) -> anyhow::Result<Table> {
    let seeds = settings.seeds(20, 2);
    let mut table = Table::new(
        "A million workloads",
        format!(
            "The same for mixes of {WORKLOADS} workloads, grouped by profile, on a million GPUs, in less than \
             {LIMIT} ms: the time from the problem to a plan for every node, with units served and GPUs used proven, \
             the shortest of {RUNS}."
        ),
        &[
            Column::Value("model"),
            Column::Value("mixes"),
            Column::Value("plan = formula = relaxation rounded up"),
            Column::Time("median / 99 % / longest"),
        ],
    );
    let mut rng = Rng::new(2);
    for board in Board::all().iter().filter(|board| ["A100-80GB", "H100-80GB"].contains(&board.model.id.as_str())) {
        let mut found = Vec::new();
        for _ in 0..seeds {
            let mix = million(&mut rng);
            let runs = (0..RUNS).map(|_| board.fewest(&mix, u32::try_from(WORKLOADS)?));
            let runs: Vec<_> = runs.collect::<anyhow::Result<_>>()?;
            found.extend(runs.into_iter().min_by_key(|(_, took)| *took));
        }
        let agreeing = found.iter().filter(|(found, _)| found.agree()).count();
        let times: Times = found.iter().map(|(_, took)| *took).collect();
        let in_time = times.max().as_millis() < LIMIT;
        let row = Row::of(&[&board.model.id, &found.len(), &of(agreeing, found.len()), &times]);
        table.rows.push(row.value(agreeing == found.len()).time(in_time));
    }
    Ok(table)
}

/// A random mix of so many workloads.
fn million(rng: &mut Rng) -> Mix {
    loop {
        let weights = Mix::random(rng, 100).counts();
        let sum: u64 = weights.iter().sum();
        if sum > 0 {
            let mut counts = weights.map(|weight| weight * WORKLOADS / sum);
            counts[0] += WORKLOADS - counts.iter().sum::<u64>();
            return Mix::from(counts);
        }
    }
}

fn every_model(settings: &Settings) -> anyhow::Result<Table> {
    let cases = settings.seeds(60, 2);
    let mut table = Table::new(
        "Every model, one to three GPUs",
        "Up to four profiles of the model, each asked for up to as often as it fits on the GPUs. Most units served, \
         then fewest GPUs: proven, and equal to what trying out every cut of every GPU gives.",
        &[
            Column::Value("model"),
            Column::Value("problems"),
            Column::Value("of which not all fits"),
            Column::Value("plan = exhaustion"),
            Column::Time("longest plan, ms"),
        ],
    );
    for model in Catalog::builtin().models() {
        let mut rng = Rng::new(3);
        let (mut agreeing, mut tight, mut times) = (0, 0, Vec::new());
        for case in 0..cases {
            let problem = small(&mut rng, model, u32::try_from(1 + case % 3)?);
            let (plan, took) = planned(&problem, &OPTIONS())?;
            let expected = optimum_of(&problem, Additions::Wanted);
            let tiers = plan.tiers.iter().filter(|tier| matches!(tier.name, SERVED | TierName::Gpus));
            let mut same = 0;
            for (tier, (name, best)) in tiers.zip(&expected) {
                same += usize::from((tier.name, tier.value, tier.bound) == (*name, *best, *best));
            }
            agreeing += usize::from(same == 2);
            tight += usize::from(!plan.unserved.is_empty());
            times.push(took);
        }
        let (all, times) = (usize::try_from(cases)?, times.into_iter().collect::<Times>());
        let row = Row::of(&[&model.id, &all, &tight, &of(agreeing, all), &milliseconds(times.max())]);
        table.rows.push(row.value(agreeing == all));
    }
    Ok(table)
}

fn small(rng: &mut Rng, model: &Arc<Model>, gpus: u32) -> Problem {
    let mut demands: Vec<Demand> = Vec::new();
    for profile in &model.profiles {
        // In the order of the catalogue, about four of them.
        if demands.len() < 4 && rng.chance(4, model.profiles.len() as u64) {
            let most = u64::from(profile.max_instances) * u64::from(gpus);
            demands.push(Demand::of_profile(profile.name.to_string(), profile.name.clone(), 1 + rng.below(most)));
        }
    }
    if demands.is_empty() {
        let profile = &model.profiles[0];
        demands.push(Demand::of_profile(profile.name.to_string(), profile.name.clone(), 1));
    }
    let fleet = Fleet { pools: vec![Pool::new("p", Arc::clone(model), gpus, 1)] };
    Problem { fleet, demands, ..Problem::default() }
}
