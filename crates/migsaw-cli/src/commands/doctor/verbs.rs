//! Every verb, called the way kube-scheduler calls it.

use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use reqwest::{Certificate, Client, ClientBuilder, Identity, StatusCode, Url};
use serde_json::{Value, json};

use super::Finding;
use super::config::Extender;
use super::tls::Tls;
use crate::args::DoctorArgs;
use crate::failure::{Failure, Problem};

/// What kube-scheduler waits at most if its configuration does not say.
const PATIENCE: Duration = Duration::from_secs(5);
/// Nodes that no cluster has.
const NODES: [&str; 2] = ["migsaw-doctor-1.invalid", "migsaw-doctor-2.invalid"];

/// Looks at the extender at this address, by the scheduler's entry for it if that is known.
pub(super) async fn check(url: &str, args: &DoctorArgs, entry: Option<&Extender>) -> Result<Vec<Finding>> {
    let url = url.trim_end_matches('/');
    let mut findings = Vec::new();
    let tls = entry.and_then(|entry| entry.tls_config.as_ref()).filter(|_| url.starts_with("https://"));
    let mut way = Way { url: url.to_owned(), at: None, ca: Ca::of(args, tls)? };
    // An address for a name could only be the one it is reached at.
    let name = tls.map(|tls| &tls.server_name).filter(|name| !name.is_empty() && name.parse::<IpAddr>().is_err());
    if let Some(Err(error)) = name.map(|name| way.bear(name)) {
        findings.push(Finding::problem("transport", error, "is it the address, with this tlsConfig.serverName?"));
        return Ok(findings);
    }
    if url.starts_with("https://") {
        findings.push(match &way.ca {
            Some(Ca { of_entry: true, .. }) => {
                Finding::ok("transport", "TLS, and the certificate is checked against the scheduler's CA")
            }
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
    let identity = identity(args, entry)?;
    let caller = way.caller(identity.clone())?;
    match caller.post("filter", &args_of(false)).await {
        Err(error) => {
            findings.push(Finding::problem("filter", error, "is it there, with this certificate, for this client?"));
            return Ok(findings);
        }
        Ok(answer) => findings.push(judged("filter", &answer, passes(&answer.body))),
    }
    if identity.is_some() {
        let has_none = entry.is_some_and(|entry| !has_certificate(entry));
        findings.push(stranger(&way.caller(None)?, has_none).await);
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
    findings.push(bind(&caller, entry.map(|entry| entry.bind_verb.as_str())).await);
    if let Some(health) = &args.health_url {
        findings.push(ready(&caller.client, health.trim_end_matches('/')).await);
    }
    Ok(findings)
}

/// Whether an address is one of plain HTTP on this machine.
pub(super) fn is_local(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let is_here = |host: &str| {
        let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
    };
    url.scheme() == "http" && url.host_str().is_some_and(is_here)
}

/// How the extender is reached.
struct Way {
    /// Its address, with the name that its certificate has to bear.
    url: String,
    /// Where that name is, if the address is another one.
    at: Option<(String, Vec<SocketAddr>)>,
    ca: Option<Ca>,
}

struct Ca {
    certificate: Certificate,
    /// Whether it is the one that the scheduler has.
    of_entry: bool,
}

impl Ca {
    /// The scheduler's, else the one given.
    fn of(args: &DoctorArgs, tls: Option<&Tls>) -> Result<Option<Ca>> {
        if let Some(Ok(pem)) = tls.and_then(Tls::ca)
            && let Ok(certificate) = Certificate::from_pem(&pem)
        {
            return Ok(Some(Ca { certificate, of_entry: true }));
        }
        let Some(path) = &args.ca else { return Ok(None) };
        let certificate = Certificate::from_pem(&read(path)?).map_err(|error| wrong("certificate", path, &error))?;
        Ok(Some(Ca { certificate, of_entry: false }))
    }
}

impl Way {
    /// Takes a name instead of that in the address, and keeps where to go.
    fn bear(&mut self, name: &str) -> Result<(), String> {
        let mut url = Url::parse(&self.url).map_err(|error| error.to_string())?;
        let at = url.socket_addrs(|| None).map_err(|error| error.to_string())?;
        url.set_host(Some(name)).map_err(|error| error.to_string())?;
        url.as_str().trim_end_matches('/').clone_into(&mut self.url);
        self.at = Some((name.to_owned(), at));
        Ok(())
    }

    /// Somebody who goes this way, with a certificate or without.
    fn caller(&self, identity: Option<Identity>) -> Result<Caller<'_>> {
        let mut builder: ClientBuilder = Client::builder().timeout(PATIENCE).no_proxy();
        if let Some(ca) = &self.ca {
            builder = builder.tls_certs_only([ca.certificate.clone()]);
        }
        if let Some((name, at)) = &self.at {
            builder = builder.resolve_to_addrs(name, at);
        }
        if let Some(identity) = identity {
            builder = builder.identity(identity);
        }
        let client = builder.build();
        let client = client.map_err(|error| Failure::from(Problem::new("certificate", last_cause(&error))))?;
        Ok(Caller { client, url: &self.url })
    }
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

/// The certificate that the scheduler has, else the one given.
fn identity(args: &DoctorArgs, entry: Option<&Extender>) -> Result<Option<Identity>> {
    if let Some(Ok(identity)) = entry.and_then(|entry| entry.tls_config.as_ref()?.identity()) {
        return Ok(Some(identity));
    }
    let (Some(cert), Some(key)) = (&args.cert, &args.key) else { return Ok(None) };
    let pem = [read(key)?, read(cert)?].concat();
    Ok(Some(Identity::from_pem(&pem).map_err(|error| wrong("certificate", cert, &error))?))
}

/// Whether the scheduler has a certificate, if only where it runs.
fn has_certificate(entry: &Extender) -> bool {
    entry.tls_config.as_ref().is_some_and(|tls| tls.identity().is_some())
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

/// Whether it binds: a pod that is not there it cannot. And whether it should, if the scheduler's verb is known.
async fn bind(caller: &Caller<'_>, verb: Option<&str>) -> Finding {
    let body = json!({"PodName": "migsaw-doctor", "PodNamespace": "migsaw-doctor", "PodUID": "none", "Node": NODES[0]});
    match caller.post("bind", &body).await {
        Err(error) if error.starts_with("404") => match verb {
            None => Finding::ok("bind", "off: the scheduler must have no bindVerb"),
            Some("") => Finding::ok("bind", "off, and the scheduler binds by itself"),
            Some(verb) => Finding::problem(
                "bind",
                format!("off, but the scheduler has `bindVerb: {verb}`: no pod with slices would ever be bound"),
                "serve with --bind (`bind: true` in the chart), or no bindVerb",
            ),
        },
        Err(error) => Finding::problem("bind", error, "its log has more"),
        Ok(answer) => match answer.body["Error"].as_str() {
            Some("") | None => {
                Finding::problem("bind", "says that it bound a pod that is not there", "its log has more")
            }
            Some(error) if error.starts_with("no right") => {
                Finding::problem("bind", error, "the chart's role has the rights with `bind: true`")
            }
            Some(_) => match verb {
                None => Finding::ok("bind", "on: the scheduler may have `bindVerb: bind`"),
                Some("") => Finding::ok("bind", "on, but the scheduler binds by itself"),
                Some(_) => Finding::ok("bind", "on, and the scheduler has it bind"),
            },
        },
    }
}

/// Somebody without a certificate; the scheduler may have none either.
async fn stranger(caller: &Caller<'_>, scheduler_has_none: bool) -> Finding {
    match caller.post("filter", &args_of(false)).await {
        Err(_) if scheduler_has_none => Finding::problem(
            "clients",
            "who has no certificate is refused, and the scheduler's configuration has none",
            "tlsConfig.certFile and keyFile: docs/scheduler.md says where they come from",
        ),
        Err(_) => Finding::ok("clients", "who has no certificate is refused"),
        Ok(_) => Finding::warning("clients", "who has no certificate is answered too", "give it --client-ca"),
    }
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
