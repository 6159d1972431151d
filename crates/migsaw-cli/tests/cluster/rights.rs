//! With just the rights that `deploy/rbac.yaml` gives.

use migsaw_control_plane::OPERATOR;

use crate::site::{Pace, Site};

const MANIFEST: &str = include_str!("../../../../deploy/rbac.yaml");

#[tokio::test(flavor = "multi_thread")]
async fn the_shipped_rights_are_enough() {
    let Some(mut site) = Site::new(4, Pace::default()).await else { return };
    site.plane.apply_manifest(MANIFEST).await.unwrap();
    let account = site.plane.kubeconfig_of(OPERATOR, "migsaw").await.unwrap();
    site.be(account);
    let diff = site.run(&["diff", "--live"]).await;
    diff.assert(1, &["4 of 4 nodes change"]);
    assert!(!diff.stderr.contains("for lack of rights"), "{diff:?}");
    site.run(&["apply", "--dry-run", "server"]).await.assert(0, &["the API server would let all of it happen"]);
    let applied = site.applied(&["--max-unavailable", "2"]).await;
    applied.assert(0, &["done: 2 nodes"]);
    site.assert_finished().await;
    site.aborted(&[]).await.assert(0, &["nothing was half-done"]);
    site.be(site.plane.kubeconfig().to_owned());
    let elsewhere = site.aborted(&["--operator-namespace", "nowhere"]).await;
    elsewhere.assert(2, &["error[cluster-no-namespace]", "there is no namespace `nowhere`", "--operator-namespace"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_rights_it_is_said_which_are_missing() {
    let Some(mut site) = Site::new(2, Pace::default()).await else { return };
    site.plane.apply_manifest(MANIFEST).await.unwrap();
    // Rights to plan, none to apply.
    let account = site.plane.kubeconfig_of(OPERATOR, "migsaw-plan").await.unwrap();
    site.be(account);
    let diff = site.run(&["diff", "--live"]).await;
    diff.assert(1, &["nodes change"]);
    assert!(!diff.stderr.contains("for lack of rights"), "{diff:?}");
    let before = site.versions().await;
    site.applied(&[])
        .await
        .assert(2, &["error[cluster-forbidden]", "Lease gpu-operator/migsaw-apply", "deploy/rbac.yaml"]);
    assert_eq!(site.versions().await, before);
}
