//! Nodes into pools: those that no demand can tell apart go together.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use migsaw::demand::{Demand, LabelRequirement};
use migsaw::fleet::{GpuGroup, NodeGroup, NodeNames, Pool, Strategy, Taint};

use super::constraints::{HOSTNAME, NODE_NAME};
use super::nodes::{FleetNode, STRATEGY};

/// A label with more values than this on the nodes is taken for a name of the node.
const MOST_VALUES: usize = 32;

/// What nodes of a pool have in common.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kin {
    model: String,
    gpus: u32,
    strategy: Strategy,
    taints: Vec<Taint>,
    /// Values of the labels that some demand mentions.
    values: Vec<Option<String>>,
    /// For labels that nearly every node has another value of: which conditions hold.
    truths: Vec<bool>,
}

/// The pools of these nodes, as far as the demands tell them apart.
pub(super) fn group(nodes: &[FleetNode], demands: &[Demand]) -> Vec<Pool> {
    let terms = demands.iter().flat_map(|demand| &demand.eligible.selector.terms);
    let requirements: BTreeSet<&LabelRequirement> = terms.flatten().collect();
    let keys: BTreeSet<&str> = requirements.iter().map(|r| r.key.as_str()).collect();
    let (names, ordinary): (Vec<&str>, Vec<&str>) = keys.iter().partition(|key| names_nodes(nodes, key));
    let on_names: Vec<&LabelRequirement> =
        requirements.iter().filter(|r| names.contains(&r.key.as_str())).copied().collect();

    let mut pools: BTreeMap<Kin, Vec<&FleetNode>> = BTreeMap::new();
    for node in nodes {
        let kin = Kin {
            model: node.model.id.clone(),
            gpus: node.gpus,
            strategy: node.strategy,
            taints: node.taints.clone(),
            values: ordinary.iter().map(|&key| node.labels.get(key).cloned()).collect(),
            truths: on_names.iter().map(|r| r.matches(&node.labels)).collect(),
        };
        pools.entry(kin).or_default().push(node);
    }
    let titles = titles(&pools, &ordinary);
    let pool = |((kin, members), name): ((Kin, Vec<&FleetNode>), String)| {
        let first = members[0];
        // Where nodes have different names, the first one's stands for all: every condition there is
        // holds for all of them or for none.
        let labels = keys.iter().filter_map(|&key| Some((key.to_owned(), first.labels.get(key)?.clone()))).collect();
        let names = NodeNames::Listed(members.iter().map(|node| node.name.clone()).collect());
        Pool {
            name,
            gpus: vec![GpuGroup { model: Arc::clone(&first.model), count: kin.gpus }],
            nodes: vec![NodeGroup::idle(names)],
            labels,
            taints: kin.taints,
            strategy: kin.strategy,
            cost_per_gpu: None,
        }
    };
    pools.into_iter().zip(titles).map(pool).collect()
}

fn names_nodes(nodes: &[FleetNode], key: &str) -> bool {
    if key == NODE_NAME || key == HOSTNAME {
        return true;
    }
    let mut values = BTreeSet::new();
    nodes.iter().any(|node| {
        values.insert(node.labels.get(key));
        values.len() > MOST_VALUES
    })
}

/// A name for each pool: the model, then what tells it from others of that model.
fn titles(pools: &BTreeMap<Kin, Vec<&FleetNode>>, keys: &[&str]) -> Vec<String> {
    let plain: Vec<String> = pools.keys().map(|kin| title(kin, pools, keys)).collect();
    let mut taken = BTreeSet::new();
    let mut titles = Vec::with_capacity(pools.len());
    for (members, title) in pools.values().zip(&plain) {
        // Pools that only their nodes' names tell apart.
        let ambiguous = plain.iter().filter(|other| *other == title).count() > 1;
        let base = match &members[..] {
            [only] if ambiguous => format!("{title}-{}", only.name),
            _ => title.clone(),
        };
        let mut unique = base.clone();
        let mut number = 2;
        while !taken.insert(unique.clone()) {
            unique = format!("{base}-{number}");
            number += 1;
        }
        titles.push(unique);
    }
    titles
}

fn title(kin: &Kin, pools: &BTreeMap<Kin, Vec<&FleetNode>>, keys: &[&str]) -> String {
    let differs = |f: &dyn Fn(&Kin) -> bool| pools.keys().any(|other| other.model == kin.model && f(other));
    let mut parts = vec![kin.model.clone()];
    if differs(&|other| other.gpus != kin.gpus) {
        parts.push(format!("x{}", kin.gpus));
    }
    if differs(&|other| other.strategy != kin.strategy) {
        parts.push(kin.strategy.to_string());
    }
    for (i, key) in keys.iter().enumerate() {
        if !differs(&|other| other.values[i] != kin.values[i]) {
            continue;
        }
        // The strategy has been said.
        if *key == STRATEGY {
            continue;
        }
        let short = key.rsplit('/').next().unwrap_or(key);
        match kin.values[i].as_deref() {
            None => {}
            Some("") => parts.push(short.to_owned()),
            // A bare switch says less than its label.
            Some(value @ ("true" | "false")) => parts.push(format!("{short}-{value}")),
            Some(value) => parts.push(value.to_owned()),
        }
    }
    if differs(&|other| other.taints != kin.taints) && !kin.taints.is_empty() {
        parts.push("tainted".to_owned());
    }
    parts.join("-")
}
