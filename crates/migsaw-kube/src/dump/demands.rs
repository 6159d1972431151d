//! Pods and workloads into demands.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use migsaw::demand::{Demand, NodeSelector, Operator, Together, Toleration};
use migsaw::fleet::{Strategy, Taint};
use migsaw::geometry::{Catalog, ProfileName};

use super::collect::{Asking, Collection, Owner, PriorityClass, described};
use super::constraints::{self, NODE_NAME, Term};
use super::dra::{self, ClaimUse};
use super::groups::{self, Group, Member};
use super::labels::{Lasting, lasting};
use super::naming;
use super::nodes::{DRA_DRIVER, FleetNode, Nodes};
use super::quotas::Scoped;
use super::shared::Labels;
use super::warning::{WarningCode, Warnings};
use crate::names::GPU;

/// What makes two pods part of one demand.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) wanted: Wanted,
    pub(super) terms: Vec<Term>,
    pub(super) tolerations: Vec<Toleration>,
    pub(super) priority: i32,
    pub(super) max_per_node: Option<u32>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Wanted {
    Slices(BTreeMap<ProfileName, u32>, Strategy, Together),
    Whole(u32),
}

impl Wanted {
    /// Slices, on one GPU if it has to be. Of one slice there is nothing to say.
    fn slices(slices: BTreeMap<ProfileName, u32>, strategy: Strategy, asking: &Asking) -> Wanted {
        let several = slices.values().map(|&n| u64::from(n)).sum::<u64>() > 1;
        let together = if asking.same_gpu && several { Together::Gpu } else { Together::Node };
        Wanted::Slices(slices, strategy, together)
    }

    /// Whether it is slices of strategy `single`.
    fn on_slices(&self) -> bool {
        matches!(self, Wanted::Slices(_, Strategy::Single, _))
    }
}

/// How many units of a demand there should be, and which of them run.
#[derive(Debug, Default)]
pub(super) struct Units {
    pub(super) count: u64,
    pub(super) running: Vec<RunningPod>,
    /// What scopes of quotas look at, of all of them.
    pub(super) scoped: BTreeSet<Scoped>,
}

/// A pod that runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RunningPod {
    pub(super) node: Arc<str>,
    pub(super) name: Arc<str>,
    pub(super) stays: bool,
    pub(super) labels: Labels,
}

impl RunningPod {
    fn of(member: &Member) -> Option<RunningPod> {
        Some(RunningPod {
            node: member.node.clone()?,
            name: member.name.clone(),
            stays: member.stays,
            labels: member.labels.clone(),
        })
    }
}

/// The demands of a dump with their pods that run, ordered by namespace and name.
pub(super) fn build(
    found: &Collection,
    nodes: &Nodes,
    catalog: &Catalog,
    warnings: &mut Warnings,
) -> Vec<(Demand, Units)> {
    let groups = groups::group(found, warnings);
    let mut context = Context::new(nodes, catalog, found, warnings);
    let mut units: BTreeMap<Key, Units> = BTreeMap::new();
    for (asking, group) in groups {
        for (key, more) in context.keys_of(&asking, &group) {
            let all = units.entry(key).or_default();
            all.count = all.count.saturating_add(more.count);
            all.running.extend(more.running);
            all.scoped.extend(more.scoped);
        }
    }
    naming::named(units)
}

/// What it takes to make sense of what pods ask for.
struct Context<'a> {
    nodes: &'a Nodes,
    catalog: &'a Catalog,
    classes: &'a [PriorityClass],
    /// What classes mean, as pods tell.
    class_values: &'a BTreeMap<String, i32>,
    warnings: &'a mut Warnings,
    /// The profile that each cut node gives as `nvidia.com/gpu`, by the node's name.
    cut: BTreeMap<&'a str, &'a ProfileName>,
    outside: BTreeSet<&'a str>,
    taints: BTreeSet<&'a Taint>,
    /// Whether there are nodes of the DRA driver and others.
    has_both: bool,
    /// Whether claims are made for extended resources.
    has_extended: bool,
}

impl<'a> Context<'a> {
    fn new(nodes: &'a Nodes, catalog: &'a Catalog, found: &'a Collection, warnings: &'a mut Warnings) -> Context<'a> {
        let all = nodes.fleet.iter().chain(&nodes.unavailable);
        Context {
            nodes,
            catalog,
            classes: &found.priority_classes,
            class_values: &found.class_values,
            warnings,
            cut: all.filter_map(|node| Some((node.name.as_str(), node.cut.as_ref()?))).collect(),
            outside: nodes.outside.iter().map(|node| node.name.as_str()).collect(),
            has_both: nodes.fleet.iter().any(|node| node.by_claims) && nodes.fleet.iter().any(|node| !node.by_claims),
            has_extended: found.device_classes.values().any(|class| class.is_extended)
                || found.pods.iter().any(|pod| pod.claims.iter().any(|c| matches!(c, ClaimUse::Extended(_)))),
            taints: nodes.fleet.iter().flat_map(|node| &node.taints).collect(),
        }
    }

    /// The demands a group of pods belongs to, with how many units of each.
    fn keys_of(&mut self, asking: &Asking, group: &Group) -> Vec<(Key, Units)> {
        let object = object_of(asking);
        let Some(asked) = self.asked(&object, asking) else { return Vec::new() };
        let selector = lasting(&asking.constraints.terms);
        let elsewhere = |member: &&Member| member.node.as_deref().is_some_and(|node| self.outside.contains(node));
        let here: Vec<&Member> = group.members.iter().filter(|member| !elsewhere(member)).collect();
        if here.len() < group.members.len() {
            let message = "runs on GPUs that are not planned and was left out";
            self.warnings.add(WarningCode::ServedElsewhere, &object, message);
        }
        if here.is_empty() && group.missing == 0 {
            return Vec::new();
        }
        if matches!(asked, Asked::Gpus(_)) && self.only_outside(asking, &selector) {
            let message = "may only run on GPUs that are not planned and was left out";
            self.warnings.add(WarningCode::ServedElsewhere, &object, message);
            return Vec::new();
        }
        let split = self.by_wanted(&asked, asking, &selector, &here, group.missing);
        self.remarks(&object, asking);
        for (wanted, ..) in &split {
            self.remark_dropped(&object, &selector, wanted.on_slices());
        }
        let key = |wanted: Wanted, terms: Vec<Term>, most: Option<u32>| Key {
            namespace: asking.namespace.clone(),
            name: demand_name(&asking.owner),
            kind: asking.owner.kind.clone(),
            wanted,
            terms,
            tolerations: self.relevant(&asking.constraints.tolerations),
            priority: 0,
            max_per_node: most.or(asking.constraints.one_per_node.then_some(1)),
        };
        let scoped = BTreeSet::from([self.scoped(asking)]);
        let mut keys = Vec::new();
        for (wanted, members, missing) in split {
            let terms = self.by_driver(selector.terms(wanted.on_slices()), asking);
            let (pinned, free): (Vec<&Member>, Vec<&Member>) = members.into_iter().partition(|m| m.pinned.is_some());
            if !free.is_empty() || missing > 0 {
                let count = missing.saturating_add(free.len() as u64);
                let running = free.into_iter().filter_map(RunningPod::of).collect();
                keys.push((key(wanted.clone(), terms.clone(), None), Units { count, running, scoped: scoped.clone() }));
            }
            for members in layers(&pinned) {
                // One pod on each of these nodes is the same as so many pods on them, at most one each.
                let names = members.iter().filter_map(|member| member.pinned.as_deref()).collect();
                let running = members.iter().filter_map(|member| RunningPod::of(member)).collect();
                let units = Units { count: members.len() as u64, running, scoped: scoped.clone() };
                keys.push((key(wanted.clone(), pinned_to(&terms, &names), Some(1)), units));
            }
        }
        let priority = self.priority(&object, asking);
        for (key, _) in &mut keys {
            key.priority = priority;
        }
        keys
    }

    /// What the resources are; `None` if a demand cannot say it, which is noted.
    fn asked(&mut self, object: &str, asking: &Asking) -> Option<Asked> {
        let mut slices = BTreeMap::new();
        let mut gpus = 0;
        for (resource, &amount) in &asking.resources {
            let amount = u32::try_from(amount).expect("quantities end at a billion");
            if resource.ends_with(".shared") {
                let message = format!("asks for {resource}, a time-sliced share, and was left out");
                self.warnings.add(WarningCode::SharedResource, object, message);
                return None;
            }
            if resource == GPU {
                gpus = amount;
            } else if let Some(profile) = ProfileName::from_resource(resource) {
                slices.insert(profile, amount);
            } else {
                let message = format!(
                    "asks for {resource}, which is no MIG profile (expected like nvidia.com/mig-1g.10gb), and was left out"
                );
                self.warnings.add(WarningCode::UnknownResource, object, message);
                return None;
            }
        }
        for profile in slices.keys() {
            if !self.catalog.models().any(|model| model.profile(profile).is_some()) {
                let nearest = self.nearest(profile);
                let message =
                    format!("asks for {profile}, which no known model has (nearest: {nearest}): it cannot be served");
                self.warnings.add(WarningCode::UnknownProfile, object, message);
            }
        }
        match (gpus, slices.is_empty()) {
            (0, _) => Some(Asked::Slices(slices)),
            (_, true) => Some(Asked::Gpus(gpus)),
            (_, false) => {
                let message = "asks for whole GPUs and MIG slices at once, which no demand can say: it was left out";
                self.warnings.add(WarningCode::MixedRequest, object, message);
                None
            }
        }
    }

    fn nearest(&self, profile: &ProfileName) -> String {
        let wanted = profile.to_string();
        let names: BTreeSet<String> =
            self.catalog.models().flat_map(|model| model.profiles.iter().map(|p| p.name.to_string())).collect();
        let mut ranked: Vec<(usize, u32, &String)> = names
            .iter()
            .map(|name| {
                let known: ProfileName = name.parse().expect("a name of the catalogue");
                (strsim::levenshtein(name, &wanted), known.gigabytes().abs_diff(profile.gigabytes()), name)
            })
            .collect();
        ranked.sort();
        ranked.iter().take(3).map(|(_, _, name)| name.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Whether there are nodes the pods may use, but none of them is planned.
    fn only_outside(&self, asking: &Asking, selector: &Lasting) -> bool {
        let accepts = |labels: &BTreeMap<String, String>, taints: &[Taint], cut: bool| {
            let terms = selector.terms(cut);
            let tolerated = |taint: &Taint| asking.constraints.tolerations.iter().any(|t| t.tolerates(taint));
            (terms.is_empty() || terms.iter().any(|term| term.iter().all(|r| r.matches(labels))))
                && taints.iter().all(tolerated)
        };
        let planned = self.nodes.fleet.iter().chain(&self.nodes.unavailable);
        self.nodes.outside.iter().any(|node| accepts(&node.labels, &node.taints, false))
            && !planned.into_iter().any(|node| accepts(&node.labels, &node.taints, node.cut.is_some()))
    }

    /// Splits pods by what `nvidia.com/gpu` means for them: on a node cut under strategy `single` it is
    /// a slice. A pod that runs nowhere yet means what its selector says, or its running siblings, or
    /// all nodes it may use.
    fn by_wanted<'m>(
        &self,
        asked: &Asked,
        asking: &Asking,
        selector: &Lasting,
        members: &[&'m Member],
        missing: u64,
    ) -> Vec<(Wanted, Vec<&'m Member>, u64)> {
        let gpus = match asked {
            Asked::Slices(slices) => {
                let wanted = Wanted::slices(slices.clone(), Strategy::Mixed, asking);
                return vec![(wanted, members.to_vec(), missing)];
            }
            Asked::Gpus(gpus) => *gpus,
        };
        let wanted = |profile: Option<&ProfileName>| match profile {
            Some(profile) => Wanted::slices(BTreeMap::from([(profile.clone(), gpus)]), Strategy::Single, asking),
            None => Wanted::Whole(gpus),
        };
        let mut split: BTreeMap<Wanted, (Vec<&Member>, u64)> = BTreeMap::new();
        let mut waiting = Vec::new();
        for &member in members {
            match member.node.as_deref() {
                Some(node) => split.entry(wanted(self.cut.get(node).copied())).or_default().0.push(member),
                None => waiting.push(member),
            }
        }
        if !waiting.is_empty() || missing > 0 {
            let siblings = if split.len() == 1 { split.keys().next().cloned() } else { None };
            let of_waiting = match &selector.profile {
                Some(profile) => wanted(Some(profile)),
                None => siblings.unwrap_or_else(|| wanted(self.unanimous(asking, selector))),
            };
            let entry = split.entry(of_waiting).or_default();
            entry.0.extend(waiting);
            entry.1 = entry.1.saturating_add(missing);
        }
        split.into_iter().map(|(wanted, (members, missing))| (wanted, members, missing)).collect()
    }

    /// The profile that every node the pods may use is cut to.
    fn unanimous(&self, asking: &Asking, selector: &Lasting) -> Option<&ProfileName> {
        let accepts = |node: &FleetNode| {
            let terms = selector.terms(node.cut.is_some()).to_vec();
            NodeSelector { terms }.matches(&node.labels)
        };
        let tolerations = &asking.constraints.tolerations;
        let tolerated = |taint: &Taint| tolerations.iter().any(|t| t.tolerates(taint));
        let mut usable = self.nodes.fleet.iter().filter(|node| accepts(node) && node.taints.iter().all(tolerated));
        let first = usable.next()?.cut.as_ref()?;
        usable.all(|node| node.cut.as_ref() == Some(first)).then_some(first)
    }

    /// The conditions on nodes, with who must give their GPUs out: claims are served by the DRA driver's nodes and
    /// resources by the device plugin's, where there are both. If claims were made for extended resources, those are
    /// served by either.
    fn by_driver(&self, terms: &[Term], asking: &Asking) -> Vec<Term> {
        let mut terms = terms.to_vec();
        let condition = if asking.by_claims {
            constraints::requirement(DRA_DRIVER, Operator::In, &[dra::DRIVER.to_owned()])
        } else {
            constraints::requirement(DRA_DRIVER, Operator::DoesNotExist, &[])
        };
        if !self.has_both || self.has_extended && !asking.by_claims {
            return terms;
        }
        if terms.is_empty() {
            terms.push(Vec::new());
        }
        for term in &mut terms {
            term.push(condition.clone());
            term.sort();
        }
        terms
    }

    /// The tolerations that matter for some taint of the fleet.
    fn relevant(&self, tolerations: &[Toleration]) -> Vec<Toleration> {
        tolerations.iter().filter(|t| self.taints.iter().any(|taint| t.tolerates(taint))).cloned().collect()
    }

    fn priority(&mut self, object: &str, asking: &Asking) -> i32 {
        if let Some(priority) = asking.priority {
            return priority;
        }
        let name = asking.priority_class.as_str();
        let class =
            if name.is_empty() { self.default_class() } else { self.classes.iter().find(|class| class.name == name) };
        match (class, name) {
            (Some(class), _) => class.value,
            (None, "") => 0,
            (None, "system-cluster-critical") => 2_000_000_000,
            (None, "system-node-critical") => 2_000_001_000,
            (None, name) if self.class_values.contains_key(name) => self.class_values[name],
            (None, name) => {
                let message = format!(
                    "has the priority class {name}, which is not in the dump (get priorityclasses too): priority 0 was taken"
                );
                self.warnings.add(WarningCode::PriorityClassUnknown, object, message);
                0
            }
        }
    }

    /// The class of pods without one: of several the one with the lowest value, as admission has it.
    fn default_class(&self) -> Option<&'a PriorityClass> {
        let defaults = self.classes.iter().filter(|class| class.default);
        defaults.min_by_key(|class| (class.value, &class.name))
    }

    /// What scopes of quotas look at.
    fn scoped(&self, asking: &Asking) -> Scoped {
        // Admission gives pods without a class the default one.
        let default = self.default_class().filter(|_| asking.priority_class.is_empty());
        Scoped {
            priority_class: default.map_or(&asking.priority_class, |class| &class.name).clone(),
            nature: asking.nature,
            by_claims: asking.by_claims,
        }
    }

    fn remarks(&mut self, object: &str, asking: &Asking) {
        if asking.constraints.more {
            let message = "has required pod affinity or topology spread, which planning does not look at";
            self.warnings.add(WarningCode::RulesIgnored, object, message);
        }
    }

    fn remark_dropped(&mut self, object: &str, selector: &Lasting, on_slices: bool) {
        for label in selector.dropped(on_slices) {
            let message =
                format!("selects nodes by {label}, which changes when a node is cut anew: that condition was dropped");
            self.warnings.add(WarningCode::LabelChanges, object, message);
        }
    }
}

enum Asked {
    Slices(BTreeMap<ProfileName, u32>),
    Gpus(u32),
}

fn object_of(asking: &Asking) -> String {
    described(&asking.owner.kind, &asking.namespace, &asking.owner.name)
}

pub(super) fn demand_name(owner: &Owner) -> String {
    if owner.part.is_empty() { owner.name.clone() } else { format!("{}-{}", owner.name, owner.part) }
}

/// Pods bound to distinct nodes; those bound to a node that has one already in further layers.
fn layers<'m>(members: &[&'m Member]) -> Vec<Vec<&'m Member>> {
    let mut layers: Vec<(BTreeSet<&str>, Vec<&Member>)> = Vec::new();
    for &member in members {
        let Some(name) = member.pinned.as_deref() else { continue };
        match layers.iter_mut().find(|(names, _)| !names.contains(name)) {
            Some((names, members)) => {
                names.insert(name);
                members.push(member);
            }
            None => layers.push((BTreeSet::from([name]), vec![member])),
        }
    }
    layers.into_iter().map(|(_, members)| members).collect()
}

fn pinned_to(terms: &[Term], names: &BTreeSet<&str>) -> Vec<Term> {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut terms = if terms.is_empty() { vec![Vec::new()] } else { terms.to_vec() };
    for term in &mut terms {
        term.push(constraints::requirement(NODE_NAME, Operator::In, &names));
        term.sort();
    }
    terms
}
