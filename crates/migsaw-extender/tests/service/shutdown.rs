//! Its end: no request is lost.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;

use super::certificates::Authority;
use super::limits::{Gate, Gated};
use super::raw::Connection;
use super::{Setup, Site, extender, question, until};

async fn is_ready(site: &Site) -> bool {
    Connection::to(site.at.health).await.ask("GET", "/readyz", "").await.status == 200
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn it_says_that_it_is_not_ready_and_goes_on_answering_for_a_while() {
    let setup = Setup { shutdown_delay: Duration::from_secs(8), ..Setup::default() };
    let mut site = Site::start(extender(), setup).await;
    site.health.synced();
    assert!(is_ready(&site).await);
    let mut idle = Connection::to(site.at.verbs).await;
    assert_eq!(idle.ask("POST", "/filter", &question()).await.header("connection"), None);
    site.tell_to_stop();
    until("it is not ready", || async { !is_ready(&site).await }).await;
    let body = Connection::to(site.at.health).await.ask("GET", "/readyz", "").await.json();
    assert_eq!((&body["ready"], &body["draining"]), (&false.into(), &true.into()));
    // Who has a connection is answered and told to come anew, and so is who comes anew.
    let answer = idle.ask("POST", "/filter", &question()).await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    idle.closed().await;
    let answer = site.filter().await;
    assert_eq!((answer.status, answer.header("connection")), (200, Some("close")));
    let verbs = site.at.verbs;
    site.end().await;
    assert!(TcpStream::connect(verbs).await.is_err(), "nobody listens any more");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_in_work_are_finished() {
    let gate = Arc::new(Gate::default());
    let mut site = Site::start(Gated(gate.clone()), Setup::default()).await;
    let verbs = site.at.verbs;
    let ask = || tokio::spawn(async move { Connection::to(verbs).await.ask("POST", "/filter", "wait").await.status });
    let held = [ask(), ask(), ask()];
    gate.holds(3).await;
    // One whose body is still to come.
    let mut late = Connection::to(verbs).await;
    late.send("POST /filter HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n").await;
    until("it is in work", || async { site.metric("migsaw_extender_in_flight").await == 4 }).await;
    let mut idle = Connection::to(verbs).await;
    assert_eq!(idle.ask("POST", "/filter", "go").await.status, 200);
    site.tell_to_stop();
    idle.closed().await;
    assert!(!site.task.is_finished(), "it waits for those in work");
    late.send("go").await;
    assert_eq!(late.answer().await.unwrap().status, 200);
    gate.open();
    for held in held {
        assert_eq!(held.await.unwrap(), 200);
    }
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_that_do_not_end_do_not_keep_it() {
    let gate = Arc::new(Gate::default());
    let setup = Setup { drain_timeout: Duration::from_millis(200), ..Setup::default() };
    let mut site = Site::start(Gated(gate.clone()), setup).await;
    let verbs = site.at.verbs;
    let held = tokio::spawn(async move {
        let mut connection = Connection::to(verbs).await;
        connection.send(super::raw::request("POST", "/filter", "", "wait")).await;
        connection.answer().await
    });
    gate.holds(1).await;
    site.tell_to_stop();
    site.end().await;
    gate.open();
    // What became of it is for the scheduler to find out.
    drop(held.await.unwrap());
}

/// Rolling replicas under load: whoever is told to close comes anew, and nobody is cut off.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn clients_on_kept_connections_lose_nothing() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let tls = Some(authority.issue("server", &[]).write(folder.path()));
    let setup = Setup { tls, shutdown_delay: Duration::from_secs(5), ..Setup::default() };
    let mut site = Site::start(extender(), setup).await;
    let url = format!("https://{}/filter", site.at.verbs);
    let health = Arc::clone(&site.health);
    let clients =
        [authority.trusting(), authority.trusting().http1_only(), authority.trusting().pool_max_idle_per_host(0)];
    let clients: Vec<_> = clients
        .map(|builder| {
            let (client, url, health) = (builder.build().unwrap(), url.clone(), Arc::clone(&health));
            tokio::spawn(async move {
                // As a Service does: nobody is sent to one that is not ready.
                let mut answered = 0;
                while !health.readiness().draining {
                    let answer = client.post(&url).body(question()).send().await.expect("no request fails");
                    assert_eq!(answer.status(), 200);
                    answer.bytes().await.expect("no answer is cut off");
                    answered += 1;
                }
                answered
            })
        })
        .into();
    until("requests are counted", || async { site.count("filter", "ok").await > 20 }).await;
    site.tell_to_stop();
    for client in clients {
        assert!(client.await.unwrap() > 0);
    }
    site.end().await;
}
