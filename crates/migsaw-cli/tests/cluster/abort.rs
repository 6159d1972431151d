//! Taking back what is half-done.

use crate::site::{Pace, SEVENTHS, Site};

#[tokio::test(flavor = "multi_thread")]
async fn an_abort_takes_back_what_a_killed_apply_has_left() {
    let Some(site) = Site::new(4, Pace::default()).await else { return };
    site.aborted(&[]).await.assert(0, &["nothing was half-done"]);
    for said in ["cordoned", "evicting", "waiting for MIG Manager"] {
        let mut child = site.apply(&["--max-unavailable", "2", "--lease", "1s"]).spawn().unwrap();
        Site::until_said(&mut child, said).await;
        child.kill().await.unwrap();
        site.assert_marked().await;
        site.aborted(&["--lease", "1s"]).await.assert(0, &["none is cordoned"]);
        assert_eq!(site.held().await, Vec::<String>::new(), "{said}");
        site.assert_unbroken();
    }
    // The rollout that was taken back is not gone on with: it is planned again.
    let applied = site.applied(&["--max-unavailable", "2"]).await;
    assert!(!applied.stderr.contains("going on"), "{applied:?}");
    applied.assert(0, &[]);
    site.assert_finished().await;
    assert_eq!(site.configurations().await[SEVENTHS], 2);
}
