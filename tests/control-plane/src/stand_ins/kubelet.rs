//! Runs pods, in name.

use std::time::Duration;

use futures::TryStreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, ResourceExt as _};
use serde_json::json;
use tokio::task::JoinHandle;

/// Stands in for the kubelets of all nodes until it is dropped: pods that are bound run and are ready, pods that
/// are deleted are gone after their time.
pub struct Kubelet(JoinHandle<()>);

impl Kubelet {
    /// Starts it; pods take this long to end.
    pub fn start(client: Client, ending: Duration) -> Kubelet {
        Kubelet(tokio::spawn(async move {
            let pods: Api<Pod> = Api::all(client.clone());
            let events = watcher(pods, watcher::Config::default()).default_backoff().applied_objects();
            let each = |pod: Pod| {
                let client = client.clone();
                async move {
                    tokio::spawn(async move {
                        // What fails here is tried again with the next event of the pod.
                        let _ = attend(&client, &pod, ending).await;
                    });
                    Ok(())
                }
            };
            // The stream ends only with the task: errors are retried.
            let _ = events
                .or_else(|_| futures::future::ready(Ok::<Pod, watcher::Error>(Pod::default())))
                .try_for_each(each)
                .await;
        }))
    }
}

async fn attend(client: &Client, pod: &Pod, ending: Duration) -> kube::Result<()> {
    let (Some(namespace), Some(spec)) = (pod.namespace(), &pod.spec) else { return Ok(()) };
    if spec.node_name.is_none() {
        return Ok(());
    }
    let pods: Api<Pod> = Api::namespaced(client.clone(), &namespace);
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    if pod.metadata.deletion_timestamp.is_some() {
        tokio::time::sleep(ending).await;
        let preconditions = Preconditions { uid: pod.uid(), resource_version: None };
        let now = DeleteParams {
            grace_period_seconds: Some(0),
            preconditions: Some(preconditions),
            ..DeleteParams::default()
        };
        pods.delete(&pod.name_any(), &now).await?;
    } else if phase == Some("Pending") {
        let status = json!({"metadata": {"uid": pod.uid()}, "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": "True"}, {"type": "ContainersReady", "status": "True"}],
        }});
        pods.patch_status(&pod.name_any(), &PatchParams::default(), &Patch::Strategic(&status)).await?;
    }
    Ok(())
}

impl Drop for Kubelet {
    fn drop(&mut self) {
        self.0.abort();
    }
}
