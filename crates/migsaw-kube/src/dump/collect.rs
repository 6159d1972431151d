//! What is kept of the objects: small values, without a copy of what pods of a workload share.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use migsaw::demand::Operator;
use migsaw::fleet::Taint;

use super::Skipped;
use super::budgets::{Budget, Passer};
use super::constraints::{self, Constraints, NODE_NAME};
use super::dra::{self, Claim, ClaimUse, Claims, Class, Slice, Slices};
use super::error::DumpError;
use super::identity::DUPLICATE;
use super::object::{Object, Parts};
use super::quantity::whole;
use super::quotas::{Nature, Quota};
use super::requests;
use super::shared::{Labels, OneCopy, Shared};
use super::tenures::Tenure;
use super::warning::{WarningCode, Warnings};
use crate::mig_parted::Config;
use crate::stays::why_it_stays;

use super::wire::{GpuResources, Metadata, NodeSpec, PodSpec, Status};

/// The objects of a dump, as far as they matter.
#[derive(Debug, Default)]
pub(super) struct Collection {
    pub(super) nodes: Vec<Node>,
    pub(super) pods: Vec<Pod>,
    pub(super) workloads: Vec<Workload>,
    /// Workloads by namespace, kind and name, those too that count for nothing.
    pub(super) met: BTreeSet<(String, String, String)>,
    /// The controller of a controller: of a ReplicaSet, its Deployment.
    pub(super) owners: BTreeMap<(String, String, String), Owner>,
    pub(super) priority_classes: Vec<PriorityClass>,
    /// mig-parted files by the name of their ConfigMap.
    pub(super) mig_configs: BTreeMap<String, Config>,
    /// What NVIDIA's driver publishes.
    pub(super) slices: Slices,
    pub(super) claims: Claims,
    pub(super) claim_templates: Claims,
    pub(super) device_classes: BTreeMap<String, Class>,
    /// Nodes with pods of which it cannot be told what they hold.
    pub(super) unclear_nodes: BTreeSet<String>,
    pub(super) budgets: Vec<Budget>,
    pub(super) quotas: Vec<Quota>,
    /// Pods that ask for no GPU: disruption budgets count them too.
    pub(super) passers: Vec<Passer>,
    /// Pods that are or were on a node, those too that have ended.
    pub(super) tenures: Vec<Tenure>,
    /// The newest time that a node or pod tells.
    pub(super) as_of: Option<Timestamp>,
    /// What priority classes mean, as pods tell that have both.
    pub(super) class_values: BTreeMap<String, i32>,
    pub(super) skipped: Skipped,
    pub(super) warnings: Warnings,
    pub(super) problems: Vec<Problem>,
    /// Objects whose kind is not known yet.
    pub(super) nameless: Vec<Parts>,
    /// Objects that turned out to have none.
    pub(super) without_kind: u64,
    /// Whether a list ended before its kind came.
    pub(super) cut_off: bool,
    /// How many objects were met.
    objects: u64,
    asking: OneCopy<Asking>,
    constraints: OneCopy<Constraints>,
    pub(super) shared: Shared,
}

/// Kinds that speak of GPUs and ask for none.
const SPEAKS_OF_GPUS: [&str; 3] = ["ConfigMap", "LimitRange", "ClusterQueue.kueue.x-k8s.io"];

/// A problem of one object; the reader adds the file.
#[derive(Debug)]
pub(super) enum Problem {
    Quantity {
        object: String,
        bad: requests::BadQuantity,
    },
    Number {
        object: String,
        field: &'static str,
        text: String,
        least: i64,
        most: i64,
    },
    /// The node is the file's object of this number, from 1.
    NamelessNode {
        number: u64,
    },
    Amount {
        object: String,
        field: &'static str,
        text: String,
    },
    TwoAmounts {
        object: String,
    },
}

impl Problem {
    /// The problem in a file that has so many objects before.
    fn behind(self, objects: u64) -> Problem {
        match self {
            Problem::NamelessNode { number } => Problem::NamelessNode { number: number + objects },
            other => other,
        }
    }

    pub(super) fn in_file(self, file: &str) -> DumpError {
        let file = file.to_owned();
        match self {
            Problem::Quantity { object, bad } => {
                DumpError::Quantity { file, object, resource: bad.resource, text: bad.text }
            }
            Problem::Number { object, field, text, least, most } => {
                DumpError::Number { file, object, field, text, least, most }
            }
            Problem::NamelessNode { number } => DumpError::NamelessNode { file, number },
            Problem::Amount { object, field, text } => DumpError::Amount { file, object, field, text },
            Problem::TwoAmounts { object } => DumpError::TwoAmounts { file, object },
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) taints: Vec<Taint>,
    pub(super) cordoned: bool,
    pub(super) ready: bool,
    pub(super) capacity: BTreeMap<String, u64>,
    pub(super) allocatable: BTreeMap<String, u64>,
}

impl Node {
    pub(super) fn of(mut metadata: Metadata, spec: &NodeSpec, status: &Status) -> Node {
        let cordon_taint = spec.taints.iter().any(|taint| taint.key == "node.kubernetes.io/unschedulable");
        Node {
            labels: metadata.take_labels(),
            name: metadata.name,
            taints: constraints::lasting_taints(&spec.taints),
            cordoned: spec.unschedulable == Some(true) || cordon_taint,
            ready: status.condition("Ready").is_none_or(|status| status == "True"),
            capacity: amounts(&status.capacity),
            allocatable: amounts(&status.allocatable),
        }
    }
}

/// A pod that wants GPUs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pod {
    /// Empty if the API server is to find one.
    pub(super) name: Arc<str>,
    /// Where it runs.
    pub(super) node: Option<Arc<str>>,
    /// The one node its DaemonSet wants it on.
    pub(super) pinned: Option<Arc<str>>,
    /// Whether nothing brings it back, or somebody said that it must not be evicted.
    pub(super) stays: bool,
    pub(super) claims: Vec<ClaimUse>,
    /// Devices it holds through claims, by pool and name.
    pub(super) held: Vec<(String, String)>,
    /// Whether it is up, as a disruption budget counts it.
    pub(super) healthy: bool,
    pub(super) labels: Labels,
    pub(super) asking: Arc<Asking>,
}

/// What makes pods, and how many of them there should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Workload {
    pub(super) asking: Arc<Asking>,
    pub(super) claims: Vec<ClaimUse>,
    /// `None` leaves the number as it is.
    pub(super) replicas: Option<u64>,
    pub(super) origin: Origin,
    /// What counts instead of this one, if that is in the dump too.
    pub(super) above: Option<Owner>,
}

/// Where the word about a workload comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// From the cluster.
    Live,
    /// From a file about to be applied.
    Manifest { namespace_given: bool },
    /// From a file without a name, so that each time it is applied makes another.
    Nameless,
}

/// What all pods of a workload ask for alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Asking {
    pub(super) namespace: String,
    pub(super) owner: Owner,
    pub(super) resources: BTreeMap<String, u64>,
    /// Whether all instances must be on one GPU.
    pub(super) same_gpu: bool,
    /// Whether claims ask for some of it.
    pub(super) by_claims: bool,
    pub(super) constraints: Arc<Constraints>,
    pub(super) priority: Option<i32>,
    pub(super) priority_class: String,
    /// What else quotas can look at.
    pub(super) nature: Nature,
}

/// The workload a pod belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Owner {
    pub(super) name: String,
    pub(super) kind: String,
    /// The part of a workload that has several kinds of pods; often empty.
    pub(super) part: String,
}

#[derive(Debug)]
pub(super) struct PriorityClass {
    pub(super) name: String,
    pub(super) value: i32,
    pub(super) default: bool,
}

impl Collection {
    pub(super) fn add(&mut self, object: Object) {
        self.objects += 1;
        match object {
            Object::Node(metadata, spec, status) => self.add_node(metadata, &spec, &status),
            Object::Pod(metadata, spec, status) => self.add_pod(metadata, &spec, &status),
            Object::Workload(kind, metadata, spec, status) => self.add_workload(kind, &metadata, *spec, &status),
            Object::PriorityClass { name, value, default } => {
                self.priority_classes.extend(value.map(|value| PriorityClass { name, value, default }));
            }
            Object::ConfigMap(metadata, config) => self.add_mig_config(metadata.name, &config),
            Object::Slice(name, spec) => match Slice::of(spec) {
                Some(slice) => drop(self.slices.0.insert(name, slice)),
                None => *self.skipped.kinds.entry("ResourceSlice.resource.k8s.io".to_owned()).or_default() += 1,
            },
            Object::DeviceClass(name, spec) => drop(self.device_classes.insert(name, Class::of(&spec))),
            Object::Claim(metadata, spec, status) => {
                let key = (metadata.namespace.unwrap_or_default(), metadata.name);
                self.add_claim(key, Claim::of(*spec, status));
            }
            Object::ClaimTemplate(metadata, spec) => {
                let key = (metadata.namespace.unwrap_or_default(), metadata.name);
                self.add_claim_template(key, Claim::of(*spec, Status::default()));
            }
            Object::Budget(metadata, spec, status) => self.add_budget(metadata, &spec, &status),
            Object::Quota(metadata, spec, status) => self.add_quota(metadata, &spec, &status),
        }
    }

    /// Counts an object of a kind that is not read.
    pub(super) fn skip_kind(&mut self, kind: &str, api_version: Option<&str>, mentions_gpu: bool) {
        self.objects += 1;
        let group = api_version.and_then(|version| version.split_once('/')).map_or("", |(group, _)| group);
        let name: String = if group.is_empty() { kind.to_owned() } else { format!("{kind}.{group}") };
        let name: String = name.chars().take(120).collect();
        if mentions_gpu && !SPEAKS_OF_GPUS.contains(&name.as_str()) {
            *self.skipped.kinds_with_gpu.entry(name.clone()).or_default() += 1;
        }
        *self.skipped.kinds.entry(name).or_default() += 1;
    }

    /// What has no kind by now is no Kubernetes object.
    pub(super) fn end_document(&mut self) {
        self.without_kind += std::mem::take(&mut self.nameless).len() as u64;
    }

    /// Whether no object was met.
    pub(super) fn is_empty(&self) -> bool {
        self.objects == 0
    }

    pub(super) fn absorb(&mut self, other: Collection) {
        self.nodes.extend(other.nodes);
        for mut pod in other.pods {
            pod.asking = match self.asking.get(&pod.asking) {
                Some(known) => Arc::clone(known),
                None => self.share(Asking::clone(&pod.asking)),
            };
            pod.labels = self.shared.labels(pod.labels);
            pod.node = pod.node.map(|node| self.shared.text(&node));
            self.pods.push(pod);
        }
        for passer in other.passers {
            let namespace = self.shared.text(&passer.namespace);
            self.passers.push(Passer { namespace, labels: self.shared.labels(passer.labels), ..passer });
        }
        for tenure in other.tenures {
            self.tenures.push(tenure.sharing(&mut self.shared));
        }
        self.as_of = self.as_of.max(other.as_of);
        self.budgets.extend(other.budgets);
        self.quotas.extend(other.quotas);
        self.workloads.extend(other.workloads);
        self.met.extend(other.met);
        self.owners.extend(other.owners);
        self.priority_classes.extend(other.priority_classes);
        self.mig_configs.extend(other.mig_configs);
        self.slices.0.extend(other.slices.0);
        other.claims.into_iter().for_each(|(key, claim)| self.add_claim(key, claim));
        other.claim_templates.into_iter().for_each(|(key, claim)| self.add_claim_template(key, claim));
        self.device_classes.extend(other.device_classes);
        other.class_values.into_iter().for_each(|(class, value)| self.add_class_value(class, value));
        self.skipped.absorb(other.skipped);
        self.warnings.absorb(other.warnings);
        self.problems.extend(other.problems.into_iter().map(|problem| problem.behind(self.objects)));
        self.without_kind += other.without_kind;
        self.cut_off |= other.cut_off;
        self.objects += other.objects;
    }

    fn add_claim(&mut self, key: (String, String), claim: Claim) {
        let object = described("ResourceClaim", &key.0, &key.1);
        self.warn_of_duplicate(object, self.claims.get(&key).is_some_and(|known| *known != claim));
        self.claims.insert(key, claim);
    }

    fn add_claim_template(&mut self, key: (String, String), claim: Claim) {
        let object = described("ResourceClaimTemplate", &key.0, &key.1);
        self.warn_of_duplicate(object, self.claim_templates.get(&key).is_some_and(|known| *known != claim));
        self.claim_templates.insert(key, claim);
    }

    fn warn_of_duplicate(&mut self, object: String, differs: bool) {
        if differs {
            self.warnings.add(WarningCode::DuplicateObject, object, DUPLICATE);
        }
    }

    pub(super) fn share(&mut self, asking: Asking) -> Arc<Asking> {
        let constraints = self.constraints.share(asking.constraints);
        self.asking.share(Asking { constraints, ..asking })
    }

    /// Of a class that was made anew with another value, pods tell both: the greatest counts.
    fn add_class_value(&mut self, class: String, value: i32) {
        let known = self.class_values.entry(class).or_insert(value);
        *known = value.max(*known);
    }

    fn add_node(&mut self, metadata: Metadata, spec: &NodeSpec, status: &Status) {
        if metadata.name.is_empty() {
            self.problems.push(Problem::NamelessNode { number: self.objects });
            return;
        }
        self.as_of = self.as_of.max(status.newest_time());
        self.nodes.push(Node::of(metadata, spec, status));
    }

    /// Keeps a mig-parted file; others have `config.yaml` too, and are none of ours.
    fn add_mig_config(&mut self, name: String, config: &str) {
        match Config::read(config.as_bytes()) {
            Ok(config) if !config.entries.is_empty() => drop(self.mig_configs.insert(name, config)),
            _ => *self.skipped.kinds.entry("ConfigMap".to_owned()).or_default() += 1,
        }
    }

    fn add_pod(&mut self, mut metadata: Metadata, spec: &PodSpec, status: &Status) {
        let tenure = Tenure::of(&metadata, spec, status).map(|tenure| tenure.sharing(&mut self.shared));
        let name = tenure.as_ref().map_or_else(|| metadata.name.as_str().into(), Tenure::name);
        self.tenures.extend(tenure);
        self.as_of = self.as_of.max(status.newest_time());
        if metadata.deletion_timestamp.is_some() {
            self.skipped.pods_terminating += 1;
            return;
        }
        if matches!(status.phase.as_deref(), Some("Succeeded" | "Failed")) {
            self.skipped.pods_finished += 1;
            return;
        }
        let namespace = metadata.namespace.take().unwrap_or_default();
        let title = metadata.name_or_prefix().to_owned();
        let object = described("Pod", &namespace, &title);
        let Some(resources) = self.resources(&object, spec) else { return };
        let claims = dra::uses(spec, status);
        let healthy = status.is_up();
        if resources.is_empty() && claims.is_empty() {
            self.skipped.pods_without_gpu += 1;
            let labels = self.shared.labels(Labels::of(&metadata.take_labels()));
            let namespace = self.shared.text(&namespace);
            self.passers.push(Passer { namespace, name: metadata.name.into(), labels, healthy });
            return;
        }
        let owner = owner_of_pod(&metadata, &title);
        let stays = stays(&metadata);
        let labels = metadata.take_labels();
        let mut constraints = constraints::of_pod(spec, &namespace, &labels);
        let labels = self.shared.labels(Labels::of(&labels));
        let node = Some(&spec.node_name).filter(|node| !node.is_empty()).map(|node| self.shared.text(node));
        // A manifest that names its node stays there; in a dump the name is where the scheduler put the pod.
        if let (Some(node), None) = (&node, &status.phase) {
            pin(&mut constraints, node);
        }
        let pinned = if owner.kind == "DaemonSet" { unpin(&mut constraints) } else { None };
        let asks = (resources, metadata.is_together());
        let asking = self.asking(&object, namespace, owner, asks, constraints, spec);
        let held = Vec::new();
        self.pods.push(Pod { name, node, pinned, stays, claims, held, healthy, labels, asking });
    }

    /// What a pod asks for; `None` if it asks for nonsense, which is noted.
    pub(super) fn resources(&mut self, object: &str, spec: &PodSpec) -> Option<BTreeMap<String, u64>> {
        match requests::of_pod(spec) {
            Ok(resources) => Some(resources),
            Err(bad) => {
                self.problems.push(Problem::Quantity { object: object.to_owned(), bad });
                None
            }
        }
    }

    /// `resources` are what a pod asks for, and whether all of it has to be on one GPU.
    pub(super) fn asking(
        &mut self,
        object: &str,
        namespace: String,
        owner: Owner,
        (resources, same_gpu): (BTreeMap<String, u64>, bool),
        constraints: Constraints,
        spec: &PodSpec,
    ) -> Arc<Asking> {
        let priority = spec.priority.as_ref().and_then(|scalar| {
            let value = scalar.integer();
            if value.is_none() {
                self.problems.push(Problem::Number {
                    object: object.to_owned(),
                    field: "priority",
                    text: scalar.0.chars().take(80).collect(),
                    least: i32::MIN.into(),
                    most: i32::MAX.into(),
                });
            }
            value
        });
        let priority_class = spec.priority_class_name.clone();
        if let Some(priority) = priority
            && !priority_class.is_empty()
        {
            self.add_class_value(priority_class.clone(), priority);
        }
        self.share(Asking {
            namespace,
            owner,
            resources,
            same_gpu,
            by_claims: false,
            constraints: Arc::new(constraints),
            priority,
            priority_class,
            nature: Nature::of(spec),
        })
    }
}

/// What an object is called in messages.
pub(super) fn described(kind: &str, namespace: &str, name: &str) -> String {
    let kind = kind.to_lowercase();
    if namespace.is_empty() { format!("{kind} {name}") } else { format!("{kind} {namespace}/{name}") }
}

/// Binds every alternative to a node.
pub(super) fn pin(constraints: &mut Constraints, node: &str) {
    if constraints.terms.is_empty() {
        constraints.terms.push(Vec::new());
    }
    for term in &mut constraints.terms {
        term.push(constraints::requirement(NODE_NAME, Operator::In, std::slice::from_ref(&node.to_owned())));
        term.sort();
        term.dedup();
    }
}

/// Whether nothing brings a pod back, or somebody said that it must not be evicted.
pub(super) fn stays(metadata: &Metadata) -> bool {
    let controller = metadata.controller().map(|owner| owner.kind.as_str());
    let safe_to_evict = metadata.annotations.0.safe_to_evict.as_ref().map(|told| told.0.as_str());
    why_it_stays(controller, safe_to_evict).is_some()
}

/// Takes the node a DaemonSet's pod is made for out of its constraints.
pub(super) fn unpin(constraints: &mut Constraints) -> Option<Arc<str>> {
    let mut node = None;
    for term in &mut constraints.terms {
        term.retain(|r| {
            let pins = r.key == NODE_NAME && r.operator == Operator::In && r.values.len() == 1;
            if pins {
                node = r.values.first().map(|node| node.as_str().into());
            }
            !pins
        });
    }
    constraints.terms.sort();
    constraints.terms.dedup();
    if constraints.terms.iter().any(Vec::is_empty) {
        constraints.terms.clear();
    }
    node
}

pub(super) fn owner_of_pod(metadata: &Metadata, pod: &str) -> Owner {
    let owner = |kind: &str, name: &str, part: &str| Owner {
        name: name.to_owned(),
        kind: kind.to_owned(),
        part: part.to_owned(),
    };
    if let Some(job_set) = metadata.label("jobset.sigs.k8s.io/jobset-name") {
        return owner("JobSet", job_set, metadata.label("jobset.sigs.k8s.io/replicatedjob-name").unwrap_or_default());
    }
    match metadata.controller() {
        Some(controller) if controller.kind == "ReplicaSet" => {
            let hash = metadata.label("pod-template-hash").filter(|hash| !hash.is_empty());
            let deployment = hash.and_then(|hash| controller.name.strip_suffix(hash)?.strip_suffix('-'));
            match deployment {
                Some(deployment) => owner("Deployment", deployment, ""),
                None => owner("ReplicaSet", &controller.name, ""),
            }
        }
        // The kubelet's mirror of a static pod.
        Some(controller) if controller.kind == "Node" => owner("Pod", pod, ""),
        Some(controller) => owner(&controller.kind, &controller.name, ""),
        None => owner("Pod", pod, ""),
    }
}

fn amounts(resources: &GpuResources) -> BTreeMap<String, u64> {
    resources.0.iter().filter_map(|(name, scalar)| Some((name.clone(), whole(&scalar.0)?))).collect()
}
