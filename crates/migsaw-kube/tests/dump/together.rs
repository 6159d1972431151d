//! Pods that have to have their slices on one GPU, by the annotation `migsaw.io/together`.

use migsaw::check::check as violations;
use migsaw::demand::Together;
use migsaw::plan::{Options, plan};
use migsaw::problem::Problem;
use migsaw_kube::dcgm::Metrics;

use super::metrics::line;
use super::running::{OPTIONS, list, node, pod, shown};
use super::*;

const TOGETHER: &str = "annotations: {migsaw.io/together: gpu},";

/// A pod of the Deployment that holds so much, or waits for it.
fn asks(name: &str, node: &str, limits: &str, metadata: &str) -> String {
    let pod = pod(name, node, "x", metadata).replace("nvidia.com/x: 1", limits);
    if node.is_empty() { pod.replace("Running", "Pending") } else { pod }
}

fn two(name: &str, node: &str, metadata: &str) -> String {
    asks(name, node, "nvidia.com/mig-1g.6gb: 2", metadata)
}

/// A scrape of node `a`: two A30 of four slices each, with the pod on each.
fn seen(pods: [[&str; 4]; 2]) -> Metrics {
    let mut metrics = Metrics::default();
    let lines = (0..2).flat_map(|gpu: u32| (0..4).map(move |slice: usize| (gpu, slice)));
    let scrape: String =
        lines.map(|(gpu, slice)| line(gpu, &format!("1g.6gb#{}", 3 + slice), pods[gpu as usize][slice])).collect();
    metrics.read("scrape", scrape.as_bytes()).unwrap();
    metrics
}

/// What a dump says, with metrics of node `a` or without.
fn running(items: &[String], metrics: Option<&Metrics>) -> Dump {
    let dump = read_with(&[("dump", list(items).as_bytes())], DumpOptions { metrics, ..OPTIONS });
    assert_eq!(dump.problem.validate(), []);
    dump
}

/// The demands, with a `!` where a unit has to be on one GPU.
fn demands(problem: &Problem) -> Vec<String> {
    let shown = problem.demands.iter().map(|of| {
        let tight = matches!(of.request, Request::Profiles { together: Together::Gpu, .. });
        format!("{}{}", demand(of), if tight { "!" } else { "" })
    });
    shown.collect()
}

fn warnings(dump: &Dump) -> Vec<String> {
    dump.warnings.iter().map(|w| format!("{} {w}", w.code.as_str())).collect()
}

const EIGHT: &str = "nvidia.com/mig-1g.6gb: 8";

#[test]
fn the_word_gpu_means_on_one_gpu() {
    for (word, mark) in [("gpu", "!"), ("GPU", ""), ("node", ""), ("\"\"", ""), ("null", ""), ("7", "")] {
        let items = [node("a", "", ""), two("1", "", &format!("annotations: {{migsaw.io/together: {word}}},"))];
        let found = read(&[("dump", list(&items).as_bytes())]);
        assert_eq!(demands(&found.problem), [format!("team/web 1x 2*1g.6gb mixed{mark}")], "{word}");
    }
    let single = node("a", "", "nvidia.com/gpu: 8")
        .replace("NVIDIA-A30", "NVIDIA-A30-MIG-1g.6gb")
        .replace("gpu.count: \"2\"", "gpu.count: \"8\"")
        .replace("strategy: mixed", "strategy: single");
    for (nodes, limits, expected) in [
        (node("a", "", ""), "nvidia.com/mig-1g.6gb: 1", "team/web 1x 1*1g.6gb mixed"),
        (node("a", "", ""), "nvidia.com/gpu: 2", "team/web 1x 2 GPUs"),
        (
            node("a", "", ""),
            "nvidia.com/mig-1g.6gb: 1, nvidia.com/mig-2g.12gb: 1",
            "team/web 1x 1*1g.6gb+1*2g.12gb mixed!",
        ),
        (single, "nvidia.com/gpu: 2", "team/web 1x 2*1g.6gb single!"),
    ] {
        let items = [nodes, asks("1", "", limits, TOGETHER)];
        assert_eq!(demands(&read(&[("dump", list(&items).as_bytes())]).problem), [expected], "{limits}");
    }
}

#[test]
fn templates_are_annotated_too() {
    let template = "template: {metadata: {annotations: {migsaw.io/together: gpu}}, spec: {containers: [{resources: {limits: {nvidia.com/mig-1g.6gb: 2}}}]}}";
    for (kind, spec) in [
        ("Deployment", format!("replicas: 3, {template}")),
        ("Job", format!("parallelism: 3, {template}")),
        ("CronJob", format!("jobTemplate: {{spec: {{parallelism: 3, {template}}}}}")),
    ] {
        let manifest = format!("kind: {kind}\nmetadata: {{name: web, namespace: team}}\nspec: {{{spec}}}\n");
        let dump = list(&[node("a", "", "")]);
        let found = read(&[("dump", dump.as_bytes()), ("manifest", manifest.as_bytes())]);
        assert_eq!(demands(&found.problem), ["team/web 3x 2*1g.6gb mixed!"], "{kind}");
    }
    // What the manifest changes is said, and its pods are others than those that run.
    let manifest =
        format!("kind: Deployment\nmetadata: {{name: web, namespace: team}}\nspec: {{replicas: 1, {template}}}\n");
    let dump = list(&[node("a", "", EIGHT), two("1", "a", "")]);
    let found = read(&[("dump", dump.as_bytes()), ("manifest", manifest.as_bytes())]);
    assert_eq!(demands(&found.problem), ["team/web 1x 2*1g.6gb mixed!"]);
    assert!(warnings(&found)[0].starts_with("manifest-differs "), "{:?}", found.warnings);
}

#[test]
fn a_waiting_pod_is_planned_onto_one_gpu() {
    let stays = "annotations: {cluster-autoscaler.kubernetes.io/safe-to-evict: \"false\"},";
    let holders = ["1", "2", "3", "4", "5", "6"];
    let metrics = seen([["1", "2", "3", "-"], ["4", "5", "6", "-"]]);
    for (metadata, served) in [(TOGETHER, 6), ("", 7)] {
        let mut items = vec![node("a", "", EIGHT), two("9", "", metadata)];
        items.extend(holders.map(|name| pod(name, "a", "mig-1g.6gb", stays)));
        let problem = running(&items, Some(&metrics)).problem;
        let planned = plan(&problem, &Options::default()).unwrap();
        assert_eq!(violations(&problem, &planned), []);
        let units = planned.nodes.iter().flat_map(|node| &node.serves).map(|serving| serving.units).sum::<u32>();
        assert_eq!(units, served, "one slice is free on each GPU");
    }
}

#[test]
fn who_runs_on_several_gpus_stays_there_in_a_demand_of_its_own() {
    let metrics = seen([["1", "-", "-", "-"], ["1", "2", "2", "-"]]);
    let budget = "- {kind: PodDisruptionBudget, apiVersion: policy/v1, metadata: {name: b, namespace: team}, spec: {selector: {matchLabels: {pod-template-hash: 5d9}}, minAvailable: 1}}\n";
    let quota = "- {kind: ResourceQuota, metadata: {name: q, namespace: team}, spec: {hard: {requests.nvidia.com/mig-1g.6gb: 8}, scopes: [NotTerminating]}}\n";
    let other = pod("x", "", "mig-1g.6gb", "")
        .replace("web-5d9", "once-5d9")
        .replace("spec: {", "spec: {activeDeadlineSeconds: 9, ");
    let items = [
        node("a", "", EIGHT),
        two("1", "a", TOGETHER),
        two("2", "a", TOGETHER),
        two("3", "", TOGETHER),
        other,
        budget.to_owned(),
        quota.to_owned(),
    ];
    let dump = running(&items, Some(&metrics));
    let problem = &dump.problem;
    assert_eq!(
        demands(problem),
        ["team/once 1x 1*1g.6gb mixed", "team/web 2x 2*1g.6gb mixed!", "team/web-spread 1x 2*1g.6gb mixed"]
    );
    let slices = "1g.6gb@0,1g.6gb@1,1g.6gb@2,1g.6gb@3";
    assert_eq!(
        shown(problem.fleet.pools[0].nodes[0].present.as_ref()),
        format!("by GPU: {slices} {slices} | web-5d9-1! 0:1g.6gb@0+1:1g.6gb@0, web-5d9-2 1:1g.6gb@1+1:1g.6gb@2")
    );
    assert_eq!(
        warnings(&dump),
        ["running-spread pod web-5d9-1: has slices of several GPUs where they have to be on one: it stays where it is"]
    );
    assert_eq!(problem.budgets[0].demands, [1, 2].into());
    assert_eq!(problem.quotas[0].demands, Some([1, 2].into()));
    let planned = plan(problem, &Options::default()).unwrap();
    assert_eq!(violations(problem, &planned), []);
    assert!(planned.unserved.is_empty(), "both slices of the third are on the first GPU");
    // Where all of them are spread there is no other demand.
    let alone = running(&items[..2], Some(&seen([["1", "-", "-", "-"], ["1", "-", "-", "-"]])));
    assert_eq!(demands(&alone.problem), ["team/web 1x 2*1g.6gb mixed"]);
    assert_eq!(warnings(&alone).len(), 1);
}

#[test]
fn where_nobody_sees_gpus_a_pod_counts_as_on_one_if_it_could_be() {
    let check = |capacity: &str, pods: &[String], expected: &[&str], warned: usize| {
        let items: Vec<String> = [node("a", "", capacity)].iter().chain(pods).cloned().collect();
        let dump = running(&items, None);
        assert_eq!(demands(&dump.problem), expected);
        assert_eq!(warnings(&dump).len(), warned, "{:?}", dump.warnings);
        let planned = plan(&dump.problem, &Options::default()).unwrap();
        assert_eq!(violations(&dump.problem, &planned), []);
    };
    check(EIGHT, &[two("1", "a", TOGETHER), two("2", "a", TOGETHER)], &["team/web 2x 2*1g.6gb mixed!"], 0);
    let whole = asks("1", "a", "nvidia.com/mig-4g.24gb: 2", TOGETHER);
    check("nvidia.com/mig-4g.24gb: 2", &[whole], &["team/web 1x 2*4g.24gb mixed"], 1);
    // The two that could be anywhere do not take what the third needs.
    let bundle = asks("9", "a", "nvidia.com/mig-1g.6gb: 1, nvidia.com/mig-2g.12gb: 1", TOGETHER);
    let one = |name: &str| pod(name, "a", "mig-1g.6gb", "");
    check(
        "nvidia.com/mig-1g.6gb: 6, nvidia.com/mig-2g.12gb: 1",
        &[one("1"), one("2"), bundle],
        &["team/web 2x 1*1g.6gb mixed", "team/web-2 1x 1*1g.6gb+1*2g.12gb mixed!"],
        0,
    );
    // Nor does one that needs less on one GPU what another needs, which has room on the first GPU only.
    let larger = asks("9", "a", "nvidia.com/mig-1g.6gb: 2, nvidia.com/mig-2g.12gb: 1", TOGETHER);
    check(
        "nvidia.com/mig-1g.6gb: 6, nvidia.com/mig-2g.12gb: 1",
        &[two("1", "a", TOGETHER), larger],
        &["team/web 1x 2*1g.6gb mixed!", "team/web-2 1x 2*1g.6gb+1*2g.12gb mixed!"],
        0,
    );
}

#[test]
fn a_demand_with_a_limit_per_node_is_not_divided() {
    let apart = "spec: {affinity: {podAntiAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: kubernetes.io/hostname, labelSelector: {matchLabels: {pod-template-hash: 5d9}}}]}}, ";
    let pods =
        [("1", "a"), ("2", ""), ("3", "")].map(|(name, node)| two(name, node, TOGETHER).replace("spec: {", apart));
    let items: Vec<String> = [node("a", "", EIGHT), node("b", "", EIGHT)].into_iter().chain(pods).collect();
    let dump = running(&items, Some(&seen([["1", "-", "-", "-"], ["1", "-", "-", "-"]])));
    assert_eq!(demands(&dump.problem), ["team/web 3x 2*1g.6gb mixed at most 1 per node"]);
    let said = "running-spread pod web-5d9-1: has slices of several GPUs where they have to be on one: it stays where it is, and because of the limit per node no pod of its demand has to be on one";
    assert!(warnings(&dump).iter().any(|warning| warning == said), "{:?}", dump.warnings);
    let planned = plan(&dump.problem, &Options::default()).unwrap();
    assert_eq!(violations(&dump.problem, &planned), []);
    assert_eq!(planned.served(1), [2]);
    for group in &planned.nodes {
        let units: u32 = group.serves.iter().map(|serving| serving.units).sum();
        assert!(units <= 1, "no other pod may be on the node of one");
    }
}
