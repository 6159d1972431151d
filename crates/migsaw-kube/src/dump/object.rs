//! Walks through the objects of a document, of any nesting of lists, and hands each to the
//! collection without keeping the document.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::collect::Collection;
use super::quantity::Scalar;
use super::wire::{Metadata, NodeSpec, PodSpec, Status, WorkloadSpec};

/// An object of a kind that matters.
#[derive(Debug)]
pub(super) enum Object {
    Node(Metadata, NodeSpec, Status),
    Pod(Metadata, Box<PodSpec>, Status),
    Workload(WorkloadKind, Metadata, Box<WorkloadSpec>, Status),
    PriorityClass { name: String, value: Option<i32>, default: bool },
}

/// What makes pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum WorkloadKind {
    Deployment,
    StatefulSet,
    ReplicaSet,
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
}

/// A kind counts only in its own API group: `Job` is also a kind of other schedulers.
fn known(kind: &str, api_version: Option<&str>) -> Option<Known> {
    let (group, found) = match kind {
        "Node" => ("", Known::Node),
        "Pod" => ("", Known::Pod),
        "Deployment" => ("apps", Known::Workload(WorkloadKind::Deployment)),
        "StatefulSet" => ("apps", Known::Workload(WorkloadKind::StatefulSet)),
        "ReplicaSet" => ("apps", Known::Workload(WorkloadKind::ReplicaSet)),
        "DaemonSet" => ("apps", Known::Workload(WorkloadKind::DaemonSet)),
        "Job" => ("batch", Known::Workload(WorkloadKind::Job)),
        "CronJob" => ("batch", Known::Workload(WorkloadKind::CronJob)),
        "JobSet" => ("jobset.x-k8s.io", Known::Workload(WorkloadKind::JobSet)),
        "PriorityClass" => ("scheduling.k8s.io", Known::PriorityClass),
        _ => return None,
    };
    let own_group = api_version.is_none_or(|version| version.split_once('/').map_or("", |(group, _)| group) == group);
    own_group.then_some(found)
}

/// Whether a kind stands for a list of objects.
fn is_list(kind: &str) -> bool {
    kind.ends_with("List")
}

/// Reads one object or list into a collection.
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
        let nameless_before = self.into.nameless.len();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "kind" => parts.kind = map.next_value::<Option<String>>()?.or(parts.kind),
                "apiVersion" => parts.api_version = map.next_value()?,
                "items" if parts.kind.as_deref().is_none_or(is_list) => {
                    let kind = parts
                        .kind
                        .as_deref()
                        .and_then(|kind| kind.strip_suffix("List"))
                        .filter(|kind| !kind.is_empty());
                    map.next_value_seed(ItemsSeed { into: &mut *self.into, kind })?;
                    parts.list = true;
                }
                "metadata" | "spec" | "status" | "value" | "globalDefault" => parts.read(&key, &mut map)?,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if parts.list {
            let kind = parts.kind.as_deref().and_then(|kind| kind.strip_suffix("List")).filter(|kind| !kind.is_empty());
            for mut item in self.into.nameless.split_off(nameless_before) {
                item.kind = item.kind.or(kind.map(str::to_owned));
                item.finish(self.into)?;
            }
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
    pod_spec: Box<PodSpec>,
    workload_spec: Box<WorkloadSpec>,
    status: Status,
    value: Option<Scalar>,
    default: bool,
    /// Members read before the kind was known.
    early: Vec<(String, Value)>,
}

impl Parts {
    fn read<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let Some(kind) = &self.kind else {
            self.early.push((key.to_owned(), map.next_value()?));
            return Ok(());
        };
        let Some(known) = known(kind, self.api_version.as_deref()) else {
            map.next_value::<IgnoredAny>()?;
            return Ok(());
        };
        match (key, known) {
            ("metadata", _) => self.metadata = or_default(map.next_value()?),
            ("spec", Known::Node) => self.node_spec = or_default(map.next_value()?),
            ("spec", Known::Pod) => self.pod_spec = or_default(map.next_value()?),
            ("spec", Known::Workload(_)) => self.workload_spec = or_default(map.next_value()?),
            ("status", Known::Node | Known::Pod | Known::Workload(_)) => self.status = or_default(map.next_value()?),
            ("value", Known::PriorityClass) => self.value = map.next_value()?,
            ("globalDefault", Known::PriorityClass) => self.default = or_default(map.next_value()?),
            _ => {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }

    /// Reads what came before the kind.
    fn read_early<E: Error>(&mut self, known: Known) -> Result<(), E> {
        fn typed<T: for<'a> Deserialize<'a> + Default, E: Error>(value: Value) -> Result<T, E> {
            serde_json::from_value::<Option<T>>(value).map(or_default).map_err(E::custom)
        }
        for (key, value) in std::mem::take(&mut self.early) {
            match (key.as_str(), known) {
                ("metadata", _) => self.metadata = typed(value)?,
                ("spec", Known::Node) => self.node_spec = typed(value)?,
                ("spec", Known::Pod) => self.pod_spec = typed(value)?,
                ("spec", Known::Workload(_)) => self.workload_spec = typed(value)?,
                ("status", Known::Node | Known::Pod | Known::Workload(_)) => self.status = typed(value)?,
                ("value", Known::PriorityClass) => self.value = typed(value)?,
                ("globalDefault", Known::PriorityClass) => self.default = typed(value)?,
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
        let Some(known) = known(&kind, self.api_version.as_deref()) else {
            into.skip_kind(&kind, self.api_version.as_deref());
            return Ok(());
        };
        self.read_early(known)?;
        into.add(match known {
            Known::Node => Object::Node(self.metadata, self.node_spec, self.status),
            Known::Pod => Object::Pod(self.metadata, self.pod_spec, self.status),
            Known::Workload(kind) => Object::Workload(kind, self.metadata, self.workload_spec, self.status),
            Known::PriorityClass => {
                let value = self.value.and_then(|value| value.integer());
                Object::PriorityClass { name: self.metadata.name, value, default: self.default }
            }
        });
        Ok(())
    }
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
