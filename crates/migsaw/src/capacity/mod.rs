//! How much more fits: of each profile alone, and of a mix.
//!
//! The question is always the same: what can be added so that everything that runs goes on being served? The
//! answer depends on what may be done to the fleet ([`Freedom`]), from nothing at all to moving whatever may be
//! moved, and is never smaller with more freedom.
//!
//! Every number comes from the planner. For a profile it is the most units that are served of a demand of that
//! profile, at a priority below everything that runs. For a mix it is the number of copies of which all is
//! served: more copies never fit better, so it is found by bisection. A number is a [`Bounded`]: so much was
//! reached by a plan that the checker accepts, and so much is proven to be out of reach. If the two differ, the
//! planner's budget ran out, or the proof is beyond it.
//!
//! ```
//! use migsaw::capacity::{Bounded, Freedom, Query, Wanted, capacity};
//! use migsaw::fleet::{Fleet, Pool};
//! use migsaw::geometry::Catalog;
//! use migsaw::plan::Options;
//! use migsaw::problem::Problem;
//!
//! let a30 = Catalog::builtin().model("A30")?;
//! let fleet = Fleet { pools: vec![Pool::new("inference", a30, 2, 2)] };
//! let answer = capacity(&Problem { fleet, ..Problem::default() }, &Query::default(), &Options::default())?;
//! let half = answer.rows.iter().find(|row| row.wanted == Wanted::Profile("2g.12gb".parse().unwrap())).unwrap();
//! assert_eq!(half.total[0].room, Bounded { least: 8, most: 8 });
//! assert_eq!(answer.freedoms, [Freedom::CutIdle], "nothing is known to run, so nothing has to move");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub(crate) mod base;
mod limit;
mod mix;
mod rows;
pub(crate) mod search;
mod slices;
mod waiting;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::check;
use crate::demand::Demand;
use crate::geometry::ProfileName;
use crate::plan::{Budget, Depth, Moving, Options, Plan, PlanError, Status, Unserved, UnservedCode, plan};
use crate::problem::Problem;

pub(crate) use base::anywhere;
pub use limit::LimitCode;
pub(crate) use mix::all_served;
pub use slices::{Slices, slices};
pub use waiting::{Waiting, waiting};

/// What is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// What must go on being served.
    pub beside: Beside,
    /// Only these profiles; `None` for all that GPUs of the fleet have, and whole GPUs.
    pub profiles: Option<Vec<ProfileName>>,
    /// How many copies of what.
    pub mix: Mix,
    /// Asks as well what so many evictions gain.
    pub max_evictions: Option<u64>,
    /// Asks only what fits with the most freedom there is.
    pub most_freedom_only: bool,
    /// Asks only what fits while all that runs stays where it is.
    pub undisturbed_only: bool,
}

/// What comes before anything that is added.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Beside {
    /// What runs, and what is pinned.
    #[default]
    Running,
    /// All that is asked for, as much of it as can be served.
    Demand,
}

/// What is added in copies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Mix {
    /// The problem's demands, each under its own conditions.
    #[default]
    Demands,
    /// Instances of profiles, anywhere.
    Profiles(BTreeMap<ProfileName, u64>),
    /// Nothing.
    None,
}

/// What may be done to make room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Freedom {
    /// Nothing: what is free of the GPUs as they are cut. GPUs of which that is not known offer nothing.
    AsCut,
    /// What is idle may be cut anew: nodes or GPUs, as the fleet says. Nothing that runs is disturbed.
    CutIdle,
    /// So many running units may be moved besides.
    Evict(u64),
    /// All may be moved that need not stay.
    MoveAll,
}

/// What there could be more of.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    /// Instances of a profile.
    Profile(ProfileName),
    /// GPUs with MIG off.
    WholeGpu,
}

/// A number between what is reached and what is proven to be out of reach.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Bounded {
    /// Reached, by a plan that the checker accepts.
    pub least: u64,
    /// No plan passes this.
    pub most: u64,
}

/// How much more fits, under one freedom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fit {
    /// What may be done.
    pub freedom: Freedom,
    /// How many more.
    pub room: Bounded,
    /// Why no GPU takes one more: GPUs by what binds there. Those of models without the profile are left out.
    pub limits: BTreeMap<LimitCode, u64>,
}

/// How many more of one profile fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Of what.
    pub wanted: Wanted,
    /// How many the fleet would hold if it were empty and held nothing else.
    pub empty: u64,
    /// In the whole fleet, by freedom.
    pub total: Vec<Fit>,
    /// In the pools that could have any.
    pub pools: Vec<PoolRow>,
}

/// How many more of one profile fit in one pool alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolRow {
    /// Index of the pool.
    pub pool: usize,
    /// How many the pool would hold if it were empty.
    pub empty: u64,
    /// By freedom.
    pub fits: Vec<Fit>,
}

/// How many more copies of a mix fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MixRow {
    /// One copy.
    pub copy: Vec<Demand>,
    /// In the whole fleet, by freedom.
    pub total: Vec<Copies>,
    /// In one pool alone, for a mix of profiles and where there are several pools.
    pub pools: Vec<(usize, Vec<Copies>)>,
}

/// How many more copies fit, under one freedom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copies {
    /// What may be done.
    pub freedom: Freedom,
    /// How many more.
    pub room: Bounded,
    /// What one copy more would lack.
    pub lacks: Vec<Lack>,
}

/// A demand of which one copy more would not be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lack {
    /// The demand's name.
    pub demand: String,
    /// Units that would not be served.
    pub count: u64,
    /// What binds, for programs.
    pub code: UnservedCode,
    /// What binds, a sentence.
    pub reason: String,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capacity {
    /// What all this is beside.
    pub beside: Beside,
    /// Units that run or are asked for, and come first.
    pub units: u64,
    /// The freedoms that make a difference, in the order of every list of answers.
    pub freedoms: Vec<Freedom>,
    /// By profile.
    pub rows: Vec<Row>,
    /// Of the mix; `None` if there is none.
    pub mix: Option<MixRow>,
    /// Nodes of which it is not known how they are cut.
    pub unknown_nodes: u64,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CapacityError {
    /// No GPU of the fleet has the profile.
    #[error("no GPU of the fleet has a profile `{name}` (nearest: {})", nearest.join(", "))]
    UnknownProfile {
        /// The name.
        name: ProfileName,
        /// Profiles that may have been meant.
        nearest: Vec<String>,
    },
    /// There is nothing in a copy.
    #[error("a copy of the mix has nothing in it (give counts above 0, as in `1g.10gb=4,3g.40gb=1`)")]
    EmptyMix,
    /// There is no plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

impl CapacityError {
    /// A stable code for programs; `docs/errors.md` lists them.
    pub fn code(&self) -> &'static str {
        match self {
            CapacityError::UnknownProfile { .. } => "unknown-profile",
            CapacityError::EmptyMix => "empty-mix",
            CapacityError::Plan(PlanError::Invalid(found)) => found.first().map_or("invalid", |(_, p)| p.code()),
            CapacityError::Plan(_) => "internal",
        }
    }
}

/// How much more fits. Of `options`, what may be moved and how deep to plan are not looked at.
///
/// # Errors
/// [`CapacityError::UnknownProfile`] and [`CapacityError::EmptyMix`] for a query that makes no sense here, and what
/// [`plan`] refuses. That nothing fits is an answer.
///
/// # Complexity
/// One plan for each profile and freedom, and one more for each pool where something may be moved; for a mix about
/// twice the logarithm of the number of copies.
pub fn capacity(problem: &Problem, query: &Query, options: &Options<'_>) -> Result<Capacity, CapacityError> {
    let invalid = problem.validate();
    if !invalid.is_empty() {
        return Err(PlanError::Invalid(invalid).into());
    }
    let base = base::Base::new(problem, query.beside);
    let mut freedoms = base.freedoms(query.max_evictions);
    freedoms.retain(|freedom| freedom.keeps_all() || !query.undisturbed_only);
    if query.most_freedom_only {
        freedoms.drain(..freedoms.len() - 1);
    }
    let mix = {
        // The mix is what line one is about, but must not take the time of all the rest.
        let share = Share::of(options.budget, 4);
        let options = Options { budget: &share, ..*options };
        Asker { base: &base, freedoms: &freedoms, options: &options }.mix(problem, &query.mix)?
    };
    let rows = Asker { base: &base, freedoms: &freedoms, options }.rows(query.profiles.as_deref())?;
    Ok(Capacity {
        beside: query.beside,
        units: base.problem.demands.iter().map(|demand| demand.count).sum(),
        rows,
        mix,
        unknown_nodes: base.unknown_nodes(),
        freedoms,
    })
}

/// Puts questions to the planner.
struct Asker<'a> {
    base: &'a base::Base,
    freedoms: &'a [Freedom],
    options: &'a Options<'a>,
}

impl Asker<'_> {
    fn plan(&self, problem: &Problem, freedom: Freedom) -> Result<Plan, PlanError> {
        judged(problem, &Options { depth: Depth::Served, moving: freedom.moving(), ..*self.options })
    }
}

/// Part of a budget: one question that is hard leaves time for the others.
pub(crate) struct Share<'a> {
    all: &'a dyn Budget,
    kept: Duration,
}

impl<'a> Share<'a> {
    /// One of so many parts of what is left.
    pub(crate) fn of(all: &'a dyn Budget, parts: u32) -> Share<'a> {
        let left = all.remaining();
        let kept = if left == Duration::MAX { Duration::ZERO } else { left.saturating_sub(left / parts.max(1)) };
        Share { all, kept }
    }
}

impl Budget for Share<'_> {
    fn remaining(&self) -> Duration {
        self.all.remaining().saturating_sub(self.kept)
    }
}

/// A plan that the checker accepts, but for its tiers, of which only some are asked for.
pub(crate) fn judged(problem: &Problem, options: &Options<'_>) -> Result<Plan, PlanError> {
    let mut plan = plan(problem, options)?;
    let status = std::mem::replace(&mut plan.status, Status::Feasible);
    let tiers = std::mem::take(&mut plan.tiers);
    match check::check(problem, &plan).first() {
        Some(violation) => Err(PlanError::Internal(format!("the plan is wrong: {violation}"))),
        None => Ok(Plan { status, tiers, ..plan }),
    }
}

impl Freedom {
    fn moving(self) -> Moving {
        let (max_evictions, leave_cut) = match self {
            Freedom::AsCut => (Some(0), true),
            Freedom::CutIdle => (Some(0), false),
            Freedom::Evict(most) => (Some(most), false),
            Freedom::MoveAll => (None, false),
        };
        Moving { max_evictions, leave_cut, ..Moving::default() }
    }

    /// Whether everything that runs stays where it is.
    fn keeps_all(self) -> bool {
        matches!(self, Freedom::AsCut | Freedom::CutIdle)
    }
}

impl Lack {
    /// What a plan does not serve.
    pub(crate) fn all(problem: &Problem, plan: &Plan) -> Vec<Lack> {
        let lack = |unserved: &Unserved| Lack {
            demand: problem.demands[unserved.demand].full_name(),
            count: unserved.count,
            code: unserved.code,
            reason: unserved.reason.clone(),
        };
        plan.unserved.iter().map(lack).collect()
    }
}

impl Bounded {
    /// A number that is known.
    pub fn exactly(number: u64) -> Bounded {
        Bounded { least: number, most: number }
    }

    /// Whether it is known.
    pub fn is_proven(self) -> bool {
        self.least == self.most
    }
}

impl std::ops::Add for Bounded {
    type Output = Bounded;

    fn add(self, other: Bounded) -> Bounded {
        Bounded { least: self.least + other.least, most: self.most + other.most }
    }
}

impl fmt::Display for Bounded {
    /// `412`, or `412 to 415`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_proven() { write!(f, "{}", self.least) } else { write!(f, "{} to {}", self.least, self.most) }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wanted::Profile(name) => name.fmt(f),
            Wanted::WholeGpu => f.write_str("whole GPU"),
        }
    }
}
