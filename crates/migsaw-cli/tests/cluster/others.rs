//! Two appliers, and clocks that differ.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use migsaw_control_plane::OPERATOR;
use serde_json::json;

use crate::site::{NAMESPACE, Pace, Said, Site, name};

async fn write_lease(site: &Site, holder: &str, renewed: &str) {
    let leases: Api<Lease> = Api::namespaced(site.client(), OPERATOR);
    let lease = json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "migsaw-apply"},
        "spec": {"holderIdentity": holder, "leaseDurationSeconds": 3, "renewTime": renewed, "acquireTime": renewed}});
    let params = PatchParams::apply("test").force();
    leases.patch("migsaw-apply", &params, &Patch::Apply(&lease)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_appliers_one_acts() {
    let Some(site) = Site::new(4, Pace { ending: Duration::from_secs(6), ..Pace::default() }).await else { return };
    let mut first = site.apply(&[]).spawn().unwrap();
    Site::until_said(&mut first, "evicting").await;
    let second = site.applied(&[]).await;
    second.assert(2, &["error[apply-held]", "is applying a plan to this cluster"]);
    site.aborted(&[]).await.assert(2, &["error[apply-held]"]);
    Said::of(&first.wait_with_output().await.unwrap()).assert(0, &["done: 2 nodes"]);
    site.assert_finished().await;
    assert_eq!(site.manager.seen().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_is_judged_by_how_long_it_is_seen_unchanged() {
    let Some(site) = Site::new(4, Pace::default()).await else { return };
    // A holder whose clock is a day behind, but who renews: nobody takes it from him.
    let renewing = async {
        for second in 0..u32::MAX {
            let time = format!("2020-01-01T00:{:02}:{:02}.000000Z", second / 60 % 60, second % 60);
            write_lease(&site, "behind", &time).await;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        () = renewing => unreachable!("it renews for ever"),
        said = site.applied(&[]) => said.assert(2, &["error[apply-held]", "`behind`"]),
    }
    // One whose clock is years ahead, and who is gone: his Lease runs out all the same.
    write_lease(&site, "ahead", "2099-01-01T00:00:00.000000Z").await;
    site.applied(&["--max-unavailable", "2"]).await.assert(0, &["done: 2 nodes"]);
    site.assert_finished().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_loses_the_lease_stops() {
    let Some(site) = Site::new(4, Pace { ending: Duration::from_secs(6), ..Pace::default() }).await else { return };
    let mut child = site.apply(&[]).spawn().unwrap();
    Site::until_said(&mut child, "evicting").await;
    write_lease(&site, "usurper", "2026-01-01T00:00:00.000000Z").await;
    Said::of(&child.wait_with_output().await.unwrap()).assert(2, &["error[apply-held]", "`usurper`"]);
    assert_eq!(site.manager.seen(), [], "nothing was labelled any more");
    site.assert_marked().await;
    site.applied(&["--max-unavailable", "2"]).await.assert(0, &["going on with rollout"]);
    site.assert_finished().await;
}

const CLUSTER_POLICY: &str = "
apiVersion: nvidia.com/v1
kind: ClusterPolicy
metadata: {name: cluster-policy}
spec: {migManager: {config: {name: NAME}}}
";

const CLUSTER_POLICIES: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: clusterpolicies.nvidia.com}
spec:
  group: nvidia.com
  scope: Cluster
  names: {plural: clusterpolicies, singular: clusterpolicy, kind: ClusterPolicy, listKind: ClusterPolicyList}
  versions:
  - {name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}
";

#[tokio::test(flavor = "multi_thread")]
async fn a_config_map_that_mig_manager_does_not_read_is_refused() {
    let Some(site) = Site::new(2, Pace::default()).await else { return };
    site.plane.apply_manifest(CLUSTER_POLICIES).await.unwrap();
    let name = async |name: &str| {
        // It takes a moment until the new kind is served.
        while site.plane.apply_manifest(&CLUSTER_POLICY.replace("NAME", name)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    name("default-mig-parted-config").await;
    let before = site.versions().await;
    let said = site.applied(&[]).await;
    said.assert(
        2,
        &[
            "error[config-map-not-read]",
            "`default-mig-parted-config`",
            "kubectl patch clusterpolicies.nvidia.com/cluster-policy",
        ],
    );
    assert_eq!(site.versions().await, before);
    name("migsaw-mig-config").await;
    site.applied(&["--max-unavailable", "2"]).await.assert(0, &["done: 1 node"]);
    site.assert_finished().await;
}

/// A pod that runs where its node selector would not put it again: no plan counts it, so no apply may evict it.
#[tokio::test(flavor = "multi_thread")]
async fn pods_that_the_plan_does_not_know_are_not_evicted() {
    let Some(site) = Site::new(4, Pace::default()).await else { return };
    let pods: Api<Pod> = Api::namespaced(site.client(), NAMESPACE);
    let owner = site.owner().await;
    for node in 1..=4 {
        let pod = json!({"metadata": {"name": format!("odd-{node}"), "ownerReferences": [owner]}, "spec": {
            "nodeName": name(node), "nodeSelector": {"zone": "elsewhere"},
            "containers": [{"name": "main", "image": "main", "resources": {"limits": {"nvidia.com/mig-1g.10gb": "1"}}}]}});
        pods.create(&PostParams::default(), &serde_json::from_value(pod).unwrap()).await.unwrap();
    }
    let before = site.versions().await;
    for flags in [[].as_slice(), &["--dry-run", "server"]] {
        let said = site.applied(flags).await;
        said.assert(2, &["warning[running-misplaced]", "error[pods-not-planned]", "research/odd-"]);
    }
    assert_eq!(site.versions().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lease_that_is_deleted_is_made_anew_and_waiting_for_one_can_be_stopped() {
    let Some(site) = Site::new(4, Pace { ending: Duration::from_secs(4), ..Pace::default() }).await else { return };
    write_lease(&site, "gone", "2026-01-01T00:00:00.000000Z").await;
    let before = site.versions().await;
    let mut child = site.apply(&[]).spawn().unwrap();
    Site::until_said(&mut child, "waiting for the Lease of gone").await;
    let interrupt = std::process::Command::new("kill").args(["-INT", &child.id().unwrap().to_string()]).status();
    assert!(interrupt.unwrap().success());
    Said::of(&child.wait_with_output().await.unwrap()).assert(2, &["error[stopped]", "before anything was changed"]);
    assert_eq!(site.versions().await, before);

    let mut child = site.apply(&["--max-unavailable", "2"]).spawn().unwrap();
    Site::until_said(&mut child, "evicting").await;
    let leases: Api<Lease> = Api::namespaced(site.client(), OPERATOR);
    leases.delete("migsaw-apply", &DeleteParams::default()).await.unwrap();
    Said::of(&child.wait_with_output().await.unwrap()).assert(0, &["done: 2 nodes"]);
    site.assert_finished().await;
}
