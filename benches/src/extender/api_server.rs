//! As much of an API server as `migsaw serve` needs: nodes and pods to list and to watch, on loopback, and away when it
//! is told to be.
//!
//! Lists come in pages, watches go on where they were and end when they should, after a bookmark, and what is long past
//! is forgotten (410), as with the real one. There is no plan, nothing is given out through claims, and nothing can be written.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::time::Instant;

/// Events that are remembered.
const REMEMBERED: usize = 20_000;
/// So long before a watch ends comes the bookmark from which it can go on; kube-apiserver has 2 s too.
const BOOKMARK: Duration = Duration::from_secs(2);

/// What it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nodes, by name.
    Nodes,
    /// Pods, by UID.
    Pods,
}

/// The server.
#[derive(Debug)]
pub struct ApiServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    /// `None` while it is away.
    runtime: Option<Runtime>,
}

#[derive(Debug)]
struct Shared {
    objects: Mutex<Objects>,
    /// The newest version.
    version: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Objects {
    version: u64,
    nodes: BTreeMap<String, String>,
    pods: BTreeMap<String, String>,
    events: VecDeque<Event>,
    /// The version of the last event that is not remembered.
    forgotten: u64,
}

#[derive(Debug)]
struct Event {
    version: u64,
    kind: Kind,
    line: String,
}

impl ApiServer {
    /// An empty one that listens.
    ///
    /// # Errors
    /// If it cannot listen.
    pub fn start() -> io::Result<ApiServer> {
        let shared = Arc::new(Shared { objects: Mutex::default(), version: watch::channel(0).0 });
        let (runtime, address) = listen(&shared, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        Ok(ApiServer { shared, address, runtime: Some(runtime) })
    }

    /// Writes a file by which clients find it.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn kubeconfig(&self, folder: &Path) -> io::Result<PathBuf> {
        let path = folder.join("kubeconfig");
        let text = format!(
            r#"{{"apiVersion": "v1", "kind": "Config", "current-context": "bench",
"clusters": [{{"name": "bench", "cluster": {{"server": "http://{}"}}}}],
"users": [{{"name": "bench", "user": {{}}}}],
"contexts": [{{"name": "bench", "context": {{"cluster": "bench", "user": "bench"}}}}]}}"#,
            self.address
        );
        std::fs::write(&path, text)?;
        Ok(path)
    }

    /// Puts an object, as JSON with a `resourceVersion` in it, in the place of the one with this key, if there is one.
    pub fn put(&self, kind: Kind, key: &str, text: &str) {
        self.change(|objects, version| {
            let text = versioned(text, version);
            let before = objects.of(kind).insert(key.to_owned(), text.clone());
            (kind, if before.is_some() { "MODIFIED" } else { "ADDED" }, Some(text))
        });
    }

    /// Takes an object away.
    pub fn remove(&self, kind: Kind, key: &str) {
        self.change(|objects, version| {
            let gone = objects.of(kind).remove(key);
            (kind, "DELETED", gone.map(|text| versioned(&text, version)))
        });
    }

    /// How many objects of a kind there are.
    pub fn len(&self, kind: Kind) -> usize {
        self.shared.lock().of(kind).len()
    }

    /// Breaks every connection and takes no new one.
    pub fn go_away(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // What still runs there is dropped, and the sockets with it.
            runtime.shutdown_timeout(Duration::from_secs(5));
        }
    }

    /// Listens again, where it was.
    ///
    /// # Errors
    /// If it cannot.
    pub fn come_back(&mut self) -> io::Result<()> {
        self.runtime = Some(listen(&self.shared, self.address)?.0);
        Ok(())
    }

    fn change(&self, change: impl FnOnce(&mut Objects, u64) -> (Kind, &'static str, Option<String>)) {
        let mut objects = self.shared.lock();
        let version = objects.version + 1;
        let (kind, what, text) = change(&mut objects, version);
        let Some(text) = text else { return };
        objects.version = version;
        let line = format!("{{\"type\":\"{what}\",\"object\":{text}}}\n");
        objects.events.push_back(Event { version, kind, line });
        if objects.events.len() > REMEMBERED
            && let Some(event) = objects.events.pop_front()
        {
            objects.forgotten = event.version;
        }
        drop(objects);
        self.shared.version.send_replace(version);
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.go_away();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Objects> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Objects {
    fn of(&mut self, kind: Kind) -> &mut BTreeMap<String, String> {
        match kind {
            Kind::Nodes => &mut self.nodes,
            Kind::Pods => &mut self.pods,
        }
    }

    /// A page of a list: so many objects behind this key, as of the version at which the list was begun.
    fn page(&mut self, kind: Kind, limit: usize, from: Option<(u64, &str)>) -> String {
        let version = from.map_or(self.version, |(version, _)| version);
        let behind = from.map_or(Bound::Unbounded, |(_, key)| Bound::Excluded(key));
        let all = self.of(kind);
        let mut found = all.range::<str, _>((behind, Bound::Unbounded)).take(limit);
        let (mut items, mut last) = (Vec::new(), "");
        for (key, text) in &mut found {
            items.push(text.as_str());
            last = key;
        }
        let is_over = all.last_key_value().is_none_or(|(key, _)| key == last || items.is_empty());
        let next = if is_over { String::new() } else { format!("{version}.{last}") };
        format!(
            r#"{{"kind":"List","apiVersion":"v1","metadata":{{"resourceVersion":"{version}","continue":"{next}"}},"items":[{}]}}"#,
            items.join(",")
        )
    }

    /// What happened after a version, and up to which.
    fn since(&self, kind: Kind, version: u64) -> (String, u64) {
        let first = self.events.partition_point(|event| event.version <= version);
        let lines = self.events.range(first..).filter(|event| event.kind == kind);
        (lines.map(|event| event.line.as_str()).collect(), self.version)
    }
}

/// The object with another version.
fn versioned(text: &str, version: u64) -> String {
    let key = r#""resourceVersion":""#;
    let Some((before, rest)) = text.split_once(key) else { return text.to_owned() };
    let after = rest.split_once('"').map_or("", |(_, after)| after);
    format!("{before}{key}{version}\"{after}")
}

fn listen(shared: &Arc<Shared>, address: SocketAddr) -> io::Result<(Runtime, SocketAddr)> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let listener = runtime.block_on(tokio::net::TcpListener::bind(address))?;
    let address = listener.local_addr()?;
    let routes = Router::new().fallback(answer).with_state(Arc::clone(shared));
    runtime.spawn(async move { axum::serve(listener, routes).await });
    Ok((runtime, address))
}

async fn answer(State(shared): State<Arc<Shared>>, request: Request) -> Response {
    let (path, query) = (request.uri().path(), request.uri().query().unwrap_or_default());
    let value = |name: &str| query.split('&').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
    let number = |name: &str| value(name).and_then(|text| text.parse().ok());
    let kind = match path {
        "/api/v1/nodes" => Some(Kind::Nodes),
        "/api/v1/pods" => Some(Kind::Pods),
        path if path.starts_with("/api/v1/") && path.ends_with("/configmaps") => None,
        _ => return (StatusCode::NOT_FOUND, json(status(404, "NotFound").into())).into_response(),
    };
    if matches!(value("watch"), Some("1" | "true")) {
        let lasting = Duration::from_secs(number("timeoutSeconds").unwrap_or(300));
        return json(watched(shared, kind, number("resourceVersion").unwrap_or(0), Instant::now() + lasting));
    }
    let limit = number("limit").and_then(|limit| usize::try_from(limit).ok()).filter(|limit| *limit > 0);
    let from = value("continue").and_then(|token| token.split_once('.'));
    let from = from.and_then(|(version, key)| Some((version.parse().ok()?, key)));
    let mut objects = shared.lock();
    let page = match kind {
        Some(kind) => objects.page(kind, limit.unwrap_or(usize::MAX), from),
        None => Objects { version: objects.version, ..Objects::default() }.page(Kind::Nodes, 1, None),
    };
    json(page.into())
}

/// What happens after a version, as it happens, until it is time to end.
fn watched(shared: Arc<Shared>, kind: Option<Kind>, version: u64, end: Instant) -> Body {
    if version < shared.lock().forgotten {
        return format!("{{\"type\":\"ERROR\",\"object\":{}}}\n", status(410, "Expired")).into();
    }
    let newest = shared.version.subscribe();
    let following = Following { shared, newest, kind, version, until: end - BOOKMARK, is_over: false };
    let happening = futures::stream::unfold(following, |mut following| async move {
        Some((Ok::<_, Infallible>(following.next().await?), following))
    });
    Body::from_stream(happening)
}

/// A watch.
struct Following {
    shared: Arc<Shared>,
    newest: watch::Receiver<u64>,
    kind: Option<Kind>,
    /// Up to where it has told.
    version: u64,
    /// When it says how far it has come, and ends.
    until: Instant,
    is_over: bool,
}

impl Following {
    /// What happened since, once something has; at last a bookmark, then nothing.
    async fn next(&mut self) -> Option<String> {
        while !self.is_over {
            if Instant::now() >= self.until {
                self.is_over = true;
                return Some(bookmark(self.version));
            }
            self.newest.mark_unchanged();
            let version = self.version;
            let news = self.kind.map(|kind| self.shared.lock().since(kind, version));
            let (lines, upto) = news.unwrap_or_default();
            self.version = version.max(upto);
            if !lines.is_empty() {
                return Some(lines);
            }
            if let Ok(changed) = tokio::time::timeout_at(self.until, self.newest.changed()).await {
                changed.ok()?;
            }
        }
        None
    }
}

fn bookmark(version: u64) -> String {
    let object = format!(r#"{{"kind":"Bookmark","apiVersion":"v1","metadata":{{"resourceVersion":"{version}"}}}}"#);
    format!("{{\"type\":\"BOOKMARK\",\"object\":{object}}}\n")
}

fn status(code: u16, reason: &str) -> String {
    format!(
        r#"{{"kind":"Status","apiVersion":"v1","metadata":{{}},"status":"Failure","message":"{reason}","reason":"{reason}","code":{code}}}"#
    )
}

fn json(body: Body) -> Response {
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: &str = r#"{"metadata":{"name":"n","resourceVersion":"0"}}"#;

    #[test]
    fn pages_have_everything_once_and_are_of_one_version() {
        let server = ApiServer::start().unwrap();
        for name in ["a", "b", "c"] {
            server.put(Kind::Nodes, name, NODE);
        }
        let mut objects = server.shared.lock();
        let page: serde_json::Value = serde_json::from_str(&objects.page(Kind::Nodes, 2, None)).unwrap();
        assert_eq!((&page["metadata"]["continue"], page["items"].as_array().unwrap().len()), (&"3.b".into(), 2));
        let page: serde_json::Value = serde_json::from_str(&objects.page(Kind::Nodes, 2, Some((3, "b")))).unwrap();
        assert_eq!((&page["metadata"]["continue"], page["items"].as_array().unwrap().len()), (&"".into(), 1));
        assert_eq!(page["metadata"]["resourceVersion"], "3");
    }

    #[test]
    fn each_change_is_told_once_and_with_its_version() {
        let server = ApiServer::start().unwrap();
        server.put(Kind::Nodes, "a", NODE);
        server.put(Kind::Pods, "p", NODE);
        server.put(Kind::Nodes, "a", NODE);
        server.remove(Kind::Nodes, "a");
        server.remove(Kind::Nodes, "a");
        let (lines, version) = server.shared.lock().since(Kind::Nodes, 1);
        let told: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let told = told.iter().map(|event| (event["type"].as_str(), &event["object"]["metadata"]["resourceVersion"]));
        assert!(told.eq([(Some("MODIFIED"), &"3".into()), (Some("DELETED"), &"4".into())]));
        assert_eq!(version, 4, "there was nothing to remove the second time");
    }
}
