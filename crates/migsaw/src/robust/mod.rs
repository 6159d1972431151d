//! One layout for several scenarios: how the fleet is cut is decided once, and whatever then comes is served by the
//! instances that are there.
//!
//! Given are scenarios `s` with weights `w[s]`. Of a layout `y`, let `served[s, l](y)` be the units that the best plan
//! for scenario `s` serves at priority `l` if it leaves every GPU cut as `y` has it: most at the highest priority
//! first, as always. GPUs with MIG off serve as whole GPUs, and are not cut. `best[s, l]` is what the best plan for `s`
//! alone serves, with a layout of its own: what one would serve who knew what comes.
//!
//! - The *average* of a priority is `Σ_s w[s] · served[s, l](y) / Σ_s w[s]`.
//! - The *regret* of a scenario is `best[s, l] - served[s, l](y)`, in units; the greatest counts, whatever the weights.
//!   At the highest priority it is never below 0. At a lower one it may be, where less is served at a higher one and
//!   leaves room; the regrets of all priorities, read from the highest on, never are.
//!
//! The best layout has the greatest average, priority by priority ([`Aim::Average`]), or the least greatest regret
//! ([`Aim::Worst`]); the other one of the two decides between layouts that are equally good in the first, before the
//! next priority is looked at.
//!
//! An integer program in two stages finds it, and bounds what any layout can reach. What each layout serves in each
//! scenario is asked of the planner, which is told to leave everything cut as it is, and judged by the checker; what
//! the program thinks it would serve counts for nothing. Both agree where no rule acts within a node. Where one does, or
//! time is up, the bound may stay apart from the value, and the answer says so.
//!
//! What runs today may move, so none of it counts; what is pinned stays.
//!
//! ```
//! use migsaw::demand::Demand;
//! use migsaw::fleet::{Fleet, Pool};
//! use migsaw::geometry::Catalog;
//! use migsaw::plan::Options;
//! use migsaw::problem::Problem;
//! use migsaw::robust::{Aim, Scenario, robust};
//!
//! let a30 = Catalog::builtin().model("A30")?;
//! let scenario = |name: &str, small: &str, large: &str| Scenario {
//!     name: name.to_owned(),
//!     weight: None,
//!     counts: vec![
//!         (Some("small".to_owned()), small.parse().unwrap()),
//!         (Some("large".to_owned()), large.parse().unwrap()),
//!     ],
//! };
//! let problem = Problem {
//!     fleet: Fleet { pools: vec![Pool::new("lab", a30, 1, 2)] },
//!     demands: vec![
//!         Demand::of_profile("small", "1g.6gb".parse()?, 0),
//!         Demand::of_profile("large", "2g.12gb".parse()?, 0),
//!     ],
//!     scenarios: vec![scenario("weekday", "8", "0"), scenario("weekend", "0", "4")],
//!     ..Problem::default()
//! };
//! let answer = robust(&problem, Aim::Worst, &Options::default())?;
//! // One GPU cut for weekdays, and half of the other: 6 of 8 on a weekday, 1 of 4 at a weekend.
//! assert_eq!(answer.ours().served, [[6, 0], [0, 1]]);
//! assert_eq!(answer.ours().regret(&answer.situations, 0), 3);
//! assert!(answer.is_proven());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod layout;
mod scenario;

use std::cmp::Reverse;

use crate::capacity::{Share, judged};
use crate::plan::{Depth, Known, Options, PlanError, Stage, TierName, two_stage};
use crate::problem::Problem;

pub use layout::Layout;
pub use scenario::{InvalidWeight, MAX_WEIGHTS, Scenario, ScenarioError, Weight, check, weights};

/// What makes a layout the best.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Aim {
    /// It serves most on average.
    #[default]
    Average,
    /// Its greatest regret is least.
    Worst,
}

/// A scenario, and what could be served if one knew that it comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Situation {
    /// The scenario's name.
    pub name: String,
    /// How much it counts.
    pub weight: Weight,
    /// The fleet, and what is asked for.
    pub problem: Problem,
    /// Units that its own best plan serves, by demand.
    pub best: Vec<u64>,
    /// Whether no plan serves more.
    pub is_proven: bool,
}

/// How a layout was come by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// The best for all scenarios.
    Robust,
    /// The best plan for the average of each count, rounded up.
    Mean,
    /// The best plan for the greatest of each count.
    Peak,
    /// The best plan for the scenario with this index, which has the greatest weight.
    Likely(usize),
}

/// What one layout serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// How it was come by.
    pub rule: Rule,
    /// Units served, by scenario and demand.
    pub served: Vec<Vec<u64>>,
}

/// What is counted at a priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// The average of the units served, times [`Robust::weights`]; more is better.
    Average,
    /// The greatest regret; less is better.
    Regret,
}

/// One tier of what is aimed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RobustTier {
    /// The demands' priority.
    pub priority: i32,
    /// What is counted.
    pub measure: Measure,
    /// What the layout reaches.
    pub value: i64,
    /// What no layout can pass, given the tiers before it.
    pub bound: i64,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Robust {
    /// What was aimed at.
    pub aim: Aim,
    /// The priorities there are, highest first.
    pub priorities: Vec<i32>,
    /// The scenarios.
    pub situations: Vec<Situation>,
    /// The sum of the weights as whole numbers.
    pub weights: u64,
    /// What the layout serves, and after it what those serve that one might choose without asking.
    pub choices: Vec<Choice>,
    /// How good the layout is, most important first.
    pub tiers: Vec<RobustTier>,
    /// The layout.
    pub layout: Layout,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RobustError {
    /// Scenarios that make no sense.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Scenarios(Vec<ScenarioError>),
    /// There is no plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// The one layout that serves the problem's scenarios best.
///
/// # Errors
/// Scenarios that make no sense, and what [`plan`](crate::plan::plan) refuses. That not all is served is an answer.
///
/// # Complexity
/// A plan for each scenario and for each of the layouts compared, and one for each scenario on each of these; and an
/// integer program with the shared part of a plan's once, and the rest once for each scenario.
pub fn robust(problem: &Problem, aim: Aim, options: &Options<'_>) -> Result<Robust, RobustError> {
    let mut problem = problem.clone();
    problem.forget_running();
    let invalid = problem.validate();
    if !invalid.is_empty() {
        return Err(PlanError::Invalid(invalid).into());
    }
    let mut wrong: Vec<ScenarioError> = check(&problem).into_iter().map(|(_, error)| error).collect();
    if problem.scenarios.is_empty() {
        wrong.push(ScenarioError::None);
    }
    if !wrong.is_empty() {
        return Err(RobustError::Scenarios(wrong));
    }
    let weights = weights(&problem.scenarios);
    let mut problems = Vec::new();
    for scenario in &problem.scenarios {
        let mut of = scenario.of(&problem).map_err(RobustError::Scenarios)?;
        of.scenarios.clear();
        // They name demands by number, and no plan looks at them.
        of.quotas.clear();
        problems.push(of);
    }
    let mut priorities: Vec<i32> =
        problems.iter().flat_map(|p| &p.demands).filter(|d| d.count > 0).map(|d| d.priority).collect();
    priorities.sort_unstable_by_key(|&priority| Reverse(priority));
    priorities.dedup();
    let mut situations = Vec::new();
    for ((scenario, problem), &weight) in problem.scenarios.iter().zip(problems).zip(&weights) {
        let half = Share::of(options.budget, 2);
        let plan = judged(&problem, &Options { budget: &half, depth: Depth::Served, ..*options })?;
        let of_units = |tier: &&crate::plan::Tier| matches!(tier.name, TierName::Served { .. });
        situations.push(Situation {
            name: scenario.name.clone(),
            weight,
            best: plan.served(problem.demands.len()),
            is_proven: plan.tiers.iter().filter(of_units).all(|tier| tier.value == tier.bound),
            problem,
        });
    }
    let asker = Asker { aim, options, weights: scenario::whole(&weights), priorities, situations };
    Ok(asker.answer()?)
}

/// A layout, and what it serves by scenario and demand.
struct Tried {
    layout: Layout,
    served: Vec<Vec<u64>>,
}

struct Asker<'a> {
    aim: Aim,
    options: &'a Options<'a>,
    /// As whole numbers.
    weights: Vec<u64>,
    priorities: Vec<i32>,
    situations: Vec<Situation>,
}

impl Asker<'_> {
    fn answer(mut self) -> Result<Robust, PlanError> {
        let half = Share::of(self.options.budget, 2);
        let early = Options { budget: &half, ..*self.options };
        let mut fleet = self.situations[0].problem.clone();
        fleet.demands.clear();
        fleet.budgets.clear();
        let best: Vec<Vec<i64>> =
            self.situations.iter().map(|s| by_priority(&s.problem, &s.best, &self.priorities)).collect();
        let stages: Vec<Stage<'_>> = self
            .situations
            .iter()
            .zip(&best)
            .zip(&self.weights)
            .map(|((situation, best), &weight)| Stage {
                problem: &situation.problem,
                weight: i64::try_from(weight).expect("weights are limited"),
                best,
            })
            .collect();
        let found = two_stage(&fleet, &stages, &self.priorities, self.aim == Aim::Worst, &early)?;
        let naive = self.naive(&early)?;
        let mut tried: Vec<Tried> = Vec::new();
        let mut choices = Vec::new();
        for (rule, layout) in naive {
            let one = self.try_out(layout)?;
            choices.push(Choice { rule, served: one.served.clone() });
            tried.push(one);
        }
        let mut known = None;
        if let Some(found) = found {
            let reached: Vec<(Known, Known)> = found.levels.iter().map(|l| (l.average, l.regret)).collect();
            let aimed: Vec<i64> = self.in_order(reached.iter().map(|(average, regret)| (average.value, regret.value)));
            let direct = Layout { problem: fleet.clone(), plan: found.plan };
            // The planner cuts the same instances into fewer configurations.
            let tidy = Problem { demands: direct.stock(), ..fleet };
            let plan = judged(&tidy, &early)?;
            let one = self.try_out(Layout { problem: tidy, plan })?;
            let is_short = self.score(&one) < aimed;
            tried.insert(0, one);
            if is_short {
                let one = self.try_out(direct)?;
                tried.insert(1, one);
            }
            known = Some(reached);
        }
        // What a layout serves may be more than was found for a scenario by itself, if that was not proven.
        for (index, situation) in self.situations.iter_mut().enumerate() {
            for served in tried.iter().map(|one| &one.served[index]) {
                let value = |served: &[u64]| by_priority(&situation.problem, served, &self.priorities);
                if value(served) > value(&situation.best) {
                    situation.best.clone_from(served);
                }
            }
        }
        // Of equals the first.
        let mut ours = 0;
        for at in 1..tried.len() {
            if self.score(&tried[at]) > self.score(&tried[ours]) {
                ours = at;
            }
        }
        let Tried { layout, served } = tried.swap_remove(ours);
        let ours = Choice { rule: Rule::Robust, served };
        let tiers = self.tiers(&ours, known.as_deref());
        choices.insert(0, ours);
        Ok(Robust {
            aim: self.aim,
            weights: self.weights.iter().sum(),
            priorities: self.priorities,
            situations: self.situations,
            choices,
            tiers,
            layout,
        })
    }

    /// What one might do without asking.
    fn naive(&self, options: &Options<'_>) -> Result<Vec<(Rule, Layout)>, PlanError> {
        let sum: u128 = self.weights.iter().map(|&weight| u128::from(weight)).sum();
        let counts = |demand: usize| self.situations.iter().map(move |s| s.problem.demands[demand].count);
        let mean = |demand: usize| {
            let total: u128 = counts(demand).zip(&self.weights).map(|(n, &w)| u128::from(n) * u128::from(w)).sum();
            u64::try_from(total.div_ceil(sum)).expect("no more than the greatest")
        };
        let peak = |demand: usize| counts(demand).max().unwrap_or(0);
        let with = |count: &dyn Fn(usize) -> u64| {
            let mut problem = self.situations[0].problem.clone();
            problem.demands.iter_mut().enumerate().for_each(|(index, demand)| demand.count = count(index));
            problem
        };
        let most = self.weights.iter().max();
        let likely = self.weights.iter().position(|weight| Some(weight) == most).unwrap_or(0);
        let rules = [
            (Rule::Mean, with(&mean)),
            (Rule::Peak, with(&peak)),
            (Rule::Likely(likely), self.situations[likely].problem.clone()),
        ];
        let plan = |(rule, problem): (Rule, Problem)| {
            let plan = judged(&problem, options)?;
            Ok((rule, Layout { problem, plan }))
        };
        rules.into_iter().map(plan).collect()
    }

    fn try_out(&self, layout: Layout) -> Result<Tried, PlanError> {
        let served = self.situations.iter().map(|situation| layout.serves(&situation.problem, self.options));
        Ok(Tried { served: served.collect::<Result<_, _>>()?, layout })
    }

    /// Averages and regrets in the order in which they count, each the better the larger.
    fn in_order(&self, levels: impl Iterator<Item = (i64, i64)>) -> Vec<i64> {
        levels
            .flat_map(|(average, regret)| match self.aim {
                Aim::Average => [average, -regret],
                Aim::Worst => [-regret, average],
            })
            .collect()
    }

    fn score(&self, tried: &Tried) -> Vec<i64> {
        let levels = 0..self.priorities.len();
        let of = |served: &[Vec<u64>], level| (self.average(served, level), self.regret(served, level));
        self.in_order(levels.map(|level| of(&tried.served, level)))
    }

    fn average(&self, served: &[Vec<u64>], level: usize) -> i64 {
        average(&self.situations, served, self.priorities[level])
    }

    fn regret(&self, served: &[Vec<u64>], level: usize) -> i64 {
        regret(&self.situations, served, self.priorities[level])
    }

    /// How good the layout is, by what it serves and what the program knows.
    fn tiers(&self, ours: &Choice, known: Option<&[(Known, Known)]>) -> Vec<RobustTier> {
        let mut tiers = Vec::new();
        // While nothing is regretted, no layout serves more than the scenarios' own.
        let mut as_if_known = self.situations.iter().all(|situation| situation.is_proven);
        for (level, &priority) in self.priorities.iter().enumerate() {
            let of = |count: &dyn Fn(&Situation) -> Vec<u64>| self.situations.iter().map(count).collect::<Vec<_>>();
            let best = of(&|situation| situation.best.clone());
            let asked = of(&|situation| situation.problem.demands.iter().map(|demand| demand.count).collect());
            let (value, least) = (self.average(&ours.served, level), self.regret(&ours.served, level));
            let mut most = self.average(if as_if_known { &best } else { &asked }, level);
            let mut floor = if as_if_known || level == 0 { 0 } else { self.regret(&asked, level) };
            if let Some((average, regret)) = known.map(|known| known[level]) {
                most = most.min(average.bound);
                floor = floor.max(regret.bound);
            }
            let average = RobustTier { priority, measure: Measure::Average, value, bound: most.max(value) };
            let regret = RobustTier { priority, measure: Measure::Regret, value: least, bound: floor.min(least) };
            tiers.extend(match self.aim {
                Aim::Average => [average, regret],
                Aim::Worst => [regret, average],
            });
            as_if_known &= value == self.average(&best, level) && least == 0;
        }
        tiers
    }
}

impl Robust {
    /// What the layout serves.
    pub fn ours(&self) -> &Choice {
        &self.choices[0]
    }

    /// The average of a priority that a layout serves, times [`Robust::weights`].
    pub fn average(&self, choice: &Choice, priority: i32) -> i64 {
        average(&self.situations, &choice.served, priority)
    }

    /// Whether no layout is better, and no scenario's own plan serves more than is said.
    pub fn is_proven(&self) -> bool {
        self.tiers.iter().all(|tier| tier.value == tier.bound)
            && self.situations.iter().all(|situation| situation.is_proven)
    }

    /// Whether all is served in every scenario.
    pub fn serves_all(&self) -> bool {
        let all = self.situations.iter().zip(&self.ours().served);
        all.into_iter()
            .all(|(situation, served)| situation.problem.demands.iter().map(|d| d.count).eq(served.iter().copied()))
    }
}

impl Choice {
    /// The greatest regret at a priority, in units.
    pub fn regret(&self, situations: &[Situation], priority: i32) -> i64 {
        regret(situations, &self.served, priority)
    }
}

/// The average of a priority, times the sum of the weights as whole numbers.
fn average(situations: &[Situation], served: &[Vec<u64>], priority: i32) -> i64 {
    let weights = scenario::whole(&situations.iter().map(|situation| situation.weight).collect::<Vec<_>>());
    let of = |((s, served), weight): ((&Situation, &Vec<u64>), u64)| {
        i128::from(weight) * i128::from(by_priority(&s.problem, served, &[priority])[0])
    };
    let sum: i128 = situations.iter().zip(served).zip(weights).map(of).sum();
    i64::try_from(sum).unwrap_or(i64::MAX)
}

fn regret(situations: &[Situation], served: &[Vec<u64>], priority: i32) -> i64 {
    let of = |(s, served): (&Situation, &Vec<u64>)| {
        by_priority(&s.problem, &s.best, &[priority])[0] - by_priority(&s.problem, served, &[priority])[0]
    };
    situations.iter().zip(served).map(of).max().unwrap_or(0)
}

/// Units by priority.
fn by_priority(problem: &Problem, units: &[u64], priorities: &[i32]) -> Vec<i64> {
    let at = |priority: &i32| {
        let here = problem.demands.iter().zip(units).filter(|(demand, _)| demand.priority == *priority);
        i64::try_from(here.map(|(_, &units)| units).sum::<u64>()).unwrap_or(i64::MAX)
    };
    priorities.iter().map(at).collect()
}
