//! The fleet: pools of nodes with MIG-capable GPUs.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use crate::geometry::{Layout, Model};
use crate::present::Present;

/// All nodes there are to plan for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fleet {
    /// The pools, in the user's order.
    pub pools: Vec<Pool>,
}

/// Nodes that are interchangeable for placement, up to what is pinned on them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    /// The pool's name, unique in the fleet.
    pub name: String,
    /// The GPUs of each node, in the order of their indices.
    pub gpus: Vec<GpuGroup>,
    /// The nodes. Their running number over all groups is the node's index in the pool.
    pub nodes: Vec<NodeGroup>,
    /// Node labels.
    pub labels: BTreeMap<String, String>,
    /// Node taints.
    pub taints: Vec<Taint>,
    /// How the device plugin advertises the slices.
    pub strategy: Strategy,
    /// Price of one GPU, in any currency and period, the same for all pools.
    pub cost_per_gpu: Option<Cost>,
}

/// Neighbouring GPUs of one model within a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuGroup {
    /// The model.
    pub model: Arc<Model>,
    /// How many there are in one node.
    pub count: u32,
}

/// Nodes of one pool with the same state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeGroup {
    /// What they are called.
    pub names: NodeNames,
    /// What stays on each GPU, by index; GPUs behind the end of the list are idle.
    pub pinned: Vec<GpuState>,
    /// What runs on each of them today, if that is known.
    pub present: Option<Present>,
}

/// The names of some nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeNames {
    /// `count` nodes called `{prefix}{number}`, numbered from `first` on.
    Numbered {
        /// What stands before the number.
        prefix: String,
        /// The first node's number.
        first: u32,
        /// How many nodes.
        count: u32,
    },
    /// Nodes by name.
    Listed(Vec<String>),
}

/// What stays on a GPU whatever is planned.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GpuState {
    /// Nothing: the GPU may be cut in any way.
    #[default]
    Idle,
    /// These instances; others may be added beside them.
    Pinned(Layout),
    /// In use as a whole, MIG off: nothing can be added.
    Taken,
}

/// How the device plugin advertises the slices of a node.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Strategy {
    /// Each profile under its own name, `nvidia.com/mig-1g.10gb`; GPUs with MIG off as `nvidia.com/gpu`.
    #[default]
    Mixed,
    /// The whole node one profile, advertised as `nvidia.com/gpu`; or MIG off on every GPU.
    Single,
}

/// A node taint, as Kubernetes has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Taint {
    /// Key, `nvidia.com/gpu`.
    pub key: String,
    /// Value, often empty.
    pub value: String,
    /// What it does to pods that do not tolerate it.
    pub effect: Effect,
}

/// A taint's effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Effect {
    /// Keeps new pods away.
    NoSchedule,
    /// A wish, which planning ignores.
    PreferNoSchedule,
    /// Keeps new pods away and evicts running ones.
    NoExecute,
}

/// A price, exact to a millionth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cost {
    /// Millionths of the currency unit.
    pub micros: i64,
}

/// The text is no price.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no price (expected a number from 0 to 1000000000 with at most six decimals, like `2.5`)")]
pub struct InvalidCost {
    /// The refused text.
    pub text: String,
}

impl Cost {
    /// The largest price there may be, in millionths.
    pub const MAX_MICROS: i64 = 1_000_000_000_000_000;
}

impl FromStr for Cost {
    type Err = InvalidCost;

    fn from_str(text: &str) -> Result<Cost, InvalidCost> {
        let parse = || {
            let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
            let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
            if !digits(whole) || !digits(fraction) || fraction.len() > 6 {
                return None;
            }
            let micros = whole.parse::<i64>().ok()?.checked_mul(1_000_000)?;
            let micros = micros.checked_add(format!("{fraction:0<6}").parse().ok()?)?;
            (micros <= Cost::MAX_MICROS).then_some(Cost { micros })
        };
        parse().ok_or_else(|| InvalidCost { text: text.chars().take(80).collect() })
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.micros / 1_000_000)?;
        let fraction = format!("{:06}", self.micros % 1_000_000);
        let fraction = fraction.trim_end_matches('0');
        if fraction.is_empty() { Ok(()) } else { write!(f, ".{fraction}") }
    }
}

impl NodeNames {
    /// How many nodes.
    ///
    /// # Panics
    /// If 2^32 or more names are listed.
    pub fn count(&self) -> u32 {
        match self {
            NodeNames::Numbered { count, .. } => *count,
            NodeNames::Listed(names) => u32::try_from(names.len()).expect("fewer than 2^32 nodes"),
        }
    }

    /// The name of the node with this index.
    pub fn get(&self, index: u32) -> String {
        match self {
            NodeNames::Numbered { prefix, first, .. } => format!("{prefix}{}", first + index),
            NodeNames::Listed(names) => names[index as usize].clone(),
        }
    }
}

impl Fleet {
    /// What new nodes can be called by, with numbers behind it: `wanted`, with something before it while any node's name
    /// begins so.
    pub(crate) fn unused_prefix(&self, wanted: &str) -> String {
        let mut prefix = wanted.to_owned();
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let is_taken = |prefix: &str| {
            self.pools.iter().flat_map(|pool| &pool.nodes).any(|group| match &group.names {
                NodeNames::Numbered { prefix: other, .. } => {
                    other.starts_with(prefix) || prefix.strip_prefix(other.as_str()).is_some_and(is_digits)
                }
                NodeNames::Listed(names) => names.iter().any(|name| name.starts_with(prefix)),
            })
        };
        // It ends: at last the prefix has more of these than any name.
        while is_taken(&prefix) {
            prefix.insert_str(0, "new-");
        }
        prefix
    }
}

impl Pool {
    /// A pool of `nodes` idle nodes called `{name}-0`, `{name}-1`, … with `gpus_per_node` GPUs each,
    /// mixed strategy, no labels and no taints.
    pub fn new(name: impl Into<String>, model: Arc<Model>, nodes: u32, gpus_per_node: u32) -> Pool {
        let name = name.into();
        let names = NodeNames::Numbered { prefix: format!("{name}-"), first: 0, count: nodes };
        Pool {
            name,
            gpus: vec![GpuGroup { model, count: gpus_per_node }],
            nodes: vec![NodeGroup::idle(names)],
            labels: BTreeMap::new(),
            taints: Vec::new(),
            strategy: Strategy::Mixed,
            cost_per_gpu: None,
        }
    }

    /// How many nodes.
    pub fn node_count(&self) -> u32 {
        self.nodes.iter().map(|group| group.names.count()).sum()
    }

    /// How many GPUs each node has.
    pub fn gpus_per_node(&self) -> u32 {
        self.gpus.iter().map(|group| group.count).sum()
    }

    /// How many GPUs in all.
    pub fn gpu_count(&self) -> u64 {
        u64::from(self.node_count()) * u64::from(self.gpus_per_node())
    }

    /// The model of each GPU of a node, by index.
    pub fn gpu_models(&self) -> impl Iterator<Item = &Arc<Model>> {
        self.gpus.iter().flat_map(|group| std::iter::repeat_n(&group.model, group.count as usize))
    }

    /// Each group of nodes with the indices its nodes have in the pool.
    pub fn node_ranges(&self) -> impl Iterator<Item = (Range<u32>, &NodeGroup)> {
        let mut next = 0;
        self.nodes.iter().map(move |group| {
            let range = next..next + group.names.count();
            next = range.end;
            (range, group)
        })
    }

    /// The name of the node with this index.
    ///
    /// # Panics
    /// If there are not that many nodes.
    pub fn node_name(&self, index: u32) -> String {
        let (range, group) =
            self.node_ranges().find(|(range, _)| range.contains(&index)).expect("an index of the pool");
        group.names.get(index - range.start)
    }
}

impl NodeGroup {
    /// Nodes on which nothing stays and nothing is known to run.
    pub fn idle(names: NodeNames) -> NodeGroup {
        NodeGroup { names, pinned: Vec::new(), present: None }
    }

    /// What stays on the GPU with this index.
    pub fn state(&self, gpu: usize) -> &GpuState {
        self.pinned.get(gpu).unwrap_or(&GpuState::Idle)
    }
}

impl Taint {
    /// Whether it keeps a pod away that does not tolerate it.
    pub fn repels(&self) -> bool {
        self.effect != Effect::PreferNoSchedule
    }
}

impl fmt::Display for Taint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = if self.value.is_empty() { String::new() } else { format!("={}", self.value) };
        write!(f, "{}{value}:{:?}", self.key, self.effect)
    }
}

impl fmt::Display for Strategy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Strategy::Mixed => "mixed",
            Strategy::Single => "single",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Catalog;

    #[test]
    fn no_node_has_a_name_with_an_unused_prefix() {
        let a30 = Catalog::builtin().model("A30").unwrap();
        let numbered = |prefix: &str| NodeNames::Numbered { prefix: prefix.to_owned(), first: 0, count: 20 };
        let listed = |name: &str| NodeNames::Listed(vec![name.to_owned()]);
        for (names, wanted, unused) in [
            (numbered("a-"), "a-new-", "a-new-"),
            (numbered("a-new-"), "a-new-", "new-a-new-"),
            (numbered("a-new-b-"), "a-new-", "new-a-new-"),
            // `a1` and `0` are names of `a10` and `00` too.
            (numbered("a"), "a1", "new-a1"),
            (numbered(""), "0", "new-0"),
            (numbered(""), "a-", "a-"),
            (listed("a-7"), "a-", "new-a-"),
            (listed("new-a-7"), "a-", "a-"),
            (listed("a"), "a-", "a-"),
        ] {
            let mut pool = Pool::new("p", Arc::clone(&a30), 1, 1);
            pool.nodes = vec![NodeGroup::idle(names)];
            assert_eq!(Fleet { pools: vec![pool] }.unused_prefix(wanted), unused, "{wanted}");
        }
    }

    #[test]
    fn prices_print_what_they_parse() {
        for text in ["0", "2.5", "1000000000", "0.000001", "12.34"] {
            assert_eq!(text.parse::<Cost>().unwrap().to_string(), text);
        }
        for text in ["", "-1", "1.", ".5", "1e3", "1.0000001", "1000000000.1", "9999999999999999999"] {
            assert!(text.parse::<Cost>().is_err(), "{text}");
        }
    }
}
