//! Watching an API server that answers as it is told to, in a time that passes as fast as nothing happens.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use futures::stream;
use http::{Request, Response};
use serde_json::{Value, json};
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::{Instant, timeout_at};
use tower::service_fn;

use super::*;

/// How an API server answers a request.
enum Answer {
    /// With this, as a whole.
    With(Value),
    /// With these events, one after the other, after which the watch ends.
    Events(Vec<String>),
    /// With these events, after which nothing comes any more.
    ThenSilent(Vec<String>),
    /// Not at all.
    Never,
    /// With this status.
    Status(u16),
}

/// What was asked for, and when.
#[derive(Debug, Clone)]
struct Asked {
    at: Duration,
    query: HashMap<String, String>,
}

impl Asked {
    fn is_watch(&self) -> bool {
        self.query.contains_key("watch")
    }

    fn version(&self) -> Option<&str> {
        self.query.get("resourceVersion").map(String::as_str)
    }
}

/// An API server whose nodes answer as a script has it; there is nothing else, and nothing else may be read.
struct Server {
    asked: Arc<Mutex<Vec<Asked>>>,
    heard: Heard,
    told: Receiver<Told>,
    _tasks: JoinSet<()>,
}

impl Server {
    /// `answers` gets each request for nodes and how many came before it.
    fn start(answers: impl Fn(usize, &Asked) -> Answer + Send + Sync + 'static) -> Server {
        let (begun, asked, answers) = (Instant::now(), Arc::<Mutex<Vec<Asked>>>::default(), Arc::new(answers));
        let heard = Heard::default();
        let log = Arc::clone(&asked);
        let service = service_fn(move |request: Request<kube::client::Body>| {
            let (log, answers) = (Arc::clone(&log), Arc::clone(&answers));
            async move {
                let query = request.uri().query().unwrap_or_default();
                let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
                let query = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
                let asked = Asked { at: begun.elapsed(), query };
                let answer = if request.uri().path() == "/api/v1/nodes" {
                    let mut log = log.lock().unwrap();
                    log.push(asked.clone());
                    answers(log.len() - 1, &asked)
                } else {
                    Answer::Status(403)
                };
                Ok::<_, Infallible>(answer.response().await)
            }
        });
        let client = Client::new(heard.listening(service), "default");
        let (tell, told) = channel(64);
        Server { asked, heard, told, _tasks: all(client, &Watching::default(), tell) }
    }

    /// What is told of nodes within so many seconds, in short.
    async fn tells(&mut self, seconds: u64) -> Vec<String> {
        let (mut all, end) = (Vec::new(), Instant::now() + Duration::from_secs(seconds));
        while let Ok(Some(told)) = timeout_at(end, self.told.recv()).await {
            all.extend(match told {
                Told::Change(Change::Node(node)) => Some(format!("{} is there", node.name())),
                Told::Change(Change::NodeGone(name)) => Some(format!("{name} is gone")),
                Told::Change(Change::NodesAre(names)) => {
                    let mut names: Vec<String> = names.into_iter().collect();
                    names.sort();
                    Some(format!("all: {}", names.join(" ")))
                }
                Told::Trouble(Trouble { kind: "nodes", message }) => Some(format!("trouble: {message}")),
                _ => None,
            });
        }
        all
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Answer {
    async fn response(self) -> Response<Body> {
        let lines = |events: Vec<String>| stream::iter(events).map(Ok::<_, Infallible>);
        match self {
            Answer::With(body) => Response::new(body.to_string().into()),
            Answer::Events(events) => Response::new(Body::from_stream(lines(events))),
            Answer::ThenSilent(events) => Response::new(Body::from_stream(lines(events).chain(stream::pending()))),
            Answer::Never => std::future::pending().await,
            Answer::Status(code) => {
                let status =
                    json!({"kind": "Status", "status": "Failure", "reason": "", "message": "no", "code": code});
                let response = Response::builder().status(code).body(status.to_string().into());
                response.unwrap()
            }
        }
    }
}

fn node(name: &str, version: u64) -> Value {
    json!({"metadata": {"name": name, "uid": name, "resourceVersion": version.to_string()}})
}

fn list(version: u64, items: &[Value], more: &str) -> Answer {
    let metadata = json!({"resourceVersion": version.to_string(), "continue": more});
    Answer::With(json!({"kind": "NodeList", "apiVersion": "v1", "metadata": metadata, "items": items}))
}

/// A line of a watch. Its type comes first, as it does from kube-apiserver.
fn event(kind: &str, object: &Value) -> String {
    format!("{{\"type\":\"{kind}\",\"object\":{object}}}\n")
}

fn bookmark(version: u64) -> String {
    let metadata = json!({"resourceVersion": version.to_string()});
    event("BOOKMARK", &json!({"kind": "Node", "apiVersion": "v1", "metadata": metadata}))
}

fn expired() -> String {
    event("ERROR", &json!({"kind": "Status", "status": "Failure", "reason": "Expired", "message": "old", "code": 410}))
}

#[tokio::test(start_paused = true)]
async fn a_watch_goes_on_where_it_ended() {
    let mut server = Server::start(|number, asked| match number {
        0 => list(5, &[node("a", 4)], ""),
        1 => Answer::Events(vec![event("ADDED", &node("b", 6)), bookmark(9)]),
        2 => Answer::Events(vec![event("DELETED", &node("a", 10)), event("MODIFIED", &node("b", 11))]),
        _ => Answer::ThenSilent(Vec::from_iter((asked.version() != Some("11")).then(expired))),
    });
    assert_eq!(server.tells(10).await, ["a is there", "all: a", "b is there", "a is gone", "b is there"]);
    let versions: Vec<Option<String>> = server.asked().iter().map(|asked| asked.version().map(str::to_owned)).collect();
    assert_eq!(versions[1..], ["5", "9", "11"].map(|version| Some(version.to_owned())));
}

/// As where a connection is cut without a word: by a firewall, or a node that lost power.
#[tokio::test(start_paused = true)]
async fn a_watch_that_falls_silent_is_begun_again_within_65_seconds() {
    let mut server = Server::start(|number, _| match number {
        0 => list(5, &[], ""),
        1 => Answer::ThenSilent(vec![event("ADDED", &node("a", 6))]),
        _ => Answer::ThenSilent(vec![event("ADDED", &node("b", 7))]),
    });
    assert_eq!(server.tells(64).await, ["all: ", "a is there"]);
    assert!(server.heard.ages().iter().all(|(_, age)| *age >= Duration::from_secs(64)));
    assert_eq!(server.tells(2).await, ["b is there"]);
    assert_eq!(server.asked()[2].version(), Some("6"), "nothing is missed");
    assert!(server.heard.ages()[0].1 <= Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_not_answered_is_begun_again() {
    let mut server = Server::start(|number, _| match number {
        0 => list(5, &[], ""),
        1..=3 => Answer::Never,
        _ => Answer::ThenSilent(vec![event("ADDED", &node("a", 6))]),
    });
    assert_eq!(server.tells(29).await, ["all: "]);
    let told = server.tells(90).await;
    assert!(told[0].contains("no answer within 30 s"), "{told:?}");
    assert_eq!(told.last().unwrap(), "a is there");
}

#[tokio::test(start_paused = true)]
async fn what_is_forgotten_is_listed_again() {
    let mut server = Server::start(|number, _| match number {
        0 => list(5, &[node("a", 3), node("b", 4)], ""),
        1 => Answer::Events(vec![event("ADDED", &node("c", 6)), expired()]),
        2 => list(90, &[node("c", 80)], ""),
        _ => Answer::ThenSilent(vec![]),
    });
    let told = server.tells(10).await;
    assert_eq!(told[..4], ["a is there", "b is there", "all: a b", "c is there"]);
    assert_eq!(told[told.len() - 2..], ["c is there", "all: c"], "a and b are gone");
    assert_eq!(server.asked()[3].version(), Some("90"));
}

/// A continuation is forgotten after some minutes.
#[tokio::test(start_paused = true)]
async fn a_list_that_is_forgotten_half_read_is_begun_again() {
    let mut server = Server::start(|number, _| match number {
        0 => list(5, &[node("a", 3)], "more"),
        1 => Answer::Status(410),
        2 => list(8, &[node("b", 4)], "more"),
        3 => list(8, &[node("c", 6)], ""),
        _ => Answer::ThenSilent(vec![]),
    });
    let told = server.tells(10).await;
    assert_eq!(told.last().unwrap(), "all: b c", "{told:?}");
    assert_eq!(told.iter().filter(|told| told.starts_with("all")).count(), 1);
    assert!(server.asked()[2].query.get("continue").is_none_or(String::is_empty));
}

/// Pages of a list that never comes to its end are nothing by which what is known gets younger.
#[tokio::test(start_paused = true)]
async fn what_is_known_grows_old_until_a_list_has_come_to_its_end() {
    let back = Duration::from_secs(300);
    let mut server = Server::start(move |number, asked| match (number, asked.query.get("continue")) {
        (0, _) => list(5, &[], ""),
        (1, _) => Answer::Events(vec![expired()]),
        _ if asked.is_watch() => Answer::ThenSilent(vec![]),
        (_, None) => list(8, &[node("a", 4)], "more"),
        (_, Some(_)) if asked.at < back => Answer::Status(410),
        (_, Some(_)) => list(8, &[node("b", 6)], ""),
    });
    server.tells(299).await;
    assert!(server.heard.ages()[0].1 >= Duration::from_secs(298), "{:?}", server.heard.ages());
    assert_eq!(server.tells(10).await.last().unwrap(), "all: a b");
    assert!(server.heard.ages()[0].1 <= Duration::from_secs(10), "{:?}", server.heard.ages());
}

#[tokio::test(start_paused = true)]
async fn an_object_that_cannot_be_read_stops_nothing() {
    let bad = json!({"metadata": {"name": "bad", "resourceVersion": "6", "labels": 5}});
    let mut server = Server::start(move |number, _| match number {
        0 => list(5, &[node("a", 3), bad.clone(), node("b", 4)], ""),
        1 => Answer::Events(vec![event("MODIFIED", &bad)]),
        _ => Answer::ThenSilent(vec![event("ADDED", &node("c", 7))]),
    });
    let told = server.tells(10).await;
    let (troubles, others): (Vec<String>, Vec<String>) =
        told.into_iter().partition(|told| told.starts_with("trouble: bad: invalid type"));
    assert_eq!((troubles.len(), others.join(", ").as_str()), (2, "a is there, b is there, all: a b, c is there"));
    assert_eq!(server.asked()[2].version(), Some("6"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_fails_is_not_pestered_and_soon_asked_again_when_it_is_back() {
    let back = Duration::from_secs(600);
    let mut server = Server::start(move |_, asked| match asked.at {
        at if at < back => Answer::Status(500),
        _ if asked.is_watch() => Answer::ThenSilent(vec![]),
        _ => list(5, &[node("a", 3)], ""),
    });
    assert!(server.tells(599).await.iter().all(|told| told.starts_with("trouble: ")));
    let asked = server.asked().len();
    assert!((60..=200).contains(&asked), "{asked} times in 600 s");
    let told = server.tells(12).await;
    assert_eq!(told[told.len() - 2..], ["a is there", "all: a"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ends_each_watch_at_once_is_not_pestered() {
    let mut server = Server::start(|number, _| if number == 0 { list(5, &[], "") } else { Answer::Events(vec![]) });
    server.tells(60).await;
    let asked = server.asked().len();
    assert!((60..=62).contains(&asked), "{asked} times in 60 s");
}
