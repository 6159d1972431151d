//! Every way to cut the GPUs of a node, and what comes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use migsaw::fleet::Strategy;

use super::Additions;
use super::capability::vectors;
use super::serve::{Stock, has_tight_offers, merged, outcomes};
use super::table::Table;
use crate::facts::{Facts, Gpu, Node};

/// A node's configuration: each GPU's model and instances, pinned ones included; `None` for MIG off.
/// Empty for MIG off on all of them, whatever they are.
pub(super) type Key = Vec<(usize, Option<Vec<u8>>)>;

/// What becomes of a node by its configuration.
pub(super) struct NodeChoices {
    /// If none of its GPUs is used; not possible where something is pinned.
    unused: Option<Table>,
    pub(super) by_key: BTreeMap<Key, Rc<Table>>,
}

impl NodeChoices {
    /// With any configuration.
    pub(super) fn all(&self) -> Table {
        let tables = self.by_key.values().flat_map(|table| table.entries());
        Table::of(self.unused.iter().flat_map(Table::entries).chain(tables).copied())
    }

    /// With one of these configurations, or unused.
    pub(super) fn only(&self, keys: &[&Key]) -> Table {
        let tables = keys.iter().filter_map(|key| self.by_key.get(*key)).flat_map(|table| table.entries());
        Table::of(self.unused.iter().flat_map(Table::entries).chain(tables).copied())
    }
}

/// What a GPU may become.
#[derive(Clone)]
enum Target {
    Off,
    /// Instances added.
    Cut(Vec<u8>),
}

/// The choices of every node.
pub(super) fn choices(facts: &Facts<'_>, additions: Additions) -> Vec<NodeChoices> {
    facts.nodes.iter().map(|node| Enumeration::new(facts, node, additions).run()).collect()
}

struct Enumeration<'a> {
    facts: &'a Facts<'a>,
    node: &'a Node,
    targets: Vec<Vec<Target>>,
    /// An earlier GPU that may change places with this one without any difference.
    twin: Vec<Option<usize>>,
    seen: BTreeMap<(Stock, i64), Rc<Table>>,
    found: NodeChoices,
}

impl<'a> Enumeration<'a> {
    fn new(facts: &'a Facts<'a>, node: &'a Node, additions: Additions) -> Self {
        // Only nodes with the same models can have the same configuration.
        let models = |node: &Node| node.gpus.iter().map(|gpu| gpu.model).collect::<Vec<_>>();
        let alike: Vec<&Node> = facts.nodes.iter().filter(|other| models(other) == models(node)).collect();
        let strategy = |node: &Node| facts.pools[node.pool].strategy;
        let same = alike.iter().all(|other| other.gpus == node.gpus && strategy(other) == strategy(node));
        let allowed = allowed(facts, &alike, additions);
        let twin = (0..node.gpus.len())
            .map(|i| (0..i).rev().find(|&j| alike.iter().all(|other| other.gpus[i] == other.gpus[j])));
        let single = strategy(node) == Strategy::Single;
        let targets = node.gpus.iter().map(|gpu| targets(facts, gpu, &allowed[&gpu.model], single, same)).collect();
        let found = NodeChoices { unused: None, by_key: BTreeMap::new() };
        Enumeration { facts, node, targets, twin: twin.collect(), seen: BTreeMap::new(), found }
    }

    fn run(mut self) -> NodeChoices {
        self.choose(&mut Vec::new());
        if self.facts.pools[self.node.pool].strategy == Strategy::Single && self.cut_today() > 0 {
            self.add_untouched();
        }
        self.found
    }

    fn cut_today(&self) -> i64 {
        self.node.gpus.iter().map(|gpu| i64::from(!gpu.pinned.is_empty())).sum()
    }

    fn choose(&mut self, chosen: &mut Vec<usize>) {
        let gpu = chosen.len();
        if gpu == self.node.gpus.len() {
            return self.add(chosen);
        }
        let from = self.twin[gpu].map_or(0, |twin| chosen[twin]);
        for target in from..self.targets[gpu].len() {
            chosen.push(target);
            self.choose(chosen);
            chosen.pop();
        }
    }

    fn add(&mut self, chosen: &[usize]) {
        let targets: Vec<Target> = chosen.iter().zip(&self.targets).map(|(&i, targets)| targets[i].clone()).collect();
        let off = targets.iter().filter(|target| matches!(target, Target::Off)).count();
        let all_off = off == targets.len();
        let facts = self.facts;
        let pool = &facts.pools[self.node.pool];
        if pool.strategy == Strategy::Single
            && !all_off
            && !self.node.gpus.iter().any(|gpu| gpu.fixed.is_some())
            && (off > 0 || !self.is_uniform(&targets))
        {
            return;
        }
        let idle =
            self.node.gpus.iter().zip(&targets).filter(|(gpu, target)| matches!(target, Target::Off) && !gpu.taken);
        let mut cut: Vec<(usize, Vec<u8>)> = self
            .node
            .gpus
            .iter()
            .zip(&targets)
            .filter_map(|(gpu, target)| match target {
                Target::Off => None,
                Target::Cut(added) => Some((gpu.model, added.clone())),
            })
            .collect();
        cut.sort_unstable();
        let cut_count = i64::try_from(cut.len()).expect("few GPUs");
        let cut = if has_tight_offers(pool) { cut } else { merged(facts, cut) };
        let stock = Stock { cut, off: u32::try_from(idle.count()).expect("few GPUs") };
        let key = self.key(&targets);
        let table = self.seen.entry((stock, cut_count)).or_insert_with_key(|(stock, _)| {
            let outcomes = outcomes(facts, pool, &self.node.held, stock);
            let cost = |whole: u32| pool.price * (cut_count + i64::from(whole));
            Rc::new(Table::of(outcomes.into_iter().map(|(vector, whole, left)| (vector, cost(whole), left))))
        });
        if !all_off {
            self.found.by_key.insert(key, Rc::clone(table));
            return;
        }
        let (unused, used): (Vec<_>, Vec<_>) = table.entries().iter().partition(|(vector, _, _)| *vector == 0);
        self.found.unused = Some(Table::of(unused));
        if !used.is_empty() {
            self.found.by_key.insert(Vec::new(), Rc::new(Table::of(used)));
        }
    }

    /// A node of strategy `single` that stays as it is and serves nothing.
    fn add_untouched(&mut self) {
        let empty = |gpu: &Gpu| match gpu.pinned[..] {
            [] => Target::Off,
            _ => Target::Cut(vec![0; self.facts.models[gpu.model].profiles.len()]),
        };
        let targets: Vec<Target> = self.node.gpus.iter().map(empty).collect();
        let cost = self.facts.pools[self.node.pool].price * self.cut_today();
        let table = Table::of([(0, cost, 0)]);
        let key = self.key(&targets);
        let known = self.found.by_key.get(&key).map(|table| table.entries().to_vec()).unwrap_or_default();
        let both = Table::of(known.into_iter().chain(table.entries().iter().copied()));
        self.found.by_key.insert(key, Rc::new(both));
    }

    fn key(&self, targets: &[Target]) -> Key {
        let gpus = self.node.gpus.iter().zip(targets);
        gpus.map(|(gpu, target)| (gpu.model, content(gpu, target))).collect()
    }

    fn is_uniform(&self, targets: &[Target]) -> bool {
        let mut names = BTreeSet::new();
        for (gpu, target) in self.node.gpus.iter().zip(targets) {
            let profiles = &self.facts.models[gpu.model].profiles;
            let counts = content(gpu, target).unwrap_or_default();
            names.extend(profiles.iter().zip(counts).filter(|(_, n)| *n > 0).map(|(p, _)| &p.name));
        }
        names.len() == 1
    }
}

/// All instances of a GPU, pinned ones included; `None` for MIG off.
fn content(gpu: &Gpu, target: &Target) -> Option<Vec<u8>> {
    let Target::Cut(added) = target else { return None };
    let mut counts = added.clone();
    for placement in &gpu.pinned {
        counts[usize::from(placement.profile.0)] += 1;
    }
    Some(counts)
}

/// For each model the profiles that can matter on nodes that look alike: those some demand could use, and
/// pinned ones, since another node's configuration may be matched by cutting the same. On nodes of strategy
/// `single` any may be needed to have one name throughout.
fn allowed(facts: &Facts<'_>, alike: &[&Node], additions: Additions) -> BTreeMap<usize, Vec<bool>> {
    let mut allowed: BTreeMap<usize, Vec<bool>> = BTreeMap::new();
    for node in alike {
        let pool = &facts.pools[node.pool];
        for gpu in &node.gpus {
            let count = facts.models[gpu.model].profiles.len();
            let of_model = allowed.entry(gpu.model).or_insert_with(|| vec![false; count]);
            for (profile, allowed) in of_model.iter_mut().enumerate() {
                *allowed |= pool.strategy == Strategy::Single
                    || pool.wanted.contains(&(gpu.model, profile))
                    || additions == Additions::Any
                        && gpu.pinned.iter().any(|placement| usize::from(placement.profile.0) == profile);
            }
        }
    }
    allowed
}

/// What one GPU may become. Where all nodes that look alike are alike, a cut that can be extended is never
/// better than its extension.
fn targets(facts: &Facts<'_>, gpu: &Gpu, allowed: &[bool], single: bool, same: bool) -> Vec<Target> {
    if gpu.taken || gpu.off {
        return vec![Target::Off];
    }
    if let Some(free) = &gpu.fixed {
        return vec![Target::Cut(free.clone())];
    }
    let cut = |added: &Vec<u8>| Target::Cut(added.clone());
    let mut all: Vec<Vec<u8>> = vectors(facts.models[gpu.model], &gpu.pinned, allowed).into_iter().collect();
    if single {
        let one =
            |added: &Vec<u8>| content(gpu, &cut(added)).is_some_and(|all| all.iter().filter(|&&n| n > 0).count() <= 1);
        all.retain(one);
    }
    if same {
        let within = |a: &[u8], b: &[u8]| a != b && a.iter().zip(b).all(|(a, b)| a <= b);
        let maximal = all.iter().filter(|a| !all.iter().any(|b| within(a, b))).cloned();
        all = maximal.collect();
    }
    let is_empty = |added: &Vec<u8>| gpu.pinned.is_empty() && added.iter().all(|&n| n == 0);
    let off = gpu.pinned.is_empty().then_some(Target::Off);
    off.into_iter().chain(all.iter().filter(|added| !is_empty(added)).map(cut)).collect()
}
