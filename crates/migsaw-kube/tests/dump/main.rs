//! Dumps and manifests as problems.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on may panic")]

mod budgets;
mod claims;
mod devices;
mod metrics;
mod quotas;
mod releases;
mod running;
mod together;
mod unusual;

use std::fmt::Write as _;
use std::io::Write as _;

use migsaw::demand::{Demand, Operator, Request};
use migsaw::fleet::Pool;
use migsaw::geometry::Catalog;
use migsaw_kube::dump::{Dump, DumpOptions, Source, Warning, read_dump};

const CLUSTER: &[u8] = include_bytes!("../data/cluster.json");
const MANIFESTS: &[u8] = include_bytes!("../data/manifests.yaml");

fn read(sources: &[(&str, &[u8])]) -> Dump {
    read_with(sources, DumpOptions::default())
}

fn read_with(sources: &[(&str, &[u8])], options: DumpOptions) -> Dump {
    let sources: Vec<Source<'_>> =
        sources.iter().map(|&(name, bytes)| Source { name, bytes, optional: false }).collect();
    read_dump(&sources, &Catalog::builtin(), &options).unwrap()
}

fn error_of(bytes: &[u8]) -> (&'static str, String) {
    let errors =
        read_dump(&[Source { name: "f", bytes, optional: false }], &Catalog::builtin(), &DumpOptions::default())
            .unwrap_err();
    assert_eq!(errors.0.len(), 1, "{errors}");
    (errors.0[0].code(), errors.0[0].to_string())
}

fn pool(pool: &Pool) -> String {
    let names: Vec<String> =
        pool.nodes.iter().flat_map(|group| (0..group.names.count()).map(|i| group.names.get(i))).collect();
    let gpus: Vec<String> = pool.gpus.iter().map(|group| format!("{}x{}", group.count, group.model.id)).collect();
    let labels: Vec<String> =
        pool.labels.iter().map(|(k, v)| format!("{}={v}", k.rsplit('/').next().unwrap())).collect();
    let taints: Vec<String> = pool.taints.iter().map(ToString::to_string).collect();
    format!(
        "{}: {} {} [{}] [{}] {}",
        pool.name,
        gpus.join("+"),
        pool.strategy,
        labels.join(" "),
        taints.join(" "),
        names.join(" ")
    )
}

fn demand(demand: &Demand) -> String {
    let mut text = format!("{} {}x ", demand.full_name(), demand.count);
    match &demand.request {
        Request::Profiles { instances, .. } => {
            let parts: Vec<String> = instances.iter().map(|(name, n)| format!("{n}*{name}")).collect();
            text.push_str(&parts.join("+"));
        }
        Request::WholeGpus { gpus } => write!(text, "{gpus} GPUs").unwrap(),
        Request::AtLeast { .. } => panic!("no pod asks for at least something"),
    }
    if let Some(strategy) = demand.eligible.strategy {
        write!(text, " {strategy}").unwrap();
    }
    if demand.priority != 0 {
        write!(text, " priority {}", demand.priority).unwrap();
    }
    if let Some(most) = demand.max_per_node {
        write!(text, " at most {most} per node").unwrap();
    }
    for (i, term) in demand.eligible.selector.terms.iter().enumerate() {
        let parts: Vec<String> = term
            .iter()
            .map(|r| {
                assert_eq!(r.operator, Operator::In);
                format!("{}={}", r.key.rsplit('/').next().unwrap(), r.values.join("|"))
            })
            .collect();
        write!(text, " {} {}", if i == 0 { "on" } else { "or" }, parts.join(",")).unwrap();
    }
    for toleration in &demand.eligible.tolerations {
        write!(text, " tolerating {}", toleration.key.as_deref().unwrap_or("all")).unwrap();
    }
    text
}

fn check(found: &Dump, pools: &[&str], demands: &[&str], warnings: &[&str]) {
    let lines = |items: Vec<String>| items.join("\n");
    assert_eq!(lines(found.problem.fleet.pools.iter().map(pool).collect()), pools.join("\n"));
    assert_eq!(lines(found.problem.demands.iter().map(demand).collect()), demands.join("\n"));
    let warning = |w: &Warning| match w.to_string().split_once(" cannot be planned: ") {
        // The reason is the catalogue's to say.
        Some((before, _)) => format!("{} {before} cannot be planned: (as the catalogue says)", w.code.as_str()),
        None => format!("{} {w}", w.code.as_str()),
    };
    assert_eq!(lines(found.warnings.iter().map(warning).collect()), warnings.join("\n"));
    if !pools.is_empty() {
        assert_eq!(found.problem.validate(), [], "the problem makes sense");
    }
}

#[test]
fn a_cluster() {
    let found = read(&[("cluster.json", CLUSTER)]);
    check(
        &found,
        &[
            "H100-80GB-a: 8xH100-80GB mixed [metadata.name=gpu-h100-1 gpu.product=NVIDIA-H100-80GB-HBM3 zone=a] [nvidia.com/gpu=present:NoSchedule] gpu-h100-1",
            "H100-80GB-b-gpu-h100-3: 8xH100-80GB mixed [metadata.name=gpu-h100-3 gpu.product=NVIDIA-H100-80GB-HBM3 zone=b] [nvidia.com/gpu=present:NoSchedule] gpu-h100-3",
            "H100-80GB-b-gpu-h100-2: 8xH100-80GB mixed [metadata.name=gpu-h100-2 gpu.product=NVIDIA-H100-80GB-HBM3 zone=b] [nvidia.com/gpu=present:NoSchedule] gpu-h100-2",
            "H200-141GB: 2xH200-141GB single [metadata.name=gpu-h200-1 gpu.product=NVIDIA-H200 zone=a] [] gpu-h200-1",
        ],
        &[
            "monitoring/probe 2x 1*1g.10gb mixed at most 1 per node on metadata.name=gpu-h100-1|gpu-h100-2 tolerating nvidia.com/gpu",
            "team-a/llm 3x 1*1g.10gb mixed priority 1000 tolerating nvidia.com/gpu",
            "team-a/warm-up 1x 4*1g.10gb mixed tolerating nvidia.com/gpu",
            "team-b/bundle 1x 2*1g.10gb+1*2g.20gb mixed on zone=b tolerating nvidia.com/gpu",
            "team-b/choosy 1x 1*3g.40gb mixed on gpu.product=NVIDIA-H100-80GB-HBM3,zone=a or gpu.product=NVIDIA-H200,zone=a tolerating nvidia.com/gpu",
            "team-b/gateway 2x 1*1g.10gb mixed at most 1 per node tolerating nvidia.com/gpu",
            "team-b/train 1x 5 GPUs tolerating nvidia.com/gpu",
            "team-c/near 1x 1*1g.10gb mixed tolerating nvidia.com/gpu",
            "team-c/old-config 1x 1*1g.10gb mixed tolerating nvidia.com/gpu",
            "team-c/picks-slices 1x 1*1g.18gb single on gpu.product=NVIDIA-H200",
            "team-c/small 2x 2*1g.18gb single",
            "team-c/typo 1x 1*3g.41gb mixed tolerating nvidia.com/gpu",
        ],
        &[
            "node-cordoned node gpu-a100-1: is cordoned and was left out; pods on it count all the same",
            "node-not-ready node gpu-a100-2: is not ready and was left out; pods on it count all the same",
            "no-product-label node gpu-bare-1: has GPUs but no label nvidia.com/gpu.product, so its model is not known: it was left out",
            "unknown-product node gpu-new-1: was left out: no GPU model is called `NVIDIA-H100-96GB-HBM3` (nearest: H20-96GB, GH200-96GB, H100-94GB)",
            "model-without-geometry node gpu-pro-1: was left out: RTX-PRO-5000-48GB cannot be planned: (as the catalogue says)",
            "strategy-none node gpu-a30-1: was left out: its MIG strategy is `none`, which advertises no slices (label nvidia.com/mig.strategy; plan it with `mixed` or `single`)",
            "devices-unhealthy node gpu-h100-1: only 55 of 56 nvidia.com/mig-1g.10gb are allocatable; all of its GPUs were planned",
            "unknown-profile pod team-c/typo: asks for 3g.41gb, which no known model has (nearest: 3g.40gb, 3g.47gb, 3g.48gb): it cannot be served",
            "unknown-resource pod team-c/nonsense: asks for nvidia.com/mig-big, which is no MIG profile (expected like nvidia.com/mig-1g.10gb), and was left out",
            "mixed-request pod team-c/both: asks for whole GPUs and MIG slices at once, which no demand can say: it was left out",
            "shared-resource pod team-c/shared: asks for nvidia.com/gpu.shared, a time-sliced share, and was left out",
            "resource-claims pod team-c/claims: claim template one-gpu is not in the dump (get resourceclaimtemplates too), so what it asks for cannot be told: it was left out",
            "label-changes pod team-c/old-config: selects nodes by nvidia.com/mig.config, which changes when a node is cut anew: that condition was dropped",
            "rules-ignored pod team-c/near: has required pod affinity or topology spread, which planning does not look at",
            "served-elsewhere pod team-c/wants-t4: may only run on GPUs that are not planned and was left out",
            "served-elsewhere pod team-c/on-t4: runs on GPUs that are not planned and was left out",
        ],
    );
    let skipped = &found.skipped;
    assert_eq!(
        (
            skipped.nodes_without_gpu,
            skipped.nodes_without_mig,
            skipped.pods_without_gpu,
            skipped.pods_finished,
            skipped.pods_terminating
        ),
        (2, 1, 1, 2, 1)
    );
}

#[test]
fn unavailable_nodes_are_planned_if_asked_for() {
    let found =
        read_with(&[("cluster.json", CLUSTER)], DumpOptions { include_unavailable: true, ..DumpOptions::default() });
    let names: Vec<&str> = found.problem.fleet.pools.iter().map(|pool| pool.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "A100-40GB",
            "A100-40GB-tainted",
            "H100-80GB-a",
            "H100-80GB-b-gpu-h100-3",
            "H100-80GB-b-gpu-h100-2",
            "H200-141GB"
        ]
    );
}

#[test]
fn manifests_count_with_their_replicas() {
    let found = read(&[("manifests.yaml", MANIFESTS)]);
    check(
        &found,
        &[],
        &[
            "default/adhoc 1x 1*7g.80gb mixed on metadata.name=gpu-h100-2",
            "team-d/batch 3x 2 GPUs",
            "team-d/chat 5x 2*1g.10gb mixed priority 5000 at most 1 per node",
            "team-d/index 1x 1*2g.20gb mixed",
            "team-d/nightly 2x 1*1g.10gb mixed",
            "team-d/pretrain-driver 1x 1*1g.10gb mixed",
            "team-d/pretrain-workers 8x 8 GPUs",
        ],
        &[
            "no-gpu-node no node with MIG-capable GPUs is in the dump (it takes the output of `kubectl get nodes,pods -A -o json`)",
            "priority-class-unknown job team-d/batch: has the priority class unheard-of, which is not in the dump (get priorityclasses too): priority 0 was taken",
            "daemon-set daemonset team-d/probe: a DaemonSet counts by its pods, not by its manifest, which was left out",
            "suspended job team-d/parked: is suspended and was left out",
        ],
    );
    let kinds: Vec<(&str, u64)> = found.skipped.kinds.iter().map(|(kind, n)| (kind.as_str(), *n)).collect();
    assert_eq!(kinds, [("Job.batch.volcano.sh", 1), ("Service", 1)]);
}

/// The same objects in any form and order are the same problem.
#[test]
fn the_form_makes_no_difference() {
    let expected = read(&[("cluster.json", CLUSTER), ("manifests.yaml", MANIFESTS)]);
    let same = |name: &str, sources: &[(&str, &[u8])]| {
        let found = read(sources);
        assert_eq!(found.problem, expected.problem, "{name}");
        assert_eq!(found.warnings, expected.warnings, "{name}");
        assert_eq!(found.skipped, expected.skipped, "{name}");
    };
    let value: serde_json::Value = serde_json::from_slice(CLUSTER).unwrap();
    let items = value["items"].as_array().unwrap();

    same("files in another order", &[("m", MANIFESTS), ("c", CLUSTER)]);

    let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zipped.write_all(CLUSTER).unwrap();
    same("gzip", &[("c", &zipped.finish().unwrap()), ("m", MANIFESTS)]);

    let marked: Vec<u8> = [b"\xef\xbb\xbf", CLUSTER].concat();
    same("a byte order mark", &[("c", &marked), ("m", MANIFESTS)]);

    let one_by_one: Vec<String> = items.iter().rev().map(ToString::to_string).collect();
    same("objects one by one, backwards", &[("c", one_by_one.join("\n").as_bytes()), ("m", MANIFESTS)]);

    let yaml = serde_saphyr::to_string(&value).unwrap();
    same("YAML", &[("c", yaml.as_bytes()), ("m", MANIFESTS)]);

    let documents: Vec<String> = items.iter().map(|item| serde_saphyr::to_string(item).unwrap()).collect();
    same("YAML documents", &[("c", documents.join("---\n").as_bytes()), ("m", MANIFESTS)]);

    // As the API server itself answers: a list of one kind, which its items do not repeat; and the
    // same with the kind behind the items.
    let of_kind = |kind: &str, kind_first: bool| {
        let mut bare = Vec::new();
        for item in items.iter().filter(|item| item["kind"] == kind) {
            let mut item = item.clone();
            item.as_object_mut().unwrap().retain(|key, _| key != "kind" && key != "apiVersion");
            bare.push(item);
        }
        let items = serde_json::Value::from(bare);
        if kind_first {
            format!(r#"{{"kind":"{kind}List","apiVersion":"v1","items":{items}}}"#)
        } else {
            format!(r#"{{"items":{items},"kind":"{kind}List","apiVersion":"v1"}}"#)
        }
    };
    for first in [true, false] {
        let (nodes, pods) = (of_kind("Node", first), of_kind("Pod", first));
        same("lists of one kind", &[("n", nodes.as_bytes()), ("p", pods.as_bytes()), ("m", MANIFESTS)]);
    }

    let nested = format!(r#"{{"kind":"List","items":[{value}]}}"#);
    same("a list in a list", &[("c", nested.as_bytes()), ("m", MANIFESTS)]);
}

#[test]
fn the_newest_time_is_that_of_the_dump() {
    let condition = |of: &str| {
        let times = format!(r#""lastTransitionTime": "2026-01-01T00:00:00Z"{of}"#);
        format!(
            r#"{{"kind": "Node", "metadata": {{"name": "n"}}, "status": {{"conditions": [{{"type": "Ready", {times}}}]}}}}"#
        )
    };
    let node = condition(r#", "lastHeartbeatTime": "2026-03-01T00:05:00Z""#);
    let odd = condition(r#", "lastHeartbeatTime": "yesterday""#);
    let pod = r#"{"kind": "Pod", "metadata": {"name": "p"}, "status": {"phase": "Succeeded", "startTime": "2026-02-01T00:00:00Z",
        "containerStatuses": [{"state": {"terminated": {"finishedAt": "2026-03-01T01:07:00+01:00"}}}]}}"#;
    let manifest = "kind: Pod\nmetadata: {name: p}";
    for (files, time) in [
        (&[manifest][..], None),
        (&[&node], Some("2026-03-01T00:05:00Z")),
        (&[&odd], Some("2026-01-01T00:00:00Z")),
        (&[pod, &node, manifest], Some("2026-03-01T00:07:00Z")),
    ] {
        let sources: Vec<(&str, &[u8])> = files.iter().map(|text| ("f", text.as_bytes())).collect();
        assert_eq!(read(&sources).as_of.map(|time| time.to_string()).as_deref(), time, "{files:?}");
    }
}

#[test]
fn what_is_there_twice_counts_once() {
    let once = read(&[("cluster.json", CLUSTER)]);
    let twice = read(&[("cluster.json", CLUSTER), ("again.json", CLUSTER)]);
    assert_eq!(twice.problem, once.problem);
    assert_eq!(twice.warnings, once.warnings);
    let changed = String::from_utf8(CLUSTER.to_vec())
        .unwrap()
        .replace(r#""nvidia.com/mig-2g.20gb": "1""#, r#""nvidia.com/mig-2g.20gb": "2""#);
    let later = read(&[("cluster.json", CLUSTER), ("later.json", changed.as_bytes())]);
    assert_eq!(later.warnings.iter().filter(|w| w.code.as_str() == "duplicate-object").count(), 1);
    assert!(later.problem.demands.iter().any(|d| demand(d).starts_with("team-b/bundle 1x 2*1g.10gb+2*2g.20gb")));
}

/// A node of strategy mixed and one pod, as YAML.
fn small(extra: &str) -> Dump {
    let text = format!(
        "kind: Node\nmetadata: {{name: n1, labels: {{nvidia.com/gpu.product: NVIDIA-A30, nvidia.com/gpu.count: '4', nvidia.com/mig.strategy: mixed}}}}\n{extra}"
    );
    read(&[("small.yaml", text.as_bytes())])
}

#[test]
fn pods_and_their_workload_count_once() {
    let deployment = "---\nkind: Deployment\napiVersion: apps/v1\nmetadata: {name: web, namespace: x, uid: u1}\nspec: {replicas: REPLICAS, template: {spec: {containers: [{resources: {limits: {nvidia.com/mig-1g.6gb: 1}}}]}}}\n";
    let replica_set = "---\nkind: ReplicaSet\napiVersion: apps/v1\nmetadata: {name: web-5d9, namespace: x, ownerReferences: [{kind: Deployment, name: web, controller: true}]}\nspec: {replicas: REPLICAS, template: {spec: {containers: [{resources: {limits: {nvidia.com/mig-1g.6gb: 1}}}]}}}\n";
    let pod = |name: &str, phase: &str| {
        format!(
            "---\nkind: Pod\nmetadata: {{name: {name}, namespace: x, labels: {{pod-template-hash: 5d9}}, ownerReferences: [{{kind: ReplicaSet, name: web-5d9, controller: true}}]}}\nspec: {{tolerations: [{{operator: Exists}}], containers: [{{resources: {{limits: {{nvidia.com/mig-1g.6gb: 1}}}}}}]}}\nstatus: {{phase: {phase}}}\n"
        )
    };
    for (name, replicas, pods, count) in [
        ("the manifest alone", 3, vec![], 3),
        ("all pods there", 2, vec![pod("a", "Running"), pod("b", "Pending")], 2),
        ("some missing", 5, vec![pod("a", "Running"), pod("b", "Pending")], 5),
        ("more than declared", 1, vec![pod("a", "Running"), pod("b", "Running")], 2),
        ("failed ones do not count", 2, vec![pod("a", "Failed"), pod("b", "Running")], 2),
    ] {
        let manifests = [deployment, replica_set].concat().replace("REPLICAS", &replicas.to_string());
        let found = small(&format!("{manifests}{}", pods.concat()));
        let demands: Vec<String> = found.problem.demands.iter().map(demand).collect();
        assert_eq!(demands, [format!("x/web {count}x 1*1g.6gb mixed")], "{name}");
    }
}

#[test]
fn jobs_count_what_is_left_of_them() {
    let job = |spec: &str, status: &str| {
        format!(
            "---\nkind: Job\napiVersion: batch/v1\nmetadata: {{name: j}}\nspec: {{{spec}, template: {{spec: {{containers: [{{resources: {{limits: {{nvidia.com/gpu: 1}}}}}}]}}}}}}\nstatus: {{{status}}}\n"
        )
    };
    for (spec, status, count) in [
        ("parallelism: 4", "", Some(4)),
        ("completions: 10", "", Some(1)),
        ("parallelism: 4, completions: 10", "succeeded: 8", Some(2)),
        ("parallelism: 4, completions: 10", "succeeded: 10", None),
        ("parallelism: 4", "conditions: [{type: Complete, status: 'True'}]", None),
        ("parallelism: 4", "conditions: [{type: Failed, status: 'False'}]", Some(4)),
    ] {
        let found = small(&job(spec, status));
        assert_eq!(found.problem.demands.first().map(|d| d.count), count, "{spec} {status}");
    }
}

#[test]
fn the_pods_of_a_cron_job_are_its_own() {
    let template = "template: {spec: {containers: [{resources: {limits: {nvidia.com/gpu: 1}}}]}}";
    let text = format!(
        "---\nkind: CronJob\napiVersion: batch/v1\nmetadata: {{name: nightly}}\nspec: {{jobTemplate: {{spec: {{parallelism: 3, {template}}}}}}}\n\
         ---\nkind: Pod\nmetadata: {{name: nightly-29300000-x, ownerReferences: [{{kind: Job, name: nightly-29300000, controller: true}}]}}\nspec: {{containers: [{{resources: {{limits: {{nvidia.com/gpu: 1}}}}}}]}}\nstatus: {{phase: Running}}\n"
    );
    let demands: Vec<String> = small(&text).problem.demands.iter().map(demand).collect();
    assert_eq!(demands, ["default/nightly 3x 1 GPUs"]);
}

#[test]
fn names_differ_within_a_namespace() {
    let pod = |kind: &str, profile: &str, i: u32| {
        format!(
            "---\nkind: Pod\nmetadata: {{name: p{i}, ownerReferences: [{{kind: {kind}, name: x, controller: true}}]}}\nspec: {{containers: [{{resources: {{limits: {{nvidia.com/mig-{profile}: 1}}}}}}]}}\nstatus: {{phase: Running}}\n"
        )
    };
    let text = [
        pod("Job", "1g.6gb", 1),
        pod("Job", "1g.6gb", 2),
        pod("StatefulSet", "1g.6gb", 3),
        pod("StatefulSet", "2g.12gb", 4),
    ]
    .concat();
    let demands: Vec<String> = small(&text).problem.demands.iter().map(demand).collect();
    assert_eq!(
        demands,
        [
            "default/x-job 2x 1*1g.6gb mixed",
            "default/x-statefulset 1x 1*1g.6gb mixed",
            "default/x-statefulset-2 1x 1*2g.12gb mixed"
        ]
    );
}

#[test]
fn nodes_no_demand_tells_apart_are_one_pool() {
    let node = |i: usize, zone: &str| {
        format!(
            r#"{{"kind":"Node","metadata":{{"name":"n{i:04}","labels":{{"kubernetes.io/hostname":"n{i:04}","zone":"{zone}","team":"t{}","nvidia.com/gpu.product":"NVIDIA-H200","nvidia.com/gpu.count":"8","nvidia.com/mig.strategy":"mixed"}}}}}}"#,
            i % 7
        )
    };
    let pod = r#"{"kind":"Pod","metadata":{"name":"p"},"spec":{"nodeSelector":{"SELECTOR"},"containers":[{"resources":{"limits":{"nvidia.com/mig-1g.18gb":1}}}]}}"#;
    let nodes: Vec<String> = (0..400).map(|i| node(i, if i < 100 { "a" } else { "b" })).collect();
    for (selector, pools) in [
        (r#""zone":"a""#, vec![("H200-141GB-a", 100), ("H200-141GB-b", 300)]),
        (r#""kubernetes.io/hostname":"n0007""#, vec![("H200-141GB", 399), ("H200-141GB-n0007", 1)]),
        (r#""other":"x""#, vec![("H200-141GB", 400)]),
    ] {
        let text = format!("{}{}", nodes.concat(), pod.replace(r#""SELECTOR""#, selector));
        let found = read(&[("n", text.as_bytes())]);
        let got: Vec<(&str, u32)> =
            found.problem.fleet.pools.iter().map(|p| (p.name.as_str(), p.node_count())).collect();
        assert_eq!(got, pools, "{selector}");
        let eligible = &found.problem.demands[0].eligible;
        let admitted: u32 =
            found.problem.fleet.pools.iter().filter(|p| eligible.admits(p).is_ok()).map(Pool::node_count).sum();
        let expected = if selector.contains("zone") { 100 } else { u32::from(selector.contains("hostname")) };
        assert_eq!(admitted, expected, "{selector}");
    }
}

#[test]
fn files_that_cannot_be_read() {
    let deep = "[".repeat(10_000);
    let deep_pod = format!(r#"{{"kind":"Pod","metadata":{{"labels":{deep}"#);
    let deep_unknown = format!(r#"{{"kind":"Pod","other":{deep}"#);
    let cut = &CLUSTER[..CLUSTER.len() / 2];
    let bad_utf8 = [&CLUSTER[..200], b"\xff\xfe", &CLUSTER[200..]].concat();
    let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain("{}".encode_utf16().flat_map(u16::to_le_bytes)).collect();
    for (name, bytes, code, said) in [
        ("nothing", &b""[..], "empty-file", "the file is empty"),
        ("blank", b" \n\t\n", "empty-file", "the file is empty"),
        ("comments", b"# nothing\n---\n", "empty-file", "the file is empty"),
        ("cut off", cut, "truncated", "cut off"),
        ("one brace", b"{", "truncated", "f:1:1: "),
        ("not text", &bad_utf8, "not-utf8", "at byte 200 (line 9)"),
        ("UTF-16", &utf16, "not-utf8", "it looks like UTF-16"),
        ("no gzip", b"\x1f\x8b\x08\x00", "gzip", "cannot be unpacked"),
        ("a number", b"12", "syntax", "expected a Kubernetes object"),
        ("a JSON list", b"[1]", "syntax", "expected a Kubernetes object"),
        ("a scenario", b"fleet: []\n", "no-kubernetes-object", "no Kubernetes object"),
        ("an empty object", b"{}", "no-kubernetes-object", "no Kubernetes object"),
        ("deep JSON", deep.as_bytes(), "syntax", "f:1:1: "),
        ("deep in a pod", deep_pod.as_bytes(), "syntax", "f:1:"),
        ("deep in what is passed over", deep_unknown.as_bytes(), "truncated", "f:1:"),
        ("wrong type", br#"{"kind":"Pod","spec":{"containers":"x"}}"#, "syntax", "invalid type"),
        ("tabs in YAML", b"kind: Pod\nspec:\n\t- x\n", "syntax", "f:3:"),
        ("a list for a map", br#"{"kind":"Pod","spec":[]}"#, "syntax", "expected a map"),
        (
            "a number for a taint",
            br#"{"kind":"Node","spec":{"taints":[5]}}"#,
            "syntax",
            "invalid type: integer `5`, expected a taint",
        ),
        (
            "a YAML list cut off between two lines",
            b"apiVersion: v1\nitems:\n- kind: Pod\n  metadata: {name: a}\n- apiVersion: v1\n",
            "truncated",
            "f:5:17: ",
        ),
        (
            "a node without a name",
            br#"{"kind":"List","items":[{"kind":"Pod"},{"kind":"Service"},{"kind":"Node"}]}"#,
            "nameless-node",
            "object 3 of the file",
        ),
        ("a YAML key twice", b"kind: Pod\nkind: Pod\n", "syntax", "f:2:1: duplicate mapping key: kind"),
    ] {
        let (found, message) = error_of(bytes);
        assert_eq!(found, code, "{name}: {message}");
        assert!(message.contains(said), "{name}: {message}");
        assert!(message.starts_with("f:"), "{name}: {message}");
        assert!(message.len() < 600, "{name}: {} bytes", message.len());
    }
    let mut bomb = "kind: Pod\nx0: &x0 [a, a, a]\n".to_owned();
    for i in 1..10 {
        writeln!(bomb, "x{i}: &x{i} [{}]", format!("*x{},", i - 1).repeat(10)).unwrap();
    }
    let (code, message) = error_of(bomb.as_bytes());
    assert_eq!(code, "syntax");
    assert!(message.contains("more anchors, aliases or nesting than is read"), "{message}");
    let yaml_deep = format!("kind: Pod\nspec: {deep}");
    assert_eq!(error_of(yaml_deep.as_bytes()).0, "syntax");
}

#[test]
fn every_odd_number_is_named() {
    let text = br#"{"kind":"List","items":[
        {"kind":"Pod","metadata":{"name":"a","namespace":"x"},"spec":{"containers":[{"resources":{"limits":{"nvidia.com/gpu":"99999999999999999999"}}}]}},
        {"kind":"Pod","metadata":{"name":"b","namespace":"x"},"spec":{"containers":[{"resources":{"limits":{"nvidia.com/mig-1g.10gb":-1}}}]}},
        {"kind":"Pod","metadata":{"name":"done"},"spec":{"containers":[{"resources":{"limits":{"nvidia.com/gpu":"x"}}}]},"status":{"phase":"Failed"}},
        {"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"c"},"spec":{"replicas":1e30,"template":{"spec":{"priority":99999999999,"containers":[{"resources":{"limits":{"nvidia.com/gpu":1}}}]}}}}
    ]}"#;
    let errors = read_dump(
        &[Source { name: "f", bytes: text, optional: false }, Source { name: "g", bytes: b"{", optional: false }],
        &Catalog::builtin(),
        &DumpOptions::default(),
    )
    .unwrap_err();
    let found: Vec<String> = errors.0.iter().map(|error| format!("{} {error}", error.code())).collect();
    assert_eq!(
        found,
        [
            "quantity f: pod x/a asks for nvidia.com/gpu: `99999999999999999999` (expected a whole number from 0 to 1000000000)",
            "quantity f: pod x/b asks for nvidia.com/mig-1g.10gb: `-1` (expected a whole number from 0 to 1000000000)",
            "number f: replicas of deployment c is `1000000000000000000000000000000` (expected a whole number from 0 to 1000000000)",
            "number f: priority of deployment c is `99999999999` (expected a whole number from -2147483648 to 2147483647)",
            "truncated g:1:1: the file ends in the middle of an object; it seems to be cut off",
        ]
    );
}

/// Whatever is in a file, reading ends with an answer or an error.
#[test]
fn no_file_makes_it_panic() {
    let catalog = Catalog::builtin();
    let read = |bytes: &[u8]| {
        drop(read_dump(&[Source { name: "f", bytes, optional: false }], &catalog, &DumpOptions::default()));
    };
    for at in (0..CLUSTER.len()).step_by(4999) {
        read(&CLUSTER[..at]);
    }
    let value: serde_json::Value =
        serde_saphyr::from_multiple::<serde_json::Value>(std::str::from_utf8(MANIFESTS).unwrap()).unwrap().into();
    let json = serde_json::json!({"kind": "List", "items": value}).to_string();
    let mut state = 1_u64;
    let mut number = |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % limit
    };
    let marks = b"{}[]:,\"'0-e.&*!|>#%@`\n \t\x00\xff9";
    for original in [MANIFESTS, json.as_bytes()] {
        for _ in 0..200 {
            let mut changed = original.to_vec();
            for _ in 0..=number(3) {
                let (from, to) = (number(changed.len()), number(original.len()));
                match number(4) {
                    0 => changed[from] = marks[number(marks.len())],
                    1 => changed.insert(from, marks[number(marks.len())]),
                    2 => drop(changed.remove(from)),
                    _ => drop(changed.splice(from..from, original[to..(to + 40).min(original.len())].iter().copied())),
                }
            }
            read(&changed);
        }
    }
}
