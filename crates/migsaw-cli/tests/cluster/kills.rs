//! Killed at any instant, and run again.

use std::time::Duration;

use crate::site::{Pace, Said, Site};

fn from_env(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// Splitmix64.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Every apply is killed after a random time until one comes to its end, back and forth between two demands, until
/// there were enough kills.
#[tokio::test(flavor = "multi_thread")]
async fn a_killed_apply_goes_on() {
    let (wanted, seed) = (from_env("MIGSAW_KILLS", 8), from_env("MIGSAW_SEED", 1));
    let Some(site) = Site::new(4, Pace::default()).await else { return };
    let (mut kills, mut state, mut rollouts) = (0, seed, 0);
    while kills < wanted {
        // The other way round each time, so that there is always something to do.
        let (more, less) = if rollouts % 2 == 0 { ("train", "spare") } else { ("spare", "train") };
        if rollouts > 0 {
            site.scale(less, 0).await;
            site.scale(more, site.waiting[0].replicas).await;
        }
        rollouts += 1;
        loop {
            let mut child = site.apply(&["--lease", "1s"]).spawn().unwrap();
            let after = Duration::from_millis(random(&mut state) % 4000);
            let Err(_) = tokio::time::timeout(after, child.wait()).await else {
                let output = child.wait_with_output().await.unwrap();
                Said::of(&output).assert(0, &[]);
                break;
            };
            child.kill().await.unwrap();
            kills += 1;
            site.assert_unbroken();
            // Whatever is cordoned is known to be so.
            site.assert_marked().await;
            if kills >= wanted {
                site.applied(&["--lease", "1s"]).await.assert(0, &[]);
                break;
            }
        }
        site.await_bound(more).await;
        assert_eq!(site.held().await, Vec::<String>::new());
        site.assert_unbroken();
    }
}
