//! What is promised of a node: a Lease of its own, with the promises in an annotation.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::PostParams;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Asks, Cluster, ClusterError, is_absent, is_conflict, refused};

/// The annotation with the promises, as JSON.
const PROMISED: &str = "migsaw.io/promised";
/// How long a promise stands: longer than any watch may be late before its owner does not bind any more, by as much as
/// the clocks of two machines may differ.
const STANDS: SignedDuration = SignedDuration::from_secs(180);
/// How old what is known of the cluster may be when something is bound.
pub(super) const OLDEST: Duration = Duration::from_secs(120);
/// The longest name of a Lease.
const MOST_NAME: usize = 253;

/// What a pod was promised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// The pod's UID.
    pub uid: String,
    /// What it asks for.
    pub asks: Arc<Asks>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    asks: BTreeMap<String, u64>,
    until: Timestamp,
}

/// A node's promises.
pub(super) struct Ledger {
    leases: Api<Lease>,
    name: String,
}

/// The promises as they were read, to be written back.
pub(super) struct Page {
    pub(super) promises: Vec<Promise>,
    entries: BTreeMap<String, Entry>,
    /// `None` if there is no Lease yet.
    found: Option<Lease>,
}

impl Ledger {
    pub(super) fn of(cluster: &Cluster, namespace: &str, node: &str) -> Ledger {
        Ledger { leases: Api::namespaced(cluster.client.clone(), namespace), name: name(node) }
    }

    /// The promises that still stand.
    pub(super) async fn read(&self, now: Timestamp) -> Result<Page, ClusterError> {
        let found = match self.leases.get(&self.name).await {
            Ok(lease) => Some(lease),
            Err(error) if is_absent(&error) => None,
            Err(error) => return Err(refused(format!("get Lease {}", self.name))(error)),
        };
        let text = found.as_ref().and_then(|lease| lease.metadata.annotations.as_ref()?.get(PROMISED));
        let entries = standing(text.map_or("{}", String::as_str), now);
        let promises = entries.iter().map(|(uid, entry)| Promise { uid: uid.clone(), asks: entry.asks() }).collect();
        Ok(Page { promises, entries, found })
    }

    /// Writes them back; false if somebody else has written meanwhile.
    pub(super) async fn write(&self, page: Page) -> Result<bool, ClusterError> {
        let text = serde_json::to_string(&page.entries).expect("promises are JSON");
        let is_new = page.found.is_none();
        let written = if let Some(mut lease) = page.found {
            lease.metadata.annotations.get_or_insert_default().insert(PROMISED.to_owned(), text);
            self.leases.replace(&self.name, &PostParams::default(), &lease).await
        } else {
            let annotations = Some(BTreeMap::from([(PROMISED.to_owned(), text)]));
            let metadata = ObjectMeta { name: Some(self.name.clone()), annotations, ..ObjectMeta::default() };
            self.leases.create(&PostParams::default(), &Lease { metadata, spec: None }).await
        };
        match written {
            Ok(_) => Ok(true),
            // What is not there when a Lease is made is its namespace.
            Err(error) if is_conflict(&error) || (!is_new && is_absent(&error)) => Ok(false),
            Err(error) => Err(refused(format!("write Lease {}", self.name))(error)),
        }
    }

    /// Takes a promise back.
    pub(super) async fn withdraw(&self, uid: &str, now: Timestamp) -> Result<(), ClusterError> {
        for _ in 0..super::MOST_TRIES {
            let mut page = self.read(now).await?;
            if page.entries.remove(uid).is_none() || self.write(page).await? {
                break;
            }
        }
        Ok(())
    }
}

impl Page {
    pub(super) fn add(&mut self, uid: &str, asks: &Asks, now: Timestamp) {
        let asks = asks.resources.iter().map(|(resource, n)| (resource.to_string(), *n)).collect();
        let until = now.saturating_add(STANDS).expect("a duration of seconds has no days");
        self.entries.insert(uid.to_owned(), Entry { asks, until });
    }
}

impl Entry {
    fn asks(&self) -> Arc<Asks> {
        let resources = self.asks.iter().map(|(resource, n)| (Arc::from(resource.as_str()), *n)).collect();
        Arc::new(Asks { resources, ..Asks::default() })
    }
}

/// The promises of an annotation that have not run out. What is no promise, somebody else's hands have made: it counts
/// for nothing, and the next write removes it.
fn standing(text: &str, now: Timestamp) -> BTreeMap<String, Entry> {
    let mut entries: BTreeMap<String, Entry> = serde_json::from_str(text).unwrap_or_default();
    entries.retain(|_, entry| entry.until > now);
    entries
}

/// The name of a node's Lease.
fn name(node: &str) -> String {
    let plain = format!("migsaw-bind.{node}");
    if plain.len() <= MOST_NAME {
        return plain;
    }
    let hash = Sha256::digest(node);
    hash.iter().fold("migsaw-bind.".to_owned(), |name, byte| format!("{name}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promises_are_written_read_and_run_out() {
        let now = Timestamp::UNIX_EPOCH;
        let mut page = Page { promises: Vec::new(), entries: BTreeMap::new(), found: None };
        let asks = Asks { resources: BTreeMap::from([(Arc::from("nvidia.com/mig-1g.10gb"), 2)]), ..Asks::default() };
        page.add("u1", &asks, now);
        let text = serde_json::to_string(&page.entries).unwrap();
        let later = |seconds| now + SignedDuration::from_secs(seconds);
        assert_eq!(*standing(&text, later(179))["u1"].asks(), asks);
        assert!(standing(&text, later(180)).is_empty());
        assert!(standing("nonsense", now).is_empty());
    }

    #[test]
    fn names_are_short_and_differ() {
        assert_eq!(name("gpu-1"), "migsaw-bind.gpu-1");
        let long = |last: char| name(&format!("{}{last}", "n".repeat(250)));
        assert!(long('a').len() <= MOST_NAME && long('a') != long('b'));
    }
}
