//! Which cluster, and as whom.

use std::path::PathBuf;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use super::error::ClusterError;

/// How long the API server may take to answer.
const ANSWER: Duration = Duration::from_secs(5);
/// How long a page of a long list may take.
const LONG_ANSWER: Duration = Duration::from_secs(60);

/// Which cluster to talk to.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// The kubeconfig file. Without one: `KUBECONFIG`, then `~/.kube/config`, then the account of the pod this
    /// runs in.
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig; the current one if there is none.
    pub context: Option<String>,
}

/// A connection to a cluster's API server.
#[derive(Clone)]
pub struct Cluster {
    /// For short questions and for writing.
    pub(crate) client: Client,
    /// For long lists.
    pub(crate) reader: Client,
    /// For watches, which are quiet for longer than any answer may take.
    pub(crate) unhurried: Config,
    host: String,
}

impl Cluster {
    /// Connects. Nothing is asked yet.
    ///
    /// # Errors
    /// [`ClusterError::Config`] if there is no usable kubeconfig, or no such context in it.
    pub async fn connect(access: &Access) -> Result<Cluster, ClusterError> {
        let options = KubeConfigOptions { context: access.context.clone(), ..KubeConfigOptions::default() };
        let wrong = |error: &dyn std::error::Error| ClusterError::Config { reason: with_causes(error) };
        let mut config = match (&access.kubeconfig, &access.context) {
            (Some(path), _) => {
                let file = Kubeconfig::read_from(path).map_err(|error| wrong(&error))?;
                Config::from_custom_kubeconfig(file, &options).await.map_err(|error| wrong(&error))?
            }
            (None, Some(_)) => Config::from_kubeconfig(&options).await.map_err(|error| wrong(&error))?,
            (None, None) => Config::infer().await.map_err(|error| wrong(&error))?,
        };
        // What is repeated, and how often, is decided where it is known what repeating means.
        config.default_retry = false;
        config.connect_timeout = Some(ANSWER);
        config.read_timeout = Some(ANSWER);
        let host = config.cluster_url.to_string().trim_end_matches('/').to_owned();
        let mut long = config.clone();
        long.read_timeout = Some(LONG_ANSWER);
        let client = |config: Config| Client::try_from(config).map_err(|error| wrong(&error));
        let mut unhurried = config.clone();
        unhurried.read_timeout = None;
        Ok(Cluster { client: client(config)?, reader: client(long)?, unhurried, host })
    }

    /// A cluster that a client speaks for.
    #[cfg(test)]
    pub(crate) fn of(client: &Client) -> Cluster {
        let (unhurried, host) = (Config::new(http::Uri::from_static("http://test")), "http://test".to_owned());
        Cluster { client: client.clone(), reader: client.clone(), unhurried, host }
    }

    /// The API server's address.
    pub fn host(&self) -> &str {
        &self.host
    }
}

/// An error with everything that led to it, each thing once.
fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
