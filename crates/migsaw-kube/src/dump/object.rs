//! Walks through the objects of a document, of any nesting of lists, and hands each to the
//! collection without keeping the document.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::collect::Collection;
use super::dra::wire::{ClaimSpec, ClassSpec, SliceSpec};
use super::json::{is_list, of_items};
use super::mentions::MentionsGpu;
use super::quantity::Scalar;
use super::wire::{
    BudgetSpec, BudgetStatus, ConfigData, Member, Metadata, NodeSpec, PodSpec, QuotaSpec, QuotaStatus, Status,
    WorkloadSpec,
};

/// An object of a kind that matters.
#[derive(Debug)]
pub(super) enum Object {
    Node(Metadata, NodeSpec, Status),
    Pod(Metadata, Box<PodSpec>, Status),
    Workload(WorkloadKind, Metadata, Box<WorkloadSpec>, Status),
    PriorityClass {
        name: String,
        value: Option<i32>,
        default: bool,
    },
    /// With its `config.yaml`.
    ConfigMap(Metadata, String),
    /// With its name.
    Slice(String, SliceSpec),
    Claim(Metadata, Box<ClaimSpec>, Status),
    ClaimTemplate(Metadata, Box<ClaimSpec>),
    /// With its name.
    DeviceClass(String, ClassSpec),
    Budget(Metadata, Box<BudgetSpec>, BudgetStatus),
    Quota(Metadata, Box<QuotaSpec>, QuotaStatus),
}

/// What makes pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum WorkloadKind {
    Deployment,
    StatefulSet,
    ReplicaSet,
    ReplicationController,
    DaemonSet,
    Job,
    CronJob,
    JobSet,
}

impl WorkloadKind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            WorkloadKind::Deployment => "Deployment",
            WorkloadKind::StatefulSet => "StatefulSet",
            WorkloadKind::ReplicaSet => "ReplicaSet",
            WorkloadKind::ReplicationController => "ReplicationController",
            WorkloadKind::DaemonSet => "DaemonSet",
            WorkloadKind::Job => "Job",
            WorkloadKind::CronJob => "CronJob",
            WorkloadKind::JobSet => "JobSet",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Node,
    Pod,
    Workload(WorkloadKind),
    PriorityClass,
    ConfigMap,
    Slice,
    Claim,
    ClaimTemplate,
    DeviceClass,
    Budget,
    Quota,
}

/// Whether objects of a kind are read.
pub(super) fn is_known(kind: &str, api_version: Option<&str>) -> bool {
    known(kind, api_version).is_some()
}

/// A kind counts only in its own API group: `Job` is also a kind of other schedulers.
fn known(kind: &str, api_version: Option<&str>) -> Option<Known> {
    let (group, found) = match kind {
        "Node" => ("", Known::Node),
        "Pod" => ("", Known::Pod),
        "Deployment" => ("apps", Known::Workload(WorkloadKind::Deployment)),
        "StatefulSet" => ("apps", Known::Workload(WorkloadKind::StatefulSet)),
        "ReplicaSet" => ("apps", Known::Workload(WorkloadKind::ReplicaSet)),
        "ReplicationController" => ("", Known::Workload(WorkloadKind::ReplicationController)),
        "DaemonSet" => ("apps", Known::Workload(WorkloadKind::DaemonSet)),
        "Job" => ("batch", Known::Workload(WorkloadKind::Job)),
        "CronJob" => ("batch", Known::Workload(WorkloadKind::CronJob)),
        "JobSet" => ("jobset.x-k8s.io", Known::Workload(WorkloadKind::JobSet)),
        "ConfigMap" => ("", Known::ConfigMap),
        "PodDisruptionBudget" => ("policy", Known::Budget),
        "ResourceQuota" => ("", Known::Quota),
        "PriorityClass" => ("scheduling.k8s.io", Known::PriorityClass),
        "ResourceSlice" => ("resource.k8s.io", Known::Slice),
        "ResourceClaim" => ("resource.k8s.io", Known::Claim),
        "DeviceClass" => ("resource.k8s.io", Known::DeviceClass),
        "ResourceClaimTemplate" => ("resource.k8s.io", Known::ClaimTemplate),
        _ => return None,
    };
    let own_group = api_version.is_none_or(|version| version.split_once('/').map_or("", |(group, _)| group) == group);
    own_group.then_some(found)
}

/// Reads one object or list into a collection: all of it or, if it ends before, nothing.
pub(super) struct ObjectSeed<'a> {
    pub(super) into: &'a mut Collection,
    /// The kind of a list's items, which need not repeat it.
    pub(super) kind: Option<&'a str>,
}

impl<'de> DeserializeSeed<'de> for ObjectSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ObjectSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a Kubernetes object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut parts = Parts { kind: self.kind.map(str::to_owned), ..Parts::default() };
        let mut inside = Collection::default();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "kind" => parts.kind = map.next_value::<Option<String>>()?.or(parts.kind),
                "apiVersion" => parts.api_version = map.next_value()?,
                "items" if parts.kind.as_deref().is_none_or(is_list) => {
                    let kind = of_items(parts.kind.as_deref());
                    map.next_value_seed(ItemsSeed { into: &mut inside, kind })?;
                    parts.list = true;
                }
                "metadata" | "spec" | "status" | "value" | "globalDefault" | "data" => parts.read(&key, &mut map)?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if parts.list {
            // kubectl prints a list's kind behind its items.
            inside.cut_off |= parts.kind.is_none() && parts.api_version.is_some();
            inside.end_list(of_items(parts.kind.as_deref()))?;
            self.into.absorb(inside);
            return Ok(());
        }
        if parts.kind.is_none() {
            self.into.nameless.push(parts);
            return Ok(());
        }
        parts.finish(self.into)
    }
}

/// What has been read of an object.
#[derive(Debug, Default)]
pub(super) struct Parts {
    kind: Option<String>,
    api_version: Option<String>,
    list: bool,
    metadata: Metadata,
    node_spec: NodeSpec,
    pod_spec: Option<Box<PodSpec>>,
    workload_spec: Option<Box<WorkloadSpec>>,
    slice_spec: SliceSpec,
    claim_spec: Option<Box<ClaimSpec>>,
    class_spec: ClassSpec,
    budget_spec: Option<Box<BudgetSpec>>,
    quota_spec: Option<Box<QuotaSpec>>,
    /// Whether the spec of a kind that is not read mentions GPUs.
    mentions_gpu: MentionsGpu,
    status: Status,
    budget_status: BudgetStatus,
    quota_status: QuotaStatus,
    value: Option<Scalar>,
    default: bool,
    data: ConfigData,
    /// Members read before the kind was known.
    early: Vec<(String, Value)>,
}

impl Parts {
    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let Some(kind) = &self.kind else {
            self.early.push((key.to_owned(), map.next_value()?));
            return Ok(());
        };
        match (key, known(kind, self.api_version.as_deref())) {
            ("metadata", Some(_)) => self.metadata = member(map)?,
            ("spec", Some(Known::Node)) => self.node_spec = member(map)?,
            ("spec", Some(Known::Pod)) => self.pod_spec = Some(member(map)?),
            ("spec", Some(Known::Workload(_))) => self.workload_spec = Some(member(map)?),
            ("spec", Some(Known::Slice)) => self.slice_spec = member(map)?,
            ("spec", Some(Known::DeviceClass)) => self.class_spec = member(map)?,
            ("spec", Some(Known::Claim | Known::ClaimTemplate)) => self.claim_spec = Some(member(map)?),
            ("spec", Some(Known::Budget)) => self.budget_spec = Some(member(map)?),
            ("spec", Some(Known::Quota)) => self.quota_spec = Some(member(map)?),
            ("spec", None) => self.mentions_gpu = map.next_value()?,
            ("status", Some(Known::Node | Known::Pod | Known::Workload(_) | Known::Claim)) => {
                self.status = member(map)?;
            }
            ("status", Some(Known::Budget)) => self.budget_status = member(map)?,
            ("status", Some(Known::Quota)) => self.quota_status = member(map)?,
            ("value", Some(Known::PriorityClass)) => self.value = map.next_value()?,
            ("globalDefault", Some(Known::PriorityClass)) => self.default = or_default(map.next_value()?),
            ("data", Some(Known::ConfigMap)) => self.data = member(map)?,
            _ => {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    /// Reads what came before the kind.
    fn read_early<E: Error>(&mut self, known: Option<Known>) -> Result<(), E> {
        fn typed<T: for<'a> Deserialize<'a>, E: Error>(value: Value) -> Result<T, E> {
            serde_json::from_value(value).map_err(E::custom)
        }
        fn member<T: for<'a> Deserialize<'a> + Default, E: Error>(value: Value) -> Result<T, E> {
            typed::<Member<T>, E>(value).map(|member| member.0)
        }
        for (key, value) in std::mem::take(&mut self.early) {
            match (key.as_str(), known) {
                ("metadata", Some(_)) => self.metadata = member(value)?,
                ("spec", Some(Known::Node)) => self.node_spec = member(value)?,
                ("spec", Some(Known::Pod)) => self.pod_spec = Some(member(value)?),
                ("spec", Some(Known::Workload(_))) => self.workload_spec = Some(member(value)?),
                ("spec", Some(Known::Slice)) => self.slice_spec = member(value)?,
                ("spec", Some(Known::DeviceClass)) => self.class_spec = member(value)?,
                ("spec", Some(Known::Claim | Known::ClaimTemplate)) => self.claim_spec = Some(member(value)?),
                ("spec", Some(Known::Budget)) => self.budget_spec = Some(member(value)?),
                ("spec", Some(Known::Quota)) => self.quota_spec = Some(member(value)?),
                ("spec", None) => self.mentions_gpu = typed(value)?,
                ("status", Some(Known::Node | Known::Pod | Known::Workload(_) | Known::Claim)) => {
                    self.status = member(value)?;
                }
                ("status", Some(Known::Budget)) => self.budget_status = member(value)?,
                ("status", Some(Known::Quota)) => self.quota_status = member(value)?,
                ("value", Some(Known::PriorityClass)) => self.value = typed(value)?,
                ("globalDefault", Some(Known::PriorityClass)) => self.default = or_default(typed(value)?),
                ("data", Some(Known::ConfigMap)) => self.data = member(value)?,
                _ => {}
            }
        }
        Ok(())
    }

    /// Hands the object over, now that all of it is read.
    fn finish<E: Error>(mut self, into: &mut Collection) -> Result<(), E> {
        let Some(kind) = self.kind.take() else {
            into.without_kind += 1;
            return Ok(());
        };
        let known = known(&kind, self.api_version.as_deref());
        self.read_early(known)?;
        let Some(known) = known else {
            into.skip_kind(&kind, self.api_version.as_deref(), self.mentions_gpu.0);
            return Ok(());
        };
        let config = self.data.config.take().map(|text| text.0);
        if known == Known::ConfigMap && config.is_none() {
            into.skip_kind(&kind, self.api_version.as_deref(), false);
            return Ok(());
        }
        into.add(match known {
            Known::Node => Object::Node(self.metadata, self.node_spec, self.status),
            Known::Pod => Object::Pod(self.metadata, or_default(self.pod_spec), self.status),
            Known::Workload(kind) => Object::Workload(kind, self.metadata, or_default(self.workload_spec), self.status),
            Known::PriorityClass => {
                let value = self.value.and_then(|value| value.integer());
                Object::PriorityClass { name: self.metadata.name, value, default: self.default }
            }
            Known::Budget => Object::Budget(self.metadata, or_default(self.budget_spec), self.budget_status),
            Known::Quota => Object::Quota(self.metadata, or_default(self.quota_spec), self.quota_status),
            Known::ConfigMap => Object::ConfigMap(self.metadata, or_default(config)),
            Known::Slice => Object::Slice(self.metadata.name, self.slice_spec),
            Known::DeviceClass => Object::DeviceClass(self.metadata.name, self.class_spec),
            Known::Claim => Object::Claim(self.metadata, or_default(self.claim_spec), self.status),
            Known::ClaimTemplate => Object::ClaimTemplate(self.metadata, or_default(self.claim_spec)),
        });
        Ok(())
    }
}

fn member<'de, A: MapAccess<'de>, T: Default + Deserialize<'de>>(map: &mut A) -> Result<T, A::Error> {
    map.next_value::<Member<T>>().map(|member| member.0)
}

fn or_default<T: Default>(value: Option<T>) -> T {
    value.unwrap_or_default()
}

struct ItemsSeed<'a> {
    into: &'a mut Collection,
    kind: Option<&'a str>,
}

impl<'de> DeserializeSeed<'de> for ItemsSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ItemsSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of Kubernetes objects")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(ObjectSeed { into: &mut *self.into, kind: self.kind })?.is_some() {}
        Ok(())
    }
}

impl Collection {
    /// What had no kind so far in a list is of this one.
    pub(super) fn end_list<E: Error>(&mut self, kind: Option<&str>) -> Result<(), E> {
        for mut item in std::mem::take(&mut self.nameless) {
            item.kind = item.kind.or(kind.map(str::to_owned));
            item.finish(self)?;
        }
        Ok(())
    }
}

/// A whole document, collected: for formats that give no place for a seed.
#[derive(Debug, Default)]
pub(super) struct Document(pub(super) Collection);

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Document, D::Error> {
        let mut collection = Collection::default();
        ObjectSeed { into: &mut collection, kind: None }.deserialize(deserializer)?;
        collection.end_document();
        Ok(Document(collection))
    }
}
