//! Scores of nodes, as kube-scheduler gives them.

/// How a node's instances of the profile that is asked for are used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NodeUse {
    /// How many there are.
    pub(crate) all: u64,
    /// How many would be in use with the pod.
    pub(crate) used: u64,
}

/// `(allocatable − requested) · 100 / allocatable`, in whole numbers, of the resource `nvidia.com/mig-<profile>`
/// (`pkg/scheduler/framework/plugins/noderesources/least_allocated.go` of Kubernetes 1.36).
pub(super) fn least_allocated(node: &NodeUse) -> i64 {
    share(node.all.saturating_sub(node.used), node.all)
}

/// `requested · 100 / allocatable`, likewise (`most_allocated.go`).
pub(super) fn most_allocated(node: &NodeUse) -> i64 {
    share(node.used.min(node.all), node.all)
}

fn share(part: u64, whole: u64) -> i64 {
    i64::try_from((part * 100).checked_div(whole).unwrap_or(0)).unwrap_or(100)
}
