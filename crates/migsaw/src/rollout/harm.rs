//! What an order does to pods.

/// What an order does to pods; what is smaller is kinder.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Harm {
    /// Units that are evicted with nowhere to go, by priority, the highest first.
    pub(super) homeless: Vec<u64>,
    /// Units that are evicted beyond a disruption budget, once for each such budget.
    pub(super) over_budget: u64,
    /// Units that wait on a slice that is not theirs.
    pub(super) hops: u64,
}

impl Harm {
    /// None, where there are so many priorities.
    pub(super) fn none(priorities: usize) -> Harm {
        Harm { homeless: vec![0; priorities], ..Harm::default() }
    }

    pub(super) fn is_none(&self) -> bool {
        self.over_budget == 0 && self.hops == 0 && self.leaves_nobody_homeless()
    }

    pub(super) fn leaves_nobody_homeless(&self) -> bool {
        self.homeless.iter().all(|&n| n == 0)
    }

    /// Both together.
    pub(super) fn plus(&self, other: &Harm) -> Harm {
        Harm {
            homeless: self.homeless.iter().zip(&other.homeless).map(|(a, b)| a + b).collect(),
            over_budget: self.over_budget + other.over_budget,
            hops: self.hops + other.hops,
        }
    }
}
