//! Pods that ask for devices through claims, and the GPUs that the DRA driver publishes.

use migsaw_kube::dcgm::Metrics;

use super::running::{OPTIONS, check_with, node};
use super::*;

const V1: &str = "resource.k8s.io/v1";
const V1BETA1: &str = "resource.k8s.io/v1beta1";

/// A slice of node `a` with these devices, each of one line.
fn slice(version: &str, name: &str, pool: &str, devices: &[String]) -> String {
    format!(
        "- apiVersion: {version}
  kind: ResourceSlice
  metadata: {{name: {name}}}
  spec: {{driver: gpu.nvidia.com, nodeName: a, pool: {{name: a, {pool}}}, devices: [{}]}}
",
        devices.join(", ")
    )
}

fn one(devices: &[String]) -> String {
    slice(V1, "a-1", "generation: 1, resourceSliceCount: 1", devices)
}

/// Attributes of a device of one of two A30.
fn attributes(gpu: u32, more: &str) -> String {
    format!(
        "attributes: {{{more}, productName: {{string: NVIDIA A30}}, resource.kubernetes.io/pciBusID: {{string: \"0000:{}b:00.0\"}}, cudaComputeCapability: {{version: 8.0.0}}}}",
        gpu + 3
    )
}

fn whole(gpu: u32) -> String {
    format!("{{name: gpu-{gpu}, {}, capacity: {{memory: {{value: 24Gi}}}}}}", attributes(gpu, "type: {string: gpu}"))
}

/// An instance, `1g.6gb@3`, with its name in the driver's way.
fn named(gpu: u32, instance: &str) -> (String, String, u32, u32) {
    let (profile, start) = instance.split_once('@').unwrap();
    let (id, size) = match profile {
        "1g.6gb" => (14, 1),
        "2g.12gb" => (5, 2),
        _ => (0, 4),
    };
    let name = format!("gpu-{gpu}-mig-{}-{id}-{start}", profile.replace('.', ""));
    let of = format!("type: {{string: mig}}, profile: {{string: {profile}}}, parentUUID: {{string: GPU-{gpu}}}");
    (name, attributes(gpu, &of), start.parse().unwrap(), size)
}

/// An instance that exists.
fn fixed(gpu: u32, instance: &str) -> String {
    let (name, attributes, start, size) = named(gpu, instance);
    let slices: Vec<String> = (start..start + size).map(|i| format!("memorySlice{i}: {{value: \"1\"}}")).collect();
    format!("{{name: {name}, {attributes}, capacity: {{memory: {{value: 6Gi}}, {}}}}}", slices.join(", "))
}

/// An instance that exists when it is allocated.
fn possible(gpu: u32, instance: &str) -> String {
    let (name, attributes, start, size) = named(gpu, instance);
    let slices: Vec<String> = (start..start + size).map(|i| format!("memory-slice-{i}: {{value: \"1\"}}")).collect();
    format!(
        "{{name: {name}, {attributes}, capacity: {{memory: {{value: 6Gi}}}}, consumesCounters: [{{counterSet: gpu-{gpu}-counter-set, counters: {{memory: {{value: 6Gi}}, {}}}}}]}}",
        slices.join(", ")
    )
}

/// All that two A30 can be cut into, by profiles of one and of two slices.
fn everything() -> Vec<String> {
    let of = |gpu| {
        let ones = (0..4).map(move |start| possible(gpu, &format!("1g.6gb@{start}")));
        let twos = [0, 2].map(|start| possible(gpu, &format!("2g.12gb@{start}")));
        let whole = whole(gpu).replace(
            "capacity",
            &format!("consumesCounters: [{{counterSet: gpu-{gpu}-counter-set, counters: {{memory-slice-0: {{value: \"1\"}}}}}}], capacity"),
        );
        ones.chain(twos).chain([whole]).collect::<Vec<String>>()
    };
    [of(0), of(1)].concat()
}

/// The spec of a claim for one instance.
fn wants(profile: &str) -> String {
    format!(
        "{{devices: {{requests: [{{name: mig, exactly: {{deviceClassName: mig.nvidia.com, selectors: [{{cel: {{expression: \"device.attributes['gpu.nvidia.com'].profile == '{profile}'\"}}}}]}}}}]}}}}"
    )
}

/// A claim that holds these devices.
fn claim(name: &str, spec: &str, devices: &[&str]) -> String {
    let results: Vec<String> = devices
        .iter()
        .map(|name| format!("{{request: mig, driver: gpu.nvidia.com, pool: a, device: {name}}}"))
        .collect();
    let status = if devices.is_empty() {
        "{}".to_owned()
    } else {
        format!("{{allocation: {{devices: {{results: [{}]}}}}}}", results.join(", "))
    };
    format!(
        "- apiVersion: {V1}\n  kind: ResourceClaim\n  metadata: {{name: {name}, namespace: team}}\n  spec: {spec}\n  status: {status}\n"
    )
}

/// A pod of a Deployment with a claim of its own, on node `a`.
fn pod(name: &str) -> String {
    format!(
        "- kind: Pod
  metadata: {{name: web-5d9-{name}, namespace: team, labels: {{pod-template-hash: 5d9}}, ownerReferences: [{{kind: ReplicaSet, name: web-5d9, controller: true}}]}}
  spec: {{nodeName: a, resourceClaims: [{{name: gpu, resourceClaimTemplateName: mig}}], containers: [{{resources: {{claims: [{{name: gpu}}]}}}}]}}
  status: {{phase: Running, resourceClaimStatuses: [{{name: gpu, resourceClaimName: web-{name}}}]}}
"
    )
}

#[track_caller]
fn check(items: &[String], states: &[&str], demands: &[&str], warnings: &[&str]) {
    check_with(items, OPTIONS, states, warnings);
    let text = running::list(items);
    let found = read_with(&[("dump", text.as_bytes())], DumpOptions::default());
    let asked: Vec<String> = found.problem.demands.iter().map(demand).collect();
    assert_eq!(asked, demands);
    // In which order the objects come makes no difference.
    let turned: Vec<String> = items.iter().rev().cloned().collect();
    let turned = running::list(&turned);
    assert_eq!(
        read_with(&[("dump", turned.as_bytes())], OPTIONS).problem,
        read_with(&[("dump", text.as_bytes())], OPTIONS).problem
    );
}

#[test]
fn instances_that_exist_are_seen_with_their_starts() {
    let devices = [
        fixed(1, "2g.12gb@0"),
        fixed(1, "1g.6gb@2"),
        fixed(1, "1g.6gb@3"),
        fixed(0, "2g.12gb@0"),
        fixed(0, "2g.12gb@2"),
    ];
    let claims = [
        claim("web-1", &wants("2g.12gb"), &["gpu-0-mig-2g12gb-5-2"]),
        claim("web-2", &wants("2g.12gb"), &["gpu-1-mig-2g12gb-5-0"]),
    ];
    let old = slice(
        V1BETA1,
        "a-1",
        "generation: 1, resourceSliceCount: 1",
        &devices.clone().map(|device| {
            let (name, rest) = device.strip_prefix('{').unwrap().strip_suffix('}').unwrap().split_once(", ").unwrap();
            format!("{{{name}, basic: {{{rest}}}}}")
        }),
    );
    for slice in [one(&devices), old] {
        check(
            &[node("a", "", ""), slice, pod("1"), pod("2"), claims[0].clone(), claims[1].clone()],
            &[
                "a: by GPU: 2g.12gb@0,2g.12gb@2 2g.12gb@0,1g.6gb@2,1g.6gb@3 | web-5d9-1 0:2g.12gb@2, web-5d9-2 1:2g.12gb@0",
            ],
            &["team/web 2x 1*2g.12gb mixed"],
            &[],
        );
    }
}

#[test]
fn a_gpu_without_an_instance_is_not_published() {
    check(&[node("a", "", ""), one(&[fixed(1, "2g.12gb@0")])], &["a: by GPU: ? 2g.12gb@0 off | "], &[], &[]);
    check(&[node("a", "", ""), one(&[whole(0), whole(1)])], &["a: by GPU: off off | "], &[], &[]);
}

#[test]
fn what_a_dynamic_driver_has_allocated_is_what_exists() {
    check(
        &[
            node("a", "", ""),
            one(&everything()),
            pod("1"),
            claim("web-1", &wants("1g.6gb"), &["gpu-0-mig-1g6gb-14-2"]),
            claim("idle", &wants("2g.12gb"), &["gpu-0-mig-2g12gb-5-0"]),
        ],
        &["a: by instance: 2g.12gb@0,1g.6gb@2 off | web-5d9-1 0:1g.6gb@2"],
        &["team/web 1x 1*1g.6gb mixed"],
        &[],
    );
    // The whole GPU is a device too.
    let gpu = "{devices: {requests: [{name: gpu, exactly: {deviceClassName: gpu.nvidia.com}}]}}";
    check(
        &[node("a", "", ""), one(&everything()), pod("1"), claim("web-1", gpu, &["gpu-1"])],
        &["a: by instance: off off | web-5d9-1 1"],
        &["team/web 1x 1 GPUs"],
        &[],
    );
}

#[test]
fn nodes_need_no_labels_of_gpus() {
    let bare = "- {kind: Node, metadata: {name: a}}\n".to_owned();
    check(
        &[bare, one(&everything()), pod("1"), claim("web-1", &wants("1g.6gb"), &["gpu-0-mig-1g6gb-14-2"])],
        &["a: by instance: 1g.6gb@2 off | web-5d9-1 0:1g.6gb@2"],
        &["team/web 1x 1*1g.6gb mixed"],
        &[],
    );
    let single = node("a", "", "")
        .replace("NVIDIA-A30", "NVIDIA-A30-MIG-1g.6gb")
        .replace("gpu.count: \"2\"", "gpu.count: \"8\", nvidia.com/gpu.memory: \"5952\"")
        .replace("strategy: mixed", "strategy: single");
    let eight: Vec<String> = (0..8).map(|i| fixed(i / 4, &format!("1g.6gb@{}", i % 4))).collect();
    check(
        &[single, one(&eight), pod("1"), claim("web-1", &wants("1g.6gb"), &["gpu-0-mig-1g6gb-14-2"])],
        &["a: by GPU: 1g.6gb@0,1g.6gb@1,1g.6gb@2,1g.6gb@3 1g.6gb@0,1g.6gb@1,1g.6gb@2,1g.6gb@3 | web-5d9-1 0:1g.6gb@2"],
        &["team/web 1x 1*1g.6gb mixed"],
        &[],
    );
}

#[test]
fn slices_that_do_not_tell_are_said() {
    let unknown = |why: &str| format!("state-unknown node a: {why}: it counts as empty");
    for (name, items, why) in [
        (
            "a slice is missing",
            vec![
                slice(V1, "a-1", "generation: 2, resourceSliceCount: 2", &[whole(0)]),
                slice(V1, "a-0", "generation: 1, resourceSliceCount: 2", &[whole(1)]),
            ],
            "1 of 2 ResourceSlices of its pool are in the dump",
        ),
        (
            "too many GPUs",
            vec![one(&[whole(0), whole(1), whole(2)])],
            "the DRA driver publishes 3 GPUs (expected 2, as its labels say)",
        ),
        ("too few", vec![one(&[possible(0, "1g.6gb@0")])], "the DRA driver publishes 1 of 2 GPUs"),
        (
            "instances that overlap",
            vec![one(&[fixed(0, "2g.12gb@0"), fixed(0, "1g.6gb@1")])],
            "the DRA driver, GPU 0: 1g.6gb@1 overlaps 2g.12gb@0",
        ),
        (
            "a profile of another board",
            vec![one(&[fixed(0, "2g.12gb@0").replace("2g.12gb", "2g.20gb")])],
            "device gpu-0-mig-2g12gb-5-0 is 2g.20gb, which A30-24GB does not have",
        ),
        (
            "no start",
            vec![one(&[fixed(0, "1g.6gb@0").replace("memorySlice0", "slice")])],
            "device gpu-0-mig-1g6gb-14-0 does not say its memory slices",
        ),
        (
            "another name",
            vec![one(&[whole(0).replace("name: gpu-0", "name: board-0")])],
            "the DRA driver has a device board-0 (expected a name like gpu-0 or gpu-0-mig-1g10gb-19-0)",
        ),
    ] {
        let items = [vec![node("a", "", "")], items].concat();
        check(&items, &["a: unknown"], &[], &[&unknown(why)]);
        assert!(!name.is_empty());
    }
    check(
        &[node("a", "", "nvidia.com/mig-1g.6gb: 1"), one(&[fixed(0, "2g.12gb@0")])],
        &["a: ? 1g.6gb@0 off | "],
        &[],
        &[
            "slices-disagree node a: the DRA driver sees other instances than the node offers: its ResourceSlices were not used",
        ],
    );
}

#[test]
fn claims_of_which_it_cannot_be_told_what_they_ask_for_are_said() {
    let request = |request: &str| format!("{{devices: {{requests: [{{name: x, {request}}}]}}}}");
    let mig = |selector: &str| {
        request(&format!("deviceClassName: mig.nvidia.com, selectors: [{{cel: {{expression: \"{selector}\"}}}}]"))
    };
    for (name, spec, why) in [
        (
            "any instance",
            request("deviceClassName: mig.nvidia.com"),
            "claim web-1: request x takes any MIG device (expected a selector like device.attributes['gpu.nvidia.com'].profile == '1g.10gb')",
        ),
        (
            "a choice",
            request("firstAvailable: [{name: y, deviceClassName: gpu.nvidia.com}]"),
            "claim web-1: request x leaves the choice (firstAvailable)",
        ),
        (
            "all",
            request("exactly: {deviceClassName: gpu.nvidia.com, allocationMode: All}"),
            "claim web-1: request x asks for All devices (expected ExactCount)",
        ),
        (
            "another condition",
            mig("device.attributes['gpu.nvidia.com'].profile.startsWith('1g')"),
            "claim web-1: request x selects by `device.attributes['gpu.nvidia.com'].profile.startsWith('1g')` (expected device.attributes['gpu.nvidia.com'].profile == '1g.10gb' and no more)",
        ),
        (
            "no profile",
            mig("device.attributes['gpu.nvidia.com'].profile == 'big'"),
            "claim web-1: request x: `big` is not a MIG profile name (expected like `1g.10gb`, `1g.10gb+me` or `1c.3g.40gb`)",
        ),
        (
            "pass-through",
            request("deviceClassName: vfio.gpu.nvidia.com"),
            "claim web-1: request x asks for a GPU to pass through",
        ),
        (
            "another class",
            request("exactly: {deviceClassName: small-gpu}"),
            "class small-gpu is not in the dump (get deviceclasses too)",
        ),
        (
            "an odd count",
            request("deviceClassName: gpu.nvidia.com, count: 0.5"),
            "claim web-1: request x asks for `0.5` devices",
        ),
    ] {
        let warning =
            format!("resource-claims pod team/web-5d9-1: {why}, so what it asks for cannot be told: it was left out");
        let unknown =
            "state-unknown node a: runs pods of which it cannot be told what their claims hold: it counts as empty";
        check(
            &[node("a", "", ""), one(&everything()), pod("1"), claim("web-1", &spec, &[])],
            &["a: unknown"],
            &[],
            &[unknown, &warning],
        );
        assert!(!name.is_empty());
    }
    // What was given tells more than what was asked for.
    check(
        &[
            node("a", "", ""),
            one(&everything()),
            pod("1"),
            claim("web-1", &request("exactly: {deviceClassName: small-gpu}"), &["gpu-0-mig-1g6gb-14-2"]),
        ],
        &["a: by instance: 1g.6gb@2 off | web-5d9-1 0:1g.6gb@2"],
        &["team/web 1x 1*1g.6gb mixed"],
        &[],
    );
    // Other drivers' devices are none of ours.
    let channel = request("exactly: {deviceClassName: compute-domain-default-channel.nvidia.com}");
    check(
        &[node("a", "", ""), one(&everything()), pod("1"), claim("web-1", &channel, &[])],
        &["a: by instance: off off | "],
        &[],
        &[],
    );
}

#[test]
fn classes_say_what_their_devices_are() {
    let class = |selector: &str| {
        format!(
            "- apiVersion: {V1}\n  kind: DeviceClass\n  metadata: {{name: small-gpu}}\n  spec: {{extendedResourceName: example.com/small, selectors: [{{cel: {{expression: \"device.driver == 'gpu.nvidia.com' && {selector}\"}}}}]}}\n"
        )
    };
    let attribute = |name: &str, value: &str| format!("device.attributes['gpu.nvidia.com'].{name} == '{value}'");
    let waiting = pod("1").replace("nodeName: a, ", "").replace("Running", "Pending");
    let wants =
        claim("web-1", "{devices: {requests: [{name: x, exactly: {deviceClassName: small-gpu, count: 2}}]}}", &[]);
    for (selector, expected) in [
        (attribute("profile", "1g.6gb"), Some("team/web 1x 2*1g.6gb mixed")),
        (
            format!("{} && {}", attribute("type", "mig"), attribute("profile", "1g.6gb")),
            Some("team/web 1x 2*1g.6gb mixed"),
        ),
        (attribute("type", "gpu"), Some("team/web 1x 2 GPUs")),
        (attribute("type", "mig"), None),
        (attribute("productName", "x"), None),
        (format!("{} && {}", attribute("type", "gpu"), attribute("profile", "1g.6gb")), None),
        ("true".to_owned(), None),
    ] {
        let warning = "resource-claims pod team/web-5d9-1: class small-gpu does not select by one profile and nothing else, so what it asks for cannot be told: it was left out";
        let (demands, warnings) = match expected {
            Some(demand) => (vec![demand], vec![]),
            None => (vec![], vec![warning]),
        };
        let items = [node("a", "", ""), one(&everything()), class(&selector), waiting.clone(), wants.clone()];
        check(&items, &["a: by instance: off off | "], &demands, &warnings);
    }
}

#[test]
fn templates_say_what_pods_to_come_ask_for() {
    let template = |spec: &str| {
        format!(
            "- apiVersion: {V1}\n  kind: ResourceClaimTemplate\n  metadata: {{name: mig, namespace: team}}\n  spec: {{spec: {spec}}}\n"
        )
    };
    let deployment = "- apiVersion: apps/v1
  kind: Deployment
  metadata: {name: web, namespace: team, uid: x}
  spec: {replicas: 3, template: {spec: {resourceClaims: [{name: gpu, resourceClaimTemplateName: mig}], containers: [{}]}}}
"
    .to_owned();
    check(
        &[
            node("a", "", ""),
            one(&everything()),
            pod("1"),
            claim("web-1", &wants("1g.6gb"), &["gpu-0-mig-1g6gb-14-2"]),
            template(&wants("1g.6gb")),
            deployment.clone(),
        ],
        &["a: by instance: 1g.6gb@2 off | web-5d9-1 0:1g.6gb@2"],
        &["team/web 3x 1*1g.6gb mixed"],
        &[],
    );
    check(
        &[node("a", "", ""), one(&everything()), deployment.replace(", uid: x", "")],
        &["a: by instance: off off | "],
        &[],
        &[
            "resource-claims deployment team/web: claim template mig is not in the dump (get resourceclaimtemplates too), so what it asks for cannot be told: it was left out",
        ],
    );
    // Several devices, on one GPU.
    let pair = "{devices: {constraints: [{matchAttribute: gpu.nvidia.com/parentUUID}], requests: [{name: x, exactly: {deviceClassName: mig.nvidia.com, count: 2, selectors: [{cel: {expression: \"device.attributes['gpu.nvidia.com'].profile == '2g.12gb'\"}}]}}]}}";
    let text = running::list(&[node("a", "", ""), one(&everything()), template(pair), deployment]);
    let found = read(&[("dump", text.as_bytes())]);
    assert_eq!(demand(&found.problem.demands[0]), "team/web 3x 2*2g.12gb mixed");
    assert!(matches!(
        found.problem.demands[0].request,
        Request::Profiles { together: migsaw::demand::Together::Gpu, .. }
    ));
}

#[test]
fn a_claim_that_pods_share_counts_once() {
    let sharing = |name: &str, node: &str| {
        pod(name)
            .replace("resourceClaimTemplateName: mig", "resourceClaimName: both")
            .replace("nodeName: a, ", node)
            .replace(&format!(", resourceClaimStatuses: [{{name: gpu, resourceClaimName: web-{name}}}]"), "")
            .replace("Running", if node.is_empty() { "Pending" } else { "Running" })
    };
    check(
        &[
            node("a", "", ""),
            one(&everything()),
            sharing("1", ""),
            sharing("2", "nodeName: a, "),
            sharing("3", "nodeName: a, "),
            claim("both", &wants("1g.6gb"), &["gpu-1-mig-1g6gb-14-0"]),
        ],
        &["a: by instance: off 1g.6gb@0 | web-5d9-2! 1:1g.6gb@0"],
        &["team/web 1x 1*1g.6gb mixed"],
        &[
            "claim-shared pod team/web-5d9-1 and pod team/web-5d9-3: shares its devices with pod web-5d9-2 through claim both: they were counted once",
        ],
    );
}

#[test]
fn claims_made_for_extended_resources_say_which_gpu() {
    let asking = pod("1")
        .replace("resourceClaims: [{name: gpu, resourceClaimTemplateName: mig}], ", "")
        .replace("claims: [{name: gpu}]", "limits: {nvidia.com/mig-1g.6gb: 1}");
    let by_status = asking.replace(
        "resourceClaimStatuses: [{name: gpu, resourceClaimName: web-1}]",
        "extendedResourceClaimStatus: {resourceClaimName: web-1, requestMappings: [{containerName: c, requestName: r, resourceName: nvidia.com/mig-1g.6gb}]}",
    );
    let reserved = claim("web-1", &wants("1g.6gb"), &["gpu-1-mig-1g6gb-14-3"]).replace(
        "status: {",
        "status: {reservedFor: [{resource: pods, name: web-5d9-1, uid: u}, {resource: pods, name: gone, uid: v}], ",
    );
    let by_claim = asking.replace(", resourceClaimStatuses: [{name: gpu, resourceClaimName: web-1}]", "");
    for pod in [by_status, by_claim] {
        check(
            &[node("a", "", ""), one(&everything()), pod, reserved.clone()],
            &["a: by instance: off 1g.6gb@3 | web-5d9-1 1:1g.6gb@3"],
            &["team/web 1x 1*1g.6gb mixed"],
            &[],
        );
    }
}

#[test]
fn claims_and_resources_are_served_by_nodes_of_their_own() {
    let plain = running::pod("9", "b", "mig-1g.6gb", "").replace("web-5d9", "old-5d9");
    let text = running::list(&[
        node("a", "", ""),
        node("b", "", "nvidia.com/mig-1g.6gb: 1"),
        one(&everything()),
        pod("1"),
        claim("web-1", &wants("1g.6gb"), &["gpu-0-mig-1g6gb-14-2"]),
        plain,
    ]);
    let found = read_with(&[("dump", text.as_bytes())], OPTIONS);
    let serves: Vec<Vec<bool>> = found
        .problem
        .demands
        .iter()
        .map(|demand| found.problem.fleet.pools.iter().map(|pool| demand.eligible.admits(pool).is_ok()).collect())
        .collect();
    assert_eq!(serves, [[true, false], [false, true]]);
    assert_eq!(found.warnings, []);
}

#[test]
fn metrics_that_say_something_else_than_the_driver_are_not_used() {
    let line = |gpu: u32, instance: &str| format!("x{{gpu=\"{gpu}\",UUID=\"GPU-{gpu}\",Hostname=\"a\"{instance}}} 1\n");
    let same = line(0, ",GPU_I_ID=\"5\",GPU_I_PROFILE=\"1g.6gb\"") + &line(1, "");
    let other = line(0, ",GPU_I_ID=\"1\",GPU_I_PROFILE=\"2g.12gb\"") + &line(1, "");
    let warning =
        "metrics-disagree node a: DCGM exporter sees other instances than the DRA driver: its metrics were not used";
    for (scrape, warnings) in [(same, vec![]), (other, vec![warning])] {
        let mut metrics = Metrics::default();
        metrics.read("scrape", scrape.as_bytes()).unwrap();
        check_with(
            &[
                node("a", "", ""),
                one(&everything()),
                pod("1"),
                claim("web-1", &wants("1g.6gb"), &["gpu-0-mig-1g6gb-14-2"]),
            ],
            DumpOptions { metrics: Some(&metrics), ..OPTIONS },
            &["a: by instance: 1g.6gb@2 off | web-5d9-1 0:1g.6gb@2"],
            &warnings,
        );
    }
}
