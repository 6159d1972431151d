//! Manifests beside a dump: what is about to be applied counts, not what runs.

use migsaw_kube::dump::{DumpOptions, Warning};

use super::{demand, read_with};

/// A node, and three pods of the Deployment `a/web`.
const RUNNING: &str = r"
kind: List
apiVersion: v1
items:
- kind: Node
  metadata: {name: n1, labels: {nvidia.com/gpu.product: NVIDIA-A30, nvidia.com/gpu.count: '4', nvidia.com/mig.strategy: mixed}}
  spec: {taints: [{key: gpu, effect: NoSchedule}]}
- &pod
  kind: Pod
  metadata: &metadata
    name: web-5d9-1
    namespace: a
    labels: {pod-template-hash: 5d9}
    ownerReferences: [{kind: ReplicaSet, name: web-5d9, controller: true}]
  spec:
    priority: 70
    priorityClassName: urgent
    tolerations: [{key: gpu, operator: Exists}]
    containers: [{resources: {limits: {nvidia.com/mig-1g.6gb: 1}}}]
  status: {phase: Running}
- <<: *pod
  metadata: {<<: *metadata, name: web-5d9-2}
- <<: *pod
  metadata: {<<: *metadata, name: web-5d9-3}
";

/// A Deployment `web` with these lines of its spec, of a template asking for `profile`.
fn deployment(metadata: &str, spec: &str, profile: &str, pod: &str) -> String {
    format!(
        "kind: Deployment\napiVersion: apps/v1\nmetadata: {{name: web, {metadata}}}\nspec:\n  {spec}\n  template: {{spec: {{{pod} containers: [{{resources: {{limits: {{nvidia.com/{profile}: 1}}}}}}]}}}}\n"
    )
}

const URGENT: &str = "priorityClassName: urgent,";

#[track_caller]
fn check_in(namespace: Option<&str>, manifests: &[&str], demands: &[&str], warnings: &[&str]) {
    let mut sources = vec![("running", RUNNING.as_bytes())];
    sources.extend(manifests.iter().map(|text| ("manifest", text.as_bytes())));
    for _ in 0..2 {
        let found = read_with(&sources, DumpOptions { namespace, ..DumpOptions::default() });
        assert_eq!(found.problem.demands.iter().map(demand).collect::<Vec<_>>(), demands);
        let said = |warning: &Warning| format!("{} {warning}", warning.code.as_str());
        assert_eq!(found.warnings.iter().map(said).collect::<Vec<_>>(), warnings);
        // Whichever comes first.
        sources.reverse();
    }
}

#[track_caller]
fn check(manifest: &str, demands: &[&str], warnings: &[&str]) {
    check_in(None, &[manifest], demands, warnings);
}

#[test]
fn a_manifest_like_what_runs_changes_nothing() {
    let same = deployment("namespace: a", "replicas: 3", "mig-1g.6gb", URGENT);
    check(&same, &["a/web 3x 1*1g.6gb mixed priority 70 tolerating gpu"], &[]);
    let autoscaled = deployment("namespace: a", "paused: false", "mig-1g.6gb", URGENT);
    check(&autoscaled, &["a/web 3x 1*1g.6gb mixed priority 70 tolerating gpu"], &[]);
}

#[test]
fn the_manifest_says_how_many() {
    for (replicas, demands, said) in [
        ("replicas: 5", &["a/web 5x 1*1g.6gb mixed priority 70 tolerating gpu"][..], "5 pods instead of 3"),
        ("replicas: 1", &["a/web 1x 1*1g.6gb mixed priority 70 tolerating gpu"], "1 pod instead of 3"),
        ("replicas: 0", &[], "0 pods instead of 3"),
    ] {
        let manifest = deployment("namespace: a", replicas, "mig-1g.6gb", URGENT);
        let said =
            format!("manifest-differs deployment a/web: is planned as its manifest says, not as it runs: {said}");
        check(&manifest, demands, &[&said]);
    }
}

/// What admission adds to pods is not in the manifest: tolerations, and what a priority class means.
#[test]
fn the_manifest_says_what_for() {
    let differs = "manifest-differs deployment a/web: is planned as its manifest says, not as it runs: ";
    check(
        &deployment("namespace: a", "replicas: 3", "mig-2g.12gb", URGENT),
        &["a/web 3x 1*2g.12gb mixed priority 70 tolerating gpu"],
        &[&format!("{differs}1 nvidia.com/mig-2g.12gb instead of 1 nvidia.com/mig-1g.6gb")],
    );
    check(
        &deployment("namespace: a", "replicas: 4", "mig-1g.6gb", "priorityClassName: urgent, nodeSelector: {zone: z},"),
        &["a/web 4x 1*1g.6gb mixed priority 70 on zone=z tolerating gpu"],
        &[&format!("{differs}4 pods instead of 3, other rules where it may run")],
    );
    check(
        &deployment("namespace: a", "replicas: 3", "mig-1g.6gb", ""),
        &["a/web 3x 1*1g.6gb mixed tolerating gpu"],
        &[&format!("{differs}another priority class")],
    );
    check(&deployment("namespace: a", "replicas: 3", "none", ""), &[], &[&format!("{differs}0 pods instead of 3")]);
}

#[test]
fn what_is_in_the_cluster_goes_by_its_pods() {
    for (metadata, status) in
        [("uid: u1", ""), ("resourceVersion: '7'", ""), ("labels: {}", "status: {observedGeneration: 2}")]
    {
        let live =
            |replicas: &str| deployment(&format!("namespace: a, {metadata}"), replicas, "mig-2g.12gb", "") + status;
        check(&live("replicas: 1"), &["a/web 3x 1*1g.6gb mixed priority 70 tolerating gpu"], &[]);
        let manifest = deployment("namespace: a", "replicas: 3", "mig-1g.6gb", URGENT);
        check_in(
            None,
            &[&live("replicas: 9"), &manifest],
            &["a/web 3x 1*1g.6gb mixed priority 70 tolerating gpu"],
            &[],
        );
    }
}

#[test]
fn a_manifest_without_a_namespace_may_mean_what_runs_elsewhere() {
    let manifest = deployment("labels: {}", "replicas: 3", "mig-1g.6gb", URGENT);
    check(
        &manifest,
        &["a/web 3x 1*1g.6gb mixed priority 70 tolerating gpu", "default/web 3x 1*1g.6gb mixed priority 70"],
        &[
            "namespace-assumed deployment default/web: says no namespace and was planned in default, beside the one that runs in a",
        ],
    );
    check_in(Some("a"), &[&manifest], &["a/web 3x 1*1g.6gb mixed priority 70 tolerating gpu"], &[]);
}
