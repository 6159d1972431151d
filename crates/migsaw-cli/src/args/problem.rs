//! Where fleet and demand come from.

use std::path::PathBuf;

use clap::Args;

/// Where the fleet and the demand come from.
#[derive(Debug, Args)]
pub(crate) struct ProblemArgs {
    /// A scenario file (YAML or JSON); `-` for stdin
    #[arg(short = 'f', long = "file", value_name = "SCENARIO", help_heading = "Input")]
    pub(crate) scenario: Option<PathBuf>,
    /// What `kubectl get nodes,pods -A -o json` prints, or manifests: files, folders of files, `-` for
    /// stdin
    #[arg(long, value_name = "DUMP", num_args = 1.., help_heading = "Input")]
    pub(crate) from: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) cluster: ClusterArgs,
    /// The namespace of manifests that do not say theirs, as for `kubectl apply` (with --from)
    #[arg(short, long, requires = "from", value_name = "NAMESPACE", help_heading = "Input")]
    pub(crate) namespace: Option<String>,
    #[command(flatten)]
    pub(crate) geometry: GeometryArgs,
    /// Plan cordoned nodes and nodes that are not ready too (of a dump or the live cluster)
    #[arg(long, help_heading = "Input")]
    pub(crate) include_unavailable: bool,
    /// Start from how nodes are cut and what runs on them, instead of from scratch (with --from; what is read
    /// from the live cluster always does)
    #[arg(long, help_heading = "Input")]
    pub(crate) running: bool,
    /// What DCGM exporter says, so that it is known which GPU each pod is on: scrapes, or answers of Prometheus to
    /// a query like `DCGM_FI_DEV_FB_USED`; files, folders of files, `-` for stdin, or the URL of a Prometheus server
    /// or of an exporter's /metrics (with --running or --live)
    #[arg(long, value_name = "METRICS", num_args = 1.., help_heading = "Input")]
    pub(crate) dcgm: Vec<PathBuf>,
}

/// The live cluster, by the usual rules of kubeconfig files.
#[derive(Debug, Args)]
pub(crate) struct ClusterArgs {
    /// Read the live cluster, in the kubeconfig's current context
    #[arg(long, help_heading = "Cluster")]
    pub(crate) live: bool,
    #[command(flatten)]
    pub(crate) access: AccessArgs,
}

impl ClusterArgs {
    /// Whether the live cluster is to be read.
    pub(crate) fn is_live(&self) -> bool {
        self.live || self.access.context.is_some() || self.access.kubeconfig.is_some()
    }
}

/// Which cluster.
#[derive(Debug, Args)]
pub(crate) struct AccessArgs {
    /// The kubeconfig's context, instead of the current one
    #[arg(long, value_name = "NAME", help_heading = "Cluster")]
    pub(crate) context: Option<String>,
    /// The kubeconfig, instead of `KUBECONFIG` or ~/.kube/config
    #[arg(long, value_name = "FILE", help_heading = "Cluster")]
    pub(crate) kubeconfig: Option<PathBuf>,
    /// The GPU Operator's namespace
    #[arg(
        long,
        value_name = "NAMESPACE",
        env = "MIGSAW_OPERATOR_NAMESPACE",
        default_value = "gpu-operator",
        help_heading = "Cluster"
    )]
    pub(crate) operator_namespace: String,
}

/// GPU models besides the built-in ones.
#[derive(Debug, Args)]
pub(crate) struct GeometryArgs {
    /// A file with GPU models to add, or to take instead of built-in ones
    #[arg(long = "geometry", value_name = "FILE", help_heading = "Input")]
    pub(crate) files: Vec<PathBuf>,
}
