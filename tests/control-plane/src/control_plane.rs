//! Starts and stops the servers.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{DynamicObject, GroupVersionKind, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config, Discovery, ResourceExt as _};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::OPERATOR;
use crate::binaries::Binaries;
use crate::certificates::Certificates;
use crate::process::Server;

/// How long the API server may take to be ready; more than enough on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// The servers, and how to reach them.
pub struct ControlPlane {
    /// Dropped first, so that nothing writes into the folder any more.
    scheduler: Server,
    _controllers: Server,
    api_server: Server,
    _etcd: Server,
    port: u16,
    certificates: Certificates,
    client: Client,
    kubeconfig: PathBuf,
    kubectl: Option<PathBuf>,
    helm: PathBuf,
    as_scheduler: PathBuf,
    folder: TempDir,
}

impl ControlPlane {
    /// Starts everything, with the operator's namespace; `None`, with a line on stderr, where the binaries are
    /// missing.
    ///
    /// # Errors
    /// If a server does not start.
    pub async fn start() -> Result<Option<ControlPlane>> {
        match Binaries::find() {
            Ok(binaries) => ControlPlane::with(&binaries).await.map(Some),
            Err(why) => {
                // Not captured, unlike what `eprintln` writes: nobody should take a skipped suite for a passed one.
                use std::io::Write as _;
                let _ = writeln!(std::io::stderr(), "skipped: {why}");
                Ok(None)
            }
        }
    }

    async fn with(binaries: &Binaries) -> Result<ControlPlane> {
        // Only the first one in a process is heard.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = TempDir::with_prefix("migsaw-control-plane")?;
        let path = folder.path().to_owned();
        let certificates = Certificates::write(&path)?;
        let [client_port, peer_port, port] = free_ports()?;
        let etcd = Server::start(binaries.path("etcd"), etcd_arguments(&path, client_port, peer_port), &path)?;
        let tokens = path.join("tokens.csv");
        fs::write(
            &tokens,
            "admin,admin,admin,system:masters\n\
             scheduler,system:kube-scheduler,scheduler\n\
             controllers,system:kube-controller-manager,controllers,system:masters\n",
        )?;
        let arguments = api_server_arguments(&certificates, &tokens, client_port, port);
        let mut api_server = Server::start(binaries.path("kube-apiserver"), arguments, &path)?;
        let kubeconfig = write_kubeconfig(&path, port, &certificates.ca, "admin")?;
        let client = client(&kubeconfig).await?;
        ready(&client, &mut api_server).await?;
        let as_scheduler = write_kubeconfig(&path, port, &certificates.ca, "scheduler")?;
        let as_controllers = write_kubeconfig(&path, port, &certificates.ca, "controllers")?;
        let common = ["--leader-elect=false", "--secure-port=0", "--kube-api-qps=500", "--kube-api-burst=1000"];
        let with = |kubeconfig: &Path| {
            let kubeconfig = format!("--kubeconfig={}", kubeconfig.display());
            common.into_iter().map(str::to_owned).chain([kubeconfig])
        };
        // Those that nothing stands in for: the node's lifecycle is made up here.
        let controllers = "--controllers=replicaset-controller,deployment-controller,statefulset-controller,job-controller,disruption-controller,garbage-collector-controller";
        let scheduler = Server::start(binaries.path("kube-scheduler"), with(&as_scheduler).collect(), &path)?;
        let arguments = with(&as_controllers).chain([controllers.to_owned()]).collect();
        let controllers = Server::start(binaries.path("kube-controller-manager"), arguments, &path)?;
        let optional = |name: &str| Some(binaries.path(name)).filter(|path| path.exists());
        let plane = ControlPlane {
            scheduler,
            _controllers: controllers,
            api_server,
            _etcd: etcd,
            port,
            certificates,
            client,
            kubeconfig,
            kubectl: optional("kubectl"),
            helm: binaries.path("helm"),
            as_scheduler,
            folder,
        };
        plane.create_namespace(OPERATOR).await?;
        Ok(plane)
    }

    /// A client with all rights.
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// A kubeconfig with all rights.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// Where kubectl is, if it is beside the servers.
    pub fn kubectl(&self) -> Option<&Path> {
        self.kubectl.as_deref()
    }

    /// The CA of every certificate here.
    pub fn ca(&self) -> &Path {
        &self.certificates.ca
    }

    /// A new certificate for this machine, with a common name, and its key.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn certificate(&self, name: &str) -> Result<[PathBuf; 2]> {
        self.certificates.issue(name)
    }

    /// Stops the scheduler; [`ControlPlane::extend_scheduler`] starts it again.
    pub fn stop_scheduler(&mut self) {
        self.scheduler.kill();
    }

    /// Starts the scheduler again, with these extenders: entries of a `KubeSchedulerConfiguration`.
    ///
    /// # Errors
    /// If it does not start.
    pub fn extend_scheduler(&mut self, extenders: &Value) -> Result<()> {
        let config = json!({
            "apiVersion": "kubescheduler.config.k8s.io/v1", "kind": "KubeSchedulerConfiguration",
            "clientConnection": {"kubeconfig": self.as_scheduler, "qps": 1000, "burst": 2000},
            "leaderElection": {"leaderElect": false},
            "percentageOfNodesToScore": 100,
            "extenders": extenders,
        });
        let path = self.folder.path().join("scheduler.json");
        fs::write(&path, config.to_string())?;
        let arguments = vec![format!("--config={}", path.display()), "--secure-port=0".to_owned()];
        self.scheduler.start_with(arguments)
    }

    /// Where helm is.
    pub fn helm(&self) -> &Path {
        &self.helm
    }

    /// What the chart in a folder renders to with these values.
    ///
    /// # Errors
    /// If it does not render.
    pub fn render_chart(&self, chart: &Path, namespace: &str, values: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.helm);
        command.arg("template").arg("migsaw").arg(chart).args(["--namespace", namespace, "--kube-version", "1.36.0"]);
        let output = command.args(values.iter().flat_map(|value| ["--set", value])).output()?;
        if !output.status.success() {
            bail!("helm: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// A kubeconfig with the rights of a service account.
    ///
    /// # Errors
    /// If the account does not exist.
    pub async fn kubeconfig_of(&self, namespace: &str, account: &str) -> Result<PathBuf> {
        use k8s_openapi::api::authentication::v1::TokenRequest;
        use k8s_openapi::api::core::v1::ServiceAccount;
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client(), namespace);
        let request: TokenRequest =
            serde_json::from_value(json!({"spec": {"audiences": [], "expirationSeconds": 7200}}))?;
        let answer = accounts.create_token_request(account, &PostParams::default(), &request).await?;
        let token = answer.status.context("the answer has no token")?.token;
        write_kubeconfig(self.folder.path(), self.port, &self.certificates.ca, &token)
    }

    /// Makes the objects of a manifest, as `kubectl apply` would.
    ///
    /// # Errors
    /// If it cannot be read, has a kind the API server does not know, or is refused.
    pub async fn apply_manifest(&self, manifest: &str) -> Result<()> {
        let known = Discovery::new(self.client()).run().await?;
        for document in serde_saphyr::from_multiple::<DynamicObject>(manifest)? {
            let types = document.types.clone().context("an object has no kind")?;
            let (resource, _) = known.resolve_gvk(&GroupVersionKind::try_from(&types)?).context("an unknown kind")?;
            let api: Api<DynamicObject> = match document.namespace() {
                Some(namespace) => Api::namespaced_with(self.client(), &namespace, &resource),
                None => Api::all_with(self.client(), &resource),
            };
            api.patch(&document.name_any(), &PatchParams::apply("kubectl"), &Patch::Apply(&document)).await?;
        }
        Ok(())
    }

    /// Kills the API server, and starts it again after some time.
    ///
    /// # Errors
    /// If it does not come back.
    pub async fn restart_api_server(&mut self, down: Duration) -> Result<()> {
        self.api_server.kill();
        tokio::time::sleep(down).await;
        self.api_server.start_again()?;
        ready(&self.client, &mut self.api_server).await
    }

    /// Makes a namespace.
    ///
    /// # Errors
    /// If the API server refuses it.
    pub async fn create_namespace(&self, name: &str) -> Result<()> {
        let namespace: Namespace = serde_json::from_value(json!({"metadata": {"name": name}}))?;
        Api::all(self.client()).create(&PostParams::default(), &namespace).await?;
        Ok(())
    }
}

async fn ready(client: &Client, api_server: &mut Server) -> Result<()> {
    let start = Instant::now();
    loop {
        let request = http::Request::get("/readyz").body(Vec::new())?;
        match client.request_text(request).await {
            Ok(_) => return Ok(()),
            Err(_) if api_server.ended().is_none() && start.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            Err(error) => match api_server.ended() {
                Some(log) => bail!("{log}"),
                None => return Err(error).context("the API server does not get ready"),
            },
        }
    }
}

fn etcd_arguments(folder: &Path, client: u16, peer: u16) -> Vec<String> {
    let (client, peer) = (format!("http://127.0.0.1:{client}"), format!("http://127.0.0.1:{peer}"));
    vec![
        format!("--data-dir={}", folder.join("etcd").display()),
        format!("--listen-client-urls={client}"),
        format!("--advertise-client-urls={client}"),
        format!("--listen-peer-urls={peer}"),
        format!("--initial-advertise-peer-urls={peer}"),
        format!("--initial-cluster=default={peer}"),
    ]
}

fn api_server_arguments(certificates: &Certificates, tokens: &Path, etcd: u16, port: u16) -> Vec<String> {
    vec![
        format!("--etcd-servers=http://127.0.0.1:{etcd}"),
        "--bind-address=127.0.0.1".to_owned(),
        "--advertise-address=127.0.0.1".to_owned(),
        format!("--secure-port={port}"),
        format!("--tls-cert-file={}", certificates.server.display()),
        format!("--tls-private-key-file={}", certificates.server_key.display()),
        format!("--token-auth-file={}", tokens.display()),
        "--authorization-mode=RBAC".to_owned(),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        format!("--service-account-key-file={}", certificates.accounts_public.display()),
        format!("--service-account-signing-key-file={}", certificates.accounts_key.display()),
        "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
        "--endpoint-reconciler-type=none".to_owned(),
        // Pods need no account of their own here, and a node is ready when it says so.
        "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition".to_owned(),
    ]
}

/// Ports that are free now.
fn free_ports<const N: usize>() -> Result<[u16; N]> {
    // All are held until all are known, so that they differ.
    let mut held = Vec::new();
    let mut ports = [0; N];
    for port in &mut ports {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        *port = listener.local_addr()?.port();
        held.push(listener);
    }
    Ok(ports)
}

fn write_kubeconfig(folder: &Path, port: u16, ca: &Path, token: &str) -> Result<PathBuf> {
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{"name": "test", "cluster": {"server": format!("https://127.0.0.1:{port}"), "certificate-authority": ca}}],
        "users": [{"name": "test", "user": {"token": token}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    });
    let name: String = token.chars().rev().take(12).filter(char::is_ascii_alphanumeric).collect();
    let path = folder.join(format!("kubeconfig-{name}.json"));
    fs::write(&path, config.to_string())?;
    Ok(path)
}

async fn client(kubeconfig: &Path) -> Result<Client> {
    let config =
        Config::from_custom_kubeconfig(Kubeconfig::read_from(kubeconfig)?, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}
