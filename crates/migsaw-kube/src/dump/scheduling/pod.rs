//! A pod, as a scheduler looks at it.

use std::collections::BTreeMap;
use std::sync::Arc;

use migsaw::demand::NodeSelector;
use migsaw::geometry::ProfileName;
use serde::{Deserialize, Deserializer};

use super::super::collect::{self, Asking, Owner, owner_of_pod};
use super::super::demands::demand_name;
use super::super::quantity::Scalar;
use super::super::quotas::Nature;
use super::super::shared::Labels;
use super::super::wire::{Member, Metadata, PodSpec, Status, Volume, nullable};
use super::super::{constraints, dra, requests};

/// What a scheduler has to know of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pod {
    /// Which pod it is, whatever its name.
    pub uid: String,
    /// Its version, by which a watch goes on.
    pub version: Option<String>,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// What a plan calls the demand it belongs to: its workload's name, or its own.
    pub demand: String,
    /// The node it is bound to.
    pub node: Option<String>,
    /// The node on which others were evicted for it.
    pub nominated: Option<String>,
    /// What it asks for.
    pub asks: Asks,
    /// What it requests besides GPUs, in thousandths by resource; `None` if something else of a node matters to it as
    /// well, like a port or a volume, or if that cannot be told.
    pub others: Option<BTreeMap<String, u64>>,
    /// Which nodes it selects, by its node selector and required node affinity.
    pub selector: NodeSelector,
    /// Whether it would rather be on some of those: preferred affinity, or spreading that is not required.
    pub has_preferences: bool,
    /// Its priority.
    pub priority: i32,
    /// Whether it has ended, and so holds nothing any more.
    pub is_finished: bool,
    /// Whether it is being deleted. It holds what it has until it is gone.
    pub is_terminating: bool,
    /// Its labels, by which disruption budgets select it.
    pub labels: BTreeMap<String, String>,
    /// What a plan needs beside all this, if it asks for GPUs or slices by name.
    pub planned: Option<Planned>,
}

/// What a plan needs of a pod beside what a scheduler looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned(Box<collect::Pod>);

impl Planned {
    /// The pod as a dump keeps it, on this node.
    pub(super) fn on(&self, node: Option<&str>) -> collect::Pod {
        collect::Pod { node: node.map(Arc::from), ..collect::Pod::clone(&self.0) }
    }
}

/// What a pod asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Asks {
    /// GPUs and slices by resource, as the scheduler counts them: of containers, sidecars and init containers.
    pub resources: BTreeMap<Arc<str>, u64>,
    /// Whether it asks for devices through claims, which the scheduler places on its own.
    pub by_claims: bool,
    /// Whether all its slices have to be on one GPU: the annotation `migsaw.io/together` is `gpu`.
    pub together: bool,
    /// A quantity that is none, with its resource, if there is one: the API server admits no such pod.
    pub odd: Option<(String, String)>,
}

impl Asks {
    /// Whether it asks for neither GPUs nor slices.
    pub fn is_nothing(&self) -> bool {
        self.resources.is_empty() && self.odd.is_none()
    }

    /// The slices it asks for, by profile.
    pub fn profiles(&self) -> impl Iterator<Item = (ProfileName, u32)> + '_ {
        self.resources.iter().filter_map(|(resource, n)| {
            Some((ProfileName::from_resource(resource)?, u32::try_from(*n).unwrap_or(u32::MAX)))
        })
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a pod")]
struct PodObject {
    #[serde(deserialize_with = "nullable")]
    metadata: Metadata,
    #[serde(deserialize_with = "nullable")]
    spec: PodSpec,
    #[serde(deserialize_with = "nullable")]
    status: Status,
}

impl<'de> Deserialize<'de> for Pod {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Pod, D::Error> {
        Member::<PodObject>::deserialize(deserializer).map(|object| Pod::of(object.0))
    }
}

impl Pod {
    fn of(object: PodObject) -> Pod {
        let PodObject { mut metadata, spec, status } = object;
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let owner: Owner = owner_of_pod(&metadata, metadata.name_or_prefix());
        let namespace = metadata.namespace.take().unwrap_or_default();
        let labels = metadata.take_labels();
        let constraints = constraints::of_pod(&spec, &namespace, &labels);
        let ports = spec.containers.iter().chain(&spec.init_containers).flat_map(|container| &container.ports);
        let is_particular = constraints.more
            || constraints.one_per_node
            || spec.volumes.iter().any(Volume::is_claimed)
            || ports.filter_map(|port| port.host_port.as_ref()).any(|port| port.0 != "0");
        let (resources, odd) = match requests::of_pod(&spec) {
            Ok(resources) => (resources, None),
            Err(bad) => (BTreeMap::new(), Some((bad.resource, bad.text))),
        };
        let together = metadata.is_together();
        let by_claims = !dra::uses(&spec, &status).is_empty();
        let priority = spec.priority.as_ref().and_then(Scalar::integer).unwrap_or(0);
        let selector = NodeSelector { terms: constraints.terms.clone() };
        let node = some(&spec.node_name);
        let demand = demand_name(&owner);
        let planned = (!resources.is_empty() && !by_claims).then(|| {
            let mut constraints = constraints;
            let pinned = if owner.kind == "DaemonSet" { collect::unpin(&mut constraints) } else { None };
            let asking = Asking {
                namespace: namespace.clone(),
                owner,
                resources: resources.clone(),
                same_gpu: together,
                by_claims: false,
                constraints: Arc::new(constraints),
                priority: Some(priority),
                priority_class: String::new(),
                nature: Nature::default(),
            };
            Planned(Box::new(collect::Pod {
                name: metadata.name.as_str().into(),
                node: None,
                pinned,
                stays: collect::stays(&metadata),
                claims: Vec::new(),
                held: Vec::new(),
                healthy: status.is_up(),
                labels: Labels::default(),
                asking: Arc::new(asking),
            }))
        });
        let resources = resources.into_iter().map(|(name, n)| (Arc::from(name), n)).collect();
        Pod {
            uid: metadata.uid.take().map(|uid| uid.0).unwrap_or_default(),
            version: metadata.resource_version.take().map(|version| version.0),
            demand,
            node,
            nominated: some(&status.nominated_node_name),
            asks: Asks { resources, by_claims, together, odd },
            others: if is_particular { None } else { requests::others_of_pod(&spec) },
            selector,
            has_preferences: spec.has_preferences(),
            priority,
            is_finished: matches!(status.phase.as_deref(), Some("Succeeded" | "Failed")),
            is_terminating: metadata.deletion_timestamp.is_some(),
            labels,
            planned,
            name: std::mem::take(&mut metadata.name),
            namespace,
        }
    }
}
