//! Metrics from a URL: a scrape, or what Prometheus answers.

use std::borrow::Cow;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use reqwest::{Client, Url};
use serde::Deserialize;

use crate::cluster::install_tls;
use crate::failure::{Failure, Problem, Step};
use crate::input::Input;

/// How long a server may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// Series that DCGM exporter has for every instance, whichever of the two it is told to collect.
const QUERY: &str = r#"{__name__=~"DCGM_FI_DEV_FB_USED|DCGM_FI_PROF_GR_ENGINE_ACTIVE"}"#;

/// The URL that is given in place of a file.
pub(crate) fn url_of(path: &Path) -> Option<Url> {
    let text = path.to_str()?;
    if scheme_at(text)? > 0 {
        return None;
    }
    Url::parse(text).ok()
}

/// Where an address begins in a text. Whatever case it is in, and with no slashes behind it: it is an address all the
/// same.
fn scheme_at(text: &str) -> Option<usize> {
    let lower = text.to_ascii_lowercase();
    ["http:", "https:"].iter().filter_map(|scheme| lower.find(scheme)).min()
}

/// What is at a URL: as it is if it ends with `/metrics`, else the answer of the Prometheus server there to a query
/// for one series of each instance. At most `most` bytes.
pub(crate) fn metrics(url: &Url, most: u64) -> Result<Input> {
    let mut asked = url.clone();
    if !url.path().ends_with("/metrics") {
        let path = format!("{}/api/v1/query", url.path().trim_end_matches('/'));
        asked.set_path(&path);
        asked.query_pairs_mut().append_pair("query", QUERY);
    }
    let name = shown(url);
    on_runtime(get(&client()?, asked, &name, most))
}

/// An argument as it may be said.
pub(crate) fn without_secrets(argument: &str) -> Cow<'_, str> {
    let Some(begin) = scheme_at(argument) else { return Cow::Borrowed(argument) };
    let (before, text) = argument.split_at(begin);
    match Url::parse(text) {
        Ok(url)
            if url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none() =>
        {
            Cow::Borrowed(argument)
        }
        Ok(url) => Cow::Owned(format!("{before}{}", shown(&url))),
        // Whatever it is, it may have a password.
        Err(_) => Cow::Owned(format!("{before}…")),
    }
}

/// A URL as it may be said: whoever reads it need not know the password, nor a token of the query or
/// behind it.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Both fail for URLs that cannot have them only.
    let _ = (url.set_username(""), url.set_password(None));
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

/// A query over a range.
pub(crate) struct Range<'a> {
    /// The first point, in seconds since 1970.
    pub(crate) from: i64,
    /// No point is behind it.
    pub(crate) to: i64,
    /// Seconds between points.
    pub(crate) step: u32,
    /// Further labels that series must have, as queries have them.
    pub(crate) matchers: &'a [String],
}

/// Most points of a series that Prometheus answers with.
const MOST_POINTS: i64 = 11_000;
/// What is asked for over a range: who is on which instance, and what was seen of it.
const METRICS: &str = r#"__name__=~"DCGM_FI_DEV_FB_USED|DCGM_FI_PROF_GR_ENGINE_ACTIVE|DCGM_FI_PROF_SM_ACTIVE""#;

impl Range<'_> {
    /// The first and the last point of each request it takes.
    fn requests(&self) -> Vec<(i64, i64)> {
        let step = i64::from(self.step.max(1));
        let mut requests = Vec::new();
        let mut from = self.from;
        while from <= self.to {
            let last = from + step * ((self.to - from) / step).min(MOST_POINTS - 1);
            requests.push((from, last));
            from = last + step;
        }
        requests
    }
}

/// What the Prometheus server at a URL answers to a query over a range, one request after the other, each handed to
/// `take`. At most `most` bytes each.
pub(crate) fn range(url: &Url, range: &Range<'_>, most: u64, mut take: impl FnMut(&Input)) -> Result<()> {
    let client = client()?;
    let matchers: Vec<&str> = [METRICS].into_iter().chain(range.matchers.iter().map(String::as_str)).collect();
    let query = format!("{{{}}}", matchers.join(","));
    let path = format!("{}/api/v1/query_range", url.path().trim_end_matches('/'));
    let name = shown(url);
    on_runtime(async {
        for (from, to) in range.requests() {
            let mut asked = url.clone();
            asked.set_path(&path);
            let step = range.step.to_string();
            let (from, to) = (from.to_string(), to.to_string());
            let pairs = [("query", query.as_str()), ("start", &from), ("end", &to), ("step", &step)];
            asked.query_pairs_mut().extend_pairs(pairs);
            take(&get(&client, asked, &name, most).await?);
        }
        Ok(())
    })
}

fn client() -> Result<Client> {
    install_tls();
    let client = Client::builder().timeout(PATIENCE).build();
    client.context(Step::new("internal", "cannot set up HTTP"))
}

fn on_runtime<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context(Step::new("internal", "cannot start a thread"))?.block_on(work)
}

/// What is at a URL, which is called `name` in errors.
async fn get(client: &Client, asked: Url, name: &str, most: u64) -> Result<Input> {
    let failed = || Step::new("metrics-unreachable", format!("cannot read metrics from {name}"));
    let mut answer = client.get(asked).send().await.map_err(reqwest::Error::without_url).with_context(failed)?;
    let status = answer.status();
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(reqwest::Error::without_url).with_context(failed)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() as u64 > most {
            let message = format!("{name} has more than {} MiB, the most that is read", most >> 20);
            return Err(Failure::from(Problem::new("file-too-large", message)).into());
        }
    }
    // Prometheus says in the body what it does not like; others in between do not.
    if !status.is_success() && !serde_json::from_slice(&bytes).is_ok_and(|Refusal { error }| !error.is_empty()) {
        let problem = Problem::new("metrics-unreachable", format!("{name} answers {status}"));
        let help = "give the address of a Prometheus server, or that of an exporter with /metrics";
        return Err(Failure::from(problem.help(help)).into());
    }
    Ok(Input { name: name.to_owned(), bytes })
}

/// Why Prometheus gives no answer.
#[derive(Deserialize)]
struct Refusal {
    error: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_and_a_token_are_not_shown() {
        let url = Url::parse("http://user:secret@prometheus:9090/sub?token=secret").unwrap();
        assert_eq!(shown(&url), "http://prometheus:9090/sub");
        for (argument, said) in [
            ("--prometheus=https://user:secret@prometheus:9090", "--prometheus=https://prometheus:9090/"),
            ("http://prometheus:9090?token=secret", "http://prometheus:9090/"),
            ("HTTPS://user:secret@prometheus", "https://prometheus/"),
            ("--dcgm=Http://secret@prometheus/metrics", "--dcgm=http://prometheus/metrics"),
            ("https:user:secret@prometheus", "https://prometheus/"),
            ("http://prometheus:9090/#secret", "http://prometheus:9090/"),
            ("http://secret@:9090", "…"),
            ("http://prometheus:9090", "http://prometheus:9090"),
            ("--output=html", "--output=html"),
        ] {
            assert_eq!(without_secrets(argument), said);
        }
    }

    #[test]
    fn addresses_are_told_from_files() {
        for (path, url) in [
            ("http://prometheus:9090", Some("http://prometheus:9090/")),
            ("HTTPS://user:secret@prometheus", Some("https://user:secret@prometheus/")),
            ("Http:prometheus/metrics", Some("http://prometheus/metrics")),
            ("http://secret@:9090", None),
            ("scrapes/http:/a.prom", None),
            ("https.prom", None),
        ] {
            assert_eq!(url_of(Path::new(path)).as_ref().map(Url::as_str), url, "{path}");
        }
    }

    #[test]
    fn a_long_range_takes_several_requests_without_a_point_twice() {
        for (from, to, step) in [(0, 0, 60), (5, 4, 60), (0, 11_000 * 60, 60), (7, 2_678_407, 30), (0, 1_000_000, 7)] {
            let requests = Range { from, to, step, matchers: &[] }.requests();
            let mut points = Vec::new();
            for (first, last) in requests {
                let of_request: Vec<i64> = (first..=last).step_by(step as usize).collect();
                assert!(of_request.len() <= 11_000 && of_request.last() == Some(&last), "{from} {to} {step}");
                points.extend(of_request);
            }
            let expected: Vec<i64> = (from..=to).step_by(step as usize).collect();
            assert_eq!(points, expected, "{from} {to} {step}");
        }
    }
}
