//! What a rollout is to do, as it lies in the cluster.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::ConfigMap as ConfigMapObject;
use migsaw::document::API_VERSION;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::MANAGER;
use super::error::ApplyError;
use super::observe::NodeFacts;
use super::pods::PodRef;
use super::target::Target;
use crate::gpu_operator::ConfigMap;
use crate::text::{Unpack, packed, unpacked};

/// Most bytes that a record has unpacked.
const MOST_BYTES: u64 = 64 << 20;
const KIND: &str = "AppliedRollout";

/// A rollout with everything that is needed to go on with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
    api_version: String,
    kind: String,
    /// Names this rollout; nodes are marked with it.
    pub id: String,
    /// Who began it.
    pub by: String,
    /// When.
    pub begun: Timestamp,
    /// How far it is.
    pub phase: Phase,
    /// When the configurations were changed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_changed: Option<Timestamp>,
    /// What goes on at the same time, one after the other.
    pub waves: Vec<Vec<StepRecord>>,
}

/// How far a rollout is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// Begun, and not at its end.
    Running,
    /// Everything has become as it was to be.
    Finished,
    /// Taken back as far as it was half-done.
    Aborted,
}

/// What is to become of one node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StepRecord {
    /// The node's name.
    pub node: String,
    /// Which of the nodes that have had this name.
    pub uid: String,
    /// Its label `nvidia.com/mig.config` before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What it offers before, by resource.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub offers: BTreeMap<String, u64>,
    /// Its label afterwards; left out if the node is not cut anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// What it offers then, by resource.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub becomes: BTreeMap<String, u64>,
    /// The pods that are evicted. Where the node is cut anew, all others that hold slices are evicted too, but for
    /// those that stay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evicts: Vec<PodRef>,
    /// Whether pods of other nodes wait here for a place of their own, and have to leave too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub clears: bool,
    /// The pods that stay while the others leave.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stays: Vec<PodRef>,
}

/// A record that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// It is not one of this version.
    #[error("the rollout's record in ConfigMap {name} cannot be read: {reason} (delete it to forget that rollout)")]
    Unreadable {
        /// The `ConfigMap`.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// It is larger than Kubernetes stores.
    #[error(
        "the rollout's record would have {bytes} bytes, but Kubernetes stores at most {most} (cordon nodes that are not to be changed now, so that they are not planned)"
    )]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// Most there may be.
        most: usize,
    },
}

impl Record {
    /// The `ConfigMap` it lies in, in the operator's namespace.
    pub const NAME: &'static str = "migsaw-rollout";
    /// Its key in there.
    const KEY: &'static str = "rollout.json.gz";

    /// The record of a rollout that begins now.
    ///
    /// # Panics
    /// If plan and rollout are not ones for the problem.
    pub(super) fn new(target: &Target<'_>, facts: &BTreeMap<String, NodeFacts>, by: &str, begun: Timestamp) -> Record {
        let waves = target.waves(facts);
        let content = serde_json::to_string(&waves).unwrap_or_default();
        let digest = Sha256::digest(format!("{by} {begun} {content}").as_bytes());
        let hash = digest.iter().take(4).fold(String::new(), |hash, byte| format!("{hash}{byte:02x}"));
        Record {
            api_version: API_VERSION.to_owned(),
            kind: KIND.to_owned(),
            id: format!("{}-{hash}", begun.strftime("%Y%m%d-%H%M%S")),
            by: by.to_owned(),
            begun,
            phase: Phase::Running,
            config_changed: None,
            waves,
        }
    }

    /// Makes sure that it can be kept, and that no pod is in its way of which the plan knows nothing: because it could
    /// not be told how its node is cut, or because it could not be placed again where it is, or because it has only
    /// just come.
    pub(super) fn check(&self, facts: &BTreeMap<String, NodeFacts>) -> Result<(), ApplyError> {
        self.manifest()?;
        let pods = self.unplanned(facts);
        if pods.is_empty() { Ok(()) } else { Err(ApplyError::Unplanned { pods }) }
    }

    /// All steps in their order.
    pub fn steps(&self) -> impl Iterator<Item = &StepRecord> {
        self.waves.iter().flatten()
    }

    /// The pods on nodes that are to be cut of which the plan knows nothing, with their nodes.
    fn unplanned(&self, facts: &BTreeMap<String, NodeFacts>) -> Vec<(String, PodRef)> {
        let of_step = |step: &StepRecord| {
            let holders = facts.get(&step.node).filter(|_| step.to.is_some()).map(|facts| facts.holders.clone());
            let is_known = |pod: &PodRef| step.evicts.contains(pod) || step.stays.contains(pod);
            let unknown = holders.unwrap_or_default().into_iter().filter(move |pod| !is_known(pod));
            unknown.map(|pod| (step.node.clone(), pod)).collect::<Vec<(String, PodRef)>>()
        };
        self.steps().flat_map(of_step).collect()
    }

    /// The same rollout, so far.
    pub(super) fn in_phase(self, phase: Phase) -> Record {
        Record { phase, ..self }
    }

    /// What writing it is called in messages.
    pub(super) fn action(namespace: &str) -> String {
        format!("write ConfigMap {namespace}/{}", Record::NAME)
    }

    /// The `ConfigMap`, for server-side apply. The record lies in it packed, to a quarter of its size.
    pub(super) fn manifest(&self) -> Result<Value, RecordError> {
        let text = serde_json::to_string(self).expect("a record has no keys but strings");
        let packed = packed(text.as_bytes());
        let (bytes, most) = (packed.len(), ConfigMap::MAX_BYTES);
        if bytes > most {
            return Err(RecordError::TooLarge { bytes, most });
        }
        Ok(json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": Record::NAME, "labels": {"app.kubernetes.io/managed-by": MANAGER}},
            "binaryData": {Record::KEY: ByteString(packed)},
        }))
    }

    /// Reads what lies in the `ConfigMap`, if there is something.
    pub(super) fn of(map: &ConfigMapObject) -> Result<Option<Record>, RecordError> {
        let unreadable = |reason: String| RecordError::Unreadable { name: Record::NAME.to_owned(), reason };
        let Some(packed) = map.binary_data.as_ref().and_then(|data| data.get(Record::KEY)) else { return Ok(None) };
        let text = unpacked(&packed.0, MOST_BYTES).map_err(|error| match error {
            Unpack::Gzip(reason) => unreadable(format!("it is no whole gzip file: {reason}")),
            Unpack::TooLarge => unreadable(format!("it has more than {} MiB", MOST_BYTES >> 20)),
        })?;
        let record: Record = serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?;
        if record.api_version != API_VERSION || record.kind != KIND {
            let found = format!("{} {}", record.api_version, record.kind);
            return Err(unreadable(format!("it is a {found}, expected {API_VERSION} {KIND}")));
        }
        Ok(Some(record))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record of so many nodes with so many pods each, whose names and uids are as random as real ones.
    fn record(nodes: u32, pods: u32) -> Record {
        let random =
            |what: &str| Sha256::digest(what).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        let uid = |what: &str| {
            let hex = random(what);
            [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32]].join("-")
        };
        let offers =
            |n: u64| BTreeMap::from([("nvidia.com/mig-1g.10gb".to_owned(), n), ("nvidia.com/gpu".to_owned(), 0)]);
        let step = |node: u32| StepRecord {
            node: format!("gpu-{node}.example"),
            uid: uid(&format!("{node}")),
            from: Some("all-1g.10gb".to_owned()),
            offers: offers(56),
            to: Some("migsaw-4x1g.10gb-3g.40gb-0a1b2c3d".to_owned()),
            becomes: offers(32),
            evicts: (0..pods)
                .map(|pod| {
                    let hex = random(&format!("{node} {pod}"));
                    let name = format!("llm-{}b-{}-{}", pod % 9, &hex[..10], &hex[10..15]);
                    PodRef { namespace: "inference".to_owned(), name, uid: uid(&hex) }
                })
                .collect(),
            ..StepRecord::default()
        };
        Record {
            api_version: API_VERSION.to_owned(),
            kind: KIND.to_owned(),
            id: "20261126-100000-0a1b2c3d".to_owned(),
            by: "me".to_owned(),
            begun: Timestamp::UNIX_EPOCH,
            phase: Phase::Running,
            config_changed: None,
            waves: (0..nodes).map(|node| vec![step(node)]).collect(),
        }
    }

    fn stored(record: &Record) -> ConfigMapObject {
        serde_json::from_value(record.manifest().unwrap()).unwrap()
    }

    #[test]
    fn what_is_written_is_read() {
        let record = record(3, 2);
        assert_eq!(Record::of(&stored(&record)), Ok(Some(record)));
        assert_eq!(Record::of(&ConfigMapObject::default()), Ok(None));
    }

    #[test]
    fn five_hundred_full_nodes_fit() {
        assert!(record(500, 56).manifest().is_ok());
        let found = record(1000, 56).manifest();
        assert!(matches!(found, Err(RecordError::TooLarge { bytes, most }) if bytes > most), "{found:?}");
    }

    #[test]
    fn what_is_no_record_is_said() {
        let mut other = record(1, 1);
        other.kind = "Rollout".to_owned();
        let other = serde_json::to_vec(&other).unwrap();
        for (bytes, reason) in [
            (b"{}".to_vec(), "it is no whole gzip file"),
            (packed(b"{}"), "missing field"),
            (packed(&other), "it is a migsaw.io/v1alpha1 Rollout, expected migsaw.io/v1alpha1 AppliedRollout"),
            (packed(&b" ".repeat(1 + usize::try_from(MOST_BYTES).unwrap())), "more than 64 MiB"),
        ] {
            let data = BTreeMap::from([(Record::KEY.to_owned(), ByteString(bytes))]);
            let map = ConfigMapObject { binary_data: Some(data), ..ConfigMapObject::default() };
            let error = Record::of(&map).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }
}
