//! What was left out or assumed while reading a dump.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Something a person should know about a dump that could be read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Warning {
    /// What it is about, for programs.
    pub code: WarningCode,
    /// The objects concerned, like `node gpu-1` or `pod team-a/llm-0`, ascending.
    pub objects: Vec<String>,
    /// A sentence about each of them.
    pub message: String,
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.objects[..] {
            [] => {}
            [one] => write!(f, "{one}: ")?,
            [first, second] => write!(f, "{first} and {second}: ")?,
            [first, rest @ ..] => write!(f, "{first} and {} others: ", rest.len())?,
        }
        f.write_str(&self.message)
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $code:literal,)*) => {
        /// What a [`Warning`] is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum WarningCode {
            $($(#[$doc])* $variant,)*
        }

        impl WarningCode {
            /// The code as programs read it.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(WarningCode::$variant => $code,)*
                }
            }
        }
    };
}

codes! {
    /// No node that can be planned is in the dump.
    NoGpuNode = "no-gpu-node",
    /// A node is cordoned and was left out.
    NodeCordoned = "node-cordoned",
    /// A node is not ready and was left out.
    NodeNotReady = "node-not-ready",
    /// A node is being cut anew, or could not be, and was left out.
    NodeChanging = "node-changing",
    /// How a node is cut today was inferred.
    StateAssumed = "state-assumed",
    /// How a node is cut today cannot be told; it counts as empty.
    StateUnknown = "state-unknown",
    /// A line or a series of the metrics was not understood; it was left out.
    MetricsUnread = "metrics-unread",
    /// The metrics name a host that is no node of the dump; it was left out.
    MetricsHostUnknown = "metrics-host-unknown",
    /// A node is not in the metrics.
    MetricsMissing = "metrics-missing",
    /// What the metrics say of a node is not all, or not what the node offers; they were not used.
    MetricsDisagree = "metrics-disagree",
    /// What the DRA driver says of a node is not all, or not what the node offers; it was not used.
    SlicesDisagree = "slices-disagree",
    /// On which GPU a pod runs is not known, so its node is what is cut anew.
    PodGpuUnknown = "pod-gpu-unknown",
    /// How long a pod held what is not known; it was left out.
    TenureUnknown = "tenure-unknown",
    /// Pods held more than their node has; some were left out.
    TenureOverfull = "tenure-overfull",
    /// The period ends behind the newest time of the dump; what pods held from then on is not known.
    TenureOpen = "tenure-open",
    /// A running pod is not where its demand could be served; it counts as not running.
    RunningMisplaced = "running-misplaced",
    /// A running pod holds slices of several GPUs though it has to have them on one; it stays as it is.
    RunningSpread = "running-spread",
    /// A disruption budget covers some of a demand's pods only; it is taken to cover all.
    BudgetInPart = "budget-in-part",
    /// Several disruption budgets cover a pod, which the Eviction API refuses; the pod stays.
    BudgetsOverlap = "budgets-overlap",
    /// A quota counts some of a demand's pods only; it is taken to count all.
    QuotaInPart = "quota-in-part",
    /// A quota names a resource in a way that Kubernetes never counts.
    QuotaNotEnforced = "quota-not-enforced",
    /// A quota, or a part of it, was left out.
    QuotaNotRead = "quota-not-read",
    /// Pods of a quota's namespace ask for GPUs through claims, which it does not count.
    QuotaWithoutClaims = "quota-without-claims",
    /// A node with GPUs has no `nvidia.com/gpu.product` label and was left out.
    NoProductLabel = "no-product-label",
    /// No model of the catalogue has that product label; the node was left out.
    UnknownProduct = "unknown-product",
    /// The geometry of the node's GPUs is not known; the node was left out.
    ModelWithoutGeometry = "model-without-geometry",
    /// How many physical GPUs a node has cannot be told; the node was left out.
    GpuCountUnknown = "gpu-count-unknown",
    /// How many physical GPUs a node has was inferred.
    GpuCountAssumed = "gpu-count-assumed",
    /// The strategy `none` advertises no slices; the node was left out.
    StrategyNone = "strategy-none",
    /// A node does not say its MIG strategy; one was assumed.
    StrategyAssumed = "strategy-assumed",
    /// A node's GPUs are time-sliced.
    GpusShared = "gpus-shared",
    /// Some of a node's devices are not allocatable.
    DevicesUnhealthy = "devices-unhealthy",
    /// A node's GPUs have more or less memory than the model.
    MemoryMismatch = "memory-mismatch",
    /// A manifest differs from what runs of its workload; the manifest was planned.
    ManifestDiffers = "manifest-differs",
    /// A manifest says no namespace, and its workload runs in another one than was taken.
    NamespaceAssumed = "namespace-assumed",
    /// Objects of a kind that is not read ask for GPUs.
    KindNotRead = "kind-not-read",
    /// An object is in the dump twice.
    DuplicateObject = "duplicate-object",
    /// A pod asks for a profile no model of the catalogue has.
    UnknownProfile = "unknown-profile",
    /// A pod asks for a resource that is no profile; it was left out.
    UnknownResource = "unknown-resource",
    /// A pod asks for whole GPUs and for slices; it was left out.
    MixedRequest = "mixed-request",
    /// A pod asks for a time-sliced share; it was left out.
    SharedResource = "shared-resource",
    /// What a pod or a workload asks for through a resource claim cannot be told.
    ResourceClaims = "resource-claims",
    /// Pods share a claim; its devices were counted once.
    ClaimShared = "claim-shared",
    /// A priority class is not in the dump; priority 0 was taken.
    PriorityClassUnknown = "priority-class-unknown",
    /// A pod selects nodes by a label that re-cutting changes; that condition was dropped.
    LabelChanges = "label-changes",
    /// A pod has rules that planning does not look at.
    RulesIgnored = "rules-ignored",
    /// A pod runs on GPUs outside the plan and was left out.
    ServedElsewhere = "served-elsewhere",
    /// A DaemonSet given as a manifest was left out.
    DaemonSet = "daemon-set",
    /// A suspended workload was left out.
    Suspended = "suspended",
}

/// Collects warnings, the same ones together.
#[derive(Debug, Default)]
pub(super) struct Warnings(BTreeMap<(WarningCode, String), BTreeSet<String>>);

impl Warnings {
    pub(super) fn add(&mut self, code: WarningCode, object: impl Into<String>, message: impl Into<String>) {
        self.0.entry((code, message.into())).or_default().insert(object.into());
    }

    /// A warning about the dump as a whole.
    pub(super) fn add_general(&mut self, code: WarningCode, message: impl Into<String>) {
        self.0.entry((code, message.into())).or_default();
    }

    pub(super) fn absorb(&mut self, other: Warnings) {
        for (key, objects) in other.0 {
            self.0.entry(key).or_default().extend(objects);
        }
    }

    pub(super) fn into_sorted(self) -> Vec<Warning> {
        let warning = |((code, message), objects): ((WarningCode, String), BTreeSet<String>)| Warning {
            code,
            objects: objects.into_iter().collect(),
            message,
        };
        self.0.into_iter().map(warning).collect()
    }
}
