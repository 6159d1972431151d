//! Labels that speak of devices: how many there are, what they share, what changes with a cut.

use migsaw::fleet::Pool;
use migsaw_kube::dump::{Dump, Warning};

use super::{demand, read};

/// A node with these labels besides the product, and a pod with these members of its spec.
fn node_and_pod(name: &str, labels: &str, pod: &str) -> String {
    format!(
        "---\nkind: Node\nmetadata: {{name: {name}, labels: {{{labels}}}}}\n\
         ---\nkind: Pod\nmetadata: {{name: p}}\nspec: {{{pod} containers: [{{resources: {{limits: {{nvidia.com/gpu: 1}}}}}}]}}\nstatus: {{phase: Running}}\n"
    )
}

fn said(found: &Dump) -> Vec<String> {
    found.warnings.iter().map(|warning: &Warning| format!("{} {warning}", warning.code.as_str())).collect()
}

#[test]
fn conditions_on_slices_do_not_last() {
    let cut = "nvidia.com/gpu.product: NVIDIA-H100-80GB-HBM3-MIG-1g.10gb, nvidia.com/gpu.count: '56', nvidia.com/gpu.memory: '9984', nvidia.com/mig.strategy: single, nvidia.com/mig.config: all-1g.10gb";
    let whole = "nvidia.com/gpu.product: NVIDIA-H100-80GB-HBM3, nvidia.com/gpu.count: '8', nvidia.com/gpu.memory: '81559', nvidia.com/mig.strategy: mixed";
    for label in ["nvidia.com/gpu.memory: '9984'", "nvidia.com/gpu.count: '56'"] {
        let key = label.split(':').next().unwrap();
        for place in ["nodeName: n,", ""] {
            let text = node_and_pod("n", cut, &format!("{place} nodeSelector: {{{label}}},"));
            let found = read(&[("f", text.as_bytes())]);
            assert_eq!(demand(&found.problem.demands[0]), "default/p 1x 1*1g.10gb single", "{label} {place}");
            let expected = format!(
                "label-changes pod default/p: selects nodes by {key}, which changes when a node is cut anew: that condition was dropped"
            );
            assert_eq!(said(&found), [expected], "{label} {place}");
        }
    }
    let text = node_and_pod("n", whole, "nodeSelector: {nvidia.com/gpu.memory: '81559'},");
    let found = read(&[("f", text.as_bytes())]);
    assert_eq!(demand(&found.problem.demands[0]), "default/p 1x 1 GPUs on gpu.memory=81559", "boards keep theirs");
    assert_eq!(said(&found), [""; 0]);
}

#[test]
fn shared_slices_are_noticed() {
    let labels = "nvidia.com/gpu.product: NVIDIA-A30, nvidia.com/gpu.count: '2', nvidia.com/mig.strategy: mixed, nvidia.com/mig-1g.6gb.replicas: '4', nvidia.com/mig-2g.12gb.replicas: '1'";
    let found = read(&[("f", node_and_pod("n", labels, "").as_bytes())]);
    assert_eq!(
        said(&found),
        [
            "gpus-shared node n: shares its nvidia.com/mig-1g.6gb by time-slicing: each one asked for was counted as a slice of its own"
        ]
    );
}

#[test]
fn impossible_counts_are_told() {
    let labels = "nvidia.com/gpu.product: NVIDIA-A30, nvidia.com/gpu.count: '257', nvidia.com/mig.strategy: mixed";
    let found = read(&[("f", node_and_pod("n", labels, "").as_bytes())]);
    let expected = "gpu-count-unknown node n: nvidia.com/gpu.count is `257` (expected a whole number from 1 to 64): it was left out";
    assert!(said(&found).contains(&expected.to_owned()), "{:?}", said(&found));
}

#[test]
fn pools_say_their_strategy_once() {
    let node = |name: &str, strategy: &str| {
        node_and_pod(
            name,
            &format!(
                "nvidia.com/gpu.product: NVIDIA-A30, nvidia.com/gpu.count: '2', nvidia.com/mig.strategy: {strategy}"
            ),
            "nodeSelector: {nvidia.com/mig.strategy: mixed},",
        )
    };
    let found = read(&[("f", (node("a", "mixed") + &node("b", "single")).as_bytes())]);
    let names: Vec<&str> = found.problem.fleet.pools.iter().map(|pool: &Pool| pool.name.as_str()).collect();
    assert_eq!(names, ["A30-24GB-mixed", "A30-24GB-single"]);
}
