//! Which pods must not be evicted: the same for who plans and for who acts.

/// Why a pod must not be evicted, if so: by the kind of its controller, and what its annotation
/// `cluster-autoscaler.kubernetes.io/safe-to-evict` says.
pub(crate) fn why_it_stays(controller: Option<&str>, safe_to_evict: Option<&str>) -> Option<&'static str> {
    match controller {
        None => Some("no controller would make it anew"),
        Some("DaemonSet") => Some("its DaemonSet would put it there again"),
        // The kubelet's mirror of a pod in a file on its node.
        Some("Node") => Some("it is a static pod"),
        Some(_) if safe_to_evict == Some("false") => Some("its annotation safe-to-evict says so"),
        Some(_) => None,
    }
}
