//! What may be asked for, and how much each of it counts.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::fleet::Cost;
use crate::problem::Problem;
use crate::whatif::{Change, ChangeError, Scaling, changed};

/// Demand as it may be: that of the problem, with changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// The name, unique among the scenarios.
    pub name: String,
    /// How much it counts; see [`weights`] for `None`.
    pub weight: Option<Weight>,
    /// Demands that differ, with their namespaces if they have one; `None` for all. Made one after the other.
    pub counts: Vec<(Option<String>, Scaling)>,
}

/// How much a scenario counts beside the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Weight {
    /// Millionths, from 1 to [`Weight::MAX_MICROS`].
    pub micros: u64,
}

/// The text is no weight.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is no weight (expected a number like `5` or `0.5`, above 0, at most 1000000, with at most 6 decimals)"
)]
pub struct InvalidWeight {
    /// The refused text.
    pub text: String,
}

/// What is wrong with a scenario.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// There is none.
    #[error("there is no scenario to serve")]
    None,
    /// A name is empty.
    #[error("a scenario needs a name")]
    EmptyName,
    /// Two share a name.
    #[error("scenario `{name}` is there twice (names must differ)")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// Weights that no common unit divides into few enough parts.
    #[error(
        "the weights are too far apart: in whole numbers they come to {sum}, and may come to {} (round them)",
        MAX_WEIGHTS
    )]
    Uneven {
        /// Their sum in the largest unit that divides them all.
        sum: u64,
    },
    /// A demand that cannot be changed so.
    #[error("scenario `{name}`: {error}")]
    Counts {
        /// The scenario.
        name: String,
        /// Why.
        error: ChangeError,
    },
}

/// Most that the weights may come to, as the smallest whole numbers in the same proportion.
pub const MAX_WEIGHTS: u64 = 1_000_000;

impl Weight {
    /// The largest weight there may be.
    pub const MAX_MICROS: u64 = 1_000_000_000_000;
    /// What counts once.
    pub const ONE: Weight = Weight { micros: 1_000_000 };
}

impl FromStr for Weight {
    type Err = InvalidWeight;

    fn from_str(text: &str) -> Result<Weight, InvalidWeight> {
        let micros = text.trim().parse::<Cost>().ok().and_then(|number| u64::try_from(number.micros).ok());
        let micros = micros.filter(|micros| (1..=Weight::MAX_MICROS).contains(micros));
        micros.map(|micros| Weight { micros }).ok_or_else(|| InvalidWeight { text: text.chars().take(80).collect() })
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Cost { micros: i64::try_from(self.micros).unwrap_or(i64::MAX) }.fmt(f)
    }
}

impl ScenarioError {
    /// A stable code for programs; `docs/errors.md` lists them.
    pub fn code(&self) -> &'static str {
        match self {
            ScenarioError::None => "no-scenarios",
            ScenarioError::EmptyName => "empty-name",
            ScenarioError::Duplicate { .. } => "duplicate-scenario",
            ScenarioError::Uneven { .. } => "uneven-weights",
            ScenarioError::Counts { error, .. } => error.code(),
        }
    }
}

impl Scenario {
    /// The problem in which this is what is asked for.
    ///
    /// # Errors
    /// Demands that are not there, and counts that are out of range.
    pub fn of(&self, problem: &Problem) -> Result<Problem, Vec<ScenarioError>> {
        let scale = |(demand, by): &(Option<String>, Scaling)| Change::Scale { demand: demand.clone(), by: *by };
        let changes: Vec<Change> = self.counts.iter().map(scale).collect();
        let wrong = |error| ScenarioError::Counts { name: self.name.clone(), error };
        changed(problem, &changes).map_err(|found| found.into_iter().map(wrong).collect())
    }
}

/// What each scenario counts. One without a weight counts once; but where all are called after percentiles (`p50`,
/// `p90`, `p99.9`) and none has a weight, each counts for what is nearer to it than to the others: `p50`, `p90` and
/// `p99` stand for 70, 24.5 and 5.5 per cent.
pub fn weights(scenarios: &[Scenario]) -> Vec<Weight> {
    let is_open = scenarios.len() > 1 && scenarios.iter().all(|scenario| scenario.weight.is_none());
    let percentiles: Option<Vec<u64>> = scenarios.iter().map(|scenario| percentile(&scenario.name)).collect();
    match percentiles {
        Some(all) if is_open && all.iter().collect::<BTreeSet<_>>().len() == all.len() => shares(&all),
        _ => scenarios.iter().map(|scenario| scenario.weight.unwrap_or(Weight::ONE)).collect(),
    }
}

/// The percentile of a name, in millionths of a per cent.
fn percentile(name: &str) -> Option<u64> {
    let number: Weight = name.strip_prefix('p')?.parse().ok()?;
    Some(number.micros).filter(|&micros| micros < 100_000_000)
}

/// What is nearer to each than to the others, in per cent.
fn shares(percentiles: &[u64]) -> Vec<Weight> {
    let mut sorted = percentiles.to_vec();
    sorted.sort_unstable();
    let share = |own: &u64| {
        let at = sorted.binary_search(own).expect("it is one of them");
        let from = at.checked_sub(1).map_or(0, |below| sorted[below] + own);
        let to = sorted.get(at + 1).map_or(200_000_000, |above| above + own);
        // Twice as much; an odd number is of ten-millionths, and loses half of one.
        Weight { micros: ((to - from) / 2).max(1) }
    };
    percentiles.iter().map(share).collect()
}

/// The smallest whole numbers in the same proportion.
pub(super) fn whole(weights: &[Weight]) -> Vec<u64> {
    let gcd = |mut a: u64, mut b: u64| {
        while b != 0 {
            (a, b) = (b, a % b);
        }
        a
    };
    let divisor = weights.iter().fold(0, |all, weight| gcd(all, weight.micros)).max(1);
    weights.iter().map(|weight| weight.micros / divisor).collect()
}

/// All that is wrong with the problem's scenarios, each with the index of the scenario.
pub fn check(problem: &Problem) -> Vec<(usize, ScenarioError)> {
    let mut found = Vec::new();
    let mut names = BTreeSet::new();
    for (index, scenario) in problem.scenarios.iter().enumerate() {
        if scenario.name.is_empty() {
            found.push((index, ScenarioError::EmptyName));
        } else if !names.insert(&scenario.name) {
            found.push((index, ScenarioError::Duplicate { name: scenario.name.clone() }));
        }
        found.extend(scenario.of(problem).err().into_iter().flatten().map(|error| (index, error)));
    }
    let sum = whole(&weights(&problem.scenarios)).iter().sum::<u64>();
    if sum > MAX_WEIGHTS {
        found.push((problem.scenarios.len() - 1, ScenarioError::Uneven { sum }));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str, weight: Option<&str>) -> Scenario {
        Scenario { name: name.to_owned(), weight: weight.map(|weight| weight.parse().unwrap()), counts: Vec::new() }
    }

    #[test]
    fn percentiles_count_for_what_is_nearest() {
        let texts = |scenarios: &[Scenario]| weights(scenarios).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(texts(&[named("p90", None), named("p50", None), named("p99", None)]), ["24.5", "70", "5.5"]);
        assert_eq!(texts(&[named("p99.9", None), named("p50", None)]), ["25.05", "74.95"]);
        assert_eq!(texts(&[named("p50", None), named("p90", Some("2"))]), ["1", "2"]);
        assert_eq!(texts(&[named("p50", None), named("launch", None)]), ["1", "1"]);
        assert_eq!(texts(&[named("p50", None), named("p50.0", None)]), ["1", "1"]);
        assert_eq!(texts(&[named("p50", None)]), ["1"]);
    }

    #[test]
    fn weights_become_small_whole_numbers() {
        let of = |texts: &[&str]| whole(&texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>());
        assert_eq!(of(&["5", "2", "0.5"]), [10, 4, 1]);
        assert_eq!(of(&["500", "200", "50"]), [10, 4, 1]);
        for wrong in ["0", "-1", "", "x", "1000001", "0.0000001", "NaN", "1e3"] {
            assert!(wrong.parse::<Weight>().is_err(), "{wrong}");
        }
    }
}
