//! The parts of Kubernetes objects that matter here, as they are written. Everything else in an
//! object is passed over without being kept.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::dra::wire::{Allocation, Consumer, ExtendedClaimStatus, PodClaim, PodClaimStatus};
use super::quantity::Scalar;

/// Reads `null` as the default: Go writes it for lists and maps that are not there.
pub(super) fn nullable<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Option::<T>::deserialize(deserializer).map(Option::unwrap_or_default)
}

/// A member of an object: a map or `null`. What is derived would take a list for the fields in order.
#[derive(Debug, Default)]
pub(super) struct Member<T>(pub(super) T);

impl<'de, T: Default + Deserialize<'de>> Deserialize<'de> for Member<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Member<T>, D::Error> {
        deserializer.deserialize_any(MemberVisitor(PhantomData))
    }
}

struct MemberVisitor<T>(PhantomData<T>);

impl<'de, T: Default + Deserialize<'de>> Visitor<'de> for MemberVisitor<T> {
    type Value = Member<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map")
    }

    fn visit_unit<E: Error>(self) -> Result<Member<T>, E> {
        Ok(Member::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Member<T>, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Member)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "an object's metadata")]
pub(super) struct Metadata {
    #[serde(deserialize_with = "nullable")]
    pub(super) name: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) generate_name: String,
    pub(super) namespace: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(super) labels: BTreeMap<String, Option<String>>,
    #[serde(deserialize_with = "nullable")]
    pub(super) owner_references: Vec<OwnerReference>,
    pub(super) annotations: Member<Annotations>,
    pub(super) deletion_timestamp: Option<IgnoredAny>,
    pub(super) uid: Option<Scalar>,
    pub(super) resource_version: Option<Scalar>,
    creation_timestamp: Option<IgnoredAny>,
}

/// The annotations that matter.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "annotations")]
pub(super) struct Annotations {
    /// `false` if the cluster autoscaler may not evict it.
    #[serde(rename = "cluster-autoscaler.kubernetes.io/safe-to-evict")]
    pub(super) safe_to_evict: Option<Scalar>,
    /// Of a node: that a rollout is at it.
    #[serde(rename = "migsaw.io/rollout")]
    pub(super) rollout: Option<Scalar>,
    /// Of a pod: `gpu` if all its slices have to be on one GPU.
    #[serde(rename = "migsaw.io/together")]
    pub(super) together: Option<Scalar>,
}

/// A ConfigMap's data, as far as it matters.
#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a ConfigMap's data")]
pub(super) struct ConfigData {
    /// A mig-parted file, in those for MIG Manager.
    #[serde(rename = "config.yaml")]
    pub(super) config: Option<Scalar>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an owner reference")]
pub(super) struct OwnerReference {
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) controller: Option<bool>,
}

impl Metadata {
    pub(super) fn label(&self, key: &str) -> Option<&str> {
        self.labels.get(key)?.as_deref()
    }

    pub(super) fn controller(&self) -> Option<&OwnerReference> {
        self.owner_references.iter().find(|owner| owner.controller == Some(true))
    }

    /// Whether the API server has had it in hands.
    pub(super) fn is_stored(&self) -> bool {
        self.uid.is_some() || self.resource_version.is_some() || self.creation_timestamp.is_some()
    }

    /// Whether all slices of a pod have to be on one GPU when it is placed.
    pub(super) fn is_together(&self) -> bool {
        self.annotations.0.together.as_ref().is_some_and(|together| together.0 == "gpu")
    }

    /// The name, or the beginning of the one it will get.
    pub(super) fn name_or_prefix(&self) -> &str {
        match (self.name.as_str(), self.generate_name.trim_end_matches('-')) {
            ("", "") => "unnamed",
            ("", prefix) => prefix,
            (name, _) => name,
        }
    }

    /// The labels, null ones as empty strings.
    pub(super) fn take_labels(&mut self) -> BTreeMap<String, String> {
        std::mem::take(&mut self.labels).into_iter().map(|(key, value)| (key, value.unwrap_or_default())).collect()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "the spec of a node")]
pub(super) struct NodeSpec {
    pub(super) unschedulable: Option<bool>,
    #[serde(deserialize_with = "nullable")]
    pub(super) taints: Vec<WireTaint>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a taint")]
pub(super) struct WireTaint {
    pub(super) key: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) value: String,
    pub(super) effect: String,
}

/// Of every kind's status what is of interest for one of them.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "a status")]
pub(super) struct Status {
    pub(super) phase: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(super) capacity: GpuResources,
    #[serde(deserialize_with = "nullable")]
    pub(super) allocatable: GpuResources,
    #[serde(deserialize_with = "nullable")]
    pub(super) conditions: Vec<Condition>,
    pub(super) succeeded: Option<Scalar>,
    pub(super) terminal_state: Option<String>,
    #[serde(rename = "replicatedJobsStatus", deserialize_with = "nullable")]
    pub(super) replicated_jobs: Vec<ReplicatedJobStatus>,
    /// Of a claim: the devices it was given.
    pub(super) allocation: Option<Allocation>,
    /// Of a claim: who may use it.
    #[serde(deserialize_with = "nullable")]
    pub(super) reserved_for: Vec<Consumer>,
    /// Of a pod: the claims made for it.
    #[serde(deserialize_with = "nullable")]
    pub(super) resource_claim_statuses: Vec<PodClaimStatus>,
    /// Of a pod: the node on which others were evicted for it.
    #[serde(deserialize_with = "nullable")]
    pub(super) nominated_node_name: String,
    /// Of a pod: when the kubelet saw it, in RFC 3339.
    pub(super) start_time: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(super) container_statuses: Vec<ContainerStatus>,
    #[serde(rename = "extendedResourceClaimStatus")]
    pub(super) extended_resource_claim: Option<ExtendedClaimStatus>,
    observed_generation: Option<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "the status of a replicated job")]
pub(super) struct ReplicatedJobStatus {
    pub(super) name: String,
    pub(super) succeeded: Option<Scalar>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a condition")]
pub(super) struct Condition {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) status: String,
    /// Since when, in RFC 3339.
    #[serde(rename = "lastTransitionTime")]
    pub(super) since: Option<String>,
    /// Of a node: when it last said so, in RFC 3339.
    #[serde(rename = "lastHeartbeatTime")]
    heartbeat: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "the status of a container")]
pub(super) struct ContainerStatus {
    #[serde(deserialize_with = "nullable")]
    pub(super) state: ContainerState,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "the state of a container")]
pub(super) struct ContainerState {
    #[serde(deserialize_with = "nullable")]
    pub(super) terminated: Terminated,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "how a container ended")]
pub(super) struct Terminated {
    /// In RFC 3339.
    pub(super) finished_at: Option<String>,
}

impl Status {
    /// The status of a condition, `True`, `False` or `Unknown`.
    pub(super) fn condition(&self, kind: &str) -> Option<&str> {
        self.conditions.iter().find(|c| c.kind == kind).map(|c| c.status.as_str())
    }

    /// Whether a pod with it is up, as disruption budgets count: it is ready, or runs where that is not said.
    pub(super) fn is_up(&self) -> bool {
        let is_running = self.phase.as_deref() == Some("Running");
        self.condition("Ready").map_or(is_running, |status| status == "True")
    }

    /// The newest time that a node or pod tells with it.
    pub(super) fn newest_time(&self) -> Option<Timestamp> {
        let of_conditions = self.conditions.iter().flat_map(|condition| [&condition.since, &condition.heartbeat]);
        let of_containers = self.container_statuses.iter().map(|container| &container.state.terminated.finished_at);
        let texts = of_conditions.chain(of_containers).chain([&self.start_time]).flatten();
        texts.filter_map(|text| text.parse().ok()).max()
    }

    /// Whether a controller has written it.
    pub(super) fn is_reported(&self) -> bool {
        self.observed_generation.is_some()
            || self.succeeded.is_some()
            || !self.conditions.is_empty()
            || !self.replicated_jobs.is_empty()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "the spec of a pod")]
pub(super) struct PodSpec {
    #[serde(deserialize_with = "nullable")]
    pub(super) containers: Vec<Container>,
    #[serde(deserialize_with = "nullable")]
    pub(super) init_containers: Vec<Container>,
    /// What all containers share; of extended resources there are none here.
    #[serde(deserialize_with = "nullable")]
    pub(super) resources: Resources,
    #[serde(deserialize_with = "nullable")]
    pub(super) overhead: GpuResources,
    #[serde(deserialize_with = "nullable")]
    pub(super) node_name: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) node_selector: BTreeMap<String, String>,
    #[serde(deserialize_with = "nullable")]
    pub(super) affinity: Affinity,
    #[serde(deserialize_with = "nullable")]
    pub(super) tolerations: Vec<WireToleration>,
    pub(super) priority: Option<Scalar>,
    #[serde(deserialize_with = "nullable")]
    pub(super) priority_class_name: String,
    pub(super) active_deadline_seconds: Option<IgnoredAny>,
    #[serde(deserialize_with = "nullable")]
    pub(super) resource_claims: Vec<PodClaim>,
    #[serde(deserialize_with = "nullable")]
    pub(super) topology_spread_constraints: Vec<SpreadConstraint>,
    #[serde(deserialize_with = "nullable")]
    pub(super) volumes: Vec<Volume>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "a volume of a pod")]
pub(super) struct Volume {
    persistent_volume_claim: Option<IgnoredAny>,
    ephemeral: Option<IgnoredAny>,
}

impl Volume {
    /// Whether it is attached to the node, which has room for so many, or may be one pod's alone.
    pub(super) fn is_claimed(&self) -> bool {
        self.persistent_volume_claim.is_some() || self.ephemeral.is_some()
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "a container")]
pub(super) struct Container {
    #[serde(deserialize_with = "nullable")]
    pub(super) resources: Resources,
    pub(super) restart_policy: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub(super) ports: Vec<Port>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "a port of a container")]
pub(super) struct Port {
    pub(super) host_port: Option<Scalar>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "the resources of a container or pod")]
pub(super) struct Resources {
    #[serde(deserialize_with = "nullable")]
    pub(super) requests: GpuResources,
    #[serde(deserialize_with = "nullable")]
    pub(super) limits: GpuResources,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "a topology spread constraint")]
pub(super) struct SpreadConstraint {
    pub(super) when_unsatisfiable: String,
}

impl SpreadConstraint {
    pub(super) fn is_preferred(&self) -> bool {
        self.when_unsatisfiable == "ScheduleAnyway"
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an affinity")]
pub(super) struct Affinity {
    #[serde(rename = "nodeAffinity", deserialize_with = "nullable")]
    pub(super) node: NodeAffinity,
    #[serde(rename = "podAffinity", deserialize_with = "nullable")]
    pub(super) pod: PodAffinity,
    #[serde(rename = "podAntiAffinity", deserialize_with = "nullable")]
    pub(super) pod_anti: PodAffinity,
}

impl PodSpec {
    /// Whether it would rather be on some of the nodes that it may go to.
    pub(super) fn has_preferences(&self) -> bool {
        let Affinity { node, pod, pod_anti } = &self.affinity;
        let terms = node.preferred.len() + pod.preferred.len() + pod_anti.preferred.len();
        terms > 0 || self.topology_spread_constraints.iter().any(SpreadConstraint::is_preferred)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a node affinity")]
pub(super) struct NodeAffinity {
    #[serde(rename = "requiredDuringSchedulingIgnoredDuringExecution")]
    pub(super) required: Option<WireNodeSelector>,
    #[serde(rename = "preferredDuringSchedulingIgnoredDuringExecution", deserialize_with = "nullable")]
    pub(super) preferred: Vec<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "a node selector")]
pub(super) struct WireNodeSelector {
    #[serde(deserialize_with = "nullable")]
    pub(super) node_selector_terms: Vec<WireTerm>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "a node selector term")]
pub(super) struct WireTerm {
    #[serde(deserialize_with = "nullable")]
    pub(super) match_expressions: Vec<WireRequirement>,
    #[serde(deserialize_with = "nullable")]
    pub(super) match_fields: Vec<WireRequirement>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a label requirement")]
pub(super) struct WireRequirement {
    pub(super) key: String,
    pub(super) operator: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) values: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a pod affinity")]
pub(super) struct PodAffinity {
    #[serde(rename = "requiredDuringSchedulingIgnoredDuringExecution", deserialize_with = "nullable")]
    pub(super) required: Vec<PodAffinityTerm>,
    #[serde(rename = "preferredDuringSchedulingIgnoredDuringExecution", deserialize_with = "nullable")]
    pub(super) preferred: Vec<IgnoredAny>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "a pod affinity term")]
pub(super) struct PodAffinityTerm {
    #[serde(deserialize_with = "nullable")]
    pub(super) topology_key: String,
    pub(super) label_selector: Option<LabelSelector>,
    pub(super) namespace_selector: Option<LabelSelector>,
    #[serde(deserialize_with = "nullable")]
    pub(super) namespaces: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub(super) mismatch_label_keys: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "a label selector")]
pub(super) struct LabelSelector {
    #[serde(deserialize_with = "nullable")]
    pub(super) match_labels: BTreeMap<String, String>,
    #[serde(deserialize_with = "nullable")]
    pub(super) match_expressions: Vec<WireRequirement>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "the spec of a disruption budget")]
pub(super) struct BudgetSpec {
    pub(super) selector: Option<LabelSelector>,
    pub(super) min_available: Option<Scalar>,
    pub(super) max_unavailable: Option<Scalar>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "the status of a disruption budget")]
pub(super) struct BudgetStatus {
    pub(super) disruptions_allowed: Option<Scalar>,
    expected_pods: Option<Scalar>,
    observed_generation: Option<Scalar>,
}

impl BudgetStatus {
    /// Whether the controller has written it. The API server fills in zeros before that.
    pub(super) fn is_reported(&self) -> bool {
        let is_zero = |scalar: &Option<Scalar>| scalar.as_ref().is_some_and(|s| s.integer() == Some(0u64));
        let is_observed = self.observed_generation.is_some() && !is_zero(&self.observed_generation);
        let is_blank = is_zero(&self.expected_pods) && is_zero(&self.disruptions_allowed);
        self.disruptions_allowed.is_some() && (is_observed || !is_blank)
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "the spec of a quota")]
pub(super) struct QuotaSpec {
    #[serde(deserialize_with = "nullable")]
    pub(super) hard: BTreeMap<String, Option<Scalar>>,
    #[serde(deserialize_with = "nullable")]
    pub(super) scopes: Vec<String>,
    #[serde(deserialize_with = "nullable")]
    pub(super) scope_selector: ScopeSelector,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "the status of a quota")]
pub(super) struct QuotaStatus {
    #[serde(deserialize_with = "nullable")]
    pub(super) used: BTreeMap<String, Option<Scalar>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "a scope selector")]
pub(super) struct ScopeSelector {
    #[serde(deserialize_with = "nullable")]
    pub(super) match_expressions: Vec<ScopeRequirement>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "a condition of a scope selector")]
pub(super) struct ScopeRequirement {
    pub(super) scope_name: String,
    pub(super) operator: String,
    #[serde(deserialize_with = "nullable")]
    pub(super) values: Vec<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a toleration")]
pub(super) struct WireToleration {
    pub(super) key: Option<String>,
    pub(super) operator: Option<String>,
    pub(super) value: Option<String>,
    pub(super) effect: Option<String>,
}

/// The spec of everything that makes pods of a template.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", expecting = "the spec of a workload")]
pub(super) struct WorkloadSpec {
    pub(super) replicas: Option<Scalar>,
    pub(super) parallelism: Option<Scalar>,
    pub(super) completions: Option<Scalar>,
    pub(super) suspend: Option<bool>,
    #[serde(deserialize_with = "nullable")]
    pub(super) template: PodTemplate,
    pub(super) job_template: Option<Box<JobTemplate>>,
    #[serde(deserialize_with = "nullable")]
    pub(super) replicated_jobs: Vec<ReplicatedJob>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a pod template")]
pub(super) struct PodTemplate {
    #[serde(deserialize_with = "nullable")]
    pub(super) metadata: Metadata,
    #[serde(deserialize_with = "nullable")]
    pub(super) spec: PodSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a job template")]
pub(super) struct JobTemplate {
    #[serde(deserialize_with = "nullable")]
    pub(super) spec: WorkloadSpec,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "a replicated job")]
pub(super) struct ReplicatedJob {
    pub(super) name: String,
    pub(super) replicas: Option<Scalar>,
    #[serde(deserialize_with = "nullable")]
    pub(super) template: JobTemplate,
}

/// Quantities of resources, by full name: NVIDIA's, and others apart.
#[derive(Debug, Default)]
pub(super) struct GpuResources(pub(super) BTreeMap<String, Scalar>, pub(super) Vec<(String, Scalar)>);

impl<'de> Deserialize<'de> for GpuResources {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<GpuResources, D::Error> {
        deserializer.deserialize_map(GpuResourcesVisitor)
    }
}

struct GpuResourcesVisitor;

impl<'de> Visitor<'de> for GpuResourcesVisitor {
    type Value = GpuResources;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of resources to quantities")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<GpuResources, A::Error> {
        let (mut kept, mut others) = (BTreeMap::new(), Vec::new());
        while let Some(key) = map.next_key::<String>()? {
            // Go reads `null` as a quantity of zero.
            let Some(quantity) = map.next_value::<Option<Scalar>>()? else { continue };
            if is_of_gpus(&key) {
                kept.insert(key, quantity);
            } else {
                others.push((key, quantity));
            }
        }
        Ok(GpuResources(kept, others))
    }
}

fn is_of_gpus(resource: &str) -> bool {
    let name = resource.strip_prefix("nvidia.com/");
    name.is_some_and(|name| name.starts_with("mig-") || name == "gpu" || name == "gpu.shared")
}
