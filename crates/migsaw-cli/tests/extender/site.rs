//! A cluster whose scheduler asks migsaw.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use migsaw_control_plane::{ControlPlane, GpuNode, Kubelet};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, MutexGuard};

/// One cluster at a time: two cores are few.
static TURN: Mutex<()> = Mutex::const_new(());

/// The namespace of the pods.
pub(crate) const NAMESPACE: &str = "research";
/// The namespace of the extender.
const OWN: &str = "migsaw";
/// The slice that every node offers 56 of.
pub(crate) const SEVENTH: &str = "nvidia.com/mig-1g.10gb";

/// Nodes gpu-1 and so on, all cut into sevenths.
pub(crate) struct Site {
    pub(crate) plane: ControlPlane,
    account: PathBuf,
    certificate: [PathBuf; 2],
    _kubelet: Kubelet,
    _turn: MutexGuard<'static, ()>,
}

impl Site {
    /// `None` where there is no control plane.
    pub(crate) async fn new(nodes: u32) -> Option<Site> {
        let turn = TURN.lock().await;
        let plane = ControlPlane::start().await.unwrap()?;
        let client = plane.client();
        for node in 1..=nodes {
            GpuNode::h100(format!("gpu-{node}"), "all-1g.10gb", &[(SEVENTH, 56)]).create(&client).await.unwrap();
        }
        plane.create_namespace(NAMESPACE).await.unwrap();
        plane.create_namespace(OWN).await.unwrap();
        let account = account(&plane).await;
        let certificate = plane.certificate("extender").unwrap();
        let kubelet = Kubelet::start(client, Duration::from_millis(100));
        Some(Site { plane, account, certificate, _kubelet: kubelet, _turn: turn })
    }

    pub(crate) fn client(&self) -> Client {
        self.plane.client()
    }

    /// `migsaw serve` with the chart's rights, TLS and client certificates; ready when this comes back.
    pub(crate) async fn serve(&self, port: u16, more: &[&str]) -> Serving {
        let [certificate, key] = &self.certificate;
        let mut command = Command::new(env!("CARGO_BIN_EXE_migsaw"));
        command.arg("serve").env("KUBECONFIG", &self.account);
        command.args(["--log-format", "json", "--namespace", OWN, "--client-name", "kube-scheduler"]);
        command.args(["--health-listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]);
        command.args(["--shutdown-delay", "1s", "--listen", &format!("127.0.0.1:{port}")]);
        command.arg("--tls-cert").arg(certificate).arg("--tls-key").arg(key).arg("--client-ca").arg(self.plane.ca());
        command.args(more).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut addresses = Value::Null;
        let mut seen = Vec::new();
        loop {
            let Some(line) = lines.next_line().await.unwrap() else { panic!("it ended:\n{}", seen.join("\n")) };
            let entry: Value = serde_json::from_str(&line).unwrap_or_default();
            match entry["message"].as_str() {
                Some("listening") => addresses = entry,
                Some(text) if text.starts_with("ready") => break,
                _ => {}
            }
            seen.push(line);
        }
        let log = tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                seen.push(line);
            }
            seen
        });
        let address = |of: &str| addresses[of].as_str().unwrap().to_owned();
        Serving { child, log, health: address("health"), metrics: address("metrics") }
    }

    /// An entry for the scheduler's configuration, for an extender at this port.
    pub(crate) fn entry(&self, port: u16) -> Value {
        let [certificate, key] = self.plane.certificate("kube-scheduler").unwrap();
        json!({
            "urlPrefix": format!("https://127.0.0.1:{port}"),
            "filterVerb": "filter", "prioritizeVerb": "prioritize", "preemptVerb": "preempt", "weight": 5,
            "nodeCacheCapable": true, "httpTimeout": "5s", "enableHTTPS": true,
            "tlsConfig": {"caFile": self.plane.ca(), "certFile": certificate, "keyFile": key},
            "managedResources": [{"name": SEVENTH, "ignoredByScheduler": false}],
        })
    }

    /// A client with the scheduler's certificate.
    pub(crate) fn caller(&self) -> reqwest::Client {
        let [certificate, key] = self.plane.certificate("kube-scheduler").unwrap();
        let pem = [std::fs::read(key).unwrap(), std::fs::read(certificate).unwrap()].concat();
        let ca = reqwest::Certificate::from_pem(&std::fs::read(self.plane.ca()).unwrap()).unwrap();
        let builder = reqwest::Client::builder().tls_certs_only([ca]).no_proxy();
        builder.identity(reqwest::Identity::from_pem(&pem).unwrap()).build().unwrap()
    }

    /// Makes pods; `spec` has what differs from pods that ask for one seventh.
    pub(crate) async fn pods(&self, name: &str, count: u32, spec: Value) {
        let pods: Api<Pod> = Api::namespaced(self.client(), NAMESPACE);
        let mut full = json!({
            "terminationGracePeriodSeconds": 1,
            "containers": [{"name": "main", "image": "main", "resources": {"limits": {SEVENTH: "1"}}}],
        });
        full.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        for i in 0..count {
            let pod = json!({"metadata": {"name": format!("{name}-{i}"), "labels": {"app": name}}, "spec": full});
            pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
        }
    }

    /// Where pods are: by node, with those on none under an empty name.
    pub(crate) async fn whereabouts(&self, name: &str) -> BTreeMap<String, u32> {
        let pods: Api<Pod> = Api::namespaced(self.client(), NAMESPACE);
        let mut found = BTreeMap::new();
        for pod in pods.list(&ListParams::default().labels(&format!("app={name}"))).await.unwrap() {
            *found.entry(pod.spec.unwrap().node_name.unwrap_or_default()).or_insert(0) += 1;
        }
        found
    }

    /// Waits until all of these pods are on nodes, and says where.
    pub(crate) async fn await_bound(&self, name: &str) -> BTreeMap<String, u32> {
        let mut found = BTreeMap::new();
        for _ in 0..1200 {
            found = self.whereabouts(name).await;
            if !found.contains_key("") {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("not all are bound: {found:?}, {:?}", self.message(&format!("{name}-0")).await)
    }

    /// What a pod is told of why it waits.
    pub(crate) async fn message(&self, pod: &str) -> String {
        let pods: Api<Pod> = Api::namespaced(self.client(), NAMESPACE);
        let conditions = pods.get(pod).await.unwrap().status.and_then(|status| status.conditions).unwrap_or_default();
        let scheduled = conditions.into_iter().find(|condition| condition.type_ == "PodScheduled");
        scheduled.and_then(|condition| condition.message).unwrap_or_default()
    }

    /// Waits until a pod's message has this in it.
    pub(crate) async fn await_message(&self, pod: &str, part: &str) {
        let mut message = String::new();
        for _ in 0..600 {
            message = self.message(pod).await;
            if message.contains(part) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("`{message}` has no `{part}`")
    }

    /// Changes a node.
    pub(crate) async fn patch_node(&self, node: &str, patch: Value) {
        let nodes: Api<Node> = Api::all(self.client());
        nodes.patch(node, &PatchParams::default(), &Patch::Merge(&patch)).await.unwrap();
    }

    /// Nodes on which pods hold more than there is.
    pub(crate) async fn overcommitted(&self) -> Vec<(String, u32)> {
        let pods: Api<Pod> = Api::all(self.client());
        let mut held: BTreeMap<String, u32> = BTreeMap::new();
        for pod in pods.list(&ListParams::default()).await.unwrap() {
            let over = pod.status.and_then(|status| status.phase).is_some_and(|p| p == "Failed" || p == "Succeeded");
            if let Some(node) = pod.spec.unwrap().node_name.filter(|_| !over) {
                *held.entry(node).or_insert(0) += 1;
            }
        }
        held.retain(|_, pods| *pods > 56);
        held.into_iter().collect()
    }
}

/// The account of the chart, with its rights.
async fn account(plane: &ControlPlane) -> PathBuf {
    let chart = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../deploy/chart");
    let values =
        ["image.repository=registry.example.com/migsaw", "bind=true", "tls.source=secret", "tls.existingSecret=tls"];
    let rendered = plane.render_chart(&chart, OWN, &values).unwrap();
    let kinds = ["ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];
    let is_one = |part: &&str| kinds.iter().any(|kind| part.lines().any(|line| line == format!("kind: {kind}")));
    let parts: Vec<&str> = rendered.split("\n---\n").filter(is_one).collect();
    plane.apply_manifest(&parts.join("\n---\n")).await.unwrap();
    let accounts: Api<k8s_openapi::api::core::v1::ServiceAccount> = Api::namespaced(plane.client(), OWN);
    let names: Vec<String> =
        accounts.list(&ListParams::default()).await.unwrap().iter().map(ResourceExt::name_any).collect();
    let name = names.iter().find(|name| *name != "default").unwrap();
    plane.kubeconfig_of(OWN, name).await.unwrap()
}

/// A running `migsaw serve`.
pub(crate) struct Serving {
    child: Child,
    log: tokio::task::JoinHandle<Vec<String>>,
    pub(crate) health: String,
    pub(crate) metrics: String,
}

impl Serving {
    /// Kills it, as a crash would.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Tells it to stop, and waits until it has; gives its exit code and its log.
    pub(crate) async fn stop(mut self) -> (i32, Vec<String>) {
        let pid = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
        let code = self.child.wait().await.unwrap().code().unwrap();
        (code, self.log.await.unwrap())
    }

    /// What `/readyz` says.
    pub(crate) async fn readiness(&self) -> Value {
        let answer = reqwest::get(format!("http://{}/readyz", self.health)).await.unwrap();
        answer.json().await.unwrap()
    }

    /// A metric's value, the sum over its labels.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let text = reqwest::get(format!("http://{}/metrics", self.metrics)).await.unwrap().text().await.unwrap();
        let lines = text.lines().filter(|line| line.starts_with(name));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }
}

/// A port that is free now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
