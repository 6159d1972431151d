//! A cluster with GPU nodes, pods on them, and migsaw beside it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Node, Pod};
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt as _};
use migsaw_control_plane::{BudgetWatch, ControlPlane, GpuNode, Kubelet, MigManager, OPERATOR, Workload};
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, MutexGuard};

/// One cluster at a time: two cores are few.
static TURN: Mutex<()> = Mutex::const_new(());

/// The namespace of the pods.
pub(crate) const NAMESPACE: &str = "research";
/// What every node is labelled with at first.
pub(crate) const SEVENTHS: &str = "all-1g.10gb";
/// The label.
pub(crate) const LABEL: &str = "nvidia.com/mig.config";
/// The mark.
pub(crate) const MARK: &str = "migsaw.io/rollout";

/// How fast the stand-ins are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    /// How long a pod takes to end.
    pub(crate) ending: Duration,
    /// How long MIG Manager takes.
    pub(crate) cutting: Duration,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace { ending: Duration::from_millis(100), cutting: Duration::from_millis(300) }
    }
}

/// A cluster whose nodes are all cut into sevenths: pods that hold some run on all of them, and others wait for
/// halves.
pub(crate) struct Site {
    pub(crate) plane: ControlPlane,
    pub(crate) manager: MigManager,
    pub(crate) budgets: BudgetWatch,
    pub(crate) running: Vec<Workload<'static>>,
    pub(crate) waiting: Vec<Workload<'static>>,
    kubeconfig: PathBuf,
    _kubelet: Kubelet,
    _turn: MutexGuard<'static, ()>,
}

impl Site {
    /// Nodes gpu-01 and so on; `None` where there is no control plane.
    pub(crate) async fn new(nodes: u32, pace: Pace) -> Option<Site> {
        let running = Workload {
            namespace: NAMESPACE,
            name: "llm",
            profile: "1g.10gb",
            replicas: nodes * 20,
            max_unavailable: Some(nodes * 11),
        };
        let waiting =
            Workload { name: "train", profile: "3g.40gb", replicas: nodes * 8, max_unavailable: None, ..running };
        Site::with(sevenths(nodes), vec![running], vec![waiting], pace).await
    }

    pub(crate) async fn with(
        nodes: Vec<GpuNode>,
        running: Vec<Workload<'static>>,
        waiting: Vec<Workload<'static>>,
        pace: Pace,
    ) -> Option<Site> {
        let turn = TURN.lock().await;
        let plane = ControlPlane::start().await.unwrap()?;
        let client = plane.client();
        for node in nodes {
            node.create(&client).await.unwrap();
        }
        let kubelet = Kubelet::start(client.clone(), pace.ending);
        let manager = MigManager::start(client.clone(), "migsaw-mig-config", pace.cutting);
        plane.create_namespace(NAMESPACE).await.unwrap();
        for workload in &running {
            workload.create(&client).await.unwrap();
        }
        for workload in &running {
            workload.await_running(&client, workload.replicas).await.unwrap();
            workload.await_budget(&client).await.unwrap();
        }
        let budgets = BudgetWatch::start(client.clone(), NAMESPACE);
        let kubeconfig = plane.kubeconfig().to_owned();
        let site = Site { plane, manager, budgets, running, waiting, kubeconfig, _kubelet: kubelet, _turn: turn };
        for workload in &site.waiting {
            workload.create(&site.client()).await.unwrap();
            // Until they exist, nobody can plan for them.
            while site.pods(workload.name).await.len() < workload.replicas as usize {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        Some(site)
    }

    pub(crate) fn client(&self) -> Client {
        self.plane.client()
    }

    /// Acts as another account from now on.
    pub(crate) fn be(&mut self, kubeconfig: PathBuf) {
        self.kubeconfig = kubeconfig;
    }

    /// migsaw, with arguments.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_migsaw"));
        command.args(arguments).env("KUBECONFIG", &self.kubeconfig).kill_on_drop(true);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs migsaw: exit code, stdout, stderr.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Said {
        Said::of(&self.command(arguments).output().await.unwrap())
    }

    /// An apply that does not ask and waits for nothing longer than a test can.
    pub(crate) fn apply(&self, more: &[&str]) -> Command {
        self.command(&acting(&["apply", "--yes", "--config-delay", "0s"], more))
    }

    pub(crate) async fn applied(&self, more: &[&str]) -> Said {
        Said::of(&self.apply(more).output().await.unwrap())
    }

    pub(crate) async fn aborted(&self, more: &[&str]) -> Said {
        self.run(&acting(&["abort"], more)).await
    }

    pub(crate) async fn nodes(&self) -> Vec<Node> {
        let nodes: Api<Node> = Api::all(self.client());
        nodes.list(&ListParams::default()).await.unwrap().items
    }

    pub(crate) async fn node(&self, name: &str) -> Node {
        Api::<Node>::all(self.client()).get(name).await.unwrap()
    }

    pub(crate) async fn pods(&self, app: &str) -> Vec<Pod> {
        let pods: Api<Pod> = Api::namespaced(self.client(), NAMESPACE);
        pods.list(&ListParams::default().labels(&format!("app={app}"))).await.unwrap().items
    }

    /// The nodes that are cordoned or marked.
    pub(crate) async fn held(&self) -> Vec<String> {
        let is_held = |node: &Node| {
            node.spec.as_ref().and_then(|spec| spec.unschedulable) == Some(true)
                || node.annotations().contains_key(MARK)
        };
        self.nodes().await.iter().filter(|node| is_held(node)).map(Node::name_any).collect()
    }

    /// How many nodes have each configuration.
    pub(crate) async fn configurations(&self) -> BTreeMap<String, usize> {
        let mut found = BTreeMap::new();
        for node in self.nodes().await {
            *found.entry(label(&node, LABEL)).or_insert(0) += 1;
        }
        found
    }

    /// The version of every node, and of the `ConfigMaps` migsaw writes.
    pub(crate) async fn versions(&self) -> BTreeMap<String, Option<String>> {
        let maps: Api<ConfigMap> = Api::namespaced(self.client(), OPERATOR);
        let maps = maps.list(&ListParams::default()).await.unwrap();
        let maps = maps.iter().map(|map| (map.name_any(), map.resource_version()));
        let nodes = self.nodes().await;
        maps.chain(nodes.iter().map(|node| (node.name_any(), node.resource_version()))).collect()
    }

    /// Everything is as a finished rollout leaves it: all pods run, no node is held, no pod held slices of a node
    /// that was cut, and no budget was ever broken.
    pub(crate) async fn assert_finished(&self) {
        for workload in self.running.iter().chain(&self.waiting) {
            workload.await_running(&self.client(), workload.replicas).await.unwrap();
        }
        assert_eq!(self.held().await, Vec::<String>::new());
        self.assert_unbroken();
        let diff = self.run(&["diff", "--live"]).await;
        assert_eq!(diff.code, 0, "{diff:?}");
    }

    /// No pod held slices of a node that was cut, and no budget was ever broken.
    pub(crate) fn assert_unbroken(&self) {
        assert_eq!(self.manager.busy(), Vec::<String>::new());
        for workload in &self.running {
            let least = self.budgets.least()[workload.name];
            let promised = workload.replicas.saturating_sub(workload.max_unavailable.unwrap_or(workload.replicas));
            assert!(least >= promised as usize, "{least} of {promised} pods of {} were ready", workload.name);
        }
    }

    /// Whatever is cordoned is marked, and the other way round.
    pub(crate) async fn assert_marked(&self) {
        for node in self.nodes().await {
            let is_cordoned = node.spec.as_ref().and_then(|spec| spec.unschedulable) == Some(true);
            assert_eq!(is_cordoned, node.annotations().contains_key(MARK), "{}", node.name_any());
        }
    }

    /// Makes a workload that waits for halves have so many pods.
    pub(crate) async fn scale(&self, name: &'static str, replicas: u32) {
        let deployments: Api<Deployment> = Api::namespaced(self.client(), NAMESPACE);
        if deployments.get_opt(name).await.unwrap().is_none() {
            let workload = Workload { name, profile: "2g.20gb", replicas, ..self.waiting[0] };
            workload.create(&self.client()).await.unwrap();
        }
        let patch = json!({"spec": {"replicas": replicas}});
        deployments.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
        while self.pods(name).await.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).count()
            != replicas as usize
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // Pods that end hold their slices until they are gone.
        while self.pods(name).await.len() != replicas as usize {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until all pods of a workload run that waits at first, and those that ran do again.
    pub(crate) async fn await_bound(&self, name: &'static str) {
        let workload = Workload { name, ..self.waiting[0] };
        workload.await_running(&self.client(), workload.replicas).await.unwrap();
        for workload in &self.running {
            workload.await_running(&self.client(), workload.replicas).await.unwrap();
        }
    }

    /// A controller for pods that no real one is to have: somebody has to own them who is there, or they are collected
    /// as garbage; who it is makes no difference.
    pub(crate) async fn owner(&self) -> Value {
        let maps: Api<ConfigMap> = Api::namespaced(self.client(), NAMESPACE);
        let map = serde_json::from_value(json!({"metadata": {"name": "owner"}})).unwrap();
        let uid = maps.create(&PostParams::default(), &map).await.unwrap().metadata.uid;
        json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid, "controller": true})
    }

    /// Waits until a child has said something on stderr.
    pub(crate) async fn until_said(child: &mut Child, text: &str) -> String {
        use tokio::io::AsyncReadExt as _;
        let stderr = child.stderr.as_mut().unwrap();
        let (mut said, mut buffer) = (String::new(), [0; 4096]);
        while !said.contains(text) {
            let n = stderr.read(&mut buffer).await.unwrap();
            assert!(n > 0, "it ended without saying `{text}`:\n{said}");
            said.push_str(&String::from_utf8_lossy(&buffer[..n]));
        }
        said
    }
}

/// Arguments that look often and wait for nobody long, unless they say otherwise.
fn acting<'a>(first: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    let lease = ["--lease", "3s"].iter().filter(|_| !more.contains(&"--lease"));
    first.iter().chain(&["--poll", "50ms"]).chain(lease).chain(more).copied().collect()
}

/// Nodes whose GPUs are all cut into sevenths.
pub(crate) fn sevenths(nodes: u32) -> Vec<GpuNode> {
    (1..=nodes).map(|node| GpuNode::h100(name(node), SEVENTHS, &[("nvidia.com/mig-1g.10gb", 56)])).collect()
}

/// A node's name.
pub(crate) fn name(node: u32) -> String {
    format!("gpu-{node:02}")
}

pub(crate) fn label(node: &Node, key: &str) -> String {
    node.labels().get(key).cloned().unwrap_or_default()
}

/// What a process said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    pub(crate) fn of(output: &Output) -> Said {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said { code: output.status.code().unwrap_or(-1), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// It ended with a code and said something about it.
    pub(crate) fn assert(&self, code: i32, texts: &[&str]) {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        for text in texts {
            assert!(
                self.stdout.contains(text) || self.stderr.contains(text),
                "`{text}` in\n{}\n{}",
                self.stdout,
                self.stderr
            );
        }
    }
}
