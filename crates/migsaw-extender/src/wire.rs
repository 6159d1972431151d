//! What kube-scheduler sends and expects: `k8s.io/kube-scheduler/extender/v1`, as version 1.36 speaks it.
//!
//! Members carry their Go names; lower case is understood too, and `null` means the same as a member that is
//! missing. Members that are not known are passed over.

use std::borrow::Cow;
use std::collections::BTreeMap;

use migsaw_kube::scheduling::Pod;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

/// Body of `filter` and `prioritize`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "the arguments of filter or prioritize")]
pub struct Args<'a> {
    /// The pod to place.
    #[serde(rename = "Pod", alias = "pod")]
    pub pod: Option<Pod>,
    /// The nodes it may go to, whole: with `nodeCacheCapable: false`.
    #[serde(borrow, rename = "Nodes", alias = "nodes")]
    pub nodes: Option<NodeList<'a>>,
    /// Their names: with `nodeCacheCapable: true`.
    #[serde(borrow, rename = "NodeNames", alias = "nodenames", alias = "nodeNames")]
    pub names: Option<Vec<Text<'a>>>,
}

/// Nodes, whole.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a list of nodes")]
pub struct NodeList<'a> {
    #[serde(borrow, alias = "Items")]
    items: Option<Vec<&'a RawValue>>,
}

/// Text of a body, not copied where that can be helped.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// The nodes offered, in the form in which the answer has to be.
#[derive(Debug)]
pub enum Offered<'a> {
    /// By name.
    Names(Vec<Cow<'a, str>>),
    /// Whole, each with its name.
    Whole(Vec<(Cow<'a, str>, &'a RawValue)>),
}

#[derive(Deserialize)]
struct Named<'a> {
    #[serde(borrow)]
    metadata: NameOnly<'a>,
}

#[derive(Deserialize)]
struct NameOnly<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
}

impl<'a> Args<'a> {
    /// Takes the nodes out. Names go before whole nodes, as in the scheduler.
    ///
    /// # Errors
    /// If a node has no name.
    pub fn offered(&mut self) -> Result<Offered<'a>, serde_json::Error> {
        match (self.names.take(), self.nodes.take().and_then(|nodes| nodes.items)) {
            (Some(names), _) => Ok(Offered::Names(names.into_iter().map(|name| name.0).collect())),
            (None, None) => Ok(Offered::Names(Vec::new())),
            (None, Some(nodes)) => {
                let named =
                    |node: &'a RawValue| Ok((serde_json::from_str::<Named<'a>>(node.get())?.metadata.name, node));
                Ok(Offered::Whole(nodes.into_iter().map(named).collect::<Result<_, serde_json::Error>>()?))
            }
        }
    }
}

impl Offered<'_> {
    fn len(&self) -> usize {
        match self {
            Offered::Names(names) => names.len(),
            Offered::Whole(nodes) => nodes.len(),
        }
    }

    /// The name at this place of the request.
    pub(crate) fn name(&self, place: usize) -> &str {
        match self {
            Offered::Names(names) => &names[place],
            Offered::Whole(nodes) => &nodes[place].0,
        }
    }

    /// The names, in the order of the request.
    pub fn names(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.len()).map(|place| self.name(place))
    }
}

/// Answer to `filter`.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct FilterResult<'a> {
    /// The nodes that may take it, whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nodes: Option<KeptNodes<'a>>,
    /// Their names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_names: Option<Vec<&'a str>>,
    /// Those that may not now, with a sentence.
    pub failed_nodes: Failed<'a>,
    /// Those that never may, even if other pods were evicted.
    pub failed_and_unresolvable_nodes: Failed<'a>,
    /// Why nothing can be said; the pod is tried again by itself.
    pub error: Cow<'a, str>,
}

/// Nodes of an answer, as they came.
#[derive(Debug, Serialize)]
pub struct KeptNodes<'a> {
    /// The nodes.
    pub items: Vec<&'a RawValue>,
}

/// Nodes by name, each with a sentence, in the order of the request.
#[derive(Debug, Default)]
pub struct Failed<'a>(pub Vec<(&'a str, &'static str)>);

impl Serialize for Failed<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

/// A node's score, one item of the answer to `prioritize`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct HostPriority<'a> {
    /// The node.
    pub host: &'a str,
    /// From 0 to [`MAX_SCORE`], more is better.
    pub score: i64,
}

/// The best score (`MaxExtenderPriority`).
pub const MAX_SCORE: i64 = 10;

/// Body of `preempt`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "the arguments of preempt")]
pub struct PreemptArgs<'a> {
    /// The pod to place.
    #[serde(rename = "Pod", alias = "pod")]
    pub pod: Option<Pod>,
    /// Pods that could be evicted for it, whole, by node.
    #[serde(borrow, rename = "NodeNameToVictims", alias = "nodenametovictims", alias = "nodeNameToVictims")]
    pub victims: Option<BTreeMap<Text<'a>, Option<Victims<Pod>>>>,
    /// The same, by UID.
    #[serde(
        borrow,
        rename = "NodeNameToMetaVictims",
        alias = "nodenametometavictims",
        alias = "nodeNameToMetaVictims"
    )]
    pub meta_victims: Option<BTreeMap<Text<'a>, Option<Victims<MetaPod>>>>,
}

/// Pods to be evicted from one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default = "Victims::none", rename_all = "PascalCase", expecting = "the victims on a node")]
pub struct Victims<P> {
    /// The pods.
    #[serde(alias = "pods")]
    pub pods: Option<Vec<P>>,
    /// How many evictions break a disruption budget.
    #[serde(
        rename = "NumPDBViolations",
        alias = "numpdbviolations",
        alias = "numPDBViolations",
        deserialize_with = "nullable"
    )]
    pub violations: i64,
}

impl<P> Victims<P> {
    fn none() -> Victims<P> {
        Victims { pods: None, violations: 0 }
    }
}

/// A pod by its UID.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, expecting = "a pod's UID")]
pub struct MetaPod {
    /// The UID.
    #[serde(rename = "UID", alias = "uid", deserialize_with = "nullable")]
    pub uid: String,
}

/// Answer to `preempt`.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct PreemptResult {
    /// The pods that would have to go, by node. A node that is left out is no candidate.
    pub node_name_to_meta_victims: BTreeMap<String, Victims<MetaPod>>,
}

/// Body of `bind`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, expecting = "the arguments of bind")]
pub struct BindArgs {
    /// The pod's name.
    #[serde(rename = "PodName", alias = "podname", alias = "podName", deserialize_with = "nullable")]
    pub name: String,
    /// Its namespace.
    #[serde(rename = "PodNamespace", alias = "podnamespace", alias = "podNamespace", deserialize_with = "nullable")]
    pub namespace: String,
    /// Its UID.
    #[serde(rename = "PodUID", alias = "poduid", alias = "podUID", deserialize_with = "nullable")]
    pub uid: String,
    /// The node to bind it to.
    #[serde(rename = "Node", alias = "node", deserialize_with = "nullable")]
    pub node: String,
}

/// Answer to `bind`.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct BindResult {
    /// Why it is not bound; empty if it is.
    pub error: String,
}

/// Reads `null` as a member that is missing.
fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}
