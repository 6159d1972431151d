//! Why a node cannot take a pod.

/// Why a node cannot take a pod. Each reason is one sentence that never changes: the scheduler counts equal ones, and
/// tries a pod again at once when its message has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// Its model has no such profile.
    NoSuchProfile,
    /// Its slices have no resource of their own.
    Strategy,
    /// It has no GPUs that could be cut, and offers nothing of the kind.
    NoGpus,
    /// More than all of its GPUs could hold.
    MoreThanItHolds,
    /// Node selector or required node affinity.
    NotSelected,
    /// A quantity of the pod is none.
    OddQuantity,
    /// A rollout empties or cuts it.
    Rollout,
    /// MIG Manager cuts it.
    Recut,
    /// Its GPUs are cut into other slices.
    CutOtherwise,
    /// Others hold what it has, or are on their way to it.
    Taken,
    /// It has the slices, but which of its GPUs give them is left to kubelet.
    NotTogether,
    /// Nothing is known of it.
    Unknown,
}

impl Reason {
    /// All there are.
    pub const ALL: [Reason; 12] = [
        Reason::NoSuchProfile,
        Reason::Strategy,
        Reason::NoGpus,
        Reason::MoreThanItHolds,
        Reason::NotSelected,
        Reason::OddQuantity,
        Reason::Rollout,
        Reason::Recut,
        Reason::CutOtherwise,
        Reason::Taken,
        Reason::NotTogether,
        Reason::Unknown,
    ];

    /// The sentence for people.
    pub fn sentence(self) -> &'static str {
        match self {
            Reason::NoSuchProfile => "GPU model has no such MIG profile",
            Reason::Strategy => "MIG strategy single offers slices as nvidia.com/gpu only",
            Reason::NoGpus => "no GPUs of the kind asked for",
            Reason::MoreThanItHolds => "more slices than its GPUs can hold",
            Reason::NotSelected => "node selector or affinity does not match",
            Reason::OddQuantity => "the pod asks for an odd quantity of slices",
            Reason::Rollout => "a rollout is emptying or cutting it",
            Reason::Recut => "MIG Manager is cutting it",
            Reason::CutOtherwise => "GPUs are not cut into enough of these slices",
            Reason::Taken => "too few of these slices are free",
            Reason::NotTogether => "slices cannot be promised to be on one GPU",
            Reason::Unknown => "node is not known yet",
        }
    }

    /// A word for labels of metrics.
    pub fn label(self) -> &'static str {
        match self {
            Reason::NoSuchProfile => "no_such_profile",
            Reason::Strategy => "strategy",
            Reason::NoGpus => "no_gpus",
            Reason::MoreThanItHolds => "more_than_it_holds",
            Reason::NotSelected => "not_selected",
            Reason::OddQuantity => "odd_quantity",
            Reason::Rollout => "rollout",
            Reason::Recut => "recut",
            Reason::CutOtherwise => "cut_otherwise",
            Reason::Taken => "taken",
            Reason::NotTogether => "not_together",
            Reason::Unknown => "unknown",
        }
    }

    /// Whether it stays so, whoever is evicted and however the node is cut.
    pub fn is_final(self) -> bool {
        match self {
            Reason::NoSuchProfile
            | Reason::Strategy
            | Reason::NoGpus
            | Reason::MoreThanItHolds
            | Reason::NotSelected
            | Reason::OddQuantity => true,
            Reason::Rollout
            | Reason::Recut
            | Reason::CutOtherwise
            | Reason::Taken
            | Reason::NotTogether
            | Reason::Unknown => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn sentences_and_labels_differ_and_hold_no_number() {
        assert!(Reason::ALL.iter().enumerate().all(|(place, reason)| *reason as usize == place));
        let sentences: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.sentence()).collect();
        let labels: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.label()).collect();
        assert_eq!((sentences.len(), labels.len()), (Reason::ALL.len(), Reason::ALL.len()));
        assert!(sentences.iter().all(|text| !text.contains(|c: char| c.is_ascii_digit()) && text.len() < 80));
    }
}
