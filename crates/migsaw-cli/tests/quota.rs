//! What `migsaw quota` and `migsaw advise` answer, and with which exit code; what `plan --out` tells autoscalers.

#![expect(clippy::unwrap_used, reason = "tests")]

mod common;

use std::fs;

use common::{example, file, migsaw};
use migsaw::document::advice::AdviceDocument;
use migsaw::document::quota::{HonouredForm, QuotasDocument};

fn read(args: &[&str]) -> QuotasDocument {
    let ran = migsaw(&[&["quota"], args, &["-o", "json"]].concat());
    assert!(ran.code < 2, "{}", ran.err);
    serde_json::from_str(&ran.out).unwrap()
}

#[test]
fn quotas_are_held_against_demand_and_fleet() {
    let tenants = example("tenants.yaml");
    let ran = migsaw(&["quota", &tenants]);
    assert_eq!((ran.code, ran.err.as_str()), (1, ""));
    assert!(ran.out.starts_with("at least 2 pods can never be created; quotas promise 34 "), "{}", ran.out);
    assert!(
        ran.out.contains("12 pods ask for 12 of 1g.10gb, and quota team-a/gpus has 10: 10 can be created"),
        "{}",
        ran.out
    );
    let document = read(&[&tenants]);
    assert_eq!((document.asked, document.refused, document.together.granted), (19, 2, 34));
    // Four boards have at most 28 instances.
    assert!(document.together.at_once_most <= 28 && document.together.percent_most < 100);
    assert!(document.grants.iter().all(|grant| grant.honoured == HonouredForm::Yes));
    let csv = migsaw(&["quota", &tenants, "-o", "csv"]).out;
    assert!(csv.starts_with("quota,resource,used,asked,decided_by_plan,hard,served,refused\nteam-a/gpus,nvidia.com/mig-1g.10gb,0,12,0,10,12,2\n"), "{csv}");
    let page = migsaw(&["quota", &tenants, "-o", "markdown"]).out;
    assert!(page.starts_with("**at least 2 pods"), "{page}");
}

/// Three tenants with a quota of `hard` 7g.80gb each on one board, and a demand of the first.
fn tenants_of_one_board(hard: u64, profile: &str) -> String {
    let quota = |name: &str| format!("- {{name: gpus, namespace: {name}, hard: {{7g.80gb: {hard}}}}}\n");
    format!(
        "apiVersion: migsaw.io/v1alpha1\nkind: Scenario\nfleet:\n- {{pool: p, model: H100-80GB, nodes: 1, gpusPerNode: 1}}\n\
         demand:\n- {{name: x, namespace: a, profile: {profile}, count: 1}}\nquotas:\n{}",
        ["a", "b", "c"].map(quota).concat()
    )
}

#[test]
fn small_quotas_are_over_subscribed_as_often_as_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let of_one = file(&folder, "one.yaml", tenants_of_one_board(1, "7g.80gb"));
    let ran = migsaw(&["quota", &of_one]);
    let expected = "every pod can be created; quotas promise 3 instances and GPUs, the fleet has 1 at once (3.00 times \
                    over-subscribed): not even 1% of every quota, rounded up to whole ones";
    let first = ran.out.split("\nthe plan").next().unwrap();
    assert_eq!(first.split_whitespace().collect::<Vec<_>>(), expected.split_whitespace().collect::<Vec<_>>());
    assert_eq!(read(&[&of_one]).together.percent_most, 0);
}

#[test]
fn what_can_never_run_is_said_whatever_quotas_say() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "x.yaml", tenants_of_one_board(1, "1g.6gb"));
    let ran = migsaw(&["quota", &path]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.starts_with("quotas refuse no pod, but 1 pod can never run on this fleet; "), "{}", ran.out);
    assert!(ran.out.contains("a/x  1g.6gb does not exist on H100-80GB"), "{}", ran.out);
    let never = read(&[&path]).impossible;
    assert_eq!((never.len(), never[0].count, never[0].code.as_str()), (1, 1, "no-such-profile"));
}

#[test]
fn what_is_proposed_can_be_applied_and_lets_in_what_is_served() {
    let tenants = example("tenants.yaml");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("quotas.yaml").display().to_string();
    let ran = migsaw(&["quota", &tenants, "--propose", "--out", &path, "--headroom", "50%"]);
    assert!(ran.err.contains("3 quotas") && ran.out.starts_with("at least 2 pods"), "{}{}", ran.err, ran.out);
    let text = fs::read_to_string(&path).unwrap();
    assert!(
        text.contains("  namespace: \"team-a\"\nspec:\n  hard:\n    \"requests.nvidia.com/mig-1g.10gb\": \"18\"\n"),
        "{text}"
    );
    // It is read like any other manifest, beside the nodes.
    let nodes = "kind: Node\nmetadata: {name: a, labels: {nvidia.com/gpu.product: NVIDIA-H100-80GB-HBM3, nvidia.com/gpu.count: '4', nvidia.com/mig.strategy: mixed}}\n";
    let dump = file(&folder, "nodes.yaml", nodes);
    let again = read(&["--from", &dump, &path]);
    let proposed: Vec<(String, u64)> = again.lines.iter().map(|line| (line.quota.clone(), line.hard)).collect();
    assert!(proposed.contains(&("team-a/migsaw-gpus".to_owned(), 18)), "{proposed:?}");
    assert_eq!(again.lines.len(), text.matches("requests.nvidia.com").count());
    let ran = migsaw(&["quota", &tenants, "--propose", "--nothing-else"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.out.contains("\"requests.nvidia.com/gpu\": \"0\"") && ran.out.matches("kind: ResourceQuota").count() == 3,
        "{}",
        ran.out
    );
    assert_eq!(migsaw(&["quota", &tenants, "--out", &path]).code, 2);
    assert_eq!(
        migsaw(&["quota", &example("inference.yaml")]).out.lines().next(),
        Some("no quota limits GPUs; the plan serves 162 of 162")
    );
}

#[test]
fn advice_says_what_single_costs_and_what_belongs_on_mig() {
    let ran = migsaw(&["advise", &example("inference.yaml"), "-o", "json"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let document: AdviceDocument = serde_json::from_str(&ran.out).unwrap();
    // The same by hand: the scenario with that strategy.
    let text = fs::read_to_string(example("inference.yaml"))
        .unwrap()
        .replace("gpusPerNode: 8", "gpusPerNode: 8\n  strategy: single");
    let folder = tempfile::tempdir().unwrap();
    let plan = migsaw(&["plan", &file(&folder, "s.yaml", text), "-o", "json"]);
    let plan: serde_json::Value = serde_json::from_str(&plan.out).unwrap();
    assert_eq!(plan["gpusUsed"], document.single.gpus.most);
    assert_eq!((document.mixed.served.least, document.mixed.gpus.most), (162, 41));
    let codes: Vec<&str> = document.workloads.iter().map(|workload| workload.code.as_str()).collect();
    assert_eq!(codes, ["slice-requested", "slice-suffices", "several-gpus"]);
    let csv = migsaw(&["advise", &example("tenants.yaml"), "-o", "csv"]).out;
    assert!(csv.contains("team-b/finetune,1,mig-off,whole-profile,"), "{csv}");
    assert!(migsaw(&["advise", &example("tenants.yaml"), "-o", "markdown"]).out.starts_with("**of 19 units, "));
}

#[test]
fn autoscalers_are_told_what_nodes_offer() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("plan").display().to_string();
    let ran = migsaw(&["plan", &example("mixed-fleet.yaml"), "--out", &out, "-o", "json"]);
    assert!(ran.code < 2, "{}", ran.err);
    let plan: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let text = fs::read_to_string(format!("{out}/autoscaler.yaml")).unwrap();
    let hints: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
    let groups = hints["nodeGroups"].as_array().unwrap();
    let nodes: u64 = groups.iter().map(|group| group["nodes"].as_u64().unwrap()).sum();
    assert_eq!(nodes, plan["nodes"].as_array().unwrap().len() as u64, "{text}");
    for group in groups {
        let configuration = group["configuration"].as_str().unwrap();
        let tags = group["awsTags"].as_object().unwrap();
        assert_eq!(tags["k8s.io/cluster-autoscaler/node-template/label/nvidia.com/mig.config"], configuration);
        let resources: Vec<(&String, &serde_json::Value)> =
            tags.iter().filter(|(key, _)| key.contains("/resources/nvidia.com/")).collect();
        assert!(!resources.is_empty(), "{text}");
        let annotations = group["clusterApiAnnotations"].as_object().unwrap();
        let kind = annotations.get("capacity.cluster-autoscaler.kubernetes.io/gpu-type");
        assert_eq!(kind.is_some(), resources.len() == 1, "{text}");
        if let Some(kind) = kind {
            assert!(resources[0].0.ends_with(&format!("/resources/{}", kind.as_str().unwrap())));
            assert_eq!(&annotations["capacity.cluster-autoscaler.kubernetes.io/gpu-count"], resources[0].1);
        }
        let overlay = &group["nodeOverlay"]["spec"]["capacity"];
        let slices = resources.iter().filter(|(key, _)| key.contains("/mig-")).count();
        assert_eq!(overlay.as_object().map_or(0, serde_json::Map::len), slices, "{text}");
    }
}
