//! What runs today, as a dump says it.

use migsaw::present::{Present, RecutUnit};

use super::*;

/// A node with two A30 of strategy `mixed`, with these labels and this capacity.
pub(crate) fn node(name: &str, labels: &str, capacity: &str) -> String {
    format!(
        "- kind: Node
  metadata: {{name: {name}, labels: {{nvidia.com/gpu.product: NVIDIA-A30, nvidia.com/gpu.count: \"2\", nvidia.com/mig.strategy: mixed, {labels}}}}}
  status: {{capacity: {{{capacity}}}}}
"
    )
}

/// A pod of a Deployment that holds one of a resource on a node.
pub(crate) fn pod(name: &str, node: &str, resource: &str, metadata: &str) -> String {
    format!(
        "- kind: Pod
  metadata: {{name: web-5d9-{name}, namespace: team, {metadata} labels: {{pod-template-hash: 5d9}}, ownerReferences: [{{kind: ReplicaSet, name: web-5d9, controller: true}}]}}
  spec: {{nodeName: {node}, containers: [{{resources: {{limits: {{nvidia.com/{resource}: 1}}}}}}]}}
  status: {{phase: Running}}
"
    )
}

pub(crate) const OPTIONS: DumpOptions<'static> = DumpOptions {
    running: true,
    include_unavailable: false,
    default_strategy: migsaw::fleet::Strategy::Mixed,
    namespace: None,
    metrics: None,
};

pub(crate) fn list(items: &[String]) -> String {
    format!("kind: List\nitems:\n{}", items.concat())
}

/// A node's state in a line: what is cut anew if that is not the node, whether the order of its GPUs is a guess, its
/// GPUs, and its pods with the GPUs and starts that hold them.
pub(crate) fn shown(present: Option<&Present>) -> String {
    let Some(present) = present else { return "unknown".to_owned() };
    let a30 = Catalog::builtin().model("A30").unwrap();
    let gpus: Vec<String> = present
        .gpus
        .iter()
        .map(|layout| layout.as_ref().map_or("off".to_owned(), |layout| layout.display(&a30).to_string()))
        .collect();
    let pods: Vec<String> = present
        .running
        .iter()
        .map(|unit| {
            let on = unit.holds.iter().map(|held| match held.instance {
                Some(instance) => format!("{}:{}@{}", held.gpu, a30.get(instance.profile).name, instance.start),
                None => format!("{}", held.gpu),
            });
            let name = unit.name.as_deref().unwrap_or("?");
            format!("{name}{} {}", if unit.stays { "!" } else { "" }, on.collect::<Vec<_>>().join("+"))
        })
        .collect();
    let unit = match present.unit {
        RecutUnit::Node => "",
        RecutUnit::Gpu => "by GPU: ",
        RecutUnit::Instance => "by instance: ",
    };
    let order = if present.in_any_order { "? " } else { "" };
    format!("{unit}{order}{} | {}", gpus.join(" "), pods.join(", "))
}

#[track_caller]
fn check(items: &[String], states: &[&str], warnings: &[&str]) {
    check_with(items, OPTIONS, states, warnings);
}

#[track_caller]
pub(crate) fn check_with(items: &[String], options: DumpOptions, states: &[&str], warnings: &[&str]) {
    let text = list(items);
    let found = read_with(&[("dump", text.as_bytes())], options);
    let groups = found.problem.fleet.pools.iter().flat_map(|pool| &pool.nodes);
    let found_states: Vec<String> =
        groups.map(|group| format!("{}: {}", group.names.get(0), shown(group.present.as_ref()))).collect();
    assert_eq!(found_states, states);
    let said: Vec<String> = found.warnings.iter().map(|w| format!("{} {w}", w.code.as_str())).collect();
    assert_eq!(said, warnings);
    assert_eq!(found.problem.validate(), []);
    let scratch = read_with(&[("dump", text.as_bytes())], DumpOptions::default());
    assert!(!scratch.problem.is_running_known(), "only where it is asked for");
}

#[test]
fn what_a_node_offers_is_how_it_is_cut() {
    check(
        &[
            node("a", "", "nvidia.com/mig-1g.6gb: 4, nvidia.com/mig-2g.12gb: 2"),
            node("b", "", "nvidia.com/mig-4g.24gb: 1, nvidia.com/gpu: 1"),
            node("c", "", "nvidia.com/gpu: 2"),
            pod("1", "a", "mig-1g.6gb", ""),
            pod("2", "a", "mig-1g.6gb", "annotations: {cluster-autoscaler.kubernetes.io/safe-to-evict: \"false\"},"),
        ],
        &[
            "a: ? 2g.12gb@0,2g.12gb@2 1g.6gb@0,1g.6gb@1,1g.6gb@2,1g.6gb@3 | web-5d9-1 1:1g.6gb@0, web-5d9-2! 1:1g.6gb@1",
            "b: ? 4g.24gb@0 off | ",
            "c: off off | ",
        ],
        &[],
    );
}

#[test]
fn pods_that_would_not_come_back_elsewhere_stay() {
    let owned_by = |kind: &str| pod("1", "a", "mig-1g.6gb", "").replace("ReplicaSet", kind);
    let job_set = "labels: {jobset.sigs.k8s.io/jobset-name: j, ";
    for (pod, stays) in [
        (owned_by("ReplicaSet"), false),
        (owned_by("Job"), false),
        (owned_by("Job").replace("labels: {", job_set), false),
        (owned_by("DaemonSet"), true),
        (owned_by("Node"), true),
        (owned_by("Job").replace("controller: true", "controller: false"), true),
        (owned_by("Job").replace("controller: true", "controller: false").replace("labels: {", job_set), true),
    ] {
        let items = [node("a", "", "nvidia.com/mig-1g.6gb: 4, nvidia.com/mig-2g.12gb: 2"), pod];
        let found = read_with(&[("dump", list(&items).as_bytes())], OPTIONS);
        let present = found.problem.fleet.pools[0].nodes[0].present.as_ref().unwrap();
        assert_eq!(present.running.iter().map(|unit| unit.stays).collect::<Vec<_>>(), [stays], "{}", items[1]);
    }
}

#[test]
fn the_labels_of_feature_discovery_count_while_the_device_plugin_is_away() {
    let counts = |counts: &[(&str, u32)]| {
        let label = |(profile, n): &(&str, u32)| format!("nvidia.com/mig-{profile}.count: \"{n}\"");
        counts.iter().map(label).collect::<Vec<_>>().join(", ")
    };
    let told = format!("nvidia.com/mig.config: all-2g.12gb, {}", counts(&[("1g.6gb", 8)]));
    check(
        &[
            node("a", &counts(&[("1g.6gb", 4), ("2g.12gb", 2)]), "nvidia.com/mig-1g.6gb: 0"),
            node("b", &counts(&[("1g.6gb", 8)]), "nvidia.com/mig-2g.12gb: 4"),
            node("c", &told, ""),
            node("d", &counts(&[("1g.6gb", 8)]), "nvidia.com/mig-1g.6gb: 8"),
        ],
        &[
            "a: ? 2g.12gb@0,2g.12gb@2 1g.6gb@0,1g.6gb@1,1g.6gb@2,1g.6gb@3 | ",
            "b: 2g.12gb@0,2g.12gb@2 2g.12gb@0,2g.12gb@2 | ",
            "c: 1g.6gb@0,1g.6gb@1,1g.6gb@2,1g.6gb@3 1g.6gb@0,1g.6gb@1,1g.6gb@2,1g.6gb@3 | ",
            "d: 1g.6gb@0,1g.6gb@1,1g.6gb@2,1g.6gb@3 1g.6gb@0,1g.6gb@1,1g.6gb@2,1g.6gb@3 | ",
        ],
        &[
            "state-assumed node c: offers other instances than its nvidia.com/mig.config says: what it offers was taken",
            "state-assumed node b: offers other instances than the labels of GPU feature discovery count: what it offers counts",
        ],
    );
}

#[test]
fn what_mig_manager_was_told_says_which_gpu() {
    let config = "- kind: ConfigMap
  metadata: {name: custom, namespace: gpu-operator}
  data: {config.yaml: \"version: v1\\nmig-configs:\\n  odd:\\n  - {devices: [0], mig-enabled: false}\\n  - {devices: [1], mig-enabled: true, mig-devices: {2g.12gb: 1, 1g.6gb: 2}}\\n\"}
".to_owned();
    let label = |name: &str| format!("nvidia.com/mig.config: {name}, nvidia.com/mig.config.state: success");
    let whole = "- kind: Pod
  metadata: {name: alone, namespace: team}
  spec: {nodeName: a, containers: [{resources: {limits: {nvidia.com/gpu: 1}}}]}
  status: {phase: Running}
"
    .to_owned();
    check(
        &[
            config,
            node("a", &label("odd"), "nvidia.com/mig-1g.6gb: 2, nvidia.com/mig-2g.12gb: 1, nvidia.com/gpu: 1"),
            node("b", &label("all-2g.12gb"), "nvidia.com/mig-2g.12gb: 4"),
            node("c", &label("all-1g.6gb"), "nvidia.com/mig-2g.12gb: 4"),
            node("d", &label("gone"), "nvidia.com/mig-2g.12gb: 4"),
            whole,
        ],
        &[
            "a: off 2g.12gb@0,1g.6gb@2,1g.6gb@3 | alone! 0",
            "b: 2g.12gb@0,2g.12gb@2 2g.12gb@0,2g.12gb@2 | ",
            "c: 2g.12gb@0,2g.12gb@2 2g.12gb@0,2g.12gb@2 | ",
            "d: 2g.12gb@0,2g.12gb@2 2g.12gb@0,2g.12gb@2 | ",
        ],
        &["state-assumed node c: offers other instances than its nvidia.com/mig.config says: what it offers was taken"],
    );
}

#[test]
fn nodes_of_one_profile_are_cut_alike() {
    let single = node("a", "x: y", "nvidia.com/gpu: 8")
        .replace("NVIDIA-A30", "NVIDIA-A30-MIG-1g.6gb")
        .replace("gpu.count: \"2\"", "gpu.count: \"8\", nvidia.com/gpu.memory: \"5952\"")
        .replace("strategy: mixed", "strategy: single");
    let ones = "1g.6gb@0,1g.6gb@1,1g.6gb@2,1g.6gb@3";
    let found = read_with(&[("dump", list(&[single, pod("1", "a", "gpu", "")]).as_bytes())], OPTIONS);
    let group = &found.problem.fleet.pools[0].nodes[0];
    assert_eq!(shown(group.present.as_ref()), format!("{ones} {ones} | web-5d9-1 0:1g.6gb@0"));
}

#[test]
fn what_cannot_be_told_counts_as_empty() {
    check(
        &[
            node("a", "", "nvidia.com/mig-1g.6gb: 1"),
            node("b", "", "nvidia.com/mig-1g.6gb: 9"),
            node("c", "nvidia.com/mig.config.state: pending", "nvidia.com/mig-1g.6gb: 1"),
            pod("1", "a", "mig-1g.6gb", ""),
            pod("2", "a", "mig-1g.6gb", ""),
        ],
        &["a: unknown", "b: unknown"],
        &[
            "node-changing node c: is being cut anew, or that failed (label nvidia.com/mig.config.state), and was left out; pods on it count all the same",
            "state-unknown node b: its labels do not tell how it is cut today: it counts as empty",
            "state-unknown node a: runs pods that hold more than it offers: how it is cut cannot be told, so it counts as empty",
        ],
    );
}

#[test]
fn pods_where_they_could_not_be_placed_again_do_not_count_as_running() {
    let tainted = node("a", "", "nvidia.com/mig-1g.6gb: 4")
        .replace("  status:", "  spec: {taints: [{key: team, value: x, effect: NoSchedule}]}\n  status:");
    check(
        &[tainted, pod("1", "a", "mig-1g.6gb", "")],
        &["a: ? 1g.6gb@0,1g.6gb@1,1g.6gb@2,1g.6gb@3 off | "],
        &[
            "running-misplaced pod web-5d9-1: runs where it could not be placed again (a taint, a label or a limit per node): planned as if it did not run",
        ],
    );
}
