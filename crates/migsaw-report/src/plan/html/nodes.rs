//! Nodes that look alike, before and after, together.

use std::collections::BTreeMap;
use std::ops::Range;

use migsaw::fleet::NodeGroup;
use migsaw::plan::{NodeChange, Plan, PlannedNodes};
use migsaw::problem::Problem;

use super::super::nodes::{NodeIndex, folded};
use super::looks::{Look, Looks};

/// What some nodes of a pool become.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::plan) struct Alike {
    pub(in crate::plan) pool: usize,
    /// The name of their configuration.
    pub(in crate::plan) config: String,
    pub(in crate::plan) gpus: Vec<Gpu>,
    /// Units evicted and units taken on by each node, by demand.
    pub(in crate::plan) evicts: BTreeMap<usize, u64>,
    pub(in crate::plan) takes: BTreeMap<usize, u64>,
    /// Whether it is known what runs there.
    pub(in crate::plan) is_known: bool,
    /// Whether anything happens to them.
    pub(in crate::plan) changes: bool,
}

/// A GPU of theirs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::plan) struct Gpu {
    pub(in crate::plan) after: Look,
    /// What it is today, if it gets other instances and that is known.
    pub(in crate::plan) before: Option<Look>,
}

/// Nodes that look alike, wherever they stand in their pool.
pub(in crate::plan) struct Nodes<'a> {
    pub(in crate::plan) alike: Alike,
    pub(in crate::plan) parts: Vec<(Range<u32>, &'a NodeGroup)>,
    /// The group of the plan that each part is of.
    pub(in crate::plan) planned: Vec<&'a PlannedNodes>,
}

impl Nodes<'_> {
    pub(in crate::plan) fn count(&self) -> u64 {
        self.parts.iter().map(|(within, _)| u64::from(within.end - within.start)).sum()
    }

    /// All names, folded.
    pub(in crate::plan) fn names(&self) -> String {
        folded(&self.parts)
    }

    /// The first one's name.
    pub(in crate::plan) fn first(&self) -> String {
        self.parts.first().map_or_else(String::new, |(within, group)| group.names.get(within.start))
    }
}

/// The nodes of the fleet, those that look alike together, in the fleet's order.
pub(in crate::plan) fn nodes<'a>(
    problem: &'a Problem,
    plan: &'a Plan,
    index: &NodeIndex<'a>,
    looks: &mut Looks<'_>,
) -> Vec<Nodes<'a>> {
    let configurations = plan.configurations(problem);
    let mut changes = plan.changes(problem).into_iter();
    let mut known: BTreeMap<Alike, usize> = BTreeMap::new();
    let mut found: Vec<Nodes<'a>> = Vec::new();
    for (planned, &config) in plan.nodes.iter().zip(&configurations.of_nodes) {
        for (within, group) in index.parts(planned).filter(|(within, _)| !within.is_empty()) {
            let change = changes.next().expect("a change for each part of a planned group");
            let alike = alike(problem, planned, group, &change, &configurations.distinct[config].name, looks);
            let at = *known.entry(alike).or_insert_with_key(|alike| {
                found.push(Nodes { alike: alike.clone(), parts: Vec::new(), planned: Vec::new() });
                found.len() - 1
            });
            found[at].parts.push((within, group));
            found[at].planned.push(planned);
        }
    }
    found
}

fn alike(
    problem: &Problem,
    planned: &PlannedNodes,
    group: &NodeGroup,
    change: &NodeChange,
    config: &str,
    looks: &mut Looks<'_>,
) -> Alike {
    let models = problem.fleet.pools[planned.pool].gpu_models();
    let gpu = |(gpu, model): (usize, &std::sync::Arc<migsaw::geometry::Model>)| {
        let is_recut = change.gpus.iter().any(|change| change.gpu == gpu);
        let before = is_recut.then(|| looks.before(planned, gpu, model, group)).flatten();
        Gpu { after: looks.after(planned, gpu, model, group), before }
    };
    Alike {
        pool: planned.pool,
        config: config.to_owned(),
        gpus: models.enumerate().map(gpu).collect(),
        evicts: change.evicts.clone(),
        takes: change.takes.clone(),
        is_known: change.is_known,
        changes: group.present.is_some() && !change.is_none(),
    }
}
