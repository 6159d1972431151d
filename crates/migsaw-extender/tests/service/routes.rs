//! What there is to ask, and how.

use std::sync::{Arc, Mutex};

use migsaw_extender::service::{Bind, BindError, BindFuture};
use migsaw_extender::wire::BindArgs;
use serde_json::json;

use super::raw::{Connection, request};
use super::{Setup, Site, extender, question, recorded};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn verbs_answer_200_with_json() {
    let site = Site::start(extender(), Setup::default()).await;
    let filtered = site.filter().await;
    assert_eq!((filtered.status, filtered.header("content-type")), (200, Some("application/json")));
    let expected = json!({"NodeNames": ["a"], "FailedNodes": {}, "Error": "",
        "FailedAndUnresolvableNodes": {"b": "no GPUs of the kind asked for"}});
    assert_eq!(filtered.json(), expected);
    let scored = site.ask("POST", "/prioritize", &question()).await;
    assert_eq!((scored.status, scored.json()[0]["Host"].as_str()), (200, Some("a")));
    let preempted = site.ask("POST", "/preempt", &recorded("node-cache/preempt.request.json")).await;
    assert_eq!((preempted.status, preempted.json()), (200, json!({"NodeNameToMetaVictims": {}})));
    // What is an error for the scheduler is 200 as well, with a sentence.
    let nobody = site.ask("POST", "/filter", "{}").await;
    assert_eq!((nobody.status, nobody.json()["Error"].as_str()), (200, Some("the request names no pod")));
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_schedulers_own_headers_are_understood() {
    let site = Site::start(extender(), Setup::default()).await;
    let mut connection = Connection::to(site.at.verbs).await;
    let headers: serde_json::Value = serde_json::from_str(&recorded("node-cache/http-headers.json")).unwrap();
    let headers = headers["headers"].as_object().unwrap().iter();
    let ours = ["Content-Length", "Content-Type", "Host"];
    let lines: Vec<String> = headers
        .filter(|(name, _)| !ours.contains(&name.as_str()))
        .map(|(name, value)| format!("{name}: {}\r\n", value.as_str().unwrap()))
        .collect();
    let lines = lines.concat();
    // Several on one connection, as it does.
    for _ in 0..3 {
        connection.send(request("POST", "/filter", &lines, &recorded("node-cache/filter-simple.raw.json"))).await;
        let answer = connection.answer().await.unwrap();
        assert_eq!((answer.status, answer.header("connection")), (200, None));
        assert_eq!(answer.json()["FailedNodes"]["h100-mixed"], "node is not known yet");
    }
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_paths_are_not_found_and_other_methods_not_allowed() {
    let site = Site::start(extender(), Setup::default()).await;
    for (method, path, status) in [
        ("GET", "/filter", 405),
        ("PUT", "/prioritize", 405),
        ("DELETE", "/preempt", 405),
        ("POST", "/", 404),
        ("POST", "/Filter", 404),
        ("POST", "/filter/", 404),
        ("POST", "/filter/more", 404),
        ("POST", "/scheduler/filter", 404),
        ("POST", "/../filter", 404),
        // Switched off.
        ("POST", "/bind", 404),
        ("GET", "/debug/node/a", 404),
        ("GET", "/debug/pod/team/p", 404),
        // On other addresses.
        ("GET", "/metrics", 404),
        ("GET", "/healthz", 404),
        ("GET", "/readyz", 404),
    ] {
        assert_eq!(site.ask(method, path, &question()).await.status, status, "{method} {path}");
    }
    for (address, path) in [
        (site.at.health, "/filter"),
        (site.at.health, "/metrics"),
        (site.at.health, "/debug/node/a"),
        (site.at.metrics, "/filter"),
        (site.at.metrics, "/readyz"),
    ] {
        assert_eq!(Connection::to(address).await.ask("POST", path, &question()).await.status, 404, "{path}");
        assert_eq!(Connection::to(address).await.ask("GET", path, "").await.status, 404, "{path}");
    }
    assert_eq!(site.count("filter", "ok").await, 0);
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn debug_explains_nodes_and_pods_if_switched_on() {
    let site = Site::start(extender(), Setup { debug: true, ..Setup::default() }).await;
    let node = site.ask("GET", "/debug/node/a", "").await;
    assert_eq!((node.status, node.json()["name"].as_str()), (200, Some("a")));
    assert_eq!(node.json()["resources"]["nvidia.com/mig-1g.10gb"], json!({"offered": 7, "free": 7}));
    let ghost = site.ask("GET", "/debug/node/ghost", "").await;
    assert_eq!((ghost.status, ghost.body.as_str()), (404, "no node ghost is known"));
    let path = "/debug/pod/team/p";
    assert_eq!(site.ask("GET", path, "").await.status, 404, "nobody has asked about it yet");
    site.filter().await;
    site.ask("POST", "/prioritize", &question()).await;
    let pod = site.ask("GET", path, "").await.json();
    assert_eq!((&pod["filtered"]["nodes"], &pod["filtered"]["kept"]), (&json!(2), &json!(1)));
    assert_eq!(pod["now"]["can"][0]["node"], "a");
    assert_eq!(pod["now"]["cannot"]["no GPUs of the kind asked for"], json!(["b"]));
    assert_eq!(site.ask("POST", "/debug/node/a", "").await.status, 405);
    site.end().await;
}

/// Binds to all nodes but one, and remembers what it was asked.
#[derive(Default)]
struct Binder(Mutex<Vec<BindArgs>>);

impl Bind for Binder {
    fn bind<'a>(&'a self, args: &'a BindArgs) -> BindFuture<'a> {
        self.0.lock().unwrap().push(args.clone());
        let refused = args.node == "full";
        Box::pin(async move { if refused { Err(BindError { message: "no room".to_owned() }) } else { Ok(()) } })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bind_answers_if_switched_on() {
    let binder = Arc::new(Binder::default());
    let site = Site::start(extender(), Setup { bind: Some(binder.clone()), ..Setup::default() }).await;
    let body = recorded("node-cache/bind-simple.request.json");
    for (body, error) in
        [(body.clone(), ""), (body.to_lowercase(), ""), (body.replace("h100-blank", "full"), "no room")]
    {
        let answer = site.ask("POST", "/bind", &body).await;
        assert_eq!((answer.status, answer.json()), (200, json!({"Error": error})));
        super::common::accepts::check(migsaw_extender::service::Verb::Bind, &body, &answer.body).unwrap();
    }
    let asked: Vec<String> =
        binder.0.lock().unwrap().iter().map(|args| format!("{} {}", args.name, args.node)).collect();
    assert_eq!(asked, ["simple-node-cache h100-blank", "simple-node-cache h100-blank", "simple-node-cache full"]);
    let refused = site.ask("POST", "/bind", "[1, 2").await;
    assert_eq!(refused.status, 400);
    assert_eq!((site.count("bind", "ok").await, site.count("bind", "error").await), (2, 1));
    assert_eq!(site.count("bind", "bad_request").await, 1);
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_are_numbered_unless_they_come_with_a_number() {
    let site = Site::start(extender(), Setup::default()).await;
    let mut connection = Connection::to(site.at.verbs).await;
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..5 {
        let answer = connection.ask("POST", "/filter", &question()).await;
        assert!(seen.insert(answer.header("x-request-id").unwrap().to_owned()), "{answer:?}");
    }
    connection.send(request("POST", "/filter", "x-request-id: mine\r\n", &question())).await;
    assert_eq!(connection.answer().await.unwrap().header("x-request-id"), Some("mine"));
    site.end().await;
}
