//! Too much at a time, and what must not happen.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use migsaw_extender::service::{Answers, Outcome, Reply, Verb};

use super::raw::Connection;
use super::{PATIENCE, Setup, Site, until};

/// Answers when it is told to, and panics if the body says so.
#[derive(Default)]
pub(crate) struct Gate {
    is_open: Mutex<bool>,
    opened: Condvar,
    pub(crate) waiting: AtomicUsize,
}

impl Gate {
    pub(crate) fn open(&self) {
        *self.is_open.lock().unwrap() = true;
        self.opened.notify_all();
    }

    pub(crate) async fn holds(&self, n: usize) {
        until("all of them are in work", || async { self.waiting.load(Ordering::SeqCst) == n }).await;
    }
}

/// The gate, as the service takes it.
pub(crate) struct Gated(pub(crate) Arc<Gate>);

impl Answers for Gated {
    fn answer(&self, _: Verb, body: &[u8]) -> Reply {
        assert_ne!(body, b"panic", "as the test wants it");
        if body != b"wait" {
            return Reply { body: b"{}".to_vec(), outcome: Outcome::Ok, nodes: migsaw_extender::Tally::default() };
        }
        self.0.waiting.fetch_add(1, Ordering::SeqCst);
        tokio::task::block_in_place(|| {
            let open = self.0.is_open.lock().unwrap();
            drop(self.0.opened.wait_timeout_while(open, PATIENCE, |is_open| !*is_open).unwrap());
        });
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
        Reply { body: b"{}".to_vec(), outcome: Outcome::Ok, nodes: migsaw_extender::Tally::default() }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn more_than_can_be_in_work_is_refused_at_once_and_counted() {
    let gate = Arc::new(Gate::default());
    let site = Site::start(Gated(gate.clone()), Setup { max_in_flight: 3, debug: true, ..Setup::default() }).await;
    let verbs = site.at.verbs;
    let held: Vec<_> = ["/filter", "/prioritize", "/preempt"]
        .map(|path| tokio::spawn(async move { Connection::to(verbs).await.ask("POST", path, "wait").await.status }))
        .into();
    gate.holds(3).await;
    assert_eq!(site.metric("migsaw_extender_in_flight").await, 3);
    // The limit is one for all verbs, and other requests do not wait either.
    for path in ["/filter", "/prioritize", "/preempt"] {
        let answer = site.ask("POST", path, "go").await;
        assert_eq!((answer.status, answer.body.as_str()), (503, "too many requests in work, try again"), "{path}");
    }
    // Not even for a body that does not come.
    let mut connection = Connection::to(verbs).await;
    connection.send("POST /filter HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n").await;
    assert_eq!(connection.answer().await.unwrap().status, 503);
    for (path, count) in [("filter", 2), ("prioritize", 1), ("preempt", 1)] {
        assert_eq!(site.count(path, "shed").await, count, "{path}");
    }
    // What is explained takes a place as well.
    for path in ["/debug/node/a", "/debug/pod/team/p"] {
        assert_eq!(site.ask("GET", path, "").await.status, 503, "{path}");
    }
    // Health is asked elsewhere, and does not count.
    for path in ["/healthz", "/readyz"] {
        assert_ne!(Connection::to(site.at.health).await.ask("GET", path, "").await.status, 404);
    }
    gate.open();
    for held in held {
        assert_eq!(held.await.unwrap(), 200, "who was in work is answered");
    }
    until("all places are free", || async { site.metric("migsaw_extender_in_flight").await == 0 }).await;
    assert_eq!(site.ask("POST", "/filter", "go").await.status, 200);
    site.end().await;
}

/// Answers after a while in which its thread does nothing else.
struct Busy;

impl Answers for Busy {
    fn answer(&self, _: Verb, _: &[u8]) -> Reply {
        std::thread::sleep(std::time::Duration::from_millis(20));
        Reply { body: b"{}".to_vec(), outcome: Outcome::Ok, nodes: migsaw_extender::Tally::default() }
    }
}

/// With one thread, on which nobody is read while somebody is answered.
#[tokio::test]
async fn those_who_come_at_once_do_not_wait_for_each_others_answers() {
    let site = Site::start(Busy, Setup { max_in_flight: 2, ..Setup::default() }).await;
    let mut connections = Vec::new();
    for _ in 0..10 {
        let mut connection = Connection::to(site.at.verbs).await;
        assert_eq!(connection.ask("POST", "/filter", "go").await.status, 200);
        connections.push(connection);
    }
    for connection in &mut connections {
        assert!(connection.send(super::raw::request("POST", "/filter", "", "go")).await);
    }
    let mut refused = 0;
    for connection in &mut connections {
        match connection.answer().await.unwrap().status {
            200 => {}
            503 => refused += 1,
            status => panic!("{status}"),
        }
    }
    assert!(refused > 0 && refused <= 8, "{refused} of ten were refused, where two may be in work");
    assert_eq!(site.count("filter", "shed").await, refused);
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_place_is_free_again_when_its_caller_has_gone() {
    let site = Site::start(Gated(Arc::default()), Setup { max_in_flight: 1, ..Setup::default() }).await;
    for _ in 0..3 {
        // It holds the only place, and never sends its body.
        let mut connection = Connection::to(site.at.verbs).await;
        connection.send("POST /filter HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n").await;
        until("it is in work", || async { site.metric("migsaw_extender_in_flight").await == 1 }).await;
        assert_eq!(site.ask("POST", "/filter", "go").await.status, 503);
        drop(connection);
        until("it is given up", || async { site.metric("migsaw_extender_in_flight").await == 0 }).await;
        assert_eq!(site.ask("POST", "/filter", "go").await.status, 200);
    }
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_defect_costs_one_request_and_is_counted() {
    let site = Site::start(Gated(Arc::default()), Setup { max_in_flight: 2, ..Setup::default() }).await;
    let mut connection = Connection::to(site.at.verbs).await;
    for n in 1..=5 {
        let answer = connection.ask("POST", "/filter", "panic").await;
        assert_eq!((answer.status, answer.body.as_str()), (500, "a defect of migsaw; its log has more"));
        assert_eq!(connection.ask("POST", "/filter", "go").await.status, 200, "on the same connection");
        assert_eq!(site.ask("POST", "/prioritize", "go").await.status, 200, "on another");
        assert_eq!(site.count("filter", "panic").await, i64::from(n));
    }
    assert_eq!(site.metric("migsaw_extender_in_flight").await, 0);
    assert_eq!(Connection::to(site.at.health).await.ask("GET", "/healthz", "").await.status, 200);
    site.end().await;
}
