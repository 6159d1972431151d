//! What an autoscaler must be told to start nodes of a planned configuration where there is none to look at.
//!
//! Which resources, labels and taints a node will have, an autoscaler reads off a node that is there. Of a group
//! without nodes it knows what the cloud says of the machine, and no cloud knows MIG. So it is told, by keys that were
//! read in these places:
//!
//! - Cluster Autoscaler on AWS: tags of the Auto Scaling group,
//!   `k8s.io/cluster-autoscaler/node-template/{resources,label,taint}/…`
//!   (kubernetes/autoscaler `cluster-autoscaler/cloudprovider/aws/README.md`, and `extractAllocatableResourcesFromAsg`
//!   in `aws_manager.go`, which takes any resource's name);
//! - Cluster Autoscaler with Cluster API: annotations `capacity.cluster-autoscaler.kubernetes.io/…` of the
//!   `MachineDeployment` (`cluster-autoscaler/cloudprovider/clusterapi/README.md`). `gpu-type` is the name of one
//!   resource, so a configuration with several has none;
//! - Karpenter: a `NodeOverlay`, `karpenter.sh/v1alpha1`
//!   (aws/karpenter-provider-aws `website/content/en/docs/concepts/nodeoverlays.md`). It adds resources; whether it can
//!   lower the `nvidia.com/gpu` that Karpenter knows of the machine is not documented, so that is left out.
//!
//! CPU and memory are for the user to say where they are needed: nothing here knows the machines.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use migsaw::fleet::{Pool, Taint};
use migsaw::plan::Plan;
use migsaw::present::Present;
use migsaw::problem::Problem;

use crate::gpu_operator::advertised;
use crate::names::{CONFIG_LABEL, GPU};
use crate::yaml::quoted;

const AWS: &str = "k8s.io/cluster-autoscaler/node-template";
const CLUSTER_API: &str = "capacity.cluster-autoscaler.kubernetes.io";
/// Longest name of a `NodePool`, which is the value of a label.
const MOST_NAME: usize = 63;
/// What pods select nodes by and is no label of a group: the node itself, and who gives its GPUs out.
const NO_LABELS: [&str; 3] = ["metadata.name", "kubernetes.io/hostname", "resource.k8s.io/driver"];

/// Nodes of one pool that take the same configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeGroup {
    /// The pool.
    pub pool: String,
    /// The configuration, as `nvidia.com/mig.config` names it.
    pub configuration: String,
    /// How many nodes the plan gives it.
    pub nodes: u64,
    /// What each offers once it is cut, by resource.
    pub resources: BTreeMap<String, u64>,
    /// Labels that its nodes have, as far as pods select by them, and the one that tells MIG Manager what to do.
    pub labels: BTreeMap<String, String>,
    /// Taints that its nodes have.
    pub taints: Vec<Taint>,
}

/// The node groups of a plan, by pool and configuration. Nodes that a DRA driver cuts are left out: they take no
/// configuration.
///
/// # Panics
/// If the plan is for another problem.
pub fn node_groups(problem: &Problem, plan: &Plan) -> Vec<NodeGroup> {
    let configurations = plan.configurations(problem);
    let mut groups: BTreeMap<(usize, String), NodeGroup> = BTreeMap::new();
    for (planned, &configuration) in plan.nodes.iter().zip(&configurations.of_nodes) {
        let pool = &problem.fleet.pools[planned.pool];
        let by_operator =
            pool.node_ranges().filter(|(_, listed)| !listed.present.as_ref().is_some_and(Present::is_cut_by_driver));
        let nodes: u64 = by_operator
            .map(|(range, _)| range.end.min(planned.nodes.end).saturating_sub(range.start.max(planned.nodes.start)))
            .map(u64::from)
            .sum();
        if nodes == 0 {
            continue;
        }
        let name = &configurations.distinct[configuration].name;
        let new = || NodeGroup {
            pool: pool.name.clone(),
            configuration: name.clone(),
            nodes: 0,
            resources: advertised(pool, planned),
            labels: labels(pool, name),
            taints: pool.taints.clone(),
        };
        groups.entry((planned.pool, name.clone())).or_insert_with(new).nodes += nodes;
    }
    groups.into_values().collect()
}

fn labels(pool: &Pool, configuration: &str) -> BTreeMap<String, String> {
    let lasting = pool.labels.iter().filter(|(key, _)| !NO_LABELS.contains(&key.as_str()));
    let mut labels: BTreeMap<String, String> = lasting.map(|(key, value)| (key.clone(), value.clone())).collect();
    labels.insert(CONFIG_LABEL.to_owned(), configuration.to_owned());
    labels
}

impl NodeGroup {
    /// The tags of an Auto Scaling group, for Cluster Autoscaler on AWS.
    pub fn aws_tags(&self) -> BTreeMap<String, String> {
        let resources = self.resources.iter().map(|(name, n)| (format!("{AWS}/resources/{name}"), n.to_string()));
        let labels = self.labels.iter().map(|(key, value)| (format!("{AWS}/label/{key}"), value.clone()));
        let taint =
            |taint: &Taint| (format!("{AWS}/taint/{}", taint.key), format!("{}:{:?}", taint.value, taint.effect));
        resources.chain(labels).chain(self.taints.iter().map(taint)).collect()
    }

    /// The annotations of a `MachineDeployment` of Cluster API, without CPU and memory, which it needs too.
    pub fn cluster_api_annotations(&self) -> BTreeMap<String, String> {
        let mut annotations = BTreeMap::new();
        let mut add = |key: &str, value: String| drop(annotations.insert(format!("{CLUSTER_API}/{key}"), value));
        let mut resources = self.resources.iter();
        if let (Some((resource, n)), None) = (resources.next(), resources.next()) {
            add("gpu-type", resource.clone());
            add("gpu-count", n.to_string());
        }
        let labels: Vec<String> = self.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        add("labels", labels.join(","));
        if !self.taints.is_empty() {
            let taints: Vec<String> = self.taints.iter().map(ToString::to_string).collect();
            add("taints", taints.join(","));
        }
        annotations
    }

    /// What a `NodeOverlay` of Karpenter adds to the machine: MIG devices by profile.
    pub fn karpenter_capacity(&self) -> BTreeMap<String, String> {
        let added = self.resources.iter().filter(|(name, _)| *name != GPU);
        added.map(|(name, n)| (name.clone(), n.to_string())).collect()
    }

    /// A name that Kubernetes takes for a `NodePool`, of the pool and the configuration.
    fn name(&self) -> String {
        let room = MOST_NAME.saturating_sub(self.configuration.len() + 1);
        let pool = self.pool.to_lowercase();
        let plain = pool.chars().map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' });
        let pool: String = plain.take(room).collect();
        match pool.trim_matches(['-', '.']) {
            "" => self.configuration.clone(),
            pool => format!("{pool}-{}", self.configuration),
        }
    }

    fn write(&self, text: &mut String) {
        let mut line = |line: String| writeln!(text, "{line}").expect("a string grows");
        let map = |of: &BTreeMap<String, String>, indent: &str| -> Vec<String> {
            of.iter().map(|(key, value)| format!("{indent}{}: {}", quoted(key), quoted(value))).collect()
        };
        line(format!("- pool: {}", quoted(&self.pool)));
        line(format!("  configuration: {}", quoted(&self.configuration)));
        line(format!("  nodes: {}", self.nodes));
        line("  awsTags:".to_owned());
        map(&self.aws_tags(), "    ").into_iter().for_each(&mut line);
        if self.resources.len() > 1 {
            let names: Vec<&str> = self.resources.keys().map(String::as_str).collect();
            line(format!("  # no gpu-type: it names one resource, and these nodes offer {}", names.join(", ")));
        }
        line("  clusterApiAnnotations:".to_owned());
        map(&self.cluster_api_annotations(), "    ").into_iter().for_each(&mut line);
        let capacity = self.karpenter_capacity();
        if capacity.is_empty() {
            line(format!("  # no NodeOverlay: these nodes offer {GPU} only"));
            return;
        }
        let name = quoted(&self.name());
        line(format!(
            "  nodeOverlay:\n    apiVersion: karpenter.sh/v1alpha1\n    kind: NodeOverlay\n    metadata:\n      name: {name}\n    spec:\n      requirements:\n      - key: karpenter.sh/nodepool\n        operator: In\n        values: [{name}]\n      capacity:"
        ));
        map(&capacity, "        ").into_iter().for_each(&mut line);
    }
}

/// What to tell autoscalers of each node group, one YAML document to paste from.
///
/// ```
/// use migsaw::demand::Demand;
/// use migsaw::fleet::{Fleet, Pool};
/// use migsaw::geometry::Catalog;
/// use migsaw::problem::Problem;
/// use migsaw_kube::autoscaler::{manifest, node_groups};
/// let problem = Problem {
///     fleet: Fleet { pools: vec![Pool::new("lab", Catalog::builtin().model("A30")?, 1, 2)] },
///     demands: vec![Demand::of_profile("notebooks", "1g.6gb".parse()?, 8)],
///     ..Problem::default()
/// };
/// let plan = migsaw::plan::plan(&problem, &Default::default())?;
/// let text = manifest(&node_groups(&problem, &plan));
/// assert!(text.contains("\"k8s.io/cluster-autoscaler/node-template/resources/nvidia.com/mig-1g.6gb\": \"8\""));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn manifest(groups: &[NodeGroup]) -> String {
    let mut text = String::from(
        "# What autoscalers must be told to start nodes of a planned configuration from zero. Paste from here.
# New nodes must come up with the label nvidia.com/mig.config; MIG Manager then makes them offer this.
#
# awsTags: of the Auto Scaling group, for Cluster Autoscaler on AWS.
# clusterApiAnnotations: of the MachineDeployment. It also needs cpu and memory of the machine under
#   capacity.cluster-autoscaler.kubernetes.io.
# nodeOverlay: for Karpenter (alpha: feature gate NodeOverlay). It is for a NodePool of the same name, whose
#   template has the labels and taints that awsTags names. Karpenter goes on counting the nvidia.com/gpu
#   of the machine: keep pods that ask for it away from that NodePool by a taint.
",
    );
    text.push_str(if groups.is_empty() { "nodeGroups: []\n" } else { "nodeGroups:\n" });
    for group in groups {
        group.write(&mut text);
    }
    text
}
