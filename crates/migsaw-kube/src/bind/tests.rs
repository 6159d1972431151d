//! Binding at an API server with one pod and one Lease, which answers bindings as it is told to.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use http::{Method, Request, Response};
use kube::Client;
use serde_json::{Value, json};
use tower::service_fn;

use super::*;

/// What has come of it.
#[derive(Debug, Default)]
struct Found {
    requests: usize,
    lease: Option<Value>,
    /// Whether the namespace for Leases is missing.
    has_no_namespace: bool,
    /// The node that the pod is on.
    node: Option<&'static str>,
}

/// What becomes of a binding: the status that answers it, and the node the pod is on then.
#[derive(Debug, Clone, Copy)]
struct Becomes(u16, Option<&'static str>);

fn answer(found: &mut Found, method: &Method, path: &str, body: Value, becomes: Becomes) -> (u16, Value) {
    found.requests += 1;
    match (method, path.rsplit('/').next().unwrap_or_default()) {
        (&Method::POST, "binding") => {
            found.node = becomes.1;
            (becomes.0, json!({"kind": "Status", "status": "", "message": "m", "reason": "", "code": becomes.0}))
        }
        (&Method::GET, "p") => {
            let containers = json!([{"resources": {"limits": {"nvidia.com/mig-1g.10gb": "1"}}}]);
            let metadata = json!({"name": "p", "namespace": "d", "uid": "u"});
            (200, json!({"metadata": metadata, "spec": {"nodeName": found.node, "containers": containers}}))
        }
        (&Method::GET, _) => match &found.lease {
            Some(lease) => (200, lease.clone()),
            None => (404, json!({"kind": "Status", "status": "", "message": "", "reason": "NotFound", "code": 404})),
        },
        (&Method::POST, _) if found.has_no_namespace => {
            let details = json!({"name": "migsaw", "kind": "namespaces"});
            let said = json!({"kind": "Status", "status": "Failure", "message": "", "reason": "NotFound", "code": 404, "details": details});
            (404, said)
        }
        _ => (200, found.lease.insert(body).clone()),
    }
}

/// Binds pod `p` to node `n` by what is known of so many seconds ago.
async fn bind(age: u64, becomes: Becomes) -> (Result<(), NotBound>, Found) {
    bind_beside(Found::default(), age, becomes).await
}

async fn bind_beside(found: Found, age: u64, becomes: Becomes) -> (Result<(), NotBound>, Found) {
    let found = Arc::new(Mutex::new(found));
    let shared = Arc::clone(&found);
    let service = service_fn(move |request: Request<kube::client::Body>| {
        let shared = Arc::clone(&shared);
        async move {
            let (parts, body) = request.into_parts();
            let body = serde_json::from_slice(&body.collect_bytes().await.unwrap()).unwrap_or_default();
            let (status, said) = answer(&mut shared.lock().unwrap(), &parts.method, parts.uri.path(), body, becomes);
            Ok::<_, Infallible>(Response::builder().status(status).body(Body::from(said.to_string())).unwrap())
        }
    });
    let binder = Binder::new(Cluster::of(&Client::new(service, "d")), "migsaw".to_owned());
    let wanted = Wanted { namespace: "d", name: "p", uid: "u", node: "n" };
    let bound = binder.bind(wanted, Duration::from_secs(age), |_, _| true).await;
    drop(binder);
    (bound, std::mem::take(&mut *found.lock().unwrap()))
}

fn is_promised(found: &Found) -> bool {
    let lease = found.lease.as_ref().unwrap();
    lease["metadata"]["annotations"]["migsaw.io/promised"].as_str().unwrap().contains("\"u\"")
}

#[tokio::test]
async fn a_promise_is_kept_where_the_pod_may_have_been_bound() {
    for (name, becomes, is_bound, stays) in [
        ("bound", Becomes(201, Some("n")), true, true),
        ("bound, and the answer was an error", Becomes(500, Some("n")), true, true),
        ("nobody knows", Becomes(504, None), false, true),
        ("refused", Becomes(409, None), false, false),
        ("on another node", Becomes(409, Some("other")), false, false),
    ] {
        let (bound, found) = bind(0, becomes).await;
        assert_eq!((bound.is_ok(), is_promised(&found)), (is_bound, stays), "{name}: {bound:?}");
    }
}

#[tokio::test]
async fn a_missing_namespace_is_said() {
    let found = Found { has_no_namespace: true, ..Found::default() };
    let (bound, found) = bind_beside(found, 0, Becomes(201, Some("n"))).await;
    let error = bound.unwrap_err();
    assert!(matches!(error, NotBound::Cluster(ClusterError::NoNamespace { .. })), "{error}");
    assert_eq!(found.requests, 3, "the pod, its node's Lease, and a new one");
}

#[tokio::test]
async fn nothing_is_bound_by_what_is_old() {
    let (bound, found) = bind(121, Becomes(201, Some("n"))).await;
    assert_eq!((bound.unwrap_err().to_string().contains("121 s old"), found.requests), (true, 0));
    assert!(bind(119, Becomes(201, Some("n"))).await.0.is_ok());
}
