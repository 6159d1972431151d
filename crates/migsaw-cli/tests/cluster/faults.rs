//! What goes wrong while an apply is at it.

use std::time::Duration;

use k8s_openapi::api::core::v1::{Node, Pod};
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use migsaw_control_plane::Fault;
use serde_json::json;

use crate::site::{LABEL, NAMESPACE, Pace, SEVENTHS, Said, Site, label};

/// The nodes that are cut anew, as the rollout has them.
async fn first_cut(site: &Site) -> String {
    let rollout = site.run(&["rollout", "--live", "-o", "json"]).await;
    let rollout: serde_json::Value = serde_json::from_str(&rollout.stdout).unwrap();
    rollout["waves"][0]["steps"][0]["node"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn mig_manager_fails_once_and_the_node_is_rolled_back() {
    let Some(site) = Site::new(4, Pace::default()).await else { return };
    let node = first_cut(&site).await;
    site.manager.fail(&node, Fault::Fails, 1);
    let said = site.applied(&["--roll-back"]).await;
    said.assert(
        1,
        &[
            "MIG Manager says that it failed",
            "rolled back to what it was",
            "stopped: 0 nodes",
            "kubectl -n gpu-operator logs",
        ],
    );
    assert_eq!(site.held().await, Vec::<String>::new());
    assert_eq!(label(&site.node(&node).await, LABEL), SEVENTHS);
    // It fails no more: the same command goes on.
    site.applied(&[]).await.assert(0, &["going on with rollout", "done: 2 nodes"]);
    site.assert_finished().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mig_manager_fails_and_the_node_stays_cordoned_until_abort() {
    let Some(site) = Site::new(4, Pace::default()).await else { return };
    let node = first_cut(&site).await;
    for (fault, text, flags) in [
        (Fault::Fails, "MIG Manager says that it failed", [].as_slice()),
        (Fault::Hangs, "MIG Manager stays in state `pending`", ["--cut-timeout", "2s"].as_slice()),
        (
            Fault::NotAdvertised,
            "does not offer the slices: nvidia.com/mig-3g.40gb 0 of 16",
            ["--slices-timeout", "1s"].as_slice(),
        ),
    ] {
        site.manager.fail(&node, fault, 1);
        site.applied(flags).await.assert(1, &[text, "still cordoned", "migsaw abort"]);
        assert_eq!(site.held().await, std::slice::from_ref(&node), "{fault:?}");
        // Run again it says the same, and does not lose the node.
        site.applied(flags).await.assert(1, &["still cordoned"]);
        assert_eq!(site.held().await, std::slice::from_ref(&node), "{fault:?}");
        site.aborted(flags).await.assert(0, &["taken back: 1 node let go"]);
        assert_eq!(site.held().await, Vec::<String>::new(), "{fault:?}");
        assert_eq!(label(&site.node(&node).await, LABEL), SEVENTHS, "{fault:?}");
    }
    site.applied(&["--max-unavailable", "2"]).await.assert(0, &["done: 2 nodes"]);
    site.assert_finished().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_is_away_for_a_while() {
    let Some(mut site) = Site::new(4, Pace { ending: Duration::from_secs(1), ..Pace::default() }).await else { return };
    let mut child = site.apply(&[]).spawn().unwrap();
    Site::until_said(&mut child, "evicting").await;
    site.plane.restart_api_server(Duration::from_secs(5)).await.unwrap();
    Said::of(&child.wait_with_output().await.unwrap()).assert(0, &["done: 2 nodes"]);
    site.assert_finished().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_is_deleted() {
    let Some(site) = Site::new(6, Pace { ending: Duration::from_secs(1), ..Pace::default() }).await else { return };
    let node = first_cut(&site).await;
    let mut child = site.apply(&[]).spawn().unwrap();
    Site::until_said(&mut child, "evicting").await;
    Api::<Node>::all(site.client()).delete(&node, &DeleteParams::default()).await.unwrap();
    Said::of(&child.wait_with_output().await.unwrap()).assert(0, &["gone from the cluster", "as planned"]);
    assert_eq!(site.held().await, Vec::<String>::new());
    site.assert_unbroken();
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_changes_a_node() {
    let Some(site) = Site::new(4, Pace { ending: Duration::from_secs(1), ..Pace::default() }).await else { return };
    let node = first_cut(&site).await;
    let nodes: Api<Node> = Api::all(site.client());
    let patch = |patch| async {
        nodes.patch(&node, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    };
    // Cordoned by somebody else: it is left alone.
    patch(json!({"spec": {"unschedulable": true}})).await;
    let said = site.applied(&["--include-unavailable"]).await;
    if said.code != 0 {
        said.assert(1, &["somebody else has cordoned it", "left as it is"]);
        assert_eq!(site.held().await, std::slice::from_ref(&node));
    }
    patch(json!({"spec": {"unschedulable": null}})).await;
    site.aborted(&[]).await.assert(0, &[]);
    // Relabelled while it is drained: what it is now is not ours to change.
    let node = first_cut(&site).await;
    let mut child = site.apply(&[]).spawn().unwrap();
    Site::until_said(&mut child, "evicting").await;
    let labels = json!({"metadata": {"labels": {LABEL: "all-disabled"}}});
    nodes.patch(&node, &PatchParams::default(), &Patch::Merge(labels)).await.unwrap();
    Said::of(&child.wait_with_output().await.unwrap())
        .assert(1, &["somebody else has changed its label", "all-disabled"]);
}

/// A pod that comes to a cordoned node all the same, as one does that tolerates it: it is not evicted for ever.
#[tokio::test(flavor = "multi_thread")]
async fn pods_that_come_back_end_the_draining() {
    let Some(site) = Site::new(4, Pace { ending: Duration::from_secs(14), ..Pace::default() }).await else { return };
    let node = first_cut(&site).await;
    let mut child = site.apply(&[]).spawn().unwrap();
    Site::until_said(&mut child, "evicting").await;
    tokio::time::sleep(Duration::from_secs(12)).await;
    let pods: Api<Pod> = Api::namespaced(site.client(), NAMESPACE);
    let pod = json!({"metadata": {"name": "again", "ownerReferences": [site.owner().await]}, "spec": {"nodeName": node,
        "containers": [{"name": "main", "image": "main", "resources": {"limits": {"nvidia.com/mig-1g.10gb": "1"}}}]}});
    let pod = serde_json::from_value(pod).unwrap();
    pods.create(&PostParams::default(), &pod).await.unwrap();
    let said = Said::of(&child.wait_with_output().await.unwrap());
    said.assert(1, &["came to it although it is cordoned", "left as it is", "scale it down"]);
    assert_eq!(site.held().await, Vec::<String>::new());
    site.assert_unbroken();
}

const NO_EVICTIONS: &str = "
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: no-evictions}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [''], apiVersions: [v1], operations: [CREATE], resources: [pods/eviction]}]
  validations: [{expression: 'false', message: 'nobody is evicted today'}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: no-evictions}
spec: {policyName: no-evictions, validationActions: [Deny]}
";

#[tokio::test(flavor = "multi_thread")]
async fn evictions_that_are_refused_leave_no_node_cordoned() {
    let Some(site) = Site::new(4, Pace::default()).await else { return };
    site.plane.apply_manifest(NO_EVICTIONS).await.unwrap();
    // It takes a moment until a policy holds; a dry run tells.
    while site.run(&["apply", "--dry-run", "server"]).await.code == 0 {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let said = site.applied(&["--max-unavailable", "2"]).await;
    said.assert(1, &["nobody is evicted today", "left as it is", "stopped: 0 nodes"]);
    assert_eq!(site.held().await, Vec::<String>::new());
    assert_eq!(site.manager.seen(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_relabelled_or_unmarked_while_it_is_cut_is_no_dead_end() {
    let Some(site) = Site::new(4, Pace { cutting: Duration::from_secs(2), ..Pace::default() }).await else { return };
    let nodes: Api<Node> = Api::all(site.client());
    let patch = |node: &str, patch| {
        let (nodes, node) = (nodes.clone(), node.to_owned());
        async move { nodes.patch(&node, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap() }
    };
    let node = first_cut(&site).await;
    let mut child = site.apply(&["--lease", "1s"]).spawn().unwrap();
    Site::until_said(&mut child, "MIG Manager: pending").await;
    patch(&node, json!({"metadata": {"labels": {LABEL: "all-2g.20gb"}}})).await;
    let said = Said::of(&child.wait_with_output().await.unwrap());
    said.assert(1, &["somebody else has changed its label", "left as it is"]);
    assert_eq!(site.held().await, Vec::<String>::new());
    site.aborted(&["--lease", "1s"]).await.assert(0, &[]);
    assert_eq!(site.held().await, Vec::<String>::new());

    let node = first_cut(&site).await;
    let mut child = site.apply(&["--lease", "1s"]).spawn().unwrap();
    Site::until_said(&mut child, "MIG Manager: pending").await;
    child.kill().await.unwrap();
    patch(&node, json!({"metadata": {"annotations": {crate::site::MARK: null}}})).await;
    while label(&site.node(&node).await, "nvidia.com/mig.config.state") != "success" {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // It is cordoned, and nobody can tell any more by whom.
    site.applied(&["--lease", "1s"]).await.assert(1, &["somebody else has cordoned it", "kubectl uncordon"]);
    patch(&node, json!({"spec": {"unschedulable": null}})).await;
    site.applied(&["--lease", "1s"]).await.assert(0, &["as planned"]);
    site.assert_finished().await;
}
