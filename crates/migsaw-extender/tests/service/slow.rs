//! Clients that take their time: cut off where they hold a place, kept where they only wait.

use std::time::Duration;

use futures::future::join_all;

use super::certificates::Authority;
use super::raw::{Connection, request};
use super::{Setup, Site, extender, question, until};

/// Sends a byte now and then until nobody takes it.
async fn dribble(connection: &mut Connection, byte: &str) {
    while connection.send(byte).await {
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_that_do_not_come_to_an_end_are_cut_off_while_others_are_answered() {
    let site = Site::start(extender(), Setup::default()).await;
    let mut slow = Vec::new();
    for beginning in ["", "P", "POST /filter HTTP/1.1\r\n", "POST /filter HTTP/1.1\r\nX-More: "] {
        for _ in 0..25 {
            let mut connection = Connection::to(site.at.verbs).await;
            connection.send(beginning).await;
            slow.push(connection);
        }
    }
    // One of each kind goes on sending.
    let mut dribbling = Connection::to(site.at.verbs).await;
    dribbling.send("POST /filter HTTP/1.1\r\nX-More: ").await;
    let dribbling = tokio::spawn(async move { dribble(&mut dribbling, "x").await });
    for _ in 0..20 {
        assert_eq!(site.filter().await.status, 200);
    }
    // `closed` fails if the end does not come.
    join_all(slow.iter_mut().map(Connection::closed)).await;
    dribbling.await.unwrap();
    assert_eq!(site.filter().await.status, 200);
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_that_does_not_come_is_cut_off() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let tls = Some(authority.issue("server", &[]).write(folder.path()));
    let site = Site::start(extender(), Setup { tls, ..Setup::default() }).await;
    let mut silent = Connection::to(site.at.verbs).await;
    let mut half = Connection::to(site.at.verbs).await;
    half.send(b"\x16\x03\x01\x02\x00\x01").await;
    join_all([silent.closed(), half.closed()]).await;
    let client = authority.trusting().build().unwrap();
    let url = format!("https://{}/filter", site.at.verbs);
    assert_eq!(client.post(url).body(question()).send().await.unwrap().status(), 200);
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_does_not_come_to_an_end_is_cut_off() {
    let setup = Setup { timeout: Duration::from_secs(1), max_in_flight: 2, ..Setup::default() };
    let site = Site::start(extender(), setup).await;
    for head in ["Content-Length: 100000", "Transfer-Encoding: chunked"] {
        let mut silent = Connection::to(site.at.verbs).await;
        silent.send(format!("POST /filter HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n")).await;
        let answer = silent.answer().await.expect("an answer");
        assert_eq!((answer.status, answer.body.as_str()), (408, "the request took too long"));
        silent.closed().await;
    }
    assert_eq!(site.count("filter", "timeout").await, 2);
    let mut dribbling = Connection::to(site.at.verbs).await;
    dribbling.send("POST /filter HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n{").await;
    dribble(&mut dribbling, " ").await;
    assert_eq!(site.count("filter", "timeout").await, 3);
    until("their places are free", || async { site.metric("migsaw_extender_in_flight").await == 0 }).await;
    assert_eq!(site.filter().await.status, 200);
    site.end().await;
}

/// kube-scheduler keeps connections for 90 seconds and sends on them when it has something to ask. One that is closed
/// just then costs it a try.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_connection_is_kept() {
    let site = Site::start(extender(), Setup::default()).await;
    let mut connection = Connection::to(site.at.verbs).await;
    assert_eq!(connection.ask("POST", "/filter", &question()).await.status, 200);
    // Longer than headers may take.
    tokio::time::sleep(Duration::from_secs(8)).await;
    connection.send(request("POST", "/filter", "", &question())).await;
    let answer = connection.answer().await.expect("the connection was closed meanwhile");
    assert_eq!(answer.status, 200);
    site.end().await;
}
