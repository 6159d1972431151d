//! What if: a problem with changes (nodes more or fewer, demand that grows, another strategy), before and after.
//!
//! ```
//! use migsaw::demand::Demand;
//! use migsaw::fleet::{Fleet, Pool};
//! use migsaw::geometry::Catalog;
//! use migsaw::problem::Problem;
//! use migsaw::whatif::{Change, changed};
//!
//! let a30 = Catalog::builtin().model("A30")?;
//! let problem = Problem {
//!     fleet: Fleet { pools: vec![Pool::new("lab", a30, 2, 2)] },
//!     demands: vec![Demand::of_profile("notebooks", "1g.6gb".parse()?, 10)],
//!     ..Problem::default()
//! };
//! let grown = [
//!     Change::Scale { demand: None, by: "+15%".parse()? },
//!     Change::AddNodes { pool: "lab".to_owned(), count: 1 },
//! ];
//! let after = changed(&problem, &grown).unwrap();
//! assert_eq!((after.demands[0].count, after.fleet.pools[0].node_count()), (12, 3));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod change;

use crate::capacity::{Beside, Capacity, CapacityError, Mix, Query, Share, capacity, judged};
use crate::plan::{Options, Plan, PlanError};
use crate::problem::Problem;

pub(crate) use change::remove;
pub use change::{BasisPoints, Change, ChangeError, InvalidPercentage, InvalidScaling, Scaling, changed};

/// A problem, and what comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// The problem.
    pub problem: Problem,
    /// The best plan for it.
    pub plan: Plan,
    /// How many more of each profile fit beside all that is asked for, with as much freedom as there is.
    pub capacity: Capacity,
}

/// A problem before and after changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhatIf {
    /// As it is.
    pub before: Side,
    /// As it would be.
    pub after: Side,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WhatIfError {
    /// Changes that cannot be made.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Changes(Vec<ChangeError>),
    /// There is no plan, before or after.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// What a problem comes to, before and after changes.
///
/// # Errors
/// Changes that cannot be made, and what [`plan`](crate::plan::plan) refuses, before or after them.
pub fn what_if(problem: &Problem, changes: &[Change], options: &Options<'_>) -> Result<WhatIf, WhatIfError> {
    let after = changed(problem, changes).map_err(WhatIfError::Changes)?;
    let before = {
        let share = Share::of(options.budget, 2);
        side(problem.clone(), &Options { budget: &share, ..*options })?
    };
    Ok(WhatIf { before, after: side(after, options)? })
}

fn side(problem: Problem, options: &Options<'_>) -> Result<Side, PlanError> {
    let plan = {
        // What else fits must not wait for the plan's last tier.
        let share = Share::of(options.budget, 2);
        judged(&problem, &Options { budget: &share, ..*options })?
    };
    let query = Query { beside: Beside::Demand, mix: Mix::None, most_freedom_only: true, ..Query::default() };
    let capacity = capacity(&problem, &query, options).map_err(|error| match error {
        CapacityError::Plan(error) => error,
        error => PlanError::Internal(error.to_string()),
    })?;
    Ok(Side { problem, plan, capacity })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use super::*;
    use crate::demand::Demand;
    use crate::fleet::{Fleet, Pool};
    use crate::geometry::Catalog;
    use crate::plan::Budget;

    /// Hours of which one goes by whenever somebody asks how many are left.
    struct Steps(AtomicU64);

    impl Budget for Steps {
        fn remaining(&self) -> Duration {
            let left = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left.saturating_sub(1)));
            Duration::from_secs(3_600 * left.unwrap_or_default())
        }
    }

    #[test]
    fn both_sides_have_time() {
        let catalog = Catalog::builtin();
        let profiles = ["1g.10gb", "1g.20gb", "2g.20gb", "3g.40gb", "4g.40gb"];
        let demands = profiles.iter().cycle().zip(0u16..20).map(|(profile, i)| Demand {
            priority: i32::from(i % 4),
            max_per_node: Some(1 + u32::from(i % 3)),
            ..Demand::of_profile(format!("d{i}"), profile.parse().unwrap(), 9)
        });
        let pool = |name: &str, model: &str| Pool::new(name, catalog.model(model).unwrap(), 7, 4);
        let problem = Problem {
            fleet: Fleet { pools: vec![pool("a", "H100-80GB"), pool("b", "A100-80GB")] },
            demands: demands.collect(),
            ..Problem::default()
        };
        let budget = Steps(AtomicU64::new(500));
        let options = Options { budget: &budget, ..Options::default() };
        let nothing = Change::Scale { demand: None, by: "+0%".parse().unwrap() };
        let WhatIf { before, after } = what_if(&problem, &[nothing], &options).unwrap();
        let [before, after] = [before, after].map(|side| side.plan.served(20).iter().sum::<u64>());
        assert!(before > 0 && after >= before, "{after} after {before}");
    }
}
