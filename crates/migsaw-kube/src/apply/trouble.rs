//! What can be wrong with a node, and what to do about it.

use std::fmt;

use super::pods::PodRef;
use crate::names::CONFIG_LABEL;

/// Why a node has not become what it was to be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// It is marked by another rollout.
    OtherRollout {
        /// That one's id.
        id: String,
    },
    /// Somebody else has cordoned it.
    Cordoned,
    /// Somebody else has changed its label.
    Relabelled {
        /// What it says now.
        found: Option<String>,
    },
    /// Its label says already what it is to become, yet it is cut otherwise.
    SameLabel,
    /// A pod that must not be evicted holds slices.
    PodStays {
        /// The pod.
        pod: PodRef,
        /// Why it must not.
        why: &'static str,
    },
    /// Evictions are refused for too long.
    NotEvicted {
        /// The pods that are still there.
        pods: Vec<PodRef>,
        /// What the API server says of the last one.
        message: String,
    },
    /// Pods that were evicted do not end.
    NotEnding {
        /// The pods.
        pods: Vec<PodRef>,
    },
    /// A pod has come to the node though it is cordoned.
    ComesBack {
        /// The pod.
        pod: PodRef,
    },
    /// The API server refuses what was to be done.
    Refused {
        /// What was tried, and what it says.
        message: String,
    },
    /// MIG Manager says that it failed.
    CutFailed,
    /// MIG Manager does not come to an end.
    CutHangs {
        /// The state it is in.
        state: Option<String>,
    },
    /// The node is cut, but does not offer its slices.
    NotAdvertised {
        /// What is missing or too much: `nvidia.com/mig-1g.10gb 0 of 7`.
        differs: Vec<String>,
    },
    /// It cannot become again what it was, because it had no label.
    NoWayBack,
}

impl Trouble {
    /// A stable code for programs, and the reason of Events.
    pub fn code(&self) -> &'static str {
        match self {
            Trouble::OtherRollout { .. } => "OtherRollout",
            Trouble::Cordoned => "CordonedByOthers",
            Trouble::Relabelled { .. } => "RelabelledByOthers",
            Trouble::SameLabel => "SameLabel",
            Trouble::PodStays { .. } => "PodStays",
            Trouble::NotEvicted { .. } => "PodsNotEvicted",
            Trouble::NotEnding { .. } => "PodsNotEnding",
            Trouble::ComesBack { .. } => "PodsComeBack",
            Trouble::Refused { .. } => "Refused",
            Trouble::CutFailed => "MigManagerFailed",
            Trouble::CutHangs { .. } => "MigManagerHangs",
            Trouble::NotAdvertised { .. } => "SlicesNotAdvertised",
            Trouble::NoWayBack => "NoWayBack",
        }
    }

    /// What to do about it on a node.
    pub fn advice(&self, node: &str, namespace: &str) -> String {
        let log = format!("kubectl -n {namespace} logs -l app=nvidia-mig-manager --prefix --tail=50 | grep {node}");
        let restart =
            |app: &str| format!("kubectl -n {namespace} delete pod -l app={app} --field-selector spec.nodeName={node}");
        match self {
            Trouble::OtherRollout { .. } => "run `migsaw abort`, then apply again".to_owned(),
            Trouble::Cordoned => format!("kubectl uncordon {node}   # then apply again"),
            Trouble::Relabelled { .. } => "run `migsaw abort`, then plan again from what is there now".to_owned(),
            Trouble::ComesBack { .. } => {
                "its toleration of node.kubernetes.io/unschedulable brings it back; take that away, or scale it down, then apply again".to_owned()
            }
            Trouble::Refused { .. } => "see to that, then apply again, or `migsaw abort`".to_owned(),
            Trouble::SameLabel => format!(
                "MIG Manager acts on a change of the label only: {}   # it then applies the label anew",
                restart("nvidia-mig-manager")
            ),
            Trouble::PodStays { pod, .. } => {
                format!("end it yourself (kubectl -n {} delete pod {}), then apply again", pod.namespace, pod.name)
            }
            Trouble::NotEvicted { .. } => {
                "see `kubectl get poddisruptionbudgets -A`; when it allows disruptions again, apply again".to_owned()
            }
            Trouble::NotEnding { .. } => "see `kubectl describe pod`; when they are gone, apply again".to_owned(),
            Trouble::CutFailed => format!(
                "{log}   # why; then {}   # tries again; then apply again, or `migsaw abort`",
                restart("nvidia-mig-manager")
            ),
            Trouble::CutHangs { .. } => format!(
                "{}   # MIG Manager tries again; then apply again, or `migsaw abort`",
                restart("nvidia-mig-manager")
            ),
            Trouble::NotAdvertised { .. } => {
                format!("{}   # then apply again, or `migsaw abort`", restart("nvidia-device-plugin-daemonset"))
            }
            Trouble::NoWayBack => format!("set its label {CONFIG_LABEL} to what it is to be, then kubectl uncordon {node}"),
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed = |pods: &[PodRef]| {
            let more = pods.len().saturating_sub(3);
            let mut names: Vec<String> = pods.iter().take(3).map(PodRef::to_string).collect();
            if more > 0 {
                names.push(format!("{more} more"));
            }
            names.join(", ")
        };
        match self {
            Trouble::OtherRollout { id } => write!(f, "it is cordoned for another rollout, {id}"),
            Trouble::Cordoned => f.write_str("somebody else has cordoned it"),
            Trouble::Relabelled { found: Some(found) } => {
                write!(f, "somebody else has changed its label {CONFIG_LABEL} to `{found}`")
            }
            Trouble::Relabelled { found: None } => write!(f, "somebody else has removed its label {CONFIG_LABEL}"),
            Trouble::SameLabel => {
                write!(f, "its label {CONFIG_LABEL} says already what it is to become, yet it is cut otherwise")
            }
            Trouble::PodStays { pod, why } => write!(f, "pod {pod} must not be evicted: {why}"),
            Trouble::NotEvicted { pods, message } => write!(f, "cannot evict {}: {message}", listed(pods)),
            Trouble::NotEnding { pods } => write!(f, "these pods were told to end and do not: {}", listed(pods)),
            Trouble::ComesBack { pod } => write!(f, "pod {pod} came to it although it is cordoned"),
            Trouble::Refused { message } => f.write_str(message),
            Trouble::CutFailed => f.write_str("MIG Manager says that it failed"),
            Trouble::CutHangs { state: Some(state) } => write!(f, "MIG Manager stays in state `{state}`"),
            Trouble::CutHangs { state: None } => f.write_str("MIG Manager does not react to the new label"),
            Trouble::NotAdvertised { differs } => {
                write!(f, "it is cut, but its device plugin does not offer the slices: {}", differs.join(", "))
            }
            Trouble::NoWayBack => write!(f, "it had no label {CONFIG_LABEL} that it could get again"),
        }
    }
}
