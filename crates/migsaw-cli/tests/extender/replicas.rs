//! Replicas that come and go while pods are placed.

use std::time::Duration;

use serde_json::json;

use crate::balancer::Balancer;
use crate::site::{Site, free_port};

/// Of two replicas one is killed and started again, then the other is stopped gently: every pod is placed, and no node
/// holds more than it has.
#[tokio::test]
async fn pods_are_placed_while_replicas_are_killed_and_rolled() {
    let Some(mut site) = Site::new(6).await else { return };
    let ports = [free_port(), free_port()];
    let balancer = Balancer::start(ports.to_vec()).await;
    let (first, second) = (site.serve(ports[0], &[]).await, site.serve(ports[1], &[]).await);
    site.plane.extend_scheduler(&json!([site.entry(balancer.port)])).unwrap();
    site.pods("before", 60, json!({})).await;
    first.kill().await;
    site.pods("killed", 60, json!({})).await;
    let first = site.serve(ports[0], &[]).await;
    // As endpoints do once it says that it is not ready.
    balancer.only(vec![ports[0]]);
    let stopping = tokio::spawn(second.stop());
    site.pods("rolled", 60, json!({})).await;
    for name in ["before", "killed", "rolled"] {
        site.await_bound(name).await;
    }
    let (code, _) = stopping.await.unwrap();
    assert_eq!(code, 0);
    assert_eq!(site.overcommitted().await, []);
    assert_eq!(first.readiness().await["ready"], json!(true));
    // Nothing is held back for pods that are long placed.
    for _ in 0..100 {
        if first.metric("migsaw_extender_reservations").await == 0.0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("reservations are left over");
}
