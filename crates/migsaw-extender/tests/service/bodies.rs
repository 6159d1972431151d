//! Bodies that are too large, too deep, cut off or of another kind.

use super::raw::{Connection, request};
use super::{Setup, Site, extender, question, until};

const MOST: usize = 64 * 1024;
const DEEP: usize = 1_000_000;

async fn site() -> Site {
    Site::start(extender(), Setup { max_body: MOST, ..Setup::default() }).await
}

/// It still answers.
async fn check_alive(site: &Site) {
    assert_eq!(site.filter().await.status, 200);
    assert_eq!(site.metric("migsaw_extender_in_flight").await, 0);
}

/// A body of so many bytes.
fn of_length(bytes: usize) -> String {
    let question = question();
    let padding = " ".repeat(bytes - question.len());
    question + &padding
}

fn chunked(body: &str) -> String {
    let head = "POST /filter HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = |bytes: &[u8]| format!("{:x}\r\n{}\r\n", bytes.len(), std::str::from_utf8(bytes).unwrap());
    let chunks: Vec<String> = body.as_bytes().chunks(5000).map(chunk).collect();
    [head, &chunks.concat(), "0\r\n\r\n"].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_large_is_refused_with_413() {
    let site = site().await;
    let whole = |body: &str| request("POST", "/filter", "", body);
    for (name, text, status) in [
        ("as large as may be", whole(&of_length(MOST)), 200),
        ("one more", whole(&of_length(MOST + 1)), 413),
        ("much more", whole(&of_length(20 * MOST)), 413),
        ("in chunks, as large as may be", chunked(&of_length(MOST)), 200),
        ("in chunks, one more", chunked(&of_length(MOST + 1)), 413),
        ("in chunks, much more", chunked(&of_length(20 * MOST)), 413),
    ] {
        let mut connection = Connection::to(site.at.verbs).await;
        connection.send(&text).await;
        let answer = connection.answer().await.unwrap_or_else(|| panic!("{name}: no answer"));
        assert_eq!(answer.status, status, "{name}");
        if status == 413 {
            assert_eq!(answer.body, format!("the body has more than {MOST} bytes"), "{name}");
        }
    }
    assert_eq!(site.count("filter", "bad_request").await, 4);
    check_alive(&site).await;
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ends_too_early_hurts_nobody() {
    let site = site().await;
    let body = question();
    let whole = request("POST", "/filter", "", &body);
    let in_chunks = chunked(&body);
    let cut = [
        &whole[..whole.len() - 1],
        &whole[..whole.len() - body.len()],
        &in_chunks[..in_chunks.len() - 7],
        "POST /filter HTTP/1.1\r\nHost: loc",
        "POST",
    ];
    for text in cut {
        // It says that it ends.
        let mut connection = Connection::to(site.at.verbs).await;
        connection.send(text).await;
        connection.finish().await;
        let answer = connection.answer().await;
        assert!(answer.as_ref().is_none_or(|answer| answer.status == 400), "{answer:?}");
        // It vanishes.
        let mut connection = Connection::to(site.at.verbs).await;
        connection.send(text).await;
    }
    until("all of them are given up", || async { site.metric("migsaw_extender_in_flight").await == 0 }).await;
    assert_eq!(site.count("filter", "ok").await, 0);
    check_alive(&site).await;
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_nested_deeply_is_refused() {
    let site = Site::start(extender(), Setup { max_body: 16 << 20, ..Setup::default() }).await;
    let lists = "[".repeat(DEEP) + &"]".repeat(DEEP);
    let objects = r#"{"a":"#.repeat(DEEP) + "1" + &"}".repeat(DEEP);
    for (name, body) in [
        ("as the body", lists.clone()),
        ("as the pod", format!(r#"{{"Pod": {lists}}}"#)),
        ("as the nodes", format!(r#"{{"Pod": {{}}, "Nodes": {{"items": {lists}}}}}"#)),
        ("as names", format!(r#"{{"Pod": {{}}, "NodeNames": {lists}}}"#)),
        ("as resources", format!(r#"{{"Pod": {{"spec": {{"overhead": {lists}}}}}}}"#)),
        ("as a quantity", format!(r#"{{"Pod": {{"spec": {{"overhead": {{"nvidia.com/gpu": {lists}}}}}}}}}"#)),
        ("not ended", "[".repeat(DEEP)),
        ("objects not ended", r#"{"Pod":"#.repeat(DEEP)),
    ] {
        let answer = site.ask("POST", "/filter", &body).await;
        assert_eq!(answer.status, 400, "{name}");
        assert!(
            answer.body.starts_with("filter takes another body: ") && answer.body.len() < 500,
            "{name}: {}",
            answer.body
        );
    }
    // What nobody looks at is passed over, however deep.
    for (name, body) in [
        ("objects as the body", objects.clone()),
        ("an unknown member", format!(r#"{{"Pod": {{}}, "NodeNames": ["a"], "more": {lists}}}"#)),
        (
            "an unknown member of the pod",
            format!(r#"{{"Pod": {{"spec": {{"more": {objects}}}}}, "NodeNames": ["a"]}}"#),
        ),
    ] {
        let answer = site.ask("POST", "/filter", &body).await;
        assert!([200, 400].contains(&answer.status), "{name}: {answer:?}");
    }
    check_alive(&site).await;
    site.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_json_is_refused_with_a_sentence() {
    let site = site().await;
    for verb in ["filter", "prioritize", "preempt"] {
        for body in ["", "no", "{\"Pod\":", "[1]", "\0", "{\"Pod\": {\"metadata\": {\"name\": 7}}}"] {
            let answer = site.ask("POST", &format!("/{verb}"), body).await;
            assert_eq!(answer.status, 400, "{verb} {body:?}");
            assert!(answer.body.starts_with(&format!("{verb} takes another body: ")), "{}", answer.body);
        }
        assert_eq!(site.count(verb, "bad_request").await, 6);
    }
    // Bytes that are no text.
    let mut connection = Connection::to(site.at.verbs).await;
    connection.send(b"POST /filter HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n\xff\xfe\xfd\xfc").await;
    assert_eq!(connection.answer().await.unwrap().status, 400);
    // No HTTP at all.
    let mut connection = Connection::to(site.at.verbs).await;
    connection.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 hello\r\n\r\n").await;
    connection.closed().await;
    check_alive(&site).await;
    site.end().await;
}
