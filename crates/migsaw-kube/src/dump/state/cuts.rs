//! How a node is cut by its labels and by what it offers.

use std::collections::BTreeMap;
use std::sync::Arc;

use migsaw::demand::Demand;
use migsaw::fleet::{Fleet, Pool, Strategy};
use migsaw::geometry::{Catalog, Counts, Layout, Model, ProfileName};
use migsaw::plan::{Depth, GpuTarget, Options, plan};
use migsaw::problem::Problem;

use super::super::collect::Node;
use super::super::nodes::{COUNT, FleetNode};
use super::super::warning::{WarningCode, Warnings};
use crate::gpu_operator::standard_entries;
use crate::mig_parted::{Config, Entry};
use crate::names::{CONFIG_LABEL, GPU};

/// What is known about how nodes can be cut.
#[derive(Debug)]
pub(in super::super) struct Cuts {
    configs: BTreeMap<String, Config>,
    standard: Config,
    /// Layouts by model, GPUs and instances, found once.
    split: BTreeMap<(String, u32, Instances), Option<Vec<Layout>>>,
}

/// How many of each profile.
type Instances = BTreeMap<ProfileName, u64>;

/// How a node's GPUs are cut, by index.
pub(in super::super) type Gpus = Vec<Option<Layout>>;

pub(in super::super) struct Cut {
    pub(in super::super) gpus: Gpus,
    /// Whether the indices are guessed.
    pub(super) in_any_order: bool,
    /// Whether it is what the node was told, and not one of several that what it offers could be.
    pub(in super::super) is_told: bool,
}

impl Cuts {
    pub(in super::super) fn new(configs: BTreeMap<String, Config>, catalog: &Catalog) -> Cuts {
        Cuts { configs, standard: Config { entries: standard_entries(catalog) }, split: BTreeMap::new() }
    }

    /// How the node's GPUs are cut; `None` if that cannot be told.
    pub(in super::super) fn of(&mut self, node: &Node, fleet_node: &FleetNode, warnings: &mut Warnings) -> Option<Cut> {
        let object = format!("node {}", node.name);
        let offered = self.offered(node, fleet_node);
        let told = self.told(node, fleet_node);
        let (by_plugin, by_labels) = (in_capacity(node), in_labels(node));
        if !by_plugin.is_empty() && !by_labels.is_empty() && by_plugin != by_labels {
            let message =
                "offers other instances than the labels of GPU feature discovery count: what it offers counts";
            warnings.add(WarningCode::StateAssumed, &object, message);
        }
        match (told, offered) {
            (Some(told), offered) if agrees(&told, offered.as_ref(), node, fleet_node) => {
                Some(Cut { gpus: told, in_any_order: false, is_told: true })
            }
            (told, Some(offered)) => {
                if told.is_some() {
                    let message =
                        format!("offers other instances than its {CONFIG_LABEL} says: what it offers was taken");
                    warnings.add(WarningCode::StateAssumed, &object, message);
                }
                let in_any_order = offered.windows(2).any(|pair| pair[0] != pair[1]);
                Some(Cut { gpus: offered, in_any_order, is_told: false })
            }
            (_, None) => {
                let message = "its labels do not tell how it is cut today: it counts as empty";
                warnings.add(WarningCode::StateUnknown, &object, message);
                None
            }
        }
    }

    /// Whether GPUs that are seen to be cut like this are what the node offers; a sentence if they are not.
    pub(super) fn seen(
        &mut self,
        seen: &Gpus,
        by: &str,
        node: &Node,
        fleet_node: &FleetNode,
        warnings: &mut Warnings,
    ) -> Result<(), String> {
        let offered = self.offered(node, fleet_node);
        if !agrees(seen, offered.as_ref(), node, fleet_node) {
            return Err(format!("{by} sees other instances than the node offers"));
        }
        let counts = |gpus: &Gpus| {
            gpus.iter().map(|layout| layout.as_ref().map(Layout::counts).unwrap_or_default()).collect::<Vec<Counts>>()
        };
        if self.told(node, fleet_node).is_some_and(|told| counts(&told) != counts(seen)) {
            let message =
                format!("{by} sees other instances on its GPUs than its {CONFIG_LABEL} says: what it sees was taken");
            warnings.add(WarningCode::StateAssumed, format!("node {}", node.name), message);
        }
        Ok(())
    }

    /// How the node is cut by what it was told; `None` if that is not known.
    fn told(&self, node: &Node, fleet_node: &FleetNode) -> Option<Gpus> {
        let name = node.labels.get(CONFIG_LABEL)?;
        let own = self.configs.get(&format!("{}-mig-config", node.name));
        let mut others = self.configs.iter().filter(|(config, _)| !config.ends_with("-mig-config")).map(|(_, c)| c);
        let entry = own
            .and_then(|config| config.entry(name))
            .or_else(|| others.find_map(|config| config.entry(name)))
            .or_else(|| self.standard.entry(name))?;
        cut_by(entry, &fleet_node.model, fleet_node.gpus)
    }

    /// How the node could be cut by what it offers.
    fn offered(&mut self, node: &Node, fleet_node: &FleetNode) -> Option<Gpus> {
        let gpus = fleet_node.gpus;
        let off = || vec![None; gpus as usize];
        let model = &fleet_node.model;
        match (fleet_node.strategy, &fleet_node.cut) {
            (Strategy::Single, None) => Some(off()),
            (Strategy::Single, Some(profile)) => {
                let devices: u64 = node.labels.get(COUNT)?.parse().ok()?;
                let each = devices.is_multiple_of(u64::from(gpus)).then(|| devices / u64::from(gpus))?;
                let counts = Counts::from_iter([(model.profile(profile)?, u8::try_from(each).ok()?)]);
                let layout = model.place(&counts, &Layout::empty()).ok()??;
                Some(vec![Some(layout); gpus as usize])
            }
            (Strategy::Mixed, _) => {
                let by_plugin = in_capacity(node);
                let whole = node.capacity.get(GPU).copied().unwrap_or(0);
                // While the device plugin restarts a node offers nothing; the labels stay.
                let is_away = by_plugin.is_empty() && whole == 0;
                let totals = if is_away { in_labels(node) } else { by_plugin };
                if totals.is_empty() {
                    return Some(off());
                }
                let cut = gpus.checked_sub(u32::try_from(whole).ok()?).filter(|&cut| cut > 0)?;
                let layouts = self.split(model, cut, totals)?;
                let mut all: Gpus = layouts.into_iter().map(Some).collect();
                all.resize(gpus as usize, None);
                Some(all)
            }
        }
    }

    /// Layouts of at most so many GPUs with these instances in all.
    fn split(&mut self, model: &Arc<Model>, gpus: u32, totals: Instances) -> Option<Vec<Layout>> {
        let key = (model.id.clone(), gpus, totals);
        if let Some(known) = self.split.get(&key) {
            return known.clone();
        }
        let layouts = layouts(model, gpus, &key.2);
        self.split.insert(key, layouts.clone());
        layouts
    }
}

/// The instances that the device plugin offers.
fn in_capacity(node: &Node) -> Instances {
    let offered = node.capacity.iter().map(|(resource, &n)| (resource.as_str(), n));
    instances(offered)
}

/// The instances that GPU feature discovery counts, in labels like `nvidia.com/mig-1g.10gb.count`.
fn in_labels(node: &Node) -> Instances {
    let count =
        |(key, value): (&'_ String, &String)| Some((key.strip_suffix(".count")?.to_owned(), value.parse().ok()?));
    let counted: Vec<(String, u64)> = node.labels.iter().filter_map(count).collect();
    instances(counted.iter().map(|(resource, n)| (resource.as_str(), *n)))
}

fn instances<'a>(resources: impl Iterator<Item = (&'a str, u64)>) -> Instances {
    let mut totals = Instances::new();
    for (resource, n) in resources.filter(|(_, n)| *n > 0) {
        if let Some(profile) = ProfileName::from_resource(resource) {
            *totals.entry(profile).or_insert(0) += n;
        }
    }
    totals
}

/// Whether what MIG Manager was told is what the node offers, as far as it says.
fn agrees(told: &Gpus, offered: Option<&Gpus>, node: &Node, fleet_node: &FleetNode) -> bool {
    let total = |cut: &Gpus| {
        let mut total = Instances::new();
        for (id, n) in cut.iter().flatten().flat_map(|layout| layout.counts().iter().collect::<Vec<_>>()) {
            *total.entry(fleet_node.model.get(id).name.clone()).or_insert(0) += u64::from(n);
        }
        total
    };
    let says_nothing = node.capacity.values().all(|&n| n == 0) && in_labels(node).is_empty();
    says_nothing || offered.is_some_and(|offered| total(offered) == total(told))
}

/// What an entry makes of a node's GPUs; `None` if it leaves one open or cannot be created.
fn cut_by(entry: &Entry, model: &Arc<Model>, gpus: u32) -> Option<Gpus> {
    let models = vec![Arc::clone(model); gpus as usize];
    let mut cut = Vec::new();
    for rule in entry.on_node(&models) {
        let rule = rule?;
        let mut counts = Counts::EMPTY;
        for (profile, &n) in rule.mig_devices.iter().filter(|_| rule.mig_enabled) {
            counts[model.profile(profile)?] += u8::try_from(n).ok()?;
        }
        let layout = model.place(&counts, &Layout::empty()).ok()??;
        cut.push(Some(layout).filter(|layout| !layout.is_empty()));
    }
    Some(cut)
}

/// GPUs with these instances in all: what a node that is asked for just them is planned to be.
fn layouts(model: &Arc<Model>, gpus: u32, totals: &Instances) -> Option<Vec<Layout>> {
    let demands = totals.iter().map(|(profile, &n)| Demand::of_profile(profile.to_string(), profile.clone(), n));
    let fleet = Fleet { pools: vec![Pool::new("n", Arc::clone(model), 1, gpus)] };
    let problem = Problem { fleet, demands: demands.collect(), ..Problem::default() };
    let planned = plan(&problem, &Options { depth: Depth::ServedAndCost, ..Options::default() }).ok()?;
    let served = planned.served(problem.demands.len());
    let all_served = problem.demands.iter().zip(served).all(|(demand, served)| demand.count == served);
    let node = planned.nodes.first().filter(|_| all_served)?;
    // Only what serves is there; the rest of a layout is what else would fit.
    let mut counts = vec![Counts::EMPTY; node.gpus.len()];
    for share in node.serves.iter().flat_map(|serving| &serving.shares) {
        counts[usize::from(share.gpu)][share.profile?] += u8::try_from(share.instances).ok()?;
    }
    let cut = node.gpus.iter().zip(counts).filter(|(target, _)| matches!(target, GpuTarget::Mig(_)));
    cut.map(|(_, counts)| model.place(&counts, &Layout::empty()).ok()?).collect()
}
