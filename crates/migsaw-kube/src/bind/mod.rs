//! Binds pods to nodes, so that several who bind never give the same slices to two pods.
//!
//! Those who bind know of each other's bindings by a watch, which is late. So before a pod is bound it is promised its
//! slices in an object of the node that all of them share (`ledger`): the API server lets only one write it at a
//! time, so whoever comes second sees the promise of the first. A promise lasts until every watch shows the pod.
//!
//! Who may bind what is free is for the caller to say, who sees the node and the promises.

mod ledger;
#[cfg(test)]
mod tests;

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Binding, ObjectReference, Pod as PodObject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Status};
use kube::Api;
use kube::api::PostParams;

use crate::cluster::{Cluster, ClusterError, is_absent, is_conflict, refused};
use crate::scheduling::{Asks, Pod};
use ledger::Ledger;
pub use ledger::Promise;

/// Binds pods.
pub struct Binder {
    cluster: Cluster,
    namespace: String,
}

/// A pod, and the node it is to be bound to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// The pod's namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its UID: another pod of the same name is not meant.
    pub uid: &'a str,
    /// The node.
    pub node: &'a str,
}

/// A pod is not bound.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotBound {
    /// There is no such pod any more.
    #[error("pod {pod} is gone")]
    Gone {
        /// Its namespace and name.
        pod: String,
    },
    /// It is on another node.
    #[error("pod {pod} is bound to {node} already")]
    Elsewhere {
        /// Its namespace and name.
        pod: String,
        /// The node it is on.
        node: String,
    },
    /// Others have what it needs, or are on their way to it.
    #[error("what pod {pod} asks for is not free on {node} any more")]
    NoRoom {
        /// Its namespace and name.
        pod: String,
        /// The node.
        node: String,
    },
    /// What is known of the cluster is too old: others may have bound what looks free.
    #[error(
        "what is known of the cluster is {} s old: nothing is bound until the API server's watches answer again",
        age.as_secs()
    )]
    Stale {
        /// How old it is.
        age: Duration,
    },
    /// Too many others write at the same time.
    #[error("others bind to {node} at the same time")]
    Busy {
        /// The node.
        node: String,
    },
    /// The cluster does not do it.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

/// A binding that was not written, as far as one can see.
struct Failed {
    why: NotBound,
    /// Whether it will not be written any more.
    is_certain: bool,
}

/// How often a promise is tried that others keep overtaking.
const MOST_TRIES: u32 = 10;

impl Binder {
    /// Who binds, and keeps promises in this namespace.
    pub fn new(cluster: Cluster, namespace: String) -> Binder {
        Binder { cluster, namespace }
    }

    /// Binds a pod to a node. What is known of the cluster is of so long ago; `has_room` says whether what it asks for is free there beside what is promised to others.
    /// Asked again for the same, it says the same.
    ///
    /// # Errors
    /// [`NotBound`]. Nothing is promised to the pod then any more, unless it may have been bound all the same: then the
    /// promise runs out by itself.
    pub async fn bind(
        &self,
        wanted: Wanted<'_>,
        age: Duration,
        has_room: impl Fn(&Asks, &[Promise]) -> bool,
    ) -> Result<(), NotBound> {
        if age > ledger::OLDEST {
            return Err(NotBound::Stale { age });
        }
        let pod = || format!("{}/{}", wanted.namespace, wanted.name);
        let Some(found) = self.pod(wanted).await? else { return Err(NotBound::Gone { pod: pod() }) };
        match found.node {
            Some(node) if node == wanted.node => return Ok(()),
            Some(node) => return Err(NotBound::Elsewhere { pod: pod(), node }),
            None => {}
        }
        let ledger = Ledger::of(&self.cluster, &self.namespace, wanted.node);
        let asks = found.asks;
        if !asks.is_nothing() {
            self.promise(&ledger, wanted, &asks, has_room).await?;
        }
        let Err(failed) = self.post(wanted).await else { return Ok(()) };
        if failed.is_certain && !asks.is_nothing() {
            // If that fails too the promise runs out by itself.
            let _ = ledger.withdraw(wanted.uid, Timestamp::now()).await;
        }
        Err(failed.why)
    }

    async fn promise(
        &self,
        ledger: &Ledger,
        wanted: Wanted<'_>,
        asks: &Asks,
        has_room: impl Fn(&Asks, &[Promise]) -> bool,
    ) -> Result<(), NotBound> {
        for _ in 0..MOST_TRIES {
            let mut page = ledger.read(Timestamp::now()).await?;
            if !has_room(asks, &page.promises) {
                let pod = format!("{}/{}", wanted.namespace, wanted.name);
                return Err(NotBound::NoRoom { pod, node: wanted.node.to_owned() });
            }
            page.add(wanted.uid, asks, Timestamp::now());
            if ledger.write(page).await? {
                return Ok(());
            }
        }
        Err(NotBound::Busy { node: wanted.node.to_owned() })
    }

    async fn post(&self, wanted: Wanted<'_>) -> Result<(), Failed> {
        let pods: Api<PodObject> = Api::namespaced(self.cluster.client.clone(), wanted.namespace);
        let metadata = ObjectMeta {
            name: Some(wanted.name.to_owned()),
            namespace: Some(wanted.namespace.to_owned()),
            uid: Some(wanted.uid.to_owned()),
            ..ObjectMeta::default()
        };
        let target = ObjectReference {
            api_version: Some("v1".to_owned()),
            kind: Some("Node".to_owned()),
            name: Some(wanted.node.to_owned()),
            ..ObjectReference::default()
        };
        let binding = Binding { metadata, target };
        let posted: kube::Result<Status> =
            pods.create_subresource("binding", wanted.name, &PostParams::default(), &binding).await;
        let Err(error) = posted else { return Ok(()) };
        // It may have been bound all the same: by the same request before, or by this one, whose answer was lost.
        let pod = || format!("{}/{}", wanted.namespace, wanted.name);
        let found = self.pod(wanted).await.map_err(|why| Failed { why, is_certain: false })?;
        let (why, is_certain) = match found {
            Some(Pod { node: Some(node), .. }) if node == wanted.node => return Ok(()),
            Some(Pod { node: Some(node), .. }) => (NotBound::Elsewhere { pod: pod(), node }, true),
            None => (NotBound::Gone { pod: pod() }, true),
            Some(_) => {
                // Without an answer it may be bound a moment later.
                let is_certain = matches!(&error, kube::Error::Api(status) if status.code < 500);
                (refused(format!("bind pod {} to {}", pod(), wanted.node))(error).into(), is_certain)
            }
        };
        Err(Failed { why, is_certain })
    }

    /// The pod as it is now, if it is still the same.
    async fn pod(&self, wanted: Wanted<'_>) -> Result<Option<Pod>, NotBound> {
        let path = format!("/api/v1/namespaces/{}/pods", wanted.namespace);
        let request = kube::api::Request::new(path).get(wanted.name, &kube::api::GetParams::default());
        let request = request.map_err(kube::Error::BuildRequest);
        let found = match request {
            Ok(request) => self.cluster.client.request::<Pod>(request).await,
            Err(error) => Err(error),
        };
        match found {
            Ok(pod) => Ok(Some(pod).filter(|pod| pod.uid == wanted.uid)),
            Err(error) if is_absent(&error) => Ok(None),
            Err(error) => Err(refused(format!("get pod {}/{}", wanted.namespace, wanted.name))(error).into()),
        }
    }
}

impl std::fmt::Debug for Binder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Binder").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}
