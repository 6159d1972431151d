//! `migsaw serve`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use migsaw_extender::SHORTLIST;

use super::duration::{at_least, duration, within};
use super::{AccessArgs, GeometryArgs};

/// Answer kube-scheduler as its extender.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "switches of the command line")]
pub(crate) struct ServeArgs {
    /// A YAML file with any of these, named like `planConfigMap: migsaw-plan`; flags and environment go before it
    #[arg(long, env = "MIGSAW_SERVE_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) access: AccessArgs,
    #[command(flatten)]
    pub(crate) geometry: GeometryArgs,
    /// Its own namespace, where the plan is
    #[arg(long, env = "POD_NAMESPACE", default_value = "migsaw", value_name = "NAMESPACE", help_heading = "Cluster")]
    pub(crate) namespace: String,
    /// The ConfigMap with the plan to honour, under the key `plan.json`: what `migsaw plan -o json` writes
    #[arg(
        long,
        env = "MIGSAW_SERVE_PLAN_CONFIG_MAP",
        default_value = "migsaw-plan",
        value_name = "NAME",
        help_heading = "Cluster"
    )]
    pub(crate) plan_config_map: String,
    /// Where kube-scheduler asks: /filter, /prioritize, /preempt, /bind
    #[arg(
        long,
        env = "MIGSAW_SERVE_LISTEN",
        default_value = "127.0.0.1:8888",
        value_name = "ADDRESS",
        help_heading = "Addresses"
    )]
    pub(crate) listen: SocketAddr,
    /// Where kubelet probes: /healthz, /readyz
    #[arg(
        long,
        env = "MIGSAW_SERVE_HEALTH_LISTEN",
        default_value = "127.0.0.1:8081",
        value_name = "ADDRESS",
        help_heading = "Addresses"
    )]
    pub(crate) health_listen: SocketAddr,
    /// Where Prometheus scrapes: /metrics
    #[arg(
        long,
        env = "MIGSAW_SERVE_METRICS_LISTEN",
        default_value = "127.0.0.1:9402",
        value_name = "ADDRESS",
        help_heading = "Addresses"
    )]
    pub(crate) metrics_listen: SocketAddr,
    /// The server's certificate, PEM; loaded anew when it changes
    #[arg(long, env = "MIGSAW_SERVE_TLS_CERT", requires = "tls_key", value_name = "FILE", help_heading = "TLS")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, env = "MIGSAW_SERVE_TLS_KEY", requires = "tls_cert", value_name = "FILE", help_heading = "TLS")]
    pub(crate) tls_key: Option<PathBuf>,
    /// The CA of clients, PEM: only those with a certificate of it may ask
    #[arg(long, env = "MIGSAW_SERVE_CLIENT_CA", requires = "tls_cert", value_name = "FILE", help_heading = "TLS")]
    pub(crate) client_ca: Option<PathBuf>,
    /// A name that a client's certificate may bear, as common name or DNS name; several times for several
    #[arg(
        long,
        env = "MIGSAW_SERVE_CLIENT_NAME",
        requires = "client_ca",
        value_delimiter = ',',
        value_name = "NAME",
        help_heading = "TLS"
    )]
    pub(crate) client_name: Vec<String>,
    /// Speak plain HTTP where other machines can reach it
    #[arg(long, env = "MIGSAW_SERVE_INSECURE_HTTP", num_args = 0..=1, default_missing_value = "true", default_value = "false", require_equals = true, hide_default_value = true, hide_possible_values = true, value_name = "YES", help_heading = "TLS")]
    pub(crate) insecure_http: bool,
    /// Bind pods too (`bindVerb: bind`)
    #[arg(long, env = "MIGSAW_SERVE_BIND", num_args = 0..=1, default_missing_value = "true", default_value = "false", require_equals = true, hide_default_value = true, hide_possible_values = true, value_name = "YES", help_heading = "Deciding")]
    pub(crate) bind: bool,
    /// The scheduler does not count slices itself (`ignoredByScheduler: true`)
    #[arg(long, env = "MIGSAW_SERVE_IGNORED_BY_SCHEDULER", num_args = 0..=1, default_missing_value = "true", default_value = "false", require_equals = true, hide_default_value = true, hide_possible_values = true, value_name = "YES", help_heading = "Deciding")]
    pub(crate) ignored_by_scheduler: bool,
    /// How long a pod keeps what it was promised if it is not seen there, 1s to 1h
    #[arg(long, env = "MIGSAW_SERVE_RESERVATION_TTL", default_value = "30s", value_parser = within(1, 3600), value_name = "DURATION", help_heading = "Deciding")]
    pub(crate) reservation_ttl: Duration,
    /// How many of the nodes that can take a pod are passed on to be scored, the best ones; 0 for all. All are, too, if
    /// the pod prefers some nodes itself
    #[arg(
        long,
        env = "MIGSAW_SERVE_SHORTLIST",
        default_value_t = SHORTLIST,
        value_name = "N",
        help_heading = "Deciding"
    )]
    pub(crate) shortlist: usize,
    /// Answer /debug/node/NAME and /debug/pod/NAMESPACE/NAME where kube-scheduler asks
    #[arg(long, env = "MIGSAW_SERVE_DEBUG", num_args = 0..=1, default_missing_value = "true", default_value = "false", require_equals = true, hide_default_value = true, hide_possible_values = true, value_name = "YES", help_heading = "Deciding")]
    pub(crate) debug: bool,
    /// Most requests in work; more are refused with 503
    #[arg(
        long,
        env = "MIGSAW_SERVE_MAX_IN_FLIGHT",
        default_value = "64",
        value_parser = clap::value_parser!(u32).range(1..=65_536),
        value_name = "N",
        help_heading = "Limits"
    )]
    pub(crate) max_in_flight: u32,
    /// The largest request
    #[arg(long, env = "MIGSAW_SERVE_MAX_BODY", default_value = "32Mi", value_parser = size, value_name = "SIZE", help_heading = "Limits")]
    pub(crate) max_body: usize,
    /// The longest a request may take
    #[arg(long, env = "MIGSAW_SERVE_REQUEST_TIMEOUT", default_value = "10s", value_parser = duration, value_name = "DURATION", help_heading = "Limits")]
    pub(crate) request_timeout: Duration,
    /// When told to stop: how long to go on answering, as not ready
    #[arg(long, env = "MIGSAW_SERVE_SHUTDOWN_DELAY", default_value = "5s", value_parser = duration, value_name = "DURATION", help_heading = "Limits")]
    pub(crate) shutdown_delay: Duration,
    /// After that: how long requests in work may take
    #[arg(long, env = "MIGSAW_SERVE_DRAIN_TIMEOUT", default_value = "10s", value_parser = duration, value_name = "DURATION", help_heading = "Limits")]
    pub(crate) drain_timeout: Duration,
    /// When the API server was not heard for so long, what is known is called stale: 70s or more, as a watch on which
    /// nothing happens is begun again each minute
    #[arg(long, env = "MIGSAW_SERVE_STALE_AFTER", default_value = "90s", value_parser = at_least(70), value_name = "DURATION", help_heading = "Limits")]
    pub(crate) stale_after: Duration,
    /// Be not ready while it is
    #[arg(long, env = "MIGSAW_SERVE_UNREADY_WHEN_STALE", num_args = 0..=1, default_missing_value = "true", default_value = "false", require_equals = true, hide_default_value = true, hide_possible_values = true, value_name = "YES", help_heading = "Limits")]
    pub(crate) unready_when_stale: bool,
    /// How often at most it is worked out, beside the requests, how much more fits, for the metrics; 0s for never
    #[arg(long, env = "MIGSAW_SERVE_CAPACITY_EVERY", default_value = "30s", value_parser = duration, value_name = "DURATION", help_heading = "Capacity")]
    pub(crate) capacity_every: Duration,
    /// How long that may take; what is not proven by then is counted
    #[arg(long, env = "MIGSAW_SERVE_CAPACITY_TIME_LIMIT", default_value = "10s", value_parser = duration, value_name = "DURATION", help_heading = "Capacity")]
    pub(crate) capacity_time_limit: Duration,
    /// How to log
    #[arg(
        long,
        env = "MIGSAW_SERVE_LOG_FORMAT",
        value_enum,
        default_value_t,
        value_name = "FORMAT",
        help_heading = "Log"
    )]
    pub(crate) log_format: LogFormat,
    /// What to log, like `info` or `info,migsaw_extender=debug`
    #[arg(long, env = "MIGSAW_SERVE_LOG", default_value = "info", value_name = "FILTER", help_heading = "Log")]
    pub(crate) log: String,
}

/// How to log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// A line for people.
    #[default]
    Text,
    /// A JSON object.
    Json,
}

const EXAMPLES: &str = "\
Examples:
  migsaw serve
      on this machine, with the kubeconfig's cluster, in plain HTTP
  migsaw serve --listen 0.0.0.0:8443 --tls-cert tls.crt --tls-key tls.key --client-ca ca.crt
      for a kube-scheduler elsewhere, which has to show a certificate
  migsaw doctor --url https://127.0.0.1:8443 --ca ca.crt
      is it wired up?

docs/scheduler.md has the KubeSchedulerConfiguration, deploy/chart the Helm chart.";

/// Reads `32Mi`, `512k` or a number of bytes.
fn size(text: &str) -> Result<usize, String> {
    let wrong = || format!("`{text}` is no size (expected like 32Mi, 512Ki or a number of bytes)");
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor: usize = match unit {
        "" => 1,
        "k" => 1000,
        "Ki" => 1 << 10,
        "M" => 1_000_000,
        "Mi" => 1 << 20,
        "Gi" => 1 << 30,
        _ => return Err(wrong()),
    };
    let number: usize = number.parse().map_err(|_| wrong())?;
    number.checked_mul(factor).filter(|&bytes| bytes > 0).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(clap::Parser)]
    struct Serve {
        #[command(flatten)]
        args: ServeArgs,
    }

    #[test]
    fn durations_that_cannot_work_are_refused() {
        use clap::Parser as _;
        for (argument, is_taken) in [
            ("--stale-after=70s", true),
            ("--stale-after=69s", false),
            ("--reservation-ttl=1h", true),
            ("--reservation-ttl=0s", false),
            ("--reservation-ttl=9223372036854775807s", false),
        ] {
            assert_eq!(Serve::try_parse_from(["serve", argument]).is_ok(), is_taken, "{argument}");
        }
    }

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [("1", Some(1)), ("32Mi", Some(32 << 20)), ("2k", Some(2000)), ("1Gi", Some(1 << 30))] {
            assert_eq!(size(text).ok(), bytes, "{text}");
        }
        for text in ["", "0", "Mi", "-1", "1.5Mi", "1Ti", "99999999999999999999"] {
            assert!(size(text).is_err(), "{text}");
        }
    }
}
