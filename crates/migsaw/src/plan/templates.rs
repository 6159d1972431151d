//! Which nodes to make the same: the candidates of the search for few configurations.

use std::collections::BTreeMap;

use super::cell::Cell;
use super::compile::{Compiled, NodeClass};
use crate::fleet::Strategy;

/// Nodes that all become the same, by pool, class and number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Template {
    pub(super) members: Vec<(usize, usize, i64)>,
    /// How they are cut. Nodes of the mixed strategy can be cut like those of the single one.
    pub(super) strategy: Strategy,
}

/// Idle nodes that look the same, whatever their pool.
#[derive(Debug)]
pub(super) struct Group {
    strategy: Strategy,
    /// Pool, class and how many.
    classes: Vec<(usize, usize, i64)>,
    gpus: i64,
}

/// Lists of templates to try.
pub(super) struct Candidates {
    pub(super) lists: Vec<Vec<Template>>,
    /// Whether these are all there are.
    pub(super) are_all: bool,
}

/// Most cells a program over the whole fleet may have.
const MAX_CELLS: usize = 96;
/// Most nodes a program may treat one by one.
const MAX_NODES: i64 = 24;
/// Most single templates that are combined.
const MAX_OPTIONS: usize = 4_000;

impl Template {
    fn one(compiled: &Compiled<'_>, pool: usize, class: usize, weight: i64) -> Template {
        Template { members: vec![(pool, class, weight)], strategy: compiled.pools[pool].strategy }
    }

    /// The template of an identical cell.
    pub(super) fn of(cell: &Cell) -> Template {
        let mut members: BTreeMap<(usize, usize), i64> = BTreeMap::new();
        cell.members.iter().for_each(|m| *members.entry((m.pool, m.class)).or_insert(0) += m.weight);
        let members = members.into_iter().map(|((pool, class), weight)| (pool, class, weight)).collect();
        Template { members, strategy: cell.strategy }
    }

    pub(super) fn is_only_in(&self, pool: usize) -> bool {
        self.members.iter().all(|member| member.0 == pool)
    }
}

fn classes<'c>(compiled: &'c Compiled<'_>) -> impl Iterator<Item = (usize, usize, &'c NodeClass)> {
    let pools = compiled.pools.iter().enumerate();
    pools.flat_map(|(pool, shape)| shape.classes.iter().enumerate().map(move |(i, class)| (pool, i, class)))
}

/// Cells whose weights are powers of two and a rest, so that every total can be written with them; `None`
/// if the fleet has too many different nodes for one program.
pub(super) fn complete(compiled: &Compiled<'_>) -> Option<Vec<Template>> {
    let mut templates = Vec::new();
    for (pool, index, class) in classes(compiled) {
        templates.extend(doubling(class.count).into_iter().map(|weight| Template::one(compiled, pool, index, weight)));
        if templates.len() > MAX_CELLS {
            return None;
        }
    }
    Some(templates)
}

/// 1, 2, 4, … and a rest that add up to `count`, largest first.
pub(super) fn doubling(count: i64) -> Vec<i64> {
    let mut weights = Vec::new();
    let (mut left, mut next) = (count, 1);
    while left > 0 {
        let weight = next.min(left);
        weights.push(weight);
        left -= weight;
        next *= 2;
    }
    weights.sort_unstable_by(|a, b| b.cmp(a));
    weights
}

/// One cell per node: the problem itself; `None` if there are too many.
pub(super) fn every_node(compiled: &Compiled<'_>) -> Option<Vec<Template>> {
    let total: i64 = classes(compiled).map(|(_, _, class)| class.count).sum();
    let each = |(pool, index, class): (usize, usize, &NodeClass)| {
        (0..class.count).map(move |_| Template::one(compiled, pool, index, 1))
    };
    (total <= MAX_NODES).then(|| classes(compiled).flat_map(each).collect())
}

/// The idle nodes by looks; `None` if something is pinned, where looks do not decide. Nodes of the mixed
/// strategy are in two groups where there are others of the single strategy that look the same.
pub(super) fn groups(compiled: &Compiled<'_>) -> Option<Vec<Group>> {
    let models = |pool: usize| -> Vec<&str> {
        let shape = &compiled.pools[pool];
        shape.board_of.iter().map(|&b| shape.boards[b].model.id.as_str()).collect()
    };
    let mut looks: Vec<Vec<&str>> = (0..compiled.pools.len()).map(models).collect();
    looks.sort_unstable();
    looks.dedup();
    if classes(compiled).any(|(_, _, class)| !class.is_idle()) {
        return None;
    }
    let mut groups = Vec::new();
    for look in looks {
        for strategy in [Strategy::Mixed, Strategy::Single] {
            let alike = classes(compiled).filter(|(pool, _, _)| models(*pool) == look);
            let fitting =
                alike.filter(|(pool, _, _)| strategy == Strategy::Single || compiled.pools[*pool].strategy == strategy);
            let classes: Vec<(usize, usize, i64)> =
                fitting.map(|(pool, index, class)| (pool, index, class.count)).collect();
            if classes.iter().any(|class| compiled.pools[class.0].strategy == strategy) {
                let gpus = i64::try_from(look.len()).expect("few GPUs per node");
                groups.push(Group { strategy, classes, gpus });
            }
        }
    }
    Some(groups)
}

/// Every list of `count` templates whose GPUs can cost exactly `cost`, those with few nodes first, up to
/// `most` of them.
pub(super) fn candidates(
    compiled: &Compiled<'_>,
    groups: &[Group],
    count: usize,
    cost: Option<i64>,
    most: usize,
) -> Candidates {
    let Some(mut options) = options(compiled, groups) else { return Candidates { lists: Vec::new(), are_all: false } };
    options.sort_by_key(|(_, template)| (template.members.iter().map(|m| m.2).sum::<i64>(), template.clone()));
    let mut chosen = Vec::new();
    let mut lists = Vec::new();
    let mut walk = Walk { compiled, groups, options: &options, cost, most, steps: 0 };
    let are_all = walk.extend(count, 0, &mut chosen, &mut lists);
    let nodes = |list: &Vec<Template>| list.iter().flat_map(|t| &t.members).map(|m| m.2).sum::<i64>();
    lists.sort_by_key(|list| (nodes(list), list.iter().flat_map(|t| &t.members).map(|m| m.2).min()));
    Candidates { lists, are_all }
}

/// Every single template, with its group; `None` if there are too many.
fn options(compiled: &Compiled<'_>, groups: &[Group]) -> Option<Vec<(usize, Template)>> {
    let mut options = Vec::new();
    for (index, group) in groups.iter().enumerate() {
        let mut weights: Vec<Vec<i64>> = vec![Vec::new()];
        for &(_, _, count) in &group.classes {
            let extended = weights.len().saturating_mul(usize::try_from(count).unwrap_or(usize::MAX).saturating_add(1));
            if extended > MAX_OPTIONS {
                return None;
            }
            weights =
                weights.iter().flat_map(|w| (0..=count).map(move |n| w.iter().copied().chain([n]).collect())).collect();
        }
        for weights in weights.into_iter().filter(|w| w.iter().any(|&n| n > 0)) {
            let members = group.classes.iter().zip(weights).filter(|(_, n)| *n > 0);
            let members: Vec<(usize, usize, i64)> = members.map(|(&(pool, class, _), n)| (pool, class, n)).collect();
            if members.iter().any(|member| compiled.pools[member.0].strategy == group.strategy) {
                options.push((index, Template { members, strategy: group.strategy }));
            }
        }
    }
    (options.len() <= MAX_OPTIONS).then_some(options)
}

struct Walk<'a> {
    compiled: &'a Compiled<'a>,
    groups: &'a [Group],
    options: &'a [(usize, Template)],
    cost: Option<i64>,
    most: usize,
    steps: usize,
}

impl Walk<'_> {
    /// Adds `count` more options from `from` on; false if not all were listed.
    fn extend(&mut self, count: usize, from: usize, chosen: &mut Vec<usize>, lists: &mut Vec<Vec<Template>>) -> bool {
        self.steps += 1;
        if lists.len() >= self.most || self.steps > 200_000 {
            return false;
        }
        if count == 0 {
            if self.costs_right(chosen) {
                lists.push(chosen.iter().map(|&i| self.options[i].1.clone()).collect());
            }
            return true;
        }
        for i in from..self.options.len() {
            chosen.push(i);
            let fits = self.has_nodes(chosen);
            let all = !fits || self.extend(count - 1, i, chosen, lists);
            chosen.pop();
            if !all {
                return false;
            }
        }
        true
    }

    /// Whether no class is used up beyond its nodes.
    fn has_nodes(&self, chosen: &[usize]) -> bool {
        let mut classes = self.groups.iter().flat_map(|group| &group.classes);
        classes.all(|&(pool, class, count)| {
            let members = chosen.iter().flat_map(|&i| &self.options[i].1.members);
            members.filter(|m| m.0 == pool && m.1 == class).map(|m| m.2).sum::<i64>() <= count
        })
    }

    /// Whether the cost can come out exactly, with 1 to all GPUs of each node in use.
    fn costs_right(&self, chosen: &[usize]) -> bool {
        // Whole GPUs need not be the same number on each copy.
        let whole = self.compiled.pools.iter().any(|shape| shape.serves_whole(self.compiled));
        let Some(cost) = self.cost.filter(|_| !whole) else { return true };
        let mut sums = vec![0];
        for &i in chosen {
            let (group, template) = &self.options[i];
            let price: i64 = template.members.iter().map(|m| m.2 * self.compiled.pools[m.0].cost).sum();
            let steps = |&sum: &i64| (1..=self.groups[*group].gpus).map(move |used| sum + used * price);
            sums = sums.iter().flat_map(steps).filter(|&sum| sum <= cost).collect();
            sums.sort_unstable();
            sums.dedup();
        }
        sums.contains(&cost)
    }
}

/// Lists of fewer than `count` templates for `gpus` GPUs in use in a pool, shortest first.
pub(super) fn shorter(compiled: &Compiled<'_>, pool: usize, count: usize, gpus: i64) -> Vec<Vec<Template>> {
    let shape = &compiled.pools[pool];
    let [class] = &shape.classes[..] else { return Vec::new() };
    let each = i64::try_from(shape.board_of.len()).expect("few GPUs per node");
    let full = gpus / each;
    let least = (gpus + each - 1) / each;
    let mut lists: Vec<Vec<i64>> = Vec::new();
    let uniform = (least..=class.count).filter(|&nodes| nodes > 0 && gpus % nodes == 0).take(4);
    lists.extend(uniform.map(|nodes| vec![nodes]));
    for rest in 1..=8 {
        lists.push(vec![full, rest]);
        lists.push(vec![full - rest, rest]);
        lists.push(vec![least - rest, rest]);
    }
    for part in 1..=12 {
        let first = full * part / 13;
        lists.push(vec![full - first, first, least - full]);
        lists.push(vec![full - first - 1, first, 1, least - full]);
        lists.push(vec![full - first - 2, first, 1, 1, least - full]);
    }
    for list in &mut lists {
        list.retain(|&weight| weight > 0);
        list.sort_unstable_by(|a, b| b.cmp(a));
    }
    lists.retain(|list| !list.is_empty() && list.len() < count && list.iter().sum::<i64>() <= class.count);
    lists.sort_by_key(|list| (list.len(), list.iter().sum::<i64>()));
    lists.dedup();
    let templates = |list: Vec<i64>| list.into_iter().map(|weight| Template::one(compiled, pool, 0, weight)).collect();
    lists.into_iter().map(templates).collect()
}
