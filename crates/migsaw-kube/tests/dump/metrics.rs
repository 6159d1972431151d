//! On which GPU pods run, as the metrics of DCGM exporter say it.

use migsaw_kube::dcgm::Metrics;

use super::running::{OPTIONS, check_with, node, pod};
use super::*;

/// A line of a scrape of node `a`: the GPU, then the instance with its id and its pod, each `-` for none.
pub(crate) fn line(gpu: u32, instance: &str, pod: &str) -> String {
    let instance = match instance.split_once('#') {
        Some((profile, id)) => format!(",GPU_I_PROFILE=\"{profile}\",GPU_I_ID=\"{id}\""),
        None => String::new(),
    };
    let pod = match pod {
        "-" => String::new(),
        pod => format!(",container=\"main\",namespace=\"team\",pod=\"web-5d9-{pod}\""),
    };
    format!(
        "DCGM_FI_DEV_FB_USED{{gpu=\"{gpu}\",UUID=\"GPU-{gpu}\",modelName=\"NVIDIA A30\",Hostname=\"a\"{instance}{pod}}} 9\n"
    )
}

/// Two A30, the first cut into one half and two quarters, the second into two halves.
const INSTANCES: [(u32, &str); 5] =
    [(0, "2g.12gb#1"), (0, "1g.6gb#5"), (0, "1g.6gb#6"), (1, "2g.12gb#1"), (1, "2g.12gb#2")];
const CAPACITY: &str = "nvidia.com/mig-1g.6gb: 2, nvidia.com/mig-2g.12gb: 3";

/// A scrape of these instances, with the pod on each.
fn scrape(pods: [&str; 5]) -> String {
    INSTANCES.iter().zip(pods).map(|(&(gpu, instance), pod)| line(gpu, instance, pod)).collect()
}

/// A scrape without the lines that have this.
fn without(scrape: &str, what: &str) -> String {
    scrape.split_inclusive('\n').filter(|line| !line.contains(what)).collect()
}

#[track_caller]
fn check(items: &[String], scrape: &str, states: &[&str], warnings: &[&str]) {
    let mut metrics = Metrics::default();
    metrics.read("scrape", scrape.as_bytes()).unwrap();
    check_with(items, DumpOptions { metrics: Some(&metrics), ..OPTIONS }, states, warnings);
    let mut twice = metrics.clone();
    twice.read("scrape", scrape.as_bytes()).unwrap();
    assert_eq!(twice, metrics);
}

#[test]
fn gpus_are_what_is_cut_where_every_pod_is_seen() {
    check(
        &[node("a", "", CAPACITY), pod("1", "a", "mig-2g.12gb", ""), pod("2", "a", "mig-1g.6gb", "")],
        &scrape(["-", "-", "2", "-", "1"]),
        &["a: by GPU: 2g.12gb@0,1g.6gb@2,1g.6gb@3 2g.12gb@0,2g.12gb@2 | web-5d9-2 0:1g.6gb@3, web-5d9-1 1:2g.12gb@2"],
        &[],
    );
}

#[test]
fn pods_in_all_spellings() {
    let items = [node("a", "", CAPACITY), pod("1", "a", "mig-2g.12gb", "")];
    let plain = scrape(["-", "-", "-", "1", "-"]);
    for (name, scrape) in [
        ("an older exporter", plain.replace("namespace=", "pod_namespace=").replace(",pod=", ",pod_name=")),
        (
            "through a Prometheus with labels of its own",
            plain
                .replace(",namespace=", ",exported_namespace=")
                .replace(",pod=", ",exported_pod=")
                .replace("modelName", "namespace=\"gpu-operator\",pod=\"dcgm-exporter-x\",modelName"),
        ),
        ("a newer exporter", plain.replace("Hostname", "hostname")),
    ] {
        assert_ne!(scrape, plain, "{name}");
        check(
            &items,
            &scrape,
            &["a: by GPU: 2g.12gb@0,1g.6gb@2,1g.6gb@3 2g.12gb@0,2g.12gb@2 | web-5d9-1 1:2g.12gb@0"],
            &[],
        );
    }
}

#[test]
fn the_node_is_what_is_cut_where_a_pod_is_not_seen() {
    check(
        &[
            node("a", "", CAPACITY),
            pod("1", "a", "mig-2g.12gb", ""),
            pod("2", "a", "mig-2g.12gb", ""),
            pod("3", "a", "mig-1g.6gb", ""),
        ],
        // The last is seen on something else than it asks for.
        &scrape(["-", "-", "-", "2", "3"]),
        &[
            "a: 2g.12gb@0,1g.6gb@2,1g.6gb@3 2g.12gb@0,2g.12gb@2 | web-5d9-3 0:1g.6gb@2, web-5d9-1 0:2g.12gb@0, web-5d9-2 1:2g.12gb@0",
        ],
        &[
            "pod-gpu-unknown pod web-5d9-1 and pod web-5d9-3: DCGM exporter does not tell which GPU it is on: its node is what is cut anew",
        ],
    );
}

#[test]
fn whole_gpus_are_seen_too() {
    let whole = pod("1", "a", "gpu", "");
    let scrape = [line(0, "4g.24gb#0", "-"), line(1, "-", "1"), line(1, "-", "-")].concat();
    check(
        &[node("a", "", "nvidia.com/mig-4g.24gb: 1, nvidia.com/gpu: 1"), whole],
        &scrape,
        &["a: by GPU: 4g.24gb@0 off | web-5d9-1 1"],
        &[],
    );
}

#[test]
fn metrics_that_do_not_go_with_the_node_are_not_used() {
    let offered = "a: ? 2g.12gb@0,2g.12gb@2 2g.12gb@0,1g.6gb@2,1g.6gb@3 | web-5d9-1 0:2g.12gb@0";
    let full = scrape(["1", "-", "-", "-", "-"]);
    for (name, scrape, why) in [
        (
            "an instance too few",
            without(&full, "GPU_I_ID=\"6\""),
            "DCGM exporter sees other instances than the node offers",
        ),
        ("a GPU too few", without(&full, "gpu=\"1\""), "DCGM exporter does not see GPU 1 of 2"),
        ("a GPU too many", full.clone() + &line(7, "-", "-"), "DCGM exporter sees a GPU 7 (expected at most 1)"),
        (
            "another GPU in the same place",
            full.clone() + &line(1, "-", "-").replace("GPU-1", "GPU-9"),
            "DCGM exporter has GPU 1 as GPU-1 and GPU-9 (expected one UUID)",
        ),
        (
            "an instance cut anew",
            full.clone() + &line(0, "1g.6gb#1", "-"),
            "DCGM exporter has instance 1 of GPU 0 as 1g.6gb and 2g.12gb (expected one profile of A30-24GB)",
        ),
        (
            "another board",
            full.replace("2g.12gb", "2g.20gb"),
            "DCGM exporter has instance 1 of GPU 0 as 2g.20gb (expected one profile of A30-24GB)",
        ),
        (
            "too much for a GPU",
            full.clone() + &line(0, "4g.24gb#0", "-"),
            "DCGM exporter sees 4g.24gb, 2g.12gb, 1g.6gb, 1g.6gb on GPU 0, which do not fit on one A30-24GB",
        ),
    ] {
        let warning = format!("metrics-disagree node a: {why}: its metrics were not used");
        assert_ne!(scrape, full, "{name}");
        check(&[node("a", "", CAPACITY), pod("1", "a", "mig-2g.12gb", "")], &scrape, &[offered], &[&warning]);
    }
}

#[test]
fn what_the_metrics_do_not_speak_of_is_said() {
    let scrape = scrape(["-", "-", "-", "-", "-"])
        + &line(0, "-", "-").replace("\"a\"", "\"elsewhere\"")
        + "DCGM_FI_DEV_FB_USED{gpu=\n";
    check(
        &[node("long-name", "kubernetes.io/hostname: a", CAPACITY), node("b", "", "nvidia.com/mig-4g.24gb: 2")],
        &scrape,
        &["b: 4g.24gb@0 4g.24gb@0 | ", "long-name: by GPU: 2g.12gb@0,1g.6gb@2,1g.6gb@3 2g.12gb@0,2g.12gb@2 | "],
        &[
            "metrics-unread scrape:7: ends within its labels (expected a `}`); the file seems to be cut off: the line was left out",
            "metrics-host-unknown host elsewhere: is in the metrics, but no node of the dump is called that: it was left out",
            "metrics-missing node b: is not in the metrics: it is what is cut anew, whatever GPUs its pods are on",
        ],
    );
}

#[test]
fn what_is_seen_goes_before_what_was_told() {
    let config = "- kind: ConfigMap
  metadata: {name: custom, namespace: gpu-operator}
  data: {config.yaml: \"version: v1\\nmig-configs:\\n  odd:\\n  - {devices: [1], mig-enabled: true, mig-devices: {2g.12gb: 1, 1g.6gb: 2}}\\n  - {devices: [0], mig-enabled: true, mig-devices: {2g.12gb: 2}}\\n\"}
".to_owned();
    check(
        &[config, node("a", "nvidia.com/mig.config: odd, nvidia.com/mig.config.state: success", CAPACITY)],
        &scrape(["-", "-", "-", "-", "-"]),
        &["a: by GPU: 2g.12gb@0,1g.6gb@2,1g.6gb@3 2g.12gb@0,2g.12gb@2 | "],
        &[
            "state-assumed node a: DCGM exporter sees other instances on its GPUs than its nvidia.com/mig.config says: what it sees was taken",
        ],
    );
}
