//! Why a pod was put or turned away where it was: what was said of it lately, and what would be said now.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use migsaw_kube::scheduling::{Pod, Rollout};
use serde::Serialize;

use crate::decide::{self, Reason};
use crate::extender::{Extender, Tally};
use crate::fleet::View;
use crate::wire::{HostPriority, MAX_SCORE};

/// How many pods are remembered by each of as many locks.
const MOST_PODS: usize = 256;
const SHARDS: usize = 16;
/// How many nodes are named of those that were scored.
const MOST_NODES: usize = 8;

/// What was said lately, of the last few thousand pods.
#[derive(Debug, Default)]
pub struct Journal {
    shards: [Mutex<Pages>; SHARDS],
    hasher: RandomState,
}

#[derive(Debug, Default)]
struct Pages {
    /// By namespace and name.
    pods: HashMap<String, Page>,
    /// In the order in which they were first met.
    order: VecDeque<String>,
}

#[derive(Debug, Clone)]
struct Page {
    pod: Arc<Pod>,
    filtered: Option<(SystemTime, Decision)>,
    scored: Option<(SystemTime, Decision)>,
}

/// Something that was said of a pod.
#[derive(Debug, Clone)]
pub(crate) enum Decision {
    Filtered(Tally),
    Waiting(&'static str),
    /// The best nodes and the number of nodes.
    Scored(Vec<(String, i64)>, usize),
}

impl Decision {
    pub(crate) fn scored(scores: &[HostPriority<'_>]) -> Decision {
        // There are few scores and many nodes.
        let best = (0..=MAX_SCORE).rev().flat_map(|score| scores.iter().filter(move |scored| scored.score == score));
        let named = best.take(MOST_NODES).map(|scored| (scored.host.to_owned(), scored.score));
        Decision::Scored(named.collect(), scores.len())
    }
}

impl Journal {
    pub(crate) fn note(&self, pod: &Pod, decision: Decision) {
        let key = format!("{}/{}", pod.namespace, pod.name);
        let mut pages = self.pages(&key);
        if !pages.pods.contains_key(&key) {
            if pages.order.len() >= MOST_PODS
                && let Some(oldest) = pages.order.pop_front()
            {
                pages.pods.remove(&oldest);
            }
            pages.order.push_back(key.clone());
        }
        let page =
            pages.pods.entry(key).or_insert_with(|| Page { pod: Arc::new(pod.clone()), filtered: None, scored: None });
        if page.pod.uid != pod.uid {
            *page = Page { pod: Arc::new(pod.clone()), filtered: None, scored: None };
        }
        let said = Some((SystemTime::now(), decision));
        match said {
            Some((_, Decision::Scored(..))) => page.scored = said,
            _ => page.filtered = said,
        }
    }

    fn page(&self, key: &str) -> Option<Page> {
        self.pages(key).pods.get(key).cloned()
    }

    fn pages(&self, key: &str) -> MutexGuard<'_, Pages> {
        let shard = usize::try_from(self.hasher.hash_one(key) % SHARDS as u64).unwrap_or(0);
        self.shards[shard].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A node as it is seen: the answer of `/debug/node/NAME`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NodeExplained {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gpus: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    strategy: Option<String>,
    /// How the GPUs are cut, where that can be told.
    cut: Vec<String>,
    given_out_by_claims: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    rollout: Option<&'static str>,
    being_cut_by_mig_manager: bool,
    /// By resource: what the node offers, and what of it is free.
    resources: BTreeMap<String, Amount>,
    pods: Vec<HolderExplained>,
    /// What pods on their way to it have claimed.
    claims: Vec<BTreeMap<String, u64>>,
    /// What free capacity is worth: parts of 2³² for each unit of the whole mix that still fits.
    #[serde(skip_serializing_if = "Option::is_none")]
    worth: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Amount {
    offered: u64,
    free: u64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct HolderExplained {
    name: String,
    holds: BTreeMap<String, u64>,
    priority: i32,
    terminating: bool,
}

/// A pod and what was and would be said of it: the answer of `/debug/pod/NAMESPACE/NAME`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodExplained {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
    asks: BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filtered: Option<Said>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scored: Option<Said>,
    /// What would be said of all nodes now.
    now: Now,
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    /// Seconds since 1970.
    at: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nodes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<usize>,
    /// Nodes that could have taken it and were not passed on, because others are better.
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<usize>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    turned_away: BTreeMap<&'static str, usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    best: Vec<Scored>,
}

#[derive(Debug, Serialize)]
struct Scored {
    node: String,
    score: i64,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Now {
    /// Nodes that could take it, the best first.
    can: Vec<Scored>,
    /// The others by sentence.
    cannot: BTreeMap<&'static str, Vec<String>>,
}

impl Extender {
    /// A node as it is seen now.
    pub fn explain_node(&self, name: &str) -> Option<NodeExplained> {
        let directory = self.fleet().directory();
        let cell = directory.get(name)?;
        let claimed = cell.claimed.by_others("", Instant::now());
        let view = cell.view();
        let outlook = self.fleet().outlook();
        let worth = || {
            let gpus = view.node.gpus.as_ref()?;
            Some(outlook.worth(&gpus.model)?.of(&view.state(&claimed)?))
        };
        let gpus = view.node.gpus.as_ref();
        let cut = gpus.and_then(|gpus| Some((gpus, gpus.cut.as_ref()?)));
        let shown = cut.map(|(gpus, cut)| cut.iter().map(|counts| counts.display(&gpus.model).to_string()).collect());
        Some(NodeExplained {
            name: name.to_owned(),
            model: gpus.map(|gpus| gpus.model.id.clone()),
            gpus: gpus.map(|gpus| gpus.count),
            strategy: gpus.map(|gpus| gpus.strategy.to_string()),
            cut: shown.unwrap_or_default(),
            given_out_by_claims: view.by_claims,
            rollout: view.node.rollout.map(|rollout| match rollout {
                Rollout::Now => "is emptying or cutting it",
                Rollout::Later => "will empty it in a later wave",
            }),
            being_cut_by_mig_manager: view.node.is_recut,
            resources: resources(&view),
            pods: view
                .holders
                .iter()
                .map(|holder| HolderExplained {
                    name: holder.name.to_string(),
                    holds: amounts(&holder.asks.resources),
                    priority: holder.priority,
                    terminating: holder.is_terminating,
                })
                .collect(),
            claims: claimed.iter().map(|asks| amounts(&asks.resources)).collect(),
            worth: worth(),
        })
    }

    /// What was said of a pod lately, and what would be said now; `None` if it is not remembered.
    pub fn explain_pod(&self, namespace: &str, name: &str) -> Option<PodExplained> {
        let page = self.journal().page(&format!("{namespace}/{name}"))?;
        let names = self.fleet().names();
        let node = names.iter().find(|node| self.fleet().view(node).is_some_and(|view| view.holds(&page.pod.uid)));
        Some(PodExplained {
            name: format!("{namespace}/{name}"),
            node: node.map(ToString::to_string),
            asks: amounts(&page.pod.asks.resources),
            filtered: page.filtered.map(said),
            scored: page.scored.map(said),
            now: self.now(&page.pod, &names),
        })
    }

    fn now(&self, pod: &Pod, names: &[Arc<str>]) -> Now {
        let directory = self.fleet().directory();
        let now = Instant::now();
        let mut can = Vec::new();
        let mut cannot: BTreeMap<&'static str, Vec<String>> = BTreeMap::new();
        for node in directory.look_up(names.iter().map(AsRef::as_ref)) {
            let Some(cell) = node.cell else { continue };
            let claimed = cell.claimed.by_others(&pod.uid, now);
            match decide::judge(&cell.view(), pod, &claimed) {
                Ok(()) => can.push(node),
                Err(reason) => cannot.entry(Reason::sentence(reason)).or_default().push(node.name.to_owned()),
            }
        }
        let ranks = decide::rank(self.fleet(), pod, can.iter().copied(), now);
        let scores = decide::scores(&ranks, decide::best(&ranks, can.iter().map(|node| node.name)));
        let mut can: Vec<Scored> =
            can.iter().zip(scores).map(|(node, score)| Scored { node: node.name.to_owned(), score }).collect();
        can.sort_by(|a, b| b.score.cmp(&a.score).then_with(|| a.node.cmp(&b.node)));
        Now { can, cannot }
    }
}

fn said((at, decision): (SystemTime, Decision)) -> Said {
    let at = at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let nothing = Said { at, ..Said::default() };
    match decision {
        Decision::Waiting(sentence) => Said { waiting: Some(sentence), ..nothing },
        Decision::Filtered(tally) => Said {
            nodes: Some(tally.offered),
            kept: Some(tally.kept),
            left_out: Some(tally.left_out()).filter(|&n| n > 0),
            turned_away: tally.reasons.into_iter().map(|(reason, n)| (reason.sentence(), n)).collect(),
            ..nothing
        },
        Decision::Scored(best, nodes) => Said {
            nodes: Some(nodes),
            best: best.into_iter().map(|(node, score)| Scored { node, score }).collect(),
            ..nothing
        },
    }
}

fn resources(view: &View) -> BTreeMap<String, Amount> {
    let free = |resource: &Arc<str>| view.free.get(resource).copied().unwrap_or(0);
    let amount = |(resource, offered): (&Arc<str>, &u64)| {
        (resource.to_string(), Amount { offered: *offered, free: free(resource) })
    };
    view.node.offers.iter().map(amount).collect()
}

fn amounts(resources: &BTreeMap<Arc<str>, u64>) -> BTreeMap<String, u64> {
    resources.iter().map(|(resource, n)| (resource.to_string(), *n)).collect()
}
