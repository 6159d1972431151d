//! The live cluster: connecting, reading, and what is said when that fails.

use anyhow::{Context, Result};
use jiff::Timestamp;
use migsaw_kube::apply::{ApplyError, PublishError, RecordError};
use migsaw_kube::cluster::{Access, Cluster, ClusterError};
use migsaw_kube::dump::{Reader, Source};
use migsaw_report::clean;
use tokio::runtime::{Builder, Runtime};

use crate::args::AccessArgs;
use crate::failure::{Failure, Problem, Step};
use crate::io::Io;
use crate::output::say;
use crate::progress::Progress;

/// A cluster, with the threads that talk to it: their own, so that nothing that takes long here keeps a Lease from
/// being renewed.
pub(crate) struct Connection {
    pub(crate) cluster: Cluster,
    pub(crate) runtime: Runtime,
}

impl Connection {
    /// Connects as the arguments say. Nothing is asked yet.
    pub(crate) fn open(args: &AccessArgs) -> Result<Connection> {
        install_tls();
        let access = Access { kubeconfig: args.kubeconfig.clone(), context: args.context.clone() };
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.context(Step::new("internal", "cannot start threads"))?;
        let cluster = runtime.block_on(Cluster::connect(&access)).map_err(|error| wrong(&error))?;
        Ok(Connection { cluster, runtime })
    }

    /// Reads what a plan needs, and says what could not be read.
    pub(crate) fn read(&self, namespace: &str, io: &mut Io<'_>) -> Result<Reader> {
        let mut reader = Reader::default();
        self.read_into(namespace, |source| reader.add(source), io)?;
        Ok(reader)
    }

    /// The same, for whoever takes it.
    pub(crate) fn read_into(&self, namespace: &str, take: impl FnMut(&Source<'_>), io: &mut Io<'_>) -> Result<()> {
        if let Some(read) = io.was_read() {
            read.live(Timestamp::now());
        }
        let message = format!("reading {}", self.cluster.host());
        let progress = Progress::start(message, io.terminal.stderr, io.terminal.unicode);
        let not_read = self.runtime.block_on(self.cluster.read(namespace, take));
        drop(progress);
        for missing in not_read.map_err(|error| wrong(&error))? {
            say(io, &format!("not read, for lack of rights: {} ({})", missing.kind, clean(&missing.message)));
        }
        Ok(())
    }
}

/// Chooses the one implementation of TLS there is here.
pub(crate) fn install_tls() {
    // Refused only where there is one already.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// A cluster's refusal, with what to do about it.
pub(crate) fn wrong(error: &ClusterError) -> Failure {
    let problem = Problem::new(error.code(), error.to_string());
    Failure::from(match error {
        ClusterError::Config { .. } => {
            problem.help("`kubectl config get-contexts` shows the contexts; --kubeconfig and --context choose one")
        }
        ClusterError::Forbidden { .. } => problem.help("deploy/rbac.yaml has the rights that are needed"),
        ClusterError::NoNamespace { .. } => problem.help("--operator-namespace says where the GPU Operator is"),
        ClusterError::Unreachable { .. } => problem.help("does `kubectl get nodes` work?"),
        _ => problem,
    })
}

/// Why nothing (more) was applied, with what to do about it.
pub(crate) fn not_applied(error: &ApplyError, namespace: &str) -> Failure {
    let problem = |code: &str| Problem::new(code, error.to_string());
    Failure::from(match error {
        ApplyError::Cluster(error) | ApplyError::Publish(PublishError::Cluster(error)) => return wrong(error),
        ApplyError::Stopped => problem("stopped"),
        ApplyError::Meanwhile { .. } => problem("rollout-meanwhile").help("run it again: it then goes on with that one"),
        ApplyError::Changed { .. } => {
            problem("cluster-changed").help("nothing was changed; run it again, and it is planned anew")
        }
        ApplyError::Held(_) => {
            problem("apply-held").help("wait for it to end; if it is gone, its Lease runs out by itself")
        }
        ApplyError::Unplanned { .. } => problem("pods-not-planned").help(
            "they hold slices of nodes that are to be cut; what was said when the cluster was read tells why they are not planned; if they have only just come, run it again",
        ),
        ApplyError::Record(RecordError::TooLarge { .. }) => problem("rollout-record"),
        ApplyError::Record(_) => {
            problem("rollout-record").help(format!(
                "kubectl -n {namespace} get configmap migsaw-rollout -o go-template='{{{{index .binaryData \"rollout.json.gz\"}}}}' | base64 -d | gunzip"
            ))
        }
        ApplyError::Publish(PublishError::OtherConfigMap { policy, name, found }) => {
            let patch = format!("{{\"spec\":{{\"migManager\":{{\"config\":{{\"name\":\"{name}\"}}}}}}}}");
            problem("config-map-not-read").help(format!(
                "once: kubectl patch clusterpolicies.nvidia.com/{policy} --type merge -p '{patch}'; or write to that one: --config-map {found}"
            ))
        }
        ApplyError::Publish(PublishError::Conflict { .. }) => {
            problem("config-map-conflict").help("take it over with --force-conflicts")
        }
        ApplyError::Publish(PublishError::TooLarge(_)) => problem("config-map-too-large"),
        _ => problem("apply"),
    })
}
