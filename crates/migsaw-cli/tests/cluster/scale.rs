//! A fleet of some size.

use std::time::Duration;

use migsaw_control_plane::Workload;

use crate::site::{NAMESPACE, Pace, Site};

/// 50 nodes of 8 GPUs with 1,500 pods; no more than 5 nodes are away at a time, and no budget is broken.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_nodes_are_changed_five_at_a_time() {
    let running =
        Workload { namespace: NAMESPACE, name: "llm", profile: "1g.10gb", replicas: 1500, max_unavailable: Some(200) };
    let waiting = Workload { name: "train", profile: "3g.40gb", replicas: 300, max_unavailable: None, ..running };
    let Some(site) = Site::with(50, running, waiting, Pace::default()).await else { return };
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
    let gone = site.budgets.gone()[site.running.name];
    // Which node a pod goes to is the scheduler's choice; those whose turn will come it takes last.
    assert!((evicted..=evicted + evicted / 50).contains(&gone), "{gone} pods went, not {evicted}");
    assert!((1..=5).contains(&most), "{most} nodes were away");
    site.assert_finished().await;
}

async fn read(mut from: impl tokio::io::AsyncRead + Unpin) -> String {
    let mut text = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut from, &mut text).await.unwrap();
    text
}
