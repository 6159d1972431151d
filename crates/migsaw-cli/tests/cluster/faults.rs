//! What goes wrong while an apply is at it.

use std::time::Duration;

use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use migsaw_control_plane::Fault;
use serde_json::json;

use crate::site::{LABEL, Pace, SEVENTHS, Said, Site, label};

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
        said.assert(1, &["somebody else has cordoned it", "left as it was"]);
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
