//! The objects a plan needs, as the API server has them.

use std::time::Duration;

use kube::Client;
use kube::api::{ListParams, ObjectList, Request};
use serde::Deserialize;

use super::connect::Cluster;
use super::error::{ClusterError, is_absent, patiently, refused};
use crate::dump::Source;

/// Objects in a page of a list, as kubectl asks for them.
const PAGE: u32 = 500;
/// How long the API server may be away while it is read.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a list is begun anew because the API server has forgotten where it was.
const MOST_TRIES: u32 = 3;

/// A kind of objects that could not be read, for lack of rights.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotRead {
    /// Its name in the API, plural: `poddisruptionbudgets`.
    pub kind: &'static str,
    /// What the API server says.
    pub message: String,
}

struct Kind {
    name: &'static str,
    /// Where it is, in the versions of its API, the newest first.
    paths: Vec<String>,
    /// Without it there is no plan.
    needed: bool,
}

fn kinds(namespace: &str) -> Vec<Kind> {
    let at = |path: String, name, needed| Kind { name, paths: vec![format!("{path}/{name}")], needed };
    let core = |name| at("/api/v1".to_owned(), name, true);
    let optional = |path: &str, name| at(path.to_owned(), name, false);
    let dra = |name| Kind {
        name,
        paths: ["v1", "v1beta2", "v1beta1"].map(|version| format!("/apis/resource.k8s.io/{version}/{name}")).into(),
        needed: false,
    };
    vec![
        core("nodes"),
        core("pods"),
        at(format!("/api/v1/namespaces/{namespace}"), "configmaps", false),
        optional("/apis/scheduling.k8s.io/v1", "priorityclasses"),
        optional("/apis/policy/v1", "poddisruptionbudgets"),
        optional("/api/v1", "resourcequotas"),
        dra("resourceslices"),
        dra("resourceclaims"),
        dra("resourceclaimtemplates"),
        dra("deviceclasses"),
    ]
}

impl Cluster {
    /// Reads what `kubectl get nodes,pods -A -o json` would print, and the other kinds a plan looks at, page by
    /// page, each to be taken like a file of a dump. `ConfigMaps` are those of the GPU Operator's namespace.
    ///
    /// Kinds the cluster does not have are passed over; those that are not needed and may not be read are named.
    ///
    /// # Errors
    /// If nodes or pods cannot be read, or the API server is away for long.
    pub async fn read(&self, namespace: &str, mut take: impl FnMut(&Source<'_>)) -> Result<Vec<NotRead>, ClusterError> {
        let mut not_read = Vec::new();
        for kind in kinds(namespace) {
            let mut read = Ok(());
            for path in &kind.paths {
                read = read_all(&self.reader, kind.name, path, &mut take).await;
                if !matches!(&read, Err(error) if is_absent(error)) {
                    break;
                }
            }
            match read {
                Ok(()) => {}
                Err(kube::Error::Api(status)) if status.code == 403 && !kind.needed => {
                    not_read.push(NotRead { kind: kind.name, message: status.message });
                }
                Err(error) if is_absent(&error) && !kind.needed => {}
                Err(error) => return Err(refused(format!("list {}", kind.name))(error)),
            }
        }
        Ok(not_read)
    }
}

async fn read_all(client: &Client, name: &str, path: &str, take: &mut impl FnMut(&Source<'_>)) -> kube::Result<()> {
    let request = Request::new(path);
    let list = async |params: ListParams| {
        let text = client.request_text(request.list(&params).map_err(kube::Error::BuildRequest)?).await?;
        let list: List = serde_json::from_str(&text).map_err(kube::Error::SerdeError)?;
        Ok((text, list.metadata.token))
    };
    let add = |text: String| take(&Source { name, bytes: text.as_bytes(), optional: true });
    in_pages(PATIENCE, ListParams::default(), list, add).await
}

/// Reads a long list page by page: `list` gives a page and where the next one begins. The list is begun anew where
/// the API server has forgotten where it was, so that an object may come twice.
pub(crate) async fn in_pages<P>(
    patience: Duration,
    params: ListParams,
    list: impl AsyncFn(ListParams) -> kube::Result<(P, Option<String>)>,
    mut each: impl FnMut(P),
) -> kube::Result<()> {
    let (mut params, mut tries) = (params.limit(PAGE), 0);
    loop {
        let (page, next) = match patiently(patience, || list(params.clone())).await {
            Err(kube::Error::Api(status)) if status.code == 410 && tries < MOST_TRIES => {
                (params.continue_token, tries) = (None, tries + 1);
                continue;
            }
            found => found?,
        };
        each(page);
        params.continue_token = next.filter(|token| !token.is_empty());
        if params.continue_token.is_none() {
            return Ok(());
        }
    }
}

/// A page's objects, and where the next one begins.
pub(crate) fn page<K: Clone>(list: ObjectList<K>) -> (Vec<K>, Option<String>) {
    (list.items, list.metadata.continue_)
}

/// Of a page, where the next one begins.
#[derive(Deserialize)]
struct List {
    metadata: ListMetadata,
}

#[derive(Deserialize)]
struct ListMetadata {
    #[serde(rename = "continue")]
    token: Option<String>,
}
