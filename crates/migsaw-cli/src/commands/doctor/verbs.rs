//! Every verb, called the way kube-scheduler calls it.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use reqwest::{Certificate, Client, ClientBuilder, Identity, StatusCode};
use serde_json::{Value, json};

use super::Finding;
use crate::args::DoctorArgs;
use crate::failure::{Failure, Problem};

/// What kube-scheduler waits at most if its configuration does not say.
const PATIENCE: Duration = Duration::from_secs(5);
/// Nodes that no cluster has.
const NODES: [&str; 2] = ["migsaw-doctor-1.invalid", "migsaw-doctor-2.invalid"];

/// Looks at the extender at this address.
pub(super) async fn check(url: &str, args: &DoctorArgs) -> Result<Vec<Finding>> {
    let url = url.trim_end_matches('/');
    let mut findings = Vec::new();
    let client = client(args)?;
    if url.starts_with("https://") {
        findings.push(match args.ca {
            Some(_) => Finding::ok("transport", "TLS, and the certificate is checked against the CA"),
            None => Finding::warning(
                "transport",
                "TLS, with no CA to check the certificate against but the system's",
                "give --ca; the scheduler's tlsConfig.caData has to hold it too, or nothing is checked",
            ),
        });
    } else if is_local(url) {
        findings.push(Finding::ok("transport", "plain HTTP on this machine"));
    } else {
        findings.push(Finding::warning("transport", "plain HTTP", "anybody in between can read and answer: use TLS"));
    }
    let caller = Caller { client, url };
    match caller.post("filter", &args_of(false)).await {
        Err(error) => {
            findings.push(Finding::problem("filter", error, "is it there, with this certificate, for this client?"));
            return Ok(findings);
        }
        Ok(answer) => findings.push(judged("filter", &answer, passes(&answer.body))),
    }
    if args.cert.is_some() {
        findings.push(stranger(args, url).await?);
    }
    for (verb, body, judge) in [
        ("filter", args_of(true), turned_away as fn(&Value) -> Result<String, String>),
        ("prioritize", args_of(true), scored),
        ("preempt", json!({"Pod": pod(true), "NodeNameToMetaVictims": {}, "NodeNameToVictims": null}), no_victims),
    ] {
        findings.push(match caller.post(verb, &body).await {
            Ok(answer) => judged(verb, &answer, judge(&answer.body)),
            Err(error) => Finding::problem(verb, error, "its log has more"),
        });
    }
    findings.push(bind(&caller).await);
    if let Some(health) = &args.health_url {
        findings.push(ready(&caller.client, health.trim_end_matches('/')).await);
    }
    Ok(findings)
}

/// Whether an address is on this machine.
pub(super) fn is_local(url: &str) -> bool {
    ["http://127.0.0.1", "http://localhost", "http://[::1]"].iter().any(|local| url.starts_with(local))
}

struct Caller<'a> {
    client: Client,
    url: &'a str,
}

struct Answered {
    body: Value,
    took: Duration,
}

impl Caller<'_> {
    async fn post(&self, verb: &str, body: &Value) -> Result<Answered, String> {
        let begun = Instant::now();
        let sent = self.client.post(format!("{}/{verb}", self.url)).header("content-type", "application/json");
        let answer = sent.body(body.to_string()).send().await.map_err(|error| last_cause(&error))?;
        let status = answer.status();
        let text = answer.text().await.map_err(|error| last_cause(&error))?;
        // The scheduler takes anything else for a failure.
        if status != StatusCode::OK {
            return Err(format!("{status}: {text}"));
        }
        let body = serde_json::from_str(&text).map_err(|error| format!("the answer is no JSON: {error}"))?;
        Ok(Answered { body, took: begun.elapsed() })
    }
}

fn client(args: &DoctorArgs) -> Result<Client> {
    let mut builder = builder(args)?;
    if let (Some(cert), Some(key)) = (&args.cert, &args.key) {
        let pem = [read(key)?, read(cert)?].concat();
        let identity = Identity::from_pem(&pem).map_err(|error| wrong("certificate", cert, &error))?;
        builder = builder.identity(identity);
    }
    Ok(builder.build().map_err(|error| Failure::from(Problem::new("certificate", last_cause(&error))))?)
}

/// Without a client's certificate.
fn builder(args: &DoctorArgs) -> Result<ClientBuilder> {
    let mut builder = Client::builder().timeout(PATIENCE).no_proxy();
    if let Some(path) = &args.ca {
        let ca = Certificate::from_pem(&read(path)?).map_err(|error| wrong("certificate", path, &error))?;
        builder = builder.tls_certs_only([ca]);
    }
    Ok(builder)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    Ok(std::fs::read(path).map_err(|error| wrong("unreadable", path, &error))?)
}

fn wrong(code: &str, path: &Path, error: &dyn std::error::Error) -> Failure {
    Problem::new(code, last_cause(error)).in_file(&path.to_string_lossy()).into()
}

fn last_cause(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(cause) = last.source() {
        last = cause;
    }
    last.to_string()
}

/// A pod that is nowhere, with or without slices.
fn pod(asks: bool) -> Value {
    let limits = if asks { json!({"nvidia.com/mig-1g.10gb": "1"}) } else { json!({}) };
    json!({"metadata": {"name": "migsaw-doctor", "namespace": "migsaw-doctor", "uid": ""},
        "spec": {"containers": [{"name": "main", "resources": {"limits": limits}}]}, "status": {}})
}

fn args_of(asks: bool) -> Value {
    json!({"Pod": pod(asks), "Nodes": null, "NodeNames": NODES})
}

fn judged(verb: &'static str, answer: &Answered, judged: Result<String, String>) -> Finding {
    let millis = answer.took.as_secs_f64() * 1000.0;
    match judged {
        Ok(found) => Finding::ok(verb, format!("{found} ({millis:.1} ms)")),
        Err(found) => Finding::problem(verb, found, "it is no extender of migsaw, or one of another version"),
    }
}

fn passes(answer: &Value) -> Result<String, String> {
    if answer["NodeNames"] == json!(NODES) && answer["Error"] == "" {
        Ok("a pod that asks for no slice may go anywhere".to_owned())
    } else {
        Err(format!("a pod that asks for no slice may not go anywhere: {answer}"))
    }
}

fn turned_away(answer: &Value) -> Result<String, String> {
    let is_away = NODES.iter().all(|node| answer["FailedNodes"][node].is_string());
    if is_away && answer["NodeNames"] == json!([]) {
        Ok("nodes that are not known are turned away".to_owned())
    } else {
        Err(format!("nodes that are not known are not turned away: {answer}"))
    }
}

fn scored(answer: &Value) -> Result<String, String> {
    let scores = answer.as_array().map(Vec::as_slice).unwrap_or_default();
    let is_score = |score: &Value| score["Score"].as_i64().is_some_and(|score| (0..=10).contains(&score));
    if scores.len() == NODES.len() && scores.iter().all(is_score) {
        Ok("every node has a score from 0 to 10".to_owned())
    } else {
        Err(format!("not every node has a whole score from 0 to 10: {answer}"))
    }
}

fn no_victims(answer: &Value) -> Result<String, String> {
    if answer["NodeNameToMetaVictims"] == json!({}) {
        Ok("nobody is evicted where nobody was proposed".to_owned())
    } else {
        Err(format!("pods are to be evicted that nobody proposed: {answer}"))
    }
}

/// Whether it binds: a pod that is not there it cannot.
async fn bind(caller: &Caller<'_>) -> Finding {
    let body = json!({"PodName": "migsaw-doctor", "PodNamespace": "migsaw-doctor", "PodUID": "none", "Node": NODES[0]});
    match caller.post("bind", &body).await {
        Err(error) if error.starts_with("404") => Finding::ok("bind", "off: the scheduler must have no bindVerb"),
        Err(error) => Finding::problem("bind", error, "its log has more"),
        Ok(answer) => match answer.body["Error"].as_str() {
            Some("") | None => {
                Finding::problem("bind", "says that it bound a pod that is not there", "its log has more")
            }
            Some(error) if error.starts_with("no right") => {
                Finding::problem("bind", error, "the chart's role has the rights with `bind: true`")
            }
            Some(_) => Finding::ok("bind", "on: the scheduler may have `bindVerb: bind`"),
        },
    }
}

/// Somebody without a certificate.
async fn stranger(args: &DoctorArgs, url: &str) -> Result<Finding> {
    let client =
        builder(args)?.build().map_err(|error| Failure::from(Problem::new("certificate", last_cause(&error))))?;
    let answer = Caller { client, url }.post("filter", &args_of(false)).await;
    Ok(match answer {
        Err(_) => Finding::ok("clients", "who has no certificate is refused"),
        Ok(_) => Finding::warning("clients", "who has no certificate is answered too", "give it --client-ca"),
    })
}

async fn ready(client: &Client, url: &str) -> Finding {
    let answer = match client.get(format!("{url}/readyz")).send().await {
        Ok(answer) => answer.json::<Value>().await.map_err(|error| last_cause(&error)),
        Err(error) => Err(last_cause(&error)),
    };
    match answer {
        Err(error) => Finding::problem("readiness", error, "is --health-url the address of --health-listen?"),
        Ok(state) if state["ready"] == true && state["stale"] == json!([]) => {
            Finding::ok("readiness", "ready, and its watches are live")
        }
        Ok(state) if state["ready"] == true => {
            let found = format!("ready, but has not heard of {} for long", state["stale"]);
            Finding::warning("readiness", found, "does it reach the API server?")
        }
        Ok(state) => Finding::problem("readiness", format!("not ready: {state}"), "its log says what it waits for"),
    }
}
