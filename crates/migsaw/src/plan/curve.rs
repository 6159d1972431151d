//! What more evictions gain.

use super::outcome::{Plan, Tier, TierName};
use super::{Depth, Moving, Options, PlanError, plan};
use crate::problem::Problem;

/// The best that can be reached with at most so many evictions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CurvePoint {
    /// Most evictions allowed.
    pub max_evictions: u64,
    /// The tiers that are reached, cost included.
    pub tiers: Vec<Tier>,
}

impl CurvePoint {
    /// Units that are evicted.
    pub fn evicted(&self) -> u64 {
        self.sum(|name| matches!(name, TierName::Evicted { .. }))
    }

    /// Units that are served.
    pub fn served(&self) -> u64 {
        self.sum(|name| matches!(name, TierName::Served { .. }))
    }

    fn sum(&self, counts: impl Fn(TierName) -> bool) -> u64 {
        self.tiers.iter().filter(|tier| counts(tier.name)).map(|tier| tier.value.unsigned_abs()).sum()
    }
}

/// The best plans with at most 0, 1, 2, 4, 8, … evictions, up to the number beyond which more gain nothing.
/// [`Moving::max_evictions`] limits that number.
///
/// # Errors
/// As [`plan`].
pub fn curve(problem: &Problem, options: &Options<'_>) -> Result<Vec<CurvePoint>, PlanError> {
    let at = |max_evictions: Option<u64>| -> Result<CurvePoint, PlanError> {
        let moving = Moving { max_evictions, ..options.moving };
        let Plan { tiers, .. } = plan(problem, &Options { depth: Depth::ServedAndCost, moving, ..*options })?;
        Ok(CurvePoint { max_evictions: max_evictions.unwrap_or(u64::MAX), tiers })
    };
    let last = at(options.moving.max_evictions)?;
    let most = last.evicted();
    let mut points = Vec::new();
    let mut next = 0;
    while next < most {
        points.push(at(Some(next))?);
        next = (next * 2).max(1);
    }
    points.push(CurvePoint { max_evictions: most, ..last });
    Ok(points)
}
