//! `migsaw doctor`.

use std::path::PathBuf;

use clap::Args;

use super::Format;

/// Check an extender and the scheduler's configuration for it.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DoctorArgs {
    /// The extender's address, as the scheduler's `urlPrefix` has it
    #[arg(long, value_name = "URL", required_unless_present = "scheduler_config")]
    pub(crate) url: Option<String>,
    /// The CA of its certificate, PEM; the one in --scheduler-config goes before
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// The client's certificate, PEM; the one in --scheduler-config goes before
    #[arg(long, requires = "key", value_name = "FILE")]
    pub(crate) cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(long, requires = "cert", value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// The address of its probes, to ask whether it is ready
    #[arg(long, value_name = "URL")]
    pub(crate) health_url: Option<String>,
    /// The scheduler's configuration file, to check as well
    #[arg(long, value_name = "FILE")]
    pub(crate) scheduler_config: Option<PathBuf>,
    /// How to print
    #[arg(short = 'o', long, value_parser = Format::among(Format::DOCUMENT), default_value = "text", value_name = "FORMAT")]
    pub(crate) format: Format,
}

const EXAMPLES: &str = "\
Examples:
  migsaw doctor --url http://127.0.0.1:8888
      an extender on this machine
  migsaw doctor --url https://10.96.0.20:443 --ca ca.crt --cert client.crt --key client.key
      one in the cluster, as kube-scheduler calls it
  migsaw doctor --scheduler-config /etc/kubernetes/scheduler-config.yaml
      only the scheduler's configuration";
