//! A node, as a scheduler looks at it.

use std::collections::BTreeMap;
use std::sync::Arc;

use migsaw::fleet::Strategy;
use migsaw::geometry::{Catalog, Counts, Layout, Model};
use serde::{Deserialize, Deserializer};

use super::super::collect;
use super::super::dra::Published;
use super::super::shared::OneCopy;
use super::super::state::cuts::Cuts;
use super::super::warning::Warnings;
use super::super::wire::{Member, Metadata, NodeSpec, Status, nullable};
use super::super::{DumpOptions, Skipped, gpus, nodes};
use super::labels::NodeLabels;
use crate::names::{ROLLOUT_MARK, STATE_LABEL, is_gpu};

/// A Node as the API server sends it, as far as it matters; nothing is kept of the rest.
#[derive(Debug, Clone)]
pub struct NodeObject {
    /// Its version, by which a watch goes on.
    pub version: Option<String>,
    pub(super) node: collect::Node,
    rollout: Option<Rollout>,
    is_avoided: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a node")]
struct Parts {
    #[serde(deserialize_with = "nullable")]
    metadata: Metadata,
    #[serde(deserialize_with = "nullable")]
    spec: NodeSpec,
    #[serde(deserialize_with = "nullable")]
    status: Status,
}

impl<'de> Deserialize<'de> for NodeObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<NodeObject, D::Error> {
        let Parts { mut metadata, spec, status } = Member::<Parts>::deserialize(deserializer)?.0;
        let is_marked = metadata.annotations.0.rollout.is_some();
        let is_reserved = spec.taints.iter().any(|taint| taint.key == ROLLOUT_MARK);
        Ok(NodeObject {
            version: metadata.resource_version.take().map(|version| version.0),
            is_avoided: spec.taints.iter().any(|taint| taint.effect == "PreferNoSchedule" && taint.key != ROLLOUT_MARK),
            rollout: if is_marked { Some(Rollout::Now) } else { is_reserved.then_some(Rollout::Later) },
            node: collect::Node::of(metadata, &spec, &status),
        })
    }
}

impl NodeObject {
    /// The node's name.
    pub fn name(&self) -> &str {
        &self.node.name
    }
}

/// What a scheduler has to know of a node.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Its labels.
    pub labels: NodeLabels,
    /// What it has allocatable of GPUs and slices, by resource; zero amounts too, which say that the device plugin
    /// knows the resource.
    pub offers: BTreeMap<Arc<str>, u64>,
    /// Its GPUs, if their model is known and they can be cut.
    pub gpus: Option<Gpus>,
    /// Whether a rollout is at it, or will be.
    pub rollout: Option<Rollout>,
    /// Whether MIG Manager is cutting it, as the label `nvidia.com/mig.config.state` says.
    pub is_recut: bool,
    /// Whether a taint says that it takes pods only if need be (`PreferNoSchedule`); that of a rollout is told by
    /// [`rollout`](Node::rollout) alone.
    pub is_avoided: bool,
}

/// A node's GPUs.
#[derive(Debug, Clone, PartialEq)]
pub struct Gpus {
    /// Their model.
    pub model: Arc<Model>,
    /// How many there are.
    pub count: u32,
    /// How they are advertised.
    pub strategy: Strategy,
    /// Whether each `nvidia.com/gpu` is a share of one, by time-slicing or MPS.
    pub are_shared: bool,
    /// How each is cut, as far as that can be told; GPUs with MIG off have no instances. The order says nothing.
    pub cut: Option<Vec<Counts>>,
    /// Whether that is how the node was told to be cut; else it is one way of several that it could be.
    pub is_told: bool,
}

/// What a rollout has in mind with a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rollout {
    /// It is being emptied or cut.
    Now,
    /// It will be, in a later wave.
    Later,
}

/// Makes [`Node`]s of what the API server sends. It remembers how GPUs can be cut, and the texts of labels.
#[derive(Debug)]
pub struct NodeReader {
    catalog: Catalog,
    cuts: Cuts,
    texts: OneCopy<str>,
}

impl NodeReader {
    /// A reader that knows these models.
    pub fn new(catalog: &Catalog) -> NodeReader {
        let cuts = Cuts::new(BTreeMap::new(), catalog);
        NodeReader { catalog: catalog.clone(), cuts, texts: OneCopy::default() }
    }

    /// What a scheduler has to know of the node.
    pub fn read(&mut self, object: NodeObject) -> Node {
        let NodeObject { node, rollout, is_avoided, .. } = object;
        let gpus = self.gpus(&node);
        let offers = node.allocatable.iter().filter(|(name, _)| is_gpu(name));
        Node {
            offers: offers.map(|(name, n)| (self.texts.share(name.as_str()), *n)).collect(),
            gpus,
            rollout,
            is_recut: matches!(node.labels.get(STATE_LABEL).map(String::as_str), Some("pending" | "rebooting")),
            is_avoided,
            labels: NodeLabels::of(&node.name, &node.labels, &mut self.texts),
            name: node.name,
        }
    }

    fn gpus(&mut self, node: &collect::Node) -> Option<Gpus> {
        let options = DumpOptions { include_unavailable: true, ..DumpOptions::default() };
        // What a dump would warn of is no matter here: what the node offers counts.
        let (mut warnings, mut skipped) = (Warnings::default(), Skipped::default());
        let known = (&self.catalog, &Published::default());
        let judged = nodes::judge(std::slice::from_ref(node), known, options, &mut warnings, &mut skipped);
        let fleet_node = judged.fleet.into_iter().next()?;
        let cut = self.cuts.of(node, &fleet_node, &mut warnings);
        let counts = |layout: Option<Layout>| layout.map(|layout| layout.counts()).unwrap_or_default();
        let is_told = cut.as_ref().is_some_and(|cut| cut.is_told);
        let cut = cut.map(|cut| cut.gpus.into_iter().map(counts).collect());
        let are_shared = gpus::are_shared(node);
        let (count, strategy) = (fleet_node.gpus, fleet_node.strategy);
        Some(Gpus { model: fleet_node.model, count, strategy, are_shared, cut, is_told })
    }
}
