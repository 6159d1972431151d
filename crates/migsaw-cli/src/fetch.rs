//! Metrics from a URL: a scrape, or what Prometheus answers.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use reqwest::{Client, Url};

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
    if !text.starts_with("http://") && !text.starts_with("https://") {
        return None;
    }
    Url::parse(text).ok()
}

/// What is at a URL: as it is if it ends with `/metrics`, else the answer of the Prometheus server there to a query
/// for one series of each instance. At most `most` bytes.
pub(crate) fn metrics(url: &Url, most: u64) -> Result<Input> {
    install_tls();
    let mut asked = url.clone();
    if !url.path().ends_with("/metrics") {
        let path = format!("{}/api/v1/query", url.path().trim_end_matches('/'));
        asked.set_path(&path);
        asked.query_pairs_mut().append_pair("query", QUERY);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context(Step::new("internal", "cannot start a thread"))?;
    let name = url.to_string();
    runtime.block_on(async {
        let client = Client::builder().timeout(PATIENCE).build();
        let client = client.context(Step::new("internal", "cannot set up HTTP"))?;
        let failed = || Step::new("metrics-unreachable", format!("cannot read metrics from {name}"));
        let mut answer = client.get(asked).send().await.with_context(failed)?;
        let status = answer.status();
        // Prometheus says in the body what it does not like.
        let is_api =
            answer.headers().get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
        if !status.is_success() && !is_api {
            let problem = Problem::new("metrics-unreachable", format!("{name} answers {status}"));
            let help = "give the address of a Prometheus server, or that of an exporter with /metrics";
            return Err(Failure::from(problem.help(help)).into());
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.with_context(failed)? {
            bytes.extend_from_slice(&chunk);
            if bytes.len() as u64 > most {
                let message = format!("{name} has more than {} MiB, the most that is read", most >> 20);
                return Err(Failure::from(Problem::new("file-too-large", message)).into());
            }
        }
        Ok(Input { name: name.clone(), bytes })
    })
}
