//! An apply without anything in its way.

use k8s_openapi::api::events::v1::Event;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};

use migsaw_control_plane::Workload;

use crate::site::{NAMESPACE, Pace, SEVENTHS, Site, sevenths};

#[tokio::test(flavor = "multi_thread")]
async fn an_apply_does_what_diff_says() {
    let Some(site) = Site::new(4, Pace::default()).await else { return };
    let diff = site.run(&["diff", "--live"]).await;
    diff.assert(1, &["4 of 4 nodes change", "1g.10gb=7 → 3g.40gb=2"]);

    // Nobody is asked, nothing is done.
    let before = site.versions().await;
    let pods = |pods: &[k8s_openapi::api::core::v1::Pod]| {
        pods.iter().map(|pod| (pod.name_any(), pod.resource_version())).collect::<Vec<_>>()
    };
    let pods_before = pods(&site.pods("llm").await);
    site.run(&["apply"]).await.assert(2, &["error[not-confirmed]"]);
    site.run(&["apply", "--dry-run", "client"]).await.assert(0, &["nodes in"]);
    let dry = site.run(&["apply", "--dry-run", "server", "--max-unavailable", "2"]).await;
    dry.assert(0, &["ConfigMap migsaw-mig-config would change", "the API server would let all of it happen"]);
    assert_eq!(site.versions().await, before);
    assert_eq!(pods(&site.pods("llm").await), pods_before);

    let applied = site.applied(&["--max-unavailable", "2"]).await;
    applied
        .assert(0, &["wave 1 of 1", "cordoned", "evicting 20 pods", "labelled migsaw-", "uncordoned", "done: 2 nodes"]);
    site.assert_finished().await;
    assert_eq!(site.configurations().await[SEVENTHS], 2);
    assert_eq!(site.manager.seen().len(), 2, "each label changed once: {:?}", site.manager.seen());
    let events: Api<Event> = Api::default_namespaced(site.client());
    let events = events.list(&ListParams::default()).await.unwrap();
    for reason in ["MigsawCordoned", "MigsawLabelled", "MigsawUncordoned"] {
        assert_eq!(events.iter().filter(|event| event.reason.as_deref() == Some(reason)).count(), 2, "{reason}");
    }

    // Once more: nothing is to be done, and nothing is written.
    let before = site.versions().await;
    site.applied(&[]).await.assert(0, &["nothing changes"]);
    assert_eq!(site.versions().await, before);
    assert_eq!(site.pods("llm").await[0].namespace().as_deref(), Some(NAMESPACE));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_ends_at_a_safe_point() {
    let Some(site) = Site::new(4, Pace::default()).await else { return };
    let mut child = site.apply(&[]).spawn().unwrap();
    Site::until_said(&mut child, "cordoned").await;
    let interrupt = std::process::Command::new("kill").args(["-INT", &child.id().unwrap().to_string()]).status();
    assert!(interrupt.unwrap().success());
    let output = child.wait_with_output().await.unwrap();
    let said = crate::site::Said::of(&output);
    said.assert(1, &["stopping", "not begun", "stopped: 1 node as planned so far"]);
    assert_eq!(site.held().await, Vec::<String>::new());
    site.applied(&["--max-unavailable", "3"]).await.assert(0, &["going on with rollout", "done: 2 nodes"]);
    site.assert_finished().await;
}

/// A node has more pods than the budget allows to be away: they go as those that replace them become ready.
#[tokio::test(flavor = "multi_thread")]
async fn an_apply_waits_for_a_budget() {
    let running =
        Workload { namespace: NAMESPACE, name: "llm", profile: "1g.10gb", replicas: 80, max_unavailable: Some(1) };
    let waiting = Workload { name: "train", profile: "3g.40gb", replicas: 32, max_unavailable: None, ..running };
    let Some(site) = Site::with(sevenths(4), vec![running], vec![waiting], Pace::default()).await else { return };
    let applied = site.applied(&["--max-unavailable", "2"]).await;
    applied.assert(
        0,
        &["over budget:  19 pods more than research/llm allows (1)", "wave 2 of 2", "not yet evicted", "done: 2 nodes"],
    );
    site.assert_finished().await;
}
