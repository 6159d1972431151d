//! How many pods a second a real kube-scheduler places with migsaw's extender and without, in turns:
//! `cargo run --release -p migsaw-control-plane --bin throughput -- target/release/migsaw [NODES] [PODS] [ROUNDS]`.
//! In place of a binary it takes the address of an extender that runs already.
//!
//! All pods are there before the scheduler starts; what counts is the time from the first that is bound to the last.

use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client};
use migsaw_control_plane::{ControlPlane, GpuNode};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

const NAMESPACE: &str = "load";
const PROFILES: [&str; 3] = ["1g.10gb", "2g.20gb", "3g.40gb"];
const PORT: u16 = 18_888;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, default: u32| arguments.get(at).map_or(Ok(default), |text| text.parse());
    let migsaw = arguments.first().context("which extender? give target/release/migsaw, or an address")?;
    let (nodes, pods, rounds) = (number(1, 1000)?, number(2, 2000)?, number(3, 3)?);
    let mut plane = ControlPlane::start().await?.context("build the control plane first")?;
    let client = plane.client();
    plane.create_namespace(NAMESPACE).await?;
    let offered = [("nvidia.com/mig-1g.10gb", 24), ("nvidia.com/mig-2g.20gb", 8), ("nvidia.com/mig-3g.40gb", 4)];
    futures::stream::iter(0..nodes)
        .map(|n| GpuNode::h100(format!("gpu-{n:05}"), "mixed", &offered))
        .map(|node| {
            let client = client.clone();
            async move { node.create(&client).await }
        })
        .buffer_unordered(16)
        .try_collect::<Vec<()>>()
        .await?;
    let (_serving, url) = if migsaw.starts_with("http://") {
        (None, migsaw.clone())
    } else {
        (Some(serve(migsaw, plane.kubeconfig()).await?), format!("http://127.0.0.1:{PORT}"))
    };
    let mut out = std::io::stdout();
    writeln!(
        out,
        "{nodes} nodes, {pods} pods, pods a second:\n\n| round | without | with | ratio |\n| --- | --- | --- | --- |"
    )?;
    let mut ratios = Vec::new();
    for round in 1..=rounds {
        let mut rates = [0.0, 0.0];
        for (rate, extenders) in rates.iter_mut().zip([json!([]), json!([entry(&url)])]) {
            *rate = placed_per_second(&mut plane, &client, pods, &extenders).await?;
        }
        ratios.push(rates[1] / rates[0]);
        writeln!(out, "| {round} | {:.0} | {:.0} | {:.2} |", rates[0], rates[1], rates[1] / rates[0])?;
    }
    ratios.sort_by(f64::total_cmp);
    writeln!(out, "\nmedian ratio {:.2}", ratios[ratios.len() / 2])?;
    Ok(())
}

fn entry(url: &str) -> Value {
    let managed = PROFILES.map(|p| json!({"name": format!("nvidia.com/mig-{p}"), "ignoredByScheduler": false}));
    json!({
        "urlPrefix": url, "filterVerb": "filter", "prioritizeVerb": "prioritize",
        "preemptVerb": "preempt", "weight": 5, "nodeCacheCapable": true, "managedResources": managed,
    })
}

async fn serve(migsaw: &str, kubeconfig: &Path) -> Result<Child> {
    let mut command = Command::new(migsaw);
    command.args(["serve", "--listen", &format!("127.0.0.1:{PORT}")]).env("KUBECONFIG", kubeconfig);
    command.args(["--health-listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]);
    let mut child = command.stderr(Stdio::piped()).kill_on_drop(true).spawn()?;
    let mut lines = BufReader::new(child.stderr.take().context("its output is not captured")?).lines();
    while let Some(line) = lines.next_line().await? {
        if line.contains("ready:") {
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Ok(child);
        }
    }
    bail!("{migsaw} serve ended")
}

async fn placed_per_second(plane: &mut ControlPlane, client: &Client, pods: u32, extenders: &Value) -> Result<f64> {
    plane.stop_scheduler();
    let api: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
    api.delete_collection(&DeleteParams::default().grace_period(0), &ListParams::default()).await?;
    while !api.list_metadata(&ListParams::default().limit(1)).await?.items.is_empty() {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    futures::stream::iter(0..pods)
        .map(|n| {
            let resource = format!("nvidia.com/mig-{}", PROFILES[n as usize % PROFILES.len()]);
            let pod = json!({"metadata": {"name": format!("pod-{n}")}, "spec": {"terminationGracePeriodSeconds": 0,
                "containers": [{"name": "main", "image": "main", "resources": {"limits": {resource: "1"}}}]}});
            let api = api.clone();
            async move { anyhow::Ok(api.create(&PostParams::default(), &serde_json::from_value(pod)?).await?) }
        })
        .buffer_unordered(16)
        .try_collect::<Vec<Pod>>()
        .await?;
    let mut bound = std::pin::pin!(
        watcher(api, watcher::Config::default().fields("spec.nodeName!=")).default_backoff().applied_objects()
    );
    plane.extend_scheduler(extenders)?;
    let (mut first, mut seen) = (None, std::collections::HashSet::new());
    while let Some(pod) = bound.next().await {
        if let Ok(pod) = pod {
            first.get_or_insert_with(Instant::now);
            seen.insert(pod.metadata.name);
        }
        if seen.len() == pods as usize {
            break;
        }
    }
    let took = first.context("no pod was bound")?.elapsed();
    Ok(f64::from(pods - 1) / took.as_secs_f64())
}
