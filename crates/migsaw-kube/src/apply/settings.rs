//! What to apply, and how.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use migsaw::geometry::Catalog;
use migsaw::plan::Plan;
use migsaw::problem::Problem;
use migsaw::rollout::Rollout;

use super::lease::LeaseTimes;
use super::progress::Progress;

/// What is to be applied.
#[derive(Debug, Clone, Copy)]
pub struct Job<'a> {
    /// Fleet and demand, as they are in the cluster.
    pub problem: &'a Problem,
    /// What is to be reached.
    pub plan: &'a Plan,
    /// In which order.
    pub rollout: &'a Rollout,
    /// The models, for the operator's standard entries.
    pub catalog: &'a Catalog,
    /// The `ConfigMap` that MIG Manager reads.
    pub config_map: &'a str,
    /// Whether to take over what others have written into it.
    pub force: bool,
}

/// How to apply.
#[derive(Clone)]
pub struct Settings {
    /// The GPU Operator's namespace, where Lease, record and `ConfigMap` are.
    pub namespace: String,
    /// Who applies: a name that no other process has.
    pub by: String,
    /// How long the Lease holds.
    pub lease: LeaseTimes,
    /// How long to wait for what.
    pub patience: Patience,
    /// Whether nodes that MIG Manager cannot cut become again what they were.
    pub roll_back: bool,
    /// Set it, and no further node is begun.
    pub stop: Arc<AtomicBool>,
    /// The nodes that are cordoned by this, for those who want to say so if it ends with an error.
    pub cordoned: Arc<Mutex<BTreeSet<String>>>,
    /// Hears what happens.
    pub progress: Arc<dyn Fn(Progress) + Send + Sync>,
}

/// How long to wait for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For evictions that are refused, since the last pod went.
    pub evict: Duration,
    /// For pods that were told to end, since the last one went.
    pub end: Duration,
    /// For MIG Manager, in each of its states. It waits up to 5 minutes for each client that does not end.
    pub cut: Duration,
    /// For the device plugin to offer the new slices.
    pub slices: Duration,
    /// For an API server that does not answer.
    pub api: Duration,
    /// Until MIG Managers can be taken to have seen a new `ConfigMap`: kubelets bring mounted ones up to date
    /// once a minute.
    pub config: Duration,
    /// How long a state has to stand before it is believed that may be one of the past: `failed`, and what MIG Manager
    /// says after somebody else has changed the label.
    pub settle: Duration,
    /// Between two looks at a node.
    pub poll: Duration,
}

impl Default for Patience {
    fn default() -> Patience {
        Patience {
            evict: Duration::from_secs(15 * 60),
            end: Duration::from_secs(10 * 60),
            cut: Duration::from_secs(15 * 60),
            slices: Duration::from_secs(3 * 60),
            api: Duration::from_secs(5 * 60),
            config: Duration::from_secs(90),
            settle: Duration::from_secs(10),
            poll: Duration::from_secs(2),
        }
    }
}
