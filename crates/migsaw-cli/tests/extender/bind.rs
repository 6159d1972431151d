//! Binding, by several replicas at once.

use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::ListParams;
use serde_json::{Value, json};

use crate::balancer::Balancer;
use crate::site::{NAMESPACE, SEVENTH, Site, free_port};

/// Sixty-four clients bind at three replicas, twice as many pods as there is room for, each to the node of its choice:
/// no node is given more than it has, and what is given is all there is.
#[tokio::test]
async fn three_replicas_never_give_a_slice_twice() {
    let Some(site) = Site::new(2).await else { return };
    let ports = [free_port(), free_port(), free_port()];
    let mut replicas = Vec::new();
    for port in ports {
        replicas.push(site.serve(port, &["--bind"]).await);
    }
    let eight = json!({"schedulerName": "nobody", "containers": [
        {"name": "main", "image": "main", "resources": {"limits": {SEVENTH: "8"}}}]});
    site.pods("many", 64, eight).await;
    let pods: Api<Pod> = Api::namespaced(site.client(), NAMESPACE);
    let pods = pods.list(&ListParams::default()).await.unwrap().items;
    let caller = site.caller();
    let clients = pods.into_iter().enumerate().map(|(i, pod)| {
        let caller = caller.clone();
        tokio::spawn(async move {
            let (name, uid) = (pod.metadata.name.unwrap(), pod.metadata.uid.unwrap());
            for attempt in 0..8 {
                let node = format!("gpu-{}", 1 + (i + attempt) % 2);
                let body = json!({"PodName": name, "PodNamespace": NAMESPACE, "PodUID": uid, "Node": node});
                let url = format!("https://127.0.0.1:{}/bind", ports[(i + attempt) % 3]);
                // Twice: the scheduler may not have heard the answer.
                for _ in 0..2 {
                    let answer: Value =
                        caller.post(&url).body(body.to_string()).send().await.unwrap().json().await.unwrap();
                    let error = answer["Error"].as_str().unwrap();
                    let known = ["not free", "bound to", "at the same time"];
                    assert!(error.is_empty() || known.iter().any(|part| error.contains(part)), "{error}");
                }
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
    let found = site.whereabouts("many").await;
    // Seven pods of eight slices on each node, and no more.
    assert_eq!((found.get("gpu-1"), found.get("gpu-2"), found.get("")), (Some(&7), Some(&7), Some(&50)));
}

/// The scheduler binds through the extender, one replica killed in between: every pod is bound once.
#[tokio::test]
async fn the_scheduler_binds_through_replicas_that_are_killed() {
    let Some(mut site) = Site::new(3).await else { return };
    let ports = [free_port(), free_port()];
    let balancer = Balancer::start(ports.to_vec()).await;
    let (first, _second) = (site.serve(ports[0], &["--bind"]).await, site.serve(ports[1], &["--bind"]).await);
    let mut entry = site.entry(balancer.port);
    entry["bindVerb"] = json!("bind");
    site.plane.extend_scheduler(&json!([entry])).unwrap();
    site.pods("before", 40, json!({})).await;
    first.kill().await;
    site.pods("after", 60, json!({})).await;
    site.await_bound("before").await;
    site.await_bound("after").await;
    assert_eq!(site.overcommitted().await, []);
}
