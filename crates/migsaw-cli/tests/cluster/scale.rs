//! A fleet of some size.

use std::time::Duration;

use migsaw_control_plane::{GpuNode, Workload};

use crate::site::{NAMESPACE, Pace, Site, name, sevenths};

/// 50 nodes of 8 GPUs with 1,500 pods; no more than 5 nodes are away at a time, and no budget is broken.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_nodes_are_changed_five_at_a_time() {
    let running =
        Workload { namespace: NAMESPACE, name: "llm", profile: "1g.10gb", replicas: 1500, max_unavailable: Some(200) };
    let waiting = Workload { name: "train", profile: "3g.40gb", replicas: 300, max_unavailable: None, ..running };
    let Some(site) = Site::with(sevenths(50), vec![running], vec![waiting], Pace::default()).await else { return };
    let mut child = site.apply(&["--max-unavailable", "5"]).spawn().unwrap();
    let (stdout, stderr) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let (stdout, stderr) = (tokio::spawn(read(stdout)), tokio::spawn(read(stderr)));
    let mut most = 0;
    let status = loop {
        most = site.held().await.len().max(most);
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let (stdout, stderr) = (stdout.await.unwrap(), stderr.await.unwrap());
    assert!(status.success(), "{stdout}\n{stderr}");
    let evicted = stdout.lines().find_map(|line| line.split_once(" waves, ")?.1.split_once(" pods evicted"));
    let evicted: usize = evicted.unwrap().0.parse().unwrap();
    let gone = site.budgets.gone()[running.name];
    // Which node a pod goes to is the scheduler's choice; those whose turn will come it takes last.
    assert!((evicted..=evicted + evicted / 50).contains(&gone), "{gone} pods went, not {evicted}");
    assert!((1..=5).contains(&most), "{most} nodes were away");
    site.assert_finished().await;
}

/// Nodes cut in three ways, five workloads with budgets of their own, and three that wait for what there is none of.
#[tokio::test(flavor = "multi_thread")]
async fn a_mixed_fleet_is_cut_for_what_waits() {
    let [sevenths, thirds, halves] = [
        ("all-1g.10gb", [("nvidia.com/mig-1g.10gb", 56)]),
        ("all-2g.20gb", [("nvidia.com/mig-2g.20gb", 24)]),
        ("all-3g.40gb", [("nvidia.com/mig-3g.40gb", 16)]),
    ]
    .map(|(config, resources)| move |node| GpuNode::h100(name(node), config, &resources));
    let nodes = (1..=5).map(sevenths).chain((6..=10).map(thirds)).chain((11..=14).map(halves));
    let workload = |name, profile, replicas, budget: u32| Workload {
        namespace: NAMESPACE,
        name,
        profile,
        replicas,
        max_unavailable: Some(budget),
    };
    let running = vec![
        workload("chat", "1g.10gb", 70, 20),
        workload("embed", "1g.10gb", 50, 30),
        workload("batch", "2g.20gb", 30, 12),
        workload("search", "2g.20gb", 15, 5),
        workload("vision", "3g.40gb", 24, 8),
    ];
    let waiting = vec![
        workload("whole", "7g.80gb", 6, 6),
        workload("four", "4g.40gb", 10, 10),
        workload("double", "1g.20gb", 12, 12),
    ];
    let Some(site) = Site::with(nodes.collect(), running, waiting, Pace::default()).await else { return };
    let applied = site.applied(&["--max-unavailable", "3"]).await;
    applied.assert(0, &["as planned"]);
    site.assert_finished().await;
}

async fn read(mut from: impl tokio::io::AsyncRead + Unpin) -> String {
    let mut text = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut from, &mut text).await.unwrap();
    text
}
